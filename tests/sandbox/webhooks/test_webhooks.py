"""Webhooks of a running sandbox, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.exception import ServerError
from ftrack_like.sandbox.schema import MODEL
from ftrack_like.sandbox.webhooks import rules

STATUS_CHANGES = (
    'entity.entity_type = "Shot" and entity.operation = "update"'
    " and entity.new.status_id != entity.old.status_id"
)

#: The attributes of a task in a recorded body.
TASK = {
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
}


def names(calls: list[Any]) -> list[str]:
    """Return the names of the entities in *calls*."""
    return [one.entity["new"]["name"] for one in calls]


# The body and the headers


def test_body_of_an_update(
    api: Any, sandbox: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """An update sends the recorded body, with the whole rows before and after."""
    hook(receiver.url, STATUS_CHANGES)
    before = api.one(f'select status_id from Shot where id is "{production.shot}"')["status_id"]
    status = api.query(f'select id from Status where id is_not "{before}"')[0]["id"]
    api.update("Shot", production.shot, status_id=status, description="new")
    (call,) = receiver.wait()
    body = call.body
    assert list(body) == ["id", "fez_id", "metadata", "entity"]
    assert body["fez_id"] == "ftrack_entity_event_v1"
    assert list(body["metadata"]) == ["date", "resource_id", "server_url", "configuration_hash"]
    moment = datetime.fromisoformat(body["metadata"]["date"])
    assert moment.utcoffset() == timedelta(0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", body["metadata"]["date"])
    admin = api.one(f'select id from User where username is "{sandbox.api_user}"')["id"]
    assert body["metadata"]["resource_id"] == admin
    assert body["metadata"]["server_url"] == sandbox.server_url
    assert re.fullmatch("[0-9a-f]{32}", body["metadata"]["configuration_hash"])
    assert list(call.entity) == ["id", "entity_type", "operation", "new", "old"]
    assert call.entity["id"] == [production.shot]
    assert (call.entity["entity_type"], call.entity["operation"]) == ("Shot", "update")
    new, old = call.entity["new"], call.entity["old"]
    assert set(new) == set(old)
    changed = {name for name in new if new[name] != old[name]}
    assert changed == {"status_id", "description"}
    assert (old["status_id"], new["status_id"]) == (before, status)


def test_body_of_a_created_task(api: Any, hook: Any, production: Any, receiver: Any) -> None:
    """A created task sends the recorded attributes, with times as plain texts, and no old row."""
    hook(receiver.url, 'entity.entity_type = "Task" and entity.operation = "create"')
    api.create(
        "Task",
        name="animation",
        parent_id=production.shot,
        bid=3600,
        start_date={"__type__": "datetime", "value": "2024-02-01T09:00:00"},
    )
    (call,) = receiver.wait()
    new = call.entity["new"]
    assert set(new) == TASK
    assert (new["name"], new["bid"], new["start_date"]) == (
        "animation",
        3600,
        "2024-02-01T09:00:00",
    )
    assert call.entity["old"] == {}


def test_headers_of_the_webhook(api: Any, hook: Any, production: Any, receiver: Any) -> None:
    """A request has the headers of its webhook, and JSON as content type unless they say else."""
    headers = {"Authorization": "Bearer secret-token", "X-Studio": "a b"}
    ids = hook(receiver.url, headers=json.dumps(headers))
    production.new_project("first")
    first = receiver.wait()[0]
    assert {name: first.headers[name] for name in headers} == headers
    assert first.headers["Content-Type"] == "application/json"
    assert first.path == "/secret-path"
    own = json.dumps({"content-type": "application/vnd.hook+json", "user-agent": "studio"})
    api.update("WebhookAction", ids.action, headers=own)
    production.new_project("second")
    second = receiver.wait(2)[1].headers
    assert second["content-type"] == "application/vnd.hook+json"
    assert second["user-agent"] == "studio"
    assert "Content-Type" not in second
    assert "Authorization" not in second


def test_value_of_a_custom_attribute(api: Any, hook: Any, production: Any, receiver: Any) -> None:
    """A changed custom attribute sends its value."""
    type_id = api.one('select id from CustomAttributeType where name is "text"')["id"]
    configuration = api.create(
        "CustomAttributeConfiguration",
        key="note",
        label="Note",
        type_id=type_id,
        entity_type="task",
        object_type_id=MODEL.types["Shot"].classifier["object_type_id"],
        default="",
        config="{}",
    )
    hook(receiver.url, 'entity.new.value != entity.old.value and entity.new.value = "red"')
    api.update("ContextCustomAttributeValue", [configuration, production.shot], value="blue")
    api.update("ContextCustomAttributeValue", [configuration, production.shot], value="red")
    (call,) = receiver.wait()
    assert call.entity["entity_type"] == "ContextCustomAttributeValue"
    assert call.entity["new"]["value"] == "red"
    assert call.entity["old"]["value"] == "blue"
    assert call.entity["new"]["entity_id"] == production.shot


def test_filter_on_metadata(
    sandbox: Any, api: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """A filter may use the metadata, also the hash, which the server makes only when needed."""
    (information,) = api.call({"action": "query_server_information"})
    own = information["schema_hash"]
    hook(receiver.url, f'metadata.configuration_hash = "{own}" and entity.new.name = "a"')
    for name in ("b", "a"):
        production.new_project(name)
    (call,) = receiver.wait()
    assert call.entity["new"]["name"] == "a"
    assert call.body["metadata"]["configuration_hash"] == own


# Which changes are sent


def test_changes_of_a_batch_are_one_event_for_each_entity(
    api: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """A batch sends one event for each entity, with the values at its end."""
    hook(receiver.url, 'entity.entity_type = "Shot"')
    kept = api.make("Shot", name="kept", parent_id=production.project)
    dropped = api.make("Shot", name="dropped", parent_id=production.project)
    api.call(
        kept,
        dropped,
        api.change("Shot", kept["entity_data"]["id"], name="renamed"),
        api.change("Shot", production.shot, name="other"),
        api.change("Shot", production.shot, name="010", description="x"),
        api.remove("Shot", dropped["entity_data"]["id"]),
    )
    first, second = receiver.wait(2)
    assert (first.entity["operation"], first.entity["new"]["name"]) == ("create", "renamed")
    assert (second.entity["operation"], second.entity["new"]["name"]) == ("update", "010")
    assert second.entity["old"]["description"] != "x"
    assert first.body["id"] != second.body["id"]
    production.api.create("Shot", name="last", parent_id=production.project)
    assert names(receiver.wait(3)) == ["renamed", "010", "last"]


def test_deletions_and_unchanged_entities_are_not_sent(
    api: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """A deletion triggers nothing, and neither does an update that ends with the old values."""
    hook(receiver.url, 'entity.entity_type = "Shot"')
    api.call(
        api.change("Shot", production.shot, name="other"),
        api.change("Shot", production.shot, name="010"),
    )
    api.delete("Shot", production.shot)
    api.create("Shot", name="last", parent_id=production.project)
    assert names(receiver.wait()) == ["last"]


def test_a_refused_batch_sends_nothing(api: Any, hook: Any, production: Any, receiver: Any) -> None:
    """A batch that is rolled back leaves no delivery."""
    hook(receiver.url, 'entity.entity_type = "Shot"')
    with pytest.raises(api.Error):
        api.call(
            api.make("Shot", name="refused", parent_id=production.project),
            api.change("Shot", "unknown", name="x"),
        )
    api.create("Shot", name="last", parent_id=production.project)
    assert names(receiver.wait()) == ["last"]


def test_any_trigger_of_an_automation_sends_once(
    api: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """An automation with several triggers sends a change once if any of them selects it."""
    ids = hook(receiver.url, 'entity.new.name = "a"')
    api.create("Trigger", automation_id=ids.automation, filter='entity.new.name != "b"')
    for name in ("a", "b", "c"):
        production.new_project(name)
    assert names(receiver.wait(2)) == ["a", "c"]
    production.new_project("d")
    assert names(receiver.wait(3)) == ["a", "c", "d"]


def test_changed_and_removed_triggers(api: Any, hook: Any, production: Any, receiver: Any) -> None:
    """A change of a trigger applies to the next batch, also its deletion."""
    ids = hook(receiver.url, 'entity.new.name = "a"')
    production.new_project("a")
    api.update("Trigger", ids.trigger, filter='entity.new.name = "b"')
    production.new_project("a2")
    production.new_project("b")
    assert names(receiver.wait(2)) == ["a", "b"]
    api.create("Trigger", automation_id=ids.automation, filter='entity.new.name = "c"')
    api.delete("Trigger", ids.trigger)
    api.create("Shot", name="b", parent_id=production.project)
    production.new_project("c")
    assert names(receiver.wait(3)) == ["a", "b", "c"]


def test_a_disabled_automation_sends_nothing(
    api: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """An automation sends while it is enabled, and is enabled unless its creator says no."""
    ids = hook(receiver.url)
    off = hook(receiver.url, enabled=False)
    query = "select enabled from Automation where id is "
    assert api.one(f'{query}"{ids.automation}"')["enabled"] is True
    assert api.one(f'{query}"{off.automation}"')["enabled"] is False
    production.new_project("first")
    api.update("Automation", ids.automation, enabled=False)
    production.new_project("second")
    api.update("Automation", ids.automation, enabled=True)
    production.new_project("third")
    assert names(receiver.wait(2)) == ["first", "third"]


def test_a_reset_forgets_the_webhooks(
    sandbox: Any, api: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """After a reset of the data, the old webhooks receive nothing."""
    hook(receiver.url)
    production.new_project("before")
    receiver.wait()
    sandbox.reset()
    schema = api.query("select id from ProjectSchema order by name")[0]["id"]
    api.create("Project", name="between", project_schema_id=schema)
    hook(receiver.url)
    api.create("Project", name="after", project_schema_id=schema)
    assert names(receiver.wait(2)) == ["before", "after"]


def test_secrets_of_the_site_are_not_sent(
    sandbox: Any, api: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """No webhook receives the headers of another webhook, or keys."""
    hook(receiver.url, 'entity.entity_type != "nothing"')
    other = hook("https://other.example.com", "id = fez_id", headers='{"X-Token": "secret"}')
    api.update("WebhookAction", other.action, headers='{"X-Token": "other"}')
    admin = api.one(f'select id from User where username is "{sandbox.api_user}"')["id"]
    api.create("ApiKey", description="farm", resource_id=admin)
    production.new_project("last")
    assert names(receiver.wait()) == ["last"]


# Limits of a site


def test_work_in_the_background_is_not_sent(
    api: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """The request for an encode job triggers webhooks, but the work of the job does not."""
    hook(receiver.url, 'entity.entity_type = "Job"')
    component = api.create("FileComponent", name="movie", file_type=".mov")
    (answer,) = api.call({"action": "encode_media", "component_id": component})
    job = answer["job_id"]
    pause = threading.Event()
    while api.one(f'select status from Job where id is "{job}"')["status"] != "failed":
        pause.wait(0.02)  # it fails because the component has no data
    user = api.query("select id from User")[0]["id"]
    last = api.create("Job", type="api_job", user_id=user)
    first, second = receiver.wait(2)
    assert (first.entity["id"], first.entity["operation"]) == ([job], "create")
    assert second.entity["id"] == [last]


def test_private_projects_are_sent_if_granted(
    api: Any, hook: Any, production: Any, receiver: Any
) -> None:
    """Changes in a private project are sent if the creator has a role for it by name."""
    hook(receiver.url, 'entity.entity_type = "Shot"')
    closed = production.new_project("closed", is_private=True)
    shot = api.create("Shot", name="hidden", parent_id=closed)
    api.create("Shot", name="open", parent_id=production.project)
    assert names(receiver.wait()) == ["open"]
    admin = api.one('select id from User where username is "admin"')["id"]
    role = api.one('select id from SecurityRole where name is "Project manager"')["id"]
    named = {"user_id": admin, "role_id": role}
    api.call({"action": "add_user_security_role", **named})
    grant = {"action": "grant_user_security_role_project", "project_id": closed}
    api.call({**grant, **named})
    api.update("Shot", shot, name="granted")
    assert names(receiver.wait(2)) == ["open", "granted"]


def test_ten_enabled_webhooks(api: Any, hook: Any) -> None:
    """A site has at most ten enabled webhooks; the error names the operation."""
    ids = [hook("https://hooks.example.com") for _ in range(rules.MAXIMUM_ENABLED)]
    with pytest.raises(api.Error, match="at most 10 enabled webhooks") as caught:
        hook("https://hooks.example.com")
    assert "operation 2: create WebhookAction" in caught.value.content
    off = hook("https://hooks.example.com", enabled=False)
    with pytest.raises(api.Error, match="would make 11"):
        api.update("Automation", off.automation, enabled=True)
    api.update("Automation", ids[0].automation, enabled=False)
    api.update("Automation", off.automation, enabled=True)
    api.update("Automation", ids[1].automation, description="still allowed")


# Mistakes


def test_a_mistake_in_a_filter(api: Any, hook: Any) -> None:
    """Creation and update refuse a trigger with a mistake, and show where it is."""
    with pytest.raises(api.Error) as caught:
        hook("https://hooks.example.com", 'entity.new.status_ids = "x"')
    first, line, caret = caught.value.content.splitlines()
    assert "'filter' of Trigger, position 12" in first
    assert "Did you mean 'status_id'?" in first
    assert "operation 1: create Trigger" in first
    assert line[caret.index("^") :].startswith("status_ids")
    ids = hook("https://hooks.example.com")
    with pytest.raises(api.Error, match="position 1: "):
        api.update("Trigger", ids.trigger, filter="")
    with pytest.raises(api.Error, match="filter"):
        api.update("Trigger", ids.trigger, filter=None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"webhook_url": "http://hooks.example.invalid/SECRET", "x": 1}, None),
        ({"webhook_url": "http://10.0.0.7/SECRET"}, "'webhook_url' of WebhookAction"),
        ({"webhook_url": "https://user:SECRET@hooks.example.com"}, "'webhook_url'"),
        ({"headers": '{"X-Token": "SECRET\\n"}'}, "'headers' of WebhookAction"),
        ({"headers": '{"X-Token": ["SECRET"]}'}, "'headers' of WebhookAction"),
        ({"headers": {"X-Token": "SECRET"}}, "'headers' of WebhookAction must be a text, not dict"),
    ],
)
def test_a_mistake_in_a_webhook(values: dict[str, Any], words: Any, api: Any, hook: Any) -> None:
    """Creation and update refuse a malformed webhook, without showing the value."""
    ids = hook("https://hooks.example.com")
    values = {name: value for name, value in values.items() if name != "x"}
    if words is None:  # the name is resolved at the delivery
        api.update("WebhookAction", ids.action, **values)
        return
    with pytest.raises(api.Error) as caught:
        api.update("WebhookAction", ids.action, **values)
    assert words in caught.value.content
    assert "SECRET" not in caught.value.content
    given = {"webhook_url": "https://hooks.example.com", **values}
    with pytest.raises(api.Error, match=r"'(webhook_url|headers)' of WebhookAction") as caught:
        api.create("WebhookAction", automation_id=ids.automation, **given)
    assert "SECRET" not in caught.value.content


def test_plain_http_needs_the_option(sandbox: Any, api: Any, hook: Any) -> None:
    """Without the option, an address with http:// is refused even for this machine."""
    from ftrack_like.testing import Sandbox

    with Sandbox() as strict, strict.session() as session:
        automation = session.create("Automation", {"name": "x"})
        url = "http://127.0.0.1:1"
        session.create("WebhookAction", {"automation_id": automation["id"], "webhook_url": url})
        with pytest.raises(Exception, match=r"must begin with https://.*--loopback-webhooks"):
            session.commit()


