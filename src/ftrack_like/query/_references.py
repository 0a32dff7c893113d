"""Conditions that compare a reference with a name, where the server expects an id.

``status is "Not started"`` is valid, but no status has this id, so the query finds nothing. The
schemas show the mistake without a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like._base.callers import warn_at_caller
from ftrack_like._base.collaborators import catalogue_of
from ftrack_like.query._route import read_route

if TYPE_CHECKING:
    from ftrack_like._values.catalogue import Catalogue
    from ftrack_like.session import Session

__all__ = ["named_references", "warn_of_references"]

#: The tokens of a condition: a text in quotes, a bracket, a sign, and a word.
_TOKEN = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([()])|(!?=+)|([^\s"'(),=!]+)""", re.DOTALL
)

#: Ids with and without hyphens, and the words for no value.
_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|none|null", re.IGNORECASE)

#: The attributes that name an entity, best first.
_NAMES = ("name", "username", "label")


def warn_of_references(session: Session, type_name: Optional[str], expression: str) -> None:
    """Show a warning for each reference in the query *expression* that is compared with a name.

    *type_name* is the queried type. Call it when the query has found nothing.
    """
    if type_name is None:
        return
    for path, name, text in named_references(catalogue_of(session), type_name, expression):
        warn_at_caller(
            f"{path!r} is a reference, and a query compares it with an id, so {text} finds "
            f"nothing. Write: {path}.{name} is {text}.",
            exception.UnknownAttributeWarning,
        )


def named_references(
    catalogue: Catalogue, type_name: str, expression: str
) -> Iterator[tuple[str, str, str]]:
    """Yield the path of each reference, an attribute that names its target, and the text.

    Only conditions outside of brackets count: those inside may be on another type.
    """
    depth = 0
    tokens = list(_TOKEN.findall(expression))
    for before, (_, _, sign, word), following in zip(tokens, tokens[1:], tokens[2:]):
        depth += {"(": 1, ")": -1}.get(before[1], 0)
        quoted, _, _, bare = following
        is_equality = sign in ("=", "==") or word.lower() == "is"
        text = quoted or (f'"{bare}"' if bare else "")
        if depth or not is_equality or not text or not before[3] or _ID.fullmatch(text[1:-1]):
            continue
        try:
            found = catalogue.follow(type_name, read_route(before[3]).steps)
        except exception.Error:
            continue
        if found is not None and found.kind == "reference":
            known = catalogue.properties(found.target)
            name = next((each for each in _NAMES if each in known), None)
            if name is not None and not (bare and "." in bare):
                yield before[3], name, text
