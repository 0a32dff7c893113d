"""Actions in the pages, in a real browser: the menu, forms, messages, widgets and jobs."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import subprocess
import sys
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
    window.until("document.documentElement?.dataset.events === 'open'")
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


def test_replies_of_all_handlers_are_shown_together(page, window, sandbox, handler):
    """Two programs with several actions fill one menu, in the order of the labels."""
    with handling(sandbox) as other:
        for session, label, variants in (
            (handler, "Zoo", ()),
            (handler, "Export", ("Nuke", "Maya")),
            (other, "Bake", ()),
        ):
            made = type(label, (Answer,), {"identifier": label, "label": label})
            made.variants = variants
            action(made, session)
        page.click("[data-actions] button[aria-haspopup]")
        window.until("document.querySelectorAll('[role=menuitem]').length === 4")
        names = page.locator("[role=menuitem] .name").all_inner_texts()
        assert names == ["Bake", "Export – Maya", "Export – Nuke", "Zoo"]


def test_a_late_reply_joins_the_open_menu(page, window, handler):
    """A handler that takes longer than the others still gets its entry, and the focus stays."""
    late = threading.Event()
    action(Answer, handler)
    handler.event_hub.subscribe(
        "topic=ftrack.action.discover",
        lambda event: late.wait(30) and {"items": [{"actionIdentifier": "late", "label": "Aaa"}]},
        priority=200,
    )
    handler.event_hub.wait_connected(20)
    page.focus("[data-actions] button[aria-haspopup]")
    page.keyboard.press("Enter")
    window.until("document.activeElement.textContent === 'Answer'")
    assert page.locator("role=menuitem").count() == 1
    late.set()
    window.until("document.querySelectorAll('[role=menuitem]').length === 2")
    assert page.evaluate("document.activeElement.textContent") == "Answer"


def test_keys_move_in_the_menu_and_leave_it(page, window, handler):
    """Arrows, Home, End and letters move; Escape closes and brings the focus back."""
    made = action(Answer, handler)
    labels = ["Alpha", "Beta", "Gamma"]
    made.items = lambda: [{"actionIdentifier": one, "label": one} for one in labels]
    page.focus("[data-actions] button[aria-haspopup]")
    page.keyboard.press("ArrowDown")
    focused = "document.activeElement.textContent"
    window.until(f"{focused} === 'Alpha'")
    for key, label in {
        "ArrowDown": "Beta",
        "End": "Gamma",
        "ArrowDown ": "Alpha",
        "ArrowUp": "Gamma",
        "Home": "Alpha",
        "b": "Beta",
    }.items():
        page.keyboard.press(key.strip())
        assert page.evaluate(focused) == label, key
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "Actions"
    assert page.locator("role=menuitem").count() == 0
    assert page.get_attribute("[data-actions] button", "aria-expanded") == "false"


def test_nobody_answers(page):
    """The menu says so, and stays useful."""
    page.click("[data-actions] button[aria-haspopup]")
    page.wait_for_selector("text=No action is offered here.")
    page.keyboard.press("Escape")
    assert not page.is_visible("text=No action is offered here.")


def test_every_kind_of_entity_has_a_menu(review_of_component, page, window, handler, sandbox):
    """Tasks, assets, versions, components and review sessions are named as on a site."""
    asked = []
    handler.event_hub.subscribe("topic=ftrack.action.discover", lambda event: asked.append(event))
    handler.event_hub.wait_connected(20)
    for place, menu, selected in review_of_component:
        window.open(sandbox.server_url + place)
        window.until("document.documentElement?.dataset.events === 'open'")
        asked.clear()
        page.locator("[data-actions] button[aria-haspopup]").nth(menu).click()
        window.until_python(lambda: asked)
        assert asked[0]["data"]["selection"] == [selected]


@pytest.fixture
def review_of_component(session, project):
    """Return pages, the number of the menu in it, and what it is about."""
    task = session.query("Task").one()
    asset = session.create("Asset", {"name": "comp", "parent": project})
    version = session.create("AssetVersion", {"asset": asset})
    component = session.create("Component", {"name": "main", "version": version})
    review = session.create("ReviewSession", {"name": "Dailies", "project": project})
    session.commit()
    places = [
        ("context", project, 0, "show"),
        ("context", task, 0, "task"),
        ("asset", asset, 0, "asset"),
        ("version", version, 0, "assetversion"),
        ("review", review, 0, "reviewsession"),
    ]
    found = [
        (f"/browse/{place}/{entity['id']}", menu, {"entityId": entity["id"], "entityType": kind})
        for place, entity, menu, kind in places
    ]
    inside = {"entityId": component["id"], "entityType": "Component"}
    return [*found, (f"/browse/version/{version['id']}", 1, inside)]


# Answers


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"success": True, "message": "Well done."}, ".success >> text=Well done."),
        ({"success": False, "message": "Not so."}, ".failure [role=alert] >> text=Not so."),
        ([{"type": "text", "name": "a"}], "dialog input[type=text]"),
        ({"items": [{"type": "text", "name": "a"}]}, "dialog input[type=text]"),
        ({"type": "form", "title": "Title", "items": []}, "role=dialog[name=Title]"),
        ({"success": True}, "text=Answer is done."),
        (False, "text=Answer failed."),
        ([3, {"type": "dance"}], 'text=The form has an item with the type "dance".'),
        ({"items": [{"type": "enumerator", "name": "a", "data": [None, 5]}]}, "dialog select"),
        (
            {"type": "widget", "url": "javascript:alert(1)", "message": "x"},
            "text=A widget has no address of the web",
        ),
    ],
)
def test_every_kind_of_answer_is_shown(page, handler, answer, shown):
    """Messages, forms in all their spellings, and answers that are not in order."""
    action(Answer, handler, answer)
    choose(page, "Answer")
    page.wait_for_selector(shown)
    assert not page.is_visible("text=has started.")


def test_a_form_can_be_left(page, handler, window):
    """Escape closes the form, nothing is sent, and the focus is back at the menu."""
    every = action(Everything, handler)
    choose(page, "Everything")
    page.wait_for_selector("dialog")
    page.keyboard.press("Escape")
    window.until("!document.querySelector('dialog')")
    assert page.evaluate("document.activeElement.textContent") == "Actions"
    assert len(every.launches) == 1


HOSTILE = """
# <img src=x onerror="window.bad=1"> Heading
<script>window.bad = 1</script><svg onload="window.bad=1"></svg>
<a href="javascript:window.bad=1">one</a> [two](javascript:window.bad=1) [three](java&#10;script:bad)
<a href="data:text/html,<script>window.bad=1</script>">four</a>
<p style="position:fixed" onclick="window.bad=1" id="main" class="bar">five</p>
<form action="/log-out"><input name="form_token"><button formaction="/x">six</button></form>
<iframe srcdoc="<script>parent.bad=1</script>"></iframe><meta http-equiv="refresh" content="0;url=/">
<base href="https://example.com/"><math><mtext><img src=x onerror="window.bad=1"></mtext></math>
<a href="https://example.com/" target="_self" ping="/x">seven</a>
"""


def test_a_hostile_label_is_only_text(page, window, handler):
    """No script, no handler, no style, no form and no odd link of a label reaches the page."""
    action(Answer, handler, [{"type": "label", "value": HOSTILE}])
    choose(page, "Answer")
    page.wait_for_selector(".label")
    elements = page.evaluate(
        "[...document.querySelectorAll('.label *')].map((one) =>"
        " [one.localName, ...one.getAttributeNames()])"
    )
    allowed = {"p", "h3", "br", "a"}
    assert {name for name, *_ in elements} <= allowed
    links = [attributes for name, *attributes in elements if name == "a"]
    assert links == [["href", "target", "rel"]]
    assert page.get_attribute(".label a", "href") == "https://example.com/"
    assert page.get_attribute(".label a", "target") == "_blank"
    assert all(not attributes for name, *attributes in elements if name != "a")
    assert page.evaluate("window.bad === undefined")
    for word in ("one", "two", "four", "five", "six", "seven"):
        assert word in page.inner_text(".label")
    # The browser reports what the policy of the page forbids, already where the label is parsed.
    assert all("Content Security Policy" in problem for problem in window.problems)
    window.problems.clear()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# One\n## Two", "<h3>One</h3>\n<h4>Two</h4>"),
        ("a\n\n---\nb", "<p>a</p>\n<hr>\n<p>b</p>"),
        ("- a\n- b\n\n1. c", "<ul><li>a</li><li>b</li></ul>\n<ol><li>c</li></ol>"),
        ("*a* **b** `<c>`", "<p><em>a</em> <strong>b</strong> <code>&lt;c&gt;</code></p>"),
        ("a\nb", "<p>a<br>b</p>"),
        ("```\n<b>\n```", "<pre><code>&lt;b&gt;</code></pre>"),
        ("<i>a</i> & <u>b</u>", "<p><i>a</i> &amp; <u>b</u></p>"),
        ("a_name_here 2*3*4", "<p>a_name_here 2<em>3</em>4</p>"),
    ],
)
def test_the_markdown_of_labels(page, handler, text, html):
    """Headings, rules, lists, emphasis, code and HTML elements of a label are shown."""
    action(Answer, handler, [{"type": "label", "value": text}])
    choose(page, "Answer")
    page.wait_for_selector(".label")
    assert page.inner_html(".label") == html


def test_a_message_is_text(page, handler):
    """HTML in messages, labels and titles is shown as it is written."""
    action(Answer, handler, {"message": "<b>bold</b>", "title": "<i>t</i>", "items": []})
    choose(page, "Answer")
    page.wait_for_selector("role=dialog[name='<i>t</i>']")
    page.keyboard.press("Escape")
    assert page.inner_text(".success p") == "<b>bold</b>"


# Widgets


class WidgetPage(http.server.BaseHTTPRequestHandler):
    """A page that tells what it may do."""

    def do_GET(self):
        page = b"""<!doctype html><title>Widget</title><p id="found">nothing</p><script>
        const can = {};
        const attempt = (name, act) => { try { can[name] = Boolean(act()); } catch { can[name] = false; } };
        attempt("store", () => localStorage);
        attempt("read", () => parent.document);
        attempt("leave", () => { top.location = "about:blank"; return top.location.href; });
        document.getElementById("found").textContent = JSON.stringify(can);
        </script>"""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *arguments):
        """Be quiet."""


@pytest.fixture
def widget_url():
    """Return the address of a widget on another server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), WidgetPage) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/widget"
        server.shutdown()
        thread.join(10)


