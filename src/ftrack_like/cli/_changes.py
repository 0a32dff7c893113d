"""Commands that change entities: the plan, the question before it, and the commit."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ftrack_like._base.questions import says_yes
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._output import as_json_text, format_of, is_terminal, write_rows
from ftrack_like.cli._text import printable

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = [
    "add_confirmation_argument",
    "add_dry_run_argument",
    "apply_changes",
    "confirm",
    "write_changed",
]

_NOTHING: Mapping[str, Mapping[str, int]] = {}


def add_dry_run_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--dry-run`` to *parser*."""
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="print the plan and change nothing"
    )


def add_confirmation_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--yes`` to *parser*."""
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask before the change")


def apply_changes(
    session: Session,
    arguments: argparse.Namespace,
    question: str = "",
    belongings: Mapping[str, Mapping[str, int]] = _NOTHING,
) -> bool:
    """Commit the pending changes of *session*, or print them for ``--dry-run``.

    Return whether they were committed. With a *question*, print the plan and ask first; see
    :func:`confirm`. *belongings* maps the ids of deleted entities to the number of entities that
    go with them, by type.
    """
    if arguments.dry_run:
        chosen = format_of(arguments) if hasattr(arguments, "output") else "table"
        changes = session.pending().to_dicts()
        for change in changes if belongings else ():
            change["also_deletes"] = dict(belongings.get(str(change["entity_key"].get("id")), {}))
        if chosen == "json":
            print(as_json_text(changes, indent=2))
        elif chosen == "jsonl":
            for change in changes:
                print(as_json_text(change))
        else:
            print("\n".join(map(printable, _plan(session, belongings).splitlines())))
        return False
    if question and not arguments.yes:
        confirm(arguments, question, _plan(session, belongings))
    session.commit()
    return True


def _plan(session: Session, belongings: Mapping[str, Mapping[str, int]]) -> str:
    """Return the plan for the pending changes of *session*."""
    from ftrack_like.cli._belongings import counted  # lazy: few commands need it
    from ftrack_like.cli._plans import plan_of  # lazy: likewise

    return plan_of(session, {key: counted(each) for key, each in belongings.items()})


def write_changed(
    arguments: argparse.Namespace, entities: Sequence[tuple[Entity, Mapping[str, Json]]]
) -> None:
    """Write the types and keys of *entities*, if the format is one for programs.

    *entities* are pairs of an entity and its further values, all with the same names.
    """
    if not entities or format_of(arguments) not in ("json", "jsonl", "csv"):
        return
    rows = [
        {"type": entity.entity_type, **entity.operation_key(), **more} for entity, more in entities
    ]
    write_rows(arguments, list(rows[0]), [list(row.values()) for row in rows])


def confirm(arguments: argparse.Namespace, question: str, plan: str = "") -> None:
    """Print *plan* and ask *question* on a terminal; ``--yes`` answers it.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` for the answer no, and
    :exc:`~ftrack_like.cli._errors.UsageMistake` without a terminal.
    """
    if arguments.yes:
        return
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise UsageMistake(
            f"Without a terminal, the command cannot ask: {question} Pass --yes to answer yes."
        )
    for line in plan.splitlines():
        print(printable(line), file=sys.stderr)
    if not says_yes(printable(question)):
        raise CommandError("Nothing was changed.")
