"""`ftrack-like listen`: host plugins, and handle events until interrupted."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from ftrack_like.cli._arguments import positive
from ftrack_like.cli._interrupt import interruptible

if TYPE_CHECKING:
    from ftrack_like.wire.events import Event

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "host plugins and handle events"

#: The value of ``--key`` that keeps events about the same entity in order.
_ENTITY = "entity"
#: The fields of events; each key begins with the name of a field.
_FIELDS = ("data", "id", "in_reply_to_event", "sent", "source", "target", "topic")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.add_argument(
        "plugin_paths",
        metavar="PLUGIN_PATH",
        type=_folder,
        nargs="*",
        help="folder with plugins (default: the folders in FTRACK_EVENT_PLUGIN_PATH)",
    )
    parser.add_argument("--server", metavar="URL", help="default: FTRACK_SERVER")
    parser.add_argument("--user", help="default: FTRACK_API_USER; the key is FTRACK_API_KEY")
    parser.add_argument(
        "--workers",
        metavar="N",
        type=positive,
        help="handle events on N threads; events about the same entity stay in order "
        "(default: one by one)",
    )
    parser.add_argument(
        "--key",
        metavar="KEY",
        type=_field_path,
        default=_ENTITY,
        help="with --workers, keep events with the same KEY in order: KEY is 'entity' "
        "or a field of the event, such as 'topic', 'source.id' or 'data.project' "
        "(default: entity)",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="log normal steps too, such as the loading of plugins",
    )


def _folder(path: str) -> str:
    """Return *path*, which must be a readable folder."""
    if not os.path.exists(path):
        raise argparse.ArgumentTypeError(f"there is no folder {path!r}")
    if not os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"{path!r} is not a folder; pass the folder that it is in")
    if not os.access(path, os.R_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"the folder {path!r} cannot be read")
    return path


def _field_path(text: str) -> str:
    """Return *text*, which must be ``entity`` or a field of events, with dots between names."""
    if text != _ENTITY and text.split(".", maxsplit=1)[0] not in _FIELDS:
        fields = ", ".join(_FIELDS)
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither 'entity' nor a field of events, which begins with one of {fields}"
        )
    return text


def run(arguments: argparse.Namespace) -> int:
    """Host the plugins in *arguments* until SIGINT or SIGTERM; return the exit status.

    Raise :exc:`KeyboardInterrupt` at SIGINT.
    """
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like.session import Session  # lazy: likewise

    if arguments.key != _ENTITY and not arguments.workers:
        print("ftrack-like: --key needs --workers.", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    _warn_of_missing_folders(arguments.plugin_paths)
    with interruptible():
        try:
            with Session(
                server_url=arguments.server,
                api_user=arguments.user,
                plugin_paths=arguments.plugin_paths or None,
            ) as session:
                hub = session.event_hub
                hub.connect()
                print(f"Listening to {hub.get_server_url()}. Stop with Ctrl-C.", file=sys.stderr)
                while hub.connected:  # events may end a wait, but not this command
                    hub.wait(workers=arguments.workers, key=_key_function(arguments.key))
        except BrokenPipeError:
            raise  # the reader of the output has gone, which is not an error
        except (exception.Error, OSError, ValueError) as error:
            print(f"ftrack-like: {error}", file=sys.stderr)
            return 1
    return 0


def _warn_of_missing_folders(chosen: list[str]) -> None:
    """Warn about folders in the environment variable that do not exist, if none are *chosen*."""
    from ftrack_like._session.arguments import plugin_folders  # lazy: "--help" answers at once

    for path in () if chosen else plugin_folders(None):
        if path and not os.path.isdir(path):
            logging.getLogger(__name__).warning(
                "FTRACK_EVENT_PLUGIN_PATH names %r, which is not a folder.", path
            )


def _key_function(key: str) -> Optional[Callable[[Event], Hashable]]:
    """Return the function that computes the *key* of an event, None for the default order."""
    if key == _ENTITY:
        return None
    names = key.split(".")

    def find(event: Event) -> Hashable:
        value: Any = event
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if value is None or isinstance(value, (str, int, float)) else repr(value)

    return find
