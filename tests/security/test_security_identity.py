"""Acting in the name of another: rows, events, and accounts that were closed."""

from __future__ import annotations

import json
import re
import socket
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from ftrack_like.sandbox.access.roles import DELEGATES, family_of
from ftrack_like.sandbox.actions.identity import AUTHORS
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.schema.model import Reference, Scalar

from .conftest import Form, People, Wire, read_all

SERVER_LOCATION = "3a372bde-05bc-11e4-8908-20c9d081909b"

PEOPLE = {"User", "BaseUser", "Resource", "Collaborator", "Group"}

#: Columns that say for whom something is. Rights decide about them, not identity.
FOR_OTHERS = {
    ("appointment", "resource_id"),
    ("calendar_event_resource", "resource_id"),
    ("manager", "user_id"),
    ("recipient", "resource_id"),
    # Project managers keep the time of others; everybody else their own.
    ("timelog", "user_id"),
    ("timer", "user_id"),
    # An invitee's resource is bound to the mail address.
    ("review_session_invitee", "resource_id"),
}


def test_every_column_that_names_a_user_is_guarded() -> None:
    """Each column that names a user is the server's, an owner's, an administrator's or guarded."""
    unguarded = set()
    for type_ in MODEL.types.values():
        family = "delegated" if type_.table in DELEGATES else family_of(type_.name, type_.table)
        if type_.read_only or family in {"administration", "delegated", "personal"}:
            continue
        for one in type_.properties.values():
            column = getattr(one, "column", None)
            target = one.target if isinstance(one, Reference) else None
            if isinstance(one, Scalar) and one.references is not None:
                target = one.references[0]
            place = (type_.table, column)
            if target not in PEOPLE or column is None or one.name in type_.immutable:
                continue
            if column not in AUTHORS.get(type_.table, ()) and place not in FOR_OTHERS:
                unguarded.add(place)
    assert unguarded == set()


@pytest.fixture
def victim(people: People) -> Any:
    """Return a user in whose name others would like to write."""
    return people("victim", "User")


@pytest.fixture
def artist(people: People) -> Any:
    """Return a user with the role User."""
    return people("artist", "User")


@pytest.fixture
def manager(people: People) -> Any:
    """Return a user with the role Project manager."""
    return people("manager", "Project manager")


@pytest.fixture
def review(api: Any, project: str) -> str:
    """Return the id of a review session that is open."""
    dates = {
        name: {"__type__": "datetime", "value": f"{year}-01-01T00:00:00"}
        for name, year in (("start_date", 2020), ("end_date", 9000))
    }
    return str(api.create("ReviewSession", name="Dailies", project_id=project, **dates))


def make_object(api: Any, project: str, review: str) -> str:
    """Return the id of an object in a review."""
    asset = api.create("Asset", name=f"plate {uuid.uuid4()}", context_id=project)
    version = api.create("AssetVersion", asset_id=asset)
    return str(
        api.create(
            "ReviewSessionObject",
            name="Shot",
            version="1",
            version_id=version,
            review_session_id=review,
            sort_order=1,
        )
    )


def authored(kind: str, project: str, api: Any, user: str) -> dict[str, Any]:
    """Return the data of a new *kind* in the name of *user*."""
    if kind == "AssetVersion":
        asset = api.create("Asset", name=f"plate {uuid.uuid4()}", context_id=project)
        return {"asset_id": asset, "user_id": user}
    if kind == "AssetVersionList":
        category = api.query("select id from ListCategory")[0]["id"]
        return {"name": "Mine", "project_id": project, "category_id": category, "user_id": user}
    if kind == "CalendarEvent":
        moment = {"__type__": "datetime", "value": "2024-01-01T00:00:00"}
        return {
            "name": "Day",
            "project_id": project,
            "start": moment,
            "end": moment,
            "created_by_id": user,
        }
    return {
        "Note": {"content": "Words", "parent_id": project, "user_id": user},
        "Note completed": {"content": "Do", "parent_id": project, "completed_by_id": user},
        "ReviewSession": {"name": "Dailies", "project_id": project, "created_by_id": user},
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "AssetVersion",
        "AssetVersionList",
        "CalendarEvent",
        "Note",
        "Note completed",
        "ReviewSession",
    ],
)
def test_nobody_writes_as_another(
    api: Any, manager: Any, victim: Any, project: str, kind: str
) -> None:
    """Rows that say who did something cannot name another user; one's own name is fine."""
    type_name = kind.split(maxsplit=1)[0]
    with pytest.raises(api.Error, match="in the name of another") as caught:
        manager.create(type_name, **authored(kind, project, api, victim.user_id))
    assert caught.value.name == "PermissionError"
    assert manager.create(type_name, **authored(kind, project, api, manager.user_id))


