"""What studios override and replace on sessions, on a running server."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from unittest import mock

import pytest

from ftrack_like import cache, exception, operation
from ftrack_like.entity.factory import StandardFactory
from ftrack_like.session import Session
from ftrack_like.symbol import NOT_SET


def make_project(session: Any, name: str = "seams") -> Any:
    """Return a committed project."""
    schema = session.query("ProjectSchema order by name").first()
    data = {"name": name, "full_name": name, "project_schema": schema}
    project = session.create("Project", data)
    session.commit()
    return project


def open_as(class_: type[Session], sandbox: Any, **options: Any) -> Any:
    """Return a session of *class_* on *sandbox*."""
    return class_(sandbox.server_url, sandbox.api_key, sandbox.api_user, **options)


class Telling(Session):
    """A session that notes which of its methods are called."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.told: list[str] = []
        super().__init__(*arguments, **options)

    def populate(self, entities: Any, projections: Any) -> Any:
        """Note and pass on."""
        self.told.append("populate")
        return super().populate(entities, projections)

    def delete(self, entity: Any) -> Any:
        """Note and pass on."""
        self.told.append(f"delete {entity.entity_type}")
        return super().delete(entity)

    def commit(self) -> Any:
        """Note and pass on."""
        self.told.append("commit")
        return super().commit()

    def create(self, entity_type: str, *arguments: Any, **options: Any) -> Any:
        """Note and pass on."""
        self.told.append(f"create {entity_type}")
        return super().create(entity_type, *arguments, **options)


def test_entities_reach_overridden_methods(sandbox: Any, tmp_path: Any) -> None:
    """Reading, metadata and locations go through what a subclass overrides."""
    with open_as(Telling, sandbox) as session:
        project = make_project(session)
        user = session.query("select id from User").first()
        del session.told[:]
        assert user["username"]
        assert session.told == ["populate"]
        project["metadata"]["a"] = "1"
        session.commit()
        del session.told[:]
        del project["metadata"]["a"]
        assert session.told == ["delete Metadata"]
        session.commit()
        (tmp_path / "file.txt").write_text("x")
        del session.told[:]
        session.create_component(str(tmp_path / "file.txt"))
        assert "create FileComponent" in session.told
        assert "commit" in session.told


def test_overridden_merging_is_reached(sandbox: Any) -> None:
    """What is queried passes through ``_create`` and ``_merge`` where they are overridden."""
    seen = set()

    class Merging(Session):
        """A session that looks at what it makes and merges."""

        def _create(self, entity_type: str, data: Any, reconstructing: bool) -> Any:
            seen.add(f"create {entity_type}")
            return super()._create(entity_type, data, reconstructing)

        def _merge(self, value: Any, merged: Any) -> Any:
            seen.add(f"merge {getattr(value, 'entity_type', None)}")
            return super()._merge(value, merged)

    with open_as(Merging, sandbox) as session:
        seen.clear()
        users = session.query("select username from User").all()
        assert {"create User", "merge User"} <= seen
        assert session.get("User", users[0]["id"]) is users[0]


def test_overridden_encoding_of_a_commit(sandbox: Any) -> None:
    """What is committed passes through an overridden ``_encode``."""

    class Marked:
        """What only the studio knows."""

    class Encoding(Session):
        """A session that can write more than others."""

        def _encode(self, item: Any, entity_attribute_strategy: str = "set_only") -> Any:
            if isinstance(item, Marked):
                return "marked"
            return super()._encode(item, entity_attribute_strategy)

    with open_as(Encoding, sandbox) as session:
        project = make_project(session)
        session.recorded_operations.push(
            operation.UpdateEntityOperation(
                "Project", {"id": project["id"]}, "full_name", NOT_SET, Marked()
            )
        )
        session.commit()
        session._local_cache.clear()
        assert session.get("Project", project["id"])["full_name"] == "marked"


def test_types_may_be_replaced(sandbox: Any) -> None:
    """A class that is set for a type is the one that entities have from then on."""
    with sandbox.session() as session:
        (schema,) = [each for each in session.schemas if each["id"] == "User"]
        made = StandardFactory().create(schema)
        made.greeting = "hello"
        session.types["User"] = made
        user = session.query("User").first()
        assert type(user) is made
        assert user.greeting == "hello"


def test_credentials_and_address_are_read_late(sandbox: Any) -> None:
    """An address that is set on a session is the one that it asks from then on."""
    with sandbox.session() as session:
        address = session._server_url
        session._server_url = "http://127.0.0.1:9"
        with mock.patch.object(session._request, "post", side_effect=AssertionError) as post:
            with pytest.raises(AssertionError):
                session.call([{"action": "query", "expression": "User"}])
        assert post.call_args[0][0].startswith("http://127.0.0.1:9/api")
        session._server_url = address
        session._server_information = {"version": "9"}
        session._api_user = "somebody"
        assert session.server_information == {"version": "9"}
        assert session.api_user == "somebody"
        assert session.query("User").first() is not None


