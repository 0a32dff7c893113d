"""What the schema serves, against the schemas of a published server and against itself."""

from __future__ import annotations

import hashlib
import json
import pathlib

import pytest

from ftrack_like.sandbox.schema import MODEL, json_schemas, schema_hash

REFERENCE = pathlib.Path(__file__).parents[3] / "shared" / "reference" / "schemas.json"

needs_reference = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the reference schemas are not beside the project"
)


def differences(wanted, found, path=""):
    """Return a line for each place where *found* is not as *wanted*."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        lines = []
        for key in sorted(wanted.keys() | found.keys()):
            if key not in found:
                lines.append(f"{path}.{key} is missing: {wanted[key]!r}")
            elif key not in wanted:
                lines.append(f"{path}.{key} is too much: {found[key]!r}")
            else:
                lines += differences(wanted[key], found[key], f"{path}.{key}")
        return lines
    return [] if wanted == found else [f"{path} should be {wanted!r}, is {found!r}"]


def by_name(schemas):
    """Return *schemas* by the name of their type."""
    return {schema["id"]: schema for schema in schemas}


_IMMUTABLE = (
    *("object_type_id", "object_type", "bid_time_logged_difference", "time_logged"),
    *("type_id", "type"),
)
_UNSTATED = (*_IMMUTABLE, "status_id", "status")
_ROLLED_UP = ("bid", "start_date", "end_date", "split_parts", "thumbnail_source_id")
_OF_CONTEXTS = ("id", "_link", "link", "thumbnail_url", "created_by_id", "created_by", "created_at")
_PARTS = {"type": "array", "items": {"$ref": "SplitTaskPart"}}
_SOURCE = {
    "description": "Foreign key(s): Context.id",
    "format": "foreign_key",
    "type": "string",
}
_SERVED = by_name(json_schemas())

#: Each place where a site of today differs from the reference, which was recorded from an older
#: site: its row in ``site-facts.md``, and what is there now. None means that it is gone.
KNOWN_DIFFERENCES: dict[str, tuple[str, object]] = {
    "Conversation": ("H", None),
    "Message": ("H", None),
    "Participant": ("H", None),
    "Image": ("A5", _SERVED["Image"]),
    "Information": ("A5", _SERVED["Information"]),
    "Scene": ("A5", _SERVED["Scene"]),
    "Episode.immutable": ("H", [*_IMMUTABLE, *_ROLLED_UP, *_OF_CONTEXTS]),
    "Episode.properties.split_parts": ("H", _PARTS),
    "Episode.properties.thumbnail_source_id": ("H", _SOURCE),
    "Sequence.immutable": ("H", [*_UNSTATED, *_ROLLED_UP, *_OF_CONTEXTS]),
    "Sequence.properties.split_parts": ("H", _PARTS),
    "Sequence.properties.thumbnail_source_id": ("H", _SOURCE),
    "Shot.immutable": ("H", [*_IMMUTABLE, *_ROLLED_UP, *_OF_CONTEXTS]),
    "Shot.properties.split_parts": ("H", _PARTS),
    "Shot.properties.thumbnail_source_id": ("H", _SOURCE),
    "Note.properties.author.$ref": ("H", "BaseUser"),
    "Note.properties.user_id.description": ("H", "Foreign key(s): BaseUser.id"),
    "TempData": ("a table that programs name", _SERVED["TempData"]),
    "Asset.system_projections": ("G", ["context_id", "project_id"]),
    "AssetVersion.system_projections": ("G", ["assetid", "project_id"]),
    "Note.system_projections": ("G", ["project_id"]),
    "NoteComponent.system_projections": ("G", ["note_component_type"]),
    **{
        f"{name}.system_projections": ("G", ["system_type", "version_id", "container_id"])
        for name in ("Component", "ContainerComponent", "FileComponent", "SequenceComponent")
    },
    **{
        f"{family}CustomAttributeValue.system_projections": (
            "G",
            ["entity_id", "key", "_casted_value", "project_id", "permission_id"],
        )
        for family in ("Asset", "AssetVersion", "Context", "List")
    },
    **{
        f"{family}CustomAttributeValue.system_projections": (
            "G",
            ["entity_id", "key", "_casted_value", "permission_id"],
        )
        for family in ("ListObject", "User")
    },
}


@needs_reference
def test_schemas_are_those_of_the_reference():
    """Types and properties are served as a site serves them, except for the known differences."""
    wanted = by_name(json.loads(REFERENCE.read_text("utf-8")))
    for path, (_, value) in KNOWN_DIFFERENCES.items():
        *above, last = path.split(".")
        place = wanted
        for name in above:
            place = place[name]
        assert place.get(last) != value, f"{path} is not a difference"
        if value is None:
            del place[last]
        else:
            place[last] = value

    lines = differences(wanted, by_name(json_schemas()))

    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("name", ["Image", "Information", "Scene"])
def test_added_types_are_like_the_type_of_shots(name):
    """A type that the reference lacks differs from Shot only by its object type and its flags."""
    schemas = by_name(json_schemas())

    lines = differences(schemas["Shot"], schemas[name])

    places = {line.split(" ")[0] for line in lines}
    assert places <= {
        ".alias_for.classifiers.object_typeid",
        ".id",
        ".immutable",
        ".properties.object_type_id.default",
        ".properties.priority_id.default",
    }


def test_differences_find_a_changed_a_missing_and_a_further_entry():
    """The comparison sees each kind of difference."""
    wanted = {"a": {"b": 1, "c": 2}, "d": 3}
    found = {"a": {"b": 9, "e": 2}, "d": 3}

    assert differences(wanted, found) == [
        ".a.b should be 1, is 9",
        ".a.c is missing: 2",
        ".a.e is too much: 2",
    ]


def test_hash_is_of_what_is_served():
    """A client that hashes the schemas it received gets the hash that the server names."""
    received = json.loads(json.dumps(json_schemas()))

    text = json.dumps(received, sort_keys=True)

    assert schema_hash() == hashlib.md5(text.encode("utf-8")).hexdigest()


def test_types_are_served_once_and_in_order():
    """Every type has one schema, sorted by name."""
    names = [schema["id"] for schema in json_schemas()]

    assert names == sorted(MODEL.types)


def test_description_of_a_foreign_key_follows_from_its_target():
    """What a key points at is said in the words that clients parse."""
    properties = by_name(json_schemas())["Shot"]["properties"]

    assert properties["status_id"]["description"] == "Foreign key(s): Status.id"
    assert properties["created_by_id"]["description"] == "Foreign key(s): User.user_id"


def test_collections_say_how_their_items_are_keyed():
    """Metadata is a mapped array with the attributes that make it a dictionary."""
    metadata = by_name(json_schemas())["Task"]["properties"]["metadata"]

    assert metadata == {
        "type": "mapped_array",
        "items": {"$ref": "Metadata"},
        "key_value_attributes": {"key": "key", "value": "value"},
        "alias_for": "meta",
    }


def test_served_schemas_may_be_changed_by_their_receiver():
    """Two calls give schemas that share no list that one of them could spoil."""
    first = json_schemas()
    for schema in first:
        schema["required"].append("spoilt")
        schema["properties"].clear()

    assert (
        hashlib.md5(json.dumps(json_schemas(), sort_keys=True).encode("utf-8")).hexdigest()
        == schema_hash()
    )
