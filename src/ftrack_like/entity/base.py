"""The base of all entity classes.

An entity has two plain dictionaries by attribute name. ``remote_values`` contains the values from
the server. ``local_values`` contains the values that the program has set since. An attribute in
neither dictionary is not loaded.

``remote_values`` is the dictionary that the JSON decoder created, without a copy. Its values are
converted only when they are first read, so that loading values that no program reads stays cheap.
Until then, dates are mappings and collections are plain lists.

Reading and setting an attribute are the hottest paths of the library. So ``__getitem__`` and
``__setitem__`` repeat some code of the attributes, with the measured gain in a comment.
"""

from __future__ import annotations

import abc
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, KeysView, MutableMapping
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from ftrack_like import exception, inspection
from ftrack_like._base.callers import warn_at_caller
from ftrack_like._base.ownership import own
from ftrack_like._base.seams import keeps_originals
from ftrack_like._base.suggest import Suggestion, did_you_mean
from ftrack_like._values.labels import entity_text, known_values
from ftrack_like.attribute import ReferenceAttribute, ScalarAttribute
from ftrack_like.attribute.hint import AttributeHint
from ftrack_like.collection import Collection, MappedCollectionProxy
from ftrack_like.operation import PUSH, CreateEntityOperation, Operations, record_update
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import EntityData, Value
    from ftrack_like._session.load_groups import LoadGroup
    from ftrack_like._session.merging import MergeRecord
    from ftrack_like.attribute import Attribute, Attributes
    from ftrack_like.session import Session

__all__ = ["PLAIN", "AnyEntity", "DynamicEntityTypeMetaclass", "Entity"]


#: The classes of plain values: they are not entities and do not contain entities.
PLAIN = frozenset({str, int, float, bool, type(None)})


class _ClassLogger:
    """A logger named after the class of the entity; an instance may set another logger."""

    def __get__(self, instance: object, owner: type) -> logging.Logger:
        """Return the logger of the class *owner*."""
        return logging.getLogger(f"{__name__}.{owner.__name__}")


class _EntityBase:
    """The base of entities and location mixins, for ``isinstance``.

    ``isinstance`` is slower for :class:`Entity`, because it is an abstract class.
    """

    __slots__ = ()

    entity_type: str
    attributes: Attributes
    primary_key_attributes: list[str]
    default_projections: list[str]
    session: Session
    remote_values: dict[str, Any]
    local_values: Optional[dict[str, Any]]
    #: The identity as text; None until it is computed.
    known_identity: Optional[str]
    #: The primary key that all operations on the entity share; None before the first operation.
    fixed_key: Optional[OrderedDict[str, Any]]
    #: The load group of the entity, or None.
    load_group: Optional[LoadGroup]
    #: Whether its creation is recorded and not committed. Then it does not exist on the server.
    is_created: bool
    #: The keys of the data that are not attributes, if the entity is new.
    ignored_names: tuple[str, ...] = ()


class DynamicEntityTypeMetaclass(abc.ABCMeta):
    """The metaclass of entity classes, which are created from schemas at run time."""

    def __repr__(self) -> str:
        """Return a text with the name of the class."""
        return f"<dynamic ftrack class {self.__name__!r}>"


class _Names(KeysView[str]):
    """The names of the attributes of an entity, as its keys."""

    _mapping: Entity

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._mapping.attributes.by_name)

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._mapping.attributes.by_name)


#: Members that only other parts of this package use.
_INTERNAL_NAMES = frozenset(
    {
        "adopt",
        "fixed_key",
        "forget_local_values",
        "ignored_names",
        "is_created",
        "known_identity",
        "load_group",
        "local_values",
        "mark_dirty",
        "may_populate",
        "operation_key",
        "own_local_values",
        "read_through_attribute",
        "remember_identity",
        "remote_values",
    }
)


