"""Every attribute of every type can be selected, compared with none, and sorted by."""

from __future__ import annotations

import pytest

from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import Collection, Reference, Scalar

NAMES = sorted(MODEL.types)


@pytest.mark.parametrize("name", NAMES)
def test_every_attribute_can_be_selected(world, name):
    """All attributes but the restricted ones can be selected together, nested ones too."""
    paths = []
    for property_ in MODEL.types[name].properties.values():
        if not property_.facets.get("restricted_projection"):
            paths.append(property_.name)
            if not isinstance(property_, Scalar):
                inner = MODEL.types[property_.target].default_projections
                paths += [f"{property_.name}.{one}" for one in inner]

    for record in world.records(f"select {', '.join(paths)} from {name}"):
        concrete = MODEL.types[record["__entity_type__"]]
        assert set(concrete.primary_key) <= record.keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_attribute_compares_with_none(world, name):
    """Any entity either has or lacks a value of each attribute, never both or neither."""
    names = MODEL.types[name].properties
    each = " and ".join(f"({one} is none or {one} is_not none)" for one in names)
    both = " or ".join(f"{one} is none and {one} is_not none" for one in names)

    assert world.keys(f"{name} where {each}") == world.keys(name)
    assert world.keys(f"{name} where {both}") == []


@pytest.mark.parametrize("name", NAMES)
def test_every_value_can_be_compared_and_sorted_by(world, name):
    """Scalars and the ids of references compare by "is" and "in", and sort."""
    conditions, keys = [], []
    for property_ in MODEL.types[name].properties.values():
        if isinstance(property_, Collection):
            conditions.append(f"{property_.name} any ()")
            continue
        keys.append(property_.name)
        value = sample(property_)
        conditions += [f"{property_.name} is {value}", f"{property_.name} not_in ({value})"]

    everything = sorted(map(str, world.records(name)))
    assert sorted(map(str, world.records(f"{name} order by {', '.join(keys)}"))) == everything
    world.query(f"{name} where {' or '.join(conditions)}")
    world.query(f"{name} where {' and '.join(conditions)}")


def sample(property_):
    """Return a value that *property_* compares with."""
    if isinstance(property_, Reference) or property_.format is None:
        return {"boolean": "true"}.get(getattr(property_, "type", None), "1")
    return {"date-time": "2024-01-01", "date": "2024-01-01"}.get(property_.format, "1")
