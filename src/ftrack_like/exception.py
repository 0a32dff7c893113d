"""All errors of the library, under one root.

The tree below is complete. A name in brackets is a further base class of the error, so that code
that catches that class keeps working::

    Error
    ├── AccessorError
    │   ├── AccessorOperationFailedError
    │   │   ├── AccessorPermissionDeniedError
    │   │   └── AccessorUnsupportedOperationError
    │   ├── AccessorResourceError
    │   │   ├── AccessorContainerNotEmptyError
    │   │   ├── AccessorParentResourceNotFoundError
    │   │   ├── AccessorResourceInvalidError
    │   │   └── AccessorResourceNotFoundError
    │   └── AccessorResourceIdentifierError
    │       └── AccessorFilesystemPathError
    ├── AttributeError
    │   ├── ImmutableAttributeError
    │   └── UnknownAttributeError [KeyError]
    ├── AuthenticationError
    │   └── ServerAuthenticationError [ServerError]
    ├── BlockingCallError [RuntimeError]
    ├── CollectionError
    │   ├── DuplicateItemInCollectionError
    │   └── ImmutableCollectionError
    ├── ConfigurationError [TypeError, ValueError]
    │   └── ServerAddressError [requests.exceptions.InvalidSchema]
    ├── ConnectionClosedError
    ├── EntityTypeError
    │   └── UnrecognisedEntityTypeError [KeyError]
    ├── EventHubError
    │   ├── EventHubConnectionError
    │   ├── EventHubPacketError
    │   └── EventJournalError
    │       └── EventJournalBusyError
    ├── IncorrectResultError
    │   ├── MultipleResultsFoundError
    │   └── NoResultFoundError
    ├── InvalidStateError
    │   └── InvalidStateTransitionError
    ├── InvalidValueError [TypeError, ValueError, builtins.AttributeError]
    │   ├── InvalidEntityError [NotImplementedError]
    │   └── ServerInvalidValueError [ServerValidationError]
    ├── JobFailedError
    ├── JobTimeoutError [TimeoutError]
    ├── LazyLoadError
    │   └── NotLoadedError
    ├── LocationError
    │   ├── ComponentInLocationError
    │   ├── ComponentNotInAnyLocationError
    │   └── ComponentNotInLocationError
    ├── MediaError
    ├── NotFoundError
    │   └── ServerNotFoundError [ServerError]
    ├── NotSetError [builtins.AttributeError, TypeError]
    ├── NotUniqueError
    │   └── ServerNotUniqueError [ServerError]
    ├── OperationError
    │   ├── CommitInProgressError
    │   └── RolledBackError
    ├── ParseError
    │   └── ServerParseError [ServerError]
    ├── PathError [ValueError]
    ├── PermissionDeniedError
    │   └── ServerPermissionDeniedError [ServerError]
    ├── ServerError
    │   ├── ServerAnswerError [ValueError]
    │   ├── ServerCompatibilityError
    │   ├── ServerConnectionError [requests.exceptions.ConnectionError]
    │   │   └── ServerTimeoutError [requests.exceptions.Timeout]
    │   └── ServerValidationError
    └── StructureError

:class:`UnknownAttributeWarning`, a :exc:`UserWarning`, is shown where a name has no effect.

An error keeps a template in *message* and its values in *details*. ``str(error)`` joins the two,
and never raises an error itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

import requests.exceptions

from ftrack_like._base.errors import Error, MediaError, NotSetError, ParseError, with_details
from ftrack_like._base.storage_errors import (
    AccessorContainerNotEmptyError,
    AccessorError,
    AccessorFilesystemPathError,
    AccessorOperationFailedError,
    AccessorParentResourceNotFoundError,
    AccessorPermissionDeniedError,
    AccessorResourceError,
    AccessorResourceIdentifierError,
    AccessorResourceInvalidError,
    AccessorResourceNotFoundError,
    AccessorUnsupportedOperationError,
    ComponentInLocationError,
    ComponentNotInAnyLocationError,
    ComponentNotInLocationError,
    LocationError,
    PathError,
    StructureError,
)
from ftrack_like._base.value_errors import InvalidEntityError, InvalidValueError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ftrack_like._base.types import ErrorOptions, Members
    from ftrack_like.attribute import Attribute
    from ftrack_like.entity.base import Entity

__all__ = [
    "AccessorContainerNotEmptyError",
    "AccessorError",
    "AccessorFilesystemPathError",
    "AccessorOperationFailedError",
    "AccessorParentResourceNotFoundError",
    "AccessorPermissionDeniedError",
    "AccessorResourceError",
    "AccessorResourceIdentifierError",
    "AccessorResourceInvalidError",
    "AccessorResourceNotFoundError",
    "AccessorUnsupportedOperationError",
    "AttributeError",
    "AuthenticationError",
    "BlockingCallError",
    "CollectionError",
    "CommitInProgressError",
    "ComponentInLocationError",
    "ComponentNotInAnyLocationError",
    "ComponentNotInLocationError",
    "ConfigurationError",
    "ConnectionClosedError",
    "DuplicateItemInCollectionError",
    "EntityTypeError",
    "Error",
    "EventHubConnectionError",
    "EventHubError",
    "EventHubPacketError",
    "EventJournalBusyError",
    "EventJournalError",
    "ImmutableAttributeError",
    "ImmutableCollectionError",
    "IncorrectResultError",
    "InvalidEntityError",
    "InvalidStateError",
    "InvalidStateTransitionError",
    "InvalidValueError",
    "JobFailedError",
    "JobTimeoutError",
    "LazyLoadError",
    "LocationError",
    "MediaError",
    "MultipleResultsFoundError",
    "NoResultFoundError",
    "NotFoundError",
    "NotLoadedError",
    "NotSetError",
    "NotUniqueError",
    "OperationError",
    "ParseError",
    "PathError",
    "PermissionDeniedError",
    "RolledBackError",
    "ServerAddressError",
    "ServerAnswerError",
    "ServerAuthenticationError",
    "ServerCompatibilityError",
    "ServerConnectionError",
    "ServerError",
    "ServerInvalidValueError",
    "ServerNotFoundError",
    "ServerNotUniqueError",
    "ServerParseError",
    "ServerPermissionDeniedError",
    "ServerTimeoutError",
    "ServerValidationError",
    "StructureError",
    "UnknownAttributeError",
    "UnknownAttributeWarning",
    "UnrecognisedEntityTypeError",
]


class ServerError(Error):
    """The server could not be reached, refused the request, or sent an invalid answer.

    *error_code* is the server's machine-readable code, and *exception_name* its name for the error
    (such as ``"ValidationError"``). *operation* is the index of the failed operation in the batch.
    Each is None if the server does not send it.
    """

    default_message = "Server reported error processing request."
    operation: Optional[int] = None

    def __init__(
        self,
        message: str | None = None,
        details: Mapping[str, Any] | None = None,
        error_code: str | None = None,
        exception_name: str | None = None,
    ) -> None:
        """Initialise as :class:`Error`, with *error_code* and *exception_name* of the server."""
        Error.__init__(self, message, details)
        self.error_code = error_code
        self.exception_name = exception_name


class ServerCompatibilityError(ServerError):
    """The server's version is too old for this library."""

    default_message = "Server incompatible."


