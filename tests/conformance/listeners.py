"""Those who subscribe to events: two event hubs, and bare Socket.IO frames on a websocket."""

from __future__ import annotations

import abc
import importlib
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Optional

import pytest
import requests
import websocket
from tests.conformance.clients import Client

__all__ = ["PATIENCE", "Listener", "RawListener", "connect_events", "handshake"]

#: The seconds in which an event has to come.
PATIENCE = 30

Event = dict[str, Any]
Answer = Callable[[Event], Any]


class Listener(abc.ABC):
    """Subscribes to events of the server of *client*, collects them, and publishes others."""

    def __init__(self, client: Client, run: str) -> None:
        self.client = client
        self.heard: list[Event] = []
        self._run = run
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()

    @abc.abstractmethod
    def _subscribe(
        self, expression: str, metadata: dict[str, Any], answer: Optional[Answer]
    ) -> None:
        """Send the subscription."""

    @abc.abstractmethod
    def publish(self, topic: str, data: Any = None, target: str = "", **more: Any) -> str:
        """Publish an event with the further keys *more* and return its id."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the connection."""

    def topic(self, word: str) -> str:
        """Return a topic that nobody else uses."""
        return f"{self._run}.{word}.{uuid.uuid4().hex}"

    def subscribe(
        self, expression: str, answer: Optional[Answer] = None, **metadata: Any
    ) -> dict[str, Any]:
        """Subscribe and return the metadata, as soon as the server knows the subscription.

        *answer* returns the data of the reply to an event.
        """
        told = {"id": uuid.uuid4().hex, **metadata}
        self._subscribe(expression, told, answer)
        self.settle()
        return told

    def settle(self) -> None:
        """Wait until the server has seen all that this listener sent.

        A server handles the packets of one connection in their order.
        """
        topic = self.topic("settled")
        self._subscribe(f"topic={topic}", {"id": uuid.uuid4().hex}, None)
        self.publish(topic)
        self.wait(lambda event: event["topic"] == topic)

    def take(self, event: Event) -> None:
        """Keep *event*, which has come."""
        with self._changed:
            self.heard.append(event)
            self._changed.notify_all()

    def wait(self, condition: Callable[[Event], bool]) -> Event:
        """Return the first event for which *condition* is true, when it is there."""
        with self._changed:
            there = self._changed.wait_for(lambda: any(map(condition, self.heard)), PATIENCE)
            assert there, f"no such event in {PATIENCE} s; the topics: {self.topics()}"
            return next(filter(condition, self.heard))

    def wait_for(self, topic: str) -> Event:
        """Return the first event with *topic*, when it is there."""
        return self.wait(lambda event: event["topic"] == topic)

    def ask(self, topic: str, data: Any = None, **more: Any) -> Event:
        """Publish an event and return the first reply to it."""
        key = self.publish(topic, data, **more)
        return self.wait(lambda event: event.get("inReplyToEvent") == key)

    def entity(self, key: str, action: Optional[str] = None) -> tuple[dict[str, Any], Event]:
        """Return what an update event tells of the entity *key*, and the event."""

        def told(event: Event) -> list[dict[str, Any]]:
            if event["topic"] != "ftrack.update":
                return []
            return [
                each
                for each in event["data"].get("entities") or []
                if each.get("entityId") == key and action in (None, each.get("action"))
            ]

        event = self.wait(lambda each: bool(told(each)))
        return told(event)[0], event

    def topics(self) -> list[str]:
        """Return the topics of the events so far."""
        return sorted({event["topic"] for event in self.heard})


def handshake(client: Client, **headers: str) -> requests.Response:
    """Return the answer to the handshake of the event server."""
    known = {"ftrack-user": client.user, "ftrack-api-key": client.key, **headers}
    return requests.get(f"{client.url}/socket.io/1/", headers=known, timeout=PATIENCE)


