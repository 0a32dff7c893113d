"""The order of the objects of a review session, which several clients change at once.

On SQLite, the clients are threads of one server. On PostgreSQL, half of them ask a second server.
"""

from __future__ import annotations

import json
import pathlib
import random
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy
from tests.databases import DATABASES, POSTGRES

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES

CLIENTS = 6


class Review:
    """A review session in a site that one or two servers answer for."""

    def __init__(self, data: SiteData, folder: pathlib.Path, url: Any) -> None:
        databases = [data.open(), *([Database(url)] if url else [])]
        self.database = databases[0]
        self.apis = [Api(one, MediaService(one, folder)) for one in databases]
        self.user = data.administrator
        schemas = TABLES["project_schema"].c
        with self.database.read() as connection:
            schema = connection.execute(sqlalchemy.select(schemas.id).limit(1)).scalar_one()
        project = self.make("Project", name="p", full_name="p", project_schema_id=schema)
        self.asset = self.make("Asset", name="a", context_id=project)
        self.id = self.make("ReviewSession", name="dailies", project_id=project)
        self.version = self.make("AssetVersion", asset_id=self.asset)

    def call(self, client: int, *operations: dict[str, Any]) -> None:
        """Send *operations* of *client* in a batch, which must succeed."""
        api = self.apis[client % len(self.apis)]
        answer = json.loads(api.answer(json.dumps(operations).encode(), self.user, "http://x").body)
        assert isinstance(answer, list), answer

    def make(self, type_name: str, client: int = 0, **data: Any) -> str:
        """Create an entity and return its id."""
        id_ = str(uuid.uuid4())
        values = {"__entity_type__": type_name, "id": id_, **data}
        operation = {"action": "create", "entity_type": type_name, "entity_key": [id_]}
        self.call(client, {**operation, "entity_data": values})
        return id_

    def add(self, client: int, **data: Any) -> str:
        """Add an object to the review session and return its id."""
        values = {"review_session_id": self.id, "version_id": self.version, **data}
        return self.make("ReviewSessionObject", client, **values)

    def places(self) -> dict[str, float]:
        """Return the place of each object, by its id."""
        columns = TABLES["review_session_object"].c
        statement = sqlalchemy.select(columns.id, columns.sort_order)
        with self.database.read() as connection:
            return {one.id: one.sort_order for one in connection.execute(statement)}


@pytest.fixture(params=DATABASES)
def review(
    request: pytest.FixtureRequest, namespace: Any, tmp_path: pathlib.Path
) -> Iterator[Review]:
    """Return a review session on either database."""
    with namespace(POSTGRES if request.param == "postgresql" else None) as url:
        with closing(SiteData(url=url, media=tmp_path)) as data:
            made = Review(data, tmp_path, url)
            yield made
            for api in reversed(made.apis):
                api.close()


def at_once(work: Any) -> list[Any]:
    """Return the results of *work* for each client, all at the same time."""
    barrier = threading.Barrier(CLIENTS)

    def begin(client: int) -> Any:
        barrier.wait(60)
        return work(client)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(begin, range(CLIENTS)))


def test_objects_that_are_added_at_once_get_places_of_their_own(review: Review) -> None:
    """Objects without a place come after the others, each client's in their order."""
    first = review.add(0, sort_order=7)
    added = at_once(lambda client: [review.add(client) for _ in range(4)])
    places = review.places()
    assert places[first] == 7
    assert sorted(places.values()) == [7 + number for number in range(4 * CLIENTS + 1)]
    for ids in added:
        assert sorted(ids, key=places.__getitem__) == ids


def test_an_order_that_several_clients_change_is_that_of_one_of_them(review: Review) -> None:
    """Each client puts all objects into its own order in a batch; no mixture remains."""
    ids = [review.add(0) for _ in range(8)]
    orders = [random.Random(client).sample(ids, len(ids)) for client in range(CLIENTS)]

    def arrange(client: int) -> None:
        # Another order of the rows than others have, which makes locks of rows meet.
        operations = [
            {
                "action": "update",
                "entity_type": "ReviewSessionObject",
                "entity_key": [id_],
                "entity_data": {"__entity_type__": "ReviewSessionObject", "sort_order": place},
            }
            for place, id_ in enumerate(orders[client])
        ]
        for _ in range(5):
            review.call(client, *operations)

    at_once(arrange)
    places = review.places()
    assert sorted(ids, key=places.__getitem__) in orders
    assert sorted(places.values()) == list(range(len(ids)))
