"""What may be written, what the server answers, and what it does by itself."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from tests.conformance.facts import fact, row, writes
from tests.conformance.site import Site

pytestmark = writes

UPLOAD = "8f4144e0-a8e6-11e2-9e96-0800200c9a66"


def _user(site: Site) -> str:
    """Return the id of the user who speaks."""
    name = site.client.user
    return str(site.one(f'select id from User where username is "{name}"')["id"])


def _asset(site: Site, parent: str) -> str:
    """Create an asset below *parent* and return its id."""
    kind = site.rows("select id from AssetType order by name limit 1")[0]["id"]
    created = site.create("Asset", name=site.name("asset"), context_id=parent, type_id=kind)
    return str(created["id"])


@fact("protocol 1", "protocol")
def test_create_answers_what_was_sent(site: Site) -> None:
    """A create answers the entity with its key and the attributes that were sent."""
    name = site.name("shot")
    created = site.create("Shot", name=name, parent_id=site.project["id"], description="text")
    assert created["__entity_type__"] == "Shot"
    assert (created["name"], created["description"]) == (name, "text")


@fact("protocol 1", "protocol")
def test_update_answers_what_was_sent(site: Site) -> None:
    """An update answers the key and the attributes that were sent."""
    shot = site.context("Shot")
    updated = site.update("Shot", shot, description="changed")
    assert (updated["id"], updated["description"]) == (shot, "changed")


@fact("protocol 1", "protocol")
def test_delete_answers_true(site: Site) -> None:
    """A delete answers true."""
    shot = site.context("Shot")
    assert site.call(site.deletion("Shot", shot)) == [{"action": "delete", "data": True}]


@fact("protocol 1", "protocol")
@pytest.mark.parametrize("form", ["reference", "foreign key"])
def test_a_reference_may_be_written_in_two_forms(site: Site, form: str) -> None:
    """A reference is written as an entity or by its foreign key."""
    parent = site.context("Sequence")
    data: dict[str, Any] = {"parent_id": parent}
    if form == "reference":
        data = {"parent": {"__entity_type__": "Sequence", "id": parent}}
    shot = site.create("Shot", name=site.name("shot"), **data)
    assert site.get("Shot", shot["id"], "parent_id")["parent_id"] == parent


@fact("protocol 1", "protocol")
def test_the_project_of_a_context_follows_its_parent(site: Site) -> None:
    """A context gets the project of its parent."""
    parent = site.context("Sequence")
    shot = site.create("Shot", name=site.name("shot"), parent_id=parent)
    found = site.get("Shot", shot["id"], "project_id")
    assert found["project_id"] == site.project["id"]


@fact("protocol 1", "protocol")
def test_a_collection_is_written_whole(site: Site) -> None:
    """An update of a collection sends the whole list; what is missing leaves it."""
    shot = site.context("Shot")
    scopes = [site.create("Scope", name=site.name("scope"))["id"] for _ in range(2)]
    for scope in scopes:
        site.remove_later("Scope", scope)
    references = [{"__entity_type__": "Scope", "id": each} for each in scopes]
    site.update("Shot", shot, scopes=references)
    assert len(site.get("Shot", shot, "scopes")["scopes"]) == 2
    site.update("Shot", shot, scopes=references[:1])
    assert [each["id"] for each in site.get("Shot", shot, "scopes")["scopes"]] == scopes[:1]


@fact("site-facts C", "P")
def test_a_task_may_be_created_by_few_attributes(site: Site) -> None:
    """A task needs a name, a type and a parent; the server adds status and priority."""
    kind = site.one('select id from Type where name is "Animation"')["id"]
    shot = site.context("Shot")
    task = site.create("Task", name="animation", type_id=kind, parent_id=shot)
    found = site.get("Task", task["id"], "status.name, priority.name, type_id, bid")
    assert found["status"]["name"] == "Not started"
    assert found["priority"]["name"] == "None"
    assert found["type_id"] == kind


@fact("site-facts C", "P")
def test_a_project_may_be_created_by_its_names(site: Site) -> None:
    """A project is created with its two names; the server adds the schema and the dates."""
    name = site.name("film")
    project = site.create("Project", name=name, full_name=name)
    site.remove_later("Project", project["id"])
    found = site.get("Project", project["id"], "project_schema_id, status, start_date, end_date")
    assert found["project_schema_id"]
    assert found["status"] == "active"
    assert found["start_date"]
    assert found["end_date"]


@fact("site-facts A6", "I")
@pytest.mark.parametrize("entity_type", ["Folder", "Sequence"])
def test_a_context_without_statuses_has_none(site: Site, entity_type: str) -> None:
    """A folder or a sequence has no status."""
    context = site.context(entity_type)
    assert site.get(entity_type, context, "status")["status"] is None


@fact("site-facts A6", "M")
@pytest.mark.parametrize(
    ("entity_type", "status"),
    [row("Shot", "Not started", name="Shot"), row("Task", "Not started", name="Task")],
)
def test_a_context_gets_its_first_status(site: Site, entity_type: str, status: str) -> None:
    """A context with statuses begins with the first of its workflow."""
    context = site.context(entity_type)
    assert site.get(entity_type, context, "status.name")["status"]["name"] == status


@fact("site-facts C", "P")
def test_a_base_type_may_be_updated(site: Site) -> None:
    """An update may name the base type of the entity."""
    task = site.context("Task")
    status = site.one('select id from Status where name is "In progress"')["id"]
    site.update("TypedContext", task, status_id=status)
    assert site.get("Task", task, "status_id")["status_id"] == status


@fact("site-facts C", "P")
@pytest.mark.parametrize(
    ("system_type", "entity_type"),
    [
        row("task", "TypedContextList", name="task"),
        row("assetversion", "AssetVersionList", name="assetversion"),
    ],
)
def test_a_list_is_created_by_its_system_type(
    site: Site, system_type: str, entity_type: str
) -> None:
    """A list may be created as a List; its system type decides what it is."""
    category = site.rows("select id from ListCategory limit 1")[0]["id"]
    created = site.create(
        "List",
        name=site.name("list"),
        system_type=system_type,
        is_open=True,
        category_id=category,
        project_id=site.project["id"],
    )
    assert site.get("List", created["id"], "name")["__entity_type__"] == entity_type


@fact("site-facts C", "P")
@pytest.mark.parametrize("parent_type", ["TypedContext", "Shot"])
def test_a_note_may_name_a_base_type(site: Site, parent_type: str) -> None:
    """The parent type of a new note is the concrete type or its base type."""
    shot = site.context("Shot")
    note = site.create(
        "Note", content="hello", parent_id=shot, parent_type=parent_type, user_id=_user(site)
    )
    found = site.get("Note", note["id"], "parent_type, content")
    assert found["parent_type"] in ("TypedContext", "Shot")
    assert found["content"] == "hello"


@fact("site-facts C", "P")
def test_a_note_and_its_metadata_come_in_one_batch(site: Site) -> None:
    """Metadata of a note may be created in the batch that creates the note."""
    shot = site.context("Shot")
    note = site.creation(
        "Note", content="x", parent_id=shot, parent_type="Shot", user_id=_user(site)
    )
    key = note["entity_key"][0]
    metadata = site.creation("Metadata", parent_id=key, parent_type="Note", key="k", value="v")
    site.call(note, metadata)
    assert site.get("Note", key, "metadata.value")["metadata"][0]["value"] == "v"


@fact("site-facts B", "M")
@pytest.mark.parametrize(
    ("parent_type", "count"),
    [
        row("task", 1, name="the table's word"),
        row("Shot", 0, name="the schema's word"),
        row("TypedContext", 0, name="the base's word"),
    ],
)
def test_a_parent_type_is_compared_with_the_table(site: Site, parent_type: str, count: int) -> None:
    """Criteria compare the parent type of a note with the word of the server's table."""
    shot = site.context("Shot")
    site.create("Note", content="x", parent_id=shot, parent_type="Shot", user_id=_user(site))
    rows = site.rows(
        f'select id from Note where parent_id is "{shot}" and parent_type is "{parent_type}"'
    )
    assert len(rows) == count


