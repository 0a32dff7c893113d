"""Commits that something interrupts: a signal handler, Ctrl-C, a second interruption.

``FTRACK_LIKE_TEST_INTERRUPTIONS`` says how many commits are interrupted at random moments, which
is 12 by default: ``tox run -e nightly``.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import pytest
import requests

from ftrack_like import exception
from ftrack_like._transport.flight import Flight

COUNT = int(os.environ.get("FTRACK_LIKE_TEST_INTERRUPTIONS") or 12)

needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no timers that send signals"
)


class TimeLimit(Exception):
    """The exception of a program that limits the time of its jobs."""


@pytest.fixture
def proxied(proxy: Any, sandbox: Any, open_session: Any) -> Any:
    """Return a session on a sandbox behind a proxy that can fail."""
    made = open_session(
        proxy, api_key=sandbox.api_key, api_user=sandbox.api_user, schema_cache_path=None
    )
    del proxy.requests[:]
    return made


def make_user(session: Any, name: str) -> Any:
    """Return a new user with the username *name*, not committed yet."""
    return session.create("User", {"username": name, "first_name": "x"})


def users_on(sandbox: Any, prefix: str) -> list[tuple[str, str]]:
    """Return user and first names of the users that begin with *prefix*, from the server."""
    with sandbox.session() as other:
        found = other.query(
            f'select username, first_name from User where username like "{prefix}%"'
        )
        return sorted((user["username"], user["first_name"]) for user in found)


@contextmanager
def handler_of(number: int, handler: Any) -> Iterator[None]:
    """Have *handler* called for the signal *number* within the context."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


class Held:
    """A request that the proxy holds back until :meth:`release`.

    *before* says whether the sandbox carries it out before it is held, or after. *ended* is set
    when the sandbox has carried it out and it is not held any more.
    """

    def __init__(self, proxy: Any, before: bool, interrupt: Callable[[], object]) -> None:
        self._released = threading.Event()
        self.ended = threading.Event()
        original, held = proxy._pass_on, [False]

        def pass_on(method: str, path: str, headers: Any, body: bytes) -> Any:
            if held[0] or b'"action": "query"' in body:
                return original(method, path, headers, body)
            held[0] = True
            reply = original(method, path, headers, body) if before else None
            interrupt()
            self._released.wait()
            try:
                return reply or original(method, path, headers, body)
            finally:
                self.ended.set()

        proxy._pass_on = pass_on

    def release(self) -> None:
        """Let the request go on."""
        self._released.set()


def interrupt_main(number: int) -> Callable[[], None]:
    """Return a function that sends the signal *number* to the main thread."""
    return lambda: signal.pthread_kill(threading.main_thread().ident or 0, number)


def raising(error: Any) -> Any:
    """Return a signal handler that raises *error*."""

    def handler(number: int, frame: Any) -> None:
        raise error

    return handler


ERRORS = [
    TimeLimit("limit"),
    TimeoutError("limit"),
    OSError("limit"),
    ConnectionResetError("limit"),
    MemoryError(),
    KeyboardInterrupt(),
    SystemExit(3),
    requests.exceptions.Timeout("limit"),
    exception.ServerError("limit"),
    exception.ServerConnectionError("limit"),
    ValueError("limit"),
]


@needs_signals
@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not yet applied"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_next_commit_settles_an_interrupted_one(
    proxied: Any, proxy: Any, sandbox: Any, error: BaseException, applied: bool
) -> None:
    """Whatever a signal handler raises comes out, and the next commit completes the batch."""
    held = Held(proxy, applied, interrupt_main(signal.SIGALRM))
    make_user(proxied, "limit-a")
    with handler_of(signal.SIGALRM, raising(error)), pytest.raises(type(error)) as caught:
        proxied.commit()
    assert caught.value is error
    assert proxied.in_doubt
    threading.Timer(0.05, held.release).start()
    proxied.commit()
    assert not proxied.in_doubt
    assert not proxied.recorded_operations
    assert users_on(sandbox, "limit-") == [("limit-a", "x")]
    assert [[each["action"] for each in batch] for batch in proxy.batches].count(["create"]) == 1


