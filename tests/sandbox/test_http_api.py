"""The API over HTTP: envelope, authentication, statuses, and transactions between clients."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox import http_app
from ftrack_like.sandbox.actions.registry import ApiAction
from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.limits import Limits

ASK = {"action": "query_server_information"}


def post(api: Any, body: Any, **headers: Any) -> requests.Response:
    """Return the answer to *body*, sent as it is when it is text or bytes."""
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return api.http.post(f"{api.url}/api", data=data, headers=headers, timeout=30)


# Envelope


def test_results_come_in_order(api: Any) -> None:
    """A batch is answered by a list with one result per operation, in order."""
    query = {"action": "query", "expression": "select name from Location limit 1"}
    information, answer = api.call(ASK, query)
    assert information["version"].startswith("4.")
    assert answer["action"] == "query"
    assert answer["metadata"] == {"next": {"offset": 1}}


def test_single_mapping_is_one_operation(api: Any) -> None:
    """A body that is one mapping is answered as a batch of one."""
    answer = post(api, ASK).json()
    assert [sorted(one) for one in answer] == [
        ["is_timezone_support_enabled", "schema_hash", "storage_scenario", "version"]
    ]


def test_empty_batch_has_no_results(api: Any) -> None:
    """No operations, no results."""
    assert api.call() == []


def test_schemas_have_the_hash_that_the_server_says(api: Any) -> None:
    """The hash is the MD5 of the schemas as sorted JSON."""
    information, schemas = api.call(ASK, {"action": "query_schemas"})
    text = json.dumps(schemas, sort_keys=True)
    assert information["schema_hash"] == hashlib.md5(text.encode()).hexdigest()


def test_only_asked_values_of_the_information_are_answered(api: Any) -> None:
    """The server information can be narrowed to some of its values."""
    assert list(api.call({**ASK, "values": ["version"]})[0]) == ["version"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("not JSON", "not JSON"),
        ("", "not JSON"),
        ("5", "list of operations"),
        ("[5]", "Operation 0 is not a mapping"),
        ('[{"action": "create", "size": NaN}]', "NaN"),
        (b"\xff[]", "UTF-8"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_malformed_bodies_are_refused_in_words(api: Any, body: Any, words: str) -> None:
    """A body that is no list of operations is refused, saying what is wrong with it."""
    answer = post(api, body)
    assert answer.status_code == 400
    assert answer.json()["exception"] == "MalformedRequestError"
    assert words in answer.json()["content"]


def test_too_large_body_is_refused(api: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body beyond the bound is refused while it is read."""
    monkeypatch.setattr(sandbox._api, "limits", Limits(body_bytes=1000))
    answer = post(api, [{**ASK, "rubbish": "x" * 2000}])
    assert (answer.status_code, answer.json()["exception"]) == (413, "RequestTooLargeError")


@pytest.mark.parametrize("action", ["send_flowers", "__init__", "", None, 5])
def test_unknown_actions_are_refused(api: Any, action: Any) -> None:
    """An unknown action is named in the words that clients search for."""
    with pytest.raises(api.Error) as caught:
        api.call({"action": action})
    assert f"Invalid action u'{action}'" in caught.value.content
    assert caught.value.status == 400


# Errors


