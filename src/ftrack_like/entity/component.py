"""The behaviour of components and of entities with a thumbnail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, TypeVar, cast

from ftrack_like.entity.base import Entity
from ftrack_like.query import QueryResult, load_first_pages
from ftrack_like.symbol import NOT_SET, SERVER_LOCATION_ID

if TYPE_CHECKING:
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = [
    "Component",
    "CreateThumbnailMixin",
    "availabilities",
    "chunked",
    "find_all",
    "is_container",
    "listed",
    "measured_size",
]

#: The most ids in one query.
_CHUNK = 500


_Chunked = TypeVar("_Chunked")


class Component(Entity):
    """A published file, a sequence of files, or a container of components."""

    #: The path of the file and its size in bytes, measured by ``Session.create_component``. None if
    #: the caller gave a size, the file was missing, or another session created the component.
    measured: Optional[tuple[str, int]] = None

    def get_availability(self, locations: Optional[Iterable[Location]] = None) -> dict[str, float]:
        """Return the availability of this component, ``{location id: percentage}``.

        The percentage is between 0.0 and 100.0. None as *locations* means all locations.
        """
        return self.session.get_component_availability(self, locations=locations)


class CreateThumbnailMixin:
    """A mixin for entities with a thumbnail."""

    def create_thumbnail(self, path: str, data: Optional[Mapping[str, Any]] = None) -> Entity:
        """Upload the image at *path* as the thumbnail of this entity; return its component.

        *data* are further values of the component; the default name is ``"thumbnail"``. All pending
        operations of the session are committed.
        """
        entity = cast("Entity", self)
        session = entity.session
        values = {"name": "thumbnail", **(data or {})}
        server = session.get("Location", SERVER_LOCATION_ID)
        component = session.create_component(path, data=values, location=cast("Location", server))
        # Set the id, since some types with a thumbnail do not have the reference.
        entity["thumbnail_id"] = component["id"]
        session.commit()
        return component


def measured_size(component: Component, path: str) -> Optional[int]:
    """Return the size in bytes of the file at *path* when the session created *component* from it.

    Return None if the session did not measure it, or if the program has set another size since:
    then the program's value counts.
    """
    measured: Optional[tuple[str, int]] = getattr(component, "measured", None)
    if measured is None or measured[0] != path:
        return None
    with component.session.auto_populating(False):
        size = component["size"]
    return measured[1] if size is NOT_SET or size == measured[1] else None


def is_container(component: Entity) -> bool:
    """Return whether *component* has members: it is a sequence or a container."""
    return "members" in component


def chunked(items: Sequence[_Chunked]) -> Iterator[Sequence[_Chunked]]:
    """Yield *items* in pieces that fit in one query."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def availabilities(
    session: Session, components: Sequence[Any], location_ids: Sequence[str]
) -> list[dict[str, float]]:
    """Return ``{location id: percentage}`` for each of *components*, for *location_ids*.

    This sends one query per type of container and level for the members, and one query for the
    places of all components.
    """
    if not components:
        return []
    members = _members_by_container(session, components)
    known = {component["id"]: component for component in components}
    for found in members.values():
        known.update((member["id"], member) for member in found)
    places = _places(session, [key for key, each in known.items() if _is_on_server(each)])
    memo: dict[str, dict[str, float]] = {}

    def measure(component: Component) -> dict[str, float]:
        """Return the availability of *component*; for a container, the mean of its members."""
        component_id = component["id"]
        if component_id not in memo:
            memo[component_id] = {}  # Ends the recursion for a container inside itself.
            parts = [measure(member) for member in members.get(component_id, ())]
            memo[component_id] = _average(parts, places.get(component_id, set()), location_ids)
        return memo[component_id]

    return [dict(measure(component)) for component in components]


def _is_on_server(component: Component) -> bool:
    """Return whether *component* may exist on the server: its creation is not pending."""
    return not getattr(component, "is_created", False)


def _average(
    parts: Sequence[Mapping[str, float]], places: set[str], location_ids: Sequence[str]
) -> dict[str, float]:
    """Return the mean of the *parts*; without parts, 100.0 for *places* and 0.0 for others."""
    if parts:
        return {
            location_id: sum(part.get(location_id, 0.0) for part in parts) / len(parts)
            for location_id in location_ids
        }
    return {location_id: 100.0 if location_id in places else 0.0 for location_id in location_ids}


def _members_by_container(
    session: Session, components: Sequence[Component]
) -> dict[str, list[Component]]:
    """Return ``{id of a container: its members}`` for *components* and all members below."""
    found: dict[str, list[Any]] = {}
    level = list(components)
    while level:
        containers = {
            component["id"]: component
            for component in level
            if is_container(component) and component["id"] not in found
        }
        _reload_members(session, containers.values())
        for container_id, container in containers.items():
            found[container_id] = list(container["members"] or ())
        level = [member for container_id in containers for member in found[container_id]]
    return found


def _reload_members(session: Session, containers: Iterable[Component]) -> None:
    """Load the members of *containers* again, since other sessions may have changed them."""
    ids_by_type: dict[str, list[str]] = {}
    for container in containers:
        if _is_on_server(container):
            ids_by_type.setdefault(container.entity_type, []).append(container["id"])
    find_all(
        session,
        [
            f"select members from {entity_type} where id in ({listed(chunk)})"
            for entity_type, ids in ids_by_type.items()
            for chunk in chunked(ids)
        ],
    )


def _places(session: Session, component_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return ``{component id: ids of its locations}`` for *component_ids*."""
    places: dict[str, set[str]] = {}
    expressions = [
        "select component_id, location_id from ComponentLocation "
        f"where component_id in ({listed(chunk)})"
        for chunk in chunked(component_ids)
    ]
    for entry in find_all(session, expressions):
        places.setdefault(entry["component_id"], set()).add(entry["location_id"])
    return places


def find_all(session: Session, expressions: Iterable[str]) -> list[Entity]:
    """Return the entities that all query *expressions* find.

    One request loads the first pages of all queries, the next request their second pages, etc.
    """
    results = [session.query(expression) for expression in expressions]
    pages = [result for result in results if isinstance(result, QueryResult)]
    while len(pages) > 1:
        load_first_pages(session, pages)
        pages = [page for page in pages if not page.is_complete()]
    return [entity for result in results for entity in result]


def listed(ids: Iterable[str]) -> str:
    """Return *ids* as text for a list in a query: ``"id1", "id2"``."""
    return ", ".join(f'"{each}"' for each in ids)
