"""SQL for custom attribute values.

For a query, an entity has one value for each configuration that applies to it. If the database
stores none, the value is the default of the configuration. These *dense* values are not rows of a
table: a statement joins the entities with the configurations that apply, and adds the stored
values with an outer join.

Storing a row for each default instead would need new rows for each new entity, and for every
entity when an administrator adds a configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from sqlalchemy import FromClause, and_, case, func, or_, select, true, types
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from ftrack_like.sandbox.access.visibility import configuration_readable
from ftrack_like.sandbox.database.sql import Expression
from ftrack_like.sandbox.query.names import Catalogue
from ftrack_like.sandbox.query.operands import Variable
from ftrack_like.sandbox.query.sources import RowSource, Step, fits_type, table_source
from ftrack_like.sandbox.schema.model import EntityType, Scalar
from ftrack_like.sandbox.tables.values import read_json, read_moment

__all__ = [
    "IN_HIERARCHY",
    "all_values",
    "is_dense",
    "operand",
    "read_value",
    "text_value",
    "value_parts",
    "values_of",
]

#: The ``entity_type`` of the configurations for a family. That of a context is in its row.
_OWNERS = {
    "Asset": "asset",
    "AssetVersion": "assetversion",
    "List": "list",
    "ListObject": "listobject",
    "User": "user",
}


#: The types whose values are lists of choices.
ENUMERATORS = ("dynamic enumerator", "enumerator")

#: The families to which hierarchical configurations apply.
IN_HIERARCHY = ("Context", "Asset", "AssetVersion")


def is_dense(type_: EntityType) -> bool:
    """Return whether *type_* is the type of a family's values, which may be dense."""
    return type_.table == "custom_attribute_value" and "key" in type_.properties


def all_values(catalogue: Catalogue, type_: EntityType) -> RowSource:
    """Return a source for all values of the family type *type_*."""
    owner_type = catalogue.types[_family(type_)]
    owner = table_source(catalogue, owner_type)
    source = _values(catalogue, type_, owner, beside=owner.from_)
    of_type = fits_type(catalogue, owner, owner_type)
    conditions = () if of_type is None else (of_type,)
    return RowSource(
        type_, source.from_, source.columns, (*conditions, *owner.conditions), source.leading
    )


def values_of(catalogue: Catalogue, owner: RowSource, type_: EntityType) -> Step:
    """Return the step from the row *owner* to its values of *type_*."""
    source = _values(catalogue, type_, owner, beside=None)
    return Step(source, source.from_, None, None)


def _family(type_: EntityType) -> str:
    entity_id = type_.properties["entity_id"]
    assert isinstance(entity_id, Scalar)
    assert entity_id.references is not None
    return entity_id.references[0]


def _values(
    catalogue: Catalogue, type_: EntityType, owner: RowSource, beside: Optional[FromClause]
) -> RowSource:
    """Return a source for the values of the row *owner*.

    With *beside*, the table of the owner, the source joins it. Without it, the source refers to a
    row of an enclosing statement.
    """
    configuration = catalogue.tables["custom_attribute_configuration"].alias()
    stored = catalogue.tables["custom_attribute_value"].alias()
    value_type = catalogue.tables["custom_attribute_type"].alias()
    owner_id = owner.column("id")
    applies = _applies(_family(type_), configuration, owner)
    if catalogue.restricted:
        applies = and_(applies, configuration_readable(catalogue.tables, configuration.c.id))
    from_: FromClause = configuration if beside is None else beside.join(configuration, applies)
    from_ = from_.outerjoin(
        stored,
        and_(stored.c.configuration_id == configuration.c.id, stored.c.entity_id == owner_id),
    ).outerjoin(value_type, value_type.c.id == configuration.c.type_id)
    columns: Mapping[str, Expression] = {
        "configuration_id": configuration.c.id,
        "entity_id": owner_id,
        "key": configuration.c.key,
        "config": configuration.c.config,
        "default_value": configuration.c.default_value,
        "stored": stored.c.configuration_id,
        "text": stored.c.text,
        "number": stored.c.number,
        "type_name": value_type.c.name,
    }
    # A client takes the first value of a key. A project's own configuration must therefore come
    # before one with the same key for all projects, and a hierarchical one before another.
    first = (_empty(configuration.c.project_id), configuration.c.is_hierarchical.is_not(true()))
    return RowSource(type_, from_, columns, (applies,) if beside is None else (), first)


def _applies(family: str, configuration: Any, owner: RowSource) -> Expression:
    """Return the condition that *configuration* applies to the row *owner*."""
    columns = owner.columns
    of_type: Expression
    for_object_type: list[Expression] = [_empty(configuration.c.object_type_id)]
    for_project: list[Expression] = [_empty(configuration.c.project_id)]
    if family == "Context":
        of_type = or_(
            configuration.c.entity_type == owner.column("context_type"),
            configuration.c.is_hierarchical,
        )
        for_object_type.append(configuration.c.object_type_id == owner.column("object_type_id"))
    else:
        of_type = configuration.c.entity_type == _OWNERS[family]
        if family in IN_HIERARCHY:
            of_type = or_(of_type, configuration.c.is_hierarchical)
    if "project_id" in columns:
        for_project.append(configuration.c.project_id == owner.column("project_id"))
    return and_(configuration.c.kind == "value", of_type, or_(*for_object_type), or_(*for_project))


def _empty(column: Expression) -> Expression:
    return or_(column.is_(None), column == "")


# Reading values


