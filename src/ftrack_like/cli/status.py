"""`ftrack-like status`: set the status of all entities that a query finds."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from ftrack_like.cli._changes import (
    add_confirmation_argument,
    add_dry_run_argument,
    apply_changes,
    write_changed,
)
from ftrack_like.cli._conditions import as_servers_read
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._entities import summed_up, type_named
from ftrack_like.cli._errors import CommandError, UsageMistake
from ftrack_like.cli._expressions import quoting, with_type
from ftrack_like.cli._finding import find_entity, stored_values
from ftrack_like.cli._output import add_output_arguments, is_terminal
from ftrack_like.cli._unknown_values import unknown_values

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "set the status of all entities that a query finds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Set the status of all entities that a query finds, in one transaction. On a terminal, "
        "the command prints the plan and asks first if there is more than one; without a "
        "terminal it needs --yes for that."
    )
    parser.add_argument("status", metavar="STATUS", help="name or id of the status")
    parser.add_argument(
        "expression",
        metavar="EXPRESSION",
        nargs="?",
        help="such as 'AssetVersion where asset.name is layout'",
    )
    parser.add_argument(
        "-w",
        "--where",
        metavar="CONDITION",
        help="instead of an expression: the condition, such as 'parent.name is sh010'",
    )
    parser.add_argument(
        "--type", metavar="TYPE", help="with --where: type of the entities (default: Task)"
    )
    add_dry_run_argument(parser)
    add_confirmation_argument(parser)
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Set the status of the entities in *arguments*; return the exit status."""
    from ftrack_like.query import outline  # lazy: "--help" answers at once

    if arguments.expression is None and arguments.where is None:
        raise UsageMistake(
            "Pass a status, then either a query expression or --where CONDITION. Write: "
            "ftrack-like status STATUS EXPRESSION"
        )
    if arguments.expression is not None and arguments.where is not None:
        raise UsageMistake("Pass either a query expression or --where CONDITION.")
    if arguments.type is not None and arguments.where is None:
        raise UsageMistake("--type belongs to --where. An expression names its type.")
    if " where " in arguments.status:
        raise UsageMistake(
            f"The status comes first, then the expression: {arguments.status!r} is an expression."
        )
    with open_session(arguments) as session:
        typed, expression = _query_of(session, arguments)
        status = find_entity(session, "Status", arguments.status)
        with quoting(typed, session):
            found = session.query(expression).all()
        if not found:
            words = ["It finds nothing, so no status was set."]
            words += unknown_values(session, outline(expression).entity_type or "", expression)
            raise CommandError(f"{typed!r}: {' '.join(words)}")
        changed = [entity["status"] is not status for entity in found]
        for entity in found:
            entity["status"] = status
        count = len(session.pending())
        to_change = [entity for entity, differs in zip(found, changed) if differs]
        question = (
            f"Set the status of {count} entities to {status['name']!r} ({summed_up(to_change)})?"
        )
        if not apply_changes(session, arguments, question if count > 1 else ""):
            return 0
        write_changed(
            arguments, [(entity, {"changed": each}) for entity, each in zip(found, changed)]
        )
        if is_terminal(sys.stderr):
            others = f" {len(found) - count} had it already." if count < len(found) else ""
            print(f"Set the status of {count}.{others}", file=sys.stderr)
    return 0


def _query_of(session: Session, arguments: argparse.Namespace) -> tuple[str, str]:
    """Return the query as typed, and the one to send, with statuses and names loaded."""
    from ftrack_like.query import projections_of  # lazy: "--help" answers at once

    if arguments.where is not None:
        text = f"{type_named(session, arguments.type or 'Task')} where {arguments.where}"
    else:
        text = arguments.expression
    typed = text = as_servers_read(text)
    text = text[projections_of(text)[1] :]
    if arguments.where is None:
        _refuse_swapped(session, arguments.status, text)
    name, text = with_type(session, text)
    attributes = session.types[name].attributes
    if attributes.get("status") is None:
        raise CommandError(f"The type {name} has no status.")
    named = [each for each in ("name", "version", "link") if attributes.get(each) is not None]
    return typed, f"select {', '.join([*named, 'status.name'])} from {text}"


def _refuse_path(status: str, expression: str) -> None:
    """Raise an error with the command to write if one of the arguments is the path of an entity."""
    for path, other in ((status, expression), (expression, status)):
        if "/" in path and " where " not in path:
            words = shlex.join(["ftrack-like", "set", "Task", path, f"status={other}"])
            raise UsageMistake(
                f"{path!r} is a path, and status changes what a query finds. Write: {words}"
            )


def _refuse_swapped(session: Session, status: str, expression: str) -> None:
    """Raise an error if *status* is a type, and *expression* begins with none but is a status."""
    from ftrack_like.query import outline  # lazy: "--help" answers at once

    types = [str(each).lower() for each in session.types]
    if (outline(expression).entity_type or "").lower() in types:
        return
    _refuse_path(status, expression)
    names = [each.lower() for each in stored_values(session, "Status", "name") or ()]
    if status.lower() not in types and expression.lower() not in names:
        return
    start = shlex.join(["ftrack-like", "status", expression])
    try:
        entity_type = type_named(session, status)
    except CommandError as error:
        raise CommandError(f"{error} The status comes first: {start} TYPE") from error
    raise UsageMistake(f"The status comes first, then the expression. Write: {start} {entity_type}")
