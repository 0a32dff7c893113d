"""The layer around the web application that gives ids, counts requests, and answers operators."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import time
from collections.abc import Mapping
from typing import Optional, Union

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.events.broker import Broker
from ftrack_like.sandbox.network.hosts import LOOPBACK_NAMES, split_host
from ftrack_like.sandbox.operations.health import Health, encode_queue_length
from ftrack_like.sandbox.operations.logs import ACCESS
from ftrack_like.sandbox.operations.metrics import CONTENT_TYPE, Counter, Histogram, gauge_lines
from ftrack_like.sandbox.operations.request_ids import HEADER, REQUEST_ID, request_id_for
from ftrack_like.sandbox.operations.shared_metrics import MetricsFolder

__all__ = ["Watch", "metrics_networks"]

_HEALTH, _METRICS = "/healthz", "/metrics"

#: The kinds of paths by their first part. Others are pages, so that no client makes up kinds.
_KINDS: Mapping[str, str] = {
    "api": "api",
    "component": "files",
    "socket.io": "events",
    "healthz": "health",
    "metrics": "metrics",
    "static": "static",
}
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
_Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def metrics_networks(texts: tuple[str, ...]) -> tuple[_Network, ...]:
    """Return the networks in *texts*: addresses, networks, or ``*`` for all."""
    found: list[_Network] = []
    for text in texts:
        if text == "*":
            found += [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
            continue
        found.append(ipaddress.ip_network(text))
    return tuple(found)


class Watch:
    """Passes requests to *app*.

    It answers ``/healthz`` for everybody, and ``/metrics`` for this machine and for *networks*.
    Both come before the check of the Host header: a probe often addresses a server by its number.
    """

    def __init__(
        self, app: ASGIApp, api: Api, broker: Broker, networks: tuple[_Network, ...] = ()
    ) -> None:
        self._app = app
        self._api = api
        self._broker = broker
        self._networks = networks
        self._health = Health(api)
        self._logger = logging.getLogger(ACCESS)
        self._started = time.time()
        self._folder: Optional[MetricsFolder] = None
        self._requests = Counter(
            "ftrack_like_requests_total", "Answered requests.", ("kind", "method", "status")
        )
        self._durations = Histogram(
            "ftrack_like_request_seconds", "Time from a request to the end of its answer.", "kind"
        )
        self._events = Counter("ftrack_like_events_total", "Events that the server routed.")
        broker.listeners.append(lambda event: self._events.add())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or a websocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == HEADER), None)
        identifier = request_id_for(given)
        REQUEST_ID.set(identifier)
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        status = 500  # of an application that raises before it answers
        begun = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() != HEADER]
                message = {**message, "headers": [*others, (HEADER, identifier.encode("ascii"))]}
            await send(message)

        try:
            await (self._own(scope) or self._app)(scope, receive, send_with_id)
        finally:
            self._count(scope, status, time.perf_counter() - begun)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        kind = _KINDS.get(scope["path"].split("/", 2)[1] if "/" in scope["path"] else "", "pages")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.add(kind, method, str(status))
        self._durations.observe(kind, seconds)
        if self._logger.isEnabledFor(logging.INFO):
            client = scope.get("client")
            facts = {
                "method": method,
                "path": scope["path"],
                "status": status,
                "seconds": round(seconds, 6),
                "client": client[0] if client else None,
            }
            # Without the query, which may contain a key.
            words = "%s %s %d %.1f ms"
            path = ascii(scope["path"])[1:-1]
            self._logger.info(words, method, path, status, seconds * 1000, extra={"facts": facts})

    def _own(self, scope: Scope) -> Optional[ASGIApp]:
        """Return the application for a path of this layer, None for other paths."""
        if scope["path"] in (_HEALTH, f"{_HEALTH}/live"):
            return self._answer_health
        if scope["path"] == _METRICS:
            return self._answer_metrics
        return None

    async def _answer_health(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say whether the server is ready; at ``/healthz/live`` only that it answers."""
        if _is_other_method(scope):
            await _refuse_method(scope, receive, send)
            return
        status, answer = 200, {"status": "alive"}
        if scope["path"] == _HEALTH:
            report = await run_in_threadpool(self._health.report)
            status = 200 if report.is_ready else 503
            answer = {"status": "ready" if report.is_ready else "not ready", **report.parts}
        headers = {"Cache-Control": "no-store"}
        text = json.dumps(answer)
        await Response(text, status, headers, "application/json")(scope, receive, send)

    async def _answer_metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_other_method(scope):
            await _refuse_method(scope, receive, send)
        elif not self._may_see(scope):
            text = "Metrics are for this machine. Start the sandbox with --metrics-from ADDRESS."
            await PlainTextResponse(text, 403)(scope, receive, send)
        else:
            text = await run_in_threadpool(self.text)
            headers = {"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE}
            await Response(text, 200, headers)(scope, receive, send)

    def _may_see(self, scope: Scope) -> bool:
        """Return whether the client of a request may see the metrics."""
        client = scope.get("client")
        try:
            address = ipaddress.ip_address(client[0].partition("%")[0]) if client else None
        except ValueError:
            address = None
        if address is None:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self._networks):
            return True
        headers = Headers(scope=scope)
        # A proxy on this machine passes on requests of others. A page of another site can let a
        # browser on this machine ask, but only under its own name.
        is_passed_on = "x-forwarded-for" in headers or "forwarded" in headers
        name = split_host(headers.get("host", "localhost"))
        return address.is_loopback and not is_passed_on and name in LOOPBACK_NAMES

    def share_metrics(self, folder: MetricsFolder) -> None:
        """Answer with the metrics of all processes that share *folder*."""
        self._folder = folder
        folder.write_regularly(self._own_text)

    def text(self) -> str:
        """Return all metrics in the text format. This reads the database."""
        own = self._own_text()
        lines = gauge_lines(
            "ftrack_like_encode_jobs",
            "Encode jobs that wait or run.",
            {"": encode_queue_length(self._api)},
        )
        shared = own if self._folder is None else self._folder.total(own)
        return shared + "\n".join(lines) + "\n"

    def _own_text(self) -> str:
        """Return the metrics of this process in the text format."""
        known = self._broker.statistics()
        pid = str(os.getpid())
        lines = [
            *self._requests.lines(),
            *self._durations.lines(),
            *self._events.lines(),
            *gauge_lines("ftrack_like_websockets", "Open websockets.", {"": known["connections"]}),
            *gauge_lines("ftrack_like_subscribers", "Subscribers.", {"": known["subscribers"]}),
            *self._pool_lines(),
            *gauge_lines("ftrack_like_process_info", "The running processes.", {pid: 1}, "pid"),
            *gauge_lines(
                "ftrack_like_start_time_seconds",
                "Time of the start of each process, in seconds since 1970.",
                {pid: self._started},
                "pid",
            ),
        ]
        return "\n".join(lines) + "\n"

    def _pool_lines(self) -> list[str]:
        """Return the connections to the database, in use and idle."""
        pool = self._api.database.engine.pool
        numbers = {
            state: float(count())
            for state, name in (("used", "checkedout"), ("idle", "checkedin"))
            if callable(count := getattr(pool, name, None))
        }
        words = "Connections to the database."
        return gauge_lines("ftrack_like_database_connections", words, numbers)


def _is_other_method(scope: Scope) -> bool:
    return scope["method"] not in ("GET", "HEAD")


async def _refuse_method(scope: Scope, receive: Receive, send: Send) -> None:
    response = PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
    await response(scope, receive, send)
