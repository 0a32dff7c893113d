"""Actions in the pages, in a real browser: the menu, forms, messages, widgets and jobs."""

from __future__ import annotations

import contextlib
import threading

import pytest

from ftrack_like.actions import Action
from ftrack_like.event.base import Event

#: One item of each kind, and what comes back of them untouched.
EVERY_ITEM = [
    {
        "type": "label",
        "value": "# Publish\n\nTo **farm**, or [elsewhere](https://example.com/).\n\n---\n\n<b>Bold</b>",
    },
    {"type": "text", "name": "comment", "label": "Comment", "empty_text": "Say why"},
    {"type": "textarea", "name": "story", "label": "Story", "value": "Once\nupon"},
    {"type": "number", "name": "frames", "label": "Frames", "value": 24},
    {"type": "date", "name": "due", "label": "Due", "value": "2026-03-09T00:00:00"},
    {"type": "boolean", "name": "urgent", "label": "Urgent", "value": True},
    {
        "type": "enumerator",
        "name": "queue",
        "label": "Queue",
        "data": [{"label": "Day", "value": "day"}, {"label": "Night", "value": 2}],
        "value": 2,
    },
    {
        "type": "enumerator",
        "name": "passes",
        "label": "Passes",
        "multi_select": True,
        "data": [{"label": one.title(), "value": one} for one in ("beauty", "depth", "id")],
        "value": ["depth"],
    },
    {"type": "hidden", "name": "step", "value": {"number": 1}},
    {"type": "number", "name": "range", "label": "First frame", "value": 1001},
    {"type": "number", "name": "range", "label": "Last frame", "value": 1100.5},
]
UNTOUCHED = {
    "comment": "",
    "story": "Once\nupon",
    "frames": 24,
    "due": "2026-03-09",
    "urgent": True,
    "queue": 2,
    "passes": ["depth"],
    "step": {"number": 1},
    "range": [1001, 1100.5],
}


class Everything(Action):
    """An action with a form of every item."""

    identifier = "studio.everything"
    label = "Everything"
    description = "Asks for everything."
    icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"
    everyone = True

    def __init__(self, session):
        super().__init__(session)
        self.launches = []

    def launch(self, request):
        self.launches.append(request)
        if request.values:
            return "All is known."
        return {
            "title": "Everything there is",
            "submit_button_label": "Send it",
            "items": EVERY_ITEM,
        }


class Answer(Action):
    """An action that answers what a test wants."""

    identifier = "studio.answer"
    label = "Answer"
    everyone = True
    answer = None

    def __init__(self, session):
        super().__init__(session)
        self.launches = []

    def _launch(self, event):
        self.launches.append(event)
        return self.answer


@contextlib.contextmanager
def handling(sandbox, **options):
    """Yield a session whose hub is connected and handles events on a thread."""
    with sandbox.session(**options) as session:
        session.event_hub.connect()
        thread = threading.Thread(target=session.event_hub.wait, daemon=True)
        thread.start()
        yield session
        session.event_hub.disconnect()
        thread.join(10)


@pytest.fixture
def handler(sandbox):
    """Return a session of the administrator that handles events."""
    with handling(sandbox) as session:
        yield session


def action(kind, handler, answer=None):
    """Return a registered action of *handler* that the server knows."""
    made = kind(handler)
    made.answer = answer
    made.register()
    handler.event_hub.wait_connected(20)
    return made


@pytest.fixture
def project(chromium, session):
    """Return a project with a task; the browser is there."""
    schema = session.query("ProjectSchema").first()
    project = session.create(
        "Project", {"name": "heron", "full_name": "The Heron", "project_schema": schema}
    )
    session.create("Task", {"name": "layout", "parent": project})
    session.commit()
    return project


def log_in(window, sandbox, place, user=None, key=None):
    """Open *place* as a user, by default the administrator; return when events arrive."""
    page = window.open(sandbox.server_url + place).page
    page.fill("#username", user or sandbox.api_user)
    page.fill("#key", key or sandbox.api_key)
    page.click("button.primary")
    window.until("document.documentElement.dataset.events === 'open'")
    return page


