"""What the server does by itself for people, and what goes along when something is deleted."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")


@pytest.fixture
def project(api: Any) -> str:
    """Return the id of a project."""
    schema = api.query("ProjectSchema")[0]["id"]
    return api.create("Project", name="film", project_schema_id=schema)


@pytest.fixture
def task(api: Any, project: str) -> str:
    """Return the id of a task in the project."""
    return api.create("Task", name="comp", parent_id=project)


@pytest.fixture
def user(api: Any) -> str:
    """Return the id of a user."""
    return api.create("User", username="artist")


def count(api: Any, *type_names: str) -> dict[str, int]:
    """Return how many entities there are of each type."""
    return {name: len(api.query(name)) for name in type_names}


# Users and timers


@pytest.mark.parametrize(
    ("given", "before", "after"),
    [({}, False, True), ({"is_active": False}, False, False), ({"is_active": True}, True, True)],
)
def test_first_key_activates_a_user(
    api: Any, given: dict[str, Any], before: bool, after: bool
) -> None:
    """A user is inactive (C, create answers), and active with the first key unless it was said."""
    user = api.create("User", username="new", **given)

    def is_active() -> bool:
        return bool(api.one(f"select is_active from User where id is {user}")["is_active"])

    assert is_active() is before
    reset = {"action": "reset_remote", "reset_type": "api_key", "entity_type": "User"}
    api.call({**reset, "entity_key": user})
    assert is_active() is after
    api.update("User", user, is_active=False)
    api.call({**reset, "entity_key": user})
    assert is_active() is False


def test_name_of_a_user_is_unique(api: Any, user: str) -> None:
    """A second user of one name is refused, on creation and by an update."""
    with pytest.raises(api.Error, match="DuplicateEntry"):
        api.create("User", username="Artist")
    other = api.create("User", username="other")
    with pytest.raises(api.Error, match="DuplicateEntry") as caught:
        api.update("User", other, username="artist")
    assert caught.value.name == "DuplicateEntryError"


def test_users_need_no_name(api: Any) -> None:
    """Several users without a user name are accepted."""
    for _ in range(2):
        api.create("User", first_name="Nobody")
    assert len(api.query('User where first_name is "Nobody"')) == 2


def test_timer_is_filled(api: Any, task: str) -> None:
    """A timer has a start and a user without anybody saying so; null references are accepted."""
    timer = api.create("Timer", context=None, context_id=None, user=None)
    record = api.one(f"select start, user.username, context_id from Timer where id is {timer}")
    assert record["start"]["__type__"] == "datetime"
    assert (record["user"]["username"], record["context_id"]) == ("admin", None)


def test_user_has_one_timer(api: Any, task: str) -> None:
    """A second timer of one user is refused, in a later batch and in the same one."""
    me = api.one("User where username is admin")["id"]
    with pytest.raises(api.Error, match="DuplicateEntry"):
        api.call(*(api.make("Timer", user_id=me) for _ in range(2)))
    timer = api.create("Timer", user_id=me)
    with pytest.raises(api.Error, match="DuplicateEntry"):
        api.create("Timer", user_id=me)
    api.delete("Timer", timer)
    assert api.create("Timer", user_id=me)


def test_timelog_is_filled(api: Any, task: str) -> None:
    """A timelog without user and start is the calling user's, of now."""
    log = api.create("Timelog", duration=60, context_id=task)
    record = api.one(f"select start, user.username, comment from Timelog where id is {log}")
    assert record["start"]["__type__"] == "datetime"
    assert (record["user"]["username"], record["comment"]) == ("admin", "")


def test_job_knows_when_it_began_and_ended(api: Any) -> None:
    """A job has moment and user of its making, and the moment when its status says it is over."""
    job = api.create("Job", status="running")
    record = api.one(f"select created_at, finished_at, user.username from Job where id is {job}")
    assert record["created_at"]["__type__"] == "datetime"
    assert (record["finished_at"], record["user"]["username"]) == (None, "admin")
    api.update("Job", job, status="done")
    finished = api.one(f"select finished_at from Job where id is {job}")["finished_at"]
    assert finished["__type__"] == "datetime"


def test_assignments_are_appointments_of_a_kind(api: Any, task: str, user: str) -> None:
    """What is put among the assignments of a task is an assignment of its resource too."""
    appointment = api.create("Appointment", context_id=task, resource_id=user, type="assignment")
    found = api.one(f"select assignments from Task where id is {task}")["assignments"]
    assert [one["id"] for one in found] == [appointment]
    found = api.one(f"select assignments, allocations from User where id is {user}")
    assert ([one["id"] for one in found["assignments"]], found["allocations"]) == (
        [appointment],
        [],
    )
    api.update("Task", task, assignments=[])
    assert api.query("Appointment") == []


# What goes along


