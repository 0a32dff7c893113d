"""Pages of a query that are requested before the program comes to them."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Optional

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.session.paged_tasks import SIZE, TEXT, WINDOW, Tasks, name_of, names, settle

from ftrack_like import exception
from ftrack_like._session import reading_ahead
from ftrack_like.session import Session


@pytest.fixture
def tasks(server: Any, replies: Any) -> Tasks:
    """Return the tasks that ``server`` answers with, 100 at first."""
    server.answer = Tasks(replies.plain_result, 100)
    return server.answer  # type: ignore[no-any-return]


@pytest.fixture
def reader(server: Any, tasks: Tasks, open_session: Any) -> Session:
    """Return a session on ``server`` with zeroed statistics."""
    made: Session = open_session(server)
    made.statistics.reset()
    return made


ALL = [name_of(number) for number in range(100)]

WAYS: dict[str, Callable[[Any], list[Any]]] = {
    "all": lambda result: result.all(),
    "for": lambda result: [row for row in result],  # noqa: C416 - list() would ask for the length
    "iterate": lambda result: list(result.iterate(keep=True)),
    "prefetch": lambda result: list(result.iterate(keep=True, prefetch=True)),
    "slice": lambda result: result[3:],
    "to the middle": lambda result: result[:31],
    "single, then all": lambda result: [result[0], *result],
}


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    total=st.integers(0, 60),
    size=st.integers(1, 25),
    limit=st.none() | st.integers(1, 70),
    offset=st.none() | st.integers(0, 30),
    way=st.sampled_from(sorted(WAYS)),
    ahead=st.integers(1, 4),
)
def test_the_rows_are_the_same(
    reader: Session,
    tasks: Tasks,
    total: int,
    size: int,
    limit: Optional[int],
    offset: Optional[int],
    way: str,
    ahead: int,
) -> None:
    """Every way of reading gives the rows and load groups that it gives without reading ahead."""
    tasks.total = total
    text = TEXT + ("" if offset is None else f" offset {offset}")
    text += "" if limit is None else f" limit {limit}"
    seen = []
    for pages in (0, ahead):
        reader.reset()
        reader._read_ahead = pages
        try:
            rows = WAYS[way](reader.query(text, page_size=size))
        except IndexError:
            rows = []
        groups: dict[int, list[str]] = {}
        for row in rows:
            groups.setdefault(id(row.load_group), []).append(row["id"])
        seen.append((names(rows), list(groups.values())))
    assert seen[0] == seen[1]
    settle()
    assert tasks.most_running <= 4


@pytest.mark.parametrize("way", ["all", "for", "iterate", "prefetch"])
def test_four_pages_are_on_their_way_at_once(
    reader: Session, tasks: Tasks, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the reader waits, up to four requests run at the same time, and never more."""
    waits = threading.Event()
    result = reading_ahead.PageAhead.result

    def note_wait(page: Any) -> Any:
        if "offset 50 " in page.expression:
            waits.set()
        return result(page)

    monkeypatch.setattr(reading_ahead.PageAhead, "result", note_wait)

    def meet(offset: int) -> None:
        if offset == 50:
            assert waits.wait(60)
        with tasks.changed:
            if 60 <= offset <= 90:
                assert tasks.changed.wait_for(lambda: tasks.most_running >= 4, 60)

    tasks.before = meet
    assert names(WAYS[way](reader.query(TEXT, page_size=SIZE))) == ALL
    settle()
    assert tasks.most_running == 4
    statistics = reader.statistics
    assert statistics["requests"] == len(tasks.offsets) == 10 + statistics["pages_unused"]
    assert statistics["pages_ahead"] == statistics["requests"] - 1
    assert statistics["pages_unused"] <= 4
    assert sorted(tasks.offsets)[:10] == [*range(0, 100, SIZE)]  # Each page once.


