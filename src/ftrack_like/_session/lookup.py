"""Find single entities by their key or their values, and make those that are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ftrack_like import exception
from ftrack_like._literals import condition, key_condition
from ftrack_like._suggest import did_you_mean
from ftrack_like._transport.redaction import masked
from ftrack_like.query import restate, restate_values

__all__ = ["Lookup"]


class Lookup:
    """The ``get`` and ``ensure`` of a session."""

    def __init__(self, session: Any) -> None:
        """Initialise for *session*, whose methods are reached at each use."""
        self._session = session

    def get(self, entity_type: str, entity_key: Any) -> Any:
        """Return the entity of *entity_type* with the key *entity_key*, or None."""
        session = self._session
        names = session.types[entity_type].primary_key_attributes
        values = _key_values(names, entity_key)
        if len(values) != len(names):
            raise ValueError(
                f"Incompatible entity_key {values!r}: the primary key of {entity_type} is "
                f"{' and '.join(names)}."
            )
        found = self._cached(entity_type, values)
        if found is not None:
            session._statistics.count_hit()
            return found
        try:
            for entity in session.query(f"{entity_type} where {key_condition(names, values)}"):
                return entity
        except exception.ServerParseError as error:
            restate(error, repr(entity_key), 0)
            error.message = masked(error.message, session.api_key)
            raise
        return None

    def _cached(self, entity_type: str, values: list[Any]) -> Any:
        """Return the entity from the session's caches, the one in memory first, or None."""
        identity_map = self._session._identity_map
        found = identity_map.find(entity_type, values)
        if found is None:
            stored = identity_map.recall(identity_map.key((entity_type, values)))
            found = None if stored is None else self._session.merge(stored)
        return found

    def ensure(
        self, entity_type: str, data: Mapping[str, Any], identifying_keys: Optional[Iterable[str]]
    ) -> Any:
        """Return the entity that *data* describes; see ``Session.ensure``."""
        names = list(identifying_keys or data)
        if not names:
            raise ValueError(
                f"There is no identifying data to find the {entity_type} by: pass values in data."
            )
        for name in names:
            if name not in data:
                hint = did_you_mean(name, data)
                raise KeyError(f"The identifying key {name!r} is not in the data. {hint}".strip())
        session = self._session
        conditions = {name: condition(name, data[name]) for name in names}
        criteria = " and ".join(conditions.values())
        try:
            entity = session.query(f"{entity_type} where {criteria}").one()
        except exception.ServerParseError as error:
            restate_values(error, data, conditions)
            error.message = masked(error.message, session.api_key)
            raise
        except exception.NoResultFoundError:
            entity = session.create(entity_type, data)
            session.commit()
            return entity
        if self._update(entity, data, names):
            session.commit()
        return entity

    @staticmethod
    def _update(entity: Any, data: Mapping[str, Any], identifying: list[str]) -> bool:
        """Set what differs from *data* on *entity*; return whether anything did."""
        changed = False
        for name, value in data.items():
            if name not in identifying and entity[name] != value:
                entity[name] = value
                changed = True
        return changed


def _key_values(names: Any, entity_key: Any) -> list[Any]:
    """Return the values in *entity_key*: one value, a list of them, or a mapping by *names*."""
    if isinstance(entity_key, str):
        return [entity_key]
    if isinstance(entity_key, Mapping):
        missing = [name for name in names if name not in entity_key]
        if missing:
            raise ValueError(
                f"Incompatible entity_key {dict(entity_key)!r}: it has no {missing[0]!r}, which is "
                "part of the primary key."
            )
        return [entity_key[name] for name in names]
    if not isinstance(entity_key, Iterable):
        return [entity_key]
    return list(entity_key)
