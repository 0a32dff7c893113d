"""Factories, events and the test case of unittest."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrack_like.actions import Action, ActionRequest
from ftrack_like.exception import ServerError, UnknownAttributeError
from ftrack_like.session import Session
from ftrack_like.testing import EventRecorder, ProjectFactory, Sandbox
from ftrack_like.wire.events import Event


@pytest.fixture
def project(session: Session) -> ProjectFactory:
    """Return a factory with a new project."""
    return ProjectFactory(session)


@pytest.fixture
def events(sandbox: Sandbox) -> Iterator[EventRecorder]:
    """Return a recorder of the events on ``sandbox``."""
    with EventRecorder(sandbox) as recorder:
        yield recorder


def test_tree(project: ProjectFactory) -> None:
    """The tree has sequences with shots with tasks, and names and types that people expect."""
    shots = project.tree(sequences=2, shots=3, tasks=["animation", "comp"])
    assert len(shots) == 6
    rows = project.session.query(
        "select name, parent.name, parent.parent.name, type.name from Task"
    )
    found = {(t["parent"]["parent"]["name"], t["parent"]["name"], t["name"]) for t in rows}
    assert ("sq020", "sh030", "comp") in found
    assert len(found) == 12
    assert {t["type"]["name"] for t in rows if t["name"] == "animation"} == {"Animation"}


def test_task_with_status_and_people(project: ProjectFactory) -> None:
    """A task has the status that the test names, and is assigned to users."""
    mira = project.user("mira")
    task = project.task("lighting", status="In progress", assignees=[mira], bid=3600)
    assert task["status"]["name"] == "In progress"
    assert [one["resource"]["username"] for one in task["assignments"]] == ["mira"]
    assert task["bid"] == 3600


def test_unknown_names_list_the_known_ones(project: ProjectFactory) -> None:
    """A status, an asset type or a role that does not exist is an error with the names."""
    with pytest.raises(LookupError, match=r"no Status named 'Half done'.*In progress"):
        project.task(status="Half done")
    with pytest.raises(LookupError, match="no AssetType named 'Sculpture'"):
        project.version(asset_type="Sculpture")
    with pytest.raises(LookupError, match=r"no SecurityRole named 'King'.*Administrator"):
        project.user("mira", role="King")


def test_versions_with_files(project: ProjectFactory, tmp_path: Path) -> None:
    """Versions of an asset are numbered, and their files can be read from the server."""
    path = tmp_path / "scene.ma"
    path.write_text("scene")
    shot = project.shot("sh010", ["animation"])
    first = project.version(shot["children"][0], {"scene": path}, comment="First.")
    second = project.version(shot, ["main", "proxy"])
    assert (first["version"], second["version"]) == (1, 2)
    assert first["task"]["name"] == "animation"
    location = project.session.pick_location(first["components"][0])
    assert location["name"] == "ftrack.server"
    component = first["components"][0]
    with location.accessor.open(location.get_resource_identifier(component)) as file:
        assert file.read() == b"scene"
    assert sorted(one["name"] for one in second["components"]) == ["main", "proxy"]


def test_user_sees_what_the_role_permits(project: ProjectFactory) -> None:
    """A session of a user sees the project with a role, and nothing without."""
    with project.session_of(project.user("mira")) as session:
        assert session.query("Project").one()["name"] == "show"
    with project.session_of(project.user("noah", role=None)) as session:
        assert session.query("Project").all() == []


def test_review(project: ProjectFactory) -> None:
    """A review session is open, with its versions and people."""
    version = project.version()
    review = project.review([version], ["ines@example.com", "kim@example.com"])
    assert review["is_open"]
    assert [one["asset_version"] for one in review["review_session_objects"]] == [version]
    assert len(review["review_session_invitees"]) == 2


def test_published_events_match_by_part(project: ProjectFactory, events: EventRecorder) -> None:
    """An event is found by topic, by part of its data, and by a function; others are not."""
    shot = project.shot("sh010")
    event = events.assert_published(
        "ftrack.update", entities=[{"entity_type": "Shot", "action": "add"}]
    )
    assert event["data"]["entities"]
    events.assert_published("ftrack.*", where=lambda each: "entities" in each["data"])
    shot["description"] = "Night."
    project.session.commit()
    expected = {"changes": {"description": {"new": "Night."}}}
    events.assert_published("ftrack.update", {"entities": [expected]})
    with pytest.raises(AssertionError, match=r"within 0\.05 s\.\nNearest: ftrack"):
        events.assert_published("ftrack.update", {"user": {"name": "nobody"}}, timeout=0.05)
    events.assert_not_published("studio.*")
    with pytest.raises(AssertionError, match=r"not expected: ftrack\.update"):
        events.assert_not_published("ftrack.update")


def test_nothing_published_is_said(events: EventRecorder) -> None:
    """A failure without any event says so."""
    with pytest.raises(AssertionError, match="Nothing was published"):
        events.assert_published("studio.done", timeout=0)


def follow(session: Session) -> None:
    """A listener that marks each new version with the name of its asset."""

    def on_update(event: Event) -> None:
        for entity in event["data"]["entities"]:
            if entity["entityType"] == "assetversion" and entity["action"] == "add":
                version = session.get("AssetVersion", entity["entityId"])
                version["comment"] = f"seen {version['asset']['name']}"
                session.commit()
                session.event_hub.publish(Event("studio.seen", data={"id": version["id"]}))

    session.event_hub.subscribe("topic=ftrack.update", on_update)


def test_listener_runs_until_the_end(project: ProjectFactory, events: EventRecorder) -> None:
    """A listener reacts to a commit, on its own session and thread."""
    events.listen(follow)
    version = project.version(asset="comp")
    events.assert_published("studio.seen", id=version["id"], timeout=30)
    rows = project.session.query(f'select comment from AssetVersion where id is "{version["id"]}"')
    assert rows.one()["comment"] == "seen comp"


def test_errors_of_listeners_are_shown(events: EventRecorder) -> None:
    """If a listener fails, the failure of the check contains its error."""

    def register(session: Session) -> None:
        def fail(event: Event) -> None:
            raise ValueError("No such shot")

        session.event_hub.subscribe("topic=studio.start", fail)

    events.listen(register)
    events.publish("studio.start")
    with pytest.raises(AssertionError, match=r"^Listeners reported:\n  ValueError: No such shot"):
        events.assert_published("studio.done", timeout=0.5)
    assert [str(one) for one in events.take_errors()] == ["No such shot"]


def test_errors_of_listeners_fail_the_block(sandbox: Sandbox) -> None:
    """An exception of a callback that the test does not take fails it, and comes first."""

    def register(session: Session) -> None:
        def fail(event: Event) -> None:
            raise ValueError("No such shot")

        session.event_hub.subscribe("topic=studio.start", fail)

    def fails() -> None:
        with EventRecorder(sandbox) as events:
            events.listen(register)
            events.publish("studio.start")

    with pytest.raises(AssertionError, match=r"^A listener raised ValueError: No such shot\n\nTr"):
        fails()
    with EventRecorder(sandbox) as events:
        events.listen(register)
        events.publish("studio.start")
        assert len(events.take_errors()) == 1


def test_not_published_waits_for_chains_of_listeners(events: EventRecorder) -> None:
    """The check waits for running callbacks, and for those of the events that these publish."""
    released = threading.Event()

    def first(session: Session) -> None:
        def work(event: Event) -> None:
            released.wait(30)
            session.event_hub.publish(Event("studio.between"))

        session.event_hub.subscribe("topic=studio.start", work)

    def second(session: Session) -> None:
        def work(event: Event) -> None:
            session.event_hub.publish(Event("studio.bad", data={"number": 1}))

        session.event_hub.subscribe("topic=studio.between", work)

    events.listen(second)
    events.listen(first)
    events.publish("studio.start")
    with pytest.raises(AssertionError, match=r"still busy after 0\.1 s"):
        events.assert_not_published("studio.bad", timeout=0.1)
    released.set()
    with pytest.raises(AssertionError, match=r"not expected: studio\.bad"):
        events.assert_not_published("studio.bad", timeout=30)
    events.assert_not_published("studio.bad", number=2, timeout=30)


def test_questions_stay_hidden(events: EventRecorder) -> None:
    """A listener to all topics does not see the events with which the recorder waits for it."""
    seen = []
    events.listen(lambda session: session.event_hub.subscribe("topic=*", seen.append))
    events.publish("studio.start")
    events.assert_not_published("studio.bad", timeout=30)
    events.assert_not_published("ftrack_like.*", timeout=30)
    assert {one["topic"] for one in seen} == {"ftrack.meta.connected", "studio.start"}


def test_near_misses_name_the_keys(events: EventRecorder) -> None:
    """A failure names the keys in which the nearest event differs, before all events."""
    events.publish("studio.done", {"shots": [{"action": "add", "name": "sh010"}], "user": "mira"})
    with pytest.raises(AssertionError, match=r'Nearest: studio\.done: shots\[0\]\.action is "add"'):
        events.assert_published("studio.done", shots=[{"action": "created"}], timeout=0)
    with pytest.raises(AssertionError, match=r"shots\[0\]\.nam is missing\. Did you mean 'name'"):
        events.assert_published("studio.done", shots=[{"nam": "sh010"}], timeout=0)


def test_menus_end_when_listeners_are_idle(
    project: ProjectFactory, events: EventRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an offer, discover and launch return when the listeners are idle."""
    monkeypatch.setattr("ftrack_like.testing._events._MENU", 600.0)
    monkeypatch.setattr("ftrack_like.testing._events._PATIENCE", 600.0)
    shot = project.shot()
    assert events.discover([shot]) == []
    events.listen(lambda session: Shout(session).register())
    assert events.discover([shot]) == []
    with pytest.raises(AssertionError, match="not offered"):
        events.launch("studio.shout", [shot], timeout=600)
    with pytest.raises(AssertionError, match=r"No action 'studio\.other' replied"):
        events.launch("studio.other", [shot], timeout=600, always=True)


