"""Attributes: what a type's entities can hold, and how a value is read and written.

An entity keeps its values in two plain dictionaries by attribute name: what the server sent
and what was set here since. Attributes are shared by all entities of a type, and by sessions
whose servers have the same schema.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Optional

from ftrack_like import collection, exception, inspection
from ftrack_like.operation import UpdateEntityOperation
from ftrack_like.symbol import NOT_SET
from ftrack_like.wire.values import decode_date

__all__ = [
    "AbstractCollectionAttribute",
    "Attribute",
    "Attributes",
    "CollectionAttribute",
    "CustomAttributeCollectionAttribute",
    "KeyValueMappedCollectionAttribute",
    "ReferenceAttribute",
    "ScalarAttribute",
    "logger",
    "merge_references",
]

logger = logging.getLogger(__name__)


def merge_references(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return *function*, a reader of an attribute's value, so that it gives attached entities.

    *function* is called with an attribute and an entity. Entities in what it returns are
    replaced by those that the entity's session holds.
    """

    @functools.wraps(function)
    def get_value(attribute: Any, entity: Any) -> Any:
        """Return the value, merged into the session of *entity*."""
        value = function(attribute, entity)
        if getattr(value, "entity_type", None) is None or value is entity:
            return value
        return entity.session.merge(value)

    return get_value


class Attributes:
    """The attributes of a type, by name, in the schema's order."""

    def __init__(self, attributes: Optional[Iterable[Any]] = None) -> None:
        """Initialise with *attributes*."""
        super().__init__()
        self._data: dict[str, Any] = {}
        #: What the loader found out about records of these attributes.
        self._plans: dict[Any, Any] = {}
        for attribute in attributes or ():
            self.add(attribute)

    def _shared(self) -> Attributes:
        """Return a table with the same attributes; changing either leaves the other alone."""
        other = type(self)()
        other._data = self._data
        other._plans = self._plans
        return other

    def add(self, attribute: Any) -> None:
        """Add *attribute*.

        Raise :exc:`~ftrack_like.exception.NotUniqueError` if there is one of its name.
        """
        existing = self._data.get(attribute.name)
        if existing is not None:
            raise exception.NotUniqueError(
                f"There is an attribute {attribute.name!r} already: {existing!r}."
            )
        # Copied, not changed in place: other classes may share it.
        self._data = {**self._data, attribute.name: attribute}
        self._plans = {}

    def remove(self, attribute: Any) -> None:
        """Remove *attribute*; :exc:`KeyError` if there is none of its name."""
        remaining = dict(self._data)
        del remaining[attribute.name]
        self._data = remaining
        self._plans = {}

    def get(self, name: str) -> Any:
        """Return the attribute called *name*, or None."""
        return self._data.get(name)

    def _computed_names(self) -> frozenset[str]:
        """Return the names of those that the server works out."""
        names: Optional[frozenset[str]] = self._plans.get("computed")
        if names is None:
            names = frozenset(each.name for each in self._data.values() if each.computed)
            self._plans["computed"] = names
        return names

    def keys(self) -> list[str]:
        """Return a list of the names."""
        return list(self._data)

    def __contains__(self, item: Any) -> bool:
        """Return whether the attribute *item* is one of these."""
        return item in self._data.values()

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the attributes."""
        return iter(self._data.values())

    def __len__(self) -> int:
        """Return the number of attributes."""
        return len(self._data)


class _Slot(Mapping[str, Any]):
    """Both values of one attribute of one entity: ``{"local": …, "remote": …}``, writable."""

    def __init__(self, attribute: Any, entity: Any) -> None:
        """Initialise as a view of the values of *attribute* of *entity*."""
        self._attribute = attribute
        self._entity = entity

    def _values(self, key: str) -> dict[str, Any]:
        """Return the entity's dictionary that *key* stands for; :exc:`KeyError` for others."""
        if key == self._attribute._remote_key:
            values: dict[str, Any] = self._entity._remote
            return values
        if key == self._attribute._local_key:
            return self._entity._local_values()  # type: ignore[no-any-return]
        raise KeyError(key)

    def __getitem__(self, key: str) -> Any:
        """Return the local or remote value, NOT_SET where there is none."""
        return self._values(key).get(self._attribute.name, NOT_SET)

    def __setitem__(self, key: str, value: Any) -> None:
        """Set the local or remote value; NOT_SET removes it."""
        _put(self._values(key), self._attribute.name, value)
        if key == self._attribute._local_key:
            self._entity._mark_dirty()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the two keys."""
        return iter((self._attribute._local_key, self._attribute._remote_key))

    def __len__(self) -> int:
        """Return two."""
        return 2

    def __repr__(self) -> str:
        """Return the two values like a dictionary's text."""
        return repr(dict(self))


