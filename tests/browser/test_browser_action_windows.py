"""Widgets in frames, what programs show by themselves, and users beside each other."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from ftrack_like.actions import ActionRequest

from .programs import Answer, Everything, action, choose, handling, log_in, trigger

# Widgets


class WidgetPage(http.server.BaseHTTPRequestHandler):
    """A page that tells what it may do."""

    def do_GET(self):
        page = b"""<!doctype html><title>Widget</title><p id="found">nothing</p><script>
        const can = {};
        function attempt(name, act) {
          try { can[name] = Boolean(act()); } catch { can[name] = false; }
        }
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
    assert page.inner_text("dialog .success p") == "Here is the chart."
    page.click("dialog >> text=Close")
    assert page.inner_text("main .success p") == "Here is the chart."
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
    trigger(handler, user, type="message", success=True, message="Seen in the form.")
    page.wait_for_selector("dialog .news >> text=Seen in the form.")
    page.click("dialog .message-line.success >> text=Dismiss")
    trigger(handler, user, type="form", title="On top", items=[])
    page.wait_for_selector("role=dialog[name='On top']")
    page.keyboard.press("Escape")
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
    request = ActionRequest(handler, helper.launches[0])
    helper.show_message(request, "From the helper.")
    page.wait_for_selector("text=From the helper.")
    helper.trigger_user_interface(request, [{"type": "text", "name": "x"}], "Helper")
    page.wait_for_selector("role=dialog[name=Helper]")


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
