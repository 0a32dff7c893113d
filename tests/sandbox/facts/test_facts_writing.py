"""Facts about writing on real sites: sections C and E of the site facts."""

from __future__ import annotations

import json
from typing import Any

import pytest

CONTEXT_IDS = {"Task": "task", "Shot": "shot", "AssetVersion": "version"}


def test_base_type_may_be_updated(api: Any, work: Any) -> None:
    """C: the base type may be the entity type of an update."""
    status = api.one('Status where name is "In progress"')["id"]
    api.update("TypedContext", work.task, status_id=status)
    record = api.one(f"select status_id from Task where id is {work.task}")
    assert record["status_id"] == status


@pytest.mark.parametrize(
    ("system_type", "wanted"),
    [("task", "TypedContextList"), ("assetversion", "AssetVersionList")],
)
def test_lists_are_created_as_list(api: Any, work: Any, system_type: str, wanted: str) -> None:
    """C: lists are created as List with system_type, is_open, category_id and project_id."""
    category = api.query("ListCategory")[0]["id"]
    words = {"name": "l", "is_open": True, "category_id": category, "project_id": work.project}
    api.create("List", system_type=system_type, **words)
    assert api.one("List")["__entity_type__"] == wanted


@pytest.mark.parametrize(
    ("said", "parent", "kept"),
    [
        ("TypedContext", "task", "Task"),
        ("Shot", "shot", "Shot"),
        ("AssetVersion", "version", "AssetVersion"),
    ],
)
def test_note_and_its_metadata_in_one_batch(
    api: Any, work: Any, said: str, parent: str, kept: str
) -> None:
    """C: a note's parent_type may be a base type; a Metadata row for it is in the same batch."""
    words = {"content": "x", "user_id": work.user, "parent_id": getattr(work, parent)}
    note = api.make("Note", parent_type=said, **words)
    id_ = note["entity_key"][0]
    more = {"parent_id": id_, "parent_type": "Note", "key": "k", "value": "v"}
    api.call(note, api.make("Metadata", [id_, "k"], **more))
    record = api.one("select parent_type, metadata.value from Note")
    assert (record["parent_type"], record["metadata"][0]["value"]) == (kept, "v")


def test_note_without_parent_is_a_message(api: Any, work: Any) -> None:
    """C: a note without parent is an internal message to its recipients."""
    reader = api.create("User", username="reader")
    note = api.make("Note", content="x", user_id=work.user)
    id_ = note["entity_key"][0]
    recipient = api.make("Recipient", [id_, reader], note_id=id_, resource_id=reader)
    api.call(note, recipient)
    found = api.query(f"Note where parent_id is none and recipients any (resource_id is {reader})")
    assert [one["id"] for one in found] == [id_]


@pytest.fixture
def review(api: Any, work: Any) -> dict[str, str]:
    """Return the ids of a review session without dates, its object, a note and a reply."""
    session = api.create("ReviewSession", name="dailies", project_id=work.project)
    object_ = api.create(
        "ReviewSessionObject", name="o", review_session_id=session, version_id=work.version
    )
    note = api.create("Note", content="x", parent_id=object_, parent_type="ReviewSessionObject")
    reply = api.create("Note", content="y", in_reply_to_id=note)
    return {
        "ReviewSession": session,
        "ReviewSessionObject": object_,
        "AssetVersion": work.version,
        "Project": work.project,
        "note": note,
        "reply": reply,
    }


@pytest.mark.parametrize("deleted", ["ReviewSessionObject", "ReviewSession", "AssetVersion"])
def test_notes_of_a_deleted_review_stay(api: Any, review: dict[str, str], deleted: str) -> None:
    """C: deleting a ReviewSessionObject, or what it belongs to, leaves its notes."""
    api.delete(deleted, review[deleted])
    assert api.query("ReviewSessionObject") == []
    record = api.one(
        "select parent_id, parent_type, replies, project_id from Note where content is x"
    )
    assert record["parent_id"] == review["ReviewSessionObject"]
    assert (record["parent_type"], record["project_id"]) == (
        "ReviewSessionObject",
        review["Project"],
    )
    assert [one["id"] for one in record["replies"]] == [review["reply"]]
    assert len(api.query("Note where parent_type is review_session_object")) == 1


