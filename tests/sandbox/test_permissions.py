"""Security roles: what users see, what they may change, and what they are told otherwise."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import requests
from sqlalchemy import event

from ftrack_like.sandbox.access.context import RequestContext
from ftrack_like.sandbox.access.places import CLOSED, PLACES
from ftrack_like.sandbox.access.rights import Rights
from ftrack_like.sandbox.access.roles import FAMILIES
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.query.run import run_query
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.tables.layout import create_tables
from ftrack_like.sandbox.tables.rowset import named_id

#: A role and what it is for: none are all open projects.
Login = Callable[..., Any]


def _reference(type_name: str, id_: str) -> dict[str, str]:
    return {"__entity_type__": type_name, "id": id_}


@pytest.fixture
def login(sandbox: Any, api: Any) -> Iterator[Login]:
    """Return what makes a user with a role, for some projects or all, and gives the user's API."""
    opened = []

    def make(username: str, role: str | None, *projects: str) -> Any:
        user_id = api.create("User", username=username, email=f"{username}@example.com")
        if role is not None:
            role_id = api.one(f'select id from SecurityRole where name is "{role}"')["id"]
            named = {"user_id": user_id, "role_id": role_id}
            api.call({"action": "add_user_security_role", **named})
            for project in projects:
                grant = {"action": "grant_user_security_role_project", "project_id": project}
                api.call({**grant, **named})
        key = api.call(
            {
                "action": "reset_remote",
                "reset_type": "api_key",
                "entity_type": "User",
                "entity_key": user_id,
            }
        )[0]["data"]["api_key"]
        other = type(api)(sandbox)
        other.http.headers.update({"ftrack-user": username, "ftrack-api-key": key})
        other.user_id, other.key = user_id, key
        opened.append(other)
        return other

    yield make
    for one in opened:
        one.http.close()


class Place:
    """A project with one of everything that belongs to it."""

    def __init__(self, api: Any, name: str) -> None:
        schema = api.query("select id from ProjectSchema order by name")[0]["id"]
        make = api.create
        self.name = name
        self.project = make("Project", name=name, project_schema_id=schema)
        self.shot = make("Shot", name=f"{name}_shot", parent_id=self.project)
        self.task = make("Task", name=f"{name}_task", parent_id=self.shot)
        self.asset = make("Asset", name=f"{name}_asset", context_id=self.shot)
        self.version = make("AssetVersion", asset_id=self.asset, comment=name)
        self.component = make("SequenceComponent", name=name, version_id=self.version)
        self.member = make("FileComponent", name=name, container_id=self.component)
        self.note = make("Note", content=name, parent_id=self.task, parent_type="TypedContext")
        self.reply = make("Note", content=name, in_reply_to_id=self.note)
        self.attachment = make("FileComponent", name=f"{name}_attachment")
        api.call(
            api.make(
                "NoteComponent",
                [self.attachment, self.note],
                note_id=self.note,
                component_id=self.attachment,
            )
        )
        self.image = make("FileComponent", name=f"{name}_image")
        api.update("Task", self.task, thumbnail_id=self.image)
        category = api.query("select id from ListCategory")[0]["id"]
        self.list = make(
            "TypedContextList", name=name, project_id=self.project, category_id=category
        )
        api.update("TypedContextList", self.list, items=[_reference("Task", self.task)])
        for parent in (self.project, self.shot, self.version, self.component):
            api.call(
                api.make("Metadata", [parent, name], parent_id=parent, key=name, value="secret")
            )
        user = api.one('select id from User where username is "admin"')["id"]
        self.timelog = make("Timelog", context_id=self.task, user_id=user, duration=60)
        self.appointment = make(
            "Appointment", context_id=self.task, resource_id=user, type="assignment"
        )
        self.review = make("ReviewSession", name=name, project_id=self.project)
        self.review_object = make(
            "ReviewSessionObject", name=name, review_session_id=self.review, version_id=self.version
        )
        self.location = api.query("select id from Location order by name")[0]["id"]
        make(
            "ComponentLocation",
            component_id=self.component,
            location_id=self.location,
            resource_identifier=f"/{name}",
        )
        statuses = api.query("select id from Status order by sort")
        api.update("AssetVersion", self.version, status_id=statuses[-1]["id"])


