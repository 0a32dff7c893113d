"""Send batches of operations to the server, and check the results."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Optional

import requests

from ftrack_like import exception
from ftrack_like._base.collaborators import (
    connection_settings_of,
    connections_of,
    fetcher_of,
    observers_of,
    origins_of,
    renewal_of,
    request_session_of,
    retry_policy_of,
    statistics_of,
)
from ftrack_like._session.answer_shapes import check_page
from ftrack_like._session.batch import RawBatch
from ftrack_like._session.payloads import OperationPayload
from ftrack_like._session.renewing import renew_credentials
from ftrack_like._session.starting import begin
from ftrack_like._transport.answers import (
    address_advice,
    fault_of,
    parse_json,
    server_error,
    unexpected_page,
)
from ftrack_like._transport.driver import Driver
from ftrack_like._transport.exchange import Exchange, HttpAnswer, RetryReport, warn_of_retry
from ftrack_like._transport.faults import Route
from ftrack_like._transport.flight import RunningRequests
from ftrack_like._transport.http import request_session
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.retry import OUTAGE_STATUSES, RETRIED_STATUSES, RetryBudget, RetryPolicy
from ftrack_like.logging import LazyLogMessage

if TYPE_CHECKING:
    from ftrack_like._base.types import Json
    from ftrack_like.session import Session

__all__ = ["Calls", "UnwantedAnswerError"]

#: Actions that change nothing on the server: after a lost answer, the client repeats the call.
READING = frozenset(
    {
        "get_widget_url",
        "query",
        "query_schemas",
        "query_server_information",
        "search",
    }
)

#: Actions that change data: the server must confirm each operation.
WRITING = frozenset({"create", "delete", "update"})

#: Mappings. The usual classes come first, because a test against an abstract class is slow.
_MAPPINGS = (dict, OperationPayload, Mapping)

#: The set of types in a primary key that contains only texts.
_TEXT = {str}

#: Returns whether a call's answer is still needed.
Wanted = Callable[[], bool]

_HEADERS = {"content-type": "application/json", "accept": "application/json"}


class UnwantedAnswerError(Exception):
    """Ends a call whose answer is not needed any more."""


class Calls:
    """Send the batches of a session.

    Any thread may use it. It releases all locks while it waits for the server.
    """

    def __init__(self, session: Session) -> None:
        """Keep *session*; each call reads its HTTP session and its codec again."""
        self._session = session
        self._logger = logging.getLogger(f"{__name__}.{type(self).__name__}")
        #: How often failed reads are repeated. Until the first answer the limits are lower, because
        #: the address of the server may be wrong.
        chosen = retry_policy_of(session)
        self.policy = RetryPolicy(attempts=9) if chosen is None else chosen
        self.first_policy = RetryPolicy(attempts=5, total_time=20.0) if chosen is None else chosen
        self.budget = RetryBudget()
        #: The requests that write. After an interruption they keep their connections, so that the
        #: client can still wait for the answers.
        self.running = RunningRequests()
        #: Whether the server has answered a call. Then it exists, and longer retries make sense.
        self._has_answered = False

    def call(self, data: Sequence[Mapping[str, Any]]) -> list[Json]:
        """Return the results of the batch *data*; see ``Session.call``.

        If the server refuses the key, and the program has a function for credentials, send the
        batch once more with the credentials that it returns. The server has applied nothing.
        """
        session = self._session
        begin(session)
        if renewal_of(session) is None:
            return self._call_once(data)
        used = (session.api_user, session.api_key)
        try:
            return self._call_once(data)
        except exception.ServerAuthenticationError as error:
            error.message = masked(error.message, used[1])
            if self.renew(used) is None:
                raise
        return self._call_once(data)

    def call_ahead(self, data: Sequence[Mapping[str, Any]], is_wanted: Wanted) -> list[Json]:
        """Return the results of the batch *data*, which only reads, without asking for credentials.

        If *is_wanted* returns False, neither repeat the request nor decode its answer; raise
        :class:`UnwantedAnswerError`.
        """
        return self._call_once(data, is_wanted)

    def renew(self, refused: tuple[str, str]) -> Optional[tuple[str, str]]:
        """Return the user and the key that the session uses instead of *refused*, or None."""
        return renew_credentials(self._session, refused)

    def _call_once(
        self, data: Sequence[Mapping[str, Any]], is_wanted: Optional[Wanted] = None
    ) -> list[Json]:
        """Return the results of the batch *data*, without asking for other credentials."""
        session = self._session
        text = session.encode(data, entity_attribute_strategy="modified_only")
        self._logger.debug(LazyLogMessage("Calling server with {0!r}", text[:2000]))
        only_reads = _only_reads(data)
        if not only_reads:
            # A query that is being read page by page must learn of the write, even of a failed
            # write.
            fetcher_of(session).note_write(_created_keys(data))
        try:
            answer = self._exchange(text, only_reads, data, is_wanted)
        finally:
            if not only_reads:
                fetcher_of(session).note_write()
        # Any web server answers 404 for an unknown path, so that does not mean that it has an API.
        has_api = self._has_answered or answer.status != HTTPStatus.NOT_FOUND
        self._has_answered = has_api
        _require_wanted(is_wanted)
        result = self._decoded(answer, isinstance(data, RawBatch))
        fault = fault_of(result)
        if fault is not None:
            error = server_error(fault)
            if isinstance(error, exception.ServerAuthenticationError):
                words = masked(str(fault.get("content")), session.api_key)
                self._logger.debug("The server refused the key: %s", words)
                error.message += self._credentials_advice()
            if not has_api:
                origin = origins_of(session).server_url
                error.message += f"\n{address_advice(answer.address, origin)}"
            if answer.status in OUTAGE_STATUSES:
                error = _lost(error, answer)
            error.message = masked(error.message, session.api_key)
            self._logger.debug(LazyLogMessage("{0}", error))
            raise error
        if answer.status >= 400:
            raise self._unexpected(answer)
        _check_results(data, result)
        results: list[Json] = result
        return results

    def _credentials_advice(self) -> str:
        """Return lines that name the refused user, and the sources of the user name and the key."""
        session = self._session
        origins = origins_of(session)
        return (
            f"\nThe user {session.api_user!r} comes from {origins.api_user}.\n"
            f"The key comes from {origins.api_key}. Check both: a key belongs to one user.\n"
            "To check the settings, run: ftrack-like doctor"
        )

    def _exchange(
        self, text: str, repeatable: bool, data: Json, is_wanted: Optional[Wanted]
    ) -> HttpAnswer:
        """Return the answer to the batch *data*, whose request body is *text*.

        The exchange repeats a failed request if the batch is *repeatable* and the answer is wanted.
        """
        session = self._session
        statistics = statistics_of(session)
        request = request_session_of(session)
        settings = connection_settings_of(session)
        timeout = settings.timeout(session.request_timeout)

        def post(address: str) -> requests.Response:
            statistics.count(requests=1, bytes_sent=len(text))
            return request.post(
                address,
                headers=dict(_HEADERS),
                data=text,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            )

        def write(address: str) -> requests.Response:
            response: requests.Response = self.running.run(lambda: post(address))
            return response

        def note_retry(report: RetryReport) -> None:
            _require_wanted(is_wanted)
            statistics.count(retries=1)
            warn_of_retry(self._logger, _action_names(data), report)

        route = self._route()
        exchange = Exchange(
            address=route.address,
            repeatable=repeatable,
            patient=self._has_answered,
            policy=self.policy if self._has_answered else self.first_policy,
            budget=self.budget,
            timeout=timeout,
            deadline=settings.deadline,
        )
        driver = Driver(
            post if repeatable else write,
            route,
            note_retry,
            connections_of(session),
            observers_of(session).begin_batch(data, len(text)),
        )
        answer = driver.run(exchange.steps())
        statistics.count(bytes_received=answer.received)
        return answer

    def _route(self) -> Route:
        """Return the address of the API, with the data that errors need to explain a failure."""
        session = self._session
        return Route(
            f"{session.server_url}/api",
            request_session_of(session),
            session.api_key,
            origins_of(session).server_url,
            not self._has_answered,
        )

    def _decoded(self, answer: HttpAnswer, raw: bool) -> Json:
        """Return the value of *answer*: plain JSON values if *raw*, else with entities and dates.

        Raise :exc:`~ftrack_like.exception.ServerAnswerError` for malformed data, and
        :exc:`~ftrack_like.exception.ServerError` for a page that is not JSON.
        """
        try:
            if raw:
                return parse_json(answer.text)
            return self._session.decode(answer.text)
        except exception.Error:
            raise
        except (ValueError, RecursionError) as error:
            if answer.status < 400 and answer.text.lstrip()[:1] in ("[", "{"):
                begin = masked(answer.text[:200], self._session.api_key)
                raise exception.ServerAnswerError(
                    f"The server sent JSON that cannot be read: {str(error)[:200]}.\n"
                    f"It begins: {begin}"
                ) from error
            raise self._unexpected(answer) from error
        except (TypeError, LookupError, AttributeError, RuntimeError) as error:
            raise exception.ServerAnswerError(
                f"The server sent an entity that cannot be read: {error!r:.200}"
            ) from error

    def _unexpected(self, answer: HttpAnswer) -> exception.ServerError:
        """Return the error for an *answer* that is not one of the API, such as a proxy's page."""
        session = self._session
        error: exception.ServerError = unexpected_page(
            answer.status,
            answer.reason,
            masked(answer.text, session.api_key),
            answer.address,
            origins_of(session).server_url,
        )
        if answer.status in RETRIED_STATUSES:
            error = _lost(error, answer)
        if answer.attempts > 1:
            error.message += (
                f"\nGave up after {answer.attempts} attempts in {answer.elapsed:.1f} s."
            )
        return error


