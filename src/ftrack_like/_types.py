"""Names for types that many modules share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Protocol, TypedDict, Union

if TYPE_CHECKING:
    from ftrack_like.collection import Collection, MappedCollectionProxy
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.location import Location

__all__ = [
    "Content",
    "Creator",
    "EntityData",
    "EntityLike",
    "ErrorOptions",
    "Json",
    "Key",
    "Members",
    "PathText",
    "Progress",
    "Projections",
    "Readable",
    "Record",
    "Schemas",
    "Source",
    "Timeout",
    "Value",
]

#: A value that programs and the server choose, so that its type is known at run time alone. The
#: value of an attribute is what the schema says: text, a number, a date, an entity, a collection,
#: or NOT_SET.
Value = Any

#: What is read from data or written to it: text or bytes, by how the data was opened.
Content = Any

#: A value that JSON has a form for, such as a result of the server.
Json = Any

#: Values of an entity by attribute name.
EntityData = Mapping[str, Any]

#: An entity as the server sends it: a JSON object with ``__entity_type__``.
Record = dict[str, Any]

#: The schemas of a server, one JSON object for each entity type.
Schemas = list[dict[str, Any]]

#: The key of a value in a cache: text, or what a key maker and the backends of a program agree on.
Key = Any

#: The names of attributes to load: ``"name, status.name"``, or a list of names.
Projections = Union[str, Iterable[str]]

#: A path in the file system.
PathText = Union[str, "os.PathLike[str]"]

#: Makes the item of a mapped collection, from the values of its key and its value attribute.
Creator = Callable[["MappedCollectionProxy", dict[str, Any]], "Entity"]

#: A collection in the form that readers get: a list of entities, or a mapping over one.
Members = Union["Collection", "MappedCollectionProxy"]

#: Where the data of a component comes from: a location, or for the origin location a bare path.
Source = Union["Location", PathText]

#: Seconds to wait for an answer; a pair for connecting and for an answer; None waits for ever.
Timeout = Union[float, tuple[Any, Any], None]

#: A function that is called with how much is done and how much there is.
Progress = Callable[[int, int], object]


class Readable(Protocol):
    """Open data: that of an accessor, or a file of Python's own."""

    def read(self, limit: int = ..., /) -> Content:
        """Return up to *limit* bytes or characters, nothing at the end."""

    def seek(self, offset: int, whence: int = ..., /) -> object:
        """Move the position; :exc:`NotImplementedError` where it cannot be moved."""

    def tell(self) -> int:
        """Return the position; :exc:`NotImplementedError` where it is not known."""


class EntityLike(Protocol):
    """An object that can be told apart as entities are: an entity, or a program's own class."""

    @property
    def entity_type(self) -> str:
        """The name of the type."""

    @property
    def primary_key_attributes(self) -> Iterable[str]:
        """The names of the attributes of the primary key, in the schema's order."""

    def __getitem__(self, key: str, /) -> Value:
        """Return the value of the attribute *key*."""


class ErrorOptions(TypedDict, total=False):
    """What every error takes by name beside its own arguments."""

    message: Optional[str]
    details: Optional[Mapping[str, Any]]
