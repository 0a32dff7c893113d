"""Play all steps with one library against one sandbox and write what came out as JSON.

``python play.py MODULE SERVER FOLDER OUTPUT [OPTIONS]``, where SERVER is the line of JSON with
which the sandbox says where it is, and OPTIONS a mapping, as JSON, that all sessions are given.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from book import Stage, Step, load_steps
from normal import Normaliser, caught_by, state
from wire import readable, reads


def text_of(error: Exception) -> str:
    """Return the text of *error*; the published client's texts cannot always be made."""
    try:
        return str(error)
    except Exception as failure:
        return f"no text ({type(failure).__name__})"


def play(stage: Stage, step: Step) -> dict[str, Any]:
    """Return what *step* returned, raised, left in its session, and sent."""
    words = {
        str(stage.folder): "<folder>",
        stage.server["server_url"]: "<server>",
        stage.server["api_key"]: "<key>",
        stage.module_name: "<library>",
    }
    normaliser = Normaliser(words)
    record: dict[str, Any] = {"answer": None, "error": [], "state": {}}
    stage.begin(step.chapter)
    stage.wire.take()
    try:
        record["answer"] = normaliser.value(step.function(stage))
    except Exception as error:
        record["error"] = caught_by(error, stage.module_name)
        record["message"] = normaliser.text(f"{type(error).__name__}: {text_of(error)}")[:600]
    sent = readable(stage.wire.take())
    record["reads"] = reads(sent["requests"])
    record.update({part: Normaliser(words).value(value) for part, value in sent.items()})
    if stage.opened and not stage.session.closed:
        record["state"] = state(stage.session)
        stage.session.rollback()
    return record


def main() -> None:
    """Read the command line, play, write."""
    module_name, server, folder, output, *options = sys.argv[1:]
    for name in [name for name in os.environ if name.startswith("FTRACK")]:
        del os.environ[name]
    # No schemas that an earlier run left in the user's caches.
    os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = os.environ["XDG_DATA_HOME"] = folder
    logging.disable(logging.CRITICAL)
    stage = Stage(module_name, json.loads(server), Path(folder).resolve())
    stage.options = json.loads(options[0]) if options else {}
    records = {step.title: play(stage, step) for step in load_steps()}
    stage.begin("")
    Path(output).write_text(json.dumps(records, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
