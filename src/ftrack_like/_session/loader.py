"""The loader: turn answers of the server into attached entities, in one pass.

Decoding an answer to detached entities and then merging them would visit every value twice. So the
loader passes raw records to the reader, which creates or updates the attached entities directly. A
session that overrides a method of :data:`_SEAMS` expects to see each entity there; for such a
session the loader takes the slower way through these methods.
"""

from __future__ import annotations

import functools
import itertools
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like import exception, inspection
from ftrack_like._base.callers import warn_at_caller
from ftrack_like._base.collaborators import identity_map_of
from ftrack_like._base.seams import is_overridden
from ftrack_like._base.value_errors import shown
from ftrack_like._session.answer_shapes import check_records, reading
from ftrack_like._session.load_groups import LoadGroup
from ftrack_like._session.merging import Merger
from ftrack_like._session.reader import RecordReader
from ftrack_like._values.literals import GROUP_SIZE, groups, key_condition, quoted
from ftrack_like.collection import Collection, MappedCollectionProxy
from ftrack_like.entity.base import AnyEntity
from ftrack_like.query import finds_entities
from ftrack_like.symbol import NOT_SET
from ftrack_like.wire.values import decode_date, is_date

if TYPE_CHECKING:
    from ftrack_like._base.types import Json, Projections
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session

__all__ = ["Loader", "next_offset"]

#: The methods of a session that raw records bypass. If a session overrides such a method, its
#: entities pass through all of these methods.
_SEAMS = ("decode", "_decode", "_create", "merge", "_merge")


#: For how many entities the first missing value is loaded.
FIRST_LOAD = 25


class LoadState(threading.local):
    """How a thread loads records at the moment."""

    #: The ``fresh`` list of the stream for which the thread loads a missing value.
    fresh: Optional[list[Any]] = None
    #: Whether the thread completes known entities. These stay in their load groups.
    completes = False


