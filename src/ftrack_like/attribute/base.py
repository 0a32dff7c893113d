"""Attributes that hold one value."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception, inspection
from ftrack_like._collaborators import loader_of
from ftrack_like._ownership import own
from ftrack_like._seams import keeps_originals, original
from ftrack_like.attribute.storage import Storage, put
from ftrack_like.operation import record_update
from ftrack_like.symbol import NOT_SET
from ftrack_like.wire.values import decode_date

if TYPE_CHECKING:
    from arrow import Arrow

    from ftrack_like._types import Json, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["Attribute", "ReferenceAttribute", "ScalarAttribute", "merge_references"]


def merge_references(
    function: Callable[[Attribute, Entity], Value],
) -> Callable[[Attribute, Entity], Value]:
    """Return *function*, a reader of an attribute's value, so that it gives attached entities.

    *function* is called with an attribute and an entity. Entities in what it returns are
    replaced by those that the entity's session holds.
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
    """A named value of a type's entities."""

    #: Whether the value is an entity, which has to be one of the same session.
    refers = False

    def __init__(
        self,
        name: str,
        default_value: Value = NOT_SET,
        mutable: bool = True,
        computed: bool = False,
    ) -> None:
        """Initialise the attribute *name*.

        *default_value* is what new entities get, or a function that is called with the entity
        and returns it. One that is not *mutable* can be set while it has no value. A *computed*
        one is worked out by the server.
        """
        self.default_value: Value = default_value
        self._computed = computed
        self._mutable = mutable
        self._name = name
        self._remote_key, self._local_key = "remote", "local"
        #: Whether one local value may follow another without further thought.
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
        """Return whether the value may be changed once it is set."""
        return self._mutable

    @property
    def computed(self) -> bool:
        """Return whether the server works the value out."""
        return self._computed

    @property
    def storage_keys(self) -> tuple[str, str]:
        """The keys of the local and the remote value in a storage of an entity."""
        return self._local_key, self._remote_key

    def get_entity_storage(self, entity: Entity) -> Storage:
        """Return the values of *entity* as ``{attribute name: {"local": …, "remote": …}}``.

        It is a view: setting ``storage[name]["local"]`` sets the value, without a record.
        """
        return Storage(entity)

    def get_value(self, entity: Entity) -> Value:
        """Return the value of *entity*: the local one, else the remote one.

        An unset remote value is asked of the server first, if the session does so at present
        and the entity is known there. Return NOT_SET if there is none.
        """
        value = self.get_local_value(entity)
        if value is NOT_SET:
            value = self.get_remote_value(entity)
        if value is NOT_SET and entity.may_populate(self._name):
            self.populate_remote_value(entity)
            value = self.get_remote_value(entity)
        return value

    def get_local_value(self, entity: Entity) -> Value:
        """Return the value set on *entity* and not committed yet, or NOT_SET."""
        local = entity.local_values
        return NOT_SET if local is None else local.get(self._name, NOT_SET)

    def get_remote_value(self, entity: Entity) -> Value:
        """Return the value of *entity* that the server sent, or NOT_SET. Never ask for it."""
        value = entity.remote_values.get(self._name, NOT_SET)
        if type(value) is dict or type(value) is list:
            value = _plain_value(value, entity.session)
            entity.remote_values[self._name] = value
        return value

    def sent_value(self, entity: Entity) -> Value:
        """Return what the server sent for *entity*, collections as plain lists, or NOT_SET."""
        return self.get_remote_value(entity)

    def merged_local(self, entity: Entity, value: Value, merge: Callable[[Any], Any]) -> Value:
        """Return the local *value* of another copy of *entity*, passed through *merge*."""
        return merge(value)

    def set_local_value(self, entity: Entity, value: Value) -> None:
        """Set the value of *entity* to *value*, to be committed; NOT_SET takes it back.

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
        """Mark *entity* as changed here and record the update from *before* to *value*."""
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
        """Return whether setting *value* on *entity* would change nothing; raise if it may not."""
        if value is NOT_SET:
            return False
        if not self._mutable and self.is_set(entity):
            raise exception.ImmutableAttributeError(self)
        if entity.local_values is not None and self._name in entity.local_values:
            return False  # It may be set back to what the server holds.
        return self._name in entity.remote_values and self._is_known(entity, value)

    def _is_known(self, entity: Entity, value: Value) -> bool:
        """Return whether the server holds exactly *value* for *entity* already."""
        remote = self.get_remote_value(entity)
        if remote is NOT_SET:
            return False
        if remote is value:
            return True
        # Only values of one type: True is no 1, and 1.0 travels otherwise than 1.
        return type(remote) is type(value) and bool(remote == value)

    def set_remote_value(self, entity: Entity, value: Value) -> None:
        """Set the value of *entity* as if the server had sent *value*; NOT_SET forgets it."""
        put(entity.remote_values, self._name, self.own(entity, value))

    def own(self, entity: Entity, value: Value) -> Value:
        """Return *value* with no entity of another session in it than that of *entity*."""
        return value

    def populate_remote_value(self, entity: Entity) -> None:
        """Ask the server for the value of *entity*, and for others that it comes with."""
        loader_of(entity.session).lazy_load(entity, self._name, self.projection(entity))

    def projection(self, entity: Entity) -> str:
        """Return what to project in a query for the value."""
        return self._name

    def is_modified(self, entity: Entity) -> bool:
        """Return whether *entity* has a local value that differs from the remote one."""
        local = self.get_local_value(entity)
        return local is not NOT_SET and bool(local != self.get_remote_value(entity))

    def is_set(self, entity: Entity) -> bool:
        """Return whether *entity* has a value, local or remote."""
        local = entity.local_values
        return (local is not None and self._name in local) or self._name in entity.remote_values


_SET_LOCAL_VALUE = original(Attribute, "set_local_value")


def _plain_value(value: Value, session: Session) -> Value:
    """Return the wire's *value* of a scalar with its dates read, and entities attached."""
    if isinstance(value, dict):
        kind = value.get("__type__")
        if kind == "datetime" or kind == "date":  # noqa: PLR1714  # a server may send a list
            return _date(value.get("value"))
        if "__entity_type__" in value:
            return loader_of(session).load([value])[0]
        for key, inner in value.items():
            if isinstance(inner, (dict, list)):
                value[key] = _plain_value(inner, session)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if isinstance(inner, (dict, list)):
                value[index] = _plain_value(inner, session)
    return value


