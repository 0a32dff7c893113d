"""Requests that an exception ends at each step, over plain and encrypted connections.

Signals come at random, so these tests raise the exception at the step that they are about.
"""

from __future__ import annotations

import gc
import os
import queue
import random
import signal
import sys
import threading
from typing import Any, Callable

import pytest

from ftrack_like._transport.flight import MOST_BYTES_PER_SEND, Flight
from ftrack_like._transport.sockets import Shelf, WatchedSocket

COUNT = int(os.environ.get("FTRACK_LIKE_TEST_INTERRUPTIONS") or 12)


class TimeLimit(Exception):
    """The exception of a program that limits the time of its jobs."""


@pytest.fixture(params=["plain", "encrypted"])
def proxied(request: pytest.FixtureRequest, proxy: Any, sandbox: Any, open_session: Any) -> Any:
    """Return a session on a sandbox behind a proxy that can fail."""
    address, options = proxy.url, {}
    if request.param == "encrypted":
        authority = request.getfixturevalue("authority")
        address = request.getfixturevalue("front")(proxy.url, authority.context()).url
        options = {"verify": str(authority.file)}
    made = open_session(
        address,
        api_key=sandbox.api_key,
        api_user=sandbox.api_user,
        schema_cache_path=None,
        **options,
    )
    del proxy.requests[:]
    return made


def make_user(session: Any, name: str, length: int = 1) -> Any:
    """Return a new user with a first name of *length* characters, not committed yet."""
    return session.create("User", {"username": name, "first_name": "x" * length})


def users_on(sandbox: Any, prefix: str) -> list[str]:
    """Return the names of the users that begin with *prefix*, from the server."""
    with sandbox.session() as other:
        found = other.query(f'select username from User where username like "{prefix}%"')
        return sorted(user["username"] for user in found)


def interrupt(
    monkeypatch: pytest.MonkeyPatch, method: str, number: int, is_done: bool
) -> Callable[[], None]:
    """Let the call *number* of a *method* of sockets raise, after its work if *is_done*.

    Return a function that ends it.
    """
    original = getattr(WatchedSocket, method)
    left = [number]

    def interrupted(self: WatchedSocket, *arguments: Any) -> Any:
        left[0] -= 1
        if left[0]:
            return original(self, *arguments)
        if is_done:
            original(self, *arguments)
        raise TimeLimit

    monkeypatch.setattr(WatchedSocket, method, interrupted)
    return lambda: monkeypatch.setattr(WatchedSocket, method, original)


