"""The action ``search``: a query whose results must contain the words that a user typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Optional

from sqlalchemy import Connection

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.language import (
    And,
    Compare,
    Criteria,
    Literal,
    Or,
    Part,
    Path,
    Within,
    parse,
)
from ftrack_like.sandbox.query.run import QueryPage, check_query, run_query
from ftrack_like.sandbox.schema.model import EntityType, Model

__all__ = ["run_search"]

#: The attributes in which to search, if the type has them.
_NAMED = ("name", "full_name", "label", "username", "first_name", "last_name", "email", "key")
#: The most words in a search. Further words are ignored.
_MAXIMUM_TERMS = 50


def run_search(
    connection: Connection,
    model: Model,
    expression: str,
    context: RequestContext,
    *,
    entity_type: Optional[str] = None,
    terms: Iterable[str] = (),
    context_ids: Sequence[str] = (),
    object_type_ids: Sequence[str] = (),
) -> QueryPage:
    """Return the answer to *expression*, limited to entities that match all other arguments.

    - *terms*: each word must occur in a name of the entity, or of a version's asset. Case does not
      matter.
    - *context_ids*: the entity must be one of these contexts, or below one.
    - *object_type_ids*: the entity must have one of these object types.
    - *entity_type*: the entity type to search, if it is not that of *expression*.

    An empty argument matches every entity. So do the ids for types that have no contexts or
    object types. Raise :exc:`~ftrack_like.sandbox.language.ExpressionError` as
    :func:`run_query` does.
    """
    query = parse(expression)
    type_ = model.types.get(entity_type or query.entity_type)
    if type_ is None:
        return run_query(connection, model, expression, context)
    if type_.name == query.entity_type:
        # Check the text of the user first, so that an error does not quote the generated query.
        check_query(model, expression, context)
    criteria = [] if query.criteria is None else [query.criteria]
    words = [word for term in terms for word in str(term).split()][:_MAXIMUM_TERMS]
    criteria += [_named(model, type_, word) for word in words]
    if context_ids:
        criteria += _below(type_, context_ids)
    if object_type_ids and "object_type_id" in type_.properties:
        criteria.append(_among("object_type_id", object_type_ids))
    narrowed = replace(
        query,
        entity_type=type_.name,
        criteria=And(tuple(criteria)) if len(criteria) > 1 else next(iter(criteria), None),
    )
    return run_query(connection, model, narrowed, context)


def _path(text: str) -> Path:
    return Path(tuple(map(Part, text.split("."))))


def _among(path: str, values: Sequence[str]) -> Criteria:
    return Within(_path(path), tuple(Literal(str(value)) for value in values))


def _any_of(criteria: Sequence[Criteria]) -> Criteria:
    return criteria[0] if len(criteria) == 1 else Or(tuple(criteria))


def _named(model: Model, type_: EntityType, word: str) -> Criteria:
    """Return the criteria that *word* occurs in a name of an entity of *type_*."""
    pattern = word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    known = {*type_.properties}
    for other in model.types.values():
        if type_.name in other.bases:
            known.update(other.properties)
    paths = [name for name in _NAMED if name in known]
    if type_.name == "AssetVersion":
        paths.append("asset.name")
    if not paths:
        paths = list(type_.primary_key)
    return _any_of([Compare(_path(path), "like", Literal(f"%{pattern}%")) for path in paths])


def _below(type_: EntityType, context_ids: Sequence[str]) -> list[Criteria]:
    """Return criteria that an entity of *type_* is one of *context_ids* or below one.

    Return an empty list if the type has no context.
    """
    paths = {
        "Asset": ("project_id", "context_id", "ancestors.id"),
        "AssetVersion": ("project_id", "task_id", "asset.context_id", "asset.ancestors.id"),
    }.get(type_.name, ())
    if type_.table == "context":
        paths = ("id",) if type_.name == "Project" else ("id", "project_id", "ancestors.id")
    elif not paths and "project_id" in type_.properties:
        paths = ("project_id",)
    return [_any_of([_among(path, context_ids) for path in paths])] if paths else []
