"""Data of components: how they go to the server, and how they come back."""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from tests.conformance.facts import fact, live, row, writes
from tests.conformance.site import Site
from tests.conformance.uploads import (
    SERVER_LOCATION,
    address_of,
    component,
    credentials,
    picture,
    put,
    upload,
)

_SECONDS = 60


@pytest.fixture(scope="session")
def text(site: Site) -> str:
    """Return the id of a component of a version with the data ``hello``."""
    return upload(site, b"hello", version_id=site.version())


def _metadata(site: Site, key: str, **more: Any) -> dict[str, Any]:
    """Ask where the data of a component go."""
    operation = {
        "action": "get_upload_metadata",
        "component_id": key,
        "file_name": "main.txt",
        "file_size": 5,
        **more,
    }
    found: dict[str, Any] = site.call(operation)[0]
    return found


# Up


@writes
@fact("protocol 1", "protocol")
@pytest.mark.parametrize("key", ["url", "headers", "component_id"])
def test_where_data_go(site: Site, key: str) -> None:
    """The answer to the question where data go has an address, headers and the component."""
    assert key in _metadata(site, str(uuid.uuid4()))


@writes
@fact("protocol 1", "protocol")
def test_data_may_come_before_their_component(site: Site) -> None:
    """Clients send the data first and create the component afterwards."""
    key = str(uuid.uuid4())
    put(site, key, b"early")
    site.create("FileComponent", id=key, name="main", file_type=".txt", version_id=site.version())
    site.create(
        "ComponentLocation",
        component_id=key,
        location_id=SERVER_LOCATION,
        resource_identifier=key,
    )
    assert requests.get(address_of(site, key), timeout=_SECONDS).content == b"early"


@writes
@fact("site-facts E", "M")
def test_two_headers_suffice(site: Site) -> None:
    """Data may be sent with the headers Content-Length and Content-Type alone."""
    key = component(site, version_id=site.version())
    place = _metadata(site, key)
    headers = {"Content-Length": "5", "Content-Type": "application/octet-stream"}
    sent = requests.put(place["url"], data=b"hello", headers=headers, timeout=_SECONDS)
    assert sent.status_code == 200


@writes
@fact("site-facts E", "M")
def test_the_place_is_named_by_the_component(site: Site, text: str) -> None:
    """A component in the server's location has its own id as the resource identifier."""
    found = site.one(
        f'select resource_identifier from ComponentLocation where component_id is "{text}"'
    )
    assert found["resource_identifier"] == text


@writes
@live
@fact("protocol 1", "protocol")
def test_a_wrong_checksum_is_refused(site: Site) -> None:
    """Data that do not fit their checksum are refused."""
    key = component(site, version_id=site.version())
    checksum = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    place = _metadata(site, key, checksum=checksum)
    sent = requests.put(place["url"], data=b"hello", headers=place["headers"], timeout=_SECONDS)
    assert sent.status_code >= 400


@writes
@fact("protocol 1", "protocol")
def test_a_right_checksum_is_accepted(site: Site) -> None:
    """Data that fit their checksum are accepted."""
    key = component(site, version_id=site.version())
    checksum = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    assert put(site, key, b"hello", checksum=checksum)["component_id"] == key


@writes
@live
@fact("protocol 1", "protocol")
def test_a_file_of_several_parts(site: Site) -> None:
    """A file may go in parts, each with an address of its own."""
    key = component(site, version_id=site.version())
    parts = [b"a" * (5 * 1024 * 1024), b"the end"]
    size = sum(map(len, parts))
    place = _metadata(site, key, file_size=size, parts=len(parts))
    assert place["component_id"] == key
    tags = []
    for data, each in zip(parts, place["urls"]):
        sent = requests.put(each["signed_url"], data=data, timeout=_SECONDS)
        sent.raise_for_status()
        tags.append({"part_number": each["part_number"], "e_tag": sent.headers["ETag"]})
    done = site.call(
        {
            "action": "complete_multipart_upload",
            "component_id": key,
            "upload_id": place["upload_id"],
            "parts": tags,
        }
    )[0]
    assert done["component_id"] == key
    site.create(
        "ComponentLocation",
        component_id=key,
        location_id=SERVER_LOCATION,
        resource_identifier=key,
    )
    found = requests.get(address_of(site, key), timeout=_SECONDS).content
    assert (len(found), found[-7:]) == (size, b"the end")


@writes
@fact("protocol 1", "protocol")
def test_parts_have_numbers(site: Site) -> None:
    """The addresses of the parts are numbered from 1."""
    place = _metadata(site, str(uuid.uuid4()), file_size=10 * 1024 * 1024, parts=2)
    assert [each["part_number"] for each in place["urls"]] == [1, 2]


# Down


@writes
@live
@fact("site-facts E", "P")
def test_data_are_read_from_the_address(site: Site, text: str) -> None:
    """A plain GET of the address of a component location reads the data."""
    assert requests.get(address_of(site, text), timeout=_SECONDS).content == b"hello"


@writes
@fact("site-facts E", "P")
def test_the_address_is_a_path_through_the_component(site: Site, text: str) -> None:
    """The address is read through the component's locations."""
    found = site.get("Component", text, "component_locations.url")
    assert found["component_locations"][0]["url"]["value"] == address_of(site, text)


