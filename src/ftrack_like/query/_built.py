"""Queries that are built from Python expressions instead of text."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    NoReturn,
    Optional,
    SupportsIndex,
    TypeVar,
    Union,
    cast,
    overload,
)

from ftrack_like import exception
from ftrack_like._base.collaborators import catalogue_of
from ftrack_like._base.suggest import AdvisesMembers
from ftrack_like._base.value_errors import shown
from ftrack_like._values.catalogue import Catalogue, Property
from ftrack_like.query._checks import refuse_direction
from ftrack_like.query._conditions import QueryCondition, SubQuery, checked_conditions
from ftrack_like.query._custom_keys import named_keys, require_keys
from ftrack_like.query._paths import Aggregate, AttributePath, Ordering
from ftrack_like.query._route import AttributeRoute, Place, read_route
from ftrack_like.query._source import QueryRequests
from ftrack_like.query._text import outline, prepare
from ftrack_like.query._wording import Wording

if TYPE_CHECKING:
    import pandas
    import polars

    from ftrack_like._base.types import Projections
    from ftrack_like.query._result import QueryResult
    from ftrack_like.session import Session

__all__ = ["SELECTION_ADVICE", "BuiltQuery"]

#: A row of a result: an entity, or a plain mapping for a selection with aggregates.
_Row = TypeVar("_Row")

#: The arguments of the methods, by name. A selection is changed by copying them.
_Parts = dict[str, Any]


#: The advice for methods of other libraries.
SELECTION_ADVICE = {
    **dict.fromkeys(
        ("filter", "filter_by"), "Use where(attr.name == …), after 'from ftrack_like import attr'."
    ),
    "having": "Conditions on aggregates are not possible; filter the rows in Python.",
    "join": "A path such as attr.parent.name joins by itself.",
    "options": "Name the relations to load in columns('status.name').",
    **dict.fromkeys(("project", "select"), "Use columns('name', 'status.name')."),
    "sort": "Use order_by('name').",
    "values": "Use columns('name') and to_dicts().",
}


class BuiltQuery(AdvisesMembers, SubQuery, Generic[_Row]):
    """A query in parts. Each method returns a new selection, so that parts can be shared.

    The selection sends no request before its rows are needed. Then it makes a
    :class:`~ftrack_like.query.QueryResult` and keeps it: iterating twice sends one query. ``str``
    returns the expression.
    """

    _member_advice = SELECTION_ADVICE

    def __init__(
        self,
        session: Session,
        entity_type: str,
        page_size: int = 500,
        *,
        parts: Optional[_Parts] = None,
    ) -> None:
        """Initialise the selection of all entities of *entity_type* in *session*.

        Each request returns up to *page_size* entities. *parts* is for internal use.

        Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError`, a :exc:`KeyError`, for an
        unknown type.
        """
        super().__init__()
        if not isinstance(entity_type, str):
            raise exception.InvalidValueError(
                "An entity type is a name such as 'Task', not {shown}.",
                {"shown": shown(entity_type)},
            )
        self._session = session
        self._page_size = page_size
        self._type = entity_type
        self._catalogue: Catalogue = catalogue_of(session)
        self._catalogue.require(entity_type)
        self._place = Place(self._catalogue, entity_type)
        self._parts: _Parts = {} if parts is None else parts
        self._kept: Optional[QueryResult[_Row]] = None

    @property
    def entity_type(self) -> str:
        """The name of the selected type."""
        return self._type

    def _with(self, **changes: object) -> BuiltQuery[_Row]:
        """Return a copy with *changes* to the parts."""
        return type(self)(
            self._session, self._type, self._page_size, parts={**self._parts, **changes}
        )

    # Parts

    def where(self, *conditions: QueryCondition, **values: NoReturn) -> BuiltQuery[_Row]:
        """Return the selection of the entities that also fulfil all *conditions*.

        The names and the values in *conditions* are checked against the server's schemas.

        Raise :exc:`~ftrack_like.exception.UnknownAttributeError` for an unknown attribute, and
        :exc:`~ftrack_like.exception.InvalidValueError` for a value that cannot be compared, and for
        *values*: conditions are never keyword arguments.
        """
        for name in values:
            raise exception.InvalidValueError(
                "where() takes conditions: write where(attr.{name} == …) instead of "
                "where({name}=…), after 'from ftrack_like import attr'.",
                {"name": name.replace("__", ".")},
            )
        texts = [
            each.operand(self._place, "and") for each in checked_conditions("where()", conditions)
        ]
        return self._with(where=(*self._parts.get("where", ()), *texts))

    @overload
    def columns(  # type: ignore[overload-overlap]  # paths alone choose the first
        self, *columns: Union[str, AttributePath]
    ) -> BuiltQuery[_Row]: ...

    @overload
    def columns(
        self, *columns: Union[str, AttributePath, Aggregate]
    ) -> BuiltQuery[dict[str, Any]]: ...

    def columns(self, *columns: Union[str, AttributePath, Aggregate]) -> BuiltQuery[Any]:
        """Return the selection with *columns* added to the attributes that it loads.

        A column is a path, as text or from ``attr``, or an aggregate such as ``attr.bid.sum()``.
        Without columns the query loads the type's default projections.
        """
        found = dict(self._parts.get("columns", {}))
        for column in columns:
            if isinstance(column, Aggregate):
                # "count_id" is the name of the value; a path cannot have brackets.
                self._attribute(column.path, "columns()")
                found[str(column)] = column
            else:
                route, _ = self._attribute(column, "columns()", is_projected=True)
                found[route.text] = None
        return self._with(columns=found)

    def group_by(self, *paths: Union[str, AttributePath]) -> BuiltQuery[dict[str, Any]]:
        """Return the selection with one row for each different combination of values at *paths*.

        The rows are mappings with the aggregates, and with the values of *paths*.
        """
        found = [self._attribute(path, "group_by()")[0].text for path in paths]
        grouped = dict.fromkeys([*self._parts.get("group_by", ()), *found])
        return cast("BuiltQuery[dict[str, Any]]", self._with(group_by=tuple(grouped)))

    def order_by(self, *paths: Union[str, AttributePath, Ordering]) -> BuiltQuery[_Row]:
        """Return the selection in the order of *paths*, the most important first.

        A path is ascending; ``-attr.bid`` or ``attr.bid.desc()`` is descending.
        """
        found = list(self._parts.get("order_by", ()))
        for path in paths:
            if isinstance(path, str):
                refuse_direction(path)
            order = path if isinstance(path, Ordering) else Ordering(str(path), False)
            route, _ = self._attribute(
                order.path if isinstance(path, Ordering) else path, "order_by()"
            )
            found.append(f"{route.text} descending" if order.is_descending else route.text)
        return self._with(order_by=tuple(found))

    def limit(self, count: SupportsIndex) -> BuiltQuery[_Row]:
        """Return the selection of at most *count* rows."""
        return self._with(limit=_whole("limit", count))

    def offset(self, count: SupportsIndex) -> BuiltQuery[_Row]:
        """Return the selection without its first *count* rows."""
        return self._with(offset=_whole("offset", count))

    def _attribute(
        self, path: Union[str, AttributePath], where: str, is_projected: bool = False
    ) -> tuple[AttributeRoute, Optional[Property]]:
        """Return the route of *path* and its attribute, which must exist.

        *where* names the method in errors. With *is_projected*, a query must be able to load it.
        """
        if not isinstance(path, (str, AttributePath)):
            advice = ""
            if isinstance(path, Ordering):
                advice = " Use a descending path only in order_by()."
            raise exception.InvalidValueError(
                "{where} takes paths such as 'status.name' or attr.name, not {shown}.{advice}",
                {"where": where, "shown": shown(path), "advice": advice},
            )
        text = str(path)
        if "[" in text and ("'" in text or '"' in text):
            raise exception.InvalidValueError(
                "{where} cannot use the single entry {path}. Select the whole mapping, such as "
                "'custom_attributes', or filter by the entry with where().",
                {"where": where, "path": text},
            )
        route = read_route(text)
        found = route.resolve(self._place)
        if is_projected and found is not None and not found.is_projectable:
            raise exception.InvalidValueError(
                "The server does not load {path!r}; a query can only filter by it.", {"path": text}
            )
        return route, found

    # Text

    @property
    def expression(self) -> str:
        """The query as text."""
        parts = self._parts
        columns, groups = parts.get("columns", {}), parts.get("group_by", ())
        self._check_groups(columns, groups)
        text = f"select {', '.join(columns)} from {self._type}" if columns else self._type
        if parts.get("where"):
            text += f" where {' and '.join(parts['where'])}"
        if groups:
            text += f" group by {', '.join(groups)}"
        if parts.get("order_by"):
            text += f" order by {', '.join(parts['order_by'])}"
        for name in ("offset", "limit"):
            if parts.get(name) is not None:
                text += f" {name} {parts[name]}"
        return text

    def _check_groups(self, columns: _Parts, groups: tuple[str, ...]) -> None:
        """Raise an error if the rows of the query would have no meaning."""
        aggregates = [name for name, aggregate in columns.items() if aggregate is not None]
        if groups and not aggregates:
            raise exception.InvalidValueError(
                "A selection with group_by() needs an aggregate: add columns(attr.id.count())."
            )
        loose = [name for name in columns if name not in aggregates and name not in groups]
        if aggregates and loose:
            raise exception.InvalidValueError(
                "A row for a group has one value for each column. Add {names} to group_by(), or "
                "remove it from columns().",
                {"names": ", ".join(map(repr, loose))},
            )

    @property
    def _has_aggregates(self) -> bool:
        return any(each is not None for each in self._parts.get("columns", {}).values())

    def sub_query(self) -> str:
        """Return the query for the brackets of ``in``: it selects one attribute."""
        columns = self._parts.get("columns", {})
        if not columns:
            return self.columns(self._catalogue.primary_key(self._type)[0]).expression
        if len(columns) != 1 or self._has_aggregates:
            raise exception.InvalidValueError(
                "A selection in in_() has one column, such as columns('parent_id'), not {names}.",
                {"names": ", ".join(columns)},
            )
        return self.expression

    def __str__(self) -> str:
        """Return the query as text."""
        return self.expression

    def __repr__(self) -> str:
        """Return a text with the expression; send no request."""
        if self._kept is not None:
            return f"<{type(self).__name__} {self._kept!r}>"
        try:
            return f"<{type(self).__name__} {self.expression!r}>"
        except exception.InvalidValueError:  # It is not complete yet.
            return f"<{type(self).__name__} of {self._type}, incomplete>"

    def _repr_html_(self) -> str:
        """Return the expression and the loaded rows as HTML for notebooks; send no request."""
        if self._kept is not None:
            return self._kept._repr_html_()
        # lazy: only notebooks need it
        from ftrack_like._values.html import unread_note
        from ftrack_like.query._notebook import UNREAD

        return unread_note(repr(self), UNREAD)

    # Results

    def _new(self) -> QueryResult[_Row]:
        self._check_keys()
        found = self._session.query(self.expression, page_size=self._page_size)
        return cast("QueryResult[_Row]", found)

    def _check_keys(self) -> None:
        """Raise an error for a custom attribute that the site does not have.

        The schemas do not have their keys. So this sends a query, once in a session, and only if
        the selection names such a key.

        Raise :exc:`~ftrack_like.exception.UnknownAttributeError`.
        """
        require_keys(self._session, named_keys(self.expression))

    def result(self) -> QueryResult[_Row]:
        """Return the result, the same one each time. It loads rows when they are needed.

        To query the server again, start a new selection, for example with ``where()``.
        """
        if self._kept is None:
            self._kept = self._new()
        return self._kept

    def __iter__(self) -> Iterator[_Row]:
        """Iterate over the rows; load pages on the way."""
        return iter(self.result())

    def __len__(self) -> int:
        """Return the number of rows; the server counts them if there are several pages."""
        return len(self.result())

    def __bool__(self) -> bool:
        """Return whether there is a row; load at most one page."""
        return bool(self.result())

    @overload
    def __getitem__(self, index: SupportsIndex) -> _Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[_Row]: ...

    def __getitem__(self, index: Union[SupportsIndex, slice]) -> Union[_Row, list[_Row]]:
        """Return the row at *index*, or a list of rows for a slice."""
        return self.result()[index]

    def all(self) -> list[_Row]:
        """Return a list of all rows."""
        return self.result().all()

    def first(self) -> Optional[_Row]:
        """Return the first row, or None if the query finds nothing; load one row."""
        found = self._some(1)
        return found[0] if found else None

    def one(self) -> _Row:
        """Return the only row; load at most two.

        Raise :exc:`~ftrack_like.exception.NoResultFoundError` if there is no row, and
        :exc:`~ftrack_like.exception.MultipleResultsFoundError` if there are several.
        """
        found = self._some(2)
        if len(found) == 1:
            return found[0]
        wrong = exception.MultipleResultsFoundError if found else exception.NoResultFoundError
        raise wrong(f"{wrong.default_message}\nThe query: {self.expression}")

    def _some(self, count: int) -> list[_Row]:
        """Return at most *count* rows without loading a whole page."""
        if self._kept is not None and self._kept.is_complete():
            return self._kept[:count]
        limit = self._parts.get("limit")
        few = self.limit(count if limit is None else min(limit, count))
        return few.all() if limit != 0 else []

    def count(self) -> int:
        """Return the number of rows. The server counts them, so no row is loaded."""
        if self._kept is not None and self._kept.is_complete():
            return len(self._kept)
        self._check_keys()
        text = prepare(self.expression, self._session.types)
        source = QueryRequests(self._session, outline(text), Wording(self.expression))
        counted = None if self._has_aggregates else source.count()
        return len(self._new().all()) if counted is None else counted

    def iterate(
        self, *, keep: bool = False, prefetch: bool = False, stable: bool = False
    ) -> Iterator[_Row]:
        """Return an iterator that keeps only one page of rows in memory.

        The arguments are those of :meth:`QueryResult.iterate
        <ftrack_like.query.QueryResult.iterate>`.
        """
        return self._new().iterate(keep=keep, prefetch=prefetch, stable=stable)

    def to_dicts(self, columns: Optional[Projections] = None) -> list[dict[str, Any]]:
        """Return the rows as dictionaries; see :meth:`QueryResult.to_dicts
        <ftrack_like.query.QueryResult.to_dicts>`.
        """
        return self._new().to_dicts(columns)

    def to_pandas(self, columns: Optional[Projections] = None) -> pandas.DataFrame:
        """Return the rows as a data frame of pandas; see :meth:`QueryResult.to_pandas
        <ftrack_like.query.QueryResult.to_pandas>`.
        """
        return self._new().to_pandas(columns)

    def to_polars(self, columns: Optional[Projections] = None) -> polars.DataFrame:
        """Return the rows as a data frame of polars; see :meth:`QueryResult.to_polars
        <ftrack_like.query.QueryResult.to_polars>`.
        """
        return self._new().to_polars(columns)


def _whole(name: str, count: SupportsIndex) -> int:
    """Return *count*, the argument of the method *name*, as a whole number."""
    try:
        number = operator.index(count)
    except TypeError:
        number = -1
    if number < 0 or isinstance(count, bool):
        raise exception.InvalidValueError(
            "{name}() takes a whole number of 0 or more, not {shown}.",
            {"name": name, "shown": shown(count)},
        )
    return number