@pytest.fixture
def here(api: Any) -> Place:
    """Return the project that users of the tests have roles for."""
    return Place(api, "harbour")


@pytest.fixture
def there(api: Any) -> Place:
    """Return the project that they have none for."""
    return Place(api, "island")


#: Types of which each project has some, with a path to a text that names the project.
SEEN = (
    "Asset",
    "AssetVersion",
    "Appointment",
    "Component",
    "ComponentLocation",
    "Context",
    "ContextCustomAttributeValue",
    "FileComponent",
    "List",
    "ListObject",
    "Metadata",
    "Note",
    "NoteComponent",
    "Project",
    "Recipient",
    "ReviewSession",
    "ReviewSessionObject",
    "SequenceComponent",
    "Shot",
    "Task",
    "Timelog",
    "TypedContext",
    "AssetVersionStatusChange",
)


def _ids(api: Any, type_name: str) -> set[str]:
    key = MODEL.types[type_name].primary_key
    return {"/".join(one[name] for name in key) for one in api.query(type_name)}


@pytest.mark.parametrize("type_name", SEEN)
def test_rows_of_other_projects_are_not_seen(api: Any, login: Login, type_name: str) -> None:
    """A user of one project sees all of its rows, and none of another one's."""
    here = Place(api, "harbour")
    before = _ids(api, type_name)
    Place(api, "island")
    ada = login("ada", "User", here.project)
    # The island is after the harbour: nothing of it may appear.
    assert _ids(ada, type_name) == before & _ids(api, type_name)
    assert _ids(api, type_name) > before


@pytest.mark.parametrize(
    "expression",
    [
        'Project where name is "island"',
        'Task where project.name is "island"',
        'User where assignments any (context.name is "island_task")',
        'User where assignments.context.name is "island_task"',
        'User where timelogs any (context.project.name is "island")',
        'Status where id in (select status_id from Task where project.name is "island")',
        'Component where component_locations any (resource_identifier is "/island")',
        'Type where tasks any (project.name is "island")',
        'Metadata where key is "island"',
        "ContextCustomAttributeValue where entity_id in (select id from Project "
        'where name is "island")',
        'Component where metadata any (key is "island")',
        'Note where content is "island"',
        'Project where name is "harbour" and not (name is_not none)',
    ],
)
def test_filters_tell_nothing_of_other_projects(
    api: Any, login: Login, here: Place, there: Place, expression: str
) -> None:
    """What a user does not see makes no condition hold, through whatever relation."""
    ada = login("ada", "User", here.project)
    assert ada.query(expression) == []


def test_counts_tell_nothing_of_other_projects(
    api: Any, login: Login, here: Place, there: Place
) -> None:
    """Aggregates count what the user sees."""
    ada = login("ada", "User", here.project)
    counted = "select count(id), project.name from Task group by project.name"
    assert [one["count_id"] for one in api.query(counted)] == [1, 1]
    assert ada.query(counted) == [{"count_id": 1, "project.name": "harbour"}]
    assert ada.query("select count(id) from Project")[0]["count_id"] == 1


def test_relations_lead_to_nothing_unseen(
    api: Any, login: Login, here: Place, there: Place
) -> None:
    """Collections lack the members that a user does not see, and references are empty."""
    api.update("TypedContextList", here.list, items=[_reference("Task", there.task)])
    api.create("Note", content="stray", parent_id=here.task, parent_type="TypedContext")
    ada = login("ada", "User", here.project)
    found = ada.one(f"select items.name from TypedContextList where id is {here.list}")
    assert found["items"] == []
    admin = 'select assignments.context.name from User where username is "admin"'
    assert [one["context"]["name"] for one in ada.one(admin)["assignments"]] == ["harbour_task"]
    assert len(api.one(admin)["assignments"]) == 2


def test_search_finds_nothing_of_other_projects(
    api: Any, login: Login, here: Place, there: Place
) -> None:
    """A search keeps to what the user sees."""
    ada = login("ada", "User", here.project)
    search = {"action": "search", "expression": "Task", "terms": ["task"], "entity_type": "Task"}
    names = [one["id"] for one in ada.call(search)[0]["data"]]
    assert names == [here.task]
    assert len(api.call(search)[0]["data"]) == 2


