"""Webhooks: their rows, their limits, and what a receiver on this machine gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from tests.conformance.clients import Problem
from tests.conformance.facts import fact, row, writes
from tests.conformance.listeners import PATIENCE
from tests.conformance.site import Site

#: The attributes of a task that a body has, by the recording of a site.
_OF_A_TASK = [
    "object_type_id",
    "priority_id",
    "id",
    "bid",
    "description",
    "start_date",
    "end_date",
    "status_id",
    "type_id",
    "project_id",
    "sort",
    "context_type",
    "name",
    "parent_id",
    "thumbnail_id",
]


class Call(NamedTuple):
    """A request that came: its headers and its body."""

    headers: dict[str, str]
    body: dict[str, Any]


class Receiver:
    """A web server on this machine that keeps the requests. It first answers each of *statuses*."""

    def __init__(self, *statuses: int) -> None:
        self.calls: list[Call] = []
        self._statuses = list(statuses)
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.take(Call(headers, json.loads(body))))
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, call: Call) -> int:
        """Keep *call* and return the status of the answer."""
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
            return self._statuses.pop(0) if self._statuses else 204

    def wait(self, condition: Callable[[Call], bool], count: int = 1) -> list[Call]:
        """Return the first *count* requests for which *condition* is true, when they are there."""

        def found() -> list[Call]:
            return [call for call in self.calls if condition(call)]

        with self._changed:
            there = self._changed.wait_for(lambda: len(found()) >= count, PATIENCE)
            assert there, f"{len(found())} of {count} requests in {PATIENCE} s"
            return found()[:count]

    def about(self, key: str, operation: str) -> Call:
        """Return the request about *operation* on the entity *key*, when it is there."""
        return self.wait(
            lambda call: (
                call.body["entity"]["id"] == [key] and call.body["entity"]["operation"] == operation
            )
        )[0]

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


class Hook:
    """An automation with a trigger and a webhook."""

    def __init__(self, site: Site, filter_: str, url: str, **headers: str) -> None:
        automation = site.creation("Automation", name=site.name("hook"))
        self.site = site
        self.key = automation["entity_key"][0]
        self.operations = [
            automation,
            site.creation("Trigger", automation_id=self.key, filter=filter_),
            site.creation(
                "WebhookAction",
                automation_id=self.key,
                webhook_url=url,
                headers=json.dumps(headers),
            ),
        ]

    def __enter__(self) -> Hook:
        """Create the rows."""
        self.site.call(*self.operations)
        return self

    def __exit__(self, *arguments: Any) -> None:
        """Delete the automation."""
        self.site.delete("Automation", self.key)


@pytest.fixture(scope="session")
def sends_here(site: Site) -> None:
    """Skip where the server does not send to this machine."""
    if urlsplit(site.client.url).hostname not in ("127.0.0.1", "localhost", "::1"):
        pytest.skip("the server is on another machine")
    try:
        with Hook(site, 'entity.entity_type = "Task"', "http://127.0.0.1:9/hook"):
            pass
    except Problem as problem:
        pytest.skip(f"the server does not send to this machine: {problem.text[:80]}")


@pytest.fixture
def receiver(sends_here: None) -> Iterator[Receiver]:
    """Return a receiver."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="session")
def deliveries(site: Site, sends_here: None) -> dict[str, dict[str, Any]]:
    """Return the bodies about a new task and about its change, by the operation."""
    receiver = Receiver()
    filter_ = 'entity.entity_type = "Task"'
    with Hook(site, filter_, receiver.url):
        task = site.context("Task")
        site.update("Task", task, description="changed")
        found = {name: receiver.about(task, name).body for name in ("create", "update")}
    receiver.close()
    return found


# Rows


@fact("site-facts D5", "D")
@pytest.mark.parametrize(
    ("entity_type", "attribute"),
    [
        row("Automation", "name", name="name"),
        row("Automation", "enabled", name="enabled"),
        row("Trigger", "automation_id", name="trigger"),
        row("Trigger", "filter", name="filter"),
        row("WebhookAction", "automation_id", name="action"),
        row("WebhookAction", "webhook_url", name="address"),
        row("WebhookAction", "headers", name="headers"),
    ],
)
def test_a_row_has_an_attribute(site: Site, entity_type: str, attribute: str) -> None:
    """The rows of webhooks have the attributes that programs write."""
    assert attribute in site.schemas[entity_type]["properties"]