def _date(text: Json) -> Optional[Arrow]:
    """Return the moment that the server's *text* says; ServerAnswerError if it says none."""
    try:
        return decode_date(text)
    except (TypeError, ValueError, OverflowError) as error:
        raise exception.ServerAnswerError(f"The server sent {text!r:.100} as a date.") from error


class ScalarAttribute(Attribute):
    """An attribute that holds one plain value."""

    def __init__(self, name: str, data_type: str, **kw: Value) -> None:
        """Initialise the attribute *name* of *data_type*.

        One of ``string``, ``integer``, ``float``, ``boolean``, ``datetime``, ``object`` and
        ``variable``. *kw* is as for :class:`Attribute`.
        """
        super().__init__(name, **kw)
        self.data_type = data_type


@keeps_originals
class ReferenceAttribute(Attribute):
    """An attribute that refers to one entity, or none."""

    refers = True

    def __init__(self, name: str, entity_type: str, **kw: Value) -> None:
        """Initialise the attribute *name* that refers to entities of *entity_type*.

        *kw* is as for :class:`Attribute`.
        """
        super().__init__(name, **kw)
        self.entity_type = entity_type

    def get_value(self, entity: Entity) -> Value:
        """Return the entity that *entity* refers to, None, or NOT_SET where it is unknown."""
        return super().get_value(entity)

    def own(self, entity: Entity, value: Value) -> Value:
        """Return *value*; for an entity of another session, that of the session of *entity*."""
        try:
            if value.session is entity.session:
                return value
        except AttributeError:
            return value  # None, or something that is no entity of ours.
        return own(entity, value)

    def populate_remote_value(self, entity: Entity) -> None:
        """Ask the server which entity is referred to, with its default projections."""
        super().populate_remote_value(entity)

    def projection(self, entity: Entity) -> str:
        """Return the default projections of the type referred to, through this attribute."""
        try:
            names = entity.session.types[self.entity_type].default_projections or ()
        except KeyError:  # Servers may refer to types that they give no schema of.
            return self._name
        return ", ".join([f"{self._name}.{name}" for name in names]) or self._name

    def is_modified(self, entity: Entity) -> bool:
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