class Loader:
    """Attach the server's records to the session, and decide how missing values are loaded.

    It does no input and output; :class:`~ftrack_like._session.fetching.Fetcher` calls the server.
    Any thread may use it.
    """

    def __init__(self, session: Session) -> None:
        """Load entities for *session*."""
        self._session = session
        self._identity_map = identity_map_of(session)
        #: Replaces the entities in a value by attached ones.
        self.merge = Merger(session).merge
        self.state = LoadState()
        #: The types and names of attributes that a loop has read beyond the first load of a group.
        self._read_on: set[tuple[str, str]] = set()

    # Reading

    def page(
        self,
        expression: str,
        result: Json,
        fresh: Optional[list[Any]] = None,
        merges: bool = False,
    ) -> tuple[list[Any], Optional[int]]:
        """Return the entities in *result*, the answer to *expression*, and the next page's offset.

        The offset is None for the last page. The method adds the keys of entities that are new to
        the session to *fresh*. With *merges* the answer holds entities that are not yet attached.
        Raise :exc:`~ftrack_like.exception.ServerAnswerError` for records that cannot be read.
        """
        with reading("a record"):
            load = self._merge_all if merges else self.load
            entities, offset = load(result["data"], fresh), next_offset(result)
        check_records(entities, lambda: finds_entities(expression))
        return entities, offset

    def _merge_all(self, entities: Iterable[Any], fresh: Optional[list[Any]] = None) -> list[Any]:
        """Return *entities* merged one by one; add the keys of new ones to *fresh*."""
        merged = []
        for entity in entities:
            if fresh is not None and isinstance(entity, AnyEntity):
                identity_map = self._identity_map
                key = identity_map.key_of(entity)
                if identity_map.entities().get(key) is None:
                    fresh.append(key)
            merged.append(self._session.merge(entity))
        return merged

    def takes_plain_path(self) -> bool:
        """Return whether the session overrides a method that raw records bypass."""
        return is_overridden(self._session, *_SEAMS)

    def load(self, records: Iterable[Any], fresh: Optional[list[Any]] = None) -> list[Any]:
        """Return the attached entities for *records*, values as the server sent them.

        A mapping with ``__entity_type__`` becomes the session's entity of its identity, with the
        values of the mapping; so do the mappings nested in it. In other mappings, such as the rows
        of aggregates, dates become objects. Entities are merged. Other values stay as they are. The
        mappings become part of the entities, so the caller must not use them afterwards. The keys
        of entities that are new to the session are added to *fresh*.

        Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for a type without a schema.
        """
        groups = getattr(self._session, "_load_groups", True)
        if fresh is None:
            fresh = self.state.fresh
        group = LoadGroup(fresh) if groups or fresh is not None else None
        regroups = not self.state.completes
        reader = RecordReader(self._session, group, regroups)
        read = reader.read
        found = []
        for record in records:
            if type(record) is dict:
                found.append(read(record) if "__entity_type__" in record else _plain_row(record))
            else:
                found.append(self.merge(record))
        reader.finish()
        if group is not None and not groups:
            group.keys.clear()  # Load groups are off; the group only carries its fresh list.
        return found

    # Loading missing values

    def completing(
        self, entities: Union[Entity, Iterable[Entity]], projections: Projections
    ) -> Iterator[tuple[str, Callable[[list[Any]], None]]]:
        """Yield the queries that load *projections* of *entities*, each with a function to call.

        Call the function with the entities that the query finds.

        *entities* is one entity, or several of any types. *projections* is a text such as
        ``"name, status.name"``, or a list of names. The server's values replace the remote ones;
        local changes stay. Created entities that are not yet committed are skipped. The type of the
        first entity must have all of *projections*. For other types the method skips the names that
        they lack.

        Raise :exc:`~ftrack_like.exception.InvalidEntityError` for a value that is not an entity.
        """
        names = _names(projections)
        by_type: dict[str, list[Any]] = {}
        is_one = isinstance(entities, AnyEntity) or not isinstance(entities, Iterable)
        for entity in [entities] if is_one or isinstance(entities, str) else entities:
            if not isinstance(entity, AnyEntity):
                raise exception.InvalidEntityError(entity, "populated")
            if not entity.is_created:
                by_type.setdefault(entity.entity_type, []).append(entity)
        first = next(iter(by_type), "")
        for entity_type, members in by_type.items() if names else ():
            wanted = names if entity_type == first else _known_names(members[0], names)
            for condition, chunk in _conditions(members) if wanted else ():
                expression = f"select {', '.join(wanted)} from {entity_type} where {condition}"
                yield expression, functools.partial(self._complete, chunk, wanted)

    @staticmethod
    def lacking(entities: Iterable[Any], projections: Projections) -> list[Any]:
        """Return the *entities* for which at least one of *projections* is not loaded."""
        paths = [name.split(".") for name in _names(projections)]
        return [each for each in entities if any(_is_missing(each, path) for path in paths)]

    def _complete(self, entities: list[Entity], names: list[str], found: list[Any]) -> None:
        """Copy the values of *found* to the detached ones among *entities*.

        Skip entities of another session, because the values belong to this session.
        """
        residents = None
        for entity in entities:
            if entity.session is not self._session:
                continue
            if residents is None:
                residents = {resident.known_identity: resident for resident in found}
            resident = residents.get(entity.known_identity or entity.remember_identity())
            if resident is None or resident is entity:
                continue
            for name in set(map(_root, names)):
                if name in resident.remote_values:
                    entity.attributes.lookup(name).set_remote_value(
                        entity, resident.remote_values[name]
                    )

    def members_to_load(self, entity: Entity, attribute_name: str) -> list[Any]:
        """Return the entities for which the value *attribute_name* is to be loaded with *entity*.

        These are *entity* and the members of its load group that lack the value. The list is empty
        if lower cache layers have all values.
        """
        self._announce(entity, attribute_name)
        members = [entity]
        group = entity.load_group
        if group is not None:
            resident = self._identity_map.entities().get
            limit = self._limit(group, (entity.entity_type, attribute_name))
            members = group.lacking(entity, attribute_name, resident, limit)
        return self._complete_from_below(members, attribute_name)

    def _limit(self, group: LoadGroup, kind: tuple[str, str]) -> int:
        """Return for how many members of *group* to load a value of *kind*, a type and a name.

        The first load is for few, because many loops end at the first entities. The second one, or
        the first one of a later group, is for all.
        """
        if kind in self._read_on or kind in group.begun:
            self._read_on.add(kind)
            return GROUP_SIZE
        group.begun = (*group.begun, kind)
        return FIRST_LOAD

    @staticmethod
    def leave_groups(members: list[Any], attribute_name: str) -> None:
        """Take each of *members* that still lacks *attribute_name* out of its load group.

        The server has no value for it, so the session must not ask again and again.
        """
        for member in members:
            if attribute_name not in member.remote_values:
                member.load_group = None

    def _complete_from_below(self, entities: list[Entity], attribute_name: str) -> list[Any]:
        """Add *attribute_name* from lower cache layers; return the entities that still lack it."""
        identity_map = self._identity_map
        if not identity_map.below.layers():
            return entities
        identity_map.below.complete({identity_map.key_of(entity): entity for entity in entities})
        return [entity for entity in entities if attribute_name not in entity.remote_values]

    def _announce(self, entity: Entity, attribute_name: str) -> None:
        """Warn of a lazy load or refuse it, following the session's ``on_lazy_load``."""
        policy = getattr(self._session, "_on_lazy_load", "ignore")
        if policy == "ignore":
            return
        if callable(policy):
            policy(entity, attribute_name)
            return
        error = exception.LazyLoadError(entity, attribute_name)
        if policy == "raise":
            raise error
        warn_at_caller(str(error), RuntimeWarning)


