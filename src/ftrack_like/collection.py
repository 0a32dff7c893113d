"""Collections of entities: the values of to-many attributes.

Two rules make collections both fast and safe:

- The list of members and the set of identities are never changed in place. Each change creates a
  new list. So a collection from the server shares its list with ``remote_values``, and an operation
  keeps a snapshot of the members without copying the list.
- Members are compared by identity as text. For members from the server, the set of texts is
  computed when the first lookup needs it. A collection that is only iterated never needs it.
"""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
)
from typing import TYPE_CHECKING, Any, ClassVar, Optional, TypeVar, Union, cast, overload

from ftrack_like import exception, inspection
from ftrack_like._base.ownership import named, own
from ftrack_like._values import custom_attributes
from ftrack_like._values.labels import known_values, short_value
from ftrack_like.cache import KeyMaker, Memoiser, ObjectKeyMaker, memoise_decorator
from ftrack_like.operation import UpdateEntityOperation
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Creator, Key, Value
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

_Item = TypeVar("_Item")

#: How many members or items the representation has.
_MOST_SHOWN = 5


class PerSessionDefaultKeyMaker(KeyMaker):
    """Makes keys in which a session counts by identity, to cache results per session."""

    def __init__(self) -> None:
        """Initialise with a key maker for objects other than sessions."""
        super().__init__()
        self._fallback = ObjectKeyMaker()

    def _key(self, obj: object) -> Key:
        """Return the key of *obj*: its ``id()`` for a session, else the key of its value."""
        if isinstance(obj, Mapping):
            return str(sorted((str(name), str(self._key(value))) for name, value in obj.items()))
        if hasattr(obj, "recorded_operations") and hasattr(obj, "server_url"):
            return str(id(obj))
        return str(self._fallback.key(obj))


#: Cache the results of a function for each session that it is called with.
memoise_session: Decorator = memoise_decorator(
    Memoiser(key_maker=PerSessionDefaultKeyMaker(), return_copies=False)
)


def identity_text(entity: Entity) -> str:
    """Return the identity of *entity*, or of an object with the same attributes, as text.

    Entities cache this text. Raise :exc:`KeyError` if the primary key is not set.
    """
    key = getattr(entity, "known_identity", None)
    if type(key) is str:
        return key
    remember = getattr(entity, "remember_identity", None)
    return str(inspection.identity(entity)) if remember is None else str(remember())


