"""The words in which the declarations beside this module are written.

Each function returns properties; :func:`entity_type` gathers them into a type, taking over what
a base declares. What a reader can infer is not repeated: the description of a foreign key follows
from its target, a reference's column from its name, a table from the type's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from ftrack_like.sandbox.schema.model import (
    Collection,
    Derived,
    EntityType,
    ManyToMany,
    OneToMany,
    Property,
    Reference,
    Scalar,
)

__all__ = [
    "Declared",
    "boolean",
    "custom_attribute_values",
    "custom_attributes",
    "date_time",
    "derived",
    "entity_type",
    "foreign_key",
    "integer",
    "many_to_many",
    "mapping",
    "metadata",
    "number",
    "one_to_many",
    "reference",
    "scalar",
    "snake_case",
    "text",
    "to_one",
    "type_named",
    "unique_id",
    "variable",
]

#: A property, or several that belong together (a reference and its foreign key).
Declared = Union[Property, Iterable[Property]]

#: How a parent's type travels (the schema's id) and how published servers keep it.
TYPE_TRANSFORM = {"client": "{schema_id}", "server": "{table_name}"}

#: Attributes of the items of a mapped collection that make it a dictionary.
KEY_VALUE = ("key", "value")


def snake_case(name: str) -> str:
    """Return *name* as in ``asset_version`` for ``AssetVersion``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


# Scalars


def scalar(
    type_: Optional[str],
    name: str,
    *,
    alias: Optional[str] = None,
    column: Optional[str] = None,
    computed: Optional[str] = None,
    references: Optional[tuple[str, str]] = None,
    **facets: Any,
) -> Scalar:
    """Return a single value of JSON type *type_*, stored under its own name by default."""
    if alias is not None:
        facets["alias_for"] = alias
    stored = None if computed else column or name
    return Scalar(name, facets, type_, stored, computed, references)


def text(name: str, **options: Any) -> Scalar:
    """Return a text."""
    return scalar("string", name, **options)


def number(name: str, **options: Any) -> Scalar:
    """Return a number with fractions."""
    return scalar("number", name, **options)


def integer(name: str, **options: Any) -> Scalar:
    """Return a whole number."""
    return scalar("integer", name, **options)


def boolean(name: str, **options: Any) -> Scalar:
    """Return a truth value."""
    return scalar("boolean", name, **options)


def date_time(name: str, **options: Any) -> Scalar:
    """Return a moment in UTC."""
    return scalar("string", name, format="date-time", **options)


def mapping(name: str, **options: Any) -> Scalar:
    """Return a JSON object."""
    return scalar("object", name, **options)


def variable(name: str, **options: Any) -> Scalar:
    """Return a value of no fixed type."""
    return scalar("variable", name, **options)


def type_named(name: str, **options: Any) -> Scalar:
    """Return the name of the type that a neighbouring id belongs to."""
    return scalar("string", name, transform=TYPE_TRANSFORM, **options)


def unique_id(alias: Optional[str] = None, **options: Any) -> Scalar:
    """Return the attribute ``id``, which whoever creates the entity may choose."""
    return scalar("string", "id", alias=alias, default="{uid}", **options)


# References


def foreign_key(
    name: str,
    target: str,
    *,
    references: Optional[tuple[str, str]] = None,
    type_: Optional[str] = "string",
    **options: Any,
) -> Scalar:
    """Return the key of another entity.

    *target* is ``Type.column`` as the schema describes it; ``User.user_id`` means the ``id`` of
    a user. *references* says what it really points at, where that does not follow.
    """
    owner, _, shown = target.partition(".")
    if references is None:
        references = (owner, "id" if shown == f"{snake_case(owner)}_id" else shown)
    return scalar(
        type_,
        name,
        references=references,
        description=f"Foreign key(s): {target}",
        format="foreign_key",
        **options,
    )


def reference(
    name: str,
    target: str,
    *,
    alias: Optional[str] = None,
    column: Optional[str] = None,
    computed: Optional[str] = None,
    **options: Any,
) -> Reference:
    """Return a to-one relation over *column*, ``<name>_id`` by default.

    One that is *computed* has a *column* only where it is also written.
    """
    facets = {} if alias is None else {"alias_for": alias}
    stored = column if computed else column or f"{name}_id"
    return Reference(name, facets, target, stored, computed=computed, **options)


def to_one(
    name: str,
    target: str,
    *,
    alias: Optional[str] = None,
    key: Optional[str] = None,
    shown: str = "id",
    served_target: Optional[str] = None,
    **key_options: Any,
) -> tuple[Property, Property]:
    """Return a reference *name* to *target* and its foreign key *key* (``<name>_id`` by default).

    *alias* is that of the reference, *shown* the target's column in the key's description;
    the remaining options (``key_alias`` among them) are the key's.
    """
    key = key or f"{name}_id"
    key_options["alias"] = key_options.pop("key_alias", None)
    described = f"{served_target or target}.{shown}"
    return (
        reference(name, target, alias=alias, column=key, served_target=served_target),
        foreign_key(key, described, references=(target, "id"), **key_options),
    )


