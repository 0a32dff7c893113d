"""SQL that SQLite and PostgreSQL spell differently, as constructs that compile to either.

Values are bound parameters throughout, a list of values is one parameter: statements that
differ only in values have one text, which SQLAlchemy compiles once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Optional

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    true,
    types,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = [
    "Expression",
    "all_of",
    "any_of",
    "fold",
    "folded",
    "keys_parameter",
    "keys_table",
    "like",
    "member_of",
    "negation",
    "prepare",
    "rarely",
    "row_order",
]

Expression = ColumnElement[Any]

#: Operands of one AND or OR; more are split, since SQLite bounds the depth of an expression.
WIDTH = 200

_PREPARED = "ftrack_like_prepared"

# Called Boolean, a construct of ours would be compared with 1 on SQLite, past any index.
_CONDITION = types.NullType()


def fold(text: Any) -> Any:
    """Return *text* as it is compared: in lower case; what is no text as it is."""
    return text.lower() if isinstance(text, str) else text


def prepare(connection: Connection) -> None:
    """Give *connection* the functions that our statements call, unless it has them."""
    if _PREPARED in connection.info:
        return
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.create_function("ftrack_fold", 1, fold, deterministic=True)
    connection.info[_PREPARED] = True


# Logic


def negation(condition: Expression) -> Expression:
    """Return the contrary of *condition*, which holds also where that is unknown (null)."""
    return condition.is_not(true())


def all_of(conditions: Sequence[Expression]) -> Expression:
    """Return a condition that holds when all of *conditions*, one or more, do."""
    return _balanced(and_, conditions)


def any_of(conditions: Sequence[Expression]) -> Expression:
    """Return a condition that holds when one of *conditions*, one or more, does."""
    return _balanced(or_, conditions)


def _balanced(join: Any, conditions: Sequence[Expression]) -> Expression:
    if len(conditions) == 1:
        return conditions[0]
    if len(conditions) > WIDTH:
        pieces = [conditions[i : i + WIDTH] for i in range(0, len(conditions), WIDTH)]
        conditions = [_Enclosed(_balanced(join, piece)) for piece in pieces]
    result: Expression = join(*conditions)
    return result


class _Enclosed(FunctionElement[Any]):
    """Parentheses that SQLAlchemy does not take away."""

    type = _CONDITION
    inherit_cache = True


@compiles(_Enclosed)
def _compile_enclosed(element: Any, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)})"


class _Rarely(FunctionElement[Any]):
    """A condition that is said to hold for hardly any row."""

    type = _CONDITION
    inherit_cache = True


@compiles(_Rarely)
def _compile_rarely(element: Any, compiler: Any, **options: Any) -> str:
    return f"{compiler.process(element.clauses, **options)}"


@compiles(_Rarely, "sqlite")
def _compile_rarely_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"likelihood({compiler.process(element.clauses, **options)}, 0.00001)"


def rarely(condition: Expression) -> Expression:
    """Return *condition*, saying that an index is to be used for it whatever was measured.

    Where nearly all rows have null in a column, SQLite takes its index for one that leads
    nowhere.
    """
    return _Rarely(condition)


# Order


class _RowOrder(FunctionElement[Any]):
    """An order of the rows of a table that stays: its arguments are the columns of the key."""

    type = types.NullType()
    inherit_cache = True


@compiles(_RowOrder)
def _compile_row_order(element: Any, compiler: Any, **options: Any) -> str:
    return ", ".join(compiler.process(clause, **options) for clause in element.clauses)


@compiles(_RowOrder, "sqlite")
def _compile_row_order_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    # Rows are kept, and each index lists them, in the order in which they came: no sorting.
    columns = [compiler.process(clause, **options) for clause in element.clauses]
    tables = dict.fromkeys(column.rpartition(".")[0] for column in columns)
    return ", ".join(f"{table}.rowid" for table in tables)


def row_order(*key: Expression) -> Expression:
    """Return an order of rows by the columns of their *key*, or as they came where that is known.

    The columns may be of several tables that are joined.
    """
    return _RowOrder(*key)


# Text without case


class _Folded(FunctionElement[Any]):
    """A text compared without the case of ASCII letters; an index without case serves it."""

    type = types.Text()
    inherit_cache = True


class _WideFolded(FunctionElement[Any]):
    """A text compared without the case of any letters."""

    type = types.Text()
    inherit_cache = True


@compiles(_Folded, "sqlite")
def _compile_folded_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} COLLATE NOCASE)"


@compiles(_WideFolded, "sqlite")
def _compile_wide_folded_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"ftrack_fold({compiler.process(element.clauses, **options)})"


@compiles(_Folded)
@compiles(_WideFolded)
def _compile_folded(element: Any, compiler: Any, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


def folded(expression: Expression, *texts: Optional[str]) -> Expression:
    """Return *expression* ready to be compared with (folded) *texts*, or to be sorted by.

    SQLite by itself lowers ASCII letters only. That is enough, and can use an index, unless one
    of *texts* has others or is not known (None).
    """
    wide = not all(text is not None and text.isascii() for text in texts)
    return _WideFolded(expression) if wide else _Folded(expression)


class _Like(FunctionElement[Any]):
    type = _CONDITION
    inherit_cache = True


@compiles(_Like)
def _compile_like(element: Any, compiler: Any, **options: Any) -> str:
    left, right = (compiler.process(clause, **options) for clause in element.clauses)
    # Not the backslash: PostgreSQL's settings differ in how they read it inside a literal.
    return f"{left} LIKE {right} ESCAPE '!'"


_PATTERN = re.compile(r"\\([%_\\])|(\\|!)", re.DOTALL)


def like(expression: Expression, pattern: str) -> Expression:
    r"""Return whether *expression* fits *pattern*, without case.

    ``%`` is any run, ``_`` one character, ``\%``, ``\_`` and ``\\`` the characters themselves; a
    backslash before anything else stands for itself.
    """
    escaped = _PATTERN.sub(_escape, fold(pattern))
    return _Like(folded(expression, escaped), literal(escaped, types.Text()))


def _escape(match: re.Match[str]) -> str:
    found = match.group(1) or match.group(2)
    return f"!{found}" if found in "%_!" else "\\"


# Many values as one parameter


class _Values(types.TypeDecorator[Sequence[Any]]):
    """A list of values in one parameter: a JSON text for SQLite, an array for PostgreSQL."""

    impl = types.Text
    cache_ok = True

    def __init__(self, numeric: bool = False) -> None:
        super().__init__()
        self.numeric = numeric

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(types.Text())
        # lazy: SQLite needs none of it, and it takes a good part of the time of a start.
        from sqlalchemy.dialects import postgresql

        item = postgresql.DOUBLE_PRECISION() if self.numeric else postgresql.TEXT()
        return dialect.type_descriptor(postgresql.ARRAY(item))

    def process_bind_param(self, value: Optional[Sequence[Any]], dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return json.dumps(list(value))


class _MemberOf(FunctionElement[Any]):
    type = _CONDITION
    inherit_cache = True


@compiles(_MemberOf)
def _compile_member_of(element: Any, compiler: Any, **options: Any) -> str:
    left, right = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{left} = ANY ({right})"


@compiles(_MemberOf, "sqlite")
def _compile_member_of_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    left, right = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{left} IN (SELECT value FROM json_each({right}))"


def member_of(expression: Expression, values: Sequence[Any]) -> Expression:
    """Return whether *expression* is one of *values*, which are all texts or all numbers."""
    numeric = bool(values) and not isinstance(values[0], str)
    return _MemberOf(expression, literal(values, _Values(numeric)))


def keys_table(name: str) -> CTE:
    """Return the list given as the parameter *name* as a table, with one column: ``value``.

    It is for SQLite alone, which makes the list once for all parts of a statement that use it.
    """
    values = func.json_each(bindparam(name, type_=_Values(False))).table_valued("value")
    return select(values.c.value).cte(name)


def keys_parameter(expression: Expression, name: str, *, numeric: bool = False) -> Expression:
    """Return whether *expression* is one of the list given as the parameter *name*.

    The list is of texts or, if *numeric*, of numbers.
    """
    return _MemberOf(expression, bindparam(name, type_=_Values(numeric)))
