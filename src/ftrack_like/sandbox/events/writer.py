"""Stores the events and the subscriptions of the clients of a process in PostgreSQL.

One thread takes what waits, stores it in one transaction, and then acknowledges it. So sixteen
clients that publish at once share a transaction. The notification follows the commit in a
transaction of its own: PostgreSQL commits transactions with a NOTIFY one after the other, and this
would delay the commits of users. A process that is killed between the two loses nothing, because
readers look at the outbox every second anyway.
"""

from __future__ import annotations

import collections
import hashlib
import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol, Union

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from ftrack_like.sandbox.events import claims
from ftrack_like.sandbox.events.answers import taken
from ftrack_like.sandbox.events.claims import Adopted, Claim, Elsewhere, Refused
from ftrack_like.sandbox.events.exchange import Origin, Router, Settle
from ftrack_like.wire.events import new_id

if TYPE_CHECKING:
    from ftrack_like.sandbox.events.clients import Client

    Connection = psycopg.Connection[Any]

__all__ = ["FAILURES", "Drop", "Post", "Wish", "Writer"]

_LOGGER = logging.getLogger(__name__)

#: The errors of a database that is not there, or that ends a connection.
FAILURES = (psycopg.Error, SQLAlchemyError, OSError)

#: The maximum number of requests in one transaction, and of requests that wait.
_TOGETHER = 200
_WAITING = 20_000

#: Seconds between two questions for a subscriber of another process.
_ASKING = 0.05
#: Seconds after which a process without a listening connection counts as dead, and after which a
#: process that does not answer loses the client.
_DEAD = 0.5
_SILENT = 10.0

#: Seconds before another try after an error of the database; each further error doubles them.
_PAUSE = 0.05
_LONGEST_PAUSE = 2.0


class Post:
    """A row of the outbox to store. *settle* is called when it is stored."""

    def __init__(
        self, kind: str, content: str, settle: Settle, origin: Optional[Origin] = None
    ) -> None:
        self.kind = kind
        self.content = content
        self.settle = settle
        self.websocket: Optional[str] = None if origin is None else origin.websocket
        #: Unique for the event. A repeated transaction does not store it twice.
        self.key: str = new_id() if origin is None else _key_of(origin)


@dataclass
class Wish:
    """A subscriber to claim for *client*.

    See :meth:`~ftrack_like.sandbox.events.exchange.Exchange.claim` for *settle* and *resumed*.
    """

    claim: Claim
    client: Client
    settle: Settle
    resumed: Callable[[], None]
    since: float = field(default_factory=time.monotonic)
    dead_since: Optional[float] = None

    def finish(self, router: Router) -> None:
        """Tell *router* and the client that the client has the subscriber."""
        if router.claimed(self.client, self.claim.identifier, None):
            self.resumed()
        self.settle(None)


class Adopter(Protocol):
    """Gives clients what they had in other processes."""

    def adopt(self, wish: Wish, adopted: Adopted) -> None:
        """Give the client of *wish* what it had, and finish the wish; a notification follows."""

    def finishes(self, wish: Wish) -> bool:
        """Finish *wish* after a running adoption of its client; return False if there is none."""


@dataclass(frozen=True)
class Drop:
    """A subscriber to remove."""

    client_id: str
    identifier: str


Request = Union[Post, Wish, Drop]


