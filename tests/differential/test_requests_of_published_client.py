"""The published client reads what one query selected without further requests."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

if importlib.util.find_spec("ftrack_api") is None:
    pytest.skip("needs ftrack-python-api: tox run -e differential", allow_module_level=True)

#: Runs queries in one session each, reads all selected values, and prints the numbers of rows and
#: of requests. Random queries follow the relations that the schemas name.
_READ = """
import json, random, sys
import ftrack_api

url, user, key, queries, seed, count = sys.argv[1:]


def session():
    opened = ftrack_api.Session(
        url, api_key=key, api_user=user, auto_connect_event_hub=False, schema_cache_path=False
    )
    opened.requests = 0
    post = opened._request.post

    def counted(*arguments, **options):
        opened.requests += 1
        return post(*arguments, **options)

    opened._request.post = counted
    return opened


def read(value, path):
    if value is None or not path or isinstance(value, str):
        return
    if not hasattr(value, "keys"):
        for member in value:
            read(member, path)
    elif path[0] in value.keys():
        read(value[path[0]], path[1:])


def measure(query):
    opened = session()
    rows = opened.query(query).all()
    for path in query[len("select "):query.index(" from ")].split(", "):
        read(rows, path.split("."))
    told = [query, len(rows), opened.requests]
    opened.close()
    return told


schemas = {schema["id"]: schema for schema in session().schemas}


def relations(type_):
    for name, property_ in schemas[type_]["properties"].items():
        target = property_.get("$ref") or (property_.get("items") or {}).get("$ref")
        left_out = name.startswith("_") or name in ("custom_attributes", "metadata")
        if target in schemas and not left_out:
            if name not in schemas[type_].get("restricted_projections", ()):
                yield name, target


def random_query(dice):
    root = dice.choice(["Task", "TypedContext", "AssetVersion", "Project", "User", "Component"])
    paths = set()
    for _ in range(dice.randint(2, 4)):
        type_, path = root, []
        for _ in range(dice.randint(1, 4)):
            known = [one for one in relations(type_) if one[0] not in ("notes", "dashboards")]
            if known:
                name, type_ = dice.choice(known)
                path.append(name)
        scalars = [n for n, p in schemas[type_]["properties"].items() if p.get("type") == "string"]
        paths.add(".".join([*path, *dice.sample(scalars, min(1, len(scalars)))]))
    return f"select {', '.join(sorted(paths))} from {root} limit 60"


told = [measure(query) for query in json.loads(queries)]
dice = random.Random(int(seed))
while len(told) < int(count):
    query = random_query(dice)
    try:
        told.append(measure(query))
    except ftrack_api.exception.ServerError as error:
        if "not selected" not in str(error) and "plain value" not in str(error):
            raise
print(json.dumps(told))
"""

#: Rows of these queries lead to each other, so that answers contain references.
_QUERIES = [
    "select name, children from TypedContext",
    "select name, parent, children from TypedContext",
    "select name, children.parent.name, parent.children.children.name from TypedContext",
    "select components.version.asset.name, components.name, asset.name from AssetVersion",
]


@pytest.mark.parametrize("seed", range(2))
def test_published_client_needs_one_request_for_what_a_query_selects(seed: int) -> None:
    """Reading all values that a query selected costs no request, whatever the query selects."""
    from ftrack_like.testing import Sandbox

    with Sandbox(demo=True) as sandbox:
        arguments = [sandbox.server_url, sandbox.api_user, sandbox.api_key]
        options = [json.dumps(_QUERIES), str(seed), "24"]
        ran = subprocess.run(
            [sys.executable, "-c", _READ, *arguments, *options],
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout)

    assert all(rows for _, rows, _ in told[: len(_QUERIES)])
    assert [one for one in told if one[2] != 1] == []