def _lost(error: exception.ServerError, answer: HttpAnswer) -> exception.ServerConnectionError:
    """Return *error* as a lost answer, because the status of *answer* tells of an outage."""
    lost = exception.ServerConnectionError(error.message)
    lost.retry_after = answer.retry_after
    return lost


def _require_wanted(is_wanted: Optional[Wanted]) -> None:
    """Raise :class:`UnwantedAnswerError` if *is_wanted* is given and returns False."""
    if is_wanted is not None and not is_wanted():
        raise UnwantedAnswerError


def _action_names(data: Json) -> str:
    """Return the names of the actions of the batch *data*, joined by "and"."""
    operations = [data] if isinstance(data, Mapping) else data
    try:
        actions = {str(operation["action"]) for operation in operations}
    except (KeyError, TypeError):
        actions = set()
    return " and ".join(sorted(actions))[:100] or "a call"


def _only_reads(data: Json) -> bool:
    """Return whether the client can send the batch *data* again without changing data twice.

    Return False for data that is not a batch, because the server may do anything with it.
    """
    operations = [data] if isinstance(data, Mapping) else data
    try:
        return bool(operations) and all(_reads(operation) for operation in operations)
    except (KeyError, TypeError):
        return False


def _reads(operation: Mapping[str, Any]) -> bool:
    """Return whether *operation* changes nothing on the server.

    For a whole file the server only signs an address. For an upload in parts it starts an upload at
    the storage.
    """
    action = operation["action"]
    if action == "get_upload_metadata":
        return not operation.get("parts")
    return action in READING


