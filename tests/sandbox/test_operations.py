"""Health, metrics, logs and request ids of the sandbox."""

from __future__ import annotations

import http.client
import json
import logging
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

pytest.importorskip("starlette", reason="the extra sandbox is not installed")

import ftrack_like
from ftrack_like.sandbox.network.settings import Network
from ftrack_like.sandbox.operations.health import Health
from ftrack_like.sandbox.operations.metrics import Counter, Histogram, gauge_lines
from ftrack_like.sandbox.operations.request_ids import request_id_for
from ftrack_like.sandbox.operations.shared_metrics import MetricsFolder
from ftrack_like.sandbox.operations.watch import Watch, metrics_networks
from ftrack_like.sandbox.server import SandboxServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: Any) -> Iterator[SandboxServer]:
    """Return a sandbox for the tests of this module."""
    with SandboxServer(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def until() -> Callable[..., None]:
    """Return a function that waits for a condition."""

    def wait(condition: Callable[[], Any], timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait


def _ask(
    server: SandboxServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(*server.server_url[7:].split(":"), timeout=30)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, text


def test_a_ready_server_says_so(server: SandboxServer) -> None:
    """Without a log-in, /healthz names the parts that work, and no secrets."""
    status, headers, text = _ask(server, "/healthz")
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert json.loads(text) == {
        "status": "ready",
        "database": "ok",
        "media": "ok",
        "encoder": "idle",
    }
    assert json.loads(_ask(server, "/healthz/live")[2]) == {"status": "alive"}
    assert _ask(server, "/healthz", "POST")[0] == 405
    # A probe may use any name for the server.
    assert _ask(server, "/healthz", Host="10.1.2.3:80")[0] == 200


def test_a_server_with_a_broken_part_is_not_ready(
    tmp_path: pathlib.Path, until: Any, caplog: Any
) -> None:
    """If files cannot be written, the status is 503 and names the part; it recovers by itself."""
    with SandboxServer(tmp_path / "data") as server:
        media = tmp_path / "data" / "media"
        hidden = media.with_name("hidden")
        media.rename(hidden)
        with caplog.at_level(logging.CRITICAL):
            until(lambda: _ask(server, "/healthz")[0] == 503)
        assert json.loads(_ask(server, "/healthz")[2])["media"] == "fails"
        assert _ask(server, "/healthz/live")[0] == 200
        assert str(tmp_path) not in _ask(server, "/healthz")[2]
        hidden.rename(media)
        until(lambda: _ask(server, "/healthz")[0] == 200)


def test_many_probes_make_few_checks() -> None:
    """A result is used again for two seconds, whoever asks."""
    now = [100.0]
    health: Any = Health(None, lambda: now[0])  # type: ignore[arg-type]  # no check reaches it
    checks: list[float] = []
    health._check = lambda: checks.append(now[0])
    for _ in range(50):
        health.report()
    assert checks == [100.0]
    now[0] = 103.0
    health.report()
    assert checks == [100.0, 103.0]


def _value(text: str, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    assert found, f"{sample} is not in:\n{text}"
    return float(found[1])


def test_metrics_count_requests_events_and_websockets(server: SandboxServer, until: Any) -> None:
    """Requests are counted by kind, method and status, and events and websockets too."""
    before = _ask(server, "/metrics")[2]
    with ftrack_like.Session(server.server_url, server.api_key, server.api_user) as session:
        session.event_hub.connect()
        schema = session.query("ProjectSchema").first()
        session.create("Project", {"name": "counted", "project_schema": schema})
        session.commit()
        _ask(server, "/api", Host="localhost")
        status, headers, text = _ask(server, "/metrics")
        assert status == 200
        assert headers["content-type"].startswith("text/plain; version=0.0.4")
        assert _value(text, "ftrack_like_websockets") == 1
        assert _value(text, "ftrack_like_events_total") >= 1
        posts = 'ftrack_like_requests_total{kind="api",method="POST",status="200"}'
        assert _value(text, posts) >= 3
        refused = 'ftrack_like_requests_total{kind="api",method="GET",status="401"}'
        assert _value(text, refused) == 1
        assert posts not in before
        infinite = 'ftrack_like_request_seconds_bucket{kind="api",le="+Inf"}'
        assert _value(text, infinite) == _value(
            text, 'ftrack_like_request_seconds_count{kind="api"}'
        )
        assert _value(text, "ftrack_like_encode_jobs") == 0
    until(lambda: _value(_ask(server, "/metrics")[2], "ftrack_like_websockets") == 0)


def test_metrics_are_in_the_format_of_prometheus(server: SandboxServer) -> None:
    """Each line is a comment or a sample, and each metric has its kind once."""
    text = _ask(server, "/metrics")[2]
    names = re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 8
    label = r'[a-z_]+="(?:[^"\\\n]|\\.)*"'
    line = rf"#.*|[a-z_]+(?:\{{{label}(?:,{label})*\}})? [0-9.e+-]+"
    for each in text.splitlines():
        assert re.fullmatch(line, each), each
    assert text.endswith("\n")


@pytest.mark.parametrize(
    "headers",
    [{"X_Forwarded_For": "1.2.3.4"}, {"Forwarded": "for=1.2.3.4"}, {"Host": "evil.example"}],
)
def test_metrics_of_others_are_refused(server: SandboxServer, headers: dict[str, str]) -> None:
    """Requests that a proxy passes on, or a page of another site sends, see no metrics."""
    status, _, text = _ask(server, "/metrics", **headers)
    assert status == 403
    assert "--metrics-from" in text
    assert "ftrack_like_" not in text


@pytest.mark.parametrize(
    ("client", "networks", "allowed"),
    [
        ("10.1.2.3", (), False),
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("11.1.2.3", ("10.0.0.0/8",), False),
        ("2001:db8::1", ("*",), True),
        ("::ffff:10.1.2.3", ("10.0.0.0/8",), True),
        ("::1", (), True),
        ("", ("*",), False),
    ],
)
def test_networks_may_read_metrics(
    client: str, networks: tuple[str, ...], allowed: bool, server: SandboxServer
) -> None:
    """Other machines see metrics only if --metrics-from names them."""
    watch: Any = Watch.__new__(Watch)
    watch._networks = metrics_networks(networks)
    scope = {"client": (client, 1), "headers": [(b"host", b"localhost:1")]}
    assert watch._may_see(scope) is allowed


def test_wrong_networks_are_refused() -> None:
    """A reader of metrics that is no network is an error."""
    with pytest.raises(ValueError, match="A reader of metrics must be an IP address"):
        Network(metrics_from=("prometheus",))


def test_labels_are_escaped_and_bounds_included() -> None:
    """Labels may contain any text; a duration on a bound counts below it."""
    counter = Counter("c", "Words.", ("name",))
    counter.add('a"b\\c\nd')
    assert counter.lines()[-1] == 'c{name="a\\"b\\\\c\\nd"} 1'
    histogram = Histogram("h", "Words.", "kind")
    histogram.observe("x", 0.005)
    histogram.observe("x", 100.0)
    lines = histogram.lines()
    assert 'h_bucket{kind="x",le="0.005"} 1' in lines
    assert 'h_bucket{kind="x",le="60.0"} 1' in lines
    assert 'h_bucket{kind="x",le="+Inf"} 2' in lines
    assert 'h_sum{kind="x"} 100.005' in lines


def test_paths_do_not_become_labels(server: SandboxServer) -> None:
    """Whatever addresses and methods a client makes up, the number of series is bounded."""
    for number in range(5):
        _ask(server, f"/made-up-{number}", f"MADEUP{number}")
    text = _ask(server, "/metrics")[2]
    assert "made-up" not in text
    assert "MADEUP" not in text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("job-17.a_B", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("a b", False),
        ("<script>", False),
        ("", False),
    ],
)
def test_harmless_request_ids_are_kept(server: SandboxServer, given: str, kept: bool) -> None:
    """The answer names the id of the request: the given one if it is harmless, else a new one."""
    _, headers, _ = _ask(server, "/healthz/live", X_Request_Id=given)
    assert (headers["x-request-id"] == given) is kept
    assert re.fullmatch(r"[0-9A-Za-z._-]{1,64}", headers["x-request-id"])
    assert len(request_id_for(b"a\r\nb")) == 16


def test_the_client_logs_the_id_of_the_server(server: SandboxServer, caplog: Any) -> None:
    """An error from the server is in the client's log with the id that the server logs."""
    with ftrack_like.Session(server.server_url, server.api_key, server.api_user) as session:
        caplog.clear()
        with (
            caplog.at_level(logging.DEBUG, "ftrack_like.requests"),
            pytest.raises(ftrack_like.exception.ServerError),
        ):
            session.query("select nothing from Task").first()
    lines = [each.getMessage() for each in caplog.records if "error=" in each.getMessage()]
    assert lines, caplog.text
    assert re.search(r"server_id=[0-9a-f]{16}", lines[-1])


@pytest.mark.parametrize("form", ["json", "text"])
def test_logs_have_the_id_of_their_request(form: str, tmp_path: pathlib.Path) -> None:
    """Each request is logged with its id and without its query, which may contain a key."""
    command = [sys.executable, "-m", "ftrack_like", "sandbox", "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path), "--log-format", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    known = json.loads(process.stdout.readline())
    address = known["server_url"][7:].split(":")
    for path in ("/healthz/live?apiKey=very-secret", "/component/get?id=%00&apiKey=very-secret"):
        connection = http.client.HTTPConnection(*address, timeout=30)
        connection.request("GET", path, headers={"X-Request-Id": "my-id"})
        connection.getresponse().read()
        connection.close()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert "very-secret" not in errors
    if form == "text":
        assert "INFO ftrack_like.sandbox.access [my-id] GET /healthz/live 200" in errors
        return
    records = [json.loads(line) for line in errors.splitlines()]
    (record,) = [each for each in records if each.get("path") == "/healthz/live"]
    assert record["request_id"] == "my-id"
    assert (record["method"], record["status"], record["level"]) == ("GET", 200, "info")
    assert record["seconds"] < 30


def test_failures_are_one_line_of_json() -> None:
    """The trace of a failure, also of the web server, is in one record with the id."""
    code = (
        "import logging, uvicorn\n"
        "from ftrack_like.sandbox.operations.logs import set_up_logs\n"
        "from ftrack_like.sandbox.operations.request_ids import REQUEST_ID\n"
        "uvicorn.Config(None)\n"
        "set_up_logs('json')\n"
        "REQUEST_ID.set('abc')\n"
        "try:\n"
        "    1 / 0\n"
        "except ZeroDivisionError:\n"
        "    logging.getLogger('uvicorn.error').exception('It failed: %s', 'why')\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = found.stderr.splitlines()
    record = json.loads(line)
    assert (record["message"], record["level"], record["request_id"]) == (
        "It failed: why",
        "error",
        "abc",
    )
    assert "ZeroDivisionError" in record["exception"]


# Several processes


def _metrics(requests: int, websockets: int, pid: int) -> str:
    """Return the metrics of a process."""
    counter = Counter("requests_total", "Requests.", ("kind",))
    counter.add("api", amount=requests)
    durations = Histogram("seconds", "Durations.", "kind")
    for _ in range(requests):
        durations.observe("api", 0.25)
    gauges = [
        *gauge_lines("websockets", "Websockets.", {"": websockets}),
        *gauge_lines("info", "Processes.", {str(pid): 1}, "pid"),
    ]
    return "\n".join([*counter.lines(), *durations.lines(), *gauges]) + "\n"


def test_metrics_of_processes_are_added_up(tmp_path: pathlib.Path) -> None:
    """Counters, histograms and gauges are sums; each process has its own information."""
    (tmp_path / "7").write_text(_metrics(2, 3, 7))
    text = MetricsFolder(tmp_path).total(_metrics(4, 1, 8))
    assert 'requests_total{kind="api"} 6\n' in text
    assert 'seconds_bucket{kind="api",le="0.25"} 6\n' in text
    assert 'seconds_sum{kind="api"} 1.5\n' in text
    assert "websockets 4\n" in text
    assert {'info{pid="7"} 1', 'info{pid="8"} 1'} < {*text.splitlines()}
    assert text.count("# TYPE seconds histogram") == 1
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len({*names})


def test_counters_of_ended_processes_stay(tmp_path: pathlib.Path) -> None:
    """A sum of counters does not decrease when processes end; gauges end with their process."""
    folder = MetricsFolder(tmp_path)
    for number in (5, 6):
        (tmp_path / str(number)).write_text(_metrics(2, 3, number))
    folder.end(5)
    folder.end(5)
    folder.end(6)
    folder.end(404)
    text = folder.total(_metrics(1, 1, 8))
    assert 'requests_total{kind="api"} 5\n' in text
    assert 'seconds_count{kind="api"} 5\n' in text
    assert "websockets 1\n" in text
    assert 'pid="5"' not in text


def test_a_process_that_ends_while_another_answers_counts_once(tmp_path: pathlib.Path) -> None:
    """A file that the supervisor has added to those of ended processes is not added again."""
    folder = MetricsFolder(tmp_path)
    (tmp_path / "5").write_text(_metrics(2, 3, 5))
    folder.end(5)
    (tmp_path / "5").write_text(_metrics(2, 3, 5))
    assert 'requests_total{kind="api"} 3\n' in folder.total(_metrics(1, 1, 8))
