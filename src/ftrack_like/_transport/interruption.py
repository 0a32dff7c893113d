"""Requests that survive an exception of a signal handler, and how to recognise such exceptions.

Python runs signal handlers on the main thread, between any two instructions. An exception that a
handler raises inside urllib3 closes the connection, and then the client cannot know whether the
server is still working on the request. A request that writes therefore runs on a helper thread:
the exception only ends the waiting.
"""

from __future__ import annotations

import contextvars
import functools
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Callable, Optional

from ftrack_like import exception

__all__ = ["RunningRequests", "interruption", "raise_interruption"]

#: Seconds between two looks for signals. On Windows no signal ends the waiting for a lock, and
#: elsewhere not one that arrives just before the waiting begins.
_TICK = 0.1

#: The flag of code that takes any number of arguments: ``inspect.CO_VARARGS``, of a module that
#: takes long to import.
_TAKES_MORE = 0x04


class _Request:
    """A function that a helper thread runs to its end, also when the caller stops waiting."""

    def __init__(self, send: Callable[[], Any]) -> None:
        """Initialise with *send*, which sends one request and returns its response."""
        self._send = send
        # The bounds of time of the request belong to the context of the caller.
        self._context = contextvars.copy_context()
        self._claim = threading.Lock()
        # A bare lock that the helper releases. An Event would not do: its lock is taken by code
        # in Python, and an exception of a signal handler there would leave it locked.
        self._helping = threading.Lock()
        self._helping.acquire()
        #: Whether the response or the error is there, or the request is cancelled.
        self.is_over = False
        self._response: Any = None
        self._error: Optional[BaseException] = None
        self.process = os.getpid()

    def run(self, earlier: list[threading.Thread]) -> None:
        """Send the request, unless it is cancelled, and keep the response or the error.

        *earlier* helpers are released here: the weak set in which Python keeps its threads runs
        code for each, and on the main thread that could swallow an exception of a handler.
        """
        earlier.clear()
        if not self._claim.acquire(blocking=False):
            return
        try:
            self._response = self._context.run(self._send)
        except BaseException as error:
            self._error = error
        finally:
            self._end()

    def _end(self) -> None:
        """Tell those who wait that the request is over."""
        self.is_over = True
        self._helping.release()

    def cancel_or_wait(self) -> None:
        """Keep the request from being sent; if it is on its way, wait until it is over.

        The caller may have been interrupted before the helper thread had begun.
        """
        if self._claim.acquire(blocking=False):
            self._error = exception.ServerConnectionError("The request was cancelled.")
            self._error.request_sent = False
            self._end()
        self._wait()

    def _wait(self) -> None:
        """Wait until the request is over. An exception of a signal handler ends the waiting."""
        while not self.is_over:
            if self._helping.acquire(timeout=_TICK):
                self._helping.release()

    def response(self) -> Any:
        """Return the response, or raise the error, once it is there."""
        self._wait()
        error, self._error = self._error, None  # Else error and request would form a cycle.
        if error is not None:
            raise error
        return self._response


class RunningRequests:
    """The writing requests of a session that are on their way."""

    def __init__(self) -> None:
        """Initialise without a request."""
        self._requests: list[_Request] = []
        self._helpers: list[threading.Thread] = []
        #: The number of requests that were begun: a call that left it unchanged sent nothing.
        self.begun = 0

    def run(self, send: Callable[[], Any]) -> Any:
        """Return the response of *send*; an exception of a signal handler does not stop it.

        Signal handlers run on the main thread only, so other threads need no helper.
        """
        self.begun += 1
        if threading.current_thread() is not threading.main_thread():
            return send()
        request = _Request(send)
        self._requests.append(request)
        try:
            self._start(request)
            return request.response()
        finally:
            if request.is_over:
                self._requests.remove(request)

    def _start(self, request: _Request) -> None:
        """Start a helper for *request*."""
        earlier, self._helpers = self._helpers, []
        helper = threading.Thread(
            target=request.run, args=(earlier,), name="ftrack-request", daemon=True
        )
        self._helpers.append(helper)
        try:
            helper.start()
        except RuntimeError:  # The system or an interpreter that ends refuses new threads.
            request.run(earlier)

    def wait(self) -> None:
        """Wait for the requests whose caller was interrupted; cancel those not sent yet."""
        process = os.getpid()
        for request in list(self._requests):
            if request.process == process:  # A fork has no threads of its parent.
                request.cancel_or_wait()
        self._requests = [
            each for each in self._requests if each.process == process and not each.is_over
        ]


def interruption(error: BaseException) -> Optional[BaseException]:
    """Return the exception of a signal handler that *error* is, or was made of; None without one.

    A handler of a time limit often raises :exc:`TimeoutError`. urllib3 cannot tell that from a
    socket that timed out: without this, the client would repeat the request and the limit would
    be without effect.
    """
    handlers = {_code_of(each) for each in _handlers()}
    found = None
    for each in _chain(error):
        if any(frame.f_code in handlers or _is_handler(frame) for frame in _frames(each)):
            found = each
    return found


def _is_handler(frame: FrameType) -> bool:
    """Return whether *frame* is a call with the arguments of a signal handler.

    A handler that works once is not set any more when its exception is looked at.
    """
    code, values = frame.f_code, frame.f_locals
    names = code.co_varnames[: code.co_argcount]
    arguments = [values.get(name) for name in names]
    if code.co_flags & _TAKES_MORE:
        rest = values.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        arguments.extend(rest if isinstance(rest, tuple) else ())
    return any(
        isinstance(number, int) and isinstance(interrupted, FrameType)
        for number, interrupted in zip(arguments, arguments[1:])
    )


def raise_interruption(error: BaseException) -> None:
    """Raise the exception of a signal handler that *error* was made of, if there is one."""
    raised = interruption(error)
    if raised is not None:
        raise raised


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and the exceptions during whose handling it was raised, the first one last."""
    seen: set[int] = set()
    current: Optional[BaseException] = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _frames(error: BaseException) -> Iterator[Any]:
    """Yield the frames from where *error* was caught to where it was raised."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _handlers() -> Iterator[Any]:
    """Yield the signal handlers of the process."""
    for number in signal.valid_signals():
        yield signal.getsignal(number)


def _code_of(handler: Any) -> Any:
    """Return the code object of *handler*, None for one that is not written in Python."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    if not hasattr(function, "__code__") and callable(handler):
        function = type(handler).__call__
    return getattr(function, "__code__", None)
