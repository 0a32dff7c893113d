"""Events in tests: record them, run listeners, and launch actions as the web client does."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Optional, TypeVar, cast

from ftrack_like._base.suggest import did_you_mean
from ftrack_like._base.value_errors import shown
from ftrack_like.testing._checks import SuggestsMembers, checked_entities
from ftrack_like.wire.events import Event, new_id

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session
    from ftrack_like.testing._server import Sandbox

__all__ = ["EventRecorder"]

#: The session that a listener takes: of the library, or with the types of a site.
_Session = TypeVar("_Session", bound="Session")

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
            hint = self._hint(topic, fields)
            raise AssertionError(self._complaint(topic, expected, timeout, hint))
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

    def _hint(self, topic: str, fields: Iterable[str]) -> str:
        """Return the suggestion for a mistyped *topic*, or for a mistyped name in *fields*."""
        events = self.published
        of_topic = [one for one in events if fnmatch.fnmatchcase(one["topic"], topic)]
        if not of_topic:
            return did_you_mean(topic, {str(one["topic"]) for one in events})
        known = {"data", "timeout", "where"}
        for event in of_topic:
            if isinstance(event["data"], Mapping):
                known.update(map(str, event["data"]))
        return next((did_you_mean(each, known) for each in fields if each not in known), "")

    def _complaint(
        self, topic: str, expected: Mapping[str, Value], timeout: float, hint: str
    ) -> str:
        wanted = f"{topic} with {json.dumps(expected, default=str)}" if expected else topic
        events = self.published
        listed = "".join(f"\n  {_in_words(one)}" for one in events[-_LISTED:])
        message = f"{wanted} was not published within {timeout:g} s. {hint}{' ' if hint else ''}"
        message += f"Published: {listed}" if listed else "Nothing was published."
        return message + self._reported()

    # Activity

    def publish(self, topic: str, data: Optional[Mapping[str, Value]] = None) -> None:
        """Publish an event as the administrator; return when the server has routed it."""
        event = Event(topic=topic, data=dict(data or {}))
        self._hub_session().event_hub.publish(event)
        identifier = event["id"]
        self._require(lambda one: one["id"] == identifier, f"the event {topic}")

    def listen(self, register: Callable[[_Session], object], **options: Value) -> Session:
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
        cast("Callable[[Session], object]", register)(session)
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
        return _menu(replies)

    def launch(
        self,
        identifier: str,
        selection: Sequence[Entity] = (),
        values: Optional[Mapping[str, Value]] = None,
        *,
        timeout: float = _PATIENCE,
        always: bool = False,
        **data: Value,
    ) -> Value:
        """Launch the action *identifier* for *selection*, and return the data of its reply.

        *values* are those of a form. *data* are further entries of the event, such as ``variant``.
        Fail with the errors of listeners if there is no reply within *timeout* seconds.

        As the web client does, ask for the menu first, and fail if the action is not offered for
        *selection* in this time. With *always*, launch it without asking.
        """
        content = {"actionIdentifier": identifier, "selection": _as_selection(selection), **data}
        if values is not None:
            content["values"] = dict(values)
        if not always:
            self._require_offered(identifier, content["selection"], timeout)
        event = Event(topic="ftrack.action.launch", data=content)
        reply = self._hub_session().event_hub.publish_and_wait(event, timeout)
        if reply is None:
            hint = did_you_mean(identifier, self._listening(), "Start it with listen().")
            raise AssertionError(
                f"No action {identifier!r} replied within {timeout:g} s. {hint}{self._reported()}"
            )
        return reply["data"]

    def _require_offered(
        self, identifier: str, selection: Sequence[Mapping[str, str]], timeout: float
    ) -> None:
        """Fail unless a listener offers the action *identifier* for *selection*.

        Wait *timeout* seconds if somebody listens for the action, else one second.
        """
        event = Event(topic="ftrack.action.discover", data={"selection": list(selection)})
        self._hub_session().event_hub.publish(event)

        def answers(reply: Event) -> bool:
            return bool(reply["in_reply_to_event"] == event["id"])

        def offers(reply: Event) -> bool:
            return answers(reply) and identifier in _identifiers([reply])

        patience = timeout if identifier in self._listening() else min(timeout, 1.0)
        if self._wait_for(offers, patience) is not None:
            return
        with self._changed:
            offered = _identifiers(one for one in self._events if answers(one))
        known = {*offered, *self._listening()}
        if identifier in known:
            listed = ", ".join(map(repr, sorted(offered))) or "none"
            message = (
                f"The action {identifier!r} is not offered for this selection. Offered are: "
                f"{listed}. Pass always=True to launch it all the same."
            )
        else:
            hint = did_you_mean(identifier, known, "Start it with listen().")
            message = f"No action {identifier!r} is offered. {hint}"
        raise AssertionError(message + self._reported())

    def _listening(self) -> set[str]:
        """Return the identifiers of the actions in the subscriptions of all listeners."""
        texts = self._sandbox.broker.subscriptions()
        return {found["name"] for text in texts for found in _IDENTIFIER.finditer(text)}

    def _reported(self) -> str:
        """Return a line for each error of a listener."""
        errors = "".join(f"\n  {one}" for one in self._errors.texts)
        return f"\nListeners reported: {errors}" if errors else ""

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


#: The identifier of an action in a subscription.
_IDENTIFIER = re.compile(r"data\.actionIdentifier\s*=\s*[\"']?(?P<name>[^\s\"']+)")


def _menu(replies: Iterable[Event]) -> list[dict[str, Value]]:
    """Return the entries of the actions menu in *replies*."""
    data = [one["data"] for one in replies if isinstance(one["data"], Mapping)]
    return [dict(item) for one in data for item in one.get("items") or [one]]


def _identifiers(replies: Iterable[Event]) -> set[str]:
    """Return the identifiers of the actions in *replies*."""
    return {str(item["actionIdentifier"]) for item in _menu(replies) if "actionIdentifier" in item}


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
