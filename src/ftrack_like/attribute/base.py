"""Attributes with one value: scalars and references.

Reading an attribute is the most frequent operation of the library. So the fast path is short: look
for a local value, then for a remote value. Only if both are missing, auto-population may query the
server.

The loader stores remote values as they came in the JSON, and an attribute converts them at the
first read: dates to :class:`arrow.Arrow`, mappings with ``__entity_type__`` to entities. The
converted value replaces the raw one, so values that no program reads are never converted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception, inspection
from ftrack_like._base.collaborators import fetcher_of, identity_map_of, loader_of
from ftrack_like._base.ownership import own
from ftrack_like._base.seams import keeps_originals, original
from ftrack_like.attribute.storage import Storage, put
from ftrack_like.operation import record_update
from ftrack_like.symbol import NOT_SET
from ftrack_like.wire.values import decode_date

if TYPE_CHECKING:
    from arrow import Arrow

    from ftrack_like._base.types import Json, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["Attribute", "ReferenceAttribute", "ScalarAttribute", "merge_references"]


def merge_references(
    function: Callable[[Attribute, Entity], Value],
) -> Callable[[Attribute, Entity], Value]:
    """Decorate *function*, which returns the value of an attribute, to merge entities.

    *function* takes an attribute and an entity. If it returns an entity, the decorated function
    merges it into the session of the entity and returns the merged entity.
    """

    @functools.wraps(function)
    def get_value(attribute: Attribute, entity: Entity) -> Value:
        """Return the value, merged into the session of *entity*."""
        value = function(attribute, entity)
        if getattr(value, "entity_type", None) is None or value is entity:
            return value
        return entity.session.merge(value)

    return get_value


@keeps_originals
class Attribute:
    """A named value of the entities of one type."""

    #: Whether the value is an entity. It must belong to the same session.
    refers = False

    def __init__(
        self,
        name: str,
        default_value: Value = NOT_SET,
        mutable: bool = True,
        computed: bool = False,
    ) -> None:
        """Initialise the attribute *name*.

        *default_value* is the value of new entities, or a function that takes the entity and
        returns the value. If the attribute is not *mutable*, it can be set only while it has no
        value. If it is *computed*, the server computes the value.
        """
        self.default_value: Value = default_value
        self._computed = computed
        self._mutable = mutable
        self._name = name
        self._remote_key, self._local_key = "remote", "local"
        #: Whether a local value may be replaced without the checks of :meth:`set_local_value`.
        self.is_simple: bool = mutable and type(self).set_local_value is _SET_LOCAL_VALUE

    def __repr__(self) -> str:
        """Return the class and name of the attribute."""
        return f"<ftrack_like.attribute.{type(self).__name__}({self._name}) object at {id(self)}>"

    @property
    def name(self) -> str:
        """Return the name."""
        return self._name

    @property
    def mutable(self) -> bool:
        """Whether the value may be changed after it has been set."""
        return self._mutable

    @property
    def computed(self) -> bool:
        """Whether the server computes the value."""
        return self._computed

    @property
    def storage_keys(self) -> tuple[str, str]:
        """The keys of the local and the remote value in :class:`Storage`."""
        return self._local_key, self._remote_key

    def get_entity_storage(self, entity: Entity) -> Storage:
        """Return the values of *entity* as ``{attribute name: {"local": …, "remote": …}}``.

        It is a view: ``storage[name]["local"] = …`` sets the value without recording an operation.
        """
        return Storage(entity)

    def get_value(self, entity: Entity) -> Value:
        """Return the local value of *entity*, or else its remote value.

        If both are missing, query the server, provided that auto-population is on and the entity
        exists on the server. Return NOT_SET if there is no value.
        """
        value = self.get_local_value(entity)
        if value is NOT_SET:
            value = self.get_remote_value(entity)
        if value is NOT_SET and entity.may_populate(self._name):
            value = self.loaded(entity, self.get_remote_value)
        return value

    def loaded(self, entity: Entity, read: Callable[[Entity], Value]) -> Value:
        """Load the value of *entity*, and return the result of *read*, which takes the entity.

        Load it again if an event has dropped the value before it could be read.
        """
        identity_map = identity_map_of(entity.session)
        value: Value = NOT_SET
        for _ in range(_MOST_LOADS):
            number = identity_map.begin_reading()
            self.populate_remote_value(entity)
            value = read(entity)
            if value is not NOT_SET or identity_map.begin_reading() == number:
                break
        return value

    def get_local_value(self, entity: Entity) -> Value:
        """Return the uncommitted value that was set on *entity*, or NOT_SET."""
        local = entity.local_values
        return NOT_SET if local is None else local.get(self._name, NOT_SET)

    def get_remote_value(self, entity: Entity) -> Value:
        """Return the loaded value of *entity*, or NOT_SET; never query the server."""
        value = entity.remote_values.get(self._name, NOT_SET)
        if type(value) is dict or type(value) is list:
            value = _plain_value(value, entity.session)
            entity.remote_values[self._name] = value
        return value

    def sent_value(self, entity: Entity) -> Value:
        """Return the loaded value of *entity*, a collection as a plain list, or NOT_SET."""
        return self.get_remote_value(entity)

    def merged_local(self, entity: Entity, value: Value, merge: Callable[[Any], Any]) -> Value:
        """Return *value*, the local value of another copy of *entity*, passed through *merge*."""
        return merge(value)

    def set_local_value(self, entity: Entity, value: Value) -> None:
        """Set the local value of *entity* to *value* and record an update; NOT_SET undoes it.

        Raise :exc:`~ftrack_like.exception.ImmutableAttributeError` if the attribute is not
        mutable and has a value.
        """
        if self._is_refused(entity, value):
            return
        value = self.own(entity, value)
        local = entity.own_local_values()
        before = local.pop(self._name, NOT_SET)
        if value is not NOT_SET:
            local[self._name] = value
        if self._name in entity.primary_key_attributes:
            entity.known_identity = entity.fixed_key = None
        self._record(entity, before, value)

    def _record(self, entity: Entity, before: Value, value: Value) -> None:
        """Mark *entity* as changed and record the update from *before* to *value*."""
        entity.mark_dirty()
        session = entity.session
        if session.record_operations:
            record_update(
                session.recorded_operations,
                entity.entity_type,
                entity.operation_key(),
                self._name,
                before,
                value,
            )

    def _is_refused(self, entity: Entity, value: Value) -> bool:
        """Return whether setting *value* on *entity* changes nothing, so that it is skipped.

        Raise :exc:`~ftrack_like.exception.ImmutableAttributeError` if it must not be set.
        """
        if value is NOT_SET:
            return False
        if not self._mutable and self.is_set(entity):
            raise exception.ImmutableAttributeError(self)
        if entity.local_values is not None and self._name in entity.local_values:
            return False  # Setting it back to the remote value is a change of the local value.
        return self._name in entity.remote_values and self._is_known(entity, value)

    def _is_known(self, entity: Entity, value: Value) -> bool:
        """Return whether the remote value of *entity* is exactly *value*."""
        remote = self.get_remote_value(entity)
        if remote is NOT_SET:
            return False
        if remote is value:
            return True
        # Compare only values of one type: True == 1 and 1.0 == 1, but their JSON differs.
        return type(remote) is type(value) and bool(remote == value)

    def set_remote_value(self, entity: Entity, value: Value) -> None:
        """Set the remote value of *entity* to *value*; NOT_SET removes it."""
        put(entity.remote_values, self._name, self.own(entity, value))

    def own(self, entity: Entity, value: Value) -> Value:
        """Return *value* with its entities merged into the session of *entity*."""
        return value

    def populate_remote_value(self, entity: Entity) -> None:
        """Load the value of *entity*, also for the other entities of its load group."""
        fetcher_of(entity.session).lazy_load(entity, self._name, self.projection(entity))

    def projection(self, entity: Entity) -> str:
        """Return the projection of a query for the value."""
        return self._name

    def is_modified(self, entity: Entity) -> bool:
        """Return whether *entity* has a local value that differs from the remote one."""
        local = self.get_local_value(entity)
        return local is not NOT_SET and bool(local != self.get_remote_value(entity))

    def is_set(self, entity: Entity) -> bool:
        """Return whether *entity* has a value, local or remote."""
        local = entity.local_values
        return (local is not None and self._name in local) or self._name in entity.remote_values


#: How often a value is loaded if events drop it again and again.
_MOST_LOADS = 10

#: The classes of JSON values that contain others.
_CONTAINERS = frozenset({dict, list})

_SET_LOCAL_VALUE = original(Attribute, "set_local_value")


def _plain_value(value: Value, session: Session) -> Value:
    """Return *value* from the JSON with its dates decoded and its entities in the session."""
    if type(value) is dict:
        kind = value.get("__type__")
        if kind == "datetime" or kind == "date":  # noqa: PLR1714  # a server may send a list
            return _date(value.get("value"))
        if "__entity_type__" in value:
            return loader_of(session).load([value])[0]
        for key, inner in value.items():
            if type(inner) in _CONTAINERS:
                value[key] = _plain_value(inner, session)
    elif type(value) is list:
        for index, inner in enumerate(value):
            if type(inner) in _CONTAINERS and not _is_plain_mapping(inner):
                value[index] = _plain_value(inner, session)
    return value


def _is_plain_mapping(value: Json) -> bool:
    """Return whether *value* is a mapping of plain values, such as an item of a link.

    Programs read links again and again. To look at the values here takes half as long as to convert
    each in :func:`_plain_value`.
    """
    if type(value) is not dict or "__type__" in value or "__entity_type__" in value:
        return False
    for inner in value.values():  # noqa: SIM110 - a generator takes twice as long
        if type(inner) in _CONTAINERS:
            return False
    return True


def _date(text: Json) -> Optional[Arrow]:
    """Return the date *text*; raise ServerAnswerError if it is not a date."""
    try:
        return decode_date(text)
    except (TypeError, ValueError, OverflowError) as error:
        raise exception.ServerAnswerError(f"The server sent {text!r:.100} as a date.") from error


class ScalarAttribute(Attribute):
    """An attribute with one plain value."""

    def __init__(self, name: str, data_type: str, **kw: Value) -> None:
        """Initialise the attribute *name* of *data_type*.

        *data_type* is ``string``, ``integer``, ``float``, ``boolean``, ``datetime``, ``object``
        or ``variable``. *kw* is as for :class:`Attribute`.
        """
        super().__init__(name, **kw)
        self.data_type = data_type


@keeps_originals
class ReferenceAttribute(Attribute):
    """An attribute whose value is an entity or None."""

    refers = True

    def __init__(self, name: str, entity_type: str, **kw: Value) -> None:
        """Initialise the attribute *name* for entities of *entity_type*.

        *kw* is as for :class:`Attribute`.
        """
        super().__init__(name, **kw)
        self.entity_type = entity_type

    def get_value(self, entity: Entity) -> Value:
        """Return the entity that *entity* refers to, None, or NOT_SET if it is unknown."""
        return super().get_value(entity)

    def own(self, entity: Entity, value: Value) -> Value:
        """Return *value*, merged if it is an entity of another session."""
        try:
            if value.session is entity.session:
                return value
        except AttributeError:
            return value  # None, or an object of the program that is not an entity.
        return own(entity, value)

    def populate_remote_value(self, entity: Entity) -> None:
        """Load the referenced entity with its default projections."""
        super().populate_remote_value(entity)

    def projection(self, entity: Entity) -> str:
        """Return the default projections of the referenced type, such as ``"parent.name"``."""
        try:
            names = entity.session.types[self.entity_type].default_projections or ()
        except KeyError:  # A server may refer to a type without a schema.
            return self._name
        return ", ".join([f"{self._name}.{name}" for name in names]) or self._name

    def is_modified(self, entity: Entity) -> bool:
        """Return whether the local and the remote reference of *entity* differ."""
        local = self.get_local_value(entity)
        if local is NOT_SET:
            return False
        remote = self.get_remote_value(entity)
        if local is remote:
            return False
        if not local or not remote:  # None or NOT_SET
            return True
        return bool(inspection.identity(local) != inspection.identity(remote))
