"""The life of a connection, as tables: `{state: {happening: next state}}`.

What a table does not name changes nothing. A packet that comes at a wrong time is therefore
ignored and cannot stop whoever reads.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LINK", "WEBSOCKET", "advance"]

Table = Mapping[str, Mapping[str, str]]

#: One websocket, from either end. `connect`, `disconnect` and `error` are packets; `lost` is a
#: websocket that broke or was closed.
WEBSOCKET: Table = {
    "opening": {"connect": "open", "error": "closed", "disconnect": "closed", "lost": "closed"},
    "open": {"disconnect": "closed", "lost": "closed"},
    "closed": {},
}

#: A client that wants to stay connected, over as many websockets as it takes. `closed` is for
#: good: nothing that a slow thread does later can open such a link again.
LINK: Table = {
    "new": {"connect": "connecting", "close": "closed"},
    "connecting": {"opened": "connected", "failed": "waiting", "close": "closed"},
    "connected": {"lost": "waiting", "close": "closed"},
    "waiting": {"connect": "connecting", "close": "closed"},
    "closed": {},
}


def advance(table: Table, state: str, happening: str) -> str:
    """Return the state of *table* that follows *state* after *happening*."""
    return table[state].get(happening, state)
