"""The errors of structures, locations and accessors.

Their public place is :mod:`ftrack_like.exception`. A separate module keeps that module short.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.errors import Error, with_details

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ftrack_like._base.types import ErrorOptions, Value
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
    """The path is not valid on this system."""

    default_message = "No file can have the path {path!r}: {problem}."

    def __init__(
        self, path: object = "", problem: object = "unspecified", **kw: Unpack[ErrorOptions]
    ) -> None:
        """Initialise with the *path* and its *problem* in words."""
        super().__init__(**with_details(kw, path=path, problem=problem))


class StructureError(Error):
    """A structure cannot determine the path of an entity."""

    default_message = "Unspecified structure error"


class LocationError(Error):
    """An operation of a location failed."""

    default_message = "Unspecified location error"


class _ComponentsOfLocationError(LocationError):
    """The base of the two errors about components in one location."""

    def __init__(self, components: Value, location: Location, **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with one or several *components* and the *location*."""
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
    """A component is already in the location."""

    default_message = "Component(s) {formatted_components} already exist in location {location}."


class ComponentNotInAnyLocationError(LocationError):
    """The component is not in any accessible location."""

    default_message = "Component not available in any location."


class ComponentNotInLocationError(_ComponentsOfLocationError):
    """A component is not in the location."""

    default_message = "Component(s) {formatted_components} not found in location {location}."


class AccessorError(Error):
    """An operation of an accessor failed."""

    default_message = "Unspecified accessor error"


class _AccessorFault(AccessorError):
    """The base of the errors about one operation on one resource."""

    def __init__(
        self,
        operation: object = "",
        resource_identifier: object = None,
        error: object = None,
        **kw: Unpack[ErrorOptions],
    ) -> None:
        """Initialise with the *operation* (a verb), the *resource_identifier* and the *error*.

        If *error* is an exception, it becomes the cause.
        """
        super().__init__(
            **with_details(
                kw, operation=operation, resource_identifier=resource_identifier, error=error
            )
        )
        if isinstance(error, BaseException):
            self.__cause__: Optional[BaseException] = error


class AccessorOperationFailedError(_AccessorFault):
    """The operation failed in the storage."""

    default_message = "Operation {operation} failed: {error}"


class AccessorPermissionDeniedError(AccessorOperationFailedError):
    """The storage does not allow the operation."""

    default_message = "Cannot {operation} {resource_identifier}. Permission denied."


class AccessorUnsupportedOperationError(AccessorOperationFailedError):
    """The accessor does not support the operation."""

    default_message = "Operation {operation} unsupported."


class AccessorResourceError(_AccessorFault):
    """The operation is not possible in the current state of the resource."""

    default_message = "Unspecified resource error: {resource_identifier}"


class AccessorContainerNotEmptyError(AccessorResourceError):
    """The container to remove is not empty."""

    default_message = "Container is not empty: {resource_identifier}"


class AccessorParentResourceNotFoundError(AccessorResourceError):
    """The parent container of the resource does not exist."""

    default_message = "Parent resource is missing: {resource_identifier}"


class AccessorResourceInvalidError(AccessorResourceError):
    """The resource has the wrong kind for the operation, such as a file instead of a folder."""

    default_message = "Resource invalid: {resource_identifier}"


class AccessorResourceNotFoundError(AccessorResourceError):
    """The resource does not exist."""

    default_message = "Resource not found: {resource_identifier}"


class AccessorResourceIdentifierError(AccessorError):
    """The resource identifier is not valid for the accessor."""

    default_message = "Resource identifier is invalid: {resource_identifier}."

    def __init__(self, resource_identifier: object, **kw: Unpack[ErrorOptions]) -> None:
        """Initialise with the invalid *resource_identifier*."""
        super().__init__(**with_details(kw, resource_identifier=resource_identifier))


class AccessorFilesystemPathError(AccessorResourceIdentifierError):
    """The resource has no path in the file system."""

    default_message = (
        "Could not determine filesystem path from resource identifier: {resource_identifier}."
    )