# Collections


def one_to_many(
    name: str,
    target: str,
    column: str,
    *,
    alias: Optional[str] = None,
    own_column: str = "id",
    where: Optional[Mapping[str, Any]] = None,
    served_target: Optional[str] = None,
    key_value: Optional[tuple[str, str]] = None,
    **facets: Any,
) -> Collection:
    """Return the entities of *target* whose *column* holds the owner's *own_column*."""
    if alias is not None:
        facets["alias_for"] = alias
    how = OneToMany(column, own_column, where or {})
    return Collection(name, facets, target, how, key_value, served_target)


def many_to_many(
    name: str,
    target: str,
    table: str,
    own: str,
    other: str,
    *,
    alias: Optional[str] = None,
    served_target: Optional[str] = None,
    **options: Any,
) -> Collection:
    """Return the entities of *target* that rows of *table* link, from column *own* to *other*."""
    facets = {} if alias is None else {"alias_for": alias}
    how = ManyToMany(table, own, other, **options)
    return Collection(name, facets, target, how, served_target=served_target)


def derived(name: str, target: str, computation: str, **facets: Any) -> Collection:
    """Return the entities of *target* that *computation* finds."""
    return Collection(name, facets, target, Derived(computation))


def metadata() -> Collection:
    """Return the dictionary of free texts that many types have."""
    return one_to_many("metadata", "Metadata", "parent_id", alias="meta", key_value=KEY_VALUE)


def custom_attributes(family: Optional[str] = None) -> list[Property]:
    """Return the custom attributes of a type: values of *family* (None: no values) and links."""
    properties: list[Property] = [
        one_to_many(
            "custom_attribute_links", "CustomAttributeLink", "from_id", restricted_projection=True
        ),
        one_to_many(
            "custom_attribute_links_from",
            "CustomAttributeLinkFrom",
            "to_id",
            restricted_projection=True,
        ),
    ]
    if family is not None:
        properties.append(custom_attribute_values(family))
    return properties


def custom_attribute_values(family: str) -> Collection:
    """Return the dictionary of custom attribute values of *family* (``Context``)."""
    return Collection(
        "custom_attributes",
        {"alias_for": "custom_attribute_values"},
        f"{family}CustomAttributeValue",
        Derived("custom_attributes"),
        KEY_VALUE,
    )


# Types


def _flatten(declared: Iterable[Declared]) -> dict[str, Property]:
    """Return the properties of *declared* by name, the last of a name winning."""
    properties: dict[str, Property] = {}
    for item in declared:
        for property_ in [item] if isinstance(item, Property) else item:
            properties[property_.name] = property_
    return properties


def _inherited(
    base: Optional[EntityType], field: str, own: tuple[str, ...], default: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return *own* names of *field* followed by those of *base* that are not among them.

    Without a base, *default* stands in for missing *own* names.
    """
    if base is None:
        return own or default
    names: tuple[str, ...] = getattr(base, field)
    return own + tuple(name for name in names if name not in own)


def entity_type(
    name: str,
    *declared: Declared,
    extends: Optional[EntityType] = None,
    table: Optional[str] = None,
    classifier: Optional[Mapping[str, Any]] = None,
    without: tuple[str, ...] = (),
    required: tuple[str, ...] = (),
    immutable: tuple[str, ...] = (),
    computed: tuple[str, ...] = (),
    system_projections: tuple[str, ...] = (),
    primary_key: tuple[str, ...] = ("id",),
    default_projections: Optional[tuple[str, ...]] = None,
    **options: Any,
) -> EntityType:
    """Return the type *name* with the *declared* properties on top of those it *extends*.

    Properties named in *without* are not taken over.

    The names in *required*, *immutable*, *computed* and *system_projections* come before those
    of the base. Without a base the primary key is required, immutable and the default projection,
    unless names are given.
    """
    inherited = extends.properties if extends else {}
    properties = {key: value for key, value in inherited.items() if key not in without}
    properties.update(_flatten(declared))
    if default_projections is None:
        default_projections = extends.default_projections if extends else primary_key
    return EntityType(
        name,
        table or (extends.table if extends else snake_case(name)),
        dict(sorted(properties.items())),
        classifier={**(extends.classifier if extends else {}), **(classifier or {})},
        bases=(extends.name, *extends.bases) if extends else (),
        primary_key=extends.primary_key if extends else primary_key,
        default_projections=default_projections,
        system_projections=_inherited(extends, "system_projections", system_projections),
        required=_inherited(extends, "required", required, primary_key),
        immutable=_inherited(extends, "immutable", immutable, primary_key),
        computed=_inherited(extends, "computed", computed),
        **options,
    )