class ServerValidationError(ServerError):
    """The server refused a value: wrong type, unknown attribute or missing required attribute."""

    default_message = "The server refused a value."


class ServerInvalidValueError(ServerValidationError, InvalidValueError):
    """A value cannot be sent to the server; nothing was sent."""

    default_message = "A value cannot be sent to the server."


class ServerAnswerError(ServerError, ValueError):
    """The answer breaks the protocol: it is not JSON, not UTF-8, or has too few results."""

    default_message = "The server's answer cannot be understood."


class ServerConnectionError(ServerError, requests.exceptions.ConnectionError):
    """The server cannot be reached, or the connection broke before the answer was complete.

    *request_sent* is False if the request certainly never arrived. *retry_after* is the wait in
    seconds that the server requests, or None. *is_lasting* is True if a retry would fail too:
    too many open files, or a rejected certificate.
    """

    default_message = "The server cannot be reached."
    request_sent = True
    is_lasting = False
    retry_after: Optional[float] = None

    def __init__(
        self,
        message: str | None = None,
        details: Mapping[str, Any] | None = None,
        error_code: str | None = None,
        exception_name: str | None = None,
    ) -> None:
        """Initialise as :class:`ServerError`; *request* and *response* are None."""
        ServerError.__init__(self, message, details, error_code, exception_name)
        # OSError sets *args* in an initialiser that is not called here.
        self.args: tuple[Any, ...] = () if message is None else (message,)
        self.request: requests.PreparedRequest | None = None
        self.response: requests.Response | None = None