def test_deleting_a_context_takes_everything_below_along(
    api: Any, project: str, task: str, user: str
) -> None:
    """With a context go children, assets, versions, components, notes, time and links."""
    part = api.create("Task", name="part", parent_id=task)
    api.create("TypedContextLink", from_id=task, to_id=part)
    asset = api.create("Asset", name="plate", context_id=part)
    version = api.create("AssetVersion", asset_id=asset, task_id=part)
    component = api.create("FileComponent", name="main", version_id=version)
    location = api.one('Location where name is "ftrack.unmanaged"')["id"]
    api.create("ComponentLocation", component_id=component, location_id=location)
    note = api.create("Note", content="hello", parent_id=version)
    api.create("Note", content="well", in_reply_to_id=note)
    api.call(api.make("Metadata", [component, "a"], parent_id=component, key="a", value="b"))
    api.create("Timelog", context_id=part, duration=1)
    api.create("Timer", context_id=part)
    api.create("Appointment", context_id=part, resource_id=user, type="assignment")
    api.update("Task", part, status_id=api.one("Status where name is Approved")["id"])
    api.delete("Project", project)
    gone = (
        "Context Asset AssetVersion Component ComponentLocation Note Recipient Metadata Timelog"
        " Timer Appointment TypedContextLink StatusChange"
    ).split()
    assert count(api, *gone) == dict.fromkeys(gone, 0)
    assert count(api, "Location", "User") == {"Location": 5, "User": 2}


def test_deleting_a_project_takes_what_is_planned_along(api: Any, project: str) -> None:
    """With a project go its lists, review sessions and the attributes of it alone."""
    category = api.query("ListCategory")[0]["id"]
    api.create("TypedContextList", name="l", project_id=project, category_id=category)
    session = api.create("ReviewSession", name="r", project_id=project)
    api.create("ReviewSessionInvitee", name="n", email="e", review_session_id=session)
    words = {"key": "own", "label": "Own", "entity_type": "task", "config": "{}"}
    api.create("CustomAttributeConfiguration", project_id=project, **words)
    api.delete("Project", project)
    gone = ("List", "ReviewSession", "ReviewSessionInvitee")
    assert count(api, *gone) == dict.fromkeys(gone, 0)
    assert api.query("CustomAttributeConfiguration where key is own") == []


def test_deleting_a_user_takes_what_is_the_users_along(api: Any, task: str, user: str) -> None:
    """With a user go timers, timelogs, recipients, notes, assignments and roles."""
    api.create("Timer", user_id=user)
    api.create("Timelog", user_id=user, duration=1)
    api.create("Appointment", context_id=task, resource_id=user, type="assignment")
    written = api.create("Note", content="mine", user_id=user, parent_id=task)
    received = api.create("Note", content="theirs", parent_id=task)
    api.call(api.make("Recipient", [received, user], note_id=received, resource_id=user))
    role = api.query("SecurityRole")[0]["id"]
    api.call(
        {"action": "add_user_security_role", "user_id": user, "role_id": role},
        {
            "action": "reset_remote",
            "reset_type": "api_key",
            "entity_type": "User",
            "entity_key": user,
        },
    )
    api.delete("User", user)
    gone = ("Timer", "Timelog", "Appointment")
    assert count(api, *gone) == dict.fromkeys(gone, 0)
    assert api.query(f"Note where id is {written}") == []
    assert [one["note_id"] for one in api.query("Recipient")] == [received]
    assert api.query(f"UserSecurityRole where user_id is {user}") == []


def test_deleting_a_user_leaves_work_behind(api: Any, project: str, task: str, user: str) -> None:
    """Versions of a deleted user and review sessions that the user made stay."""
    asset = api.create("Asset", name="plate", context_id=task)
    version = api.create("AssetVersion", asset_id=asset, user_id=user)
    session = api.create("ReviewSession", name="r", project_id=project, created_by_id=user)
    api.delete("User", user)
    assert api.one(f"select user_id from AssetVersion where id is {version}")["user_id"] is None
    found = api.one(f"select created_by_id from ReviewSession where id is {session}")
    assert found["created_by_id"] is None


def test_deleting_a_component_takes_members_and_locations_along(api: Any) -> None:
    """With a container go its members and their places; what shows it as thumbnail stays."""
    location = api.create("Location", name="disk")
    container = api.create("SequenceComponent", name="frames", padding=4)
    member = api.create("FileComponent", name="0001", container_id=container)
    for component in (container, member):
        api.create("ComponentLocation", component_id=component, location_id=location)
    shown = api.create("User", username="shown", thumbnail_id=member)
    api.delete("SequenceComponent", container)
    assert count(api, "Component", "ComponentLocation") == {"Component": 0, "ComponentLocation": 0}
    assert api.one(f"select thumbnail_id from User where id is {shown}")["thumbnail_id"] is None