STEPS = {
    "before the head": ("send", 1, False),
    "in the head": ("send", 1, True),
    "before the body": ("send", 2, False),
    "after the body": ("send", 2, True),
    "before the answer": ("recv_into", 1, False),
    "after the answer": ("recv_into", 1, True),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_commit_is_settled_after_each_step(
    proxied: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch, step: tuple[str, int, bool]
) -> None:
    """The next commit completes a batch whose sending ended at any step, and blocks at none."""
    user = make_user(proxied, "step-a")
    resume = interrupt(monkeypatch, *step)
    with pytest.raises(TimeLimit):
        proxied.commit()
    resume()
    assert proxied.in_doubt
    user["first_name"] = "y"
    make_user(proxied, "step-b")
    proxied.commit()
    assert not proxied.in_doubt
    assert not proxied.recorded_operations
    assert users_on(sandbox, "step-") == ["step-a", "step-b"]
    with sandbox.session() as other:
        assert other.query('User where username is "step-a"').one()["first_name"] == "y"


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("piece", [2, 3, 4])
def test_long_commit_is_settled(
    proxied: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch, piece: int, is_done: bool
) -> None:
    """A batch that is sent in several pieces is completed, whichever was the last."""
    for index in range(10):
        make_user(proxied, f"long-{index}", MOST_BYTES_PER_SEND // 4)
    resume = interrupt(monkeypatch, "send", piece, is_done)
    with pytest.raises(TimeLimit):
        proxied.commit()
    resume()
    proxied.commit()
    assert users_on(sandbox, "long-") == [f"long-{index}" for index in range(10)]
    assert not proxied.in_doubt


def test_request_that_lacks_a_piece_is_cut(
    proxied: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that cannot be complete ends without waiting for an answer."""
    for index in range(10):
        make_user(proxied, f"cut-{index}", MOST_BYTES_PER_SEND // 4)
    resume = interrupt(monkeypatch, "send", 2, True)
    with pytest.raises(TimeLimit):
        proxied.commit()
    resume()
    received = []
    monkeypatch.setattr(WatchedSocket, "recv_into", lambda *arguments: received.append(arguments))
    proxied._calls.running.wait()
    assert not received
    assert not proxy.requests


@pytest.mark.parametrize("verb", ["rollback", "reset", "close"])
def test_giving_up_closes_the_connection(
    proxied: Any, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """No socket stays open when the program gives an interrupted batch up."""
    make_user(proxied, "gone-a")
    resume = interrupt(monkeypatch, "recv_into", 1, False)
    with pytest.raises(TimeLimit):
        proxied.commit()
    resume()
    kept = [each for each in gc.get_objects() if type(each) is WatchedSocket and each.flight]
    assert [each.fileno() for each in kept] != [-1]
    getattr(proxied, verb)()
    assert [each.fileno() for each in kept] == [-1]


def test_connection_without_a_request_is_closed_at_once(
    proxied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interruption before the first byte of a request closes its connection."""
    closed = []
    original = WatchedSocket.close

    def close(self: WatchedSocket) -> None:
        original(self)
        closed.append(self.fileno())

    proxied.query("Task").first()
    make_user(proxied, "closed-a")
    monkeypatch.setattr(WatchedSocket, "close", close)
    with monkeypatch.context() as patch:
        patch.setattr(Flight, "begin", raise_limit)
        with pytest.raises(TimeLimit):
            proxied.commit()
    assert closed
    assert set(closed) == {-1}
    proxied.commit()


def raise_limit(*arguments: Any) -> Any:
    """Raise the exception of a time limit."""
    raise TimeLimit


def test_interrupted_calls_keep_few_connections(
    proxied: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted calls that no commit settles do not use up the files of the process."""
    for _ in range(20):
        resume = interrupt(monkeypatch, "recv_into", 1, False)
        with pytest.raises(TimeLimit):
            proxied.call([{"action": "send_user_invite", "user_id": "nobody"}])
        resume()
    kept = [each for each in gc.get_objects() if type(each) is WatchedSocket and each.flight]
    # An encrypted connection has two such sockets.
    assert 0 < len({id(each.flight) for each in kept}) < 10


def test_adapters_of_programs_keep_their_connections(
    proxied: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An adapter that the program mounts on the request session is as safe as the library's."""
    from requests.adapters import HTTPAdapter

    for prefix in ("http://", "https://"):
        proxied._request.mount(prefix, HTTPAdapter(max_retries=0))
    make_user(proxied, "mounted-a")
    resume = interrupt(monkeypatch, "recv_into", 1, False)
    with pytest.raises(TimeLimit):
        proxied.commit()
    resume()
    proxied.commit()
    assert users_on(sandbox, "mounted-") == ["mounted-a"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_encrypted_commits_at_random_moments(proxied: Any, sandbox: Any) -> None:
    """Commits that a signal interrupts at random moments lose nothing and double nothing."""
    dice = random.Random(os.urandom(8) if COUNT > 12 else 3)
    interrupted = made = 0

    def handler(number: int, frame: Any) -> None:
        raise TimeLimit

    before = signal.signal(signal.SIGALRM, handler)
    try:
        while interrupted < COUNT:
            make_user(proxied, f"dice-{made:05}", dice.choice([1, 1000, 150_000]))
            made += 1
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, dice.uniform(0.0001, 0.03))
                    proxied.commit()
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except TimeLimit:
                interrupted += 1
                proxied.commit()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not proxied.in_doubt
    assert users_on(sandbox, "dice-") == [f"dice-{index:05}" for index in range(made)]


@pytest.mark.skipif(sys.getprofile() is not None, reason="a profiler is running")
def test_pools_hold_no_lock_that_an_exception_can_leave(proxied: Any) -> None:
    """A request whose connection is taken or put back locks nothing by code in Python."""
    code = threading.Condition.__enter__.__code__
    entered = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code is code:
            entered.append(frame)

    make_user(proxied, "unlocked")
    sys.setprofile(note)
    try:
        proxied.query("User").all()
        proxied.commit()
    finally:
        sys.setprofile(None)
    assert not entered


@pytest.mark.parametrize("block", [False, True])
def test_shelf_behaves_like_a_queue(block: bool) -> None:
    """Connections come back last in, first out; an empty or full shelf says so."""
    shelf = Shelf(2)
    shelf.put("a")
    shelf.put("b", block=False)
    with pytest.raises(queue.Full):
        shelf.put("c", block=False)
    assert shelf.qsize() == 2
    assert [shelf.get(block, 1), shelf.get(block, 1)] == ["b", "a"]
    with pytest.raises(queue.Empty):
        shelf.get(block, 0.01)
    threading.Timer(0.02, shelf.put, ["late"]).start()
    assert shelf.get() == "late"