def _created_keys(data: Json) -> list[tuple[Any, ...]]:
    """Return the keys of the entities that the batch *data* creates."""
    keys = []
    for operation in data if isinstance(data, (list, tuple)) else [data]:
        # The dictionary inside the payload: this loop runs for each operation of a commit.
        items = operation.items_by_name if type(operation) is OperationPayload else operation
        if isinstance(items, _MAPPINGS) and items.get("action") == "create":
            key = items.get("entity_key")
            if isinstance(key, (list, tuple)) and set(map(type, key)) == _TEXT:
                keys.append(tuple(key))
    return keys


def _check_results(data: Json, results: Json) -> None:
    """Raise :exc:`~ftrack_like.exception.ServerAnswerError` unless *results* fit the batch *data*.

    The server must send one result per operation, confirm each write, and answer each query with a
    page.
    """
    if not isinstance(data, (list, tuple)):
        return
    if not isinstance(results, list) or len(results) != len(data):
        found = f"{len(results)} results" if isinstance(results, list) else "no list of results"
        raise exception.ServerAnswerError(
            f"The server answered {found} to {len(data)} operations. It is not known whether it "
            "applied them."
        )
    for index, (operation, result) in enumerate(zip(data, results)):
        action = operation.get("action") if isinstance(operation, _MAPPINGS) else None
        if action in WRITING and not _confirms(result):
            raise exception.ServerAnswerError(
                f"The server did not confirm operation {index + 1} of {len(data)}: {action} "
                f"{operation.get('entity_type')} {operation.get('entity_key')}."
            )
        if action == "query":
            check_page(result)


def _confirms(result: object) -> bool:
    """Return whether *result* confirms that the server carried out an operation."""
    return isinstance(result, _MAPPINGS) and result.get("data") not in (None, False)


def managed_request(session: Session) -> Optional[requests.Session]:
    """Return the HTTP session of *session*, or None if the session is closed.

    A forked process gets its own HTTP session, because two processes cannot share connections.
    """
    values = session.__dict__
    current = values.get("_managed_request")
    process = os.getpid()
    known = values.setdefault("_request_process", process)
    if current is not None and known == process:
        return current  # type: ignore[no-any-return]
    if current is None and (session.closed or "_managed_request" in values):
        return None
    made = request_session(
        connection_settings_of(session),
        session.api_key,
        session.api_user,
        connections=connections_of(session),
    )
    if current is not None:
        _take_over(current, made)
    values["_managed_request"] = made
    values["_request_process"] = process
    return made


def _take_over(parent: requests.Session, child: requests.Session) -> None:
    """Copy the headers, cookies and credentials of the HTTP session *parent* to *child*."""
    child.headers.clear()
    child.headers.update(parent.headers)
    child.cookies.update(parent.cookies)
    for name in ("auth", "cert", "params", "proxies", "trust_env", "verify"):
        setattr(child, name, getattr(parent, name))