def test_attachments_and_images_belong_where_they_are_used(
    api: Any, login: Login, here: Place, there: Place
) -> None:
    """A component that has no version belongs to the note or the task that uses it."""
    ada = login("ada", "User", here.project)
    names = {one["id"] for one in ada.query("select id from FileComponent")}
    assert {here.attachment, here.image} <= names
    assert not {there.attachment, there.image} & names
    # An image that two projects share is seen in both.
    api.update("Shot", there.shot, thumbnail_id=here.image)
    assert here.image in {one["id"] for one in ada.query("select id from FileComponent")}


def test_private_projects_are_for_those_who_are_granted_them(api: Any, login: Login) -> None:
    """A role for all open projects leaves private ones out, until they are granted."""
    schema = api.query("select id from ProjectSchema")[0]["id"]
    secret = api.create("Project", name="secret", project_schema_id=schema, is_private=True)
    open_ = api.create("Project", name="open", project_schema_id=schema)
    everywhere = login("everywhere", "User")
    granted = login("granted", "User", secret)
    assert _ids(everywhere, "Project") == {open_}
    assert _ids(granted, "Project") == {secret}
    api.update("Project", secret, is_private=False)
    assert _ids(everywhere, "Project") == {open_, secret}


def test_users_without_a_role_see_the_site_and_no_project(
    api: Any, login: Login, here: Place
) -> None:
    """Statuses, types and users are everybody's to read; projects take a role."""
    nobody = login("nobody", None)
    assert nobody.query("Project") == []
    assert nobody.query("Task") == []
    assert len(nobody.query("Status")) == len(api.query("Status"))
    assert len(nobody.query("User")) == len(api.query("User"))


#: Role, then what it may do in a project that it is granted for.
ALLOWED = {
    "Administrator": "project planning work",
    "API": "project planning work",
    "Project manager": "project planning work",
    "User": "status work",
    "Restricted user": "",
}

CHANGES = {
    "project": lambda api, at: api.change("Project", at.project, full_name="New"),
    "planning": lambda api, at: api.make("Task", name="new", parent_id=at.shot),
    "status": lambda api, at: api.change("Task", at.task, description="New"),
    "work": lambda api, at: api.make("AssetVersion", asset_id=at.asset),
}


@pytest.mark.parametrize("role", ALLOWED)
@pytest.mark.parametrize("change", CHANGES)
def test_roles_allow_what_the_table_says(
    api: Any, login: Login, here: Place, there: Place, role: str, change: str
) -> None:
    """Each role allows its changes in the projects that it is granted for, and only there."""
    someone = login("someone", role, here.project)
    allowed = {*ALLOWED[role].split()}
    if "planning" in allowed:
        allowed.add("status")
    if change in allowed:
        someone.call(CHANGES[change](someone, here))
    else:
        with pytest.raises(api.Error, match="you need a role") as caught:
            someone.call(CHANGES[change](someone, here))
        assert (caught.value.name, caught.value.status) == ("PermissionError", 403)
    with pytest.raises(api.Error, match="no role for its project") as caught:
        someone.call(CHANGES[change](someone, there))
    assert (caught.value.name, caught.value.status) == ("PermissionError", 403)


