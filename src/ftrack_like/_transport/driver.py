"""Carry out the steps of an exchange with blocking calls: send, read the answer, and wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

import urllib3

from ftrack_like import exception
from ftrack_like._transport.body import ReceivedBody, UnreadableBodyError, read_body
from ftrack_like._transport.cancellation import check_cancelled
from ftrack_like._transport.exchange import Pause, Reply, Send, redirect_of
from ftrack_like._transport.faults import Route, connection_error
from ftrack_like._transport.limits import OpenConnections, limited

if TYPE_CHECKING:
    import requests

    from ftrack_like._transport.exchange import HttpAnswer, RetryReport, Steps

__all__ = ["Driver"]

_EMPTY = ReceivedBody(b"", 0)

#: Called at the end of a request, with its reply or its error.
_Finish = Callable[[Optional[Reply], Optional[BaseException]], None]


class Driver:
    """Carries out steps on the calling thread.

    - *post* sends the request to a given address and returns the response, with an unread body.
    - *route* has the settings to name in errors.
    - *on_retry* is called before each wait.
    - *observe* is called with the address before each request. It returns a function that is called
      with the reply, or with the error.
    - ``connections.end()`` from another thread ends the exchange.
    """

    def __init__(
        self,
        post: Callable[[str], requests.Response],
        route: Route,
        on_retry: Callable[[RetryReport], None],
        connections: OpenConnections,
        observe: Optional[Callable[[str], _Finish]] = None,
    ) -> None:
        """Initialise; nothing is sent before :meth:`run`."""
        self._post = post
        self._route = route
        self._on_retry = on_retry
        self._connections = connections
        self._observe = observe

    def run(self, steps: Steps) -> HttpAnswer:
        """Carry out *steps* and return their answer.

        Raise the errors of the steps, and :exc:`~ftrack_like.exception.ConnectionClosedError` if
        the connections are ended.
        """
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    self._pause(step)
                    step = next(steps)
                    continue
                try:
                    reply = self._send(step)
                except exception.ServerError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(reply)
        except StopIteration as end:
            answer: HttpAnswer = end.value
            return answer
        except exception.ServerConnectionError as error:
            if self._connections.ended:
                raise exception.ConnectionClosedError() from error
            raise

    def _pause(self, step: Pause) -> None:
        """Report the retry and wait for it."""
        if not self._connections.ended:
            self._on_retry(step.report)
        if self._connections.wait(step.seconds):
            raise exception.ConnectionClosedError()

    def _send(self, step: Send) -> Reply:
        """Send the request and return the reply; tell the observer."""
        if self._observe is None:
            return self._exchange(step)
        finish = self._observe(step.address)
        try:
            reply = self._exchange(step)
        except BaseException as error:
            finish(None, error)
            raise
        finish(reply, None)
        return reply

    def _exchange(self, step: Send) -> Reply:
        """Send the request and return the reply; turn failures into errors of this library.

        The body of a redirect is not read.
        """
        check_cancelled()
        try:
            with limited(step.limit):
                response = self._post(step.address)
                status, headers = response.status_code, response.headers
                if redirect_of(status, headers) is None:
                    body = read_body(response)
                else:
                    response.close()
                    body = _EMPTY
        except UnreadableBodyError as error:
            raise exception.ServerAnswerError(
                f"The answer of {self._route.address} cannot be read: {error}."
            ) from error
        except (OSError, urllib3.exceptions.HTTPError, UnicodeError) as error:
            check_cancelled()
            # OSError includes the errors of requests and missing certificate files.
            raise connection_error(error, self._route) from error
        return Reply(status, str(getattr(response, "reason", "") or ""), headers, body)