class _Storage(Mapping[str, Any]):
    """All values of one entity: ``{attribute name: {"local": …, "remote": …}}``, a live view."""

    def __init__(self, entity: Any) -> None:
        """Initialise as a view of the values of *entity*."""
        self._entity = entity

    def __getitem__(self, name: str) -> _Slot:
        """Return the two values of the attribute *name*; :exc:`KeyError` if there is no such."""
        attribute = self._entity.attributes.get(name)
        if attribute is None:
            raise KeyError(name)
        return _Slot(attribute, self._entity)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the attributes."""
        return iter(self._entity.attributes.keys())

    def __len__(self) -> int:
        """Return the number of attributes."""
        return len(self._entity.attributes)


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    """Set *name* in *values*, or remove it when *value* is NOT_SET."""
    if value is NOT_SET:
        values.pop(name, None)
    else:
        values[name] = value


class Attribute:
    """A named value of a type's entities."""

    def __init__(
        self,
        name: str,
        default_value: Any = NOT_SET,
        mutable: bool = True,
        computed: bool = False,
    ) -> None:
        """Initialise the attribute *name*.

        *default_value* is what new entities get, or a function that is called with the entity
        and returns it. One that is not *mutable* can be set while it has no value. A *computed*
        one is worked out by the server.
        """
        super().__init__()
        self._name = name
        self._mutable = mutable
        self._computed = computed
        self.default_value = default_value
        self._local_key = "local"
        self._remote_key = "remote"
        #: Whether one local value may follow another without further thought.
        self._is_simple = mutable and type(self).set_local_value is Attribute.set_local_value

    def __repr__(self) -> str:
        """Return the class and name of the attribute."""
        return f"<{type(self).__module__}.{type(self).__name__}({self._name}) object at {id(self)}>"

    @property
    def name(self) -> str:
        """Return the name."""
        return self._name

    @property
    def mutable(self) -> bool:
        """Return whether the value may be changed once it is set."""
        return self._mutable

    @property
    def computed(self) -> bool:
        """Return whether the server works the value out."""
        return self._computed

    def get_entity_storage(self, entity: Any) -> Any:
        """Return the values of *entity* as ``{attribute name: {"local": …, "remote": …}}``.

        It is a view: setting ``storage[name]["local"]`` sets the value, without a record.
        """
        return _Storage(entity)

    def get_value(self, entity: Any) -> Any:
        """Return the value of *entity*: the local one, else the remote one.

        An unset remote value is asked of the server first, if the session does so at present
        and the entity is known there. Return NOT_SET if there is none.
        """
        value = self.get_local_value(entity)
        if value is NOT_SET:
            value = self.get_remote_value(entity)
        if value is NOT_SET and entity._may_populate(self._name):
            self.populate_remote_value(entity)
            value = self.get_remote_value(entity)
        return value

    def get_local_value(self, entity: Any) -> Any:
        """Return the value set on *entity* and not committed yet, or NOT_SET."""
        local = entity._local
        return NOT_SET if local is None else local.get(self._name, NOT_SET)

    def get_remote_value(self, entity: Any) -> Any:
        """Return the value of *entity* that the server sent, or NOT_SET. Never ask for it."""
        value = entity._remote.get(self._name, NOT_SET)
        if type(value) is dict or type(value) is list:
            value = _plain_value(value, entity.session)
            entity._remote[self._name] = value
        return value

    def _remote_values(self, entity: Any) -> Any:
        """Return what the server sent for *entity*, collections as plain lists, or NOT_SET."""
        return self.get_remote_value(entity)

    def _adapt(self, entity: Any, value: Any) -> Any:
        """Return *value* in the form that *entity* holds it."""
        return value

    def set_local_value(self, entity: Any, value: Any) -> None:
        """Set the value of *entity* to *value*, to be committed; NOT_SET takes it back.

        Raise :exc:`~ftrack_like.exception.ImmutableAttributeError` if the attribute is not
        mutable and has a value.
        """
        if self._is_refused(entity, value):
            return
        local = entity._local_values()
        before = local.pop(self._name, NOT_SET)
        if value is not NOT_SET:
            local[self._name] = value
        if self._name in entity.primary_key_attributes:
            entity._key = entity._fixed_key = None
        self._record(entity, before, value)

    def _record(self, entity: Any, before: Any, value: Any) -> None:
        """Mark *entity* as changed here and record the update from *before* to *value*."""
        entity._mark_dirty()
        session = entity.session
        if session.record_operations:
            session.recorded_operations.push(
                UpdateEntityOperation(
                    entity.entity_type, entity._operation_key(), self._name, before, value
                )
            )

    def _is_refused(self, entity: Any, value: Any) -> bool:
        """Return whether setting *value* on *entity* would change nothing; raise if it may not."""
        if value is NOT_SET:
            return False
        if not self._mutable and self.is_set(entity):
            raise exception.ImmutableAttributeError(self)
        return self._name in entity._remote and self._is_known(entity, value)

    def _is_known(self, entity: Any, value: Any) -> bool:
        """Return whether the server holds exactly *value* for *entity* already."""
        remote = self.get_remote_value(entity)
        if remote is NOT_SET:
            return False
        if remote is value:
            return True
        # Only values of one type: True is no 1, and 1.0 travels otherwise than 1.
        return type(remote) is type(value) and bool(remote == value)

    def set_remote_value(self, entity: Any, value: Any) -> None:
        """Set the value of *entity* as if the server had sent *value*; NOT_SET forgets it."""
        _put(entity._remote, self._name, value)

    def populate_remote_value(self, entity: Any) -> None:
        """Ask the server for the value of *entity*, and for others that it comes with."""
        entity.session._loader.lazy_load(entity, self._name, self._projection(entity))

    def _projection(self, entity: Any) -> str:
        """Return what to project in a query for the value."""
        return self._name

    def is_modified(self, entity: Any) -> bool:
        """Return whether *entity* has a local value that differs from the remote one."""
        local = self.get_local_value(entity)
        return local is not NOT_SET and bool(local != self.get_remote_value(entity))

    def is_set(self, entity: Any) -> bool:
        """Return whether *entity* has a value, local or remote."""
        local = entity._local
        return (local is not None and self._name in local) or self._name in entity._remote


