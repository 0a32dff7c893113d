"""The innermost loop of loading: turn one record into one entity.

Every record of a query passes through this loop, so it is written for speed. One extra function
call per record shows in the benchmarks. Three decisions follow:

- The records of a page have the same keys. So the schema is consulted once for each combination of
  keys, the *shape*. The result is a :class:`Plan`, which is stored with the entity class.
- The values that do not change within a page are local variables of a closure. An attribute access
  for each record would cost more.
- The record becomes the ``remote_values`` of a new entity; no value is copied. If the class has
  the standard ``__init__``, the reader sets the attributes without calling it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._collaborators import identity_map_of
from ftrack_like._seams import original
from ftrack_like._suggest import did_you_mean
from ftrack_like.attribute import AbstractCollectionAttribute, ReferenceAttribute
from ftrack_like.entity.base import Entity

if TYPE_CHECKING:
    from ftrack_like._session.load_groups import LoadGroup
    from ftrack_like._types import Value
    from ftrack_like.session import Session

__all__ = ["Plan", "Reader", "make_reader"]


class Plan(NamedTuple):
    """The steps to read records of one class with the same keys."""

    #: Names of references.
    references: tuple[str, ...]
    #: Names of collections.
    collections: tuple[str, ...]
    #: Keys that are not attributes.
    dropped: tuple[str, ...]
    #: The attribute of the primary key, if it is one and the record contains it.
    single_key: Optional[str]
    #: The attributes of the primary key, if they are several and the record contains all.
    key_parts: tuple[str, ...]
    #: Whether the record contains only the primary key.
    is_reference: bool


class Reader(NamedTuple):
    """The functions that read one page."""

    #: Takes a record, a mapping with ``__entity_type__``, and returns the attached entity.
    read: Callable[[dict[str, Any]], Any]
    #: Call it after the last record of the page.
    finish: Callable[[], None]


def _make_plan(class_: type[Entity], shape: tuple[str, ...]) -> Plan:
    """Return the plan for records of *class_* with the keys *shape*, and store it."""
    attributes = class_.attributes
    known = {name: attributes.get(name) for name in shape}
    key = tuple(class_.primary_key_attributes)
    is_whole = bool(key) and all(name in known for name in key)
    plan = Plan(
        references=tuple(
            name for name, each in known.items() if isinstance(each, ReferenceAttribute)
        ),
        collections=tuple(
            name for name, each in known.items() if isinstance(each, AbstractCollectionAttribute)
        ),
        dropped=tuple(name for name, each in known.items() if each is None),
        single_key=key[0] if is_whole and len(key) == 1 else None,
        key_parts=key if is_whole and len(key) > 1 else (),
        is_reference=is_whole
        and all(name in key for name, each in known.items() if each is not None),
    )
    attributes.plans[shape] = plan
    return plan


def make_reader(session: Session, group: Optional[LoadGroup], regroups: bool = True) -> Reader:  # noqa: PLR0915  # see the module's text
    """Return the functions that read the records of a page into *session*.

    New entities become members of *group*, unless it is None. With *regroups*, entities that the
    session already has also move to *group*.

    ``read`` raises :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for a type without a
    schema.
    """
    identity_map = identity_map_of(session)
    entities = identity_map.entities()
    find, settle = entities.get, entities.setdefault
    fresh = None if group is None else group.fresh
    loose, revive = identity_map.loose_references, identity_map.revive
    types = session.types
    has_plain_keys = identity_map.plain_keys
    make_key = session.cache_key_maker.key
    join_group = None if group is None else group.keys.append
    has_lower_caches = bool(identity_map.lower_caches())
    touched: dict[Any, Any] = {}
    allocate, entity_init = object.__new__, original(Entity, "__init__")

    def read(record: dict[str, Any]) -> Entity:  # noqa: PLR0912, PLR0915
        """Return the attached entity for *record*."""
        type_name = record["__entity_type__"]
        try:
            class_ = types[type_name]
        except (KeyError, TypeError):  # TypeError for an unhashable name, such as a list.
            raise unknown_type(session, type_name) from None
        shape = tuple(record)
        plan = class_.attributes.plans.get(shape)
        if plan is None:
            plan = _make_plan(class_, shape)
        references, collections, dropped, single_key, key_parts, is_reference = plan
        for name in dropped:
            del record[name]
        for name in references:
            value = record[name]
            if value is not None:
                record[name] = read_value(value)
        for name in collections:
            value = record[name]
            record[name] = [read_value(each) for each in value] if value else []

        if single_key is not None:
            identity = f"({type_name!r}, [{record[single_key]!r}])"
        elif key_parts:
            identity = f"({type_name!r}, {[record[name] for name in key_parts]!r})"
        else:
            return class_(session, data=record, reconstructing=True)
        key = (
            identity
            if has_plain_keys
            else make_key((type_name, [record[name] for name in key_parts or (single_key or "",)]))
        )

        entity = find(key)
        if entity is None:
            if fresh is not None:
                fresh.append(key)
            if loose:
                entity = revive(key)
        if entity is None:
            if class_.__init__ is entity_init:
                entity = allocate(class_)
                entity.session = session
                entity.remote_values = record
                entity.local_values = None
                entity.known_identity = identity
                entity.fixed_key = None
                entity.load_group = None
                entity.is_created = False
            else:
                entity = class_(session, data=record, reconstructing=True)
                entity.known_identity = identity
            entity = settle(key, entity)
            if has_lower_caches and not is_reference:
                touched[key] = entity
        elif not is_reference:
            entity.remote_values.update(record)
            if entity.local_values is not None:
                for name in collections:
                    attribute: Any = class_.attributes.lookup(name)
                    attribute.refresh(entity)
            if has_lower_caches:
                touched[key] = entity
        if (
            join_group is not None
            and entity.load_group is not group
            and (regroups or entity.load_group is None)
        ):
            entity.load_group = group
            join_group(key)
        return entity

    def read_value(value: Value) -> Value:
        """Return the entity for *value* if it is a record, else *value*."""
        if type(value) is dict and "__entity_type__" in value:
            return read(value)
        return value

    def finish() -> None:
        """Write the entities of the page to the lower cache layers, in one call."""
        for key, entity in touched.items():
            identity_map.complete_from_below(key, entity)
        identity_map.store_below(touched)

    return Reader(read, finish)


def unknown_type(session: Session, type_name: object) -> Exception:
    """Return the error for an entity whose type has no schema."""
    hint = did_you_mean(str(type_name), session.types)
    return exception.UnrecognisedEntityTypeError(type_name, suggestion=hint)
