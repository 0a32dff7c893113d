"""What the server does by itself for assets, versions and components."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")


@pytest.fixture
def shot(api: Any) -> str:
    """Return the id of a shot in a project."""
    schema = api.query("ProjectSchema")[0]["id"]
    project = api.create("Project", name="film", project_schema_id=schema)
    return api.create("Shot", name="sh010", parent_id=project)


@pytest.fixture
def asset(api: Any, shot: str) -> str:
    """Return the id of an asset of the shot."""
    return api.create("Asset", name="plate", context_id=shot)


def refer(entity_type: str, id_: str) -> dict[str, str]:
    """Return a reference as it travels."""
    return {"__entity_type__": entity_type, "id": id_}


def numbers(api: Any, asset: str) -> list[tuple[int, bool]]:
    """Return number and whether it is the latest, for each version of an asset."""
    records = api.query(
        "select version, is_latest_version from AssetVersion"
        f" where asset_id is {asset} order by version"
    )
    return [(one["version"], one["is_latest_version"]) for one in records]


def test_versions_are_numbered_by_asset(api: Any, shot: str, asset: str) -> None:
    """Each asset counts its versions from one, in one batch and over several."""
    other = api.create("Asset", name="other", context_id=shot)
    api.call(*(api.make("AssetVersion", asset_id=asset) for _ in range(2)))
    api.create("AssetVersion", asset_id=asset)
    api.create("AssetVersion", asset_id=other)
    assert numbers(api, asset) == [(1, False), (2, False), (3, True)]
    assert numbers(api, other) == [(1, True)]


def test_given_number_is_kept_and_counted_on(api: Any, asset: str) -> None:
    """A version may say its number; the next one follows the highest."""
    api.create("AssetVersion", asset_id=asset, version=7)
    api.create("AssetVersion", asset_id=asset)
    assert numbers(api, asset) == [(7, False), (8, True)]


def test_latest_version_follows_deletions(api: Any, asset: str) -> None:
    """When the latest version goes, the one before it is the latest."""
    api.create("AssetVersion", asset_id=asset)
    last = api.create("AssetVersion", asset_id=asset)
    api.delete("AssetVersion", last)
    assert numbers(api, asset) == [(1, True)]
    latest = api.one(f"select latest_version.version from Asset where id is {asset}")
    assert latest["latest_version"]["version"] == 1


def test_version_is_filled(api: Any, asset: str) -> None:
    """A version has status, author, moment and project without anybody saying so."""
    version = api.create("AssetVersion", asset_id=asset)
    record = api.one(
        "select status.name, user.username, date, project.name, is_published, comment"
        f" from AssetVersion where id is {version}"
    )
    assert record["status"]["name"] == "Pending Review"
    assert record["user"]["username"] == "admin"
    assert record["date"]["__type__"] == "datetime"
    assert record["project"]["name"] == "film"
    assert (record["is_published"], record["comment"]) == (True, "")


def test_asset_may_be_created_after_its_version(api: Any, shot: str) -> None:
    """A version whose asset comes later in the batch is numbered all the same."""
    asset = api.make("Asset", name="plate", context_id=shot)
    version = api.make("AssetVersion", asset_id=asset["entity_key"][0])
    api.call(version, asset)
    assert numbers(api, asset["entity_key"][0]) == [(1, True)]


def test_link_of_a_version_has_no_entry_for_the_asset(api: Any, asset: str) -> None:
    """The link of a version is project, contexts, and one entry for the version."""
    version = api.create("AssetVersion", asset_id=asset)
    link = api.one(f"select link from AssetVersion where id is {version}")["link"]
    assert [one["type"] for one in link] == ["Project", "TypedContext", "AssetVersion"]
    assert link[-1]["id"] == version
    assert "plate" in link[-1]["name"]


def test_status_change_of_a_version_is_recorded(api: Any, asset: str) -> None:
    """A version's new status leaves a record of its own type."""
    version = api.create("AssetVersion", asset_id=asset)
    api.update("AssetVersion", version, status_id=api.one("Status where name is Approved")["id"])
    record = api.one("select status.name, parent_id from AssetVersionStatusChange")
    assert (record["status"]["name"], record["parent_id"]) == ("Approved", version)