def test_refused_batch_applies_nothing(api: Any, login: Login, here: Place, there: Place) -> None:
    """One operation that is not allowed leaves the others undone as well."""
    ada = login("ada", "User", here.project)
    with pytest.raises(api.Error, match="'ada' may not update a Task") as caught:
        ada.call(
            ada.change("Task", here.task, description="changed"),
            ada.change("Task", there.task, description="changed"),
        )
    assert "operation 1" in caught.value.content
    assert len(api.query('Task where description is "changed"')) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda ada, here, there: ada.remove("Task", there.task),
        lambda ada, here, there: ada.remove("Note", there.note),
        lambda ada, here, there: ada.remove("Project", there.project),
        lambda ada, here, there: ada.change("FileComponent", there.member, name="mine"),
        lambda ada, here, there: ada.change("FileComponent", there.attachment, name="mine"),
        lambda ada, here, there: ada.change("Metadata", [there.shot, there.name], value="x"),
        lambda ada, here, there: ada.make(
            "Metadata", [there.version, "new"], parent_id=there.version, key="new", value="x"
        ),
        lambda ada, here, there: ada.make(
            "Note", content="hello", parent_id=there.task, parent_type="TypedContext"
        ),
        lambda ada, here, there: ada.make("Note", content="hello", in_reply_to_id=there.note),
        lambda ada, here, there: ada.change("Task", here.task, parent_id=there.shot),
        lambda ada, here, there: ada.change("Task", there.task, parent_id=here.shot),
        lambda ada, here, there: ada.change("Asset", here.asset, context_id=there.shot),
        lambda ada, here, there: ada.make("Asset", name="mine", context_id=there.shot),
        lambda ada, here, there: ada.make("AssetVersion", asset_id=there.asset),
        lambda ada, here, there: ada.make("AssetVersion", asset_id=here.asset, task_id=there.task),
        lambda ada, here, there: ada.make("FileComponent", name="x", version_id=there.version),
        lambda ada, here, there: ada.change("Task", here.task, thumbnail_id=there.image),
        lambda ada, here, there: ada.make("Timelog", context_id=there.task, user_id=ada.user_id),
        lambda ada, here, there: ada.make(
            "AssetVersionLink", from_id=here.version, to_id=there.version
        ),
        lambda ada, here, there: ada.change(
            "AssetVersion", here.version, uses_versions=[_reference("AssetVersion", there.version)]
        ),
        lambda ada, here, there: ada.change(
            "Shot", here.shot, children=[_reference("Task", there.task)]
        ),
        lambda ada, here, there: ada.change(
            "TypedContextList", here.list, items=[_reference("Task", there.task)]
        ),
        lambda ada, here, there: ada.change("TypedContextList", there.list, name="x"),
        lambda ada, here, there: {
            "action": "encode_media",
            "component_id": there.component,
            "version_id": None,
        },
        lambda ada, here, there: {
            "action": "get_upload_metadata",
            "component_id": there.component,
            "file_name": "x.exr",
            "file_size": 1,
        },
    ],
)
def test_nothing_reaches_into_other_projects(
    api: Any, login: Login, here: Place, there: Place, change: Callable[..., Any]
) -> None:
    """No change, move, link or member of a collection leads into a project without a role."""
    manager = login("manager", "Project manager", here.project)
    operation = change(manager, here, there)
    with pytest.raises(api.Error) as caught:
        manager.call(operation)
    unseen = "which does not exist" in caught.value.content
    assert caught.value.name == ("ValidationError" if unseen else "PermissionError")


def test_members_that_are_not_seen_stay(api: Any, login: Login, here: Place, there: Place) -> None:
    """A user who sends a list without what they cannot see takes none of that out."""
    both = [_reference("Task", here.task), _reference("Task", there.task)]
    api.update("TypedContextList", here.list, items=both)
    manager = login("manager", "Project manager", here.project)
    manager.update("TypedContextList", here.list, items=[])
    found = api.one(f"select items.id from TypedContextList where id is {here.list}")
    assert [one["id"] for one in found["items"]] == [there.task]


ADMINISTRATION = [
    ("SecurityRole", {"name": "new"}),
    ("Status", {"name": "new"}),
    ("Type", {"name": "new"}),
    ("Location", {"name": "new"}),
    ("Group", {"name": "new", "local": True}),
    ("User", {"username": "new"}),
    ("WorkflowSchema", {"name": "new"}),
    ("NoteLabel", {"name": "new"}),
]


@pytest.mark.parametrize(("type_name", "data"), ADMINISTRATION)
def test_administration_is_for_administrators(
    api: Any, login: Login, type_name: str, data: dict[str, Any]
) -> None:
    """What a whole site shares is written by administrators alone, and read by everybody."""
    manager = login("manager", "Project manager")
    with pytest.raises(api.Error, match=f"create a {type_name}: only an administrator"):
        manager.create(type_name, **data)
    id_ = api.create(type_name, **data)
    with pytest.raises(api.Error, match="only an administrator"):
        manager.call(manager.remove(type_name, id_))
    assert id_ in {one["id"] for one in manager.query(f"select id from {type_name}")}


