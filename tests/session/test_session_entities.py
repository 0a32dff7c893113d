"""Getting, ensuring and asking for things, against a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import arrow
import pytest

from ftrack_like import cache, exception, symbol
from ftrack_like._values.literals import literal


@pytest.fixture
def project(session: Any) -> Any:
    """Return a new project."""
    made = session.create(
        "Project",
        {
            "name": "field",
            "full_name": "Field",
            "project_schema": session.query("ProjectSchema").first(),
        },
    )
    session.commit()
    return made


def count(session: Any) -> int:
    """Return how many requests *session* has made."""
    return int(session.statistics.requests)


def test_get_uses_the_cache_first(session: Any, project: Any) -> None:
    """An entity that is held is given without asking; that is counted."""
    before, hits = count(session), session.statistics.cache_hits
    assert session.get("Project", project["id"]) is project
    assert session.get("Project", [project["id"]]) is project
    assert session.get("Project", {"id": project["id"]}) is project
    assert count(session) == before
    assert session.statistics.cache_hits == hits + 3


def test_get_of_what_is_missing(session: Any) -> None:
    """A key that no entity has gives None, whatever is in it."""
    assert session.get("Task", "no-such-id") is None
    assert session.get("Task", 'a"b\\c') is None
    assert session.get("Metadata", ["a", "b"]) is None


def test_get_of_a_base_type(session: Any, project: Any) -> None:
    """A base type gives the entity of its concrete type."""
    found = session.get("Context", project["id"])
    assert found is project
    task = session.create("Task", {"name": "t", "parent": project})
    session.commit()
    assert session.get("TypedContext", task["id"]) is task


@pytest.mark.parametrize("key", [["1", "2"], [], {"other": 1}])
def test_get_with_a_key_that_does_not_fit(session: Any, key: Any) -> None:
    """A key of the wrong length is a ValueError that says what belongs there."""
    with pytest.raises(ValueError, match=r"\bid\b"):
        session.get("Task", key)


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session.get("Version", "1"),
        lambda session: session.query("Version"),
        lambda session: session.query("select id from Version"),
        lambda session: session.create("Version"),
        lambda session: session.ensure("Version", {"a": 1}),
    ],
)
def test_unknown_types(session: Any, use: Any) -> None:
    """An unknown type is a KeyError with a guess at what was meant."""
    with pytest.raises(KeyError) as caught:
        use(session)
    assert isinstance(caught.value, exception.UnrecognisedEntityTypeError)
    assert str(caught.value).endswith("Did you mean 'AssetVersion'?")


def test_unknown_attributes_in_queries(session: Any) -> None:
    """A mistake in an expression is shown by the server, with a caret under its place."""
    with pytest.raises(exception.ServerParseError) as caught:
        session.query("Task where stauts.name is 'Done'").all()
    first, line, caret = str(caught.value).splitlines()[:3]
    assert "Did you mean 'status'?" in first
    assert line[caret.index("^") :].startswith("stauts")


def test_ensure_creates_and_finds(session: Any) -> None:
    """What is not there is created and committed, then found again."""
    data = {"username": "jo", "first_name": "Jo"}
    user = session.ensure("User", data, identifying_keys=["username"])
    assert not session.recorded_operations
    assert session.ensure("User", data, ["username"]) is user
    assert session.query('User where username is "jo"').one() is user


def test_ensure_updates_what_differs(session: Any) -> None:
    """The rest of the data is set where it differs, and only then is anything sent."""
    user = session.ensure("User", {"username": "jo", "first_name": "Jo"}, ["username"])
    same = session.ensure("User", {"username": "jo", "first_name": "Joan"}, ["username"])
    assert same is user
    assert not session.recorded_operations
    session.reset()
    found = session.query('select first_name from User where username is "jo"').one()
    assert found["first_name"] == "Joan"
    before = count(session)
    session.ensure("User", {"username": "jo", "first_name": "Joan"}, ["username"])
    assert count(session) == before + 1


def test_ensure_cannot_be_led_astray_by_quotes(session: Any) -> None:
    """A value with quotes is a value: it does not find, or change, somebody else."""
    session.ensure("User", {"username": "victim", "first_name": "Vic"}, ["username"])
    evil = 'x" or username is "victim'
    user = session.ensure("User", {"username": evil, "first_name": "Eve"}, ["username"])
    assert user["username"] == evil
    session.reset()
    assert session.query('User where username is "victim"').one()["first_name"] == "Vic"
    assert session.ensure("User", {"username": evil}, ["username"])["first_name"] == "Eve"


def test_ensure_by_references_none_and_numbers(session: Any, project: Any) -> None:
    """Entities, None, truth, numbers and times can identify as well."""
    data = {
        "name": "t",
        "parent": project,
        "description": None,
        "bid": 3.5,
        "start_date": arrow.get("2024-05-06T07:08:09+02:00"),
    }
    task = session.ensure("Task", {**data, "description": "x"}, ["name", "parent", "bid"])
    again = session.ensure("Task", {**data, "description": "x"})
    assert again is task


def test_ensure_needs_something_to_go_by(session: Any) -> None:
    """Without data, or with an identifying key that it lacks, nothing can be ensured."""
    with pytest.raises(ValueError, match="User"):
        session.ensure("User", {})
    with pytest.raises(KeyError, match="Did you mean 'username'"):
        session.ensure("User", {"username": "a"}, ["usernam"])


def test_ensure_refuses_to_choose(session: Any) -> None:
    """Several entities that fit are an error."""
    for name in "ab":
        session.create("User", {"username": name, "first_name": "Same"})
    session.commit()
    with pytest.raises(exception.MultipleResultsFoundError):
        session.ensure("User", {"first_name": "Same"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (3, "3"),
        (2.5, "2.5"),
        ('a"b\\', '"a\\"b\\\\"'),
        (arrow.get("2024-05-06T07:08:09+02:00"), '"2024-05-06T05:08:09"'),
        (arrow.get("2024-05-06").date(), '"2024-05-06"'),
    ],
)
def test_literals(value: Any, text: str) -> None:
    """Values are written as the query language reads them."""
    assert literal(value) == text


def test_populate_loads_in_few_requests(session: Any, project: Any) -> None:
    """Many entities are populated by one request, and what is local stays."""
    tasks = [session.create("Task", {"name": f"t{n}", "parent": project}) for n in range(20)]
    session.commit()
    session.reset()
    found = session.query(f'select id from Task where project_id is "{project["id"]}"').all()
    found[0]["description"] = "mine"
    before = count(session)
    session.populate(found, "name, description, status.name")
    assert count(session) == before + 1
    with session.auto_populating(False):
        assert sorted(each["name"] for each in found) == sorted(f"t{n}" for n in range(20))
        assert found[0]["description"] == "mine"
        assert found[1]["status"]["name"] == "Not started"
    assert len(tasks) == 20


def test_load_groups_can_be_turned_off(sandbox: Any, session: Any, project: Any) -> None:
    """Reading what is not loaded asks for the whole page at once, unless told not to."""
    for number in range(10):
        name = f"t{number}"
        session.create("Task", {"name": name, "parent": project, "description": name})
    session.commit()
    for load_groups, requests in ((True, 1), (False, 10)):
        with sandbox.session(load_groups=load_groups) as other:
            tasks = other.query(f'Task where project_id is "{project["id"]}"').all()
            before = count(other)
            found = {task["description"] for task in tasks}
            assert found == {f"t{number}" for number in range(10)}
            assert count(other) - before == requests
            assert other.statistics.grouped_loads == int(load_groups)


def test_lazy_loading_can_be_refused(sandbox: Any) -> None:
    """Loops that ask for each entity can be found."""
    with sandbox.session(on_lazy_load="raise") as session:
        user = session.query("select id from User").first()
        with pytest.raises(exception.LazyLoadError, match="username") as caught:
            user["username"]
        assert caught.value.entity is user
        assert caught.value.attribute_name == "username"


def test_merge_attaches(session: Any) -> None:
    """Entities inside anything are replaced by the session's own."""
    user = session.query("User").first()
    detached = session.decode(session.encode(user, "persisted_only"))
    assert detached is not user
    merged = session.merge({"a": [detached], "b": 1})
    assert merged["a"][0] is user
    assert merged["b"] == 1


