"""The types and attributes of the server's schemas, for code that checks names before a query.

The schemas do not say which types are sub-types of others. But a path may lead from a base type to
the attributes of its sub-types: ``parent.status`` is valid, although ``parent`` leads to
``Context``, and only some contexts have a status. So the base types of ftrack are listed here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._base.suggest import did_you_mean
from ftrack_like._base.words import with_article
from ftrack_like._values.kept_names import KEPT_BY_SERVER

if TYPE_CHECKING:
    from ftrack_like._base.types import Schemas

__all__ = ["Catalogue", "Property", "Step", "differing_error"]

#: A part of a path: the name of an attribute, and the type in square brackets behind it.
Step = tuple[str, Optional[str]]

_Test = Callable[[str, Collection[str]], bool]


def _ends(name: str) -> _Test:
    """Return a test whether a type's name is longer than *name* and ends with it."""
    return lambda type_name, _: type_name.endswith(name) and type_name != name


#: The base types, and a test for their sub-types: of the name of a type and its attributes.
_FAMILIES: tuple[tuple[str, _Test], ...] = (
    ("Context", lambda _, names: "context_type" in names),
    ("TypedContext", lambda _, names: "context_type" in names and "object_type_id" in names),
    ("Resource", lambda _, names: "resource_type" in names),
    ("BaseUser", lambda name, names: name == "User" and "resource_type" in names),
    ("Component", lambda _, names: "file_type" in names and "system_type" in names),
    ("ContainerComponent", lambda name, _: name == "SequenceComponent"),
    ("List", lambda name, names: name.endswith("List") and "category_id" in names),
    ("Action", lambda name, names: name in ("Trigger", "WebhookAction")),
    ("CustomAttributeValue", _ends("CustomAttributeValue")),
    ("CustomAttributeLink", _ends("CustomAttributeLink")),
    ("CustomAttributeLinkFrom", _ends("CustomAttributeLinkFrom")),
    (
        "CustomConfigurationBase",
        lambda name, _: (
            name in ("CustomAttributeConfiguration", "CustomAttributeLinkConfiguration")
        ),
    ),
    ("StatusChange", _ends("StatusChange")),
)


class Property(NamedTuple):
    """An attribute of a type.

    *kind* is ``scalar``, ``reference``, ``collection`` or ``mapping``. *data_type* is the type of a
    scalar: ``string``, ``datetime``, ``integer``, ``number``, ``boolean``, ``object`` or
    ``variable``. *target* is the type to which a relation leads. *is_projectable* is false if a
    query can only filter by it.
    """

    name: str
    kind: str
    data_type: str
    target: str
    is_projectable: bool


def _read_property(name: str, fragment: Mapping[str, Any]) -> Property:
    """Return the attribute *name* of a schema, which describes it by *fragment*."""
    kind = fragment.get("type")
    is_projectable = not fragment.get("restricted_projection")
    if kind in ("array", "mapped_array"):
        shape = "collection" if kind == "array" else "mapping"
        target = str((fragment.get("items") or {}).get("$ref", ""))
        return Property(name, shape, "", target, is_projectable)
    if kind is None and "$ref" in fragment:
        return Property(name, "reference", "", str(fragment["$ref"]), is_projectable)
    if kind == "string" and fragment.get("format") == "date-time":
        kind = "datetime"
    return Property(name, "scalar", str(kind or "variable"), "", is_projectable)


