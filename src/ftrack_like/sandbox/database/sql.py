"""SQL constructs that compile to the different syntax of SQLite and PostgreSQL.

All values are bound parameters, and a list of values is one parameter. Statements that differ only
in values therefore have the same text, which SQLAlchemy compiles once.
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

#: The most operands of an AND or OR. Longer lists become a tree, because SQLite parses a list as
#: a chain of operators and limits the depth of an expression.
WIDTH = 200

_PREPARED = "ftrack_like_prepared"

# With the type Boolean SQLAlchemy would compare our constructs with 1 on SQLite ("... = 1"), and
# SQLite would then not use an index.
_CONDITION = types.NullType()


def fold(text: Any) -> Any:
    """Return *text* in lower case for comparisons. Return other values unchanged."""
    return text.lower() if isinstance(text, str) else text


def prepare(connection: Connection) -> None:
    """Define the SQL functions that our statements call on *connection*, once."""
    if _PREPARED in connection.info:
        return
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.create_function("ftrack_fold", 1, fold, deterministic=True)
    connection.info[_PREPARED] = True


# Logic


def negation(condition: Expression) -> Expression:
    """Return the opposite of *condition*. Unlike NOT, it is true if *condition* is NULL."""
    return condition.is_not(true())


def all_of(conditions: Sequence[Expression]) -> Expression:
    """Return the condition that all of the one or more *conditions* are true."""
    return _balanced(and_, conditions)


def any_of(conditions: Sequence[Expression]) -> Expression:
    """Return the condition that at least one of the one or more *conditions* is true."""
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
    """Parentheses that SQLAlchemy does not remove."""

    type = _CONDITION
    inherit_cache = True


@compiles(_Enclosed)
def _compile_enclosed(element: Any, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)})"


class _Rarely(FunctionElement[Any]):
    """A condition with the hint that it is true for very few rows."""

    type = _CONDITION
    inherit_cache = True


@compiles(_Rarely)
def _compile_rarely(element: Any, compiler: Any, **options: Any) -> str:
    return f"{compiler.process(element.clauses, **options)}"


@compiles(_Rarely, "sqlite")
def _compile_rarely_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"likelihood({compiler.process(element.clauses, **options)}, 0.00001)"


def rarely(condition: Expression) -> Expression:
    """Return *condition* with a hint to SQLite to use an index for it.

    If nearly all rows have NULL in a column, the statistics say that its index is useless. SQLite
    would then not use it for the few other rows either.
    """
    return _Rarely(condition)


# Order


class _RowOrder(FunctionElement[Any]):
    """A unique order of the rows of a table. Its arguments are the columns of the key."""

    type = types.NullType()
    inherit_cache = True


@compiles(_RowOrder)
def _compile_row_order(element: Any, compiler: Any, **options: Any) -> str:
    return ", ".join(compiler.process(clause, **options) for clause in element.clauses)


@compiles(_RowOrder, "sqlite")
def _compile_row_order_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    # Tables and indexes list rows by rowid, the order of insertion, so SQLite need not sort.
    columns = [compiler.process(clause, **options) for clause in element.clauses]
    tables = dict.fromkeys(column.rpartition(".")[0] for column in columns)
    return ", ".join(f"{table}.rowid" for table in tables)


def row_order(*key: Expression) -> Expression:
    """Return a unique order of rows: the order of insertion on SQLite, else that of *key*.

    The columns of *key* may belong to several joined tables.
    """
    return _RowOrder(*key)


# Text without case


class _Folded(FunctionElement[Any]):
    """A text that compares without the case of ASCII letters. It can use a NOCASE index."""

    type = types.Text()
    inherit_cache = True


class _WideFolded(FunctionElement[Any]):
    """A text that compares without the case of all letters."""

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
    # With the collation "C" one index serves comparisons, orders and LIKE with a known start.
    return f'(lower({compiler.process(element.clauses, **options)}) COLLATE "C")'


def folded(expression: Expression, *texts: Optional[str]) -> Expression:
    """Return *expression* without case, to compare it with folded *texts* or to sort by it.

    SQLite's own collation ignores the case of ASCII letters only, but it can use an index. Use it
    unless one of *texts* contains other letters or is unknown (None).
    """
    wide = not all(text is not None and text.isascii() for text in texts)
    return _WideFolded(expression) if wide else _Folded(expression)


class _Like(FunctionElement[Any]):
    type = _CONDITION
    inherit_cache = True


@compiles(_Like)
def _compile_like(element: Any, compiler: Any, **options: Any) -> str:
    left, right = (compiler.process(clause, **options) for clause in element.clauses)
    # The escape character is not the backslash, because a setting of PostgreSQL determines its
    # meaning in a literal.
    return f"{left} LIKE {right} ESCAPE '!'"


_PATTERN = re.compile(r"\\([%_\\])|(\\|!)", re.DOTALL)


def like(expression: Expression, pattern: str) -> Expression:
    r"""Return the condition that *expression* matches *pattern*, without case.

    ``%`` matches any text and ``_`` one character. ``\%``, ``\_`` and ``\\`` match the characters
    themselves. Before other characters a backslash is literal.
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
        # lazy: slow to import, and SQLite does not need it.
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
    """Return the condition that *expression* is one of *values*: all texts or all numbers."""
    numeric = bool(values) and not isinstance(values[0], str)
    return _MemberOf(expression, literal(values, _Values(numeric)))


def keys_table(name: str) -> CTE:
    """Return the list given as the parameter *name* as a table, with one column: ``value``.

    It is for SQLite alone, which makes the list once for all parts of a statement that use it.
    """
    values = func.json_each(bindparam(name, type_=_Values(False))).table_valued("value")
    return select(values.c.value).cte(name)


def keys_parameter(expression: Expression, name: str, *, numeric: bool = False) -> Expression:
    """Return the condition that *expression* is in the list in the parameter *name*.

    The list contains texts or, if *numeric*, numbers.
    """
    return _MemberOf(expression, bindparam(name, type_=_Values(numeric)))