def test_encoding_strategies(session: Any) -> None:
    """Each strategy encodes its choice of an entity's values."""
    user = session.query("select username, first_name from User").first()
    user["first_name"] = "New"
    encoded = {
        strategy: json.loads(session.encode(user, strategy))
        for strategy in ("set_only", "modified_only", "persisted_only")
    }
    assert encoded["modified_only"] == {
        "__entity_type__": "User",
        "id": user["id"],
        "first_name": "New",
    }
    assert encoded["set_only"]["first_name"] == "New"
    assert encoded["persisted_only"]["first_name"] != "New"
    with pytest.raises(ValueError, match="modified_only"):
        session.encode(user, "some")


def test_entity_reference(session: Any) -> None:
    """A reference is the type and the primary key."""
    user = session.query("User").first()
    assert session.entity_reference(user) == {"__entity_type__": "User", "id": user["id"]}


def test_locations_are_there(session: Any) -> None:
    """The built-in locations are configured by the start."""
    for identifier in (symbol.ORIGIN_LOCATION_ID, symbol.SERVER_LOCATION_ID):
        assert session.get("Location", identifier)["id"] == identifier
    assert isinstance(session._get_locations(), list)


# Remote actions


def test_reset_remote_gives_a_new_key(fresh_sandbox: Any) -> None:
    """A user's key can be set anew; the new one works."""
    with fresh_sandbox.session() as session:
        user = session.ensure("User", {"username": "jo"})
        first = session.reset_remote("api_key", user)["api_key"]
        second = session.reset_remote("api_key", entity=user)["api_key"]
        assert first != second
        with fresh_sandbox.session(api_user="jo", api_key=second) as other:
            assert other.query('User where username is "jo"').one()


