"""What the same answers cost without a client library: the floor that no client can go below."""

from __future__ import annotations

import json
import time
from typing import Any, Callable

import requests

from benchmarks import pages
from benchmarks.registry import Run


def fetch(run: Run) -> list[bytes]:
    """Return the pages of all tasks as the server sends them."""
    texts: list[bytes] = []
    session = requests.Session()
    offset: int | None = 0
    while offset is not None:
        expression = f"{pages.EXPRESSION} offset {offset} limit {pages.PAGE_SIZE}"
        body = [{"action": "query", "expression": expression}]
        texts.append(session.post(f"{run.server_url}/api", json=body).content)
        offset = json.loads(texts[-1])[0]["metadata"]["next"]["offset"]
    return texts


def merge(value: Any, known: dict[tuple[str, str], dict[str, Any]]) -> Any:
    """Return *value* with each entity put into the identity map *known*, and nothing more."""
    if isinstance(value, list):
        return [merge(item, known) for item in value]
    if not isinstance(value, dict) or "__entity_type__" not in value:
        return value
    entity = known.setdefault((value["__entity_type__"], value["id"]), {})
    for key, item in value.items():
        entity[key] = merge(item, known) if isinstance(item, (dict, list)) else item
    return entity


def query_tasks(run: Run) -> None:
    """Read the pages as JSON, and merge them into a bare identity map."""
    texts = fetch(run)
    with run.timed("json.loads of the pages"):
        for text in texts:
            json.loads(text)
    start = time.perf_counter()
    known: dict[tuple[str, str], dict[str, Any]] = {}
    for text in texts:
        merge(json.loads(text)[0]["data"], known)
    run.figures["query, decode and merge (s)"] = time.perf_counter() - start


FLOORS: dict[str, Callable[[Run], None]] = {"query_tasks": query_tasks}