class Collection(MutableSequence[Any]):
    """The entities of a to-many attribute, in order, each at most once.

    Each change records an update of the attribute with the whole new list, unless recording of
    operations is off in the session.
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
        "must_load",
        "mutable",
    )

    def __init__(
        self,
        entity: Entity,
        attribute: AbstractCollectionAttribute,
        mutable: bool = True,
        data: Optional[Iterable[Any]] = None,
    ) -> None:
        """Initialise the value of *attribute* of *entity* with the entities of *data*.

        Entities of another session are merged into the session of *entity*. Raise
        :exc:`~ftrack_like.exception.InvalidEntityError` if *data* contains an object that is not
        an entity, and :exc:`~ftrack_like.exception.DuplicateItemInCollectionError` if it contains
        an entity twice.
        """
        self.entity: Entity = entity
        self.attribute: AbstractCollectionAttribute = attribute
        self.mutable: bool = mutable
        #: Whether the program has set the whole list, and not added or removed single members.
        self.is_whole: bool = False
        self.is_changed: bool = False
        #: Whether the members must be loaded again before they are read.
        self.must_load: bool = False
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
        """Return a collection over the list *data* from the server, without copying or checking it.

        *known* are the identities of *data* as texts, if they have been computed.
        """
        # The same as the constructor, in half the time: each first read of a collection does this.
        self = object.__new__(cls)
        self.entity = entity
        self.attribute = attribute
        self.mutable = mutable
        self.is_whole = self.is_changed = self.must_load = False
        self.members = data
        self._known = known
        return self

    def _members(self, values: Iterable[Any]) -> list[Entity]:
        """Return *values* as a list of entities, merged into the session of the collection.

        Raise :exc:`~ftrack_like.exception.InvalidEntityError` for a value that is not an entity.
        """
        members = []
        for value in values:
            if isinstance(value, type) or not hasattr(value, "primary_key_attributes"):
                role = f"a member of {self.attribute.name!r} of {named(self.entity)}"
                raise exception.InvalidEntityError(value, role)
            members.append(own(self.entity, value))
        return members

    @property
    def _identities(self) -> set[str]:
        """The identities of the members as texts."""
        if self.must_load:
            self.loaded()
        if self._known is None:
            self._known = {identity_text(item) for item in self.members}
        return self._known

    def _distinct(self, items: list[Entity], others: Iterable[str] = ()) -> set[str]:
        """Return the identities of *items*, together with the identities *others*.

        Raise :exc:`~ftrack_like.exception.DuplicateItemInCollectionError` if one occurs twice.
        """
        known = set(others)
        for item in items:
            text = identity_text(item)
            if text in known:
                raise exception.DuplicateItemInCollectionError(item, self)
            known.add(text)
        return known

    def follow(self, data: list[Entity]) -> bool:
        """Show the list *data* from the server; return False if the collection has changes."""
        if self.is_changed:
            return False
        self.members = data
        self._known = None
        return True

    def loaded(self) -> list[Entity]:
        """Return the members; load them first if they are not known to be right.

        That is so after a commit of a dense collection, and after an event about a change.
        """
        entity, attribute = self.entity, self.attribute
        if self.must_load and not self.is_changed:
            if attribute.name not in entity.remote_values and entity.may_populate(attribute.name):
                attribute.populate_remote_value(entity)
            if attribute.name in entity.remote_values:
                self.must_load = False
                self.follow(entity.remote_values[attribute.name])
        return self.members

    def _require_mutable(self) -> None:
        """Load the members of a mutable collection if they must be loaded.

        Raise :exc:`~ftrack_like.exception.ImmutableCollectionError` if it is immutable.
        """
        if not self.mutable:
            raise exception.ImmutableCollectionError(self)
        if self.must_load:
            self.loaded()

    def _replace(
        self,
        items: list[Entity],
        known: Optional[set[str]] = None,
        record: bool = True,
        is_whole: bool = False,
    ) -> None:
        """Replace the members by *items* and record an update.

        *known* are the identities of *items*, if they have been computed. *is_whole* is true if the
        program wants exactly these members, also if another session adds one.
        """
        self._require_mutable()
        if known is None:
            known = self._distinct(items)
        before = self.members
        self.members = items
        self._known = known
        self.is_changed = True
        if record:
            self.record_change(before, is_whole)
        else:
            self.entity.adopt(self)

    def record_change(self, before: list[Entity], is_whole: bool = False) -> None:
        """Mark the entity as changed and record an update from the members *before*.

        *is_whole* is true if the program has set the whole list.
        """
        session = self.entity.session
        self.entity.adopt(self)
        if not session.record_operations:
            return
        after = copy.copy(self)
        after.is_whole = is_whole
        session.recorded_operations.push(
            UpdateEntityOperation(
                self.entity.entity_type,
                self.entity.operation_key(),
                self.attribute.name,
                self.trusted(self.entity, self.attribute, self.mutable, before),
                after,
            )
        )

    def __copy__(self) -> Collection:
        """Return a collection with the same members; later changes are independent.

        Lists and sets of members are never changed in place, so both share them.
        """
        copied = self.trusted(self.entity, self.attribute, self.mutable, self.members, self._known)
        copied.is_changed = self.is_changed
        return copied

    def insert(self, index: int, item: Entity) -> None:
        """Insert *item* before *index*.

        Raise :exc:`~ftrack_like.exception.ImmutableCollectionError` if the collection is immutable,
        and :exc:`~ftrack_like.exception.DuplicateItemInCollectionError` if *item* is already a
        member.
        """
        self.place(index, item)

    def place(self, index: int, item: Entity, record: bool = True) -> None:
        """The same as :meth:`insert`; with *record* False, record no operation."""
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
        """Remove the member with the identity of *value*.

        Raise :exc:`ValueError` if it is not a member.
        """
        try:
            text = identity_text(value)
        except (AttributeError, KeyError):
            raise ValueError(f"{value!r} is not an entity, so not a member of {self!r}.") from None
        if text not in self._identities:
            raise ValueError(f"{value!r} is not a member of {self!r}.")
        items = [item for item in self.members if item is not value and identity_text(item) != text]
        self._replace(items, self._identities - {text})

    def reverse(self) -> None:
        """Reverse the order as one change."""
        self._replace(self.loaded()[::-1])

    def clear(self) -> None:
        """Remove all members as one change."""
        if self.loaded():
            self._replace([], is_whole=True)

    def __contains__(self, value: object) -> bool:
        """Return whether there is a member with the identity of *value*."""
        return identity_text(cast("Entity", value)) in self._identities

    @overload
    def __getitem__(self, index: int) -> Entity: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entity]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Entity, list[Entity]]:
        """Return the member at *index*, or a list of members for a slice."""
        return (self.loaded() if self.must_load else self.members)[index]

    def __setitem__(self, index: Union[int, slice], item: Value) -> None:
        """Put *item* at *index*, or the entities of *item* in place of a slice."""
        self._require_mutable()
        items = list(self.members)
        if isinstance(index, slice):
            items[index] = self._members(item)
        else:
            (items[index],) = self._members([item])
        self._replace(items, is_whole=not items)

    def __delitem__(self, index: Union[int, slice]) -> None:
        """Remove the member at *index*, or the members of a slice."""
        self._require_mutable()
        items = list(self.members)
        gone = items[index] if isinstance(index, slice) else [items[index]]
        del items[index]
        known = self._identities - self._distinct(gone)
        self._replace(items, known, is_whole=isinstance(index, slice) and not items)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the current members; later changes do not affect the iterator."""
        return iter(self.loaded() if self.must_load else self.members)

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.loaded() if self.must_load else self.members)

    def __eq__(self, other: object) -> bool:
        """Return whether *other* is a collection with the same members in any order."""
        if not isinstance(other, Collection):
            return False
        return self._identities == other._identities

    def __ne__(self, other: object) -> bool:
        """Return whether *other* is not a collection with the same members."""
        return not self == other

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # what may change cannot be a key

    def __repr__(self) -> str:
        """Return a text with up to 5 members and their loaded names; never query the server."""
        return (
            f"<{type(self).__name__}({self.attribute.name}) [{_first_texts(self.members, repr)}]>"
        )

    def _repr_html_(self) -> str:
        """Return the loaded values of the members as HTML for notebooks, at most 20 members.

        This never queries the server.
        """
        # lazy: only notebooks need it
        from ftrack_like._values.html import members_table

        return members_table(f"{self.attribute.name} of {self.entity!r}", self.members)