@fact("protocol 1", "protocol")
def test_replies_have_their_note(site: Site) -> None:
    """A note that is added to the replies of another note answers it."""
    shot, user = site.context("Shot"), _user(site)
    note, reply = (
        site.create("Note", content=text, parent_id=shot, parent_type="Shot", user_id=user)["id"]
        for text in ("question", "answer")
    )
    site.update("Note", note, replies=[{"__entity_type__": "Note", "id": reply}])
    assert site.get("Note", reply, "in_reply_to_id")["in_reply_to_id"] == note


@fact("protocol 1", "protocol")
def test_the_author_is_the_user_who_speaks(site: Site) -> None:
    """A note without an author gets the user who speaks."""
    shot = site.context("Shot")
    note = site.create("Note", content="x", parent_id=shot, parent_type="Shot")
    assert site.get("Note", note["id"], "author")["author"]["id"] == _user(site)


@fact("protocol 1", "protocol")
def test_versions_are_numbered_for_each_asset(site: Site) -> None:
    """Versions of one asset count from 1, and the latest one says so."""
    asset = _asset(site, site.context("Shot"))
    numbers = []
    for _ in range(3):
        version = site.create("AssetVersion", asset_id=asset)
        found = site.get("AssetVersion", version["id"], "version, is_latest_version")
        numbers.append((found["version"], found["is_latest_version"]))
    assert numbers == [(1, True), (2, True), (3, True)]
    rows = site.rows(
        f'select version from AssetVersion where asset_id is "{asset}" '
        "and is_latest_version is true"
    )
    assert [each["version"] for each in rows] == [3]


