"""The registry of API actions."""

from __future__ import annotations

from typing import Any

import pytest
import requests

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.actions import ACTIONS
from ftrack_like.sandbox.actions.registry import ApiAction, by_name


def _nothing(operation: Any, batch: Any) -> None:
    """Stand in for an action."""


def test_two_actions_of_one_name_are_refused() -> None:
    """Two declarations of one name raise an error instead of hiding each other."""
    with pytest.raises(ValueError, match="Two API actions are named 'query'"):
        by_name(ACTIONS.values(), [ApiAction("query", _nothing)])


def test_a_batch_of_reads_needs_no_turn_to_write(sandbox: Any) -> None:
    """A batch of actions that only read is answered while another batch writes."""
    api = sandbox._api
    user = api.find_user(_admin_id(sandbox))
    with api.database.write():
        reading = [{"action": name} for name in ("query_schemas", "query_server_information")]
        assert len(api.execute(reading, user, "http://here")) == 2


def _admin_id(sandbox: Any) -> str:
    with sandbox.session() as session:
        return str(session.query(f"User where username is {sandbox.api_user}").one()["id"])


@pytest.mark.parametrize("name", [["query"], {}, None, 5, ""])
def test_an_action_whose_name_is_no_text_is_refused(sandbox: Any, name: Any) -> None:
    """An action named by anything but a text is reported as invalid."""
    body = _post(sandbox, [{"action": name}])
    shown = str(name).translate(str.maketrans("{}", "()"))
    assert body["content"].startswith(f"Invalid action u'{shown}'")


def _post(sandbox: Any, operations: Any) -> Any:
    return requests.post(
        f"{sandbox.server_url}/api",
        json=operations,
        headers={"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key},
        timeout=30,
    ).json()
