"""What this process sends: requests over HTTP, and events over the connection of a hub.

Recorded where both libraries have to pass: the standard library's HTTP connections and the
``create_connection`` of websocket-client.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import websocket

#: The kind of frame that carries an event, as Socket.IO numbers them. The others connect, keep the
#: connection alive and say that something arrived.
EVENT = "5"
#: Headers that say who asks; those of operations; the rest is a matter of the HTTP libraries.
HEADERS = ("ftrack-user", "ftrack-api-key")
HEADERS_OF_OPERATIONS = (*HEADERS, "ftrack-strict-api", "content-type")
#: Parameters of addresses that a server signs, other ones each time.
SIGNED = ("expires", "signature")
#: Actions that change nothing.
READS = ("query", "query_server_information", "query_schemas")

_SELECT = re.compile(r"\s*select\s+(?P<projections>.*?)\s+from\s+(?P<rest>.*)", re.DOTALL)
_QUOTED_ID = re.compile(r"\"([0-9a-f]{8}-[0-9a-f-]{27})\"")


class Wire:
    """Records what is sent from the moment of its making."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: list[Any] = []
        self._paused = False
        self._record_http(http.client.HTTPConnection)
        self._record_frames(websocket)

    def take(self) -> list[Any]:
        """Return what was sent since the last time: requests as bytes, frames as text."""
        with self._lock:
            taken, self._sent = self._sent, []
        return taken

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Record nothing meanwhile: what is asked again until something happens, say."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def _add(self, item: Any) -> None:
        with self._lock:
            if not self._paused:
                self._sent.append(item)

    def _record_http(self, kind: Any) -> None:
        """Let connections of *kind* keep the bytes of each request until they read its answer."""
        putrequest, send, getresponse = kind.putrequest, kind.send, kind.getresponse

        def recording_putrequest(connection: Any, *arguments: Any, **options: Any) -> Any:
            connection.sent_bytes = bytearray()
            return putrequest(connection, *arguments, **options)

        def recording_send(connection: Any, data: Any) -> Any:
            if isinstance(data, (bytes, bytearray, memoryview)):
                connection.sent_bytes += data
            return send(connection, data)

        def recording_getresponse(connection: Any, *arguments: Any, **options: Any) -> Any:
            self._add(bytes(connection.sent_bytes))
            return getresponse(connection, *arguments, **options)

        kind.putrequest, kind.send = recording_putrequest, recording_send
        kind.getresponse = recording_getresponse

    def _record_frames(self, module: Any) -> None:
        """Let connections that *module* creates tell the texts that they send."""
        create = module.create_connection

        def recording_create(*arguments: Any, **options: Any) -> Any:
            connection = create(*arguments, **options)
            send = connection.send

            def recording_send(payload: Any, opcode: int = module.ABNF.OPCODE_TEXT) -> Any:
                if opcode == module.ABNF.OPCODE_TEXT:
                    text = payload if isinstance(payload, str) else bytes(payload).decode("utf-8")
                    self._add(text)
                return send(payload, opcode)

            connection.send = recording_send
            return connection

        module.create_connection = recording_create


def readable(sent: list[Any]) -> dict[str, Any]:
    """Return what :meth:`Wire.take` gave, as values of JSON, in parts that are compared.

    ``requests`` are all requests over HTTP, ``changes`` what of them changes something on the
    server, whatever the batches; ``published`` are the events, and ``subscriptions`` and
    ``departures`` how many subscribers the event server was told of.
    """
    requests = [_request(item) for item in sent if isinstance(item, bytes)]
    events = [_event(item) for item in sent if isinstance(item, str) and item[0] == EVENT]
    meta = "ftrack.meta."
    subscribed = {
        item["data"]["subscription"] for item in events if item["topic"] == f"{meta}subscribe"
    }
    return {
        "requests": requests,
        "changes": list(_changes(requests)),
        "published": [
            _without_source(item)
            for item in events
            if item["topic"] not in (f"{meta}subscribe", f"{meta}unsubscribe")
        ],
        "subscriptions": sorted(subscribed),
        "departures": sum(item["topic"] == f"{meta}unsubscribe" for item in events),
    }


def _event(text: str) -> Any:
    """Return the event that the frame *text* carries."""
    return json.loads(text.split(":", 3)[3])["args"][0]


def _without_source(event: dict[str, Any]) -> Any:
    """Return *event* with no more of its source than who it is."""
    return {**event, "source": event["source"]["user"]}


def _request(raw: bytes) -> Any:
    """Return a request over HTTP."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = line.split(" ", 2)
    address = urlsplit(target)
    headers = {
        name.lower(): value for name, _, value in (header.partition(": ") for header in lines)
    }
    wanted = HEADERS_OF_OPERATIONS if address.path == "/api" else HEADERS
    return {
        "request": f"{method} {address.path}",
        "query": {
            name: "signed" if name in SIGNED else value for name, value in parse_qsl(address.query)
        },
        "headers": {name: headers[name] for name in wanted if name in headers},
        "body": _body(body, headers.get("content-type", "")),
    }


def _body(body: bytes, content_type: str) -> Any:
    """Return the operations that *body* holds; of other bodies, the length."""
    if "json" not in content_type:
        return len(body)
    found = json.loads(body)
    return [_operation(item) for item in found] if isinstance(found, list) else found


def _operation(item: dict[str, Any]) -> Any:
    """Return *item* in a settled form.

    That is: ids without quotes (difference 21) and with blanks around them, projections in order,
    no times that a clock has measured.
    """
    if item.get("entity_type") == "Timelog" and "duration" in item.get("entity_data", {}):
        item["entity_data"]["duration"] = "some seconds"
    if "expression" not in item:
        return item
    text = _QUOTED_ID.sub(r"\1", item["expression"])
    text = re.sub(r"([0-9a-f]{12})and ", r"\1 and ", text)
    text = re.sub(r"([0-9a-f]{12}),(?=[0-9a-f])", r"\1, ", text)
    found = _SELECT.fullmatch(text)
    if found:
        names = sorted(name.strip() for name in found["projections"].split(","))
        text = f"select {', '.join(names)} from {found['rest']}"
    return {**item, "expression": text}


def _without_metadata_lists(item: dict[str, Any]) -> Iterator[Any]:
    """Yield *item* unless it says which metadata an entity has, or takes some away.

    The published client sends the whole list beside the metadata that it creates and changes. Ours
    sends no list (difference 38), and deletes what is taken out of it.
    """
    if item.get("entity_type") == "Metadata" and item["action"] == "delete":
        return
    data = item.get("entity_data", {})
    if item.get("action") == "update" and "metadata" in data:
        data = {name: value for name, value in data.items() if name != "metadata"}
        if data.keys() <= {"__entity_type__"}:
            return
        item = {**item, "entity_data": data}
    yield item


def _changes(requests: list[Any]) -> Iterator[Any]:
    """Yield what of *requests* changes something, operation by operation, and then the uploads.

    Files may be sent by several threads at once, so uploads are in the order of their checksums.
    """
    uploads = []
    for request in requests:
        if isinstance(request["body"], list):
            for item in request["body"]:
                if "checksum" in item:
                    uploads.append(item)
                elif item.get("action") not in READS:
                    yield from _without_metadata_lists(item)
        elif "checksum" in request["query"]:
            uploads.append(request)
        elif not request["request"].startswith("GET "):
            yield request
    yield from sorted(uploads, key=lambda item: item.get("query", item)["checksum"])


def reads(requests: list[Any]) -> int:
    """Return how many of *requests* only ask for something."""
    return sum(not any(True for _ in _changes([request])) for request in requests)
