"""The keys of custom attributes in a query, compared with those of the site.

The schemas do not have these keys, and the server finds nothing for an unknown key. So a wrong key
looks like a query without results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ftrack_like import exception
from ftrack_like._base.callers import warn_at_caller
from ftrack_like._base.suggest import did_you_mean
from ftrack_like._values.custom_attributes import site_keys

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["named_keys", "require_keys", "warn_of_keys"]

_MAPPING = "custom_attributes"

#: The tokens of a query: texts in quotes, brackets, and words.
_TOKEN = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([()])|([^\s"'(),]+)""", re.DOTALL)

#: The path of a key, with and without the configuration that has it.
_KEY_PATHS = ("key", "configuration.key")


def named_keys(expression: str) -> list[str]:
    """Return the keys of custom attributes that the query *expression* compares for equality.

    These are ``custom_attributes any (key is "fstart" …)``, ``custom_attributes.key is "fstart"``,
    and the same with ``in``.
    """
    if _MAPPING not in expression:
        return []
    return list(dict.fromkeys(_compared_keys(_TOKEN.findall(expression))))


def _compared_keys(tokens: list[tuple[str, str, str]]) -> Iterator[str]:
    """Yield the keys in *tokens*: a quoted text, a bracket and a word each, two of them empty."""
    inside = [False]  # For each open bracket: whether it is about custom attributes.
    for index, (_, bracket, word) in enumerate(tokens):
        if bracket == "(":
            inside.append(_is_about_keys(tokens, index, inside[-1]))
        elif bracket == ")" and len(inside) > 1:
            inside.pop()
        elif word and (
            (inside[-1] and word in _KEY_PATHS)
            or word.endswith(tuple(f"{_MAPPING}.{path}" for path in _KEY_PATHS))
        ):
            yield from _texts_compared_with(tokens, index + 1)


def _is_about_keys(tokens: list[tuple[str, str, str]], index: int, is_inside: bool) -> bool:
    """Return whether the bracket at *index* contains conditions on custom attributes.

    *is_inside* says so of the text around it.
    """
    before = [word.lower() for _, _, word in tokens[max(index - 2, 0) : index]]
    if not before or before[-1] not in ("any", "has"):
        return is_inside
    return len(before) == 2 and before[0].rpartition(".")[2].partition("[")[0] == _MAPPING


def _texts_compared_with(tokens: list[tuple[str, str, str]], index: int) -> Iterator[str]:
    """Yield the texts with which the comparison at *index* compares a key for equality."""
    operator = tokens[index][2].lower() if index < len(tokens) else ""
    if operator in ("is", "=", "=="):
        following = tokens[index + 1 : index + 2]
    elif operator == "in" and tokens[index + 1 : index + 2] == [("", "(", "")]:
        following = tokens[index + 2 :]
    else:
        return
    for quoted, _, _ in following:
        if not quoted:
            return
        yield re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL)


def require_keys(session: Session, keys: Iterable[str], *, exact: bool = False) -> None:
    """Raise :exc:`~ftrack_like.exception.UnknownAttributeError` if the site lacks one of *keys*.

    Upper and lower case are the same, as in queries, unless *exact*. Do nothing if the keys of the
    site cannot be read.
    """
    for key, hint in _unknown(session, keys, exact):
        raise exception.UnknownAttributeError(
            key, suggestion=hint, message="The site has no custom attribute {attribute_name!r}."
        )


def warn_of_keys(session: Session, expression: str) -> None:
    """Show a warning for each key in the query *expression* that the site lacks.

    Call it when the query has found nothing.
    """
    for key, hint in _unknown(session, named_keys(expression), False):
        warn_at_caller(
            f"The site has no custom attribute {key!r}, so the query finds nothing. {hint}",
            exception.UnknownAttributeWarning,
        )


def _unknown(session: Session, keys: Iterable[str], exact: bool) -> Iterator[tuple[str, str]]:
    """Yield each of *keys* that the site lacks, with a sentence about those that it has."""
    for key in keys:
        known = site_keys(session, key)
        if known is None or key in known:
            continue
        if not exact and key.casefold() in {each.casefold() for each in known}:
            continue
        listed = ", ".join(sorted(known)) or "none"
        yield key, did_you_mean(key, known, otherwise=f"The keys are: {listed}.")