class Shout(Action):
    """An action on tasks that asks for a word."""

    identifier = "studio.shout"
    label = "Shout"

    def discover(self, request: ActionRequest) -> bool:
        """Return whether tasks are selected."""
        return request.selection.of_type("Task")

    def launch(self, request: ActionRequest) -> Any:
        """Ask, and then shout."""
        if not request.values:
            return [{"type": "text", "name": "word", "label": "Word"}]
        names = [task["name"] for task in request.selection.entities("name")]
        return f"{request.values['word'].upper()} {names}"


def test_actions_are_discovered_and_launched(
    project: ProjectFactory, events: EventRecorder
) -> None:
    """A test sees the menu, the form and the result of an action, as the web client would."""
    task = project.task("lighting")
    events.listen(lambda session: Shout(session).register())
    menu = events.discover([task])
    assert [one["label"] for one in menu] == ["Shout"]
    assert events.discover([project.shot()]) == []
    assert events.launch("studio.shout", [task])["items"][0]["name"] == "word"
    reply = events.launch("studio.shout", [task], {"word": "dark"})
    assert reply == {"success": True, "message": "DARK ['lighting']"}
    with pytest.raises(AssertionError, match=r"No action 'studio\.whisper' replied\."):
        events.launch("studio.whisper", [task], timeout=0.2, always=True)


