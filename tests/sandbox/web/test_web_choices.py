"""The page on which dynamic enumerators are set, with values that programs offer."""

from __future__ import annotations

import contextlib
import threading
import uuid

import pytest

CONFIG = '{"multiSelect": %s, "data": "[]"}'


@pytest.fixture
def project(api):
    """Return the id of a project."""
    schema = api.query("select id from ProjectSchema")[0]["id"]
    return api.create("Project", name=uuid.uuid4().hex, project_schema_id=schema)


def make_attribute(api, entity_type="show", several="false"):
    """Create a dynamic enumerator and return the id of its configuration."""
    kind = api.one('select id from CustomAttributeType where name is "dynamic enumerator"')["id"]
    return api.create(
        "CustomAttributeConfiguration",
        key="reel",
        label="Reel",
        type_id=kind,
        entity_type=entity_type,
        config=CONFIG % several,
    )


@contextlib.contextmanager
def program(sandbox, reply):
    """Run a program that answers with *reply*; yield the events that it received."""
    heard = []

    def answer(event):
        heard.append(event)
        return reply

    with sandbox.session() as session:
        hub = session.event_hub
        hub.subscribe("topic=ftrack.dynamic-enumerator", answer)
        hub.connect()
        assert hub.wait_connected(20)
        thread = threading.Thread(target=hub.wait, daemon=True)
        thread.start()
        yield heard
        hub.disconnect()
        thread.join(20)


def address(project, configuration, kind="context"):
    """Return the address of the page."""
    return f"/browse/{kind}/{project}/choice/{configuration}"


def stored(api, project):
    """Return the stored values of the attribute."""
    where = f'entity_id is {project} and key is "reel"'
    value = api.one(f"select value from ContextCustomAttributeValue where {where}")["value"]
    return value if isinstance(value, list) else [value]


def test_programs_are_asked_by_the_documented_event(sandbox, api, visitor, project):
    """The event names attribute, entity and user, and has the fields that programs expect."""
    configuration = make_attribute(api)
    with program(sandbox, [{"name": "Reel one", "value": "r1"}]) as heard:
        page = visitor.get(address(project, configuration))
    (event,) = heard
    assert event["data"] == {
        "attributeName": "reel",
        "recordData": {"entity": {"entityType": "show", "entityId": project}, "changes": {}},
        "query": "",
        "sorters": [],
        "groupers": [],
        "filters": [],
    }
    assert event["source"]["user"]["username"] == "admin"
    assert event["source"]["applicationId"] == "ftrack.client.web"
    assert "Reel one" in page.text


def test_a_chosen_value_is_stored(sandbox, api, visitor, project):
    """The page of the project leads to the form, and the form stores the value as a list."""
    configuration = make_attribute(api)
    page = visitor.get(f"/browse/context/{project}")
    assert page.addresses(f"/browse/context/{project}/choice") == [address(project, configuration)]
    with program(sandbox, [{"name": "Reel one", "value": "r1"}]):
        page = visitor.get(address(project, configuration))
        token = page.field("form_token")
    page = visitor.post(address(project, configuration), form_token=token, **{"choice-0": "r1"})
    assert page.status == 200
    assert stored(api, project) == ["r1"]
    assert "r1" in visitor.get(f"/browse/context/{project}").text


def test_several_values_may_be_chosen(sandbox, api, visitor, project):
    """An attribute for several values has a checkbox for each."""
    configuration = make_attribute(api, several="true")
    items = [{"name": name.upper(), "value": name} for name in ("a", "b", "c")]
    with program(sandbox, items):
        page = visitor.get(address(project, configuration))
    assert page.source.count('type="checkbox"') == 3
    form = {"form_token": page.field("form_token"), "choice-1": "a", "choice-3": "c"}
    visitor.post(address(project, configuration), **form)
    assert stored(api, project) == ["a", "c"]


def test_replies_of_all_programs_are_offered_together(sandbox, api, visitor, project):
    """Two programs each offer values, and a value of both appears once."""
    configuration = make_attribute(api)
    one = [{"name": "One", "value": "1"}, {"name": "Both", "value": "2"}]
    two = [{"name": "Both", "value": "2"}, {"name": "Three", "value": "3"}]
    with program(sandbox, one), program(sandbox, two):
        page = visitor.get(address(project, configuration))
    assert [page.source.count(f'value="{value}"') for value in "123"] == [1, 1, 1]


@pytest.mark.parametrize(
    "reply", [None, {}, "text", [], [1, None, "x"], [{"name": "n"}], [{"value": 7}]]
)
def test_replies_of_other_shapes_offer_nothing(sandbox, api, visitor, project, reply):
    """A reply that is no list of names and values offers nothing, and the page says so."""
    configuration = make_attribute(api)
    with program(sandbox, reply):
        page = visitor.get(address(project, configuration))
    assert page.status == 200
    assert "No program offers values" in page.text


def test_a_stored_value_stays_when_nobody_offers_it(api, visitor, project):
    """Without a program the page keeps the present value as a choice."""
    configuration = make_attribute(api)
    api.update("ContextCustomAttributeValue", [configuration, project], value=["old"])
    page = visitor.get(address(project, configuration))
    assert "No program offers values" in page.text
    assert 'value="old" checked' in page.source
    assert "not offered" in page.text


def test_a_version_has_such_a_page_too(sandbox, api, visitor, project):
    """The attribute of a version is asked for by the version's type and id."""
    configuration = make_attribute(api, "assetversion")
    shot = api.create("Shot", name="s", parent_id=project)
    kind = api.query("select id from AssetType")[0]["id"]
    asset = api.create("Asset", name="a", context_id=shot, type_id=kind)
    version = api.create("AssetVersion", asset_id=asset)
    assert "Choose Reel" in visitor.get(f"/browse/version/{version}").text
    with program(sandbox, [{"name": "Reel one", "value": "r1"}]) as heard:
        visitor.get(address(version, configuration, "version"))
    entity = heard[0]["data"]["recordData"]["entity"]
    assert entity == {"entityType": "assetversion", "entityId": version}


@pytest.mark.parametrize("kind", ["context", "version", "asset", "user"])
def test_unknown_entities_have_no_such_page(api, visitor, project, kind):
    """A wrong kind, id or attribute is not found."""
    configuration = make_attribute(api)
    assert visitor.get(address(str(uuid.uuid4()), configuration, kind)).status == 404
    assert visitor.get(address(project, str(uuid.uuid4()), kind)).status == 404


def test_no_subscriber_stays_behind(sandbox, api, visitor, project):
    """A question leaves neither a connection nor a subscriber in the event server."""
    configuration = make_attribute(api)
    visitor.get(address(project, configuration))
    answer = api.http.get(f"{sandbox.server_url}/events?limit=1", timeout=10).json()
    assert (answer["connections"], answer["subscribers"], answer["away"]) == (0, 0, 0)