def test_notes_of_a_review_go_with_the_project(api: Any, review: dict[str, str]) -> None:
    """C: what a project contains goes with it, the notes of its deleted reviews too."""
    api.delete("ReviewSession", review["ReviewSession"])
    api.delete("Project", review["Project"])
    assert api.query("Note") == []


def test_note_of_a_deleted_reviewer_has_no_author(api: Any, review: dict[str, str]) -> None:
    """C: notes of deleted reviewers stay with author null; an author is a BaseUser."""
    guest = api.create("Collaborator", email="guest@example.com", first_name="G", last_name="")
    note = api.create("Note", content="z", parent_id=review["note"], user_id=guest)
    wanted = f"select author, author.last_name from Note where id is {note}"
    author = api.one(wanted)["author"]
    assert (author["__entity_type__"], author["last_name"]) == ("Collaborator", "")
    api.delete("Collaborator", guest)
    assert api.one(wanted)["author"] is None
    schemas = {one["id"]: one for one in api.call({"action": "query_schemas"})[0]}
    assert schemas["Note"]["properties"]["author"]["$ref"] == "BaseUser"


@pytest.mark.parametrize("attribute", ["status", "parent", "thumbnail"])
def test_reference_set_to_text_is_named_in_known_words(api: Any, work: Any, attribute: str) -> None:
    """C: a reference set to text fails with words that clients look for."""
    with pytest.raises(api.Error, match="Cannot set relationship to string value") as caught:
        api.update("Task", work.task, **{attribute: "abc"})
    assert caught.value.name == "ValidationError"


def test_version_that_is_no_number_is_an_integrity_error(api: Any, work: Any) -> None:
    """C: a version that is no number is an integrity error (since 3.5.8)."""
    for write in (
        lambda: api.create("AssetVersion", asset_id=work.asset, version="abc"),
        lambda: api.update("AssetVersion", work.version, version="abc"),
    ):
        with pytest.raises(api.Error, match="'version' of AssetVersion") as caught:
            write()
        assert caught.value.name == "IntegrityError"


@pytest.mark.parametrize("type_name", ["Task", "AssetVersion", "User", "Project"])
@pytest.mark.parametrize(
    ("file_type", "fits"),
    [
        *((f".{name}", True) for name in ("bmp", "gif", "jpeg", "JPG", "png", "tif", "tiff")),
        *(("jpg", True), ("", True), (".mov", False), (".txt", False), ("exr", False)),
    ],
)
def test_thumbnail_is_a_picture(
    api: Any, work: Any, type_name: str, file_type: str, fits: bool
) -> None:
    """C: thumbnail_id must be a file component of a type of picture, else an error."""
    ids = {"Task": work.task, "AssetVersion": work.version, "User": work.user}
    owner = ids.get(type_name, work.project)
    component = api.make("FileComponent", name="thumbnail", file_type=file_type)
    id_ = component["entity_key"][0]
    operations = [api.change(type_name, owner, thumbnail_id=id_), component]
    if fits:
        api.call(*operations)
        assert api.one(f"select thumbnail_id from {type_name} where id is {owner}")[
            "thumbnail_id"
        ] == (id_)
        return
    with pytest.raises(api.Error, match="must be a picture of the type bmp, gif") as caught:
        api.call(*operations)
    assert caught.value.name == "ValidationError"


def test_thumbnail_is_a_file(api: Any, work: Any) -> None:
    """C: a container is no thumbnail."""
    container = api.create("SequenceComponent", name="frames", padding=4, file_type=".png")
    with pytest.raises(api.Error, match="must be a FileComponent"):
        api.update("Task", work.task, thumbnail_id=container)


def test_nulls_on_create_are_filled(api: Any, work: Any) -> None:
    """C: null status, task, version and description are sent on create; the server fills."""
    component = api.create("FileComponent", name="thumbnail", file_type=".jpg")
    nulls = {"status_id": None, "task_id": None, "thumbnail_id": component}
    version = api.create("AssetVersion", asset_id=work.asset, **nulls)
    record = api.one(f"select status_id, task_id from AssetVersion where id is {version}")
    assert record["status_id"] is not None
    assert record["task_id"] is None
    session = api.create("ReviewSession", name="r", project_id=work.project)
    nulls = {"version": None, "description": None, "name": "o"}
    api.create("ReviewSessionObject", review_session_id=session, version_id=version, **nulls)
    record = api.one("select version, description from ReviewSessionObject")
    assert (record["version"], record["description"]) == ("", "")