def _plain_value(value: Any, session: Any) -> Any:
    """Return the wire's *value* of a scalar with its dates read, and entities attached."""
    if isinstance(value, dict):
        if value.get("__type__") in {"datetime", "date"}:
            return decode_date(value.get("value"))
        if "__entity_type__" in value:
            return session._loader.load([value])[0]
        for key, inner in value.items():
            if isinstance(inner, (dict, list)):
                value[key] = _plain_value(inner, session)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if isinstance(inner, (dict, list)):
                value[index] = _plain_value(inner, session)
    return value


class ScalarAttribute(Attribute):
    """An attribute that holds one plain value."""

    def __init__(self, name: str, data_type: str, **kw: Any) -> None:
        """Initialise the attribute *name* of *data_type*.

        One of ``string``, ``integer``, ``float``, ``boolean``, ``datetime``, ``object`` and
        ``variable``. *kw* is as for :class:`Attribute`.
        """
        super().__init__(name, **kw)
        self.data_type = data_type


class ReferenceAttribute(Attribute):
    """An attribute that refers to one entity, or none."""

    def __init__(self, name: str, entity_type: str, **kw: Any) -> None:
        """Initialise the attribute *name* that refers to entities of *entity_type*.

        *kw* is as for :class:`Attribute`.
        """
        super().__init__(name, **kw)
        self.entity_type = entity_type

    def get_value(self, entity: Any) -> Any:
        """Return the entity that *entity* refers to, None, or NOT_SET where it is unknown."""
        return super().get_value(entity)

    def populate_remote_value(self, entity: Any) -> None:
        """Ask the server which entity is referred to, with its default projections."""
        super().populate_remote_value(entity)

    def _projection(self, entity: Any) -> str:
        """Return the default projections of the type referred to, through this attribute."""
        try:
            names = entity.session.types[self.entity_type].default_projections or ()
        except KeyError:  # Servers may refer to types that they give no schema of.
            return self._name
        return ", ".join([f"{self._name}.{name}" for name in names]) or self._name

    def is_modified(self, entity: Any) -> bool:
        """Return whether *entity* refers locally to another entity than remotely."""
        local = self.get_local_value(entity)
        if local is NOT_SET:
            return False
        remote = self.get_remote_value(entity)
        if local is remote:
            return False
        if not local or not remote:  # None or NOT_SET
            return True
        return bool(inspection.identity(local) != inspection.identity(remote))


