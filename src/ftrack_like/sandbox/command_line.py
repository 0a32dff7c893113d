"""The command line: options, and a process that runs the server until a signal stops it."""

from __future__ import annotations

import argparse
import gc
import json
import os
import pathlib
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._base.errors import missing_package
from ftrack_like.sandbox.console import fail, in_words, port, stopping
from ftrack_like.sandbox.limits import add_limit_arguments, limits_from
from ftrack_like.sandbox.recordings.commands import add_commands

if TYPE_CHECKING:
    from ftrack_like.sandbox.network.settings import Network
    from ftrack_like.sandbox.server import SandboxServer

__all__ = ["add_arguments", "main", "run"]

#: File descriptors for everything but connections.
_OTHER_FILES = 512

_DESCRIPTION = "Run a server that speaks ftrack's protocol, to develop and test against."

_SNIPPET = """\
The sandbox answers at {url} (user {user}). Stop it with Ctrl-C.
Data: {data}

    import ftrack_like

    session = ftrack_like.Session(
        server_url={url!r},
        api_user={user!r},
        api_key={key!r},
    )
    print(session.query("User").first())
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the sandbox and its sub-commands to *parser*; ``start`` is the default."""
    _add_start_arguments(parser)
    parser.set_defaults(serve=None)
    words = parser.add_subparsers(dest="word", metavar="COMMAND", title="commands")
    # The same options after the word. Those that are not given there keep the value from before it.
    _add_start_arguments(words.add_parser("start", help="run a sandbox (the default)"), False)
    add_commands(words)


class _Options:
    """Adds options to *target*; without *has_defaults*, values that are not given are left out."""

    def __init__(self, target: argparse._ActionsContainer, has_defaults: bool) -> None:
        self._target = target
        self._has_defaults = has_defaults

    def __call__(self, name: str, *, default: Any = None, help: str = "", **settings: Any) -> None:
        """Add the option *name*."""
        if settings.get("action") == "store_true":
            default = False
        self._target.add_argument(
            name,
            default=default if self._has_defaults else argparse.SUPPRESS,
            help=help.replace("%(default)s", str(default)),
            **settings,
        )


def _add_start_arguments(parser: argparse.ArgumentParser, has_defaults: bool = True) -> None:
    """Add the options of the sandbox to *parser*; see :class:`_Options`."""
    add = _Options(parser, has_defaults)
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=port, default=5005, help="port; 0 picks a free one (default: %(default)s)")
    where = parser.add_mutually_exclusive_group()
    add_where = _Options(where, has_defaults)
    add_where(
        "--data",
        metavar="DIR",
        type=_path,
        help="folder that keeps the data (default: one for this user)",
    )
    add_where("--memory", action="store_true", help="keep no data after the sandbox stops")
    add_where(
        "--database", metavar="URL", type=_database, help="a PostgreSQL database to use instead"
    )
    add(
        "--media",
        metavar="PATH",
        type=_path,
        help="folder for files (default: with the data, for a database in the user's data folder)",
    )
    add(
        "--user",
        type=_filled,
        default="admin",
        help="name of the administrator (default: %(default)s)",
    )
    add(
        "--key",
        type=_filled,
        help="API key of the administrator (default: a random key, stored with the data)",
    )
    add("--demo-project", action="store_true", help="add a demo project to a new site")
    add(
        "--loopback-webhooks",
        action="store_true",
        help="let webhooks use http:// for receivers on this machine",
    )
    add("--json", action="store_true", help="print one line of JSON when the sandbox is ready")
    _add_network_arguments(_Options(parser.add_argument_group("network"), has_defaults))
    add_limit_arguments(parser, has_defaults)


def _add_network_arguments(add: _Options) -> None:
    """Add the options for the network with *add*."""
    add("--public-url", metavar="URL", help="address that people use, for all links")
    for name, metavar, words in (
        ("--allowed-hosts", "NAME", "more names by which requests may address the sandbox"),
        (
            "--allowed-origins",
            "ORIGIN",
            "web pages that may call the API, like http://localhost:3000",
        ),
        ("--trusted-proxies", "ADDRESS", "proxies whose X-Forwarded-For and -Proto to believe"),
    ):
        add(name, metavar=metavar, nargs="+", action="extend", default=[], help=words)
    for name, words in (
        ("--max-connections", "open connections"),
        ("--max-connections-per-address", "open connections from one address"),
        ("--max-failed-logins", "wrong keys for one user from one address in a minute"),
    ):
        add(name, metavar="N", type=int, help=f"most {words} (default: see the documentation)")
    for name, words in (
        ("--header-timeout", "the headers of a request may take"),
        ("--idle-timeout", "a connection is kept between two requests"),
        ("--transfer-timeout", "a body or an answer may stall"),
    ):
        add(name, metavar="SECONDS", type=float, help=f"how long {words}")


def _database(text: str) -> str:
    """Return *text*, which must be the address of a PostgreSQL database."""
    if not text.startswith("postgresql"):
        # The text may contain a password, so the error does not show it.
        raise argparse.ArgumentTypeError("it must be like postgresql://user:password@host/name")
    return text