class Catalogue:
    """The types of *schemas* with their attributes.

    *types* are the names of all types of the session. A program may add types without a schema.
    """

    def __init__(self, schemas: Schemas, types: Collection[str]) -> None:
        """Initialise for *schemas* and the names *types*."""
        self._schemas = {schema["id"]: schema for schema in schemas}
        self._types = types
        self._properties: dict[str, dict[str, Property]] = {}
        self._bases: Optional[dict[str, tuple[str, ...]]] = None

    def require(self, type_name: str) -> None:
        """Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for an unknown type."""
        if type_name not in self._types:
            raise exception.UnrecognisedEntityTypeError(
                type_name, suggestion=did_you_mean(type_name, self._types)
            )

    def names(self) -> list[str]:
        """Return the names of the types with a schema, in the order of the schemas."""
        return list(self._schemas)

    def schema(self, type_name: str) -> Mapping[str, Any]:
        """Return the schema of *type_name*; raise :exc:`KeyError` if there is none."""
        found: Mapping[str, Any] = self._schemas[type_name]
        return found

    def has_schema(self, type_name: str) -> bool:
        """Return whether *type_name* has a schema, so that its attributes are known."""
        return type_name in self._schemas

    def primary_key(self, type_name: str) -> list[str]:
        """Return the names of the primary key of *type_name*, ``["id"]`` if it is unknown."""
        schema = self._schemas.get(type_name)
        return ["id"] if schema is None else list(schema["primary_key"])

    def default_projections(self, type_name: str) -> list[str]:
        """Return the attributes that a query for *type_name* loads by default."""
        schema = self._schemas.get(type_name) or {}
        return list(schema.get("default_projections") or self.primary_key(type_name))

    def usual_columns(self, type_name: str) -> list[str]:
        """Return the columns for a table of *type_name* when a program names none.

        They are the primary key, and the name and the state as far as the type has them. A
        sub-type has the columns of its base type.
        """
        from ftrack_like._values.usual_columns import GENERAL, OF_TYPES  # lazy: for tables only

        own = self.properties(type_name)  # Servers refuse attributes that only sub-types have.
        if not own:
            return self.default_projections(type_name)
        kinds = [type_name, *reversed(self.bases(type_name))]
        listed = next((OF_TYPES[kind] for kind in kinds if kind in OF_TYPES), GENERAL)
        paths = [path for path in listed.split() if path.partition(".")[0] in own]
        found = [path for path in paths if self._is_value(type_name, path)]
        if not found:
            found = self._names_of_references(type_name)
        return list(dict.fromkeys([*self.primary_key(type_name), *found]))

    def _names_of_references(self, type_name: str) -> list[str]:
        """Return the paths to the names of the entities to which *type_name* refers.

        They describe the rows of a type that has no name itself, such as a link between two others.
        """
        references = [each for each in self.properties(type_name).values() if each.target]
        found = []
        for each in references:
            paths = [f"{each.name}.{name}" for name in ("name", "username", "label")]
            found += [path for path in paths if self._is_value(type_name, path)][:2]
        return found

    def _is_value(self, type_name: str, path: str) -> bool:
        """Return whether *path* leads from *type_name* to a plain value of a single entity."""
        try:
            found = self.follow(type_name, [(name, None) for name in path.split(".")])
        except (exception.UnknownAttributeError, exception.InvalidValueError):
            return False
        return found is not None and found.kind == "scalar" and found.is_projectable

    def properties(self, type_name: str) -> Mapping[str, Property]:
        """Return the attributes of *type_name* by name, empty for a type without a schema."""
        found = self._properties.get(type_name)
        if found is None:
            fragments = self._schemas.get(type_name, {}).get("properties", {})
            found = {name: _read_property(name, each) for name, each in fragments.items()}
            self._properties[type_name] = found
        return found

    def settable(self, type_name: str) -> list[Property]:
        """Return the attributes that the data of a new entity of *type_name* can have.

        These include attributes that are immutable once the entity exists, such as its id.
        """
        computed = self._schemas.get(type_name, {}).get("computed") or ()
        return [
            each
            for name, each in self.properties(type_name).items()
            if each.is_projectable and name not in computed and name not in KEPT_BY_SERVER
        ]

    def bases(self, type_name: str) -> tuple[str, ...]:
        """Return the types of which *type_name* is a sub-type, the most general first."""
        if self._bases is None:
            self._bases = {name: self._find_bases(name) for name in self._schemas}
        return self._bases.get(type_name, ())

    def _find_bases(self, type_name: str) -> tuple[str, ...]:
        names = self._schemas[type_name].get("properties", {})
        found = [
            base
            for base, test in _FAMILIES
            if base in self._schemas and base != type_name and test(type_name, names)
        ]
        families = [base for base, _ in _FAMILIES]
        if type_name in families:  # A base type is not below the types that are below itself.
            own = families.index(type_name)
            found = [base for base in found if families.index(base) < own]
        mixin = self._mixin(type_name)
        while mixin in self._schemas and mixin not in found and mixin != type_name:
            found.append(mixin)
            mixin = self._mixin(mixin)
        return tuple(found)

    def _mixin(self, type_name: str) -> str:
        """Return the type from which the schema of *type_name* takes attributes, or ""."""
        return str((self._schemas[type_name].get("$mixin") or {}).get("$ref", ""))

    def below(self, type_name: str) -> list[str]:
        """Return the sub-types of *type_name*."""
        return [name for name in self._schemas if type_name in self.bases(name)]

    def is_a(self, type_name: str, other: str) -> bool:
        """Return whether an entity of *type_name* may stand where one of *other* is expected."""
        if not (self.has_schema(type_name) and self.has_schema(other)):
            return True
        return (
            type_name == other or other in self.bases(type_name) or type_name in self.bases(other)
        )

    def find(self, type_name: str, name: str) -> list[Property]:
        """Return the attribute *name* of *type_name*, or if it has none, those of its sub-types.

        The list has one attribute of each kind. It is empty if the type has no schema. Raise
        :exc:`~ftrack_like.exception.UnknownAttributeError` for an unknown attribute.
        """
        if not self.has_schema(type_name):
            return []
        own = self.properties(type_name).get(name)
        if own is not None:
            return [own]
        below = self.below(type_name)
        found: dict[str, Property] = {}
        for other in below:
            each = self.properties(other).get(name)
            if each is not None:
                found.setdefault(each.kind, each)
        if found:
            return list(found.values())
        known = dict.fromkeys(self.properties(type_name))
        known.update(dict.fromkeys(each for other in below for each in self.properties(other)))
        raise exception.UnknownAttributeError(name, type_name, suggestion=did_you_mean(name, known))

    def differing(self, type_name: str, name: str) -> dict[str, Property]:
        """Return the relations *name* of the sub-types of *type_name*, by type, if they differ.

        A path that leaves the base type reads one attribute. So it must say of which sub-type it is
        if several of them have relations to other types, or over other keys on the server. The
        result is empty for an attribute of *type_name* itself.
        """
        if name in self.properties(type_name):
            return {}
        found: dict[str, Property] = {}
        meanings = set()
        for other in self.below(type_name):
            each = self.properties(other).get(name)
            if each is not None and each.kind != "scalar":
                found[other] = each
                fragment = self._schemas[other]["properties"][name]
                meanings.add((each.target, str(fragment.get("alias_for"))))
        return found if len(meanings) > 1 else {}

    def follow(
        self, type_name: str, steps: Iterable[Step], *, enters: bool = False
    ) -> Optional[Property]:
        """Return the attribute at the end of the path *steps* from *type_name*.

        With *enters*, the path goes on inside the relation at its end.

        Return None if a type on the way has no schema, or if sub-types have different kinds of
        attributes with the name. Raise :exc:`~ftrack_like.exception.UnknownAttributeError` or
        :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for an unknown name, and
        :exc:`~ftrack_like.exception.InvalidValueError` for a path through a plain value, or through
        a relation that differs between sub-types.
        """
        candidates: list[Property] = []
        differing: dict[str, Property] = {}
        taken = tuple(steps)
        for index, (name, cast) in enumerate(taken):
            if index:
                if not candidates:
                    return None
                relations = [each for each in candidates if each.kind != "scalar"]
                if not relations:
                    raise exception.InvalidValueError(
                        "{name!r} of {type_name} is a plain value and has no attribute {inner!r}.",
                        {"name": candidates[0].name, "type_name": type_name, "inner": name},
                    )
                if differing:
                    raise differing_error(type_name, taken[:index], differing)
                type_name = relations[0].target
            candidates = self.find(type_name, name)
            differing = self.differing(type_name, name)
            if cast is not None:
                fitting = {o: each for o, each in differing.items() if self.is_a(cast, each.target)}
                candidates = list(fitting.values())[:1] or candidates
                candidates = self._cast(type_name, candidates, cast)
                differing = fitting if len(fitting) > 1 else {}
        if enters and differing:
            raise differing_error(type_name, taken, differing)
        return candidates[0] if len(candidates) == 1 else None

    def _cast(self, type_name: str, candidates: list[Property], cast: str) -> list[Property]:
        """Return *candidates*, attributes of *type_name*, with the type *cast* as their target."""
        self.require(cast)
        if not candidates:
            return []
        found = [each for each in candidates if each.kind != "scalar"]
        if not found:
            raise exception.InvalidValueError(
                "{name!r} of {type_name} is a plain value, so it cannot be {wanted}.",
                {"name": candidates[0].name, "type_name": type_name, "wanted": with_article(cast)},
            )
        if not self.is_a(cast, found[0].target):
            raise exception.InvalidValueError(
                "{name!r} of {type_name} leads to {target}, which is never {wanted}.",
                {
                    "name": found[0].name,
                    "type_name": type_name,
                    "target": found[0].target,
                    "wanted": with_article(cast),
                },
            )
        return [found[0]._replace(target=cast)]