@writes
@live
@fact("protocol 1", "protocol")
@pytest.mark.parametrize("how", ["headers", "parameters"])
def test_data_are_read_with_credentials(site: Site, text: str, how: str) -> None:
    """The data of a component are read with the credentials as headers or as parameters."""
    parameters = {"id": text}
    headers = credentials(site) if how == "headers" else {}
    if how == "parameters":
        parameters.update(username=site.client.user, apiKey=site.client.key)
    answer = requests.get(
        f"{site.client.url}/component/get", params=parameters, headers=headers, timeout=_SECONDS
    )
    assert answer.content == b"hello"


@fact("protocol 1", "protocol")
def test_unknown_data_are_not_found(site: Site) -> None:
    """The address of an unknown component answers 404."""
    answer = requests.get(
        f"{site.client.url}/component/get",
        params={"id": str(uuid.uuid4())},
        headers=credentials(site),
        timeout=_SECONDS,
    )
    assert answer.status_code == 404


@writes
@fact("protocol 1", "protocol")
def test_data_need_credentials(site: Site, text: str) -> None:
    """Without credentials the data of a component are not read."""
    answer = requests.get(f"{site.client.url}/component/get", params={"id": text}, timeout=_SECONDS)
    assert answer.status_code >= 400
    assert b"hello" not in answer.content


@writes
@fact("protocol 1", "protocol")
def test_removed_data_are_not_found(site: Site) -> None:
    """Data that were removed answer 404."""
    key = upload(site, b"gone", version_id=site.version())
    parameters = {"id": key}
    place = f"{site.client.url}/component"
    removed = requests.get(
        f"{place}/remove", params=parameters, headers=credentials(site), timeout=_SECONDS
    )
    assert removed.status_code == 200
    answer = requests.get(
        f"{place}/get", params=parameters, headers=credentials(site), timeout=_SECONDS
    )
    assert answer.status_code == 404


@writes
@fact("protocol 1", "protocol")
@pytest.mark.parametrize(
    "data", [b"", b"\0\xff" * 100, "ü".encode()], ids=["empty", "bytes", "text"]
)
def test_data_come_back_as_they_were(site: Site, data: bytes) -> None:
    """Any data come back unchanged."""
    key = upload(site, data, ".bin", version_id=site.version())
    assert requests.get(address_of(site, key), timeout=_SECONDS).content == data


@writes
@fact("site-facts E", "M")
@pytest.mark.parametrize("file_type", [".jpg", "jpg", ".mp4"])
def test_a_file_type_stays_as_it_is(site: Site, file_type: str) -> None:
    """A file type is kept with or without the dot."""
    key = component(site, file_type, version_id=site.version())
    assert site.get("FileComponent", key, "file_type")["file_type"] == file_type


# Thumbnails


@fact("site-facts E", "M")
@pytest.mark.parametrize("attribute", ["url", "thumbnail_url"])
def test_a_file_component_has_no_address(site: Site, attribute: str) -> None:
    """A file component has neither an address nor that of a thumbnail."""
    assert "exist" in site.query_problem(f"select {attribute} from FileComponent limit 1").text


@fact("site-facts E", "M")
@pytest.mark.parametrize("attribute", ["url", "thumbnail_url"])
def test_a_note_component_has_addresses(site: Site, attribute: str) -> None:
    """The component of a note has both addresses."""
    assert attribute in site.schemas["NoteComponent"]["properties"]


@writes
@fact("site-facts E", "M")
@pytest.mark.parametrize("entity_type", ["Task", "AssetVersion", "Project"])
def test_a_thumbnail_has_two_equal_addresses(site: Site, entity_type: str) -> None:
    """A thumbnail has one address under two names; neither user nor key is in it."""
    key = {
        "Task": site.context,
        "AssetVersion": site.version,
        "Project": lambda: site.project["id"],
    }[entity_type]()
    site.update(entity_type, key, thumbnail_id=upload(site, picture(), ".png"))
    found = site.get(entity_type, key, "thumbnail_url")["thumbnail_url"]
    assert set(found) == {"url", "value"}
    assert found["url"] == found["value"]
    assert site.client.key not in found["url"]
    query = parse_qs(urlsplit(found["url"]).query)
    assert not {"username", "apiKey"} & set(query)


@writes
@fact("site-facts E", "M")
def test_a_thumbnail_opens_without_headers(site: Site) -> None:
    """The address of a thumbnail is read by a plain GET."""
    task = site.context("Task")
    site.update("Task", task, thumbnail_id=upload(site, picture(), ".png"))
    found = site.get("Task", task, "thumbnail_url")["thumbnail_url"]["url"]
    answer = requests.get(found, timeout=_SECONDS)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("image/")


@writes
@fact("site-facts C", "D")
@pytest.mark.parametrize(
    ("file_type", "accepted"),
    [
        *[row(each, True, name=each) for each in (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif")],
        *[row(each, False, name=each) for each in (".txt", ".mov", ".exr")],
    ],
)
def test_a_thumbnail_is_a_picture(site: Site, file_type: str, accepted: bool) -> None:
    """A thumbnail is a file in the server's location, of one of a few types."""
    task = site.context("Task")
    key = upload(site, picture(), file_type, version_id=site.version())
    if accepted:
        site.update("Task", task, thumbnail_id=key)
        assert site.get("Task", task, "thumbnail_id")["thumbnail_id"] == key
    else:
        site.problem(site.update_of("Task", task, thumbnail_id=key))


@writes
@fact("protocol 1", "protocol")
def test_a_picture_is_scaled(site: Site) -> None:
    """The server scales a picture."""
    key = upload(site, picture(400, 200), ".png", version_id=site.version())
    answer = requests.get(
        f"{site.client.url}/component/thumbnail",
        params={"id": key, "size": "100"},
        headers=credentials(site),
        timeout=_SECONDS,
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("image/")