@fact("site-facts C", "D")
def test_a_version_number_that_is_no_number_is_refused(site: Site) -> None:
    """The version of an asset version is a number."""
    asset = _asset(site, site.context("Shot"))
    site.problem(site.creation("AssetVersion", asset_id=asset, version="two"))


@fact("protocol 1", "protocol")
def test_the_link_of_a_version(site: Site) -> None:
    """The link of a version leads from the project over the contexts to the version."""
    shot = site.context("Shot")
    version = site.create("AssetVersion", asset_id=_asset(site, shot))
    link = site.get("AssetVersion", version["id"], "link")["link"]
    assert [each["type"] for each in link] == ["Project", "TypedContext", "AssetVersion"]
    assert [each["id"] for each in link] == [site.project["id"], shot, version["id"]]


@fact("protocol 1", "protocol")
@pytest.mark.parametrize("entity_type", ["Shot", "Task", "Sequence"])
def test_a_name_is_unique_under_one_parent(site: Site, entity_type: str) -> None:
    """A second context with the same name under one parent is a duplicate."""
    name = site.name("twice")
    site.context(entity_type, name=name)
    problem = site.problem(site.creation(entity_type, name=name, parent_id=site.project["id"]))
    assert "DuplicateEntry" in str(problem) or "NotUnique" in problem.name


@fact("protocol 1", "protocol")
def test_a_name_of_a_project_is_unique(site: Site) -> None:
    """A second project with the same name is a duplicate."""
    name = site.get("Project", site.project["id"], "name")["name"]
    problem = site.problem(site.creation("Project", name=name, full_name=name))
    assert "Duplicate" in str(problem) or "NotUnique" in problem.name


