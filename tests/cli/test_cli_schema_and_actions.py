"""The commands `schema` and `action`."""

from __future__ import annotations

import json
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ftrack_like.actions import Action
from ftrack_like.cli.schema import schema_differences


def test_schema_lists_types_and_attributes(command: Any) -> None:
    """Without a type the types are listed, with a type its attributes."""
    types = [line.split("\t")[0] for line in command("schema", "show").lines]
    assert {"Task", "Shot", "User"} <= set(types)
    rows = {
        row["attribute"]: row
        for row in json.loads(command("schema", "show", "task", "--json").output)
    }
    assert rows["status"]["type"] == "Status"
    assert rows["assignments"]["type"] == "list of Appointment"
    assert rows["start_date"]["type"] == "date"
    assert "key" in rows["id"]["flags"]
    found = command("schema", "show", "Tsk")
    assert (found.status, "Did you mean 'Task'?" in found.errors) == (1, True)


def test_stored_schemas_need_no_server(
    command: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --cached the schemas of the last session are read from the disk."""
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "other"))
    found = command("schema", "show", "--cached")
    assert (found.status, "No schemas are stored" in found.errors) == (1, True)
    live = command("schema", "show", "Task").output
    monkeypatch.setenv("FTRACK_API_KEY", "wrong")
    assert command("schema", "show", "Task", "--cached").output == live


def test_diff_of_files_servers_and_the_cache(
    command: Any, settings: dict[str, str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sources are compared; --exit-code reports a difference in the status."""
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path))
    saved = tmp_path / "old.json"
    saved.write_text(command("schema", "show", "--raw").output, encoding="utf-8")
    assert command("schema", "diff").output == ""
    assert command("schema", "diff", str(saved), settings["FTRACK_SERVER"]).output == ""
    schemas = json.loads(saved.read_text(encoding="utf-8"))
    task = next(each for each in schemas if each["id"] == "Task")
    del task["properties"]["bid"]
    task["properties"]["name"]["type"] = "integer"
    saved.write_text(json.dumps([each for each in schemas if each["id"] != "Shot"]))
    found = command("schema", "diff", str(saved), "live", "--exit-code")
    assert found.status == 1
    assert set(found.lines) == {
        "added\tShot\t\t\t",
        "added\tTask\tbid\t\tnumber",
        "changed\tTask\tname\tinteger\tstring",
    }
    assert command("schema", "diff", str(saved)).status == 0


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), ("{}", "is not a file")])
def test_diff_names_a_wrong_file(
    content: Any, words: str, command: Any, tmp_path: pathlib.Path
) -> None:
    """A file that is missing or has something else in it is named."""
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    found = command("schema", "diff", str(path))
    assert (found.status, found.output) == (1, "")
    assert words in found.errors


def test_differences_of_settings() -> None:
    """Attributes that differ only in a setting, and lists of a type, are reported."""
    old = [{"id": "A", "properties": {"x": {"type": "string"}}, "required": ["x"]}]
    new = [{"id": "A", "properties": {"x": {"type": "string", "default": "y"}}, "required": []}]
    assert schema_differences(old, new) == [
        ["changed", "A", "x", "default=None", "default='y'"],
        ["changed", "A", "(required)", "x", ""],
    ]


class Greet(Action):
    """An action that greets, or asks for a name."""

    identifier = "test.greet"
    label = "Greet"
    variants = ("Loud", "Quiet")
    everyone = True
    requests: list[Any]

    def discover(self, request: Any) -> bool:
        """Answer for shots only."""
        return request.selection.of_type("Shot")

    def launch(self, request: Any) -> Any:
        """Greet by name."""
        self.requests.append(request)
        if request.values.get("name") == "fail":
            return False
        if not request.values:
            return [{"type": "text", "name": "name", "label": "Who?"}]
        return f"Hello {request.values['name']}"


@pytest.fixture
def greet(sandbox: Any) -> Iterator[Greet]:
    """Return the action, which another session hosts."""
    with sandbox.session() as other:
        action = Greet(other)
        action.requests = []
        other.event_hub.connect()
        action.register()
        thread = threading.Thread(target=other.event_hub.wait, daemon=True)
        thread.start()
        yield action
        other.event_hub.disconnect()
        thread.join(20)


def test_actions_are_listed_for_a_selection(command: Any, site: Any, greet: Greet) -> None:
    """Only actions that answer for the selected entities are listed."""
    found = command("action", "list", "--on", "Shot", "sh010", "--wait", "5")
    assert found.lines == ["test.greet\tGreet\tLoud\t", "test.greet\tGreet\tQuiet\t"]
    assert command("action", "list", "--on", "Task", "lighting", "--wait", "1").output == ""


def test_actions_run_with_values(command: Any, site: Any, greet: Greet) -> None:
    """An action gets the selection, variant, values and user, and its text is printed."""
    run = ["action", "run", "test.greet", "--on", "Shot", "sh010", "--variant", "Loud"]
    found = command(*run)
    assert found.status == 0
    assert found.output == "name\ttext\tWho?\t\n"
    assert "--value" in found.errors
    found = command(*run, "--value", "name=Mira", "--value", "loudness:=3")
    assert (found.status, found.output, found.errors) == (0, "Hello Mira\n", "")
    request = greet.requests[-1]
    assert request.values == {"name": "Mira", "loudness": 3}
    assert (request.variant, request.username) == ("Loud", "admin")
    assert request.selection.ids == [site["sh010"]["id"]]
    found = command(*run, "--value", "name=fail", "--json")
    assert (found.status, json.loads(found.output)["success"]) == (1, False)


def test_actions_that_do_not_answer(command: Any, site: Any) -> None:
    """An action without an answer is an error that names it."""
    found = command("action", "run", "no.such.action", "--wait", "0.2")
    assert (found.status, found.output) == (1, "")
    assert "no.such.action" in found.errors
    assert command("action", "run", "x", "--value", "y").status == 2
    assert command("action", "list", "--wait", "0").status == 2
