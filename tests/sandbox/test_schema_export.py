"""What the schema serves, against the schemas of a published server and against itself."""

from __future__ import annotations

import hashlib
import json
import pathlib

import pytest

from ftrack_like.sandbox.schema import MODEL, json_schemas, schema_hash
from ftrack_like.sandbox.schema.custom_attributes import VALUE_FAMILIES

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


#: How lines begin for which the facts about real sites win over the older recorded schemas, and the
#: row of these facts.
OF_NEWER_SITES = {
    **{
        f".{name}.system_projections ": "G, system_projections beyond ours"
        for name in (
            *("Asset", "AssetVersion", "Note", "NoteComponent"),
            *("Component", "ContainerComponent", "FileComponent", "SequenceComponent"),
            *(f"{family}CustomAttributeValue" for family in VALUE_FAMILIES),
        )
    },
    ".Note.properties.author.$ref ": "C, notes of deleted or guest reviewers",
    ".TempData ": "Part 10, item 1, tempdata rows",
}


@needs_reference
def test_schemas_are_those_of_the_reference():
    """Types and properties are served as a site serves them; each difference has a known reason."""
    wanted = json.loads(REFERENCE.read_text("utf-8"))

    lines = differences(by_name(wanted), by_name(json_schemas()))

    unknown = [line for line in lines if not line.startswith(tuple(OF_NEWER_SITES))]
    assert not unknown, "\n".join(unknown)
    for begin, row in OF_NEWER_SITES.items():
        assert any(line.startswith(begin) for line in lines), f"no difference: {begin}({row})"


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