def test_launch_needs_an_offer(project: ProjectFactory, events: EventRecorder) -> None:
    """An action that the menu does not offer fails at once, and a near identifier is named."""
    task, shot = project.task("lighting"), project.shot()
    events.listen(lambda session: Shout(session).register())
    with pytest.raises(AssertionError, match=r"'studio\.shout' is not offered .* always=True"):
        events.launch("studio.shout", [shot])
    assert events.launch("studio.shout", [shot], always=True)["items"]
    for always in (False, True):
        with pytest.raises(AssertionError, match=r"'studio\.shuot'.* Did you mean 'studio\.shout'"):
            events.launch("studio.shuot", [task], always=always, timeout=0.2)


def test_expected_events_suggest_names(project: ProjectFactory, events: EventRecorder) -> None:
    """A mistyped topic, or a mistyped name in the data of an event, suggests what there is."""
    project.shot()
    with pytest.raises(AssertionError, match=r"Did you mean 'ftrack\.update'"):
        events.assert_published("ftrack.updat", timeout=0)
    with pytest.raises(AssertionError, match="Did you mean 'entities'"):
        events.assert_published("ftrack.update", entitis=[], timeout=0)
    with pytest.raises(AssertionError, match="Did you mean 'timeout'"):
        events.assert_published("ftrack.update", timout=0, timeout=0)