@fact("protocol 1", "protocol")
def test_names_of_assets_may_repeat(site: Site) -> None:
    """Two assets of one context may have one name."""
    shot, name = site.context("Shot"), site.name("asset")
    kind = site.rows("select id from AssetType order by name limit 1")[0]["id"]
    for _ in range(2):
        site.create("Asset", name=name, context_id=shot, type_id=kind)
    assert len(site.rows(f'select id from Asset where name is "{name}"')) == 2


@fact("protocol 1", "protocol")
def test_one_timer_for_each_user(site: Site) -> None:
    """A second timer of a user is a duplicate."""
    task, user = site.context("Task"), _user(site)
    if site.rows(f'select id from Timer where user_id is "{user}"'):
        pytest.skip("the user has a timer already")
    timer = site.create("Timer", context_id=task, user_id=user)
    site.remove_later("Timer", timer["id"])
    assert site.get("Timer", timer["id"], "start")["start"]
    problem = site.problem(site.creation("Timer", context_id=task, user_id=user))
    assert "Duplicate" in str(problem) or "NotUnique" in problem.name
    site.delete("Timer", timer["id"])


@fact("site-facts C", "P")
def test_a_time_log_has_seconds(site: Site) -> None:
    """A time log has a duration in seconds, a start, a comment, a context and a user."""
    task = site.context("Task")
    start = {"__type__": "datetime", "value": "2024-05-01T10:00:00"}
    log = site.create(
        "Timelog", duration=5400, start=start, comment="x", context_id=task, user_id=_user(site)
    )
    found = site.get("Timelog", log["id"], "duration, start, comment")
    assert (found["duration"], found["comment"]) == (5400, "x")
    assert found["start"]["value"].startswith("2024-05-01T10:00:00")


@fact("site-facts C", "P")
@pytest.mark.parametrize("kind", ["assignment", "allocation"])
def test_an_appointment_has_a_type(site: Site, kind: str) -> None:
    """An appointment is an assignment or an allocation."""
    task = site.context("Task")
    made = site.create("Appointment", type=kind, context_id=task, resource_id=_user(site))
    assert site.get("Appointment", made["id"], "type")["type"] == kind


@fact("protocol 1", "protocol")
def test_an_appointment_shows_as_an_assignment(site: Site) -> None:
    """A task shows its assignments."""
    task = site.context("Task")
    site.create("Appointment", type="assignment", context_id=task, resource_id=_user(site))
    found = site.get("Task", task, "assignments.resource.id")
    assert [each["resource"]["id"] for each in found["assignments"]] == [_user(site)]


@fact("site-facts E", "P")
def test_a_review_session_without_dates_is_open(site: Site) -> None:
    """A review session that is created with a project and a name is open."""
    review = site.create("ReviewSession", name=site.name("review"), project_id=site.project["id"])
    found = site.get("ReviewSession", review["id"], "is_open")
    assert found["is_open"] is True


@fact("site-facts C", "P")
def test_a_review_object_takes_nulls(site: Site) -> None:
    """A review object may be created with a version of null and a description of null."""
    review = site.create("ReviewSession", name=site.name("review"), project_id=site.project["id"])
    made = site.create(
        "ReviewSessionObject",
        name="x",
        version=None,
        description=None,
        version_id=site.version(),
        review_session_id=review["id"],
    )
    assert site.get("ReviewSessionObject", made["id"], "name")["name"] == "x"


@fact("site-facts C", "M")
def test_notes_of_a_deleted_review_object_stay(site: Site) -> None:
    """When a review object is deleted, its notes stay."""
    review = site.create("ReviewSession", name=site.name("review"), project_id=site.project["id"])
    made = site.create(
        "ReviewSessionObject",
        name="x",
        version="1",
        description="",
        version_id=site.version(),
        review_session_id=review["id"],
    )
    note = site.create(
        "Note",
        content="stays",
        parent_id=made["id"],
        parent_type="ReviewSessionObject",
        user_id=_user(site),
    )
    site.delete("ReviewSessionObject", made["id"])
    assert site.get("Note", note["id"], "content")["content"] == "stays"


