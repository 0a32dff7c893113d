"""Serve a web application on a thread, until it is stopped."""

from __future__ import annotations

import abc
import socket
import threading
from types import TracebackType
from typing import Optional

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

__all__ = ["MAXIMUM_BODY", "AppServer", "error"]

#: Seconds to wait for the start or the stop of the server.
_PATIENCE = 20.0

#: The largest body of a request, in bytes.
MAXIMUM_BODY = 64 * 1024 * 1024


def error(request: Request, status: int, name: str, text: str) -> Response:
    """Return an error of the API; a client that is not strict receives it with status 200."""
    strict = request.headers.get("ftrack-strict-api", "").strip().lower() == "true"
    body = {"exception": name, "content": text, "error_code": None}
    return JSONResponse(body, status if strict else 200)


class AppServer(abc.ABC):
    """A server on *host* and *port*; a context manager that starts and stops it.

    A subclass makes the application with :meth:`app`. *port* 0 picks a free port.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host = host
        self._port = port
        self._server: Optional[_Server] = None
        self._thread: Optional[threading.Thread] = None

    @abc.abstractmethod
    def app(self) -> Starlette:
        """Return the application to serve."""

    @property
    def server_url(self) -> str:
        """The address for clients; its port is only known after the start."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Listen, and return when the server answers.

        Raise :exc:`OSError` if the address is in use, and :exc:`RuntimeError` if the server does
        not start in time.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = listener.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self.app(), loop="asyncio", log_level="warning", access_log=False, lifespan="off"
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="ftrack-like-recordings", daemon=True
        )
        self._thread.start()
        if not self._server.answers.wait(_PATIENCE):
            self.stop()
            raise RuntimeError("The server did not start; its log contains the reason.")

    def stop(self) -> None:
        """Stop listening, and let running requests finish."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None and thread is not None:
            server.should_exit = True
            thread.join(_PATIENCE)

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Stop the server."""
        self.stop()


class _Server(uvicorn.Server):
    """A uvicorn server that says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = threading.Event()

    async def startup(self, sockets: Optional[list[socket.socket]] = None) -> None:
        """Start as uvicorn does, then set :attr:`answers`."""
        await super().startup(sockets=sockets)
        self.answers.set()