def test_nobody_gives_themselves_a_role(api: Any, login: Login, here: Place) -> None:
    """Neither by the actions, nor as an entity, nor through a collection."""
    manager = login("manager", "Project manager", here.project)
    role = api.one('select id from SecurityRole where name is "Administrator"')["id"]
    named = {"user_id": manager.user_id, "role_id": role}
    held = api.one(f"select id from UserSecurityRole where user_id is {manager.user_id}")["id"]
    taken = api.one('select id from UserSecurityRole where user.username is "admin"')["id"]
    for operation in (
        {"action": "add_user_security_role", **named},
        manager.make("UserSecurityRole", user_id=manager.user_id, security_role_id=role),
        manager.change("UserSecurityRole", held, security_role_id=role),
        manager.change("UserSecurityRole", held, is_all_open_projects=True),
        manager.change(
            "User",
            manager.user_id,
            user_security_roles=[_reference("UserSecurityRole", taken)],
        ),
    ):
        with pytest.raises(api.Error, match="only an administrator"):
            manager.call(operation)
    assert (
        manager.query("select id from Project")
        == [{"__entity_type__": "Project", "id": here.project}]
        or len(manager.query("Project")) == 1
    )


def test_own_record_may_be_changed_but_not_its_rights(api: Any, login: Login) -> None:
    """Users change their own name and address; who they are to the site is not theirs."""
    ada = login("ada", "Restricted user")
    bob = login("bob", "Project manager")
    ada.update("User", ada.user_id, first_name="Ada", email="ada@new.example.com")
    ada.call(ada.make("Metadata", [ada.user_id, "k"], parent_id=ada.user_id, key="k", value="v"))
    for data in ({"is_active": False}, {"username": "root"}):
        with pytest.raises(api.Error, match="only an administrator"):
            ada.update("User", ada.user_id, **data)
    with pytest.raises(api.Error, match="only an administrator"):
        bob.update("User", ada.user_id, first_name="Eve")


def test_own_notes_timers_and_timelogs(api: Any, login: Login, here: Place) -> None:
    """What is a user's own is theirs to write, whatever the role; others' it is not."""
    ada = login("ada", "Restricted user", here.project)
    note = ada.create("Note", content="mine", parent_id=here.task, parent_type="TypedContext")
    ada.update("Note", note, content="still mine")
    reply = ada.create("Note", content="answer", in_reply_to_id=here.note)
    timer = ada.create("Timer", context_id=here.task, user_id=ada.user_id)
    log = ada.create("Timelog", context_id=here.task, user_id=ada.user_id, duration=60)
    ada.update("Timelog", log, duration=120)
    job = ada.create("Job", type="api_job", status="running", user_id=ada.user_id)
    for type_name, id_ in (("Note", reply), ("Timer", timer), ("Timelog", log), ("Job", job)):
        ada.delete(type_name, id_)
    for operation in (
        ada.change("Note", here.note, content="yours"),
        ada.change("Timelog", here.timelog, duration=1),
        ada.remove("Timelog", here.timelog),
        ada.change("Note", note, user_id=api.one('User where username is "admin"')["id"]),
    ):
        with pytest.raises(api.Error, match="you need a role"):
            ada.call(operation)


def test_what_is_private_to_a_user(api: Any, login: Login) -> None:
    """Jobs, views and dashboards are seen by whose they are, and by those they are shared with."""
    ada, bob = login("ada", "User"), login("bob", "User")
    job = ada.create("Job", type="api_job", status="running", user_id=ada.user_id)
    dashboard = ada.create("Dashboard", name="mine", created_by_id=ada.user_id)
    assert (job in _ids(ada, "Job"), job in _ids(bob, "Job")) == (True, False)
    assert dashboard in _ids(ada, "Dashboard")
    assert dashboard not in _ids(bob, "Dashboard")
    with pytest.raises(api.Error, match="another user's"):
        bob.call(bob.remove("Job", job))
    ada.update("Dashboard", dashboard, is_shared_with_everyone=True)
    assert dashboard in _ids(bob, "Dashboard")


@pytest.mark.parametrize("table", sorted(CLOSED))
def test_closed_types_are_seen_by_administrators_alone(api: Any, login: Login, table: str) -> None:
    """Automations, and what they call, are nobody else's business."""
    automation = api.create("Automation", name="hook")
    api.create("Trigger", automation_id=automation, filter='entity.entity_type = "Task"')
    manager = login("manager", "Project manager")
    for type_ in MODEL.types.values():
        if type_.table == table:
            assert manager.query(type_.name) == []
    if table in ("automation", "trigger"):
        assert api.query(table.capitalize())


# API keys and logging in


