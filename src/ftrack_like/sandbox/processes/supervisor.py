"""Keeps the wanted number of workers running, and passes the signals of the sandbox on to them.

A worker is *starting* until it says that it is ready, then *ready* until it is told to end, then
*leaving*::

    start -> starting -> ready -> leaving -> ended
                |          |
                +----------+--> ended by itself: another one starts, after a pause if it ended early

The supervisor kills a worker that hangs: one that shows no sign of life for a minute.

The supervisor never serves a request, reads the database or starts a thread. So it survives
whatever ends its workers.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

from ftrack_like.sandbox.processes.child import WorkerProcess

__all__ = ["Supervisor", "WorkerError"]

_LOGGER = logging.getLogger(__name__)

#: Seconds that a worker may take to start.
_STARTING = 120.0

#: Seconds without a sign of life after which a worker hangs. Parsing a large body keeps the other
#: threads of a worker waiting for seconds, on a busy machine for longer.
_SILENCE = 60.0

#: A worker that ends within so many seconds after its start ended early.
_EARLY = 5.0

#: The first and the longest pause before the next start, in seconds; the pause doubles.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 15.0

#: The supervisor gives up after so many early ends in a row, if no worker is ready.
_GIVE_UP = 8

#: Seconds that workers have to end. They end by themselves before; see the worker's own limits.
_STOPPING = 45.0

#: The wait without an event is no longer than this, in seconds.
_TICK = 1.0


class WorkerError(RuntimeError):
    """No worker can start; the text has the reason."""


class Supervisor:
    """Runs *count* workers that *start* starts; *start* receives the time of the clock."""

    def __init__(
        self,
        count: int,
        start: Callable[[float], WorkerProcess],
        clock: Callable[[], float] = time.monotonic,
        ended: Callable[[int], None] = lambda number: None,
    ) -> None:
        """Nothing runs before :meth:`run`. *ended* gets the number of each process that ended."""
        self._count = count
        self._start = start
        self._clock = clock
        self._ended = ended
        self._selector = selectors.DefaultSelector()
        self._workers: list[WorkerProcess] = []
        #: Workers that SIGHUP asked to replace, and the one whose successor is starting.
        self._outdated: list[WorkerProcess] = []
        self._successor: Optional[WorkerProcess] = None
        self._early_ends = 0
        self._start_at = 0.0
        #: Whether all workers were ready once.
        self._has_begun = False
        self._signals: list[int] = []
        self._stepped_at = clock()

    def run(self, announce: Callable[[], None], stop_listening: Callable[[], None]) -> int:
        """Run until SIGTERM or SIGINT; return the number of the signal.

        *announce* is called when all workers are ready, *stop_listening* before they end. Raise
        :exc:`WorkerError` if no worker can start.
        """
        with self._receiving_signals():
            try:
                while not self._signals_stop() and not self._all_ready():
                    self._step()
                if not self._signals_stop():
                    self._has_begun = True
                    announce()
                while not self._signals_stop():
                    self._step()
                return self._signals[0]
            finally:
                stop_listening()
                self._end_all()

    # -- workers -----------------------------------------------------------------------------

    def _all_ready(self) -> bool:
        return len(self._workers) == self._count and all(one.is_ready for one in self._workers)

    def _step(self) -> None:
        """Start what must start, and handle what happens next."""
        self._replace_next()
        self._fill()
        self._wait()
        now = self._clock()
        for worker in self._workers:
            if worker.ready_at is None and now - worker.started_at > _STARTING:
                worker.reason = f"it was not ready after {_STARTING:.0f} seconds"
                worker.kill()
        self._end_hanging(now)

    def _end_hanging(self, now: float) -> None:
        """Kill the workers that show no sign of life.

        A long step means that the supervisor itself was stopped, perhaps with its whole machine.
        The workers could not speak then, or it has not yet heard them, so this time does not count.
        """
        passed = min(now - self._stepped_at, 2 * _TICK)
        self._stepped_at = now
        for worker in self._workers:
            if worker.ready_at is None:
                continue
            worker.silence += passed
            if worker.silence > _SILENCE:
                worker.reason = (
                    f"The process {worker.number} of the sandbox hung: it showed no sign of life "
                    f"for {_SILENCE:.0f} seconds, and was ended."
                )
                if worker.is_leaving:
                    _LOGGER.warning("%s", worker.reason)
                worker.kill()

    def _fill(self) -> None:
        """Start the missing workers, unless a pause goes on."""
        now = self._clock()
        while self._active() < self._count and now >= self._start_at:
            self._launch(now)

    def _active(self) -> int:
        """Return the number of workers that serve or will serve, without an early successor."""
        return sum(not one.is_leaving and one is not self._successor for one in self._workers)

    def _launch(self, now: float) -> WorkerProcess:
        worker = self._start(now)
        self._workers.append(worker)
        self._selector.register(worker, selectors.EVENT_READ)
        return worker

    def _wait(self) -> None:
        """Wait for the next event, at most until the next start."""
        patience = _TICK
        if self._active() < self._count:
            patience = min(_TICK, max(0.0, self._start_at - self._clock()))
        for key, _ in self._selector.select(patience):
            worker = key.fileobj
            if not isinstance(worker, WorkerProcess):
                self._take_signals(key.fileobj)
            elif not worker.read(self._clock()):
                self._bury(worker)

    def _bury(self, worker: WorkerProcess) -> None:
        """Forget *worker*, which has ended, and note how long the next start has to wait."""
        self._selector.unregister(worker)
        self._workers.remove(worker)
        status = worker.wait()
        self._ended(worker.number)
        if self._successor is not None and worker is self._outdated[0]:
            self._successor = None  # it takes the place of this worker already
        if worker in self._outdated:
            self._outdated.remove(worker)
        if worker.is_leaving:
            return
        now = self._clock()
        reason = worker.reason or _ending(worker.number, status)
        if not self._has_begun:
            raise WorkerError(reason)
        if worker is self._successor:
            _LOGGER.error("The processes were not replaced: %s", reason)
            self._successor, self._outdated = None, []
            return
        if worker.ready_at is None or now - worker.started_at < _EARLY:
            doubled = _FIRST_PAUSE * 2 ** min(self._early_ends, _GIVE_UP)
            pause = min(doubled, _LONGEST_PAUSE)
            self._early_ends += 1
            self._start_at = now + pause
        else:
            pause, self._early_ends = 0.0, 0
        if self._early_ends >= _GIVE_UP and not any(one.is_ready for one in self._workers):
            raise WorkerError(f"No process of the sandbox can start any more: {reason}")
        _LOGGER.warning("%s Another one starts in %g seconds.", reason, pause)

    # -- replacing ---------------------------------------------------------------------------

    def _replace_all(self) -> None:
        """Replace each worker that runs now, one after the other."""
        self._outdated = [
            one for one in self._workers if one.is_ready and one is not self._successor
        ]

    def _replace_next(self) -> None:
        """Start the next successor, or end the worker whose successor is ready."""
        if self._successor is not None:
            if self._successor.is_ready:
                self._successor = None
                self._outdated.pop(0).leave()
            return
        if self._outdated and not any(one.is_leaving for one in self._workers):
            self._successor = self._launch(self._clock())

    # -- the end -----------------------------------------------------------------------------

    def _end_all(self) -> None:
        """End all workers: first let them finish their requests, then kill the rest."""
        for worker in self._workers:
            worker.terminate()
        deadline = self._clock() + _STOPPING
        asked = len(self._signals)
        while self._workers and self._clock() < deadline and len(self._signals) == asked:
            self._wait()
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self._workers.clear()
        self._selector.close()

    # -- signals -----------------------------------------------------------------------------

    @contextmanager
    def _receiving_signals(self) -> Iterator[None]:
        """Note the signals in the block; a signal ends the wait for the next event."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        ours, theirs = socket.socketpair()
        for one in (ours, theirs):
            one.setblocking(False)
        handlers = [signal.signal(number, self._note) for number in numbers]
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._selector.register(ours, selectors.EVENT_READ)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in zip(numbers, handlers):
                signal.signal(number, handler)
            ours.close()
            theirs.close()

    def _note(self, number: int, frame: Any) -> None:
        if number != signal.SIGHUP:
            self._signals.append(number)

    def _take_signals(self, source: Any) -> None:
        """Handle the signals whose numbers wait at *source*."""
        if signal.SIGHUP in source.recv(4096):
            self._replace_all()

    def _signals_stop(self) -> bool:
        return bool(self._signals)


def _ending(number: int, status: int) -> str:
    """Return the sentence for the end of the process *number* with *status*."""
    if status < 0:
        how = f"was ended by {signal.Signals(-status).name}"
    else:
        how = f"ended with status {status}; its errors are above"
    return f"The process {number} of the sandbox {how}."
