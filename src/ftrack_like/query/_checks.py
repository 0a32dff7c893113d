"""Check whether an attribute can be compared with a value, before the server does."""

from __future__ import annotations

import datetime
import numbers
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Optional, cast

from ftrack_like import exception
from ftrack_like._base.value_errors import shown
from ftrack_like._values.catalogue import Property
from ftrack_like._values.literals import require_value
from ftrack_like.query._route import AttributeRoute, Place

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity

#: True for mypy, and for mypy only.
MYPY = False

__all__ = [
    "ConditionPart",
    "QueryPart",
    "check_comparable",
    "check_fits",
    "check_value",
    "refuse_direction",
    "value_path",
]


class QueryPart:
    """A part of a query: a path, a condition or a selection. It cannot be a value."""

    __slots__ = ()

    #: Whether the part selects values, as a sub-query does.
    has_values = False


class ConditionPart(QueryPart):
    """A part of a query that is neither true nor false: a path or a condition."""

    __slots__ = ()

    # Pyright reports ``not`` and ``if`` for a result that is not a bool. With its option
    # truthy-bool, mypy reports ``not`` for a class without the method.
    if TYPE_CHECKING and not MYPY:

        def __bool__(self) -> None: ...


def check_value(route: AttributeRoute, operator: str, value: object) -> None:
    """Raise an error with advice if *value* cannot be compared with the attribute at *route*."""
    if value is None:
        method = "is_not_none" if operator == "!=" or operator.startswith("is_not") else "is_none"
        raise exception.InvalidValueError(
            "Compare {shown} with None by {shown}.{method}().",
            {"shown": route.shown, "method": method},
        )
    if isinstance(value, QueryPart):
        advice = "use .in_(selection)" if value.has_values else "pass a value"
        raise exception.InvalidValueError(
            "The query language compares an attribute with a value. {shown} cannot be compared "
            "with {value}: {advice}.",
            {"shown": route.shown, "value": repr(value)[:80], "advice": advice},
        )
    if hasattr(value, "primary_key_attributes"):
        return
    require_value(route.shown, value)
    if isinstance(value, Collection) and not isinstance(value, str):
        raise exception.InvalidValueError(
            "{shown} is compared with a single value, not {value}. Use .in_() for several.",
            {"shown": route.shown, "value": shown(value)},
        )


def check_comparable(route: AttributeRoute, operator: str, found: Optional[Property]) -> None:
    """Raise an error if the attribute *found* at *route* cannot be compared by *operator*."""
    if found is None or route.key is not None:
        return
    if found.kind in ("collection", "mapping"):
        example = f"{route.shown}['key'] == …" if found.kind == "mapping" else "….any(attr.id == …)"
        raise exception.InvalidValueError(
            "{shown} is a {kind} and has no single value. Write conditions on its members: "
            "{example}.",
            {"shown": route.shown, "kind": found.kind, "example": example},
        )
    if found.kind == "reference" and operator not in ("is", "is_not", "in", "not_in"):
        raise exception.InvalidValueError(
            "{shown} is a reference. Compare one of its attributes, such as {shown}.name.",
            {"shown": route.shown},
        )


def value_path(
    route: AttributeRoute, found: Optional[Property], value: object, place: Place
) -> str:
    """Return the path whose value is compared with *value*: for a reference, that of its key.

    Raise :exc:`~ftrack_like.exception.InvalidValueError` if *value* is not an entity but *route*
    leads to one, or if the entity has the wrong type.
    """
    entity = _as_entity(value)
    if found is None or place.catalogue is None:
        name = route.steps[-1][0]
        if entity is None or name == "id" or name.endswith("_id"):
            return route.text
        return f"{route.text}.{next(iter(entity.primary_key_attributes))}"
    if found.kind != "reference":
        return route.text
    if value is not None and entity is None:
        raise exception.InvalidValueError(
            "{shown} is a reference to {target}. Compare it with an entity, or compare one of its "
            "attributes, such as {shown}.id or {shown}.name.",
            {"shown": route.shown, "target": found.target},
        )
    if entity is not None and not place.catalogue.is_a(entity.entity_type, found.target):
        raise exception.InvalidValueError(
            "{shown} refers to {target}, so it never equals {entity}.",
            {"shown": route.shown, "target": found.target, "entity": str(entity)},
        )
    return f"{route.text}.{place.catalogue.primary_key(found.target)[0]}"


#: The beginning of the text of a date.
_DATE = re.compile(r"\s*\d{4}-\d")


def check_fits(route: AttributeRoute, found: Property, operator: str, value: object) -> None:
    """Raise an error if *value* cannot be a value of the scalar *found*."""
    if found.kind != "scalar" or hasattr(value, "primary_key_attributes"):
        return
    kind, expected = found.data_type, ""
    is_text = isinstance(value, str)
    is_date = isinstance(value, datetime.date) or hasattr(value, "datetime")
    is_number = isinstance(value, numbers.Number) and not isinstance(value, bool)
    if operator in ("like", "not_like"):
        expected = "" if is_text and kind != "boolean" else "compared with a text pattern"
    elif kind in ("integer", "number"):
        expected = "" if is_number else "a number"
    elif kind == "boolean":
        expected = "" if isinstance(value, bool) or value in (0, 1) else "True or False"
    elif kind == "datetime":
        expected = "" if is_date or (is_text and _DATE.match(str(value))) else "a date"
    elif kind == "string":
        expected = "" if not isinstance(value, bool) else "text"
    if expected:
        raise exception.InvalidValueError(
            "{shown} is {expected}; it cannot be compared with {value}.",
            {"shown": route.shown, "expected": expected, "value": shown(value)},
        )


#: An order as other libraries write it: ``-bid``, ``bid desc``.
_DIRECTION = re.compile(
    r"(?P<minus>-)?\s*(?P<path>[\w.\[\]]+)(?P<word>\s+(?:asc|desc)\w*)?", re.IGNORECASE
)


def refuse_direction(text: str) -> None:
    """Raise an error with advice if *text* is a path with a direction."""
    found = _DIRECTION.fullmatch(text.strip())
    if found is None or not (found["minus"] or found["word"]):
        return
    is_descending = bool(found["minus"]) or "desc" in found["word"].lower()
    path = f"attr.{found['path']}"
    raise exception.InvalidValueError(
        "order_by() takes a path, or attr with a direction, not {text!r}. Write {advice}.",
        {"text": text[:80], "advice": f"-{path}" if is_descending else f"{path}.asc()"},
    )


def _as_entity(value: object) -> Optional[Entity]:
    """Return *value* if it is an entity, or an object that is used like one; else None."""
    return cast("Entity", value) if hasattr(value, "primary_key_attributes") else None
