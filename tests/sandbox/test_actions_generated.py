"""Every type that a client may create, with every property: made, read, filtered, changed."""

from __future__ import annotations

import uuid
from typing import Any, Optional

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import Collection, EntityType, ManyToMany, Reference, Scalar

#: What to create where an entity of a type is wanted that only stands for others.
CONCRETE = {
    "BaseUser": "User",
    "Component": "FileComponent",
    "Context": "Project",
    "CustomConfigurationBase": "CustomAttributeConfiguration",
    "List": "TypedContextList",
    "Resource": "User",
    "StatusRuleGroup": "AssetVersionStatusRuleGroup",
    "TypedContext": "Task",
}

#: The types that a client may create: a component may be of no particular kind.
CREATABLE = [
    type_.name
    for type_ in MODEL.types.values()
    if not type_.read_only
    and (type_.name not in CONCRETE or type_.name == "Component")
    and type_.table != "custom_attribute_value"
]

#: Properties that the server sees to, whatever is sent, or that depend on each other, by table.
PLACES = {
    "asset": {"project", "project_id"},
    "asset_version": {"project", "project_id"},
    "automation": {"created_at", "created_by"},
    "component": {"system_type", "container", "container_id"},
    "context": {
        "created_at",
        "created_by",
        "created_by_id",
        "parent",
        "parent_id",
        "project",
        "project_id",
    },
    "custom_attribute_configuration": {
        "entity_type",
        "entity_type_to",
        "key",
        "object_type_id",
        "object_type",
        "project_id",
    },
    "custom_attribute_link": {
        "configuration",
        "configuration_id",
        "from_entity_type",
        "from_id",
        "to_entity_type",
        "to_id",
    },
    "list_object": {"entity_id"},
    "metadata": {"parent_id", "parent_type"},
    "note": {
        "in_reply_to",
        "in_reply_to_id",
        "note_label_links",
        "parent_id",
        "parent_type",
        "project",
        "project_id",
    },
    "schema": {"object_type_id"},
    "setting_component": {"setting", "name", "group"},
    "user_security_role": {"is_all_projects"},
}

#: The types that only special actions change.
CHANGED_BY_ACTIONS = {"UserSecurityRole"}

#: How ``entity_type`` of a link's configuration says which family its end is of.
FAMILY_WORDS = {"AssetVersion": "assetversion", "Context": "task"}

VALUES: dict[str, Any] = {
    "boolean": lambda number: number % 2 == 1,
    "date-time": lambda number: {
        "__type__": "datetime",
        "value": f"2023-10-{number // 3600 % 20 + 1:02}T09:{number // 60 % 60:02}:{number % 60:02}",
    },
    "integer": lambda number: number,
    "number": lambda number: number + 0.5,
    "object": lambda number: {"number": number},
    "string": lambda number: f"text {number}",
    "variable": lambda number: f"value {number}",
}

#: Texts with a format that the server checks, by type and property.
FORMATTED: dict[tuple[str, str], Any] = {
    ("Trigger", "filter"): lambda number: f'entity.new.name = "{number}"',
    ("WebhookAction", "headers"): lambda number: f'{{"X-Number": "{number}"}}',
    ("WebhookAction", "webhook_url"): lambda number: f"https://hooks.example.com/{number}",
}


