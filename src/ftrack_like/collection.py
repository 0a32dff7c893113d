"""Collections of entities: the values of to-many attributes."""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import TYPE_CHECKING, Any, ClassVar, Optional, Union, cast, overload

from ftrack_like import _custom_attributes, exception, inspection
from ftrack_like._ownership import named, own
from ftrack_like.cache import KeyMaker, Memoiser, ObjectKeyMaker, memoise_decorator
from ftrack_like.operation import UpdateEntityOperation

if TYPE_CHECKING:
    from ftrack_like._types import Creator, Key, Value
    from ftrack_like.attribute import AbstractCollectionAttribute
    from ftrack_like.cache.memoisation import Decorator
    from ftrack_like.entity.base import Entity

__all__ = [
    "Collection",
    "CustomAttributeCollectionProxy",
    "KeyValueMappedCollectionProxy",
    "MappedCollectionProxy",
    "PerSessionDefaultKeyMaker",
    "identity_text",
    "memoise_session",
]


class PerSessionDefaultKeyMaker(KeyMaker):
    """Make keys that tell sessions apart by identity, for results remembered once a session."""

    def __init__(self) -> None:
        """Initialise with the maker of the keys of everything but sessions."""
        super().__init__()
        self._fallback = ObjectKeyMaker()

    def _key(self, obj: object) -> Key:
        """Return the key of *obj*: the identity of a session, else that of its value."""
        if isinstance(obj, Mapping):
            return str(sorted((str(name), str(self._key(value))) for name, value in obj.items()))
        if hasattr(obj, "recorded_operations") and hasattr(obj, "server_url"):
            return str(id(obj))
        return str(self._fallback.key(obj))


#: Remember what a function returned, for each session it is called with.
memoise_session: Decorator = memoise_decorator(
    Memoiser(key_maker=PerSessionDefaultKeyMaker(), return_copies=False)
)


def identity_text(entity: Entity) -> str:
    """Return the identity of *entity*, anything that looks like one, as text.

    Entities remember theirs. Raise :exc:`KeyError` if the primary key is not set.
    """
    key = getattr(entity, "known_identity", None)
    if type(key) is str:
        return key
    remember = getattr(entity, "remember_identity", None)
    return str(inspection.identity(entity)) if remember is None else str(remember())


