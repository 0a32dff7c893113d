"""A recording answers the program that made it, without the server and without secrets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import ftrack_like
from ftrack_like import exception
from ftrack_like.sandbox.recordings.file import Batch, FileRead, Recording, RecordingError
from ftrack_like.sandbox.recordings.meaning import meaning
from ftrack_like.sandbox.recordings.player import NotRecordedError, Player
from ftrack_like.sandbox.recordings.recorder import Recorder
from ftrack_like.sandbox.recordings.replay import Replay
from ftrack_like.sandbox.recordings.scrubbing import Scrubber
from ftrack_like.testing import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Return a running sandbox."""
    with Sandbox() as running:
        yield running


def program(url: str, user: str, key: str, folder: Path) -> list[Any]:
    """Run a program that reads, writes, uploads, downloads and fails; return what it sees."""
    session = ftrack_like.Session(server_url=url, api_user=user, api_key=key)
    schema = session.query("ProjectSchema").first()
    film = {"name": "film", "full_name": "film", "project_schema": schema}
    project = session.create("Project", film)
    sequence = session.create("Sequence", {"name": "sq", "parent": project})
    for number in range(3):
        session.create("Shot", {"name": f"sh{number}", "parent": sequence})
    session.commit()
    where = f"Shot where parent.id is {sequence['id']}"
    seen: list[Any] = [[shot["name"] for shot in session.query(f"{where} order by name")]]
    shot = session.query(f"select name, parent.name from {where} and name is sh1").one()
    seen.append(shot["parent"]["name"])
    shot["description"] = "new"
    session.commit()
    found = session.query(f'select description from Shot where id is "{shot["id"]}"').one()
    seen.append(found["description"])
    me = session.query(f'User where username is "{user}"').one()
    seen.append(me["username"] == user)
    note = shot.create_note("hello", me)
    asset = session.create(
        "Asset", {"name": "a", "parent": shot, "type": session.query("AssetType").first()}
    )
    version = session.create("AssetVersion", {"asset": asset})
    session.commit()
    seen.append((note["content"], version["version"]))
    source = folder / "clip.txt"
    source.write_text("payload")
    server = session.query('Location where name is "ftrack.server"').one()
    component = version.create_component(str(source), location=server)
    seen.append(urllib.request.urlopen(server.get_url(component)).read())
    session.create("Project", film)
    with pytest.raises(exception.ServerNotUniqueError):
        session.commit()
    session.close()
    return seen


