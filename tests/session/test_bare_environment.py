"""A session starts whatever optional thing its environment lacks, and says so once."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import cache


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings that were logged."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without home, entry in the user database and folder for caches, in an empty folder."""
    pwd = pytest.importorskip("pwd")

    def unknown(number: int) -> Any:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "USER", "LOGNAME", "FTRACK_API_SCHEMA_CACHE_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_no_home_and_no_passwd_entry(
    homeless: None, server: Any, open_session: Any, caplog: Any, tmp_path: Path
) -> None:
    """The schemas are not kept, one warning says so, and no folder named "~" is made."""
    session = open_session(server, schema_cache_path=None)
    assert session.query("Task").all() == []
    (warning,) = warnings_in(caplog)
    assert "FTRACK_API_SCHEMA_CACHE_PATH" in warning
    assert os.listdir(tmp_path) == []


def test_no_folder_for_temporary_files(
    server: Any, open_session: Any, caplog: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A cache folder that cannot be written, without one to fall back on, costs a warning."""

    def missing() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", missing)
    (tmp_path / "file").touch()
    open_session(server, schema_cache_path=str(tmp_path / "file" / "below"))
    (warning,) = warnings_in(caplog)
    assert "cannot be written" in warning


def test_no_current_folder(
    server: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A current folder that was deleted does not matter, even for relative paths."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    try:
        (tmp_path / "gone").rmdir()
    except OSError:
        pytest.skip("the system keeps a folder that is in use")
    session = open_session(server, schema_cache_path="relative", plugin_paths=["", "plugins"])
    assert session.query("Task").all() == []


def test_no_host_name(server: Any, open_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of a machine without a name carry none."""

    def unknown() -> str:
        raise OSError("no host name")

    monkeypatch.setattr("socket.gethostname", unknown)
    assert open_session(server).event_hub._host == ""


def test_plugin_paths_that_are_none(server: Any, open_session: Any, caplog: Any) -> None:
    """What can be no path costs a warning each; a folder that is missing costs none."""
    open_session(server, plugin_paths=["/no/such/folder", "\0", None])
    assert len(warnings_in(caplog)) == 2


def broken(session: Any) -> Any:
    """Raise an error that holds the key of *session*."""
    raise RuntimeError(f"no cache for {session.api_key}")


@pytest.mark.parametrize(
    "given",
    [
        broken,
        lambda session: exit(3),
        lambda: None,
        lambda session: 42,
        lambda session: {},
        lambda session: "path",
        lambda session: cache.MemoryCache,
        lambda session: session.no_such_attribute,
        42,
        object(),
    ],
)
def test_a_cache_that_is_none(server: Any, open_session: Any, caplog: Any, given: Any) -> None:
    """A function that raises or returns nonsense gives a session, one warning and no secret."""
    session = open_session(server, cache=given)
    assert session.query("Task").all() == []
    (warning,) = warnings_in(caplog)
    assert "cache" in warning
    assert session.api_key not in warning
    assert len(session.cache.caches) == 1


def test_a_cache_that_is_one(server: Any, open_session: Any, caplog: Any) -> None:
    """Functions that return a cache or None, and caches, are used as they are."""
    made = cache.MemoryCache()
    assert open_session(server, cache=lambda session: made).cache.caches[1] is made
    assert open_session(server, cache=made).cache.caches[1] is made
    assert len(open_session(server, cache=lambda session: None).cache.caches) == 1
    assert warnings_in(caplog) == []
