"""The commands ``sandbox snapshot`` and ``sandbox restore``."""

from __future__ import annotations

import argparse
import pathlib
import sys

from ftrack_like._base.errors import missing_package
from ftrack_like.sandbox.console import fail, in_words

__all__ = ["add_snapshot_commands"]


def add_snapshot_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands ``snapshot`` and ``restore`` to *commands*; each sets ``serve``."""
    snapshot = commands.add_parser(
        "snapshot",
        help="write the data of a sandbox, running or not, to one file",
        description="Write the data of a sandbox in a folder, files included, to one file. The "
        "sandbox may run. The file contains API keys: keep it private.",
    )
    restore = commands.add_parser(
        "restore",
        help="restore a snapshot into an empty folder",
        description="Verify a snapshot, and restore it into an empty or new folder.",
    )
    for parser, words in ((snapshot, "the new file"), (restore, "the snapshot")):
        parser.add_argument("file", metavar="FILE", type=pathlib.Path, help=words)
        parser.add_argument(
            "--data",
            metavar="DIR",
            type=_filled_path,
            required=True,
            default=argparse.SUPPRESS,
            help="folder with the data of the sandbox",
        )
        parser.add_argument(
            "--media",
            metavar="PATH",
            type=_filled_path,
            default=argparse.SUPPRESS,
            help="folder with the files, if they are not with the data",
        )
    snapshot.set_defaults(serve=_snapshot)
    restore.set_defaults(serve=_restore)


def _filled_path(text: str) -> pathlib.Path:
    """Return *text* as a path; an empty text would mean the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give it a value")
    return pathlib.Path(text)


def _snapshot(arguments: argparse.Namespace) -> int:
    """Write a snapshot; return the exit status."""
    # lazy: "--help" answers at once, and the error for a missing extra can name it.
    try:
        from ftrack_like.sandbox.snapshots.take import take_snapshot

        taken = take_snapshot(arguments.file, arguments.data, arguments.media)
    except ModuleNotFoundError as error:
        return fail(missing_package("The sandbox", str(error.name), "sandbox"))
    except (OSError, RuntimeError) as error:
        return fail(in_words(error))
    for each in taken.missing:
        print(f"The data of the component {each} are missing in the site.", file=sys.stderr)
    print(f"{arguments.file}: {taken.files} files, {taken.size:,} bytes. Keep it private.")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    """Restore a snapshot; return the exit status."""
    # lazy: see _snapshot.
    try:
        from ftrack_like.sandbox.snapshots.restore import restore_snapshot

        facts = restore_snapshot(arguments.file, arguments.data, arguments.media)
    except ModuleNotFoundError as error:
        return fail(missing_package("The sandbox", str(error.name), "sandbox"))
    except (OSError, RuntimeError) as error:
        return fail(in_words(error))
    print(f"The snapshot of {facts.created_at} is restored in {arguments.data}.")
    return 0
