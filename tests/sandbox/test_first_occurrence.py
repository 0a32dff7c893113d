"""The first occurrence of an entity in an answer is in full, and later ones are references."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrack_like.sandbox.query import projections
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import Collection, Reference, Scalar

ROOTS = ["Context", "TypedContext", "Task", "Shot", "AssetVersion", "Asset", "Note", "User",
         "Component", "Resource", "Project", "Appointment", "Status", "List"]  # fmt: skip


def selectable(type_):
    """Return the names of *type_* that a query may select: relations with targets, plain values."""
    relations, plain = {}, []
    for name, property_ in MODEL.types[type_].properties.items():
        if isinstance(property_, Scalar):
            plain.append(name)
        elif isinstance(property_, Reference):
            relations[name] = property_.target
        elif isinstance(property_, Collection):
            if not property_.facets.get("restricted_projection"):
                relations[name] = property_.target
    return relations, plain


@st.composite
def random_projections(draw):
    """Draw a query with a few random paths, up to four relations long."""
    root = draw(st.sampled_from(ROOTS))
    paths = set()
    for _ in range(draw(st.integers(1, 5))):
        type_, path = root, []
        for _ in range(draw(st.integers(0, 4))):
            relations, _plain = selectable(type_)
            if not relations:
                break
            path.append(draw(st.sampled_from(sorted(relations))))
            type_ = relations[path[-1]]
        plain = selectable(type_)[1]
        if plain and (not path or draw(st.booleans())):
            path.append(draw(st.sampled_from(sorted(plain))))
        paths.add(".".join(path))
    return f"select {', '.join(sorted(paths))} from {root}"


def occurrences(value):
    """Yield the identity and the attributes of the entities in *value*, in order."""
    if isinstance(value, list):
        for one in value:
            yield from occurrences(one)
    elif isinstance(value, dict):
        if "__entity_type__" in value:
            type_ = MODEL.types[value["__entity_type__"]]
            yield (type_.name, *(value[name] for name in type_.primary_key)), set(value)
        for one in value.values():
            yield from occurrences(one)


def late(answer):
    """Return the entities of *answer* whose later occurrences have what the first one lacks."""
    first, wrong = {}, []
    for identity, attributes in occurrences(answer):
        if not attributes <= first.setdefault(identity, attributes):
            wrong.append(identity)
    return wrong


def in_full(answer):
    """Return all attributes of each entity of *answer*, from all of its occurrences."""
    found = {}
    for identity, attributes in occurrences(answer):
        found.setdefault(identity, set()).update(attributes)
    return found


@settings(max_examples=60)
@given(expression=random_projections())
def test_no_reference_comes_before_the_full_entity(world, expression):
    """For random projections, no later occurrence has an attribute that the first one lacks."""
    assert late(world.records(expression)) == []


@settings(max_examples=40)
@given(expression=random_projections(), depth=st.integers(1, 3))
def test_no_attribute_is_lost_at_the_maximum_depth(world, expression, depth):
    """An answer that reaches the maximum depth has the same attributes as one that does not."""
    whole = world.records(expression)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projections, "MAXIMUM_DEPTH", depth)
        cut = world.records(expression)

    assert in_full(cut) == in_full(whole)


def test_chains_are_not_nested_beyond_the_maximum_depth(world, monkeypatch):
    """Rows that lead to each other in a chain are inside each other only up to the limit."""
    monkeypatch.setattr(projections, "MAXIMUM_DEPTH", 2)

    def depth(value):
        if isinstance(value, list):
            return max(map(depth, value), default=0)
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values()), default=0)
        return 0

    records = world.records("select children from Context where project_id is p-alpha")

    assert depth(records) == 3  # two records inside each other, and a reference
    assert late(records) != []