@pytest.mark.parametrize("by_reference", [False, True], ids=["by id", "by reference"])
def test_authors_cannot_be_exchanged(
    api: Any, artist: Any, victim: Any, project: str, by_reference: bool
) -> None:
    """A note keeps its author: nobody gives their words to another later on."""
    note = artist.create("Note", content="Mine", parent_id=project)
    person = {"__entity_type__": "User", "id": victim.user_id}
    values = {"author": person} if by_reference else {"user_id": victim.user_id}
    with pytest.raises(api.Error, match="name of another"):
        artist.update("Note", note, **values)
    assert api.one(f"select user_id from Note where id is {note}")["user_id"] == artist.user_id


@pytest.mark.parametrize("kind", ["Timer", "Timelog", "Job"])
def test_time_and_jobs_of_others(
    api: Any, artist: Any, victim: Any, project: str, kind: str
) -> None:
    """A user has timers, timelogs and jobs of that user alone."""
    moment = {"__type__": "datetime", "value": "2024-01-01T00:00:00"}
    data: dict[str, Any] = {
        "Timer": {"context_id": project, "start": moment},
        "Timelog": {"context_id": project, "start": moment, "duration": 60},
        "Job": {"type": "api_job", "status": "running"},
    }[kind]
    with pytest.raises(api.Error) as caught:
        artist.create(kind, user_id=victim.user_id, **data)
    assert caught.value.name == "PermissionError"
    assert artist.create(kind, user_id=artist.user_id, **data)


@pytest.mark.parametrize("role", ["Administrator", "API"])
def test_programs_for_everybody_name_other_users(
    api: Any, people: People, victim: Any, project: str, role: str
) -> None:
    """Administrators and the role API write for another user, if that one exists."""
    program = people("program", role)
    note = program.create("Note", content="For you", parent_id=project, user_id=victim.user_id)
    found = api.one(f"select user_id from Note where id is {note}")
    assert found["user_id"] == victim.user_id
    with pytest.raises(api.Error):
        program.create("Note", content="x", parent_id=project, user_id=str(uuid.uuid4()))


def test_editing_keeps_the_author(api: Any, manager: Any, artist: Any, project: str) -> None:
    """Whoever may edit a note of another may send its author along, unchanged."""
    note = artist.create("Note", content="Mine", parent_id=project)
    manager.update("Note", note, content="Better", user_id=artist.user_id)


# Reviews: the link in a mail acts as its invitee's resource


def test_invitees_are_nobody_else(api: Any, manager: Any, victim: Any, review: str) -> None:
    """An invitee cannot be made to act as another user, neither at first nor later."""
    person = {"name": "Eve", "email": "eve@example.com", "review_session_id": review}
    with pytest.raises(api.Error, match="in the name of another"):
        manager.create("ReviewSessionInvitee", resource_id=victim.user_id, **person)
    reference = {"__entity_type__": "User", "id": victim.user_id}
    with pytest.raises(api.Error, match="in the name of another"):
        manager.create("ReviewSessionInvitee", resource=reference, **person)
    invitee = manager.create("ReviewSessionInvitee", **person)
    with pytest.raises(api.Error, match="in the name of another"):
        manager.update("ReviewSessionInvitee", invitee, resource_id=victim.user_id)
    manager.update("ReviewSessionInvitee", invitee, resource_id=manager.user_id)