def test_null_for_a_required_value_without_default_is_refused(api: Any, work: Any) -> None:
    """C: only what has a default may be null; a link still needs its ends."""
    with pytest.raises(api.Error, match="lacks the required attribute 'to_id'"):
        api.create("TypedContextLink", from_id=work.task, to_id=None)


def test_task_is_created_by_four_attributes(api: Any, work: Any) -> None:
    """C: a task may be created by name, type_id, parent_id and status_id alone."""
    status = api.one('Status where name is "In progress"')["id"]
    type_ = api.one('Type where name is "Compositing"')["id"]
    words = {"name": "new", "type_id": type_, "parent_id": work.shot, "status_id": status}
    task = api.create("Task", **words)
    record = api.one(f"select name, type_id, parent_id, status_id from Task where id is {task}")
    assert {name: record[name] for name in words} == words


@pytest.mark.parametrize("kind", ["assignment", "allocation"])
def test_appointments_have_a_type(api: Any, work: Any, kind: str) -> None:
    """C: appointments are of the type assignment or allocation."""
    words = {"context_id": work.task, "resource_id": work.user, "type": kind}
    api.create("Appointment", **words)
    assert len(api.one(f"select {kind}s from Task where id is {work.task}")[f"{kind}s"]) == 1


def test_timelog_is_created(api: Any, work: Any) -> None:
    """C: a timelog has duration in seconds, start, comment, context and user."""
    words = {"duration": 60, "comment": "c", "context_id": work.task, "user_id": work.user}
    api.create("Timelog", start="2023-01-01T10:00:00", **words)
    record = api.one("select duration, comment, context_id, user_id from Timelog")
    assert {name: record[name] for name in words} == words


def test_role_of_a_user_is_changed_by_actions(api: Any, work: Any) -> None:
    """C: changing a UserSecurityRole row is no longer possible (4.2); the actions are."""
    user = api.create("User", username="artist")
    role = api.one('SecurityRole where name is "User"')["id"]
    named = {"user_id": user, "role_id": role}
    api.call({"action": "add_user_security_role", **named})
    where = f"select id, is_all_open_projects from UserSecurityRole where user_id is {user}"
    row = api.one(where)
    with pytest.raises(api.Error, match="Use the actions update_user_security_role"):
        api.update("UserSecurityRole", row["id"], is_all_open_projects=False)
    for action, wanted in (("revoke", False), ("grant", True)):
        name = f"{action}_user_security_role_project"
        api.call({"action": name, "all_open_projects": True, **named})
        assert api.one(where)["is_all_open_projects"] is wanted
    api.call({"action": "grant_user_security_role_project", "project_id": work.project, **named})
    assert api.one(where)["is_all_open_projects"] is False


def test_answer_to_a_new_user(api: Any) -> None:
    """C: create of a user answers flags, type and resource_type beside what was sent."""
    stock = "ac9fa5aa-4361-11e0-b7cc-0019bb4983d8"
    if not api.query(f"UserType where id is {stock}"):
        api.create("UserType", id=stock, name="User")
    operation = api.make("User", username="new", first_name="N")
    answer = api.call(operation)[0]["data"]
    assert answer == {
        "__entity_type__": "User",
        "id": operation["entity_key"][0],
        "username": "new",
        "first_name": "N",
        "is_active": False,
        "is_otp_enabled": False,
        "is_totp_enabled": False,
        "require_details_update": False,
        "resource_type": "user",
        "user_type_id": stock,
    }


def authorize(api: Any, action: str, type_name: str, context: Any) -> bool:
    """Return the answer to _authorize_operation."""
    operation = {
        "action": "_authorize_operation",
        "data": {
            "action": action,
            "data": {"entity_type": type_name},
            "context": context and {"entity_type": context[0], "entity_key": [context[1]]},
        },
    }
    (answer,) = api.call(operation)
    assert list(answer) == ["result"]
    return bool(answer["result"])


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (
            "Project manager",
            {"create Task", "update Task", "delete Task", "create Note", "create Project"},
        ),
        ("User", {"update Task", "create Note"}),
        ("Restricted user", set()),
    ],
)
def test_operations_are_authorized(
    api: Any, work: Any, login: Any, role: str, allowed: set[str]
) -> None:
    """C: _authorize_operation answers whether the user may do an operation."""
    user = login("someone", role)
    asked = {
        "create Task": ("create", "Task", ("Shot", work.shot)),
        "update Task": ("update", "Task", ("Task", work.task)),
        "delete Task": ("delete", "Task", ("TypedContext", work.task)),
        "create Note": ("create", "Note", ("Task", work.task)),
        "create Project": ("create", "Project", None),
        "create Status": ("create", "Status", None),
        "update unknown": ("update", "Task", ("Task", "unknown")),
    }
    assert {name for name, one in asked.items() if authorize(user, *one)} == allowed
    assert all(authorize(api, *one) for one in asked.values())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "'data' of _authorize_operation must be a mapping"),
        ({"action": "fly"}, "cannot be 'fly'; it is one of 'create', 'update', 'delete'"),
    ],
)
def test_unclear_authorization_is_refused(api: Any, data: Any, words: str) -> None:
    """C: a question without an operation is refused in words that say what it needs."""
    with pytest.raises(api.Error, match=words):
        api.call({"action": "_authorize_operation", "data": data})


