"""Attributes that hold several entities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, cast

from ftrack_like import collection, exception
from ftrack_like._ownership import named, own
from ftrack_like._seams import keeps_originals
from ftrack_like.attribute.base import Attribute
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._types import Creator, Members, Value
    from ftrack_like.entity.base import Entity

__all__ = [
    "AbstractCollectionAttribute",
    "CollectionAttribute",
    "CustomAttributeCollectionAttribute",
    "KeyValueMappedCollectionAttribute",
]


@keeps_originals
class AbstractCollectionAttribute(Attribute):
    """An attribute that holds several entities. Concrete ones say as what."""

    #: The class of the values.
    collection_class: Any = None
    #: Whether the server keeps more items than clients set: a value for each configuration. What
    #: was set here is loaded again after a commit.
    is_dense = False

    def get_value(self, entity: Entity) -> Value:
        """Return the collection of *entity*, which may be changed if the attribute is mutable.

        It is made from the remote value on the first read, without a record, and follows the
        server until it is changed.
        """
        local = entity.local_values
        if local is not None and self._name in local:
            return local[self._name]
        members = entity.remote_values.get(self._name, NOT_SET)
        if members is NOT_SET and entity.may_populate(self._name):
            self.populate_remote_value(entity)
            members = entity.remote_values.get(self._name, NOT_SET)
        value = self._wrap(entity, self._members(entity, members), self._mutable)
        if members is not NOT_SET or entity.is_created:
            # Without a mark: a collection that was merely read is no change. One that is empty
            # because nothing was loaded is not kept, so that it can still be loaded later.
            entity.own_local_values()[self._name] = value
        return value

    def get_remote_value(self, entity: Entity) -> Value:
        """Return a collection of what the server sent, which may not be changed, or NOT_SET."""
        members = entity.remote_values.get(self._name, NOT_SET)
        if members is NOT_SET:
            return NOT_SET
        return self._wrap(entity, self._members(entity, members), False)

    def sent_value(self, entity: Entity) -> Value:
        """Return the list of what the server sent for *entity*, or NOT_SET."""
        members = entity.remote_values.get(self._name, NOT_SET)
        return members if members is NOT_SET else self._members(entity, members)

    def _members(self, entity: Entity, members: Value) -> list[Entity]:
        """Return the remote *members* as a list of attached entities."""
        if members is NOT_SET or members is None:
            return []
        if isinstance(members, list):
            return members
        return list(_members_of(members) or ())

    def _wrap(self, entity: Entity, members: list[Entity], mutable: bool) -> Members:
        """Return a value of :attr:`collection_class` over the list *members*."""
        return self.present(collection.Collection.trusted(entity, self, mutable, members))

    def present(self, members: collection.Collection) -> Members:
        """Return the collection *members* in the form that readers get."""
        return members

    def set_local_value(self, entity: Entity, value: Value) -> None:
        """Set the members of *entity* to those of *value*, to be committed.

        *value* is a list of entities, a collection, or None for none at all. Raise
        :exc:`~ftrack_like.exception.ImmutableAttributeError` if the attribute is not mutable.
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
            return  # "collection += …" assigns what has recorded its change by itself.
        adapted = self._adapt(entity, value)
        if local is NOT_SET and self._is_known(entity, adapted):
            return
        _collection_of(adapted).is_changed = True
        entity.own_local_values()[self._name] = adapted
        snapshot = self._snapshot(adapted)
        _collection_of(snapshot).is_whole = True
        self._record(entity, local, snapshot)

    def _snapshot(self, value: Members) -> Members:
        """Return a copy of *value* as it is now, for an operation to keep."""
        return value.__copy__()

    def _is_known(self, entity: Entity, value: Value) -> bool:
        """Return whether the server holds exactly the members of *value*, in this order."""
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
        """Return the error that *value* cannot be the members of *entity*."""
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
        """Set the members of *entity* as if the server had sent *value*; NOT_SET forgets them.

        A collection that was read but not changed shows the new members.
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
        """Let the local collection of *entity*, if it has no changes, follow the remote one."""
        local = self.get_local_value(entity)
        if local is not NOT_SET:
            _collection_of(local).follow(entity.remote_values[self._name])

    def is_modified(self, entity: Entity) -> bool:
        """Return whether *entity* has a local collection with other members than remotely."""
        local = self.get_local_value(entity)
        if local is NOT_SET or not _collection_of(local).is_changed:
            return False
        remote = self.get_remote_value(entity)
        return remote is NOT_SET or bool(_collection_of(local) != _collection_of(remote))


def _collection_of(value: Members) -> collection.Collection:
    """Return the collection that the value of an attribute is, or is a mapping over."""
    return value.collection if isinstance(value, collection.MappedCollectionProxy) else value


def _members_of(value: Value) -> Optional[Iterable[Entity]]:
    """Return the entities in *value*; None if its type holds none."""
    if isinstance(value, (collection.Collection, collection.MappedCollectionProxy)):
        return _collection_of(value).members
    return value if isinstance(value, (list, tuple, set, frozenset)) else None


def _is_own(entity: Entity, value: Members) -> bool:
    """Return whether *value* is a collection of *entity* that may be changed."""
    members = _collection_of(value)
    return members.entity is entity and members.mutable


class CollectionAttribute(AbstractCollectionAttribute):
    """An attribute that holds several entities as a list."""

    collection_class = collection.Collection


class _MappedCollectionAttribute(AbstractCollectionAttribute):
    """An attribute that holds several entities as a dictionary."""

    def _adapt(self, entity: Entity, value: Value) -> Members:
        """Return *value* as a proxy of *entity*; a mapping changes the present one to match."""
        if not self._is_mapping(entity, value):
            return super()._adapt(entity, value)
        proxy: collection.MappedCollectionProxy = self.get_value(entity)
        proxy.update(value)  # First, so that a key that cannot be set leaves all as it was.
        for key in list(proxy):
            if key not in value:
                del proxy[key]
        return proxy

    @staticmethod
    def _is_mapping(entity: Entity, value: Value) -> bool:
        """Return whether *value* gives keys and values; *entity*'s own proxy gives its items.

        The items of another entity stay with that entity, so that its proxy gives values too.
        """
        if isinstance(value, collection.MappedCollectionProxy):
            return value.collection.entity is not entity
        return isinstance(value, Mapping)

    def _refusal(self, entity: Entity, value: Value) -> Exception:
        """Return the error that *value* cannot be the items of *entity*."""
        return exception.InvalidEntityError(
            value,
            f"the value of {self._name!r} of {named(entity)}",
            f"Cannot convert {value!r:.80} to collection: assign a dictionary, or set single keys.",
        )

    def set_local_value(self, entity: Entity, value: Value) -> None:
        """Set the items of *entity* to those of *value*, to be committed.

        *value* is a mapping, a list of item entities, a collection, or None for no item.
        """
        if self._is_mapping(entity, value):
            if not self._mutable:
                raise exception.ImmutableAttributeError(self)
            before = _collection_of(self.get_value(entity)).members
            members = _collection_of(self._adapt(entity, value))  # Its changes record themselves,
            if self.is_dense and members.members is not before:
                members.record_change(before)  # but for the items of a dense one.
            return
        super().set_local_value(entity, value)


class KeyValueMappedCollectionAttribute(_MappedCollectionAttribute):
    """An attribute that holds key and value entities as a dictionary: metadata, for one."""

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
        """Return the collection *members* as a dictionary of its keys and values."""
        return self.collection_class(
            members, self.creator, self.key_attribute, self.value_attribute
        )


class CustomAttributeCollectionAttribute(_MappedCollectionAttribute):
    """An attribute that holds the custom attribute values of an older server as a dictionary."""

    collection_class = collection.CustomAttributeCollectionProxy

    def present(self, members: collection.Collection) -> Members:
        """Return the collection *members* as a dictionary by configuration key."""
        return self.collection_class(members)
