"""The behaviour of locations, which store the data of components."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from ftrack_like import exception, inspection
from ftrack_like._base.collaborators import unit_of_work_of
from ftrack_like._base.seams import is_overridden, keeps_originals
from ftrack_like.entity.base import DynamicEntityTypeMetaclass, Entity, _EntityBase
from ftrack_like.entity.component import chunked, find_all, is_container, listed
from ftrack_like.query import bind
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from types import ModuleType

    from ftrack_like._base.types import DataSource, EntityData
    from ftrack_like.accessor.base import Accessor
    from ftrack_like.accessor.server import _ServerAccessor
    from ftrack_like.entity.component import Component
    from ftrack_like.resource_identifier_transformer.base import ResourceIdentifierTransformer
    from ftrack_like.session import Session
    from ftrack_like.structure.base import Structure

__all__ = [
    "Location",
    "MemoryLocationMixin",
    "OriginLocationMixin",
    "ServerLocationMixin",
    "UnmanagedLocationMixin",
]

#: The default priority of locations.
_PRIORITY = 95


def _transfer() -> ModuleType:
    """Return the module that moves data."""
    # lazy: most sessions move no data
    from ftrack_like.entity import _transfer as module

    return module


@keeps_originals
class Location(Entity):
    """A storage for the data of components.

    A location has an *accessor*, which reads and writes the data, and a *structure*, which decides
    the path of each component. Its *resource_identifier_transformer* converts paths to the form
    that the server stores. Each is ``NOT_SET`` until a plugin sets it. Of several suitable
    locations, the session picks the location with the lowest *priority*.
    """

    def __init__(
        self, session: Session, data: Optional[EntityData] = None, reconstructing: bool = False
    ) -> None:
        """Initialise a location of *session* with *data*, as any entity."""
        # The cast hides NOT_SET from type checkers. NOT_SET is a Symbol without these attributes.
        self.accessor: Accessor = cast("Accessor", NOT_SET)
        self.structure: Structure = cast("Structure", NOT_SET)
        self.resource_identifier_transformer: ResourceIdentifierTransformer = cast(
            "ResourceIdentifierTransformer", NOT_SET
        )
        self.priority: float = _PRIORITY
        super().__init__(session, data=data, reconstructing=reconstructing)

    def __str__(self) -> str:
        """Return ``<Location("name", id)>``; without the name if it is not loaded."""
        with self.session.auto_populating(False):
            name = self["name"]
        if name is NOT_SET:
            return super().__str__()
        key = ", ".join(str(value) for value in inspection.primary_key(self).values())
        return f'<{type(self).__name__}("{name}", {key})>'

    # Adding

    def add_component(
        self,
        component: Component,
        source: DataSource,
        recursive: bool = True,
        *,
        progress: Optional[Callable[[int, int], object]] = None,
    ) -> None:
        """Add *component* to this location and copy its data from *source*.

        The same as :meth:`add_components` for one component.
        """
        # Pass *progress* only if given: classes of studios override the method without it.
        more: dict[str, Any] = {} if progress is None else {"progress": progress}
        self.add_components([component], sources=source, recursive=recursive, **more)

    def add_components(
        self,
        components: Iterable[Component],
        sources: Union[DataSource, Iterable[DataSource]],
        recursive: bool = True,
        _depth: int = 0,
        *,
        progress: Optional[Callable[[int, int], object]] = None,
    ) -> None:
        """Add *components* to this location and copy their data from *sources*.

        *sources* is one location for all components, or a list with one location per component.
        With *recursive*, the members of containers are added as well. All pending operations of
        the session are committed, and an event ``ftrack.location.component-added`` is published
        for each component.

        *progress* is called with ``(done, total)`` in bytes during the transfer, on this thread.
        *done* never decreases. *total* is the sum of the sizes of the components, corrected when
        the sizes of the data become known. An exception of *progress* ends the transfer and is
        raised here.

        Either all components are added or, after an error, none: copied data is removed. Data that
        a killed process has copied but not registered is used if it is the same; otherwise it
        raises an error. If both accessors are safe for threads (:attr:`Accessor.is_thread_safe
        <ftrack_like.accessor.base.Accessor.is_thread_safe>`), several files are copied at once.

        Raise :exc:`~ftrack_like.exception.ComponentInLocationError` if a component is already in
        the location, :exc:`~ftrack_like.exception.LocationError` if data cannot be copied or
        registered, and :exc:`ValueError` if the numbers of sources and components differ.
        """
        _transfer().add(self, list(components), sources, recursive, progress)

    def _get_context(self, component: Component, source: DataSource) -> dict[str, Any]:
        """Return the context for the structure when *component* comes from *source*.

        It is ``{"source_resource_identifier": str}``, or ``{}`` if it is not in *source*.
        """
        if isinstance(source, (str, os.PathLike)):
            raise _location_error(
                "The source {source!r} is a path, not a location. Pass the location that has the "
                "component, or call session.create_component(path, location=...).",
                source=source,
            )
        try:
            identifier = source.get_resource_identifier(component)
        except exception.ComponentNotInLocationError:
            return {}
        return {"source_resource_identifier": identifier}

    def _add_data(self, component: Component, resource_identifier: str, source: Location) -> None:
        """Copy the data of *component* from *source* to *resource_identifier*.

        Do nothing for a container, which has no data. Raise
        :exc:`~ftrack_like.exception.LocationError` if there is other data at the place.
        """
        if is_container(component):
            return
        _require_accessor(self, "target ")
        source_accessor = _require_accessor(source, "source ")
        source_identifier = source.get_resource_identifier(component)
        # lazy: most sessions move no data
        from ftrack_like.entity._copies import copy_data

        copy_data(self, component, resource_identifier, source_accessor, source_identifier)

    def adds_data_in_threads(self, source: Location) -> bool:
        """Return whether several threads may copy data from *source* to here at once.

        They may if :meth:`_add_data` is not overridden and both accessors are safe for threads.
        """
        # lazy: most sessions move no data
        from ftrack_like.accessor._parallel import works_in_threads

        return (
            not is_overridden(self, "_add_data")
            and works_in_threads(self.accessor)
            and works_in_threads(getattr(source, "accessor", cast("Accessor", NOT_SET)))
        )

    def _register_component_in_location(
        self, component: Component, resource_identifier: str
    ) -> None:
        """Register *component* in this location at the (encoded) *resource_identifier*."""
        self._register_components_in_location([component], [resource_identifier])

    def _register_components_in_location(
        self, components: Sequence[Component], resource_identifiers: Sequence[str]
    ) -> None:
        """Register *components* in this location at the (encoded) *resource_identifiers*.

        All pending operations are committed. If the commit fails, the registrations are removed, so
        that no later commit sends them. If the batch is in doubt, they stay: the next commit
        resolves the batch.
        """
        created = [
            self.session.create(
                "ComponentLocation",
                data={
                    "component": component,
                    "location": self,
                    "resource_identifier": resource_identifier,
                },
            )
            for component, resource_identifier in zip(components, resource_identifiers)
        ]
        try:
            self.session.commit()
        except BaseException:
            for entry in () if self.session.in_doubt else created:
                self.session.delete(entry)
            raise

    # Removing

    def remove_component(self, component: Component, recursive: bool = True) -> None:
        """Remove *component* from this location; see :meth:`remove_components`."""
        self.remove_components([component], recursive=recursive)

    def remove_components(self, components: Iterable[Component], recursive: bool = True) -> None:
        """Remove *components* from this location, with their data.

        With *recursive*, the members of containers are removed as well. All pending operations of
        the session are committed, and an event ``ftrack.location.component-removed`` is published
        for each component. If the accessor is safe for threads, several files are removed at once.
        After an error, only the components whose data was removed have left the location.

        Raise :exc:`~ftrack_like.exception.ComponentNotInLocationError`, before removing anything,
        if a component is not in this location.
        """
        _transfer().remove(self, list(components), recursive)

    def _remove_data(self, component: Component) -> None:
        """Remove the data of *component* from this location."""
        if is_container(component):
            return
        _require_accessor(self).remove(self.get_resource_identifier(component))

    def removes_data_in_threads(self) -> bool:
        """Return whether several threads may remove data from here at once.

        They may if :meth:`_remove_data` is not overridden and the accessor is safe for threads.
        """
        # lazy: most sessions move no data
        from ftrack_like.accessor._parallel import works_in_threads

        return not is_overridden(self, "_remove_data") and works_in_threads(self.accessor)

    def _deregister_component_in_location(self, component: Component) -> None:
        """Delete the registration of *component* in this location and commit."""
        self._delete_registrations([component])

    def deregister_components(self, components: Sequence[Component]) -> None:
        """Delete the registrations of *components* in one commit.

        If a subclass overrides :meth:`_deregister_component_in_location`, call that for each
        component instead.
        """
        if not is_overridden(self, "_deregister_component_in_location"):
            self._delete_registrations(components)
            return
        for component in components:
            self._deregister_component_in_location(component)

    def _delete_registrations(self, components: Sequence[Component]) -> None:
        """Delete the registrations of *components* in this location and commit.

        Another session may delete some of these at the same time. Then the commit fails with
        NotFoundError; undo the deletions, query the rest, and repeat.
        """
        while True:
            entries = self._find_registrations("id", components)
            for entry in entries:
                self.session.delete(entry)
            try:
                self.session.commit()
            except exception.NotFoundError as error:
                if not any(entry["id"] in str(error) for entry in entries):
                    raise
                unit_of_work_of(self.session).take_back(entries)
            else:
                return

    def _find_registrations(
        self, projections: str, components: Sequence[Component]
    ) -> list[Entity]:
        """Query the registrations of *components* in this location, in one request."""
        ids = [component_id(component) for component in components]
        return find_all(
            self.session,
            [
                f"select {projections} from ComponentLocation "
                f"where location_id is {self['id']} and component_id in ({listed(chunk)})"
                for chunk in chunked(ids)
            ],
        )

    # Looking

    def get_component_availability(self, component: Component) -> float:
        """Return the availability of *component* in this location, from 0.0 to 100.0 percent."""
        found = self.session.get_component_availability(component, locations=[self])
        return found[self["id"]]

    def get_component_availabilities(self, components: Iterable[Component]) -> list[float]:
        """Return the availability of each of *components* here, from 0.0 to 100.0 percent."""
        found = self.session.get_component_availabilities(list(components), locations=[self])
        return [availability[self["id"]] for availability in found]

    def get_resource_identifier(self, component: Component) -> str:
        """Return the resource identifier of *component* in this location, for its accessor.

        Raise :exc:`~ftrack_like.exception.ComponentNotInLocationError` if it is not here.
        """
        return self.get_resource_identifiers([component])[0]

    def get_resource_identifiers(self, components: Iterable[Component]) -> list[str]:
        """Return the resource identifiers of *components*, in the same order, with one request.

        Raise :exc:`~ftrack_like.exception.ComponentNotInLocationError` if a component is not here;
        its ``details["components"]`` are the missing components.
        """
        components = list(components)
        identifiers = self._get_resource_identifiers(components)
        transformer = self.resource_identifier_transformer
        if not transformer:
            return identifiers
        return [
            transformer.decode(identifier, context={"component": component})
            for component, identifier in zip(components, identifiers)
        ]

    def _get_resource_identifiers(self, components: Sequence[Component]) -> list[str]:
        """Return the (encoded) resource identifiers of *components* on the server."""
        known = _transfer().known_places(self)
        unknown = [each for each in components if component_id(each) not in known]
        return self.pick_places(components, {**known, **self.find_places(unknown)})

    def find_places(self, components: Sequence[Component]) -> dict[str, str]:
        """Query the places of *components* in this location; leave out components not here.

        Return ``{component id: (encoded) resource identifier}``.
        """
        # The server has no registration of a component that was created here and not committed yet.
        sent = [component for component in components if not component.is_created]
        found = self._find_registrations("component_id, resource_identifier", sent)
        return {entry["component_id"]: entry["resource_identifier"] for entry in found}

    def find_taken(self, resource_identifiers: Sequence[str]) -> list[str]:
        """Query which of the (encoded) *resource_identifiers* have registered components."""
        expressions = [
            bind(
                "select resource_identifier from ComponentLocation "
                "where location_id is :location and resource_identifier in :places",
                {"location": self["id"], "places": chunk},
            )
            for chunk in chunked(resource_identifiers)
        ]
        return [entry["resource_identifier"] for entry in find_all(self.session, expressions)]

    def pick_places(self, components: Sequence[Component], found: Mapping[str, str]) -> list[str]:
        """Return the places of *components* from *found*, ``{component id: place}``.

        Raise :exc:`~ftrack_like.exception.ComponentNotInLocationError` if one is missing.
        """
        missing = [each for each in components if component_id(each) not in found]
        if missing:
            raise exception.ComponentNotInLocationError(missing, self)
        return [found[component_id(each)] for each in components]

    def get_filesystem_path(self, component: Component) -> str:
        """Return the path of *component* in the file system of this machine.

        Raise :exc:`~ftrack_like.exception.ComponentNotInLocationError` if it is not here and
        :exc:`~ftrack_like.exception.AccessorUnsupportedOperationError` if the location is not in
        a file system.
        """
        return self.get_filesystem_paths([component])[0]

    def get_filesystem_paths(self, components: Iterable[Component]) -> list[str]:
        """Return the paths of *components* in their order; see :meth:`get_filesystem_path`."""
        identifiers = self.get_resource_identifiers(components)
        accessor = _require_accessor(self)
        return [accessor.get_filesystem_path(identifier) for identifier in identifiers]

    def get_url(self, component: Component) -> str:
        """Return an address at which the data of *component* can be read.

        Raise :exc:`~ftrack_like.exception.AccessorUnsupportedOperationError` if the location has no
        addresses. The address may contain credentials. Treat it as a secret.
        """
        identifier = self.get_resource_identifier(component)
        return _require_accessor(self).get_url(identifier)


def find_location(session: Session, location_id: str) -> Location:
    """Return the location *location_id*, a location that every server has."""
    return cast("Location", session.get("Location", location_id))


def component_id(component: Component) -> str:
    """Return the id of *component*."""
    identifier: str = next(iter(inspection.primary_key(component).values()))
    return identifier


def _require_accessor(location: Location, role: str = "") -> Accessor:
    """Return the accessor of *location*.

    Raise :exc:`~ftrack_like.exception.LocationError` if it is not set; *role*, such as
    ``"source "``, describes the location in the error.
    """
    if not location.accessor:
        raise _location_error(
            "No accessor defined for {role}location {location}. A plugin sets it for every "
            "session, or this program does: location.accessor = DiskAccessor(prefix=...).",
            role=role,
            location=location,
        )
    return location.accessor


def _location_error(message: str, **details: object) -> exception.LocationError:
    return exception.LocationError(message, details=details)


class MemoryLocationMixin(
    _EntityBase, MutableMapping[str, Any], metaclass=DynamicEntityTypeMetaclass
):
    """A mixin that registers components in memory instead of on the server."""

    @property
    def _cache(self) -> dict[str, str]:
        """``{component id: (encoded) resource identifier}``, mutable."""
        places: dict[str, str] = vars(self).setdefault("_places_in_memory", {})
        return places

    def _register_component_in_location(
        self, component: Component, resource_identifier: str
    ) -> None:
        """Register *component* at the (encoded) *resource_identifier*."""
        self._cache[component_id(component)] = resource_identifier

    def _register_components_in_location(
        self, components: Sequence[Component], resource_identifiers: Sequence[str]
    ) -> None:
        """Register *components* at the (encoded) *resource_identifiers*."""
        for component, resource_identifier in zip(components, resource_identifiers):
            self._register_component_in_location(component, resource_identifier)

    def _deregister_component_in_location(self, component: Component) -> None:
        """Remove the registration of *component*."""
        self._cache.pop(component_id(component), None)

    def find_places(self, components: Sequence[Component]) -> dict[str, str]:
        """Return all registered places by component id."""
        return dict(self._cache)

    def find_taken(self, resource_identifiers: Sequence[str]) -> list[str]:
        """Return all (encoded) places with registered components."""
        return list(self._cache.values())

    def _get_resource_identifiers(self, components: Sequence[Component]) -> list[str]:
        """Return the (encoded) resource identifiers of *components*."""
        location = cast("Location", self)
        return location.pick_places(components, self._cache)


class UnmanagedLocationMixin(
    _EntityBase, MutableMapping[str, Any], metaclass=DynamicEntityTypeMetaclass
):
    """A mixin that registers components without copying or removing their data."""

    def _add_data(self, component: Component, resource_identifier: str, source: Location) -> None:
        """Do nothing: the data of *component* stays where it is."""

    def _remove_data(self, component: Component) -> None:
        """Do nothing: the data of *component* stays where it is."""


class OriginLocationMixin(MemoryLocationMixin, UnmanagedLocationMixin):
    """A mixin for the origin location: the paths of new components, kept in memory."""

    def _get_context(self, component: Component, source: DataSource) -> dict[str, Any]:
        """Return ``{"source_resource_identifier": source}``; *source* is a path here."""
        return {"source_resource_identifier": source}


class ServerLocationMixin(
    _EntityBase, MutableMapping[str, Any], metaclass=DynamicEntityTypeMetaclass
):
    """A mixin for the location in the storage of the server."""

    def get_thumbnail_url(self, component: Component, size: Optional[int] = None) -> str:
        """Return the address of a scaled image of *component*.

        Its longer side has *size* pixels; the server chooses the size if that is None. The address
        contains credentials. Treat it as a secret.
        """
        location = cast("Location", self)
        identifier = location.get_resource_identifier(component)
        accessor = cast("_ServerAccessor", _require_accessor(location))
        return accessor.get_thumbnail_url(identifier, size)
