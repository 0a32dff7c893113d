"""Facts about files, thumbnails and errors of real sites: sections E and G of the site facts."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

#: ``system_projections`` that real sites have and the recorded schemas lack.
PROJECTIONS = {
    "Asset": {"context_id", "project_id"},
    "AssetVersion": {"assetid", "project_id"},
    "ContextCustomAttributeValue": {"permission_id"},
    "CustomAttributeConfiguration": {"write_permissionid", "permissionid", "topid"},
    "Event": {"showid"},
    "FileComponent": {"container_id"},
    "Note": {"project_id"},
    "NoteComponent": {"note_component_type"},
    "SequenceComponent": {"container_id"},
    "Task": {"showid", "context_type"},
    "UserCustomAttributeValue": {"permission_id"},
}


def upload(api: Any, data: bytes, file_type: str) -> str:
    """Return the id of a new component with *data*, uploaded with two headers alone."""
    component = api.create("FileComponent", name="main", file_type=file_type)
    request = {"component_id": component, "file_name": f"main{file_type}", "file_size": len(data)}
    place = api.call({"action": "get_upload_metadata", **request})[0]
    headers = {"Content-Length": str(len(data)), "Content-Type": "application/octet-stream"}
    sent = requests.put(place["url"], data=data, headers=headers, timeout=30)
    assert sent.status_code == 200
    location = api.one('Location where name is "ftrack.server"')["id"]
    words = {"component_id": component, "location_id": location, "resource_identifier": component}
    api.create("ComponentLocation", **words)
    return str(component)


def picture(mode: str, form: str) -> bytes:
    """Return a half-transparent picture, where the mode can be."""
    image = pytest.importorskip("PIL.Image").new(mode, (400, 200), 0)
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("type_name", ["Task", "AssetVersion", "Project", "User"])
def test_thumbnail_url_is_two_equal_addresses(
    sandbox: Any, api: Any, work: Any, type_name: str
) -> None:
    """E: thumbnail_url is {"url", "value"}, both the same; neither user nor key is in it."""
    component = upload(api, picture("RGB", "PNG"), ".png")
    ids = {"Task": work.task, "AssetVersion": work.version, "Project": work.project}
    owner = ids.get(type_name, work.user)
    api.update(type_name, owner, thumbnail_id=component)
    wanted = f"select thumbnail_url from {type_name} where id is {owner}"
    address = api.one(wanted)["thumbnail_url"]
    assert set(address) == {"url", "value"}
    assert address["url"] == address["value"] == api.one(wanted)["thumbnail_url"]["url"]
    for secret in (sandbox.api_user, sandbox.api_key, work.user, "username", "apiKey"):
        assert secret not in urlsplit(address["url"]).query
    assert "signature=" in address["url"]
    assert requests.get(address["url"], timeout=30).status_code == 200


def test_hidden_user_of_an_address_is_not_replaced(api: Any, work: Any) -> None:
    """E: an address whose hidden user was changed is refused."""
    component = upload(api, picture("RGB", "PNG"), ".png")
    api.update("Task", work.task, thumbnail_id=component)
    url = api.one(f"select thumbnail_url from Task where id is {work.task}")["thumbnail_url"]["url"]
    for other in ("A" * 48, "x", "%00", ""):
        changed = re.sub("holder=[^&]*", f"holder={other}", url)
        assert changed != url
        assert requests.get(changed, timeout=30).status_code == 403


def test_component_of_a_note_has_two_addresses(api: Any, work: Any) -> None:
    """E: NoteComponent has url and thumbnail_url, FileComponent has neither."""
    component = upload(api, picture("RGB", "PNG"), ".png")
    note = api.create("Note", content="x", parent_id=work.task)
    ids = {"component_id": component, "note_id": note}
    api.create("NoteComponent", [component, note], **ids)
    record = api.one("select url, thumbnail_url from NoteComponent")
    assert record["url"]["value"].startswith(api.url)
    assert record["thumbnail_url"]["url"] == record["thumbnail_url"]["value"]
    for attribute in ("url", "thumbnail_url"):
        with pytest.raises(api.Error, match=f"No attribute '{attribute}' exists"):
            api.query(f"select {attribute} from FileComponent")


@pytest.mark.parametrize(
    ("mode", "form", "kept"),
    [
        *((mode, "PNG", "PNG") for mode in ("RGB", "RGBA", "L", "LA", "P", "1")),
        ("RGB", "JPEG", "JPEG"),
        ("RGB", "BMP", "JPEG"),
        ("P", "GIF", "JPEG"),
    ],
)
def test_scaled_png_stays_png(api: Any, mode: str, form: str, kept: str) -> None:
    """Item 8: a scaled PNG stays a PNG, with its transparent parts; others become JPEG."""
    component = upload(api, picture(mode, form), f".{form.lower()}")
    for _ in range(2):  # the second answer is from the folder of scaled images
        answer = api.http.get(f"{api.url}/component/thumbnail?id={component}&size=100", timeout=30)
        assert answer.headers["content-type"] == f"image/{kept.lower()}"
        scaled = pytest.importorskip("PIL.Image").open(io.BytesIO(answer.content))
        assert (scaled.format, scaled.size) == (kept, (100, 50))
        if mode in ("RGBA", "LA") and kept == "PNG":
            assert scaled.getchannel("A").getextrema() == (0, 0)


def test_location_address_reads_the_data(api: Any) -> None:
    """E: component_locations[0].url["value"] is read to download."""
    component = upload(api, b"data", ".txt")
    record = api.one(f"select component_locations.url from Component where id is {component}")
    url = record["component_locations"][0]["url"]["value"]
    assert requests.get(url, timeout=30).content == b"data"


def test_encoder_writes_the_type_of_thumbnails_without_dot(api: Any, work: Any) -> None:
    """E: the encoder writes jpg for the thumbnail, but .mp4 with the dot for films."""
    source = upload(api, b"no film", ".mov")
    request = {"action": "encode_media", "component_id": source, "version_id": work.version}
    api.call({**request, "keep_original": True})
    found = api.query(f"select name, file_type from Component where version_id is {work.version}")
    assert {one["name"]: one["file_type"] for one in found} == {
        "ftrackreview-mp4": ".mp4",
        "thumbnail": "jpg",
    }


def test_data_of_a_component_without_dot_have_a_media_type(api: Any) -> None:
    """E: a file type without a dot still names a file and its media type."""
    component = upload(api, picture("RGB", "JPEG"), "jpg")
    answer = api.http.get(f"{api.url}/component/get?id={component}", timeout=30)
    assert answer.headers["content-type"] == "image/jpeg"
    assert "main.jpg" in answer.headers["content-disposition"]


def test_job_of_an_encoding_names_its_source(api: Any, work: Any) -> None:
    """E: the job of an encoding has source_component_id in its data."""
    source = upload(api, b"no film", ".mov")
    request = {"action": "encode_media", "component_id": source, "version_id": work.version}
    job = api.call({**request, "keep_original": True})[0]["job_id"]
    data = api.one(f"select data from Job where id is {job}")["data"]
    assert f'"source_component_id": "{source}"' in data


@pytest.mark.parametrize("name", ["review_navigation", "review_action"])
@pytest.mark.parametrize("entity", ["version", "task", "project", "TempData"])
def test_widgets_of_the_player_open(api: Any, work: Any, name: str, entity: str) -> None:
    """The RV integration opens two widgets for versions, contexts and lists of versions."""
    if entity == "TempData":
        id_ = api.create("TempData", data=f'[{{"id": "{work.version}", "type": "assetversion"}}]')
        type_name = "tempdata"
    else:
        id_ = getattr(work, entity)
        type_name = {"version": "AssetVersion", "task": "Task", "project": "Project"}[entity]
    words = {"entity_type": type_name, "entity_key": [id_], "theme": "dark"}
    url = api.call({"action": "get_widget_url", "name": name, **words})[0]["widget_url"]
    page = requests.get(url, timeout=30)
    assert page.status_code == 200
    if name == "review_navigation":
        assert "plate - v001" in page.text


@pytest.mark.parametrize("type_name", PROJECTIONS)
def test_system_projections_are_those_of_newer_sites(api: Any, type_name: str) -> None:
    """G: system_projections beyond those of the recorded schemas."""
    schemas = {one["id"]: one for one in api.call({"action": "query_schemas"})[0]}
    assert PROJECTIONS[type_name] <= set(schemas[type_name]["system_projections"])


def test_rows_have_their_system_projections(api: Any, work: Any) -> None:
    """G: rows of assets, versions and notes have their project without being asked for it."""
    api.create("Note", content="x", parent_id=work.task)
    for type_name in ("Asset", "AssetVersion", "Note"):
        assert api.one(type_name)["project_id"] == work.project


@pytest.mark.parametrize("strict", ["true", "false"])
def test_wrong_key_is_told_in_known_words(sandbox: Any, api: Any, strict: str) -> None:
    """G: with a wrong key the text begins with known words and names the page and the header."""
    headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": "x", "ftrack-strict-api": strict}
    answer = requests.post(f"{api.url}/api", json=[], headers=headers, timeout=30)
    assert (answer.status_code == 200) == (strict == "false")
    error = answer.json()
    assert error["exception"] == "InvalidCredentialsError"
    assert error["content"].startswith("The supplied API key is not valid.")
    assert "ftrack-api-key" in error["content"]
    assert "/browse" in error["content"]
    assert error["error_code"] == "api_credentials_invalid"


def test_unknown_action_is_told_in_known_words(api: Any) -> None:
    """G: an unknown action answers words for which clients search."""
    with pytest.raises(api.Error, match="Invalid action u'fly'"):
        api.call({"action": "fly"})


def test_answers_are_not_cached(api: Any) -> None:
    """G: answers of the API carry Cache-Control: no-cache."""
    answer = api.http.post(f"{api.url}/api", json=[], timeout=30)
    assert answer.headers["cache-control"] == "no-cache"