# Answers of receivers, and the log


def test_log_of_deliveries(
    api: Any, hook: Any, production: Any, receiver: Any, log: Callable[..., Any]
) -> None:
    """A delivery adds a row to the log, with the event and the status of the answer."""
    ids = hook(receiver.url, headers='{"X-Token": "secret-token"}')
    project = production.new_project("a")
    (call,) = receiver.wait()
    (row,) = log(1)
    assert (row["status"], row["action_id"]) == ("success", ids.action)
    for words in (
        call.body["id"],
        f"create of Project {project}",
        "status 204",
        receiver.url[:-12],
    ):
        assert words in row["message"]
    assert "secret" not in row["message"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(500, "status 500."), (404, "status 404."), (302, "redirects are not followed")],
)
def test_repetition_after_a_failure(
    status: int,
    words: str,
    hook: Any,
    production: Any,
    receivers: Any,
    receiver: Any,
    log: Callable[..., Any],
) -> None:
    """Any status but 2xx is a failure: the same body is sent again, and redirects lead nowhere."""
    failing = receivers(status, 200)
    failing.headers["Location"] = receiver.url
    hook(failing.url)
    production.new_project("a")
    first, second = failing.wait(2)
    assert first.body == second.body
    failed, succeeded = log(2)
    assert (failed["status"], succeeded["status"]) == ("failure", "success")
    assert failed["message"].startswith("Attempt 1 of 8 to deliver event")
    assert words in failed["message"]
    assert failed["message"].endswith("The next attempt follows in 1 s.")
    assert not receiver.calls