def test_a_widget_is_shown_and_cannot_reach_the_page(
    make_window, sandbox, project, handler, widget_url
):
    """A widget of another server runs its scripts, keeps its storage, and gets no further."""
    window = make_window()  # the browser reports the attempts of the widget
    page = log_in(window, sandbox, f"/browse/context/{project['id']}")
    answer = {"type": "widget", "url": widget_url, "title": "Chart", "success": True}
    action(Answer, handler, {**answer, "message": "Here is the chart."})
    choose(page, "Answer")
    page.wait_for_selector("role=dialog[name=Chart]")
    found = page.frame_locator("dialog iframe").locator("#found")
    found.get_by_text("store").wait_for()
    assert json.loads(found.inner_text()) == {"store": True, "read": False, "leave": False}
    assert page.inner_text(".success p") == "Here is the chart."
    page.click("dialog >> text=Close")
    assert page.url.endswith(project["id"])


def test_a_page_of_the_sandbox_in_a_frame_has_no_rights(
    make_window, sandbox, session, project, handler
):
    """An address of the sandbox itself runs in an origin of its own, and pages are not shown."""
    window = make_window()
    page = log_in(window, sandbox, f"/browse/context/{project['id']}")
    made = action(Answer, handler, {"type": "widget", "url": session.get_widget_url("tasks")})
    choose(page, "Answer")
    rights = page.locator("dialog iframe").get_attribute("sandbox").split()
    assert "allow-same-origin" not in rights
    assert page.frame_locator("dialog iframe").locator("main").is_visible()
    page.keyboard.press("Escape")
    made.answer = {"type": "widget", "url": f"{sandbox.server_url}/browse"}
    choose(page, "Answer")
    page.wait_for_selector("dialog iframe")
    window.until_python(lambda: any("frame-ancestors" in one for one in window.problems))


