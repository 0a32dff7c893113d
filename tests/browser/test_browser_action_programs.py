"""Jobs, accessibility, and actions of the published client, in a real browser."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .conftest import PATIENCE
from .programs import Answer, Everything, action, choose, log_in

# Jobs


def test_the_jobs_of_the_user_are_followed(page, window, handler, artist):
    """A job of an action appears, changes and ends without a reload; jobs of others stay away."""
    me = handler.query("User where username is admin").one()
    mine = {"type": "api_job", "status": "running", "data": '{"description": "Rendering HRB_0010"}'}
    other = {"type": "api_job", "status": "running", "data": '{"description": "A job of Ada"}'}
    jobs = []

    def launch(action, event):
        jobs.append(handler.create("Job", {"user": me, **mine}))
        handler.create("Job", {"user": artist[0], **other})
        handler.commit()
        return {"success": True, "message": "Started."}

    action(type("Starting", (Answer,), {"_launch": launch}), handler)
    choose(page, "Answer")
    page.wait_for_selector("[data-status=running] >> text=Rendering HRB_0010")
    window.screenshot("action-jobs.png")
    jobs[0]["status"] = "done"
    handler.commit()
    page.wait_for_selector("[data-status=done] >> text=Rendering HRB_0010")
    assert not page.is_visible("text=A job of Ada")
    page.click("text=All jobs")
    page.wait_for_selector("h1 >> text=Your jobs")
    assert page.locator("[data-job]").count() == 1


# Accessibility


def test_axe_finds_nothing(page, window, handler, artist):
    """The rules of axe-core hold with the menu open, in a form, and with messages and jobs."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    job = {"user": handler.query("User where username is admin").one(), "type": "api_job"}
    handler.create("Job", {**job, "data": '{"description": "Rendering"}', "status": "running"})
    handler.commit()
    action(Everything, handler)

    def faults():
        result = axe.Axe().run(page)
        return [
            (one["id"], [node["html"] for node in one["nodes"]])
            for one in result.response["violations"]
        ]

    page.wait_for_selector("[data-job]")
    page.click("[data-actions] button[aria-haspopup]")
    page.wait_for_selector("role=menuitem")
    assert faults() == []
    page.click("role=menuitem")
    page.wait_for_selector("dialog")
    assert faults() == []
    page.click("text=Send it")
    page.wait_for_selector("text=All is known.")
    assert faults() == []


# The published client

_PUBLISHED = """
import sys
import ftrack_api
from ftrack_api.event.base import Event

session = ftrack_api.Session(*sys.argv[1:4], auto_connect_event_hub=False)
session.event_hub.connect()
user = session.query("User").first()

def discover(event):
    return {"items": [{"label": "Published", "actionIdentifier": "published", "icon": "default"}]}

def launch(event):
    data = event["data"]
    if "values" not in data:
        return {"items": [
            {"type": "label", "value": "# Hello"},
            {"type": "text", "name": "word", "label": "Word", "value": "hi"},
            {"type": "enumerator", "name": "kind", "label": "Kind", "multi_select": True,
             "data": [{"label": "One", "value": 1}, {"label": "Two", "value": 2}]},
        ]}
    job = session.create("Job", {
        "user": user, "status": "running", "data": '{"description": "Published job"}',
    })
    session.commit()
    session.event_hub.publish(Event(
        topic="ftrack.action.trigger-user-interface",
        data={"type": "message", "success": True, "message": "Triggered"},
        target='applicationId=ftrack.client.web and user.id="{}"'.format(user["id"]),
    ), on_error="ignore")
    return {"success": True, "message": repr(data["values"])}

session.event_hub.subscribe(
    "topic=ftrack.action.discover and source.user.username={}".format(session.api_user), discover
)
session.event_hub.subscribe(
    "topic=ftrack.action.launch and data.actionIdentifier=published", launch
)
print("ready", flush=True)
session.event_hub.wait()
"""


@pytest.fixture
def published():
    """Return a Python that has the published client."""
    python = os.environ.get("FTRACK_LIKE_TEST_PUBLISHED_PYTHON", sys.executable)
    found = subprocess.run(
        [python, "-c", "import ftrack_api"], capture_output=True, env=_alone(), check=False
    )
    if found.returncode:
        pytest.skip("ftrack-python-api is not installed (FTRACK_LIKE_TEST_PUBLISHED_PYTHON)")
    return python


