"""The declarations are whole: whatever they name exists, in the schema and in the tables."""

from __future__ import annotations

import re

import pytest

from ftrack_like.sandbox import schema
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.custom_attributes import LINK_FAMILIES, VALUE_FAMILIES
from ftrack_like.sandbox.schema.model import (
    Collection,
    Derived,
    ManyToMany,
    OneToMany,
    Reference,
    Scalar,
)
from ftrack_like.sandbox.schema.object_types import OBJECT_TYPE_IDS
from ftrack_like.sandbox.tables.layout import TABLES

PROPERTIES = [
    pytest.param(type_, property_, id=f"{type_.name}.{property_.name}")
    for type_ in MODEL.types.values()
    for property_ in type_.properties.values()
]
TYPES = [pytest.param(type_, id=type_.name) for type_ in MODEL.types.values()]


def of_kind(kind):
    """Return the parameters for properties of the class *kind*."""
    return [one for one in PROPERTIES if isinstance(one.values[1], kind)]


def columns(type_name):
    """Return the names of the columns that rows of a type have."""
    return set(TABLES[MODEL.types[type_name].table].columns.keys())


# Properties


def test_every_scalar_is_stored_or_computed():
    """A scalar has a column of its type's table, or names a computation, never both."""
    for one in of_kind(Scalar):
        type_, scalar = one.values
        assert (scalar.column is None) != (scalar.computed is None), one.id
        assert scalar.column is None or scalar.column in columns(type_.name), one.id


def test_every_reference_finds_its_target():
    """A reference goes from a column that exists to one of its target's, or is computed."""
    for one in of_kind(Reference):
        type_, reference = one.values
        assert reference.target in MODEL.types, one.id
        assert reference.column is not None or reference.computed is not None, one.id
        assert reference.target_column in columns(reference.target), one.id
        assert reference.column is None or reference.column in columns(type_.name), one.id
        assert set(reference.also) <= columns(reference.target), one.id
        assert set(reference.also.values()) <= columns(type_.name), one.id


def test_every_foreign_key_points_at_a_key():
    """What a scalar references is an attribute of a type, which identifies its entities."""
    for one in of_kind(Scalar):
        scalar = one.values[1]
        if scalar.references is not None:
            target, name = scalar.references
            assert name in MODEL.types[target].primary_key, one.id


def test_every_one_to_many_finds_its_members():
    """Members of a collection are known by a column of their own and one of the owner."""
    for one in of_kind(Collection):
        type_, collection = one.values
        how = collection.how
        if isinstance(how, OneToMany):
            assert how.column in columns(collection.target), one.id
            assert how.own_column in columns(type_.name), one.id
            assert set(how.where) <= columns(collection.target), one.id


def test_every_many_to_many_finds_its_links():
    """A table of links has the columns that its collections go by."""
    for one in of_kind(Collection):
        type_, collection = one.values
        how = collection.how
        if isinstance(how, ManyToMany):
            links = set(TABLES[how.table].columns.keys())
            assert {how.own, how.other, *how.where, *how.unless} <= links, one.id
            assert how.own != how.other, one.id
            assert how.own_column in columns(type_.name), one.id


def test_both_sides_of_a_many_to_many_agree():
    """Where both ends have a collection over the same links, one mirrors the other."""
    sides = {}
    for one in of_kind(Collection):
        how = one.values[1].how
        if isinstance(how, ManyToMany) and how.own_column == "id":
            sides.setdefault(how.table, set()).add((how.own, how.other))
    for table, found in sides.items():
        assert len(found) <= 2, table
        assert len(found) == 1 or {tuple(reversed(one)) for one in found} == found, table


def test_keyed_collections_can_be_read_as_dictionaries():
    """Items of a keyed collection have the attributes that are key and value."""
    for one in of_kind(Collection):
        collection = one.values[1]
        for name in collection.key_value or ():
            assert name in MODEL.types[collection.target].properties, one.id


def test_a_served_target_is_a_kind_of_the_real_one():
    """Where the schema names a narrower type, that type's rows are among the members."""
    for one in of_kind((Reference, Collection)):
        relation = one.values[1]
        if relation.served_target is not None:
            assert relation.target in MODEL.types[relation.served_target].bases, one.id


def test_properties_with_one_alias_are_the_same_data():
    """Two names for one thing of the server lead to the same column, relation or computation."""
    for type_ in MODEL.types.values():
        seen = {}
        for property_ in type_.properties.values():
            if "alias_for" not in property_.facets:
                continue
            where = (
                property_.how
                if isinstance(property_, Collection)
                else (property_.column, property_.computed)
            )
            other = seen.setdefault((type(property_), property_.alias), where)
            assert other == where, f"{type_.name}.{property_.name}"


# Types


@pytest.mark.parametrize("type_", TYPES)
def test_a_type_names_its_own_properties(type_):
    """Keys, projections, immutable and computed attributes are properties; keys are stored."""
    names = set(type_.properties)
    assert set(type_.primary_key) <= names
    assert set(type_.default_projections) <= names
    assert set(type_.immutable) <= names | {one.alias for one in type_.properties.values()}
    assert set(type_.computed) <= names
    for name in type_.primary_key:
        key = type_.properties[name]
        assert isinstance(key, Scalar)
        assert key.column in TABLES[type_.table].primary_key.columns


