"""A cache layer that sessions of several processes, machines and users share.

The server shows each user only what that user may see. So entities are stored under a prefix for
the server, the user and the key. The prefix also contains the hash of the schemas: after a change
of the schemas, sessions do not read entities of the old form. The prefix contains only a hash of
the API key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like._base.collaborators import identity_map_of
from ftrack_like._session.stored_form import owner_ids, read_stored, stored_record
from ftrack_like._transport.redaction import masked
from ftrack_like.attribute import KeyValueMappedCollectionAttribute
from ftrack_like.cache import PrefixedCache, ProxyCache, remove_many, set_many
from ftrack_like.cache.addresses import SharedStorage, open_storage, shown_address

if TYPE_CHECKING:
    from ftrack_like._base.types import Key
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["CACHE_VARIABLE", "SharedEntities", "chosen_address", "open_shared", "owner_of_rights"]

#: The environment variable with the address of a shared cache.
CACHE_VARIABLE = "FTRACK_API_CACHE"

#: The version of the stored form. Another version counts as missing.
_FORM = "1"


def owner_of_rights(session: Session) -> str:
    """Return a text that stands for the server, the user and the key of *session*.

    It does not allow to find out the key.
    """
    parts = json.dumps([session.server_url, session.api_user, session.api_key])
    return hashlib.sha256(parts.encode()).hexdigest()[:24]


class SharedEntities(ProxyCache):
    """The entities of a session in a shared storage, in the form of :mod:`.stored_form`."""

    def __init__(self, session: Session, storage: SharedStorage) -> None:
        """Store the entities of *session* in *storage*."""
        super().__init__(PrefixedCache(storage.entities, self._prefix))
        self.storage = storage
        #: The address for messages.
        self.address = storage.address
        self._session = session
        self._owner = owner_of_rights(session)

    def _prefix(self) -> str:
        """Return the prefix of the keys."""
        # Plugins may query before the session has asked the server for its schemas.
        schemas = str(self._session.server_information.get("schema_hash", ""))[:12]
        return f"entity{_FORM}:{self._owner}:{schemas}:"

    def get(self, key: Key) -> Entity:
        """Return the detached entity under *key*; raise :exc:`KeyError` if it is missing."""
        return read_stored(self._session, key, super().get(key))

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Entity]:
        """Return the detached entities under *keys*, without missing and unreadable ones."""
        found = {}
        for key, text in super().get_many(keys).items():
            try:
                found[key] = read_stored(self._session, key, text)
            except KeyError:
                continue
        return found

    def set(self, key: Key, value: Entity) -> None:
        """Store the entity *value* under *key*."""
        self.set_many({key: value})

    def set_many(self, items: Mapping[Key, Entity]) -> None:
        """Store *items*. Remove the owners of other items, because these are stored inside them."""
        texts = {}
        skipped = []
        for key, entity in items.items():
            record = stored_record(entity)
            if record is not None:
                texts[key] = json.dumps(record, sort_keys=True, allow_nan=False)
            elif len(entity.primary_key_attributes) > 1:
                skipped.append(key)
        if texts:
            set_many(self.proxied, texts)
        owners = [key for key in self._owners(skipped) if key not in texts]
        if owners:
            remove_many(self.proxied, owners)

    def remove(self, key: Key) -> None:
        """Remove *key* and the owner of an item; raise :exc:`KeyError` if it is missing."""
        self._remove_owners([key])
        super().remove(key)

    def remove_many(self, keys: Iterable[Key]) -> None:
        """Remove those of *keys* that are present, and the owners of items."""
        names = list(keys)
        super().remove_many([*names, *self._owners(names)])

    def _remove_owners(self, keys: list[Key]) -> None:
        """Remove the owners of the items with *keys*."""
        owners = self._owners(keys)
        if owners:
            super().remove_many(owners)

    def _owners(self, keys: Iterable[Key]) -> list[Key]:
        """Return the keys under which the owners of the items with *keys* may be stored."""
        ids = dict.fromkeys(each for key in keys for each in owner_ids(key))
        identity_map = identity_map_of(self._session)
        types = self._owning_types() if ids else []
        found = []
        for identifier in ids:
            known = [name for name in types if identity_map.find(name, [identifier]) is not None]
            found += [identity_map.key((name, [identifier])) for name in known or types]
        return found

    def _owning_types(self) -> list[str]:
        """Return the types whose entities have mappings."""
        return [
            name
            for name, class_ in self._session.types.items()
            if any(
                isinstance(each, KeyValueMappedCollectionAttribute) for each in class_.attributes
            )
        ]


def chosen_address(
    environment: Mapping[str, str], profile: Optional[str], profile_origin: str
) -> tuple[Optional[str], str]:
    """Return the address of the shared cache that the session uses, and its source in words.

    *profile* is the address in the profile. The address is None without a shared cache.
    """
    text = environment.get(CACHE_VARIABLE, "").strip()
    if text:
        return text, f"the environment variable {CACHE_VARIABLE}"
    return profile, f"the key cache of {profile_origin}"


def open_shared(session: Session, address: str, origin: str) -> SharedEntities:
    """Return the cache at *address*, which comes from *origin*.

    Raise :exc:`~ftrack_like.exception.ConfigurationError` if it cannot be opened. A server that
    does not answer is no error: the session works without it until it answers.
    """
    return SharedEntities(session, storage_at(address, origin))


def storage_at(address: str, origin: str) -> SharedStorage:
    """Return the storage at *address*; errors are those of :func:`open_shared`."""
    try:
        return open_storage(address)
    except (ImportError, OSError, ValueError) as error:
        raise exception.ConfigurationError(
            f"The cache {shown_address(address)} cannot be used: {masked(error)}\n"
            f"The address comes from {origin}."
        ) from error