def _alone():
    """Return the environment without the paths of this project."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_an_action_of_the_published_client(published, page, sandbox):
    """Menu, form, values, message, triggered message and job of a handler with that client."""
    handler = subprocess.Popen(
        [published, "-c", _PUBLISHED, sandbox.server_url, sandbox.api_key, sandbox.api_user],
        stdout=subprocess.PIPE,
        text=True,
        env=_alone(),
    )
    try:
        assert handler.stdout.readline() == "ready\n"
        choose(page, "Published")
        page.wait_for_selector("dialog h3 >> text=Hello")
        page.get_by_label("Kind").select_option(label=["Two"])
        page.click("text=Submit")
        page.wait_for_selector("text=Triggered")
        message = page.inner_text(".message-line p >> text=word")
        assert message == "{'word': 'hi', 'kind': [2]}"
        page.wait_for_selector("[data-status=running] >> text=Published job")
    finally:
        handler.kill()
        handler.communicate(timeout=PATIENCE)


# Dynamic enumerators


def test_values_of_a_dynamic_enumerator_are_asked_for(page, window, handler, session, project):
    """The form of custom attributes asks by event, searches, tells changes, and stores a value."""
    type_ = session.query('CustomAttributeType where name is "dynamic enumerator"').one()
    number = session.query("CustomAttributeType where name is number").one()
    configuration = {"entity_type": "show", "core": False}
    for key, kind, config in (
        ("vendor", type_, '{"multiSelect": false}'),
        ("crowd", number, '{"isdecimal": false}'),
    ):
        values = {"key": key, "label": key.title(), "type": kind, "config": config}
        session.create("CustomAttributeConfiguration", {**configuration, **values})
    session.commit()
    asked = []
    names = ["Heron Pictures", "Ibis", "Jay"]

    def offer(event):
        asked.append(event["data"])
        query = event["data"]["query"].lower()
        return [{"name": one, "value": one[0]} for one in names if query in one.lower()]

    handler.event_hub.subscribe(
        "topic=ftrack.dynamic-enumerator and data.attributeName=vendor", offer
    )
    handler.event_hub.wait_connected(20)
    page.click("text=Custom attributes")
    vendor = page.get_by_label("Vendor", exact=True)
    vendor.locator("option >> text=Ibis").wait_for(state="attached")
    assert asked[0] == {
        "attributeName": "vendor",
        "recordData": {
            "entity": {"entityType": "show", "entityId": project["id"]},
            "changes": {},
        },
        "query": "",
        "sorters": [],
        "groupers": [],
        "filters": [],
    }
    page.get_by_label("Search the values of vendor").fill("heron")
    window.until_python(
        lambda: vendor.locator("option").all_inner_texts() == ["", "Heron Pictures"]
    )
    vendor.select_option(label="Heron Pictures")
    page.get_by_label("Crowd").fill("12")
    page.get_by_label("Crowd").press("Tab")
    window.until_python(lambda: asked[-1]["recordData"]["changes"] == {"crowd": 12})
    window.screenshot("custom-attributes.png")
    page.click("text=Save")
    page.wait_for_selector(".facts >> text=12")
    expression = f"select custom_attributes from Project where id is {project['id']}"
    # Other facts, such as a date, may contain the number too.
    window.until_python(lambda: session.query(expression).one()["custom_attributes"]["crowd"] == 12)
    assert session.query(expression).one()["custom_attributes"]["vendor"] == ["H"]


def test_nobody_offers_values(page, session, project):
    """Without a program the form says so, and the other attributes can be changed."""
    type_ = session.query('CustomAttributeType where name is "dynamic enumerator"').one()
    values = {"key": "vendor", "label": "Vendor", "entity_type": "show", "core": False}
    session.create(
        "CustomAttributeConfiguration",
        {**values, "type": type_, "config": '{"multiSelect": false}'},
    )
    session.commit()
    page.click("text=Custom attributes")
    page.wait_for_selector("text=No program offers values.")
    page.get_by_label("Project code").fill("HRN")
    page.click("text=Save")
    page.wait_for_selector(".facts >> text=HRN")


def test_a_refused_value_is_told(make_window, sandbox, session, project):
    """The message of the server is shown, and the page stays."""
    page = log_in(make_window(), sandbox, f"/browse/context/{project['id']}")
    page.click("text=Custom attributes")
    page.get_by_label("Project code").fill("HRN")
    session.delete(project)
    session.commit()
    page.click("text=Save")
    page.wait_for_selector(".failure")


def test_fields_after_the_log_out(page):
    """Who has logged out in another window is told that there is nothing to read."""
    page.context.clear_cookies()
    page.click("text=Custom attributes")
    page.wait_for_selector("text=The custom attributes cannot be read.")
