"""Query expressions as people type them, and the mistakes in them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ftrack_like.cli._conditions import as_servers_read
from ftrack_like.cli._entities import type_named
from ftrack_like.cli._known_names import custom_name_hint
from ftrack_like.cli._unknown import attributes_command, types_command

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["quoting", "with_type"]

#: How servers report an unknown attribute and an unknown type.
_NO_ATTRIBUTE = r"No attribute (?P<name>'[^']*') exists for (?P<type>\w+)\."
_NO_TYPE = r"Unknown entity type (?P<name>'[^']*')\."


@contextlib.contextmanager
def quoting(typed: str, session: Session) -> Iterator[None]:
    """Return a context whose errors about a query quote *typed*, with a caret below the place.

    Unknown names are reported in the form of :mod:`ftrack_like.cli._unknown`. *session* sends the
    query.

    Commands send longer queries than people type: with projections, and with the type in its right
    case.
    """
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like.query import Wording, outline  # lazy: likewise

    try:
        yield
    except exception.ServerParseError as error:
        sent = error.expression or ""
        kind, right = outline(typed).entity_type or "", outline(sent).entity_type or ""
        pieces = [(typed, 0)]
        if kind != right and kind.lower() == right.lower():
            start = typed.index(kind)
            end = start + len(kind)
            pieces = [(typed[:start], 0), (right, start), (typed[end:], end)]
        if error.sentence is not None:
            error.sentence = _in_one_form(session, error.sentence)
        Wording(typed, pieces).restate(error, sent)
        raise


def with_type(session: Session, expression: str) -> tuple[str, str]:
    """Return the type that *expression* queries, and *expression* with that in its right case.

    Conditions such as ``custom.fstart > 1000`` are rewritten as servers read them.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` with a suggestion for an unknown type.
    """
    from ftrack_like.query import outline, projections_of  # lazy: "--help" answers at once

    expression = as_servers_read(expression)
    given = outline(expression).entity_type or ""
    name = type_named(session, given)
    start = expression.index(given, projections_of(expression)[1])
    return name, f"{expression[:start]}{name}{expression[start + len(given) :]}"


def _in_one_form(session: Session, sentence: str) -> str:
    """Return the *sentence* of a server about an unknown name as other commands write it."""
    match = re.match(_NO_ATTRIBUTE, sentence)
    if match is not None:
        name = match["name"][1:-1]
        hint = custom_name_hint(session, match["type"], name) or sentence[match.end() :].strip()
        hint = hint or attributes_command(match["type"])
        return f"{match['type']} has no attribute {match['name']}. {hint}"
    match = re.match(_NO_TYPE, sentence)
    if match is not None:
        hint = sentence[match.end() :].strip() or types_command()
        return f"There is no type {match['name']} on {session.server_url}. {hint}"
    return sentence
