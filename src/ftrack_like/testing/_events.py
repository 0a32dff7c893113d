"""Events in tests: record them, run listeners, and launch actions as the web client does."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import operator
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Optional, TypeVar, Union, cast

from ftrack_like._base.suggest import did_you_mean
from ftrack_like._base.value_errors import shown
from ftrack_like.exception import EventHubError
from ftrack_like.testing._checks import SuggestsMembers, checked_entities
from ftrack_like.testing._listeners import (
    ANSWER,
    QUESTION,
    ListenerErrors,
    RunningListener,
    shortened,
    with_traceback,
)
from ftrack_like.testing._parts import matcher, near_misses
from ftrack_like.wire.events import Event, to_wire

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.entity.base import Entity
    from ftrack_like.session import Session
    from ftrack_like.testing._server import Sandbox

__all__ = ["EventRecorder"]

#: For pytest: a failed check is shown at the line of the test, without the source of the kit.
__tracebackhide__ = operator.methodcaller("errisinstance", AssertionError)

#: The session that a listener takes: of the library, or with the types of a site.
_Session = TypeVar("_Session", bound="Session")

#: The maximum number of events in an error, and of characters of one.
_LISTED = 20
_LENGTH = 300

#: Seconds to wait for an event, for a reply, and until listeners are idle.
_PATIENCE = 5.0

#: Seconds to wait for the menus of listeners that the recorder does not run.
_MENU = 1.0


class EventRecorder(SuggestsMembers):
    """Records the events of *sandbox* from the start to :meth:`close`; a context manager.

    :attr:`published` lists them, the earliest first. A commit has published its events when it
    returns.

    An exception of a callback that :meth:`listen` runs fails the test at its end, unless the test
    expects it with :meth:`take_errors`. So does the end of a ``with`` block.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        """Begin to record."""
        self._sandbox = sandbox
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._listeners: list[RunningListener] = []
        self._errors = ListenerErrors(lambda: self._listeners)
        self._stack = contextlib.ExitStack()
        self._session: Optional[Session] = None
        broker = sandbox.broker
        self._catch_up = broker.exchange.catch_up
        broker.listeners.append(self._record)
        self._stack.callback(broker.listeners.remove, self._record)
        self._errors.begin()
        self._stack.callback(self._errors.end)

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
        """Stop; see :meth:`fail_on_errors`."""
        try:
            if kind is None:
                self.fail_on_errors()
        finally:
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
        found = self._wait_for(matcher(topic, expected, where), timeout)
        if found is None:
            hint = self._hint(topic, fields)
            raise AssertionError(self._complaint(topic, expected, timeout, hint))
        return found

    def assert_not_published(
        self,
        topic: str,
        data: Optional[Mapping[str, Value]] = None,
        *,
        where: Optional[Callable[[Event], bool]] = None,
        timeout: float = _PATIENCE,
        **fields: Value,
    ) -> None:
        """Wait until the listeners are idle; fail if such an event was published.

        The arguments are those of :meth:`assert_published`. The listeners are those that
        :meth:`listen` runs. They are idle when their callbacks have returned for all events so far,
        and for those that these callbacks published. Fail also if they are not within *timeout*
        seconds. Threads that a listener starts itself are not waited for.
        """
        expected = {**(data or {}), **fields}
        self._catch_up()
        found = self._wait_until_idle(matcher(topic, expected, where), timeout)
        if isinstance(found, Event):
            raise AssertionError(f"Published, but not expected: {_in_words(found)}")
        if not found:
            raise AssertionError(
                f"Listeners were still busy after {timeout:g} s, so {topic} may be published "
                "later. Pass a longer timeout."
            )

    def take_errors(self, timeout: float = _PATIENCE) -> list[BaseException]:
        """Return the exceptions of callbacks so far, the earliest first; they are expected.

        Wait up to *timeout* seconds until the listeners are idle. The exceptions no longer fail the
        test.
        """
        self._wait_until_idle(_nothing, timeout)
        return self._errors.take()

    def fail_on_errors(self) -> None:
        """Fail if callbacks raised exceptions that the test did not take; forget them.

        Wait up to 5 seconds until the listeners are idle.
        """
        errors = self.take_errors()
        if errors:
            text = "\n".join(map(with_traceback, errors))
            raise AssertionError(
                f"A listener raised {text}\nIf the test expects that, it must call "
                "ftrack_events.take_errors()."
            )

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
        lines = [f"{wanted} was not published within {timeout:g} s. {hint}".rstrip()]
        lines += near_misses(events, topic, expected)
        if events:
            lines += ["Published:", *(f"  {_in_words(one)}" for one in events[-_LISTED:])]
        else:
            lines.append("Nothing was published.")
        return "\n".join([*self._reported(), *lines])

    # Activity

    def publish(self, topic: str, data: Optional[Mapping[str, Value]] = None) -> None:
        """Publish an event as the administrator; return when the server has routed it."""
        self._publish(Event(topic=topic, data=dict(data or {})))

    def _publish(self, event: Event) -> None:
        """Publish *event* as the administrator; return when the server has routed it."""
        self._hub_session().event_hub.publish(event)
        identifier = event["id"]
        self._require(lambda one: one["id"] == identifier, f"the event {event['topic']}")

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
        listener = RunningListener(session)
        listener.subscribe()
        listener.publish_answer(None)
        self._require(
            lambda one: one["topic"] == ANSWER and one["data"]["hub"] == listener.hub_id,
            "the first event of a listener",
        )
        self._listeners.append(listener)
        listener.start()
        self._stack.callback(listener.close)
        return session

    def discover(self, selection: Sequence[Entity] = ()) -> list[dict[str, Value]]:
        """Return the entries of the actions menu for *selection*, from all running listeners.

        Wait up to 5 seconds until the listeners of :meth:`listen` have handled the request, and for
        one second if it also reaches a hub that the recorder does not run.
        """
        event = Event(topic="ftrack.action.discover", data={"selection": _as_selection(selection)})
        self._ask(event, _nothing, _PATIENCE, _MENU)
        return _menu(self._replies_to(event))

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
        reply = self._ask(event, lambda one: _answers(one, event), timeout, timeout)
        if reply is None:
            hint = did_you_mean(identifier, self._listening(), "Start it with listen().")
            message = f"No action {identifier!r} replied. {hint}"
            raise AssertionError("\n".join([*self._reported(), message]))
        return reply["data"]

    def _require_offered(
        self, identifier: str, selection: Sequence[Mapping[str, str]], timeout: float
    ) -> None:
        """Fail unless a listener offers the action *identifier* for *selection*.

        Wait until the listeners of :meth:`listen` are idle, at most *timeout* seconds. If the
        request reaches another hub, wait *timeout* seconds if a hub listens for the action, else
        one second.
        """
        event = Event(topic="ftrack.action.discover", data={"selection": list(selection)})

        def offers(reply: Event) -> bool:
            return _answers(reply, event) and identifier in _identifiers([reply])

        patience = timeout if identifier in self._listening() else min(timeout, _MENU)
        if self._ask(event, offers, timeout, patience) is not None:
            return
        offered = _identifiers(self._replies_to(event))
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
        raise AssertionError("\n".join([*self._reported(), message]))

    def _listening(self) -> set[str]:
        """Return the identifiers of the actions in the subscriptions of all listeners."""
        texts = self._sandbox.broker.subscriptions()
        return {found["name"] for text in texts for found in _IDENTIFIER.finditer(text)}

    def _reported(self) -> list[str]:
        """Return the text with the errors of listeners, in a list that is empty without any."""
        summary = self._errors.summary()
        return [summary] if summary else []

    def _replies_to(self, event: Event) -> list[Event]:
        """Return the replies to *event* so far."""
        with self._changed:
            return [one for one in self._events if _answers(one, event)]

    def _ask(
        self,
        event: Event,
        matches: Callable[[Event], bool],
        timeout: float,
        foreign_timeout: float,
    ) -> Optional[Event]:
        """Publish *event*, and return the first event that *matches*, or None.

        Stop when the listeners are idle, or after *timeout* seconds. If *event* reaches a hub that
        the recorder does not run, wait *foreign_timeout* seconds.
        """
        deadline = time.monotonic() + foreign_timeout
        self._publish(event)
        found = self._wait_until_idle(matches, timeout)
        if isinstance(found, Event):
            return found
        known = {each.hub_id for each in self._listeners}
        if self._sandbox.broker.hubs_for(to_wire(event)) <= known:
            return None
        return self._wait_for(matches, deadline - time.monotonic())

    def _wait_until_idle(
        self, matches: Callable[[Event], bool], timeout: float
    ) -> Union[Event, bool]:
        """Return the first event that *matches*, or else whether the listeners became idle.

        Ask each listener a question. A hub handles events in order, and the server keeps the order
        of the events of a hub. So the answer comes after everything that the callbacks published.
        Ask again if that was anything: other listeners may still handle it.
        """
        deadline = time.monotonic() + timeout
        while True:
            count = self._count()
            waiting = self._ask_listeners(matches, deadline)
            found = self._wait_for(matches, 0)
            if found is not None:
                return found
            if waiting:
                return False
            if self._count() == count:
                return True

    def _ask_listeners(self, matches: Callable[[Event], bool], deadline: float) -> set[str]:
        """Return the hubs that have not answered a question until *deadline*, or until a match."""
        waiting = {each.hub_id for each in self._listeners if each.runs}
        if not waiting:
            return waiting
        question = Event(topic=QUESTION)
        try:
            self._publish(question)
        except EventHubError:
            return set()  # Without a server, no event can arrive.

        def settles(event: Event) -> bool:
            if event["topic"] == ANSWER and event["data"]["question"] == question["id"]:
                waiting.discard(event["data"]["hub"])
            return not waiting or matches(event)

        self._wait_for(settles, deadline - time.monotonic())
        return waiting

    def _count(self) -> int:
        """Return the number of events so far, without questions and answers."""
        with self._changed:
            return sum(one["topic"] not in (QUESTION, ANSWER) for one in self._events)

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
_HIDDEN = frozenset({QUESTION, ANSWER, "ftrack.meta.reply"})


def _nothing(event: Event) -> bool:
    """Return that *event* does not match."""
    return False


def _answers(reply: Event, event: Event) -> bool:
    """Return whether *reply* is a reply to *event*."""
    return bool(reply["in_reply_to_event"] == event["id"])


#: The identifier of an action in a subscription.
_IDENTIFIER = re.compile(r"data\.actionIdentifier\s*=\s*[\"']?(?P<name>[^\s\"']+)")


def _menu(replies: Iterable[Event]) -> list[dict[str, Value]]:
    """Return the entries of the actions menu in *replies*."""
    data = [one["data"] for one in replies if isinstance(one["data"], Mapping)]
    return [dict(item) for one in data for item in one.get("items") or [one]]


def _identifiers(replies: Iterable[Event]) -> set[str]:
    """Return the identifiers of the actions in *replies*."""
    return {str(item["actionIdentifier"]) for item in _menu(replies) if "actionIdentifier" in item}


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


def _in_words(event: Event) -> str:
    return f"{event['topic']} {shortened(json.dumps(event['data'], default=str), _LENGTH)}"