def test_location_that_holds_components_is_kept(api: Any) -> None:
    """A location is deleted only when nothing is in it."""
    location = api.create("Location", name="disk")
    component = api.create("FileComponent", name="main")
    api.create("ComponentLocation", component_id=component, location_id=location)
    with pytest.raises(api.Error, match="in use") as caught:
        api.delete("Location", location)
    assert (caught.value.name, caught.value.status) == ("IntegrityError", 409)
    api.delete("FileComponent", component)
    api.delete("Location", location)


@pytest.mark.parametrize("type_name", ["Status", "Type", "Priority", "ProjectSchema"])
def test_what_work_needs_is_kept(api: Any, task: str, type_name: str) -> None:
    """A status, type, priority or schema that is in use cannot be deleted."""
    attribute = {"ProjectSchema": "project.project_schema.id"}.get(
        type_name, f"{type_name.lower()}.id"
    )
    record = api.one(f"select {attribute} from Task where id is {task}")
    for part in attribute.split("."):
        record = record[part]
    with pytest.raises(api.Error, match="in use"):
        api.delete(type_name, record)


def test_unused_status_can_be_deleted(api: Any) -> None:
    """A status that nothing has goes, with its places in workflows."""
    status = api.create("Status", name="Odd", is_active=True)
    workflow = api.query("WorkflowSchema")[0]["id"]
    api.call(
        api.make(
            "WorkflowSchemaStatus",
            [workflow, status],
            workflow_schema_id=workflow,
            status_id=status,
        )
    )
    api.delete("Status", status)
    assert api.query(f"WorkflowSchemaStatus where status_id is {status}") == []


def test_deleting_twice_in_one_batch_is_once(api: Any, project: str, task: str) -> None:
    """What went along with its owner may be deleted by name in the same batch; later not."""
    results = api.call(api.remove("Project", project), api.remove("Task", task))
    assert [one["data"] for one in results] == [True, True]
    with pytest.raises(api.Error, match="no Task") as caught:
        api.delete("Task", task)
    assert (caught.value.name, caught.value.status) == ("NotFoundError", 404)


# Security


def test_roles_are_given_and_taken(api: Any, project: str, user: str) -> None:
    """The actions about security roles change what a user may, each answering what it did."""
    first, second = (one["id"] for one in api.query("SecurityRole")[:2])
    said = {"user_id": user, "role_id": first}
    select = (
        "select security_role_id, is_all_open_projects from UserSecurityRole"
        f" where user_id is {user}"
    )
    answer = api.call({"action": "add_user_security_role", **said})[0]
    assert answer["action"] == "add_user_security_role"
    assert api.one(select)["is_all_open_projects"] is True
    api.call({"action": "grant_user_security_role_project", **said, "project_id": project})
    assert api.one(select)["is_all_open_projects"] is False
    assert len(api.query("UserSecurityRoleProject")) == 1
    api.call({"action": "revoke_user_security_role_project", **said, "project_id": project})
    assert api.query("UserSecurityRoleProject") == []
    api.call({"action": "update_user_security_role", **said, "new_role_id": second})
    assert api.one(select)["security_role_id"] == second
    api.call({"action": "remove_user_security_role", "user_id": user, "role_id": second})
    assert api.query(f"UserSecurityRole where user_id is {user}") == []


def test_unknown_user_or_role_is_refused(api: Any, user: str) -> None:
    """A role for nobody, or no role for somebody, is refused by name."""
    role = api.query("SecurityRole")[0]["id"]
    for said, missing in (
        ({"user_id": "nobody", "role_id": role}, "User"),
        ({"user_id": user, "role_id": "none"}, "SecurityRole"),
    ):
        with pytest.raises(api.Error, match=f"no {missing}") as caught:
            api.call({"action": "add_user_security_role", **said})
        assert caught.value.name == "NotFoundError"


# The site


def test_locations_always_exist(api: Any) -> None:
    """The five built-in locations have their well-known ids."""
    found = {one["name"]: one["id"] for one in api.query("select name from Location")}
    assert found == {
        "ftrack.connect": "07b82a97-8cf9-11e3-9383-20c9d081909b",
        "ftrack.origin": "ce9b348f-8809-11e3-821c-20c9d081909b",
        "ftrack.review": "cd41be70-8809-11e3-b98a-20c9d081909b",
        "ftrack.server": "3a372bde-05bc-11e4-8908-20c9d081909b",
        "ftrack.unmanaged": "cb268ecc-8809-11e3-a7e2-20c9d081909b",
    }


def test_server_information_mirrors_the_storage_setting(api: Any) -> None:
    """The storage scenario in the server information is what the setting says."""
    ask = {"action": "query_server_information"}
    assert api.call(ask)[0]["storage_scenario"] == {"scenario": "ftrack.automatic", "data": {}}
    scenario = '{"scenario": "ftrack.centralized-storage", "data": {"location_name": "disk"}}'
    api.update("Setting", ["storage_scenario", "STORAGE"], value=scenario)
    information = api.call(ask)[0]
    assert information["storage_scenario"]["data"] == {"location_name": "disk"}
    assert information["is_timezone_support_enabled"] is True
