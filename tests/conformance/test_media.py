"""Encoding of media, widgets, and what programs find out about versions."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests
from tests.conformance.facts import fact, live, row, writes
from tests.conformance.listeners import PATIENCE, Listener
from tests.conformance.site import Site
from tests.conformance.uploads import SERVER_LOCATION, picture, upload

_SECONDS = 60


def _encode(site: Site, source: str, version: Any) -> str:
    """Start an encoding and return the id of its job."""
    return _begin(site, source, version)[0]


def _begin(site: Site, source: str, version: Any) -> tuple[str, list[dict[str, Any]]]:
    """Start an encoding; return the id of its job, and the components as it begins."""
    operation = {
        "action": "encode_media",
        "component_id": source,
        "version_id": version,
        "keep_original": True,
    }
    expression = f'select name, file_type from Component where version_id is "{version}"'
    begun, found = site.call(operation, {"action": "query", "expression": expression})
    site.remove_later("Job", begun["job_id"])
    return str(begun["job_id"]), found["data"]


def _finished(site: Site, job: str) -> dict[str, Any]:
    """Return the job when it is done or has failed."""
    pause = threading.Event()
    for _ in range(PATIENCE * 5):
        found = site.get("Job", job, "status, data, type")
        if found["status"] in ("done", "failed"):
            return found
        pause.wait(0.2)
    raise AssertionError(f"the job is {found['status']} after {PATIENCE} s")


class Encoded:
    """A version with an encoded picture: the ids, and the job as it was at its end."""

    def __init__(self, site: Site) -> None:
        self.version = site.version()
        self.source = upload(site, picture(640, 360), ".png", version_id=self.version)
        self.job_id, self.components = _begin(site, self.source, self.version)
        self.first = site.get("Job", self.job_id, "status, data, type")
        self.job = _finished(site, self.job_id)


@pytest.fixture(scope="session")
def encoded(site: Site) -> Encoded:
    """Return a version with an encoded picture."""
    return Encoded(site)


def _output(encoded: Encoded) -> list[dict[str, Any]]:
    """Return the outputs that the job names."""
    found: list[dict[str, Any]] = json.loads(encoded.first["data"])["output"]
    return found


def _meta(site: Site, version: str, name: str) -> Any:
    """Return the media metadata of a component of a version."""
    rows = site.rows(
        "select metadata.key, metadata.value from Component "
        f'where version_id is "{version}" and name is "{name}"'
    )
    assert rows, f"no component {name}"
    found = [each["value"] for each in rows[0]["metadata"] if each["key"] == "ftr_meta"]
    assert found, f"{name} has no ftr_meta"
    return json.loads(found[0])


# Jobs


@writes
@fact("protocol 1", "protocol")
@pytest.mark.parametrize("key", ["output", "source_component_id", "keep_original"])
def test_a_job_has_its_data(encoded: Encoded, key: str) -> None:
    """The data of the job of an encoding are JSON text with the outputs and the source."""
    assert key in json.loads(encoded.first["data"])


@writes
@fact("site-facts E", "P")
def test_a_job_names_its_source(encoded: Encoded) -> None:
    """The data of the job name the component that is encoded."""
    assert json.loads(encoded.first["data"])["source_component_id"] == encoded.source


@writes
@fact("site-facts E", "P")
def test_a_job_has_a_status(encoded: Encoded) -> None:
    """The status of a job goes from queued or running to done or failed."""
    assert encoded.first["status"] in ("queued", "running", "done", "failed")
    assert encoded.job["status"] in ("done", "failed")


@writes
@fact("protocol 1", "protocol")
def test_outputs_exist_with_the_job(site: Site, encoded: Encoded) -> None:
    """The components of the outputs exist, with their version, as soon as the job does."""
    names = {each["name"] for each in encoded.components}
    assert "thumbnail" in names
    assert len(names) > 1
    keys = {each["id"] for each in encoded.components}
    assert {each["component_id"] for each in _output(encoded)} <= keys


@writes
@fact("protocol 1", "protocol")
def test_an_output_has_its_form(encoded: Encoded) -> None:
    """Each output has a form and a component."""
    for each in _output(encoded):
        assert {"format", "component_id"} <= set(each)


@writes
@fact("site-facts E", "M")
def test_the_thumbnail_has_its_type(encoded: Encoded) -> None:
    """The file type of an encoded thumbnail has no dot."""
    found = [each["file_type"] for each in encoded.components if each["name"] == "thumbnail"]
    assert found == ["jpg"]


@writes
@fact("site-facts E", "M")
def test_the_original_stays(encoded: Encoded) -> None:
    """The original stays a component of the version under its own name."""
    assert encoded.source in {each["id"] for each in encoded.components}


@writes
@fact("protocol 1", "protocol")
def test_outputs_are_in_the_server_location(site: Site, encoded: Encoded) -> None:
    """The server makes a component location for each output."""
    _done(encoded)
    keys = ", ".join(f'"{each["component_id"]}"' for each in _output(encoded))
    rows = site.rows(f"select location_id from ComponentLocation where component_id in ({keys})")
    assert {each["location_id"] for each in rows} == {SERVER_LOCATION}


@writes
@fact("protocol 1", "protocol")
def test_a_job_has_its_components(site: Site, encoded: Encoded) -> None:
    """The server makes a row that joins the job and a component."""
    rows = site.rows(f'select component_id from JobComponent where job_id is "{encoded.job_id}"')
    assert rows


@writes
@fact("site-facts E", "P")
def test_a_version_gets_the_thumbnail(site: Site, encoded: Encoded) -> None:
    """After the encoding the version has the thumbnail."""
    _done(encoded)
    found = site.get("AssetVersion", encoded.version, "thumbnail_id, thumbnail_url")
    assert found["thumbnail_id"]
    assert requests.get(found["thumbnail_url"]["url"], timeout=_SECONDS).status_code == 200


@writes
@fact("site-facts E", "D")
@pytest.mark.parametrize("key", ["width", "height", "format"])
def test_a_picture_has_its_metadata(site: Site, encoded: Encoded, key: str) -> None:
    """The encoded picture has its size and its format in the media metadata."""
    _done(encoded)
    found = _meta(site, encoded.version, "ftrackreview-image")
    assert key in found


@writes
@fact("site-facts E", "M")
@pytest.mark.parametrize(
    ("name", "file_type"),
    [row("thumbnail", "jpg", name="thumbnail"), row("ftrackreview-mp4", ".mp4", name="film")],
)
def test_a_film_has_its_components(site: Site, name: str, file_type: str) -> None:
    """An encoding of a film makes a thumbnail and a film, beside the original."""
    version = site.version()
    source = upload(site, b"this is no film", ".mov", version_id=version)
    job, rows = _begin(site, source, version)
    _finished(site, job)
    assert [each["file_type"] for each in rows if each["name"] == name] == [file_type]


@writes
@fact("site-facts E", "P")
def test_what_is_no_film_fails(site: Site) -> None:
    """The job of a file that is no film ends as failed."""
    version = site.version()
    source = upload(site, b"this is no film", ".mov", version_id=version)
    assert _finished(site, _encode(site, source, version))["status"] == "failed"


@writes
@fact("protocol 1", "protocol")
def test_a_version_may_be_null(site: Site) -> None:
    """Outputs of an encoding without a version are unattached."""
    source = upload(site, picture(), ".png", version_id=site.version())
    job = _encode(site, source, None)
    data = json.loads(site.get("Job", job, "data")["data"])
    for each in data["output"]:
        found = site.get("Component", each["component_id"], "version_id")
        assert found["version_id"] is None
    _finished(site, job)
    for each in data["output"]:
        site.remove_later("Component", each["component_id"])


@fact("protocol 1", "protocol")
def test_an_unknown_component_is_not_encoded(site: Site) -> None:
    """An encoding of a component that does not exist is an error."""
    assert site.problem(
        {
            "action": "encode_media",
            "component_id": "00000000-0000-4000-8000-000000000000",
            "version_id": None,
            "keep_original": True,
        }
    ).text


@writes
@fact("site-facts D1", "P")
def test_the_end_of_an_encoding_is_told(site: Site, listener: Listener, encoded: Encoded) -> None:
    """An event tells that a version is encoded."""
    _done(encoded)
    version = site.version()
    source = upload(site, picture(640, 360), ".png", version_id=version)
    _encode(site, source, version)
    told, _ = listener.entity(version, "encoded")
    assert told["entityType"] == "assetversion"


def _done(encoded: Encoded) -> None:
    """Skip where the server could not encode the picture."""
    if encoded.job["status"] != "done":
        pytest.skip("the server could not encode a picture")


# Widgets


@writes
@live
@fact("protocol 1", "protocol")
@pytest.mark.parametrize("name", ["info", "tasks"])
@pytest.mark.parametrize("theme", ["light", "dark", None], ids=str)
def test_a_widget_has_an_address(site: Site, name: str, theme: Any) -> None:
    """The address of a widget opens without headers."""
    answer = site.call(
        {
            "action": "get_widget_url",
            "name": name,
            "theme": theme,
            "entity_type": "Task",
            "entity_key": [site.context("Task")],
        }
    )
    page = requests.get(answer[0]["widget_url"], timeout=_SECONDS)
    assert page.status_code == 200


@fact("protocol 1", "protocol")
@pytest.mark.parametrize("name", ["tasks_browser", "tasks"])
def test_a_widget_without_an_entity(site: Site, name: str) -> None:
    """A widget may be for no entity."""
    answer = site.call({"action": "get_widget_url", "name": name, "theme": None})
    assert answer[0]["widget_url"]


@fact("protocol 1", "protocol")
def test_an_unknown_widget_is_an_error(site: Site) -> None:
    """A widget that does not exist is an error."""
    assert site.problem({"action": "get_widget_url", "name": "dance", "theme": None}).text
