"""The start of many sessions at once: share the server's description and schemas in a cache.

Each session of a farm asks the server the same two questions at its start. With a shared cache,
one session asks and the others read its answers. A session that finds nothing in the cache takes a
lock there. The sessions without the lock wait for the answer, but only for a few seconds: if the
session with the lock has died, they ask themselves.

Nothing in the cache is trusted. Schemas are used only if their hash is the one that the server's
description contains, and a description only if it is complete and young enough.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from ftrack_like._base.collaborators import identity_map_of
from ftrack_like._session.shared_cache import SharedEntities, owner_of_rights
from ftrack_like._version import __version__

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Schemas
    from ftrack_like.session import Session

__all__ = ["SharedStart", "shared_start"]

_Answer = TypeVar("_Answer")

#: How long a session waits for the answer that another session asks for, in seconds.
WAITING_TIME = 5.0
#: How long answers stay in the storage, in seconds. A description has its own time, and schemas are
#: right as long as their hash is wanted.
_STORED_LIFE = 24 * 3600.0
#: The seconds after which the lock of a session that died ends.
LOCK_LIFE = 10.0
#: How often a waiting session looks, in seconds.
_PAUSE = 0.05
#: The most bytes of schemas. A real site has less than one million.
_MOST_BYTES = 64 * 1024 * 1024


def shared_start(session: Session, seconds: Optional[float]) -> Optional[SharedStart]:
    """Return the answers in the shared cache of *session* that are younger than *seconds*.

    Return None if *seconds* is None. Without a shared cache, log a warning and return None.
    """
    if seconds is None:
        return None
    for layer in identity_map_of(session).below.layers():
        if isinstance(layer, SharedEntities):
            return SharedStart(session, layer, seconds)
    session.logger.warning(
        "cache_server_information has no effect: the session has no shared cache such as "
        'cache="redis://HOST:6379/0".'
    )
    return None


class SharedStart:
    """The server's answers at the start of a session, in the storage of its shared cache."""

    def __init__(self, session: Session, layer: SharedEntities, seconds: float) -> None:
        """Use answers in the storage of *layer* that are younger than *seconds*."""
        self._below = identity_map_of(session).below
        self._layer = layer
        self._storage = layer.storage
        self._seconds = seconds
        # The client's version: another version may need other entries of the description.
        self._prefix = f"start1:{owner_of_rights(session)}:{__version__}:"

    def information(
        self, ask: Callable[[], dict[str, Any]], check: Callable[[Optional[str]], None]
    ) -> dict[str, Any]:
        """Return the server's description of itself, from the cache or else from *ask*.

        *check* raises an exception for a version that cannot be used. A description that it refuses
        is not used.
        """

        def read(text: str) -> dict[str, Any]:
            found = json.loads(text)
            age = time.time() - found["time"]
            information = found["information"]
            if not -1 < age < self._seconds or not isinstance(information["schema_hash"], str):
                raise ValueError("too old, or incomplete")
            check(information["version"])
            return dict(information)

        def write(information: Mapping[str, Any]) -> str:
            return json.dumps({"time": time.time(), "information": dict(information)})

        return self._shared("information", ask, read, write)

    def schemas(self, wanted: str, ask: Callable[[], Schemas]) -> Schemas:
        """Return the schemas with the hash *wanted*, from the cache or else from *ask*."""

        def read(text: str) -> Schemas:
            unpacking = zlib.decompressobj()
            content = unpacking.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
            if _hash_of(content) != wanted:
                raise ValueError("not the schemas of the server")
            schemas: Schemas = json.loads(content)
            return schemas

        def write(schemas: Json) -> str:
            content = json.dumps(schemas, sort_keys=True).encode()
            if _hash_of(content) != wanted:
                return ""  # The server has changed its schemas since it described itself.
            return base64.b64encode(zlib.compress(content)).decode()

        return self._shared(f"schemas:{wanted}", ask, read, write)

    def _shared(
        self,
        name: str,
        ask: Callable[[], _Answer],
        read: Callable[[str], _Answer],
        write: Callable[[_Answer], str],
    ) -> _Answer:
        """Return the answer *name* from the cache, or that of *ask*, which others then find there.

        *read* turns a text into an answer and raises an exception for a text that cannot be used.
        *write* returns the text to store for an answer, empty to store none.
        """
        found = self._found(name, read)
        if found is not None:
            return found
        lock = f"{self._prefix}{name}:lock"
        has_lock = self._use(self._storage.add, lock, "1", LOCK_LIFE)
        if has_lock is False:
            end = time.monotonic() + WAITING_TIME
            while found is None and time.monotonic() < end:
                time.sleep(_PAUSE)
                found = self._found(name, read)
            if found is not None:
                return found
        try:
            # Since the first look, another session may have stored its answer and freed the lock.
            found = self._found(name, read) if has_lock else None
            if found is not None:
                return found
            answer = ask()
            text = write(answer)
            if text:
                self._use(self._storage.expiring(_STORED_LIFE).set, self._prefix + name, text)
        finally:
            if has_lock:
                self._use(self._storage.expiring(LOCK_LIFE).remove_many, [lock])
        return answer

    def _found(self, name: str, read: Callable[[str], _Answer]) -> Optional[_Answer]:
        """Return the answer *name* in the cache, or None."""
        key = self._prefix + name
        texts = self._use(self._storage.expiring(_STORED_LIFE).get_many, [key]) or {}
        try:
            return read(texts[key])
        except Exception:  # Any text may be there, so any step may fail.
            return None

    def _use(self, function: Callable[..., _Answer], *values: object) -> Optional[_Answer]:
        """Return the result of *function*, a method of the storage; None if the storage fails."""
        if self._layer not in self._below.layers():
            return None
        return self._below.use(self._layer, (), lambda layer: function(*values))


def _hash_of(content: bytes) -> str:
    """Return the hash of schemas as the server computes it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