@pytest.mark.parametrize(
    ("operation", "name", "status", "words"),
    [
        (
            {"action": "query", "expression": "Task where nme is x"},
            "ParseError",
            400,
            "Did you mean 'name'?",
        ),
        ({"action": "query"}, "KeyError", 400, "needs 'expression'"),
        (
            {"action": "create", "entity_type": "Version", "entity_data": {}},
            "UnrecognisedEntityTypeError",
            400,
            "Did you mean 'AssetVersion'?",
        ),
        (
            {"action": "create", "entity_type": "User", "entity_data": {"user_name": "x"}},
            "ValidationError",
            400,
            "No attribute 'user_name' exists for User. Did you mean 'username'?",
        ),
        (
            {"action": "create", "entity_type": "User", "entity_data": {"username": 5}},
            "ValidationError",
            400,
            "'username' of User must be a text, not 5 (int)",
        ),
        (
            {"action": "create", "entity_type": "Job", "entity_data": {"status": "lazy"}},
            "ValidationError",
            400,
            "'queued', 'running', 'done', 'failed'",
        ),
        (
            {"action": "create", "entity_type": "Location", "entity_data": {}},
            "ValidationError",
            400,
            "lacks the required attribute 'name'",
        ),
        (
            {"action": "create", "entity_type": "Timelog", "entity_data": {"context_id": "nil"}},
            "ValidationError",
            400,
            "'context_id' of Timelog points at 'nil', which does not exist",
        ),
        (
            {
                "action": "create",
                "entity_type": "Timelog",
                "entity_data": {"context": {"__entity_type__": "User", "id": "x"}},
            },
            "ValidationError",
            400,
            "must be a Context, not a User",
        ),
        (
            {"action": "create", "entity_type": "Event", "entity_data": {}},
            "ValidationError",
            400,
            "kept by the server",
        ),
        (
            {"action": "update", "entity_type": "User", "entity_key": ["nobody"]},
            "NotFoundError",
            404,
            "no User with the key ['nobody']",
        ),
        (
            {"action": "update", "entity_type": "Metadata", "entity_key": ["one"]},
            "ValidationError",
            400,
            "[parent_id, key]",
        ),
        ({"action": "encode_media", "component_id": "nil"}, "NotFoundError", 404, "nil"),
    ],
)
def test_errors_say_what_and_where(
    api: Any, operation: dict[str, Any], name: str, status: int, words: str
) -> None:
    """A refused operation is answered by a name for programs and a sentence for people."""
    with pytest.raises(api.Error) as caught:
        api.call(operation)
    assert (caught.value.name, caught.value.status) == (name, status)
    assert words in caught.value.content


def test_status_is_200_unless_asked_otherwise(api: Any) -> None:
    """Only a strict request gets an HTTP status that says that it failed."""
    for strict, status in (("true", 400), ("True", 400), ("false", 200), ("", 200)):
        answer = post(api, [{"action": "x"}], **{"ftrack-strict-api": strict})
        assert answer.status_code == status
        assert answer.json()["exception"] == "InvalidActionError"


def test_failing_operation_of_several_is_named(api: Any) -> None:
    """The error of a batch says which operation failed."""
    with pytest.raises(api.Error, match=r"\(operation 1: update User\)"):
        api.call(api.make("Scope", name="x"), api.change("User", "nobody", username="x"))


def test_place_of_the_failing_operation_travels(api: Any) -> None:
    """An error says for programs which operation of the batch failed, also one found at its end."""
    schema = api.query("ProjectSchema")[0]["id"]
    project = api.create("Project", name="film", project_schema_id=schema)
    good = api.make("Scope", name="x")
    missing = str(uuid.uuid4())
    cases = {
        "at once": api.make("Folder", name="a", parent_id=project, nonsense=1),
        "reference": api.make("Folder", name="a", parent_id=project, thumbnail_id=missing),
        "member": api.change(
            "Project", project, scopes=[{"__entity_type__": "Scope", "id": missing}]
        ),
        "place": api.make("Folder", name="a"),
        "name": api.make("Folder", name="", parent_id=project),
        "emptied": api.change("Project", project, project_schema_id=None),
        "required": api.make("TypedContextLink", from_id=project),
        "action": {"action": "nonsense"},
    }
    for name, bad in cases.items():
        answer = post(api, [good, bad, api.make("Scope", name="y")]).json()
        assert answer.get("operation") == 1, (name, answer)
        assert "(operation 1: " in answer["content"], (name, answer)


