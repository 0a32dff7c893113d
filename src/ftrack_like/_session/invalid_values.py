"""Invalid values: check arguments, and explain why a request failed.

The client examines the values of a request only after the request failed. So valid values cost no
time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like._base.collaborators import identity_map_of
from ftrack_like._base.suggest import did_you_mean
from ftrack_like._base.value_errors import ONE_ENTITY, shown
from ftrack_like._base.words import with_article
from ftrack_like.attribute import ReferenceAttribute, ScalarAttribute
from ftrack_like.entity.base import AnyEntity
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Value
    from ftrack_like.attribute import Attribute
    from ftrack_like.session import Session

__all__ = [
    "FORMS",
    "ignored_names",
    "no_type",
    "remedy",
    "require_entity",
    "require_mapping",
    "unsendable",
]

_WRITING = frozenset({"create", "update"})

#: Characters that text cannot contain: NUL, and single halves of the surrogate pairs of UTF-16.
_NO_TEXT = "[\0\ud800-\udfff]"

#: The types that JSON can represent.
FORMS = "Use text, a number, true or false, a date, None, or a list or dictionary of these."

#: The types whose entities are most often assigned where a more general type is allowed.
_USUAL = {"BaseUser": "User"}

#: Attributes by which people name an entity, the most usual one first.
_NAMES = ("name", "username", "label")


def require_entity(value: object, role: str) -> None:
    """Raise :exc:`~ftrack_like.exception.InvalidEntityError` unless *value* is an entity.

    *role* is a participle for the message, for example "deleted".
    """
    if isinstance(value, type) or not hasattr(value, "primary_key_attributes"):
        several = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
        raise exception.InvalidEntityError(
            value, role, "Pass the entities one by one." if several else ONE_ENTITY
        )


def require_mapping(value: object, role: str) -> Mapping[str, Any]:
    """Return *value*. Raise InvalidValueError unless it is a mapping; *role* names the call."""
    if type(value) is dict or isinstance(value, Mapping):  # The first test is faster.
        return value
    raise exception.InvalidValueError(
        "The data for {role} must be a mapping of attribute names to values, not {shown}.",
        {"role": role, "shown": shown(value)},
    )


def no_type(value: object) -> exception.InvalidValueError:
    """Return the error for a *value* that cannot be the name of an entity type."""
    return exception.InvalidValueError(
        "{shown} is not an entity type. Pass the name of one as text.", {"shown": shown(value)}
    )


def unsendable(
    data: Json, error: Exception, encode_item: Callable[[Any], Any]
) -> exception.InvalidValueError:
    """Return the error for *data*, a batch or another value that JSON cannot represent.

    *error* is the exception of the attempt. *encode_item* returns a JSON value for an object, and
    raises :exc:`TypeError` if there is none.
    """
    for entity, name, value in _values_of(data):
        reason = _json_problem(value, encode_item)
        if reason:
            text = "The value of {attribute!r} of {entity} cannot be sent: {shown}. {reason}"
            details = {"attribute": name, "entity": entity, "shown": shown(value), "reason": reason}
            return exception.ServerInvalidValueError(text, details)
    is_told = isinstance(error, exception.InvalidValueError)
    reason = str(error) if is_told else _json_problem(data, encode_item) or str(error)
    return exception.InvalidValueError(
        "{shown} cannot be written as JSON. {reason}", {"shown": shown(data), "reason": reason}
    )


def _values_of(data: Json) -> Iterator[tuple[str, str, Any]]:
    """Yield ``(entity, attribute, value)`` for the values of entities in *data*."""
    if isinstance(data, AnyEntity):
        for name, value in {**data.remote_values, **(data.local_values or {})}.items():
            yield str(data), name, value
    for payload in data if isinstance(data, (list, tuple)) else [data]:
        if isinstance(payload, Mapping) and payload.get("action") in _WRITING:
            entity = _entity_text(payload)
            entity_data = payload.get("entity_data")
            if isinstance(entity_data, Mapping):
                for name, value in entity_data.items():
                    yield entity, str(name), value
            yield entity, "the primary key", payload.get("entity_key")


def _entity_text(payload: Mapping[str, Any]) -> str:
    """Return the entity of *payload* as text, such as ``<Task(0a1b…)>``."""
    key = payload.get("entity_key")
    parts = key if isinstance(key, (list, tuple)) else [key]
    return f"<{payload.get('entity_type')}({', '.join([_key_part_text(part) for part in parts])})>"


def _key_part_text(part: object) -> str:
    """Return *part* of a primary key as text."""
    return part if isinstance(part, str) else shown(part)


def _json_problem(value: Value, encode_item: Callable[[Any], Any]) -> str:
    """Return a sentence with the reason why JSON cannot represent *value*, empty if it can."""
    try:
        json.dumps(value, default=encode_item, allow_nan=False)
    except RecursionError:
        return "It contains itself, or is nested too deeply."
    except exception.InvalidValueError:
        return FORMS
    except ValueError as error:
        if "ircular" in str(error):
            return "It contains itself."
        if "digits" in str(error):
            return "The number has too many digits."
        return "JSON has no form for NaN and infinity: use a finite number, or None."
    except TypeError as error:
        return f"{error}."
    return ""


def remedy(session: Session, payloads: Iterable[Mapping[str, Any]]) -> str:
    """Return a sentence about the first wrong value in *payloads*, and the value to use instead.

    A value is wrong if every server refuses it: another type for a reference, an entity for its id,
    or text with characters that the server cannot store. Return an empty text if there is none.
    """
    for payload in payloads:
        entity_type = str(payload.get("entity_type"))
        try:
            attributes = session.types[entity_type].attributes
        except KeyError:
            continue
        for name, value in (payload.get("entity_data") or {}).items():
            sentence = _sentence(session, entity_type, attributes.get(name), value)
            if sentence:
                return sentence
    return ""


def ignored_names(session: Session, payloads: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each key without a meaning in the data of a new entity.

    *payloads* are those that may have failed. Such a key is often a mistake in a name that the
    server then misses.
    """
    for payload in payloads:
        if payload.get("action") != "create":
            continue
        entity = identity_map_of(session).find(payload["entity_type"], payload["entity_key"])
        if entity is None:
            continue
        for name in entity.ignored_names:
            hint = did_you_mean(name, entity.attributes.keys())
            yield f"create() ignored {name!r}, which {entity.entity_type} does not have. {hint}"


