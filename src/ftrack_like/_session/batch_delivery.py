"""Deliver a batch of changes exactly once, even if the connection loses its answer.

The client cannot see from a lost answer whether the server applied the batch. Sending the batch
again without asking could create entities twice, or fail because the entities already exist. Giving
up could lose the changes. So :class:`Delivery` marks the batch as in doubt. Before it sends the
batch again, it queries the server for the entities that the batch creates or deletes.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ftrack_like import exception
from ftrack_like._base.collaborators import (
    calls_of,
    connection_settings_of,
    connections_of,
    retry_policy_of,
    statistics_of,
)
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.invalid_values import ignored_names, remedy
from ftrack_like._session.link_lists import LinkPayload
from ftrack_like._session.payloads import OperationPayload
from ftrack_like._transport.exchange import (
    MOST_TIMEOUTS,
    retry_report,
    warn_of_retry,
    with_attempts,
)
from ftrack_like._transport.interruption import interruption
from ftrack_like._transport.limits import total_for
from ftrack_like._transport.retry import RetryPolicy
from ftrack_like._values.literals import key_condition

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.session import Session

__all__ = ["Delivery"]

_logger = logging.getLogger(__name__)

#: How many entities one query looks for, to find out whether the server applied a batch.
CHUNK = 200


class Delivery:
    """One batch on its way to the server.

    A batch is *in doubt* from the moment when it is sent until the server's answer is known. A
    broken connection, Ctrl-C or an exception in a signal handler leaves it in doubt, and the caller
    may call :meth:`send` again. It then queries the server for the entities that the batch creates
    or deletes, because a batch is one transaction: see :meth:`results_if_applied`. If the server
    did not apply the batch, the client sends it again. A batch that contains only updates is sent
    again without a query: applying it twice gives the same result.
    """

    def __init__(self, session: Session, batch: list[Any]) -> None:
        """Prepare to send *batch*, a list of payloads that do not change any more."""
        self._session = session
        self._batch = batch
        self._policy = retry_policy_of(session) or RetryPolicy(attempts=6)
        #: How many seconds after its start :meth:`send` may still send the batch again.
        self._deadline: float = connection_settings_of(session).deadline or math.inf
        #: Whether the server may have applied the batch, or may still do so.
        self.in_doubt = False
        #: Whether an earlier answer to the batch was lost.
        self.was_in_doubt = False
        #: The payload that the server has refused, if it is known.
        self.refused: Optional[Mapping[str, Any]] = None
        #: Whether the entities that the batch deletes are gone, so that it does without deletions.
        self._is_deleted = False

    def send(self) -> Json:
        """Send the batch until the server answers, and return its results, one per operation.

        Raise the server's error if the server refuses the batch; it names the failing operation if
        that is known. Raise :exc:`~ftrack_like.exception.ServerConnectionError` if the server is
        out of reach, and :exc:`~ftrack_like.exception.ConnectionClosedError` when the session is
        closed.
        """
        begun = time.monotonic()
        timeouts = 0
        for attempt in itertools.count(1):
            if self.in_doubt:
                self.was_in_doubt = True
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
        """Count and log that the client sends the batch again in *wait* seconds."""
        session = self._session
        statistics_of(session).count(retries=1)
        total = total_for(connection_settings_of(session).timeout(session.request_timeout))
        report = retry_report(self._policy, attempt, error, wait, error.retry_after, total)
        report = report._replace(longest=min(report.longest, self._deadline))
        warn_of_retry(_logger, "a commit", report)

    def _call(self) -> Json:
        """Send the batch once and return its results.

        The method sets *in_doubt* before it sends, and clears it only when the outcome is certain.
        An exception can come between any two instructions, and must leave the batch in doubt.
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
            # This was a repeated batch. The server may refuse it because it has applied the first.
            batch = self._batch
            results = self.results_if_applied() if doubted else None
            if results is not None:
                return results
            if self._batch is not batch:
                return self._call()
            self.in_doubt = False
            if self._updates_instead(error) or self._leaves_out(error):
                return self._call()
            self._name_operation(error)
            raise
        except Exception:
            # For example, a value that cannot be encoded: then no request was sent.
            self.in_doubt = doubted or requests.begun != begun
            raise

    def _updates_instead(self, error: exception.ServerError) -> bool:
        """Replace the creation of metadata that exists by an update; return whether it did.

        *error* says that another session has created the row. Both sessions set a key of a mapping,
        so the last value counts.
        """
        payload = self._failing(error)
        if (
            payload is None
            or not isinstance(error, exception.ServerNotUniqueError)
            or (payload["action"], payload["entity_type"]) != ("create", "Metadata")
        ):
            return False
        self._replace([(payload, self._as_update(payload))])
        return True

    def _leaves_out(self, error: exception.ServerError) -> bool:
        """Drop the failing operation if it is not needed any more; return whether it was.

        This is the update of an entity that went with its deleted parent, or a link that another
        session has created or deleted.
        """
        payload = self._failing(error)
        if payload is None:
            return False
        action, is_link = payload["action"], isinstance(payload, LinkPayload)
        if isinstance(error, exception.ServerNotFoundError):
            needless = action == "delete" if is_link else action == "update" and self._is_deleted
        else:
            is_taken = isinstance(error, exception.ServerNotUniqueError)
            needless = is_taken and is_link and action == "create"
        if not needless:
            return False
        self._replace([(payload, None)])
        return True

    def _as_update(self, payload: Mapping[str, Any]) -> Optional[OperationPayload]:
        """Return an update with the data of *payload*, a creation; None if it sets only the key."""
        names = self._session.types[payload["entity_type"]].primary_key_attributes
        data = {k: v for k, v in payload["entity_data"].items() if k not in names}
        if not data.keys() - {"__entity_type__"}:
            return None
        return OperationPayload({**payload, "action": "update", "entity_data": data})

    def _replace(self, changes: Iterable[tuple[Mapping[str, Any], Optional[Any]]]) -> None:
        """Make a new batch: replace the first payload of each pair by the second; drop it if None.

        Does nothing without *changes*.
        """
        new = {id(payload): replacement for payload, replacement in changes}
        if new:
            batch = [new.get(id(payload), payload) for payload in self._batch]
            self._batch = type(self._batch)(each for each in batch if each is not None)

    def results_if_applied(self) -> Optional[list[Any]]:
        """Return the results of the batch if the server applied it; None to send the batch again.

        First wait for requests whose caller was interrupted: such a request may carry this batch.

        Only this client makes the ids of the entities that it creates. So one of these entities
        proves that the server applied the whole batch. Other facts may come from another session: a
        missing entity that the batch deletes, or a link, which is identified by the entities that
        it connects. Then drop the operations that are not needed any more, and send the others
        again. Most of these are updates, and applying them twice gives the same result.
        """
        calls_of(self._session).running.wait()
        created = self._writes("create")
        own = [each for each in created if len(each["entity_key"]) == 1]
        if own:
            return self._echo() if self._existing(own) else None
        deleted = self._writes("delete")
        self._is_deleted = self._is_deleted or (bool(deleted) and self._existing(deleted) == set())
        if self._is_deleted:
            self._replace([(each, None) for each in deleted])
        existing = self._existing(created) or set()
        self._replace(
            (each, self._as_update(each)) for each in created if _payload_identity(each) in existing
        )
        is_empty = all(each["action"] == "query" for each in self._batch)
        return self._echo() if is_empty else None

    def _writes(self, action: str) -> list[Any]:
        """Return the payloads of the batch with *action*."""
        return [each for each in self._batch if each["action"] == action]

    def _existing(self, payloads: list[Any]) -> Optional[set[tuple[str, ...]]]:
        """Return the identities of those entities of *payloads* that exist on the server.

        Return None if the server refuses the query, or if an overridden ``call`` returns another
        shape.
        """
        found = set()
        for entity_type, expression in self._expressions(payloads):
            names = self._session.types[entity_type].primary_key_attributes
            batch = RawBatch([{"action": "query", "expression": expression}])
            try:
                for row in self._session.call(batch)[0]["data"]:
                    found.add((entity_type, *(str(row[name]) for name in names)))
            except (exception.ServerConnectionError, exception.ServerAuthenticationError):
                raise
            except (exception.ServerError, LookupError, TypeError):
                return None
        return found

    def _expressions(self, payloads: list[Any]) -> Iterator[tuple[str, str]]:
        """Yield a type and a query for up to ``CHUNK`` entities of *payloads* at a time."""
        by_type: dict[str, list[Any]] = {}
        for payload in payloads:
            by_type.setdefault(payload["entity_type"], []).append(payload["entity_key"])
        for entity_type, keys in by_type.items():
            names = self._session.types[entity_type].primary_key_attributes
            for start in range(0, len(keys), CHUNK):
                conditions = [key_condition(names, key) for key in keys[start : start + CHUNK]]
                yield (
                    entity_type,
                    f"select {', '.join(names)} from {entity_type} "
                    f"where {' or '.join(conditions)} limit {CHUNK}",
                )

    def _echo(self) -> list[Any]:
        """Return the results that the server would give: the attributes as they were sent."""
        encoded = self._session.encode(list(self._batch), entity_attribute_strategy="modified_only")
        return [self._result(payload) for payload in json.loads(encoded)]

    def _result(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result for *payload*, which is in its encoded form."""
        if payload["action"] == "query":
            return {"action": "query", "data": []}
        if payload["action"] == "delete":
            return {"action": "delete", "data": True}
        names = self._session.types[payload["entity_type"]].primary_key_attributes
        key = dict(zip(names, payload["entity_key"]))
        return {"action": payload["action"], "data": {**payload["entity_data"], **key}}

    def _failing(self, error: exception.ServerError) -> Optional[Mapping[str, Any]]:
        """Return the payload that failed with *error*, or None if it is not known.

        Not all servers report the failing operation. Then search the error's text for a key of the
        batch.
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
        """Add the failing operation to the message of *error*, if it is known, and advice."""
        payload = self.refused = self._failing(error)
        hint = remedy(self._session, self._batch if payload is None else [payload])
        text = f"{error}\n{hint}" if hint else str(error)
        suspects = self._writes("create") if payload is None else [payload]
        text = "\n".join([*ignored_names(self._session, suspects), text])
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


def _payload_identity(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the type and the primary key of the entity of *payload*."""
    return (payload["entity_type"], *map(str, payload["entity_key"]))


def _hint(error: exception.ServerError, action: str) -> str:
    """Return how another session may have caused *error* on *action*, or an empty text."""
    if isinstance(error, exception.ServerNotFoundError) and action in ("delete", "update"):
        return (
            " Another session or user deleted it since this session read it. Undo the change "
            "with rollback()."
        )
    if isinstance(error, exception.ServerNotUniqueError) and action == "create":
        return (
            " It exists already, maybe because another session created it: query for it, or "
            "change the new one."
        )
    if isinstance(error, exception.ServerValidationError) and "does not exist" in str(error):
        return " Another session or user may have deleted it."
    return ""
