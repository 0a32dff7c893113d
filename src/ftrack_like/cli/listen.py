"""`ftrack-like listen`: host plugins, and handle events until interrupted."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from ftrack_like.cli._arguments import positive
from ftrack_like.cli._connection import add_connection_arguments, connection_of
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._interrupt import interruptible
from ftrack_like.cli._text import printable

if TYPE_CHECKING:
    from ftrack_like.event.hub import EventHub
    from ftrack_like.plugin import Discovery
    from ftrack_like.session import Session
    from ftrack_like.wire.events import Event

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "host plugins and handle events"

#: The value of ``--key`` that keeps events about the same entity in order.
_ENTITY = "entity"
#: The fields of events; each key begins with the name of a field.
_FIELDS = ("data", "id", "in_reply_to_event", "sent", "source", "target", "topic")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Host plugins and handle events until Ctrl-C. A plugin is a Python file with a function "
        "register(session), which subscribes functions to events, or registers an action or a "
        "location. The command imports all Python files in the folders and below them, and calls "
        "register of each. If some plugins cannot be loaded, it warns and runs the others; if "
        "there are folders but none of their plugins can be loaded, it ends with status 1."
    )
    parser.add_argument(
        "plugin_paths",
        metavar="PLUGIN_PATH",
        type=_folder,
        nargs="*",
        help="folder with Python files that have a function register(session) (default: the "
        "folders in FTRACK_EVENT_PLUGIN_PATH)",
    )
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
        "--durable",
        metavar="NAME",
        type=_durable_name,
        help="keep each event in the journal NAME until the plugins have handled it, repeat it "
        "after a crash, and share the events with other processes that use the same NAME",
    )
    parser.add_argument(
        "--journal",
        metavar="PLACE",
        help="with --durable, the place of the journal: a folder, or the address redis://… of a "
        "server (default: FTRACK_EVENT_JOURNAL, else the data folder of the user)",
    )
    parser.add_argument(
        "--tries",
        metavar="N",
        type=positive,
        help="with --durable, how often an event is tried before it becomes a dead letter "
        "(default: 5)",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="log normal steps too, such as the loading of plugins",
    )
    add_connection_arguments(parser)


def _folder(path: str) -> str:
    """Return *path*, which must be a readable folder."""
    if not os.path.exists(path):
        raise argparse.ArgumentTypeError(f"there is no folder {path!r}")
    if not os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"{path!r} is not a folder; pass the folder that it is in")
    if not os.access(path, os.R_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"the folder {path!r} cannot be read")
    return path


def _durable_name(text: str) -> str:
    """Return *text*, which must be a valid durable name."""
    from ftrack_like.event.journal import check_name  # lazy: "--help" answers at once

    try:
        return check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


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

    if arguments.key != _ENTITY and not arguments.workers:
        raise UsageMistake("--key needs --workers.")
    if not arguments.durable and (arguments.journal or arguments.tries):
        raise UsageMistake("--journal and --tries need --durable.")
    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    _warn_of_missing_folders(arguments.plugin_paths)
    with interruptible():
        try:
            session, found = _hosting_session(arguments)
            with session:
                _check_plugins(found, arguments.plugin_paths)
                hub = session.event_hub
                hub.connect()
                print(f"Listening to {hub.get_server_url()}. Stop with Ctrl-C.", file=sys.stderr)
                while hub.connected:  # events may end a wait, but not this command
                    hub.wait(workers=arguments.workers, key=_key_function(arguments.key))
        except BrokenPipeError:
            raise  # the reader of the output has gone, which is not an error
        except exception.Error:
            raise
        except (ImportError, OSError, ValueError) as error:
            raise CommandError(str(error)) from error
    return 0


def _hosting_session(arguments: argparse.Namespace) -> tuple[Session, Discovery]:
    """Return a session with the plugins in *arguments*, and the numbers of the plugins."""
    from ftrack_like import plugin, session  # lazy: "--help" answers at once

    found = plugin.Discovery()

    class HostingSession(session.Session):
        """A session that says how many plugins it has loaded."""

        def _discover_plugins(
            self, plugin_arguments: Optional[Mapping[str, Any]] = None
        ) -> plugin.Discovery:
            nonlocal found
            found = super()._discover_plugins(plugin_arguments)
            return found

    chosen = connection_of(arguments)
    host = HostingSession(
        server_url=chosen.server_url,
        api_key=chosen.api_key,
        api_user=chosen.api_user,
        profile=chosen.profile,
        plugin_paths=arguments.plugin_paths or None,
        event_hub_class=_hub_class(arguments),
    )
    return host, found


def _hub_class(arguments: argparse.Namespace) -> Optional[Callable[..., EventHub]]:
    """Return a function that makes a hub with durable subscriptions, None without ``--durable``."""
    if not arguments.durable:
        return None
    from ftrack_like.event.durability import Durability  # lazy: "--help" answers at once
    from ftrack_like.event.hub import EventHub  # lazy: likewise

    tries = {"tries": arguments.tries} if arguments.tries else {}
    durability = Durability(arguments.durable, arguments.journal, **tries)

    def make(*positional: Any, **options: Any) -> EventHub:  # noqa: ANN401 - those of EventHub
        hub = EventHub(*positional, **options)
        hub.make_durable(durability)
        return hub

    return make


def _warn_of_missing_folders(chosen: list[str]) -> None:
    """Warn about folders in the environment variable that do not exist, if none are *chosen*."""
    from ftrack_like._session.arguments import plugin_folders  # lazy: "--help" answers at once

    for path in () if chosen else plugin_folders(None):
        if path and not os.path.isdir(path):
            logging.getLogger(__name__).warning(
                "FTRACK_EVENT_PLUGIN_PATH names %r, which is not a folder.", path
            )


def _check_plugins(found: Discovery, chosen: list[str]) -> None:
    """Report plugins that were not loaded, after *found*, from the folders *chosen* or by default.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` if there are folders, but no plugin was
    loaded from them. The reasons of failures are in the log.
    """
    from ftrack_like._session.arguments import plugin_folders  # lazy: "--help" answers at once

    folders = [path for path in chosen or plugin_folders(None) if path]
    place = f"in {' and '.join(map(repr, folders))} or below"
    everything = found.loaded + found.failed
    if found.loaded:
        if found.failed:
            _warn(f"{found.failed} of {everything} plugins could not be loaded. The others run.")
    elif found.failed:
        raise CommandError(f"No plugin {place} could be loaded: the lines above say why.")
    elif folders:
        raise CommandError(
            f"No plugin was found {place}: a plugin is a Python file with a function "
            "register(session)."
        )
    else:
        _warn(
            "No plugin was found: no folder was given, and FTRACK_EVENT_PLUGIN_PATH names none, so "
            "no event is handled. A plugin is a Python file with a function register(session). "
            "Stop the command, and name the folder of your plugins: ftrack-like listen PLUGIN_PATH"
        )


def _warn(text: str) -> None:
    """Print *text* as a line on standard error."""
    print(printable(f"ftrack-like: {text}"), file=sys.stderr)


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
