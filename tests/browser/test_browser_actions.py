"""The menu of actions in a real browser: its entries, its keys, and the events of a launch."""

from __future__ import annotations

import threading

import pytest

from .programs import UNTOUCHED, Answer, Everything, action, choose, handling

# The menu


def test_every_item_of_a_form_by_the_keyboard_alone(page, window, handler, project):
    """Menu, form and message work with keys; untouched values come back with their types."""
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
    page.set_viewport_size({"width": 1200, "height": 1080})
    window.screenshot("action-form.png")
    for label, text in {
        "Comment": "Because.",
        "Story": "A\nB",
        "Phrase": "open",
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
        "phrase": "open",
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
    offering = type("Offering", (Answer,), {"identifier": "x", "items": lambda self: [offered]})
    answer = action(offering, handler, [{"type": "text", "name": "t", "value": "v"}])
    choose(page, "Answer: One")
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
        assert names == ["Bake", "Export: Maya", "Export: Nuke", "Zoo"]


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


def test_replies_to_an_earlier_menu_are_not_shown(page, window, handler):
    """What was asked for before the menu was closed does not appear in the menu opened later."""
    asked = []
    handler.event_hub.subscribe("topic=ftrack.action.discover", lambda event: asked.append(event))
    handler.event_hub.wait_connected(20)

    def reply(number, label):
        items = [{"actionIdentifier": label, "label": label}]
        handler.event_hub.publish_reply(asked[number], {"items": items})

    page.click("[data-actions] button[aria-haspopup]")
    window.until_python(lambda: len(asked) == 1)
    page.keyboard.press("Escape")
    page.click("[data-actions] button[aria-haspopup]")
    window.until_python(lambda: len(asked) == 2)
    reply(1, "New")
    page.wait_for_selector("role=menuitem[name=New]")
    reply(0, "Old")
    reply(1, "Newer")
    page.wait_for_selector("role=menuitem[name=Newer]")
    assert page.locator("[role=menuitem] .name").all_inner_texts() == ["New", "Newer"]


def test_odd_replies_do_not_spoil_the_menu(page, handler):
    """Whatever one program replies, the entries of the others are shown."""
    odd = {"toString": 1}
    replies = [
        5,
        "text",
        {"items": "text"},
        {"items": [None, 5, "text", {}]},
        [{"label": odd, "variant": odd, "description": odd, "icon": odd, "actionIdentifier": odd}],
    ]
    for reply in replies:
        handler.event_hub.subscribe("topic=ftrack.action.discover", lambda event, it=reply: it)
    answer = action(Answer, handler, {"title": odd, "message": odd, "url": odd})
    choose(page, "Answer")
    page.wait_for_selector("text=A widget has no address of the web")
    answer.answer = {
        "title": odd,
        "submit_button_label": odd,
        "items": [
            {"type": "text", "name": odd, "label": odd, "value": odd, "empty_text": odd},
            {"type": "label", "value": odd},
            {"type": "enumerator", "name": "a", "data": [{"label": odd, "value": odd}, odd]},
        ],
    }
    choose(page, "Answer")
    page.wait_for_selector("role=dialog[name=Answer]")
    assert page.locator("dialog :is(input, select)").count() == 2


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


def test_marked_entities_are_the_selection(page, window, handler, session, project):
    """The boxes of tiles replace the entity of the page, in the order of the page."""
    asset = session.create("Asset", {"name": "comp", "parent": project})
    session.commit()
    task = session.query("Task").one()
    answer = action(Answer, handler, {"message": "Done."})
    page.reload()
    page.get_by_label("Select comp").check()
    page.get_by_label("Select layout").check()
    choose(page, "Answer")
    page.wait_for_selector("text=Done.")
    assert answer.launches[0]["data"]["selection"] == [
        {"entityId": task["id"], "entityType": "task"},
        {"entityId": asset["id"], "entityType": "asset"},
    ]
    button = page.locator("[data-actions] button").first
    assert button.inner_text() == "Actions on 2 selected"
    page.get_by_label("Select comp").uncheck()
    page.get_by_label("Select layout").uncheck()
    assert button.inner_text() == "Actions"
    choose(page, "Answer")
    window.until_python(lambda: len(answer.launches) == 2)
    assert answer.launches[1]["data"]["selection"] == [
        {"entityId": project["id"], "entityType": "show"}
    ]


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
