"""The loader: from what the server sends to attached entities, in one pass."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Optional

from ftrack_like import exception, inspection
from ftrack_like._literals import key_condition, quoted
from ftrack_like._session.answer_shapes import check_records, reading
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.load_groups import LoadGroup
from ftrack_like._session.reader import make_reader
from ftrack_like.collection import Collection, MappedCollectionProxy
from ftrack_like.entity.base import PLAIN, _EntityBase
from ftrack_like.query import count_expression
from ftrack_like.symbol import NOT_SET

__all__ = ["Loader"]

#: Bounds of one query for many entities: how many of them, and how long its condition, in
#: characters. A page of a query holds as many entities.
GROUP_SIZE = 500
CONDITION_LENGTH = 32_000

#: The methods of a session that raw records do not pass through. A session that overrides one
#: of them gets entities by way of it.
_SEAMS = ("_decode", "_create", "merge", "_merge")


class Loader:
    """Attach what the server sends to the session, and ask it for what is missing.

    It may be used from any thread. No lock is held while the server is waited for.
    """

    def __init__(self, session: Any) -> None:
        """Initialise for *session*."""
        self._session = session
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        #: For each thread, the ``fresh`` of the stream that it loads something missing for, and
        #: whether it completes entities, which then stay in the load groups that they are in.
        self._current = threading.local()
        #: Whether the server counts what a query finds, as far as is known.
        self._server_counts = True

    # Reading

    def fetch(
        self, expression: str, fresh: Optional[list[Any]] = None
    ) -> tuple[list[Any], Optional[int]]:
        """Return the entities that one call answers to the query *expression*.

        With them comes the offset of the next page, None on the last. The keys of those that
        the session did not hold before are added to *fresh*.
        """
        return self.fetch_many([expression], fresh)[0]

    def fetch_many(
        self, expressions: Iterable[str], fresh: Optional[list[Any]] = None
    ) -> list[tuple[list[Any], Optional[int]]]:
        """Return what :meth:`fetch` does for each of *expressions*, in one call for all."""
        session = self._session
        operations = [{"action": "query", "expression": each} for each in expressions]
        if self._takes_plain_path():
            results = session.call(operations)
            load: Callable[..., list[Any]] = self._merge_all
        else:
            results = session.call(RawBatch(operations))
            load = self.load
        with reading("a record"):
            pages = [(load(result["data"], fresh), _next_offset(result)) for result in results]
        for entities, _ in pages:
            check_records(entities)
        return pages

    def count(self, expression: str, entity_type: str) -> Optional[int]:
        """Return how many entities of *entity_type* the server counts for *expression*.

        None means that it cannot; it is not asked again then.
        """
        if not self._server_counts:
            return None
        key = self._session.types[entity_type].primary_key_attributes[0]
        batch = RawBatch([{"action": "query", "expression": count_expression(expression, key)}])
        try:
            rows = self._session.call(batch)[0]["data"]
            number = rows[0][f"count_{key}"]
        except exception.ServerConnectionError:
            raise
        except (exception.ServerError, LookupError, TypeError) as error:
            self._logger.debug("The server does not count, so all is loaded: %s", error)
            number = None
        self._server_counts = type(number) is int
        return number if self._server_counts else None

    def _merge_all(self, entities: Iterable[Any], fresh: Optional[list[Any]] = None) -> list[Any]:
        """Return *entities* merged one by one, with the keys of new ones added to *fresh*."""
        merged = []
        for entity in entities:
            if fresh is not None and isinstance(entity, _EntityBase):
                identity_map = self._session._identity_map
                key = identity_map.key_of(entity)
                if identity_map.entities().get(key) is None:
                    fresh.append(key)
            merged.append(self._session.merge(entity))
        return merged

    def _takes_plain_path(self) -> bool:
        """Return whether the session overrides a method that raw records do not pass."""
        session = self._session
        for name in _SEAMS:
            function = getattr(session, name, None)
            function = getattr(function, "__func__", function)
            if function is not None and function.__module__ not in _OWN_MODULES:
                return True
        return False

    def load(self, records: Iterable[Any], fresh: Optional[list[Any]] = None) -> list[Any]:
        """Return the attached entities for *records* as the server sent them.

        Each mapping with ``__entity_type__`` becomes the session's one entity of its identity,
        with its values; those in it too. Entities are merged; anything else stays as it is. The
        mappings become part of the entities: the caller must not use them afterwards. The keys
        of entities that the session did not hold before are added to *fresh*.

        Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for a type without
        schema.
        """
        groups = getattr(self._session, "_load_groups", True)
        if fresh is None:
            fresh = getattr(self._current, "fresh", None)
        group = LoadGroup(fresh) if groups or fresh is not None else None
        regroups = not getattr(self._current, "completes", False)
        reader = make_reader(self._session, group, regroups)
        read = reader.read
        found = []
        for record in records:
            if type(record) is dict:
                found.append(read(record) if "__entity_type__" in record else record)
            else:
                found.append(self.merge(record))
        reader.finish()
        if group is not None and not groups:
            group.keys.clear()  # Each is on its own; the group is there for its list alone.
        return found

    def stream(
        self,
        expression: str,
        bounds: tuple[int, Optional[int]],
        page_size: int,
        keep: bool,
        prefetch: bool,
    ) -> Iterator[Any]:
        """Return an iterator over what *expression* finds; see ``QueryResult.iterate``."""
        # lazy: few programs read results that way
        from ftrack_like._session import streaming

        return streaming.stream(self._session, expression, bounds, page_size, keep, prefetch)

    # Merging

    def merge(self, value: Any, merged: Optional[dict[Any, Any]] = None) -> Any:
        """Return *value* with every entity in it replaced by the attached one of its identity.

        Values that the entities have set are taken over. Lists, tuples, sets and mappings are
        gone through; anything else is returned as it is. *merged* is the record of the entities
        merged so far, so that circles end; give the same mapping to calls that belong together.
        """
        merged = {} if merged is None else merged
        if isinstance(value, _EntityBase):
            return self._merge_entity(value, merged)
        if isinstance(value, (Collection, MappedCollectionProxy)):
            members = value if isinstance(value, Collection) else value.collection
            members._data = [self.merge(member, merged) for member in members._data]
            return value
        if isinstance(value, Mapping):
            return {name: self.merge(inner, merged) for name, inner in value.items()}
        if isinstance(value, (list, tuple, set)):
            return type(value)(self.merge(inner, merged) for inner in value)
        return value

    def _merge_entity(self, entity: Any, merged: dict[Any, Any]) -> Any:
        """Return the attached entity of the identity of *entity*, with its values."""
        identity_map = self._session._identity_map
        try:
            key = identity_map.key_of(entity)
        except KeyError:
            return entity  # Without a whole primary key it cannot be told from others.
        entities = identity_map.entities()
        attached = entities.get(key)
        if attached is None and identity_map.loose.data:
            attached = identity_map.revive(key)
        if attached is entity:
            return entity  # With all that it refers to, since it was attached.
        if id(entity) in merged:
            return merged[id(entity)][1]
        if attached is None:
            attached = entities.setdefault(key, entity)
        # By object: another copy of the same entity may know more. It is kept alive, so that no
        # other gets its number meanwhile.
        merged[id(entity)] = (entity, attached)
        if attached is entity:
            self._merge_contents(entity, merged)
        else:
            identity_map.dirty.discard(entity)
            attached.merge(entity, merged)
        # What is only referred to stays so: the layers below may hold all that was ever loaded.
        if identity_map.lower_caches() and not _is_bare(entity):
            identity_map.complete_from_below(key, attached)
            identity_map.store_below({key: attached})
        return attached

    def _merge_contents(self, entity: Any, merged: dict[Any, Any]) -> None:
        """Replace the entities that the newly attached *entity* refers to by attached ones."""
        resident = self._session._identity_map.entities().get
        for values in (entity._remote, entity._local):
            for name, value in values.items() if values else ():
                if type(value) in PLAIN:
                    continue
                # Setting what is there already changes no order, so the loop may go on.
                if isinstance(value, _EntityBase):
                    # Most are attached already; to find that here takes a third of the time.
                    if value._key is None or resident(value._key) is not value:
                        values[name] = self._merge_entity(value, merged)
                elif isinstance(value, list):
                    values[name] = [self.merge(inner, merged) for inner in value]

    # Loading what is missing

    def populate(self, entities: Any, projections: Any) -> None:
        """Load *projections* of *entities*, as far as they are not set.

        *entities* is one entity, or several of any types; *projections* is their names,
        ``"name, status.name"``, or a list of names. Entities that are created but not committed
        are left out.
        """
        if isinstance(entities, _EntityBase):
            entities = [entities]
        names = _names(projections)
        by_type: dict[str, list[Any]] = {}
        for entity in entities:
            if not entity._created and any(_is_missing(entity, name.split(".")) for name in names):
                by_type.setdefault(entity.entity_type, []).append(entity)
        for entity_type, members in by_type.items():
            for condition, chunk in _conditions(members):
                expression = f"select {', '.join(names)} from {entity_type} where {condition}"
                self._complete(chunk, self._completing(expression), names)

    def _completing(self, expression: str) -> list[Any]:
        """Return what *expression* finds, without a change of the groups of what is known."""
        self._current.completes = True
        try:
            found: list[Any] = self._session.query(expression).all()
        finally:
            self._current.completes = False
        return found

    def _complete(self, entities: list[Any], found: list[Any], names: list[str]) -> None:
        """Give those of *entities* that are not attached what was *found* for them."""
        residents = None
        for entity in entities:
            for name in {name.split(".")[0] for name in names}:
                if name in entity._remote:
                    continue
                if residents is None:
                    residents = {resident: resident for resident in found}
                resident = residents.get(entity)
                if resident is not None and resident is not entity and name in resident._remote:
                    entity._remote[name] = resident._remote[name]

    def lazy_load(
        self, entity: Any, attribute_name: str, projections: Optional[str] = None
    ) -> None:
        """Load the value *attribute_name* of *entity*, and of its load group on the way.

        *projections* is what to select for it, by default its name.
        """
        self._announce(entity, attribute_name)
        members = [entity]
        group = entity._group
        if group is not None:
            resident = self._session._identity_map.entities().get
            members = group.lacking(entity, attribute_name, resident, GROUP_SIZE)
        members = self._complete_from_below(members, attribute_name)
        if not members:
            return
        self._current.fresh = None if group is None else group.fresh
        try:
            self._session.populate(members, projections or attribute_name)
        finally:
            self._current.fresh = None
        if len(members) > 1:
            self._session._statistics.count(grouped_loads=1)
            for member in members:
                if attribute_name not in member._remote:
                    member._group = None  # The server has none: do not ask for it again and again.

    def _complete_from_below(self, entities: list[Any], attribute_name: str) -> list[Any]:
        """Return those of *entities* whose *attribute_name* no lower cache layer has either."""
        identity_map = self._session._identity_map
        if not identity_map.lower_caches():
            return entities
        for entity in entities:
            identity_map.complete_from_below(identity_map.key_of(entity), entity)
        return [entity for entity in entities if attribute_name not in entity._remote]

    def _announce(self, entity: Any, attribute_name: str) -> None:
        """Warn of a lazy load, or refuse it, as the session was told to."""
        policy = getattr(self._session, "_on_lazy_load", "ignore")
        if policy == "ignore":
            return
        text = (
            f"{entity}[{attribute_name!r}] is not loaded and would be asked of the server. "
            f"Project it in the query, or call session.populate(entities, {attribute_name!r})."
        )
        if policy == "raise":
            raise exception.Error(text)
        warnings.warn(text, RuntimeWarning, stacklevel=_caller_level())


_PACKAGE = __name__.partition(".")[0] + "."

_OWN_MODULES = frozenset({"ftrack_like.session"})


def _caller_level() -> int:
    """Return how many calls up, seen from who asks, the first line outside this package is."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


