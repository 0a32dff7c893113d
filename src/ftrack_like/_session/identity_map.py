"""The identity map: one entity object for each identity in a session.

Two queries that find the same record must return the same object. Otherwise a change on one object
would be invisible on the other, and a commit could send both. An entity in the map is *attached*.
If the server sends its record again, the session updates and returns the attached entity.

``session.cache`` consists of layers. The top layer is in memory; below it are the caches that the
program has configured, for example a file. The map stores its entities in the top layer, because
programs read and clear that cache. If the layer is a plain memory cache, the map uses its
dictionary directly, for speed.

A streaming query *releases* entities: the map then refers to them only weakly (:attr:`released`).
They stay the only object of their identity while the program uses them, and cost no memory
afterwards.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Optional, Protocol, cast

from ftrack_like import inspection
from ftrack_like._base.collaborators import identity_map_of, loader_of, top_cache_of
from ftrack_like._session.lower_layers import LowerLayers
from ftrack_like._session.weak_entities import WeakResidents
from ftrack_like.cache import LayeredCache, MemoryCache
from ftrack_like.cache.base import has_plain_dictionary, plain_dictionary
from ftrack_like.cache.keys import makes_plain_keys
from ftrack_like.collection import identity_text
from ftrack_like.entity.base import AnyEntity

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Value
    from ftrack_like._session.drops import Drops
    from ftrack_like.cache import Cache
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

    class Residents(Protocol):
        """The attached entities by key: a dictionary, or an object with the same methods."""

        def get(self, key: Key, /) -> Optional[Entity]:
            """Return the entity with the *key*, or None."""

        def setdefault(self, key: Key, value: Entity, /) -> Entity:
            """Return the entity with the *key*; store *value* first if there is none."""

        def values(self) -> Iterable[Entity]:
            """Return the entities."""


__all__ = ["DirtyEntities", "IdentityMap", "SessionCache"]


class DirtyEntities:
    """The entities that have local values, in the order of change.

    Two entities are the same here only if they are the same Python object, even if their types and
    primary keys are equal. Any thread may call the methods.
    """

    __slots__ = ("entities_by_number",)

    def __init__(self) -> None:
        """Start without entities."""
        self.entities_by_number: dict[int, Entity] = {}

    def add(self, entity: Entity) -> None:
        """Add *entity*, and so keep it alive until it is removed."""
        self.entities_by_number[id(entity)] = entity

    def discard(self, entity: Entity) -> None:
        """Remove *entity* if it is present."""
        self.entities_by_number.pop(id(entity), None)

    def clear(self) -> None:
        """Remove all entities."""
        self.entities_by_number.clear()

    def __contains__(self, entity: object) -> bool:
        """Return whether *entity* is present."""
        return id(entity) in self.entities_by_number

    def __iter__(self) -> Iterator[Entity]:
        """Iterate over a snapshot of the entities."""
        return iter(list(self.entities_by_number.values()))

    def __len__(self) -> int:
        """Return the number of entities."""
        return len(self.entities_by_number)


class IdentityMap:
    """The attached entities of a session: the values of its top memory cache.

    A change here appears in ``top_cache_of(session)``, and a change there appears here. Any thread
    may use the map. If two threads attach the same new identity at once, both get the same entity.
    """

    def __init__(self, session: Session) -> None:
        """Initialise without entities.

        Each method reads the caches and the key maker of *session* again: programs replace them.
        """
        self._session = session
        #: The entities with local values: a commit or a rollback handles only these.
        self.dirty = DirtyEntities()
        #: Released entities by key, as long as the program refers to them.
        self.released: weakref.WeakValueDictionary[Key, Entity] = weakref.WeakValueDictionary()
        #: The dictionary inside *released*, because testing whether it is empty is faster.
        self.released_references: Mapping[Key, object] = vars(self.released)["data"]
        #: The cache layers below the memory.
        self.below = LowerLayers(session)
        #: Drops the values that events report as stale; None if nothing drops values.
        self.drops: Optional[Drops] = None
        self.renew_lock()

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        # Protects the moves of entities between the cache and *released*.
        self._lock = threading.RLock()

    @property
    def plain_keys(self) -> bool:
        """Return whether the cache key of an entity is the text of its identity."""
        return makes_plain_keys(self._session.cache_key_maker)

    def key(self, identity: tuple[str, Sequence[Any]]) -> Key:
        """Return the cache key of *identity*, ``(entity type, [key values])``."""
        values = list(identity[1])
        if self.plain_keys:
            return f"({identity[0]!r}, {values!r})"
        return self._session.cache_key_maker.key((identity[0], values))

    def key_of(self, entity: Entity) -> Key:
        """Return the cache key of *entity*. Raise :exc:`KeyError` if its primary key is not set."""
        if self.plain_keys:
            return identity_text(entity)
        return self._session.cache_key_maker.key(inspection.identity(entity))

    def entities(self) -> Residents:
        """Return the mapping of keys to attached entities.

        It is the dictionary of the top cache if that is a plain memory cache. Otherwise it is a
        view with ``get``, ``setdefault`` and ``values``.
        """
        top = top_cache_of(self._session)
        values = plain_dictionary(top)
        return _CacheView(top) if values is None else values

    def resident(self, entity: Entity) -> Optional[Entity]:
        """Return the attached entity with the identity of *entity*, or None."""
        return self.get(self.key_of(entity))

    def find(self, entity_type: str, key_values: Sequence[Any]) -> Optional[Entity]:
        """Return the attached entity of *entity_type* with the primary key *key_values*, or None.

        The method looks only in memory; :attr:`below` reads the lower cache layers.
        """
        return self.get(self.key((entity_type, key_values)))

    def get(self, key: Key) -> Optional[Value]:
        """Return the attached entity with the *key*, or None. Attach a released one again."""
        found = self.entities().get(key)
        return self.revive(key) if found is None and self.released_references else found

    def attach(self, entity: Entity) -> Entity:
        """Return the attached entity with the same identity; attach *entity* if there is none."""
        key = self.key_of(entity)
        return self.get(key) or self.entities().setdefault(key, entity)

    def release(self, keys: list[Any]) -> list[Any]:
        """Replace the references to the entities with *keys* by weak ones.

        While the program still uses such an entity, it stays the only object of its identity.
        Entities with local values are not released, because the session must keep them until a
        commit. Return their keys.
        """
        entities, dirty, top = self.entities(), self.dirty, top_cache_of(self._session)
        held = []
        with self._lock:
            for key in keys:
                entity = entities.get(key)
                if entity is None:
                    continue
                if entity in dirty:
                    held.append(key)
                    continue
                entity.load_group = None
                self.released[key] = entity
                try:
                    top.remove(key)
                except KeyError:
                    pass  # Another thread has removed it.
        return held

    def revive(self, key: Key) -> Optional[Entity]:
        """Attach the released entity with the *key* again and return it, or None if it is gone."""
        with self._lock:
            found = self.released.pop(key, None)
            return None if found is None else self.entities().setdefault(key, found)

    def clear(self) -> None:
        """Forget all entities and their local values. Lower cache layers keep theirs."""
        self.dirty.clear()
        self.released.clear()
        top_cache_of(self._session).clear()

    def everyone(self) -> list[Entity]:
        """Return all attached entities, also the released ones that the program uses."""
        values = [*self.entities().values(), *self.released.values()]
        return [each for each in values if isinstance(each, AnyEntity)]

    def leave(self, entity: Entity) -> None:
        """Forget *entity*, which the server no longer has, unless it has local changes."""
        if entity in self.dirty:
            return
        key = self.key_of(entity)
        self.released.pop(key, None)
        try:
            top_cache_of(self._session).remove(key)
        except KeyError:
            pass  # Another thread has removed it.

    def guard(self) -> AbstractContextManager[object]:
        """Return a context for a read or a write of the lower layers, which excludes drops."""
        return contextlib.nullcontext() if self.drops is None else self.drops.guard

    def begin_reading(self) -> int:
        """Return the number for :meth:`end_reading`, before a read of the server or a cache."""
        return 0 if self.drops is None else self.drops.number

    def end_reading(self, number: int) -> None:
        """Drop the attached values that events have reported as stale since *number*."""
        if self.drops is not None:
            self.drops.settle(number)

    def hold(self, entity: Entity) -> None:
        """Keep *entity*, of which a deletion is recorded, until the commit or the rollback."""
        if isinstance(top_cache_of(self._session), WeakEntities):
            self.dirty.add(entity)

    def discard(self, entity: Entity) -> None:
        """Forget *entity* in all cache layers and in :attr:`dirty`."""
        self.dirty.discard(entity)
        try:
            key = self.key_of(entity)
        except KeyError:
            return  # Without a key it was never attached.
        if self.released_references:
            self.released.pop(key, None)
        self.remove(key)

    def remove(self, key: Key) -> None:
        """Remove *key* from all cache layers; a layer that fails rests."""
        try:
            top_cache_of(self._session).remove(key)
        except KeyError:
            pass  # It was not in the cache.
        if self.below.takes_values:
            self.below.remove([key])

    def forget_local_values(self) -> None:
        """Drop all local values. The time depends only on the number of changed entities."""
        for entity in self.dirty:
            self.dirty.discard(entity)
            entity.forget_local_values()


def _own(session: Session, value: Value) -> Value:
    """Return *value*, or the entity that *session* has for an entity of another session."""
    if isinstance(value, AnyEntity) and value.session is not session:
        # Not ``session.merge``: an overridden one may read this cache, and so call this function.
        return loader_of(session).merge(value)
    return value


class OwnEntities(MemoryCache):
    """The memory cache of a session. It contains only this session's entities."""

    def __init__(self, session: Session) -> None:
        """Start empty, for *session*."""
        super().__init__()
        self._session = session

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key*. Replace another session's entity by this session's."""
        super().set(key, _own(self._session, value))

    def set_many(self, items: Mapping[Any, Any]) -> None:
        """Store each of *items* as :meth:`set` does."""
        super().set_many({key: _own(self._session, value) for key, value in items.items()})


class WeakEntities(OwnEntities):
    """The same, with entities that leave when the program does not refer to them."""

    def __init__(self, session: Session) -> None:
        """Start empty, for *session*."""
        super().__init__(session)
        self._cache = cast("dict[Any, Any]", WeakResidents())


for _class in (OwnEntities, WeakEntities):
    has_plain_dictionary(_class, 2)  # The two attributes: the dictionary and the session.


class SessionCache(LayeredCache):
    """The layers of a session's cache, with the memory on top.

    The cache merges a value from a lower layer before it returns the value. The caller thus gets
    the session's own entities, also for the entities to which the value refers.
    """

    def __init__(self, session: Session, is_weak: bool = False) -> None:
        """Start with the memory of *session* as the only layer; *is_weak* chooses its kind."""
        super().__init__([WeakEntities(session) if is_weak else OwnEntities(session)])
        self._session = session

    def _raised(self, value: Value) -> Value:
        """Return *value* with every entity in it replaced by the session's own."""
        return identity_map_of(self._session).below.raised(value)

    def set(self, key: Key, value: Value) -> None:
        """Store *value* in every layer. Replace another session's entity by this session's."""
        super().set(key, _own(self._session, value))

    def set_many(self, items: Mapping[Any, Any]) -> None:
        """Store *items* as :meth:`set` does, with one write for each layer."""
        super().set_many({key: _own(self._session, value) for key, value in items.items()})


class _CacheView:
    """The methods of :class:`Residents` for any cache."""

    def __init__(self, backend: Cache) -> None:
        """Show the cache *backend*."""
        self._backend = backend

    def get(self, key: Key) -> Optional[Entity]:
        """Return the entity under *key*, or None."""
        try:
            found: Entity = self._backend.get(key)
        except KeyError:
            return None
        return found

    def setdefault(self, key: Key, value: Entity) -> Entity:
        """Return the entity under *key*; store *value* first if there is none."""
        existing = self.get(key)
        if existing is not None:
            return existing
        self._backend.set(key, value)
        return value

    def values(self) -> list[Entity]:
        """Return the entities."""
        return self._backend.values()
