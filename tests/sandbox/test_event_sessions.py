"""Sessions between a handshake and its websocket: valid once, for a while, in bounded number."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette")

from ftrack_like.sandbox.auth import RequestUser
from ftrack_like.sandbox.events.sessions import SESSION_LIFETIME, SESSIONS_LIMIT, Sessions

USER = RequestUser("1", "ada")


class Clock:
    """A clock that stands still until it is told otherwise."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def grant(sessions: Sessions) -> str:
    """Return the id of a new session."""
    return sessions.grant(USER).split(":")[0]


def test_a_session_is_taken_once() -> None:
    """The second websocket with the same session gets nothing, nor does an unknown one."""
    sessions = Sessions(15)
    text = sessions.grant(USER, replays=True)
    identifier, *rest = text.split(":")
    assert rest == ["15", "30", "websocket"]
    taken = sessions.take(identifier)
    assert taken is not None
    assert (taken.user, taken.replays) == (USER, True)
    assert sessions.take(identifier) is None
    assert sessions.take("unknown") is None


def test_a_session_does_not_wait_for_ever() -> None:
    """Too old sessions open no websocket."""
    clock = Clock()
    sessions = Sessions(15, clock)
    early, late = grant(sessions), grant(sessions)
    clock.now += SESSION_LIFETIME
    assert sessions.take(early) is not None
    clock.now += 0.1
    assert sessions.take(late) is None


def test_the_number_of_waiting_sessions_is_bounded() -> None:
    """The oldest makes room for the newest."""
    sessions = Sessions(15)
    every = [grant(sessions) for _ in range(SESSIONS_LIMIT + 1)]
    assert sessions.take(every[0]) is None
    assert sessions.take(every[1]) is not None
    assert sessions.take(every[-1]) is not None
