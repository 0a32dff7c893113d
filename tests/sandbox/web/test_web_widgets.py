"""Widgets: their addresses, and what the pages behind them show."""

from __future__ import annotations

import re
import urllib.parse

import pytest


class World:
    """A project with a shot, two tasks, people and a status."""

    def __init__(self, api):
        self.api = api
        schema = api.one("select id from ProjectSchema where name is VFX")["id"]
        self.user = api.create(
            "User", username="ada", first_name="Ada", last_name="Berg", email="ada@example.com"
        )
        self.project = api.create(
            "Project", name="show", full_name="The Show", project_schema_id=schema
        )
        self.shot = api.create("Shot", name="sh010", parent_id=self.project, description="Waves")
        self.tasks = {}
        for name, days in (("layout", 1), ("comp", 2)):
            due = {"__type__": "datetime", "value": f"2030-01-0{days}T00:00:00"}
            self.tasks[name] = api.create("Task", name=name, parent_id=self.shot, end_date=due)
        api.create(
            "Appointment",
            type="assignment",
            context_id=self.tasks["layout"],
            resource_id=self.user,
        )

    def url(self, name, entity_type=None, *key, **more):
        operation = {"action": "get_widget_url", "name": name, **more}
        if entity_type:
            operation.update(entity_type=entity_type, entity_key=list(key))
        return self.api.call(operation)[0]["widget_url"]


@pytest.fixture
def world(api):
    """Return a small project."""
    return World(api)


def tasks_in(page):
    """Return the names of the tasks in the table of *page*."""
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', page.source)


# Addresses


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "task"}, "There is no widget 'task'. Did you mean 'tasks'?"),
        ({"name": None}, "There is no widget None."),
        ({"name": "info", "theme": "blue"}, "There is no theme 'blue'."),
        ({"name": "tasks", "entity_type": "Status", "entity_key": ["x"]}, "not of a Status"),
        ({"name": "info", "entity_type": "Task"}, "lacks 'id'"),
        ({"name": "info", "entity_type": "Task", "entity_key": ["a", "b"]}, "does not fit"),
    ],
)
def test_what_cannot_be_shown_is_refused(api, change, words):
    """A wrong name, theme or entity is a ValidationError that names it."""
    with pytest.raises(api.Error) as caught:
        api.call({"action": "get_widget_url", **change})
    assert caught.value.name == "ValidationError"
    assert words in caught.value.content


def test_an_entity_must_exist(api, unknown_id):
    """There is no widget of what is not there."""
    with pytest.raises(api.Error, match="There is no Task") as caught:
        api.call(
            {
                "action": "get_widget_url",
                "name": "info",
                "entity_type": "Task",
                "entity_key": [unknown_id],
            }
        )
    assert caught.value.name == "NotFoundError"


def test_a_changed_address_is_refused(world, browser):
    """Nobody makes an address for another entity or user out of one for theirs."""
    url = world.url("info", "Shot", world.shot)
    for wrong in (url.replace(world.shot, world.project), url.replace("name=info", "name=tasks")):
        page = browser.get(wrong)
        assert (page.status, "not signed by this server" in page.text) == (403, True)
    assert browser.get("/widget").status == 403


def test_an_address_needs_no_headers_and_may_be_embedded(world, browser, sandbox):
    """It opens in a bare browser, within other programs' pages, and holds no key."""
    url = world.url("info", "Shot", world.shot)
    page = browser.get(url)
    assert page.status == 200
    assert "frame-ancestors" not in page.response.headers["Content-Security-Policy"]
    assert sandbox.api_key not in url + page.source


