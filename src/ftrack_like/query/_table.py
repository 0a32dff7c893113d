"""The rows of a query as plain values: dictionaries, and data frames of pandas and polars.

The rows are not made to entities. One projected query loads exactly the columns, so the result has
the values of the server, without uncommitted changes, and the session keeps nothing.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._base.collaborators import catalogue_of, fetcher_of
from ftrack_like._base.value_errors import shown
from ftrack_like._values.catalogue import Catalogue, Property, Step
from ftrack_like.query._checks import QueryPart
from ftrack_like.query._custom_keys import require_keys
from ftrack_like.query._route import read_route
from ftrack_like.query._source import QueryRequests, check_progress
from ftrack_like.query._text import finds_entities, outline, projections_of, with_projections
from ftrack_like.wire.values import is_date, parse_datetime

if TYPE_CHECKING:
    import pandas
    import polars

    from ftrack_like._base.types import Json, Projections, Record
    from ftrack_like.session import Session

__all__ = ["read_dicts", "read_pandas", "read_polars"]

#: The text of a path to an entry of a mapping, such as ``attr.custom_attributes['fstart']``.
_ENTRY = re.compile(r"""attr\.([^'"]+)\[(['"].*)\]\Z""", re.DOTALL)

#: The size of a page of rows. The rows are small, since they have only the columns.
PAGE = 2_000


class _Column(NamedTuple):
    """A column: its *name*, the *projections* that load it, and the *steps* to its value.

    *key* is the key of an entry of a mapping. *data_type* is the type of the value; *is_list* is
    true if the path goes through a collection, so that there are several values.
    """

    name: str
    projections: tuple[str, ...]
    steps: tuple[Step, ...]
    key: Optional[str] = None
    data_type: str = ""
    is_list: bool = False


def read_dicts(
    session: Session, source: QueryRequests, columns: Optional[Projections]
) -> list[dict[str, Any]]:
    """Return the rows of *source* in *session* as dictionaries with *columns* as keys."""
    return _TableReader(session, source, columns).rows()


def read_pandas(
    session: Session, source: QueryRequests, columns: Optional[Projections]
) -> pandas.DataFrame:
    """Return the rows of *source* in *session* as a data frame of pandas."""
    library = _library("pandas", "to_pandas()")
    reader = _TableReader(session, source, columns)
    rows = reader.rows()
    frame: pandas.DataFrame = library.DataFrame(rows, columns=reader.names(rows))
    for name in reader.date_columns():
        try:
            frame[name] = library.to_datetime(frame[name], utc=True)
        except ValueError:  # Dates that the library cannot store, such as the year 9999.
            continue
    plain = {"integer": "float64", "number": "float64"}
    if not rows:
        plain.update(integer="int64", boolean="bool")
    for name, kind in reader.plain_columns(plain).items():
        if frame[name].isna().all():  # There are no values from which pandas could find the type.
            frame[name] = frame[name].astype(kind)
    return frame


def read_polars(
    session: Session, source: QueryRequests, columns: Optional[Projections]
) -> polars.DataFrame:
    """Return the rows of *source* in *session* as a data frame of polars."""
    library = _library("polars", "to_polars()")
    reader = _TableReader(session, source, columns)
    rows = reader.rows()
    types = dict.fromkeys(reader.date_columns(), library.Datetime("us", "UTC"))
    if not rows:  # There are no values from which the library could find the types.
        known = {
            "string": library.String,
            "integer": library.Int64,
            "number": library.Float64,
            "boolean": library.Boolean,
        }
        types.update(reader.plain_columns(known))
    made = [
        library.Series(name, [row.get(name) for row in rows], dtype=types.get(name), strict=False)
        for name in reader.names(rows)
    ]
    frame: polars.DataFrame = library.DataFrame(made)
    return frame


def _library(name: str, method: str) -> Any:  # noqa: ANN401 - a module
    """Import the module *name*, which *method* needs."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{method} needs {name}, which is not installed. Install it with: pip install {name}. "
            "to_dicts() works without it."
        ) from error


class _TableReader:
    """Reads the rows of a query. Use each instance once."""

    def __init__(
        self, session: Session, source: QueryRequests, columns: Optional[Projections]
    ) -> None:
        self._session = session
        self._source = source
        self._type = source.parts.entity_type or ""
        self._catalogue: Catalogue = catalogue_of(session)
        self._expression = source.parts.text
        self._columns: Optional[list[_Column]] = None
        wanted = _column_names(columns)
        if finds_entities(self._expression):
            if wanted is None and outline(source.wording.bound).has_projections:
                wanted = projections_of(self._expression)[0]
            elif wanted is None:
                wanted = self._catalogue.usual_columns(self._type)
            self._columns = [column for name in wanted for column in self._column(name)]
            names = [each for column in self._columns for each in column.projections]
            self._expression = with_projections(self._expression, list(dict.fromkeys(names)))
        elif wanted is not None:
            raise exception.InvalidValueError(
                "The rows of {query!r} are counts or sums, which have their own columns. Call the "
                "method without columns.",
                {"query": source.wording.bound},
            )
        self._records: dict[tuple[Any, ...], Record] = {}

    # Columns

    def names(self, rows: list[dict[str, Any]]) -> list[str]:
        """Return the names of the columns; those of *rows* for counts and sums."""
        if self._columns is None:
            return list(dict.fromkeys(name for row in rows for name in row))
        return list(dict.fromkeys(column.name for column in self._columns))

    def date_columns(self) -> list[str]:
        """Return the names of the columns with dates."""
        columns = self._columns or []
        dates = [each for each in columns if each.data_type == "datetime" and not each.is_list]
        return list(dict.fromkeys(each.name for each in dates))

    def plain_columns(self, types: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns with plain values, each with the entry of *types* for its type."""
        return {
            each.name: types[each.data_type]
            for each in self._columns or []
            if each.data_type in types and not each.is_list
        }

    def _column(self, name: str) -> Iterator[_Column]:
        """Yield the columns for *name*, a path or ``custom_attributes.KEY``.

        A path to an entity stands for the default projections of its type.
        """
        entry = self._entry(name)
        if entry is not None:
            yield entry
            return
        route = read_route(name)
        found = self._catalogue.follow(self._type, route.steps)
        is_list = self._is_list(route.steps)
        if found is None or found.kind == "scalar":
            data_type = "" if found is None else found.data_type
            yield _Column(route.text, (route.text,), route.steps, None, data_type, is_list)
        elif found.kind == "mapping":
            yield _Column(route.text, _mapping_projections(route.text), route.steps)
        else:
            for inner in self._catalogue.default_projections(found.target):
                yield from self._column(f"{route.text}.{inner}")

    def _entry(self, name: str) -> Optional[_Column]:
        """Return the column for *name* if it is a mapping and a key, such as ``metadata.reel``."""
        parts = name.split(".")
        for index in range(1, len(parts)):
            try:
                route = read_route(".".join(parts[:index]))
                found = self._catalogue.follow(self._type, route.steps)
            except exception.Error:
                return None
            if found is None:
                return None
            if found.kind == "mapping":
                if parts[index] in self._catalogue.properties(found.target):
                    return None
                key = ".".join(parts[index:])
                return _Column(name, _mapping_projections(route.text), route.steps, key)
        return None

    def _is_list(self, steps: tuple[Step, ...]) -> bool:
        """Return whether the path *steps* goes through a collection."""
        return any(
            self._is_collection(self._catalogue.follow(self._type, steps[:end]))
            for end in range(1, len(steps))
        )

    @staticmethod
    def _is_collection(found: Optional[Property]) -> bool:
        return found is not None and found.kind in ("collection", "mapping")

    # Rows

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows."""
        found = list(self._raw_rows())
        if self._columns is None:
            return [{name: _plain_cell(value) for name, value in row.items()} for row in found]
        self._source.note_found(found)
        for row in found:
            self._note(row)
        rows = [self._row(row, self._columns) for row in found]
        for column in self._columns:
            is_custom = column.key is not None and column.steps[-1][0] == "custom_attributes"
            if is_custom and all(row[column.name] is None for row in rows):
                # It may be a mistake. A column with a value needs no request.
                require_keys(self._session, [str(column.key)], exact=True)
        return rows

    def _row(self, record: Record, columns: Iterable[_Column]) -> dict[str, Any]:
        return {column.name: self._cell(record, column) for column in columns}

    def _raw_rows(self) -> Iterator[Record]:
        """Yield the rows as the server sends them; request the next pages ahead."""
        offset: Optional[int] = self._source.offset
        left = self._source.parts.limit
        last = None if left is None else self._source.offset + left
        fetcher = fetcher_of(self._session)
        window = fetcher.window(lambda start: self._texts(start, last))
        while offset is not None and left != 0:
            text = next(self._texts(offset, None if left is None else offset + left))
            rows, following = fetcher.fetch_raw(text, self._source.wording, window)
            check_progress(self._expression, offset, following)
            yield from rows
            left = None if left is None else max(left - len(rows), 0)
            offset = following

    def _texts(self, offset: int, last: Optional[int]) -> Iterator[str]:
        """Yield the queries for the pages from *offset* up to *last*."""
        while last is None or offset < last:
            size = PAGE if last is None else min(PAGE, last - offset)
            yield f"{self._expression} offset {offset} limit {size}"
            offset += size

    def _note(self, value: Json) -> None:
        """Collect the records in *value*: only the first occurrence of an entity has its values."""
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, list):
                waiting += each
            elif isinstance(each, dict):
                key = self._key(each)
                if key is not None:
                    known = self._records.setdefault(key, each)
                    if known is not each:
                        known.update({name: each[name] for name in each if name not in known})
                waiting += [inner for inner in each.values() if isinstance(inner, (dict, list))]

    def _key(self, record: Record) -> Optional[tuple[Any, ...]]:
        """Return the identity of *record*; None if it is not an entity."""
        type_name = record.get("__entity_type__")
        if not isinstance(type_name, str):
            return None
        key = [record.get(name) for name in self._catalogue.primary_key(type_name)]
        return None if None in key else (type_name, *map(str, key))

    def _cell(self, record: Record, column: _Column) -> Any:  # noqa: ANN401 - any value
        """Return the value of *column* in *record*."""
        values: list[Any] = [record]
        last = len(column.steps) - 1
        for index, (name, cast) in enumerate(column.steps):
            values = [
                self._full(each).get(name) if isinstance(each, dict) else None for each in values
            ]
            if index < last or cast is not None or len(column.projections) > 1:
                # The lists on the way are collections. A list at the end, such as a link or the
                # value of a custom attribute, is one value.
                values = [
                    one for each in values for one in (each if isinstance(each, list) else [each])
                ]
            if cast is not None:
                values = [each for each in values if self._is_a(each, cast)]
        if len(column.projections) > 1:  # A mapping, or an entry of it.
            entries = self._entries(values)
            return entries if column.key is None else entries.get(column.key)
        if column.is_list:
            return [_plain_cell(each) for each in values]
        return _plain_cell(values[0]) if values else None

    def _full(self, record: Record) -> Record:
        """Return the record with the values of the entity of *record*."""
        key = self._key(record)
        return record if key is None else self._records.get(key, record)

    def _is_a(self, value: Json, type_name: str) -> bool:
        found = value.get("__entity_type__") if isinstance(value, dict) else None
        return found == type_name or type_name in self._catalogue.bases(str(found))

    def _entries(self, items: list[Any]) -> dict[str, Any]:
        """Return ``{key: value}`` of *items*, the records of the items of a mapping."""
        records = [self._full(each) for each in items if isinstance(each, dict)]
        return {each.get("key", ""): _plain_cell(each.get("value")) for each in records}


def _mapping_projections(path: str) -> tuple[str, ...]:
    return (f"{path}.key", f"{path}.value")


def _column_names(columns: Optional[Projections]) -> Optional[list[str]]:
    """Return *columns* as a list of paths: text with commas, or a list of texts or paths."""
    if columns is None:
        return None
    if isinstance(columns, str):
        columns = columns.split(",")
    if not isinstance(columns, Iterable) or isinstance(columns, Mapping):
        raise exception.InvalidValueError(
            "Columns are a list of paths such as ['name', 'status.name'], not {shown}.",
            {"shown": shown(columns)},
        )
    names = [_column_name(each) for each in columns]
    if not any(names):
        raise exception.InvalidValueError("Name at least one column, or pass no columns.")
    return [name for name in names if name]


def _column_name(column: object) -> str:
    """Return *column*, a path, as text; an entry of a mapping as ``custom_attributes.fstart``."""
    text = str(column).strip()
    entry = _ENTRY.match(text) if isinstance(column, QueryPart) else None
    return text if entry is None else f"{entry[1]}.{ast.literal_eval(entry[2])}"


def _plain_cell(value: Json) -> Any:  # noqa: ANN401 - any value
    """Return *value* of the wire as a plain value, with dates as times in UTC."""
    if isinstance(value, dict):
        if is_date(value):
            text = value.get("value")
            return None if text is None else parse_datetime(str(text))
        return {name: _plain_cell(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain_cell(each) for each in value]
    return value
