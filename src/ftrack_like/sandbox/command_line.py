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
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like._base.errors import missing_package
from ftrack_like._base.questions import says_yes
from ftrack_like.sandbox.console import (
    database_url,
    fail,
    filled,
    folder_path,
    in_words,
    port,
    require_address,
    share_interpreter,
    stopping,
    whole_number,
)
from ftrack_like.sandbox.fill import add_command as add_fill
from ftrack_like.sandbox.fill import run_fill
from ftrack_like.sandbox.limits import add_limit_arguments, limits_from
from ftrack_like.sandbox.network_options import add_network_arguments, network_from
from ftrack_like.sandbox.operations.logs import FORMATS, set_up_logs
from ftrack_like.sandbox.processes.options import add_worker_arguments, why_one_process
from ftrack_like.sandbox.recordings.commands import add_commands
from ftrack_like.sandbox.snapshots.commands import add_snapshot_commands
from ftrack_like.sandbox.worker_commands import add_worker_commands

if TYPE_CHECKING:
    from ftrack_like.sandbox.interference.switchboard import Switchboard
    from ftrack_like.sandbox.network.settings import Network
    from ftrack_like.sandbox.processes.command import RunningSandbox
    from ftrack_like.sandbox.server import SandboxServer

__all__ = ["add_arguments", "main", "run"]

#: File descriptors for everything but connections.
_OTHER_FILES = 512

#: The share of disturbed requests that ``--chaos`` without a number stands for.
_CHAOS = 0.1

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

_WITHOUT_DEMO = """\
--demo-project added nothing: the site in {data} existed, and was left as it is.
To get the demo project, start in a new folder or an empty database, or stop the sandbox and replace
all data of this site with the command "reset --demo-project".
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the sandbox and its sub-commands to *parser*; ``start`` is the default."""
    _add_start_arguments(parser)
    parser.set_defaults(serve=None)
    words = parser.add_subparsers(dest="word", metavar="COMMAND", title="commands")
    # The same options after the word. Those that are not given there keep the value from before it.
    _add_start_arguments(words.add_parser("start", help="run a sandbox (the default)"), False)
    _add_reset(words)
    _add_fill(words)
    add_commands(words)
    add_worker_commands(words)
    add_snapshot_commands(words)


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
    add_where = _add_place_arguments(parser, has_defaults)
    add_where("--memory", action="store_true", help="keep no data after the sandbox stops")
    add_worker_arguments(add)
    add(
        "--user",
        type=filled,
        default="admin",
        help="name of the administrator (default: %(default)s)",
    )
    add(
        "--key",
        type=filled,
        help="API key of the administrator (default: a random key, stored with the data)",
    )
    _add_demo_argument(add)
    add(
        "--loopback-webhooks",
        action="store_true",
        help="allow webhooks to send to http:// addresses of this machine",
    )
    add(
        "--encoders",
        metavar="N",
        type=whole_number,
        default=1,
        help="media to encode at a time; 0 leaves them to workers (default: %(default)s)",
    )
    add("--json", action="store_true", help="print one line of JSON when the sandbox is ready")
    add(
        "--log-format",
        choices=FORMATS,
        help="log each request, and write the log as text or as lines of JSON (default: log only "
        "failures, as text)",
    )
    add_network_arguments(_Options(parser.add_argument_group("network"), has_defaults))
    add_test = _Options(parser.add_argument_group("testing"), has_defaults)
    add_test(
        "--chaos",
        metavar="SHARE",
        type=_share,
        nargs="?",
        const=_CHAOS,
        help="disturb this share of the requests at random, from 0 to 1 (without a number: "
        f"{_CHAOS}): pauses, error statuses, lost connections, lost and half answers",
    )
    add_test(
        "--chaos-seed",
        metavar="N",
        type=int,
        help="repeat the faults of an earlier run (default: a new number, which is printed)",
    )
    add_limit_arguments(parser, has_defaults)


