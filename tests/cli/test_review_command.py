"""`ftrack-like review`, as whole processes against a sandbox."""

from __future__ import annotations

import contextlib
import csv
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import arrow
import pytest
import requests

from ftrack_like.cli._review_page import OUTBOX, sandbox_page
from ftrack_like.session import Session
from ftrack_like.testing import ProjectFactory, Sandbox

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def review(sandbox: Sandbox, tmp_path: Path) -> Run:
    """Return the function that runs ``ftrack-like review``."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ftrack_like", "review", *arguments],
            cwd=tmp_path,
            env={**os.environ, **sandbox.environment()},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


@pytest.fixture
def project(session: Session) -> ProjectFactory:
    """Return a factory with a new project."""
    return ProjectFactory(session, "harbour")


def outbox(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the mails that the sandbox has sent."""
    headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
    answer = requests.get(f"{sandbox.server_url}/outbox", headers=headers, timeout=20)
    return list(answer.json())


def test_from_creation_to_report(
    review: Run, project: ProjectFactory, sandbox: Sandbox, session: Session
) -> None:
    """A review session is created with versions and people, extended, and reported."""
    shot = project.shot("sh010")
    first, second = (project.version(shot, asset=name) for name in ("animation", "comp"))
    session.create("FileComponent", {"name": "ftrackreview-mp4", "version": first})
    session.commit()
    done = review(
        *("create", "First look", "--project", "harbour", "--version", first["id"]),
        *("--invite", "Ines Ferreira <ines@producer.example>", "--days", "7"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    made = session.get("ReviewSession", done.stdout.strip())
    assert made["is_open"]
    assert (made["end_date"] - made["start_date"]).days == 7
    assert [mail["to"] for mail in outbox(sandbox)] == ["Ines Ferreira <ines@producer.example>"]
    link = outbox(sandbox)[0]["links"][0]
    assert requests.get(link, timeout=20).status_code == 200

    added = review("add", "First look", first["id"], second["id"])
    assert [line.split("\t")[1:] for line in added.stdout.splitlines()] == [
        ["sh010 comp", "Version 1"]
    ]
    review("invite", made["id"], "kim@client.example", "ines@producer.example")
    session.populate(made, "review_session_invitees.email, review_session_objects.name")
    people = {one["email"]: one for one in made["review_session_invitees"]}
    assert set(people) == {"ines@producer.example", "kim@client.example"}
    assert len(outbox(sandbox)) == 3

    objects = {one["name"]: one for one in made["review_session_objects"]}
    animation = objects["sh010 animation"]
    for email, status in (
        ("ines@producer.example", "require_changes"),
        ("ines@producer.example", "approved"),
        ("kim@client.example", "seen"),
    ):
        session.create(
            "ReviewSessionObjectStatus",
            {"review_session_object": animation, "invitee": people[email], "status": status},
        )
        session.commit()
    author = session.query("User").first()
    session.create(
        "Note",
        {
            "content": "Too\tdark.",
            "author": author,
            "parent_id": animation["id"],
            "parent_type": "review_session_object",
        },
    )
    session.commit()
    session.create(
        "Note",
        {
            "content": "The arm pops.",
            "author": author,
            "frame_number": 12,
            "date": arrow.utcnow().shift(minutes=1),
            "parent_id": animation["id"],
            "parent_type": "review_session_object",
        },
    )
    session.commit()

    rows = list(csv.DictReader(review("report", "First look", "--csv").stdout.splitlines()))
    assert [row["name"] for row in rows] == ["sh010 animation", "sh010 comp"]
    assert rows[0]["approved"] == "Ines Ferreira"
    assert rows[0]["require_changes"] == ""
    assert rows[0]["seen"] == "kim"
    who = f"{author['first_name']} {author['last_name']}"
    assert rows[0]["notes"] == f"{who}: Too\tdark.; {who} (frame 12): The arm pops."
    found = json.loads(review("report", made["id"], "--json").stdout)
    assert found[0]["id"] == animation["id"]
    assert found[0]["version_id"] == first["id"]
    assert {one["email"]: one["status"] for one in found[0]["decisions"]} == {
        "ines@producer.example": "approved",
        "kim@client.example": "seen",
    }
    assert [(note["text"], note["frame"]) for note in found[0]["notes"]] == [
        ("Too\tdark.", None),
        ("The arm pops.", 12),
    ]
    assert found[1]["decisions"] == found[1]["notes"] == []
    assert len(review("report", made["id"]).stdout.splitlines()) == 2


def test_list(review: Run, project: ProjectFactory, session: Session, sandbox: Sandbox) -> None:
    """The list has the project, the end, the number of versions and of open verdicts."""
    versions = [project.version(asset=name) for name in ("animation", "comp", "fx")]
    options = [word for each in versions for word in ("--version", each["id"])]
    first = review("create", "First look", "--project", "harbour", *options, "--days", "7")
    other = ProjectFactory(session, "lighthouse").review([], [])
    other["availability"] = "closed"
    session.commit()
    made = session.get("ReviewSession", first.stdout.strip())
    guests = [
        session.create(
            "ReviewSessionInvitee",
            {"review_session": made, "name": name, "email": f"{name}@a.example"},
        )
        for name in ("ines", "kim")
    ]
    objects = {one["name"]: one for one in made["review_session_objects"]}
    decisions = [("animation", 0, "require_changes"), ("comp", 0, "approved"), ("fx", 0, "seen")]
    # A guest takes the verdict back: the version is open again.
    for name, guest, status in [*decisions, ("comp", 1, "seen"), ("comp", 0, "seen")]:
        one = next(each for each in objects if each.endswith(name))
        values = {"review_session_object": objects[one], "invitee": guests[guest], "status": status}
        session.create("ReviewSessionObjectStatus", values)
        session.commit()
    expected = {
        "name": "First look",
        "project": "harbour",
        "end_date": made["end_date"].isoformat(),
        "objects": 3,
        "open_verdicts": 2,
        "id": made["id"],
    }
    found = {row["id"]: row for row in json.loads(review("list", "--json").stdout)}
    assert found[made["id"]] == expected
    assert (found[other["id"]]["objects"], found[other["id"]]["open_verdicts"]) == (0, 0)
    assert json.loads(review("list", "--project", "harbour", "--json").stdout) == [expected]
    assert json.loads(review("list", "--open", "--json").stdout) == [expected]
    header, line = review("list", "--open", "--output", "table").stdout.splitlines()
    assert header.split() == ["name", "project", "end_date", "objects", "open_verdicts", "id"]
    end = made["end_date"].strftime("%Y-%m-%d %H:%M")
    assert line.split()[2:] == ["harbour", *end.split(), "3", "2", made["id"]]
    review("create", "Always", "--project", "harbour")
    (row,) = [
        each for each in json.loads(review("list", "--json").stdout) if each["name"] == "Always"
    ]
    assert row["end_date"] is None
    assert " never " in review("list", "--output", "table").stdout


def test_a_table_of_a_report_has_no_blanks(
    review: Run, project: ProjectFactory, session: Session
) -> None:
    """For people, a report prints 0 where there are no decisions or notes."""
    version = project.version()
    review("create", "Look", "--project", "harbour", "--version", version["id"])
    header, line = review("report", "Look", "--output", "table").stdout.splitlines()
    assert header.split()[2:] == ["approved", "require_changes", "seen", "notes"]
    assert line.split()[-4:] == ["0"] * 4
    assert review("report", "Look", "--tsv").stdout.split("\t")[2:] == ["", "", "", "\n"]


def test_a_mail_address_may_be_on_this_machine(review: Run, project: ProjectFactory) -> None:
    """localhost is the only domain without a dot."""
    project.review([], [])
    done = review("invite", "review", "joe@localhost", "joe@mail.example", "--no-mail")
    assert (done.returncode, done.stderr) == (0, "")


def test_versions_by_query(review: Run, project: ProjectFactory, session: Session) -> None:
    """A query adds all versions that it finds, each once, and after those that are there."""
    for name in ("animation", "comp", "fx"):
        project.version(project.project, asset=name)
    identifier = review("create", "Dailies", "--project", "harbour").stdout.strip()
    query = "AssetVersion where asset.name in (animation, comp)"
    assert len(review("add", "Dailies", "--query", query).stdout.splitlines()) == 2
    assert review("add", "Dailies", "-q", query).stdout == ""
    rows = session.query(
        "select sort_order from ReviewSessionObject where review_session_id is "
        f'"{identifier}" order by sort_order'
    )
    assert [row["sort_order"] for row in rows] == [0, 1]
    more = review("add", "Dailies", "--query", "AssetVersion where asset.name is fx").stdout
    (last,) = session.query(
        f'select id, sort_order from ReviewSessionObject where review_session_id is "{identifier}"'
        " order by sort_order descending limit 1"
    )
    assert (last["id"], last["sort_order"]) == (more.split()[0], 2)


def test_dry_runs_change_nothing(
    review: Run, project: ProjectFactory, sandbox: Sandbox, session: Session
) -> None:
    """Each dry run prints its plan; nothing is created and no mail is sent."""
    version = project.version()
    plan = review(
        *("create", "Look", "--project", "harbour", "--version", version["id"]),
        *("--invite", "kim@client.example", "--dry-run"),
    )
    assert "create ReviewSession 'Look'" in plan.stdout
    assert "Plan: 3 to create." in plan.stdout
    assert session.query("ReviewSession").all() == []
    made = project.review([], [])
    for action in (["add", made["id"], version["id"]], ["invite", made["id"], "a@b.example"]):
        assert "Plan: 1 to create." in review(*action, "--dry-run").stdout
    assert session.query("ReviewSessionObject").all() == []
    assert session.query("ReviewSessionInvitee").all() == []
    assert outbox(sandbox) == []


def test_settings(
    review: Run, project: ProjectFactory, session: Session, tmp_path: pathlib.Path
) -> None:
    """Passphrase and moderation are set, and --no-mail sends nothing."""
    secret = tmp_path / "passphrase"
    secret.write_text("sail\n")
    done = review(
        *("create", "Secret", "--project", project.project["id"], "--passphrase-file", str(secret)),
        *("--moderated", "--description", "Mind the sail.", "--json"),
    )
    printed = json.loads(done.stdout)
    made = session.get("ReviewSession", printed["id"])
    assert printed["url"] == f"{session.server_url}/browse/review/{made['id']}"
    assert (made["passphrase"], made["passphrase_enabled"], made["is_moderated"]) == (
        "sail",
        True,
        True,
    )
    assert made["description"] == "Mind the sail."
    assert made["is_open"]
    assert review("invite", "Secret", "kim@client.example", "--no-mail").returncode == 0
    assert made["review_session_invitees"][0]["last_sent_at"] is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_address_on_a_terminal(project: ProjectFactory, sandbox: Sandbox) -> None:
    """A terminal shows the address of the new review session, and the page with the mails."""
    import pty  # lazy: not on Windows

    main, other = pty.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "ftrack_like", "review", "create", "Look"),
            *("--project", "harbour", "--invite", "ines@producer.example"),
        ],
        env={**os.environ, **sandbox.environment(), "TERM": "dumb"},
        stdout=other,
        stderr=other,
    )
    os.close(other)
    assert process.wait(120) == 0
    shown = b""
    with contextlib.suppress(OSError):  # Linux raises an error at the end
        while part := os.read(main, 65536):
            shown += part
    os.close(main)
    identifier, address, _, mails, *_ = shown.decode().splitlines()
    assert f"The mails with the personal links: {sandbox.server_url}/outbox " in mails
    assert address == f"Open {sandbox.server_url}/browse/review/{identifier}"
    page = requests.get(address.partition(" ")[2], timeout=20)
    assert page.status_code == 200
    assert "Log in" in page.text