def test_invitees_act_as_collaborators_by_their_address_alone(
    api: Any, manager: Any, review: str
) -> None:
    """A collaborator comes with the mail address; changing the address alone is refused."""
    client = api.create("Collaborator", email="client@example.com", first_name="Cleo")
    person = {"name": "Cleo", "review_session_id": review, "resource_id": client}
    with pytest.raises(api.Error, match="in the name of another"):
        manager.create("ReviewSessionInvitee", email="eve@example.com", **person)
    invitee = manager.create("ReviewSessionInvitee", email="Client@example.com", **person)
    with pytest.raises(api.Error, match="in the name of another"):
        manager.update("ReviewSessionInvitee", invitee, email="eve@example.com")
    with pytest.raises(api.Error, match="in the name of another"):
        manager.update("ReviewSessionInvitee", invitee, email="eve@example.com", resource_id=None)
    with pytest.raises(api.Error, match="in the name of another"):
        manager.update("ReviewSessionInvitee", invitee, resource_id=None)


def test_a_sent_link_cannot_be_made_anothers(api: Any, manager: Any, review: str) -> None:
    """An invitee with the link in a mail cannot get the address of another person afterwards."""
    api.create("Collaborator", email="client@example.com", first_name="Cleo")
    invitee = manager.create(
        "ReviewSessionInvitee", name="Eve", email="eve@example.com", review_session_id=review
    )
    manager.update("ReviewSessionInvitee", invitee, email="eve2@example.com")
    manager.call({"action": "send_review_session_invite", "review_session_invitee_id": invitee})
    manager.update("ReviewSessionInvitee", invitee, name="Eve again")
    for values in ({"email": "client@example.com"}, {"email": "c@example.com", "resource": None}):
        with pytest.raises(api.Error, match="in the name of another"):
            manager.update("ReviewSessionInvitee", invitee, **values)


def test_the_link_is_for_one_address(api: Any, review: str) -> None:
    """A link opens nothing when its invitee has another address, or another invitee its id."""
    person = {"name": "Eve", "review_session_id": review}
    invitee = api.create("ReviewSessionInvitee", email="eve@example.com", **person)
    api.call({"action": "send_review_session_invite", "review_session_invitee_id": invitee})
    link = api.http.get(f"{api.url}/outbox", timeout=30).json()[-1]["links"][0]
    assert requests.get(link, timeout=30).status_code == 200
    api.update("ReviewSessionInvitee", invitee, email="client@example.com")
    assert requests.get(link, timeout=30).status_code == 404
    api.delete("ReviewSessionInvitee", invitee)
    api.create("ReviewSessionInvitee", id=invitee, email="client@example.com", **person)
    assert requests.get(link, timeout=30).status_code == 404


def test_decisions_are_ones_own(
    api: Any, manager: Any, victim: Any, project: str, review: str
) -> None:
    """Nobody approves in the name of another user, or of an invitee."""
    object_id = make_object(api, project, review)
    client = api.create(
        "ReviewSessionInvitee", name="Cleo", email="c@example.com", review_session_id=review
    )
    values = {"status": "approved", "review_session_object_id": object_id}
    for forged in ({"resource_id": victim.user_id}, {"review_session_invitee_id": client}):
        with pytest.raises(api.Error, match="in the name of another"):
            manager.create("ReviewSessionObjectStatus", **values, **forged)
    own = manager.create("ReviewSessionObjectStatus", resource_id=manager.user_id, **values)
    # A collection of the invitee leads to the same column.
    with pytest.raises(api.Error, match="in the name of another"):
        manager.update(
            "ReviewSessionInvitee",
            client,
            statuses=[{"__entity_type__": "ReviewSessionObjectStatus", "id": own}],
        )


def test_invited_users_who_left_are_out(api: Any, victim: Any, review: str, sandbox: Any) -> None:
    """The review link of a user who is deactivated opens nothing."""
    invitee = api.create(
        "ReviewSessionInvitee",
        name="Vic",
        email="victim@example.com",
        review_session_id=review,
        resource_id=victim.user_id,
    )
    api.call({"action": "send_review_session_invite", "review_session_invitee_id": invitee})
    mail = api.http.get(f"{api.url}/outbox", timeout=30).json()[-1]
    assert requests.get(mail["links"][0], timeout=30).status_code == 200
    api.update("User", victim.user_id, is_active=False)
    assert requests.get(mail["links"][0], timeout=30).status_code == 403


# Events


@pytest.fixture
def listener(wire: Callable[..., Wire]) -> Wire:
    """Return a websocket of the administrator that hears what clients publish."""
    opened = wire()
    opened.subscribe("topic!=ftrack.update")
    return opened