# The user interface that programs open


def trigger(session, user, **data):
    """Publish the event that opens a user interface."""
    target = f'applicationId=ftrack.client.web and user.id="{user["id"]}"'
    event = Event("ftrack.action.trigger-user-interface", data=data, target=target)
    session.event_hub.publish(event)


def test_a_program_shows_messages_and_forms(page, handler):
    """A program reaches the pages of a user at any time, and gets the values of its form."""
    every = action(Everything, handler)
    user = handler.query("User where username is admin").one()
    trigger(handler, user, type="message", success=False, message="The farm is full.")
    page.wait_for_selector(".failure >> text=The farm is full.")
    items = [{"type": "label", "value": "Only to read"}]
    trigger(handler, user, type="widget", items=items, title="News")
    page.wait_for_selector("role=dialog[name=News]")
    assert page.locator("dialog button").all_inner_texts() == ["Close"]
    page.click("text=Close")
    trigger(
        handler,
        user,
        type="form",
        title="More",
        actionIdentifier=every.identifier,
        submit_button_label="Go",
        items=[{"type": "text", "name": "a", "value": "b"}],
        mine=[1],
    )
    page.click("text=Go")
    page.wait_for_selector("text=All is known.")
    assert every.launches[0].data == {
        "actionIdentifier": every.identifier,
        "mine": [1],
        "selection": [],
        "values": {"a": "b"},
    }


