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


_BRACES = str.maketrans("{}", "()")


class SandboxError(Exception):
    """An error that the server returns to the client.

    *name* is ``exception`` on the wire, and *content* is the text for people. *status* is the HTTP
    status of a strict request. *error_code* is a word for programs, or None. Subclasses set
    everything but *content*. ``operation`` is the index of the failed operation in its batch, None
    if not known. ``position`` is the place of a mistake in a query expression, in characters from
    0; None for other errors.
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
        """Prepare the error; None keeps the value of the class."""
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

        ``"operation": int`` is added if the failed operation is known, and ``"position": int`` if
        the expression of a query has a mistake. The content has parentheses in place of braces,
        because the published Python client formats the text again, and fails at a brace.
        """
        known = {
            name: value
            for name, value in (("operation", self.operation), ("position", self.position))
            if value is not None
        }
        return {
            "exception": self.name,
            "content": self.content.translate(_BRACES),
            "error_code": self.error_code,
            **known,
        }


class AuthenticationError(SandboxError):
    """The request does not identify its user."""

    name = "FTAuthenticationError"
    status = 401
    error_code: Optional[str] = "api_credentials_invalid"


class InvalidCredentialsError(AuthenticationError):
    """The user is unknown, or the key is wrong."""

    name = "InvalidCredentialsError"


class TooManyAttemptsError(AuthenticationError):
    """The client has sent wrong credentials too often, and may try again after *seconds*."""

    name = "TooManyAttemptsError"
    status = 429
    error_code: Optional[str] = "too_many_attempts"

    def __init__(self, seconds: float) -> None:
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
    """An attribute is unknown, missing or immutable, or has a value of the wrong type."""

    name = "ValidationError"
    status = 400


class InvalidActionError(SandboxError):
    """The action does not exist; clients search *content* for ``Invalid action u'NAME'``."""

    name = "InvalidActionError"
    status = 400


class MalformedRequestError(SandboxError):
    """The body is not a JSON list of operations."""

    name = "MalformedRequestError"
    status = 400


class RequestTooLargeError(SandboxError):
    """The body is larger, or contains more values, than the server reads."""

    name = "RequestTooLargeError"
    status = 413


class BatchTimeoutError(SandboxError):
    """A batch takes longer than permitted; no operation was applied."""

    name = "BatchTimeoutError"
    status = 413


class ParseError(SandboxError):
    """A query expression does not follow the grammar."""

    name = "ParseError"
    status = 400


class QueryError(SandboxError):
    """A query expression contains an unknown name or an impossible comparison."""

    name = "QueryError"
    status = 400


class UnknownNameError(SandboxError):
    """An operation lacks a key, or contains an unknown name."""

    name = "KeyError"
    status = 400


class UnrecognisedEntityTypeError(SandboxError):
    """The entity type does not exist."""

    name = "UnrecognisedEntityTypeError"
    status = 400


class IntegrityError(SandboxError):
    """A reference would point at a missing row."""

    name = "IntegrityError"
    status = 409


class DuplicateEntryError(IntegrityError):
    """A unique value is taken; clients search *content* for ``DuplicateEntry``."""

    name = "DuplicateEntryError"


class NotFoundError(SandboxError):
    """The entity does not exist."""

    name = "NotFoundError"
    status = 404


class NotAvailableError(SandboxError):
    """The action exists on a full server, but not in the sandbox."""

    name = "NotImplementedError"
    status = 501


class StorageError(SandboxError):
    """The disk with the data is full or fails; nothing of the request was stored."""

    name = "StorageError"
    status = 507


class ServerError(SandboxError):
    """An error in the server itself; *content* does not reveal internals."""

    name = "InternalServerError"
    status = 500