@pytest.mark.parametrize("type_", TYPES)
def test_a_type_stands_on_its_bases(type_):
    """A type has the table and the key of its bases, and marks its rows at least as they do."""
    assert set(type_.classifier) <= columns(type_.name)
    for name in type_.bases:
        base = MODEL.types[name]
        assert base.table == type_.table
        assert base.primary_key == type_.primary_key
        assert set(base.classifier) <= set(type_.classifier)


def test_types_with_one_alias_share_their_rows():
    """Types that are the same thing to the server are rows of one table."""
    tables = {}
    for type_ in MODEL.types.values():
        alias = type_.alias_for["id"] if isinstance(type_.alias_for, dict) else type_.alias_for
        if alias:
            tables.setdefault(alias, set()).add(type_.table)

    assert {alias: found for alias, found in tables.items() if len(found) > 1} == {}
    assert MODEL.types["NoteLabel"].table == MODEL.types["NoteCategory"].table


def test_a_mixin_is_a_base():
    """What the schema calls a mixin is what the type extends."""
    for type_ in MODEL.types.values():
        assert type_.mixin is None or type_.mixin in type_.bases, type_.name


def test_required_attributes_exist():
    """All but one required attribute exist; that one is required by published schemas alone."""
    missing = {
        (type_.name, name)
        for type_ in MODEL.types.values()
        for name in type_.required
        if name not in type_.properties
    }

    assert missing == {("ReviewSessionObjectAnnotation", "review_session_id")}


def test_families_of_custom_attributes_are_types():
    """Values and links are declared for families that have the collections to hold them."""
    for family in VALUE_FAMILIES:
        held = MODEL.types[family].properties["custom_attributes"]
        assert held.target == f"{family}CustomAttributeValue"
    for family in LINK_FAMILIES:
        assert "custom_attribute_links" in MODEL.types[family].properties
        assert MODEL.types[f"{family}CustomAttributeLink"].bases == ("CustomAttributeLink",)


# Rows and their types


@pytest.mark.parametrize(
    ("name", "alternatives"),
    [
        ("Context", ()),
        ("TypedContext", ({"context_type": "task"},)),
        ("Shot", ({"context_type": "task", "object_type_id": OBJECT_TYPE_IDS["Shot"]},)),
        ("Project", ({"context_type": "show"},)),
        ("Resource", ()),
        ("BaseUser", ({"resource_type": "collaborator"}, {"resource_type": "user"})),
        ("Group", ({"resource_type": "group"},)),
        ("Component", ()),
        ("ContainerComponent", ({"system_type": "container"}, {"system_type": "sequence"})),
        ("NoteComponent", ()),
        ("NoteAnnotationComponent", ({"note_component_type": "annotation"},)),
        ("CustomAttributeLink", ()),
        ("Status", ()),
    ],
)
def test_alternatives_mark_the_rows_of_a_type(name, alternatives):
    """A query of a type answers the rows of its sub-types too, and asks for no more than needed."""
    assert MODEL.alternatives(name) == alternatives


@pytest.mark.parametrize(
    ("asked", "row", "found"),
    [
        (
            "Context",
            {"context_type": "task", "object_type_id": OBJECT_TYPE_IDS["Shot"]},
            "Shot",
        ),
        ("Context", {"context_type": "show", "object_type_id": None}, "Project"),
        ("TypedContext", {"context_type": "task", "object_type_id": "own"}, "TypedContext"),
        ("Component", {"system_type": "sequence"}, "SequenceComponent"),
        ("ContainerComponent", {"system_type": "container"}, "ContainerComponent"),
        ("Resource", {"resource_type": "group"}, "Group"),
        ("NoteComponent", {"note_component_type": None}, "NoteComponent"),
        ("NoteComponent", {"note_component_type": "annotation"}, "NoteAnnotationComponent"),
        (
            "CustomAttributeLink",
            {"to_entity_type": "Asset", "from_entity_type": "Context"},
            "AssetCustomAttributeLink",
        ),
        ("CustomAttributeLink", {"to_entity_type": None}, "CustomAttributeLink"),
        ("Status", {}, "Status"),
    ],
)
def test_a_row_answers_as_its_concrete_type(asked, row, found):
    """What was asked for by a base answers as what it is."""
    assert MODEL.type_of_row(asked, row).name == found


def test_classifier_columns_tell_sub_types_apart():
    """The columns that a reader must fetch to know a row's type are named."""
    assert MODEL.classifier_columns("Context") == ("context_type", "object_type_id")
    assert MODEL.classifier_columns("Status") == ()


def test_sub_types_of_a_table_can_be_told_apart():
    """No two sub-types of a type have the same marks."""
    for name in MODEL.types:
        marks = [tuple(sorted(one.classifier.items())) for one in MODEL.subtypes(name)]
        assert len(marks) == len(set(marks)), name


# Documentation


def test_every_computation_is_described():
    """The package tells what each value that is not stored must compute, and no more."""
    text = schema.__doc__
    table = text[text.index("====") : text.rindex("====")]
    described = set(re.findall(r"^``(\w+)``", table, re.MULTILINE))
    used = set()
    for one in PROPERTIES:
        property_ = one.values[1]
        used.add(getattr(property_, "computed", None))
        if isinstance(getattr(property_, "how", None), Derived):
            used.add(property_.how.computation)

    assert described == used - {None}