def _part(catalogue: Catalogue, source: RowSource, name: str) -> Expression:
    """Return the expression for *name*, a column of the source of dense values.

    A source for stored rows does not have these columns. Then the expression is a sub-query for
    the row's configuration.
    """
    if name in source.columns:
        return source.column(name)
    if name == "stored":
        return source.column("configuration_id")
    configuration = catalogue.tables["custom_attribute_configuration"].alias()
    value_type = catalogue.tables["custom_attribute_type"].alias()
    wanted = value_type.c.name if name == "type_name" else configuration.c[name]
    return (
        select(wanted)
        .select_from(
            configuration.outerjoin(value_type, value_type.c.id == configuration.c.type_id)
        )
        .where(configuration.c.id == source.column("configuration_id"))
        .scalar_subquery()
    )


def value_parts(catalogue: Catalogue, source: RowSource) -> tuple[Expression, ...]:
    """Return the expressions whose values :func:`read_value` takes."""
    names = ("type_name", "config", "stored", "text", "number", "default_value")
    return tuple(_part(catalogue, source, name) for name in names)


def read_value(parts: tuple[Any, ...]) -> Any:
    """Return the JSON value for *parts*, converted to the type of its configuration."""
    type_name, config, stored, text, number, default = parts
    if stored is None:
        value = json.loads(default) if default else None
    else:
        value = text if number is None else number
    if value is None:
        # A configuration without a default is for a choice of nothing.
        return [] if stored is None and type_name in ENUMERATORS else None
    reader = _READERS.get(type_name)
    return reader(value, config) if reader else value


def _read_number(value: Any, config: Optional[str]) -> Any:
    decimal = '"isdecimal":true' in (config or "").replace(" ", "")
    return int(value) if isinstance(value, float) and value.is_integer() and not decimal else value


def _read_boolean(value: Any, config: Optional[str]) -> Any:
    return bool(value) if isinstance(value, (bool, int, float)) else value


def _read_date(value: Any, config: Optional[str]) -> Any:
    if not isinstance(value, str) or not value:
        return None
    try:
        return {"__type__": "datetime", "value": read_moment(value)}
    except ValueError:
        return None


def _read_list(value: Any, config: Optional[str]) -> Any:
    """Return a list of choices or addresses; a single choice is stored as a plain text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return read_json(value)
        except ValueError:
            return [value]
    if isinstance(value, list):
        return value
    return [str(value)] if value != "" else []


_READERS = {
    "boolean": _read_boolean,
    "date": _read_date,
    "dynamic enumerator": _read_list,
    "enumerator": _read_list,
    "number": _read_number,
    "url": _read_list,
}


# Comparing values. A value is in the column "text" or in "number", depending on its type. The other
# column is NULL. A default is JSON, so two constructs extract the same two values.


class _DefaultText(FunctionElement[Any]):
    """The text of a JSON value that is a string, list or object; NULL for others."""

    type = types.Text()
    inherit_cache = True


class _DefaultNumber(FunctionElement[Any]):
    """The number of a JSON value that is a number or boolean (1 or 0); NULL for others."""

    type = types.Float()
    inherit_cache = True


@compiles(_DefaultText, "sqlite")
def _compile_default_text(element: Any, compiler: Any, **options: Any) -> str:
    json_text = compiler.process(element.clauses, **options)
    return (
        f"CASE WHEN json_type({json_text}) IN ('text', 'array', 'object') "
        f"THEN json_extract({json_text}, '$') END"
    )


@compiles(_DefaultNumber, "sqlite")
def _compile_default_number(element: Any, compiler: Any, **options: Any) -> str:
    json_text = compiler.process(element.clauses, **options)
    return (
        f"CASE WHEN json_type({json_text}) IN ('integer', 'real', 'true', 'false') "
        f"THEN json_extract({json_text}, '$') END"
    )


@compiles(_DefaultText)
def _compile_default_text_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    value = f"({compiler.process(element.clauses, **options)})::jsonb"
    kinds = "('string', 'array', 'object')"
    return f"CASE WHEN jsonb_typeof({value}) IN {kinds} THEN {value} #>> '{{}}' END"


@compiles(_DefaultNumber)
def _compile_default_number_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    value = f"({compiler.process(element.clauses, **options)})::jsonb"
    return (
        f"CASE jsonb_typeof({value}) WHEN 'number' THEN ({value} #>> '{{}}')::float8 "
        f"WHEN 'boolean' THEN ({value} #>> '{{}}')::boolean::int END"
    )


def operand(catalogue: Catalogue, source: RowSource) -> Variable:
    """Return the value of the row *source* as the operand of a comparison."""
    return Variable(
        text_value(catalogue, source),
        "variable",
        _number_value(source),
        _part(catalogue, source, "type_name"),
    )


def text_value(catalogue: Catalogue, source: RowSource) -> Expression:
    """Return the expression of the value if it is stored as text; otherwise the value is NULL."""
    if "stored" not in source.columns:
        return source.column("text")
    default = _DefaultText(source.column("default_value"))
    # The default of a date has a fraction of a second and a zone, a stored value has neither.
    moment = func.substr(default, 1, len("2024-06-22T00:00:00"))
    is_date = source.column("type_name") == "date"
    return _effective(source, "text", case((is_date, moment), else_=default))


def _effective(source: RowSource, column: str, default: Expression) -> Expression:
    """Return *column* of the stored value, or the *default* if no value is stored.

    A stored row can contain NULL, which is not the default. The condition is therefore whether the
    outer join found a row.
    """
    return case(
        (source.column("stored").is_not(None), source.column(column)),
        else_=default,
    )


def _number_value(source: RowSource) -> Expression:
    """Return the expression of the value if it is stored as a number; otherwise it is NULL."""
    if "stored" not in source.columns:
        return source.column("number")
    return _effective(source, "number", _DefaultNumber(source.column("default_value")))
