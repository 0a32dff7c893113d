"""The sandbox of a test."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like._base.clocks import drop_clock, set_clock
from ftrack_like._base.suggest import argument_names, check_arguments, did_you_mean
from ftrack_like.sandbox.interference.switchboard import Switchboard
from ftrack_like.sandbox.server import SandboxServer
from ftrack_like.testing._checks import SuggestsMembers

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.sandbox.clock import Clock
    from ftrack_like.sandbox.interference.requests import SeenRequest
    from ftrack_like.session import Session

__all__ = ["Frozen", "Sandbox"]

#: For pytest: a failed check is shown at the line of the test, without the source of the kit.
__tracebackhide__ = operator.methodcaller("errisinstance", AssertionError)

#: Requests for events come from a hub whenever it connects, so that they are not counted.
_EVENTS = "/socket.io"


class Sandbox(SuggestsMembers, SandboxServer):
    """A :class:`~ftrack_like.sandbox.server.SandboxServer` for tests.

    It takes the same arguments. Its faults and its clock only exist in this process; no request can
    reach them.
    """

    def __init__(self, *arguments: Value, **options: Value) -> None:
        """Nothing is opened before :meth:`start`."""
        check_arguments("Sandbox", options, argument_names(SandboxServer.__init__) or options)
        self._board: Switchboard = options.setdefault("switchboard", Switchboard())
        super().__init__(*arguments, **options)

    def __enter__(self) -> Sandbox:
        """Start the sandbox and return it."""
        self.start()
        return self

    def start(self) -> None:
        """Start the server; see :class:`~ftrack_like.sandbox.server.SandboxServer`."""
        super().start()
        set_clock(self.server_url, lambda: self.clock.now().replace(tzinfo=timezone.utc))

    def stop(self) -> None:
        """Stop the server, and close its data."""
        drop_clock(self.server_url)
        super().stop()

    def session(self, **options: Value) -> Session:
        """Return a new session of the administrator on this sandbox.

        *options* are the arguments of :class:`~ftrack_like.session.Session`. They override the
        address, user and key of the sandbox. The caller must close the session.
        """
        options.setdefault("server_url", self.server_url)
        options.setdefault("api_user", self.api_user)
        options.setdefault("api_key", self.api_key)
        # lazy: without the client, a sandbox that only serves other programs starts faster.
        from ftrack_like.session import Session

        return Session(**options)

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which a program finds this sandbox."""
        return {
            "FTRACK_SERVER": self.server_url,
            "FTRACK_API_USER": self.api_user,
            "FTRACK_API_KEY": self.api_key,
        }

    def reset(self) -> None:
        """Restore the data of a new site, drop all planned faults, and resume the clock.

        User and key stay.
        """
        self.recover()
        self.clock.resume()
        super().reset()

    # Faults

    def fail(
        self,
        next: Union[int, str, Sequence[Union[int, str]]] = 503,
        *,
        times: int = 1,
        path: str = "/api",
        action: Optional[str] = None,
        delay: float = 0.0,
        retry_after: Optional[float] = None,
    ) -> None:
        """Plan faults for the next requests, one for each value of *next*, *times* times.

        * A number from 400 to 599 is the status of the answer. The request is not applied.
        * ``"drop"`` closes the connection. The request is not applied.
        * ``"lose"`` applies the request, and closes the connection without an answer.
        * ``"half"`` applies the request, and closes the connection in the middle of the answer.

        *path* is the beginning of the paths that the faults hit: ``/api``, ``/component`` for
        files, ``/socket.io`` for events, or ``/`` for all. *action* limits them to batches with
        such an operation, for example ``"query"`` or ``"create"``. *delay* is a pause before the
        fault, and *retry_after* a header of a status 429 or 503, both in seconds.

        Sessions repeat some requests by themselves, see :class:`~ftrack_like.session.RetryPolicy`.
        Raise :exc:`ValueError` or :exc:`TypeError` if a value is invalid; then nothing is planned.
        """
        self._check_action(action)
        self._board.plan(
            next, times=times, path=path, action=action, delay=delay, retry_after=retry_after
        )

    def delay(
        self,
        seconds: float,
        *,
        times: int = 1,
        path: str = "/api",
        action: Optional[str] = None,
    ) -> None:
        """Answer the next request after a pause of *seconds*; see :meth:`fail` for the rest."""
        self._check_action(action)
        self._board.plan(None, times=times, path=path, action=action, delay=seconds)

    def _check_action(self, action: Optional[str]) -> None:
        """Raise :exc:`ValueError` if a running server has no *action*, so that it hits nothing."""
        if action is not None and self._api is not None and action not in self._api.actions:
            suggestion = did_you_mean(action, self._api.actions, "Pass 'query' or 'create'.")
            raise ValueError(f"The API has no action {action!r}. {suggestion}")

    @property
    def planned_faults(self) -> int:
        """Return the number of faults that have not hit a request yet."""
        return self._board.planned

    def recover(self) -> None:
        """Drop all planned faults."""
        self._board.clear()

    # The clock

    def freeze(self, moment: Union[str, date, None] = None) -> Frozen:
        """Stop the time that the server stamps on its data at *moment*.

        *moment* is None for now, a :class:`~datetime.datetime`, a :class:`~datetime.date`, or an
        ISO 8601 text such as ``"2026-01-01"`` or ``"2026-01-01T09:30:00+01:00"``; without a time
        zone it is UTC.
        The time is used for created and changed data, jobs, events, mails, and the dates of review
        sessions, and by sessions in this process that stop a timer. Time limits go on.

        In a ``with`` statement, the clock resumes at the end of the block; otherwise with
        :meth:`resume_clock` or :meth:`reset`. Raise :exc:`ValueError` for any other text, and
        :exc:`TypeError` for any other value.
        """
        self.clock.freeze(self.clock.now() if moment is None else moment)
        return Frozen(self.clock)

    def resume_clock(self) -> None:
        """Continue with the time of the system."""
        self.clock.resume()

    # Requests

    @contextmanager
    def requests(self) -> Iterator[list[SeenRequest]]:
        """Yield a list to which the server adds the requests that it receives in the block.

        They are requests to the API and for files, of all programs. Requests for events are left
        out. The list is complete at the end of the block.
        """
        counted: list[SeenRequest] = []
        with self._board.watching() as seen:
            try:
                yield counted
            finally:
                counted.extend(one for one in seen if not one.path.startswith(_EVENTS))

    @contextmanager
    def assert_requests(
        self, at_most: Optional[int] = None, *, exactly: Optional[int] = None
    ) -> Iterator[list[SeenRequest]]:
        """Fail with a list of the requests if the block causes more than *at_most*.

        With *exactly*, fail also if it causes fewer. Yield the list of :meth:`requests`. Raise
        :exc:`TypeError` unless one of the two is given.
        """
        if (at_most is None) == (exactly is None):
            raise TypeError("assert_requests() takes either at_most or exactly, a number.")
        with self.requests() as seen:
            yield seen
        count = len(seen)
        if exactly is not None and count != exactly:
            raise AssertionError(_counted(seen, f"exactly {exactly}"))
        if at_most is not None and count > at_most:
            raise AssertionError(_counted(seen, f"at most {at_most}"))


