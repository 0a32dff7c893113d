"""The command ``sandbox reset``: a new site in the place of an old one."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import subprocess
import sys
from typing import Any

import pytest
import requests

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.api import Api
from ftrack_like.sandbox.auth import RequestCredentials
from ftrack_like.sandbox.errors import InvalidCredentialsError
from ftrack_like.sandbox.media.service import MediaService
from ftrack_like.sandbox.server import SandboxServer
from ftrack_like.sandbox.site_data import SiteData, find_administrator
from ftrack_like.sandbox.tables.server_values import SIGNING_SECRET, agreed_value, server_value

COMMAND = [sys.executable, "-m", "ftrack_like", "sandbox", "reset"]


def reset(*words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command with *words*; *answer* is its input, from a pipe."""
    return subprocess.run(
        [*COMMAND, *words], input=answer, capture_output=True, text=True, timeout=120, check=False
    )


def ask(server: SandboxServer, *operations: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the results of *operations*."""
    headers = {"ftrack-user": server.api_user, "ftrack-api-key": server.api_key}
    url = f"{server.server_url}/api"
    response = requests.post(url, json=list(operations), headers=headers, timeout=30)
    results: list[dict[str, Any]] = response.json()
    return results


@pytest.fixture
def site(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return the folder of a stopped sandbox with the disk *raid*."""
    folder = tmp_path / "site"
    with SandboxServer(folder) as server:
        data = {"__entity_type__": "Disk", "name": "raid"}
        operation = {"action": "create", "entity_type": "Disk", "entity_data": data}
        assert ask(server, operation)[0]["data"]["name"] == "raid"
    return folder


def disks(folder: pathlib.Path) -> tuple[list[str], str]:
    """Return the names of the disks of the site in *folder*, and its key."""
    with SandboxServer(folder) as server:
        query = {"action": "query", "expression": "select name from Disk"}
        return [one["name"] for one in ask(server, query)[0]["data"]], server.api_key


def test_a_stopped_sandbox_is_a_new_site_afterwards(site: pathlib.Path) -> None:
    """The rows are gone, and the API key stays."""
    before, key = disks(site)
    assert "raid" in before
    result = reset("--data", str(site), "--yes")
    assert (result.returncode, result.stderr) == (0, "")
    assert str(site) in result.stdout
    after, kept = disks(site)
    assert "raid" not in after
    assert kept == key


def test_without_an_answer_nothing_changes(site: pathlib.Path) -> None:
    """In a pipe the command needs --yes, and says so."""
    result = reset("--data", str(site), answer="y\n")
    assert result.returncode == 1
    assert "--yes" in result.stderr
    assert "raid" in disks(site)[0]


def test_a_running_sandbox_is_not_reset(site: pathlib.Path) -> None:
    """The error names the process and the address that use the data."""
    with SandboxServer(site) as server:
        result = reset("--data", str(site), "--yes")
        assert result.returncode == 1
        assert server.server_url in result.stderr
    assert "raid" in disks(site)[0]


def test_a_folder_without_a_sandbox_stays_as_it_is(tmp_path: pathlib.Path) -> None:
    """Another folder, an absent one, and --memory are refused with one line."""
    (tmp_path / "media" / "data").mkdir(parents=True)
    precious = tmp_path / "media" / "data" / "film.mov"
    precious.write_bytes(b"film")
    for words in (["--data", str(tmp_path)], ["--data", str(tmp_path / "none")]):
        result = reset(*words, "--yes")
        assert result.returncode == 1
        assert "There is no sandbox in" in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert precious.read_bytes() == b"film"
    assert not (tmp_path / "sandbox.sqlite").exists()


def test_server_notices_that_other_data_took_the_place_of_its_own(tmp_path: pathlib.Path) -> None:
    """The next authentication after a reset by another process calls the listeners, once."""
    site = SiteData(key="k")
    with contextlib.closing(site):
        database = site.open()
        api = Api(database, MediaService(database, tmp_path / "media"))
        calls: list[str] = []
        api.reset_listeners.append(lambda: calls.append("reset"))
        credentials = RequestCredentials("admin", "k")
        api.authenticate(credentials)
        api.authenticate(credentials)
        assert calls == []
        site.reset()  # as another process does: not by SandboxServer.reset
        api.authenticate(credentials)
        api.authenticate(credentials)
        assert calls == ["reset"]
        api.media.stop()


def test_workers_act_as_the_administrator_of_the_server(tmp_path: pathlib.Path) -> None:
    """A worker that joins a site finds the same administrator, with the same rights."""
    url = f"sqlite:///{tmp_path / 'site.db'}"
    with contextlib.closing(SiteData(url=url, user="boss", media=tmp_path / "media")) as site:
        assert find_administrator(site.open()) == site.administrator
        assert site.administrator.username == "boss"


def test_server_goes_on_when_its_administrator_gets_a_new_key(tmp_path: pathlib.Path) -> None:
    """The server acts as the administrator after the key with which it started was replaced."""
    site = SiteData(key="k")
    with contextlib.closing(site):
        database = site.open()
        api = Api(database, MediaService(database, tmp_path / "media"))
        renewal = {
            "action": "reset_remote",
            "reset_type": "api_key",
            "entity_type": "User",
            "entity_key": [site.administrator.id],
        }
        user = api.authenticate(RequestCredentials("admin", "k"))
        api.execute([renewal], user, "")
        with pytest.raises(InvalidCredentialsError):
            api.execute([renewal], user, "")
        asked = [{"action": "query", "expression": "select username from User"}]
        (found,) = api.execute(asked, site.administrator, "", by_server=True)
        assert [one["username"] for one in found["data"]] == ["admin"]
        api.media.stop()


def test_reset_without_a_change_writes_nothing(tmp_path: pathlib.Path) -> None:
    """A second reset leaves the file alone; after a change by another connection it replaces it."""
    site = SiteData(tmp_path / "site", key="k")
    with contextlib.closing(site):
        database = site.open()
        site.reset()
        state = database.state()
        site.reset()
        assert database.state() == state
        with contextlib.closing(sqlite3.connect(str(database.path))) as other, other:
            other.execute("INSERT INTO server_value (name, value) VALUES ('studio', 'x')")
        assert database.state() != state
        site.reset()
        with database.read() as connection:
            assert server_value(connection, "studio") is None


def test_reset_keeps_the_values_of_running_processes(tmp_path: pathlib.Path) -> None:
    """The secret that signs addresses is the same after each of two resets."""
    site = SiteData(tmp_path / "site", key="k")
    with contextlib.closing(site):
        database = site.open()
        for number in range(2):
            with database.write() as connection:
                agreed_value(connection, SIGNING_SECRET, "5ec2e7")
                agreed_value(connection, f"other {number}", "x")
            site.reset()
            with database.read() as connection:
                assert server_value(connection, SIGNING_SECRET) == "5ec2e7"
                assert server_value(connection, f"other {number}") is None


def test_sites_in_memory_share_no_row() -> None:
    """Two sites of a process are copies of the same empty tables, with their own administrators."""
    first, second = SiteData(user="ann", key="a"), SiteData(user="bob", key="b")
    with contextlib.closing(first), contextlib.closing(second):
        users = []
        for site in (first, second):
            with site.open().read() as connection:
                wanted = "SELECT username FROM resource WHERE username IS NOT NULL"
                users.append(connection.exec_driver_sql(wanted).scalars().all())
        assert users == [["ann"], ["bob"]]