def test_our_helper_reaches_the_user_of_the_request(page, handler):
    """Action.show_message and trigger_user_interface arrive in the page of the requesting user."""
    helper = action(Answer, handler, True)
    choose(page, "Answer")
    page.wait_for_selector("text=Answer is done.")
    from ftrack_like.actions import ActionRequest

    request = ActionRequest(handler, helper.launches[0])
    helper.show_message(request, "From the helper.")
    page.wait_for_selector("text=From the helper.")
    helper.trigger_user_interface(request, [{"type": "text", "name": "x"}], "Helper")
    page.wait_for_selector("role=dialog[name=Helper]")


@pytest.fixture
def artist(session):
    """Return a user who sees all open projects, and the user's key."""
    user = session.create("User", {"username": "ada", "first_name": "Ada", "is_active": True})
    role = session.query('SecurityRole where name is "User"').one()
    session.create(
        "UserSecurityRole", {"user": user, "security_role": role, "is_all_open_projects": True}
    )
    session.commit()
    return user, session.reset_remote("api_key", user)["api_key"]


def test_each_user_gets_their_own(make_window, sandbox, artist, handler, project):
    """What is for one user reaches no page of another, and replies reach the asking page alone."""
    user, key = artist
    place = f"/browse/context/{project['id']}"
    mine = make_window()
    own, other = log_in(mine, sandbox, place), log_in(make_window(), sandbox, place, "ada", key)
    answer = action(Answer, handler, {"message": "For the administrator."})
    choose(own, "Answer")
    own.wait_for_selector("text=For the administrator.")
    trigger(handler, user, type="message", success=True, message="For Ada.")
    other.wait_for_selector("text=For Ada.")
    assert not other.is_visible("text=For the administrator.")
    assert not own.is_visible("text=For Ada.")
    choose(other, "Answer")
    mine.until_python(lambda: len(answer.launches) == 2)
    assert answer.launches[1]["source"]["user"] == {"id": user["id"], "username": "ada"}


def test_a_deactivated_user_is_told(make_window, sandbox, artist, session, project):
    """The connection of the page ends with the account, and the menu says why nothing happens."""
    user, key = artist
    window = make_window()  # the browser reports that the server refuses
    page = log_in(window, sandbox, f"/browse/context/{project['id']}", "ada", key)
    user["is_active"] = False
    session.commit()
    window.until("document.documentElement.dataset.events === 'denied'")
    page.click("[data-actions] button[aria-haspopup]")
    page.wait_for_selector("text=You are no longer logged in.")


def test_the_page_connects_again(make_window, tmp_path):
    """After a restart of the server, the same page asks for actions, and gets the answers."""
    from ftrack_like.testing import Sandbox

    window = make_window()  # the browser reports the outage
    sandbox = Sandbox(tmp_path / "data", demo=True)
    with sandbox, sandbox.session() as session:
        project = session.query("Project").first()
        log_in(window, sandbox, f"/browse/context/{project['id']}")
    window.until("document.documentElement.dataset.events === 'lost'")
    port = int(sandbox.server_url.rpartition(":")[2])
    with Sandbox(tmp_path / "data", port=port) as again, handling(again) as handler:
        window.until("document.documentElement.dataset.events === 'open'", 60)
        action(Answer, handler, "Welcome back.")
        choose(window.page, "Answer")
        window.page.wait_for_selector("text=Answer is done.")


# Jobs


def test_the_jobs_of_the_user_are_followed(page, window, handler, artist):
    """A job of an action appears, changes and ends without a reload; jobs of others stay away."""
    me = handler.query("User where username is admin").one()
    mine = {"type": "api_job", "status": "running", "data": '{"description": "Rendering HRB_0010"}'}
    other = {"type": "api_job", "status": "running", "data": '{"description": "A job of Ada"}'}
    jobs = []

    def launch(event):
        jobs.append(handler.create("Job", {"user": me, **mine}))
        handler.create("Job", {"user": artist[0], **other})
        handler.commit()
        return {"success": True, "message": "Started."}

    answer = action(Answer, handler)
    answer.unregister()
    answer._launch = launch
    action_again(answer)
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
        handler.communicate(timeout=20)