def test_fault_of_the_server_names_no_internals(
    api: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault that nobody foresaw is logged, and answered by a number to look it up."""

    def fail(operation: Any, batch: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setitem(
        sandbox._api.actions, "query_schemas", ApiAction("query_schemas", fail, reads=True)
    )
    with pytest.raises(api.Error) as caught:
        api.call({"action": "query_schemas"})
    assert (caught.value.name, caught.value.status) == ("InternalServerError", 500)
    assert "secret detail" not in caught.value.content
    assert "secret detail" in caplog.text


# Who asks


@pytest.mark.parametrize(
    ("user", "key"),
    [("admin", "wrong"), ("nobody", None), ("", None), ("admin", ""), ("admin", "ключ")],
)
def test_wrong_credentials_are_refused_alike(api: Any, sandbox: Any, user: str, key: Any) -> None:
    """A wrong user and a wrong key get the same answer, which never shows the key."""
    key = sandbox.api_key if key is None else key
    answer = post(api, [ASK], **{"ftrack-user": user, "ftrack-api-key": key.encode()})
    assert answer.status_code == 401
    assert answer.json()["exception"] == "InvalidCredentialsError"
    assert answer.json()["error_code"] == "api_credentials_invalid"
    assert "API key is not valid" in answer.json()["content"]
    assert sandbox.api_key not in answer.text


def test_small_request_uses_one_thread(
    api: Any, sandbox_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small request is handed to a thread once; the client of a large one is checked first."""
    handed: list[Any] = []
    original = http_app.run_in_threadpool

    async def run(function: Any, *arguments: Any) -> Any:
        handed.append(function)
        return await original(function, *arguments)

    monkeypatch.setattr(http_app, "run_in_threadpool", run)
    assert post(api, [ASK]).status_code == 200
    assert len(handed) == 1
    handed.clear()
    assert post(api, json.dumps([ASK]) + " " * 20_000).status_code == 200
    assert len(handed) == 2


@pytest.mark.parametrize("size", [0, 20_000])
def test_unknown_client_runs_nothing(
    api: Any, sandbox_here: Any, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """No operation of a client with a wrong key is read, whatever the size of its body."""
    monkeypatch.setattr(Api, "answer_pieces", lambda *arguments: pytest.fail("the batch has run"))
    answer = post(api, "no JSON" + " " * size, **{"ftrack-api-key": "wrong"}).json()
    assert answer["error_code"] == "api_credentials_invalid"


def test_missing_credentials_are_refused(api: Any) -> None:
    """A request without credentials is refused, read or write."""
    assert requests.post(f"{api.url}/api", json=[ASK], timeout=30).json()["exception"] == (
        "InvalidCredentialsError"
    )
    assert requests.get(f"{api.url}/api", timeout=30).status_code == 401


def test_inactive_user_is_refused(api: Any) -> None:
    """A user who is not active cannot log in."""
    user = api.create("User", username="left", is_active=False)
    reset = {
        "action": "reset_remote",
        "reset_type": "api_key",
        "entity_type": "User",
        "entity_key": user,
    }
    key = api.call(reset)[0]["data"]["api_key"]
    headers = {"ftrack-user": "left", "ftrack-api-key": key}
    assert post(api, [ASK], **headers).status_code == 401
    api.update("User", user, is_active=True)
    assert post(api, [ASK], **headers).status_code == 200


def test_new_key_replaces_the_old_one(api: Any) -> None:
    """Each reset answers another key, and only the last one works; other resets are errors."""
    user = api.create("User", username="artist")
    reset = {"action": "reset_remote", "entity_type": "User", "entity_key": user}
    keys = [api.call({**reset, "reset_type": "api_key"})[0]["data"]["api_key"] for _ in "ab"]
    statuses = [
        post(api, [ASK], **{"ftrack-user": "artist", "ftrack-api-key": key}).status_code
        for key in keys
    ]
    assert statuses == [401, 200]
    with pytest.raises(api.Error, match="password"):
        api.call({**reset, "reset_type": "password"})


def test_information_is_for_those_who_may_log_in(api: Any) -> None:
    """``GET /api`` answers the server information to header credentials."""
    answer = api.http.get(f"{api.url}/api", timeout=30)
    assert answer.json() == api.call(ASK)[0]


def test_root_tells_its_version(api: Any) -> None:
    """``GET /`` answers without credentials and without a redirect, with a version header."""
    answer = requests.get(api.url, allow_redirects=False, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["FTRACK_VERSION"] == api.call(ASK)[0]["version"]


def test_work_is_done_in_the_name_of_the_user_who_asks(api: Any) -> None:
    """What another user makes is that user's."""
    user = api.create("User", username="artist")
    reset = {"action": "reset_remote", "reset_type": "api_key", "entity_type": "User"}
    key = api.call({**reset, "entity_key": user})[0]["data"]["api_key"]
    note = api.make("Note", content="mine")
    post(api, [note], **{"ftrack-user": "artist", "ftrack-api-key": key})
    assert api.one("select author.username from Note")["author"]["username"] == "artist"


# Transactions


def test_failed_batch_leaves_nothing(api: Any) -> None:
    """If one operation fails, none is applied, whichever it is."""
    good, bad = api.make("Scope", name="new"), api.change("User", "nobody", username="x")
    for batch in ([good, bad], [bad, good], [good, {"action": "x"}]):
        with pytest.raises(api.Error):
            api.call(*batch)
        assert api.query("Scope where name is new") == []


def test_same_key_twice_is_refused(api: Any) -> None:
    """Two creates with one id are refused, in one batch and in two."""
    operation = api.make("Scope", name="new")
    with pytest.raises(api.Error, match="DuplicateEntry"):
        api.call(operation, operation)
    api.call(operation)
    with pytest.raises(api.Error, match="DuplicateEntry"):
        api.call(operation)


def test_many_clients_write_at_once(api: Any, sandbox: Any) -> None:
    """Writers at the same time neither fail nor lose anything, and versions count on."""
    schema = api.query("ProjectSchema")[0]["id"]
    project = api.create("Project", name="film", project_schema_id=schema)
    asset = api.create("Asset", name="plate", context_id=project)

    def write(number: int) -> None:
        mine = type(api)(sandbox)
        for count in range(10):
            name = f"{number}-{count}"
            mine.call(
                mine.make("AssetVersion", asset_id=asset),
                mine.make("Task", name=name, parent_id=project),
            )
        mine.http.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    versions = api.query(f"select version from AssetVersion where asset_id is {asset}")
    assert sorted(one["version"] for one in versions) == list(range(1, 81))
    assert len(api.query("Task")) == 80


def test_readers_do_not_wait_for_a_writer(api: Any, sandbox: Any) -> None:
    """While a transaction writes, queries are answered with what was there before it."""
    with sandbox._api.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM scope")
        answered = threading.Event()
        found: list[Any] = []

        def read() -> None:
            found.extend(api.query("Scope"))
            answered.set()

        threading.Thread(target=read).start()
        assert answered.wait(10)
        assert found
        connection.rollback()


def test_search_narrows_a_query(api: Any) -> None:
    """A search answers as a query does, only what fits its terms."""
    operation = {
        "action": "search",
        "expression": "select name from Status",
        "entity_type": "Status",
        "terms": ["prog"],
        "context_ids": [],
        "object_type_ids": [],
    }
    answer = api.call(operation)[0]
    assert answer["action"] == "query"
    assert [one["name"] for one in answer["data"]] == ["In progress"]
    with pytest.raises(api.Error, match="list of texts"):
        api.call({**operation, "terms": [5]})


def test_delayed_job_is_answered_as_a_job(api: Any) -> None:
    """A job that the server runs by itself is an entity; other kinds are refused."""
    job = api.call({"action": "delayed_job", "job_type": "SYNC_USERS_LDAP"})[0]["data"]
    assert job["__entity_type__"] == "Job"
    assert api.one(f"select status from Job where id is {job['id']}")["status"] == "failed"
    with pytest.raises(api.Error, match="no delayed job 'MAKE_TEA'"):
        api.call({"action": "delayed_job", "job_type": "MAKE_TEA"})


def test_commit_stands_whatever_follows_it(
    api: Any, sandbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault in what is told of a commit is logged; the commit is answered as done."""

    def fail(batch: Any) -> None:
        raise RuntimeError("deaf")

    sandbox._api.listeners.append(fail)
    try:
        scope = api.create("Scope", name="new")
    finally:
        sandbox._api.listeners.remove(fail)
    assert api.one(f"select name from Scope where id is {scope}")["name"] == "new"
    assert "deaf" in caplog.text


def test_client_that_leaves_in_the_middle_is_no_fault(
    api: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A client that goes before its request is whole leaves no trace in the log."""
    place = urlsplit(api.url)
    headers = {name: api.http.headers[name] for name in ("ftrack-user", "ftrack-api-key")}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    for _ in range(3):
        with socket.create_connection((place.hostname, place.port)) as connection:
            head = ["POST /api HTTP/1.1", f"Host: {place.netloc}", "Content-Length: 100", *lines]
            connection.sendall("\r\n".join([*head, "", "half"]).encode())
        assert api.call() == []
    assert "ClientDisconnect" not in caplog.text + "".join(capfd.readouterr())


def test_errors_contain_no_braces() -> None:
    """The published client formats the text of an error again, which fails at a brace."""
    from ftrack_like.sandbox.errors import ValidationError

    content = ValidationError('not {"a": {"b": 1}}').as_wire()["content"]
    assert content == 'not ("a": ("b": 1))'
    assert content.format(name="x") == content
