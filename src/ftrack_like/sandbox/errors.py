"""The errors that the sandbox answers, by the names that clients look for.

::

    SandboxError
    ├── AuthenticationError           FTAuthenticationError          401
    │   ├── InvalidCredentialsError   InvalidCredentialsError        401
    │   └── TooManyAttemptsError      TooManyAttemptsError           429
    ├── PermissionDeniedError         PermissionError                403
    ├── ValidationError               ValidationError                400
    ├── InvalidActionError            InvalidActionError             400
    ├── MalformedRequestError         MalformedRequestError          400
    ├── RequestTooLargeError          RequestTooLargeError           413
    ├── BatchTimeoutError             BatchTimeoutError              413
    ├── ParseError                    ParseError                     400
    ├── QueryError                    QueryError                     400
    ├── UnknownNameError              KeyError                       400
    ├── UnrecognisedEntityTypeError   UnrecognisedEntityTypeError    400
    ├── IntegrityError                IntegrityError                 409
    │   └── DuplicateEntryError       DuplicateEntryError            409
    ├── NotFoundError                 NotFoundError                  404
    ├── NotAvailableError             NotImplementedError            501
    ├── StorageError                  StorageError                   507
    └── ServerError                   InternalServerError            500

The second column is ``exception`` on the wire, the third the HTTP status that a request with
``ftrack-strict-api: true`` receives. Nothing here knows HTTP or SQL.
"""

from __future__ import annotations

from typing import Any, Optional

__all__ = [
    "AuthenticationError",
    "BatchTimeoutError",
    "DuplicateEntryError",
    "IntegrityError",
    "InvalidActionError",
    "InvalidCredentialsError",
    "MalformedRequestError",
    "NotAvailableError",
    "NotFoundError",
    "ParseError",
    "PermissionDeniedError",
    "QueryError",
    "RequestTooLargeError",
    "SandboxError",
    "ServerError",
    "StorageError",
    "TooManyAttemptsError",
    "UnknownNameError",
    "UnrecognisedEntityTypeError",
    "ValidationError",
]


class SandboxError(Exception):
    """An error that is answered to the client.

    *name* is ``exception`` on the wire and *content* the text for humans. *status* is the HTTP
    status of a strict request. *error_code* is a word for programs, None where there is none.
    Subclasses fill all but *content* from their class. ``operation`` is the place of the failing
    operation in its batch, from 0; None where it is not known. ``position`` is the place of a
    mistake in the expression of a query, in characters from 0; None for other errors.
    """

    name: str = "SandboxError"
    status: int = 500
    error_code: Optional[str] = None
    operation: Optional[int] = None
    position: Optional[int] = None

    def __init__(
        self,
        content: str,
        *,
        name: Optional[str] = None,
        status: Optional[int] = None,
        error_code: Optional[str] = None,
    ) -> None:
        """Prepare the error with *content*; None leaves what the class says."""
        super().__init__(content)
        self.content = content
        if name is not None:
            self.name = name
        if status is not None:
            self.status = status
        if error_code is not None:
            self.error_code = error_code

    def as_wire(self) -> dict[str, Any]:
        """Return ``{"exception": str, "content": str, "error_code": str or None}``.

        Of a batch whose failing operation is known, ``"operation": int`` says which it is, and of
        an expression with a mistake ``"position": int`` says where that is.
        """
        known = {
            name: value
            for name, value in (("operation", self.operation), ("position", self.position))
            if value is not None
        }
        return {
            "exception": self.name,
            "content": self.content,
            "error_code": self.error_code,
            **known,
        }


class AuthenticationError(SandboxError):
    """The request does not say who asks."""

    name = "FTAuthenticationError"
    status = 401
    error_code: Optional[str] = "api_credentials_invalid"


class InvalidCredentialsError(AuthenticationError):
    """The user or the key of the request is not known."""

    name = "InvalidCredentialsError"


class TooManyAttemptsError(AuthenticationError):
    """Wrong credentials came too often; *seconds* later the next attempt is looked at."""

    name = "TooManyAttemptsError"
    status = 429
    error_code: Optional[str] = "too_many_attempts"

    def __init__(self, seconds: float) -> None:
        """Prepare the error."""
        self.seconds: int = max(1, round(seconds + 0.5))
        super().__init__(
            "Too many attempts with a wrong user name or API key came from this address. "
            f"Try again in {self.seconds} seconds."
        )


class PermissionDeniedError(SandboxError):
    """The user may not do this."""

    name = "PermissionError"
    status = 403


class ValidationError(SandboxError):
    """An attribute is unknown, missing, immutable or holds a value of the wrong type."""

    name = "ValidationError"
    status = 400


class InvalidActionError(SandboxError):
    """No such action; clients search *content* for ``Invalid action u'NAME'``."""

    name = "InvalidActionError"
    status = 400


class MalformedRequestError(SandboxError):
    """The body is not a JSON list of operations."""

    name = "MalformedRequestError"
    status = 400


class RequestTooLargeError(SandboxError):
    """The body is larger, or holds more values, than the server reads."""

    name = "RequestTooLargeError"
    status = 413


class BatchTimeoutError(SandboxError):
    """A batch takes longer than it may; nothing of it is applied."""

    name = "BatchTimeoutError"
    status = 413


class ParseError(SandboxError):
    """A query expression does not follow the grammar."""

    name = "ParseError"
    status = 400


class QueryError(SandboxError):
    """A query expression names something unknown, or compares what cannot be compared."""

    name = "QueryError"
    status = 400


class UnknownNameError(SandboxError):
    """An operation lacks a key, or names something unknown."""

    name = "KeyError"
    status = 400


class UnrecognisedEntityTypeError(SandboxError):
    """No such entity type."""

    name = "UnrecognisedEntityTypeError"
    status = 400


class IntegrityError(SandboxError):
    """A row would point at nothing, or is still pointed at."""

    name = "IntegrityError"
    status = 409


class DuplicateEntryError(IntegrityError):
    """A unique value is taken; clients search *content* for ``DuplicateEntry``."""

    name = "DuplicateEntryError"


class NotFoundError(SandboxError):
    """No such entity."""

    name = "NotFoundError"
    status = 404


class NotAvailableError(SandboxError):
    """The action exists on a full server, and this one cannot do it."""

    name = "NotImplementedError"
    status = 501


class StorageError(SandboxError):
    """The disk that holds the data is full or fails; nothing of the request was kept."""

    name = "StorageError"
    status = 507


class ServerError(SandboxError):
    """A fault of the server itself; *content* names no internals."""

    name = "InternalServerError"
    status = 500
