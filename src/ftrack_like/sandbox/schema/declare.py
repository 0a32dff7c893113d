"""Functions with which the other modules of this package declare entity types.

Most functions return one property or several. :func:`entity_type` combines them into a type and
adds the properties of the base type. The functions derive regular facts, so that the declarations
need not repeat them: the description of a foreign key from its target, the column of a reference
from its name, and the table from the name of the type.
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

#: A property, or several that are declared together (a reference and its foreign key).
Declared = Union[Property, Iterable[Property]]

#: The ``transform`` of a property that names a type: clients send the schema's id, and published
#: servers store the name of a table.
TYPE_TRANSFORM = {"client": "{schema_id}", "server": "{table_name}"}

#: The attributes from which a client makes a dictionary of a mapped collection.
KEY_VALUE = ("key", "value")


def snake_case(name: str) -> str:
    """Return *name* in snake case: ``asset_version`` for ``AssetVersion``."""
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
    """Return a property with one value of the JSON type *type_*.

    The value is stored in *column*, by default the column *name*. With *computed*, the name of a
    computation, it is not stored. *alias* is the server-side name, *facets* are further entries of
    the property's JSON schema.
    """
    if alias is not None:
        facets["alias_for"] = alias
    stored = None if computed else column or name
    return Scalar(name, facets, type_, stored, computed, references)


def text(name: str, **options: Any) -> Scalar:
    """Return a text property."""
    return scalar("string", name, **options)


def number(name: str, **options: Any) -> Scalar:
    """Return a property for a number that may have a fraction."""
    return scalar("number", name, **options)


def integer(name: str, **options: Any) -> Scalar:
    """Return a property for a whole number."""
    return scalar("integer", name, **options)


def boolean(name: str, **options: Any) -> Scalar:
    """Return a property that is true or false."""
    return scalar("boolean", name, **options)


def date_time(name: str, **options: Any) -> Scalar:
    """Return a property for a date and time in UTC."""
    return scalar("string", name, format="date-time", **options)


def mapping(name: str, **options: Any) -> Scalar:
    """Return a property for a JSON object."""
    return scalar("object", name, **options)


def variable(name: str, **options: Any) -> Scalar:
    """Return a property whose values may have any JSON type."""
    return scalar("variable", name, **options)


def type_named(name: str, **options: Any) -> Scalar:
    """Return a property that names the type of an id, as ``parent_type`` does for ``parent_id``."""
    return scalar("string", name, transform=TYPE_TRANSFORM, **options)


def unique_id(alias: Optional[str] = None, **options: Any) -> Scalar:
    """Return the property ``id``. A client that creates an entity may choose its id."""
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
    """Return a property that contains the key of another entity.

    *target* is ``Type.column`` for the description in the JSON schema; ``User.user_id`` means the
    ``id`` of a user. *references* is ``(type, property)`` if *target* does not name the real one.
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
    """Return a relation to one entity of *target*, stored in *column*, by default ``<name>_id``.

    A *computed* relation has a *column* only if clients can also write it.
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
    """Return a reference *name* to *target*, and its foreign key *key*, by default ``<name>_id``.

    *alias* is the server-side name of the reference, ``key_alias`` that of the key. *shown* is the
    column of the target in the description of the key. The other options are for the key.
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
    """Return a collection of *target*: the rows whose *column* equals the owner's *own_column*.

    *where* gives further values that columns of the members must have.
    """
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
    """Return a collection of *target*: the entities that rows of *table* link to the owner.

    Column *own* of *table* contains the owner's id, column *other* the member's.
    """
    facets = {} if alias is None else {"alias_for": alias}
    how = ManyToMany(table, own, other, **options)
    return Collection(name, facets, target, how, served_target=served_target)


def derived(name: str, target: str, computation: str, **facets: Any) -> Collection:
    """Return a collection of *target*: the entities that the compiler's *computation* finds."""
    return Collection(name, facets, target, Derived(computation))


def metadata() -> Collection:
    """Return the property ``metadata``, a dictionary of texts."""
    return one_to_many("metadata", "Metadata", "parent_id", alias="meta", key_value=KEY_VALUE)


def custom_attributes(family: Optional[str] = None) -> list[Property]:
    """Return the collections of custom attribute links, and the values if *family* is given."""
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
    """Return the dictionary of the custom attribute values of *family*, for example ``Context``."""
    return Collection(
        "custom_attributes",
        {"alias_for": "custom_attribute_values"},
        f"{family}CustomAttributeValue",
        Derived("custom_attributes"),
        KEY_VALUE,
    )


# Types


def _flatten(declared: Iterable[Declared]) -> dict[str, Property]:
    """Return the properties of *declared* by name. If a name occurs twice, the last one wins."""
    properties: dict[str, Property] = {}
    for item in declared:
        for property_ in [item] if isinstance(item, Property) else item:
            properties[property_.name] = property_
    return properties


def _inherited(
    base: Optional[EntityType], field: str, own: tuple[str, ...], default: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the names in *own*, then the further names in *field* of *base*.

    Without a base and *own* names, return *default*.
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
    required: tuple[str, ...] = (),
    immutable: tuple[str, ...] = (),
    computed: tuple[str, ...] = (),
    system_projections: tuple[str, ...] = (),
    primary_key: tuple[str, ...] = ("id",),
    default_projections: Optional[tuple[str, ...]] = None,
    **options: Any,
) -> EntityType:
    """Return the type *name* with the *declared* properties and those of the type it *extends*.

    A declared property replaces one of the base.

    The names in *required*, *immutable*, *computed* and *system_projections* come before the names
    of the base. A type without a base requires its primary key and makes it immutable and the
    default projection, unless the arguments give other names.
    """
    properties = {**(extends.properties if extends else {}), **_flatten(declared)}
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