def test_a_user_who_may_not_log_in_sees_nothing(world, browser, api, sandbox):
    """An address ends with the user that it was made for."""
    (answer,) = api.call(
        {
            "action": "reset_remote",
            "reset_type": "api_key",
            "entity_type": "User",
            "entity_key": world.user,
        }
    )
    api.http.headers.update({"ftrack-user": "ada", "ftrack-api-key": answer["data"]["api_key"]})
    url = world.url("tasks")
    assert browser.get(url).status == 200
    api.http.headers.update({"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key})
    api.update("User", world.user, is_active=False)
    assert browser.get(url).status == 403


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_is_kept_by_the_pages_links(world, browser, theme):
    """The theme of the address is the page's, and that of what it links to."""
    page = browser.get(world.url("info", "Task", world.tasks["comp"], theme=theme))
    assert f'data-theme="{theme}"' in page.source
    for address in page.addresses("/widget"):
        assert dict(urllib.parse.parse_qsl(address.partition("?")[2]))["theme"] == theme


# Pages


def test_info_tells_the_facts(world, browser):
    """The page has title, kind, status, the way to the entity, and custom attributes."""
    page = browser.get(world.url("info", "Shot", world.shot))
    for words in ("sh010", "Description Waves", "Kind Shot", "fstart 1", "Created by Site"):
        assert words in page.text, words
    assert "show" in page.text


def test_info_is_for_any_entity(world, browser, api):
    """Types without a page of their own are shown by their attributes; concrete types by theirs."""
    cases = {
        "User": (world.user, "Ada Berg"),
        "Project": (world.project, "The Show"),
        "Status": (
            api.query("select id from Status where name is 'In progress'")[0]["id"],
            "In pro",
        ),
        "TypedContext": (world.shot, "Shot"),
        "Note": (api.create("Note", content="Hello there", parent_id=world.shot), "Hello there"),
        "Job": (api.create("Job", type="api_job", status="done"), "Job"),
    }
    for type_name, (id_, words) in cases.items():
        page = browser.get(world.url("info", type_name, id_))
        assert (page.status, words in page.text) == (200, True), (type_name, page.text)


def test_info_is_for_every_type(api, browser):
    """No type of the schema has a first entity that cannot be shown."""
    schemas = api.call({"action": "query_schemas"})[0]
    shown = 0
    for schema in schemas:
        name, key = schema["id"], schema.get("primary_key") or []
        found = api.query(f"select {', '.join(key)} from {name} limit 1") if key else []
        kept = not name.endswith("CustomAttributeValue")  # rows that are there by default are not
        if kept and found and all(isinstance(found[0].get(part), str) for part in key):
            entity = {"entity_type": name, "entity_key": [found[0][part] for part in key]}
            answer = api.call({"action": "get_widget_url", "name": "info", **entity})
            page = browser.get(answer[0]["widget_url"])
            assert page.status == 200, (name, page.text)
            shown += 1
    assert shown > 20


def test_info_shows_the_thumbnail(api, review):
    """An entity's picture is there, by an address that a browser may read."""
    component = review.upload(review.versions[0], "thumbnail", ".jpg", b"jpeg")
    api.update("AssetVersion", review.versions[0], thumbnail_id=component)
    entity = {"entity_type": "AssetVersion", "entity_key": [review.versions[0]]}
    answer = api.call({"action": "get_widget_url", "name": "info", **entity})
    page = review.browser.get(answer[0]["widget_url"])
    (address,) = page.addresses("/component/thumbnail")
    assert review.browser.get(address).status == 200


def test_info_without_an_entity_is_about_oneself(world, browser):
    """The page then shows the user that asked for it."""
    assert "Site Administrator" in browser.get(world.url("info")).text


def test_info_of_what_is_gone(world, browser, api):
    """An entity that was deleted meanwhile has a page that says so."""
    url = world.url("info", "Task", world.tasks["comp"])
    api.delete("Task", world.tasks["comp"])
    page = browser.get(url)
    assert (page.status, "does not exist any more" in page.text) == (404, True)


def test_tasks_of_a_context(world, browser):
    """The tasks below a project, a shot or a task itself, by date."""
    for type_name, id_ in (("Project", world.project), ("Shot", world.shot)):
        assert tasks_in(browser.get(world.url("tasks", type_name, id_))) == ["layout", "comp"]
    task = world.url("tasks", "Task", world.tasks["comp"])
    assert tasks_in(browser.get(task)) == ["comp"]


def test_tasks_of_a_person(world, browser):
    """A user's tasks are those assigned; without an entity one's own."""
    page = browser.get(world.url("tasks", "User", world.user))
    assert tasks_in(page) == ["layout"]
    assert "Ada Berg" in page.text
    assert "No tasks here." in browser.get(world.url("tasks")).text


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, ["layout", "comp"]),
        ({"text": "lay"}, ["layout"]),
        ({"text": "SH010"}, ["layout", "comp"]),
        ({"text": 'no " such'}, []),
        ({"status": "Not started"}, ["layout", "comp"]),
        ({"status": "Completed"}, []),
        ({"project": "unknown"}, []),
        ({"offset": "1"}, ["comp"]),
        ({"offset": "x"}, ["layout", "comp"]),
    ],
)
def test_the_browser_of_tasks_narrows_them(world, browser, chosen, found):
    """Project, status, assignee and name narrow the list; the form repeats them."""
    page = browser.get(f"{world.url('tasks_browser')}&{urllib.parse.urlencode(chosen)}")
    assert page.status == 200
    assert tasks_in(page) == found


def test_the_browser_of_tasks_narrows_by_person_and_project(world, browser):
    """The form offers projects and people."""
    url = world.url("tasks_browser")
    assert tasks_in(browser.get(f"{url}&assignee={world.user}")) == ["layout"]
    page = browser.get(f"{url}&project={world.project}")
    assert tasks_in(page) == ["layout", "comp"]
    assert f'value="{world.project}" selected' in page.source
    assert "Ada Berg" in page.source


def test_the_form_goes_on_after_the_address_expired(world, browser):
    """What an open page links to is signed anew, for longer than six minutes."""
    page = browser.get(world.url("tasks_browser"))
    now = int(dict(urllib.parse.parse_qsl(world.url("info").partition("?")[2]))["expires"])
    assert int(page.field("expires")) > now + 3600
    form = {name: page.field(name) for name in ("name", "user", "expires", "signature")}
    assert browser.get(f"/widget?{urllib.parse.urlencode(form)}&text=comp").status == 200


def test_many_tasks_come_in_pages(world, browser, api):
    """Fifty tasks a page, and the way to the next and back."""
    api.call(*(api.make("Task", name=f"t{n:03d}", parent_id=world.shot) for n in range(60)))
    page = browser.get(world.url("tasks", "Shot", world.shot))
    assert len(tasks_in(page)) == 50
    (after,) = [one for one in page.addresses("/widget") if "offset=50" in one]
    rest = browser.get(after)
    assert len(tasks_in(rest)) == 12
    assert set(tasks_in(page)).isdisjoint(tasks_in(rest))
    assert [one for one in rest.addresses("/widget") if one.endswith("offset=0")]


def test_the_session_of_a_client_gets_an_address(session, world, browser):
    """Session.get_widget_url() opens in a browser."""
    shot = session.get("Shot", world.shot)
    page = browser.get(session.get_widget_url("info", entity=shot, theme="dark"))
    assert (page.status, "sh010" in page.text) == (200, True)