@keeps_originals
class Entity(_EntityBase, MutableMapping[str, Any], metaclass=DynamicEntityTypeMetaclass):
    """An entity: a mapping of attribute names to values.

    Reading a value that is not loaded queries the server, unless auto-population is off.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "fixed_key",
        "is_created",
        "known_identity",
        "load_group",
        "local_values",
        "remote_values",
        "session",
    )

    entity_type: str = "Entity"
    # Each class from a schema sets these. This class has no instances without a subclass.
    attributes: Attributes = None  # type: ignore[assignment]
    primary_key_attributes: list[str] = None  # type: ignore[assignment]
    default_projections: list[str] = None  # type: ignore[assignment]
    logger: _ClassLogger = _ClassLogger()

    def __init__(
        self, session: Session, data: Optional[EntityData] = None, reconstructing: bool = False
    ) -> None:
        """Initialise an entity of *session* with *data*, ``{attribute name: value}``.

        With *reconstructing*, *data* are values from the server. Otherwise the entity is new: it
        gets the defaults of the schema, and its creation is recorded for the next commit.
        """
        super().__init__()
        self.session: Session = session
        self.remote_values: dict[str, Any] = {}
        self.local_values: Optional[dict[str, Any]] = None
        self.known_identity: Optional[str] = None
        self.fixed_key: Optional[OrderedDict[str, Any]] = None
        self.load_group: Optional[LoadGroup] = None
        self.is_created: bool = False
        if reconstructing:
            self._reconstruct({} if data is None else data)
        else:
            self._construct({} if data is None else data)

    def _construct(self, data: EntityData) -> None:
        """Set the values of the new entity from *data* and the defaults; record its creation."""
        scalars, others = self._split(data)
        for name, default in self._defaults():
            if scalars.get(name, NOT_SET) is NOT_SET:
                scalars[name] = default(self) if callable(default) else default
        self.local_values = scalars
        self.mark_dirty()
        session = self.session
        if session.record_operations:
            key = self.operation_key()
            self.is_created = True
            self.known_identity = f"({self.entity_type!r}, {list(key.values())!r})"
            session.recorded_operations.push(
                CreateEntityOperation(self.entity_type, key, dict(scalars))
            )
        for name, value in others.items():
            self[name] = value

    def _split(self, data: EntityData) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the scalars and the other values of *data*; skip unknown names with a warning."""
        scalars, others = {}, {}
        attributes = self.attributes.by_name
        for name, value in data.items():
            attribute = attributes.get(name)
            if isinstance(attribute, ScalarAttribute):
                if value is not NOT_SET:
                    scalars[name] = value
            elif attribute is not None:
                others[name] = value
            elif name != "__entity_type__":
                self.ignored_names: tuple[str, ...] = (*self.ignored_names, str(name))
                hint = did_you_mean(name, attributes)
                warn_at_caller(
                    f"{self.entity_type} has no attribute {name!r}; its value is ignored. "
                    f"{hint}".rstrip(),
                    exception.UnknownAttributeWarning,
                )
        return scalars, others

    @classmethod
    def _defaults(cls) -> list[tuple[str, Any]]:
        """Return the names and defaults of the scalar attributes with a default."""
        table = cls.attributes
        found: Optional[list[tuple[str, Any]]] = table.plans.get("defaults")
        if found is None:
            found = [
                (attribute.name, attribute.default_value)
                for attribute in table
                if isinstance(attribute, ScalarAttribute) and attribute.default_value is not NOT_SET
            ]
            table.plans["defaults"] = found
        return found

    def _reconstruct(self, data: EntityData) -> None:
        """Set the remote values from *data*; skip unknown names."""
        for name, value in data.items():
            attribute = self.attributes.get(name)
            if attribute is not None:
                attribute.set_remote_value(self, value)

    def own_local_values(self) -> dict[str, Any]:
        """Return the dictionary of local values; create it if there is none."""
        if self.local_values is None:
            self.local_values = {}
        return self.local_values

    def mark_dirty(self) -> None:
        """Register this entity in the session as having local values to commit or roll back."""
        dirty = self.session._identity_map.dirty  # noqa: SLF001 - a call is a tenth more
        dirty.entities_by_number[id(self)] = self

    def operation_key(self) -> OrderedDict[str, Any]:
        """Return the primary key, which all operations on the entity share."""
        key = self.fixed_key
        if key is None:
            key = self.fixed_key = inspection.primary_key(self)
        return key

    def adopt(self, members: Collection) -> None:
        """Record that the collection *members* of this entity has changed."""
        local = self.own_local_values()
        if members.attribute.name not in local:
            # The program still has a collection from before a commit. It becomes the value again.
            local[members.attribute.name] = members.attribute.present(members)
        self.mark_dirty()

    def may_populate(self, name: str) -> bool:
        """Return whether reading the attribute *name* may query the server."""
        return (
            not self.is_created
            and name not in self.primary_key_attributes
            and bool(self.session.auto_populate)
        )

    def forget_local_values(self) -> None:
        """Remove the local values, after a commit or rollback; keep the primary key.

        Collections of the program stay in use and show the remote members.
        """
        kept = {}
        local = self.local_values or {}
        for name in self.primary_key_attributes:
            if name in local:
                self.remote_values.setdefault(name, local[name])
        for name, value in local.items():
            if type(value) in PLAIN or isinstance(value, _EntityBase):
                continue
            members = value.collection if isinstance(value, MappedCollectionProxy) else value
            if isinstance(members, Collection):
                held = self.remote_values.get(name)
                if members.is_changed and members.attribute.is_dense:
                    # The answer to a commit contains only the items that the client sent. The
                    # server has more items. The collection shows the sent items until it is loaded.
                    self.remote_values.pop(name, None)
                    members.must_load = True
                members.is_changed = False
                members.follow(held or [])
                if name in self.remote_values or members.must_load:
                    kept[name] = value
        self.local_values = kept or None
        self.is_created = False

    def forget_loaded(self, names: Iterable[str]) -> None:
        """Remove the remote values of *names*; the next read loads them. Local changes stay.

        Collections of the program stay in use, and load their members at the next read.
        """
        for name in names:
            self.remote_values.pop(name, None)
            value = None if self.local_values is None else self.local_values.get(name)
            members = value.collection if isinstance(value, MappedCollectionProxy) else value
            if isinstance(members, Collection):
                members.must_load = True

    def __getitem__(self, key: str) -> Value:
        """Return the value of the attribute *key*.

        If it is not loaded, query the server, provided that auto-population is on. Return NOT_SET
        if there is no value. Raise :exc:`KeyError` if there is no such attribute.
        """
        # The hottest path of most programs: return loaded values directly. Only values that are
        # missing or not yet converted go through the attribute.
        local = self.local_values
        if local is not None and key in local:
            return local[key]
        try:
            value = self.remote_values[key]
        except KeyError:
            return self._attribute(key).get_value(self)
        class_ = type(value)  # Half the time of isinstance.
        if class_ is dict or class_ is list:
            return self._attribute(key).get_value(self)
        return value

    def read_through_attribute(self, key: str) -> Value:
        """Return the value of *key* from its attribute; for types whose attributes override it."""
        return self._attribute(key).get_value(self)

    def __setitem__(self, key: str, value: Value) -> None:
        """Set the attribute *key* to *value* and record an update for the next commit.

        Raise :exc:`KeyError` if there is no such attribute, and
        :exc:`~ftrack_like.exception.ImmutableAttributeError` if it is immutable.
        """
        attribute = self.attributes.by_name.get(key)
        local = self.local_values
        if attribute is None or not attribute.is_simple or value is NOT_SET:
            self._attribute(key).set_local_value(self, value)
            return
        # Set simple values here: the same as Attribute.set_local_value in a quarter of the time.
        session = self.session
        if local is not None and key in local:
            if attribute.refers:
                try:
                    is_own = value.session is session
                except AttributeError:  # For an entity, faster than getattr with a default.
                    is_own = False
                if not is_own:
                    value = own(self, value)
            before = local[key]
        elif value.__class__ in PLAIN:
            before = NOT_SET
            known = self.remote_values.get(key, NOT_SET)
            if known is value or (known.__class__ is value.__class__ and known == value):
                return
            if local is None:
                local = self.local_values = {}
            self.mark_dirty()
        else:
            attribute.set_local_value(self, value)
            return
        if session.record_operations:
            entity_key = self.fixed_key or self.operation_key()
            update = (self.entity_type, entity_key, key, before, value)
            operations = session.recorded_operations
            if (  # The same as record_update; a call would take a tenth more.
                type(operations) is Operations
                and Operations.push is PUSH
                and "push" not in operations.__dict__
            ):
                operations._stack.append(update)  # noqa: SLF001 - a call is a tenth more
            else:
                record_update(operations, *update)
        local[key] = value

    def __delitem__(self, key: str) -> None:
        """Undo the local value of the attribute *key*; raise :exc:`KeyError` if it is unknown."""
        self._attribute(key).set_local_value(self, NOT_SET)

    def _attribute(self, key: str) -> Attribute:
        """Return the attribute *key*; raise :exc:`KeyError` with a suggestion if it is unknown."""
        attribute = self.attributes.by_name.get(key)
        if attribute is None:
            hint: Any = Suggestion(str(key), self.attributes.keys())
            raise exception.UnknownAttributeError(key, self.entity_type, suggestion=hint) from None
        return attribute

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of all attributes."""
        return iter(self.attributes.by_name)

    def __len__(self) -> int:
        """Return the number of attributes."""
        return len(self.attributes.by_name)

    def __contains__(self, key: object) -> bool:
        """Return whether there is an attribute *key*; never query the server."""
        return key in self.attributes.by_name

    def keys(self) -> KeysView[str]:
        """Return a view of the names of all attributes."""
        return _Names(self)

    def get(self, key: str, default: Optional[Value] = None) -> Value:
        """Return the value of the attribute *key*, or *default* if there is no such attribute."""
        return self[key] if key in self.attributes.by_name else default

    def items(self) -> list[tuple[str, Value]]:  # type: ignore[override]
        """Return a list of ``(attribute name, value)``; load missing values in one query."""
        self._populate_unset_attributes()
        return [(name, self[name]) for name in self]

    def values(self) -> list[Value]:  # type: ignore[override]
        """Return a list of the values; load missing values in one query."""
        self._populate_unset_attributes()
        return [self[name] for name in self]

    def clear(self) -> None:
        """Undo all local values that differ from the remote values."""
        for name in list(self.local_values or ()):
            if self.attributes.lookup(name).is_modified(self):
                del self[name]

    def __hash__(self) -> int:
        """Return the hash of the identity."""
        return hash(self.known_identity or self.remember_identity())

    def __eq__(self, other: object) -> bool:
        """Return whether *other* is an entity with the same identity."""
        if other is self:
            return True
        if isinstance(other, Entity):
            return (self.known_identity or self.remember_identity()) == (
                other.known_identity or other.remember_identity()
            )
        try:
            return bool(inspection.identity(cast("Entity", other)) == inspection.identity(self))
        except (AttributeError, KeyError, TypeError):
            return False  # The object has no identity, so it is not an entity.

    def remember_identity(self) -> str:
        """Compute the identity as text, store it and return it."""
        self.known_identity = str(inspection.identity(self))
        return self.known_identity

    def __str__(self) -> str:
        """Return the type and primary key, ``<Task(0a1b…)>``; never query the server."""
        values = ", ".join([str(value) for value in inspection.primary_key(self).values()])
        return f"<{self.entity_type}({values})>"

    def __repr__(self) -> str:
        """Return the type, name, path and key, as far as they are loaded; never query the server.

        For example ``<Task 'lighting' show/sq010/sh020/lighting id=0a1b…>``.
        """
        try:
            key = self.primary_key_attributes or ()
            return entity_text(self.entity_type, known_values(self), key, self._pending_state())
        except Exception:  # A half-built entity in a debugger, or a broken class of a program.
            return f"<{type(self).__name__}, incomplete>"

    def _pending_state(self) -> str:
        """Return the pending creation or deletion of this entity in words, "" for neither."""
        if getattr(self, "is_created", False):
            return "not committed"
        operations = getattr(getattr(self, "session", None), "recorded_operations", None)
        if isinstance(operations, Operations) and len(operations):
            values = known_values(self)
            key = [values.get(name) for name in self.primary_key_attributes or ()]
            if operations.has_deletion(self.entity_type, key):
                return "to be deleted"
        return ""

    def _repr_html_(self) -> str:
        """Return the loaded values as HTML for notebooks; never query the server."""
        # lazy: only notebooks need it
        from ftrack_like._values.html import entity_table

        values = known_values(self)
        names = sorted(values, key=lambda name: (self._rank(name), name))
        return entity_table(repr(self), values, names, self._changed_names())

    def _changed_names(self) -> list[str]:
        """Return the attributes whose values in this entity are not committed; load nothing.

        The list is empty for a new entity, whose representation says so for all values.
        """
        if getattr(self, "is_created", False):
            return []
        try:
            names = list(self.local_values or ())
            return [name for name in names if self.attributes.lookup(name).is_modified(self)]
        except Exception:  # A half-built entity, or a broken class of a program.
            return []

    def __dir__(self) -> list[str]:
        """Return the names that consoles offer, without those for this package."""
        hints = {
            name
            for class_ in type(self).__mro__
            for name, value in vars(class_).items()
            if isinstance(value, AttributeHint)
        }
        return sorted(set(super().__dir__()) - _INTERNAL_NAMES - hints.difference(self.__dict__))

    def _ipython_key_completions_(self) -> list[str]:
        """Return the names of the attributes, which IPython offers after ``entity["``."""
        return list(self.attributes.by_name)

    def _rank(self, name: str) -> int:
        """Return the position of the attribute *name*: key, then scalars, then others."""
        if name in self.primary_key_attributes:
            return 0
        attribute = self.attributes.get(name)
        return 1 if isinstance(attribute, ScalarAttribute) else 2

    def merge(self, entity: Entity, merged: Optional[MergeRecord] = None) -> list[dict[str, Any]]:
        """Copy the values of *entity*, another object for the same entity, to this one.

        References and members are merged into the session as well; *merged* is the record of the
        entities that the session has merged so far. Local changes of this entity have precedence
        over those of another session. Return the changes:
        ``[{"type": "local_attribute" | "remote_attribute", "name", "old_value", "new_value"}]``.

        Raise :exc:`~ftrack_like.exception.ImmutableAttributeError` if the primary keys differ.
        """
        session_merge = self.session.merge
        merged = {} if merged is None else merged

        def merge(value: Value) -> Value:
            return session_merge(value, merged)

        changes: list[dict[str, Any]] = []
        for name in list({**entity.remote_values, **(entity.local_values or {})}):
            own, other = self.attributes.get(name), entity.attributes.get(name)
            if own is not None and other is not None:
                self._merge_local(own, other, entity, merge, changes)
                self._merge_remote(own, other, entity, merge, changes)
        return changes

    def _merge_local(
        self,
        own: Attribute,
        other: Attribute,
        entity: Entity,
        merge: Callable[[Value], Value],
        changes: list[dict[str, Any]],
    ) -> None:
        """Copy the local value of *other* of *entity* to *own*, if it is a change."""
        # Keep a local change of this session: its operation is recorded and will be committed.
        is_kept = entity.session is not self.session and own.is_modified(self)
        if is_kept or not other.is_modified(entity):
            return
        before = own.get_local_value(self)
        value = own.merged_local(self, other.get_local_value(entity), merge)
        if before is NOT_SET or before != value:
            # Record no operation: the operation on the other object has already been recorded.
            self.own_local_values()[own.name] = value
            self.mark_dirty()
            changes.append(_change("local_attribute", own.name, before, value))

    def _merge_remote(
        self,
        own: Attribute,
        other: Attribute,
        entity: Entity,
        merge: Callable[[Value], Value],
        changes: list[dict[str, Any]],
    ) -> None:
        """Copy the remote value of *other* of *entity* to *own*, if it differs."""
        value = other.sent_value(entity)
        if value is NOT_SET:
            return
        value = merge(value)
        before = own.sent_value(self)
        if before is value or (before is not NOT_SET and before == value):
            return
        if before is not NOT_SET and own.name in self.primary_key_attributes:
            raise exception.ImmutableAttributeError(own)
        own.set_remote_value(self, value)
        changes.append(_change("remote_attribute", own.name, before, value))

    def _populate_unset_scalar_attributes(self) -> None:
        """Load all scalar attributes without a value in one query."""
        self._populate_unset_attributes(ScalarAttribute)

    def _populate_unset_attributes(
        self,
        kind: Union[type[Attribute], tuple[type[Attribute], ...]] = (
            ScalarAttribute,
            ReferenceAttribute,
        ),
    ) -> None:
        """Load all attributes of *kind* without a value in one query."""
        missing = [
            attribute
            for attribute in self.attributes
            if isinstance(attribute, kind)
            and not attribute.is_set(self)
            and self.may_populate(attribute.name)
        ]
        if missing:
            projections = ", ".join([attribute.projection(self) for attribute in missing])
            self.session.populate([self], projections)


if TYPE_CHECKING:
    AnyEntity = Entity
else:
    #: The class for :func:`isinstance`, which is slow for :class:`Entity`, an abstract class.
    AnyEntity = _EntityBase


def _change(kind: str, name: str, before: Value, after: Value) -> dict[str, Any]:
    """Return the description of a change that a merge made."""
    return {"type": kind, "name": name, "old_value": before, "new_value": after}
