"""Random criteria give what a plain evaluation of them in Python gives over the same rows."""

from __future__ import annotations

import operator
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ftrack_like.sandbox.language import (
    And,
    Compare,
    Literal,
    Not,
    Or,
    Part,
    Path,
    Query,
    Some,
    Within,
    to_text,
)
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import (
    Collection,
    Derived,
    OneToMany,
    Reference,
    Scalar,
)

TYPES = ["Task", "Shot", "TypedContext", "Context", "Component", "AssetVersion", "Asset", "Note",
         "User", "Resource", "Appointment", "Timelog", "List", "Status"]  # fmt: skip
#: Types with rows in the world; random paths lead through these alone.
KNOWN = {
    *TYPES, "Project", "Group", "State", "Type", "Priority", "Location", "ComponentLocation",
    "Metadata", "Recipient", "Membership", "TypedContextLink", "FileComponent", "ObjectType",
    "SequenceComponent", "AssetType", "TypedContextList", "AssetVersionList", "NoteCategory",
}  # fmt: skip
COMPARISONS = {
    "is": operator.eq, "is_not": operator.ne, ">": operator.gt, "<": operator.lt,
    ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


#: The names of tables with which criteria mean the types that ``parent_type`` names in the world.
TABLE_NAMES = {
    "AssetVersion": "asset_version", "Project": "show", "SequenceComponent": "component",
    "TypedContext": "task",
}  # fmt: skip


# Evaluating


class Evaluator:
    """Says of rows, which are mappings, whether they fit criteria; knows no SQL."""

    def __init__(self, rows):
        self.rows = rows

    def keys(self, query):
        type_ = MODEL.types[query.entity_type]
        return sorted(
            "/".join(str(row[name]) for name in type_.primary_key)
            for row in self.of_type(type_.name)
            if query.criteria is None or self.fits(query.criteria, row, type_.name)
        )

    def of_type(self, name):
        alternatives = MODEL.alternatives(name) or ({},)
        return [
            row
            for row in self.rows.get(MODEL.types[name].table, [])
            if any(all(row.get(k) == v for k, v in one.items()) for one in alternatives)
        ]

    def fits(self, node, row, type_):
        if isinstance(node, And):
            return all(self.fits(one, row, type_) for one in by_entry(node.operands, type_))
        if isinstance(node, Or):
            return any(self.fits(one, row, type_) for one in node.operands)
        if isinstance(node, Not):
            return not self.fits(node.operand, row, type_)
        if isinstance(node, Some):
            return any(
                node.criteria is None or self.fits(node.criteria, member, target)
                for owner, owner_type, part in self.ends(row, type_, node.path.parts)
                for member, target in self.members(owner, owner_type, part)
            )
        if isinstance(node, Within):
            return self.within(node, row, type_)
        if node.value.null:
            none = self.is_none(row, type_, node.path.parts)
            known = any(self.known(*end) for end in self.ends(row, type_, node.path.parts))
            return none if node.operator == "is" else known
        return any(
            self.compare(*end, node.operator, node.value.text)
            for end in self.ends(row, type_, node.path.parts)
        )

    def within(self, node, row, type_):
        none = any(one.null for one in node.values)
        if none and not node.negated and self.is_none(row, type_, node.path.parts):
            return True
        for end in self.ends(row, type_, node.path.parts):
            found = any(self.compare(*end, "is", one.text) for one in node.values if not one.null)
            if (not found and self.known(*end)) if node.negated else found:
                return True
        return False

    def is_none(self, row, type_, parts):
        if len(parts) == 1:
            return not self.known(row, type_, parts[0])
        property_ = relation_of(type_, parts[0])
        members = self.members(row, type_, parts[0])
        if isinstance(property_, Reference) and only_references(type_, parts):
            return not members or all(self.is_none(*one, parts[1:]) for one in members)
        return any(self.is_none(*one, parts[1:]) for one in members)

    def ends(self, row, type_, parts):
        """Yield the rows at the ends of all ways along *parts*, with the last part."""
        if len(parts) == 1:
            yield row, type_, parts[0]
            return
        for member, target in self.members(row, type_, parts[0]):
            yield from self.ends(member, target, parts[1:])

    def members(self, row, type_, part):
        property_ = relation_of(type_, part)
        target = part.cast or property_.target
        if isinstance(property_, Reference):
            found = [
                other
                for other in (self.of_type(part.cast) if part.cast else self.all_of(target))
                if row.get(property_.column) is not None
                and other.get(property_.target_column) == row[property_.column]
            ]
        elif isinstance(property_.how, OneToMany):
            how = property_.how
            found = [
                other
                for other in self.of_type(target)
                if other.get(how.column) == row.get(how.own_column) is not None
                and all(other.get(k) == v for k, v in how.where.items())
            ]
        else:
            how = property_.how
            linked = [
                link[how.other]
                for link in self.rows.get(how.table, [])
                if link[how.own] == row.get(how.own_column)
                and all(link[k] != v for k, v in how.unless.items())
            ]
            found = [other for other in self.of_type(target) if other["id"] in linked]
        return [(other, target) for other in found]

    def all_of(self, type_):
        return self.rows.get(MODEL.types[type_].table, [])

    def known(self, row, type_, part):
        property_ = next(
            (one for one in candidates(type_, part.name) if not isinstance(one, Scalar)), None
        ) or scalar_of(type_, part)
        if isinstance(property_, Collection):
            return bool(self.members(row, type_, part))
        return row.get(property_.column) is not None

    def compare(self, row, type_, part, name, text):
        property_ = scalar_of(type_, part)
        stored = row.get(property_.column)
        if stored is None:
            return False
        if property_.facets.get("transform"):
            stored = TABLE_NAMES.get(stored, stored)
        if property_.format == "date-time":
            text = (text.replace(" ", "T") + "T00:00:00")[:19]
        elif property_.type in ("number", "integer"):
            stored, text = float(stored), float(text)
        elif property_.type == "boolean":
            stored, text = bool(stored), text.lower() == "true"
        elif property_.name != "id" and not property_.name.endswith("_id"):
            stored, text = stored.lower(), text.lower()
        return COMPARISONS[name](stored, text)


def by_entry(operands, type_):
    """Join the conditions on one entry of a dictionary: a key and its value belong together."""
    joined, entries = [], {}
    for one in operands:
        length = entry_length(one, type_)
        if length is None:
            joined.append(one)
            continue
        prefix, rest = one.path.parts[:length], Path(one.path.parts[length:])
        known = entries.setdefault(prefix, [{}])
        if rest in known[-1]:
            known.append({})
        known[-1][rest] = replace(one, path=rest)
    for prefix, found in entries.items():
        for entry in found:
            if len(entry) > 1:
                joined.append(Some(Path(prefix), "any", And(tuple(entry.values()))))
            else:
                [(rest, one)] = entry.items()
                joined.append(replace(one, path=Path((*prefix, *rest.parts))))
    return joined


def entry_length(node, type_):
    if not isinstance(node, (Compare, Within)):
        return None
    for length, part in enumerate(node.path.parts[:-1], 1):
        relation = relation_of(type_, part)
        if isinstance(relation, Collection) and relation.key_value:
            return length
        type_ = part.cast or relation.target
    return None


def candidates(type_, name):
    own = MODEL.types[type_].properties.get(name)
    if own is not None:
        return [own]
    below = [other for other in MODEL.types.values() if type_ in other.bases]
    return [other.properties[name] for other in below if name in other.properties]


def relation_of(type_, part):
    return next(one for one in candidates(type_, part.name) if not isinstance(one, Scalar))


def scalar_of(type_, part):
    return next(one for one in candidates(type_, part.name) if isinstance(one, Scalar))


def only_references(type_, parts):
    for part in parts[:-1]:
        property_ = relation_of(type_, part)
        if isinstance(property_, Collection):
            return False
        type_ = part.cast or property_.target
    return True


# Making criteria


def usable_relations(type_):
    return sorted(
        name
        for name, one in MODEL.types[type_].properties.items()
        if isinstance(one, (Reference, Collection))
        and one.target in KNOWN
        and getattr(one, "computed", None) is None
        and not (isinstance(one, Reference) and one.also)
        and not (isinstance(one, Collection) and isinstance(one.how, Derived))
        and (not isinstance(one, Reference) or one.column is not None)
    )


def usable_scalars(type_):
    return sorted(
        name
        for name, one in MODEL.types[type_].properties.items()
        if isinstance(one, Scalar) and one.column and one.type not in ("object", "variable")
    )


def stored_values(rows, type_, scalar):
    """Return texts to compare *scalar* with: those that are there, and some that are not."""
    values = {row.get(scalar.column) for row in rows.get(MODEL.types[type_].table, [])} - {None}
    if scalar.type == "boolean":
        return ["true", "false"]
    if scalar.type in ("number", "integer"):
        return [*sorted(map(str, values)), "0", "2.5"]
    if scalar.format == "date-time":
        return [*sorted(values), "2024-02-03", "2024-02-12 10:30:00"]
    texts = sorted(values)
    return [*texts, "zzz", "", *(text.upper() for text in texts if scalar.name != "id")]


@st.composite
def conditions(draw, rows, type_, depth):
    """Draw criteria about rows of *type_*."""
    kinds = ["compare", "compare", "in", "none", "relation", "and", "or", "not"]
    kind = draw(st.sampled_from(kinds[: 5 if depth == 0 else 8]))
    if kind in ("and", "or"):
        inner = st.lists(conditions(rows, type_, depth - 1), min_size=2, max_size=3)
        return (And if kind == "and" else Or)(tuple(draw(inner)))
    if kind == "not":
        return Not(draw(conditions(rows, type_, depth - 1)))
    parts, end = draw(ways(type_))
    if kind == "relation" and usable_relations(end):
        name = draw(st.sampled_from(usable_relations(end)))
        property_ = MODEL.types[end].properties[name]
        inner = None
        if depth and draw(st.booleans()):
            inner = draw(conditions(rows, property_.target, depth - 1))
        quantifier = "any" if isinstance(property_, Collection) else "has"
        return Some(Path((*parts, Part(name))), quantifier, inner)
    name = draw(st.sampled_from(usable_scalars(end)))
    path = Path((*parts, Part(name)))
    if kind == "none":
        return Compare(path, draw(st.sampled_from(["is", "is_not"])), Literal("none", False))
    scalar = MODEL.types[end].properties[name]
    texts = st.sampled_from(stored_values(rows, end, scalar))
    if kind == "in":
        members = draw(st.lists(texts.map(Literal), max_size=3))
        if draw(st.integers(0, 3)) == 0:
            members.append(Literal("none", False))
        return Within(path, tuple(members), draw(st.booleans()))
    few = scalar.type == "boolean"
    name = draw(st.sampled_from(["is", "is_not"] if few else list(COMPARISONS)))
    return Compare(path, name, Literal(draw(texts)))


@st.composite
def ways(draw, type_):
    """Draw parts that lead from *type_* through up to two relations, and where they end."""
    parts = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        names = usable_relations(type_)
        if not names:
            break
        name = draw(st.sampled_from(names))
        type_ = MODEL.types[type_].properties[name].target
        cast = None
        below = sorted(one.name for one in MODEL.subtypes(type_) if one.name in KNOWN)
        if len(below) > 1 and draw(st.integers(0, 2)) == 0:
            cast = type_ = draw(st.sampled_from(below))
        parts.append(Part(name, cast))
    return tuple(parts), type_


@settings(max_examples=400)
@given(data=st.data())
def test_criteria_hold_as_a_plain_evaluation_says(world, data):
    """The entities that random criteria answer are those that an evaluator in Python finds."""
    type_ = data.draw(st.sampled_from(TYPES))
    query = Query(type_, None, data.draw(conditions(world.rows, type_, 2)))

    assert sorted(world.keys(to_text(query))) == Evaluator(world.rows).keys(query)


@settings(max_examples=150)
@given(data=st.data())
def test_not_is_the_exact_contrary(world, data):
    """Each entity fits either some criteria or "not" of them, never both, never neither."""
    type_ = data.draw(st.sampled_from(TYPES))
    criteria = data.draw(conditions(world.rows, type_, 1))
    fitting = world.keys(to_text(Query(type_, None, criteria)))
    others = world.keys(to_text(Query(type_, None, Not(criteria))))

    assert sorted(fitting + others) == sorted(world.keys(type_))


@settings(max_examples=100)
@given(data=st.data())
def test_pages_put_together_are_the_whole(world, data):
    """Pages of any size, with and without an order, give each entity once and in one order."""
    type_ = data.draw(st.sampled_from(TYPES))
    parts, end = data.draw(ways(type_))
    path = ".".join(map(str, (*parts, data.draw(st.sampled_from(usable_scalars(end))))))
    order = data.draw(st.sampled_from(["", f" order by {path}", f" order by {path} desc"]))
    size = data.draw(st.integers(1, 5))
    found, offset = [], 0
    while offset is not None:
        result = world.query(f"{type_}{order} offset {offset} limit {size}")
        found += [record["__entity_type__"] + str(record.get("id")) for record in result.records]
        offset = result.next_offset

    whole = world.records(f"{type_}{order}")
    assert found == [record["__entity_type__"] + str(record.get("id")) for record in whole]