class ServerTimeoutError(
    ServerConnectionError, requests.exceptions.ConnectTimeout, requests.exceptions.ReadTimeout
):
    """The server did not answer in time."""

    default_message = "The server did not answer in time."


class AuthenticationError(Error):
    """The user of the request could not be identified."""

    default_message = "Authentication error."


class ServerAuthenticationError(ServerError, AuthenticationError):
    """The server does not accept the API key for this user."""

    default_message = "The server does not accept the API key for this user."


class PermissionDeniedError(Error):
    """The user may not do this."""

    default_message = "Permission denied."


class ServerPermissionDeniedError(ServerError, PermissionDeniedError):
    """The server denies the user permission for this."""

    default_message = "The server denied permission."


class NotFoundError(Error):
    """A required object does not exist."""

    default_message = "Not found."


class ServerNotFoundError(ServerError, NotFoundError):
    """The server does not know the entity."""

    default_message = "The server does not know the entity."


class NotUniqueError(Error):
    """A value that must be unique is already in use."""

    default_message = "Non-unique value detected."


class ServerNotUniqueError(ServerError, NotUniqueError):
    """The server already has an entity with this unique value."""

    default_message = "The server already has this unique value."


class ServerParseError(ServerError, ParseError):
    """The server cannot read a query expression.

    *expression* is the text that the caller wrote, and *position* is the place of the mistake in
    it, in characters from 0. Without *expression*, *position* is a place in the text that was sent.
    *sentence* is the server's description of the mistake. Each is None if unknown.
    """

    default_message = "The server cannot read the expression."
    expression: Optional[str] = None
    position: Optional[int] = None
    sentence: Optional[str] = None


class ConfigurationError(Error, TypeError, ValueError):
    """A required setting is missing or invalid."""

    default_message = "A setting is missing or cannot be used."


