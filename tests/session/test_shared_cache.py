"""Sessions of several processes and users share one cache, and see only what they may see."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import select
import socket
import socketserver
import threading
import uuid
from typing import Any, Callable
from urllib.parse import urlsplit

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like import Session, cache, exception
from ftrack_like.cache import addresses

Opener = Callable[..., Session]


@pytest.fixture
def redis_address() -> str:
    """Return the address of an empty cache on the Redis server of the tests, or skip the test."""
    pytest.importorskip("redis", reason="the extra 'redis' is not installed")
    url = os.environ.get("FTRACK_LIKE_TEST_REDIS_URL")
    if not url:
        pytest.skip("FTRACK_LIKE_TEST_REDIS_URL names no server")
    return f"{url}?expire=60&prefix=ftrack-test-{uuid.uuid4().hex}:"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def address(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Return the address of an empty cache of each kind."""
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shared.db"
    found: str = request.getfixturevalue("redis_address")
    return found


@pytest.fixture
def statuses(sandbox: Any) -> list[str]:
    """Return the ids of all statuses."""
    with sandbox.session() as plain:
        return [each["id"] for each in plain.query("Status")]


def layer_of(session: Session) -> Any:
    """Return the layer below the memory of *session*."""
    return session.cache.caches[1]


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that receives the name of each call of a Redis cache."""
    calls: list[str] = []
    for name in ("get", "set", "remove", "get_many", "set_many", "remove_many"):
        original = getattr(cache.RedisCache, name)

        def counted(self: Any, *values: Any, name: str = name, original: Any = original) -> Any:
            calls.append(name)
            return original(self, *values)

        monkeypatch.setattr(cache.RedisCache, name, counted)
    return calls


@pytest.fixture
def project(session: Session) -> Any:
    """Return a new project."""
    name = f"shared_{uuid.uuid4().hex}"
    schema = session.query("ProjectSchema").first()
    found = session.create("Project", {"name": name, "project_schema": schema})
    session.commit()
    return found


def test_second_session_needs_no_request(sandbox: Any, address: str, statuses: list[str]) -> None:
    """A session finds the entities that another session has loaded."""
    with sandbox.session(cache=address) as first:
        loaded = {each["id"]: each["name"] for each in first.query("select name from Status")}
    with sandbox.session(cache=address) as second:
        second.statistics.reset()
        found = second.get_many("Status", statuses)
        assert {each["id"]: each["name"] for each in found} == loaded
        assert second.get("Status", statuses[0])["name"] == loaded[statuses[0]]
        assert second.statistics.requests == 0


def test_page_costs_one_read_and_one_write(
    sandbox: Any, project: Any, trips: list[str], redis_address: str
) -> None:
    """The trips to the cache do not depend on the number of entities of a page."""
    session = project.session
    for number in range(60):
        session.create("Folder", {"name": f"f{number}", "parent": project})
    session.commit()
    query = f'select name, project.name from Folder where project_id is "{project["id"]}"'
    with sandbox.session(cache=redis_address) as first:
        ids = [each["id"] for each in first.query(query)]
        assert trips == ["get_many", "set_many"]
        trips.clear()
        first.populate(first.query("Folder").all(), "description")
        assert len(trips) == 4
    trips.clear()
    with sandbox.session(cache=redis_address) as second:
        second.statistics.reset()
        found = second.get_many("Folder", ids)
        assert len(found) == 60
        assert trips == ["get_many"]
        assert {each["project"]["name"] for each in found} == {project["name"]}
        assert len(trips) == 2
        assert second.statistics.requests == 0


def test_get_many_returns_entities_in_the_order_of_the_keys(
    sandbox: Any, statuses: list[str]
) -> None:
    """Known, unknown and missing entities come back in the order of the keys, in one request."""
    with sandbox.session() as session:
        known = session.get("Status", statuses[1])
        session.statistics.reset()
        found = session.get_many("Status", [statuses[2], "none", statuses[1], statuses[2]])
        assert [each and each["id"] for each in found] == [
            statuses[2],
            None,
            statuses[1],
            statuses[2],
        ]
        assert found[2] is known
        assert session.statistics.requests == 1
        assert session.get_many("Status", []) == []
        with pytest.raises(ValueError, match="primary key"):
            session.get_many("Status", [["a", "b"]])
        with pytest.raises(KeyError):
            session.get_many("Gone", ["a"])


def test_get_many_of_a_base_type_returns_its_sub_types(sandbox: Any, project: Any) -> None:
    """The keys of a base type find entities of its sub-types."""
    with sandbox.session() as session:
        assert session.get_many("Context", [project["id"]]) == [project]


def test_users_do_not_see_the_entities_of_others(
    sandbox: Any, address: str, statuses: list[str]
) -> None:
    """An entity in the cache is found only with the same server, user and key."""
    with sandbox.session(cache=address) as first:
        first.query("select name from Status").all()
        assert len(layer_of(first).keys()) == len(statuses)
        others = [
            {"api_user": "other"},
            {"api_key": "another key"},
            {"server_url": "http://127.0.0.1:1"},
        ]
        for values in others:
            changed = type(
                "Other",
                (),
                {
                    "server_url": first.server_url,
                    "api_user": first.api_user,
                    "api_key": first.api_key,
                    "server_information": first.server_information,
                    **values,
                },
            )
            layer = type(layer_of(first))(changed, layer_of(first).storage)
            assert layer.keys() == []


def test_changed_schemas_hide_older_entities(sandbox: Any, address: str) -> None:
    """After a change of the schemas, a session does not find entities of the old form."""
    with sandbox.session(cache=address) as session:
        session.query("select name from Status").all()
        layer = layer_of(session)
        assert layer.keys()
        session._server_information["schema_hash"] = "f" * 32
        assert layer.keys() == []


def test_key_is_nowhere_in_the_cache(sandbox: Any, tmp_path: Any) -> None:
    """Neither the API key nor an address with a key reaches the cache."""
    path = tmp_path / "keys.db"
    with sandbox.session(cache=f"sqlite:///{path}") as session:
        location = session.query('Location where name is "ftrack.server"').one()
        component = session.create("FileComponent", {"name": "c", "file_type": ".txt", "size": 1})
        session.create(
            "ComponentLocation",
            {"component": component, "location": location, "resource_identifier": "x"},
        )
        session.commit()
        entry = session.query("select url, resource_identifier from ComponentLocation").first()
        assert "signature=" in entry["url"]["value"]
        assert layer_of(session).keys()
        session.query("select thumbnail_url from User").all()
        key = session.api_key.encode()
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert key not in content
        assert b"signature=" not in content


def test_local_changes_are_not_stored(sandbox: Any, address: str, project: Any) -> None:
    """Uncommitted values, new entities and changed mappings stay in their session."""
    with sandbox.session(cache=address) as writer:
        own = writer.get("Project", project["id"])
        own["metadata"]["kept"] = "yes"
        writer.commit()
        text = f'select full_name, metadata from Project where id is "{project["id"]}"'
        own = writer.query(text).one()
        own["full_name"] = "Not committed"
        own["metadata"]["local"] = "no"
        own["metadata"]["kept"] = "no"
        new = writer.create("Folder", {"name": "new", "parent": own})
        assert writer.query(text).one() is own
        writer.merge(own)
        keys = layer_of(writer).keys()
        assert not any(new["id"] in key for key in keys)
        with sandbox.session(cache=address) as reader:
            reader.statistics.reset()
            found = reader.get("Project", project["id"])
            assert found["full_name"] != "Not committed"
            assert dict(found["metadata"]) == {"kept": "yes"}
            assert reader.statistics.requests == 0


def test_committed_changes_reach_the_cache(sandbox: Any, address: str, project: Any) -> None:
    """After a commit another session finds the new values, also of mappings."""
    text = f'select full_name, metadata from Project where id is "{project["id"]}"'
    with sandbox.session(cache=address) as writer:
        own = writer.get("Project", project["id"])
        own["metadata"]["a"] = "1"
        own["metadata"]["b"] = "1"
        writer.commit()
        writer.query(text).one()
        own["metadata"]["a"] = "2"
        own["full_name"] = "Two"
        writer.commit()
        del own["metadata"]["b"]
        writer.commit()
        with sandbox.session(cache=address) as reader:
            found = reader.get("Project", project["id"])
            assert found["full_name"] == "Two"
            assert dict(found["metadata"]) == {"a": "2"}
        writer.delete(own)
        writer.commit()
        with sandbox.session(cache=address) as reader:
            assert reader.get("Project", project["id"]) is None


def test_dates_are_stored_in_any_form(sandbox: Any, address: str, project: Any) -> None:
    """A date reaches the cache whether the program has read it or not, with the same value."""
    text = f'select created_at, full_name from Project where id is "{project["id"]}"'
    with sandbox.session(cache=address) as first:
        found = first.query(text).one()
        created = found["created_at"]
        assert created is not None
        first.query(text).one()["created_at"]
        first.query(f'select full_name from Project where id is "{project["id"]}"').one()
        assert first._identity_map.below.resting == {}
    with sandbox.session(cache=address) as second:
        second.statistics.reset()
        assert second.get("Project", project["id"])["created_at"] == created
        assert second.statistics.requests == 0


def test_computed_values_and_lists_are_not_stored(sandbox: Any, address: str, project: Any) -> None:
    """A value that changes without an event about its entity is asked of the server."""
    query = f'select link, children.name, full_name from Project where id is "{project["id"]}"'
    with sandbox.session(cache=address) as first:
        found = first.query(query).one()
        assert found["link"]
        (key,) = [each for each in layer_of(first).keys() if project["id"] in each]
        stored = layer_of(first).get(key).remote_values
        assert "full_name" in stored
        assert not {"link", "children", "thumbnail_url"} & set(stored)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "null",
            "[]",
            '"x"',
            "NaN",
            "[" * 100_000,
            '{"a": 1}',
            "cos\nsystem\n(S'id'\ntR.",
        ),
        '{"__entity_type__": "Gone", "id": "ID"}',
        '{"__entity_type__": "Status"}',
        '{"__entity_type__": "Status", "id": "another", "name": "Wrong"}',
        '{"__entity_type__": "Type", "id": "ID", "name": "Wrong"}',
        '{"__entity_type__": "Status", "id": "ID", "name": {"a": [{}]}}',
        '{"__entity_type__": "Status", "id": "ID", "name": "Wrong", "state": "text"}',
        '{"__entity_type__": "Status", "id": "ID", "name": "Wrong", "state": [1]}',
        '{"__entity_type__": "Status", "id": ["ID"], "name": "Wrong"}',
    ],
)
def test_bad_content_is_missing(sandbox: Any, address: str, statuses: list[str], text: str) -> None:
    """A damaged value is asked of the server and replaced, alone and among others."""
    with sandbox.session(cache=address) as first:
        first.query("select name from Status").all()
        damage(first, statuses[0], text.replace("ID", statuses[0]))
    with sandbox.session(cache=address) as second:
        right = {each["id"]: each["name"] for each in first_names(sandbox)}
        assert second.get("Status", statuses[0])["name"] == right[statuses[0]]
    with sandbox.session(cache=address) as first:
        damage(first, statuses[0], text.replace("ID", statuses[0]))
    with sandbox.session(cache=address) as third:
        found = third.get_many("Status", statuses)
        assert {each["id"]: each["name"] for each in found} == right


def first_names(sandbox: Any) -> list[Any]:
    """Return the statuses that the server has."""
    with sandbox.session() as plain:
        return plain.query("select name from Status").all()


def damage(session: Session, status: str, text: str) -> None:
    """Replace the text of *status* in the cache of *session* by *text*."""
    layer_of(session).proxied.set(f"('Status', ['{status}'])", text)


def test_redis_value_of_another_type_is_missing(
    sandbox: Any, statuses: list[str], redis_address: str
) -> None:
    """A list of another program, or bytes that are not text, count as missing."""
    with sandbox.session(cache=redis_address) as session:
        session.query("select name from Status").all()
        storage = layer_of(session).storage.entities
        client = storage._client
        name = layer_of(session).proxied.prefix + f"('Status', ['{statuses[0]}'])"
        full = storage._name(name)
        client.delete(full)
        client.rpush(full, "a", "b")
        client.set(storage._name(name.replace(statuses[0], statuses[1])), b"\xff\xfe")
    with sandbox.session(cache=redis_address) as second:
        assert second.get("Status", statuses[0])["name"]
        assert second.get("Status", statuses[1])["name"]
        assert all(second.get_many("Status", statuses))
        assert second._identity_map.below.resting == {}
    client.delete(full)


def test_outage_is_survived_and_ends(
    sandbox: Any, statuses: list[str], caplog: pytest.LogCaptureFixture, redis_address: str
) -> None:
    """One warning, no waiting afterwards, and the writes that were missed leave nothing old."""
    with sandbox.session(cache=redis_address) as session:
        session.query("select name, color from Status").all()
        changed = session.get("Status", statuses[0])
        redis = layer_of(session).storage.entities
        good, redis._client = redis._client, _Broken()
        caplog.clear()
        changed["color"] = "#123456"
        session.commit()
        session.query("select name from Type").all()
        assert session.get("Task", "none") is None
        assert redis._client.calls <= 2
        warnings = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
        assert len(warnings) == 1
        assert "redis://" in warnings[0]
        assert "no route" in warnings[0]
        for rest in session._identity_map.below.resting.values():
            rest.until = 0.0  # as if the time were over
        redis._client = good
        session.query("select name from Priority").all()
        assert session._identity_map.below.resting == {}
        with sandbox.session(cache=redis_address) as other:
            assert other.get("Status", statuses[0])["color"] == "#123456"


class _Broken:
    """A client of a server that does not answer."""

    calls = 0

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        raise OSError(f"no route for {name}")


def test_server_that_is_gone_costs_little(sandbox: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A session starts and works if the server of its cache does not answer."""
    pytest.importorskip("redis", reason="the extra 'redis' is not installed")
    with sandbox.session(cache="redis://:hidden@127.0.0.1:1/0") as session:
        for _ in range(3):
            assert session.query("User").first()["username"] == "admin"
    warnings = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "hidden" not in caplog.text


