"""``ftrack-like migrate check`` finds what is different here, and nothing else."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any, Callable

import pytest

from ftrack_like.cli import main


@pytest.fixture
def check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Return a function that checks a text and gives the status and what was printed."""

    def run(text: str) -> tuple[int, dict[str, Any]]:
        (tmp_path / "tool.py").write_text(textwrap.dedent(text), encoding="utf-8")
        status = main(["migrate", "check", "--json", str(tmp_path)])
        return status, json.loads(capsys.readouterr().out)

    return run


def found(report: dict[str, Any]) -> list[tuple[int, str, Any, str]]:
    """Return line, kind, number and subject of what was found."""
    return [
        (each["line"], each["kind"], each["number"], each["subject"]) for each in report["findings"]
    ]


CLEAN = """
import datetime
import logging
import ftrack_api
import ftrack_api.structure.standard as standard
from ftrack_api.event.base import Event
from ftrack_api import exception as errors

class Structure(standard.StandardStructure):
    def _get_parts(self, entity):
        return super()._get_parts(entity)[1:]

class Hub(ftrack_api.event.hub.EventHub):
    def _handle_packet(self, code, packet_identifier, path, data):
        super()._handle_packet(code, packet_identifier, path, data)

session = ftrack_api.Session(auto_connect_event_hub=False)
session.event_hub._event_queue.put(Event(topic="a"))
session._local_cache.clear()
session._request.headers["x"] = "1"
session.event_hub.subscribe("topic=ftrack.update and source.user.username=jane", print)
try:
    task = session.query('select name from Task where name is "x" limit 5').first()
    location = session.pick_location()
    location.accessor.open("x")
except errors.AccessorError:
    logging.getLogger("studio").error("no")
made = {}
made["on"] = datetime.datetime.now()
ftrack_api.symbol.NOT_SET
"""


def test_ordinary_code_is_clean(check: Any) -> None:
    """Code that keeps to public names and known seams has no findings."""
    status, report = check(CLEAN)
    assert found(report) == []
    assert (status, report["files"], report["importing"], report["imports"]) == (0, 1, 1, 4)


FINDINGS = {
    "import ftrack_api.nothing": (1, "breaks", None, "ftrack_api.nothing"),
    "from ftrack_api.cache import Nothing": (1, "breaks", None, "ftrack_api.cache.Nothing"),
    "import ftrack_api as api\napi.symbol.NOTHING": (
        2,
        "breaks",
        None,
        "ftrack_api.symbol.NOTHING",
    ),
    "from ftrack_api.session import Session as S\nS.nothing": (
        2,
        "breaks",
        None,
        "ftrack_api.session.Session.nothing",
    ),
    "import ftrack_api\nprint(ftrack_api.__version__)": (
        2,
        "differs",
        None,
        "ftrack_api.__version__",
    ),
    "import ftrack_api\nsession._nothing()": (2, "breaks", None, "session._nothing"),
    "import ftrack_api\nself.session.event_hub._nothing": (
        2,
        "breaks",
        None,
        "event_hub._nothing",
    ),
    "import ftrack_api\nclass A(ftrack_api.Session):\n  def f(self):\n    super()._nothing()": (
        4,
        "breaks",
        None,
        "super()._nothing",
    ),
    "import ftrack_api\nsession._auto_populate[1]": (2, "breaks", 13, "_auto_populate[…]"),
    "import ftrack_api\nsession.query('Task where name is \"a limit 5\"')": (
        2,
        "differs",
        8,
        "a limit inside quotes",
    ),
    "hub.subscribe('topic=a and data.size > 5', f)": (
        1,
        "differs",
        7,
        "a number in a subscription",
    ),
    "import logging\nlogging.getLogger('ftrack_api.session')": (
        2,
        "differs",
        None,
        "the logger ftrack_api.session",
    ),
    "mock.patch('ftrack_api.session.Nothing')": (
        1,
        "breaks",
        None,
        "ftrack_api.session.Nothing",
    ),
    "from ftrack_api.cache import ObjectKeyMaker\nObjectKeyMaker()": (
        2,
        "differs",
        24,
        "ftrack_api.cache.ObjectKeyMaker",
    ),
    "version('ftrack-python-api')": (
        1,
        "differs",
        None,
        "the distribution ftrack-python-api",
    ),
    "install_requires = ['ftrack-python-api >= 2.3, < 4']": (
        1,
        "differs",
        None,
        "the distribution ftrack-python-api",
    ),
    "open('/cache/ftrack_api_schema_cache.json')": (1, "differs", 15, "the schema cache file"),
    "import ftrack_api\ntask['start_date'] = now.date()": (2, "differs", 22, "a date as a value"),
    "import ftrack_api\ndef register(session, *, studio=None): pass": (
        2,
        "differs",
        14,
        "register with keyword-only arguments",
    ),
    "import ftrack_api\ndef register(): pass": (
        2,
        "differs",
        14,
        "register without arguments",
    ),
    "import ftrack_api\ntry:\n  location.accessor.open('x')\nexcept TimeoutError:\n  pass": (
        4,
        "breaks",
        25,
        "except TimeoutError",
    ),
}