@pytest.fixture
def page(window, sandbox, project):
    """Return the page of the project."""
    return log_in(window, sandbox, f"/browse/context/{project['id']}")


def choose(page, label):
    """Launch the action *label* from the first menu."""
    page.click("[data-actions] button[aria-haspopup]")
    page.click(f"role=menuitem[name=/^{label}/]")


# The menu


def test_every_item_of_a_form_by_the_keyboard_alone(page, window, handler, project):
    """Menu, form and message work with keys, and the untouched values come back with their types."""
    every = action(Everything, handler)
    page.focus("[data-actions] button[aria-haspopup]")
    page.keyboard.press("Enter")
    page.wait_for_selector("role=menuitem[name=/Everything/]")
    window.until("document.activeElement.getAttribute('role') === 'menuitem'")
    page.keyboard.press("Enter")
    page.wait_for_selector("role=dialog[name='Everything there is']")
    window.until("document.activeElement.closest('.item') !== null")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=All is known.")
    assert every.launches[0].values == {}
    assert every.launches[1].values == UNTOUCHED
    assert page.locator("dialog").count() == 0


def test_what_a_person_enters_arrives(page, handler, window):
    """Every kind of item takes an input."""
    every = action(Everything, handler)
    choose(page, "Everything")
    page.wait_for_selector("dialog")
    assert page.get_attribute("text=Comment >> xpath=.. >> css=input", "placeholder") == "Say why"
    window.screenshot("action-form.png")
    for label, text in {
        "Comment": "Because.",
        "Story": "A\nB",
        "Frames": "12.5",
        "Due": "2027-01-31",
        "First frame": "7",
        "Last frame": "",
    }.items():
        page.get_by_label(label).fill(text)
    page.get_by_label("Urgent").uncheck()
    page.get_by_label("Queue").select_option(label="Day")
    page.get_by_label("Passes").select_option(label=["Beauty", "Id"])
    page.click("text=Send it")
    page.wait_for_selector("text=All is known.")
    assert every.launches[1].values == {
        "comment": "Because.",
        "story": "A\nB",
        "frames": 12.5,
        "due": "2027-01-31",
        "urgent": False,
        "queue": "day",
        "passes": ["beauty", "id"],
        "step": {"number": 1},
        "range": [7, None],
    }


def test_the_events_have_the_shape_of_a_site(page, handler, project):
    """Discover, launch and the launch with values carry exactly the documented data."""
    asked = []
    handler.event_hub.subscribe("topic=ftrack.action.discover", lambda event: asked.append(event))
    item = {"custom": [1], "actionData": {"a": None}, "icon": "default"}
    offered = {"actionIdentifier": "x", "label": "Answer", "variant": "One", **item}
    answer = action(Answer, handler, [{"type": "text", "name": "t", "value": "v"}])
    answer.items = lambda: [offered]
    answer.identifier = "x"
    answer.unregister()
    action_again(answer)
    choose(page, "Answer – One")
    page.wait_for_selector("dialog")
    answer.answer = {"success": True, "message": "Thanks."}
    page.click("text=Submit")
    page.wait_for_selector("text=Thanks.")
    selection = [{"entityId": project["id"], "entityType": "show"}]
    assert asked[0]["data"] == {
        "selection": selection,
        "groupers": [],
        "filters": [],
        "sorters": [{"direction": "ASC", "property": "label", "root": "data"}],
    }
    user = handler.query("User where username is admin").one()
    assert set(asked[0]["source"]) == {"id", "user"}
    assert asked[0]["source"]["user"] == {"id": user["id"], "username": "admin"}
    first, second = answer.launches
    assert first["data"] == {**offered, "selection": selection}
    assert second["data"] == {**offered, "selection": selection, "values": {"t": "v"}}
    assert second["source"]["user"] == asked[0]["source"]["user"]


def action_again(made):
    made.register()
    made.session.event_hub.wait_connected(20)