@fact("site-facts D5", "D")
@pytest.mark.parametrize("entity_type", ["Automation", "Trigger", "WebhookAction", "ActionLog"])
def test_rows_can_be_queried(site: Site, entity_type: str) -> None:
    """Administrators may query the rows of webhooks."""
    for found in site.rows(f"select id from {entity_type} limit 1"):
        assert found["id"]


@writes
@fact("site-facts C", "P")
def test_rows_are_read_as_they_were_written(site: Site) -> None:
    """A trigger has its filter, and a webhook its address and its headers as JSON text."""
    filter_ = 'entity.entity_type = "AssetVersion" and entity.operation = "create"'
    with Hook(site, filter_, "https://example.com/hook", Token="x") as hook:
        where = f'where automation_id is "{hook.key}"'
        assert site.one(f"select filter from Trigger {where}")["filter"] == filter_
        found = site.one(f"select webhook_url, headers from WebhookAction {where}")
        assert found["webhook_url"] == "https://example.com/hook"
        assert json.loads(found["headers"]) == {"Token": "x"}


@writes
@fact("site-facts D5", "P")
@pytest.mark.parametrize(
    "filter_",
    [
        row('entity.entity_type = "AssetVersion"', name="equal"),
        row('entity.operation != "create"', name="differs"),
        row('entity.entity_type = "Task" and entity.operation = "update"', name="and"),
        row('entity.entity_type = "Task" or entity.entity_type = "Shot"', name="or"),
        row("entity.new.status_id != entity.old.status_id", name="two paths"),
    ],
)
def test_a_filter_is_accepted(site: Site, filter_: str) -> None:
    """A filter has paths on both sides, values in quotes, and, or, = and !=."""
    with Hook(site, filter_, "https://example.com/hook"):
        pass


@writes
@fact("site-facts D5", "D")
def test_ten_webhooks_are_enabled_at_most(site: Site) -> None:
    """An eleventh enabled webhook is refused."""
    enabled = len(site.rows("select id from WebhookAction where automation.enabled is true"))
    filter_ = 'entity.entity_type = "Task"'
    url = "https://example.com/hook"
    hooks = [Hook(site, filter_, url) for _ in range(11 - enabled)]
    try:
        for hook in hooks[:-1]:
            site.call(*hook.operations)
        site.problem(*hooks[-1].operations)
    finally:
        for hook in hooks[:-1]:
            site.delete("Automation", hook.key)


@writes
@fact("site-facts D5", "D")
@pytest.mark.parametrize(
    "place",
    [
        row("http://192.0.2.1/hook", name="http"),
        row("ftp://studio.example.com/hook", name="ftp"),
        row("studio.example.com/hook", name="no scheme"),
    ],
)
def test_an_address_begins_with_https(site: Site, place: str) -> None:
    """An address of another machine without https:// is refused."""
    hook = Hook(site, 'entity.entity_type = "Task"', place)
    try:
        problem = site.problem(*hook.operations)
    except AssertionError:
        site.delete("Automation", hook.key)
        raise
    assert "webhook_url" in problem.text or "https" in problem.text


# Deliveries


@writes
@fact("site-facts D5", "M")
def test_a_body_has_its_parts(deliveries: dict[str, dict[str, Any]]) -> None:
    """A body has an id, the name of its form, metadata, and the entity."""
    for body in deliveries.values():
        assert set(body) == {"id", "fez_id", "metadata", "entity"}
        assert body["fez_id"] == "ftrack_entity_event_v1"


@writes
@fact("site-facts D5", "M")
@pytest.mark.parametrize("key", ["date", "resource_id", "server_url", "configuration_hash"])
def test_metadata_have_a_key(deliveries: dict[str, dict[str, Any]], key: str) -> None:
    """The metadata of a body have the time, the user, the server and a hash."""
    for body in deliveries.values():
        assert body["metadata"][key]


@writes
@fact("site-facts D5", "M")
def test_metadata_name_the_user(site: Site, deliveries: dict[str, dict[str, Any]]) -> None:
    """The metadata name the user who made the change."""
    for body in deliveries.values():
        assert body["metadata"]["resource_id"] == site.user


@writes
@fact("site-facts D5", "M")
def test_the_time_has_an_offset(deliveries: dict[str, dict[str, Any]]) -> None:
    """The time in the metadata has microseconds and an offset."""
    for body in deliveries.values():
        moment, _, fraction = body["metadata"]["date"].partition(".")
        assert len(moment) == len("2024-05-01T10:00:00")
        assert fraction[6] in "+-"