def test_each_user_has_a_key_of_their_own(api: Any, login: Login) -> None:
    """Users renew their own key, which ends the old one; another's only an administrator does."""
    ada, bob = login("ada", "User"), login("bob", "User")
    reset = {"action": "reset_remote", "reset_type": "api_key", "entity_type": "User"}
    with pytest.raises(api.Error, match="of another user: only an administrator") as caught:
        ada.call({**reset, "entity_key": bob.user_id})
    assert caught.value.name == "PermissionError"
    new = ada.call({**reset, "entity_key": ada.user_id})[0]["data"]["api_key"]
    assert new not in (ada.key, bob.key)
    with pytest.raises(api.Error) as caught:
        ada.query("User")
    assert caught.value.name == "InvalidCredentialsError"
    ada.http.headers["ftrack-api-key"] = new
    assert len(ada.query("User")) == 3
    bob.http.headers["ftrack-api-key"] = new
    with pytest.raises(api.Error, match="not valid"):
        bob.query("User")


def test_inactive_users_cannot_log_in(api: Any, login: Login) -> None:
    """A user who is no longer active is refused with the key that worked before."""
    ada = login("ada", "User")
    assert ada.query("Status")
    api.update("User", ada.user_id, is_active=False)
    with pytest.raises(api.Error) as caught:
        ada.query("Status")
    assert (caught.value.name, caught.value.status) == ("InvalidCredentialsError", 401)


def test_api_keys_are_seen_by_their_owner(api: Any, login: Login) -> None:
    """The entities about keys show to whose they are, and are made by administrators."""
    ada, bob = login("ada", "User"), login("bob", "User")
    key = api.create("ApiKey", description="farm", resource_id=ada.user_id)
    assert _ids(ada, "ApiKey") == {key}
    assert _ids(bob, "ApiKey") == set()
    with pytest.raises(api.Error, match="only an administrator"):
        ada.create("ApiKey", description="mine", resource_id=ada.user_id)


def test_rights_follow_the_role_at_once(api: Any, login: Login, here: Place) -> None:
    """A role that is taken away, or made an administrator's, counts for the next request."""
    ada = login("ada", "User")
    roles = {one["name"]: one["id"] for one in api.query("select id, name from SecurityRole")}
    named = {"user_id": ada.user_id, "role_id": roles["User"]}
    assert _ids(ada, "Project") == {here.project}
    api.call(
        {
            "action": "update_user_security_role",
            **named,
            "new_role_id": roles["Administrator"],
        }
    )
    ada.create("Status", name="new")
    named["role_id"] = roles["Administrator"]
    api.call({"action": "remove_user_security_role", **named})
    assert ada.query("Project") == []


def test_project_manager_makes_open_projects(api: Any, login: Login) -> None:
    """Who manages all open projects may make one and work in it by one batch."""
    manager = login("manager", "Project manager")
    granted = login("granted", "Project manager", Place(api, "other").project)
    schema = api.query("select id from ProjectSchema")[0]["id"]
    new = manager.make("Project", name="new", project_schema_id=schema)
    id_ = new["entity_key"][0]
    results = manager.call(
        new,
        manager.make("Shot", name="shot", parent_id=id_),
        manager.change("Project", id_, full_name="New"),
        {"action": "query", "expression": f"Shot where project_id is {id_}"},
    )
    assert len(results[-1]["data"]) == 1
    for someone, data in ((granted, {}), (manager, {"is_private": True})):
        with pytest.raises(api.Error, match="no role for its project"):
            someone.create("Project", name="another", project_schema_id=schema, **data)


# Custom attributes


def test_custom_attributes_name_the_roles_that_read_and_write(
    api: Any, login: Login, here: Place
) -> None:
    """A configuration shows to the roles that may read it, and takes values from those that may."""
    ada = login("ada", "User", here.project)
    kind = api.one('select id from CustomAttributeType where name is "text"')["id"]
    roles = {one["name"]: one["id"] for one in api.query("select id, name from SecurityRole")}
    configuration = api.create(
        "CustomAttributeConfiguration",
        key="budget",
        label="Budget",
        type_id=kind,
        entity_type="task",
        default="",
        config="{}",
        read_security_roles=[],
        write_security_roles=[],
    )
    value = ada.change("ContextCustomAttributeValue", [configuration, here.task], value="much")
    asked = f'Task where id is {here.task} and custom_attributes any (key is "budget")'
    assert ada.query(asked) == []
    assert configuration not in _ids(ada, "CustomAttributeConfiguration")
    assert not ada.query('ContextCustomAttributeValue where key is "budget"')
    with pytest.raises(api.Error, match="none of your roles may write"):
        ada.call(value)
    role = [_reference("SecurityRole", roles["User"])]
    api.update("CustomAttributeConfiguration", configuration, read_security_roles=role)
    assert len(ada.query(asked)) == 1
    with pytest.raises(api.Error, match="none of your roles may write"):
        ada.call(value)
    api.update("CustomAttributeConfiguration", configuration, write_security_roles=role)
    ada.call(value)
    stored = f"CustomAttributeValue where configuration_id is {configuration}"
    assert len(ada.query(stored)) == len(api.query(stored)) == 1


