"""The innermost loop of loading: turn one record into one entity.

A *record* is the JSON mapping of one entity: its values by attribute name, and its type under
``__entity_type__``. Every record of a query passes through this loop. One extra function call per
record shows in the benchmarks, so the loop is written for speed:

- The records of a page have the same names. The names of a record, in order, are its *shape*. The
  reader consults the schema once for each shape. The result is a :class:`ReadPlan`, which is stored
  with the entity class.
- A :class:`RecordReader` stores the values that stay the same for a page, because the session
  computes some of them on each access.
- The record becomes the ``remote_values`` of a new entity, in a dictionary that shares its keys
  with those of the same shape. No value is copied. If the class has the standard ``__init__``, the
  reader sets the attributes without calling it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like._base.collaborators import identity_map_of
from ftrack_like._base.seams import original
from ftrack_like._base.suggest import did_you_mean
from ftrack_like._session.compact import CONTAINERS, compact_value, holder_of
from ftrack_like.attribute import AbstractCollectionAttribute, ReferenceAttribute
from ftrack_like.entity.base import Entity

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Record, Value
    from ftrack_like._session.load_groups import LoadGroup
    from ftrack_like.session import Session

__all__ = ["ReadPlan", "RecordReader"]

_ENTITY_INIT = original(Entity, "__init__")

#: The types of attributes whose values are never mappings or lists.
_SINGLE_TYPES = frozenset({"boolean", "float", "integer"})


class ReadPlan:
    """The steps to read records of one entity class with the same shape."""

    # Slots, because reading a field of a named tuple is slower.
    __slots__ = (
        "collections",
        "dropped",
        "has_more",
        "holder",
        "ids",
        "is_reference",
        "key_parts",
        "nested",
        "references",
        "single_key",
    )

    def __init__(self, class_: type[Entity], shape: tuple[str, ...]) -> None:
        """Prepare for records of *class_* with the names *shape*."""
        known = {name: class_.attributes.get(name) for name in shape}
        key = tuple(class_.primary_key_attributes)
        is_whole = bool(key) and all(name in known for name in key)
        #: The names of attributes that are references.
        self.references = [
            name for name, each in known.items() if isinstance(each, ReferenceAttribute)
        ]
        #: The attributes that are collections, by name.
        self.collections = {
            name: each
            for name, each in known.items()
            if isinstance(each, AbstractCollectionAttribute)
        }
        #: Names that are not attributes, except that of the type.
        self.dropped = [
            name for name, each in known.items() if each is None and name != "__entity_type__"
        ]
        #: The names of ids. The entities of a page repeat those of their project and status.
        self.ids = [
            name
            for name, each in known.items()
            if each is not None and (name == "id" or name.endswith("_id"))
        ]
        #: The names of values that may be mappings or lists, such as dates and links. The schema
        #: also says of a link that it is text.
        self.nested = [
            name
            for name, each in known.items()
            if name not in self.ids and getattr(each, "data_type", "float") not in _SINGLE_TYPES
        ]
        #: Whether the record has names in *collections* or *dropped*.
        self.has_more = bool(self.collections or self.dropped)
        #: The class whose instances share the keys of their dictionaries, or None.
        self.holder = holder_of([name for name, each in known.items() if each is not None])
        #: The attribute of the primary key, if it is a single one and the record contains it.
        self.single_key: Optional[str] = key[0] if is_whole and len(key) == 1 else None
        #: The attributes of the primary key, if there are several and the record contains them all.
        self.key_parts = key if is_whole and len(key) > 1 else ()
        #: Whether the record contains no attribute besides the primary key.
        self.is_reference = is_whole and all(
            name in key for name, each in known.items() if each is not None
        )


class RecordReader:
    """Read the records of one page into a session. Call :meth:`finish` after the last record."""

    __slots__ = (
        "_entities",
        "_find",
        "_fresh",
        "_group",
        "_has_lower_caches",
        "_has_plain_keys",
        "_identity_map",
        "_regroups",
        "_released",
        "_session",
        "_share",
        "_touched",
        "_types",
    )

    def __init__(self, session: Session, group: Optional[LoadGroup], regroups: bool = True) -> None:
        """Read into *session*.

        Unless *group* is None, new entities become members of it, and so do known entities without
        a group. With *regroups*, known entities leave their old group for it.
        """
        identity_map = identity_map_of(session)
        self._session = session
        self._types = session.types
        self._identity_map = identity_map
        self._entities = identity_map.entities()
        self._find = self._entities.get
        self._released = identity_map.released_references
        self._has_plain_keys = identity_map.plain_keys
        self._has_lower_caches = identity_map.below.takes_values
        self._group = group
        self._fresh = None if group is None else group.fresh
        self._regroups = regroups
        #: Returns the first text that is equal to a given one, in this page.
        self._share = dict[str, str]().setdefault
        #: The entities to write to the lower cache layers, by key.
        self._touched: dict[Key, Entity] = {}

    def read(self, record: Record) -> Entity:  # noqa: PLR0912 - a call would cost each record
        """Return the attached entity for *record*, a mapping with ``__entity_type__``.

        The record becomes part of the entity. Raise
        :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for a type without a schema.
        """
        type_name = record["__entity_type__"]
        try:
            class_ = self._types[type_name]
        except (KeyError, TypeError):  # TypeError for an unhashable name, such as a list.
            raise unknown_type(self._session, type_name) from None
        shape = tuple(record)
        plan: Optional[ReadPlan] = class_.attributes.plans.get(shape)
        if plan is None:
            plan = class_.attributes.plans[shape] = ReadPlan(class_, shape)
        del record["__entity_type__"]
        # References and members come first, so that the record contains entities before it becomes
        # the values of its own entity.
        for name in plan.references:
            value = record[name]
            if type(value) is dict and "__entity_type__" in value:
                record[name] = self.read(value)
        if plan.has_more:
            self._read_more(record, plan)
        for name in plan.ids:
            value = record[name]
            if type(value) is str:
                record[name] = self._share(value, value)
        for name in plan.nested:
            value = record[name]
            if type(value) in CONTAINERS:
                record[name] = compact_value(value, self._share)

        # The same text as ``identity_text`` makes, but without an entity and without a call.
        single_key = plan.single_key
        if single_key is not None:
            identity = f"({type_name!r}, [{record[single_key]!r}])"
        elif plan.key_parts:
            identity = f"({type_name!r}, {[record[name] for name in plan.key_parts]!r})"
        else:
            # Without a complete key the record has no identity, so its entity stays detached.
            return class_(self._session, data=record, reconstructing=True)
        key = identity if self._has_plain_keys else self._key(type_name, record, plan)

        entity = self._find(key)
        if entity is None:
            entity = self._attach(key, identity, class_, record, plan)
        # A bare reference has no news about an entity that the session already has.
        elif not plan.is_reference:
            entity.remote_values.update(record)
            if entity.local_values is not None or self._has_lower_caches:
                self._note_update(key, entity, plan)
        # An entity that arrives again usually leaves its old group: a program loops over the newest
        # result.
        group = self._group
        if (
            group is not None
            and entity.load_group is not group
            and (self._regroups or entity.load_group is None)
        ):
            entity.load_group = group
            group.keys.append(key)
        return entity

    def _read_more(self, record: Record, plan: ReadPlan) -> None:
        """Replace members of collections in *record* with entities; drop unknown names."""
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

    def _key(self, type_name: str, record: Record, plan: ReadPlan) -> Key:
        """Return the cache key of *record* from the key maker that a program has set."""
        names = plan.key_parts or (plan.single_key or "",)
        return self._session.cache_key_maker.key((type_name, [record[name] for name in names]))

    def _attach(
        self, key: Key, identity: str, class_: type[Entity], record: Record, plan: ReadPlan
    ) -> Entity:
        """Attach and return the entity for *record*, whose *key* no attached entity has.

        It is a new entity, unless the session has released one and the program still uses it.
        """
        if self._fresh is not None:
            self._fresh.append(key)
        if self._released:
            revived = self._identity_map.revive(key)
            if revived is not None:
                if not plan.is_reference:
                    revived.remote_values.update(record)
                    self._note_update(key, revived, plan)
                return revived
        if plan.holder is not None:
            compact = plan.holder().__dict__
            compact.update(record)
            record = compact
        if class_.__init__ is _ENTITY_INIT:
            # The same as the constructor, in a fifth of the time.
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

    def _note_update(self, key: Key, entity: Entity, plan: ReadPlan) -> None:
        """Refresh the local collections of *entity*, and note it for the lower cache layers.

        Call this after its remote values have changed.
        """
        if entity.local_values is not None:
            for attribute in plan.collections.values():
                attribute.refresh(entity)
        if self._has_lower_caches:
            self._touched[key] = entity

    def finish(self) -> None:
        """Complete the entities from the lower cache layers, then write them there in one call."""
        if self._touched:
            below = self._identity_map.below
            below.complete(self._touched)
            below.store(self._touched)


def unknown_type(session: Session, type_name: object) -> Exception:
    """Return the error for an entity whose type has no schema."""
    near = did_you_mean(str(type_name), session.types)
    hint = "If it was added on the server after this session began, create a new session."
    return exception.UnrecognisedEntityTypeError(type_name, suggestion=f"{near} {hint}".strip())
