"""Callbacks, log lines and spans for the requests and commits of a session."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from ftrack_like import exception
from ftrack_like.event.hub import EventHub
from ftrack_like.logging import set_up_logging
from ftrack_like.session import CommitReport, RequestReport

SECRET = "a body that must stay out of the log"


@pytest.fixture
def session(server: Any, open_session: Any) -> Any:
    """Return a session on a server with canned answers."""
    return open_session(server)


def test_each_request_is_reported(session: Any, server: Any) -> None:
    """A report names actions, types, sizes, status and duration, and nothing secret."""
    reports: list[RequestReport] = []
    session.on_request(reports.append)
    session.query(f'select name from Task where name is "{SECRET}"').all()
    (report,) = reports
    assert (report.method, report.path, report.status) == ("POST", "/api", 200)
    assert server.url.endswith(report.host)
    assert (report.actions, report.operations) == ({"query": 1}, 1)
    assert report.entity_types == ("Task",)
    assert (report.error, report.attempt) == (None, 1)
    assert report.bytes_sent > 50
    assert report.bytes_received > 10
    assert 0 < report.duration < 60
    assert report.started > 1_600_000_000
    assert SECRET not in f"{report!r} {report.line()}"
    assert session.api_key not in f"{report!r} {report.line()}"


def test_batch_is_counted_by_action_and_type(session: Any) -> None:
    """A batch of several operations counts each action, and names each type once."""
    reports: list[RequestReport] = []
    with session.on_request(reports.append):
        session.call(
            [
                {"action": "query", "expression": "Task"},
                {"action": "query", "expression": "select name\n from Status order by name"},
                {"action": "query", "expression": "(odd"},
                {"action": "delete", "entity_type": "Task", "entity_key": ["1"]},
            ]
        )
    assert reports[0].actions == {"query": 3, "delete": 1}
    assert reports[0].entity_types == ("Status", "Task")


def test_refusals_and_retries_have_their_own_reports(
    session: Any, server: Any, replies: Any
) -> None:
    """An error of the server has its name; a failed request and its retry are two reports."""
    reports: list[RequestReport] = []
    session.on_request(reports.append)
    server.next_answers = [{"exception": "ParseError", "content": SECRET}]
    with pytest.raises(exception.ServerParseError):
        session.query("Task").all()
    assert (reports[-1].status, reports[-1].error) == (200, "ParseError")
    server.next_answers = [replies.Reply(b"busy", 503, {"Retry-After": "0"})]
    session.query("Task").all()
    assert [(r.status, r.error, r.attempt) for r in reports[-2:]] == [
        (503, "HTTP503", 1),
        (200, None, 2),
    ]
    server.next_answers = [replies.RESET]
    session.query("Task").all()
    assert (reports[-2].status, reports[-2].error) == (None, "ServerConnectionError")


def test_id_of_the_server_is_reported(session: Any, server: Any, replies: Any) -> None:
    """The id that a server or proxy gives a request is in the report, without odd characters."""
    reports: list[RequestReport] = []
    session.on_request(reports.append)
    server.next_answers = [
        lambda batch: replies.Reply(replies.plain_answer(batch), 200, {"X-Request-Id": "ab-1 <x>"})
    ]
    session.query("Task").all()
    assert reports[0].server_request_id == "ab-1x"
    assert reports[0].request_id != ""


@pytest.mark.parametrize("how", ["remove", "call", "with"])
def test_removed_callbacks_are_not_called(session: Any, how: str) -> None:
    """A callback is not called after its removal; other callbacks stay."""
    removed: list[Any] = []
    kept: list[Any] = []
    observation = session.on_request(removed.append)
    session.on_request(kept.append)
    session.on_commit(removed.append)()
    if how == "with":
        with observation as same:
            assert same is observation
    elif how == "call":
        observation()
    else:
        observation.remove()
    observation.remove()
    session.query("Task").all()
    assert (removed, len(kept)) == ([], 1)


def test_errors_of_callbacks_are_logged(session: Any, caplog: Any) -> None:
    """A callback that raises does not disturb the call, and its error is in the log once."""

    def broken(report: Any) -> None:
        raise RuntimeError("broken callback")

    reports: list[Any] = []
    session.on_request(broken)
    session.on_request(reports.append)
    session.on_commit(broken)
    assert session.query("Task").all() == []
    session.create("Task", {"name": "layout"})
    session.commit()
    assert len(reports) == 2
    assert caplog.text.count("RuntimeError: broken callback") == 3
    assert "on_commit failed" in caplog.text


def test_callback_may_use_the_session(session: Any) -> None:
    """A callback that sends requests itself does not call itself for them."""
    reports: list[Any] = []

    def ask(report: Any) -> None:
        reports.append(report)
        session.query("Task").all()

    session.on_request(ask)
    session.query("Status").all()
    assert [report.entity_types for report in reports] == [("Status",)]


def test_callbacks_are_functions(session: Any) -> None:
    """Anything that cannot be called is refused at once."""
    with pytest.raises(TypeError, match="NoneType"):
        session.on_request(None)


def test_commit_is_reported(session: Any) -> None:
    """The report of a commit has its operations by kind, its requests and its sizes."""
    reports: list[CommitReport] = []
    session.on_commit(reports.append)
    session.commit()
    assert reports == []  # It sent nothing.
    task = session.create("Task", {"name": "layout"})
    session.create("User", {"username": "jane"})
    session.commit()
    (report,) = reports
    assert (report.created, report.updated, report.deleted) == (2, 0, 0)
    assert report.entity_types == ("Task", "User")
    assert (report.operations, report.requests, report.error) == (2, 1, None)
    assert report.bytes_sent > 100
    assert 0 < report.duration < 60
    task["name"] = "comp"
    session.delete(task)
    session.commit()
    assert (reports[-1].created, reports[-1].deleted) == (0, 1)


def test_failed_commit_is_reported(session: Any, server: Any) -> None:
    """A refused commit has the name of the error, and the operations that it tried."""
    reports: list[CommitReport] = []
    session.on_commit(reports.append)
    session.create("Task", {"name": "layout"})
    server.next_answers = [{"exception": "ValidationError", "content": "no"}]
    with pytest.raises(exception.ServerValidationError):
        session.commit()
    assert (reports[0].error, reports[0].created) == ("ServerValidationError", 1)


def test_threads_do_not_mix_commits(open_session: Any, server: Any) -> None:
    """The requests of one thread are not counted in the commit of another one."""
    session = open_session(server)
    reports: list[CommitReport] = []
    session.on_commit(reports.append)
    running = threading.Event()

    def read() -> None:
        running.set()
        for _ in range(20):
            session.query("Task").all()

    thread = threading.Thread(target=read)
    thread.start()
    running.wait(30)
    for number in range(5):
        session.create("Task", {"name": str(number)})
        session.commit()
    thread.join()
    assert [(report.created, report.requests) for report in reports] == [(1, 1)] * 5


def test_uploads_and_downloads_are_reported(sandbox: Any, tmp_path: Any) -> None:
    """Transfers are reported without the parameters of their addresses, which are secrets."""
    path = tmp_path / "plate.exr"
    path.write_bytes(b"pixels" * 100)
    with sandbox.session(schema_cache_path=False) as session:
        reports: list[RequestReport] = []
        session.on_request(reports.append)
        location = session.query('Location where name is "ftrack.server"').one()
        component = session.create_component(str(path), location=location)
        session.commit()
        location.get_url(component)
        accessor = location.accessor
        file = accessor.open(location.get_resource_identifier(component), "rb")
        assert file.read() == path.read_bytes()
    put = [report for report in reports if report.method == "PUT"]
    get = [report for report in reports if report.method == "GET"]
    assert [(report.status, report.bytes_sent) for report in put] == [(200, 600)]
    assert [(report.status, report.path) for report in get] == [(200, "/component/get")]
    assert all("?" not in report.path for report in reports)


# Statistics


def test_statistics_are_a_mapping(session: Any) -> None:
    """The counters can be read as a mapping, and stay attributes."""
    statistics = session.statistics
    assert isinstance(statistics, Mapping)
    assert set(statistics) == set(statistics.as_dict())
    assert statistics["requests"] == statistics.requests > 0
    assert dict(statistics) == statistics.as_dict() == statistics
    assert {**statistics}["retries"] == 0
    assert statistics.get("nothing") is None
    with pytest.raises(KeyError):
        statistics["count"]


# The log


@pytest.fixture
def tree() -> Iterator[logging.Logger]:
    """Return the logger of the library without handlers; restore it afterwards."""
    loggers = [logging.getLogger(name) for name in ("ftrack_like", "ftrack_like.requests")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers[:] = []
        logger.setLevel(logging.NOTSET)
    yield loggers[0]
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


SCRIPT = """
import sys, logging, ftrack_like
url, key = sys.argv[1:]
with ftrack_like.Session(url, key, "admin", schema_cache_path=False) as session:
    session.query('User where username is "hunter22"').all()
    user = session.query("User").first()
    user["first_name"] = "hunter22"
    session.commit()
    logging.getLogger("ftrack_like.session").warning("something odd")
    print(session.statistics["requests"])