@pytest.fixture(scope="module")
def recorded(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """Return the recording of :func:`program`, and what the program saw."""
    folder = tmp_path_factory.mktemp("recorded")
    path = folder / "site.json"
    with Recorder(sandbox.server_url, path) as recorder:
        seen = program(recorder.server_url, sandbox.api_user, sandbox.api_key, folder)
    return path, seen


def test_a_program_sees_the_same_on_a_replay(
    recorded: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    """The same program sees the same, although its ids, its user and its key are others."""
    path, seen = recorded
    with Replay(path) as replay:
        assert program(replay.server_url, "somebody", "any key", tmp_path) == seen
        assert replay.missing == []


def test_a_replay_can_be_run_again(recorded: tuple[Path, list[Any]], tmp_path: Path) -> None:
    """After ``rewind`` the program runs on the same replay as if nothing had happened."""
    path, seen = recorded
    with Replay(path) as replay:
        program(replay.server_url, "somebody", "any key", tmp_path)
        replay.rewind()
        assert program(replay.server_url, "another", "any key", tmp_path) == seen


def test_a_recording_has_no_secrets(recorded: tuple[Path, list[Any]], sandbox: Sandbox) -> None:
    """The file holds neither the key nor the address of the server, nor a signed address."""
    text = recorded[0].read_text()
    host = sandbox.server_url.partition("//")[2]
    for secret in (sandbox.api_key, host, f'"{sandbox.api_user}"', "signature="):
        assert secret not in text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file modes")
def test_only_the_owner_reads_a_recording(recorded: tuple[Path, list[Any]]) -> None:
    """Other users of the machine cannot read the file."""
    assert recorded[0].stat().st_mode & 0o077 == 0


def test_a_request_without_a_recording_is_named(recorded: tuple[Path, list[Any]]) -> None:
    """The error of a request that was not recorded quotes the request and the file."""
    reports: list[str] = []
    with Replay(recorded[0], report=reports.append) as replay:
        session = ftrack_like.Session(replay.server_url, "key", "user")
        with pytest.raises(exception.ServerError, match=r"site\.json has no recording.*Milestone"):
            session.query("Milestone where name is 'm1'").all()
        session.close()
        (missing,) = replay.missing
    assert "Milestone" in missing
    assert len(reports) == 1


def test_a_file_without_a_recording_is_named(recorded: tuple[Path, list[Any]]) -> None:
    """A file that was not recorded is an answer 404 that says so."""
    reports: list[str] = []
    with Replay(recorded[0], report=reports.append) as replay:
        answer = requests.get(f"{replay.server_url}/component/get?id=other", timeout=20)
    assert answer.status_code == 404
    assert "other" in answer.text
    assert reports


def test_events_are_refused_with_a_reason(recorded: tuple[Path, list[Any]]) -> None:
    """The event server of a replay says that there are no events."""
    with Replay(recorded[0]) as replay:
        answer = requests.get(f"{replay.server_url}/socket.io/1/", timeout=20)
    assert (answer.status_code, "no events" in answer.text) == (501, True)


def test_the_recording_is_complete_while_the_recorder_runs(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The file is written as the recording grows, so a killed recorder leaves a readable file."""
    path = tmp_path / "growing.json"
    with Recorder(sandbox.server_url, path) as recorder:
        assert Recording.load(path).exchanges == []
        session = ftrack_like.Session(recorder.server_url, sandbox.api_key, sandbox.api_user)
        session.query("User").all()
        session.close()
        assert Recording.load(path).exchanges


def test_an_unreachable_server_is_named(tmp_path: Path) -> None:
    """A client of a recorder whose server is away is told which server that is."""
    with Recorder("http://127.0.0.1:9", tmp_path / "r.json") as recorder:
        answer = requests.post(f"{recorder.server_url}/api", json=[], timeout=20)
    assert "cannot reach http://127.0.0.1:9" in answer.json()["content"]


# What counts as equal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select name, id from Task where a is 1", 'SELECT id,name from Task WHERE a = "1"'),
        ("Task where a is 1 and b is 2", "Task where (b is 2) and a is 1"),
        ("Task where a is 1 or b is 2", "Task where b is 2 or a is 1"),
        ("Task where id in (b, a)", 'Task where id in ("a", "b", "a")'),
        ("Task where a any (b is 1 and c is 2)", "Task where a any (c is 2 and b is 1)"),
        ("Task limit 5 offset 2", "Task offset 2 limit 5"),
    ],
)
def test_spelling_does_not_matter(one: str, other: str) -> None:
    """Expressions that select the same have the same meaning."""
    first, second = ({"action": "query", "expression": text} for text in (one, other))
    assert meaning(first) == meaning(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select name from Task", "select id from Task"),
        ("Task where a is 1 and b is 2", "Task where a is 1 or b is 2"),
        ("Task where a is none", 'Task where a is "none"'),
        ("Task order by a, b", "Task order by b, a"),
        ("Task where not a is 1", "Task where a is 1"),
        ("Task limit 5", "Task limit 6"),
    ],
)
def test_what_selects_something_else_has_another_meaning(one: str, other: str) -> None:
    """Expressions that may select something else have another meaning."""
    first, second = ({"action": "query", "expression": text} for text in (one, other))
    assert meaning(first) != meaning(second)


def query(expression: str) -> dict[str, Any]:
    """Return the operation of a query."""
    return {"action": "query", "expression": expression}


def rows(*names: str) -> dict[str, Any]:
    """Return the answer to a query."""
    return {"action": "query", "data": list(names)}


def test_a_query_has_the_answer_of_its_chapter() -> None:
    """The same query has another answer after a recorded write, and not before."""
    write = {"action": "update", "entity_type": "Task", "entity_key": ["x"], "entity_data": {}}
    player = Player(
        Recording(
            [
                Batch("u", True, [query("Task")], 200, [rows("before")]),
                Batch("u", True, [write], 200, [{"action": "update", "data": {}}]),
                Batch("u", True, [query("Task")], 200, [rows("after")]),
            ]
        )
    )
    assert player.play("u", [query("Task")]).answer == [rows("before")]
    assert player.play("u", [query("Task")]).answer == [rows("before")]
    player.play("u", [write])
    assert player.play("u", [query("Task")]).answer == [rows("after")]


def test_repeated_queries_have_their_answers_in_turn() -> None:
    """The same query recorded twice has both answers in turn, and then the last one again."""
    recording = [Batch("u", True, [query("Job")], 200, [rows(each)]) for each in ("queued", "done")]
    player = Player(Recording(list(recording)))
    found = [player.play("u", [query("Job")]).answer[0]["data"][0] for _ in range(3)]
    assert found == ["queued", "done", "done"]


def test_reads_may_come_in_other_batches() -> None:
    """Queries recorded in one batch answer clients that send them one by one, and reversed."""
    both = [query("Task"), query("Shot")]
    player = Player(Recording([Batch("u", True, both, 200, [rows("task"), rows("shot")])]))
    assert player.play("u", [query("Shot")]).answer == [rows("shot")]
    assert player.play("u", both[::-1]).answer == [rows("shot"), rows("task")]
    assert player.play("u", query("Task")).answer == rows("task")


def test_another_write_is_not_answered() -> None:
    """A write with other values has no recorded answer."""
    write = {"action": "create", "entity_type": "Task", "entity_data": {"name": "a"}}
    player = Player(Recording([Batch("u", True, [write], 200, [{"action": "create"}])]))
    with pytest.raises(NotRecordedError, match='"name": "b"'):
        player.play("u", [{**write, "entity_data": {"name": "b"}}])


def test_new_ids_are_told_apart() -> None:
    """Two entities that a program creates keep their own answers under the ids of a later run."""
    ids = [f"{number:08}-0000-4000-8000-000000000000" for number in range(1, 5)]

    def create(identifier: str) -> dict[str, Any]:
        return {"action": "create", "entity_type": "Task", "entity_key": [identifier]}

    def read(identifier: str) -> dict[str, Any]:
        return query(f'Task where id is "{identifier}"')

    one, two, later_one, later_two = ids
    exchanges = [Batch("u", True, [create(one), create(two)], 200, [{"id": one}, {"id": two}])]
    exchanges += [Batch("u", True, [read(each)], 200, [rows(each)]) for each in (one, two)]
    player = Player(Recording(list(exchanges)))
    made = player.play("u", [create(later_one), create(later_two)]).answer
    assert made == [{"id": later_one}, {"id": later_two}]
    assert player.play("u", [read(later_two)]).answer == [rows(later_two)]
    assert player.play("u", [read(later_one)]).answer == [rows(later_one)]


# What is replaced


def scrubbed(value: Any, **options: Any) -> Any:
    """Return *value*, an answer, as a recording holds it."""
    scrubber = Scrubber("https://studio.example", **options)
    scrubber.learn("the-secret-key", "ada.l", [value])
    batch = scrubber.scrub(Batch("ada.l", True, [], 200, value))
    assert isinstance(batch, Batch)
    return batch.answer


ADA = {
    "__entity_type__": "User",
    "username": "ada.l",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@films.example",
}


def test_people_are_replaced_everywhere() -> None:
    """Names of people are replaced in their records, in texts, in JSON texts and in expressions."""
    answer = [
        ADA,
        {"content": "Thanks, Ada Lovelace (ada@films.example)!", "by": "ada.l"},
        {"data": json.dumps({"user": "Ada Lovelace", "n": 1})},
        query('User where first_name is "Ada" and username is "ada.l"'),
    ]
    text = json.dumps(scrubbed(answer))
    for name in ("Ada", "Lovelace", "ada.l", "films.example"):
        assert name not in text
    assert scrubbed(answer)[0]["__entity_type__"] == "User"


def test_equal_texts_have_equal_replacements() -> None:
    """A query by user name still finds the record that has this name."""
    user, asked = scrubbed([ADA, query('User where username is "ada.l"')])
    assert f'"{user["username"]}"' in asked["expression"]


def test_words_of_the_protocol_are_not_replaced() -> None:
    """A person called Task does not change the type of a task."""
    person = {**ADA, "first_name": "Task", "last_name": "Shot", "username": "Task"}
    task = {"__entity_type__": "Task", "id": "1"}
    assert scrubbed([person, task])[1] == task


@pytest.mark.parametrize(
    "text",
    [
        "https://studio.example/component/get?id=1&username=ada.l&apiKey=the-secret-key",
        "https://storage.example/bucket/file?Signature=abc",
        "see https://studio.example/#item or 10.1.2.3",
        "key the-secret-key",
    ],
)
def test_addresses_and_keys_are_replaced(text: str) -> None:
    """Addresses lose their host and their parameters, and the key never appears."""
    found = scrubbed([text])[0]
    for secret in ("studio.example", "storage.example", "the-secret-key", "abc", "10.1.2.3"):
        assert secret not in found


def test_an_address_of_a_file_still_names_the_file() -> None:
    """The address of a component keeps its id."""
    text = "https://studio.example/component/get?id=1&username=u&apiKey=k"
    assert scrubbed([text]) == ["https://site.invalid/component/get?id=1"]


def test_further_texts_can_be_replaced() -> None:
    """A caller can name texts of its own, such as the name of a film."""
    assert scrubbed(["Secret Film, sh010"], replacements={"Secret Film": "Film"}) == ["Film, sh010"]


def test_names_can_be_kept() -> None:
    """With ``keeps_names`` only keys and addresses are replaced."""
    found = scrubbed([ADA, "the-secret-key https://studio.example/x"], keeps_names=True)
    assert found == [ADA, "scrubbed https://site.invalid/x"]


# The file


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not JSON"),
        ("[]", "is not a recording"),
        ('{"format": "ftrack-like recording", "version": 99}', "version 99"),
        ('{"format": "ftrack-like recording", "version": 1, "exchanges": [{"a": 1}]}', "damaged"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(content: str, words: str, tmp_path: Path) -> None:
    """The error says what is wrong with the file."""
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(RecordingError, match=words):
        Replay(path)


def test_a_recording_survives_its_file(tmp_path: Path) -> None:
    """What is saved is loaded again, whatever characters it has."""
    exchanges = [
        Batch("ü", True, [query('Task where name is "é\u2028"')], 200, [rows("\n")]),
        FileRead("/component/get", {"id": "1"}, 200, "image/png", "AAAA"),
    ]
    Recording(list(exchanges)).save(tmp_path / "r.json")
    assert Recording.load(tmp_path / "r.json").exchanges == exchanges


def test_a_path_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """A recorder does not start if its file cannot be written."""
    with (
        pytest.raises(RecordingError, match="cannot be written"),
        Recorder("http://127.0.0.1:9", tmp_path / "missing" / "r.json"),
    ):
        pass


# The commands


def run(*words: str) -> subprocess.Popen[str]:
    """Start the command with *words*."""
    return subprocess.Popen(
        [sys.executable, "-m", "ftrack_like.cli", "sandbox", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Interrupt *process*; return its status and the errors that it printed."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def address_of(process: subprocess.Popen[str]) -> str:
    """Return the address that *process* prints when it answers."""
    assert process.stdout is not None
    words = process.stdout.readline().split()
    return next(word for word in words if word.startswith("http://127.0.0.1"))


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot interrupt one process")
def test_the_commands_record_and_replay(sandbox: Sandbox, tmp_path: Path) -> None:
    """``sandbox record`` writes a file from which ``sandbox replay`` answers."""
    path = tmp_path / "site.json"
    recorder = run("record", sandbox.server_url, "--to", str(path), "--port", "0")
    with ftrack_like.Session(address_of(recorder), sandbox.api_key, sandbox.api_user) as session:
        names = [status["name"] for status in session.query("select name from Status")]
    status, errors = ended(recorder)
    assert (status, "requests and answers" in errors) == (130, True)
    replay = run("replay", str(path), "--port", "0")
    with ftrack_like.Session(address_of(replay), "key", "user") as session:
        assert [one["name"] for one in session.query("select name from Status")] == names
    assert ended(replay)[0] == 130


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["record", "studio"], "not the address of a server"),
        (["record", "https://studio.example", "--replace", "x"], "TEXT=TEXT"),
        (["replay", "missing.json"], "cannot be read"),
        (["start", "--port", "x"], "a port is a number"),
        (["frobnicate"], "is not a command"),
    ],
)
def test_mistakes_on_the_command_line_are_named(words: list[str], text: str) -> None:
    """A wrong argument ends the command with an error that names it."""
    process = run(*words)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (1, 2)
    assert text in errors


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot interrupt one process")
@pytest.mark.parametrize(
    "words",
    [
        ["--memory", "--port", "0", "--user", "tester"],
        ["start", "--memory", "--port", "0", "--user", "tester"],
        ["--user", "tester", "--port", "0", "start", "--memory"],
    ],
)
def test_start_is_the_default_command(words: list[str]) -> None:
    """Options count before and after the word ``start``, and without it."""
    process = run(*words, "--json")
    assert process.stdout is not None
    known = json.loads(process.stdout.readline())
    assert known["api_user"] == "tester"
    assert not known["server_url"].endswith(":5005")
    assert ended(process)[0] == 130


def test_requests_at_once_are_all_recorded(sandbox: Sandbox, tmp_path: Path) -> None:
    """Clients on several threads lose no exchange."""
    path = tmp_path / "site.json"
    headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
    with Recorder(sandbox.server_url, path) as recorder:
        url = f"{recorder.server_url}/api"

        def ask(number: int) -> None:
            body = [query(f"User limit {number + 1}")]
            requests.post(url, json=body, headers=headers, timeout=60).raise_for_status()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    player = Player(Recording.load(path))
    for number in range(12):
        player.play("x", [query(f"User limit {number + 1}")])