def test_values_of_entities_of_other_projects(
    api: Any, login: Login, here: Place, there: Place
) -> None:
    """A custom attribute of an entity is the entity's: its project decides."""
    ada = login("ada", "User", here.project)
    configuration = api.query(
        "select id from CustomAttributeConfiguration "
        'where entity_type is "task" and object_type_id is none and type.name is "text"'
    )
    if not configuration:
        kind = api.one('select id from CustomAttributeType where name is "text"')["id"]
        role = [_reference("SecurityRole", one["id"]) for one in api.query("SecurityRole")]
        id_ = api.create(
            "CustomAttributeConfiguration",
            key="memo",
            label="Memo",
            type_id=kind,
            entity_type="task",
            default="",
            config="{}",
            read_security_roles=role,
            write_security_roles=role,
        )
    else:
        id_ = configuration[0]["id"]
    api.update("ContextCustomAttributeValue", [id_, there.task], value="hidden")
    ada.update("ContextCustomAttributeValue", [id_, here.task], value="shown")
    with pytest.raises(api.Error, match="no role for its project"):
        ada.update("ContextCustomAttributeValue", [id_, there.task], value="x")
    stored = ada.query(f"CustomAttributeValue where configuration_id is {id_}")
    assert [one["entity_id"] for one in stored] == [here.task]
    dense = f'ContextCustomAttributeValue where configuration_id is {id_} and value is "hidden"'
    assert ada.query(dense) == []


# Files


def test_data_of_components_of_other_projects(
    sandbox: Any, api: Any, login: Login, here: Place, there: Place
) -> None:
    """An address with a user's key gives data only of what the user sees."""
    ada = login("ada", "User", here.project)

    def status(path: str, component: str) -> int:
        asked = {"id": component, "username": "ada", "apiKey": ada.key}
        return requests.get(
            f"{sandbox.server_url}/component/{path}", params=asked, timeout=30
        ).status_code

    assert status("get", here.component) == 404  # it has no data
    assert status("get", there.component) == 403
    assert status("thumbnail", there.component) == 403
    assert status("remove", there.component) == 403


# What it costs, and whether all is covered


def test_every_table_is_placed_or_the_sites(api: Any) -> None:
    """A table whose rows say their project is one that queries are narrowed for."""
    for type_ in MODEL.types.values():
        if type_.table in CLOSED or type_.table in PLACES:
            continue
        pointing = {
            one.references[0]
            for one in type_.properties.values()
            if getattr(one, "references", None) is not None
        }
        own = {"Component"} if type_.table in ("resource", "setting_component") else set()
        bound = {"Project", "Context", "TypedContext", "AssetVersion", "Component"} - own
        assert not pointing & bound, type_.name
    assert FAMILIES.keys() <= {one.table for one in MODEL.types.values()}


def _rights(projects: set[str]) -> Rights:
    role = named_id("SecurityRole", "User")
    return Rights("u-bob", {role: "User"}, frozenset(), {role: frozenset(projects)}, frozenset())


@pytest.mark.parametrize(
    "expression",
    [
        "select name, parent.name, status.name, assignments.resource.username, notes.content"
        " from Task",
        "select components.component_locations.location.name, asset.parent.name from AssetVersion",
        'Task where timelogs any (duration > 0) and metadata any (key like "%")',
        "select metadata.key, custom_attributes.value from Context",
    ],
)
def test_narrowing_takes_no_further_statement(world: Any, expression: str) -> None:
    """A query takes as many statements for users of some projects as for those who see all."""
    world.query(expression)
    statements = len(world.statements)
    context = world.context
    try:
        for projects in ({"p-alpha"}, {"p-alpha", "p-beta"}):
            world.context = replace(context, rights=_rights(projects))
            world.query(expression)
            assert len(world.statements) == statements
    finally:
        world.context = context


