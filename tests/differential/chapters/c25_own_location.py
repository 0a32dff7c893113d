"""A studio program: a plugin that gives every session a location of the studio's own making."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from book import Stage, step

PLUGIN = """
import functools
import hashlib
import os

import {library} as ftrack_api
import {library}.accessor.disk
import {library}.entity.location
import {library}.structure.standard
import {library}.resource_identifier_transformer.base


class Structure({library}.structure.standard.StandardStructure):
    def _get_parts(self, entity):
        parts = super(Structure, self)._get_parts(entity)
        return [parts[0].upper(), "publish"] + parts[1:]

    def sanitise_for_filesystem(self, value):
        return super(Structure, self).sanitise_for_filesystem(value).replace("-", "_")

    def get_resource_identifier(self, entity, context=None):
        file = entity.entity_type == "FileComponent"
        if file and not entity["version"] and not entity["container"]:
            return "loose/" + entity["name"] + entity["file_type"]
        return super(Structure, self).get_resource_identifier(entity, context=context)


class Accessor({library}.accessor.disk.DiskAccessor):
    opened = []

    def open(self, resource_identifier, mode="rb"):
        self.opened.append((resource_identifier, mode))
        return super(Accessor, self).open(resource_identifier, mode)


class Transformer({library}.resource_identifier_transformer.base.ResourceIdentifierTransformer):
    def encode(self, resource_identifier, context=None):
        return "studio:" + resource_identifier

    def decode(self, resource_identifier, context=None):
        return resource_identifier.partition("studio:")[2]


class Mixin(object):
    def describe(self):
        return "{{}} at {{}}".format(self["name"], self.priority)

    def _add_data(self, component, resource_identifier, source):
        self.added = getattr(self, "added", []) + [resource_identifier]
        return {library}.entity.location.Location._add_data(
            self, component, resource_identifier, source
        )


def configure(root, session, event):
    if getattr(session, "studio_location", None) is not None:
        return
    location = session.ensure("Location", {{"name": "studio.own"}})
    ftrack_api.mixin(location, Mixin, name="StudioLocation")
    location.accessor = Accessor(prefix=root)
    location.structure = Structure()
    location.resource_identifier_transformer = Transformer(session)
    location.priority = 5
    session.studio_location = location


def register(api_object, root=None, **kw):
    if not isinstance(api_object, ftrack_api.session.Session):
        return
    api_object.event_hub.subscribe(
        "topic=ftrack.api.session.configure-location",
        lambda event: configure(root, event["data"]["session"], event),
    )
"""


def session(stage: Stage) -> Any:
    """Return a session with the plugin."""
    text = textwrap.dedent(PLUGIN).format(library=stage.module_name)
    stage.file("plugins/locations/own.py", text)
    root = stage.folder / "c25_own_location" / "root"
    root.mkdir(exist_ok=True)
    return stage.new_session(
        plugin_paths=[str(stage.folder / "c25_own_location" / "plugins")],
        plugin_arguments={"root": str(root)},
    )


def version(stage: Stage, work: Any) -> Any:
    """Return the version of this chapter in the session *work*."""
    if "version" not in stage.memory:
        asset = stage.session.create("Asset", {"name": "Büste-01", "parent": stage.project})
        stage.memory["version"] = stage.session.create("AssetVersion", {"asset": asset})
        stage.session.commit()
    return work.get("AssetVersion", stage.memory["version"]["id"])


@step()
def configured(stage: Stage) -> Any:
    """The location is there after the start, and only one of its name."""
    first, second = session(stage), session(stage)
    location = second.studio_location
    return [
        first.studio_location == location,
        location.describe(),
        type(location).__name__,
        location.entity_type,
        isinstance(location, stage.module("entity.location").Location),
        second.pick_location()["name"],
        str(location),
        len(stage.session.query('Location where name is "studio.own"').all()),
    ]


@step(asks="A")
def configured_again(stage: Stage) -> Any:
    """Configuring locations a second time keeps the plugin's."""
    work = session(stage)
    before = work.studio_location
    work._configure_locations()
    return [work.studio_location is before, before.accessor is not None, before.priority]


@step(asks="A")
def publish(stage: Stage) -> Any:
    """A component is written where the structure says, known as the transformer says."""
    work = session(stage)
    made = version(stage, work).create_component(
        stage.file("model v1.abc", "polygons"), data={"name": "geo-meta"}, location="auto"
    )
    location = work.studio_location
    stored = stage.session.query(f'ComponentLocation where component_id is "{made["id"]}"').one()[
        "resource_identifier"
    ]
    return [
        stored,
        location.get_resource_identifier(made),
        Path(location.get_filesystem_path(made)).read_text(encoding="utf-8"),
        location.added,
        [mode for _, mode in location.accessor.opened],
        location.get_component_availability(made),
    ]


@step(asks="A")
def loose_component(stage: Stage) -> Any:
    """A component without a version goes where the studio's structure puts such."""
    work = session(stage)
    made = work.create_component(stage.file("loose.txt"), location=work.studio_location)
    return work.studio_location.get_resource_identifier(made)


@step(asks="A")
def to_another_and_back(stage: Stage) -> Any:
    """Copied to a second location by id, removed here, and copied back."""
    work = session(stage)
    own = work.studio_location
    made = work.query('Component where name is "geo-meta"').one()
    other = work.ensure("Location", {"name": "studio.archive"})
    folder = stage.folder / "c25_own_location" / "archive"
    folder.mkdir()
    other.accessor = stage.module("accessor.disk").DiskAccessor(prefix=str(folder))
    other.structure = stage.module("structure.id").IdStructure()
    other.add_component(made, own)
    own.remove_component(made)
    gone = [own.get_component_availability(made), work.pick_location(made)["name"]]
    own.add_components([made], other)
    return [gone, own.get_resource_identifier(made), sorted(made.get_availability().values())[-2:]]


@step(asks="A")
def missing_source(stage: Stage) -> Any:
    """Copying from where it is not."""
    work = session(stage)
    made = work.create_component(stage.file("nowhere.txt"), location=None)
    work.commit()
    work.studio_location.add_component(
        made, work.query('Location where name is "ftrack.origin"').one()
    )


@step(asks="A")
def location_without_plugin(stage: Stage) -> Any:
    """Without the plugin the location is there but cannot be used."""
    work = stage.new_session()
    location = work.query('Location where name is "studio.own"').one()
    made = work.query('Component where name is "geo-meta"').one()
    return [
        type(location.accessor).__name__,
        location.priority,
        location.get_component_availability(made),
    ]


@step()
def text_of_locations(stage: Stage) -> Any:
    """A location as text, its name loaded or not."""
    work = stage.new_session()
    found = work.query('select id from Location where name is "studio.own"').one()
    before = str(found)
    return [before, found["name"], str(found)]