@needs_signals
def test_changes_keep_their_order(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """A change that follows an interrupted one reaches the server after it."""
    user = make_user(proxied, "order-a")
    proxied.commit()
    held = Held(proxy, False, interrupt_main(signal.SIGALRM))
    user["first_name"] = "first"
    with handler_of(signal.SIGALRM, raising(TimeLimit())), pytest.raises(TimeLimit):
        proxied.commit()
    user["first_name"] = "second"
    threading.Timer(0.05, held.release).start()
    proxied.commit()
    assert users_on(sandbox, "order-") == [("order-a", "second")]
    assert user["first_name"] == "second"


@needs_signals
def test_deletion_is_settled(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """An interrupted deletion is completed once, also while it is running."""
    user = make_user(proxied, "gone-a")
    proxied.commit()
    held = Held(proxy, False, interrupt_main(signal.SIGALRM))
    proxied.delete(user)
    with handler_of(signal.SIGALRM, raising(TimeLimit())), pytest.raises(TimeLimit):
        proxied.commit()
    threading.Timer(0.05, held.release).start()
    proxied.commit()
    assert users_on(sandbox, "gone-") == []
    assert proxied.get("User", user["id"]) is None


@needs_signals
def test_second_interruption_keeps_the_doubt(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """An interruption while a commit settles the one before leaves the batch in doubt."""
    held = Held(proxy, True, interrupt_main(signal.SIGALRM))
    user = make_user(proxied, "twice-a")
    with handler_of(signal.SIGALRM, raising(TimeLimit())):
        with pytest.raises(TimeLimit):
            proxied.commit()
        make_user(proxied, "twice-b")
        for _ in range(2):
            threading.Timer(0.02, interrupt_main(signal.SIGALRM)).start()
            with pytest.raises(TimeLimit):
                proxied.commit()
            assert proxied.in_doubt
    held.release()
    proxied.commit()
    assert users_on(sandbox, "twice-") == [("twice-a", "x"), ("twice-b", "x")]
    assert user["username"] == "twice-a"
    assert not proxied.recorded_operations


def test_repetition_stays_in_doubt(proxied: Any, proxy: Any, sandbox: Any, replies: Any) -> None:
    """A batch that is sent again stays in doubt until the server answers the repetition."""
    make_user(proxied, "again-a")
    refuse = [replies.RESET] * 12
    proxy.next_answers = list(refuse)
    with pytest.raises(exception.ServerConnectionError):
        proxied.commit()
    # The question is answered, the repetition is applied and its answer lost, then silence.
    proxy.next_answers = [None, "lose", *refuse]
    with pytest.raises(exception.ServerConnectionError):
        proxied.commit()
    assert proxied.in_doubt
    proxy.next_answers = []
    proxied.commit()
    assert users_on(sandbox, "again-") == [("again-a", "x")]
    assert not proxied.in_doubt


@pytest.mark.parametrize("step", ["merge", "forget", "discard", "clear", "keep_primary_keys"])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_interrupted_taking_over(
    proxied: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch, step: str, late: bool
) -> None:
    """An exception between the answer and the end of the commit loses and doubles nothing."""
    changes = proxied._unit_of_work._local
    original = getattr(changes, step)

    def interrupted(*arguments: Any) -> Any:
        if late:
            original(*arguments)
        raise KeyboardInterrupt

    user = make_user(proxied, "half-a")
    with monkeypatch.context() as patch:
        patch.setattr(changes, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            proxied.commit()
    user["first_name"] = "later"
    make_user(proxied, "half-b")
    proxied.commit()
    assert users_on(sandbox, "half-") == [("half-a", "later"), ("half-b", "x")]
    assert not proxied.recorded_operations
    assert not proxied.in_doubt
    assert (user["username"], user["first_name"]) == ("half-a", "later")


def test_refused_batch_can_be_corrected_after_an_interruption(
    proxied: Any, proxy: Any, sandbox: Any
) -> None:
    """A batch in doubt that the server refuses is sent with the corrections made since."""
    make_user(proxied, "taken-a")
    proxied.commit()
    user = make_user(proxied, "taken-a")
    post = proxied._request.post

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        post(*arguments, **keywords)
        raise KeyboardInterrupt

    proxied._request.post = interrupted
    with pytest.raises(KeyboardInterrupt):
        proxied.commit()
    proxied._request.post = post
    user["username"] = "taken-b"
    proxied.commit()
    assert users_on(sandbox, "taken-") == [("taken-a", "x"), ("taken-b", "x")]


def test_what_cannot_be_encoded_is_not_in_doubt(proxied: Any, proxy: Any) -> None:
    """An error before the first byte is sent leaves nothing in doubt and asks nothing."""
    user = make_user(proxied, "value-a")
    user["first_name"] = object()
    with pytest.raises(TypeError):
        proxied.commit()
    assert not proxied.in_doubt
    user["first_name"] = "x"
    del proxy.requests[:]
    proxied.commit()
    assert [[each["action"] for each in batch] for batch in proxy.batches] == [["create"]]


def test_replaced_call_that_answers_rubbish_can_be_in_doubt(proxied: Any, sandbox: Any) -> None:
    """Settling accepts whatever a replaced ``call`` answers to its question."""
    call = proxied.call

    def interrupted(batch: Any) -> Any:
        call(batch)
        raise TimeLimit

    make_user(proxied, "rubbish-a")
    proxied.call = interrupted
    with pytest.raises(TimeLimit):
        proxied.commit()
    proxied.call = lambda batch: []
    proxied.commit()
    assert not proxied.recorded_operations
    assert users_on(sandbox, "rubbish-") == [("rubbish-a", "x")]


# Commits in signal handlers


@needs_signals
@pytest.mark.parametrize("verb", ["commit", "rollback", "reset"])
def test_commit_in_a_handler_inside_a_commit(
    proxied: Any, proxy: Any, sandbox: Any, verb: str
) -> None:
    """A handler that interrupts a commit cannot commit, roll back or reset; nothing is sent."""
    errors: list[exception.CommitInProgressError] = []

    def handler(number: int, frame: Any) -> None:
        with pytest.raises(exception.CommitInProgressError) as caught:
            getattr(proxied, verb)()
        errors.append(caught.value)
        held.release()

    held = Held(proxy, True, interrupt_main(signal.SIGALRM))
    user = make_user(proxied, "nested-a")
    with handler_of(signal.SIGALRM, handler):
        proxied.commit()
    assert len(proxy.requests) == 1
    assert isinstance(errors[0], exception.OperationError)
    assert "running commit" in str(errors[0])
    assert users_on(sandbox, "nested-") == [("nested-a", "x")]
    assert user["username"] == "nested-a"
    user["first_name"] = "y"
    proxied.commit()
    assert users_on(sandbox, "nested-") == [("nested-a", "y")]


@needs_signals
def test_close_in_a_handler_inside_a_commit(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """A signal handler may close the session and end the program while a commit runs."""

    def handler(number: int, frame: Any) -> None:
        proxied.close()
        raise SystemExit(1)

    held = Held(proxy, True, interrupt_main(signal.SIGTERM))
    make_user(proxied, "closed-a")
    with handler_of(signal.SIGTERM, handler), pytest.raises(SystemExit):
        proxied.commit()
    held.release()
    assert proxied.closed
    assert not proxied.in_doubt
    with pytest.raises(exception.ConnectionClosedError):
        proxied.query("User").all()


@needs_signals
def test_other_thread_commits_while_one_is_interrupted(
    proxied: Any, proxy: Any, sandbox: Any
) -> None:
    """A commit of another thread settles the batch that an interruption left in doubt."""
    held = Held(proxy, False, interrupt_main(signal.SIGALRM))
    make_user(proxied, "thread-a")
    with handler_of(signal.SIGALRM, raising(TimeLimit())), pytest.raises(TimeLimit):
        proxied.commit()
    thread = threading.Thread(target=proxied.commit)
    thread.start()
    held.release()
    thread.join()
    assert users_on(sandbox, "thread-") == [("thread-a", "x")]
    assert not proxied.in_doubt


def raising_once(*arguments: Any) -> None:
    """Raise an error as a signal handler that is not set any more when it does so."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    raise TimeoutError("limit")


class Limiter:
    """An object with a method that is a signal handler for one signal."""

    def limit(self, number: int, frame: Any) -> None:
        """Raise an error."""
        signal.signal(number, signal.SIG_DFL)
        raise ConnectionResetError("limit")


HANDLERS = [
    functools.partial(raising(TimeoutError("limit"))),
    raising(TimeoutError("limit")),
    raising_once,
    Limiter().limit,
]


@needs_signals
@pytest.mark.parametrize("handler", HANDLERS)
def test_time_limit_ends_a_commit(proxied: Any, proxy: Any, sandbox: Any, handler: Any) -> None:
    """The error of a handler that is set for one signal ends a commit, which is then settled."""
    held = Held(proxy, False, interrupt_main(signal.SIGALRM))
    make_user(proxied, "once")
    with handler_of(signal.SIGALRM, handler), pytest.raises(OSError, match=r"^limit$"):
        proxied.commit()
    held.release()
    proxied.commit()
    assert users_on(sandbox, "once") == [("once", "x")]


@needs_signals
@pytest.mark.parametrize("handler", HANDLERS)
def test_time_limit_ends_a_query(proxied: Any, proxy: Any, handler: Any) -> None:
    """An ``OSError`` of a signal handler ends a query; it is not one of the network."""
    released = threading.Event()
    interrupt = interrupt_main(signal.SIGALRM)
    original = proxy.reply

    def hold(method: str, path: str, headers: Any, body: bytes) -> Any:
        interrupt()
        released.wait()
        return []

    proxy.reply = hold
    try:
        with handler_of(signal.SIGALRM, handler), pytest.raises(OSError, match=r"^limit$"):
            proxied.query("User").all()
    finally:
        released.set()
    proxy.reply = original
    assert proxied.query("User").all()


# What a session does while a batch is in doubt


@pytest.fixture
def doubtful(proxied: Any, sandbox: Any) -> Any:
    """Return a session with an applied update and creation that it does not know of."""
    user = make_user(proxied, "doubt-old")
    proxied.commit()
    post = proxied._request.post

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        post(*arguments, **keywords)
        raise KeyboardInterrupt

    user["first_name"] = "new"
    make_user(proxied, "doubt-new")
    proxied._request.post = interrupted
    with pytest.raises(KeyboardInterrupt):
        proxied.commit()
    proxied._request.post = post
    assert proxied.in_doubt
    return proxied


def test_rollback_in_doubt(doubtful: Any, sandbox: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A rollback in doubt warns of what may stay, and values come from the server again."""
    user = doubtful.created[0]
    old = doubtful.modified[0]
    doubtful.rollback()
    assert not doubtful.in_doubt
    assert "unknown whether the server had applied" in caplog.text
    assert "create User" in caplog.text
    assert old["first_name"] == "new"
    assert doubtful.get("User", user["id"])["username"] == "doubt-new"
    doubtful.commit()
    assert users_on(sandbox, "doubt-") == [("doubt-new", "x"), ("doubt-old", "new")]


def test_reset_in_doubt(doubtful: Any, sandbox: Any) -> None:
    """A reset gives a batch in doubt up: what the server applied stays there."""
    doubtful.reset()
    assert not doubtful.in_doubt
    make_user(doubtful, "doubt-more")
    doubtful.commit()
    assert [name for name, _ in users_on(sandbox, "doubt-")] == [
        "doubt-more",
        "doubt-new",
        "doubt-old",
    ]


def test_reading_in_doubt(doubtful: Any, sandbox: Any) -> None:
    """Queries show what the server holds, merged with what is recorded, and settle nothing."""
    found = doubtful.query('User where username is "doubt-new"').one()
    assert found is doubtful.created[0]
    assert doubtful.in_doubt
    doubtful.commit()
    assert not doubtful.in_doubt


def test_deletion_of_what_is_in_doubt(doubtful: Any, sandbox: Any) -> None:
    """An entity that is deleted while its creation is in doubt is gone after the commit."""
    doubtful.delete(doubtful.created[0])
    doubtful.commit()
    assert users_on(sandbox, "doubt-") == [("doubt-old", "new")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_while_a_batch_is_in_doubt(doubtful: Any, sandbox: Any) -> None:
    """A child process settles the batch that it inherits in doubt."""
    child = os.fork()
    if not child:
        try:
            doubtful.commit()
        finally:
            os._exit(0 if not doubtful.in_doubt else 1)
    assert os.waitpid(child, 0)[1] == 0
    doubtful.commit()
    assert users_on(sandbox, "doubt-") == [("doubt-new", "x"), ("doubt-old", "new")]


@pytest.fixture
def settling(proxied: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a thread that commits, and waits for the answer to an interrupted commit.

    The exceptions of the thread are in its ``errors``. The request goes on after the test, or
    when it calls ``release``.
    """
    held = Held(proxy, False, interrupt_main(signal.SIGALRM))
    make_user(proxied, "settled-a")
    with handler_of(signal.SIGALRM, raising(TimeLimit())):
        with pytest.raises(TimeLimit):
            proxied.commit()
    waiting, original, errors = threading.Event(), Flight._wait, []

    def wait(*arguments: Any) -> None:
        waiting.set()
        original(*arguments)

    def commit() -> None:
        try:
            proxied.commit()
        except BaseException as error:
            errors.append(error)

    monkeypatch.setattr(Flight, "_wait", wait)
    thread: Any = threading.Thread(target=commit)
    thread.errors, thread.release = errors, held.release
    thread.start()
    waiting.wait()
    yield thread
    held.release()
    # A request that outlives its test would write into the site of the next one.
    held.ended.wait()
    thread.join()


def test_close_while_another_thread_settles(proxied: Any, settling: Any) -> None:
    """Closing the session ends the wait for an interrupted request with the error for that."""
    proxied.close()
    settling.join()
    assert [type(error) for error in settling.errors] == [exception.ConnectionClosedError]


@pytest.mark.parametrize("verb", ["rollback", "reset"])
def test_giving_up_while_another_thread_settles(
    proxied: Any, settling: Any, sandbox: Any, verb: str
) -> None:
    """A rollback or reset waits until the commit of another thread is done."""
    threading.Timer(0.05, settling.release).start()
    getattr(proxied, verb)()
    settling.join()
    assert not settling.errors
    assert users_on(sandbox, "settled-") == [("settled-a", "x")]
    make_user(proxied, "settled-b")
    proxied.commit()
    assert len(users_on(sandbox, "settled-")) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_close_in_a_fork_leaves_the_settling_parent_alone(
    proxied: Any, settling: Any, sandbox: Any
) -> None:
    """A child process that closes its session does not break the connection of its parent."""
    child = os.fork()
    if not child:
        try:
            proxied.close()
        finally:
            os._exit(0 if proxied.closed else 1)
    assert os.waitpid(child, 0)[1] == 0
    settling.release()
    settling.join()
    assert not settling.errors
    assert users_on(sandbox, "settled-") == [("settled-a", "x")]


# Interruptions at random moments


class Slow:
    """Let a proxy take up to a hundredth of a second before and after the sandbox's work."""

    def __init__(self, proxy: Any, dice: random.Random) -> None:
        original = proxy._pass_on

        def pass_on(*arguments: Any) -> Any:
            never = threading.Event()
            never.wait(dice.random() / 100)
            reply = original(*arguments)
            never.wait(dice.random() / 100)
            return reply

        proxy._pass_on = pass_on


def _interrupt_at_random(
    proxied: Any, proxy: Any, sandbox: Any, number: int, error: type[BaseException]
) -> None:
    dice = random.Random(os.urandom(8) if COUNT > 12 else number)
    Slow(proxy, dice)
    timer = signal.setitimer
    begun = time.monotonic()
    shared = make_user(proxied, "random-shared")
    proxied.commit()
    usual = time.monotonic() - begun
    interrupted = 0
    made = 0

    def handler(number: int, frame: Any) -> None:
        raise error("limit")

    with handler_of(number, handler):
        while interrupted < COUNT:
            make_user(proxied, f"random-{made:05}")
            shared["first_name"] = str(made)
            made += 1
            try:
                try:
                    timer(signal.ITIMER_REAL, dice.uniform(0.0001, 1.3 * usual))
                    proxied.commit()
                finally:
                    timer(signal.ITIMER_REAL, 0)
            except error:
                interrupted += 1
                proxied.commit()  # At once, while the server may be working.
    assert not proxied.recorded_operations
    assert not proxied.in_doubt
    expected = [(f"random-{index:05}", "x") for index in range(made)]
    assert users_on(sandbox, "random-") == [*expected, ("random-shared", str(made - 1))]


#: Python ignores an exception that a signal handler raises inside the callback of a weak reference.
ignores_lost_signals = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@needs_signals
@ignores_lost_signals
def test_time_limits_at_random_moments(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """Commits that a time limit interrupts at random moments lose nothing and double nothing."""
    _interrupt_at_random(proxied, proxy, sandbox, signal.SIGALRM, TimeLimit)


@needs_signals
@ignores_lost_signals
def test_ctrl_c_at_random_moments(proxied: Any, proxy: Any, sandbox: Any) -> None:
    """Ctrl-C at random moments, each followed by a commit, loses nothing and doubles nothing."""
    dice = random.Random(os.urandom(8) if COUNT > 12 else 1)
    Slow(proxy, dice)
    with handler_of(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT)):
        _interrupt_ctrl_c(proxied, proxy, sandbox, dice)


def _interrupt_ctrl_c(proxied: Any, proxy: Any, sandbox: Any, dice: random.Random) -> None:
    interrupted = made = 0
    while interrupted < COUNT:
        make_user(proxied, f"random-{made:05}")
        made += 1
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, dice.uniform(0.0001, 0.04))
                proxied.commit()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupted += 1
            proxied.commit()
    assert not proxied.recorded_operations
    assert not proxied.in_doubt
    assert users_on(sandbox, "random-") == [(f"random-{index:05}", "x") for index in range(made)]
