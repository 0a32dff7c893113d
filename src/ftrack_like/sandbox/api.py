"""The sandbox without HTTP: an :class:`Api` answers the body of a request with bytes.

An :class:`Api` owns the database; threads may share it. It knows the envelope of the protocol: JSON
in, JSON out, errors as mappings. :mod:`ftrack_like.sandbox.actions` implements the operations in
the envelope.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NoReturn, Optional

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.actions import ACTIONS, HOOKS, open_batch, run_batch
from ftrack_like.sandbox.actions.batch import Batch, joined
from ftrack_like.sandbox.actions.information import server_information
from ftrack_like.sandbox.actions.permissions import require_component
from ftrack_like.sandbox.actions.registry import ApiAction, by_name
from ftrack_like.sandbox.actions.remote import NEW_KEYS
from ftrack_like.sandbox.auth import RequestCredentials, RequestUser, authenticate, find_user
from ftrack_like.sandbox.clock import Clock
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.database.outages import is_outage
from ftrack_like.sandbox.database.repeats import repeated
from ftrack_like.sandbox.database.slow_statements import log_slow_statements
from ftrack_like.sandbox.errors import (
    InvalidCredentialsError,
    MalformedRequestError,
    RequestTooLargeError,
    SandboxError,
    ServerError,
    TooManyAttemptsError,
)
from ftrack_like.sandbox.invites import InviteActions
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.mail import MailOutbox
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.network.throttle import Attempts, Counters
from ftrack_like.sandbox.shared_throttle import counters_of
from ftrack_like.sandbox.version import SERVER_VERSION
from ftrack_like.sandbox.webhooks.service import Webhooks
from ftrack_like.sandbox.widget_url import WidgetActions

__all__ = ["SERVER_VERSION", "Api", "ApiAnswer", "error_answer"]

_LOGGER = logging.getLogger(__name__)

_TEXT = re.compile(rb'"[^"]*"')

_INFINITE = (float("inf"), float("-inf"))

#: Larger bodies (in bytes) are parsed one at a time.
_LARGE_BODY = 1024 * 1024


@dataclass(frozen=True)
class ApiAnswer:
    """A JSON *body* with *headers*; the HTTP *status* is for clients that want strict statuses."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """The API of a site in *database*.

    *server_url* is the address for links. If it is None, answers contain the address of each
    request, and mails contain the address given to :meth:`start`. *failed_logins* is the maximum
    number of failures per minute with the same user name from the same address. *webhooks* are
    those of the site; None means the default options. *listeners* are called after each commit, on
    the thread of the request, with the :class:`~ftrack_like.sandbox.actions.batch.Batch` that
    changed something.
    """

    def __init__(
        self,
        database: Database,
        media: MediaService,
        server_url: Optional[str] = None,
        limits: Optional[Limits] = None,
        failed_logins: int = 20,
        webhooks: Optional[Webhooks] = None,
        clock: Optional[Clock] = None,
    ) -> None:
        """The database must already contain the tables and the seed."""
        self.database = database
        self.media = media
        self.server_url = server_url
        #: The beginning of links in mails; never taken from a request.
        self.public_url = server_url
        #: The time that the server stamps.
        self.clock: Clock = Clock() if clock is None else clock
        #: Makes what limits failed attempts, for all processes of the database.
        self.counters: Counters = counters_of(database)
        self._attempts = Attempts(failed_logins, self.counters)
        #: The generation of the data that this process has seen last.
        self._generation: Optional[str] = None
        self.limits: Limits = Limits() if limits is None else limits
        log_slow_statements(database.engine, self.limits.slow_query_seconds)
        #: The mail; its folder is next to the folder of the files.
        self.outbox: MailOutbox = MailOutbox(media.folder.with_name("outbox"))
        self.webhooks: Webhooks = Webhooks(database) if webhooks is None else webhooks
        self._hooks = joined(HOOKS, self.webhooks.hooks)
        self.listeners: list[Callable[[Batch], None]] = []
        #: Called with each batch in its transaction, when all its rows are written.
        self.storing: list[Callable[[Batch], None]] = []
        self._reading = threading.Lock()
        #: Called after all data have been replaced.
        self.reset_listeners: list[Callable[[], None]] = [
            self._attempts.clear,
            self.webhooks.forget,
        ]
        #: All API actions by name.
        self.actions: Mapping[str, ApiAction] = by_name(
            ACTIONS.values(),
            media.actions(),
            InviteActions(self.outbox, media.signer).actions(),
            WidgetActions(media.signer).actions(),
        )

    def start(self, user: RequestUser, server_url: str) -> None:
        """Start the background work of the server, on behalf of *user*.

        *server_url* is the beginning of addresses in its results, and of links in mails if there is
        no public address.
        """
        self.public_url = self.public_url or server_url
        self.webhooks.start()
        self.start_encoding(user, server_url)

    def start_encoding(self, user: RequestUser, server_url: str) -> None:
        """Start only the encode workers of this process; see :meth:`start`."""
        self.media.start(_ServerOffice(self, user, server_url))

    def execute(
        self,
        operations: Sequence[Mapping[str, Any]],
        user: RequestUser,
        server_url: str,
        *,
        by_server: bool = False,
        background: bool = False,
        before_commit: Optional[Callable[[Connection], None]] = None,
        events: Sequence[Mapping[str, Any]] = (),
        encoded: Sequence[str] = (),
    ) -> list[Any]:
        """Run *operations* for *user* in one transaction and return their results.

        *server_url* is the beginning of addresses in the results. *by_server* means that the server
        itself acts, so that events name no user. *background* says that it works for *user*, which
        triggers no webhooks. *before_commit* is called at the end of the transaction, and its
        error undoes all. *events* are published with the changes, and another one for each of the
        versions *encoded* (ids), whose media the operations store.

        Raise :exc:`~ftrack_like.sandbox.errors.SandboxError` if an operation fails; then no
        operation is applied.
        """
        context = self._context(user, server_url, by_server=by_server)

        def end(batch: Batch) -> None:
            batch.events += events
            batch.encoded += encoded
            if before_commit is not None:
                before_commit(batch.store.connection)

        return self._run(operations, replace(context, background=background), end)

    def authenticate(self, credentials: RequestCredentials) -> RequestUser:
        """Return the user of *credentials*, or raise :exc:`InvalidCredentialsError`.

        Raise :exc:`TooManyAttemptsError`, without checking the key, after too many wrong keys.
        """
        credentials.require()
        username, key = credentials.username, credentials.api_key
        left = self._attempts.seconds_left(username, key)
        if left:
            raise TooManyAttemptsError(left)

        def check() -> RequestUser:
            with self.database.read() as connection:
                return authenticate(connection, credentials)

        try:
            user = repeated(check)
        except InvalidCredentialsError:
            self._attempts.failed(username)
            raise
        self._attempts.succeeded(username, key)
        self._notice(user.generation)
        return user

    def _notice(self, generation: str) -> None:
        """Call the listeners for a reset if another process has replaced all data."""
        known, self._generation = self._generation, generation
        if known not in (None, generation):
            for listener in self.reset_listeners:
                listener()

    def find_user(self, user_id: str) -> RequestUser:
        """Return the active user with the id *user_id*, with the user's current rights.

        Raise :exc:`PermissionDeniedError` if there is no such user.
        """
        with self.database.read() as connection:
            return find_user(connection, user_id)

    def allow_holder(self, user_id: str, action: str, component_id: str) -> None:
        """Raise :exc:`PermissionDeniedError` unless a signed address of *user_id* is still valid.

        The address was signed for *action* (``read`` or ``update``) on a component's data.
        """
        self.allow_component(self.find_user(user_id), action, component_id)

    def allow_component(self, user: RequestUser, action: str, component_id: str) -> None:
        """Raise :exc:`PermissionDeniedError` unless *user* may do *action* to a component's data.

        *action* is ``read`` or ``update``.
        """
        if not user.unrestricted:
            with self.database.read() as connection:
                batch = open_batch(connection, self._context(user, ""))
                require_component(batch, action, component_id)

    def answer(
        self,
        body: bytes,
        user: RequestUser,
        server_url: str,
        client_token: Optional[str] = None,
        bulk: bool = False,
    ) -> ApiAnswer:
        """Return the answer to *body*, a JSON batch that *user* sent.

        *client_token* is the name that the sending program chose for itself; events repeat it.
        *bulk* leaves the changes out of the activity.
        """
        return self.answer_pieces([body], user, server_url, client_token, bulk)

    def answer_pieces(
        self,
        pieces: list[bytes],
        user: RequestUser,
        server_url: str,
        client_token: Optional[str] = None,
        bulk: bool = False,
    ) -> ApiAnswer:
        """Return the answer to the body in *pieces*; clear the list to save memory.

        See :meth:`answer`. Raise :exc:`sqlalchemy.exc.DBAPIError` if the database cannot be
        reached: it is unknown whether the batch was applied.
        """
        try:
            operations = self._read(pieces)
            context = self._context(user, server_url, client_token, bulk=bulk)
            return ApiAnswer(_to_json(self._run(operations, context)))
        except SandboxError as error:
            return error_answer(error)
        except Exception as error:
            if isinstance(error, DBAPIError) and is_outage(error):
                raise
            reference = uuid.uuid4().hex[:8]
            _LOGGER.exception("Request %s failed because of an error in the server.", reference)
            return error_answer(
                ServerError(f"The server failed; its log contains the details under {reference}.")
            )

    def _read(self, pieces: list[bytes]) -> list[dict[str, Any]]:
        """Return the operations in *pieces*; clear the list to save memory."""
        size = sum(map(len, pieces))
        # Parsing takes several times the memory of the body, so only one large body is parsed at a
        # time.
        with self._reading if size > _LARGE_BODY else contextlib.nullcontext():
            body = b"".join(pieces)
            pieces.clear()
            require_few_values(body, self.limits.body_values)
            return read_operations(body)

    def information(self) -> ApiAnswer:
        """Return the server information."""
        with self.database.read() as connection:
            return ApiAnswer(_to_json(server_information(connection)))

    def close(self) -> None:
        """Stop all work and close the database."""
        self.webhooks.stop()
        self.media.stop()
        self.database.close()

    def _context(
        self,
        user: RequestUser,
        server_url: str,
        client_token: Optional[str] = None,
        *,
        by_server: bool = False,
        bulk: bool = False,
    ) -> RequestContext:
        return RequestContext(
            user_id=user.id,
            username=user.username,
            server_url=server_url,
            public_url=self.public_url or server_url,
            now=self.clock.now().replace(microsecond=0),
            sign=functools.partial(self.media.sign, holder=None if user.is_guest else user.id),
            client_token=client_token,
            unrestricted=user.unrestricted,
            has_account=user.has_account,
            key_digest=user.digest,
            by_server=by_server,
            bulk=bulk,
        )

    def _run(
        self,
        operations: Sequence[Mapping[str, Any]],
        context: RequestContext,
        before_commit: Optional[Callable[[Batch], None]] = None,
    ) -> list[Any]:
        def end(batch: Batch) -> None:
            self.webhooks.before_commit(batch)
            if before_commit is not None:
                before_commit(batch)

        batch, results = run_batch(
            self.database,
            operations,
            context,
            self.actions,
            self.limits,
            self._hooks,
            end,
            self.storing,
        )
        if batch.changes or batch.notes.get(NEW_KEYS):
            self._tell(batch)
        for each in batch.after_commit:
            try:
                each()
            except Exception:  # the commit stays, and the client must not repeat it
                _LOGGER.exception("Post-commit function %r failed.", each)
        return results

    def _tell(self, batch: Batch) -> None:
        """Call the listeners with *batch*; an error does not undo the commit."""
        # The queue comes last, so that events about a job come after the event that creates it.
        for listener in (*self.listeners, self.media.committed):
            try:
                listener(batch)
            except Exception:
                _LOGGER.exception("Post-commit listener %r failed.", listener)


class _ServerOffice:
    """Runs operations for the server itself, as *user*, and for the users of background work."""

    def __init__(self, api: Api, user: RequestUser, server_url: str) -> None:
        self._api = api
        self._user = user
        self._server_url = server_url

    def execute(
        self,
        operations: Sequence[Mapping[str, Any]],
        user_id: Optional[str] = None,
        before_commit: Optional[Callable[[Connection], None]] = None,
        encoded: Sequence[str] = (),
    ) -> list[Any]:
        """Return the results of *operations*, run for a user, or for the server itself.

        *before_commit* is called at the end of the transaction, also without operations.
        """
        if before_commit is not None and not operations:
            with self._api.database.write() as connection:
                before_commit(connection)
            return []
        user = self._user if user_id is None else self._api.find_user(user_id)
        return self._api.execute(
            operations,
            user,
            self._server_url,
            by_server=user_id is None,
            background=True,
            before_commit=before_commit,
            encoded=encoded,
        )

    def now(self) -> datetime:
        """Return the time that the server stamps, in UTC."""
        return self._api.clock.now()

    def require_component(self, user_id: str, action: str, component_id: str) -> None:
        """Raise an error unless the user may ``read`` or ``update`` the data of a component."""
        self._api.allow_component(self._api.find_user(user_id), action, component_id)


def require_few_values(body: bytes, maximum: int) -> None:
    """Raise :exc:`RequestTooLargeError` if the JSON text *body* has more than *maximum* values.

    Two bytes of JSON may become an object of 64 bytes. So the number of values matters, and it must
    be known before the values are created.
    """
    if _values(body) <= maximum:
        return
    # Some of the counted signs are inside texts, so count again without texts. Remove the escapes
    # first, because they may contain quotes.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if _values(_TEXT.sub(b"", plain)) > maximum:
        raise RequestTooLargeError(
            f"The body contains more than {maximum} values. Commit less at a time, or start the "
            "sandbox with a larger --body-values."
        )


def _values(body: bytes) -> int:
    """Return the maximum number of values in the JSON text *body*: each follows such a sign."""
    return sum(map(body.count, (b"[", b"{", b",")))


def read_operations(body: bytes) -> list[dict[str, Any]]:
    """Return the operations in *body*; a single mapping is one operation.

    Raise :exc:`MalformedRequestError` for anything but a JSON list of mappings.
    """
    try:
        operations = json.loads(
            body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"The body is not UTF-8 text: {error}.") from error
    except RecursionError as error:
        raise MalformedRequestError("The body is nested too deeply.") from error
    except ValueError as error:
        raise MalformedRequestError(f"The body is not JSON: {error}.") from error
    if isinstance(operations, dict):
        operations = [operations]
    if not isinstance(operations, list):
        raise MalformedRequestError("The body must be a JSON list of operations.")
    for index, operation in enumerate(operations):
        if not isinstance(operation, dict):
            raise MalformedRequestError(f"Operation {index} is not a mapping.")
    return operations


def error_answer(error: SandboxError) -> ApiAnswer:
    """Return *error* in the form of the protocol."""
    headers = {}
    if isinstance(error, TooManyAttemptsError):
        headers["Retry-After"] = str(error.seconds)
    return ApiAnswer(_to_json(error.as_wire()), error.status, headers)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in _INFINITE:
        raise ValueError(f"{text} is too large a number")
    return number


def _to_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("utf-8")