class Writer:
    """A thread that carries out requests in their order; any thread may call the methods.

    *process* is the id of this process. *adopter* ends wishes that found an earlier client.
    """

    def __init__(
        self,
        process: str,
        router: Router,
        open_connection: Callable[[], Connection],
        channel: str,
        adopter: Adopter,
    ) -> None:
        self._process = process
        self._router = router
        self._open = open_connection
        self._channel = channel
        self._adopter = adopter
        self._changed = threading.Condition()
        self._requests: collections.deque[Request] = collections.deque()
        self._elsewhere: list[Wish] = []
        self._awake = False
        self._stopping = False
        self._connection: Optional[Connection] = None
        self._thread = threading.Thread(target=self._run, name="sandbox-events-out", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, request: Request) -> None:
        """Carry out *request* soon; refuse an event if too many wait."""
        with self._changed:
            full = isinstance(request, Post) and len(self._requests) >= _WAITING
            if not full:
                self._requests.append(request)
                self._changed.notify()
        if full and isinstance(request, Post):
            request.settle("The server cannot store events now. Publish the event again later.")

    def wake(self) -> None:
        """Tell the readers of all processes that there are new events."""
        with self._changed:
            self._awake = True
            self._changed.notify()

    def stop(self, seconds: float = 5.0) -> None:
        """Carry out what waits, and end; wait up to *seconds*."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(seconds)

    # The thread.

    def _run(self) -> None:
        while True:
            group = self._next_group()
            if group is None:
                break
            self._carry_out(group)
            self._notify()
        self._close()

    def _next_group(self) -> Optional[list[Request]]:
        """Return the requests to carry out now, perhaps none; None at the end."""
        with self._changed:
            while not self._requests and not self._awake and not self._stopping:
                if not self._changed.wait(_ASKING if self._elsewhere else None):
                    break
            if self._stopping and not self._requests:
                return None
            self._awake = False
            asked: list[Request] = [*self._elsewhere]
            self._elsewhere = []
            count = min(len(self._requests), _TOGETHER)
            return [*asked, *(self._requests.popleft() for _ in range(count))]

    def _carry_out(self, group: Sequence[Request]) -> None:
        """Store *group* in one transaction, and acknowledge it; repeat that until it succeeds."""
        if not group:
            return
        pause = 0.0
        while True:
            try:
                endings = self._store(group, again=pause > 0)
                break
            except (psycopg.DataError, UnicodeError):
                if len(group) > 1:
                    for one in group:
                        self._carry_out([one])
                else:
                    self._refuse(group[0], "The database cannot store a value in this event.")
                return
            except FAILURES as error:
                if self._stopping and pause >= _LONGEST_PAUSE:
                    _LOGGER.error("Events could not be stored: %s.", error)
                    return
                pause = self._recover(error, pause)
            except Exception:
                _LOGGER.exception("Events could not be stored because of an error in the server.")
                for one in group:
                    self._refuse(one, "The server could not store the event because of an error.")
                return
        for end in endings:
            try:
                end()
            except Exception:
                _LOGGER.exception("A stored event could not be acknowledged.")

    def _recover(self, error: BaseException, pause: float) -> float:
        """Close the connection, and wait; return the seconds that it waited."""
        if not pause:
            _LOGGER.warning("Events cannot be stored, and wait: %s", error)
        self._close()
        pause = min(2 * pause, _LONGEST_PAUSE) or _PAUSE
        time.sleep(pause)
        return pause

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _store(self, group: Sequence[Request], again: bool) -> list[Callable[[], None]]:
        """Store *group*, and return what to call after the commit, in order."""
        endings: list[Callable[[], None]] = []
        connection = self._connected()
        with connection.transaction():
            posts: list[Post] = []
            for request in group:
                if isinstance(request, Post):
                    posts.append(request)
                    continue
                endings += _insert(connection, posts, again)
                posts = []
                if isinstance(request, Drop):
                    claims.drop(connection, request.client_id, request.identifier)
                else:
                    endings.append(self._claim(connection, request, again))
            endings += _insert(connection, posts, again)
        return endings

    def _claim(self, connection: Connection, wish: Wish, again: bool) -> Callable[[], None]:
        """Claim a subscriber, and return what to call after the commit."""
        now = time.monotonic()
        dead = wish.dead_since is not None and now - wish.dead_since > _DEAD
        force = dead or now - wish.since > _SILENT
        outcome = claims.claim(connection, self._process, wish.claim, force=force, again=again)
        if isinstance(outcome, Elsewhere):
            if claims.is_running(connection, outcome.process):
                wish.dead_since = None
            elif wish.dead_since is None:
                wish.dead_since = now
            return lambda: self._elsewhere.append(wish)
        if isinstance(outcome, Adopted):
            adopted = outcome
            return lambda: self._adopter.adopt(wish, adopted)
        if isinstance(outcome, Refused):
            return lambda: self._refuse(wish, taken(wish.claim.identifier))
        return lambda: self._finish(wish)

    def _finish(self, wish: Wish) -> None:
        if not self._adopter.finishes(wish):
            wish.finish(self._router)

    def _refuse(self, request: Request, problem: str) -> None:
        if isinstance(request, Wish):
            self._router.claimed(request.client, request.claim.identifier, problem)
            request.settle(problem)
        elif isinstance(request, Post):
            request.settle(problem)

    def _notify(self) -> None:
        """Wake the readers. If that fails, they find the events within a second."""
        try:
            wanted = "wanted" if self._elsewhere else ""
            self._connected().execute("SELECT pg_notify(%s, %s)", (self._channel, wanted))
        except FAILURES:
            self._close()


def _insert(connection: Connection, posts: Sequence[Post], again: bool) -> list[Callable[[], None]]:
    """Store *posts* except repetitions, and return what to call after the commit."""
    if not posts:
        return []
    stored = connection.execute(
        "INSERT INTO event_outbox (kind, content, origin, websocket)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
        " ON CONFLICT (origin) DO NOTHING RETURNING origin",
        (
            [one.kind for one in posts],
            [one.content for one in posts],
            [one.key for one in posts],
            [one.websocket for one in posts],
        ),
    ).fetchall()
    if len(stored) < len(posts):
        keys = {key for (key,) in stored}
        for post in posts:
            if post.key in keys:
                keys.discard(post.key)
            elif not again:
                _insert_once_more(connection, post)
    return [_settled(post) for post in posts]


def _insert_once_more(connection: Connection, post: Post) -> None:
    """Store *post*, whose event is stored, if it came on the same websocket."""
    connection.execute(
        "INSERT INTO event_outbox (kind, content) SELECT %s, %s"
        " WHERE EXISTS (SELECT 1 FROM event_outbox WHERE origin = %s AND websocket = %s)",
        (post.kind, post.content, post.key, post.websocket),
    )


def _settled(post: Post) -> Callable[[], None]:
    return lambda: post.settle(None)


def _key_of(origin: Origin) -> str:
    text = json.dumps(origin[:3])
    return hashlib.sha256(text.encode("ascii")).hexdigest()
