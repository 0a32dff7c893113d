"""Deliver a batch of changes exactly once, also when its answer is lost on the way."""

from __future__ import annotations

import itertools
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like._collaborators import (
    calls_of,
    connection_settings_of,
    connections_of,
    retry_policy_of,
    statistics_of,
)
from ftrack_like._literals import key_condition
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.payloads import OperationPayload
from ftrack_like._session.values import remedy
from ftrack_like._transport.exchange import (
    MOST_TIMEOUTS,
    repetition_of,
    warn_of_repetition,
    with_attempts,
)
from ftrack_like._transport.interruption import interruption
from ftrack_like._transport.limits import total_for
from ftrack_like._transport.retry import RetryPolicy

if TYPE_CHECKING:
    from ftrack_like._types import Json
    from ftrack_like.session import Session

__all__ = ["Delivery"]

_logger = logging.getLogger(__name__)

#: Entities asked for at a time, when it must be found out whether a batch was carried out.
CHUNK = 200


class Delivery:
    """One batch on its way to the server.

    A batch is *in doubt* from the moment it is sent until the server's answer to it is known.
    Whatever ends the waiting, a broken connection, Ctrl-C or an exception of a signal handler,
    leaves it in doubt, and :meth:`send` may be called again. It then asks the server for the
    entities that the batch creates (the client makes their ids) or deletes: a batch is one
    transaction, so their presence tells whether the server applied it. If it did not, the same
    batch is sent again. Updates alone are sent again without asking.
    """

    def __init__(self, session: Session, batch: list[Any]) -> None:
        """Initialise for *session* with the *batch*, payloads that are not changed any more."""
        self._session = session
        self._batch = batch
        self._policy = retry_policy_of(session) or RetryPolicy(attempts=6)
        #: The seconds after the begin of :meth:`send` in which the batch may be sent again.
        self._deadline: float = connection_settings_of(session).deadline or math.inf
        #: Whether the server may have applied the batch, or may still do so.
        self.in_doubt = False

    def send(self) -> Json:
        """Return the results of the batch.

        Raise the server's error if it refuses the batch, with the failing operation where it is
        known; a :exc:`~ftrack_like.exception.ServerConnectionError` if it cannot be reached, and
        :exc:`~ftrack_like.exception.ConnectionClosedError` when the session is closed.
        """
        begun = time.monotonic()
        timeouts = 0
        for attempt in itertools.count(1):
            if self.in_doubt:
                results = self.results_if_applied()
                if results is not None:
                    return results
            try:
                return self._call()
            except exception.ServerConnectionError as error:
                if not self.in_doubt or interruption(error):
                    raise
                lost = error
            timeouts += isinstance(lost, exception.ServerTimeoutError)
            elapsed = time.monotonic() - begun
            wait = self._policy.delay(attempt, elapsed, lost.retry_after)
            if wait is None or timeouts >= MOST_TIMEOUTS or elapsed + wait >= self._deadline:
                raise with_attempts(lost, attempt, elapsed)
            self._note_retry(attempt, lost, wait)
            if connections_of(self._session).wait(wait):
                raise exception.ConnectionClosedError()
        raise AssertionError("unreachable")

    def _note_retry(
        self, attempt: int, error: exception.ServerConnectionError, wait: float
    ) -> None:
        """Count and log that the batch is sent again in *wait* seconds."""
        session = self._session
        statistics_of(session).count(retries=1)
        total = total_for(connection_settings_of(session).timeout(session.request_timeout))
        told = repetition_of(self._policy, attempt, error, wait, error.retry_after, total)
        told = told._replace(longest=min(told.longest, self._deadline))
        warn_of_repetition(_logger, "a commit", told)

    def _call(self) -> Json:
        """Send the batch once and return its results.

        *in_doubt* is set first, and cleared only when the outcome is certain: an exception may
        come between any two instructions.
        """
        doubted = self.in_doubt
        requests = calls_of(self._session).running
        begun = requests.begun
        self.in_doubt = True
        try:
            return self._session.call(self._batch)
        except exception.ServerConnectionError as error:
            self.in_doubt = doubted or error.request_sent
            raise
        except exception.ServerAnswerError as error:
            self._name_operation(error)
            raise
        except exception.ServerError as error:
            if interruption(error):
                raise
            # The repetition may be refused because the first one was applied after all.
            results = self.results_if_applied() if doubted else None
            if results is not None:
                return results
            self.in_doubt = False
            if self._updates_instead(error):
                return self._call()
            self._name_operation(error)
            raise
        except Exception:
            # Such as a value that cannot be encoded: then no request was begun.
            self.in_doubt = doubted or requests.begun != begun
            raise

    def _updates_instead(self, error: exception.ServerError) -> bool:
        """Update an item of metadata that *error* says another session has created; else False.

        To set a key of a mapping is the same for both sessions: the last value counts.
        """
        payload = self._failing(error)
        if (
            payload is None
            or not isinstance(error, exception.ServerNotUniqueError)
            or (payload["action"], payload["entity_type"]) != ("create", "Metadata")
        ):
            return False
        names = self._session.types["Metadata"].primary_key_attributes
        data = {k: v for k, v in payload["entity_data"].items() if k not in names}
        update = OperationPayload({**payload, "action": "update", "entity_data": data})
        self._batch[self._batch.index(payload)] = update
        return True

    def results_if_applied(self) -> Optional[list[Any]]:
        """Return the results of the batch if the server carried it out, else None.

        Wait first for requests whose caller was interrupted: one of them may carry this batch.
        """
        calls_of(self._session).running.wait()
        for action, are_there in (("create", True), ("delete", False)):
            payloads = [each for each in self._batch if each["action"] == action]
            if payloads:
                found = self._count_existing(payloads)
                applied = found == (len(payloads) if are_there else 0)
                return self._echo() if applied else None
        return None

    def _count_existing(self, payloads: list[Any]) -> Optional[int]:
        """Return how many of the entities of *payloads* the server holds.

        Return None if it refuses to say, or if a replaced ``call`` answers something else.
        """
        count = 0
        for expression in self._expressions(payloads):
            batch = RawBatch([{"action": "query", "expression": expression}])
            try:
                count += len(self._session.call(batch)[0]["data"])
            except (exception.ServerConnectionError, exception.ServerAuthenticationError):
                raise
            except (exception.ServerError, LookupError, TypeError):
                return None
        return count

    def _expressions(self, payloads: list[Any]) -> Iterator[str]:
        """Yield queries for the entities of *payloads*, a chunk of one type each."""
        by_type: dict[str, list[Any]] = {}
        for payload in payloads:
            by_type.setdefault(payload["entity_type"], []).append(payload["entity_key"])
        for entity_type, keys in by_type.items():
            names = self._session.types[entity_type].primary_key_attributes
            for start in range(0, len(keys), CHUNK):
                conditions = [key_condition(names, key) for key in keys[start : start + CHUNK]]
                yield (
                    f"select {', '.join(names)} from {entity_type} "
                    f"where {' or '.join(conditions)} limit {CHUNK}"
                )

    def _echo(self) -> list[Any]:
        """Return results as the server gives them: the attributes sent, as they were sent."""
        encoded = self._session.encode(list(self._batch), entity_attribute_strategy="modified_only")
        return [self._result(payload) for payload in json.loads(encoded)]

    def _result(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of one *payload* in its encoded form."""
        if payload["action"] == "query":
            return {"action": "query", "data": []}
        if payload["action"] == "delete":
            return {"action": "delete", "data": True}
        names = self._session.types[payload["entity_type"]].primary_key_attributes
        key = dict(zip(names, payload["entity_key"]))
        return {"action": payload["action"], "data": {**payload["entity_data"], **key}}

    def _failing(self, error: exception.ServerError) -> Optional[Mapping[str, Any]]:
        """Return the payload that *error* is about: as the server says, else by its text.

        Not all servers tell; the text of an error often names an entity of the batch.
        """
        if error.operation is not None and error.operation < len(self._batch):
            told: Mapping[str, Any] = self._batch[error.operation]
            return None if told["action"] == "query" else told
        text = str(error)
        changes = [payload for payload in self._batch if payload["action"] != "query"]
        suspects = [
            payload
            for payload in changes
            if any(len(str(value)) > 8 and str(value) in text for value in payload["entity_key"])
        ]
        if not suspects and len(changes) == 1:
            suspects = changes
        return suspects[0] if len(suspects) == 1 else None

    def _name_operation(self, error: exception.ServerError) -> None:
        """Add the failing operation to *error* when it is known, and what to do about it."""
        payload = self._failing(error)
        hint = remedy(self._session, self._batch if payload is None else [payload])
        text = f"{error}\n{hint}" if hint else str(error)
        if payload is None:
            error.message, error.details = text, {}
            return
        key = ", ".join(str(value) for value in payload["entity_key"])
        name = payload.get("entity_data", {}).get("name")
        shown = f" {name!r}" if isinstance(name, str) else ""
        error.message = (
            f"{text}\nThe failing operation: {payload['action']} "
            f"{payload['entity_type']}{shown} ({key})." + _hint(error, payload["action"])
        )
        error.details = {}


def _hint(error: exception.ServerError, action: str) -> str:
    """Return what another session may have done to make *action* fail with *error*."""
    if isinstance(error, exception.ServerNotFoundError) and action in ("delete", "update"):
        return (
            " Another session or user deleted it since this session read it. Take the change back "
            "with rollback()."
        )
    if isinstance(error, exception.ServerNotUniqueError) and action == "create":
        return (
            " It exists already, maybe since another session has created it: query for it, or "
            "change the new one."
        )
    if isinstance(error, exception.ServerValidationError) and "does not exist" in str(error):
        return " Another session or user may have deleted it."
    return ""