def test_unknown_arguments_suggest_one(project: ProjectFactory, sandbox: Sandbox) -> None:
    """An unknown keyword argument of a method of the kit suggests the argument that was meant."""
    mistakes: list[tuple[Callable[[], object], str]] = [
        (lambda: sandbox.fail(nxt=503), "next"),  # type: ignore[call-arg]
        (lambda: sandbox.assert_requests(at_mst=1), "at_most"),  # type: ignore[call-arg]
        (lambda: project.tree(shot=3), "shots"),  # type: ignore[call-arg]
    ]
    for mistake, meant in mistakes:
        with pytest.raises(TypeError, match=f"Did you mean '{meant}'"):
            mistake()
    assert sandbox.planned_faults == 0
    for create, meant in (
        (lambda: project.shot("sh010", task=["a"]), "tasks"),
        (lambda: project.task(asignees=[]), "assignees"),
        (lambda: project.version(file=["main"]), "files"),
        (lambda: project.review(invitee=["a@example.com"]), "invitees"),
    ):
        with pytest.raises(UnknownAttributeError, match=f"Did you mean '{meant}'"):
            create()


def test_names_in_place_of_entities_suggest_a_factory(project: ProjectFactory) -> None:
    """The error for a name in place of an entity names the method that makes the entity."""
    with pytest.raises(TypeError, match=r"ftrack_project\.user\(\) makes one"):
        project.session_of("mira")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"ftrack_project\.version\(\) makes one"):
        project.review(["animation"])  # type: ignore[list-item]


def test_users_in_place_of_assignments(project: ProjectFactory) -> None:
    """The error for a user in the assignments of a task says how to create an appointment."""
    project.task("comp")["assignments"].append(project.user("mira"))
    with pytest.raises(ServerError, match=r"create\('Appointment', dict\(context=task"):
        project.session.commit()
    project.session.rollback()


def test_recorder_ends(sandbox: Sandbox) -> None:
    """After its end, a recorder records no more and its listeners are gone."""
    before = list(sandbox.broker.listeners)
    with EventRecorder(sandbox) as recorder:
        session = recorder.listen(follow)
        assert session.event_hub.connected
    assert session.closed
    assert sandbox.broker.listeners == before
    recorder.close()


def test_requests_are_counted_for_all_sessions(sandbox: Sandbox, session: Session) -> None:
    """The count includes other sessions, may be exact, and needs exactly one limit."""
    with sandbox.assert_requests(exactly=2) as seen, sandbox.session() as other:
        other.query("User").all()
    assert seen[0].has("query_server_information")
    with pytest.raises(AssertionError, match="0 requests, but exactly 1 expected: none"):
        with sandbox.assert_requests(exactly=1):
            pass
    for limits in ({}, {"at_most": 1, "exactly": 1}):
        with pytest.raises(TypeError, match="at_most or exactly"):
            with sandbox.assert_requests(**limits):
                pass
    with pytest.raises(ZeroDivisionError), sandbox.assert_requests(at_most=0):
        print(len(session.query("User").all()) / 0)


