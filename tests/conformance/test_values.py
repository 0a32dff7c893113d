"""How values look on the wire, and what the server says of itself."""

from __future__ import annotations

import hashlib
import json

import pytest
from tests.conformance.facts import fact, writes
from tests.conformance.site import Site


@fact("protocol 1", "protocol")
def test_server_information_is_not_wrapped(site: Site) -> None:
    """The server information is a plain mapping with these keys."""
    known = site.information()
    for name in ("version", "schema_hash", "is_timezone_support_enabled", "storage_scenario"):
        assert name in known


@fact("site-facts A10", "M")
def test_times_are_utc(site: Site) -> None:
    """The server says that its times are UTC."""
    assert site.information()["is_timezone_support_enabled"] is True


@fact("site-facts A10", "M")
def test_the_storage_scenario_of_a_fresh_site(site: Site) -> None:
    """A site has a storage scenario with its data; a fresh one has the automatic one."""
    found = site.information()["storage_scenario"]
    assert found is None or set(found) == {"scenario", "data"}


@fact("protocol 1", "protocol")
def test_the_hash_is_that_of_the_schemas(site: Site) -> None:
    """The schema hash is the MD5 of the schemas as JSON with sorted keys."""
    schemas = site.call({"action": "query_schemas"})[0]
    text = json.dumps(schemas, sort_keys=True)
    assert hashlib.md5(text.encode()).hexdigest() == site.information()["schema_hash"]


@fact("protocol 1", "protocol")
@pytest.mark.parametrize(
    "name",
    [
        "Asset",
        "AssetVersion",
        "Component",
        "ComponentLocation",
        "Context",
        "CustomAttributeConfiguration",
        "FileComponent",
        "Job",
        "List",
        "Location",
        "Metadata",
        "Note",
        "Project",
        "ProjectSchema",
        "ReviewSession",
        "SequenceComponent",
        "Shot",
        "Status",
        "Task",
        "Timelog",
        "TypedContext",
        "User",
    ],
)
def test_a_schema_has_its_parts(site: Site, name: str) -> None:
    """A schema has an id, properties, a primary key and default projections."""
    schema = site.schemas[name]
    assert schema["properties"]
    assert schema["primary_key"]
    assert isinstance(schema["default_projections"], list)
    assert set(schema["primary_key"]) <= set(schema["properties"])


@fact("protocol 1", "protocol")
@pytest.mark.parametrize("name", ["Note", "Metadata"])
def test_a_parent_type_has_its_transform(site: Site, name: str) -> None:
    """The parent type of notes and metadata is said to be written in two ways."""
    found = site.schemas[name]["properties"]["parent_type"]
    assert found["type"] == "string"


@writes
@fact("protocol 1", "protocol")
def test_an_entity_has_its_type_and_key(site: Site) -> None:
    """An entity always has its type and its primary key."""
    shot = site.context("Shot")
    found = site.one(f'select name from Shot where id is "{shot}"')
    assert (found["__entity_type__"], found["id"]) == ("Shot", shot)


@writes
@fact("protocol 1", "protocol")
def test_a_query_without_a_projection_has_the_defaults(site: Site) -> None:
    """A query without a projection answers the default projections of the schema."""
    shot = site.context("Shot")
    found = site.one(f'Shot where id is "{shot}"')
    assert set(site.schemas["Shot"]["default_projections"]) <= set(found)


@writes
@fact("protocol 1", "protocol")
def test_a_link_has_its_parts(site: Site) -> None:
    """A link is a list of types, ids and names from the project down."""
    shot = site.context("Shot")
    link = site.get("Shot", shot, "link")["link"]
    assert [sorted(each) for each in link] == [["id", "name", "type"]] * 2
    assert [each["type"] for each in link] == ["Project", "TypedContext"]


@writes
@fact("protocol 1", "protocol")
def test_a_mapping_is_a_list_of_entities(site: Site) -> None:
    """Metadata and custom attributes are lists of entities."""
    shot = site.context("Shot")
    site.create("Metadata", parent_id=shot, parent_type="Shot", key="k", value="v")
    found = site.get("Shot", shot, "metadata, custom_attributes")
    assert found["metadata"][0]["__entity_type__"] == "Metadata"
    assert all("__entity_type__" in each for each in found["custom_attributes"])


@fact("site-facts E", "M")
def test_a_file_component_has_no_address(site: Site) -> None:
    """A file component has no thumbnail address of its own."""
    assert "thumbnail_url" not in site.schemas["FileComponent"]["properties"]
    assert "url" not in site.schemas["FileComponent"]["properties"]