def test_a_failure_does_not_delay_later_events(hook: Any, production: Any, receivers: Any) -> None:
    """While a failed event waits, later events are sent."""
    failing = receivers(500)
    hook(failing.url)
    production.new_project("a")
    failing.wait()
    production.new_project("b")
    assert sorted(names(failing.wait(3))) == ["a", "a", "b"]


def test_corrected_headers_apply_to_repetitions(
    api: Any, hook: Any, production: Any, receivers: Any, log: Callable[..., Any]
) -> None:
    """A repetition uses the address and the headers that the webhook has then."""
    failing = receivers(*[401] * 8)
    ids = hook(failing.url, headers='{"X-Token": "old"}')
    production.new_project("a")
    log(1)
    api.update("WebhookAction", ids.action, headers='{"X-Token": "new"}')
    failing.wait_for(lambda call: call.headers["X-Token"] == "new")
    assert failing.calls[0].headers["X-Token"] == "old"


def test_a_hanging_receiver_delays_nobody_else(
    api: Any, hook: Any, production: Any, receivers: Any
) -> None:
    """While a receiver does not answer, batches are committed and other receivers get theirs."""
    hanging, prompt = receivers(*[0] * 100), receivers()
    hook(hanging.url)
    hook(prompt.url)
    expected = [str(number) for number in range(25)]
    for name in expected:
        production.new_project(name)
    assert names(prompt.wait(25)) == expected
    assert len(hanging.calls) < 25