@fact("protocol 1", "protocol")
def test_deleting_a_context_takes_its_children_along(site: Site) -> None:
    """With a context its children, versions and notes go."""
    sequence = site.context("Sequence")
    shot = site.context("Shot", sequence)
    task = site.context("Task", shot)
    site.delete("Sequence", sequence)
    assert site.rows(f'select id from TypedContext where id in ("{shot}", "{task}")') == []


@fact("protocol 1", "protocol")
def test_a_location_with_components_is_not_deleted(site: Site) -> None:
    """A location that holds components is refused."""
    location = site.create("Location", name=site.name("location"))
    component = site.create("FileComponent", name="c", version_id=site.version())
    placed = site.create(
        "ComponentLocation",
        component_id=component["id"],
        location_id=location["id"],
        resource_identifier="x",
    )
    site.problem(site.deletion("Location", location["id"]))
    site.delete("ComponentLocation", placed["id"])
    site.delete("Location", location["id"])


@fact("protocol 1", "protocol")
def test_a_component_may_be_created_by_its_base_type(site: Site) -> None:
    """The base type Component may be created; the server fills its system type."""
    made = site.create("Component", name="c", version_id=site.version())
    assert site.get("Component", made["id"], "system_type")["system_type"] == "file"


@fact("protocol 1", "protocol")
def test_members_have_their_container(site: Site) -> None:
    """Members of a sequence component have its id."""
    version = site.version()
    sequence = site.create(
        "SequenceComponent", name="frames", padding=4, file_type=".exr", version_id=version
    )
    member = site.create("FileComponent", name="0001", container_id=sequence["id"])
    found = site.get("SequenceComponent", sequence["id"], "members")
    assert [each["id"] for each in found["members"]] == [member["id"]]


@fact("site-facts C", "P")
def test_a_reference_as_text_is_refused(site: Site) -> None:
    """A reference that is set to text is an error with the words that programs look for."""
    shot = site.context("Shot")
    problem = site.problem(site.update_of("Shot", shot, status="In progress"))
    assert "Cannot set relationship to string value" in problem.text


@fact("protocol 1", "protocol")
@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        row("bid", "much", name="text for a number"),
        row("description", 5, name="a number for text"),
        row("start_date", "soon", name="text for a date"),
        row("nothing", 1, name="unknown attribute"),
        row("status_id", "no-such-status", name="unknown reference"),
    ],
)
def test_a_wrong_value_is_refused(site: Site, attribute: str, value: Any) -> None:
    """A value that does not fit is an error that names the attribute."""
    task = site.context("Task")
    problem = site.problem(site.update_of("Task", task, **{attribute: value}))
    assert attribute.partition("_id")[0] in problem.text


@fact("protocol 1", "protocol")
@pytest.mark.parametrize("value", ["ü", "日本語", "a\nb", "\U0001f3ac", "'\"\\", "%_", "x" * 5000])
def test_text_is_kept_as_it_is(site: Site, value: str) -> None:
    """Any text is read back as it was written."""
    shot = site.context("Shot", description=value)
    assert site.get("Shot", shot, "description")["description"] == value


@fact("protocol 1", "protocol")
@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        row("2023-10-10T09:50:34", "2023-10-10T09:50:34", name="plain"),
        row("2023-10-10T09:50:34+02:00", "2023-10-10T07:50:34", name="offset"),
        row("2023-10-10T09:50:34.900000", "2023-10-10T09:50:34", name="fraction"),
    ],
)
def test_a_date_is_stored_in_utc(site: Site, sent: str, stored: str) -> None:
    """A date-time is stored in UTC with whole seconds."""
    task = site.context("Task")
    site.update("Task", task, start_date={"__type__": "datetime", "value": sent})
    found = site.get("Task", task, "start_date")["start_date"]
    assert found["__type__"] == "datetime"
    assert found["value"].startswith(stored)