def _require_address(text: str) -> None:
    """Raise :exc:`ValueError` if *text* is not the address of a database.

    The error shows no part of *text*, because any part may belong to the password.
    """
    # lazy: see _start.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(text)
    except (ValueError, ArgumentError):
        raise ValueError(
            "it must be like postgresql://user:password@host/name; in a "
            "password, write / : @ # as %2F %3A %40 %23"
        ) from None


def _path(text: str) -> pathlib.Path:
    """Return *text* as a path; an empty text would mean the current folder."""
    return pathlib.Path(_filled(text))


def _filled(text: str) -> str:
    """Return *text*, which must not be empty: an empty text comes from an unset variable."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; omit the option, or give it a value")
    return text


def _network(arguments: argparse.Namespace) -> Network:
    """Return the network options in *arguments*; raise :exc:`ValueError` if one is invalid."""
    # lazy: see _start.
    from ftrack_like.sandbox.network.settings import Network

    given = {
        "connections": arguments.max_connections,
        "connections_per_address": arguments.max_connections_per_address,
        "failed_logins": arguments.max_failed_logins,
        "header_timeout": arguments.header_timeout,
        "idle_timeout": arguments.idle_timeout,
        "transfer_timeout": arguments.transfer_timeout,
    }
    return Network(
        public_url=arguments.public_url,
        allowed_hosts=_listed(arguments.allowed_hosts),
        allowed_origins=_listed(arguments.allowed_origins),
        trusted_proxies=_listed(arguments.trusted_proxies),
        **{name: value for name, value in given.items() if value is not None},
    )


def _listed(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the names in *texts*, which may also be separated by commas."""
    return tuple(one.strip() for text in texts for one in text.split(",") if one.strip())


def run(arguments: argparse.Namespace) -> int:
    """Run a sandbox with *arguments* until SIGINT or SIGTERM; return the exit status.

    The status is 130 after SIGINT, as in shells, and 1 if the sandbox cannot start.
    """
    if arguments.serve is not None:
        return int(arguments.serve(arguments))
    folder = _folder(arguments)
    if arguments.memory and arguments.media is not None:
        return fail("--media keeps files, but --memory keeps nothing; use only one option.")
    try:
        network = _network(arguments)
    except ValueError as error:
        return fail(str(error))
    with stopping() as stop:
        try:
            with _collecting_later():
                server = _start(arguments, folder, network)
        except ModuleNotFoundError as error:
            extra = "postgres" if error.name == "psycopg" else "sandbox"
            return fail(missing_package("The sandbox", str(error.name), extra))
        except (OSError, RuntimeError) as error:
            return fail(in_words(error))
        try:
            _announce(server, str(folder or arguments.database or "kept until the end"), arguments)
            while not stop.wait(60):
                pass  # on Windows, a wait without a time-out cannot be interrupted
        finally:
            server.stop()
    return 128 + signal.SIGINT if stop.number == signal.SIGINT else 0


def _start(
    arguments: argparse.Namespace, folder: Optional[pathlib.Path], network: Network
) -> SandboxServer:
    """Return a running sandbox for *arguments*, with its data in *folder*."""
    # lazy: "--help" answers at once, and the error for a missing extra can name it.
    import sqlalchemy.exc

    from ftrack_like.sandbox.server import SandboxServer

    if arguments.database:
        try:
            _require_address(arguments.database)
        except ValueError as error:
            raise RuntimeError(f"The database cannot be used: {error}.") from None
    _allow_files(network.connections)
    server = SandboxServer(
        folder,
        arguments.host,
        arguments.port,
        arguments.user,
        arguments.key,
        arguments.demo_project,
        database=arguments.database,
        media=arguments.media,
        network=network,
        limits=limits_from(arguments),
        loopback_webhooks=arguments.loopback_webhooks,
    )
    try:
        server.start()
    except (sqlalchemy.exc.SQLAlchemyError, ValueError) as error:
        first = str(error).splitlines()[0]
        what = "The database" if arguments.database else f"The database in {folder}"
        raise RuntimeError(f"{what} cannot be used: {first}") from error
    return server


def _allow_files(connections: int) -> None:
    """Raise the limit on file descriptors of this process for *connections*, if permitted."""
    try:
        import resource  # lazy: Windows has no such module
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # some systems refuse their own limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Disable the garbage collector inside, and exempt all objects that exist at the end.

    These objects live until the process ends. Searching them again and again takes a tenth of the
    start time.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command with *arguments*, by default those of the process."""
    parser = argparse.ArgumentParser("python -m ftrack_like.sandbox", description=_DESCRIPTION)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def _folder(arguments: argparse.Namespace) -> Optional[pathlib.Path]:
    if arguments.memory or arguments.database:
        return None
    if arguments.data is not None:
        return arguments.data  # type: ignore[no-any-return]
    # lazy: only needed if no folder is given.
    import platformdirs

    return pathlib.Path(platformdirs.user_data_dir("ftrack-like", False), "sandbox")


def _announce(server: SandboxServer, data: str, arguments: argparse.Namespace) -> None:
    """Print the address and the credentials, as JSON for programs or as text for people."""
    known = {
        "server_url": server.server_url,
        "api_user": server.api_user,
        "api_key": server.api_key,
    }
    url, user, key = known.values()
    words = _SNIPPET.format(url=url, user=user, key=key, data=data)
    try:
        print(json.dumps(known) if arguments.json else words, flush=True)
    except BrokenPipeError:  # The reader has gone, but other clients may know the address.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
