"""The cache layers below the memory: read, write and repair them, and survive their faults.

A lower layer may be a file, or a server that a farm shares. It only speeds the session up, so no
fault of a layer reaches the program:

- A value that cannot be read counts as missing.
- A layer that raises another error *rests*: the session works without it for :data:`REST` seconds,
  and then tries again.
- A write that a resting layer missed would leave an old value there. So the session remembers the
  keys, and removes them before it uses the layer again.

A round trip to a layer may take longer than the work on an entity. So every method takes all the
entities of a page at once, and calls each layer once.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from ftrack_like._base.collaborators import identity_map_of, loader_of
from ftrack_like._session.load_groups import LoadGroup
from ftrack_like._transport.redaction import masked
from ftrack_like.cache import get_many, remove_many, set_many
from ftrack_like.entity.base import AnyEntity

if TYPE_CHECKING:
    from ftrack_like._base.types import Key
    from ftrack_like.cache import Cache
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["MOST_OWED", "REST", "LowerLayers"]

_Done = TypeVar("_Done")

#: How long the session does not use a layer after it failed, in seconds.
REST = 30.0

#: How many keys a session remembers for a resting layer. If there are more, it clears the layer.
MOST_OWED = 100_000


class _Rest:
    """The state of a layer that failed."""

    __slots__ = ("keys", "until")

    def __init__(self) -> None:
        #: The time of :func:`time.monotonic` at which to try again.
        self.until = 0.0
        #: The keys to remove then; None if all keys are to be removed.
        self.keys: Optional[set[Any]] = set()

    def owe(self, keys: Iterable[Key]) -> None:
        """Remember *keys*."""
        if self.keys is not None:
            self.keys.update(keys)
            if len(self.keys) > MOST_OWED:
                self.keys = None


class _State(threading.local):
    """What a thread does at the moment."""

    #: Whether the thread attaches entities from a lower layer.
    attaches = False


class LowerLayers:
    """The cache layers of a session below the top one. Any thread may use them."""

    def __init__(self, session: Session) -> None:
        """Initialise for *session*; each method reads its caches again: programs replace them."""
        self._session = session
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        #: The layers that failed, by their ``id``.
        self.resting: dict[int, _Rest] = {}
        self._state = _State()

    def layers(self) -> list[Cache]:
        """Return the layers to use now, without those that failed just now.

        The list is empty while the calling thread attaches entities from a layer: they need not be
        written back.
        """
        if self._state.attaches:
            return []
        layers = self._all()
        if not self.resting or not layers:
            return layers
        return [layer for layer in layers if self._is_ready(layer)]

    @property
    def takes_values(self) -> bool:
        """Whether the session reports loaded entities to :meth:`store`, also for resting layers."""
        return len(getattr(self._session.cache, "caches", ())) > 1 and not self._state.attaches

    def _all(self) -> list[Cache]:
        """Return all layers below the top one."""
        return list(getattr(self._session.cache, "caches", ())[1:])

    def _is_ready(self, layer: Cache) -> bool:
        """Return whether to use *layer* now; end its rest when the time is over."""
        rest = self.resting.get(id(layer))
        if rest is None:
            return True
        if time.monotonic() < rest.until:
            return False
        # Other threads go on without the layer while this one tries it.
        rest.until = time.monotonic() + REST
        owed, rest.keys = rest.keys, set()
        try:
            if owed is None:
                layer.clear()
            elif owed:
                remove_many(layer, owed)
        except Exception as error:
            if owed is None:
                rest.keys = None
            rest.owe(owed or ())
            self._leave_out(layer, error)
            return False
        rest.until = 0.0
        return True

    def _leave_out(self, layer: Cache, error: Exception, keys: Iterable[Key] = ()) -> None:
        """Let *layer* rest, because it raised *error*; it has missed writes of *keys*.

        Log a warning the first time. The next one comes only after the layer has worked again.
        """
        rest = self.resting.get(id(layer))
        if rest is None:
            rest = self.resting[id(layer)] = _Rest()
            self._logger.warning(
                "The cache %s fails; the session works without it and tries again every %.0f s: %s",
                _layer_name(layer),
                REST,
                masked(error),
            )
        else:
            self._logger.debug("The cache %s still fails: %s", _layer_name(layer), masked(error))
        rest.until = time.monotonic() + REST
        rest.owe(keys)

    def use(
        self, layer: Cache, written: Iterable[Key], use: Callable[..., _Done], *values: object
    ) -> Optional[_Done]:
        """Return the result of ``use(layer, *values)``; None if the layer fails.

        *written* are the keys that the call writes or removes.
        """
        try:
            done = use(layer, *values)
        except Exception as error:
            self._leave_out(layer, error, written)
            return None
        if self.resting.pop(id(layer), None) is not None:
            self._logger.info("The cache %s works again.", _layer_name(layer))
        return done

    def _owe(self, keys: Iterable[Key], used: list[Cache]) -> None:
        """Remember *keys* for the resting layers, which are not in *used*."""
        if self.resting:
            for layer in self._all():
                rest = self.resting.get(id(layer))
                if rest is not None and layer not in used:
                    rest.owe(keys)

    def recall_many(self, keys: Iterable[Key]) -> dict[Key, Entity]:
        """Return the detached entities that the layers have under *keys*, by key.

        Write each entity to the layers above the one that has it.
        """
        found: dict[Any, Entity] = {}
        missing = list(keys)
        above: list[Cache] = []
        for layer in self.layers():
            if not missing:
                break
            here = self.use(layer, (), self._read, missing)
            if here:
                for upper in above:
                    self.use(upper, here, set_many, here)
                found.update(here)
                missing = [key for key in missing if key not in here]
            above.append(layer)
        return found

    def _read(self, layer: Cache, keys: list[Key]) -> dict[Key, Entity]:
        """Return the entities that *layer* has under *keys*."""
        if len(keys) > 1:
            try:
                values = get_many(layer, keys)
                return {key: each for key, each in values.items() if isinstance(each, AnyEntity)}
            except (TypeError, ValueError):
                pass  # One value is damaged, in a cache that does not skip it.
        found = {}
        for key in keys:
            try:
                value = layer.get(key)
            except KeyError:
                continue
            except (TypeError, ValueError) as error:
                # The value is damaged, or another program wrote it. The server's values will
                # replace it.
                self._logger.debug("The cache has an unreadable value under %s: %s", key, error)
                continue
            if isinstance(value, AnyEntity):
                found[key] = value
        return found

    def complete(self, entities: Mapping[Key, Entity]) -> None:
        """Add the missing values of *entities*, attached ones by key, from the layers.

        The values that an entity has do not change. They are newer than the values in a layer,
        which an earlier session or another process loaded.
        """
        if not entities or not self.layers():
            return
        known = [key for key, entity in entities.items() if not entity.is_created]
        identity_map = identity_map_of(self._session)
        number = identity_map.begin_reading()
        with identity_map.guard():
            for key, found in self.recall_many(known).items():
                if found is not entities[key]:
                    self._take_over(found, entities[key])
        identity_map.end_reading(number)

    def _take_over(self, found: Entity, entity: Entity) -> None:
        """Add those values of *found* to the attached *entity* that it lacks."""
        # A copy, because another thread may load values into it.
        for name, value in list(found.remote_values.items()):
            if name not in entity.remote_values:
                with self.attaching():
                    entity.remote_values[name] = self._session.merge(value)

    def attached(self, key: Key) -> Optional[Entity]:
        """Return the attached entity that a layer has under *key*, or None."""
        return self.attached_many([key]).get(key)

    def _attach(self, entity: Entity) -> Entity:
        """Return the attached entity for *entity*, a detached one from a layer."""
        with self.attaching():
            return self._session.merge(entity)

    def attached_many(self, keys: Iterable[Key]) -> dict[Key, Entity]:
        """Return the attached entities that the layers have under *keys*, by key.

        They form a load group, and so do the entities to which they refer: a missing value is then
        loaded for all at once.
        """
        identity_map = identity_map_of(self._session)
        number = identity_map.begin_reading()
        group = LoadGroup() if getattr(self._session, "_load_groups", True) else None
        with identity_map.guard():
            recalled = self.recall_many(keys)
            attached = {key: self._attach(entity) for key, entity in recalled.items()}
        for own in attached.values():
            if group is not None:
                related = [
                    each for each in own.remote_values.values() if isinstance(each, AnyEntity)
                ]
                for each in (own, *related):
                    if each.load_group is None:
                        each.load_group = group
                        group.keys.append(each.known_identity or each.remember_identity())
        identity_map.end_reading(number)
        return attached

    def raised(self, value: Any) -> Any:  # noqa: ANN401 - a cache may contain any value
        """Return *value*, found in a layer, with its entities replaced by the session's own."""
        # Not ``session.merge``: an overridden one may read the cache, and so call this method.
        with self.attaching():
            return loader_of(self._session).merge(value)

    @contextlib.contextmanager
    def attaching(self) -> Generator[None, None, None]:
        """Return a context in which this thread neither reads nor writes the layers."""
        before = self._state.attaches
        self._state.attaches = True
        try:
            yield
        finally:
            self._state.attaches = before

    def store(self, entities: Mapping[Key, Entity]) -> None:
        """Write *entities*, attached ones by key, to each layer. Skip uncommitted new ones."""
        kept = {key: entity for key, entity in entities.items() if not entity.is_created}
        if not kept:
            return
        used = self.layers()
        with identity_map_of(self._session).guard():
            for layer in used:
                self.use(layer, kept, set_many, kept)
        if not self._state.attaches:
            self._owe(kept, used)

    def remove(self, keys: Iterable[Key]) -> None:
        """Remove *keys* from each layer."""
        names = list(keys)
        used = self.layers()
        for layer in used:
            self.use(layer, names, remove_many, names)
        self._owe(names, used)

    def settle(self) -> Optional[float]:
        """Remove the keys whose removal a layer has missed, if its rest is over.

        Return the seconds until the next rest of such a layer is over, None if no layer has missed
        any.
        """
        waits = []
        for layer in self._all():
            rest = self.resting.get(id(layer))
            if rest is not None and rest.keys != set() and not self._is_ready(layer):
                waits.append(max(0.0, rest.until - time.monotonic()))
        return min(waits, default=None)

    def clear(self) -> None:
        """Remove all entities of this session's server and user from each layer."""
        for layer in self._all():
            rest = self.resting.get(id(layer))
            if rest is not None and not self._is_ready(layer):
                rest.keys = None
                continue
            if self.use(layer, (), _cleared) is None:
                self.resting[id(layer)].keys = None


def _layer_name(layer: Cache) -> str:
    """Return the address of *layer*, or else the name of its class, for messages."""
    return str(getattr(layer, "address", type(layer).__name__))


def _cleared(layer: Cache) -> bool:
    """Clear *layer* and return True."""
    layer.clear()
    return True
