"""Query expressions as people type them: mistakes in them, and values that no entity has."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ftrack_like.cli._entities import identifying, is_id, schema_of, type_named
from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._finding import stored_values
from ftrack_like.cli._known_names import found_at
from ftrack_like.cli._text import printable
from ftrack_like.cli._unknown import attributes_command, no_entity, types_command

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["print_unknown_values", "quoting", "unknown_values", "with_type"]

_TEXT = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'(),]+)"""
#: A condition on a value: ``status.name is "Done"`` or ``type.name in (a, b)``.
#: Compiled on first use, because the module is imported to complete a word.
_CONDITION = (
    rf"(?<![\w.\]])(?P<path>\w+(?:\[\w+\])?(?:\.\w+(?:\[\w+\])?)*)\s*"
    rf"(?:(?:\bis\b(?!\s+not\b)|=)\s*(?P<value>{_TEXT})"
    rf"|\bin\s*\(\s*(?P<values>{_TEXT}(?:\s*,\s*{_TEXT})*)\s*\))"
)
#: How servers report an unknown attribute and an unknown type.
_NO_ATTRIBUTE = r"No attribute (?P<name>'[^']*') exists for (?P<type>\w+)\."
_NO_TYPE = r"Unknown entity type (?P<name>'[^']*')\."


@contextlib.contextmanager
def quoting(typed: str, server_url: str) -> Iterator[None]:
    """Return a context whose errors about a query quote *typed*, with a caret below the place.

    Unknown names are reported in the form of :mod:`ftrack_like.cli._unknown`. *server_url* is the
    server of the query.

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
            error.sentence = _in_one_form(error.sentence, server_url)
        Wording(typed, pieces).restate(error, sent)
        raise


def with_type(session: Session, expression: str) -> tuple[str, str]:
    """Return the type that *expression* queries, and *expression* with that in its right case.

    Raise :exc:`~ftrack_like.cli._errors.CommandError` with a suggestion for an unknown type.
    """
    from ftrack_like.query import outline, projections_of  # lazy: "--help" answers at once

    given = outline(expression).entity_type or ""
    name = type_named(session, given)
    start = expression.index(given, projections_of(expression)[1])
    return name, f"{expression[:start]}{name}{expression[start + len(given) :]}"


def _in_one_form(sentence: str, server_url: str) -> str:
    """Return the *sentence* of a server about an unknown name as other commands write it."""
    match = re.match(_NO_ATTRIBUTE, sentence)
    if match is not None:
        hint = sentence[match.end() :].strip() or attributes_command(match["type"])
        return f"{match['type']} has no attribute {match['name']}. {hint}"
    match = re.match(_NO_TYPE, sentence)
    if match is not None:
        hint = sentence[match.end() :].strip() or types_command()
        return f"There is no type {match['name']} on {server_url}. {hint}"
    return sentence


def unknown_values(session: Session, entity_type: str, expression: str) -> list[str]:
    """Return a sentence for each value in *expression* that no entity has.

    *expression* is a query of *entity_type* that finds nothing. Conditions on references count,
    such as ``status.name is "In progess"`` and ``status is Completed``.
    """
    found: dict[str, None] = {}
    for match in re.finditer(_CONDITION, _outside_texts(expression), re.IGNORECASE):
        start, end = match.span("value" if match["value"] else "values")
        texts = [_unquoted(each) for each in re.findall(_TEXT, expression[start:end])]
        with contextlib.suppress(CommandError):  # The path may belong to a sub-query.
            for sentence in _sentences(session, entity_type, match["path"], texts):
                found[sentence] = None
    return list(found)


def _sentences(
    session: Session, entity_type: str, path: str, texts: Sequence[str]
) -> Iterator[str]:
    """Yield a sentence for each of *texts* that no value at *path* of *entity_type* can equal."""
    end = found_at(session, entity_type, path)
    if end is not None and end.kind == "reference":
        naming = identifying(schema_of(session, end.target))
        for text in texts:
            if naming and text != "none" and not is_id(text):
                yield f'{path!r} refers to a {end.target}. Write: {path}.{naming} is "{text}"'
        return
    before, _, name = path.rpartition(".")
    owner = found_at(session, entity_type, before) if before else None
    if owner is None or owner.kind == "scalar" or end is None or end.data_type != "string":
        return
    known = None if name == "id" else stored_values(session, owner.target, name)
    if known is None:
        return
    named = None if name == identifying(schema_of(session, owner.target)) else name
    for text in texts:
        if text.lower() not in {each.lower() for each in known}:
            yield no_entity([owner.target], text, known, path=named)


def _outside_texts(expression: str) -> str:
    """Return *expression* with other characters for the blanks and brackets inside of texts."""
    return re.sub(
        r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""",
        lambda match: match[0][0] + "x" * (len(match[0]) - 2) + match[0][0],
        expression,
    )


def _unquoted(text: str) -> str:
    """Return the value of the literal *text*."""
    if text[:1] in ("'", '"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def print_unknown_values(session: Session, entity_type: str, expression: str) -> None:
    """Print :func:`unknown_values` on standard error.

    It is only a hint, so a query for it that the server refuses is no error.
    """
    from ftrack_like import exception  # lazy: "--help" answers at once

    with contextlib.suppress(exception.ServerError):
        for sentence in unknown_values(session, entity_type, expression):
            print(printable(sentence), file=sys.stderr)