class ServerAddressError(ConfigurationError, requests.exceptions.InvalidSchema):
    """The address of the server is invalid."""

    default_message = "The address of the server is invalid."

    def __init__(
        self, message: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        """Initialise as :class:`Error`; *request* and *response* are None."""
        Error.__init__(self, message, details)
        # See ServerConnectionError.
        self.args: tuple[Any, ...] = () if message is None else (message,)
        self.request: requests.PreparedRequest | None = None
        self.response: requests.Response | None = None


class ConnectionClosedError(Error):
    """The session is closed, so nothing can be sent."""

    default_message = "Connection closed."


class OperationError(Error):
    """An operation cannot be recorded or sent."""

    default_message = "Operation error."


class CommitInProgressError(OperationError):
    """A thread calls commit or rollback inside a running call of the same session.

    A signal handler can do that. Nothing was sent, and nothing was undone.
    """

    default_message = (
        "Cannot {verb} now: this thread is inside a running commit or rollback of the same "
        "session, as happens in a signal handler. {verb_capital} after it has ended."
    )

    def __init__(self, verb: str = "commit", **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the *verb* for the call, such as ``commit``."""
        super().__init__(**with_details(kw, verb=verb, verb_capital=verb.capitalize()))


class RolledBackError(OperationError):
    """A rollback has undone the changes of a commit in the background before it began.

    Nothing was sent. See :meth:`~ftrack_like.session.Session.commit_in_background`.
    """

    default_message = (
        "Nothing was committed: a rollback of the session has undone these changes before the "
        "commit began. Make the changes again if you need them."
    )


class IncorrectResultError(Error):
    """A query found a different number of entities than expected."""

    default_message = "Incorrect result detected."


class MultipleResultsFoundError(IncorrectResultError):
    """More than one entity was found."""

    default_message = "Expected single result, but received multiple results."


class NoResultFoundError(IncorrectResultError):
    """No entity was found."""

    default_message = "Expected result, but no result was found."


class EntityTypeError(Error):
    """An entity type cannot be used this way."""

    default_message = "Entity type error."


def _suggesting(
    error: Error, keywords: ErrorOptions, suggestion: str, **values: object
) -> ErrorOptions:
    """Return *keywords* with *values* as details and *suggestion* behind the text of *error*."""
    if not suggestion:
        return with_details(keywords, **values)
    message = keywords.get("message") or error.default_message
    options = with_details(keywords, **values, suggestion=suggestion)
    options["message"] = message + " {suggestion}"
    return options


class UnrecognisedEntityTypeError(EntityTypeError, KeyError):
    """The server's schemas have no such entity type."""

    default_message = 'Entity type "{entity_type}" not recognised.'

    def __init__(
        self, entity_type: object, *, suggestion: str = "", **kw: Unpack[ErrorOptions]
    ) -> None:
        """Initialise with the unknown *entity_type*; *suggestion* follows in the text."""
        super().__init__(**_suggesting(self, kw, suggestion, entity_type=entity_type))


class AttributeError(Error):
    """An attribute cannot be used this way."""

    default_message = "Attribute error."


class UnknownAttributeError(AttributeError, KeyError):
    """The entity type has no such attribute."""

    default_message = "{entity_type} has no attribute {attribute_name!r}."

    def __init__(
        self,
        attribute_name: object = "",
        entity_type: object = "Entity",
        suggestion: str = "",
        **kw: Unpack[ErrorOptions],
    ) -> None:
        """Initialise with the unknown *attribute_name* of *entity_type*."""
        names = {"attribute_name": attribute_name, "entity_type": entity_type}
        super().__init__(**_suggesting(self, kw, suggestion, **names))


class UnknownAttributeWarning(UserWarning):
    """The data of a new entity, or a query without results, name an unknown attribute.

    It is also shown if a program sets ``task.name`` instead of ``task["name"]``.

    The published client ignores a key of the data, and lets programs set any attribute of the
    object. The server ignores a custom attribute in the text of a query. So do they here. The
    warning shows the line of the program.
    ``warnings.simplefilter("error", UnknownAttributeWarning)`` makes it an error.
    """


class ImmutableAttributeError(AttributeError):
    """An immutable attribute cannot change its value."""

    default_message = "Cannot modify value of immutable {attribute.name!r} attribute."

    def __init__(self, attribute: Attribute, **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the *attribute*, an object that has a *name*."""
        super().__init__(**with_details(kw, attribute=attribute))


class CollectionError(Error):
    """A collection cannot be used this way."""

    default_message = "Collection error."

    def __init__(self, collection: Members, **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the *collection* concerned."""
        super().__init__(**with_details(kw, collection=collection))


class DuplicateItemInCollectionError(CollectionError):
    """The collection already contains the item."""

    default_message = "Item {item!r} already exists in collection {collection!r}."

    def __init__(self, item: object, collection: Members, **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the *item* and the *collection* that contains it."""
        super().__init__(collection, **with_details(kw, item=item))


class ImmutableCollectionError(CollectionError):
    """The collection shows values that cannot be changed through it."""

    default_message = "Cannot modify value of immutable collection {collection!r}."


class InvalidStateError(Error):
    """An entity is in a state that does not allow this."""

    default_message = "Invalid state."


class InvalidStateTransitionError(InvalidStateError):
    """An entity cannot change from its state to the target state."""

    default_message = (
        "Invalid transition from {current_state!r} to {target_state!r} state for entity {entity!r}"
    )

    def __init__(
        self,
        current_state: object,
        target_state: object,
        entity: Entity,
        **kw: Unpack[ErrorOptions],
    ) -> None:
        """Initialise with the *current_state* and *target_state* of the *entity*."""
        states = {"current_state": current_state, "target_state": target_state}
        super().__init__(**with_details(kw, entity=entity, **states))


class EventHubError(Error):
    """An error occurred in the event hub."""

    default_message = "Event hub error occurred."


class EventHubPacketError(EventHubError):
    """A packet of the event server is invalid."""

    default_message = "Invalid packet."


class EventHubConnectionError(EventHubError):
    """The event hub needs a connection, but has none."""

    default_message = "Event hub is not connected."


class EventJournalError(EventHubError):
    """The journal of a durable subscription cannot be used, for example for lack of space."""

    default_message = "The journal of events cannot be used."


class EventJournalBusyError(EventJournalError):
    """The journal cannot be used at the moment. The hub tries again."""

    default_message = "The journal of events cannot be used at the moment."


class LazyLoadError(Error):
    """An attribute is not loaded, and the session has ``on_lazy_load="raise"``.

    *entity* and *attribute_name* say what the program has read. Nothing was sent.
    """

    default_message = (
        "{entity}[{attribute_name!r}] is not loaded and would be asked of the server. Project it "
        "in the query, or call session.populate(entities, {attribute_name!r})."
    )

    def __init__(self, entity: Entity, attribute_name: str, **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the *entity* and the *attribute_name* that the program has read."""
        self.entity = entity
        self.attribute_name = attribute_name
        super().__init__(**with_details(kw, entity=entity, attribute_name=attribute_name))


class NotLoadedError(LazyLoadError):
    """An attribute is not loaded, and reading it would stop the event loop.

    *projection* is the name to add after ``select``. Nothing was sent.
    """

    default_message = (
        "{entity}[{attribute_name!r}] is not loaded, and an event loop must not wait for it. Add "
        "{projection} to the projection: 'select {projection} from {entity_type} …', or load it: "
        'await entity.load("{projection}").'
    )

    def __init__(
        self, entity: Entity, attribute_name: str, projection: str, **kw: Unpack[ErrorOptions]
    ) -> None:
        """Initialise with the *entity*, the *attribute_name* and the missing *projection*."""
        self.projection = projection
        named = with_details(kw, projection=projection, entity_type=entity.entity_type)
        super().__init__(entity, attribute_name, **named)


class BlockingCallError(Error, RuntimeError):
    """A call would wait for the server on the thread of an event loop. Nothing was sent."""

    default_message = (
        "This call waits for the server and would stop the event loop. Await the method of the "
        "AsyncSession, or run the function in a thread: await session.run(function). To load the "
        "attributes of an entity, await entity.load(projections)."
    )


class JobFailedError(Error):
    """A job on the server failed; *job* and *reason* describe the failure."""

    default_message = "The job {job_id} failed: {reason}"

    def __init__(self, job: Entity, reason: str, **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the *job* and the *reason*, a text."""
        self.job = job
        self.reason = reason
        super().__init__(**with_details(kw, job_id=job["id"], reason=reason))


class JobTimeoutError(Error, TimeoutError):
    """A job did not finish within the time-out; it continues on the server."""

    default_message = (
        "The job {job_id} is {status} after {timeout} seconds and continues. Wait longer with "
        "session.wait_for_job(job, timeout=…)."
    )

    def __init__(
        self, job: Entity, status: str, timeout: Optional[float], **kw: Unpack[ErrorOptions]
    ) -> None:
        """Initialise with the *job*, its *status*, and the *timeout* in seconds."""
        self.job = job
        super().__init__(**with_details(kw, job_id=job["id"], status=status, timeout=timeout))
