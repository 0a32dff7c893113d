"""The inmost loop of loading: one record, one entity.

Everything here is written for speed: a page of a query goes through it, nothing is done twice or
for what did not come, and one function call more for each record can be measured. What the
schema says about a record's keys is worked out once for each combination of keys and kept with
the attribute table as a *plan*.
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
    """What to do with the values of a record, by its keys."""

    #: Names of references.
    references: tuple[str, ...]
    #: Names of collections.
    collections: tuple[str, ...]
    #: Keys that are no attributes.
    dropped: tuple[str, ...]
    #: The primary key, if it is whole and of one part.
    single_key: Optional[str]
    #: The primary key, if it is whole and of several parts.
    key_parts: tuple[str, ...]
    #: Whether there is nothing beside the primary key.
    is_reference: bool


class Reader(NamedTuple):
    """The functions that a page is read with."""

    #: Called with a record (a mapping with ``__entity_type__``); returns the attached entity.
    read: Callable[[dict[str, Any]], Any]
    #: To be called when the page is read.
    finish: Callable[[], None]


def _make_plan(class_: type[Entity], shape: tuple[str, ...]) -> Plan:
    """Return the plan for records of *class_* with the keys *shape*, and keep it."""
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
    """Return the functions that read records of one page into *session*.

    New entities, and with *regroups* those that come again, become members of *group* unless it
    is None.
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
        except (KeyError, TypeError):  # TypeError for a list or a mapping.
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
        """Write what came to the lower cache layers, in one go."""
        for key, entity in touched.items():
            identity_map.complete_from_below(key, entity)
        identity_map.store_below(touched)

    return Reader(read, finish)


def unknown_type(session: Session, type_name: object) -> Exception:
    """Return the error that the server sent an entity of a type without schema."""
    hint = did_you_mean(str(type_name), session.types)
    return exception.UnrecognisedEntityTypeError(type_name, suggestion=hint)
