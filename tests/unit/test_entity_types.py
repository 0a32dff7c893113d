"""The entity classes of a session: made when they are looked at, a dictionary all the same."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like._session.entity_types import EntityTypes, build_entity_types
from ftrack_like.entity.factory import StandardFactory


class Hub:
    """A hub that knows whom to ask, and keeps what was published."""

    def __init__(self, *callbacks: Any) -> None:
        self._subscribers = [self] * len(callbacks)
        self._callbacks = callbacks
        self.published: list[Any] = []

    def interested_in(self, event: Any) -> bool:
        return event["topic"] == "ftrack.api.session.construct-entity-type"

    def publish(self, event: Any, synchronous: bool = False) -> Any:
        assert synchronous
        self.published.append(event)
        return [callback(event) for callback in self._callbacks]


class Owner:
    """A session with a hub."""

    def __init__(self, hub: Any) -> None:
        self._event_hub = self.event_hub = hub


@pytest.fixture
def schemas(make_schema: Any) -> list[Any]:
    """Return the schemas of three types."""
    return [make_schema(name, {}) for name in ("Task", "Shot", "AssetVersion")]


def made(types: EntityTypes) -> list[str]:
    """Return the names of the classes that are made."""
    return list(dict.keys(types))


def test_classes_are_made_when_they_are_looked_at(schemas: list[Any]) -> None:
    """And once."""
    types = build_entity_types(Owner(Hub()), schemas)
    assert made(types) == []
    assert types["Shot"] is types["Shot"]
    assert types["Shot"].entity_type == "Shot"
    assert made(types) == ["Shot"]


def test_they_behave_as_a_dictionary_of_all(schemas: list[Any]) -> None:
    """Names in the schemas' order, whatever was made first."""
    types = build_entity_types(Owner(Hub()), schemas)
    types["Shot"]
    assert list(types) == list(types.keys()) == ["Task", "Shot", "AssetVersion"]
    assert len(types) == 3
    assert "AssetVersion" in types
    assert "Riddle" not in types
    assert made(types) == ["Shot"]
    assert [each.entity_type for each in types.values()] == list(types)
    assert dict(types) == types == types.copy()
    assert dict(types.items())["Task"] is types["Task"]
    assert types.get("Task") is types["Task"]
    assert types.get("Riddle") is None
    assert isinstance(types, dict)


def test_they_can_be_changed(schemas: list[Any]) -> None:
    """As a dictionary can."""
    types = build_entity_types(Owner(Hub()), schemas)
    mine = StandardFactory().create(schemas[0])
    types["Task"] = mine
    types["Mine"] = mine
    assert types["Task"] is mine
    assert list(types) == ["Task", "Shot", "AssetVersion", "Mine"]
    del types["Mine"]
    assert types.pop("Shot").entity_type == "Shot"
    assert list(types) == ["Task", "AssetVersion"]
    assert types.setdefault("Task", None) is mine
    types.update({"Other": mine})
    assert types["Other"] is mine
    with pytest.raises(KeyError):
        types["Shot"]
    with pytest.raises(KeyError):
        del types["Shot"]
    types.clear()
    assert len(types) == 0


def test_an_unknown_type_is_a_key_error_with_a_hint(schemas: list[Any]) -> None:
    """Also for near misses of another kind than slips."""
    types = build_entity_types(Owner(Hub()), schemas)
    with pytest.raises(KeyError, match="Did you mean 'AssetVersion'") as caught:
        types["Version"]
    assert isinstance(caught.value, exception.UnrecognisedEntityTypeError)


def test_threads_get_the_same_class(schemas: list[Any]) -> None:
    """However many look at once."""
    for _ in range(20):
        types = build_entity_types(Owner(Hub()), schemas)
        start, found = threading.Barrier(4), []

        def look(types: Any = types, start: Any = start, found: Any = found) -> None:
            start.wait()
            found.append(types["Task"])

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id(each) for each in found}) == 1


def test_subscribers_are_asked_for_every_class_in_order(schemas: list[Any]) -> None:
    """At once, with the schema and all schemas; what answers None gets the usual class."""
    hub = Hub(lambda event: None)
    types = build_entity_types(Owner(hub), schemas)
    assert made(types) == ["Task", "Shot", "AssetVersion"]
    assert [event["data"]["schema"] for event in hub.published] == schemas
    assert all(event["data"]["schemas"] is schemas for event in hub.published)


def test_a_subscriber_makes_the_class(schemas: list[Any]) -> None:
    """Its class is the one of the type."""

    def make(event: Any) -> Any:
        if event["data"]["schema"]["id"] != "Task":
            return None
        class_ = StandardFactory().create(event["data"]["schema"])
        class_.mine = True
        return class_

    types = build_entity_types(Owner(Hub(make)), schemas)
    assert types["Task"].mine
    assert not hasattr(types["Shot"], "mine")


def test_the_last_of_several_classes_is_used(
    schemas: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says that there were several."""
    classes: list[Any] = []

    def make(event: Any) -> Any:
        classes.append(StandardFactory().create(event["data"]["schema"]))
        return classes[-1]

    types = build_entity_types(Owner(Hub(make, lambda event: None, make)), schemas[:1])
    assert types["Task"] is classes[-1]
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert "Task" in caplog.text


def test_subscribers_of_other_topics_are_no_reason_to_hurry(schemas: list[Any]) -> None:
    """The classes are still made on first use."""
    hub = Hub(lambda event: None)
    hub.interested_in = lambda event: False  # type: ignore[method-assign]
    assert made(build_entity_types(Owner(hub), schemas)) == []


def test_sessions_with_equal_schemas_share_attributes_not_classes(schemas: list[Any]) -> None:
    """Classes belong to one session."""
    one = build_entity_types(Owner(Hub()), schemas)["Task"]
    two = build_entity_types(Owner(Hub()), [dict(each) for each in schemas])["Task"]
    assert one is not two
    assert one.attributes.get("id") is two.attributes.get("id")


def test_looking_for_an_unknown_type_is_cheap(
    schemas: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``get`` and ``in`` make no suggestion for an unknown name, which takes milliseconds."""
    types = build_entity_types(Owner(Hub()), schemas)
    monkeypatch.setattr("ftrack_like._session.entity_types.did_you_mean", None)
    assert types.get("Tusk") is None
    assert types.get("Tusk", 1) == 1
    assert "Tusk" not in types