@writes
@fact("site-facts D5", "M")
@pytest.mark.parametrize("operation", ["create", "update"])
def test_a_body_names_the_entity(deliveries: dict[str, dict[str, Any]], operation: str) -> None:
    """A body names the entity by key, type and operation."""
    entity = deliveries[operation]["entity"]
    assert set(entity) == {"id", "entity_type", "operation", "new", "old"}
    assert (entity["entity_type"], entity["operation"]) == ("Task", operation)
    assert entity["id"] == [entity["new"]["id"]]


@writes
@fact("site-facts D5", "M")
@pytest.mark.parametrize("attribute", _OF_A_TASK)
def test_a_body_has_an_attribute(deliveries: dict[str, dict[str, Any]], attribute: str) -> None:
    """A body has each direct attribute of a task, before and after the change."""
    assert attribute in deliveries["update"]["entity"]["new"]
    assert attribute in deliveries["update"]["entity"]["old"]


@writes
@fact("site-facts D5", "M")
@pytest.mark.parametrize("attribute", ["status", "parent", "children", "link", "thumbnail_url"])
def test_a_body_has_no_relations(deliveries: dict[str, dict[str, Any]], attribute: str) -> None:
    """A body has no relations and nothing that is computed."""
    assert attribute not in deliveries["update"]["entity"]["new"]


@writes
@fact("site-facts D5", "M")
def test_a_change_has_both_values(deliveries: dict[str, dict[str, Any]]) -> None:
    """The body of a change has the old and the new value."""
    entity = deliveries["update"]["entity"]
    assert entity["new"]["description"] == "changed"
    assert entity["old"]["description"] != "changed"
    assert entity["old"]["name"] == entity["new"]["name"]


@writes
@fact("site-facts D5", "P")
def test_a_filter_compares_old_and_new(site: Site, receiver: Receiver) -> None:
    """A filter with a path on both sides selects what has changed."""
    status = site.one('select id from Status where name is "In progress"')["id"]
    filter_ = (
        'entity.entity_type = "Task" and entity.operation = "update" '
        "and entity.new.status_id != entity.old.status_id"
    )
    with Hook(site, filter_, receiver.url):
        first, second = site.context("Task"), site.context("Task")
        site.update("Task", first, description="not selected")
        site.update("Task", second, status_id=status)
        receiver.about(second, "update")
        assert [call.body["entity"]["id"] for call in receiver.calls] == [[second]]


@writes
@fact("site-facts D5", "D")
def test_a_deletion_is_not_sent(site: Site, receiver: Receiver) -> None:
    """Creations and changes are sent, deletions are not."""
    with Hook(site, 'entity.entity_type = "Shot"', receiver.url):
        first = site.context("Shot")
        site.delete("Shot", first)
        second = site.context("Shot")
        receiver.about(second, "create")
        told = [call.body["entity"]["operation"] for call in receiver.calls]
        assert set(told) == {"create"}


@writes
@fact("site-facts C", "P")
def test_headers_are_sent(site: Site, receiver: Receiver) -> None:
    """A request has the headers of its webhook."""
    with Hook(site, 'entity.entity_type = "Shot"', receiver.url, **{"X-Studio": "x"}):
        call = receiver.about(site.context("Shot"), "create")
    assert call.headers["x-studio"] == "x"
    assert call.headers["content-type"].startswith("application/json")


@writes
@fact("site-facts D5", "I")
def test_a_failed_delivery_is_sent_again(site: Site, sends_here: None) -> None:
    """A delivery that fails is sent again with the same id."""
    receiver = Receiver(500)
    with Hook(site, 'entity.entity_type = "Shot"', receiver.url):
        shot = site.context("Shot")
        calls = receiver.wait(lambda call: call.body["entity"]["id"] == [shot], 2)
    receiver.close()
    assert calls[0].body["id"] == calls[1].body["id"]


@writes
@fact("site-facts D5", "D")
def test_a_disabled_automation_sends_nothing(site: Site, receiver: Receiver) -> None:
    """An automation that is disabled sends nothing."""
    filter_ = 'entity.entity_type = "Shot"'
    off, on = (Hook(site, filter_, receiver.url, X=word) for word in ("off", "on"))
    with off, on:
        site.update("Automation", off.key, enabled=False)
        shot = site.context("Shot")
        receiver.about(shot, "create")
        told = [call.headers["x"] for call in receiver.calls if call.body["entity"]["id"] == [shot]]
    assert told == ["on"]
