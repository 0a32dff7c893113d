"""The listeners of a test: hubs that handle their events on threads, and what they raise."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from ftrack_like.wire.events import Event

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["ANSWER", "QUESTION", "ListenerErrors", "RunningListener", "shortened", "with_traceback"]

#: The topic of the events with which a recorder asks the listeners whether they are idle.
QUESTION = "ftrack_like.testing.question"

#: The topic of the events with which the hub of a listener answers.
ANSWER = "ftrack_like.testing.answer"

#: The logger above all others of the client.
_LOGGER = "ftrack_like"

#: The priority of the callback that answers, before those of programs.
_FIRST = -1_000_001

#: Seconds until the thread of a listener must end.
_PATIENCE = 5.0

#: The maximum number of characters of an error that was logged.
_LENGTH = 300


class RunningListener:
    """Handles the events of *session* on a thread, one after the other.

    Call :meth:`subscribe`, later :meth:`start`, and :meth:`close` at the end.
    """

    def __init__(self, session: Session) -> None:
        self._hub = session.event_hub
        self._thread = threading.Thread(
            target=self._handle_events, name="ftrack-like-listener", daemon=True
        )

    @property
    def hub_id(self) -> str:
        """Return the id of the hub in the events that it publishes."""
        return self._hub.id

    @property
    def logger_name(self) -> str:
        """Return the name of the logger of the hub."""
        return self._hub.logger.name

    @property
    def thread_id(self) -> Optional[int]:
        """Return the number of the thread, None before the start."""
        return self._thread.ident

    @property
    def runs(self) -> bool:
        """Return whether the thread handles events."""
        return self._thread.is_alive() and self._thread is not threading.current_thread()

    def subscribe(self) -> None:
        """Answer questions. A hub keeps the order of events, so all earlier ones are handled."""
        self._hub.subscribe(f"topic={QUESTION}", self._answer, priority=_FIRST)

    def start(self) -> None:
        """Begin to handle events."""
        self._thread.start()

    def close(self) -> None:
        """Close the hub, which ends the thread."""
        self._hub.close()
        self._thread.join(_PATIENCE)

    def publish_answer(self, question: object) -> None:
        """Publish the answer to *question*, the id of an event."""
        data = {"question": question, "hub": self.hub_id}
        # The target keeps the answer from listeners to all topics. The recorder sees all events.
        self._hub.publish(Event(topic=ANSWER, data=data, target=f"id={ANSWER}"))

    def _answer(self, event: Event) -> None:
        event.stop()  # A listener to all topics must not see questions.
        self.publish_answer(event["id"])

    def _handle_events(self) -> None:
        while self._hub.connected:
            self._hub.wait()


class ListenerErrors(logging.Handler):
    """Keeps the errors of listeners: those that callbacks raise, and those that the client logs.

    *running* returns the listeners.
    """

    def __init__(self, running: Callable[[], list[RunningListener]]) -> None:
        super().__init__(logging.ERROR)
        self._running = running
        self._guard = threading.Lock()
        self._raised: list[BaseException] = []
        self._texts: list[str] = []

    def begin(self) -> None:
        """Begin to keep errors."""
        logging.getLogger(_LOGGER).addHandler(self)

    def end(self) -> None:
        """Stop."""
        logging.getLogger(_LOGGER).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of *record*."""
        error = record.exc_info[1] if record.exc_info else None
        with self._guard:
            if error is not None and self._is_of_callback(record):
                self._raised.append(error)
                return
            text = shortened(record.getMessage(), _LENGTH)
            self._texts.append(text if error is None else f"{_one_line(error)} {text}")

    def _is_of_callback(self, record: logging.LogRecord) -> bool:
        """Return whether a hub logged *record* because a callback of a listener raised."""
        return any(
            (record.thread, record.name) == (each.thread_id, each.logger_name)
            for each in self._running()
        )

    @property
    def count(self) -> int:
        """Return the number of errors that callbacks raised."""
        with self._guard:
            return len(self._raised)

    def take(self) -> list[BaseException]:
        """Return the errors that callbacks raised, the earliest first, and forget them."""
        with self._guard:
            raised, self._raised = self._raised, []
        return raised

    def summary(self) -> str:
        """Return each different error in a line, or an empty text."""
        with self._guard:
            lines = [_one_line(each) + _raising_line(each) for each in self._raised] + self._texts
        counts = {line: lines.count(line) for line in lines}
        listed = [f"\n  {line}{_repetition(number)}" for line, number in counts.items()]
        return f"Listeners reported:{''.join(listed)}" if listed else ""


def _one_line(error: BaseException) -> str:
    return shortened(f"{type(error).__name__}: {error}".replace("\n", " "), _LENGTH)


def _raising_line(error: BaseException) -> str:
    """Return the line that raised *error*."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return f" ({last.filename}:{last.lineno}, in {last.name})" if last else ""


def with_traceback(error: BaseException) -> str:
    """Return the text of *error*, and below it the traceback."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    return f"{_one_line(error)}\n\nTraceback (most recent call last):\n{trace}"


def _repetition(number: int) -> str:
    return f" ({number} times)" if number > 1 else ""


def shortened(text: str, length: int) -> str:
    """Return *text*, or its first *length* characters and an ellipsis."""
    return text if len(text) <= length else f"{text[:length]}…"
