"""The connection options of all commands, and the session that a command works with."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NamedTuple, Optional

from ftrack_like.cli._errors import UsageMistake
from ftrack_like.cli._warnings import show_warnings

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = [
    "ConnectionOptions",
    "add_connection_arguments",
    "connection_of",
    "key_of_file",
    "open_session",
    "secret_of_file",
]


class ConnectionOptions(NamedTuple):
    """The settings of a connection that the options name; None where they name none.

    ``repr`` does not show *api_key*.
    """

    server_url: Optional[str] = None
    api_key: Optional[str] = None
    api_user: Optional[str] = None
    profile: Optional[str] = None

    def __repr__(self) -> str:
        """Return the server and the user."""
        return f"{type(self).__name__}({self.server_url!r}, api_user={self.api_user!r})"


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which server to use, and as whom, to *parser*."""
    group = parser.add_argument_group("connection")
    group.add_argument(
        "--server-url",
        "--server",
        dest="server_url",
        metavar="URL",
        help="address of the server (default: FTRACK_SERVER, then the profile)",
    )
    group.add_argument(
        "--user",
        "--api-user",
        dest="api_user",
        metavar="NAME",
        help="name of the user (default: FTRACK_API_USER, then the profile)",
    )
    group.add_argument(
        "--api-key-file",
        metavar="FILE",
        help="file with the API key; '-' reads a line from standard input (default: "
        "FTRACK_API_KEY, then the profile). A key is never an argument: other users see those",
    )
    group.add_argument(
        "--profile",
        metavar="PROFILE",
        help="profile with address, user and key (default: FTRACK_PROFILE, then the one that "
        "'ftrack-like config use' has set)",
    )


def connection_of(arguments: argparse.Namespace) -> ConnectionOptions:
    """Return the settings that the connection options in *arguments* name.

    Raise :exc:`~ftrack_like.cli._errors.UsageMistake` if the file with the key cannot be read, or
    if a profile, which has an address, a user and a key, comes with other settings.
    """
    if arguments.profile is not None:
        more = {
            "--server-url": arguments.server_url,
            "--user": arguments.api_user,
            "--api-key-file": arguments.api_key_file,
        }
        given = [name for name, value in more.items() if value is not None]
        if given:
            raise UsageMistake(
                f"--profile cannot be combined with {' and '.join(given)}: the profile has the "
                "address, the user and the key. Leave out one of them."
            )
        return ConnectionOptions(profile=arguments.profile)
    return ConnectionOptions(
        arguments.server_url, key_of_file(arguments.api_key_file), arguments.api_user
    )


def key_of_file(path: Optional[str]) -> Optional[str]:
    """Return the API key in the first line of the file at *path*, None without a path."""
    return None if path is None else secret_of_file(path, "--api-key-file", "the API key")


def secret_of_file(path: str, option: str, what: str) -> str:
    """Return the first line of the file at *path*, which *option* names; ``-`` is standard input.

    Raise :exc:`~ftrack_like.cli._errors.UsageMistake` if the file cannot be read or the line is
    empty. *what* names the line, for the message.
    """
    try:
        if path == "-":
            secret = sys.stdin.readline().strip()
        else:
            with open(path, encoding="utf-8") as file:
                secret = file.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageMistake(f"{option} {path!r} cannot be read: {reason}.") from error
    if not secret:
        raise UsageMistake(f"{option} {path!r} is empty. Its first line is {what}.")
    return secret


def open_session(
    arguments: argparse.Namespace, *, plugins: bool = False, on_lazy_load: str = "ignore"
) -> Session:
    """Return a new session for the connection options in *arguments*. The caller must close it.

    With *plugins*, load the plugins in FTRACK_EVENT_PLUGIN_PATH, as commands need that transfer
    files through locations of a studio. Other commands start faster without plugins.
    *on_lazy_load* is as for :class:`~ftrack_like.session.Session`.
    """
    from ftrack_like.session import Session  # lazy: "--help" answers at once

    show_warnings()
    found = connection_of(arguments)
    return Session(
        server_url=found.server_url,
        api_key=found.api_key,
        api_user=found.api_user,
        profile=found.profile,
        plugin_paths=None if plugins else [],
        on_lazy_load=on_lazy_load,
    )