FORGED: list[Any] = [
    {"user": {"username": "victim"}},
    {"user": {"username": "victim", "id": "x"}},
    {"user": {"id": "of the victim"}},
    {"user": {}},
    {"user": None},
    {"user": "victim"},
    {"user": ["victim"]},
    {"user": {"username": ["victim"]}},
    {"user": {"username": {"a": 1}, "id": 5}},
    {},
]


@pytest.mark.parametrize("source", FORGED, ids=repr)
def test_events_name_their_publisher(
    wire: Callable[..., Wire], listener: Wire, artist: Any, victim: Any, source: Any
) -> None:
    """The user of an event is the one of its connection, whatever the event says."""
    eve = wire("artist", artist.key)
    if source == {"user": {"id": "of the victim"}}:
        source = {"user": {"id": victim.user_id}}
    assert eve.emit("my.topic", source={"id": eve.hub, "more": 1, **source})["success"]
    heard = listener.hear()["source"]
    assert heard == {
        "id": eve.hub,
        "more": 1,
        "user": {"id": artist.user_id, "username": "artist"},
    }


@pytest.mark.parametrize("source", ["x", None, [], 5])
def test_events_without_a_source_name_their_publisher(
    wire: Callable[..., Wire], listener: Wire, artist: Any, source: Any
) -> None:
    """An event whose source is missing or no mapping names its publisher as well."""
    eve = wire("artist", artist.key)
    eve.emit("my.topic", source=source)
    assert listener.hear()["source"]["user"] == {"id": artist.user_id, "username": "artist"}


def test_replies_name_their_publisher(
    wire: Callable[..., Wire], listener: Wire, artist: Any
) -> None:
    """A reply cannot be given in the name of another either."""
    eve = wire("artist", artist.key)
    eve.emit("ftrack.meta.reply", source={"user": {"username": "admin"}}, inReplyToEvent="x")
    assert listener.hear()["source"]["user"]["username"] == "artist"


@pytest.mark.parametrize("role", ["Administrator", "API"])
def test_programs_name_users_that_exist(
    wire: Callable[..., Wire], listener: Wire, people: People, victim: Any, role: str
) -> None:
    """Listeners see the user for whom a program launches an action; unknown ones are not seen."""
    program = people("program", role)
    speaker = wire("program", program.key)
    full = {"id": victim.user_id, "username": "victim"}
    own = {"id": program.user_id, "username": "program"}
    cases = [
        ({"username": "victim"}, full),
        ({"id": victim.user_id}, full),
        (full, full),
        ({"username": "nobody at all"}, own),
        ({"id": victim.user_id, "username": "admin"}, own),
    ]
    for said, wanted in cases:
        speaker.emit("ftrack.action.launch", source={"user": said})
        assert listener.hear()["source"]["user"] == wanted


def test_losing_the_role_ends_speaking_for_others(
    api: Any, wire: Callable[..., Wire], listener: Wire, people: People, victim: Any
) -> None:
    """A program that loses its role names only itself from then on, on an open connection too."""
    program = people("program", "API")
    speaker = wire("program", program.key)
    as_victim = {"user": {"username": "victim"}}
    speaker.emit("my.topic", source=as_victim)
    assert listener.hear()["source"]["user"]["username"] == "victim"
    role = api.one('select id from SecurityRole where name is "API"')["id"]
    api.call({"action": "remove_user_security_role", "user_id": program.user_id, "role_id": role})
    speaker.emit("my.topic", source=as_victim)
    assert listener.hear()["source"]["user"]["username"] == "program"


@pytest.mark.parametrize(
    "topic",
    ["ftrack.update", "ftrack.meta.connected", "ftrack.meta.disconnected"],
)
def test_only_the_server_publishes_its_topics(wire: Callable[..., Wire], topic: str) -> None:
    """Nobody, not even an administrator, publishes what listeners take for the server's words."""
    eve, listener = wire(), wire()
    listener.subscribe("topic=*")
    data = {"entities": [{"entityType": "task", "action": "remove", "entityId": "x"}]}
    answer = eve.emit(topic, data=data)
    assert answer["success"] is False
    assert topic in answer["message"]
    eve.emit("my.mark")
    assert listener.hear()["topic"] == "my.mark"


# Accounts that are closed


