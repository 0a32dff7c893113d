"""Asset versions by their paths, in each command that takes a version."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest


@pytest.fixture
def versions(session: Any, site: Any) -> dict[str, str]:
    """Return the ids of versions by path: two of an asset of sh010, one of sh020."""
    kind = session.query("AssetType").first()
    found = {}
    for shot, count in (("sh010", 2), ("sh020", 1)):
        asset = session.create("Asset", {"name": "comp a", "parent": site[shot], "type": kind})
        for number in range(1, count + 1):
            found[f"{shot}/v{number}"] = session.create("AssetVersion", {"asset": asset})["id"]
            session.commit()
    return found


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("show/sq010/sh010/comp a/v001", "sh010/v1"),
        ("sh010/comp a/v2", "sh010/v2"),
        ("show/sq010/sh020/comp a - v001", "sh020/v1"),
        ("COMP A V2", "sh010/v2"),
    ],
)
def test_a_version_is_found_by_its_path(
    text: str, key: str, command: Any, versions: dict[str, str]
) -> None:
    """The path of the asset, whole or its end, and the number name a version."""
    assert command("get", "AssetVersion", text, "-c", "id").lines == [f"id\t{versions[key]}"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("comp a/v001", "There are 2 AssetVersion entities 'comp a/v001':"),
        ("sh010/comp a/v009", "'sh010/comp a/v009'. The versions are: v001, v002."),
        ("sh010/com a/v001", "There is no Asset 'com a'. Did you mean 'comp a'?"),
        ("sq010/comp a/v001", "Other contexts have an asset 'comp a'. Write the path as "),
        ("show/sq010/sh010", "is not an AssetVersion. Write an id, or a path with the number"),
        ("sh010/comp a", "AssetVersion. Its latest version is: show/sq010/sh010/comp a/v002."),
        ("comp a", "versions are: show/sq010/sh010/comp a/v002, show/sq010/sh020/comp a/v001."),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        ["get", "AssetVersion", "{}"],
        ["note", "AssetVersion", "{}", "text"],
        ["encode", "{file}", "--version", "{}"],
        ["review", "create", "dailies", "--project", "show", "--version", "{}"],
    ],
    ids=lambda form: form[0],
)
def test_a_wrong_path_says_what_is_there(
    form: list[str], text: str, words: str, command: Any, versions: Any, tmp_path: pathlib.Path
) -> None:
    """A path without a version lists candidates, numbers or similar names."""
    file = tmp_path / "a.png"
    file.write_bytes(b"")
    found = command(*[each.format(text, file=file) for each in form])
    assert (found.status, found.output) == (1, "")
    assert words in found.errors


def test_downloads_and_uploads_take_paths(
    command: Any, versions: dict[str, str], tmp_path: pathlib.Path
) -> None:
    """A component is uploaded to a path, and downloaded from it."""
    file = tmp_path / "scene.ma"
    file.write_text("scene")
    assert command("upload", str(file), "--to", "sh010/comp a/v002").status == 0
    found = command("download", "sh010/comp a/v002", "--to", str(tmp_path / "to"))
    assert (found.status, found.errors) == (0, "")
    assert (tmp_path / "to" / "scene.ma").read_text() == "scene"
    wrong = command("download", "show/sq010/sh010", "--to", str(tmp_path / "to"))
    assert "Write an id, or the path of a version: show/" in wrong.errors
    wrong = command("download", "sh010/comp a/v002", "--to", str(tmp_path), "--component", "scen")
    assert "no component 'scen'. Did you mean 'scene'? The names are: scene." in wrong.errors


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("AssetVersion where version is 1", "finds 2 versions, not one."),
        ("AssetVersion where version is 7", "finds 0 versions, not one."),
        ("select id from Shot where name is sh010", "must find an asset version, not Shot."),
    ],
)
def test_encode_needs_a_query_for_one_version(
    query: str, words: str, command: Any, versions: Any, tmp_path: pathlib.Path
) -> None:
    """A query in --version must find exactly one asset version."""
    file = tmp_path / "a.png"
    file.write_bytes(b"")
    found = command("encode", str(file), "--version", query)
    assert found.status in (1, 2)
    assert words in found.errors


def test_the_path_of_a_task_names_its_versions(
    command: Any, versions: dict[str, str], site: Any, session: Any
) -> None:
    """A command for versions gets the path of a task, and the error names the latest version."""
    version = session.get("AssetVersion", versions["sh010/v2"])
    version["task"] = site["lighting"]
    session.commit()
    for words in (["download"], ["get", "AssetVersion"]):
        found = command(*words, "sh010/lighting")
        assert found.status == 1
        assert "Its latest version is: show/sq010/sh010/comp a/v002." in found.errors
        assert "Its latest" not in command(*words, "sh020/lighting").errors
