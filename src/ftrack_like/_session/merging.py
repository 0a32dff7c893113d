"""Merging: replace every entity in a value by the session's attached one.

There are two kinds of entities to merge. A *detached* entity belongs to this session, but is not in
the identity map, for example a decoded one. If its identity is free, it is attached itself. A
*foreign* entity belongs to another session and stays there unchanged. The session gets a new entity
with the same values.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like import exception, inspection
from ftrack_like._base.collaborators import identity_map_of
from ftrack_like.collection import Collection, MappedCollectionProxy
from ftrack_like.entity.base import PLAIN, AnyEntity
from ftrack_like.query import QueryResult

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["MergeRecord", "Merger"]

#: The progress of a merge: by the ``id`` of an object, the object and its replacement.
MergeRecord = dict[Any, Any]


#: The key in a merge record of a queue: the foreign entities whose values are not yet copied. The
#: queue replaces recursion, so long chains of references do not overflow the stack.
_WAITING = "waiting"


class Merger:
    """Merge values into a session. Any thread may use it."""

    def __init__(self, session: Session) -> None:
        """Keep *session*; each use looks up its methods, because programs override them."""
        self._session = session
        self._identity_map = identity_map_of(session)

    def merge(self, value: Value, merged: Optional[MergeRecord] = None) -> Value:
        """Return *value* with every entity in it replaced by the attached one of its identity.

        The attached entities take over the values that are set. The method also merges the contents
        of lists, tuples, sets and mappings, and turns a query result into a list. It returns other
        values as they are. For a collection of a foreign entity it returns the collection of the
        attached entity. *merged* records the progress, so that circular references end. Pass the
        same mapping to calls that belong together.

        Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for an entity of a type that
        this session's server does not have, and :exc:`~ftrack_like.exception.InvalidValueError` for
        values that are nested too deeply.
        """
        merged = {} if merged is None else merged
        if _WAITING in merged:
            return self._merge(value, merged)
        is_entity = isinstance(value, AnyEntity)
        merged[_WAITING] = None  # Becomes a queue when the first entity has to wait.
        try:
            if is_entity:  # Saves a call in the most frequent case.
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
        # A test against the abstract collection classes would cost two calls for each entity.
        if (
            result is value
            and not is_entity
            and isinstance(value, (Collection, MappedCollectionProxy))
        ):
            return self._own_collection(value, merged)
        return result

    def _merge(self, value: Value, merged: MergeRecord) -> Value:
        """Merge *value* as :meth:`merge` does, but leave foreign entities in the queue."""
        if isinstance(value, AnyEntity):
            return self._merge_entity(value, merged)
        if isinstance(value, (Collection, MappedCollectionProxy)):
            return self._merge_collection(value, merged)
        if isinstance(value, (Mapping, list)):
            known = merged.get(id(value))
            if known is not None:
                return known[1]
        if isinstance(value, Mapping):
            # Ordered and default dictionaries keep their class. Other mappings may be read-only.
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
                return type(value)(*inner_values)  # A named tuple takes one argument per value.
            return type(value)(inner_values)
        if isinstance(value, QueryResult):
            return [self._merge(inner, merged) for inner in value]
        return value

    def _merge_collection(
        self, value: Union[Collection, MappedCollectionProxy], merged: MergeRecord
    ) -> Union[Collection, MappedCollectionProxy]:
        """Merge the members of the collection *value*, or the foreign entity that owns it."""
        members = _base(value)
        if members.entity.session is self._session:
            members.members = [self._merge(member, merged) for member in members.members]
        else:
            self._merge(members.entity, merged)
        return value

    def _own_collection(
        self, value: Union[Collection, MappedCollectionProxy], merged: MergeRecord
    ) -> Value:
        """Return this session's collection for *value*, whose owner was merged."""
        members = _base(value)
        if members.entity.session is self._session:
            return value
        return self._merge(members.entity, merged)[members.attribute.name]

    def _merge_entity(self, entity: Entity, merged: MergeRecord) -> Entity:
        """Return the attached entity with the identity of *entity*, with its values."""
        identity_map = self._identity_map
        try:
            key = identity_map.key_of(entity)
        except KeyError:
            return entity  # Without a complete primary key it has no identity.
        entities = identity_map.entities()
        attached = entities.get(key)
        if attached is None and identity_map.released_references:
            attached = identity_map.revive(key)
        if attached is entity:
            return entity  # Its references were merged when it was attached.
        if id(entity) in merged:
            known: Entity = merged[id(entity)][1]
            return known
        is_foreign = entity.session is not self._session
        if attached is None:
            attached = entities.setdefault(key, self._copy_of(entity) if is_foreign else entity)
        # Record the object, not the identity: another copy of the entity may have more values. The
        # record also keeps the object alive, so that no new object gets the same ``id``.
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
        if not attached.is_created and identity_map.below.takes_values:
            self._store(key, entity, attached)
        return attached

    def _copy_of(self, entity: Entity) -> Entity:
        """Return a new entity of this session with the identity of the foreign *entity*."""
        key = inspection.primary_key(entity)
        return self._session._create(entity.entity_type, key, reconstructing=True)  # noqa: SLF001 - programs override it

    def _take_over(self, entity: Entity, attached: Entity, merged: MergeRecord) -> None:
        """Copy the values of the foreign *entity* to *attached*."""
        attached.merge(entity, merged)
        identity_map = self._identity_map
        if identity_map.below.takes_values:
            self._store(identity_map.key_of(attached), entity, attached)

    def _store(self, key: Key, entity: Entity, attached: Entity) -> None:
        """Write *attached*, which received the values of *entity*, to the lower cache layers."""
        identity_map = self._identity_map
        # A bare reference stays one. Completing it from a lower layer, with the entities that it
        # refers to in turn, could load all values that were ever cached.
        if not _is_bare(entity):
            identity_map.below.complete({key: attached})
            identity_map.below.store({key: attached})

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
                # Replacing the value of an existing key is safe during the loop.
                if isinstance(value, AnyEntity):
                    # Most are attached already. This test skips them in a third of the time.
                    if value.known_identity is None or resident(value.known_identity) is not value:
                        values[name] = self._merge_entity(value, merged)
                elif isinstance(value, list):
                    values[name] = [self._merge(inner, merged) for inner in value]


def _base(value: Union[Collection, MappedCollectionProxy]) -> Collection:
    """Return the collection of *value*, a collection or a mapped view on one."""
    members: Collection = value if isinstance(value, Collection) else value.collection
    return members


def _is_bare(entity: Entity) -> bool:
    """Return whether *entity* has no values except its primary key."""
    key = entity.primary_key_attributes
    return not entity.local_values and all(name in key for name in entity.remote_values)
