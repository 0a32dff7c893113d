"""The names that IPython and Jupyter offer in calls of a session, paths and keys.

IPython completes ``task["`` by itself. For everything else it would have to run the code of the
program. The functions here read the text before the cursor instead, and find the names in the
schemas of a started session. So nothing is run, loaded or sent for a completion.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from ftrack_like import exception
from ftrack_like._base.collaborators import catalogue_of, start_of
from ftrack_like._values.catalogue import Catalogue
from ftrack_like._values.labels import known_values
from ftrack_like.collection import Collection, MappedCollectionProxy
from ftrack_like.entity.base import AnyEntity
from ftrack_like.query import QueryResult
from ftrack_like.query.builder import AttributePath, BuiltQuery

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["Offer", "complete_in_ipython", "offered_names"]

#: ``session.select("Ta``, also with ``await`` before it. The groups are the object, the method and
#: the text up to the cursor.
_CALL = re.compile(
    r"([\w.]+)\s*\.\s*(select|query|create|ensure|get|get_many)\(\s*(['\"])((?:(?!\3).)*)\Z",
    re.DOTALL,
)
#: ``session.create("Task", {"na``
_DATA = re.compile(
    r"([\w.]+)\s*\.\s*(?:create|ensure)\(\s*(['\"])(\w+)\2\s*,\s*"
    r"\{(?:[^{}]*,)?\s*['\"](\w*)\Z"
)
#: ``attr.status.na``
_PATH = re.compile(r"(?<![\w.\]])(\w+)((?:\.\w+)*)\.(\w*)\Z")
#: ``.columns("name", "status.na`` and other methods that take paths as text
_COLUMNS = re.compile(
    r"(\w*)(?:\s*\.\s*)(?:columns|order_by|group_by|to_dicts|to_pandas|to_polars)"
    r"\(\s*\[?(?:[^()]*,)?\s*['\"]([\w.]*)\Z"
)
#: ``task["status"]["na``, ``tasks[0]["na`` and ``page.tasks[0]["metadata"]["re``
_KEY = re.compile(
    r"""(?<![\w.\])])(\w[\w.]*)((?:\[(?:-?\d+|(['"])\w+\3)\])+)\[(['"])([^'"\[\]]*)\Z"""
)
#: One pair of brackets in it: the number or the name.
_INDEX = re.compile(r"""\[(?:(-?\d+)|['"](\w+)['"])\]""")
#: The last type that a selection or a query in the text names.
_TYPE = re.compile(r"\.\s*(?:select|query)\(\s*['\"](?:\s*select\b.*?\bfrom\s)?\s*(\w+)", re.DOTALL)
#: The start of a query that ends within the name of its type, or within its columns.
_QUERY_TYPE = re.compile(r"(?:\s*select\s.*?\sfrom\s)?\s*(\w*)\Z", re.DOTALL | re.IGNORECASE)
_QUERY_COLUMN = re.compile(
    r"\s*select\s(?:(?:(?!\sfrom\s).)*[\s,])?(?P<path>[\w.]*)\Z", re.DOTALL | re.IGNORECASE
)
#: A query that ends within the path of a condition or an order.
_QUERY_PATH = re.compile(
    r"(?:\s*select\s.*?\sfrom\s)?\s*(?P<type>\w+)\s.*(?:\b(?:where|and|or|not|by)\s|[(,])\s*"
    r"(?P<path>[\w.]*)\Z",
    re.DOTALL | re.IGNORECASE,
)


#: How many characters before the cursor are read: searching a long cell would take too long.
_LONGEST = 4_000


class Offer(NamedTuple):
    """The *names* to offer instead of *fragment*, the end of the text.

    *is_text* says whether the cursor is in a string, so that no other completion makes sense.
    """

    fragment: str
    names: list[str]
    is_text: bool = True


def offered_names(text: str, namespace: Mapping[str, object]) -> Optional[Offer]:
    """Return the names to offer at the end of *text*; None if it is about something else.

    *namespace* has the variables of the console.
    """
    text = text[-_LONGEST:]
    for find in (_in_call, _in_data, _in_columns, _in_path, _in_key):
        found = find(text, namespace)
        if found is not None:
            names = [each for each in found.names if each.startswith(found.fragment)]
            return found._replace(names=sorted(dict.fromkeys(names)))
    return None


def _in_call(text: str, namespace: Mapping[str, object]) -> Optional[Offer]:
    """Offer types in the first argument of a method of a session, and the words of a query."""
    call = _CALL.search(text)
    known = None if call is None else _catalogue_at(call[1], namespace)
    if call is None or known is None:
        return None
    if call[2] != "query":
        return Offer(call[4], known.names())
    return _in_query(call[4], known)


def _in_query(text: str, known: Catalogue) -> Optional[Offer]:
    """Offer a type or attributes at the end of *text*, the start of a query."""
    type_ = _QUERY_TYPE.match(text)
    if type_ is not None:
        return Offer(type_[1], known.names())
    column = _QUERY_COLUMN.match(text)
    if column is not None:
        return _at_path(known, None, column["path"])
    place = _QUERY_PATH.match(text)
    return None if place is None else _at_path(known, place["type"], place["path"])


def _in_data(text: str, namespace: Mapping[str, object]) -> Optional[Offer]:
    """Offer the attributes that the data of a new entity can have."""
    data = _DATA.search(text)
    known = None if data is None else _catalogue_at(data[1], namespace)
    if data is None or known is None or not known.has_schema(data[3]):
        return None
    return Offer(data[4], [each.name for each in known.settable(data[3])])


def _in_columns(text: str, namespace: Mapping[str, object]) -> Optional[Offer]:
    """Offer attributes in the methods of a query that take paths as text."""
    columns = _COLUMNS.search(text)
    known = None if columns is None else _any_catalogue(namespace)
    if columns is None or known is None:
        return None
    found = _row_type(namespace.get(columns[1])) or _type_in(text[: columns.start()] + columns[1])
    return _at_path(known, found, columns[2])


def _in_path(text: str, namespace: Mapping[str, object]) -> Optional[Offer]:
    """Offer attributes after ``attr.``"""
    path = _PATH.search(text)
    if path is None or not isinstance(namespace.get(path[1]), AttributePath):
        return None
    known = _any_catalogue(namespace)
    if known is None:
        return None
    offer = _at_path(known, _type_in(text), f"{path[2]}.{path[3]}".lstrip("."))
    return None if offer is None else offer._replace(is_text=False)


def _in_key(text: str, namespace: Mapping[str, object]) -> Optional[Offer]:
    """Offer the keys of an entity that a relation leads to, such as ``task["status"]["na``.

    The loaded values lead there as far as possible, and the schemas from there on.
    """
    key = _KEY.search(text)
    if key is None:
        return None
    value = _object_at(key[1], namespace)
    steps = [int(number) if number else name for number, name in _INDEX.findall(key[2])]
    while steps:
        found = _loaded_item(value, steps[0])
        if found is None:
            break
        value = found
        del steps[0]
    if isinstance(value, MappedCollectionProxy) and not steps:
        return Offer(key[5], [name for name, _ in value.loaded_items()])
    type_name = _row_type(value)
    known = _catalogue_of_object(getattr(value, "session", None)) or _any_catalogue(namespace)
    if type_name is None or known is None:
        return None
    names = [step for step in steps if isinstance(step, str)]
    return _at_path(known, type_name, ".".join([*names, key[5]]))


def _loaded_item(value: object, step: Union[int, str]) -> object:
    """Return ``value[step]`` if it is loaded; None for other values."""
    if isinstance(value, Collection):
        value = value.members
    found: object = None
    if isinstance(step, int):
        if isinstance(value, (list, tuple)) and -len(value) <= step < len(value):
            found = value[step]
    elif isinstance(value, AnyEntity):
        found = known_values(value).get(step)
        attribute = value.attributes.get(step)
        if isinstance(found, list) and attribute is not None:
            found = attribute.get_value(value)  # A loaded collection, which no program has read.
    return found


def _at_path(known: Catalogue, type_name: Optional[str], path: str) -> Optional[Offer]:
    """Offer the attributes at the end of *path* from *type_name*; of all types if it is None."""
    *steps, fragment = path.split(".")
    if type_name is None:
        return Offer(fragment, [name for each in known.names() for name in known.properties(each)])
    if steps:
        try:
            found = known.follow(type_name, [(step, None) for step in steps])
        except exception.Error:
            return None
        # The keys of a mapping are not attributes.
        type_name = None if found is None or found.kind == "mapping" else found.target
    if not type_name or not known.has_schema(type_name):
        return None
    types = [type_name, *known.below(type_name)] if steps else [type_name]
    return Offer(fragment, [name for each in types for name in known.properties(each)])


def _row_type(value: object) -> Optional[str]:
    """Return the name of the type of *value*, an entity or a result; None for other values."""
    if isinstance(value, (AnyEntity, BuiltQuery)):
        return value.entity_type
    return value.entity_type if isinstance(value, QueryResult) else None


def _type_in(text: str) -> Optional[str]:
    """Return the last type that a selection or query in *text* names."""
    found = _TYPE.findall(text)
    return found[-1] if found else None


def _any_catalogue(namespace: Mapping[str, object]) -> Optional[Catalogue]:
    """Return the types of the session that was put last in *namespace*."""
    for value in reversed(list(namespace.values())):
        known = _catalogue_of_object(value)
        if known is not None:
            return known
    return None


def _catalogue_at(name: str, namespace: Mapping[str, object]) -> Optional[Catalogue]:
    """Return the types of the session called *name*, such as ``self.session``."""
    return _catalogue_of_object(_object_at(name, namespace))


def _object_at(name: str, namespace: Mapping[str, object]) -> object:
    """Return the object called *name*, such as ``page.task``; None if there is none."""
    first, *others = name.strip(".").split(".")
    value: object = namespace.get(first)
    for other in others:
        value = getattr(value, "__dict__", {}).get(other)
    return value


def _catalogue_of_object(value: object) -> Optional[Catalogue]:
    """Return the types of *value* if it is a started session, synchronous or not."""
    if isinstance(getattr(type(value), "blocking", None), property):
        try:
            value = value.blocking  # type: ignore[attr-defined]  # an asynchronous session
        except exception.Error:  # It has not started.
            return None
    if not _is_started(value):
        return None
    session: Session = value  # type: ignore[assignment]
    return catalogue_of(session)


def _is_started(value: object) -> bool:
    """Return whether *value* is a session that knows its types and is open."""
    if not any(class_.__module__ == "ftrack_like.session" for class_ in type(value).__mro__):
        return False
    session: Any = value
    start = start_of(session) if hasattr(session, "recorded_operations") else None
    return start is not None and start.is_over and not session.closed


def complete_in_ipython() -> None:
    """Make the running IPython or Jupyter offer names. Do nothing if there is none.

    A second call does nothing. IPython calls the function for each completion.
    """
    shell_of = getattr(sys.modules["IPython"], "get_ipython", None)  # None while it is imported.
    shell: Any = None if shell_of is None else shell_of()
    completer = getattr(shell, "Completer", None)
    matchers: Optional[list[Any]] = getattr(completer, "custom_matchers", None)
    if matchers is None or any(getattr(each, "__module__", "") == __name__ for each in matchers):
        return
    try:
        matchers.append(_matcher(lambda: shell.user_ns))
    except (ImportError, AttributeError, TypeError):  # An IPython with other interfaces.
        return


def _matcher(namespace: Callable[[], Mapping[str, object]]) -> Callable[[Any], dict[str, Any]]:
    """Return a function that IPython calls with the context of a completion."""
    # lazy: only consoles have IPython
    from IPython.core.completer import SimpleCompletion, context_matcher

    def completed(texts: Iterable[str]) -> list[Any]:
        return [SimpleCompletion(text=text, type="ftrack") for text in texts]

    @context_matcher(identifier="ftrack_like", priority=150)  # type: ignore[untyped-decorator]
    def ftrack_names(context: Any) -> dict[str, Any]:  # noqa: ANN401 - of IPython
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        lines[-1] = lines[-1][: context.cursor_position]
        offer = offered_names("\n".join(lines), namespace())
        if offer is None or not offer.names:
            return {"completions": []}
        token, length = context.token, len(offer.fragment)
        kept = token[: len(token) - length] if token.endswith(offer.fragment) else ""
        return {
            "completions": completed(kept + name for name in offer.names),
            "matched_fragment": f"{kept}{offer.fragment}",
            "suppress": offer.is_text,
        }

    return ftrack_names  # type: ignore[no-any-return]
