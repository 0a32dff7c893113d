"""A journal on a Redis or Valkey server, which the machines of a farm can share."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like import exception
from ftrack_like._base.errors import missing_package
from ftrack_like._base.redis_addresses import redis_client_at
from ftrack_like._transport.redaction import masked
from ftrack_like.event.journal.entries import (
    DONE_LIMIT,
    LEASE,
    WAITING_LIMIT,
    Counts,
    DeadLetter,
    JournalClaim,
)
from ftrack_like.event.journal.owners import has_ended, new_owner
from ftrack_like.event.journal.redis_scripts import SCRIPTS
from ftrack_like.wire.events import new_id

if TYPE_CHECKING:
    import redis
    from redis.commands.core import Script

__all__ = ["RedisJournal"]

#: How long an answer of the server may take, in seconds.
TIME_OUT = 5.0
#: The pause between two searches for claims of ended processes, in seconds.
SEARCH_PAUSE = 1.0
#: What needs the package redis.
_PURPOSE = "A journal on Redis"
#: Every key on a server begins with this.
_PREFIX = "ftrack-like:journal:"
#: An argument of a script.
_Argument = Union[str, float]


class RedisJournal:
    """A journal under one prefix of a server.

    How durable it is depends on the server: with ``appendonly yes`` and ``appendfsync always`` the
    server synchronises each change with its disk; with ``everysec`` a power cut loses one second.
    """

    def __init__(self, url: str, name: str, waiting_limit: int = WAITING_LIMIT) -> None:
        """Use the server at *url* for the journal *name*.

        Raise :exc:`ImportError` without the package redis, and
        :exc:`~ftrack_like.exception.EventJournalError` if *url* is invalid.
        """
        self.place: str = f"{masked(url)} {name}"
        # The braces keep all keys of a journal on one node of a cluster.
        self._prefix = f"{_PREFIX}{{{name}}}:"
        self._waiting_limit = waiting_limit
        self._owner = new_owner()
        self._searched = 0.0
        self._closing = threading.RLock()
        self._is_closed = False
        with self._explained():
            self._client: redis.Redis = redis_client_at(
                url,
                _PURPOSE,
                socket_timeout=TIME_OUT,
                socket_connect_timeout=TIME_OUT,
                decode_responses=True,
            )
        self._scripts: dict[str, Script] = {
            each: self._client.register_script(text) for each, text in SCRIPTS.items()
        }

    # Events.

    def add(self, identifier: str, event: str) -> bool:
        """Keep *event* until it is handled; see :class:`Journal`."""
        answer = self._run("add", identifier, event, self._waiting_limit)
        if answer == -1:
            raise exception.EventJournalBusyError(
                "The journal {place} is full: {limit} events wait in it or are dead letters. Start "
                "more workers, or drop dead letters with 'ftrack-like events dead drop'.",
                details={"place": self.place, "limit": self._waiting_limit},
            )
        return bool(answer == 1)

    def claim(self) -> Optional[JournalClaim]:
        """Return the oldest entry that is due; see :class:`Journal`."""
        self._reclaim()
        found = self._run("claim", self._owner, LEASE)
        if not found:
            return None
        identifier, event, tries, done = found
        return JournalClaim(identifier, event, int(tries), json.loads(done))

    def _reclaim(self) -> None:
        """Let the entries of ended processes of this machine wait again."""
        now = time.monotonic()
        if now - self._searched < SEARCH_PAUSE:
            return
        self._searched = now
        for owner in set(self._values("owners")):
            if owner != self._owner and has_ended(owner):
                self._run("reclaim", owner)

    def begin(self, claim: JournalClaim) -> bool:
        """Count a try of *claim*; see :class:`Journal`."""
        return bool(self._run("begin", self._owner, claim.identifier, LEASE))

    def finish(self, claim: JournalClaim) -> None:
        """Note that the event of *claim* was handled; see :class:`Journal`."""
        self._run("finish", self._owner, claim.identifier, DONE_LIMIT)

    def retry(self, claim: JournalClaim, done: Sequence[str], error: str, pause: float) -> None:
        """Let the entry wait for *pause* seconds; see :class:`Journal`."""
        handled = json.dumps(list(done))
        self._run("retry", self._owner, claim.identifier, handled, error, pause)

    def bury(self, claim: JournalClaim, done: Sequence[str], error: str) -> None:
        """Make the entry a dead letter; see :class:`Journal`."""
        self._run("bury", self._owner, claim.identifier, json.dumps(list(done)), error)

    def release(self, claim: JournalClaim) -> None:
        """Give the entry back without a try; see :class:`Journal`."""
        self._run("release", self._owner, claim.identifier, claim.tries)

    # Workers.

    def renew(self, identifiers: Iterable[str]) -> None:
        """Renew the leases of this object; see :class:`Journal`."""
        # A renewal after the end would keep the ids from the next worker.
        with self._closing:
            if not self._is_closed:
                self._run("renew", self._owner, LEASE, *identifiers)
                self._run("renew_subscribers", self._owner, LEASE)

    def subscriber_id(self, key: str, known: Optional[str] = None) -> str:
        """Return an id for the subscriber *key*; see :class:`Journal`."""
        owners = {json.loads(each)["owner"] for each in self._values("subscribers")}
        ended = [owner for owner in owners if has_ended(owner)]
        chosen = known or new_id()
        is_known = int(known is not None)
        return str(self._run("subscriber", self._owner, key, LEASE, chosen, is_known, *ended))

    def _values(self, name: str) -> list[str]:
        with self._explained():
            return [str(each) for each in self._client.hvals(self._prefix + name)]

    # Facts.

    def belong_to(self, server: str) -> None:
        """Note that the events come from *server*; see :class:`Journal`."""
        with self._explained():
            self._client.hsetnx(self._prefix + "facts", "server", server)
        known = self._fact("server")
        if known != server:
            raise exception.EventJournalError(
                "The journal {place} contains events of the server {known}, not of {server}. "
                "Choose another durable name for this server.",
                details={"place": self.place, "known": known, "server": server},
            )

    def position(self) -> Optional[str]:
        """Return the last activity row that the journal includes, None if not known."""
        return self._fact("position")

    def set_position(self, position: str) -> None:
        """Store *position* for :meth:`position`."""
        with self._explained():
            self._client.hset(self._prefix + "facts", "position", position)

    def _fact(self, name: str) -> Optional[str]:
        with self._explained():
            found = self._client.hget(self._prefix + "facts", name)
        return None if found is None else str(found)

    # Dead letters.

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters, oldest first."""
        with self._explained():
            dead = self._client.zrange(self._prefix + "dead", 0, -1)
            return [self._dead_letter(str(identifier)) for identifier in dead]

    def _dead_letter(self, identifier: str) -> DeadLetter:
        event, tries, error = (
            str(self._client.hget(self._prefix + name, identifier) or "")
            for name in ("events", "tries", "errors")
        )
        moment = self._client.zscore(self._prefix + "dead", identifier)
        return DeadLetter(identifier, event, int(tries or 0), error, float(moment or 0.0))

    def repeat(self, identifiers: Iterable[str]) -> int:
        """Let the dead letters *identifiers* wait again; return their number."""
        return int(self._run("repeat", *identifiers))

    def drop(self, identifiers: Iterable[str]) -> int:
        """Remove the dead letters *identifiers*; return their number."""
        return int(self._run("drop", *identifiers))

    def counts(self) -> Counts:
        """Return the numbers of entries in each state."""
        with self._explained():
            waiting, later, claimed, dead, done = (
                self._client.zcard(self._prefix + name)
                for name in ("waiting", "later", "claimed", "dead", "done")
            )
        return Counts(waiting + later, claimed, dead, done)

    def close(self) -> None:
        """Give up all claims and ids of this object, and close the connections."""
        with self._closing, contextlib.suppress(exception.EventJournalError):
            if not self._is_closed:
                self._run("reclaim", self._owner)
                self._run("renew_subscribers", self._owner, -LEASE)
            self._is_closed = True
        self._client.close()

    def _run(self, name: str, *arguments: _Argument) -> Any:  # noqa: ANN401 - each script has its own answer
        """Return the answer of the script *name*."""
        with self._explained():
            return self._scripts[name](keys=[self._prefix], args=list(arguments))

    @contextlib.contextmanager
    def _explained(self) -> Generator[None, None, None]:
        """Return a context that replaces the errors of the package redis."""
        try:
            from redis import exceptions as errors  # lazy: an optional dependency
        except ImportError as error:
            raise ImportError(missing_package(_PURPOSE, "redis", "redis")) from error
        try:
            yield
        except (errors.RedisError, ValueError) as error:
            soon = (errors.ConnectionError, errors.TimeoutError, errors.ReadOnlyError)
            is_soon = isinstance(error, soon) and not isinstance(error, errors.AuthenticationError)
            kind = exception.EventJournalBusyError if is_soon else exception.EventJournalError
            raise kind(
                "The journal {place} cannot be used: {error}.",
                details={"place": self.place, "error": masked(error)},
            ) from error