@pytest.mark.parametrize("way", ["all", "for", "iterate", "slice"])
def test_one_page_costs_one_request(reader: Session, tasks: Tasks, way: str) -> None:
    """A result of one page sends one request, and a limit bounds the pages exactly."""
    tasks.total = SIZE
    WAYS[way](reader.query(TEXT, page_size=SIZE))
    assert (reader.statistics["requests"], reader.statistics["pages_ahead"]) == (1, 0)
    tasks.total = 100
    WAYS[way](reader.query(f"{TEXT} limit 35", page_size=SIZE))
    assert reader.statistics["requests"] == 1 + 4
    assert reader.statistics["pages_unused"] == 0


@pytest.mark.parametrize(
    "read",
    [
        lambda result: result.first(),
        bool,
        lambda result: result[0],
        lambda result: result[3:8],
        lambda result: result[52:57],
        lambda result: next(iter(result)),
    ],
    ids=["first", "bool", "index", "slice", "far slice", "next"],
)
def test_few_rows_cost_one_request(reader: Session, tasks: Tasks, read: Any) -> None:
    """A program that needs rows of one page only sends one request."""
    read(reader.query(TEXT, page_size=SIZE))
    settle()
    assert reader.statistics["requests"] == 1
    assert reader.statistics["pages_ahead"] == 0