def differing_error(
    type_name: str, steps: Sequence[Step], differing: Mapping[str, Property]
) -> exception.InvalidValueError:
    """Return the error for a path over *steps*, whose last leads to each of *differing*.

    The last step starts at *type_name*. *differing* has its meaning for each sub-type.
    """
    name = steps[-1][0]
    targets = sorted({each.target for each in differing.values()})
    owner = sorted(differing)[-1]
    if len(targets) > 1:
        cast, attribute = (*steps[:-1], (name, targets[-1])), ""
    else:
        cast, attribute = (*steps[:-2], *[(each, owner) for each, _ in steps[-2:-1]]), name
    text = ".".join([each if kind is None else f"{each}[{kind}]" for each, kind in cast])
    if cast:
        start = ".".join(["attr", *[each for each, _ in cast]])
        behind = f".{attribute}" if attribute else ""
        advice = f"Write {text}{behind}, or {start}.as_({cast[-1][1]!r}){behind} with attr."
    else:
        advice = f"Select {owner} instead of {type_name}."
    return exception.InvalidValueError(
        "{name!r} of {type_name} is an attribute of {owners}, each with its own meaning. {advice}",
        {
            "name": name,
            "type_name": type_name,
            "owners": " and ".join(sorted(differing)),
            "advice": advice,
        },
    )