class Collection(MutableSequence[Any]):
    """The entities of a to-many attribute, in order, each at most once.

    Every change records an update of the attribute with the whole new list, unless the
    session's recording is off.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_known",
        "attribute",
        "entity",
        "is_changed",
        "is_whole",
        "members",
        "mutable",
    )

    #: Whether the members have to be loaded before they are looked at by key.
    must_load: bool = False

    def __init__(
        self,
        entity: Entity,
        attribute: AbstractCollectionAttribute,
        mutable: bool = True,
        data: Optional[Iterable[Any]] = None,
    ) -> None:
        """Initialise the value of *attribute* of *entity*, holding the entities of *data*.

        Entities of another session are merged into the session of *entity*. Raise
        :exc:`~ftrack_like.exception.InvalidEntityError` for what is no entity, and
        :exc:`~ftrack_like.exception.DuplicateItemInCollectionError` if *data* holds an entity
        twice.
        """
        self.entity: Entity = entity
        self.attribute: AbstractCollectionAttribute = attribute
        self.mutable: bool = mutable
        #: Whether the program set the whole list, instead of adding to it or removing from it.
        self.is_whole: bool = False
        self.is_changed: bool = False
        self.members: list[Entity] = [] if data is None else self._members(data)
        self._known: Optional[set[str]] = None
        if self.members:
            self._known = self._distinct(self.members)

    @classmethod
    def trusted(
        cls,
        entity: Entity,
        attribute: AbstractCollectionAttribute,
        mutable: bool,
        data: list[Entity],
        known: Optional[set[str]] = None,
    ) -> Collection:
        """Return a collection of *data* from the server, which is neither copied nor checked.

        *known* are the identities of *data* as texts, if they are at hand.
        """
        self = cls(entity, attribute, mutable)
        self.members = data
        self._known = known
        return self

    def _members(self, values: Iterable[Any]) -> list[Entity]:
        """Return *values* as members: entities of the session of the collection's entity."""
        members = []
        for value in values:
            if isinstance(value, type) or not hasattr(value, "primary_key_attributes"):
                role = f"a member of {self.attribute.name!r} of {named(self.entity)}"
                raise exception.InvalidEntityError(value, role)
            members.append(own(self.entity, value))
        return members

    @property
    def _identities(self) -> set[str]:
        """Return the identities of the members as texts."""
        if self._known is None:
            self._known = {identity_text(item) for item in self.members}
        return self._known

    def _distinct(self, items: list[Entity], others: Iterable[str] = ()) -> set[str]:
        """Return the identities of *items* and *others*, theirs; raise if one comes twice."""
        known = set(others)
        for item in items:
            text = identity_text(item)
            if text in known:
                raise exception.DuplicateItemInCollectionError(item, self)
            known.add(text)
        return known

    def follow(self, data: list[Entity]) -> bool:
        """Take over *data* from the server unless there are changes; return whether it was."""
        if self.is_changed:
            return False
        self.members = data
        self._known = None
        return True

    def loaded(self) -> list[Entity]:
        """Return the members, which are loaded first after a commit of a dense collection."""
        entity, attribute = self.entity, self.attribute
        if self.must_load and not self.is_changed:
            if attribute.name not in entity.remote_values and entity.may_populate(attribute.name):
                attribute.populate_remote_value(entity)
            if attribute.name in entity.remote_values:
                self.must_load = False
                self.follow(entity.remote_values[attribute.name])
        return self.members

    def _require_mutable(self) -> None:
        """Raise :exc:`~ftrack_like.exception.ImmutableCollectionError` if it may not change."""
        if not self.mutable:
            raise exception.ImmutableCollectionError(self)

    def _replace(
        self, items: list[Entity], known: Optional[set[str]] = None, record: bool = True
    ) -> None:
        """Make *items* the members, and record that. *known* are their identities if at hand."""
        self._require_mutable()
        if known is None:
            known = self._distinct(items)
        before = self.members
        self.members = items
        self._known = known
        self.is_changed = True
        if record:
            self.record_change(before)
        else:
            self.entity.adopt(self)

    def record_change(self, before: list[Entity]) -> None:
        """Tell the session that the members were *before* and are now others."""
        session = self.entity.session
        self.entity.adopt(self)
        if not session.record_operations:
            return
        session.recorded_operations.push(
            UpdateEntityOperation(
                self.entity.entity_type,
                self.entity.operation_key(),
                self.attribute.name,
                self.trusted(self.entity, self.attribute, self.mutable, before),
                copy.copy(self),
            )
        )

    def __copy__(self) -> Collection:
        """Return a collection with the same members, which changes by itself.

        Lists and sets of members are never changed in place, so they are shared.
        """
        copied = self.trusted(self.entity, self.attribute, self.mutable, self.members, self._known)
        copied.is_changed = self.is_changed
        return copied

    def insert(self, index: int, item: Entity) -> None:
        """Insert *item* before *index*.

        Raise :exc:`~ftrack_like.exception.ImmutableCollectionError` if the collection may not
        change and :exc:`~ftrack_like.exception.DuplicateItemInCollectionError` if *item* is a
        member already.
        """
        self.place(index, item)

    def place(self, index: int, item: Entity, record: bool = True) -> None:
        """Do what :meth:`insert` does; the change is recorded unless *record* is False."""
        self._require_mutable()
        (item,) = self._members([item])
        text = identity_text(item)
        if text in self._identities:
            raise exception.DuplicateItemInCollectionError(item, self)
        items = list(self.members)
        items.insert(index, item)
        self._replace(items, self._identities | {text}, record)

    def extend(self, values: Iterable[Entity]) -> None:
        """Add *values* at the end, as one change."""
        additions = self._members(values)
        if additions:
            known = self._distinct(additions, self._identities) if self.mutable else None
            self._replace([*self.members, *additions], known)

    def remove(self, value: Entity) -> None:
        """Remove the member *value*, told by its identity; :exc:`ValueError` if it is none."""
        try:
            text = identity_text(value)
        except (AttributeError, KeyError):
            raise ValueError(f"{value!r} is no entity, so no member of {self!r}.") from None
        if text not in self._identities:
            raise ValueError(f"{value!r} is no member of {self!r}.")
        items = [item for item in self.members if item is not value and identity_text(item) != text]
        self._replace(items, self._identities - {text})

    def reverse(self) -> None:
        """Turn the order round, as one change."""
        self._replace(self.members[::-1])

    def clear(self) -> None:
        """Remove all members, as one change."""
        if self.members:
            self._replace([])

    def __contains__(self, value: object) -> bool:
        """Return whether *value* is a member, told by its identity."""
        return identity_text(cast("Entity", value)) in self._identities

    @overload
    def __getitem__(self, index: int) -> Entity: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entity]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Entity, list[Entity]]:
        """Return the member at *index*, or a list of members for a slice."""
        return self.members[index]

    def __setitem__(self, index: Union[int, slice], item: Value) -> None:
        """Put *item* at *index*, or the entities of *item* in place of a slice."""
        self._require_mutable()
        items = list(self.members)
        if isinstance(index, slice):
            items[index] = self._members(item)
        else:
            (items[index],) = self._members([item])
        self._replace(items)

    def __delitem__(self, index: Union[int, slice]) -> None:
        """Remove the member at *index*, or those of a slice."""
        self._require_mutable()
        items = list(self.members)
        gone = items[index] if isinstance(index, slice) else [items[index]]
        del items[index]
        self._replace(items, self._identities - self._distinct(gone))

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the members as they are now."""
        return iter(self.members)

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.members)

    def __eq__(self, other: object) -> bool:
        """Return whether *other* is a collection of the same members, in any order."""
        if not isinstance(other, Collection):
            return False
        return self._identities == other._identities

    def __ne__(self, other: object) -> bool:
        """Return whether *other* is not a collection of the same members."""
        return not self == other

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # what may change cannot be a key

    def __repr__(self) -> str:
        """Return a text that names the members and never asks the server."""
        shown = ", ".join([str(item) for item in self.members[:5]])
        more = f", … {len(self.members) - 5} more" if len(self.members) > 5 else ""
        return f"<{type(self).__name__}({self.attribute.name}) [{shown}{more}]>"


class MappedCollectionProxy(MutableMapping[Any, Any]):
    """A collection of items that reads like a dictionary. Concrete ones say how."""

    def __init__(self, collection: Collection) -> None:
        """Initialise over *collection*, which stays reachable as ``collection``."""
        super().__init__()
        self.collection = collection

    @functools.cached_property
    def logger(self) -> logging.Logger:
        """Return the logger of this class."""
        return logging.getLogger(f"{__name__}.{type(self).__name__}")

    def __copy__(self) -> MappedCollectionProxy:
        """Return a proxy over a copy of the collection."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        copied.collection = copy.copy(self.collection)
        return copied

    @property
    def mutable(self) -> bool:
        """Return whether the collection may change."""
        return self.collection.mutable

    @mutable.setter
    def mutable(self, value: bool) -> None:
        self.collection.mutable = value

    @property
    def attribute(self) -> AbstractCollectionAttribute:
        """Return the attribute whose value the collection is."""
        return self.collection.attribute

    @attribute.setter
    def attribute(self, value: AbstractCollectionAttribute) -> None:
        self.collection.attribute = value

    def _require_mutable(self) -> None:
        """Raise an error if the collection may not change."""
        if not self.mutable:
            raise exception.ImmutableCollectionError(self.collection)

    def __repr__(self) -> str:
        """Return a text that shows how many items there are and never asks the server."""
        return f"<{type(self).__name__}({self.attribute.name}) of {len(self.collection)} items>"