def test_administrators_pay_nothing(world: Any) -> None:
    """What is asked by those who see everything has no condition about rights."""
    world.query("select name, notes.content from Task")
    assert not any("rights_" in one or "json_each" in one for one in world.statements[:1])


@pytest.mark.parametrize("type_name", sorted(MODEL.types))
def test_every_type_can_be_asked_by_anybody(world: Any, type_name: str) -> None:
    """A user of one project gets an answer for each type: the rows of that project at most."""
    everything = set(world.keys(type_name))
    context = world.context
    try:
        world.context = replace(context, rights=_rights({"p-alpha"}))
        found = set(world.keys(type_name))
    finally:
        world.context = context
    assert found <= everything


# Events


def test_events_tell_of_what_a_user_sees(
    sandbox: Any, api: Any, login: Login, here: Place, there: Place
) -> None:
    """Of one transaction in two projects a user of one is told that half; at once after a grant."""
    ada = login("ada", "User", here.project)
    heard: list[set[str]] = []
    ready = threading.Event()
    with sandbox.session(api_user="ada", api_key=ada.key, auto_connect_event_hub=True) as session:

        def hear(event: Any) -> None:
            if "user" in event["data"]:  # the other ones tell of the feed
                heard.append({one["entityId"] for one in event["data"]["entities"]})
                ready.set()

        session.event_hub.subscribe("topic=ftrack.update", hear)
        # What is changed before the server knows of the subscription is told to nobody.
        assert session.event_hub.wait_connected(20)
        assert session.event_hub._courier.wait_settled(20)

        def next_heard() -> set[str]:
            deadline = time.monotonic() + 20
            while not ready.is_set() and time.monotonic() < deadline:
                session.event_hub.wait(0.1)
            ready.clear()
            return heard[-1]

        api.update("Task", there.task, description="hidden")
        api.call(
            api.change("Task", here.task, description="one"),
            api.change("Task", there.task, description="two"),
        )
        assert next_heard() == {here.task}
        assert len(heard) == 1
        role = api.one('select id from SecurityRole where name is "User"')["id"]
        grant = {"action": "grant_user_security_role_project", "user_id": ada.user_id}
        api.call({**grant, "role_id": role, "project_id": there.project})
        api.update("Task", there.task, description="shown")
        while there.task not in next_heard():
            assert len(heard) < 10


def test_all_events_are_for_administrators(sandbox: Any, api: Any, login: Login) -> None:
    """The list of the latest events shows to nobody else."""
    ada = login("ada", "Project manager")
    assert api.http.get(f"{sandbox.server_url}/events", timeout=30).status_code == 200
    assert ada.http.get(f"{sandbox.server_url}/events", timeout=30).status_code == 403


@pytest.mark.parametrize("type_name", ["Component", "ComponentLocation", "Metadata", "Asset"])
def test_narrowing_reads_no_table_for_each_row(tmp_path: Any, type_name: str) -> None:
    """What uses a component is found by an index, though nearly nothing uses any."""
    database = Database.at_path(str(tmp_path / "site.sqlite"))
    with database.write() as connection:
        create_tables(connection)
        # What a measured site without images looks like.
        connection.exec_driver_sql("ANALYZE sqlite_master")
        for table in ("context", "asset_version"):
            connection.exec_driver_sql(
                "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, '20000 20000')",
                (table, f"ix_{table}_thumbnail_id"),
            )
    asked: list[Any] = []
    with database.read() as connection:
        event.listen(
            connection.engine,
            "before_cursor_execute",
            lambda connection, cursor, statement, parameters, *more: asked.append(
                (statement, parameters)
            ),
        )
        now = datetime(2024, 2, 15)
        context = RequestContext("u-bob", "bob", "http://x", now, rights=_rights({"p-alpha"}))
        run_query(connection, MODEL, type_name, context)
        statement, parameters = next(one for one in asked if one[0].startswith("SELECT"))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    database.close()
    scans = [step[3] for step in plan if "SCAN" in step[3] and "json_each" not in step[3]]
    assert len(scans) == 1