@pytest.mark.parametrize("text", FINDINGS)
def test_each_difference_is_found(check: Any, text: str) -> None:
    """What is different is named with its line and, where it is deliberate, its number."""
    status, report = check(text)
    assert found(report) == [FINDINGS[text]]
    assert status == (1 if FINDINGS[text][1] == "breaks" else 0)
    assert report["findings"][0]["advice"].endswith(".")


OTHERS = {
    "requests": "import requests\nsession._nothing\nsession.query('a \"limit 5\"')\n",
    "own classes": "class A(Base):\n  def f(self):\n    super()._nothing()\n",
    "dates elsewhere": "row['day'] = now.date()\n",
    "own names": "from .ftrack_api import nothing\nimport ftrack_apis.nothing\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_code_is_left_alone(check: Any, name: str) -> None:
    """What only looks alike, in code that does not import the library, is no finding."""
    assert check(OTHERS[name])[1]["findings"] == []


def test_what_the_code_base_sets_itself_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A private attribute that another file of the code base makes is no finding."""
    (tmp_path / "a.py").write_text("import ftrack_api\nsession._studio\nsession._read()\n")
    (tmp_path / "b.py").write_text("session._studio = 1\nclass A:\n  def _read(self): pass\n")
    assert main(["migrate", "check", str(tmp_path / "a.py")]) == 1
    assert main(["migrate", "check", str(tmp_path)]) == 0
    assert "0 places do not work here" in capsys.readouterr().out.splitlines()[-1]


def test_text_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line names file, line, difference and advice; the last one sums up."""
    (tmp_path / "a.py").write_text("import ftrack_api\nsession._auto_populate[1]\n")
    (tmp_path / "script").write_text("#!/usr/bin/env python\nimport ftrack_api.nothing\n")
    (tmp_path / "notes").write_text("import ftrack_api.nothing\n")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "b.py").write_text("import ftrack_api.nothing\n")
    assert main(["migrate", "check", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path}/a.py:2: breaks: _auto_populate[…] (difference 13). ")
    assert lines[1].startswith(f"{tmp_path}/script:2: breaks: ftrack_api.nothing. ")
    assert lines[2:] == [
        "2 of 2 files import the library, in 2 places. "
        "2 places do not work here, 0 work differently."
    ]


def test_what_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another Python is told, and the others are read."""
    (tmp_path / "old.py").write_text("print 'hello'\n")
    (tmp_path / "binary.py").write_bytes(b"\0\xff")
    (tmp_path / "good.py").write_text("import ftrack_api\n")
    assert main(["migrate", "check", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "old.py: cannot be read: " in out
    assert "binary.py: cannot be read: " in out
    assert "1 of 3 files import" in out


def test_nothing_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is not there, or holds no Python, is an error in a line."""
    assert main(["migrate", "check", str(tmp_path / "absent")]) == 2
    assert main(["migrate", "check", str(tmp_path)]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0].startswith("ftrack-like: There is no '")
    assert err[1] == "ftrack-like: There is no Python file to read."
