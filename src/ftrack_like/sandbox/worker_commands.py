"""The commands ``sandbox worker`` and ``sandbox jobs``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like._base.errors import missing_package
from ftrack_like.sandbox.console import (
    database_url,
    fail,
    filled,
    folder_path,
    in_words,
    require_address,
    stopping,
    whole_number,
)
from ftrack_like.sandbox.errors import SandboxError
from ftrack_like.sandbox.limits import add_limit_arguments, limits_from
from ftrack_like.sandbox.operations.logs import FORMATS, set_up_logs

if TYPE_CHECKING:
    from ftrack_like.sandbox.media.encode_jobs import QueuedJob
    from ftrack_like.sandbox.worker import EncodeWorker

__all__ = ["add_worker_commands"]

#: The default of ``--lease``, in seconds.
_LEASE = 30.0


def add_worker_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands ``worker`` and ``jobs`` to *commands*; each sets ``serve``."""
    worker = commands.add_parser(
        "worker",
        help="encode the media of a sandbox on PostgreSQL, on any machine",
        description="Encode the media of a sandbox on PostgreSQL until a signal comes. Any number "
        "of workers on any machines share the queue, and each job is done once.",
    )
    _add_place(
        worker,
        "folder for files of the sandbox, as this machine sees it (default: that of a "
        "sandbox of this user on this machine)",
    )
    worker.add_argument(
        "--jobs",
        metavar="N",
        type=_positive,
        default=1,
        help="media to encode at a time (default: %(default)s)",
    )
    worker.add_argument(
        "--lease",
        metavar="SECONDS",
        type=_seconds,
        default=_LEASE,
        help="time after which other workers take the jobs of this one if it has been killed "
        "(default: %(default)s)",
    )
    worker.add_argument(
        "--json", action="store_true", help="print one line of JSON when the worker is ready"
    )
    worker.add_argument(
        "--log-format",
        choices=FORMATS,
        default=FORMATS[0],
        help="form of the log on standard error, with a line when a job is taken and when it is "
        "done or failed (default: %(default)s)",
    )
    add_limit_arguments(worker)
    worker.set_defaults(serve=_work)
    jobs = commands.add_parser(
        "jobs",
        help="show, repeat and cancel encodings of a sandbox on PostgreSQL",
        description="Show the encodings that wait, run or have failed, the oldest first; or "
        "repeat or cancel one. 'ftrack-like query Job' shows finished ones too. The page "
        "/encoding of a sandbox does the same, also without PostgreSQL.",
    )
    _add_place(
        jobs,
        "folder for files of the sandbox, as this machine sees it: --repeat then checks that "
        "the file of the source exists (default: use only the database)",
    )
    change = jobs.add_mutually_exclusive_group()
    change.add_argument(
        "--repeat", metavar="JOB", type=filled, help="id of a failed encoding to do again"
    )
    change.add_argument(
        "--cancel", metavar="JOB", type=filled, help="id of an encoding that waits or runs"
    )
    jobs.add_argument("--json", action="store_true", help="print the list as JSON")
    jobs.set_defaults(serve=_manage)


def _add_place(parser: argparse.ArgumentParser, media: str) -> None:
    """Add the options for the site to *parser*; *media* is the help of ``--media``."""
    parser.add_argument(
        "--database",
        metavar="URL",
        type=database_url,
        required=True,
        help="the PostgreSQL database of the sandbox",
    )
    parser.add_argument(
        "--media",
        metavar="PATH",
        type=folder_path,
        help=media,
    )


def _positive(text: str) -> int:
    """Return the whole number in *text*, from 1."""
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