class OldOperations:
    """Recorded operations with just the methods that the published class has."""

    def __init__(self) -> None:
        self._stack: list[Any] = []

    def clear(self) -> None:
        """Forget all."""
        del self._stack[:]

    def push(self, recorded: Any) -> None:
        """Put one on top."""
        self._stack.append(recorded)

    def pop(self) -> Any:
        """Take the latest."""
        return self._stack.pop()

    def __len__(self) -> int:
        return len(self._stack)

    def __iter__(self) -> Any:
        return iter(self._stack)


def test_operations_of_another_class(sandbox: Any) -> None:
    """Another class for recorded operations serves changes, commit and rollback."""
    with sandbox.session() as session:
        session.recorded_operations = OldOperations()
        project = make_project(session)
        assert len(session.recorded_operations) == 0
        project["full_name"] = "changed"
        assert session.modified == [project]
        session.rollback()
        assert project["full_name"] == "seams"
        project["full_name"] = "again"
        session.commit()
        assert not session.modified
        session.reset()
        assert session.get("Project", project["id"])["full_name"] == "again"


def test_operations_pushed_by_hand(sandbox: Any) -> None:
    """Operations for entities that were never loaded are committed as they are."""
    with sandbox.session() as session, sandbox.session() as other:
        project = make_project(other)
        key = OrderedDict([("id", "11111111-2222-4333-8444-555555555555")])
        data = {"id": key["id"], "name": "by_hand", "parent_id": project["id"]}
        push = session.recorded_operations.push
        push(operation.CreateEntityOperation("Folder", key, data))
        assert session.created == []
        session.commit()
        push(operation.UpdateEntityOperation("Folder", key, "description", NOT_SET, "pushed"))
        push(operation.UpdateEntityOperation("Folder", key, "name", NOT_SET, "later"))
        session.commit()
        folder = other.get("Folder", key["id"])
        assert (folder["name"], folder["description"]) == ("later", "pushed")
        push(operation.DeleteEntityOperation("Folder", key))
        session.commit()
        assert len(session.recorded_operations) == 0
        assert other.query(f"Folder where id is {key['id']}").first() is None


def test_refused_operation_pushed_by_hand_stays(sandbox: Any) -> None:
    """What the server refuses of it stays recorded until it is taken back."""
    with sandbox.session() as session:
        key = {"id": "11111111-2222-4333-8444-555555555556"}
        session.recorded_operations.push(
            operation.UpdateEntityOperation("Folder", key, "name", NOT_SET, "x")
        )
        with pytest.raises(exception.ServerError):
            session.commit()
        assert len(session.recorded_operations) == 1
        session.rollback()
        assert len(session.recorded_operations) == 0


def test_cache_replaced_after_loading(sandbox: Any) -> None:
    """Entities go to a cache that was set later, and those before are forgotten."""
    with sandbox.session() as session:
        before = session.query("User").first()
        layers = cache.LayeredCache([cache.MemoryCache(), cache.MemoryCache()])
        session.cache = layers
        after = session.query("User").first()
        assert after is not before
        assert after == before
        key = session.cache_key_maker.key(("User", [after["id"]]))
        assert layers.get(key) is after
        assert all(list(each.keys()) for each in layers.caches)


def test_patched_identity_is_asked(sandbox: Any) -> None:
    """``inspection.identity`` is reached through its module by makers of keys."""

    class Upper(cache.StringKeyMaker):
        """A maker of keys that shouts."""

        def _key(self, obj: Any) -> str:
            return super()._key(obj).upper()

    with sandbox.session(cache_key_maker=Upper()) as session:
        user = session.query("User").first()
        with mock.patch(
            "ftrack_like.inspection.identity", return_value=("User", ["patched"])
        ) as identity:
            session.merge(session.types["User"](session, {"id": user["id"]}, reconstructing=True))
        assert identity.called
        assert "('USER', ['PATCHED'])" in session.cache.keys()


def test_ten_positional_arguments(sandbox: Any) -> None:
    """Old code passes everything by position, up to the arguments of plugins."""
    session = Session(
        sandbox.server_url,
        sandbox.api_key,
        sandbox.api_user,
        False,
        [],
        None,
        cache.StringKeyMaker(),
        False,
        False,
        {"a": 1},
    )
    assert not session.auto_populate
    assert session.query("User").first() is not None
    session.close()


def test_answers_of_a_counted_call(sandbox: Any) -> None:
    """Code that counts calls sees one for each page, get and commit."""
    with (
        sandbox.session() as session,
        mock.patch.object(session, "call", wraps=session.call) as call,
    ):
        session.query("select id from Status").all()
        assert call.call_count == 1
        assert call.call_args[0][0][0]["action"] == "query"
        assert session.get("User", "nobody") is None
        assert call.call_count == 2
        project = make_project(session)
        before = call.call_count
        assert session.get("Project", project["id"]) is project
        assert call.call_count == before
