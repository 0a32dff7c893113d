"""What hangs together: groups, links, lists, recipients, metadata, and the project schemas."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ftrack_like.sandbox.schema import MODEL


@pytest.fixture
def project(api: Any) -> str:
    """Return the id of a project."""
    schema = api.query("select id from ProjectSchema order by name")[0]["id"]
    return str(api.create("Project", name="harbour", project_schema_id=schema))


@pytest.fixture
def task(api: Any, project: str) -> str:
    """Return the id of a task in the project."""
    return str(api.create("Task", name="comp", parent_id=project))


def reference(type_name: str, id_: str) -> dict[str, str]:
    """Return a reference as it travels."""
    return {"__entity_type__": type_name, "id": id_}


def ids(records: list[dict[str, Any]]) -> list[str]:
    """Return the ids of *records*."""
    return [one["id"] for one in records]


# Groups and appointments


def test_memberships_show_from_both_sides(api: Any) -> None:
    """A membership is found by its group and by its user, and goes with the group."""
    leads = api.create("Group", name="leads", local=True)
    inner = api.create("Group", name="inner", local=True, parent_id=leads)
    user = api.create("User", username="ada")
    membership = api.create("Membership", group_id=inner, user_id=user)
    found = api.query("User where memberships any (group.parent.name is leads)")
    assert ids(found) == [user]
    group = api.one(f"select memberships.user.username, link from Group where id is {inner}")
    assert group["memberships"][0]["user"]["username"] == "ada"
    assert [one["name"] for one in group["link"]] == ["leads", "inner"]
    api.update("User", user, memberships=[])
    assert api.query(f"Membership where id is {membership}") == []


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        ("Task where assignments.resource.memberships.group.name is x", "resource[User]"),
        ("Task where assignments.resource.memberships any ()", "resource[User]"),
        ("Task order by assignments.resource.memberships.group.name", "resource[User]"),
        ("Resource where memberships.group.name is x", "Query User instead"),
        ("StatusChange where parent.name is x", "parent[TypedContext]"),
        ("StatusChange where parent has (id is x)", "parent[TypedContext]"),
        ("List where items any (id is x)", "items[TypedContext]"),
    ],
)
def test_relations_that_differ_between_sub_types(api: Any, query: str, advice: str) -> None:
    """A condition over one of several relations of a name is refused, and not answered by one."""
    with pytest.raises(Exception, match=re.escape(advice)):
        api.query(query)


def test_relations_that_differ_with_a_type(api: Any, task: str) -> None:
    """The type selects the relation; the key at its end needs none, and a projection neither."""
    category = api.query("ListCategory")[0]["id"]
    parts = {"project_id": api.query("Project")[0]["id"], "category_id": category}
    made = api.create("TypedContextList", name="dailies", **parts)
    api.update("TypedContextList", made, items=[reference("Task", task)])
    assert ids(api.query("List where items[TypedContext].name is comp")) == [made]
    assert api.query("List where items[AssetVersion].version is 1") == []
    assert api.query(f"StatusChange where parent.id is {made}") == []
    assert api.query("select assignments.resource.memberships.group.name from Task")


def test_groups_are_assigned_like_users(api: Any, project: str, task: str) -> None:
    """A group may be assigned to a task and allocated to a project."""
    group = api.create("Group", name="roto", local=True)
    for type_, context in (("assignment", task), ("allocation", project)):
        api.create("Appointment", type=type_, context_id=context, resource_id=group)
    assert ids(api.query("Task where assignments.resource[Group].name is roto")) == [task]
    assert ids(api.query("Project where allocations.resource[Group].name is roto")) == [project]
    found = api.one(f"select assignments.context_id, allocations from Group where id is {group}")
    assert [one["context_id"] for one in found["assignments"]] == [task]
    assert len(found["allocations"]) == 1


# Notes


def test_recipients_may_be_users_and_groups(api: Any, task: str) -> None:
    """A note goes to users and groups; each is found by its notes, and removed by its key."""
    group = api.create("Group", name="roto", local=True)
    note = api.create("Note", content="x", parent_id=task, parent_type="TypedContext")
    api.call(api.make("Recipient", [note, group], note_id=note, resource_id=group))
    found = api.one(f"select recipients.recipient from Note where id is {note}")["recipients"]
    types = sorted(one["recipient"]["__entity_type__"] for one in found)
    assert types == ["Group", "User"]
    asked = "Note where recipients any (recipient[Group].name is roto)"
    assert ids(api.query(asked)) == [note]
    api.delete("Recipient", note, group)
    assert api.query(asked) == []


def test_replies_are_a_thread(api: Any, task: str) -> None:
    """Replies belong to the project of what they reply to, and go with it."""
    note = api.create("Note", content="x", parent_id=task, parent_type="TypedContext")
    reply = api.create("Note", content="y", in_reply_to_id=note)
    found = api.one(f"select replies.project_id, project_id from Note where id is {note}")
    assert found["replies"][0]["project_id"] == found["project_id"]
    assert ids(api.query("Note where in_reply_to.content is x")) == [reply]
    api.delete("Note", note)
    assert api.query("Note") == []


# Links and lists


def test_links_between_contexts_show_both_ways(api: Any, project: str, task: str) -> None:
    """A link is outgoing where it starts and incoming where it ends, and goes with either."""
    other = api.create("Task", name="edit", parent_id=project)
    api.create("TypedContextLink", from_id=task, to_id=other, lag=2)
    assert ids(api.query("Task where outgoing_links.to.name is edit")) == [task]
    assert ids(api.query("Task where incoming_links any (from.name is comp)")) == [other]
    found = api.one(f"select incoming_links.from.name from Task where id is {other}")
    assert [one["from"]["name"] for one in found["incoming_links"]] == ["comp"]
    api.delete("Task", task)
    assert api.query("TypedContextLink") == []


def test_lists_of_versions_show_both_ways(api: Any, project: str, task: str) -> None:
    """Versions know the lists that they are in, and may be put in from their side."""
    asset = api.create("Asset", name="plate", context_id=task)
    version = api.create("AssetVersion", asset_id=asset)
    category = api.query("ListCategory")[0]["id"]
    make = {"project_id": project, "category_id": category}
    first = api.create("AssetVersionList", name="first", **make)
    second = api.create("AssetVersionList", name="second", **make)
    api.update("AssetVersionList", first, items=[reference("AssetVersion", version)])
    assert ids(api.one("select lists from AssetVersion")["lists"]) == [first]
    api.update("AssetVersion", version, lists=[reference("AssetVersionList", second)])
    assert ids(api.query("AssetVersionList where items any (asset.name is plate)")) == [second]
    api.delete("AssetVersion", version)
    assert api.query("ListObject") == []
    assert len(api.query("List")) == 2


def test_lists_hold_what_they_are_for(api: Any, project: str, task: str) -> None:
    """A list of versions takes no tasks."""
    category = api.query("ListCategory")[0]["id"]
    made = api.create("AssetVersionList", name="l", project_id=project, category_id=category)
    with pytest.raises(api.Error, match="contains AssetVersion, not Task"):
        api.update("AssetVersionList", made, items=[reference("Task", task)])


@pytest.mark.parametrize("target", ["task", "user", "assetversion", "group", "component", "list"])
def test_links_by_custom_attributes_lead_both_ways(
    api: Any, project: str, task: str, target: str
) -> None:
    """A link attribute leads from a task to whatever its configuration says, and back."""
    asset = api.create("Asset", name="plate", context_id=task)
    category = api.query("ListCategory")[0]["id"]
    family, relation, id_ = {
        "task": ("Context", "context", project),
        "user": ("User", "user", api.create("User", username="ada")),
        "assetversion": (
            "AssetVersion",
            "asset_version",
            api.create("AssetVersion", asset_id=asset),
        ),
        "group": ("Group", "group", api.create("Group", name="roto", local=True)),
        "component": ("Component", "component", api.create("FileComponent", name="main")),
        "list": (
            "List",
            "list",
            api.create("TypedContextList", name="l", project_id=project, category_id=category),
        ),
    }[target]
    configuration = api.create(
        "CustomAttributeLinkConfiguration",
        key="likes",
        label="Likes",
        config="{}",
        entity_type="task",
        entity_type_to=target,
        object_type_id_to=api.query("ObjectType")[0]["id"] if target == "task" else None,
    )
    link = api.create(
        f"{family}CustomAttributeLink", configuration_id=configuration, from_id=task, to_id=id_
    )
    asked = f"Task where custom_attribute_links[{family}CustomAttributeLink].{relation}.id is {id_}"
    assert ids(api.query(asked)) == [task]
    back = f"{family} where custom_attribute_links_from any (from_id is {task})"
    assert ids(api.query(back)) == [id_]
    stored = api.one("select from_entity_type, to_entity_type from CustomAttributeLink")
    assert (stored["from_entity_type"], stored["to_entity_type"]) == ("Context", family)
    api.delete("CustomAttributeLinkConfiguration", configuration)
    assert api.query(f"CustomAttributeLink where id is {link}") == []


# Metadata


WITH_METADATA = [
    type_.name
    for type_ in MODEL.types.values()
    if "metadata" in type_.properties and type_.concrete
]


@pytest.mark.parametrize("type_name", WITH_METADATA)
def test_metadata_on_every_type_that_has_it(
    api: Any, project: str, task: str, type_name: str
) -> None:
    """Metadata are kept, found by key and value, changed and removed, and go with their owner."""
    owner = _make_owner(api, type_name, project, task)
    api.call(api.make("Metadata", [owner, "k"], parent_id=owner, key="k", value="v"))
    asked = f'select metadata from {type_name} where metadata any (key is "k" and value is "w")'
    api.update("Metadata", [owner, "k"], value="w")
    (found,) = api.query(asked)
    assert found["id"] == owner
    assert [(one["key"], one["value"]) for one in found["metadata"]] == [("k", "w")]
    assert api.one("Metadata where key is k")["parent_type"] in {
        type_name,
        *MODEL.types[type_name].bases,
    }
    api.delete(type_name, owner)
    assert api.query("Metadata where key is k") == []


def _make_owner(api: Any, type_name: str, project: str, task: str) -> str:
    user = api.query("User")[0]["id"]
    schema = api.query("select id from ProjectSchema order by name")[0]["id"]
    if "TypedContext" in MODEL.types[type_name].bases:
        return str(api.create(type_name, name="new", parent_id=project))
    if type_name in {"Asset", "AssetVersion", "AssetVersionLink"}:
        asset = api.create("Asset", name="new", context_id=task)
        if type_name == "Asset":
            return str(asset)
        versions = [api.create("AssetVersion", asset_id=asset) for _ in range(2)]
        if type_name == "AssetVersion":
            return str(versions[0])
        return str(api.create("AssetVersionLink", from_id=versions[0], to_id=versions[1]))
    data: dict[str, Any] = {
        "CalendarEvent": {"start": "2024-01-01", "end": "2024-01-02", "created_by_id": user},
        "Group": {"local": True},
        "Note": {"content": "x", "parent_id": task, "parent_type": "TypedContext"},
        "Project": {"project_schema_id": schema},
        "ReviewSession": {"project_id": project},
        "User": {"username": "new"},
    }.get(type_name, {})
    if type_name == "TypedContextLink":
        other = api.create("Task", name="other", parent_id=project)
        data = {"from_id": task, "to_id": other}
    elif "name" in MODEL.types[type_name].properties:
        data["name"] = "new"
    return str(api.create(type_name, **data))


# Project schemas


def test_changes_of_a_project_schema_count_at_once(api: Any, project: str) -> None:
    """A workflow with other statuses decides what new tasks begin with; old ones stay."""
    old = api.create("Task", name="old", parent_id=project)
    before = api.one(f"select status_id from Task where id is {old}")["status_id"]
    status = api.create("Status", name="Waiting", sort=0)
    schema = api.one(
        f"select project_schema.task_workflow_schema_id from Project where id is {project}"
    )["project_schema"]
    workflow = schema["task_workflow_schema_id"]
    api.update("WorkflowSchema", workflow, statuses=[reference("Status", status)])
    new = api.create("Task", name="new", parent_id=project, type_id=_type_of(api, old))
    found = {one["id"]: one["status_id"] for one in api.query("select status_id from Task")}
    assert (found[old], found[new]) == (before, status)
    names = api.one(f"select statuses.name from WorkflowSchema where id is {workflow}")
    assert [one["name"] for one in names["statuses"]] == ["Waiting"]


def _type_of(api: Any, task: str) -> str:
    return str(api.one(f"select type_id from Task where id is {task}")["type_id"])


def test_object_types_and_types_of_a_schema(api: Any, project: str) -> None:
    """The object types of a schema, and its types, are lists that can be changed and asked by."""
    schema = api.one("select project_schema_id from Project")["project_schema_id"]
    shot = api.one("ObjectType where name is Shot")["id"]
    api.update("ProjectSchema", schema, object_types=[reference("ObjectType", shot)])
    found = api.query(f"ObjectType where project_schemas any (id is {schema})")
    assert ids(found) == [shot]
    types = api.one(f"select task_type_schema_id from ProjectSchema where id is {schema}")[
        "task_type_schema_id"
    ]
    kind = api.create("Type", name="Knitting", sort=0)
    api.update("TaskTypeSchema", types, types=[reference("Type", kind)])
    assert ids(api.query(f"Type where task_type_schemas.id is {types}")) == [kind]


# Jobs


def test_job_components_belong_to_their_job(api: Any) -> None:
    """A job lists its components, and takes only the links along when it goes."""
    user = api.query("User")[0]["id"]
    job = api.create("Job", type="api_job", status="running", user_id=user)
    component = api.create("FileComponent", name="log")
    api.create("JobComponent", [component, job], job_id=job, component_id=component)
    found = api.one(f"select job_components.component.name from Job where id is {job}")
    assert [one["component"]["name"] for one in found["job_components"]] == ["log"]
    api.delete("Job", job)
    assert api.query("JobComponent") == []
    assert ids(api.query("FileComponent where name is log")) == [component]
