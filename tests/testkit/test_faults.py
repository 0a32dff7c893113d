"""Faults that a test plans: statuses, pauses, and connections that end."""

from __future__ import annotations

import datetime
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.conftest import Api

from ftrack_like.sandbox.interference.chaos import Chaos
from ftrack_like.sandbox.interference.faults import Fault
from ftrack_like.sandbox.interference.requests import SeenRequest
from ftrack_like.testing import Sandbox

USERS = [{"action": "query", "expression": "select username from User"}]


@pytest.fixture(autouse=True)
def _recovers(sandbox: Sandbox) -> Iterator[None]:
    """Keep the faults of a test from other modules."""
    yield
    sandbox.recover()


def post(sandbox: Sandbox, batch: Any = USERS) -> requests.Response:
    """Send *batch* on a new connection, without any repetition."""
    headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
    return requests.post(f"{sandbox.server_url}/api", json=batch, headers=headers, timeout=20)


def usernames(sandbox: Sandbox) -> set[str]:
    """Return the names of all users."""
    return {one["username"] for one in post(sandbox).json()[0]["data"]}


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503, 599])
def test_status_is_answered_once(sandbox: Sandbox, status: int) -> None:
    """The next request gets the status, and the one after it a normal answer."""
    sandbox.fail(next=status)
    assert post(sandbox).status_code == status
    assert post(sandbox).status_code == 200
    assert sandbox.planned_faults == 0


def test_faults_are_used_in_order(sandbox: Sandbox) -> None:
    """Several faults hit several requests, one each, in the order of planning."""
    sandbox.fail(next=[500, 502], times=2)
    sandbox.fail(next=503, retry_after=7)
    answers = [post(sandbox) for _ in range(6)]
    assert [one.status_code for one in answers] == [500, 502, 500, 502, 503, 200]
    assert answers[4].headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("outcome", "is_applied"), [(503, 0), ("drop", 0), ("lose", 1), ("half", 1)]
)
def test_request_is_applied_or_not(
    sandbox: Sandbox, api: Api, outcome: Any, is_applied: int
) -> None:
    """A status and a dropped connection come before the work, lost and half answers after it."""
    sandbox.fail(next=outcome)
    batch = [api.make("User", username="mira")]
    if isinstance(outcome, int):
        assert post(sandbox, batch).status_code == outcome
    else:
        with pytest.raises(requests.exceptions.RequestException):
            post(sandbox, batch)
    assert ("mira" in usernames(sandbox)) == bool(is_applied)