@pytest.mark.parametrize("way", ["for", "iterate", "prefetch"])
@pytest.mark.parametrize("stop", [5, 25, 61])
def test_stopping_early_wastes_no_more_than_the_window(
    reader: Session, tasks: Tasks, way: str, stop: int
) -> None:
    """A loop that ends early has requested at most four pages too many, and requests no more."""
    result = reader.query(TEXT, page_size=SIZE)
    rows = iter(result) if way == "for" else result.iterate(prefetch=way == "prefetch")
    given = names(row for _, row in zip(range(stop), rows))
    rows.close()  # type: ignore[attr-defined]
    assert given == ALL[:stop]
    settle()
    # A thread that prefetches a page at that moment may request it once more.
    needed = -(-stop // SIZE) + 2 * (way == "prefetch")
    assert len(tasks.offsets) <= needed + 4
    before = len(tasks.offsets)
    assert names(result) == ALL  # Reading on works.
    assert len(tasks.offsets) > before


def test_a_slow_reader_holds_few_pages(reader: Session, tasks: Tasks) -> None:
    """A reader that never waits for the server keeps two pages ahead and not four."""
    seen = []
    for row in reader.query(TEXT, page_size=SIZE):
        seen.append(row["name"])
        settle()
        assert len(tasks.offsets) <= -(-len(seen) // SIZE) + 2
    assert seen == ALL


def test_a_page_on_its_way_is_given_up_with_the_result(
    server: Any, reader: Session, tasks: Tasks, replies: Any
) -> None:
    """A failed request is not repeated once the program has left the loop."""
    left = threading.Event()

    def fail(batch: Any) -> Any:
        if WINDOW.search(batch[0]["expression"])[1] == "0":  # type: ignore[index]
            return tasks(batch)
        assert left.wait(60)
        return replies.Reply(b"busy", 503)

    server.answer = fail
    result = reader.query(TEXT, page_size=SIZE)
    for row in result:
        if row["name"] == "task 3":
            break
    del result
    left.set()
    settle()
    assert reader.statistics["retries"] == 0
    assert reader.statistics["pages_unused"] == reader.statistics["pages_ahead"] == 2


@pytest.mark.parametrize("way", ["for", "iterate", "prefetch"])
def test_an_error_comes_at_its_page(server: Any, reader: Session, tasks: Tasks, way: str) -> None:
    """The rows before a failing page come first; afterwards the result can be read again."""

    def fail(batch: Any) -> Any:
        if "offset 20 " in batch[0]["expression"]:
            return {"exception": "ServerError", "content": "no third page"}
        return tasks(batch)

    server.answer = fail
    result = reader.query(TEXT, page_size=SIZE)
    seen: list[str] = []
    rows = iter(result) if way == "for" else result.iterate(prefetch=way == "prefetch")
    with pytest.raises(exception.ServerError, match="no third page"):
        seen.extend(row["name"] for row in rows)
    assert seen == ALL[:20]
    server.answer = tasks
    assert names(result) == ALL


def test_an_error_beyond_the_rows_that_are_read_does_not_matter(
    server: Any, reader: Session, tasks: Tasks
) -> None:
    """A failing page that the program does not come to raises nothing."""

    def fail(batch: Any) -> Any:
        found = WINDOW.search(batch[0]["expression"])
        if found is not None and int(found[1]) >= 20:
            return {"exception": "ServerError", "content": "no third page"}
        return tasks(batch)

    server.answer = fail
    rows = iter(reader.query(TEXT, page_size=SIZE))
    assert names(row for _, row in zip(range(20), rows)) == ALL[:20]


def test_closing_the_session_ends_it(reader: Session, tasks: Tasks) -> None:
    """After close() the next page raises, also if it had arrived or was on its way."""
    gate = threading.Event()
    tasks.before = lambda offset: gate.wait(60) and None if offset == 20 else None
    rows = iter(reader.query(TEXT, page_size=SIZE))
    for _ in range(5):
        next(rows)
    with tasks.changed:
        assert tasks.changed.wait_for(lambda: 20 in tasks.offsets, 60)
    reader.close()
    gate.set()
    with pytest.raises(exception.ConnectionClosedError):
        list(rows)
    settle()


def test_an_interrupted_reader_can_go_on(reader: Session, tasks: Tasks) -> None:
    """Ctrl-C while the reader waits for a page raises at once; reading again gives all rows."""
    gate, left = threading.Event(), threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def interrupt(offset: int) -> None:
        if offset == 10 and not gate.is_set():
            signal.pthread_kill(main, signal.SIGINT)
            assert left.wait(60)

    tasks.before = interrupt
    result = reader.query(TEXT, page_size=SIZE)

    def raise_once(number: int, frame: Any) -> None:
        gate.set()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGINT, raise_once)
    try:
        with pytest.raises(KeyboardInterrupt):
            result.all()
    finally:
        signal.signal(signal.SIGINT, handler)
        left.set()
    assert names(result.all()) == ALL
    assert max(tasks.offsets.count(offset) for offset in tasks.offsets) <= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_goes_on_by_itself(reader: Session, tasks: Tasks) -> None:
    """A child requests the pages that threads of its parent were waiting for."""
    gate = threading.Event()
    tasks.before = lambda offset: gate.wait(60) and None if offset == 10 else None
    rows = iter(reader.query(TEXT, page_size=SIZE))
    seen = [next(rows) for _ in range(5)]
    with tasks.changed:
        assert tasks.changed.wait_for(lambda: 10 in tasks.offsets, 60)
    child = os.fork()
    if not child:
        try:
            os._exit(0 if names(seen + list(rows)) == ALL else 1)
        except BaseException:
            os._exit(2)
    gate.set()
    assert os.waitpid(child, 0)[1] == 0
    assert names(seen + list(rows)) == ALL


def test_a_page_from_before_a_change_is_not_used(reader: Session, tasks: Tasks) -> None:
    """A page that was requested before a commit of the session is requested again."""
    rows = iter(reader.query(TEXT, page_size=SIZE))
    task = next(rows)
    [next(rows) for _ in range(4)]
    settle()
    assert tasks.offsets.count(10) == 1
    task["name"] = "changed"
    reader.commit()
    tasks.total = 0  # The keys are queried next; all that is left is gone.
    assert len(list(rows)) == 5
    assert reader.statistics["pages_unused"] == 2


def test_an_old_page_is_requested_again(
    reader: Session, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that arrived long ago is not used, since others may have changed its rows."""
    rows = iter(reader.query(TEXT, page_size=SIZE))
    [next(rows) for _ in range(5)]
    settle()
    monkeypatch.setattr(reading_ahead, "OLDEST", -1.0)
    assert len(list(rows)) == 95
    assert tasks.offsets.count(10) == 2


class Overriding(Session):
    """A session with a call of its own."""

    threads: list[str] = []

    def call(self, data: Any) -> Any:
        """Record the thread and call."""
        self.threads.append(threading.current_thread().name)
        return super().call(data)


class Decoding(Session):
    """A session that sees each mapping that the server sends."""

    def _decode(self, item: Any) -> Any:
        return super()._decode(item)


def _patch_call(session: Any) -> None:
    original = session.call
    session.call = lambda data: original(data)


def _add_hook(session: Any) -> None:
    session._request.hooks["response"].append(lambda response, **more: response)


def _authenticate(session: Any) -> None:
    own = session._request.auth
    session._request.auth = lambda request: own(request)


def _mount(session: Any) -> None:
    session._request.mount(session.server_url, requests.adapters.HTTPAdapter())


def _replace_request(session: Any) -> None:
    made = requests.Session()
    made.auth = session._request.auth
    session._request = made


@pytest.mark.parametrize(
    "change", [_patch_call, _add_hook, _authenticate, _mount, _replace_request]
)
def test_code_of_the_program_sees_one_request_after_the_other(
    reader: Session, tasks: Tasks, change: Callable[[Any], None]
) -> None:
    """A session whose way of sending the program has changed reads no page ahead."""
    change(reader)
    assert names(reader.query(TEXT, page_size=SIZE).all()) == ALL
    assert reader.statistics["pages_ahead"] == 0
    assert tasks.offsets == [*range(0, 100, SIZE)]


def test_a_patched_library_sees_one_request_after_the_other(
    reader: Session, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Test doubles that replace a method of requests see the pages in order."""
    send = requests.adapters.HTTPAdapter.send
    monkeypatch.setattr(
        requests.adapters.HTTPAdapter, "send", lambda *given, **more: send(*given, **more)
    )
    assert names(reader.query(TEXT, page_size=SIZE).all()) == ALL
    assert tasks.offsets == [*range(0, 100, SIZE)]
    assert reader.statistics["pages_ahead"] == 0


@pytest.mark.parametrize("kind", [Overriding, Decoding])
def test_a_subclass_with_its_own_call_reads_no_page_ahead(
    server: Any, tasks: Tasks, tmp_path: Any, kind: type[Session]
) -> None:
    """All calls of a session that overrides ``call`` or ``_decode`` come on the reader's thread."""
    with kind(server.url, "key", "jane", schema_cache_path=False, plugin_paths=[]) as session:
        assert names(session.query(TEXT, page_size=SIZE).all()) == ALL
        assert session.statistics["pages_ahead"] == 0
    assert set(Overriding.threads) <= {threading.current_thread().name}


@pytest.mark.parametrize(("given", "most"), [(0, 0), (False, 0), (1, 1), (3, 3), (True, 4)])
def test_the_option_sets_the_number_of_pages(
    server: Any, tasks: Tasks, open_session: Any, given: Any, most: int
) -> None:
    """``read_ahead`` bounds the requests at the same time."""
    session = open_session(server, read_ahead=given)
    tasks.before = lambda offset: time.sleep(0.01)  # So that requests meet.
    assert names(session.query(TEXT, page_size=SIZE).all()) == ALL
    settle()
    assert tasks.most_running <= max(most, 1)
    assert bool(session.statistics["pages_ahead"]) == bool(most)


@pytest.mark.parametrize("given", [-1, 5, 1.5, "4", None])
def test_other_values_of_the_option_are_refused(given: Any) -> None:
    """A number out of range is an error that names the option and its values."""
    with pytest.raises(ValueError, match="read_ahead is a number of pages from 0 to 4"):
        Session("http://127.0.0.1:9", "key", "jane", read_ahead=given)


def test_new_credentials_are_asked_for_on_the_readers_thread(
    server: Any, tasks: Tasks, open_session: Any
) -> None:
    """A page ahead that is refused is requested by the reader, who calls the function."""
    asked: list[str] = []
    refused = {"exception": "ServerError", "error_code": "api_credentials_invalid"}

    def credentials() -> tuple[str, str]:
        asked.append(threading.current_thread().name)
        return "jane", f"key {len(asked)}"

    session = open_session(server, api_key=None, api_user=None, credentials=credentials)

    def answer(batch: Any) -> Any:
        expired = len(asked) == 1 and "offset 20 " in batch[0].get("expression", "")
        return {**refused, "content": "expired"} if expired else tasks(batch)

    server.answer = answer
    assert names(session.query(TEXT, page_size=SIZE).all()) == ALL
    assert asked == [threading.current_thread().name] * 2


def test_two_results_share_the_requests_of_the_session(reader: Session, tasks: Tasks) -> None:
    """Results that are read in turn have at most four requests at the same time together."""
    tasks.before = lambda offset: time.sleep(0.005)  # So that requests meet.
    results = [reader.query(TEXT, page_size=SIZE) for _ in range(3)]
    for rows in zip(*results):
        assert len({row["name"] for row in rows}) == 1
    settle()
    assert 1 < tasks.most_running <= 5  # With the page that the reader requests itself.


def test_populating_many_entities_waits_once_for_four_requests(
    server: Any, reader: Session, tasks: Tasks
) -> None:
    """The queries of populate() run at the same time, and complete the entities as before."""
    tasks.total = 2_400
    found = reader.query(TEXT, page_size=2_400).all()
    groups = {id(task.load_group) for task in found}
    reader.statistics.reset()
    running = threading.Barrier(4, timeout=60)

    def answer(batch: Any) -> Any:
        ids = re.findall(r'"(t\d+)"', batch[0]["expression"])
        if len(ids) == 500 and "t2000" not in ids:
            running.wait()
        records = [{"__entity_type__": "Task", "id": each, "name": f"new {each}"} for each in ids]
        return [{"action": "query", "data": records, "metadata": {"next": {"offset": None}}}]

    server.answer = answer
    reader.populate(found, "name")
    assert names(found) == [f"new t{number}" for number in range(2_400)]
    assert {id(task.load_group) for task in found} == groups
    statistics = reader.statistics
    assert (statistics["requests"], statistics["pages_ahead"], statistics["pages_unused"]) == (
        5,
        5,
        0,
    )


def test_populating_stops_at_an_error(server: Any, reader: Session, tasks: Tasks) -> None:
    """Entities before the failing query are completed, and no further queries are sent."""
    tasks.total = 5_000
    found = reader.query(TEXT, page_size=5_000).all()
    reader.statistics.reset()

    def answer(batch: Any) -> Any:
        ids = re.findall(r'"(t\d+)"', batch[0]["expression"])
        if "t500" in ids:
            return {"exception": "ServerError", "content": "too many"}
        records = [{"__entity_type__": "Task", "id": each, "name": "new"} for each in ids]
        return [{"action": "query", "data": records, "metadata": {"next": {"offset": None}}}]

    server.answer = answer
    with pytest.raises(exception.ServerError, match="too many"):
        reader.populate(found, "name")
    settle()
    assert set(names(found[:500])) == {"new"}
    assert found[500]["name"] == "task 500"
    assert reader.statistics["requests"] <= 5


@pytest.mark.parametrize("limit", [None, 5, 20, 47])
def test_tables_read_ahead_too(
    reader: Session, tasks: Tasks, limit: Optional[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``to_dicts`` gives the same rows in order, and requests its next pages ahead."""
    monkeypatch.setattr("ftrack_like.query._table.PAGE", SIZE)
    text = TEXT if limit is None else f"{TEXT} limit {limit}"
    assert names(reader.query(text).to_dicts()) == ALL[:limit]
    settle()
    pages = -(-min(limit or 100, 100) // SIZE)
    statistics = reader.statistics
    assert statistics["requests"] == pages + statistics["pages_unused"]
    assert statistics["pages_ahead"] == statistics["requests"] - 1
    assert limit is None or statistics["pages_unused"] == 0


@pytest.mark.parametrize("ahead", [0, 4])
@pytest.mark.parametrize("way", ["all", "for"])
def test_threads_read_one_result(
    reader: Session, tasks: Tasks, monkeypatch: pytest.MonkeyPatch, way: str, ahead: int
) -> None:
    """Threads that read the same result at the same time get all rows; each page arrives once."""
    monkeypatch.setattr(reader, "_read_ahead", ahead)
    tasks.total = 6 * SIZE
    result = reader.query(TEXT, page_size=SIZE)
    start, found = threading.Barrier(4), []

    def read() -> None:
        start.wait()
        found.append([row["name"] for row in WAYS[way](result)])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[name_of(number) for number in range(6 * SIZE)]] * 4
    within = [offset for offset in tasks.offsets if offset < tasks.total]
    assert sorted(within) == sorted(set(within))