def _seconds(text: str) -> float:
    """Return the number of seconds in *text*, at least 1."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"it must be from 1 to 86400 seconds, not {text!r}")
    return seconds


def _work(arguments: argparse.Namespace) -> int:
    """Encode until a signal comes; return the exit status."""

    def run(worker: EncodeWorker) -> int:
        known = {"process": os.getpid(), "machine": platform.node(), "media": str(worker.folder)}
        if arguments.json:
            print(json.dumps({**known, "jobs": arguments.jobs}), flush=True)
        else:
            print(
                f"The worker (process {known['process']} on {known['machine']}) encodes "
                f"{arguments.jobs} at a time. Stop it with Ctrl-C.\nMedia: {known['media']}",
                flush=True,
            )
        while not stop.wait(60):
            pass  # on Windows, a wait without a time-out cannot be interrupted
        return 128 + signal.SIGINT if stop.number == signal.SIGINT else 0

    set_up_logs(arguments.log_format)
    with stopping() as stop:
        return _with_worker(arguments, run, workers=arguments.jobs, lease=arguments.lease)


def _manage(arguments: argparse.Namespace) -> int:
    """Show the queue, or change a job; return the exit status."""

    def run(worker: EncodeWorker) -> int:
        manager = worker.manager
        if arguments.repeat is not None:
            manager.repeat(arguments.repeat)
        if arguments.cancel is not None:
            manager.cancel(arguments.cancel)
        chosen = arguments.repeat or arguments.cancel
        shown = [one for one in manager.list_jobs() if chosen in (None, one.job.id)]
        paths = manager.version_paths(shown)
        if arguments.json:
            print(json.dumps([_record(one, paths) for one in shown], indent=2))
        else:
            _print_table(shown, paths)
            _print_next_step(shown)
        return 0

    return _with_worker(arguments, run, workers=0, lease=_LEASE)


def _with_worker(
    arguments: argparse.Namespace,
    run: Callable[[EncodeWorker], int],
    *,
    workers: int,
    lease: float,
) -> int:
    """Return the status of *run* with a started worker; print an error as one sentence."""
    # lazy: "--help" answers at once, and the error for a missing extra can name it.
    try:
        import sqlalchemy.exc

        from ftrack_like.sandbox.media.jobs import EncodeSettings
        from ftrack_like.sandbox.worker import EncodeWorker

        require_address(arguments.database)
        worker = EncodeWorker(
            arguments.database,
            arguments.media,
            settings=EncodeSettings(workers=workers, lease=lease),
            limits=limits_from(arguments) if workers else None,
            sees_files=workers > 0 or arguments.media is not None,
        )
        worker.start()
    except ModuleNotFoundError as error:
        extra = "postgres" if error.name == "psycopg" else "sandbox"
        return fail(missing_package("The worker", str(error.name), extra))
    except sqlalchemy.exc.SQLAlchemyError as error:
        return fail(f"The database cannot be used: {str(error).splitlines()[0]}")
    except ValueError as error:
        return fail(f"The database cannot be used: {error}.")
    except (OSError, RuntimeError) as error:
        return fail(in_words(error))
    except SandboxError as error:
        return fail(error.content)
    try:
        return run(worker)
    except SandboxError as error:
        return fail(error.content)
    finally:
        worker.stop()


def _record(queued: QueuedJob, paths: Mapping[str, str]) -> Mapping[str, Any]:
    """Return *queued* as JSON values; times are in UTC, None if they do not apply.

    *paths* are those of versions by their id.
    """
    return {
        "id": queued.job.id,
        "state": queued.state,
        "source_component_id": queued.job.source_component_id,
        "version_id": queued.job.version_id,
        "version": paths.get(queued.job.version_id or ""),
        "user_id": queued.job.user_id,
        "created_at": f"{queued.created_at}Z",
        "attempts": queued.attempts,
        "worker": None if queued.worker is None else queued.worker.name,
        "machine": None if queued.worker is None else queued.worker.machine,
        "started_at": _time(queued.started_at),
        "heartbeat_at": _time(queued.beat_at),
        "failed_at": _time(queued.ended_at),
        "error": queued.error,
    }


def _time(seconds: Optional[float]) -> Optional[str]:
    """Return the moment *seconds* (Unix time) in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_table(jobs: Sequence[QueuedJob], paths: Mapping[str, str]) -> None:
    """Print a line for each of *jobs*, with the reason of a failure below it.

    *paths* are those of versions by their id.
    """
    if not jobs:
        print("No encoding waits, runs or has failed.", file=sys.stderr)
    for one in jobs:
        record = _record(one, paths)
        line = f"{record['id']}  {record['state']:7}  {record['created_at']}"
        line += f"  {record['version'] or record['version_id'] or 'no version'}"
        if one.state == "running":
            line += f"  {one.worker}, since {record['started_at']}, "
            line += f"heartbeat {record['heartbeat_at']}, attempt {one.attempts}"
        print(line)
        if one.error:
            print(f"    {one.error}")


def _print_next_step(jobs: Sequence[QueuedJob]) -> None:
    """Print on a terminal which command shows finished jobs, and repeats or cancels *jobs*."""
    if not sys.stderr.isatty():
        return
    print("Finished encodings are listed by: ftrack-like query Job", file=sys.stderr)
    states = {one.state: one.job.id for one in reversed(jobs)}
    if "failed" in states:
        print(f"Do a failed one again with: --repeat {states['failed']}", file=sys.stderr)
    waiting = states.get("waiting") or states.get("running")
    if waiting is not None:
        print(f"End one that waits or runs with: --cancel {waiting}", file=sys.stderr)
