"""Find single entities by their key or their values, and create missing ones."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception, inspection
from ftrack_like._base.collaborators import (
    fetcher_of,
    identity_map_of,
    statistics_of,
    unit_of_work_of,
)
from ftrack_like._base.suggest import did_you_mean
from ftrack_like._base.value_errors import shown
from ftrack_like._base.words import with_article
from ftrack_like._session.invalid_values import no_type, require_mapping
from ftrack_like._transport.redaction import masked
from ftrack_like._values.literals import condition, groups, key_condition, quoted
from ftrack_like.query import restate, restate_values
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Key
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["Lookup"]

#: The namespace for the UUIDs of entities that ``ensure`` creates.
_NAMESPACE = "f1d3ff84-4329-4f3c-9d0c-7a1b7c6d5a10"

#: How often ``ensure`` tries while other sessions create or delete the same entity.
_ATTEMPTS = 5


class Lookup:
    """The ``get`` and ``ensure`` of a session."""

    def __init__(self, session: Session) -> None:
        """Keep *session*; each use looks up its methods, because programs override them."""
        self._session = session
        self.renew_lock()

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        # Two threads of a session must not record the same creation.
        self._ensuring = threading.RLock()

    def get(self, entity_type: str, entity_key: object) -> Optional[Entity]:
        """Return the entity of *entity_type* with the key *entity_key*, or None.

        *entity_key* is one value, a list of values or a mapping. Raise :exc:`ValueError` if it does
        not fit the primary key of the type.
        """
        session = self._session
        names = self._key_names(entity_type)
        values = self._key_values(entity_type, names, entity_key)
        found = self._cached(entity_type, values)
        if found is not None:
            statistics_of(session).count_hit()
            return found
        try:
            for entity in session.query(f"{entity_type} where {key_condition(names, values)}"):
                return entity
        except exception.ServerParseError as error:
            restate(error, repr(entity_key), 0)
            error.message = masked(error.message, session.api_key)
            raise
        return None

    def get_many(self, entity_type: str, entity_keys: Iterable[object]) -> list[Optional[Entity]]:
        """Return the entities of *entity_type* with *entity_keys*, None for each missing one.

        Raise :exc:`ValueError` if a key does not fit the primary key of the type.
        """
        names = self._key_names(entity_type)
        identity_map = identity_map_of(self._session)
        wanted = [self._key_values(entity_type, names, each) for each in entity_keys]
        keys = [identity_map.key((entity_type, values)) for values in wanted]
        found = {key: each for key in keys if (each := identity_map.get(key)) is not None}
        missing = {key: values for key, values in zip(keys, wanted) if key not in found}
        if missing:
            found.update(identity_map.below.attached_many(missing))
            missing = {key: values for key, values in missing.items() if key not in found}
        statistics_of(self._session).count(cache_hits=len(found))
        found.update(self._queried(entity_type, names, missing))
        return [found.get(key) for key in keys]

    def _queried(
        self, entity_type: str, names: list[str], wanted: Mapping[Key, list[Any]]
    ) -> dict[Key, Entity]:
        """Return the entities of *entity_type* that the server has, by the keys of *wanted*.

        *wanted* maps each key to the values of the primary key *names*.
        """
        by_values = {tuple(map(str, values)): key for key, values in wanted.items()}
        if len(names) == 1:
            texts = [quoted(values[0]) for values in wanted.values()]
        else:
            texts = [key_condition(names, values) for values in wanted.values()]
        conditions = [
            f"{names[0]} in ({', '.join(group)})" if len(names) == 1 else " or ".join(group)
            for group in groups(texts)
        ]
        found = {}
        queries = [f"{entity_type} where {each}" for each in conditions]
        for entities in fetcher_of(self._session).results(queries):
            for entity in entities:
                # Not by the identity: a query for a base type returns entities of its sub-types.
                key = by_values.get(tuple(map(str, inspection.primary_key(entity).values())))
                if key is not None:
                    found[key] = entity
        return found

    def _key_names(self, entity_type: str) -> list[str]:
        """Return the attributes of the primary key of *entity_type*."""
        try:
            return self._session.types[entity_type].primary_key_attributes
        except TypeError:  # An unhashable type name, for example a list.
            raise no_type(entity_type) from None

    def _key_values(self, entity_type: str, names: list[str], entity_key: object) -> list[Any]:
        """Return the values of the primary key *names* in *entity_key*.

        Log a warning if one is missing, and raise :exc:`ValueError` if the number is wrong.
        """
        values = _given_key_values(entity_type, names, entity_key)
        if len(values) != len(names):
            raise ValueError(
                f"Incompatible entity_key {values!r}: the primary key of {entity_type} is "
                f"{' and '.join(names)}."
            )
        if any(value is None or value is NOT_SET for value in values):
            self._session.logger.warning(
                "There is no %s with the key %r, part of which has no value.", entity_type, values
            )
        return values

    def _cached(self, entity_type: str, values: list[Any]) -> Optional[Entity]:
        """Return the entity from memory or a lower cache layer, or None."""
        identity_map = identity_map_of(self._session)
        found = identity_map.find(entity_type, values)
        if found is None:
            found = identity_map.below.attached(identity_map.key((entity_type, values)))
        return found

    def ensure(
        self, entity_type: str, data: Mapping[str, Any], identifying_keys: Optional[Iterable[str]]
    ) -> Entity:
        """Return the entity that *data* describes; see ``Session.ensure``."""
        data = require_mapping(data, f"ensure({entity_type!r}, …)")
        names = list(identifying_keys or data)
        if not names:
            raise ValueError(
                f"Could not determine any identifying data for the {entity_type}: pass values in "
                "data."
            )
        for name in names:
            if name not in data:
                hint = did_you_mean(name, data)
                raise KeyError(f"The identifying key {name!r} is not in the data. {hint}".strip())
        with self._ensuring:
            if self._session.in_doubt:
                self._session.commit()  # The in-doubt batch may concern this entity.
            return self._ensure(entity_type, data, names)

    def _ensure(self, entity_type: str, data: Mapping[str, Any], names: list[str]) -> Entity:
        """Return the entity with *data*, also while other sessions create or delete it."""
        session = self._session
        conditions = {name: condition(name, data[name]) for name in names}
        criteria = " and ".join(conditions.values())
        made_id = self._made_id(entity_type, data, names)
        for attempt in range(_ATTEMPTS):
            try:
                entity = session.query(f"{entity_type} where {criteria}").one()
            except exception.ServerParseError as error:
                restate_values(error, data, conditions)
                error.message = masked(error.message, session.api_key)
                raise
            except exception.NoResultFoundError:
                entity = session.create(entity_type, {**data, **made_id})
            else:
                if not self._update(entity, data, names):
                    return entity
            try:
                session.commit()
            except (exception.NotUniqueError, exception.NotFoundError) as error:
                if attempt == _ATTEMPTS - 1 or not self._is_about(error, entity):
                    raise
                # Another session has created or deleted the entity after the query.
                if entity["id"] == made_id.get("id") and isinstance(
                    error, exception.NotUniqueError
                ):
                    made_id = {}
                unit_of_work_of(session).take_back([entity])
            else:
                return entity
        raise AssertionError("unreachable")

    def _made_id(
        self, entity_type: str, data: Mapping[str, Any], names: list[str]
    ) -> dict[str, str]:
        """Return ``{"id": value}`` for a new entity, with the same value in every session.

        Two sessions that ensure the same entity at once then create the same identity. Every server
        refuses the second creation, also for types without unique names.
        """
        keys = self._session.types[entity_type].primary_key_attributes
        if list(keys) != ["id"] or "id" in data:
            return {}
        identifying = " and ".join([condition(name, data[name]) for name in sorted(names)])
        import uuid  # lazy: a session that only reads needs none

        namespace = uuid.UUID(_NAMESPACE)
        return {"id": str(uuid.uuid5(namespace, f"{entity_type} where {identifying}"))}

    @staticmethod
    def _is_about(error: exception.Error, entity: Entity) -> bool:
        """Return whether the text of the server's *error* names the key of *entity*."""
        text = str(error)
        return any(str(value) in text for value in inspection.primary_key(entity).values())

    @staticmethod
    def _update(entity: Entity, data: Mapping[str, Any], identifying: list[str]) -> bool:
        """Set the values of *data* that differ on *entity*; return whether any did.

        Skip the *identifying* names, because the query has compared them.
        """
        changed = False
        for name, value in data.items():
            if name not in identifying and entity[name] != value:
                entity[name] = value
                changed = True
        return changed