class OtherServer(http.server.BaseHTTPRequestHandler):
    """A server that is not a sandbox."""

    def do_GET(self) -> None:
        """Answer as any web page."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def test_no_address_on_other_servers() -> None:
    """A server that is not a sandbox, or does not answer, has no known address of the page."""
    server = http.server.HTTPServer(("127.0.0.1", 0), OtherServer)
    session: Any = SimpleNamespace(
        server_url=f"http://127.0.0.1:{server.server_port}", api_key="key", api_user="kim"
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert sandbox_page(session, OUTBOX) is None
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert sandbox_page(session, OUTBOX) is None


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["create", "Look", "--project", "nowhere"], 1, "There is no Project 'nowhere'"),
        (["create", "Look"], 2, "--project"),
        (["create", "L", "--project", "harbour", "--invite", "kim"], 2, "not a mail address"),
        (["create", "L", "--project", "harbour", "--passphrase-file", "no"], 2, "cannot be read"),
        (["create", "L", "--project", "harbour", "--days", "0"], 2, "whole number of 1 or more"),
        (
            ["create", "L", "--project", "harbour", "--version", "x"],
            1,
            "'x' is not an AssetVersion",
        ),
        (["add", "nowhere", "x"], 1, "There is no ReviewSession 'nowhere'"),
        (["add", "nowhere"], 2, "either versions or --query"),
        (["add", "review", "--query", "Task"], 2, "must find asset versions, not Task"),
        (["invite", "review", "Kim <kim>"], 2, "not a mail address"),
        (
            ["invite", "review", "joe@example"],
            2,
            "'example' is no domain. Write it with its ending",
        ),
        (["invite", "review", "Joe <joe@a..b>"], 2, "not a complete mail address"),
        (["invite", "review", "joe@.example.com"], 2, "not a complete mail address"),
        (["create", "L", "--project", "harbour", "--invite", "joe@example"], 2, "is no domain"),
        (["add", "review", "--query", "Taks"], 1, "Did you mean 'Task'?"),
        (["list", "--project", "nowhere"], 1, "There is no Project 'nowhere'"),
        (["report", "nowhere"], 1, "There is no ReviewSession 'nowhere'"),
        (["rewind"], 2, "rewind"),
    ],
)
def test_mistakes(
    review: Run, project: ProjectFactory, arguments: list[str], status: int, words: str
) -> None:
    """A mistake is one line that names it, and nothing is created."""
    project.review([], [])
    done = review(*arguments)
    assert done.returncode == status, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert len(project.session.query("ReviewSession").all()) == 1


def test_versions_without_media_are_named(
    review: Run, project: ProjectFactory, session: Session
) -> None:
    """Versions whose media no browser can show are added, and a line names up to five of them."""
    shot = project.shot("sh010")
    versions = [project.version(shot, asset=f"asset{number}") for number in range(7)]
    for version, name in zip(versions, ("ftrackreview-mp4-1080", "main")):
        component = {"name": name, "version": version, "file_type": ".mp4"}
        session.create("FileComponent", component)
    session.commit()
    ids = [str(each["id"]) for each in versions]
    made = review("create", "First look", "--project", "harbour", "--version", ids[1])
    assert made.stderr == (
        "ftrack-like: warning: 1 version without media that a browser can show: sh010 asset1 v1. "
        f"Encode the media with: ftrack-like encode FILE --version {ids[1]}\n"
    )
    added = review("add", "First look", *ids)
    assert (added.returncode, added.stderr.count("\n")) == (0, 1)
    assert len(added.stdout.splitlines()) == 6
    assert "sh010 asset2 v1, sh010 asset3 v1" not in review("add", "First look", *ids).stderr
    assert added.stderr.startswith("ftrack-like: warning: 5 versions without media")
    more = [str(project.version(shot, asset=f"other{number}")["id"]) for number in range(7)]
    assert "other4 v1 and 2 more. Encode" in review("add", "First look", *more).stderr


def test_guests_with_their_links(
    review: Run, project: ProjectFactory, sandbox: Sandbox, session: Session
) -> None:
    """Administrators of a sandbox get the latest link of each guest; guests without mail none."""
    session.create("ReviewSession", {"name": "Look", "project": project.project})
    session.create("User", {"username": "joe", "is_active": True})
    session.commit()
    for people in (["Ines Ferreira <ines@producer.example>"], ["ines@producer.example"]):
        assert review("invite", "Look", *people).returncode == 0
    review("invite", "Look", "kim@client.example", "--no-mail")
    ines, kim = json.loads(review("guests", "Look", "--json").stdout)
    assert list(ines) == ["name", "email", "invited_at", "id", "url"]
    assert (ines["name"], ines["email"]) == ("Ines Ferreira", "ines@producer.example")
    assert ines["url"] == outbox(sandbox)[-1]["links"][0]
    assert requests.get(ines["url"], timeout=20).status_code == 200
    assert (kim["email"], kim["invited_at"], kim["url"]) == ("kim@client.example", None, None)
    table = review("guests", "Look", "-o", "table").stdout.splitlines()
    assert table[0].split() == ["name", "email", "invited_at", "id", "url"]
    assert table[1].endswith(ines["url"])
    assert "never" in table[2]


def test_guests_of_a_server_that_is_no_sandbox(
    review: Run, project: ProjectFactory, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server sends links to guests alone: there is no column of empty cells for people."""
    from ftrack_like.cli import _review_guests

    made = session.create("ReviewSession", {"name": "Look", "project": project.project})
    values = {"review_session": made, "name": "Kim", "email": "kim@client.example"}
    guest = session.create("ReviewSessionInvitee", values)
    session.commit()
    monkeypatch.setattr(_review_guests, "links_in_mails", lambda session: None)
    rows, has_links = _review_guests.read_guests(session, [guest])
    assert not has_links
    assert [(row.name, row.url) for row in rows] == [("Kim", None)]