class AbstractCollectionAttribute(Attribute):
    """An attribute that holds several entities. Concrete ones say as what."""

    #: The class of the values.
    collection_class: Any = None

    def get_value(self, entity: Any) -> Any:
        """Return the collection of *entity*, which may be changed if the attribute is mutable.

        It is made from the remote value on the first read, without a record, and follows the
        server until it is changed.
        """
        local = entity._local
        if local is not None and self._name in local:
            return local[self._name]
        members = entity._remote.get(self._name, NOT_SET)
        if members is NOT_SET and entity._may_populate(self._name):
            self.populate_remote_value(entity)
            members = entity._remote.get(self._name, NOT_SET)
        value = self._wrap(entity, self._members(entity, members), self._mutable)
        if members is not NOT_SET or entity._created:
            # Without a mark: a collection that was merely read is no change. One that is empty
            # because nothing was loaded is not kept, so that it can still be loaded later.
            entity._local_values()[self._name] = value
        return value

    def get_remote_value(self, entity: Any) -> Any:
        """Return a collection of what the server sent, which may not be changed, or NOT_SET."""
        members = entity._remote.get(self._name, NOT_SET)
        if members is NOT_SET:
            return NOT_SET
        return self._wrap(entity, self._members(entity, members), False)

    def _remote_values(self, entity: Any) -> Any:
        """Return the list of what the server sent for *entity*, or NOT_SET."""
        members = entity._remote.get(self._name, NOT_SET)
        return members if members is NOT_SET else self._members(entity, members)

    def _members(self, entity: Any, members: Any) -> list[Any]:
        """Return the remote *members* as a list of attached entities."""
        if members is NOT_SET or members is None:
            return []
        if isinstance(members, list):
            return members
        return list(_members_of(members))

    def _wrap(self, entity: Any, members: list[Any], mutable: bool) -> Any:
        """Return a value of :attr:`collection_class` over the list *members*."""
        return self._present(collection.Collection._trusted(entity, self, mutable, members))

    def _present(self, members: Any) -> Any:
        """Return the collection *members* in the form that readers get."""
        return members

    def set_local_value(self, entity: Any, value: Any) -> None:
        """Set the members of *entity* to those of *value*, to be committed.

        *value* is a list of entities, a collection, or None for none at all. Raise
        :exc:`~ftrack_like.exception.ImmutableAttributeError` if the attribute is not mutable.
        """
        if value is NOT_SET:
            before = self.get_local_value(entity)
            entity._local_values().pop(self._name, None)
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
        _base(adapted)._changed = True
        entity._local_values()[self._name] = adapted
        self._record(entity, local, self._snapshot(adapted))

    def _snapshot(self, value: Any) -> Any:
        """Return a copy of *value* as it is now, for an operation to keep."""
        return value.__copy__()

    def _is_known(self, entity: Any, value: Any) -> bool:
        """Return whether the server holds exactly the members of *value*, in this order."""
        members = entity._remote.get(self._name, NOT_SET)
        return isinstance(members, list) and members == list(_members_of(value))

    def _adapt(self, entity: Any, value: Any) -> Any:
        """Return *value* as a collection that belongs to *entity*."""
        if value is None:
            return self._wrap(entity, [], True)
        members = _members_of(value)
        if members is None:
            raise NotImplementedError(
                f"A value of the type {type(value).__name__} cannot be set on {self._name!r}, "
                f"which holds several entities: {value!r}."
            )
        base = _base(value)
        if (
            base is not None
            and base.entity is entity
            and base.mutable
            and isinstance(value, self.collection_class)
        ):
            return value
        return self._present(collection.Collection(entity, self, True, members))

    def set_remote_value(self, entity: Any, value: Any) -> None:
        """Set the members of *entity* as if the server had sent *value*; NOT_SET forgets them.

        A collection that was read but not changed shows the new members.
        """
        if value is NOT_SET:
            entity._remote.pop(self._name, None)
            return
        members = [] if value is None else _members_of(value)
        if members is None:
            raise NotImplementedError(
                f"A value of the type {type(value).__name__} cannot be the members of "
                f"{self._name!r}: {value!r}."
            )
        entity._remote[self._name] = list(members)
        self._refresh(entity)

    def _refresh(self, entity: Any) -> None:
        """Let the local collection of *entity*, if it has no changes, follow the remote one."""
        local = self.get_local_value(entity)
        if local is not NOT_SET:
            _base(local)._follow(entity._remote[self._name])

    def is_modified(self, entity: Any) -> bool:
        """Return whether *entity* has a local collection with other members than remotely."""
        local = self.get_local_value(entity)
        if local is NOT_SET or not _base(local)._changed:
            return False
        remote = self.get_remote_value(entity)
        return remote is NOT_SET or bool(_base(local) != _base(remote))


