"""The values in a query that finds nothing, which no entity has: what the query may have meant."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ftrack_like._base.collaborators import catalogue_of
from ftrack_like.cli._choices import choices_of, table_of, tables_for
from ftrack_like.cli._entities import identifying, is_id, schema_of
from ftrack_like.cli._errors import CommandError
from ftrack_like.cli._finding import stored_values
from ftrack_like.cli._known_names import found_at
from ftrack_like.cli._text import printable
from ftrack_like.cli._unknown import no_entity, unknown_choice

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["print_unknown_values", "unknown_values", "without_texts"]

# Compiled on first use, because the module is imported to complete a word.
_TEXT = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'(),]+)"""
_PATH = r"(?<![\w.\]])(?P<path>\w+(?:\[\w+\])?(?:\.\w+(?:\[\w+\])?)*)"
#: A condition on a value: ``status.name is "Done"`` or ``type.name in (a, b)``.
_CONDITION = (
    rf"{_PATH}\s*"
    rf"(?:(?:\bis\b(?!\s+not\b)|=)\s*(?P<value>{_TEXT})"
    rf"|\bin\s*\(\s*(?P<values>{_TEXT}(?:\s*,\s*{_TEXT})*)\s*\))"
)
#: Brackets: those of a sub-query on a relation, of another query, and all others.
_BRACKET = rf"{_PATH}\s+(?:any|has)\s*\(|\(\s*select\b[^()]*?\bfrom\s+(?P<type>\w+)|\(|(?P<end>\))"


class _Scope(NamedTuple):
    """Where a condition is: in a query of *entity_type*, in the sub-query on the relation *path*.

    Both are empty for brackets that change neither.
    """

    entity_type: str
    path: str


def unknown_values(session: Session, entity_type: str, expression: str) -> list[str]:
    """Return a sentence for each value in *expression* that no entity has.

    *expression* is a query of *entity_type* that finds nothing. Conditions on names count, such as
    ``status.name is "In progess"``, on references, such as ``status is Completed``, and on
    attributes with few values, such as ``status is faild`` of a job. Of other attributes, a value
    counts that resembles one that exists.
    """
    from ftrack_like.query._custom_keys import named_keys  # lazy: "--help" answers at once
    from ftrack_like.query._references import named_references  # lazy: likewise

    plain = without_texts(expression)
    # The library warns of these itself.
    keys = named_keys(expression)
    references = {
        path for path, *_ in named_references(catalogue_of(session), entity_type, expression)
    }
    found: dict[str, None] = dict.fromkeys(_without_wildcards(expression, plain))
    for match in re.finditer(_CONDITION, plain, re.IGNORECASE):
        start, end = match.span("value" if match["value"] else "values")
        texts = [_unquoted(each) for each in re.findall(_TEXT, expression[start:end])]
        scope = _scope_at(plain, match.start())
        path = f"{scope.path}.{match['path']}" if scope.path else match["path"]
        if path in references or (path.endswith("key") and not set(texts).isdisjoint(keys)):
            continue
        with contextlib.suppress(CommandError):
            for sentence in _sentences(session, scope.entity_type or entity_type, path, texts):
                found[sentence] = None
    return list(found)


def _without_wildcards(expression: str, plain: str) -> Iterator[str]:
    """Yield a sentence for each text after ``like`` in *expression* that has no wildcard.

    *plain* is the expression without texts.
    """
    for match in re.finditer(rf"{_PATH}\s+like\s+(?P<value>{_TEXT})", plain, re.IGNORECASE):
        text = _unquoted(expression[slice(*match.span("value"))])
        if "%" not in text and "_" not in text:
            part = f'{match["path"]} like "%{text}%"'
            yield f"'like' compares the whole text. For a part of it write: {part}"


def print_unknown_values(session: Session, entity_type: str, expression: str) -> None:
    """Print :func:`unknown_values` on standard error.

    It is only a hint, so a query for it that the server refuses is no error.
    """
    from ftrack_like import exception  # lazy: "--help" answers at once

    with contextlib.suppress(exception.ServerError):
        for sentence in unknown_values(session, entity_type, expression):
            print(printable(sentence), file=sys.stderr)


def without_texts(expression: str) -> str:
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


def _scope_at(plain: str, position: int) -> _Scope:
    """Return the scope of a condition at *position* of the query *plain* without texts."""
    scopes: list[_Scope] = []
    for match in re.finditer(_BRACKET, plain[:position], re.IGNORECASE):
        if match["end"] is None:
            scopes.append(_Scope(match["type"] or "", match["path"] or ""))
        elif scopes:
            scopes.pop()
    inner = max((index for index, each in enumerate(scopes) if each.entity_type), default=-1)
    path = ".".join(each.path for each in scopes[inner + 1 :] if each.path)
    return _Scope(scopes[inner].entity_type if inner >= 0 else "", path)


def _sentences(
    session: Session, entity_type: str, path: str, texts: Sequence[str]
) -> Iterator[str]:
    """Yield a sentence for each of *texts* that no value at *path* of *entity_type* can equal."""
    end = found_at(session, entity_type, path)
    if end is None:
        return
    if end.kind == "reference":
        naming = identifying(schema_of(session, end.target))
        for text in texts:
            if naming and text != "none" and not is_id(text):
                yield f'{path!r} refers to a {end.target}. Write: {path}.{naming} is "{text}"'
        return
    before, _, name = path.rpartition(".")
    above = found_at(session, entity_type, before) if before else None
    if before and (above is None or above.kind == "scalar"):
        return
    owner = entity_type if above is None else above.target
    if end.data_type != "string" or name == "id" or name.endswith("_id"):
        return
    wanted = [each for each in texts if each != "none"]
    choices = choices_of(session, owner, name)
    if tables_for(session, owner, name):
        yield from _of_tables(session, name, wanted)
    elif choices is not None:
        for text in wanted:
            if text.lower() not in choices.values:
                yield unknown_choice(owner, name, text, choices.values)
    else:
        yield from _of_values(session, owner, name, wanted, is_own=not before)


def _of_tables(session: Session, name: str, texts: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each of *texts* that is no table, as servers compare them in *name*."""
    from ftrack_like._base.suggest import closest  # lazy: only for mistakes

    tables = {table_of(session, each) for each in session.types}
    for text in texts:
        if text in tables:
            continue
        near = closest(text, session.types) or closest(text, tables)
        if near:
            table = near[0] if near[0] in tables else table_of(session, near[0])
            yield f"Servers compare {name!r} with names of tables. Write: {name} is {table}"


def _of_values(
    session: Session, owner: str, name: str, texts: Sequence[str], is_own: bool
) -> Iterator[str]:
    """Yield a sentence for each of *texts* that no *owner* has as *name*.

    An attribute that names nothing may have any text, so there only the resembling ones count.
    *is_own* is whether the query is one of *owner*: that no such entity exists is then plain, and
    again only the resembling ones count.
    """
    from ftrack_like._base.suggest import closest  # lazy: only for mistakes

    catalogue = catalogue_of(session)
    kinds = [owner] if name in catalogue.properties(owner) else catalogue.below(owner)
    owners = [each for each in kinds if name in catalogue.properties(each)]
    known: list[str] = []
    for each in owners:
        values = stored_values(session, each, name)
        if values is None:
            return
        known += values
    is_name = all(name == identifying(schema_of(session, each)) for each in owners)
    present = {each.lower() for each in known}
    for text in texts:
        if text.lower() not in present and ((is_name and not is_own) or closest(text, known)):
            is_plain = is_name and name != "key"  # The key of a value is not its name.
            yield no_entity(owners, text, known, path=None if is_plain else name)
