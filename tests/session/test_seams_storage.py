"""Locations that studios put together: subclassed structures, accessors, transformers, mixins."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from ftrack_like._base.mixin import mixin
from ftrack_like.accessor.base import Accessor
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.data import FileWrapper
from ftrack_like.entity.location import Location
from ftrack_like.exception import AccessorResourceNotFoundError
from ftrack_like.resource_identifier_transformer.base import ResourceIdentifierTransformer
from ftrack_like.structure.base import Structure
from ftrack_like.structure.standard import StandardStructure
from ftrack_like.symbol import ORIGIN_LOCATION_ID


class MemoryData(FileWrapper):
    """Data that goes back where it came from when it is flushed."""

    def __init__(self, store: dict[str, bytes], name: str, mode: str) -> None:
        self._store, self._name, self._writes = store, name, "w" in mode
        super().__init__(BytesIO(b"" if self._writes else store[name]))

    def flush(self) -> None:
        """Keep what was written."""
        if self._writes:
            self._store[self._name] = self.wrapped_file.getvalue()


class MemoryAccessor(Accessor):
    """An accessor that keeps everything in a mapping, with the methods of the base class only."""

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, bytes] = {}

    def list(self, resource_identifier: str) -> Any:
        """Return what begins so."""
        return [name for name in self.store if name.startswith(resource_identifier)]

    def exists(self, resource_identifier: str) -> bool:
        """Return whether it is kept."""
        return resource_identifier in self.store

    is_file = exists

    def is_container(self, resource_identifier: str) -> bool:
        """Return False: there are none."""
        return False

    is_sequence = is_container

    def open(self, resource_identifier: str, mode: str = "rb") -> Any:
        """Return the data."""
        if "r" in mode and resource_identifier not in self.store:
            raise AccessorResourceNotFoundError(resource_identifier)
        return MemoryData(self.store, resource_identifier, mode)

    def remove(self, resource_identifier: str) -> None:
        """Forget the data."""
        del self.store[resource_identifier]

    def make_container(self, resource_identifier: str, recursive: bool = True) -> None:
        """Make nothing."""

    def get_container(self, resource_identifier: str) -> str:
        """Return the part before the last slash."""
        return resource_identifier.rpartition("/")[0]


class Shelf(Structure):
    """A structure that looks at the context."""

    def get_resource_identifier(self, entity: Any, context: Any = None) -> str:
        """Return shelf and name."""
        return f"shelf/{entity['name']}{entity['file_type']}"


class Backwards(ResourceIdentifierTransformer):
    """What the server holds reads backwards."""

    def encode(self, resource_identifier: str, context: Any = None) -> str:
        """Turn around."""
        return resource_identifier[::-1]

    def decode(self, resource_identifier: str, context: Any = None) -> str:
        """Turn back."""
        return resource_identifier[::-1]


class Watched:
    """A mixin that notes what a location does."""

    steps: Any

    def add_component(self, *arguments: Any, **options: Any) -> Any:
        """Note and pass on."""
        self.steps.append("add")
        return super().add_component(*arguments, **options)

    def _add_data(self, *arguments: Any, **options: Any) -> Any:
        """Note and pass on."""
        self.steps.append("data")
        return super()._add_data(*arguments, **options)

    def _register_components_in_location(self, *arguments: Any, **options: Any) -> Any:
        """Note and pass on."""
        self.steps.append("register")
        return super()._register_components_in_location(*arguments, **options)


@pytest.fixture
def component(session: Any, tmp_path: Any) -> Any:
    """Return a component of a file."""
    (tmp_path / "plate.exr").write_bytes(b"pixels")
    return session.create_component(str(tmp_path / "plate.exr"), location=None)


def test_location_of_a_studio(session: Any, component: Any) -> None:
    """Accessor, structure, transformer and mixin of a studio work together, in both directions."""
    location = session.ensure("Location", {"name": "studio.memory"})
    mixin(location, Watched, name="StudioLocation")
    location.accessor, location.structure = MemoryAccessor(), Shelf()
    location.resource_identifier_transformer = Backwards(session)
    location.priority = 5
    location.steps = []
    assert type(location).__name__ == "StudioLocation"
    assert isinstance(location, Location)
    location.add_component(component, session.get("Location", ORIGIN_LOCATION_ID))
    assert location.accessor.store == {"shelf/main.exr": b"pixels"}
    assert location.steps == ["add", "data", "register"]
    assert location.get_resource_identifier(component) == "shelf/main.exr"
    (link,) = session.query(
        f'ComponentLocation where location.name is "studio.memory" '
        f'and component_id is "{component["id"]}"'
    )
    assert link["resource_identifier"] == "rxe.niam/flehs"
    assert session.pick_location() is location
    assert session.pick_location(component) is location
    location.remove_component(component)
    assert location.accessor.store == {}


def test_location_keeps_its_mixin_when_it_is_loaded_again(session: Any) -> None:
    """What was given to a location stays when it is queried, and when others are configured."""
    location = session.ensure("Location", {"name": "studio.memory"})
    mixin(location, Watched, name="StudioLocation")
    location.accessor, location.priority = MemoryAccessor(), 1
    session._configure_locations()
    session._configure_locations()
    assert session.query('Location where name is "studio.memory"').one() is location
    assert type(location).__name__ == "StudioLocation"
    assert session.pick_location() is location


def test_standard_structure_with_more_parts(session: Any, tmp_path: Any) -> None:
    """Subclasses of the standard structure add folders and choose how frames are written."""

    class Departments(StandardStructure):
        """The folder of the department stands before the version."""

        path_separator = "/"

        def _get_parts(self, entity: Any) -> list[str]:
            *parts, version = super()._get_parts(entity)
            return [*parts, "Layout Dept", version]

        def _get_sequence_expression(self, sequence: Any) -> str:
            return "####"

        def sanitise_for_filesystem(self, value: Any) -> str:
            return super().sanitise_for_filesystem(value).upper()

    schema = session.query("ProjectSchema order by name").first()
    project = session.create("Project", {"name": "seams", "project_schema": schema})
    shot = session.create("Shot", {"name": "sh 010", "parent": project})
    asset_type = session.query("AssetType").first()
    asset = session.create("Asset", {"name": "plate", "parent": shot, "type": asset_type})
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    for number in (1, 2):
        (tmp_path / f"plate.{number:04d}.exr").write_bytes(b"x")
    path = f"{tmp_path}/plate.%04d.exr [1-2]"
    data = {"version": version, "name": "main"}
    component = session.create_component(path, data, location=None)
    location = session.ensure("Location", {"name": "studio.disk"})
    location.accessor, location.structure = DiskAccessor(str(tmp_path)), Departments("_versions")
    found = location.structure.get_resource_identifier(component)
    assert found == "SEAMS/SH_010/PLATE/Layout Dept/v001/MAIN.####.EXR"
    member = component["members"][0]
    assert location.structure.get_resource_identifier(member).endswith("MAIN.0001.EXR")