def test_deactivated_users_are_disconnected(
    api: Any, wire: Callable[..., Wire], artist: Any
) -> None:
    """The websocket of a user closes as soon as the user is deactivated."""
    opened = wire("artist", artist.key)
    opened.subscribe("topic=*")
    api.update("User", artist.user_id, is_active=False)
    opened.wait_closed()


@pytest.mark.parametrize("how", ["deleted", "renamed", "new key"])
def test_other_ends_of_an_account(
    api: Any, wire: Callable[..., Wire], artist: Any, how: str
) -> None:
    """Removing a user, the name or the key ends the connections as well."""
    opened = wire("artist", artist.key)
    if how == "deleted":
        api.delete("User", artist.user_id)
    elif how == "renamed":
        api.update("User", artist.user_id, username="other")
    else:
        api.call(
            {
                "action": "reset_remote",
                "reset_type": "api_key",
                "entity_type": "User",
                "entity_key": artist.user_id,
            }
        )
    opened.wait_closed()


def _deactivated(api: Any, user: Any) -> None:
    api.update("User", user.user_id, is_active=False)


def _with_new_key(api: Any, user: Any) -> None:
    reset = {"action": "reset_remote", "reset_type": "api_key", "entity_type": "User"}
    api.call({**reset, "entity_key": user.user_id})


def _without_role(api: Any, user: Any) -> None:
    for role in api.query(f"UserSecurityRole where user_id is {user.user_id}"):
        api.delete("UserSecurityRole", role["id"])


@pytest.mark.parametrize("end", [_deactivated, _with_new_key, _without_role])
@pytest.mark.parametrize("role", ["Administrator", "Project manager"])
def test_requests_under_way_end_with_the_account(
    api: Any, sandbox: Any, people: People, role: str, end: Callable[[Any, Any], None]
) -> None:
    """A request whose body arrives after the account or its role ended changes nothing."""
    user = people("slow", role)
    api.create("Project", name="kept", full_name="kept", project_schema_id=_schema(api))
    change = {"entity_type": "Project", "entity_key": [_project(api, "kept")["id"]]}
    change = {"action": "update", "entity_data": {"full_name": "changed"}, **change}
    body = json.dumps([change]).encode("utf-8")
    head = (
        f"POST /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"ftrack-user: slow\r\nftrack-api-key: {user.key}\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    port = urlsplit(sandbox.server_url).port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode("ascii"))
        # The server asks for the body after it has checked the key.
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
        end(api, user)
        connection.sendall(body)
        answer = read_all(connection)
    assert b'"exception"' in answer
    assert _project(api, "kept")["full_name"] == "kept"


def _schema(api: Any) -> str:
    return str(api.query("ProjectSchema limit 1")[0]["id"])


def _project(api: Any, name: str) -> Any:
    (found,) = api.query(f'select full_name from Project where name is "{name}"')
    return found


def test_granted_sessions_end_with_the_account(api: Any, sandbox: Any, artist: Any) -> None:
    """A session of the handshake opens no websocket once its user is deactivated."""
    waiting = Wire(sandbox.server_url, "artist", artist.key)
    api.update("User", artist.user_id, is_active=False)
    with pytest.raises(Exception, match="403"):
        waiting.open()


def test_log_ins_and_widgets_end_with_the_account(api: Any, artist: Any, form: Form) -> None:
    """Cookies and widget addresses of a deactivated user open nothing."""
    form.log_in("artist", artist.key, next="/browse")
    assert form.get("/browse").status_code == 200
    widget = artist.call({"action": "get_widget_url", "name": "tasks"})[0]["widget_url"]
    assert requests.get(widget, timeout=30).status_code == 200
    api.update("User", artist.user_id, is_active=False)
    assert form.get("/browse").status_code == 303
    assert requests.get(widget, timeout=30).status_code == 403


def upload_address(user: Any, component_id: str, **more: Any) -> Any:
    """Return what a user gets to upload one byte."""
    return user.call(
        {
            "action": "get_upload_metadata",
            "component_id": component_id,
            "file_name": "x.txt",
            "file_size": 1,
            **more,
        }
    )[0]


def put(address: str) -> int:
    """Return the status of uploading one byte."""
    return requests.put(address, data=b"x", timeout=30).status_code


