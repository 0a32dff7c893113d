"""Entity classes follow from schemas."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from ftrack_like import attribute
from ftrack_like.entity.asset_version import AssetVersion
from ftrack_like.entity.base import Entity
from ftrack_like.entity.component import Component, CreateThumbnailMixin
from ftrack_like.entity.factory import Factory, StandardFactory
from ftrack_like.entity.job import Job
from ftrack_like.entity.location import Location
from ftrack_like.entity.note import CreateNoteMixin, Note
from ftrack_like.entity.project_schema import ProjectSchema
from ftrack_like.entity.user import User
from ftrack_like.symbol import NOT_SET

NOTES = {"notes": {"type": "array", "items": {"$ref": "Note"}}}
THUMBNAIL = {"thumbnail_id": {"type": "string"}}


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("Anything", {}, (Entity,)),
        ("AssetVersion", {}, (AssetVersion,)),
        ("FileComponent", {}, (Component,)),
        ("NoteComponent", {}, (Component,)),
        ("ComponentLocation", {}, (Entity,)),
        ("Job", {}, (Job,)),
        ("Location", {}, (Location,)),
        ("Note", {}, (Note,)),
        ("ProjectSchema", {}, (ProjectSchema,)),
        ("User", THUMBNAIL, (User, CreateThumbnailMixin)),
        ("Task", {**NOTES, **THUMBNAIL}, (Entity, CreateNoteMixin, CreateThumbnailMixin)),
        ("ReviewSessionObject", NOTES, (Entity, CreateNoteMixin)),
        ("AssetVersion", {**NOTES}, (AssetVersion, CreateNoteMixin)),
    ],
)
def test_types_get_the_behaviour_that_is_known_of_them(
    make_schema: Any, name: str, properties: Any, expected: Any
) -> None:
    """The bases follow from the type's name and from what it has."""
    assert StandardFactory().create(make_schema(name, properties)).__bases__ == expected


def test_given_bases_come_after_the_special_one(make_schema: Any) -> None:
    """A plugin may add behaviour; the type's own stays."""

    class Extra(Entity):
        pass

    assert StandardFactory().create(make_schema("Note", {}), bases=[Extra]).__bases__ == (
        Note,
        Extra,
    )
    assert StandardFactory().create(make_schema("Note", {}), bases=[Note]).__bases__ == (Note,)


@pytest.mark.parametrize(
    ("fragment", "class_", "facts"),
    [
        ({"type": "string"}, attribute.ScalarAttribute, {"data_type": "string"}),
        (
            {"type": "string", "format": "date-time"},
            attribute.ScalarAttribute,
            {"data_type": "datetime"},
        ),
        ({"type": "number"}, attribute.ScalarAttribute, {"data_type": "float"}),
        ({"type": "integer", "default": 0}, attribute.ScalarAttribute, {"default_value": 0}),
        ({"type": "boolean"}, attribute.ScalarAttribute, {"data_type": "boolean"}),
        ({"type": "object"}, attribute.ScalarAttribute, {"data_type": "object"}),
        ({"type": "variable"}, attribute.ScalarAttribute, {"data_type": "variable"}),
        (
            {"type": "string", "$ref": "Status"},
            attribute.ScalarAttribute,
            {"data_type": "string"},
        ),
        ({"$ref": "Status"}, attribute.ReferenceAttribute, {"entity_type": "Status"}),
        (
            {"type": "array", "items": {"$ref": "Note"}},
            attribute.CollectionAttribute,
            {"default_value": NOT_SET},
        ),
        (
            {"type": "mapped_array", "items": {"$ref": "Metadata"}},
            attribute.KeyValueMappedCollectionAttribute,
            {"key_attribute": "key", "value_attribute": "value"},
        ),
        (
            {"type": "mapped_array", "items": {"$ref": "UserCustomAttributeValue"}},
            attribute.KeyValueMappedCollectionAttribute,
            {"key_attribute": "key"},
        ),
        (
            {"type": "mapped_array", "items": {"$ref": "CustomAttributeValue"}},
            attribute.CustomAttributeCollectionAttribute,
            {},
        ),
    ],
)
def test_properties_become_attributes(
    make_schema: Any, fragment: Any, class_: type, facts: dict[str, Any]
) -> None:
    """The class of an attribute and its facts follow from the property."""
    made = StandardFactory().create(make_schema("Thing", {"it": fragment})).attributes.get("it")
    assert type(made) is class_
    for name, value in facts.items():
        assert getattr(made, name) == value


