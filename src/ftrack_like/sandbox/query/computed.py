"""Computed values: attributes that no column stores.

:data:`COMPUTATIONS` contains a :class:`Computation` for each name that the schema uses. The
docstring of :mod:`ftrack_like.sandbox.schema` describes the values. There are three ways to
compute one for an answer:

- The statement selects an SQL expression, and its value is the answer.
- The statement selects *parts*, and *finish* computes the answer from their values in Python.
- A second statement *gathers* the values for all rows of a page, because a value depends on
  several rows.

Criteria and orders always use the SQL expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from sqlalchemy import Connection, and_, bindparam, case, false, func, or_, select, true
from sqlalchemy.types import String

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.database.sql import Expression
from ftrack_like.sandbox.query import custom_attributes, links
from ftrack_like.sandbox.query.names import Catalogue
from ftrack_like.sandbox.query.sources import RowSource

__all__ = ["COMPUTATIONS", "NOW", "Computation"]

#: The locations whose data this server serves: ``ftrack.server`` and ``ftrack.review``.
_SERVED = ("3a372bde-05bc-11e4-8908-20c9d081909b", "cd41be70-8809-11e3-b98a-20c9d081909b")

#: Values of ``availability`` that open or close a review session, whatever its dates are.
_ALWAYS, _CLOSED = "always", "closed"

#: The name of the statement parameter that contains the time of the request.
NOW = "request_now"

Parts = tuple[Any, ...]


@dataclass(frozen=True)
class Computation:
    """How to compute one value.

    *expression* is the SQL of the value in criteria and orders. *kind* says how it compares; see
    :func:`~ftrack_like.sandbox.tables.values.kind_of`. *parts* are the expressions to select for
    an answer, by default *expression*. *finish* converts the values of the parts to the JSON value
    of the answer.
    *gather* receives the values of the first part for all rows of a page, and returns the JSON
    values by them.
    """

    expression: Callable[[Catalogue, RowSource], Expression]
    kind: str = "text"
    parts: Optional[Callable[[Catalogue, RowSource], tuple[Expression, ...]]] = None
    finish: Optional[Callable[[Parts, RequestContext], Any]] = None
    gather: Optional[Callable[[Connection, Catalogue, Sequence[str]], Mapping[str, Any]]] = None

    def fetched(self, catalogue: Catalogue, source: RowSource) -> tuple[Expression, ...]:
        """Return the expressions that a statement selects for the value."""
        return (
            self.parts(catalogue, source) if self.parts else (self.expression(catalogue, source),)
        )


def _column(name: str) -> Callable[[Catalogue, RowSource], Expression]:
    return lambda catalogue, source: source.column(name)


# Addresses


def _image(parts: Parts, context: RequestContext) -> Any:
    # Without an id the address leads to a placeholder image, so that pages can always show one.
    address = context.thumbnail_url(parts[0] or "")
    return {"url": address, "value": address}


def _data(parts: Parts, context: RequestContext) -> Any:
    return {"value": context.component_url(parts[0]) if parts[0] else None}


def _location_parts(catalogue: Catalogue, source: RowSource) -> tuple[Expression, ...]:
    names = ("component_id", "location_id", "resource_identifier")
    return tuple(source.column(name) for name in names)


def _location_data(parts: Parts, context: RequestContext) -> Any:
    component_id, location_id, identifier = parts
    if location_id in _SERVED:
        return {"value": context.component_url(component_id)}
    return {"value": identifier}


def _thumbnail_id(catalogue: Catalogue, source: RowSource) -> Expression:
    if source.type_.table == "review_session":
        return _review_session_thumbnail_id(catalogue, source)
    return source.column("thumbnail_id")


def _review_session_thumbnail_id(catalogue: Catalogue, source: RowSource) -> Expression:
    versions = catalogue.tables["asset_version"].alias()
    objects = catalogue.tables["review_session_object"].alias()
    first = (
        select(objects.c.version_id)
        .where(objects.c.review_session_id == source.column("id"))
        .order_by(objects.c.sort_order, objects.c.id)
        .limit(1)
        .scalar_subquery()
    )
    chosen = func.coalesce(source.column("thumbnail_source_id"), first)
    return select(versions.c.thumbnail_id).where(versions.c.id == chosen).scalar_subquery()


# Times


def _time_logged(catalogue: Catalogue, source: RowSource) -> Expression:
    ancestry = catalogue.tables["context_ancestry"].alias()
    timelogs = catalogue.tables["timelog"].alias()
    total = (
        select(func.coalesce(func.sum(timelogs.c.duration), 0.0))
        .select_from(ancestry.join(timelogs, timelogs.c.context_id == ancestry.c.descendant_id))
        .where(ancestry.c.ancestor_id == source.column("id"))
    )
    return total.scalar_subquery()


def _difference(catalogue: Catalogue, source: RowSource) -> Expression:
    return func.coalesce(source.column("bid"), 0.0) - _time_logged(catalogue, source)


def _is_open(catalogue: Catalogue, source: RowSource) -> Expression:
    now = bindparam(NOW, type_=String())
    availability = source.column("availability")
    return case(
        (availability == _ALWAYS, true()),
        (availability == _CLOSED, false()),
        else_=and_(
            func.coalesce(source.column("start_date"), "") <= now,
            or_(source.column("end_date").is_(None), now < source.column("end_date")),
        ),
    )


def _availability(catalogue: Catalogue, source: RowSource) -> tuple[Expression, ...]:
    return tuple(source.column(name) for name in ("availability", "start_date", "end_date"))


def _finish_is_open(parts: Parts, context: RequestContext) -> bool:
    availability, start, end = parts
    if availability in (_ALWAYS, _CLOSED):
        return bool(availability == _ALWAYS)
    now = context.now.isoformat()
    return (start or "") <= now and (end is None or now < end)


# People


def _recipient_user(catalogue: Catalogue, source: RowSource) -> Expression:
    resources = catalogue.tables["resource"].alias()
    return (
        select(resources.c.id)
        .where(resources.c.id == source.column("resource_id"), resources.c.resource_type == "user")
        .scalar_subquery()
    )


# Versions


def _latest_version(catalogue: Catalogue, source: RowSource) -> Expression:
    versions = catalogue.tables["asset_version"].alias()
    return (
        select(versions.c.id)
        .where(versions.c.asset_id == source.column("id"))
        .order_by(versions.c.version.desc(), versions.c.id)
        .limit(1)
        .scalar_subquery()
    )


def _is_latest_version(catalogue: Catalogue, source: RowSource) -> Expression:
    versions = catalogue.tables["asset_version"].alias()
    highest = (
        select(func.max(versions.c.version))
        .where(versions.c.asset_id == source.column("asset_id"))
        .scalar_subquery()
    )
    return case((source.column("version") == highest, 1), else_=0)


def _truth(parts: Parts, context: RequestContext) -> bool:
    return bool(parts[0])


COMPUTATIONS: Mapping[str, Computation] = {
    "component_location_url": Computation(
        _column("resource_identifier"), parts=_location_parts, finish=_location_data
    ),
    "component_thumbnail_url": Computation(_column("component_id"), "key", finish=_image),
    "component_url": Computation(_column("component_id"), "key", finish=_data),
    "context_link": Computation(
        links.context_link_text,
        parts=lambda catalogue, source: (source.column("id"),),
        gather=links.context_links,
    ),
    "custom_attribute_key": Computation(_column("key")),
    "custom_attribute_value": Computation(
        custom_attributes.text_value,
        "variable",
        parts=custom_attributes.value_parts,
        finish=lambda parts, context: custom_attributes.read_value(parts),
    ),
    "group_link": Computation(
        _column("name"),
        parts=lambda catalogue, source: (source.column("id"),),
        gather=links.group_links,
    ),
    "is_latest_version": Computation(_is_latest_version, "flag", finish=_truth),
    "latest_version": Computation(_latest_version, "key"),
    "recipient_user": Computation(_recipient_user, "key"),
    "review_session_is_open": Computation(_is_open, "boolean", _availability, _finish_is_open),
    "review_session_thumbnail": Computation(_review_session_thumbnail_id, "key"),
    "review_session_thumbnail_id": Computation(_review_session_thumbnail_id, "key"),
    "thumbnail_url": Computation(_thumbnail_id, "key", finish=_image),
    "bid_time_logged_difference": Computation(_difference, "number"),
    "time_logged": Computation(_time_logged, "number"),
    "version_link": Computation(
        links.version_link_text,
        parts=lambda catalogue, source: (source.column("id"),),
        gather=links.version_links,
    ),
}