@pytest.mark.parametrize("parts", [None, 1])
def test_upload_addresses_end_with_the_account(api: Any, artist: Any, parts: Any) -> None:
    """Upload addresses of a deactivated user take nothing."""
    granted = upload_address(artist, str(uuid.uuid4()), parts=parts)
    address = granted["urls"][0]["signed_url"] if parts else granted["url"]
    assert put(address) == 200
    api.update("User", artist.user_id, is_active=False)
    assert put(address) == 403


@pytest.fixture
def component(api: Any, project: str) -> str:
    """Return the id of a component with data in an open project."""
    asset = api.create("Asset", name="plate", context_id=project)
    version = api.create("AssetVersion", asset_id=asset)
    made = api.create("FileComponent", name="main", file_type=".txt", version_id=version)
    api.create(
        "ComponentLocation",
        component_id=made,
        location_id=SERVER_LOCATION,
        resource_identifier=made,
    )
    assert put(upload_address(api, made)["url"]) == 200
    return str(made)


def test_upload_addresses_end_with_the_rights(
    api: Any, artist: Any, project: str, component: str
) -> None:
    """An upload address takes nothing once the component belongs to a private project."""
    address = upload_address(artist, component)["url"]
    parts = upload_address(artist, component, parts=1)["urls"][0]["signed_url"]
    assert (put(address), put(parts)) == (200, 200)
    api.update("Project", project, is_private=True)
    assert (put(address), put(parts)) == (403, 403)


def test_addresses_of_files_end_with_the_rights_and_the_account(
    api: Any, artist: Any, project: str, component: str
) -> None:
    """The address of a file in an answer is good as long as its reader may read the file."""
    query = f"select component_locations.url from FileComponent where id is {component}"

    def address() -> str:
        return str(artist.query(query)[0]["component_locations"][0]["url"]["value"])

    granted = address()
    assert not re.search(r"username|apiKey", granted)
    assert requests.get(granted, timeout=30).content == b"x"
    api.update("Project", project, is_private=True)
    assert requests.get(granted, timeout=30).status_code == 403
    api.update("Project", project, is_private=False)
    assert requests.get(granted, timeout=30).status_code == 200
    api.update("User", artist.user_id, is_active=False)
    assert requests.get(granted, timeout=30).status_code == 403


def test_signed_addresses_cannot_change_hands(
    api: Any, artist: Any, victim: Any, component: str
) -> None:
    """Whoever changes the holder in an address breaks its signature."""
    address = upload_address(artist, component)["url"]
    assert artist.user_id in address
    assert put(address.replace(artist.user_id, victim.user_id)) == 403
    assert put(re.sub(r"holder=[^&]*&", "", address)) == 403
    assert urlsplit(address).query


# Entities with the id of another


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("kind", ["FileComponent", "ReviewSession", "Note", "Collaborator"])
def test_nobody_takes_the_id_of_another_entity(
    api: Any, artist: Any, project: str, kind: str, again: bool
) -> None:
    """An entity with the id of a task shares and deletes nothing of the task: it is refused."""
    task = api.create("Task", name="secret", parent_id=project)
    data = {"parent_id": task, "parent_type": "Task", "key": "colour", "value": "red"}
    metadata = {"__entity_type__": "Metadata", **data}
    where = {"entity_type": "Metadata", "entity_key": [task, "colour"]}
    api.call({"action": "create", **where, "entity_data": metadata})
    values = {
        "FileComponent": {"name": "main"},
        "ReviewSession": {"name": "Dailies", "project_id": project},
        "Note": {"content": "Words", "parent_id": project, "parent_type": "Project"},
        "Collaborator": {"email": "guest@example.com"},
    }[kind]
    made = {"__entity_type__": kind, "id": task, **values}
    place = {"entity_type": kind, "entity_key": [task]}
    operations = [{"action": "create", **place, "entity_data": made}]
    if again:  # what is gone when the batch ends has taken along what pointed at it
        operations.append({"action": "delete", **place})
    answer = artist.http.post(f"{artist.url}/api", json=operations, timeout=30)
    assert answer.status_code in {400, 403, 409}, answer.text
    kept = api.query(f'select metadata.value from Task where id is "{task}"')[0]["metadata"]
    assert [one["value"] for one in kept] == ["red"]
