"""Errors that programs recognise by name and by words."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests
from tests.conformance.clients import Client
from tests.conformance.facts import fact, row, writes
from tests.conformance.site import Site


def _post(client: Client, body: Any, strict: bool = False, **options: Any) -> requests.Response:
    """Post *body* as it is."""
    headers = {
        "ftrack-user": client.user,
        "ftrack-api-key": client.key,
        "ftrack-strict-api": str(strict).lower(),
    }
    return requests.post(f"{client.url}/api", json=body, headers=headers, timeout=60, **options)


def _query(expression: str) -> list[dict[str, Any]]:
    return [{"action": "query", "expression": expression}]


@fact("protocol 1", "protocol")
@pytest.mark.parametrize(
    ("body", "name"),
    [
        row(_query("select nothing from Task"), "ParseError", name="unknown attribute"),
        row(_query("select name frm Task"), "ParseError", name="syntax"),
        row([{"action": "dance"}], None, name="unknown action"),
    ],
)
def test_an_error_has_its_name(client: Client, body: Any, name: Any) -> None:
    """An error has the name that clients look for, and a text."""
    answer = _post(client, body).json()
    assert answer["exception"] == name or name is None
    assert answer["content"]


@fact("protocol 1", "protocol")
def test_an_unknown_action_has_its_words(client: Client) -> None:
    """The text of an unknown action has the words that clients search for."""
    assert "Invalid action u'dance'" in _post(client, [{"action": "dance"}]).json()["content"]


@fact("protocol 1", "protocol")
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "not strict"])
def test_strict_mode_decides_the_status(client: Client, strict: bool) -> None:
    """An error has status 200 unless strict mode was asked for."""
    status = _post(client, _query("select nothing from Task"), strict).status_code
    assert (status >= 400) == strict


@fact("protocol 1", "protocol")
def test_an_error_has_three_keys(client: Client) -> None:
    """The body of an error has a name, a text and a code."""
    answer = _post(client, _query("select nothing from Task")).json()
    assert {"exception", "content", "error_code"} <= set(answer)


@fact("protocol 1", "protocol")
def test_one_operation_may_come_without_a_list(client: Client) -> None:
    """A body that is one mapping is one operation."""
    answer = _post(client, {"action": "query_server_information"}).json()
    known = answer[0] if isinstance(answer, list) else answer
    assert "version" in known


@fact("protocol 1", "protocol")
@pytest.mark.parametrize("body", [[1], ["x"], [None], [{}], 5, "x"], ids=str)
def test_a_malformed_body_is_an_error(client: Client, body: Any) -> None:
    """A body that is no batch is an error, and not a page."""
    assert "exception" in _post(client, body).json()


@writes
@fact("protocol 1", "protocol")
@pytest.mark.parametrize("action", ["update", "delete"])
def test_what_does_not_exist_is_not_found(site: Site, action: str) -> None:
    """A change of an entity that does not exist is an error that names its key."""
    key = str(uuid.uuid4())
    operation = (
        site.update_of("Shot", key, description="x")
        if action == "update"
        else site.deletion("Shot", key)
    )
    assert key in site.problem(operation).text


@writes
@fact("protocol 1", "protocol")
@pytest.mark.parametrize(
    ("entity_type", "data"),
    [
        row("Shot", {"name": "x"}, name="a shot without a parent"),
        row("AssetVersion", {}, name="a version without an asset"),
    ],
)
def test_a_missing_value_is_an_error(site: Site, entity_type: str, data: dict[str, Any]) -> None:
    """A create without a required attribute is an error."""
    assert site.problem(site.creation(entity_type, **data)).text


@fact("protocol 1", "protocol")
def test_an_unknown_entity_type_is_named(site: Site) -> None:
    """A write to an unknown entity type is an error that names it."""
    problem = site.problem(
        {
            "action": "create",
            "entity_type": "Nonsense",
            "entity_key": ["x"],
            "entity_data": {"__entity_type__": "Nonsense", "id": "x"},
        }
    )
    assert "Nonsense" in problem.text