def _base(value: Any) -> Any:
    """Return the collection in *value*, itself or what it stands for; None for other values."""
    if isinstance(value, collection.MappedCollectionProxy):
        return value.collection
    return value if isinstance(value, collection.Collection) else None


def _members_of(value: Any) -> Any:
    """Return the entities of *value* as an iterable, or None if it holds none by its type."""
    base = _base(value)
    if base is not None:
        return base._data
    return value if isinstance(value, (list, tuple, set, frozenset)) else None


class CollectionAttribute(AbstractCollectionAttribute):
    """An attribute that holds several entities as a list."""

    collection_class = collection.Collection


class _MappedCollectionAttribute(AbstractCollectionAttribute):
    """An attribute that holds several entities as a dictionary."""

    def _adapt(self, entity: Any, value: Any) -> Any:
        """Return *value* as a proxy of *entity*; a mapping changes the present one to match."""
        if not isinstance(value, Mapping) or isinstance(value, collection.MappedCollectionProxy):
            return super()._adapt(entity, value)
        proxy = self.get_value(entity)
        proxy.update(value)  # First, so that a key that cannot be set leaves all as it was.
        for key in list(proxy):
            if key not in value:
                del proxy[key]
        return proxy

    def set_local_value(self, entity: Any, value: Any) -> None:
        """Set the items of *entity* to those of *value*, to be committed.

        *value* is a mapping, a list of item entities, a collection, or None for no item.
        """
        if isinstance(value, Mapping) and not isinstance(value, collection.MappedCollectionProxy):
            if not self._mutable:
                raise exception.ImmutableAttributeError(self)
            self._adapt(entity, value)  # Its changes record themselves.
            return
        super().set_local_value(entity, value)


class KeyValueMappedCollectionAttribute(_MappedCollectionAttribute):
    """An attribute that holds key and value entities as a dictionary: metadata, for one."""

    collection_class = collection.KeyValueMappedCollectionProxy

    def __init__(
        self, name: str, creator: Any, key_attribute: str, value_attribute: str, **kw: Any
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

    def _present(self, members: Any) -> Any:
        """Return the collection *members* as a dictionary of its keys and values."""
        return self.collection_class(
            members, self.creator, self.key_attribute, self.value_attribute
        )


class CustomAttributeCollectionAttribute(_MappedCollectionAttribute):
    """An attribute that holds the custom attribute values of an older server as a dictionary."""

    collection_class = collection.CustomAttributeCollectionProxy

    def _present(self, members: Any) -> Any:
        """Return the collection *members* as a dictionary by configuration key."""
        return self.collection_class(members)
