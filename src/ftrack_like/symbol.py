"""Symbols such as NOT_SET, and the fixed ids and topics of the ftrack server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn, Union

from ftrack_like._base.errors import NotSetError

__all__ = [
    "CHUNK_SIZE",
    "COMPONENT_ADDED_TO_LOCATION_TOPIC",
    "COMPONENT_REMOVED_FROM_LOCATION_TOPIC",
    "CONNECT_LOCATION_ID",
    "CREATED",
    "DELETED",
    "JOB_SYNC_USERS_LDAP",
    "MODIFIED",
    "NOT_SET",
    "ORIGIN_LOCATION_ID",
    "REVIEW_LOCATION_ID",
    "SERVER_LOCATION_ID",
    "UNMANAGED_LOCATION_ID",
    "Symbol",
]


#: The attributes that the library reads to find out whether a value is an entity, a date, etc.
_PROBES = frozenset({"entity_type", "isoformat", "items", "primary_key_attributes"})


class Symbol:
    """A constant that is compared with ``is`` and may be false."""

    def __init__(self, name: str, value: bool = True) -> None:
        """Initialise the symbol *name*; ``bool(symbol)`` is ``bool(value)``."""
        self.name = name
        self.value = value

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    def __repr__(self) -> str:
        """Return ``Symbol(name)``."""
        return f"{type(self).__name__}({self.name})"

    def __bool__(self) -> bool:
        """Return whether the symbol is true."""
        return bool(self.value)

    if not TYPE_CHECKING:  # Otherwise checkers would accept every name, and stop after it.

        def __getattr__(self, name: str) -> NoReturn:
            """Raise :exc:`~ftrack_like.exception.NotSetError` for NOT_SET, with advice.

            Raise a plain :exc:`AttributeError` for other symbols.
            """
            # Python and this library often test for these attributes, so the error must be cheap.
            if self.__dict__.get("name") != "NOT_SET" or name.startswith("__") or name in _PROBES:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise NotSetError(f"attribute {name!r}")

        def __getitem__(self, key: object) -> NoReturn:
            """Raise :exc:`~ftrack_like.exception.NotSetError`: a symbol has no items."""
            raise NotSetError(f"item {key!r}")

    def __copy__(self) -> Symbol:
        """Return the symbol itself: ``is`` would be false for a copy."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Symbol:
        """Return the symbol itself, as :meth:`__copy__` does."""
        return self

    def __reduce__(self) -> Union[str, tuple[Any, ...]]:
        """Pickle a symbol of this module by name, so that unpickling returns the same object."""
        for constant, known in globals().items():
            if known is self:
                return constant
        return super().__reduce__()


#: The states of an entity with pending operations.
DELETED = Symbol("DELETED")
MODIFIED = Symbol("MODIFIED")
CREATED = Symbol("CREATED")

#: The value of an attribute that is neither loaded nor set. It is false.
NOT_SET = Symbol("NOT_SET", False)

#: The topics of events after components are added to or removed from a location.
COMPONENT_ADDED_TO_LOCATION_TOPIC = "ftrack.location.component-added"
COMPONENT_REMOVED_FROM_LOCATION_TOPIC = "ftrack.location.component-removed"

#: The ids of the locations that every server has.
CONNECT_LOCATION_ID = "07b82a97-8cf9-11e3-9383-20c9d081909b"
ORIGIN_LOCATION_ID = "ce9b348f-8809-11e3-821c-20c9d081909b"
REVIEW_LOCATION_ID = "cd41be70-8809-11e3-b98a-20c9d081909b"
SERVER_LOCATION_ID = "3a372bde-05bc-11e4-8908-20c9d081909b"
UNMANAGED_LOCATION_ID = "cb268ecc-8809-11e3-a7e2-20c9d081909b"


def _chunk_size(text: str | None) -> int:
    """Return *text* as a number of bytes; 1 MiB if it is missing, zero or not a number."""
    try:
        size = int(text or 0)
    except ValueError:
        size = 0
    return size if size > 0 else 1024 * 1024


#: Files are read and written in chunks of this many bytes.
CHUNK_SIZE = _chunk_size(os.environ.get("FTRACK_API_FILE_CHUNK_SIZE"))

#: The job that imports users from LDAP.
JOB_SYNC_USERS_LDAP = Symbol("SYNC_USERS_LDAP")