def test_unittest_mixin(tmp_path: Path) -> None:
    """A test case of unittest has the sandbox, and each test starts with a new site."""
    (tmp_path / "test_studio.py").write_text(
        textwrap.dedent(
            """
            import os
            import unittest
            import ftrack_like
            from ftrack_like.testing import SandboxMixin

            class TestStudio(SandboxMixin, unittest.TestCase):
                def test_one(self):
                    self.project.shot("sh010")
                    self.assert_published("ftrack.update")
                    with ftrack_like.Session() as session:
                        self.assertEqual(session.server_url, self.sandbox.server_url)

                def test_start_of_the_session_does_not_count(self):
                    with self.assert_requests(exactly=1):
                        self.session.query("User").all()

                def test_two(self):
                    self.assertEqual(self.session.query("Shot").all(), [])
                    with self.assertRaisesRegex(AssertionError, "1 request, but at most 0"):
                        with self.assert_requests(at_most=0):
                            self.session.query("User").all()
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "-v", "test_studio"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 3 tests" in done.stderr


def test_single_text_in_place_of_a_list(project: ProjectFactory) -> None:
    """A single text in place of a list of names is an error, not one entity for each letter."""
    mistakes: list[Callable[[], object]] = [
        lambda: project.shot("sh010", tasks="animation"),
        lambda: project.tree(tasks="animation"),
        lambda: project.version(files="main"),
        lambda: project.review(invitees="ines@example.com"),
    ]
    for mistake in mistakes:
        with pytest.raises(TypeError, match=r"takes a list of texts, such as \['"):
            mistake()
    assert not project.session.pending()
    assert project.session.query("Task").all() == []


def test_other_values_in_place_of_entities(project: ProjectFactory, events: EventRecorder) -> None:
    """A name in place of an entity, or an entity in place of a list, is an error that says so."""
    mistakes: list[Callable[[], object]] = [
        lambda: project.task(parent="sh010"),  # type: ignore[arg-type]
        lambda: project.task(assignees=["mira"]),  # type: ignore[list-item]
        lambda: project.version("sh010"),  # type: ignore[arg-type]
        lambda: project.session_of("mira"),  # type: ignore[arg-type]
        lambda: project.review("first look"),  # type: ignore[arg-type]
        lambda: events.discover(project.project),  # type: ignore[arg-type]
        lambda: events.launch("studio.archive", "Task"),  # type: ignore[arg-type]
    ]
    for mistake in mistakes:
        with pytest.raises(TypeError, match=r"takes (an entity|a list of entities), not"):
            mistake()
    with pytest.raises(
        TypeError, match=r"function that is called with a session.*'studio' \(str\)"
    ):
        events.listen("studio")  # type: ignore[arg-type]
    assert not project.session.pending()


def test_unknown_attributes_leave_nothing(project: ProjectFactory) -> None:
    """An attribute that the type does not have is an error with a suggestion, before any change."""
    mistakes: list[Callable[[], object]] = [
        lambda: project.task(desciption="Night."),
        lambda: project.shot(desciption="Night."),
        lambda: project.sequence(desciption="Night."),
        lambda: project.review(desciption="Night."),
    ]
    for mistake in mistakes:
        with pytest.raises(UnknownAttributeError, match="Did you mean 'description'"):
            mistake()
    with pytest.raises(UnknownAttributeError, match="Did you mean 'comment'"):
        project.version(coment="First.")
    assert not project.session.pending()
    assert project.task(description="Night.")["description"] == "Night."


def test_representations(project: ProjectFactory, events: EventRecorder) -> None:
    """pytest shows a factory with its project, and a recorder with its number of events."""
    assert repr(project).startswith("<ProjectFactory <Project 'show'")
    project.shot()
    assert repr(events).endswith(f"events: {len(events.published)}>")


def test_mistakes_in_names_suggest_one(
    project: ProjectFactory, sandbox: Sandbox, events: EventRecorder
) -> None:
    """Each object of the kit says which member was meant, and private names are left alone."""
    frozen = sandbox.freeze("2030-01-01")
    sandbox.resume_clock()
    for kit, name, meant in (
        (project, "shott", "shot"),
        (project, "add_version", "version"),
        (sandbox, "fial", "fail"),
        (sandbox, "assert_request", "assert_requests"),
        (events, "assert_publish", "assert_published"),
        (frozen, "advnce", "advance"),
    ):
        with pytest.raises(AttributeError) as caught:
            getattr(kit, name)
        text = f"{type(kit).__name__!r} object has no attribute {name!r}. Did you mean {meant!r}?"
        assert str(caught.value) == text
    with pytest.raises(AttributeError, match=r"no attribute '_shott'\.$"):
        getattr(project, "_shott")
    assert not hasattr(project, "__iter__")


def test_error_of_a_property_stays_what_it_is() -> None:
    """An AttributeError inside a property is not taken for an unknown name."""

    class Studio(ProjectFactory):
        def __init__(self) -> None:
            """Create nothing."""

        @property
        def broken(self) -> Any:
            return object().nothing  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="'object' object has no attribute 'nothing'"):
        _ = Studio().broken


def test_unknown_argument_of_a_sandbox_suggests_one() -> None:
    """Sandbox passes its arguments on, and the error names them."""
    with pytest.raises(TypeError, match=r"Sandbox\(\) has no argument 'prot'. Did you mean 'port'"):
        Sandbox(prot=8000)