def test_widget_addresses(session: Any, project: Any) -> None:
    """A widget's address comes as text, with and without an entity."""
    assert session.get_widget_url("tasks").startswith(session.server_url)
    assert session.get_widget_url("info", entity=project, theme="dark").startswith("http")


def test_invitations(session: Any, server: Any, open_session: Any) -> None:
    """Invitations go in one batch, by the ids of those invited."""
    canned = open_session(server)
    users = [canned.create("User", {"id": key}, reconstructing=True) for key in "ab"]
    del server.requests[:]
    canned.send_user_invites(users)
    canned.send_user_invite(users[0])
    canned.send_review_session_invites(users)
    canned.send_review_session_invite(users[1])
    assert server.batches == [
        [{"action": "send_user_invite", "user_id": key} for key in "ab"],
        [{"action": "send_user_invite", "user_id": "a"}],
        [
            {"action": "send_review_session_invite", "review_session_invitee_id": key}
            for key in "ab"
        ],
        [{"action": "send_review_session_invite", "review_session_invitee_id": "b"}],
    ]


def test_upload_metadata(server: Any, open_session: Any) -> None:
    """What an upload needs is asked for with all that is known of the file."""
    session = open_session(server)
    server.answer = lambda batch: [{"url": "http://x", "headers": {}, "component_id": "c"}]
    assert session.get_upload_metadata("c", "a.mov", 5, checksum="abc")["url"] == "http://x"
    assert server.batches[-1] == [
        {
            "action": "get_upload_metadata",
            "component_id": "c",
            "file_name": "a.mov",
            "file_size": 5,
            "checksum": "abc",
        }
    ]


def test_encode_media_of_a_component(server: Any, open_session: Any, replies: Any) -> None:
    """A component is kept, its version is passed on, and the job comes back."""
    session = open_session(server)

    def answer(batch: Any) -> Any:
        if batch[0]["action"] == "encode_media":
            return [{"action": "encode_media", "job_id": "j"}]
        return [
            {"action": "query", "data": [{"__entity_type__": "Job", "id": "j"}], "metadata": {}}
        ]

    server.answer = answer
    component = session.create("FileComponent", {"id": "c"}, reconstructing=True)
    del server.requests[:]
    assert session.encode_media(component, version_id="v")["id"] == "j"
    assert server.batches[0] == [
        {
            "action": "encode_media",
            "component_id": "c",
            "version_id": "v",
            "keep_original": True,
        }
    ]
    with pytest.raises(ValueError, match="FileComponent"):
        session.encode_media(session.create("Task", {}, reconstructing=True))


def test_actions_that_the_server_does_not_know(server: Any, open_session: Any) -> None:
    """A server that lacks an action is too old, and its words stay in the error."""
    session = open_session(server)
    server.answer = lambda batch: {
        "exception": "ValueError",
        "content": "Invalid action u'get_widget_url'",
        "error_code": None,
    }
    with pytest.raises(exception.ServerCompatibilityError) as caught:
        session.get_widget_url("tasks")
    assert "Invalid action u'get_widget_url'" in str(caught.value)
    assert "4.13.8" in str(caught.value)
    with pytest.raises(exception.ServerError, match="Invalid action u'get_widget_url'"):
        session.call([{"action": "get_widget_url"}])


def test_what_a_lower_cache_holds_comes_out_attached(
    sandbox: Any, project: Any, tmp_path: Path
) -> None:
    """Who asks the session's cache itself gets the session's own entities, also inside them."""

    def on_disk(session: Any) -> Any:
        file = cache.FileCache(tmp_path / "entities")
        return cache.SerialisedCache(file, encode=session.encode, decode=session.decode)

    schema_id = project["project_schema"]["id"]
    with sandbox.session(cache=on_disk) as first:
        first.query(f"select name, project_schema.name from Project where id is {project['id']}")[0]
    with sandbox.session(cache=on_disk) as second:
        before = count(second)
        key = second.cache_key_maker.key(("Project", [project["id"]]))
        found = second.cache.get(key)
        assert second.cache.get(key) is found
        assert second.get("Project", project["id"]) is found
        assert found["project_schema"] is second.get("ProjectSchema", schema_id)
        assert count(second) == before
        with pytest.raises(KeyError):
            second.cache.get("no key")
