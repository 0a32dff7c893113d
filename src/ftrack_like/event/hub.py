"""The event hub: subscribe, publish, and hear what others publish."""

from __future__ import annotations

import collections
import logging
import socket
import threading
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ftrack_like import exception
from ftrack_like.event.base import Event
from ftrack_like.event.router import Router, target_matcher
from ftrack_like.event.subscriber import Subscriber

__all__ = ["EventHub", "ServerDetails", "SocketIoSession"]

ServerDetails = collections.namedtuple("ServerDetails", ["scheme", "hostname", "port"])
SocketIoSession = collections.namedtuple(
    "SocketIoSession", ["id", "heartbeatTimeout", "supportedTransports"]
)


class EventHub:
    """Manages events between this process and the event server."""

    def __init__(
        self,
        server_url: str,
        api_user: str,
        api_key: str,
        headers: Optional[Mapping[str, str]] = None,
        cookies: Optional[Mapping[str, str]] = None,
        *,
        verify: Any = None,
        cert: Any = None,
        proxies: Optional[Mapping[str, str]] = None,
        connect_timeout: Optional[float] = None,
    ) -> None:
        self.logger = logging.getLogger(f"{__name__}.{self.__class__.__name__}")
        self.id = uuid.uuid4().hex
        self.server = _server_details(server_url)
        self._server_url = server_url
        self._api_user = api_user
        self._api_key = api_key
        self._headers = dict(headers or {})
        self._cookies = dict(cookies or {})
        self._lock = threading.RLock()
        self._router = Router()
        self._connection = None
        self._connection_initialised = False

    @property
    def _subscribers(self) -> Any:
        return self._router.subscribers

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def init_connection(self) -> None:
        self._connection_initialised = True

    def subscribe(
        self,
        subscription: str,
        callback: Callable[[Event], Any],
        subscriber: Optional[dict[str, Any]] = None,
        priority: int = 100,
    ) -> str:
        """Register *callback* and return the subscriber's identifier."""
        metadata = {} if subscriber is None else subscriber
        metadata.setdefault("id", uuid.uuid4().hex)
        entry = Subscriber(subscription, callback, metadata, priority)
        identifier: str = metadata["id"]
        with self._lock:
            if self._router.get(identifier) is not None:
                raise exception.NotUniqueError(
                    f"Subscriber with identifier {identifier} already exists."
                )
            self._router.add(entry)
        return identifier

    def unsubscribe(self, subscriber_identifier: str) -> None:
        with self._lock:
            entry = self._router.get(subscriber_identifier)
            if entry is None:
                raise exception.NotFoundError(
                    f"Cannot unsubscribe missing subscriber with identifier {subscriber_identifier}"
                )
            self._router.remove(entry)

    def get_subscriber_by_identifier(self, identifier: str) -> Optional[Subscriber]:
        with self._lock:
            return self._router.get(identifier)

    def publish(
        self,
        event: Event,
        synchronous: bool = False,
        on_reply: Optional[Callable[[Event], Any]] = None,
        on_error: str = "raise",
    ) -> Any:
        self._prepare_event(event)
        if synchronous:
            return self._handle(event, synchronous=True)
        if on_error == "raise":
            raise exception.EventHubConnectionError(
                "Cannot publish event asynchronously as not connected to server."
            )
        return None

    def _prepare_event(self, event: Event) -> None:
        source = event["source"]
        source.setdefault("id", self.id)
        source.setdefault("user", {"username": self._api_user})
        source.setdefault("host", socket.gethostname())

    def _handle(self, event: Event, synchronous: bool = False) -> Optional[list[Any]]:
        target = target_matcher(event["target"]) if event["target"] else None
        results: list[Any] = []
        with self._lock:
            candidates = self._router.candidates(event["topic"])
        for subscriber in candidates:
            if not subscriber.interested_in(event):
                continue
            if target is not None and not target(subscriber.metadata):
                continue
            try:
                results.append(subscriber.callback(event))
            except Exception:
                self.logger.exception(f"Error calling subscriber {subscriber} for event {event}.")
            if event.is_stopped():
                break
        return results


def _server_details(server_url: str) -> ServerDetails:
    parts = urllib.parse.urlparse(server_url)
    if not parts.scheme:
        raise ValueError("Could not determine scheme from server url.")
    if not parts.hostname:
        raise ValueError("Could not determine hostname from server url.")
    return ServerDetails(parts.scheme, parts.hostname, parts.port)
