"""Whether answers have the shape that the protocol promises, for answers of any server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ftrack_like import exception

if TYPE_CHECKING:
    from ftrack_like._types import Json

__all__ = [
    "check_page",
    "check_records",
    "check_schemas",
    "field",
    "reading",
    "text_field",
    "upload_place",
]

#: What a malformed answer raises in code that expects the promised shape.
_FAULTS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError)

#: Values that JSON has and that are no entities.
_NO_RECORDS = (dict, list, str, int, float, bool, type(None))


@contextlib.contextmanager
def reading(what: str) -> Generator[None, None, None]:
    """Turn what malformed data raises within the context into a ServerAnswerError on *what*.

    Errors of the library pass as they are.
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
    """Raise :exc:`~ftrack_like.exception.ServerAnswerError` if *result* is no page of a query."""
    if not isinstance(result, Mapping) or not isinstance(result.get("data"), list):
        raise exception.ServerAnswerError("The server's answer to a query holds no list of data.")
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
        f"The server's answer to a query holds no offset of the next page, but {place!r:.50}."
    )


def check_records(entities: Iterable[Any], wanted: Callable[[], bool]) -> None:
    """Raise :exc:`~ftrack_like.exception.ServerAnswerError` if one of *entities* is none.

    *wanted* says whether the query finds entities; the rows of groups are plain mappings. It is
    called only for a row that is no entity.
    """
    for each in entities:
        if each.__class__ in _NO_RECORDS and (each.__class__ is not dict or wanted()):
            raise exception.ServerAnswerError(
                f"The server answered {each!r:.200} to a query, where an entity belongs."
            )


def field(result: Json, name: str) -> Json:
    """Return what *result*, the answer to one operation, holds under *name*.

    Raise :exc:`~ftrack_like.exception.ServerAnswerError` if it holds nothing there.
    """
    if isinstance(result, Mapping) and result.get(name) is not None:
        return result[name]
    raise exception.ServerAnswerError(
        f"The server's answer holds no {name!r}, but is {result!r:.200}."
    )


def text_field(result: Json, name: str) -> str:
    """Return the text that *result* holds under *name*, as :func:`field` does."""
    found = field(result, name)
    if isinstance(found, str):
        return found
    raise exception.ServerAnswerError(f"The server's answer holds no text as {name!r}.")


def upload_place(result: Json) -> dict[str, Any]:
    """Return *result*, which says where to upload to, if it does.

    Raise :exc:`~ftrack_like.exception.ServerAnswerError` otherwise. The answer is not shown,
    since its addresses are secrets.
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
    """Raise :exc:`~ftrack_like.exception.ServerAnswerError` if *schemas* are none."""
    if not isinstance(schemas, list):
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