def _is_bare(entity: Any) -> bool:
    """Return whether *entity* holds nothing but its primary key."""
    key = entity.primary_key_attributes
    return not entity._local and all(name in key for name in entity._remote)


def _next_offset(result: Any) -> Optional[int]:
    """Return the offset of the page after *result*, or None if it is the last."""
    try:
        offset: Optional[int] = result["metadata"]["next"]["offset"]
    except (KeyError, TypeError):
        return None  # A server without pages sends all at once.
    return offset


def _names(projections: Any) -> list[str]:
    """Return the single names of *projections*, a text or a list of texts."""
    parts = projections.split(",") if isinstance(projections, str) else list(projections)
    return [part.strip() for part in parts if part.strip()]


def _is_missing(entity: Any, path: list[str]) -> bool:
    """Return whether a value on *path*, a list of attribute names, is not loaded."""
    name = path[0].split("[")[0]
    attribute = entity.attributes.get(name)
    if attribute is None or not attribute.is_set(entity):
        return True
    if len(path) == 1:
        return False
    value = attribute.get_local_value(entity)
    if value is NOT_SET:
        value = entity._remote.get(name)
    if isinstance(value, MappedCollectionProxy):
        value = value.collection
    if isinstance(value, _EntityBase):
        return _is_missing(value, path[1:])
    if isinstance(value, (list, Collection)):
        return any(isinstance(each, _EntityBase) and _is_missing(each, path[1:]) for each in value)
    return False


def _conditions(entities: list[Any]) -> Iterable[tuple[str, list[Any]]]:
    """Return conditions that select *entities*, of one type, with the entities of each."""
    names = entities[0].primary_key_attributes
    join: Callable[[list[str]], str]
    if len(names) == 1:
        texts = [quoted(_key_values(entity)[0]) for entity in entities]
        join = lambda parts: (  # noqa: E731
            f"{names[0]} is {parts[0]}"
            if len(parts) == 1
            else f"{names[0]} in ({', '.join(parts)})"
        )
    else:
        texts = [key_condition(names, _key_values(entity)) for entity in entities]
        join = " or ".join
    chunk: list[str] = []
    members: list[Any] = []
    length = 0
    for text, entity in zip(texts, entities):
        if chunk and (len(chunk) >= GROUP_SIZE or length + len(text) > CONDITION_LENGTH):
            yield join(chunk), members
            chunk, members, length = [], [], 0
        chunk.append(text)
        members.append(entity)
        length += len(text) + 4
    if chunk:
        yield join(chunk), members


def _key_values(entity: Any) -> list[Any]:
    """Return the values of the primary key of *entity*."""
    return list(inspection.primary_key(entity).values())