def _first_texts(items: Sequence[_Item], text_of: Callable[[_Item], str]) -> str:
    """Return the texts of the first of *items*, and the number of the others."""
    texts = [text_of(item) for item in items[:_MOST_SHOWN]]
    hidden = len(items) - len(texts)
    return ", ".join([*texts, f"… {hidden} more"] if hidden else texts)


class MappedCollectionProxy(MutableMapping[Any, Any]):
    """A mapping over a collection of item entities. Subclasses define keys and values."""

    #: The attributes of the items with the key and the value.
    key_attribute: str = "key"
    value_attribute: str = "value"

    def __init__(self, collection: Collection) -> None:
        """Initialise over *collection*, the attribute ``collection``."""
        super().__init__()
        self.collection = collection

    @functools.cached_property
    def logger(self) -> logging.Logger:
        """The logger of this class."""
        return logging.getLogger(f"{__name__}.{type(self).__name__}")

    def __copy__(self) -> MappedCollectionProxy:
        """Return a proxy over a copy of the collection."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        copied.collection = copy.copy(self.collection)
        return copied

    @property
    def mutable(self) -> bool:
        """Whether the collection is mutable."""
        return self.collection.mutable

    @mutable.setter
    def mutable(self, value: bool) -> None:
        self.collection.mutable = value

    @property
    def attribute(self) -> AbstractCollectionAttribute:
        """The attribute of the collection."""
        return self.collection.attribute

    @attribute.setter
    def attribute(self, value: AbstractCollectionAttribute) -> None:
        self.collection.attribute = value

    def _require_mutable(self) -> None:
        """Raise :exc:`~ftrack_like.exception.ImmutableCollectionError` if it is immutable."""
        if not self.mutable:
            raise exception.ImmutableCollectionError(self.collection)

    def __repr__(self) -> str:
        """Return a text with up to 5 loaded items; never query the server."""
        head, members = f"{type(self).__name__}({self.attribute.name})", self.collection.members
        items = self.loaded_items()
        if members and not items:
            return f"<{head} of {len(members)} item{'' if len(members) == 1 else 's'}>"
        return f"<{head} {{{_first_texts(items, _entry_text)}}}>"

    def _repr_html_(self) -> str:
        """Return the loaded items as HTML for notebooks, at most 20; never query the server."""
        # lazy: only notebooks need it
        from ftrack_like._values.html import entries_table

        title = f"{self.attribute.name} of {self.collection.entity!r}"
        return entries_table(title, self.loaded_items())

    def loaded_items(self) -> list[tuple[str, Value]]:
        """Return ``(key, value)`` of the items whose key is loaded; never query the server.

        The value is :data:`~ftrack_like.symbol.NOT_SET` if it is not loaded.
        """
        found: dict[str, Value] = {}
        for item in self.collection.members:
            values = known_values(item)
            key = self._shown_key(values.get(self.key_attribute))
            if key is not None:
                found[key] = values.get(self.value_attribute, NOT_SET)
        return list(found.items())

    def _shown_key(self, value: Value) -> Optional[str]:
        """Return the key for *value*, the key attribute of an item; None if it is not known."""
        return value if isinstance(value, str) else None

    def _ipython_key_completions_(self) -> list[str]:
        """Return the loaded keys, which IPython offers after ``metadata["``."""
        return [key for key, _ in self.loaded_items()]


def _entry_text(entry: tuple[str, Value]) -> str:
    """Return *entry*, a key and a value, as in a dictionary."""
    key, value = entry
    return f"{key!r}: {'…' if value is NOT_SET else repr(short_value(value))}"


class KeyValueMappedCollectionProxy(MappedCollectionProxy):
    """A mapping over entities with a key and a value, such as metadata."""

    def __init__(
        self,
        collection: Collection,
        creator: Creator,
        key_attribute: str,
        value_attribute: str,
    ) -> None:
        """Initialise over *collection*.

        *creator* creates a new item entity. It is called with the proxy and the values of the item,
        ``{key_attribute: key, value_attribute: value}``.
        """
        super().__init__(collection)
        self.creator = creator
        self.key_attribute = key_attribute
        self.value_attribute = value_attribute

    def _index(self, key: Value) -> int:
        """Return the position of the item with *key*; raise :exc:`KeyError` if it is missing."""
        name = self.key_attribute
        for index, item in enumerate(self.collection.loaded()):
            if item[name] == key:
                return index
        raise custom_attributes.missing_key(self, key) if self._is_dense else KeyError(key)

    @property
    def _is_dense(self) -> bool:
        """Whether the server adds items that the client did not set."""
        return getattr(self.collection.attribute, "is_dense", False)

    def __getitem__(self, key: Value) -> Value:
        """Return the value under *key*; raise :exc:`KeyError` if it is missing."""
        index = self._index(key)  # Call this first: it may load the members.
        return self.collection.members[index][self.value_attribute]

    def __setitem__(self, key: Value, value: Value) -> None:
        """Set *value* under *key*: in the item with *key*, or in a new item."""
        self._require_mutable()
        try:
            index = self._index(key)
        except KeyError:
            item = self.creator(self, {self.key_attribute: key, self.value_attribute: value})
            # In a dense collection, the item already exists on the server: send only its value.
            self.collection.place(len(self.collection), item, record=not self._is_dense)
        else:
            self.collection.members[index][self.value_attribute] = value

    def __delitem__(self, key: Value) -> None:
        """Remove the item with *key* and delete it; raise :exc:`KeyError` if it is missing."""
        index = self._index(key)
        item = self.collection[index]
        del self.collection[index]
        item.session.delete(item)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the keys without duplicates."""
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
    """A mapping over the custom attribute values of an older server.

    The keys are the keys of the configurations that apply to the entity. If no value is stored, the
    value is the default of the configuration.
    """

    def __init__(self, collection: Collection) -> None:
        """Initialise over the *collection* of stored values."""
        super().__init__(collection)
        self.key_attribute = "configuration_id"
        self.value_attribute = "value"

    def _configurations(self) -> dict[str, Entity]:
        """Return the configurations that apply to the entity by key."""
        return custom_attributes.applicable(self.collection.entity)

    def _shown_key(self, value: Value) -> Optional[str]:
        """Return the key of the configuration with the id *value*, if it is loaded."""
        return custom_attributes.known_keys(self.collection.entity.session).get(value)

    def get_configuration_id_from_key(self, key: str) -> Value:
        """Return the id of the configuration with *key*; raise :exc:`KeyError` if there is none."""
        return self._configuration(key)["id"]

    def _configuration(self, key: Value) -> Entity:
        """Return the configuration with *key*; raise :exc:`KeyError` if none applies."""
        found = self._configurations().get(key)
        if found is None:
            raise custom_attributes.missing_key(self, key)
        return found

    def _item(self, configuration_id: Value) -> Optional[Entity]:
        """Return the item entity with the stored value for *configuration_id*, or None."""
        item: Entity
        for item in self.collection:
            if item[self.key_attribute] == configuration_id:
                return item
        return None

    def __getitem__(self, key: Value) -> Value:
        """Return the value of the custom attribute *key*; raise :exc:`KeyError` if unknown."""
        configuration = self._configuration(key)
        item = self._item(configuration["id"])
        return configuration["default"] if item is None else item[self.value_attribute]

    def __setitem__(self, key: Value, value: Value) -> None:
        """Set the custom attribute *key* to *value*; raise :exc:`KeyError` if it is unknown."""
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
        """Delete the stored value of the custom attribute *key*; its default then applies.

        Do nothing if no value is stored; raise :exc:`KeyError` if *key* is unknown.
        """
        item = self._item(self.get_configuration_id_from_key(key))
        if item is not None:
            self.collection.remove(item)
            item.session.delete(item)

    def __eq__(self, collection: object) -> bool:
        """Return whether *collection* is a proxy over a collection with the same members."""
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
