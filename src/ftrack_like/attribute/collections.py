"""Attributes with several entities.

The remote value is a plain list of entities. A program gets a collection over this list, or a
mapping over the collection. The collection is created at the first read and kept as the local
value, so that the program always gets the same object. As long as the program does not change the
collection, it *follows* the remote list: reloading the attribute shows new members. The first
change makes it independent; ``is_changed`` is then true, and the change records an operation.

So for collections a local value alone does not mean a change, unlike for other attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, cast

from ftrack_like import collection, exception
from ftrack_like._base.ownership import named, own
from ftrack_like._base.seams import keeps_originals
from ftrack_like.attribute.base import Attribute
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Creator, Members, Value
    from ftrack_like.entity.base import Entity

__all__ = [
    "AbstractCollectionAttribute",
    "CollectionAttribute",
    "CustomAttributeCollectionAttribute",
    "KeyValueMappedCollectionAttribute",
]


_trusted = collection.Collection.trusted


@keeps_originals
class AbstractCollectionAttribute(Attribute):
    """An attribute with several entities. Subclasses choose the class of the values."""

    #: The class of the values.
    collection_class: Any = None
    #: Whether the server adds items that the client did not set: custom attributes have a value
    #: for each configuration. After a commit the session loads such values again.
    is_dense = False

    def get_value(self, entity: Entity) -> Value:
        """Return the collection of *entity*; the program may change it if it is mutable.

        The first read creates it from the remote value and records no operation.
        """
        local = entity.local_values
        if local is not None and self._name in local:
            return local[self._name]
        members = entity.remote_values.get(self._name, NOT_SET)
        if type(members) is list:  # The usual case, without further calls.
            value = self.present(_trusted(entity, self, self._mutable, members))
            entity.own_local_values()[self._name] = value
            return value
        if members is NOT_SET and entity.may_populate(self._name):
            members = self.loaded(entity, self._remote_members)
        value = self._wrap(entity, self._members(entity, members), self._mutable)
        if members is not NOT_SET or entity.is_created:
            # Do not mark the entity as changed: reading a collection is not a change. If nothing
            # was loaded, do not keep the empty collection, so that it can still be loaded later.
            entity.own_local_values()[self._name] = value
        return value

    def _remote_members(self, entity: Entity) -> Value:
        """Return the list of the loaded members of *entity*, or NOT_SET."""
        return entity.remote_values.get(self._name, NOT_SET)

    def get_remote_value(self, entity: Entity) -> Value:
        """Return an immutable collection of the loaded members of *entity*, or NOT_SET."""
        members = entity.remote_values.get(self._name, NOT_SET)
        if members is NOT_SET:
            return NOT_SET
        return self._wrap(entity, self._members(entity, members), False)

    def sent_value(self, entity: Entity) -> Value:
        """Return the list of the loaded members of *entity*, or NOT_SET."""
        members = entity.remote_values.get(self._name, NOT_SET)
        return members if members is NOT_SET else self._members(entity, members)

    def _members(self, entity: Entity, members: Value) -> list[Entity]:
        """Return the remote *members* as a list of entities."""
        if members is NOT_SET or members is None:
            return []
        if isinstance(members, list):
            return members
        return list(_members_of(members) or ())

    def _wrap(self, entity: Entity, members: list[Entity], mutable: bool) -> Members:
        """Return a value of :attr:`collection_class` over the list *members*."""
        return self.present(collection.Collection.trusted(entity, self, mutable, members))

    def present(self, members: collection.Collection) -> Members:
        """Return *members* as the value that programs get: the collection, or a mapping over it."""
        return members

    def set_local_value(self, entity: Entity, value: Value) -> None:
        """Replace the members of *entity* by those of *value* and record an update.

        *value* is a list of entities, a collection, or None for no members; NOT_SET undoes the
        change. Raise :exc:`~ftrack_like.exception.ImmutableAttributeError` if the attribute is not
        mutable, and :exc:`~ftrack_like.exception.InvalidEntityError` for other values.
        """
        if value is NOT_SET:
            before = self.get_local_value(entity)
            entity.own_local_values().pop(self._name, None)
            self._record(entity, before, value)
            return
        if not self._mutable:
            raise exception.ImmutableAttributeError(self)
        local = self.get_local_value(entity)
        if value is local:
            return  # "collection += …" assigns the same object, which has recorded the change.
        adapted = self._adapt(entity, value)
        if local is NOT_SET and self._is_known(entity, adapted):
            return
        _collection_of(adapted).is_changed = True
        entity.own_local_values()[self._name] = adapted
        snapshot = self._snapshot(adapted)
        _collection_of(snapshot).is_whole = True
        self._record(entity, local, snapshot)

    def _snapshot(self, value: Members) -> Members:
        """Return a copy of *value* for an operation, which must keep the current members."""
        return value.__copy__()

    def _is_known(self, entity: Entity, value: Value) -> bool:
        """Return whether the remote members are exactly those of *value*, in the same order."""
        members = entity.remote_values.get(self._name, NOT_SET)
        return isinstance(members, list) and members == list(_members_of(value) or ())

    def _adapt(self, entity: Entity, value: Value) -> Members:
        """Return *value* as a collection that belongs to *entity*."""
        if value is None:
            return self._wrap(entity, [], True)
        members = _members_of(value)
        if members is None:
            raise self._refusal(entity, value)
        if isinstance(value, self.collection_class) and _is_own(entity, cast("Members", value)):
            return cast("Members", value)
        return self.present(collection.Collection(entity, self, True, members))

    def _refusal(self, entity: Entity, value: Value) -> Exception:
        """Return the error for a *value* that cannot be the members of *entity*."""
        return exception.InvalidEntityError(
            value,
            f"the value of {self._name!r} of {named(entity)}",
            f"Cannot convert {value!r:.80} to collection: assign a list of entities.",
        )

    def merged_local(self, entity: Entity, value: Value, merge: Callable[[Any], Any]) -> Members:
        """Return a changed collection of *entity* with the members of *value*, merged."""
        members = [merge(member) for member in _members_of(value) or ()]
        merged = collection.Collection(entity, self, True, members)
        merged.is_changed = True
        return self.present(merged)

    def set_remote_value(self, entity: Entity, value: Value) -> None:
        """Set the remote members of *entity* to those of *value*; NOT_SET removes them.

        An unchanged collection of the program shows the new members.
        """
        if value is NOT_SET:
            entity.remote_values.pop(self._name, None)
            return
        members = [] if value is None else _members_of(value)
        if members is None:
            raise self._refusal(entity, value)
        entity.remote_values[self._name] = [own(entity, member) for member in members]
        self.refresh(entity)

    def refresh(self, entity: Entity) -> None:
        """Show the remote members in the local collection of *entity*, if it is unchanged."""
        local = self.get_local_value(entity)
        if local is not NOT_SET:
            _collection_of(local).follow(entity.remote_values[self._name])

    def is_modified(self, entity: Entity) -> bool:
        """Return whether the local members of *entity* differ from the remote members."""
        local = self.get_local_value(entity)
        if local is NOT_SET or not _collection_of(local).is_changed:
            return False
        remote = self.get_remote_value(entity)
        return remote is NOT_SET or bool(_collection_of(local) != _collection_of(remote))


def _collection_of(value: Members) -> collection.Collection:
    """Return *value* itself if it is a collection, or the collection below a mapping."""
    return value.collection if isinstance(value, collection.MappedCollectionProxy) else value


def _members_of(value: Value) -> Optional[Iterable[Entity]]:
    """Return the entities in *value*; None if it is not a list, set, tuple or collection."""
    if isinstance(value, (collection.Collection, collection.MappedCollectionProxy)):
        return _collection_of(value).members
    return value if isinstance(value, (list, tuple, set, frozenset)) else None


def _is_own(entity: Entity, value: Members) -> bool:
    """Return whether *value* is a mutable collection of *entity*."""
    members = _collection_of(value)
    return members.entity is entity and members.mutable


class CollectionAttribute(AbstractCollectionAttribute):
    """An attribute with several entities as a list."""

    collection_class = collection.Collection


class _MappedCollectionAttribute(AbstractCollectionAttribute):
    """An attribute with several entities as a dictionary."""

    def _adapt(self, entity: Entity, value: Value) -> Members:
        """Return *value* as a proxy of *entity*; for a mapping, change the current proxy to it."""
        if not self._is_mapping(entity, value):
            return super()._adapt(entity, value)
        proxy: collection.MappedCollectionProxy = self.get_value(entity)
        proxy.update(value)  # Before removing keys: if a key cannot be set, nothing has changed.
        for key in list(proxy):
            if key not in value:
                del proxy[key]
        return proxy

    @staticmethod
    def _is_mapping(entity: Entity, value: Value) -> bool:
        """Return whether to copy the keys and values of *value* instead of its item entities.

        This is true for a dictionary, and for the proxy of another entity: its item entities
        belong to that entity. The items of *entity*'s own proxy are used directly.
        """
        if isinstance(value, collection.MappedCollectionProxy):
            return value.collection.entity is not entity
        return isinstance(value, Mapping)

    def _refusal(self, entity: Entity, value: Value) -> Exception:
        """Return the error for a *value* that cannot be the items of *entity*."""
        return exception.InvalidEntityError(
            value,
            f"the value of {self._name!r} of {named(entity)}",
            f"Cannot convert {value!r:.80} to collection: assign a dictionary, or set single keys.",
        )

    def set_local_value(self, entity: Entity, value: Value) -> None:
        """Replace the items of *entity* by those of *value* and record the changes.

        *value* is a mapping, a list of item entities, a collection, or None for no items. Raise
        :exc:`~ftrack_like.exception.ImmutableAttributeError` if the attribute is not mutable.
        """
        if self._is_mapping(entity, value):
            if not self._mutable:
                raise exception.ImmutableAttributeError(self)
            before = _collection_of(self.get_value(entity)).members
            # Changes of the proxy record operations themselves, except for a dense attribute.
            members = _collection_of(self._adapt(entity, value))
            if self.is_dense and members.members is not before:
                members.record_change(before)
            return
        super().set_local_value(entity, value)


class KeyValueMappedCollectionAttribute(_MappedCollectionAttribute):
    """An attribute with entities of a key and a value as a dictionary, such as metadata."""

    collection_class = collection.KeyValueMappedCollectionProxy

    def __init__(
        self, name: str, creator: Creator, key_attribute: str, value_attribute: str, **kw: Value
    ) -> None:
        """Initialise the attribute *name*.

        *creator*, *key_attribute* and *value_attribute* are as for
        :class:`~ftrack_like.collection.KeyValueMappedCollectionProxy`, *kw* as for
        :class:`Attribute`.
        """
        self.creator = creator
        self.key_attribute = key_attribute
        self.value_attribute = value_attribute
        super().__init__(name, **kw)

    def present(self, members: collection.Collection) -> Members:
        """Return *members* as a dictionary of keys and values."""
        return self.collection_class(
            members, self.creator, self.key_attribute, self.value_attribute
        )


class CustomAttributeCollectionAttribute(_MappedCollectionAttribute):
    """An attribute with the custom attribute values of an older server as a dictionary."""

    collection_class = collection.CustomAttributeCollectionProxy

    def present(self, members: collection.Collection) -> Members:
        """Return *members* as a dictionary by configuration key."""
        return self.collection_class(members)
