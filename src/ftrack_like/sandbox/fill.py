"""The command ``sandbox fill``: add a generated studio to the data of a stopped sandbox."""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
from typing import TYPE_CHECKING, Optional

from ftrack_like.sandbox.console import fail, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftrack_like.sandbox.site_data import SiteData

__all__ = ["add_command", "run_fill"]

#: The number of characters of the progress bar.
_WIDTH = 24


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command ``fill`` without the options for the place of the data, and return it."""
    parser = commands.add_parser(
        "fill",
        help="add a generated studio of any size to a stopped sandbox",
        description="Add a generated studio to the data of a stopped sandbox, or to a new one: "
        "projects with sequences, shots, asset builds, tasks, assignments, versions, components, "
        "notes, time logs, metadata and lists. Two studios of the same size and seed are equal.",
    )
    for name, default, words in (
        ("--tasks", 10_000, "tasks in all projects together"),
        ("--versions", 3, "versions of the asset of each shot and asset build"),
        ("--seed", 0, "a number that varies names, ids and values"),
    ):
        parser.add_argument(
            name, metavar="N", type=_number, default=default, help=f"{words} (default: {default})"
        )
    parser.add_argument(
        "--projects",
        metavar="N",
        type=_number,
        help="projects (default: one for 1000 tasks)",
    )
    return parser


def _number(text: str) -> int:
    """Return the whole number in *text*, which must not be negative."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"it must be a whole number from 0, not {text!r}")
    return int(text)


def run_fill(arguments: argparse.Namespace, folder: Optional[pathlib.Path]) -> int:
    """Fill the site in *folder* or in the database of *arguments*; return the exit status.

    The status is 130 after SIGINT, and 1 after an error. In both cases nothing was added.
    """
    if arguments.projects == 0 or arguments.tasks == 0:
        return fail("--projects and --tasks must be at least 1.")
    # lazy: "--help" answers at once, and the error for a missing extra can name it.
    import sqlalchemy.exc

    from ftrack_like.sandbox.database.faults import explained, first_line
    from ftrack_like.sandbox.site_data import SiteData

    where = str(folder or "the database")
    data = SiteData(folder, url=arguments.database)
    started = time.monotonic()
    try:
        counts = _fill(data, arguments)
    except KeyboardInterrupt:
        _clear_bar()
        print(f"Interrupted. No project was added to the site in {where}.", file=sys.stderr)
        return 130
    except (OSError, RuntimeError, ValueError) as error:
        _clear_bar()
        return fail(in_words(error))
    except sqlalchemy.exc.DBAPIError as error:
        _clear_bar()
        return fail(f"Nothing was added to {where}: {explained(first_line(error))}.")
    finally:
        data.close()
    _clear_bar()
    seconds = time.monotonic() - started
    # The ancestry of contexts is no entity.
    entities = sum(counts.values()) - counts.get("context_ancestry", 0)
    print(f"{where}: {entities} entities in {seconds:.1f} s ({entities / seconds:.0f} a second).")
    for table, count in sorted(counts.items(), key=lambda one: -one[1]):
        print(f"{count:>12}  {table}")
    return 0


def _fill(data: SiteData, arguments: argparse.Namespace) -> Mapping[str, int]:
    """Fill the site of *data*; return the numbers of rows by table."""
    # lazy: see run_fill.
    from ftrack_like.sandbox.seed.generate import fill
    from ftrack_like.sandbox.tables.statistics import write_statistics

    database = data.open()
    with database.load() as connection:
        counts = fill(
            connection,
            arguments.tasks,
            projects=arguments.projects,
            versions=arguments.versions,
            seed=arguments.seed,
            progress=_draw_bar,
        )
        # The same statistics as on a site that grew by its clients, which never measures.
        write_statistics(connection)
    return counts


def _draw_bar(done: int, total: int) -> None:
    """Show on a terminal that *done* of *total* projects are added."""
    if not sys.stderr.isatty():
        return
    filled = _WIDTH * done // total
    words = f"{done} of {total} projects" if done < total else "indexes"
    bar = "#" * filled + " " * (_WIDTH - filled)
    print(f"\r[{bar}] {words}\x1b[K", end="", file=sys.stderr, flush=True)


def _clear_bar() -> None:
    """Remove the progress bar from a terminal."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
