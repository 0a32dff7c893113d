"""What the encoder of the sandbox makes of a file, kept so that each test can publish it."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import requests

#: The component that is the thumbnail of its version.
THUMBNAIL = "thumbnail"


class Output(NamedTuple):
    """A component that the encoder made: its name, its file, and its ``ftr_meta``."""

    name: str
    path: pathlib.Path
    meta: str


def encode_once(sandbox, source, folder):
    """Return the outputs that the encoder of *sandbox* makes of *source*, as files in *folder*."""
    with sandbox.session() as session:
        schema = session.query("ProjectSchema where name is VFX").one()
        values = {"name": source.stem, "full_name": source.stem, "project_schema": schema}
        asset = session.create(
            "Asset", {"name": "comp", "parent": session.create("Project", values)}
        )
        version = session.create("AssetVersion", {"asset": asset})
        session.commit()
        version.encode_media(str(source), wait=True, timeout=120)
        server = _server(session)
        components = session.query(f"FileComponent where version_id is {version['id']}").all()
        return [_kept(server, component, folder) for component in components]


def _kept(server, component, folder):
    """Return the output *component*, with its file in *folder*."""
    path = folder / f"{component['name']}.{component['file_type'].lstrip('.')}"
    path.write_bytes(requests.get(server.get_url(component), timeout=30).content)
    return Output(component["name"], path, component["metadata"]["ftr_meta"])


def publish_outputs(version, outputs):
    """Give *version* the components that an encoding leaves, without encoding again."""
    server = _server(version.session)
    for output in outputs:
        component = version.create_component(
            str(output.path), data={"name": output.name}, location=server
        )
        component["metadata"]["ftr_meta"] = output.meta
        if output.name == THUMBNAIL:
            version["thumbnail_id"] = component["id"]
    version.session.commit()


def _server(session):
    return session.query('Location where name is "ftrack.server"').one()