class Maker:
    """Makes entities with a value for every property that may have one."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.count = 0
        self.known: dict[str, list[dict[str, Any]]] = {}

    def create(self, type_name: str, data: dict[str, Any]) -> dict[str, Any]:
        """Create an entity of a type with *data* and return what the server answered."""
        key = [data[name] for name in MODEL.types[type_name].primary_key]
        return dict(self.api.call(self.api.make(type_name, key, **data))[0]["data"])

    def entity(self, type_name: str, index: int = 0) -> dict[str, Any]:
        """Return a reference to an entity of a type; *index* 1 is another one than 0."""
        type_name = CONCRETE.get(type_name, type_name)
        type_ = MODEL.types[type_name]
        found = self.known.setdefault(type_name, [])
        while len(found) <= index:
            data = self.data(type_, lean=True)
            self.create(type_name, data)
            key = {name: data[name] for name in type_.primary_key}
            found.append({"__entity_type__": type_name, **key})
        return found[index]

    def data(self, type_: EntityType, lean: bool = False) -> dict[str, Any]:
        """Return values for the properties of *type_*; only what it needs when *lean*."""
        data = {}
        for name, one in type_.properties.items():
            needed = name in type_.required or name in type_.primary_key
            if is_settable(type_, one) and (needed or not lean):
                data[name] = self.value(type_, one)
        return {**data, **self.places(type_)}

    def value(self, type_: EntityType, one: Any, index: int = 0) -> Any:
        """Return a value for the property *one*; *index* 1 differs from 0."""
        if isinstance(one, Collection):
            return []
        if isinstance(one, Reference):
            return self.entity(one.target, index)
        if one.name == "id":
            return str(uuid.uuid4())
        if one.references is not None and one.references[0] in MODEL.types:
            return self.entity(one.references[0], index)[one.references[1]]
        if "enum" in one.facets:
            return one.facets["enum"][index]
        self.count += 1
        if (type_.name, one.name) in FORMATTED:
            return FORMATTED[type_.name, one.name](self.count)
        kind = one.format if one.format == "date-time" else one.type or "string"
        return VALUES[kind](self.count)

    def places(self, type_: EntityType) -> dict[str, Any]:
        """Return the values of *type_* that depend on each other."""
        name = f"_{type_.table}"
        return getattr(self, name)(type_) if hasattr(self, name) else {}

    def _context(self, type_: EntityType) -> dict[str, Any]:
        return {} if type_.name == "Project" else {"parent": self.entity("Project")}

    def _custom_attribute_link(self, type_: EntityType) -> dict[str, Any]:
        families = {"from": "Context", "to": "Context"}
        for column, family in type_.classifier.items():
            families[column.split("_")[0]] = family
        words = {end: FAMILY_WORDS.get(one, one.lower()) for end, one in families.items()}
        of_contexts = {"object_type_id_to": self.entity("ObjectType")["id"]}
        configuration = {
            "id": str(uuid.uuid4()),
            **(of_contexts if words["to"] == "task" else {}),
            "entity_type": words["from"],
            "entity_type_to": words["to"],
            "config": "{}",
        }
        self.create("CustomAttributeLinkConfiguration", configuration)
        ends = {end: self.entity(family)["id"] for end, family in families.items()}
        return {"configuration_id": configuration["id"], **{f"{k}_id": v for k, v in ends.items()}}

    def _custom_attribute_configuration(self, type_: EntityType) -> dict[str, Any]:
        self.count += 1
        words = {"key": f"key_{self.count}", "label": "Label", "entity_type": "task"}
        is_link = "entity_type_to" in type_.properties
        return {**words, "entity_type_to": "user"} if is_link else words

    def _list_object(self, type_: EntityType) -> dict[str, Any]:
        return {"entity_id": self.entity("Task")["id"]}

    def _metadata(self, type_: EntityType) -> dict[str, Any]:
        return {"parent_id": self.entity("Project")["id"], "parent_type": "Project"}

    def _note(self, type_: EntityType) -> dict[str, Any]:
        return {"parent_id": self.entity("Project")["id"]}

    def _setting_component(self, type_: EntityType) -> dict[str, Any]:
        setting = self.entity("Setting")
        return {"name": setting["name"], "group": setting["group"]}


def is_settable(type_: EntityType, one: Any) -> bool:
    """Return whether a create or an update may say something about *one* by itself."""
    if one.name in PLACES.get(type_.table, ()):
        return False
    if isinstance(one, Collection):
        return not (isinstance(one.how, ManyToMany) and one.how.read_only)
    flagged = type_.table == "context" and one.column in {"type_id", "status_id", "priority_id"}
    if flagged and one.name in type_.immutable:
        return False  # the object type has none
    return one.column is not None and one.column not in type_.classifier


def is_mutable(type_: EntityType, one: Any) -> bool:
    """Return whether an update may change the single value *one* by itself."""
    if isinstance(one, Collection) or not is_settable(type_, one):
        return False
    return one.name not in type_.immutable and one.column not in type_.primary_key


@pytest.mark.parametrize("name", CREATABLE)
def test_everything_that_a_create_says_is_kept(api: Any, name: str) -> None:
    """An entity created with all its properties answers each, in projections and in filters."""
    type_ = MODEL.types[name]
    maker = Maker(api)
    data = maker.data(type_)
    answer = maker.create(name, data)
    assert {key: answer[key] for key in data} == data
    for property_name, value in data.items():
        check(api, type_, type_.properties[property_name], value, place_of(type_, data))


@pytest.mark.parametrize("name", sorted(set(CREATABLE) - CHANGED_BY_ACTIONS))
def test_every_mutable_property_can_be_changed(api: Any, name: str) -> None:
    """An update of each property that is not immutable is what the next query answers."""
    type_ = MODEL.types[name]
    maker = Maker(api)
    reference = maker.entity(name) if name != "Component" else maker.entity("FileComponent")
    key = [reference[part] for part in type_.primary_key]
    for one in type_.properties.values():
        if is_mutable(type_, one):
            value = maker.value(type_, one, index=1)
            answer = api.update(name, key, **{one.name: value})
            assert answer[one.name] == value
            check(api, type_, one, value, place_of(type_, reference))


@pytest.mark.parametrize("name", sorted(set(CREATABLE) - CHANGED_BY_ACTIONS))
def test_immutable_properties_cannot_be_changed(api: Any, name: str) -> None:
    """An update of an immutable property is refused, naming it."""
    type_ = MODEL.types[name]
    maker = Maker(api)
    reference = maker.entity(name) if name != "Component" else maker.entity("FileComponent")
    key = [reference[part] for part in type_.primary_key]
    for attribute in type_.immutable:
        one = type_.properties.get(attribute)
        if one is None or isinstance(one, Collection):
            continue
        value = (
            str(uuid.uuid4())
            if isinstance(one, Scalar) and one.format == "foreign_key"
            else maker.value(type_, one, index=1)
        )
        with pytest.raises(api.Error) as caught:
            api.update(name, key, **{attribute: value})
        assert (caught.value.name, caught.value.status) == ("ValidationError", 400)
        assert repr(attribute) in caught.value.content


def place_of(type_: EntityType, data: dict[str, Any]) -> str:
    """Return the condition that finds the entity with the key in *data*."""
    return " and ".join(f'{name} is "{data[name]}"' for name in type_.primary_key)


def check(api: Any, type_: EntityType, one: Any, value: Any, place: str) -> None:
    """Check that a projection answers *value* for *one*, and that a filter finds it."""
    condition = filter_on(one, value)
    found = api.query(f"{type_.name} where {place} and {condition}") if condition else [None]
    assert len(found) == 1, condition
    if not one.facets.get("restricted_projection"):
        record = api.one(f"select {one.name} from {type_.name} where {place}")
        assert essence(record[one.name]) == essence(value), one.name


def essence(value: Any) -> Any:
    """Return what of *value* is the same whether it was sent or answered."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict) and "__entity_type__" in value:
        return value.get("id", sorted(value))
    return value


def filter_on(one: Any, value: Any) -> Optional[str]:
    """Return a condition that holds for an entity whose *one* is *value*, None without one."""
    if isinstance(one, Collection):
        return f"({one.name} any () or not {one.name} any ())"
    if isinstance(one, Reference):
        return f"{one.name} has ()"
    if isinstance(value, dict):
        return f'{one.name} is "{value["value"]}"' if "__type__" in value else None
    if one.type in {"object", "variable"} or "transform" in one.facets:
        return None
    if isinstance(value, bool):
        return f"{one.name} is {str(value).lower()}"
    if not isinstance(value, str):
        return f"{one.name} is {value}"
    escaped = value.replace('"', '\\"')
    return f'{one.name} is "{escaped}"'