class KeyValueMappedCollectionProxy(MappedCollectionProxy):
    """A collection of key and value entities (metadata, say) that reads like a dictionary."""

    def __init__(
        self,
        collection: Collection,
        creator: Creator,
        key_attribute: str,
        value_attribute: str,
    ) -> None:
        """Initialise over *collection*.

        *creator* is called with the proxy and a mapping of *key_attribute* and
        *value_attribute* to what a new item is to hold, and returns the new entity.
        """
        super().__init__(collection)
        self.creator = creator
        self.key_attribute = key_attribute
        self.value_attribute = value_attribute

    def _index(self, key: Value) -> int:
        """Return the position of the item with *key*; :exc:`KeyError` if there is none."""
        name = self.key_attribute
        for index, item in enumerate(self.collection.loaded()):
            if item[name] == key:
                return index
        raise _custom_attributes.missing_key(self, key) if self._is_dense else KeyError(key)

    @property
    def _is_dense(self) -> bool:
        """Return whether the server keeps more items than clients set."""
        return getattr(self.collection.attribute, "is_dense", False)

    def __getitem__(self, key: Value) -> Value:
        """Return the value under *key*; :exc:`KeyError` if there is none."""
        index = self._index(key)  # First, since the members may be loaded for it.
        return self.collection.members[index][self.value_attribute]

    def __setitem__(self, key: Value, value: Value) -> None:
        """Set *value* under *key*: in the item that has it, else in a new one."""
        self._require_mutable()
        try:
            index = self._index(key)
        except KeyError:
            item = self.creator(self, {self.key_attribute: key, self.value_attribute: value})
            # The server has an item of a dense collection already: its value alone is sent.
            self.collection.place(len(self.collection), item, record=not self._is_dense)
        else:
            self.collection.members[index][self.value_attribute] = value

    def __delitem__(self, key: Value) -> None:
        """Remove the item with *key* and delete it from the session; :exc:`KeyError` if none."""
        index = self._index(key)
        item = self.collection[index]
        del self.collection[index]
        item.session.delete(item)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the keys, each once."""
        name = self.key_attribute
        return iter(dict.fromkeys([item[name] for item in self.collection.loaded()]))

    def __len__(self) -> int:
        """Return the number of keys."""
        name = self.key_attribute
        return len({item[name] for item in self.collection.loaded()})

    def keys(self) -> list[Value]:  # type: ignore[override]  # the published client gives a list
        """Return a list of the keys."""
        return list(self)


class CustomAttributeCollectionProxy(MappedCollectionProxy):
    """Custom attribute values of an older server that read like a dictionary.

    The keys are those of the configurations that apply to the entity; where no value is stored
    the configuration's default is read.
    """

    def __init__(self, collection: Collection) -> None:
        """Initialise over the *collection* of stored values."""
        super().__init__(collection)
        self.key_attribute = "configuration_id"
        self.value_attribute = "value"

    def _configurations(self) -> dict[str, Entity]:
        """Return the configurations that apply to the entity, by their keys."""
        return _custom_attributes.applicable(self.collection.entity)

    def get_configuration_id_from_key(self, key: str) -> Value:
        """Return the id of the configuration with *key*; :exc:`KeyError` if there is none."""
        return self._configuration(key)["id"]

    def _configuration(self, key: Value) -> Entity:
        """Return the configuration with *key*; :exc:`KeyError` if none applies to the entity."""
        found = self._configurations().get(key)
        if found is None:
            raise _custom_attributes.missing_key(self, key)
        return found

    def _item(self, configuration_id: Value) -> Optional[Entity]:
        """Return the stored value's entity for *configuration_id*, or None."""
        item: Entity
        for item in self.collection:
            if item[self.key_attribute] == configuration_id:
                return item
        return None

    def __getitem__(self, key: Value) -> Value:
        """Return the value of the custom attribute *key*; :exc:`KeyError` if it has none."""
        configuration = self._configuration(key)
        item = self._item(configuration["id"])
        return configuration["default"] if item is None else item[self.value_attribute]

    def __setitem__(self, key: Value, value: Value) -> None:
        """Set the custom attribute *key* to *value*; :exc:`KeyError` if there is no such."""
        configuration_id = self.get_configuration_id_from_key(key)
        self._require_mutable()
        item = self._item(configuration_id)
        if item is not None:
            item[self.value_attribute] = value
            return
        entity = self.collection.entity
        data = {
            self.key_attribute: configuration_id,
            self.value_attribute: value,
            "entity_id": next(iter(inspection.primary_key(entity).values())),
        }
        self.collection.append(entity.session.create("CustomAttributeValue", data))

    def __delitem__(self, key: Value) -> None:
        """Delete the stored value of the custom attribute *key*, so that its default shows.

        Do nothing if none is stored; raise :exc:`KeyError` if there is no such attribute.
        """
        item = self._item(self.get_configuration_id_from_key(key))
        if item is not None:
            self.collection.remove(item)
            item.session.delete(item)

    def __eq__(self, collection: object) -> bool:
        """Return whether *collection* is a proxy of a collection with the same members."""
        if not isinstance(collection, CustomAttributeCollectionProxy):
            return False
        return self.collection == collection.collection

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # what may change cannot be a key

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the keys of the configurations that apply."""
        return iter(list(self._configurations()))

    def __len__(self) -> int:
        """Return the number of the configurations that apply."""
        return len(self._configurations())
