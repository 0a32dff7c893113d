"""Tell programs, the log and traces about the requests and commits of a session.

Without callbacks, without the log at level DEBUG and without OpenTelemetry, a request costs one
test more, and :mod:`ftrack_like._session.reporting`, which makes the reports, is not imported.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like.logging import REQUEST_LOGGER

if TYPE_CHECKING:
    import requests

    from ftrack_like._base.types import Json
    from ftrack_like._session.reporting import (
        BatchObserver,
        CommitReport,
        CommitTally,
        SupportsCommit,
    )
    from ftrack_like._transport.reports import RequestReport

__all__ = ["Observation", "Observers"]

_logger = logging.getLogger(__name__)

#: Callbacks with their observations. A tuple, so that no thread sees a list that changes.
_Entries = tuple[tuple["Observation", Callable[[Any], object]], ...]


class Observation:
    """A callback that is called until :meth:`remove`. Also a context manager that removes it."""

    def __init__(self, remove: Callable[[Observation], None]) -> None:
        """Initialise with the function that removes it."""
        self._remove = remove

    def remove(self) -> None:
        """Stop calling the callback. A second call does nothing."""
        self._remove(self)

    #: The same as :meth:`remove`.
    __call__ = remove

    def __enter__(self) -> Observation:
        """Return the observation; leaving the block removes it."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the callback."""
        self.remove()


def _require_one_argument(callback: Callable[[Any], object]) -> None:
    """Raise :exc:`TypeError` if *callback* cannot be called with a report.

    Errors of callbacks are only logged, so that such a callback would do nothing, in silence.
    """
    # lazy: few programs observe requests, and the module takes milliseconds
    import inspect

    try:
        signature = inspect.signature(callback)
    except ValueError:  # some functions in C have no signature
        return
    try:
        signature.bind(None)
    except TypeError as error:
        raise TypeError(
            f"A callback is called with one argument, the report; this one does not fit: {error}."
        ) from None


class Observers:
    """The observers of one session. Threads may share it."""

    def __init__(self) -> None:
        """Start without callbacks."""
        self._callbacks: dict[str, _Entries] = {"on_request": (), "on_commit": ()}
        self._has_callbacks = False
        self._here = threading.local()
        self.renew_lock()

    def renew_lock(self) -> None:
        """Replace the lock in a forked process: a thread of the parent may have held it."""
        self._changing = threading.Lock()

    def add(self, kind: str, callback: Callable[[Any], object]) -> Observation:
        """Call *callback* from now on; *kind* is ``on_request`` or ``on_commit``.

        Return the means to stop that. Raise :exc:`TypeError` if *callback* cannot be called with
        one argument.
        """
        if not callable(callback):
            raise TypeError(f"A callback is a function, not {type(callback).__name__}.")
        _require_one_argument(callback)
        observation = Observation(lambda ended: self._drop(kind, ended))
        with self._changing:
            self._callbacks[kind] = (*self._callbacks[kind], (observation, callback))
            self._has_callbacks = True
        return observation

    def _drop(self, kind: str, observation: Observation) -> None:
        """Remove the callback of *observation*."""
        with self._changing:
            entries = self._callbacks[kind]
            self._callbacks[kind] = tuple(each for each in entries if each[0] is not observation)
            self._has_callbacks = any(self._callbacks.values())

    @property
    def is_idle(self) -> bool:
        """Whether no callback, no log and no trace wants a report."""
        return not (
            self._has_callbacks
            or "opentelemetry.trace" in sys.modules
            or REQUEST_LOGGER.isEnabledFor(logging.DEBUG)
        )

    def begin_batch(self, data: Json, size: int) -> Optional[BatchObserver]:
        """Return the observer of the requests with the batch *data*, of *size* bytes.

        Return None if nothing wants a report.
        """
        if self.is_idle:
            return None
        # lazy: most programs need no reports
        from ftrack_like._session.reporting import BatchObserver

        return BatchObserver(self, data, size)

    def transfer(
        self, method: str, address: str, send: Callable[[], requests.Response]
    ) -> requests.Response:
        """Return the response of *send*, an upload to or a download from *address*."""
        if self.is_idle:
            return send()
        # lazy: as above
        from ftrack_like._session.reporting import reported_transfer

        return reported_transfer(self, method, address, send)

    def commit(self, work: SupportsCommit) -> None:
        """Commit *work*, and report it."""
        if self.is_idle:
            work.commit()
            return
        # lazy: as above
        from ftrack_like._session.reporting import reported_commit

        reported_commit(self, work)

    @property
    def tally(self) -> Optional[CommitTally]:
        """The counts of the commit that runs on this thread, or None."""
        return getattr(self._here, "tally", None)

    @tally.setter
    def tally(self, value: Optional[CommitTally]) -> None:
        """Count the requests of this thread with *value*."""
        self._here.tally = value

    def tell_request(self, report: RequestReport) -> None:
        """Pass *report* on to the commit of this thread, to the log and to the callbacks."""
        tally = self.tally
        if tally is not None:
            tally.count_request(report)
        if REQUEST_LOGGER.isEnabledFor(logging.DEBUG):
            REQUEST_LOGGER.debug("%s", report.line())
        self._tell("on_request", report)

    def tell_commit(self, report: CommitReport) -> None:
        """Pass *report* on to the callbacks."""
        self._tell("on_commit", report)

    def _tell(self, kind: str, report: object) -> None:
        """Call the callbacks of *kind* with *report*. Log their errors, and go on.

        A request that a callback sends itself is not reported to callbacks: it would never end.
        """
        entries = self._callbacks[kind]
        if not entries or getattr(self._here, "is_telling", False):
            return
        self._here.is_telling = True
        try:
            for _, callback in entries:
                try:
                    callback(report)
                except Exception:
                    # Not its ``repr``, which may show arguments.
                    name = getattr(callback, "__qualname__", type(callback).__qualname__)
                    _logger.exception("The callback %s of %s failed.", name, kind)
        finally:
            self._here.is_telling = False