class Frozen(SuggestsMembers):
    """A stopped clock; a context manager that resumes it at the end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __enter__(self) -> Frozen:
        """Return the object; the clock has stopped already."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Continue with the time of the system."""
        self._clock.resume()

    def __repr__(self) -> str:
        """Return the time of the clock, and whether it is stopped."""
        state = "" if self._clock.is_frozen else ", resumed"
        return f"<Frozen {self._clock.now().isoformat()}Z{state}>"

    def now(self) -> datetime:
        """Return the time of the clock, in UTC."""
        return self._clock.now().replace(tzinfo=timezone.utc)

    def advance(
        self,
        step: Union[float, timedelta] = 0,
        *,
        weeks: float = 0,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Move the stopped clock by *step*, a number of seconds or a time span.

        The other arguments are those of :class:`~datetime.timedelta`, and are added to *step*.
        A negative step moves the clock back. Raise :exc:`RuntimeError` if the clock goes on
        already, and :exc:`TypeError` or :exc:`ValueError` for any other step.
        """
        try:
            more = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        except (OverflowError, ValueError) as error:
            raise ValueError(f"A clock cannot advance by these arguments: {error}.") from None
        self._clock.advance(step, more)


def _counted(seen: Sequence[Any], wanted: str) -> str:
    """Return the message for the requests *seen* instead of the *wanted* number."""
    listed = "".join(f"\n  {number}. {request}" for number, request in enumerate(seen, 1))
    plural = "request" if len(seen) == 1 else "requests"
    return f"{len(seen)} {plural}, but {wanted} expected:{listed or ' none'}"
