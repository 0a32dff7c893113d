"""A journal in a SQLite file, which processes on one machine can share."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from typing import Optional, Union

from ftrack_like import exception
from ftrack_like.event.journal.entries import (
    DONE_LIMIT,
    LEASE,
    SIZE_LIMIT,
    WAITING_LIMIT,
    Counts,
    DeadLetter,
    JournalClaim,
)
from ftrack_like.event.journal.owners import has_ended, new_owner
from ftrack_like.wire.events import new_id

__all__ = ["SqliteJournal"]

#: How long a change waits for the changes of other processes, in seconds.
CHANGE_PATIENCE = 10.0
#: Every so many finished events, the ids of the oldest are removed.
TRIMMED_AT_ONCE = 500

#: The number of events that may be added before they are counted again.
COUNTED_AT_ONCE = 1000

_VERSION = "1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    event TEXT,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    owner TEXT,
    done TEXT NOT NULL DEFAULT '[]',
    error TEXT,
    moment REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS entry_turn ON entry (state, number);
CREATE TABLE IF NOT EXISTS subscriber (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, owner TEXT NOT NULL, lease REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

#: A value of a bound parameter.
_Bound = Union[str, float, None]


class SqliteJournal:
    """A journal in one file. Received events survive a power cut, claims need not."""

    def __init__(
        self, path: str, waiting_limit: int = WAITING_LIMIT, size_limit: int = SIZE_LIMIT
    ) -> None:
        """Open or create the file at *path*, readable for its owner only.

        Raise :exc:`~ftrack_like.exception.EventJournalError` if that is not possible.
        """
        self.place = path
        self._waiting_limit = waiting_limit
        self._size_limit = size_limit
        self._owner = new_owner()
        self._lock = threading.RLock()
        self._is_safe = True
        self._finished = 0
        #: How many more events may be added before they are counted again.
        self._room = 0
        with self._explained():
            _make_journal_file(path)
            self._connection = sqlite3.connect(
                path, timeout=CHANGE_PATIENCE, isolation_level=None, check_same_thread=False
            )
            try:
                self._set_up()
            except BaseException:
                self._connection.close()
                raise

    def _set_up(self) -> None:
        run = self._connection.execute
        with contextlib.suppress(sqlite3.OperationalError):  # not on every file system
            run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        self._connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
        run("INSERT OR IGNORE INTO fact VALUES ('version', ?)", (_VERSION,))
        if self._fact("version") != _VERSION:
            raise exception.EventJournalError(
                "The journal {place} was written by a newer version of ftrack-like. Update "
                "ftrack-like, or choose another durable name.",
                details={"place": self.place},
            )

    # Events.

    def add(self, identifier: str, event: str) -> bool:
        """Keep *event* until it is handled; see :class:`Journal`."""
        with self._change():
            known = self._row("SELECT 1 FROM entry WHERE id = ?", identifier)
            if known is not None:
                return False
            self._require_room(event)
            self._run(
                "INSERT INTO entry (id, event, state, moment) VALUES (?, ?, 'waiting', ?)",
                identifier,
                event,
                time.time(),
            )
        return True

    def _require_room(self, event: str) -> None:
        """Raise EventJournalBusyError if too many events wait, or too much text."""
        # Counting is slow, so it is done once for many events.
        if self._room <= 0:
            counts = self._counts()
            left = self._waiting_limit - counts.waiting - counts.claimed - counts.dead
            if left <= 0:
                self._refuse(f"{self._waiting_limit:,} events wait in it or are dead letters")
            self._room = min(left, COUNTED_AT_ONCE)
        if self._used_size() + len(event) > self._size_limit:
            self._refuse(f"it takes {self._size_limit:,} bytes")
        self._room -= 1

    def _refuse(self, reason: str) -> None:
        raise exception.EventJournalBusyError(
            "The journal {place} is full: {reason}. Start more workers, or drop dead letters with "
            "'ftrack-like events dead drop'.",
            details={"place": self.place, "reason": reason},
        )

    def _used_size(self) -> int:
        pages = self._pragma("page_count") - self._pragma("freelist_count")
        return pages * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def claim(self) -> Optional[JournalClaim]:
        """Return the oldest entry that is due; see :class:`Journal`."""
        now = time.time()
        query = (
            "SELECT id, event, tries, done FROM entry "
            "WHERE state = 'waiting' AND due <= ? ORDER BY number LIMIT 1"
        )
        with self._explained():
            self._reclaim(now)
            if self._row(query, now) is None:  # without the lock for writing
                return None
        with self._change(safely=False):
            row = self._row(query, now)
            if row is None:
                return None
            self._run(
                "UPDATE entry SET state = 'claimed', owner = ?, due = ? WHERE id = ?",
                self._owner,
                now + LEASE,
                row[0],
            )
        return JournalClaim(row[0], row[1], row[2], json.loads(row[3]))

    def _reclaim(self, now: float) -> None:
        """Let the entries wait again whose worker ended, or did not renew its lease."""
        rows = self._connection.execute(
            "SELECT owner, min(due) FROM entry WHERE state = 'claimed' GROUP BY owner"
        ).fetchall()
        for owner, due in rows:
            ended = owner != self._owner and has_ended(owner)
            if ended or due < now:
                with self._change(safely=False):
                    self._run(
                        "UPDATE entry SET state = 'waiting', owner = NULL, due = 0 "
                        "WHERE state = 'claimed' AND owner = ? AND (? OR due < ?)",
                        owner,
                        ended,
                        now,
                    )

    def begin(self, claim: JournalClaim) -> bool:
        """Count a try of *claim*; see :class:`Journal`."""
        with self._change(safely=False):
            return bool(
                self._run(
                    "UPDATE entry SET tries = tries + 1, due = ? WHERE id = ? AND owner = ?",
                    time.time() + LEASE,
                    claim.identifier,
                    self._owner,
                )
            )

    def finish(self, claim: JournalClaim) -> None:
        """Note that the event of *claim* was handled; see :class:`Journal`."""
        with self._change():
            self._settle(claim, "done", claim.done, None, 0, event=None)
            self._finished += 1
            if self._finished % TRIMMED_AT_ONCE == 0:
                self._trim()

    def retry(self, claim: JournalClaim, done: Sequence[str], error: str, pause: float) -> None:
        """Let the entry wait for *pause* seconds; see :class:`Journal`."""
        with self._change():
            self._settle(claim, "waiting", done, error, time.time() + pause, claim.event)

    def bury(self, claim: JournalClaim, done: Sequence[str], error: str) -> None:
        """Make the entry a dead letter; see :class:`Journal`."""
        with self._change():
            self._settle(claim, "dead", done, error, 0, claim.event)

    def _settle(
        self,
        claim: JournalClaim,
        state: str,
        done: Sequence[str],
        error: Optional[str],
        due: float,
        event: Optional[str],
    ) -> None:
        """Change the entry of *claim*, unless another worker has claimed it since."""
        self._run(
            "UPDATE entry SET state = ?, done = ?, error = ?, due = ?, event = ?, moment = ?, "
            "owner = NULL WHERE id = ? AND owner = ?",
            state,
            json.dumps(list(done)),
            error,
            due,
            event,
            time.time(),
            claim.identifier,
            self._owner,
        )

    def _trim(self) -> None:
        """Remove the ids of the events that were handled longest ago."""
        self._run(
            "DELETE FROM entry WHERE state = 'done' AND number <= (SELECT number FROM entry "
            "WHERE state = 'done' ORDER BY number DESC LIMIT 1 OFFSET ?)",
            DONE_LIMIT,
        )

    def release(self, claim: JournalClaim) -> None:
        """Give the entry back without a try; see :class:`Journal`."""
        with self._change(safely=False):
            self._run(
                "UPDATE entry SET state = 'waiting', owner = NULL, due = 0, tries = ? "
                "WHERE id = ? AND owner = ?",
                claim.tries,
                claim.identifier,
                self._owner,
            )

    # Workers.

    def renew(self, identifiers: Iterable[str]) -> None:
        """Renew the leases of this object; see :class:`Journal`."""
        lease = time.time() + LEASE
        with self._change(safely=False):
            for each in identifiers:
                self._run(
                    "UPDATE entry SET due = ? WHERE id = ? AND owner = ?", lease, each, self._owner
                )
            self._run("UPDATE subscriber SET lease = ? WHERE owner = ?", lease, self._owner)

    def subscriber_id(self, key: str, known: Optional[str] = None) -> str:
        """Return an id for the subscriber *key*; see :class:`Journal`."""
        now = time.time()
        with self._change():
            rows = self._connection.execute(
                "SELECT id, owner, lease FROM subscriber WHERE key = ? ORDER BY lease DESC", (key,)
            ).fetchall()
            free = [row[0] for row in rows if row[2] < now or has_ended(row[1])]
            identifier = known or (str(free[0]) if free else new_id())
            self._run(
                "INSERT OR REPLACE INTO subscriber VALUES (?, ?, ?, ?)",
                identifier,
                key,
                self._owner,
                now + LEASE,
            )
        return identifier

    # Facts.

    def belong_to(self, server: str) -> None:
        """Note that the events come from *server*; see :class:`Journal`."""
        with self._change():
            self._run("INSERT OR IGNORE INTO fact VALUES ('server', ?)", server)
            known = self._fact("server")
        if known != server:
            raise exception.EventJournalError(
                "The journal {place} contains events of the server {known}, not of {server}. "
                "Choose another durable name for this server.",
                details={"place": self.place, "known": known, "server": server},
            )

    def position(self) -> Optional[str]:
        """Return the last activity row that the journal includes, None if not known."""
        with self._explained():
            return self._fact("position")

    def set_position(self, position: str) -> None:
        """Store *position* for :meth:`position`."""
        with self._change():
            self._run("INSERT OR REPLACE INTO fact VALUES ('position', ?)", position)

    def _fact(self, name: str) -> Optional[str]:
        row = self._row("SELECT value FROM fact WHERE name = ?", name)
        return None if row is None else str(row[0])

    # Dead letters.

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters, oldest first."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT id, event, tries, error, moment FROM entry WHERE state = 'dead' "
                "ORDER BY number"
            ).fetchall()
        return [DeadLetter(*row) for row in rows]

    def repeat(self, identifiers: Iterable[str]) -> int:
        """Let the dead letters *identifiers* wait again; return their number."""
        change = "UPDATE entry SET state = 'waiting', tries = 0, due = 0, error = NULL"
        return self._change_dead(change, identifiers)

    def drop(self, identifiers: Iterable[str]) -> int:
        """Remove the dead letters *identifiers*; return their number.

        Their ids stay, so that the server cannot bring the events back.
        """
        change = "UPDATE entry SET state = 'done', event = NULL, error = NULL"
        return self._change_dead(change, identifiers)

    def _change_dead(self, change: str, identifiers: Iterable[str]) -> int:
        with self._change():
            return sum(
                self._run(f"{change} WHERE state = 'dead' AND id = ?", each) for each in identifiers
            )

    def counts(self) -> Counts:
        """Return the numbers of entries in each state."""
        with self._explained():
            return self._counts()

    def _counts(self) -> Counts:
        rows = self._connection.execute("SELECT state, count(*) FROM entry GROUP BY state")
        found: dict[str, int] = dict(rows.fetchall())
        return Counts(*(found.get(state, 0) for state in Counts._fields))

    def close(self) -> None:
        """Give up all claims and ids of this object, and close the file."""
        with contextlib.suppress(exception.EventJournalError), self._change(safely=False):
            self._run(
                "UPDATE entry SET state = 'waiting', owner = NULL, due = 0 WHERE owner = ?",
                self._owner,
            )
            self._run("UPDATE subscriber SET lease = 0 WHERE owner = ?", self._owner)
        with self._lock:
            self._connection.close()

    # Statements.

    def _row(self, statement: str, *values: _Bound) -> Optional[sqlite3.Row]:
        row: Optional[sqlite3.Row] = self._connection.execute(statement, values).fetchone()
        return row

    def _run(self, statement: str, *values: _Bound) -> int:
        """Run *statement* and return the number of changed rows."""
        return self._connection.execute(statement, values).rowcount

    @contextlib.contextmanager
    def _change(self, safely: bool = True) -> Generator[None, None, None]:
        """Return a context for one transaction.

        *safely* synchronises it with the disk. Without, a power cut may undo it: a claim may be
        lost, but the received events may not.
        """
        with self._lock, self._explained():
            if safely != self._is_safe:
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if safely else 'NORMAL'}")
                self._is_safe = safely
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _explained(self) -> Generator[None, None, None]:
        """Return a context that replaces the errors of SQLite and of the system."""
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            text = str(error)
            kind = exception.EventJournalError
            if "locked" in text or "busy" in text:
                kind = exception.EventJournalBusyError
            elif "full" in text or "disk I/O" in text:
                text = f"the disk is full or failing ({text}). Free some space and start again"
            raise kind(
                "The journal {place} cannot be used: {error}.",
                details={"place": self.place, "error": text},
            ) from error


def _make_journal_file(path: str) -> None:
    """Create the file at *path* and its folder, for their owner only, unless they exist."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    # Only a file that this call creates is closed: closing a file drops the locks that SQLite has
    # on it in this process.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
