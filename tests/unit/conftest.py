"""A session of a few lines, so that entities can be tried without a server."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest

from ftrack_like import cache, inspection, operation, query
from ftrack_like._session.codec import Codec
from ftrack_like._session.entity_types import EntityTypes
from ftrack_like._session.fetching import Fetcher
from ftrack_like._session.identity_map import IdentityMap
from ftrack_like._session.loader import Loader
from ftrack_like._session.statistics import Statistics
from ftrack_like._values.catalogue import Catalogue


def schema(name: str, properties: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Return the schema of the type *name*, with an ``id`` unless its key is another."""
    whole = {
        "id": name,
        "type": "object",
        "primary_key": ["id"],
        "default_projections": ["id"],
        "immutable": ["id"],
        "required": ["id"],
        "properties": {"id": {"type": "string", "default": "{uid}"}, **properties},
        **others,
    }
    if whole["primary_key"] != ["id"]:
        del whole["properties"]["id"]
        whole["immutable"] = list(whole["primary_key"])
    return whole


TEXT = {"type": "string"}
NUMBER = {"type": "number"}
DATE = {"type": "string", "format": "date-time"}


def mapping_of(name: str) -> dict[str, Any]:
    """Return the property of a mapped array of *name*."""
    return {
        "type": "mapped_array",
        "items": {"$ref": name},
        "key_value_attributes": {"key": "key", "value": "value"},
    }


def list_of(name: str) -> dict[str, Any]:
    """Return the property of an array of *name*."""
    return {"type": "array", "items": {"$ref": name}}


TASK_TYPE_ID = "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c"
SHOT_TYPE_ID = "bad911de-3bd6-47b9-8b46-3476e237cb36"

_CONTEXT = {
    "name": {"type": "string", "default": ""},
    "description": TEXT,
    "start_date": DATE,
    "bid": NUMBER,
    "time_logged": NUMBER,
    "link": TEXT,
    "thumbnail_url": {"type": "object"},
    "project_id": {"type": "string", "format": "foreign_key"},
    "status": {"$ref": "Status"},
    "status_id": {"type": "string", "format": "foreign_key"},
    "parent": {"$ref": "Task"},
    "children": list_of("Task"),
    "notes": list_of("Note"),
    "metadata": mapping_of("Metadata"),
    "custom_attributes": mapping_of("ContextCustomAttributeValue"),
    "hidden": {**mapping_of("CustomAttributeLink"), "restricted_projection": True},
}

_CONTEXT_FACTS = {
    "default_projections": ["id", "name"],
    "immutable": ["id", "object_type_id", "time_logged", "link"],
    "computed": ["time_logged", "thumbnail_url"],
}

_VALUE_KEY = {"primary_key": ["configuration_id", "entity_id"]}

SCHEMAS = [
    schema(
        "Task",
        {**_CONTEXT, "object_type_id": {"type": "string", "default": TASK_TYPE_ID}},
        **_CONTEXT_FACTS,
    ),
    schema(
        "Shot",
        {**_CONTEXT, "object_type_id": {"type": "string", "default": SHOT_TYPE_ID}},
        **_CONTEXT_FACTS,
    ),
    schema("Status", {"name": TEXT, "sort": {"type": "integer", "default": 0}}),
    schema("User", {"username": TEXT, "is_active": {"type": "boolean"}, "thumbnail_id": TEXT}),
    schema("Note", {"content": TEXT, "author": {"$ref": "User"}, "replies": list_of("Note")}),
    schema("Job", {"type": {"type": "string", "default": "api_job"}, "user": {"$ref": "User"}}),
    schema("Location", {"name": TEXT}),
    schema("FileComponent", {"name": TEXT, "version": {"$ref": "AssetVersion"}}),
    schema("AssetVersion", {"comment": TEXT, "components": list_of("FileComponent")}),
    schema(
        "Metadata",
        {"parent_id": TEXT, "parent_type": TEXT, "key": TEXT, "value": TEXT},
        primary_key=["parent_id", "key"],
    ),
    schema(
        "ContextCustomAttributeValue",
        {"configuration_id": TEXT, "entity_id": TEXT, "key": TEXT, "value": {"type": "variable"}},
        **_VALUE_KEY,
    ),
    schema(
        "CustomAttributeValue",
        {"configuration_id": TEXT, "entity_id": TEXT, "value": {"type": "variable"}},
        **_VALUE_KEY,
    ),
    schema(
        "CustomAttributeConfiguration",
        {
            "key": TEXT,
            "entity_type": TEXT,
            "object_type_id": TEXT,
            "project_id": TEXT,
            "is_hierarchical": {"type": "boolean"},
            "default": {"type": "variable"},
        },
    ),
    schema(
        "Legacy",
        {
            "object_type_id": {"type": "string", "default": TASK_TYPE_ID},
            "project_id": TEXT,
            "custom_attributes": mapping_of("CustomAttributeValue"),
        },
    ),
]


