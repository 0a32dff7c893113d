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
    "DataSource",
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
    "SiteEntity",
    "Timeout",
    "Value",
]

#: A value whose type is known only at run time. The schema defines the type of an attribute: text,
#: a number, a date, an entity or a collection; its value may also be NOT_SET.
Value = Any

#: An entity whose class only the types of a site know. It is accepted as a ``Task`` of the site.
SiteEntity = Any

#: Content of data: text or bytes, depending on the mode of opening.
Content = Any

#: A JSON value, such as a result of the server.
Json = Any

#: Values of an entity by attribute name.
EntityData = Mapping[str, Any]

#: An entity as the server sends it: a JSON object with ``__entity_type__``.
Record = dict[str, Any]

#: The schemas of a server, one JSON object for each entity type.
Schemas = list[dict[str, Any]]

#: A key in a cache: text, or any type that the key maker and the cache of a program support.
Key = Any

#: The names of attributes to load: ``"name, status.name"``, or a list of names.
Projections = Union[str, Iterable[str]]

#: A path in the file system.
PathText = Union[str, "os.PathLike[str]"]

#: A function that creates an item of a mapped collection. The mapping contains its key and value.
Creator = Callable[["MappedCollectionProxy", dict[str, Any]], "Entity"]

#: The value of a collection attribute: a collection, or a mapping over a collection.
Members = Union["Collection", "MappedCollectionProxy"]

#: The source of the data of a component: a location, or a path for the origin location.
DataSource = Union["Location", PathText]

#: A time-out in seconds, or a pair of time-outs to connect and to read. None means no limit.
Timeout = Union[float, tuple[Any, Any], None]

#: A function that is called with the amount done and the total amount.
Progress = Callable[[int, int], object]


class Readable(Protocol):
    """Open data: an object of an accessor, or a Python file object."""

    def read(self, limit: int = ..., /) -> Content:
        """Return at most *limit* bytes or characters; empty at the end."""

    def seek(self, offset: int, whence: int = ..., /) -> object:
        """Move the position; raise :exc:`NotImplementedError` if that is not supported."""

    def tell(self) -> int:
        """Return the position; raise :exc:`NotImplementedError` if it is unknown."""


class EntityLike(Protocol):
    """An object with an identity: an entity, or an object of a program's own class."""

    @property
    def entity_type(self) -> str:
        """The name of the type."""

    @property
    def primary_key_attributes(self) -> Iterable[str]:
        """The names of the attributes of the primary key, in the order of the schema."""

    def __getitem__(self, key: str, /) -> Value:
        """Return the value of the attribute *key*."""


class ErrorOptions(TypedDict, total=False):
    """What every error takes by name beside its own arguments."""

    message: Optional[str]
    details: Optional[Mapping[str, Any]]
