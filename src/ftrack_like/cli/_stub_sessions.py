"""The classes of the sessions in a module with the types of a site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ftrack_like.cli._stub_forms import narrowed, wrong_form

__all__ = ["SESSIONS", "session_class"]

#: The parameters of ``create`` and ``ensure`` behind the name of the type.
# Without "| None" for the data, since pyright then names the wrong key.
_CREATE = "data: {data} = ..."
_ENSURE = "data: {data}, identifying_keys: _Iterable[str] | None = ..."

#: The parameters of ``query`` behind the expression.
_QUERY = "page_size: int = ..., *, values: _Mapping[str, _Any] | None = ..."


class _Method(NamedTuple):
    """A method whose first parameter is the name of a type."""

    name: str
    #: The other parameters, with a place for the mapping of the data.
    parameters: str
    #: The result, with a place for the class of the entity.
    result: str
    is_coroutine: bool = False


class SiteSession(NamedTuple):
    """A session that returns entities of the classes of the site."""

    name: str
    #: The class of the library.
    base: str
    #: The result of ``query``, with a place for the class of the rows.
    query: str
    methods: tuple[_Method, ...]
    #: Methods of the base class by name, with their results; see :func:`narrowed`.
    results: Mapping[str, str]
    #: Whether the methods in *results*, and the entry to a block, are coroutines.
    is_asynchronous: bool
    #: Further lines of the class.
    more: tuple[str, ...] = ()


_RESULTS = {
    "create_component": "{Component}",
    "pick_location": "{Location} | None",
    "encode_media": "{Job}",
    "wait_for_job": "{Job}",
}

#: All sessions of the module.
SESSIONS = (
    SiteSession(
        "Session",
        "_ftrack_like.Session",
        "_QueryResult[{entity}]",
        (
            _Method("create", f"{_CREATE}, reconstructing: bool = ...", "{entity}"),
            _Method("ensure", _ENSURE, "{entity}"),
            _Method("get", "entity_key: object", "{entity} | None"),
            _Method("get_many", "entity_keys: _Iterable[object]", "list[{entity} | None]"),
            _Method("select", "page_size: int = ...", "_builder.BuiltQuery[{entity}]"),
        ),
        {
            **_RESULTS,
            "pick_locations": "list[{Location} | None]",
            "query_many": "list[_QueryResult[_Any]]",
        },
        is_asynchronous=False,
    ),
    SiteSession(
        "AsyncSession",
        "_aio.AsyncSession",
        "_aio.AsyncQuery[{entity}]",
        (
            _Method("create", _CREATE, "{entity}"),
            _Method("ensure", _ENSURE, "{entity}", is_coroutine=True),
            _Method("get", "entity_key: object", "{entity} | None", is_coroutine=True),
            _Method(
                "get_many",
                "entity_keys: _Iterable[object]",
                "list[{entity} | None]",
                is_coroutine=True,
            ),
            _Method("select", "page_size: int = ...", "_aio.AsyncSelection[{entity}]"),
        ),
        {**_RESULTS, "query_many": "list[list[_Any]]"},
        is_asynchronous=True,
        more=("    @property", "    def blocking(self) -> Session: ..."),
    ),
)


def session_class(session: SiteSession, classes: Mapping[str, str], data: Mapping[str, str]) -> str:
    """Return the text of the class of *session*.

    *classes* and *data* have the classes of the entities, and of the mappings with their data, by
    the names of the types.
    """
    prefix = "async " if session.is_asynchronous else ""
    enter = "__aenter__" if session.is_asynchronous else "__enter__"
    lines = [f"class {session.name}({session.base}):"]
    lines += [f"    {prefix}def {enter}(self) -> {session.name}: ...", *session.more]
    lines += narrowed(session.base, session.results, classes, prefix)
    for method in session.methods:
        lines += _forms(method, classes, data)
    for name, entity in classes.items():
        result = session.query.format(entity=entity)
        lines += _form("query", f"expression: _Literal[{name!a}], {_QUERY}", result)
    lines += _form("query", f"expression: str, {_QUERY}", session.query.format(entity="_Any"))
    return "\n".join(lines) + "\n"


def _forms(method: _Method, classes: Mapping[str, str], data: Mapping[str, str]) -> list[str]:
    """Return the forms of *method*: one for each type, and those for mistakes."""
    lines = []
    head = f"{'async ' if method.is_coroutine else ''}def "
    for name, entity in classes.items():
        parameters = method.parameters.format(data=data[name])
        first = f"entity_type: _Literal[{name!a}]"
        lines += _form(
            method.name, f"{first}, {parameters}", method.result.format(entity=entity), head
        )
    wrong = "_TypeOfTheSiteAndItsData" if "{data}" in method.parameters else "_TypeOfTheSite"
    lines += wrong_form(
        method.name,
        f"entity_type: _Sequence[{wrong}] | _NameOfTheSchema, *others: object, **named: object",
    )
    # Pyright compares a wrong name with the type of the last form.
    parameters = method.parameters.format(data="_Mapping[str, _Any]")
    result = method.result.format(entity="_Entity")
    return [*lines, *_form(method.name, f"entity_type: _TypeOfTheSite, {parameters}", result, head)]


def _form(method: str, parameters: str, result: str, head: str = "def ") -> list[str]:
    """Return one form of *method*. *head* begins the line of the function."""
    return ["    @_overload", f"    {head}{method}(self, {parameters}) -> {result}: ..."]
