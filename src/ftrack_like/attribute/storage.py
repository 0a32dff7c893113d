"""The local and remote values of an entity as one mapping, in the published format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.attribute import Attribute
    from ftrack_like.entity.base import Entity

__all__ = ["Slot", "Storage", "put"]


class Slot(Mapping[str, Any]):
    """Both values of one attribute of one entity: ``{"local": …, "remote": …}``, writable."""

    def __init__(self, attribute: Attribute, entity: Entity) -> None:
        """Initialise as a view of the values of *attribute* of *entity*."""
        self._attribute = attribute
        self._entity = entity

    def _values(self, key: str) -> dict[str, Any]:
        """Return the dictionary of the entity for *key*; raise :exc:`KeyError` for other keys."""
        local, remote = self._attribute.storage_keys
        if key == remote:
            values: dict[str, Any] = self._entity.remote_values
            return values
        if key == local:
            return self._entity.own_local_values()
        raise KeyError(key)

    def __getitem__(self, key: str) -> Value:
        """Return the local or remote value, or NOT_SET."""
        return self._values(key).get(self._attribute.name, NOT_SET)

    def __setitem__(self, key: str, value: Value) -> None:
        """Set the local or remote value; NOT_SET removes it."""
        value = self._attribute.own(self._entity, value)
        put(self._values(key), self._attribute.name, value)
        if key == self._attribute.storage_keys[0]:
            self._entity.mark_dirty()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the two keys."""
        return iter(self._attribute.storage_keys)

    def __len__(self) -> int:
        """Return two."""
        return 2

    def __repr__(self) -> str:
        """Return the two values in the format of a dictionary."""
        return repr(dict(self))


class Storage(Mapping[str, Any]):
    """All values of one entity: ``{attribute name: {"local": …, "remote": …}}``, a live view."""

    def __init__(self, entity: Entity) -> None:
        """Initialise as a view of the values of *entity*."""
        self._entity = entity

    def __getitem__(self, name: str) -> Slot:
        """Return the two values of the attribute *name*; raise :exc:`KeyError` if it is unknown."""
        attribute = self._entity.attributes.get(name)
        if attribute is None:
            raise KeyError(name)
        return Slot(attribute, self._entity)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the attributes."""
        return iter(self._entity.attributes.keys())

    def __len__(self) -> int:
        """Return the number of attributes."""
        return len(self._entity.attributes)


def put(values: dict[str, Any], name: str, value: Value) -> None:
    """Set *name* in *values*, or remove it when *value* is NOT_SET."""
    if value is NOT_SET:
        values.pop(name, None)
    else:
        values[name] = value