@pytest.mark.parametrize(
    "fragment",
    [
        {},
        {"type": "riddle"},
        {"type": "string", "restricted_projection": True},
        {"type": "mapped_array", "items": {"$ref": "Riddle"}},
    ],
)
def test_some_properties_have_no_attribute(make_schema: Any, fragment: Any) -> None:
    """Those that cannot be projected, and those nothing is known of."""
    class_ = StandardFactory().create(make_schema("Thing", {"it": fragment}))
    assert class_.attributes.keys() == ["id"]


def test_immutable_and_computed_are_as_the_schema_says(make_schema: Any) -> None:
    """Both are read from the schema's lists."""
    schema = make_schema("Thing", {"it": {"type": "string"}}, immutable=["it"], computed=["it"])
    made = StandardFactory().create(schema).attributes.get("it")
    assert (made.mutable, made.computed) == (False, True)


def test_ids_are_made_anew_for_each_entity(tiny: Any) -> None:
    """The default ``{uid}`` is a new id every time."""
    assert tiny.create("Task")["id"] != tiny.create("Task")["id"]


def test_a_factory_makes_fresh_classes_over_shared_attributes(make_schema: Any) -> None:
    """What a plugin writes on one class shows on no other; the attributes are the same."""
    schema = make_schema("Thing", {"it": {"type": "string"}})
    one, two = StandardFactory().create(schema), StandardFactory().create(dict(schema))
    assert one is not two
    assert one.attributes.get("it") is two.attributes.get("it")
    one.extra = 1
    assert not hasattr(two, "extra")
    other = StandardFactory().create(make_schema("Thing", {"it": {"type": "number"}}))
    assert other.attributes.get("it") is not one.attributes.get("it")


def test_a_schema_changed_in_place_gets_attributes_of_its_own(make_schema: Any) -> None:
    """Sharing goes by what the schema says at the time."""
    schema = make_schema("Thing", {})
    before = StandardFactory().create(schema)
    schema["properties"]["late"] = {"type": "string"}
    after = StandardFactory().create(schema)
    assert before.attributes.keys() == ["id"]
    assert after.attributes.keys() == ["id", "late"]


def test_a_factory_of_ones_own_makes_its_attributes_itself(make_schema: Any) -> None:
    """Its methods are called with the documented arguments, and its attributes are not shared."""
    calls: list[Any] = []

    class Own(StandardFactory):
        def create_scalar_attribute(self, *args: Any, **kw: Any) -> Any:
            calls.append(args)
            return super().create_scalar_attribute(*args, **kw)

        def create_reference_attribute(self, *args: Any, **kw: Any) -> Any:
            calls.append(args)
            return super().create_reference_attribute(*args, **kw)

        def create_collection_attribute(self, *args: Any, **kw: Any) -> Any:
            calls.append(args)
            return super().create_collection_attribute(*args, **kw)

        def create_mapped_collection_attribute(self, *args: Any, **kw: Any) -> Any:
            calls.append(args)
            return super().create_mapped_collection_attribute(*args, **kw)

    schema = make_schema(
        "Thing",
        {
            "name": {"type": "string"},
            "status": {"$ref": "Status"},
            "parts": {"type": "array", "items": {"$ref": "Thing"}},
            "metadata": {"type": "mapped_array", "items": {"$ref": "Metadata"}},
        },
        immutable=["id", "parts"],
    )
    class_ = Own().create(schema)
    assert calls[1:] == [
        ("Thing", "name", True, False, NOT_SET, "string"),
        ("Thing", "status", True, "Status"),
        ("Thing", "parts", False),
        ("Thing", "metadata", True, "Metadata"),
    ]
    assert class_.attributes.get("name") is not StandardFactory().create(schema).attributes.get(
        "name"
    )


def test_an_attribute_of_ones_own_is_asked_for_its_values(make_tiny: Any, make_schema: Any) -> None:
    """A class with such an attribute reads through it, loaded or not."""

    class Shouting(attribute.ScalarAttribute):
        def get_value(self, entity: Any) -> Any:
            return str(super().get_value(entity)).upper()

    class Own(StandardFactory):
        def create_scalar_attribute(self, class_name: str, name: str, *args: Any) -> Any:
            return Shouting(name, "string")

    schema = make_schema("Thing", {"name": {"type": "string"}})
    session = make_tiny([schema])
    session.types["Thing"] = Own().create(schema)
    assert session.load("Thing", id="a", name="x")["name"] == "X"


def test_the_plain_factory_knows_no_mappings(
    make_schema: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It leaves them out and says so when asked to be talkative."""
    caplog.set_level(logging.DEBUG)
    schema = make_schema("Task", {"metadata": {"type": "mapped_array", "items": {"$ref": "Meta"}}})
    class_ = Factory().create(schema)
    assert class_.__bases__ == (Entity,)
    assert class_.attributes.keys() == ["id"]
    assert "Ignoring Task.metadata" in caplog.text