class RawListener(Listener):
    """Speaks Socket.IO 0.9 without any library for it."""

    def __init__(self, client: Client, run: str) -> None:
        super().__init__(client, run)
        self.id = uuid.uuid4().hex
        #: The packets that came, apart from events.
        self.packets: list[str] = []
        self._answers: list[tuple[str, Answer]] = []
        self._hears_replies = False
        self._session = handshake(client).text.partition(":")[0]
        address = client.url.replace("http", "ws", 1)
        self._socket = websocket.create_connection(
            f"{address}/socket.io/1/websocket/{self._session}",
            timeout=PATIENCE,
            header=[f"ftrack-user: {client.user}", f"ftrack-api-key: {client.key}"],
        )
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                packet = self._socket.recv()
            except (OSError, websocket.WebSocketException):
                return
            if not packet:
                return
            self._handle(str(packet))

    def _handle(self, packet: str) -> None:
        kind, _, rest = packet.partition(":")
        if kind == "2":
            self.send("2::")
        if kind != "5":
            with self._changed:
                self.packets.append(packet)
                self._changed.notify_all()
            return
        event = json.loads(rest.split(":", 2)[2])["args"][0]
        for topic, answer in self._answers:
            if event["topic"] == topic:
                self.reply(event, answer(event))
        self.take(event)

    def send(self, packet: str) -> None:
        """Send *packet* as it is."""
        with self._sending:
            self._socket.send(packet)

    def packet(self, begin: str) -> str:
        """Return the first packet that begins with *begin*, when it is there."""

        def found() -> list[str]:
            return [each for each in self.packets if each.startswith(begin)]

        with self._changed:
            assert self._changed.wait_for(found, PATIENCE), f"no packet {begin} in {self.packets}"
            return found()[0]

    def emit(self, event: Event, acknowledged: bool = True) -> Optional[list[Any]]:
        """Send *event*; return what the server acknowledges, unless that is not asked for."""
        number = next(self._numbers) if acknowledged else None
        place = "" if number is None else f"{number}+"
        self.send(f"5:{place}::{json.dumps({'name': 'ftrack.event', 'args': [event]})}")
        if number is None:
            return None
        told: list[Any] = json.loads(self.packet(f"6:::{number}+").partition("+")[2])
        return told

    def event(self, topic: str, data: Any = None, target: str = "", **more: Any) -> Event:
        """Return an event to emit."""
        return {
            "id": uuid.uuid4().hex,
            "topic": topic,
            "data": {} if data is None else data,
            "source": {"id": self.id, "user": {"username": self.client.user}},
            "target": target,
            "inReplyToEvent": None,
            "sent": None,
            **more,
        }

    def _subscribe(
        self, expression: str, metadata: dict[str, Any], answer: Optional[Answer]
    ) -> None:
        if answer is not None:
            topic = expression.partition("topic=")[2].split()[0].strip('"')
            self._answers.append((topic, answer))
        data = {"subscriber": metadata, "subscription": expression}
        told = self.emit(self.event("ftrack.meta.subscribe", data))
        assert told is not None
        assert told[0]["success"], told

    def publish(self, topic: str, data: Any = None, target: str = "", **more: Any) -> str:
        """Publish an event and return its id. Replies come to the id of this listener."""
        self._hear_replies()
        event = self.event(topic, data, target, **more)
        event["source"] = {"id": self.id, "user": {"username": self.client.user}, **event["source"]}
        self.emit(event)
        return str(event["id"])

    def _hear_replies(self) -> None:
        """Subscribe to replies with the id of this listener, once."""
        if not self._hears_replies:
            self._hears_replies = True
            self._subscribe("topic=ftrack.meta.reply", {"id": self.id}, None)

    def reply(self, event: Event, data: Any) -> None:
        """Reply to *event*."""
        target = f"id={event['source']['id']}"
        reply = self.event("ftrack.meta.reply", data, target, inReplyToEvent=event["id"])
        self.emit(reply, acknowledged=False)

    def close(self) -> None:
        """Close the websocket and wait for the end of the thread."""
        self._socket.close()
        self._thread.join(PATIENCE)


class HubListener(Listener):
    """Uses the event hub of a Python module."""

    def __init__(self, client: Client, run: str, module: str) -> None:
        super().__init__(client, run)
        self._event = importlib.import_module(f"{module}.event.base").Event
        hub = importlib.import_module(f"{module}.event.hub").EventHub
        self._hub = hub(client.url, client.user, client.key)
        self._hub.connect()
        deadline = time.monotonic() + PATIENCE
        while not self._hub.connected:
            assert time.monotonic() < deadline, "the event hub has no connection"
            self._hub.wait(0.05)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        while not self._ended.is_set():
            self._hub.wait(0.05)

    def _subscribe(
        self, expression: str, metadata: dict[str, Any], answer: Optional[Answer]
    ) -> None:
        def handle(event: Any) -> Any:
            told = _plain(event)
            self.take(told)
            return None if answer is None else answer(told)

        self._hub.subscribe(expression, handle, metadata)

    def publish(self, topic: str, data: Any = None, target: str = "", **more: Any) -> str:
        """Publish an event and return its id."""
        source = more.pop("source", None)
        event = self._event(topic, data={} if data is None else data, target=target, source=source)
        self._hub.publish(event, on_reply=lambda reply: self.take(_plain(reply)))
        return str(event["id"])

    def close(self) -> None:
        """Disconnect and wait for the end of the thread."""
        self._ended.set()
        self._thread.join(PATIENCE)
        self._hub.disconnect()


def _plain(event: Any) -> Event:
    """Return the event of a client library as a mapping."""
    return {
        "inReplyToEvent": event.get("in_reply_to_event"),
        **{name: value for name, value in event.items() if name != "in_reply_to_event"},
    }


def connect_events(client: Client, run: str) -> Listener:
    """Return a listener that fits *client*; skip if the server has no events."""
    if handshake(client).status_code == 501:
        pytest.skip("the server has no events")
    modules = {"ours": "ftrack_like", "published": "ftrack_api"}
    if client.name in modules:
        return HubListener(client, run, modules[client.name])
    return RawListener(client, run)
