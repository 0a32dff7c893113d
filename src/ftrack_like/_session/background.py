"""Commit in the background: one thread runs the commits of a session in the order of the calls.

A commit in the background contains the operations that were recorded when the program asked for it.
Operations that the program records afterwards wait for a later commit. If a commit fails, its
operations stay pending, as after ``commit()``, and the next commit contains them.

The error is in the future that the program received. Many programs never look at it. So the error
also counts as unseen until the operations are committed, and rolling back or closing reports it.

The thread ends when there is nothing to do. It is not a daemon: the interpreter waits for it.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.collaborators import observers_of, unit_of_work_of
from ftrack_like._base.seams import is_overridden
from ftrack_like._session.pending import CommitLimit
from ftrack_like._transport.cancellation import CURRENT_CANCELLATION, wait_unless_cancelled
from ftrack_like.exception import RolledBackError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ftrack_like._session.reporting import CommitTally
    from ftrack_like._session.unit_of_work import UnitOfWork
    from ftrack_like.operation import Operation
    from ftrack_like.session import Session

__all__ = ["BackgroundCommit", "BackgroundCommits"]

#: A wait for a commit is made of waits of this many seconds: on Windows, Ctrl-C does not interrupt
#: a wait without a limit.
_SLICE = 0.2


class BackgroundCommit(Future[None]):
    """The future of a commit. It knows whether the program has looked at its error."""

    def __init__(self, limit: CommitLimit) -> None:
        """Initialise for the operations within *limit*."""
        super().__init__()
        self.limit = limit
        self.context: Context = copy_context()
        # Cancelling the work that asked for the commit does not cancel the commit.
        self.context.run(CURRENT_CANCELLATION.set, None)
        self.is_seen = False
        #: Set when the commit has ended, before the callbacks of the future run.
        self.ended = threading.Event()

    def result(self, timeout: Optional[float] = None) -> None:
        """Wait for the commit, and raise its error if it failed; see the base class."""
        self.exception(timeout)
        super().result(0)

    def exception(self, timeout: Optional[float] = None) -> Optional[BaseException]:
        """Wait for the commit, and return its error, or None; see the base class."""
        found = super().exception(timeout)
        self.is_seen = True
        return found


class _LimitedCommit:
    """A commit of the operations within a limit, which counts what it sends."""

    def __init__(self, work: UnitOfWork, limit: CommitLimit) -> None:
        self._work = work
        self._limit = limit

    def commit(self, tally: Optional[CommitTally] = None) -> None:
        """Commit, and count with *tally*."""
        self._work.commit(tally, self._limit)


class BackgroundCommits:
    """The commits of a session in the background. Threads may share it."""

    def __init__(self, session: Session) -> None:
        """Initialise without commits; the commits use the methods of *session*."""
        self._session = session
        self.renew_lock()

    def renew_lock(self) -> None:
        """Start without commits, also in a forked process, where the thread does not exist."""
        self._lock = threading.RLock()  # A signal handler may commit inside a call.
        self._waiting: deque[BackgroundCommit] = deque()
        self._current: Optional[BackgroundCommit] = None
        self._thread: Optional[threading.Thread] = None
        self._failed: list[BackgroundCommit] = []

    def add(self) -> BackgroundCommit:
        """Commit the operations that are recorded now, after the commits before this one.

        Return the future. Raise :exc:`RuntimeError` if the system cannot start a thread.
        """
        with self._lock:  # A rollback finds the commit, or this finds nothing that it undoes.
            made = BackgroundCommit(unit_of_work_of(self._session).limit())
            self._waiting.append(made)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="ftrack-like-commit", daemon=False)
                self._thread = thread
                try:
                    thread.start()
                except BaseException:
                    self._thread = None
                    self._waiting.remove(made)
                    raise
        return made

    def _run(self) -> None:
        """Run the waiting commits. Runs in a thread of its own."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = self._current = None
                    return
                made = self._current = self._waiting.popleft()
            if made.set_running_or_notify_cancel():
                made.context.run(self._commit, made)
            else:
                made.ended.set()

    def _commit(self, made: BackgroundCommit) -> None:
        """Carry out one commit and store its result or its error."""
        session = self._session
        try:
            if is_overridden(session, "commit"):
                session.commit()
            else:
                work = _LimitedCommit(unit_of_work_of(session), made.limit)
                observers_of(session).commit(work)
        except BaseException as error:
            # Who rolls back knows that the changes are gone.
            if not isinstance(error, RolledBackError):
                with self._lock:
                    self._failed.append(made)
            made.ended.set()
            made.set_exception(error)
        else:
            with self._lock:
                self._failed.clear()  # This commit has sent their operations as well.
            made.ended.set()
            made.set_result(None)

    def undo(self, operations: Iterable[Operation]) -> None:
        """Make the commits fail that wait to send *operations*, which a rollback has undone."""
        with self._lock:
            for each in (self._current, *self._waiting):
                if each is not None:
                    each.limit.undo(operations)

    def wait(self) -> None:
        """Wait until all commits have ended. Their own thread does not wait."""
        while threading.current_thread() is not self._thread:
            with self._lock:
                left = [self._current, *self._waiting] if self._thread is not None else []
            last = next((each for each in reversed(left) if each is not None), None)
            if last is None or last.ended.is_set():
                return
            while not wait_unless_cancelled(last.ended, _SLICE):
                pass

    def forget_failures(self) -> list[BaseException]:
        """Return the errors that the program has not seen, oldest first, and forget them."""
        with self._lock:
            failed, self._failed = self._failed, []
        unseen = [each for each in failed if not each.is_seen]
        return [error for error in (each.exception() for each in unseen) if error is not None]