@pytest.mark.parametrize("how", ["disable", "delete"])
def test_waiting_deliveries_of_an_ended_automation(
    how: str, sandbox: Any, api: Any, hook: Any, production: Any, receivers: Any, log: Any
) -> None:
    """Disabling or deleting an automation drops its waiting deliveries; deletion drops the log."""
    failing, other = receivers(500), receivers()
    ids = hook(failing.url)
    hook(other.url)
    production.new_project("a")
    log(2)
    failing.wait()
    if how == "disable":
        api.update("Automation", ids.automation, enabled=False)
        assert api.query(f'select id from ActionLog where action_id is "{ids.action}"')
    else:
        api.delete("Automation", ids.automation)
        assert not api.query(f'select id from ActionLog where action_id is "{ids.action}"')
    assert ids.action not in sandbox._api.webhooks.waiting()


def test_events_do_not_show_headers(sandbox: Any, api: Any, hook: Any, production: Any) -> None:
    """The events of the server say nothing about the headers of a webhook."""
    from ftrack_like.event.hub import EventHub

    heard: list[Any] = []
    hub = EventHub(sandbox.server_url, sandbox.api_user, sandbox.api_key)
    hub.connect()
    try:
        hub.subscribe("topic=ftrack.update", heard.append)
        hook("https://hooks.example.com/secret-path", headers='{"X-Token": "secret-token"}')
        production.new_project("last")
        while not any("last" in str(one["data"]) for one in heard):
            hub.wait(0.1)
    finally:
        hub.disconnect()
    assert "Automation" in str([one["data"] for one in heard])
    assert "secret" not in str([one["data"] for one in heard])


def test_failures_of_the_database_do_not_show_headers(
    fresh_sandbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """If the database refuses a webhook, the log of the server does not show its headers."""
    with fresh_sandbox._api.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE action")
    with fresh_sandbox.session() as session:
        automation = session.create("Automation", {"name": "x"})
        values = {"automation_id": automation["id"], "webhook_url": "https://hooks.example.com/a"}
        session.create("WebhookAction", {**values, "headers": '{"X-Token": "secret-token"}'})
        with pytest.raises(ServerError, match="its log contains the details"):
            session.commit()
    assert "no such table: action" in caplog.text
    assert "secret-token" not in caplog.text
