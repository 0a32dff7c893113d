"""The form of an entity in a shared cache: JSON text with the values of its own row.

A value is stored only if an event about the entity itself reports its changes. So a value is never
stored if

- it has local changes, or the entity is new: other sessions must not see them before the commit,
- the server computes it from other entities, such as ``link`` or ``time_logged``,
- it is a list of other entities, such as ``children``: these change without the entity,
- it is an address with a signature or a key.

The items of a mapping, such as ``metadata`` and ``custom_attributes``, belong to the entity. They
are stored inside its text and not on their own, so that one key has all that changes together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ftrack_like._session.codec import reference_to, wire_value
from ftrack_like.attribute import (
    AbstractCollectionAttribute,
    KeyValueMappedCollectionAttribute,
    ReferenceAttribute,
)
from ftrack_like.entity.base import PLAIN, AnyEntity
from ftrack_like.wire.values import encode_date

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Key, Record, Value
    from ftrack_like.attribute import Attribute
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["DERIVED", "owner_ids", "read_stored", "stored_record"]

#: Attributes that follow from other entities, although the schemas do not say so.
DERIVED = frozenset({"_link", "is_latest_version", "latest_version", "link"})


def stored_record(entity: Entity) -> Optional[Record]:
    """Return the mapping to store for *entity*; None if it has no values to store."""
    if entity.is_created or len(entity.primary_key_attributes) != 1:
        return None
    values = _own_values(entity)
    key = entity.primary_key_attributes[0]
    if key not in values or len(values) < 2:
        return None
    return {"__entity_type__": entity.entity_type, **values}


def _own_values(entity: Entity) -> Record:
    """Return the values from the server that belong to the row of *entity*, in wire form."""
    attributes = entity.attributes.by_name
    values: Record = {}
    # A copy, because another thread may load values into it.
    for name, value in list(entity.remote_values.items()):
        attribute = attributes.get(name)
        if attribute is None or attribute.computed or name in DERIVED:
            continue
        if isinstance(attribute, AbstractCollectionAttribute):
            items = _mapped_items(attribute, value)
            if items is not None:
                values[name] = items
        elif isinstance(attribute, ReferenceAttribute):
            if value is None or isinstance(value, AnyEntity):
                values[name] = None if value is None else reference_to(value)
        elif value.__class__ in PLAIN:
            values[name] = value
        elif _is_scalar(value):
            # A date is an object if the program has read it, and else still in wire form.
            date = encode_date(value)
            values[name] = wire_value(value) if date is None else date
    return values


def _mapped_items(attribute: Attribute, value: Value) -> Optional[list[Record]]:
    """Return the items of a mapping in wire form; None for other lists and for unloaded items."""
    if not isinstance(attribute, KeyValueMappedCollectionAttribute) or not isinstance(value, list):
        return None
    items = []
    for item in value:
        if not isinstance(item, AnyEntity):
            return None
        values = _own_values(item)
        if attribute.key_attribute not in values or attribute.value_attribute not in values:
            return None
        items.append({"__entity_type__": item.entity_type, **values})
    return items


def _is_scalar(value: Value) -> bool:
    """Return whether *value* is plain, a date, or a list of plain values."""
    if isinstance(value, list):
        return all(each.__class__ in PLAIN for each in value)
    if isinstance(value, dict):
        return value.get("__type__") in ("datetime", "date")
    return encode_date(value) is not None


def read_stored(session: Session, key: Key, text: str) -> Entity:
    """Return the detached entity that *text* describes.

    Raise :exc:`KeyError` if *text* is not the form of the entity with the cache *key*: it is
    damaged, or another program wrote it.
    """
    try:
        entity = session.decode(text)
        if isinstance(entity, AnyEntity) and _is_sound(session, key, entity):
            return entity
    except Exception as error:  # Any text may be there, so any step may fail.
        raise KeyError(key) from error
    raise KeyError(key)


def _is_sound(session: Session, key: Key, entity: Entity) -> bool:
    """Return whether *entity* has the cache *key* and only values that its attributes can have."""
    names = entity.primary_key_attributes
    identity = (entity.entity_type, [entity.remote_values[name] for name in names])
    if session.cache_key_maker.key(identity) != key:
        return False
    attributes = entity.attributes.by_name
    for name, value in entity.remote_values.items():
        attribute = attributes[name]
        if isinstance(attribute, AbstractCollectionAttribute):
            sound = all(isinstance(each, AnyEntity) for each in value)
        elif isinstance(attribute, ReferenceAttribute):
            sound = value is None or isinstance(value, AnyEntity)
        else:
            sound = value.__class__ in PLAIN or _is_scalar(value)
        if not sound:
            return False
    return True


def owner_ids(key_text: Json) -> list[str]:
    """Return the ids of the entities to which the item with the cache key *key_text* may belong.

    The list is empty if the key is not that of an item, whose primary key has several attributes.
    """
    import ast  # lazy: few sessions have a shared cache

    try:
        _, values = ast.literal_eval(key_text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return []  # A key maker of the program.
    if not isinstance(values, list) or len(values) < 2:
        return []
    return [value for value in values if isinstance(value, str)]
