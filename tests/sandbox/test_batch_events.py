"""Events that belong to a batch besides those about its changes, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import pathlib
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy
from tests.databases import DATABASES, POSTGRES

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.events.web_client import component_added
from ftrack_like.sandbox.http_app import create_app
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES


class Site:
    """A site whose application does not run, so that only commits publish events."""

    def __init__(self, data: SiteData, folder: pathlib.Path) -> None:
        self.database = data.open()
        self.api = Api(self.database, MediaService(self.database, folder))
        self.user: RequestUser = data.administrator
        self.routed: list[Any] = []
        app = create_app(self.api)
        app.state.broker.listeners.append(self.routed.append)

    def events(self) -> list[dict[str, Any]]:
        """Return the events of the committed batches, in order."""
        if self.database.is_sqlite:
            return self.routed
        with self.database.read() as connection:
            found = connection.exec_driver_sql(
                "SELECT content FROM event_outbox WHERE kind <> 'rights' ORDER BY number"
            )
            return [json.loads(one) for one in found.scalars()]

    def actions(self) -> list[str]:
        """Return the topics of the events, with the actions of those about changes."""
        return [
            " ".join([one["topic"], *(each["action"] for each in one["data"].get("entities", ()))])
            for one in self.events()
        ]


@pytest.fixture(params=DATABASES)
def site(request: pytest.FixtureRequest, namespace: Any, tmp_path: pathlib.Path) -> Iterator[Site]:
    """Return a new site on either database."""
    with namespace(POSTGRES if request.param == "postgresql" else None) as url:
        with closing(SiteData(url=url, media=tmp_path)) as data:
            made = Site(data, tmp_path)
            yield made
            made.api.close()


def creation(type_name: str, **data: Any) -> dict[str, Any]:
    """Return the operation that creates an entity."""
    values = {"id": str(uuid.uuid4()), **data}
    return {
        "action": "create",
        "entity_type": type_name,
        "entity_key": [values["id"]],
        "entity_data": {"__entity_type__": type_name, **values},
    }


def version_of(site: Site) -> list[dict[str, Any]]:
    """Return the operations that create a version, which comes last."""
    schemas = TABLES["project_schema"].c
    with site.database.read() as connection:
        schema = connection.execute(sqlalchemy.select(schemas.id).limit(1)).scalar_one()
    project = creation("Project", name="p", full_name="p", project_schema_id=schema)
    (project_id,) = project["entity_key"]
    asset = creation("Asset", name="a", context_id=project_id)
    return [project, asset, creation("AssetVersion", asset_id=asset["entity_key"][0])]


def test_events_of_a_batch_are_stored_with_its_changes(site: Site) -> None:
    """The events about encoded media and uploads follow the event about the changes."""
    operations = version_of(site)
    added = component_added("c", "l", {"id": site.user.id, "username": "admin"})
    encoded = [operations[-1]["entity_key"][0]]
    site.api.execute(operations, site.user, "http://x", events=[added], encoded=encoded)
    changed, *feeds, told, uploaded = site.actions()
    assert changed == "ftrack.update add add add"
    assert set(feeds) <= {"ftrack.update update"}
    assert (told, uploaded) == ("ftrack.update encoded", "ftrack.location.component-added")
    about, last = site.events()[-2:]
    assert [one["entityId"] for one in about["data"]["entities"]] == encoded
    assert last["data"] == {"component_id": "c", "location_id": "l"}


def test_a_batch_that_fails_publishes_none_of_its_events(site: Site) -> None:
    """An error at the end of the transaction undoes the changes and all events."""

    def fail(connection: Any) -> None:
        raise LookupError("The file is gone.")

    operations = version_of(site)
    added = component_added("c", "l", {"id": site.user.id, "username": "admin"})
    with pytest.raises(LookupError):
        site.api.execute(
            operations,
            site.user,
            "http://x",
            before_commit=fail,
            events=[added],
            encoded=[operations[-1]["entity_key"][0]],
        )
    assert site.events() == []