def _sentence(
    session: Session, entity_type: str, attribute: Optional[Attribute], value: Value
) -> Optional[str]:
    """Return advice for *value* of *attribute* of *entity_type*, or None if it is valid."""
    is_entity = getattr(value, "primary_key_attributes", None) is not None
    if isinstance(attribute, ReferenceAttribute):
        if is_entity or value is None or value is NOT_SET or isinstance(value, Mapping):
            return None
        wanted = _USUAL.get(attribute.entity_type, attribute.entity_type)
        return (
            f"{attribute.name!r} of {entity_type} takes {with_article(wanted)} entity, not "
            f"{shown(value)}. Get one with {_way_to(session, wanted, value)} and assign it."
        )
    if isinstance(attribute, ScalarAttribute) and is_entity:
        return (
            f"{attribute.name!r} of {entity_type} takes a plain value, not an entity. "
            f"Assign a value of the entity, such as its id: entity['id']."
        )
    if isinstance(value, str) and attribute is not None:
        found = re.search(_NO_TEXT, value)
        if found:
            kind = "a NUL character" if found.group() == "\0" else "half of a surrogate pair"
            return (
                f"The text for {attribute.name!r} of {entity_type} contains {kind} at position "
                f"{found.start()}, which cannot be stored. Remove it."
            )
    return None


def _way_to(session: Session, entity_type: str, value: Value) -> str:
    """Return a call that gets the entity of *entity_type* that the text *value* may name."""
    text = value if isinstance(value, str) else "…"
    if re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", text):
        return f"session.get({entity_type!r}, {text!r})"
    attributes = (
        session.types[entity_type].attributes.keys() if entity_type in session.types else ()
    )
    name = next((each for each in _NAMES if each in attributes), "id")
    if len(text) > 60 or not text.isprintable():
        text = "…"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f"session.query('{entity_type} where {name} is \"{escaped}\"').one()"