def test_uses_and_used_in_are_two_ends_of_links(api: Any, asset: str) -> None:
    """What a version uses knows where it is used; the link is an entity of its own."""
    plate, comp = (api.create("AssetVersion", asset_id=asset) for _ in range(2))
    api.update("AssetVersion", comp, uses_versions=[refer("AssetVersion", plate)])
    used = api.one(f"select used_in_versions from AssetVersion where id is {plate}")
    assert [one["id"] for one in used["used_in_versions"]] == [comp]
    link = api.one("select from_id, to_id from AssetVersionLink")
    assert (link["from_id"], link["to_id"]) == (plate, comp)
    api.update("AssetVersion", comp, uses_versions=[])
    assert api.query("AssetVersionLink") == []
    assert len(api.query("AssetVersion")) == 2


def test_adding_components_sets_their_version(api: Any, asset: str) -> None:
    """Components put into a version's list belong to it; those taken out belong to none."""
    version = api.create("AssetVersion", asset_id=asset)
    component = api.create("FileComponent", name="main")
    api.update("AssetVersion", version, components=[refer("FileComponent", component)])
    found = api.one(f"select version_id from Component where id is {component}")
    assert found["version_id"] == version
    api.update("AssetVersion", version, components=[])
    found = api.one(f"select version_id from Component where id is {component}")
    assert found["version_id"] is None


def test_adding_members_sets_their_container(api: Any) -> None:
    """Members put into a container's list are in it, also those that come later in the batch."""
    container = api.make("SequenceComponent", name="frames", padding=4)
    member = api.make("FileComponent", name="0001")
    member_id, container_id = member["entity_key"][0], container["entity_key"][0]
    container["entity_data"]["members"] = [refer("FileComponent", member_id)]
    api.call(container, member)
    found = api.one(f"select container_id from Component where id is {member_id}")
    assert found["container_id"] == container_id


@pytest.mark.parametrize(
    ("type_name", "system_type"),
    [
        ("Component", "file"),
        ("FileComponent", "file"),
        ("ContainerComponent", "container"),
        ("SequenceComponent", "sequence"),
    ],
)
def test_kind_of_a_component_is_filled(api: Any, type_name: str, system_type: str) -> None:
    """The server says what kind a component is; the base type makes a file."""
    component = api.create(type_name, name="main")
    record = api.one(f"Component where id is {component}")
    assert record["system_type"] == system_type
    expected = type_name if type_name != "Component" else "FileComponent"
    assert record["__entity_type__"] == expected


def test_asset_that_moves_takes_its_versions_along(api: Any, asset: str) -> None:
    """An asset that hangs on another project's context belongs there, with its versions."""
    version = api.create("AssetVersion", asset_id=asset)
    schema = api.query("ProjectSchema")[0]["id"]
    other = api.create("Project", name="other", project_schema_id=schema)
    api.update("Asset", asset, context_id=other)
    record = api.one(f"select project_id, asset.project_id from AssetVersion where id is {version}")
    assert (record["project_id"], record["asset"]["project_id"]) == (other, other)


def test_component_is_in_a_location_once(api: Any) -> None:
    """A second ComponentLocation for a component and a location is refused, also by a change."""
    component = api.create("FileComponent", name="main")
    first, second = api.create("Location", name="one"), api.create("Location", name="two")
    place = api.create("ComponentLocation", component_id=component, location_id=first)
    other = api.create("ComponentLocation", component_id=component, location_id=second)
    with pytest.raises(api.Error, match=f"DuplicateEntry.*{component}.*{first}"):
        api.create("ComponentLocation", component_id=component, location_id=first)
    with pytest.raises(api.Error, match="DuplicateEntry"):
        api.update("ComponentLocation", other, location_id=first)
    api.update("ComponentLocation", place, resource_identifier="a")
    api.call(
        api.remove("ComponentLocation", place),
        api.make("ComponentLocation", component_id=component, location_id=first),
    )
