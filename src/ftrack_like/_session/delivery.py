"""Deliver a batch of changes exactly once, also when its answer is lost on the way."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ftrack_like import exception
from ftrack_like._literals import key_condition
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.values import remedy
from ftrack_like._transport.retry import RetryPolicy

__all__ = ["Delivery"]

#: Entities asked for at a time, when it must be found out whether a batch was carried out.
CHUNK = 200


class Delivery:
    """One batch on its way to the server.

    When the connection breaks after the batch was sent, nobody knows whether the server carried
    it out. Then it is asked for the entities that the batch creates (their ids are made here) or
    deletes: batches are transactions, so any of them tells of all. Updates alone may simply be
    sent again.

    *in_doubt* says, after :meth:`send` raised, whether the server may have carried the batch out
    all the same.
    """

    def __init__(self, session: Any, batch: list[Any]) -> None:
        """Initialise for *session* with the *batch*, payloads that are not changed any more."""
        self._session = session
        self._batch = batch
        self._policy = RetryPolicy(attempts=6)
        self.in_doubt = False

    def send(self) -> Any:
        """Return the results of the batch.

        Raise the server's error if it refuses the batch, with the failing operation where it is
        known; a :exc:`~ftrack_like.exception.ServerConnectionError` if it cannot be reached.
        """
        begun = time.monotonic()
        for attempt in itertools.count(1):
            try:
                return self._session.call(self._batch)
            except exception.ServerConnectionError as error:
                if not error.request_sent and not self.in_doubt:
                    raise
                self.in_doubt = True
                lost = error
            except exception.ServerError as error:
                results = self.results_if_applied() if self.in_doubt else None
                if results is not None:
                    return results  # The repetition found what the first one left.
                self.in_doubt = isinstance(error, exception.ServerAnswerError)
                self._name_operation(error)
                raise
            except BaseException as error:
                # Such as Ctrl-C, which may come at any time.
                self.in_doubt = self.in_doubt or not isinstance(error, Exception)
                raise
            results = self.results_if_applied()
            if results is not None:
                return results
            wait = self._policy.delay(attempt, time.monotonic() - begun, lost.retry_after)
            if wait is None:
                raise lost
            self._session._statistics.count(retries=1)
            time.sleep(wait)
        raise AssertionError("unreachable")

    def results_if_applied(self) -> Optional[list[Any]]:
        """Return the results of the batch if the server carried it out, else None."""
        for action, are_there in (("create", True), ("delete", False)):
            payloads = [each for each in self._batch if each["action"] == action]
            if payloads:
                found = self._count_existing(payloads)
                applied = found == len(payloads) if are_there else found == 0
                return self._echo() if applied else None
        return None

    def _count_existing(self, payloads: list[Any]) -> int:
        """Return how many of the entities of *payloads* the server holds."""
        count = 0
        for expression in self._expressions(payloads):
            batch = RawBatch([{"action": "query", "expression": expression}])
            count += len(self._session.call(batch)[0]["data"])
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
            return told
        text = str(error)
        suspects = [
            payload
            for payload in self._batch
            if any(len(str(value)) > 8 and str(value) in text for value in payload["entity_key"])
        ]
        if not suspects and len(self._batch) == 1:
            suspects = self._batch
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
            f"{payload['entity_type']}{shown} ({key})."
        )
        error.details = {}