def _given_key_values(entity_type: str, names: list[str], entity_key: object) -> list[Any]:
    """Return the values in *entity_key*: one value, a list of values, or a mapping by *names*.

    Raise :exc:`ValueError` for an incomplete mapping, and
    :exc:`~ftrack_like.exception.InvalidValueError` for another type.
    """
    if isinstance(entity_key, str):
        return [entity_key]
    uuid = sys.modules.get("uuid")  # A caller that passes a UUID has imported it.
    if uuid is not None and isinstance(entity_key, uuid.UUID):
        return [str(entity_key)]
    if isinstance(entity_key, Mapping):
        missing = [name for name in names if name not in entity_key]
        if missing:
            raise ValueError(
                f"Incompatible entity_key {dict(entity_key)!r}: it has no {missing[0]!r}, which is "
                "part of the primary key."
            )
        return [entity_key[name] for name in names]
    if isinstance(entity_key, Iterable) and not isinstance(entity_key, (bytes, bytearray)):
        return list(entity_key)
    raise exception.InvalidValueError(
        "{shown} cannot be the key of {owner}. Pass the value of {names} as text, or a "
        "list of the values.",
        {
            "shown": shown(entity_key),
            "owner": with_article(entity_type),
            "names": " and ".join(names),
        },
    )
