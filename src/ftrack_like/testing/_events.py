"""Events in tests: record them, run listeners, and launch actions as the web client does."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.value_errors import shown
from ftrack_like.testing._checks import SuggestsMembers, checked_entities
from ftrack_like.wire.events import Event, new_id

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session
    from ftrack_like.testing._server import Sandbox

__all__ = ["EventRecorder"]

#: The topic of the events with which the recorder waits for a hub.
_MARK = "ftrack_like.testing.mark"

#: The logger above all others of the client.
_LOGGER = "ftrack_like"

#: The maximum number of events in an error, and of characters of one.
_LISTED = 20
_LENGTH = 300

#: Seconds to wait for an event or a reply.
_PATIENCE = 5.0


class EventRecorder(SuggestsMembers):
    """Records the events of *sandbox* from the start to :meth:`close`; a context manager.

    :attr:`published` lists them, the earliest first. A commit has published its events when it
    returns.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        """Begin to record."""
        self._sandbox = sandbox
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._errors = _Errors()
        self._stack = contextlib.ExitStack()
        self._session: Optional[Session] = None
        broker = sandbox.broker
        self._catch_up = broker.exchange.catch_up
        broker.listeners.append(self._record)
        self._stack.callback(broker.listeners.remove, self._record)
        logger = logging.getLogger(_LOGGER)
        logger.addHandler(self._errors)
        self._stack.callback(logger.removeHandler, self._errors)

    def __repr__(self) -> str:
        """Return the number of events so far."""
        return (
            f"<{type(self).__name__} of {self._sandbox.server_url}, events: {len(self.published)}>"
        )

    def __enter__(self) -> EventRecorder:
        """Return the recorder."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Stop."""
        self.close()

    def close(self) -> None:
        """Stop all listeners, and stop to record; a second call does nothing."""
        self._stack.close()

    @property
    def published(self) -> list[Event]:
        """Return the events so far, without replies."""
        self._catch_up()
        with self._changed:
            return [one for one in self._events if one["topic"] not in _HIDDEN]

    # Checks

    def assert_published(
        self,
        topic: str,
        data: Optional[Mapping[str, Value]] = None,
        *,
        where: Optional[Callable[[Event], bool]] = None,
        timeout: float = _PATIENCE,
        **fields: Value,
    ) -> Event:
        """Return the first event of *topic*, and wait for it up to *timeout* seconds.

        *topic* may contain ``*``. *data* and *fields* are a part of the event's data: mappings
        match if the event has all their entries, and lists if each of their items matches an item
        of the event. *where* is called with an event and returns whether it matches. Fail with the
        list of the published events, and with the errors of listeners, if none matches.
        """
        expected = {**(data or {}), **fields}

        def matches(event: Event) -> bool:
            return (
                fnmatch.fnmatchcase(event["topic"], topic)
                and _contains_part(event["data"], expected)
                and (where is None or where(event))
            )

        found = self._wait_for(matches, timeout)
        if found is None:
            raise AssertionError(self._complaint(topic, expected, timeout))
        return found

    def assert_not_published(
        self, topic: str, data: Optional[Mapping[str, Value]] = None, **fields: Value
    ) -> None:
        """Fail if an event like those of :meth:`assert_published` was published so far."""
        expected = {**(data or {}), **fields}
        for event in self.published:
            if fnmatch.fnmatchcase(event["topic"], topic) and _contains_part(
                event["data"], expected
            ):
                raise AssertionError(f"Published, but not expected: {_in_words(event)}")

    def _wait_for(self, matches: Callable[[Event], bool], timeout: float) -> Optional[Event]:
        deadline = time.monotonic() + timeout
        checked = 0
        with self._changed:
            while True:
                for event in self._events[checked:]:
                    if matches(event):
                        return event
                checked = len(self._events)
                left = deadline - time.monotonic()
                if left <= 0 or (not self._changed.wait(left) and time.monotonic() >= deadline):
                    return None

    def _complaint(self, topic: str, expected: Mapping[str, Value], timeout: float) -> str:
        wanted = f"{topic} with {json.dumps(expected, default=str)}" if expected else topic
        events = self.published
        listed = "".join(f"\n  {_in_words(one)}" for one in events[-_LISTED:])
        message = f"{wanted} was not published within {timeout:g} s. "
        message += f"Published: {listed}" if listed else "Nothing was published."
        errors = "".join(f"\n  {one}" for one in self._errors.texts)
        return f"{message}\nListeners reported: {errors}" if errors else message

    # Activity

    def publish(self, topic: str, data: Optional[Mapping[str, Value]] = None) -> None:
        """Publish an event as the administrator; return when the server has routed it."""
        event = Event(topic=topic, data=dict(data or {}))
        self._hub_session().event_hub.publish(event)
        identifier = event["id"]
        self._require(lambda one: one["id"] == identifier, f"the event {topic}")

    def listen(self, register: Callable[[Session], object], **options: Value) -> Session:
        """Run the listener that *register* sets up, until :meth:`close`; return its session.

        *register* is called with a new session whose hub is connected, as that of a plugin is. Its
        callbacks run on a separate thread. *options* are further arguments of the session. Return
        when the server knows all subscriptions. Errors of *register* reach the test.
        """
        if not callable(register):
            raise TypeError(
                "listen() takes a function that is called with a session, such as the register() "
                f"of a plugin, not {shown(register)}."
            )
        session = self._sandbox.session(plugin_paths=[], **options)
        self._stack.callback(session.close)
        session.event_hub.connect()
        register(session)
        mark = new_id()
        session.event_hub.publish(Event(topic=_MARK, data={"mark": mark}))
        self._require(lambda one: one["data"] == {"mark": mark}, "the first event of a listener")
        thread = threading.Thread(
            target=_handle_events, args=(session,), name="ftrack-like-listener", daemon=True
        )
        thread.start()
        # The stack runs these in the reverse order: the hub closes, then the thread ends.
        self._stack.callback(thread.join, _PATIENCE)
        self._stack.callback(session.event_hub.close)
        return session

    def discover(self, selection: Sequence[Entity] = ()) -> list[dict[str, Value]]:
        """Return the entries of the actions menu for *selection*, from all running listeners.

        Actions that do not reply within a second are left out.
        """
        hub = self._hub_session().event_hub
        event = Event(topic="ftrack.action.discover", data={"selection": _as_selection(selection)})
        replies = hub.publish_and_wait(event, 1.0, all_replies=True)
        data = [one["data"] for one in replies if isinstance(one["data"], Mapping)]
        return [dict(item) for one in data for item in one.get("items") or [one]]

    def launch(
        self,
        identifier: str,
        selection: Sequence[Entity] = (),
        values: Optional[Mapping[str, Value]] = None,
        *,
        timeout: float = _PATIENCE,
        **data: Value,
    ) -> Value:
        """Launch the action *identifier* for *selection*, and return the data of its reply.

        *values* are those of a form. *data* are further entries of the event, such as ``variant``.
        Fail with the errors of listeners if there is no reply within *timeout* seconds.
        """
        content = {"actionIdentifier": identifier, "selection": _as_selection(selection), **data}
        if values is not None:
            content["values"] = dict(values)
        event = Event(topic="ftrack.action.launch", data=content)
        reply = self._hub_session().event_hub.publish_and_wait(event, timeout)
        if reply is None:
            errors = "".join(f"\n  {one}" for one in self._errors.texts)
            raise AssertionError(
                f"No action {identifier!r} replied within {timeout:g} s. Start it with listen()."
                + (f"\nListeners reported: {errors}" if errors else "")
            )
        return reply["data"]

    # Details

    def _record(self, event: Mapping[str, Value]) -> None:
        """Add *event*, in its wire form."""
        copy = Event(
            topic=event["topic"],
            data=json.loads(json.dumps(event.get("data"))),
            id=event["id"],
            source=dict(event.get("source") or {}),
            target=event.get("target") or "",
            in_reply_to_event=event.get("inReplyToEvent"),
        )
        with self._changed:
            self._events.append(copy)
            self._changed.notify_all()

    def _require(self, matches: Callable[[Event], bool], words: str) -> None:
        if self._wait_for(matches, _PATIENCE) is None:
            raise AssertionError(f"The sandbox did not receive {words} within {_PATIENCE:g} s.")

    def _hub_session(self) -> Session:
        """Return a session with a connected hub, for the events that the test publishes."""
        if self._session is None:
            self._session = self._sandbox.session(plugin_paths=[])
            self._stack.callback(self._session.close)
            self._session.event_hub.connect()
        return self._session