def _plain_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return *row*, the values of a group, with dates as objects, as they are in entities."""
    return {
        name: decode_date(value["value"]) if is_date(value) else value
        for name, value in row.items()
    }


def next_offset(result: Json) -> Optional[int]:
    """Return the offset of the page after *result*, or None for the last page."""
    try:
        offset: Optional[int] = result["metadata"]["next"]["offset"]
    except (KeyError, TypeError):
        return None  # A server without pages sends all rows in one answer.
    return offset


def _names(projections: Projections) -> list[str]:
    """Return the single names of *projections*, a text or a list of texts.

    Raise :exc:`~ftrack_like.exception.InvalidValueError` for another type.
    """
    parts = projections.split(",") if isinstance(projections, str) else projections
    parts = list(parts) if isinstance(parts, Iterable) else [parts]
    if not all(isinstance(part, str) for part in parts):
        raise exception.InvalidValueError(
            "Projections are text such as 'name, status.name', not {shown}.",
            {"shown": shown(projections)},
        )
    return [part.strip() for part in parts if part.strip()]


def _root(name: str) -> str:
    """Return the attribute at the start of the projection *name*."""
    return re.split(r"[.\[]", name)[0]


def _known_names(entity: Entity, names: list[str]) -> list[str]:
    """Return the *names* that start with an attribute of *entity*."""
    return [name for name in names if entity.attributes.get(_root(name)) is not None]


def _is_missing(entity: Entity, path: list[str]) -> bool:
    """Return whether any value on *path*, a list of attribute names, is not loaded."""
    name = path[0].split("[")[0]
    attribute = entity.attributes.get(name)
    if attribute is None or not attribute.is_set(entity):
        return True
    if len(path) == 1:
        return False
    value = attribute.get_local_value(entity)
    if value is NOT_SET:
        value = entity.remote_values.get(name)
    if isinstance(value, MappedCollectionProxy):
        value = value.collection
    if isinstance(value, AnyEntity):
        return _is_missing(value, path[1:])
    if isinstance(value, (list, Collection)):
        return any(isinstance(each, AnyEntity) and _is_missing(each, path[1:]) for each in value)
    return False


def _conditions(entities: list[Entity]) -> Iterable[tuple[str, list[Entity]]]:
    """Yield conditions that select *entities*, with the entities of each. All have one type.

    Several conditions are needed if one would exceed the limits of a query.
    """
    names = entities[0].primary_key_attributes
    join: Callable[[list[str]], str]
    if len(names) == 1:
        texts = [quoted(_primary_key_values(entity)[0]) for entity in entities]
        join = lambda parts: (  # noqa: E731
            f"{names[0]} is {parts[0]}"
            if len(parts) == 1
            else f"{names[0]} in ({', '.join(parts)})"
        )
    else:
        texts = [key_condition(names, _primary_key_values(entity)) for entity in entities]
        join = " or ".join
    remaining = iter(entities)
    for group in groups(texts):
        yield join(group), list(itertools.islice(remaining, len(group)))


def _primary_key_values(entity: Entity) -> list[Any]:
    """Return the values of the primary key of *entity*."""
    return list(inspection.primary_key(entity).values())