def test_environment_and_profile_name_the_cache(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The argument has precedence over the variable, and the variable over the profile."""
    with sandbox.session() as plain:
        profile = tmp_path / "profiles.toml"
        profile.write_text(
            f'[profiles.here]\nserver_url = "{plain.server_url}"\napi_user = "{plain.api_user}"\n'
            f'api_key = "{plain.api_key}"\ncache = "memory://profile"\n'
        )
    profile.chmod(0o600)
    monkeypatch.setenv("FTRACK_CONFIG_FILE", str(profile))
    monkeypatch.delenv("FTRACK_API_CACHE", raising=False)
    with Session(profile="here") as session:
        assert layer_of(session).address == "memory://profile"
    monkeypatch.setenv("FTRACK_API_CACHE", "memory://variable")
    with Session(profile="here") as session:
        assert layer_of(session).address == "memory://variable"
    with Session(profile="here", cache="memory://argument") as session:
        assert layer_of(session).address == "memory://argument"
    with Session(profile="here", cache=False) as session:
        assert len(session.cache.caches) == 1
    monkeypatch.setenv("FTRACK_API_CACHE", "rediss//oops:secret@host")
    with pytest.raises(exception.ConfigurationError, match="FTRACK_API_CACHE") as caught:
        Session(profile="here")
    assert "secret" not in str(caught.value)
    monkeypatch.delenv("FTRACK_API_CACHE")
    profile.write_text(profile.read_text().replace('"memory://profile"', "5"))
    with pytest.raises(exception.ConfigurationError, match=r"profiles\.here\.cache"):
        Session(profile="here")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ftp://host", "redis://HOST:6379/0"),
        ("", "redis://HOST:6379/0"),
        ("memory://?life=5", "life"),
        ("memory://name/path", "memory://NAME"),
        ("memory://?expire=soon", "whole number"),
        ("sqlite://cache.db", "three slashes"),
        ("sqlite:///", "three slashes"),
        ("redis://host:port/0", "."),
        ("redis://host/first", "number of a database"),
        ("redis://host/0?expires=60", "expires"),
        ("unix:///run/redis.sock?databse=1", "databse"),
        ("redis://host/0?timeout=99999999999999", "up to 1,000,000,000"),
        ("redis://host/0?expire=99999999999999999999", "up to 1,000,000,000"),
    ],
)
def test_wrong_address_is_explained(sandbox: Any, address: str, reason: str) -> None:
    """An address that cannot be used raises an error that names it and its source."""
    with pytest.raises(exception.ConfigurationError, match="the argument cache") as caught:
        sandbox.session(cache=address)
    assert reason in str(caught.value)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system has no such sockets")
def test_redis_address_may_name_a_socket(
    sandbox: Any, statuses: list[str], redis_address: str, tmp_path: pathlib.Path
) -> None:
    """Sessions share entities through the socket of a server, with the parameters of others."""
    server, _, parameters = redis_address.partition("?")
    target = urlsplit(server)

    class Forwarder(socketserver.BaseRequestHandler):
        """Passes one connection on to the server of the tests."""

        def handle(self) -> None:
            far = socket.create_connection((target.hostname, target.port or 6379))
            ends = {self.request: far, far: self.request}
            with far:
                while True:
                    for one in select.select(list(ends), [], [])[0]:
                        data = one.recv(65536)
                        if not data:
                            return
                        ends[one].sendall(data)

    path = tmp_path / "redis.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Forwarder) as forwarder:
        forwarder.daemon_threads = True
        threading.Thread(target=forwarder.serve_forever, daemon=True).start()
        address = f"unix://{path}?db={target.path.strip('/') or 0}&{parameters}"
        with sandbox.session(cache=address) as first:
            assert first.query("select name from Status").all()
        with sandbox.session(cache=redis_address) as second:
            second.statistics.reset()
            assert all(second.get_many("Status", statuses))
            assert second.statistics.requests == 0
        forwarder.shutdown()


def test_sqlite_address_may_be_relative(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes begin a relative path, four an absolute one; a tilde is the home folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for address in ("sqlite:///here.db", f"sqlite:///{tmp_path}/there.db", "sqlite:///~/own.db"):
        addresses.open_storage(address).entities.set("key", "text")
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.db")}
    assert names == {"here.db", "there.db", "home/own.db"}


def test_entities_of_a_page_are_stored_as_json(sandbox: Any, address: str) -> None:
    """The cache contains only JSON, which cannot run code when it is read."""
    with sandbox.session(cache=address) as session:
        session.query("select name, state.name from Status").all()
        proxied = layer_of(session).proxied
        for key in layer_of(session).keys():
            assert json.loads(proxied.get(key))["__entity_type__"] in ("Status", "State")