"""


def run_script(sandbox: Any, **variables: str) -> tuple[str, list[str]]:
    """Return what the script prints, and its lines on standard error."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, sandbox.server_url, sandbox.api_key],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout, done.stderr.splitlines()


def test_library_is_silent(sandbox: Any) -> None:
    """Without a configuration of logging, nothing appears, warnings included."""
    assert run_script(sandbox)[1] == []


def test_debug_prints_one_line_for_each_request(sandbox: Any) -> None:
    """FTRACK_LOG=debug prints a line for each request, without keys, headers and bodies."""
    printed, lines = run_script(sandbox, FTRACK_LOG="debug")
    requests = [line for line in lines if " ftrack_like.requests: " in line]
    assert len(requests) == int(printed)
    assert "POST " in requests[0]
    assert "query_server_information*1" in requests[0]
    assert "status=200" in requests[0]
    assert "update*1" in requests[-1]
    assert "User" in requests[-1]
    assert [line for line in lines if line not in requests] == [lines[-1]]
    assert "something odd" in lines[-1]
    text = "\n".join(lines)
    for secret in (sandbox.api_key, "hunter22", "ftrack-api-key", "username"):
        assert secret not in text


@pytest.mark.parametrize(("value", "count"), [("warning", 1), ("error", 0), ("loud", 2)])
def test_other_levels(sandbox: Any, value: str, count: int) -> None:
    """Other levels show their messages; an unknown one is named and shows warnings."""
    lines = run_script(sandbox, FTRACK_LOG=value)[1]
    assert len(lines) == count
    assert ("must be one of debug, info, warning, error" in "".join(lines)) is (value == "loud")


