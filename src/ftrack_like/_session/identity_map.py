"""The identity map: one entity object for each identity in a session."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Protocol

from ftrack_like import inspection
from ftrack_like._collaborators import loader_of, top_cache_of
from ftrack_like.cache import LayeredCache, MemoryCache, set_many
from ftrack_like.cache.base import has_plain_dictionary, plain_dictionary
from ftrack_like.cache.keys import makes_plain_keys
from ftrack_like.collection import identity_text
from ftrack_like.entity.base import AnyEntity

if TYPE_CHECKING:
    from ftrack_like._types import Key, Value
    from ftrack_like.cache import Cache
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

    class Residents(Protocol):
        """The attached entities by key: a dictionary, or what looks like one."""

        def get(self, key: Key, /) -> Optional[Entity]:
            """Return the entity with the *key*, or None."""

        def setdefault(self, key: Key, value: Entity, /) -> Entity:
            """Return the entity with the *key*, after setting it to *value* if there was none."""

        def values(self) -> Iterable[Entity]:
            """Return the entities."""


__all__ = ["DirtyEntities", "IdentityMap", "SessionCache"]

#: How long a lower cache layer that failed is left out, in seconds.
REST = 30.0


class DirtyEntities:
    """The entities that have local values, told apart as objects, in the order of change.

    Single calls may be made from any thread.
    """

    __slots__ = ("entities_by_number",)

    def __init__(self) -> None:
        """Initialise without an entity."""
        self.entities_by_number: dict[int, Entity] = {}

    def add(self, entity: Entity) -> None:
        """Add *entity*, which is kept alive thereby."""
        self.entities_by_number[id(entity)] = entity

    def discard(self, entity: Entity) -> None:
        """Remove *entity* if it is there."""
        self.entities_by_number.pop(id(entity), None)

    def clear(self) -> None:
        """Remove all entities."""
        self.entities_by_number.clear()

    def __contains__(self, entity: object) -> bool:
        """Return whether *entity* is there."""
        return id(entity) in self.entities_by_number

    def __iter__(self) -> Iterator[Entity]:
        """Iterate over the entities as they are now."""
        return iter(list(self.entities_by_number.values()))

    def __len__(self) -> int:
        """Return the number of entities."""
        return len(self.entities_by_number)


class IdentityMap:
    """The attached entities of a session, which are the values of its top memory cache.

    What is found, attached or removed here shows in ``top_cache_of(session)``, and the other way
    round. It may be used from any thread; two that attach the same new identity at once get the
    same entity.
    """

    def __init__(self, session: Session) -> None:
        """Initialise for *session*, whose caches and key maker are read at each use."""
        self._session = session
        #: The entities with local values: what a commit or a rollback has to look at.
        self.dirty = DirtyEntities()
        #: Entities that were released, as long as somebody holds them, by key.
        self.loose: weakref.WeakValueDictionary[Key, Entity] = weakref.WeakValueDictionary()
        #: The dictionary in it, which tells faster whether there are any.
        self.loose_references: Mapping[Key, object] = vars(self.loose)["data"]
        #: Until when lower cache layers are left out, by the number of the object.
        self._resting: dict[int, float] = {}
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        self.renew_lock()

    def renew_lock(self) -> None:
        """Take a new lock, in a process that was forked while somebody held the old one."""
        # Held while entities change between those that are kept and the loose ones.
        self._lock = threading.RLock()

    @property
    def plain_keys(self) -> bool:
        """Return whether the key of an entity is the text of its identity."""
        return makes_plain_keys(self._session.cache_key_maker)

    def key(self, identity: tuple[str, Sequence[Any]]) -> Key:
        """Return the cache key of *identity*, ``(entity type, [key values])``."""
        values = list(identity[1])
        if self.plain_keys:
            return f"({identity[0]!r}, {values!r})"
        return self._session.cache_key_maker.key((identity[0], values))

    def key_of(self, entity: Entity) -> Key:
        """Return the cache key of *entity*; :exc:`KeyError` if its primary key is not set."""
        if self.plain_keys:
            return identity_text(entity)
        return self._session.cache_key_maker.key(inspection.identity(entity))

    def entities(self) -> Residents:
        """Return what maps keys to attached entities: ``get``, ``setdefault`` and ``values``.

        It is the dictionary of the top cache itself, where that is a plain memory cache.
        """
        top = top_cache_of(self._session)
        values = plain_dictionary(top)
        return _CacheView(top) if values is None else values

    def resident(self, entity: Entity) -> Optional[Entity]:
        """Return the attached entity with the identity of *entity*, or None."""
        return self.get(self.key_of(entity))

    def find(self, entity_type: str, key_values: Sequence[Any]) -> Optional[Entity]:
        """Return the attached entity of *entity_type* with the primary key *key_values*, or None.

        Only what is in memory counts; :meth:`recall` also asks the lower cache layers.
        """
        return self.get(self.key((entity_type, key_values)))

    def get(self, key: Key) -> Optional[Value]:
        """Return the attached entity with the *key*, or None."""
        found = self.entities().get(key)
        return self.revive(key) if found is None and self.loose_references else found

    def attach(self, entity: Entity) -> Entity:
        """Make *entity* the one of its identity, unless there is one; return the one."""
        key = self.key_of(entity)
        return self.get(key) or self.entities().setdefault(key, entity)

    def release(self, keys: list[Any]) -> list[Any]:
        """Keep the entities with the *keys* no longer than others hold them.

        They stay the ones of their identity while they live. Return the keys of those that
        cannot be let go of before a commit.
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
                self.loose[key] = entity
                try:
                    top.remove(key)
                except KeyError:
                    pass  # Somebody removed it meanwhile.
        return held

    def revive(self, key: Key) -> Optional[Entity]:
        """Return the released entity with the *key*, attached again, or None if it is gone."""
        with self._lock:
            found = self.loose.pop(key, None)
            return None if found is None else self.entities().setdefault(key, found)

    def clear(self) -> None:
        """Forget all entities, in memory alone, with what was changed on them."""
        self.dirty.clear()
        self.loose.clear()
        top_cache_of(self._session).clear()

    def discard(self, entity: Entity) -> None:
        """Forget *entity* in all cache layers, with its local values' mark."""
        self.dirty.discard(entity)
        try:
            key = self.key_of(entity)
        except KeyError:
            return  # It was never attached, which is what was asked for.
        if self.loose_references:
            self.loose.pop(key, None)
        self.remove(key)

    def remove(self, key: Key) -> None:
        """Forget what is held under *key* in all cache layers."""
        try:
            self._session.cache.remove(key)
        except KeyError:
            pass  # It was not held, which is what was asked for.
        except Exception as error:
            self._logger.warning("%s could not be removed from the cache: %s", key, error)

    def forget_local_values(self) -> None:
        """Drop the local values of all entities, at a cost that follows what was changed."""
        for entity in self.dirty:
            self.dirty.discard(entity)
            entity.forget_local_values()

    def lower_caches(self) -> list[Cache]:
        """Return the cache layers below the top one, but for those that failed just now."""
        caches = getattr(self._session.cache, "caches", ())
        layers = list(caches[1:])
        if self._resting:
            now = time.monotonic()
            layers = [layer for layer in layers if self._resting.get(id(layer), now) <= now]
        return layers

    def _leave_out(self, layer: Cache, error: Exception) -> None:
        """Do without the cache *layer* for a while: it should help, and must not be in the way."""
        self._resting[id(layer)] = time.monotonic() + REST
        self._logger.warning(
            "The cache %s fails and is left out for %.0f s: %s", type(layer).__name__, REST, error
        )

    def recall(self, key: Key) -> Optional[Entity]:
        """Return what a lower cache layer has under *key*, a detached entity, or None."""
        for layer in self.lower_caches():
            try:
                found = layer.get(key)
            except KeyError:
                continue
            except (TypeError, ValueError) as error:
                # Broken, or of another program; what comes from the server will replace it.
                self._logger.debug("The cache holds nonsense under %s: %s", key, error)
                continue
            except Exception as error:
                self._leave_out(layer, error)
                continue
            if isinstance(found, AnyEntity):
                return found
        return None

    def complete_from_below(self, key: Key, entity: Entity) -> bool:
        """Give *entity* what a lower cache layer knows and it does not; return whether it did.

        The layers hold what earlier sessions or other processes loaded; what came to *entity*
        since is newer.
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
            )  # Another session may load meanwhile.
            if name not in entity.remote_values
        }
        for name, value in missing.items():
            entity.remote_values[name] = self._session.merge(value)
        return bool(missing)

    def store_below(self, entities: dict[Any, Any]) -> None:
        """Write *entities*, ``{key: entity}``, to each lower cache layer in one go."""
        if entities:
            for layer in self.lower_caches():
                try:
                    set_many(layer, entities)
                except Exception as error:
                    self._leave_out(layer, error)


def _own(session: Session, value: Value) -> Value:
    """Return *value*; for an entity of another session, the one that *session* has for it."""
    if isinstance(value, AnyEntity) and value.session is not session:
        # Not by way of the session's own method: one that is overridden may ask here.
        return loader_of(session).merge(value)
    return value


class OwnEntities(MemoryCache):
    """The memory cache of a session, which holds no entity of another session."""

    def __init__(self, session: Session) -> None:
        """Initialise for *session*."""
        super().__init__()
        self._session = session

    def set(self, key: Key, value: Value) -> None:
        """Store *value* under *key*; of another session's entity, the session's own one."""
        super().set(key, _own(self._session, value))

    def set_many(self, items: Mapping[Any, Any]) -> None:
        """Store *items* as :meth:`set` does each of them."""
        super().set_many({key: _own(self._session, value) for key, value in items.items()})


has_plain_dictionary(OwnEntities, 2)


class SessionCache(LayeredCache):
    """The layers of a session's cache, the memory on top.

    What a lower layer stores comes out as the session's own entity, with all that it refers to.
    """

    def __init__(self, session: Session) -> None:
        """Initialise with the memory of *session* alone."""
        super().__init__([OwnEntities(session)])
        self._session = session

    def _raised(self, value: Value) -> Value:
        """Return *value* with every entity in it replaced by the session's own."""
        # Not by way of the session's own method: one that is overridden may ask here.
        return loader_of(self._session).merge(value)

    def set(self, key: Key, value: Value) -> None:
        """Store *value* in every layer; of another session's entity, the session's own one."""
        super().set(key, _own(self._session, value))

    def set_many(self, items: Mapping[Any, Any]) -> None:
        """Store *items* as :meth:`set` does each of them, each layer in one write."""
        super().set_many({key: _own(self._session, value) for key, value in items.items()})


class _CacheView:
    """Any cache, with the few methods of a dictionary that are needed of it."""

    def __init__(self, backend: Cache) -> None:
        """Initialise over the cache *backend*."""
        self._backend = backend

    def get(self, key: Key) -> Optional[Entity]:
        """Return the entity under *key*, or None."""
        try:
            found: Entity = self._backend.get(key)
        except KeyError:
            return None
        return found

    def setdefault(self, key: Key, value: Entity) -> Entity:
        """Return the value under *key*, after setting it to *value* if there was none."""
        existing = self.get(key)
        if existing is not None:
            return existing
        self._backend.set(key, value)
        return value

    def values(self) -> list[Entity]:
        """Return the entities."""
        return self._backend.values()