def test_usage_is_accepted_silently(api: Any) -> None:
    """C: _track_usage is accepted silently."""
    api.call({"action": "_track_usage", "data": {"action": "launch"}})


def test_automation_with_trigger_and_action_in_one_commit(api: Any) -> None:
    """C: Automation, then Trigger and WebhookAction with headers as JSON text, in one commit."""
    automation = api.make("Automation", name="a", enabled=False)
    ids = {"automation_id": automation["entity_key"][0]}
    headers = json.dumps({"x-key": "v"})
    api.call(
        automation,
        api.make("Trigger", filter='entity.entity_type = "Task"', **ids),
        api.make("WebhookAction", webhook_url="https://a.example", headers=headers, **ids),
    )
    assert api.one("select headers from WebhookAction")["headers"] == headers


def test_temporary_data_pass_between_programs(api: Any, work: Any, login: Any) -> None:
    """tempdata: the RV integration stores a list of versions and opens it by its id."""
    data = json.dumps([{"id": work.version, "type": "assetversion"}])
    id_ = api.create("TempData", data=data)
    record = api.one(f"select data, expiry from tempdata where id is {id_}")
    assert record["data"] == data
    assert record["expiry"]["__type__"] == "datetime"
    assert login("other", "User").query("TempData") == []
    old = api.create("tempdata", data="[]", expiry="2020-01-01")
    api.create("TempData", data="[]")
    assert api.query(f"TempData where id is {old}") == []
    assert len(api.query("TempData")) == 2


# Reviews


@pytest.mark.parametrize(
    ("dates", "is_open"),
    [
        ({}, True),
        ({"end_date": "2099-01-01"}, True),
        ({"end_date": "2020-01-01"}, False),
        ({"start_date": "2099-01-01"}, False),
        ({"start_date": "2020-01-01", "end_date": "2020-02-01"}, False),
        ({"availability": "closed"}, False),
    ],
)
def test_review_session_without_dates_is_open(
    api: Any, work: Any, dates: dict[str, str], is_open: bool
) -> None:
    """E: a ReviewSession is created with project and name only, and is open."""
    session = api.make("ReviewSession", name="r", project_id=work.project, **dates)
    of_session = {"review_session_id": session["entity_key"][0]}
    api.call(
        session,
        api.make("ReviewSessionObject", name="o", version_id=work.version, **of_session),
        api.make("ReviewSessionInvitee", name="n", email="n@example.com", **of_session),
    )
    record = api.one("select is_open, end_date from ReviewSession")
    assert record["is_open"] is is_open
    assert (record["end_date"] is None) == ("end_date" not in dates)
    assert len(api.query(f"ReviewSession where is_open is {str(is_open).lower()}")) == 1


def test_settings_of_a_review_session_are_copied(api: Any, review: dict[str, str]) -> None:
    """E: settings and description are copied from another session."""
    session = review["ReviewSession"]
    words = {"parent_type": "ReviewSession", "group": "g", "name": "n", "value": "v"}
    api.create("EntitySetting", [session, "g", "n"], parent_id=session, **words)
    other = api.make("ReviewSession", name="copy", description="d", project_id=review["Project"])
    id_ = other["entity_key"][0]
    api.call(other, api.make("EntitySetting", [id_, "g", "n"], parent_id=id_, **words))
    record = api.one(f"select settings.value, description from ReviewSession where id is {id_}")
    assert ([one["value"] for one in record["settings"]], record["description"]) == (["v"], "d")