def test_set_up_happens_once(
    tree: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Several sessions print each message once; a program's own handlers stay."""
    own = logging.NullHandler()
    tree.addHandler(own)
    monkeypatch.setenv("FTRACK_LOG", "INFO")
    for _ in range(3):
        set_up_logging()
    tree.info("once")
    tree.debug("never")
    assert capsys.readouterr().err.count("once") == 1
    assert own in tree.handlers
    assert len(tree.handlers) == 2


def test_log_without_standard_error(tree: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without a standard error, such as a windowed one, logs without an error."""
    monkeypatch.setenv("FTRACK_LOG", "debug")
    set_up_logging()
    monkeypatch.setattr("sys.stderr", None)
    tree.warning("nowhere")


def test_handshake_of_the_hub_is_logged(tree: logging.Logger, sandbox: Any, caplog: Any) -> None:
    """The handshake with the event server is one line, refused or not."""
    caplog.set_level(logging.DEBUG, "ftrack_like.requests")
    for key in (sandbox.api_key, "wrong-key-of-a-hub"):
        hub = EventHub(sandbox.server_url, sandbox.api_user, key)
        try:
            hub.connect()
        except exception.EventHubConnectionError:
            pass
        hub.close()
    lines = [r.getMessage() for r in caplog.records if r.name == "ftrack_like.requests"]
    assert [("/socket.io/1/" in line, line.split("status=")[1][:3]) for line in lines] == [
        (True, "200"),
        (True, "401"),
    ]
    assert "wrong-key" not in caplog.text


def test_all_loggers_are_in_one_tree() -> None:
    """Each logger that a session and a hub create is below ``ftrack_like``."""
    code = (
        "import contextlib, importlib, logging, pkgutil, ftrack_like\n"
        "ignored = {'onerror': lambda name: None}\n"
        "for found in pkgutil.walk_packages(ftrack_like.__path__, 'ftrack_like.', **ignored):\n"
        "    if '.sandbox' not in found.name and '__main__' not in found.name:\n"
        "        with contextlib.suppress(ImportError):\n"
        "            importlib.import_module(found.name)\n"
        "names = set(logging.Logger.manager.loggerDict)\n"
        "print([n for n in names if 'ftrack' in n and n.split('.')[0] != 'ftrack_like'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Traces


class FakeSpan:
    """A span that keeps what it is told."""

    def __init__(self, name: str, attributes: dict[str, Any], parent: Any) -> None:
        self.name, self.attributes, self.parent = name, attributes, parent
        self.status: Any = None
        self.ended = False

    def set_attribute(self, name: str, value: Any) -> None:
        self.attributes[name] = value

    def set_status(self, status: Any) -> None:
        self.status = status

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> list[FakeSpan]:
    """Return the spans that are made, as if the program had imported OpenTelemetry."""
    made: list[FakeSpan] = []
    current: list[Any] = [None]

    def start_span(name: str, kind: Any, attributes: dict[str, Any]) -> FakeSpan:
        made.append(FakeSpan(name, attributes, current[-1]))
        return made[-1]

    trace = SimpleNamespace(
        get_tracer=lambda *arguments: SimpleNamespace(start_span=start_span),
        SpanKind=SimpleNamespace(CLIENT="client"),
        Status=lambda code: code,
        StatusCode=SimpleNamespace(ERROR="error"),
        set_span_in_context=lambda span: span,
    )
    context = SimpleNamespace(attach=current.append, detach=lambda token: current.pop())
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", trace)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", context)
    return made


def test_spans_of_a_commit_and_its_requests(session: Any, spans: list[FakeSpan]) -> None:
    """A commit is a span, its requests are spans below it, and all end."""
    session.create("Task", {"name": "layout"})
    session.commit()
    commit, request = spans
    assert (commit.name, request.name) == ("ftrack commit", "ftrack create")
    assert (commit.parent, request.parent) == (None, commit)
    assert (commit.ended, request.ended) == (True, True)
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["ftrack.entity_types"] == ["Task"]
    address = urlsplit(session.server_url)
    assert request.attributes["server.address"] == address.hostname
    assert request.attributes["server.port"] == address.port
    assert commit.attributes["ftrack.operations"] == 1
    assert session.api_key not in str([span.attributes for span in spans])


def test_spans_of_errors(session: Any, server: Any, spans: list[FakeSpan], replies: Any) -> None:
    """A failed request has an error status, and its retry says that it is one."""
    server.next_answers = [replies.Reply(b"", 503, {"Retry-After": "0"})]
    session.query("Task").all()
    assert [span.status for span in spans] == ["error", None]
    assert spans[0].attributes["error.type"] == "HTTP503"
    assert spans[1].attributes["http.request.resend_count"] == 1


def test_broken_tracing_breaks_nothing(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-imported or broken OpenTelemetry does not disturb a session."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", SimpleNamespace())
    assert session.query("Task").all() == []


def test_real_spans(session: Any) -> None:
    """With the packages of OpenTelemetry, a request is exported as a span."""
    pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")
    code = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import ftrack_like
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with ftrack_like.Session(sys.argv[1], "secret-key", "jane", schema_cache_path=False) as session:
    session.query("Task").all()
    session.create("Task", {"name": "layout"})
    session.commit()
spans = exporter.get_finished_spans()
names = [span.name for span in spans]
assert names[-3:] == ["ftrack query", "ftrack create", "ftrack commit"], names
assert spans[-2].parent.span_id == spans[-1].context.span_id
assert "secret-key" not in str([span.to_json() for span in spans])
"""
    subprocess.run([sys.executable, "-c", code, session.server_url], check=True, timeout=120)


def test_unused_tracing_is_not_imported() -> None:
    """The library never imports OpenTelemetry itself."""
    code = "import sys, ftrack_like; ftrack_like.Session; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("callback", [lambda: None, lambda one, two: None])
def test_callbacks_take_one_argument(session: Any, callback: Any) -> None:
    """A function that cannot be called with a report is an error at once, not a log entry later."""
    for observe in (session.on_request, session.on_commit):
        with pytest.raises(TypeError, match="one argument, the report"):
            observe(callback)


def test_any_callable_with_one_argument_fits(session: Any) -> None:
    """Built-in functions, methods and functions with further defaults are callbacks too."""
    found: list[Any] = []
    keep = found.append
    with (
        session.on_request(keep),
        session.on_request(print),
        session.on_request(lambda report, sink=found: sink.append(report)),
    ):
        session.query("Task").all()
    assert len(found) == 2