@fact("site-facts C", "P")
def test_a_dry_question_of_rights(site: Site) -> None:
    """A program may ask whether it may do something; the answer is a truth value."""
    asked = site.call(
        {
            "action": "_authorize_operation",
            "data": {
                "action": "create",
                "data": {"entity_type": "Task"},
                "context": {"entity_key": [site.project["id"]], "entity_type": "Project"},
            },
        }
    )
    assert asked[0]["result"] is True


@fact("site-facts C", "P")
def test_usage_is_accepted(site: Site) -> None:
    """Programs report their use with an action that is accepted silently."""
    site.call({"action": "_track_usage", "data": {"type": "event", "name": "x", "metadata": {}}})


@fact("site-facts C", "P")
def test_an_automation_comes_in_one_batch(site: Site) -> None:
    """An automation, its trigger and its webhook are created in one batch."""
    automation = site.creation("Automation", name=site.name("hook"), enabled=False)
    key = automation["entity_key"][0]
    site.remove_later("Automation", key)
    site.call(
        automation,
        site.creation("Trigger", automation_id=key, filter='entity.entity_type = "AssetVersion"'),
        site.creation(
            "WebhookAction",
            automation_id=key,
            webhook_url="https://example.com/hook",
            headers=json.dumps({"x": "y"}),
        ),
    )
    assert site.rows(f'select id from Trigger where automation_id is "{key}"')


@fact("protocol 1", "protocol")
def test_the_server_fills_who_made_what(site: Site) -> None:
    """The server keeps who created a context and when, whatever the client sends."""
    shot = site.context("Shot")
    found = site.get("Shot", shot, "created_by, created_at")
    assert found["created_by"]["id"] == _user(site)
    assert found["created_at"]["__type__"] == "datetime"


@fact("protocol 1", "protocol")
def test_a_foreign_key_moves_a_context(site: Site) -> None:
    """A context moves when its parent changes, and its children stay below it."""
    old, new = site.context("Sequence"), site.context("Sequence")
    shot = site.context("Shot", old)
    task = site.context("Task", shot)
    site.update("Shot", shot, parent_id=new)
    link = site.get("Task", task, "link")["link"]
    assert [each["id"] for each in link] == [site.project["id"], new, shot, task]


@fact("protocol 1", "protocol")
def test_a_list_has_items(site: Site) -> None:
    """Items of a list are link rows; removing one from the list deletes only the link."""
    version = site.version()
    category = site.rows("select id from ListCategory limit 1")[0]["id"]
    made = site.create(
        "AssetVersionList",
        name=site.name("list"),
        category_id=category,
        project_id=site.project["id"],
    )
    item = {"__entity_type__": "AssetVersion", "id": version}
    site.update("AssetVersionList", made["id"], items=[item])
    assert len(site.get("AssetVersionList", made["id"], "items")["items"]) == 1
    site.update("AssetVersionList", made["id"], items=[])
    assert site.get("AssetVersion", version, "id")["id"] == version


@fact("protocol 1", "protocol")
def test_a_version_uses_versions(site: Site) -> None:
    """Versions that a version uses know that they are used."""
    user, used = site.version(), site.version()
    item = {"__entity_type__": "AssetVersion", "id": used}
    site.update("AssetVersion", user, uses_versions=[item])
    found = site.get("AssetVersion", used, "used_in_versions")["used_in_versions"]
    assert [each["id"] for each in found] == [user]


@fact("protocol 1", "protocol")
def test_an_id_of_the_client_is_kept(site: Site) -> None:
    """The client makes the id of a new entity, and the server keeps it."""
    key = str(uuid.uuid4())
    site.create("Shot", id=key, name=site.name("shot"), parent_id=site.project["id"])
    assert site.get("Shot", key, "id")["id"] == key