#: Topics that :attr:`EventRecorder.published` leaves out.
_HIDDEN = frozenset({_MARK, "ftrack.meta.reply"})


class _Errors(logging.Handler):
    """Keeps the errors that listeners log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of *record*."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" {record.exc_info[1]!r}"
        self.texts.append(text)


def _handle_events(session: Session) -> None:
    """Handle the events of *session* until its hub is closed."""
    hub = session.event_hub
    while hub.connected:
        hub.wait()


def _as_selection(selection: Sequence[Entity]) -> list[dict[str, str]]:
    """Return *selection* as the web client describes it."""
    return [
        {
            "entityId": str(each["id"]),
            "entityType": _server_name(each),
        }
        for each in checked_entities("selection", selection)
    ]


def _server_name(entity: Entity) -> str:
    """Return the name of the type of *entity* in events, such as ``task`` for a shot."""
    schemas = entity.session.schemas
    alias = next((one.get("alias_for") for one in schemas if one["id"] == entity.entity_type), None)
    if isinstance(alias, Mapping):
        alias = alias.get("id")
    return str(alias or entity.entity_type).lower()


def _contains_part(value: Value, part: Value) -> bool:
    """Return whether *value* contains *part*; see :meth:`EventRecorder.assert_published`."""
    if isinstance(part, Mapping):
        return isinstance(value, Mapping) and all(
            name in value and _contains_part(value[name], each) for name, each in part.items()
        )
    if isinstance(part, (list, tuple)):
        return isinstance(value, (list, tuple)) and all(
            any(_contains_part(one, each) for one in value) for each in part
        )
    return bool(value == part)


def _in_words(event: Event) -> str:
    data = json.dumps(event["data"], default=str)
    return f"{event['topic']} {data if len(data) <= _LENGTH else f'{data[:_LENGTH]}…'}"
