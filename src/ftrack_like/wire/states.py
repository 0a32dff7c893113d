"""The state machines of a connection, as tables: `{state: {event: next state}}`.

Each end of a connection runs several threads: one reads, others send, open or close. They report
events in any order, and some reports come late. With a table, one function decides whether a
report still counts. An event that the table does not list for the current state changes nothing,
so a late or unexpected report can neither reopen a closed connection nor raise in the thread that
reads.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LINK", "WEBSOCKET", "advance"]

Transitions = Mapping[str, Mapping[str, str]]

#: One websocket, seen from either end. `connect`, `disconnect` and `error` are packets. `lost`
#: means that the websocket broke or was closed.
WEBSOCKET: Transitions = {
    "opening": {"connect": "open", "error": "closed", "disconnect": "closed", "lost": "closed"},
    "open": {"disconnect": "closed", "lost": "closed"},
    "closed": {},
}

#: A client that stays connected by replacing lost websockets:
#:
#: * `new`: nothing has been opened.
#: * `connecting`: a thread opens a websocket, which can take many seconds.
#: * `connected`: the thread of the link reads from the websocket.
#: * `waiting`: there is no websocket; the thread waits before its next try.
#: * `closed`: the final state. A thread that was `connecting` when the program closed the link
#:   reports `opened` later. The table ignores that report, and the thread closes its websocket.
LINK: Transitions = {
    "new": {"connect": "connecting", "close": "closed"},
    "connecting": {"opened": "connected", "failed": "waiting", "close": "closed"},
    "connected": {"lost": "waiting", "close": "closed"},
    "waiting": {"connect": "connecting", "close": "closed"},
    "closed": {},
}


def advance(table: Transitions, state: str, event: str) -> str:
    """Return the state of *table* that follows *state* after *event*."""
    return table[state].get(event, state)
