"""The inmost loop of loading: one record, one entity.

Everything here is written for speed: a page of a query goes through it, nothing is done twice or
for what did not come, and one function call more for each record can be measured. What the
schema says about a record's keys is worked out once for each combination of keys and kept with
the attribute table as a *plan*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like._collaborators import identity_map_of
from ftrack_like._seams import original
from ftrack_like._suggest import did_you_mean
from ftrack_like.attribute import AbstractCollectionAttribute, ReferenceAttribute
from ftrack_like.entity.base import Entity

if TYPE_CHECKING:
    from ftrack_like._session.load_groups import LoadGroup
    from ftrack_like._types import Key, Record, Value
    from ftrack_like.session import Session

__all__ = ["Plan", "Reader"]

_ENTITY_INIT = original(Entity, "__init__")


class Plan:
    """What to do with the values of records of one type that have the same keys."""

    # Slots are read faster than the fields of a named tuple.
    __slots__ = (
        "collections",
        "dropped",
        "has_more",
        "is_reference",
        "key_parts",
        "references",
        "single_key",
    )

    def __init__(self, class_: type[Entity], shape: tuple[str, ...]) -> None:
        """Work out the plan for records of *class_* with the keys *shape*."""
        known = {name: class_.attributes.get(name) for name in shape}
        key = tuple(class_.primary_key_attributes)
        is_whole = bool(key) and all(name in known for name in key)
        #: Names of references.
        self.references = [
            name for name, each in known.items() if isinstance(each, ReferenceAttribute)
        ]
        #: Attributes that are collections, by name.
        self.collections = {
            name: each
            for name, each in known.items()
            if isinstance(each, AbstractCollectionAttribute)
        }
        #: Keys that are no attributes, beside the type.
        self.dropped = [
            name for name, each in known.items() if each is None and name != "__entity_type__"
        ]
        #: Whether anything is to be done with other values than references.
        self.has_more = bool(self.collections or self.dropped)
        #: The primary key, if it is whole and of one part.
        self.single_key: Optional[str] = key[0] if is_whole and len(key) == 1 else None
        #: The primary key, if it is whole and of several parts.
        self.key_parts = key if is_whole and len(key) > 1 else ()
        #: Whether there is nothing beside the primary key.
        self.is_reference = is_whole and all(
            name in key for name, each in known.items() if each is not None
        )


class Reader:
    """Read the records of one page into a session."""

    __slots__ = (
        "_entities",
        "_find",
        "_fresh",
        "_group",
        "_has_lower_caches",
        "_has_plain_keys",
        "_identity_map",
        "_loose",
        "_regroups",
        "_session",
        "_touched",
        "_types",
    )

    def __init__(self, session: Session, group: Optional[LoadGroup], regroups: bool = True) -> None:
        """Initialise for *session*.

        New entities, and with *regroups* those that come again, become members of *group* unless
        it is None.
        """
        identity_map = identity_map_of(session)
        self._session = session
        self._types = session.types
        self._identity_map = identity_map
        self._entities = identity_map.entities()
        self._find = self._entities.get
        self._loose = identity_map.loose_references
        self._has_plain_keys = identity_map.plain_keys
        self._has_lower_caches = bool(identity_map.lower_caches())
        self._group = group
        self._fresh = None if group is None else group.fresh
        self._regroups = regroups
        #: What has come and belongs in the lower cache layers, by key.
        self._touched: dict[Key, Entity] = {}

    def read(self, record: Record) -> Entity:
        """Return the attached entity for *record*, a mapping with ``__entity_type__``."""
        type_name = record["__entity_type__"]
        try:
            class_ = self._types[type_name]
        except (KeyError, TypeError):  # TypeError for a list or a mapping.
            raise unknown_type(self._session, type_name) from None
        shape = tuple(record)
        plan: Optional[Plan] = class_.attributes.plans.get(shape)
        if plan is None:
            plan = class_.attributes.plans[shape] = Plan(class_, shape)
        del record["__entity_type__"]
        for name in plan.references:
            value = record[name]
            if type(value) is dict and "__entity_type__" in value:
                record[name] = self.read(value)
        if plan.has_more:
            self._read_more(record, plan)

        single_key = plan.single_key
        if single_key is not None:
            identity = f"({type_name!r}, [{record[single_key]!r}])"
        elif plan.key_parts:
            identity = f"({type_name!r}, {[record[name] for name in plan.key_parts]!r})"
        else:
            return class_(self._session, data=record, reconstructing=True)
        key = identity if self._has_plain_keys else self._key(type_name, record, plan)

        entity = self._find(key)
        if entity is None:
            entity = self._attach(key, identity, class_, record, plan)
        elif not plan.is_reference:
            entity.remote_values.update(record)
            if entity.local_values is not None or self._has_lower_caches:
                self._note_update(key, entity, plan)
        group = self._group
        if (
            group is not None
            and entity.load_group is not group
            and (self._regroups or entity.load_group is None)
        ):
            entity.load_group = group
            group.keys.append(key)
        return entity

    def _read_more(self, record: Record, plan: Plan) -> None:
        """Attach the members of collections in *record*; drop what is no attribute."""
        for name in plan.dropped:
            del record[name]
        for name in plan.collections:
            value = record[name]
            record[name] = [self._read_member(each) for each in value] if value else []

    def _read_member(self, value: Value) -> Value:
        """Return the entity for *value* if it is a record, else *value*."""
        if type(value) is dict and "__entity_type__" in value:
            return self.read(value)
        return value

    def _key(self, type_name: str, record: Record, plan: Plan) -> Key:
        """Return the cache key of *record*, made by a program's own key maker."""
        names = plan.key_parts or (plan.single_key or "",)
        return self._session.cache_key_maker.key((type_name, [record[name] for name in names]))

    def _attach(
        self, key: Key, identity: str, class_: type[Entity], record: Record, plan: Plan
    ) -> Entity:
        """Return the entity for *record*, whose *key* the session does not hold yet."""
        if self._fresh is not None:
            self._fresh.append(key)
        if self._loose:
            revived = self._identity_map.revive(key)
            if revived is not None:
                if not plan.is_reference:
                    revived.remote_values.update(record)
                    self._note_update(key, revived, plan)
                return revived
        if class_.__init__ is _ENTITY_INIT:
            # What the constructor would do, in a fifth of the time.
            entity: Entity = object.__new__(class_)
            entity.session = self._session
            entity.remote_values = record
            entity.local_values = None
            entity.known_identity = identity
            entity.fixed_key = None
            entity.load_group = None
            entity.is_created = False
        else:
            entity = class_(self._session, data=record, reconstructing=True)
            entity.known_identity = identity
        entity = self._entities.setdefault(key, entity)  # Another thread may have been faster.
        if self._has_lower_caches and not plan.is_reference:
            self._touched[key] = entity
        return entity

    def _note_update(self, key: Key, entity: Entity, plan: Plan) -> None:
        """Let what depends on the loaded values of *entity* follow them."""
        if entity.local_values is not None:
            for attribute in plan.collections.values():
                attribute.refresh(entity)
        if self._has_lower_caches:
            self._touched[key] = entity

    def finish(self) -> None:
        """Write what came to the lower cache layers, in one go, when the page is read."""
        for key, entity in self._touched.items():
            self._identity_map.complete_from_below(key, entity)
        self._identity_map.store_below(self._touched)


def unknown_type(session: Session, type_name: object) -> Exception:
    """Return the error that the server sent an entity of a type without schema."""
    hint = did_you_mean(str(type_name), session.types)
    return exception.UnrecognisedEntityTypeError(type_name, suggestion=hint)
