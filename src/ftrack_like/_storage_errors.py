"""The errors about where files are kept: structures, locations and accessors.

They stand apart from :mod:`ftrack_like.exception`, where everybody finds them, since they are many
and have nothing to do with the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like._errors import Error, with_details

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ftrack_like._types import ErrorOptions, Value
    from ftrack_like.entity.location import Location

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
    "ComponentInLocationError",
    "ComponentNotInAnyLocationError",
    "ComponentNotInLocationError",
    "LocationError",
    "PathError",
    "StructureError",
]


class PathError(Error, ValueError):
    """No file can have the path."""

    default_message = "No file can have the path {path!r}: {problem}."

    def __init__(
        self, path: object = "", problem: object = "unspecified", **kw: Unpack[ErrorOptions]
    ) -> None:
        """Initialise with the *path* and what the *problem* with it is, in words."""
        super().__init__(**with_details(kw, path=path, problem=problem))


class StructureError(Error):
    """A structure cannot work out where something belongs."""

    default_message = "Unspecified structure error"


class LocationError(Error):
    """A location cannot do this."""

    default_message = "Unspecified location error"


class _ComponentsOfLocationError(LocationError):
    """What the two errors about components in one location have in common."""

    def __init__(self, components: Value, location: Location, **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the *components* (one or several) and the *location* concerned."""
        one = isinstance(components, Mapping) or not hasattr(components, "__iter__")
        several = [components] if one else list(components)
        super().__init__(
            **with_details(
                kw,
                components=components,
                formatted_components=", ".join(str(component) for component in several),
                location=location,
            )
        )


class ComponentInLocationError(_ComponentsOfLocationError):
    """The location already holds a component."""

    default_message = "Component(s) {formatted_components} already exist in location {location}."


class ComponentNotInAnyLocationError(LocationError):
    """No accessible location holds the component."""

    default_message = "Component not available in any location."


class ComponentNotInLocationError(_ComponentsOfLocationError):
    """The location does not hold a component."""

    default_message = "Component(s) {formatted_components} not found in location {location}."


class AccessorError(Error):
    """An accessor could not reach its storage."""

    default_message = "Unspecified accessor error"


class _AccessorFault(AccessorError):
    """What the errors about one operation on one resource have in common."""

    def __init__(
        self,
        operation: object = "",
        resource_identifier: object = None,
        error: object = None,
        **kw: Unpack[ErrorOptions],
    ) -> None:
        """Initialise with the *operation* (a verb), the *resource_identifier* and the *error*.

        *error*, when it is an exception, becomes the cause.
        """
        super().__init__(
            **with_details(
                kw, operation=operation, resource_identifier=resource_identifier, error=error
            )
        )
        if isinstance(error, BaseException):
            self.__cause__: Optional[BaseException] = error


class AccessorOperationFailedError(_AccessorFault):
    """The storage did not carry out an operation."""

    default_message = "Operation {operation} failed: {error}"


class AccessorPermissionDeniedError(AccessorOperationFailedError):
    """The storage does not allow the operation."""

    default_message = "Cannot {operation} {resource_identifier}. Permission denied."


class AccessorUnsupportedOperationError(AccessorOperationFailedError):
    """The accessor does not know the operation."""

    default_message = "Operation {operation} unsupported."


class AccessorResourceError(_AccessorFault):
    """A resource is not as the operation needs it."""

    default_message = "Unspecified resource error: {resource_identifier}"


class AccessorContainerNotEmptyError(AccessorResourceError):
    """A container that should go still holds something."""

    default_message = "Container is not empty: {resource_identifier}"


class AccessorParentResourceNotFoundError(AccessorResourceError):
    """The container that should hold the resource does not exist."""

    default_message = "Parent resource is missing: {resource_identifier}"


class AccessorResourceInvalidError(AccessorResourceError):
    """The resource is of another kind than the operation needs."""

    default_message = "Resource invalid: {resource_identifier}"


class AccessorResourceNotFoundError(AccessorResourceError):
    """The resource does not exist."""

    default_message = "Resource not found: {resource_identifier}"


class AccessorResourceIdentifierError(AccessorError):
    """The accessor cannot work with the resource identifier."""

    default_message = "Resource identifier is invalid: {resource_identifier}."

    def __init__(self, resource_identifier: object, **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the *resource_identifier* that cannot be used."""
        super().__init__(**with_details(kw, resource_identifier=resource_identifier))


class AccessorFilesystemPathError(AccessorResourceIdentifierError):
    """The resource has no path in the file system."""

    default_message = (
        "Could not determine filesystem path from resource identifier: {resource_identifier}."
    )
