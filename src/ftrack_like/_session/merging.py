"""Merging: every entity in a value is replaced by the session's own one.

Two kinds of entities come in. A *detached* entity belongs to this session, but the identity map
does not hold it: it was decoded, say. It is attached itself where the identity is free. A
*foreign* entity belongs to another session and stays there untouched: the session gets an
entity of its own with the same values.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like import exception, inspection
from ftrack_like._collaborators import identity_map_of
from ftrack_like.collection import Collection, MappedCollectionProxy
from ftrack_like.entity.base import PLAIN, AnyEntity
from ftrack_like.query import QueryResult

if TYPE_CHECKING:
    from ftrack_like._types import Key, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["MergeRecord", "Merger"]

#: What was merged so far: by the number of an object, the object and what stands for it now.
MergeRecord = dict[Any, Any]


#: The key in a record of merged entities under which foreign ones wait for their values. Taking
#: the values over one entity after the other keeps long chains of references off the stack.
_WAITING = "waiting"


class Merger:
    """Merge for a session. It may be used from any thread."""

    def __init__(self, session: Session) -> None:
        """Initialise for *session*, whose methods are reached at each use."""
        self._session = session
        self._identity_map = identity_map_of(session)

    def merge(self, value: Value, merged: Optional[MergeRecord] = None) -> Value:
        """Return *value* with every entity in it replaced by the attached one of its identity.

        Values that the entities have set are taken over. Lists, tuples, sets and mappings are
        gone through, and the result of a query becomes a list; anything else is returned as it
        is. A collection of another session's entity gives the collection of the session's own
        entity. *merged* is the record of what was merged so far, so that circles end; give the
        same mapping to calls that belong together.

        Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for an entity of a type
        that the server of this session does not have, and
        :exc:`~ftrack_like.exception.InvalidValueError` when containers are nested too deeply.
        """
        merged = {} if merged is None else merged
        if _WAITING in merged:
            return self._merge(value, merged)
        is_entity = isinstance(value, AnyEntity)
        merged[_WAITING] = None  # A queue, once there is something to wait.
        try:
            if is_entity:  # One call less for what is merged most.
                result = self._merge_entity(value, merged)
            else:
                result = self._merge(value, merged)
            while merged[_WAITING]:
                foreign, attached = merged[_WAITING].popleft()
                self._take_over(foreign, attached, merged)
        except RecursionError:
            raise exception.InvalidValueError(
                "A value of the type {kind} cannot be merged: it is nested too deeply.",
                {"kind": type(value).__name__},
            ) from None
        finally:
            del merged[_WAITING]
        # Asking for collections, which are abstract, would cost each entity two calls.
        if (
            result is value
            and not is_entity
            and isinstance(value, (Collection, MappedCollectionProxy))
        ):
            return self._own_collection(value, merged)
        return result

    def _merge(self, value: Value, merged: MergeRecord) -> Value:
        """Return what :meth:`merge` does; foreign entities may still wait for their values."""
        if isinstance(value, AnyEntity):
            return self._merge_entity(value, merged)
        if isinstance(value, (Collection, MappedCollectionProxy)):
            return self._merge_collection(value, merged)
        if isinstance(value, (Mapping, list)):
            known = merged.get(id(value))
            if known is not None:
                return known[1]
        if isinstance(value, Mapping):
            # Ordered and default dictionaries keep their kind; other mappings may not allow to set.
            mapping: dict[Any, Any] = copy.copy(value) if isinstance(value, dict) else {}
            mapping.clear()
            merged[id(value)] = (value, mapping)
            for name, inner in value.items():
                mapping[self._merge(name, merged)] = self._merge(inner, merged)
            return mapping
        if isinstance(value, list):
            members = type(value)()
            merged[id(value)] = (value, members)
            members.extend([self._merge(inner, merged) for inner in value])
            return members
        if isinstance(value, (tuple, set, frozenset)):
            inner_values = [self._merge(inner, merged) for inner in value]
            if hasattr(value, "_fields"):
                return type(value)(*inner_values)  # A named tuple takes its values one by one.
            return type(value)(inner_values)
        if isinstance(value, QueryResult):
            return [self._merge(inner, merged) for inner in value]
        return value

    def _merge_collection(
        self, value: Union[Collection, MappedCollectionProxy], merged: MergeRecord
    ) -> Union[Collection, MappedCollectionProxy]:
        """Merge the members of the collection *value*, or the foreign entity that it is of."""
        members = _base(value)
        if members.entity.session is self._session:
            members.members = [self._merge(member, merged) for member in members.members]
        else:
            self._merge(members.entity, merged)
        return value

    def _own_collection(
        self, value: Union[Collection, MappedCollectionProxy], merged: MergeRecord
    ) -> Value:
        """Return the collection of this session that stands for *value*, which was merged."""
        members = _base(value)
        if members.entity.session is self._session:
            return value
        return self._merge(members.entity, merged)[members.attribute.name]

    def _merge_entity(self, entity: Entity, merged: MergeRecord) -> Entity:
        """Return the attached entity of the identity of *entity*, with its values."""
        identity_map = self._identity_map
        try:
            key = identity_map.key_of(entity)
        except KeyError:
            return entity  # Without a whole primary key it cannot be told from others.
        entities = identity_map.entities()
        attached = entities.get(key)
        if attached is None and identity_map.loose_references:
            attached = identity_map.revive(key)
        if attached is entity:
            return entity  # With all that it refers to, since it was attached.
        if id(entity) in merged:
            known: Entity = merged[id(entity)][1]
            return known
        is_foreign = entity.session is not self._session
        if attached is None:
            attached = entities.setdefault(key, self._copy_of(entity) if is_foreign else entity)
        # By object: another copy of the same entity may know more. It is kept alive, so that no
        # other gets its number meanwhile.
        merged[id(entity)] = (entity, attached)
        if is_foreign:
            if merged[_WAITING] is None:
                merged[_WAITING] = deque()
            merged[_WAITING].append((entity, attached))
            return attached
        if attached is entity:
            self._merge_contents(entity, merged, entities.get)
        else:
            identity_map.dirty.discard(entity)
            attached.merge(entity, merged)
        if identity_map.lower_caches():
            self._store(key, entity, attached)
        return attached

    def _copy_of(self, entity: Entity) -> Entity:
        """Return a new entity of this session with the identity of the foreign *entity*."""
        key = inspection.primary_key(entity)
        return self._session._create(entity.entity_type, key, reconstructing=True)  # noqa: SLF001 - programs override it

    def _take_over(self, entity: Entity, attached: Entity, merged: MergeRecord) -> None:
        """Give *attached* the values of the foreign *entity*."""
        attached.merge(entity, merged)
        identity_map = self._identity_map
        if identity_map.lower_caches():
            self._store(identity_map.key_of(attached), entity, attached)

    def _store(self, key: Key, entity: Entity, attached: Entity) -> None:
        """Write *attached*, which got the values of *entity*, to the cache layers below."""
        identity_map = self._identity_map
        # What is only referred to stays so: the layers below may hold all that was ever loaded.
        if not _is_bare(entity):
            identity_map.complete_from_below(key, attached)
            identity_map.store_below({key: attached})

    def _merge_contents(
        self, entity: Entity, merged: MergeRecord, resident: Callable[[Any], Any]
    ) -> None:
        """Replace the entities that the newly attached *entity* refers to by attached ones.

        *resident* returns the attached entity with a key, or None.
        """
        for values in (entity.remote_values, entity.local_values):
            if not values:
                continue
            for name, value in values.items():
                if type(value) in PLAIN:
                    continue
                # Setting what is there already changes no order, so the loop may go on.
                if isinstance(value, AnyEntity):
                    # Most are attached already; to find that here takes a third of the time.
                    if value.known_identity is None or resident(value.known_identity) is not value:
                        values[name] = self._merge_entity(value, merged)
                elif isinstance(value, list):
                    values[name] = [self._merge(inner, merged) for inner in value]


def _base(value: Union[Collection, MappedCollectionProxy]) -> Collection:
    """Return the collection *value*, itself or what it stands for."""
    members: Collection = value if isinstance(value, Collection) else value.collection
    return members


def _is_bare(entity: Entity) -> bool:
    """Return whether *entity* holds nothing but its primary key."""
    key = entity.primary_key_attributes
    return not entity.local_values and all(name in key for name in entity.remote_values)
