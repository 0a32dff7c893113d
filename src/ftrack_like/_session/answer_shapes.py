"""Check that answers have the shape that the protocol promises, whichever server sent them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ftrack_like import exception

if TYPE_CHECKING:
    from ftrack_like._base.types import Json

__all__ = [
    "check_page",
    "check_records",
    "check_schemas",
    "field",
    "reading",
    "text_field",
    "upload_place",
]

#: The exceptions that code raises when an answer lacks the promised shape.
_FAULTS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError)

#: JSON values that are not entities.
_NO_RECORDS = (dict, list, str, int, float, bool, type(None))


@contextlib.contextmanager
def reading(what: str) -> Generator[None, None, None]:
    """Turn the errors that malformed data causes in the context into a ServerAnswerError.

    *what* names the data in the message. Errors of the library pass unchanged.
    """
    try:
        yield
    except exception.Error:
        raise
    except _FAULTS as error:
        raise exception.ServerAnswerError(
            f"The server sent {what} that cannot be read: {type(error).__name__}: "
            f"{str(error)[:200]}"
        ) from error


def check_page(result: Json) -> None:
    """Raise :exc:`~ftrack_like.exception.ServerAnswerError` if *result* is not a query page."""
    if not isinstance(result, Mapping) or not isinstance(result.get("data"), list):
        raise exception.ServerAnswerError("The server's answer to a query has no list of data.")
    place: Any = result
    for name in ("metadata", "next", "offset"):
        place = place.get(name)
        if place is None:
            return
        if name != "offset" and not isinstance(place, Mapping):
            break
    else:
        if type(place) is int:
            return
    raise exception.ServerAnswerError(
        f"The server's answer to a query has no offset of the next page, but {place!r:.50}."
    )


def check_records(entities: Iterable[Any], wanted: Callable[[], bool]) -> None:
    """Raise :exc:`~ftrack_like.exception.ServerAnswerError` if a row is not an entity.

    *entities* are the rows of a query. *wanted* returns whether the query finds entities. A query
    with groups does not: its rows are plain mappings. The function calls *wanted* only for such a
    mapping.
    """
    for each in entities:
        if each.__class__ in _NO_RECORDS and (each.__class__ is not dict or wanted()):
            raise exception.ServerAnswerError(
                f"The server answered {each!r:.200} to a query, where an entity belongs."
            )


def field(result: Json, name: str) -> Json:
    """Return the value of *name* in *result*, the answer to one operation.

    Raise :exc:`~ftrack_like.exception.ServerAnswerError` if the value is missing or null.
    """
    if isinstance(result, Mapping) and result.get(name) is not None:
        return result[name]
    raise exception.ServerAnswerError(
        f"The server's answer has no {name!r}, but is {result!r:.200}."
    )


def text_field(result: Json, name: str) -> str:
    """Return the text of *name* in *result*; raise as :func:`field` does, also for other types."""
    found = field(result, name)
    if isinstance(found, str):
        return found
    raise exception.ServerAnswerError(f"The server's answer has no text for {name!r}.")


def upload_place(result: Json) -> dict[str, Any]:
    """Return *result* if it contains the addresses for an upload.

    The shape is ``{"url": str, "headers": {str: str}}`` for a whole file, and
    ``{"upload_id": str, "urls": [{"part_number": int, "signed_url": str}]}`` for an upload in
    parts.

    Raise :exc:`~ftrack_like.exception.ServerAnswerError` for another shape. The message does not
    quote the answer, because the addresses are secrets.
    """
    place: dict[str, Any] = result
    with contextlib.suppress(*_FAULTS):
        if "urls" in result:
            places = [(each["part_number"], each["signed_url"]) for each in result["urls"]]
            good = bool(places) and isinstance(result["upload_id"], str)
            if good and all(type(n) is int and isinstance(url, str) for n, url in places):
                return place
        elif isinstance(result["url"], str) and all(
            isinstance(value, str) for value in dict(result["headers"]).values()
        ):
            return place
    raise exception.ServerAnswerError("The server did not answer where to upload the data to.")


def check_schemas(schemas: Json) -> None:
    """Raise :exc:`~ftrack_like.exception.ServerAnswerError` for malformed *schemas*."""
    if not isinstance(schemas, list) or not schemas:
        raise exception.ServerAnswerError("The server sent no list of schemas.")
    for schema in schemas:
        if not _is_schema(schema):
            name = schema.get("id") if isinstance(schema, Mapping) else schema
            raise exception.ServerAnswerError(f"The server sent no schema for {name!r:.100}.")


def _is_schema(schema: object) -> bool:
    """Return whether *schema* describes an entity type."""
    if not isinstance(schema, Mapping) or not isinstance(schema.get("id"), str):
        return False
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not all(map(_is_property, properties.values())):
        return False
    if not isinstance(schema.get("primary_key"), list):
        return False
    lists = ("primary_key", "immutable", "computed", "default_projections", "required")
    return all(
        isinstance(schema.get(name, []), list)
        and all(isinstance(each, str) for each in schema.get(name, []))
        for name in lists
    )


def _is_property(fragment: object) -> bool:
    """Return whether *fragment* describes a property of an entity type."""
    return (
        isinstance(fragment, Mapping)
        and isinstance(fragment.get("type", ""), (str, list))
        and isinstance(fragment.get("$ref", ""), str)
        and isinstance(fragment.get("items", {}), Mapping)
    )