class TinySession:
    """What entities need of a session, over a function that plays the server.

    *answer* is called with a query expression and returns records, or a whole result; the
    expressions asked for are kept in *asked*.
    """

    server_url = "http://tiny"
    _load_groups = True
    _on_lazy_load = "ignore"

    def __init__(
        self,
        schemas: Optional[list[Any]] = None,
        answer: Optional[Callable[[str], Any]] = None,
        cache_below: Optional[Any] = None,
    ) -> None:
        self.answer = answer or (lambda expression: [])
        self.asked: list[str] = []
        self.schemas = copy.deepcopy(SCHEMAS) if schemas is None else schemas
        self.types = EntityTypes(self, self.schemas)
        self._local_cache = cache.MemoryCache()
        self.cache = cache.LayeredCache([self._local_cache])
        if cache_below is not None:
            layer = cache.SerialisedCache(
                cache_below,
                encode=lambda entity: self.encode(entity, "persisted_only"),
                decode=self.decode,
            )
            self.cache.caches.append(layer)
        self.cache_key_maker: cache.KeyMaker = cache.StringKeyMaker()
        self.recorded_operations = operation.Operations()
        self.record_operations = True
        self.auto_populate = True
        self._statistics = Statistics()
        self._identity_map = IdentityMap(self)
        self._loader = Loader(self)
        self._fetcher = Fetcher(self)
        self._codec = Codec(self)
        self._catalogue = Catalogue(self.schemas, self.types)

    def call(self, batch: Any) -> Any:
        """Return the answers to the queries of *batch*."""
        results = []
        for each in batch:
            self.asked.append(each["expression"])
            answer = self.answer(each["expression"])
            if not isinstance(answer, dict):
                answer = {"data": answer, "metadata": {"next": {"offset": None}}}
            results.append(copy.deepcopy(answer))
        return results

    def query(self, expression: str, page_size: int = 500) -> query.QueryResult:
        """Return the result of *expression*."""
        return query.QueryResult(self, query.prepare(expression, self.types), page_size)

    def merge(self, value: Any, merged: Any = None) -> Any:
        """Return *value* with attached entities."""
        return self._loader.merge(value, merged)

    def populate(self, entities: Any, projections: Any) -> None:
        """Load *projections* of *entities*."""
        self._fetcher.populate(entities, projections)

    def create(self, entity_type: str, data: Any = None, reconstructing: bool = False) -> Any:
        """Return a new entity, attached."""
        return self.merge(self._create(entity_type, data, reconstructing))

    def _create(self, entity_type: str, data: Any, reconstructing: bool) -> Any:
        return self.types[entity_type](self, data=data, reconstructing=reconstructing)

    def delete(self, entity: Any) -> None:
        """Record the deletion of *entity*."""
        self.recorded_operations.push(
            operation.DeleteEntityOperation(entity.entity_type, inspection.primary_key(entity))
        )

    def load(self, entity_type: str, **values: Any) -> Any:
        """Return the attached entity of *entity_type* after the server sent *values* of it."""
        return self._loader.load([record(entity_type, **values)])[0]

    def commit(self) -> None:
        """Forget what was changed, as a commit does once the server has answered."""
        self.recorded_operations.clear()
        self._identity_map.forget_local_values()

    @contextlib.contextmanager
    def auto_populating(self, value: bool) -> Iterator[None]:
        """Load missing values on access, or not, for a while."""
        before, self.auto_populate = self.auto_populate, value
        yield
        self.auto_populate = before

    @property
    def changes(self) -> list[tuple[Any, ...]]:
        """Return the recorded updates as (type, attribute, new value)."""
        return [
            (each.entity_type, each.attribute_name, each.new_value)
            for each in self.recorded_operations
            if isinstance(each, operation.UpdateEntityOperation)
        ]

    def encode(self, data: Any, entity_attribute_strategy: str = "set_only") -> str:
        """Return *data* as JSON."""
        return self._codec.encode(data, entity_attribute_strategy)

    def decode(self, text: str) -> Any:
        """Return the value of the JSON *text*."""
        return self._codec.decode(text)

    def _encode(self, item: Any, entity_attribute_strategy: str = "set_only") -> Any:
        return self._codec.encode_item(item, entity_attribute_strategy)

    def _decode(self, item: Any) -> Any:
        return self._codec.decode_item(item)


def record(entity_type: str, **values: Any) -> dict[str, Any]:
    """Return an entity as the server sends it."""
    return {"__entity_type__": entity_type, **values}


@pytest.fixture
def tiny() -> TinySession:
    """Return a session without a server."""
    return TinySession()


@pytest.fixture(scope="session")
def make_tiny() -> type[TinySession]:
    """Return the class of sessions without a server."""
    return TinySession


@pytest.fixture
def make_record() -> Callable[..., dict[str, Any]]:
    """Return the function that makes what a server sends for an entity."""
    return record


@pytest.fixture
def make_schema() -> Callable[..., dict[str, Any]]:
    """Return the function that makes the schema of a type."""
    return schema
