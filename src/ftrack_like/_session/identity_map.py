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

import logging
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Protocol

from ftrack_like import inspection
from ftrack_like._base.collaborators import loader_of, top_cache_of
from ftrack_like.cache import LayeredCache, MemoryCache, set_many
from ftrack_like.cache.base import has_plain_dictionary, plain_dictionary
from ftrack_like.cache.keys import makes_plain_keys
from ftrack_like.collection import identity_text
from ftrack_like.entity.base import AnyEntity

if TYPE_CHECKING:
    from ftrack_like._base.types import Key, Value
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

#: How long the session does not use a lower cache layer after it failed, in seconds.
REST = 30.0


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
        #: For each failed cache layer, by its ``id``, the time until which the session ignores it.
        self._resting: dict[int, float] = {}
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
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

        The method looks only in memory; :meth:`recall` reads the lower cache layers.
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
        """Remove *key* from all cache layers; log a warning if a layer fails."""
        try:
            self._session.cache.remove(key)
        except KeyError:
            pass  # It was not in the cache.
        except Exception as error:
            self._logger.warning("%s could not be removed from the cache: %s", key, error)

    def forget_local_values(self) -> None:
        """Drop all local values. The time depends only on the number of changed entities."""
        for entity in self.dirty:
            self.dirty.discard(entity)
            entity.forget_local_values()

    def lower_caches(self) -> list[Cache]:
        """Return the cache layers below the top one, except layers that failed just now."""
        caches = getattr(self._session.cache, "caches", ())
        layers = list(caches[1:])
        if self._resting:
            now = time.monotonic()
            layers = [layer for layer in layers if self._resting.get(id(layer), now) <= now]
        return layers

    def _leave_out(self, layer: Cache, error: Exception) -> None:
        """Ignore the cache *layer* for a while: a broken cache must not slow down the session."""
        self._resting[id(layer)] = time.monotonic() + REST
        self._logger.warning(
            "The cache %s fails and is left out for %.0f s: %s", type(layer).__name__, REST, error
        )

    def recall(self, key: Key) -> Optional[Entity]:
        """Return the detached entity that a lower cache layer has under *key*, or None."""
        for layer in self.lower_caches():
            try:
                found = layer.get(key)
            except KeyError:
                continue
            except (TypeError, ValueError) as error:
                # The value is damaged, or another program wrote it. The server's values will
                # replace it.
                self._logger.debug("The cache has an unreadable value under %s: %s", key, error)
                continue
            except Exception as error:
                self._leave_out(layer, error)
                continue
            if isinstance(found, AnyEntity):
                return found
        return None

    def complete_from_below(self, key: Key, entity: Entity) -> bool:
        """Add missing values of *entity* from a lower cache layer; return whether it had some.

        The values that *entity* has do not change. They are newer than the values in the layer,
        which an earlier session or another process loaded.
        """
        if not self.lower_caches():
            return False
        found = self.recall(key)
        if found is None or found is entity:
            return False
        missing = {
            name: value
            for name, value in list(
                found.remote_values.items()
            )  # A copy, because another thread may load values into it.
            if name not in entity.remote_values
        }
        for name, value in missing.items():
            entity.remote_values[name] = self._session.merge(value)
        return bool(missing)

    def store_below(self, entities: dict[Any, Any]) -> None:
        """Write *entities*, ``{key: entity}``, to each lower cache layer in one call."""
        if entities:
            for layer in self.lower_caches():
                try:
                    set_many(layer, entities)
                except Exception as error:
                    self._leave_out(layer, error)


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


has_plain_dictionary(OwnEntities, 2)  # The two attributes: the dictionary and the session.


class SessionCache(LayeredCache):
    """The layers of a session's cache, with the memory on top.

    The cache merges a value from a lower layer before it returns the value. The caller thus gets
    the session's own entities, also for the entities to which the value refers.
    """

    def __init__(self, session: Session) -> None:
        """Start with the memory of *session* as the only layer."""
        super().__init__([OwnEntities(session)])
        self._session = session

    def _raised(self, value: Value) -> Value:
        """Return *value* with every entity in it replaced by the session's own."""
        # Not ``session.merge``: an overridden one may read this cache, and so call this method.
        return loader_of(self._session).merge(value)

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