def _add_place_arguments(parser: argparse.ArgumentParser, has_defaults: bool) -> _Options:
    """Add the options for the place of the data; return what adds an alternative to it."""
    alternatives = _Options(parser.add_mutually_exclusive_group(), has_defaults)
    alternatives(
        "--data",
        metavar="DIR",
        type=folder_path,
        help="folder that keeps the data (default: one for this user)",
    )
    alternatives(
        "--database", metavar="URL", type=database_url, help="a PostgreSQL database to use instead"
    )
    _Options(parser, has_defaults)(
        "--media",
        metavar="PATH",
        type=folder_path,
        help="folder for files (default: with the data, for a database in the user's data folder)",
    )
    return alternatives


def _add_demo_argument(add: _Options) -> None:
    add("--demo-project", action="store_true", help="add a demo project to a new site")


def _add_reset(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``reset``."""
    reset = words.add_parser(
        "reset",
        help="replace all data of a stopped sandbox by those of a new site",
        description="Replace all data of a stopped sandbox, files included, by those of a new "
        "site. The administrator keeps the API key.",
    )
    _add_place_arguments(reset, False)
    _add_demo_argument(_Options(reset, False))
    reset.add_argument("--yes", action="store_true", help="do not ask")
    reset.set_defaults(serve=_reset)


def _reset(arguments: argparse.Namespace) -> int:
    """Reset the site that *arguments* name; return the exit status."""
    folder = _folder(arguments)
    if arguments.memory:
        return fail("--memory keeps nothing, so there is nothing to reset.")
    # lazy: see _start.
    from ftrack_like.sandbox.data_folder import DataFolder

    if folder is not None and not DataFolder(folder).database.is_file():
        return fail(f"There is no sandbox in {folder}. Name its folder with --data DIR.")
    place = str(folder or "the database")
    if not arguments.yes:
        if not sys.stdin.isatty():
            return fail(f"reset removes all data in {place}. Without a terminal, give --yes.")
        if not says_yes(f"Remove all data in {place}?"):
            return fail("Nothing was changed.")
    try:
        # lazy: see _start.
        from ftrack_like.sandbox.network.settings import Network

        arguments.port = 0  # The server must run to reset, and the usual port may be taken.
        server = _start(arguments, folder, Network())
    except ModuleNotFoundError as error:
        return fail(_missing(error))
    except (OSError, RuntimeError) as error:
        return fail(in_words(error))
    try:
        server.reset()
    finally:
        server.stop()
    print(f"The data in {place} are those of a new site. The API key is the same.")
    return 0


def _add_fill(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``fill``."""
    fill = add_fill(words)
    _add_place_arguments(fill, False)
    fill.set_defaults(serve=_fill)


def _fill(arguments: argparse.Namespace) -> int:
    """Fill the site that *arguments* name; return the exit status."""
    if arguments.memory:
        return fail("--memory keeps nothing, so there is nothing to fill.")
    try:
        if arguments.database:
            require_address(arguments.database)
        return run_fill(arguments, _folder(arguments))
    except ModuleNotFoundError as error:
        return fail(_missing(error))
    except ValueError as error:
        return fail(f"The database cannot be used: {error}.")


def _missing(error: ModuleNotFoundError) -> str:
    """Return the message about the missing package of *error*."""
    extra = "postgres" if error.name == "psycopg" else "sandbox"
    return missing_package("The sandbox", str(error.name), extra)


def _share(text: str) -> float:
    """Return the number in *text*, from 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"a share is a number from 0 to 1, not {text!r}")
    return share


def run(arguments: argparse.Namespace) -> int:
    """Run a sandbox with *arguments* until SIGINT or SIGTERM; return the exit status.

    The status is 130 after SIGINT, as in shells, and 1 if the sandbox cannot start.
    """
    if arguments.serve is not None:
        return int(arguments.serve(arguments))
    folder = _folder(arguments)
    if arguments.chaos is None and arguments.chaos_seed is not None:
        return fail("--chaos-seed repeats the faults of --chaos; give both.")
    if arguments.memory and arguments.media is not None:
        return fail("--media keeps files, but --memory keeps nothing; use only one option.")
    try:
        network = network_from(arguments)
    except ValueError as error:
        return fail(str(error))
    if arguments.log_format is not None:
        set_up_logs(arguments.log_format)
    if arguments.workers is not None:
        return _run_workers(arguments, network)
    with stopping() as stop:
        try:
            with _collecting_later():
                server = _start(arguments, folder, network)
        except ModuleNotFoundError as error:
            return fail(_missing(error))
        except (OSError, RuntimeError) as error:
            return fail(in_words(error))
        try:
            _announce(server, _place_of_data(arguments, folder), arguments)
            while not stop.wait(60):
                pass  # on Windows, a wait without a time-out cannot be interrupted
        finally:
            server.stop()
    return 128 + signal.SIGINT if stop.number == signal.SIGINT else 0


def _run_workers(arguments: argparse.Namespace, network: Network) -> int:
    """Run a sandbox of several processes until a signal; return the exit status."""
    why = why_one_process(arguments)
    if why:
        return fail(why)
    try:
        _check_address(arguments)
        # lazy: see _start.
        from ftrack_like.sandbox.processes.command import run_workers
    except ModuleNotFoundError as error:
        return fail(_missing(error))
    except RuntimeError as error:
        return fail(in_words(error))
    _allow_files(network.connections)
    try:
        return run_workers(
            arguments,
            network,
            lambda running: _announce(running, _place_of_data(arguments, None), arguments),
        )
    except ModuleNotFoundError as error:
        return fail(_missing(error))


def _check_address(arguments: argparse.Namespace) -> None:
    """Raise :exc:`RuntimeError` if the address of the database in *arguments* is invalid."""
    if arguments.database:
        try:
            require_address(arguments.database)
        except ValueError as error:
            raise RuntimeError(f"The database cannot be used: {error}.") from None


def _start(
    arguments: argparse.Namespace, folder: Optional[pathlib.Path], network: Network
) -> SandboxServer:
    """Return a running sandbox for *arguments*, with its data in *folder*."""
    # lazy: "--help" answers at once, and the error for a missing extra can name it.
    from ftrack_like.sandbox.server import SandboxServer
    from ftrack_like.sandbox.site_data import storage_errors

    _check_address(arguments)
    _allow_files(network.connections)
    share_interpreter()
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
        switchboard=_chaos(arguments),
        encoders=arguments.encoders,
    )
    with storage_errors("The database" if arguments.database else f"The database in {folder}"):
        server.start()
    return server


def _chaos(arguments: argparse.Namespace) -> Optional[Switchboard]:
    """Return what disturbs requests, None without ``--chaos``."""
    if arguments.chaos is None:
        return None
    # lazy: see _start.
    import random

    from ftrack_like.sandbox.interference.chaos import Chaos
    from ftrack_like.sandbox.interference.switchboard import Switchboard

    given = arguments.chaos_seed
    seed = random.SystemRandom().randrange(1_000_000) if given is None else given
    print(
        f"Chaos: about {arguments.chaos:.0%} of the requests are disturbed. "
        f"Repeat this run with --chaos {arguments.chaos:g} --chaos-seed {seed}.",
        file=sys.stderr,
        flush=True,
    )
    return Switchboard(Chaos(arguments.chaos, seed, _report_fault))


def _report_fault(number: int, request: object, fault: object) -> None:
    print(f"Chaos: request {number}, {request}: {fault}.", file=sys.stderr, flush=True)


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


def _place_of_data(arguments: argparse.Namespace, folder: Optional[pathlib.Path]) -> str:
    """Return where the data are, for people; the password of a database is hidden."""
    if not arguments.database:
        return str(folder or "kept until the end")
    # lazy: see _start.
    from sqlalchemy.engine import make_url

    return make_url(arguments.database).render_as_string(hide_password=True)


def _announce(
    server: Union[SandboxServer, RunningSandbox], data: str, arguments: argparse.Namespace
) -> None:
    """Print the address and the credentials, as JSON for programs or as text for people."""
    known = {
        "server_url": server.server_url,
        "api_user": server.api_user,
        "api_key": server.api_key,
    }
    url, user, key = known.values()
    words = _SNIPPET.format(url=url, user=user, key=key, data=data)
    if server.lacks_demo:
        print(_WITHOUT_DEMO.format(data=data), end="", file=sys.stderr, flush=True)
    try:
        print(json.dumps(known) if arguments.json else words, flush=True)
    except BrokenPipeError:  # The reader has gone, but other clients may know the address.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
