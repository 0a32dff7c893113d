"""Convert between Python values and the JSON of requests, answers and caches."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like import exception, inspection
from ftrack_like._base.value_errors import shown
from ftrack_like._session.invalid_values import FORMS, unsendable
from ftrack_like._session.payloads import OperationPayload
from ftrack_like._transport.answers import refuse_constant
from ftrack_like.collection import Collection, MappedCollectionProxy
from ftrack_like.entity.base import PLAIN, AnyEntity
from ftrack_like.symbol import NOT_SET
from ftrack_like.wire.values import decode_date, encode_date

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Record, Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["STRATEGIES", "Codec", "reference_to", "wire_value"]


class Codec:
    """Encode and decode values for a session. Any thread may use it."""

    def __init__(self, session: Session) -> None:
        """Keep *session*; each use looks up its methods, because programs override them."""
        self._session = session

    def encode(self, data: Json, entity_attribute_strategy: str = "set_only") -> str:
        """Return *data* as JSON text with sorted keys.

        *entity_attribute_strategy* selects the values of an entity to write:

        - ``all``: all values; missing values are loaded from the server.
        - ``set_only``: the values that are set, locally or remotely.
        - ``modified_only``: the local values that differ from the remote ones.
        - ``persisted_only``: the remote values.

        Entities inside entities are written as references.

        Raise :exc:`ValueError` for another strategy, and
        :exc:`~ftrack_like.exception.InvalidValueError` for a value that JSON cannot represent. In a
        batch, the error names the entity and the attribute.
        """
        if entity_attribute_strategy not in STRATEGIES:
            raise ValueError(
                f'Unsupported entity_attribute_strategy "{entity_attribute_strategy}". '
                f"Use one of {', '.join(STRATEGIES)}."
            )
        session = self._session
        encode_item = functools.partial(
            session._encode,  # noqa: SLF001 - programs override it
            entity_attribute_strategy=entity_attribute_strategy,
        )
        try:
            return json.dumps(data, sort_keys=True, default=encode_item, allow_nan=False)
        except exception.ServerError:
            raise  # Loading a missing value failed.
        except (TypeError, ValueError, RecursionError) as error:
            raise unsendable(data, error, encode_item) from error

    def encode_item(self, item: Value, entity_attribute_strategy: str = "set_only") -> Json:
        """Return a JSON value for *item*, which has no direct form in JSON.

        Raise :exc:`~ftrack_like.exception.InvalidValueError` for a type that cannot be converted.
        """
        if isinstance(item, AnyEntity):
            return self._encode_entity(item, STRATEGIES[entity_attribute_strategy])
        kind = _written_kind(item.__class__)
        if kind is Mapping:
            # The dictionary inside a payload: a commit has thousands of payloads, and their mapping
            # methods are slower.
            items = item.items_by_name if item.__class__ is OperationPayload else item
            return {
                name: value if value.__class__ in PLAIN else wire_value(value)
                for name, value in items.items()
            }
        if kind is Collection:
            return [reference_to(member) for member in _member_entities(item)]
        date = encode_date(item)
        if date is not None:
            return date
        raise exception.InvalidValueError(
            "A value of the type {kind} is not JSON serializable: {shown}. {forms}",
            {"kind": type(item).__name__, "shown": shown(item), "forms": FORMS},
        )

    def _encode_entity(self, entity: Entity, select: Callable[[Any], dict[str, Any]]) -> Record:
        """Return *entity* as a wire mapping with the values that *select* returns and its key."""
        encoded = {"__entity_type__": entity.entity_type}
        for name, value in select(entity).items():
            if value.__class__ in PLAIN:
                encoded[name] = value
            elif value is not NOT_SET:
                encoded[name] = wire_value(value)
        for name in entity.primary_key_attributes:
            if name not in encoded:
                encoded.update(inspection.primary_key(entity))
        return encoded

    def decode(self, text: str) -> Json:
        """Return the value of the JSON *text*, with dates as objects and records as entities.

        The entities are detached; a merge makes them the session's own. Raise :exc:`ValueError` for
        text that is not JSON, also for ``NaN``.
        """
        return json.loads(text, object_hook=self._session._decode, parse_constant=refuse_constant)  # noqa: SLF001 - programs override it

    def decode_item(self, item: dict[str, Any]) -> Json:
        """Return the date or entity that the JSON object *item* describes, else *item*.

        Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for an entity type without a
        schema.
        """
        if "__type__" in item and item["__type__"] in {"datetime", "date"}:
            return decode_date(item.get("value"))
        if "__entity_type__" in item:
            data = dict(item)
            return self._session._create(data.pop("__entity_type__"), data, reconstructing=True)  # noqa: SLF001 - programs override it
        return item


def _select_all(entity: Entity) -> dict[str, Any]:
    """Return all values of *entity*; load the missing ones."""
    return dict(entity.items())


def _select_set(entity: Entity) -> dict[str, Any]:
    """Return the values of *entity* that are set. Local values replace remote ones."""
    return {**entity.remote_values, **(entity.local_values or {})}


def _select_modified(entity: Entity) -> dict[str, Any]:
    """Return the local values of *entity* that differ from the remote ones."""
    attributes = entity.attributes
    return {
        name: value
        for name, value in (entity.local_values or {}).items()
        if attributes.lookup(name).is_modified(entity)
    }


def _select_persisted(entity: Entity) -> dict[str, Any]:
    """Return the remote values of *entity*, except values that the server computes."""
    values: dict[str, Any] = entity.remote_values
    computed = entity.attributes.computed_names()
    if computed.isdisjoint(values):
        return values
    return {name: value for name, value in values.items() if name not in computed}


#: The function for each strategy: it selects the values of an entity to write.
STRATEGIES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "all": _select_all,
    "set_only": _select_set,
    "modified_only": _select_modified,
    "persisted_only": _select_persisted,
}


@functools.lru_cache(maxsize=256)
def _written_kind(class_: type) -> Optional[type]:
    """Return how values of *class_* are written: as a collection, a mapping, or neither (None).

    The results are cached, because a test against an abstract class is slow.
    """
    if issubclass(class_, (Collection, MappedCollectionProxy)):
        return Collection
    return Mapping if issubclass(class_, Mapping) else None


def _member_entities(value: Union[Collection, MappedCollectionProxy]) -> list[Entity]:
    """Return the entities of *value*, a collection or a mapped view on one."""
    return value.members if isinstance(value, Collection) else value.collection.members


def wire_value(value: Value) -> Json:
    """Return the JSON form of *value*, an attribute's value; entities become references."""
    class_ = value.__class__
    if class_ in PLAIN:
        return value
    if isinstance(value, AnyEntity):
        return reference_to(value)
    if class_ is list:
        return [inner if inner.__class__ in PLAIN else wire_value(inner) for inner in value]
    if class_ is dict:
        if value.get("__type__") == "datetime":
            return _encode_unread_date(value)
        return {
            name: inner if inner.__class__ in PLAIN else wire_value(inner)
            for name, inner in value.items()
        }
    if _written_kind(class_) is Collection:
        return [reference_to(member) for member in _member_entities(value)]
    return value


def _encode_unread_date(value: dict[str, Any]) -> Json:
    """Return *value*, a date-time as the server sent it, in the form for requests, with a zone."""
    text = value["value"]
    if text.__class__ is str and len(text) == 19:
        return {"__type__": "datetime", "value": text + "+00:00"}
    return encode_date(decode_date(text))


def reference_to(entity: Entity) -> dict[str, Any]:
    """Return the type and primary key of *entity* as a wire mapping."""
    reference = {"__entity_type__": entity.entity_type}
    if isinstance(entity, AnyEntity) and entity.local_values is None:
        try:
            for name in entity.primary_key_attributes:
                reference[name] = entity.remote_values[name]
            return reference
        except KeyError:
            pass  # The general way below raises the fitting error.
    reference.update(inspection.primary_key(entity))
    return reference
