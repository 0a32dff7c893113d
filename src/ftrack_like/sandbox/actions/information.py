"""The actions that describe the server: its version, schemas and storage scenario."""

from __future__ import annotations

import functools
from typing import Any, Optional

import sqlalchemy
from sqlalchemy.engine import Connection

from ftrack_like.sandbox.access.model import known_model
from ftrack_like.sandbox.actions.batch import Batch, Operation
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.errors import ValidationError
from ftrack_like.sandbox.schema import json_schemas, schema_hash
from ftrack_like.sandbox.schema.model import Model
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.tables.values import read_json
from ftrack_like.sandbox.version import SERVER_VERSION

__all__ = ["ACTIONS", "server_information"]

#: Group and name of the setting with the storage scenario.
_SCENARIO = ("STORAGE", "storage_scenario")


def query_server_information(operation: Operation, batch: Batch) -> Any:
    """Return the server information, or only the requested *values*."""
    information = server_information(batch.store.connection, batch.model)
    wanted = operation.get("values")
    if wanted is None:
        return information
    if not isinstance(wanted, list):
        raise ValidationError("The values of query_server_information must be a list of names.")
    return {name: value for name, value in information.items() if name in wanted}


def query_schemas(operation: Operation, batch: Batch) -> Any:
    """Return the schemas of all types, also of the object types that the studio added."""
    return _schemas(batch.model)


def server_information(connection: Connection, model: Optional[Model] = None) -> dict[str, Any]:
    """Return the server information, which every client reads first.

    *model* is the site's, if the caller has read it already.
    """
    return {
        "version": SERVER_VERSION,
        "schema_hash": schema_hash(model or known_model(connection)),
        "is_timezone_support_enabled": True,
        "storage_scenario": _storage_scenario(connection),
    }


def _storage_scenario(connection: Connection) -> Optional[Any]:
    """Return ``{"scenario": …, "data": {…}}`` from the setting, None if there is none."""
    columns = TABLES["setting"].c
    group, name = _SCENARIO
    statement = sqlalchemy.select(columns.value).where(columns.group == group, columns.name == name)
    text = connection.execute(statement).scalar()
    try:
        scenario = read_json(text) if text else None
    except ValueError:
        return None  # a broken setting, edited by hand, must not stop all clients
    # Every client acts on the scenario when it starts, and understands only this shape.
    known = isinstance(scenario, dict) and isinstance(scenario.get("scenario"), str)
    return scenario if known else None


@functools.lru_cache(maxsize=16)
def _schemas(model: Model) -> list[dict[str, Any]]:
    return json_schemas(model)


ACTIONS = (
    ApiAction("query_schemas", query_schemas, reads=True),
    ApiAction("query_server_information", query_server_information, reads=True),
)
