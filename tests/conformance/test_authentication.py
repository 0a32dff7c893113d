"""Who may speak, and what everybody else is told."""

from __future__ import annotations

import pytest
import requests
from tests.conformance.clients import Client, Problem
from tests.conformance.facts import fact, row
from tests.conformance.site import Site

_READ = [{"action": "query", "expression": "select id from Project limit 1"}]


def _raw(client: Client, strict: bool, **headers: str) -> requests.Response:
    """Post a query with *headers* in place of those of *client*."""
    known = {
        "ftrack-user": client.user,
        "ftrack-api-key": client.key,
        "ftrack-strict-api": str(strict).lower(),
        **headers,
    }
    return requests.post(f"{client.url}/api", json=_READ, headers=known, timeout=60)


@fact("protocol 1", "protocol")
def test_a_user_with_a_key_may_speak(site: Site) -> None:
    """A request with the name of a user and the user's key is answered."""
    assert site.call(*_READ)[0]["action"] == "query"


@fact("site-facts G", "M")
@pytest.mark.parametrize(
    "headers",
    [
        row({"ftrack-api-key": "wrong"}, name="wrong key"),
        row({"ftrack-api-key": ""}, name="no key"),
        row({"ftrack-user": "nobody-has-this-name"}, name="unknown user"),
    ],
)
def test_a_wrong_key_has_its_error(client: Client, headers: dict[str, str]) -> None:
    """Wrong credentials are an InvalidCredentialsError that says so."""
    answer = _raw(client, False, **headers).json()
    assert answer["exception"] == "InvalidCredentialsError"
    assert answer["content"].startswith("The supplied API key is not valid")


@fact("site-facts G", "P")
def test_a_wrong_key_has_its_code(client: Client) -> None:
    """The error of wrong credentials has the code that programs compare, or none."""
    answer = _raw(client, False, **{"ftrack-api-key": "wrong"}).json()
    assert answer["error_code"] in ("api_credentials_invalid", None)


@fact("site-facts G", "M")
def test_an_error_without_strict_mode_has_status_200(client: Client) -> None:
    """Clients that do not ask for strict mode read the error from an answer with status 200."""
    assert _raw(client, False, **{"ftrack-api-key": "wrong"}).status_code == 200


@fact("protocol 1", "protocol")
def test_strict_mode_has_the_status_of_the_error(client: Client) -> None:
    """In strict mode an error of credentials has a status of 400 or more."""
    assert _raw(client, True, **{"ftrack-api-key": "wrong"}).status_code >= 400


@fact("protocol 1", "protocol")
def test_clients_report_wrong_credentials(client: Client) -> None:
    """Each client raises its error for wrong credentials."""
    with pytest.raises(Problem, match="API key"):
        client.of(client.user, "wrong").call(_READ)


@fact("site-facts G", "M")
def test_the_event_server_refuses_a_wrong_key(client: Client) -> None:
    """The handshake of the event server answers wrong credentials with the same body."""
    headers = {"ftrack-user": client.user, "ftrack-api-key": "wrong"}
    answer = requests.get(f"{client.url}/socket.io/1/", headers=headers, timeout=60)
    if answer.status_code == 501:
        pytest.skip("the server has no events")
    assert "The supplied API key is not valid" in answer.text


@fact("protocol 1", "protocol")
def test_the_root_has_the_version(client: Client) -> None:
    """Log-in dialogues read the version from a header of the front page."""
    answer = requests.get(client.url, timeout=60, allow_redirects=False)
    assert answer.status_code == 200
    assert answer.headers["FTRACK_VERSION"]