def test_half_answer_has_a_beginning(sandbox: Sandbox) -> None:
    """Half an answer arrives with its status and length, and then the connection ends."""
    whole = post(sandbox).content
    sandbox.fail(next="half")
    headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
    with requests.post(
        f"{sandbox.server_url}/api", json=USERS, headers=headers, timeout=20, stream=True
    ) as answer:
        assert answer.status_code == 200
        assert int(answer.headers["Content-Length"]) == len(whole)
        assert answer.raw.read(len(whole) // 2) == whole[: len(whole) // 2]
        with pytest.raises(Exception, match="IncompleteRead"):
            answer.raw.read(decode_content=True)


def test_half_of_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """A download that breaks off is repeated by the session, and a file is complete or absent."""
    source = tmp_path / "plate.exr"
    source.write_bytes(bytes(range(256)) * 20_000)
    with sandbox.session() as session:
        server = session.query('Location where name is "ftrack.server"').one()
        component = session.create_component(str(source), location=server)
        session.commit()
        sandbox.fail(next="half", path="/component")
        url = server.get_url(component)
        with pytest.raises(requests.exceptions.RequestException):
            assert requests.get(url, timeout=20).content
        assert requests.get(url, timeout=20).content == source.read_bytes()


def test_delay(sandbox: Sandbox) -> None:
    """A pause comes before a normal answer."""
    sandbox.delay(0.3)
    begun = time.monotonic()
    assert post(sandbox).status_code == 200
    assert time.monotonic() - begun >= 0.3


def test_faults_hit_only_what_they_name(sandbox: Sandbox, api: Api) -> None:
    """A fault for an action or for other paths leaves all other requests alone."""
    sandbox.fail(next=503, action="create")
    sandbox.fail(next=500, path="/component")
    assert post(sandbox).status_code == 200
    assert requests.get(f"{sandbox.server_url}/", timeout=20).status_code == 200
    assert post(sandbox, [api.make("User", username="noah")]).status_code == 503
    assert requests.get(f"{sandbox.server_url}/component/get", timeout=20).status_code == 500
    assert requests.get(f"{sandbox.server_url}/components", timeout=20).status_code == 404
    assert sandbox.planned_faults == 0


@pytest.mark.parametrize(
    "mistake",
    [
        {"next": 200},
        {"next": 600},
        {"next": True},
        {"next": "explode"},
        {"next": [503, "explode"]},
        {"times": 0},
        {"delay": -1},
        {"delay": float("nan")},
        {"path": "api"},
        {"retry_after": -1},
        {"next": []},
        {"action": "creat"},
    ],
)
def test_mistakes_plan_nothing(sandbox: Sandbox, mistake: dict[str, Any]) -> None:
    """A value that no fault has is an error, and no part of the plan stays."""
    with pytest.raises(
        ValueError, match=r"not|from 0|slash|nothing would fail|Did you mean 'create'"
    ):
        sandbox.fail(**mistake)
    assert sandbox.planned_faults == 0


@pytest.mark.parametrize("seconds", ["2", True, datetime.timedelta(seconds=2)])
def test_pauses_are_numbers(sandbox: Sandbox, seconds: Any) -> None:
    """A pause that is not a number is an error with the name of the argument."""
    with pytest.raises(TypeError, match="delay is a number of seconds, not"):
        sandbox.delay(seconds)
    with pytest.raises(TypeError, match="retry_after is a number of seconds, not"):
        sandbox.fail(next=503, retry_after=seconds)
    assert sandbox.planned_faults == 0


def test_reset_and_recover_drop_faults(sandbox: Sandbox) -> None:
    """Neither the next test nor the rest of a test meets faults that were dropped."""
    sandbox.fail(times=5)
    sandbox.recover()
    assert post(sandbox).status_code == 200
    sandbox.fail(times=5)
    sandbox.freeze("2026-01-01")
    sandbox.reset()
    assert post(sandbox).status_code == 200
    assert not sandbox.clock.is_frozen


def test_session_survives_what_it_may_repeat(sandbox: Sandbox) -> None:
    """A session repeats a query, and the server applies a commit once though its answer is lost."""
    with sandbox.session() as session:
        sandbox.fail(next=["drop", 503, "half"])
        assert session.query("User").one()["username"] == "admin"
        session.create("User", {"username": "mira"})
        sandbox.fail(next="lose")
        session.commit()
        assert sorted(usernames(sandbox)) == ["admin", "mira"]


def test_dropped_connections_come_back(sandbox: Sandbox) -> None:
    """After all connections are dropped, a session works on and a hub connects again."""
    with sandbox.session() as session:
        session.event_hub.connect()
        session.query("User").one()
        sandbox.drop_connections()
        session.event_hub.wait(0)
        assert session.query("select email from User").one()["username"] == "admin"
        deadline = time.monotonic() + 30
        while not session.event_hub.connected and time.monotonic() < deadline:
            session.event_hub.wait(0.1)
        assert session.event_hub.connected


def test_websocket_is_refused(sandbox: Sandbox) -> None:
    """A fault on the path of events ends the websocket, and the hub tries again."""
    with sandbox.session() as session:
        session.event_hub.connect()
        sandbox.fail(next="drop", path="/socket.io/1/websocket", times=2)
        sandbox.drop_connections()
        deadline = time.monotonic() + 60
        while sandbox.planned_faults and time.monotonic() < deadline:
            session.event_hub.wait(0.1)
        assert sandbox.planned_faults == 0
        while not session.event_hub.connected and time.monotonic() < deadline:
            session.event_hub.wait(0.1)
        assert session.event_hub.connected


def test_faults_are_not_on_the_network(sandbox: Sandbox) -> None:
    """No path of the server plans faults or freezes the clock, even for the administrator."""
    headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
    for path in ("fail", "faults", "chaos", "freeze", "testing", "interference", "clock"):
        for method in ("GET", "POST", "PUT"):
            url = f"{sandbox.server_url}/{path}"
            assert requests.request(method, url, headers=headers, timeout=20).status_code == 404
    for action in ("fail", "freeze", "chaos"):
        answer = post(sandbox, [{"action": action}]).json()
        assert "exception" in answer
    assert not sandbox.clock.is_frozen


def test_chaos_is_repeatable() -> None:
    """The same seed gives the same faults, another seed others, and the share is about right."""

    def faults(seed: int, rate: float = 0.2) -> list[Any]:
        chaos = Chaos(rate, seed)
        return [chaos.draw(SeenRequest("POST", "/api")) for _ in range(1000)]

    assert faults(1) == faults(1)
    assert faults(1) != faults(2)
    assert 150 < sum(one is not None for one in faults(3)) < 250
    assert not any(faults(1, 0))
    assert all(faults(1, 1))
    kinds = {one.outcome for one in faults(1, 1)}
    assert {"drop", "lose", "half", None, 500, 502, 503, 429} == kinds


def test_chaos_leaves_pages_alone() -> None:
    """Pages for people are never disturbed, and a share beyond 0 to 1 is an error."""
    chaos = Chaos(1, 1)
    assert chaos.draw(SeenRequest("GET", "/browse")) is None
    assert isinstance(chaos.draw(SeenRequest("PUT", "/component/put")), Fault)
    with pytest.raises(ValueError, match="from 0 to 1"):
        Chaos(1.5, 1)


def start(*options: str) -> subprocess.Popen[str]:
    """Start the command with *options*, on data in memory."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "ftrack_like", "sandbox", "start"),
            *("--memory", "--json", "--port", "0", *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def disturbed(process: subprocess.Popen[str], count: int) -> tuple[list[Any], str]:
    """Return the outcomes of *count* queries, and the errors of the command."""
    assert process.stdout is not None
    where = json.loads(process.stdout.readline())
    headers = {"ftrack-user": where["api_user"], "ftrack-api-key": where["api_key"]}
    outcomes: list[Any] = []
    for _ in range(count):
        try:
            url = f"{where['server_url']}/api"
            outcomes.append(requests.post(url, json=USERS, headers=headers, timeout=20).status_code)
        except requests.exceptions.RequestException as error:
            outcomes.append(type(error).__name__)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    return outcomes, errors


def test_chaos_of_the_command() -> None:
    """--chaos disturbs requests, reports each fault, and prints how to repeat the run."""
    first, errors = disturbed(start("--chaos", "0.5", "--chaos-seed", "7"), 30)
    again, _ = disturbed(start("--chaos", "0.5", "--chaos-seed", "7"), 30)
    assert first == again
    assert first.count(200) < 30
    assert "Repeat this run with --chaos 0.5 --chaos-seed 7." in errors
    assert len([line for line in errors.splitlines() if line.startswith("Chaos: request")]) >= 10
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--chaos", "2"], "a share is a number from 0 to 1"),
        (["--chaos-seed", "7"], "give both"),
    ],
)
def test_mistakes_of_the_command(options: list[str], words: str) -> None:
    """A share beyond 1, and a seed without chaos, are errors before the start."""
    process = start(*options)
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (1, 2)
    assert words in errors


def test_command_without_chaos_is_undisturbed() -> None:
    """Without --chaos, no request is disturbed."""
    outcomes, errors = disturbed(start(), 20)
    assert outcomes == [200] * 20
    assert "Chaos" not in errors
