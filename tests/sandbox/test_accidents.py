"""Data that are in use, broken, foreign, old or on a full disk; and servers that are killed."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest
import requests

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

import sqlalchemy

from ftrack_like.sandbox import command_line
from ftrack_like.sandbox.data_folder import SiteError
from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.server import SandboxServer
from ftrack_like.sandbox.site_data import SiteData
from ftrack_like.sandbox.tables.layout import TABLES
from ftrack_like.sandbox.tables.migrations import LAYOUT_VERSION

DATA = pathlib.Path(__file__).parent.parent / "data"
POSTGRES = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")
needs_postgres = pytest.mark.skipif(
    POSTGRES is None, reason="FTRACK_LIKE_TEST_POSTGRES_URL names no server"
)
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals and shells")


def ask(server_url: str, api_user: str, api_key: str, *operations: Any) -> Any:
    """Return the answer of a sandbox to *operations*."""
    headers = {"ftrack-user": api_user, "ftrack-api-key": api_key}
    return requests.post(
        f"{server_url}/api", json=list(operations), headers=headers, timeout=60
    ).json()


def query(expression: str) -> dict[str, Any]:
    """Return a query operation."""
    return {"action": "query", "expression": expression}


def scope(name: str) -> dict[str, Any]:
    """Return an operation that creates a scope, the smallest entity."""
    return {
        "action": "create",
        "entity_type": "Scope",
        "entity_key": [name],
        "entity_data": {"__entity_type__": "Scope", "id": name, "name": name},
    }


Start = Callable[..., tuple["subprocess.Popen[str]", dict[str, str]]]


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Return a function that runs the command and returns the process and what it printed."""
    started: list[subprocess.Popen[str]] = []

    def run(*options: str, **more: Any) -> tuple[subprocess.Popen[str], dict[str, str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "ftrack_like.sandbox", "--json", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        return process, json.loads(line) if line else {}

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill *process* as a power cut would, without a word to it."""
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


# One folder has one server


def test_second_server_on_a_folder_is_refused(start: Start, tmp_path: pathlib.Path) -> None:
    """A second start says which process holds the data and where it answers; the first goes on."""
    first, known = start("--data", str(tmp_path / "data"))
    second, nothing = start("--data", str(tmp_path / "data"))
    _, told = second.communicate(timeout=60)
    assert (second.returncode, nothing, len(told.splitlines())) == (1, {}, 1)
    assert f"process {first.pid}" in told
    assert known["server_url"] in told
    assert str(tmp_path / "data") in told
    assert ask(*known.values(), scope("one"))[0]["data"]["id"] == "one"


def test_second_server_of_one_process_is_refused(tmp_path: pathlib.Path) -> None:
    """Two sandboxes of one program cannot share a folder; after a stop the other can have it."""
    with SandboxServer(tmp_path):
        with pytest.raises(SiteError, match=f"process {os.getpid()}"), SandboxServer(tmp_path):
            pass
    with SandboxServer(tmp_path):
        pass


@pytest.mark.parametrize("named", [True, False], ids=["named", "beside the data"])
def test_files_of_two_sites_never_share_a_folder(tmp_path: pathlib.Path, named: bool) -> None:
    """A second site is refused the files of another, with who holds them; it then stops holding."""
    files = tmp_path / "files" if named else tmp_path / "one" / "media"
    first = SandboxServer(tmp_path / "one", media=files if named else None)
    second = SandboxServer(tmp_path / "two", media=files)
    with first:
        words = rf"{re.escape(str(files))} are in use by process {os.getpid()}.*{first.server_url}"
        with pytest.raises(SiteError, match=words):
            second.start()
        with SandboxServer(tmp_path / "two"):  # its data are free again
            pass
    with second:
        pass


@posix
def test_killed_server_leaves_the_folder_free(start: Start, tmp_path: pathlib.Path) -> None:
    """After kill -9 the next start finds all that was acknowledged, and nobody in its way."""
    data = str(tmp_path / "data")
    for number in range(3):
        process, known = start("--data", data)
        found = ask(*known.values(), query("Scope where id like 'mine%'"))[0]["data"]
        assert len(found) == number
        assert ask(*known.values(), scope(f"mine{number}"))[0]["data"]
        kill(process)


# What cannot be opened


def _rubbish(path: pathlib.Path) -> None:
    path.write_bytes(b"something else entirely " * 400)


def _empty(path: pathlib.Path) -> None:
    path.write_bytes(b"")


def _foreign(path: pathlib.Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE invoices (id)")


def _foreign_without_tables(path: pathlib.Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 7")


def _cut(path: pathlib.Path) -> None:
    SiteData(path.parent).open().close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _cut_to_the_header(path: pathlib.Path) -> None:
    SiteData(path.parent).open().close()
    with path.open("r+b") as file:
        file.truncate(60)


def _damaged(path: pathlib.Path) -> None:
    SiteData(path.parent).open().close()
    content = bytearray(path.read_bytes())
    content[100:4096] = os.urandom(3996)
    path.write_bytes(content)


def _damaged_inside(path: pathlib.Path) -> None:
    SiteData(path.parent).open().close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


def _folder(path: pathlib.Path) -> None:
    path.mkdir()


def _newer(path: pathlib.Path) -> None:
    SiteData(path.parent).open().close()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE server_value SET value = '99' WHERE name = 'layout'")


def _without_a_table(path: pathlib.Path) -> None:
    SiteData(path.parent).open().close()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TABLE note")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_rubbish, "is not an SQLite database"),
        (_empty, "is empty"),
        (_foreign, "is a database of another program"),
        (_foreign_without_tables, "is a database of another program"),
        (_cut, "is cut short"),
        (_cut_to_the_header, "is cut short"),
        (_damaged, "Restore a copy"),
        (_damaged_inside, "Restore a copy"),
        (_folder, "sandbox.sqlite"),
        (_newer, "another version of the sandbox (layout 99"),
        (_without_a_table, "lacks the table note"),
    ],
)
def test_broken_data_end_the_command_with_a_sentence(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[pathlib.Path], None],
    words: str,
) -> None:
    """Broken or foreign data are named with the file and a remedy, and left as they are."""
    path = tmp_path / "sandbox.sqlite"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    for _ in range(2):
        assert command_line.main(["--port", "0", "--data", str(tmp_path)]) == 1
        told = capsys.readouterr().err
        assert len(told.splitlines()) == 1
        assert words in told
        assert str(path) in told
        assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount file systems"
)
@pytest.mark.parametrize("name", ["data", "data/sandbox.sqlite", "data/media"])
def test_read_only_data_end_the_command_with_a_sentence(
    tmp_path: pathlib.Path, start: Start, name: str
) -> None:
    """Data that cannot be written are named; the user sees no traceback."""
    with SandboxServer(tmp_path / "data"):
        pass
    path = str(tmp_path / name)
    for options in (["--bind", path], ["-o", "remount,ro,bind"]):
        mounted = subprocess.run(
            ["mount", *options, path], stderr=subprocess.PIPE, text=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"cannot mount a file system: {mounted.stderr.strip()}")
    try:
        process, nothing = start("--data", str(tmp_path / "data"))
        _, told = process.communicate(timeout=60)
    finally:
        subprocess.run(["umount", "--lazy", path], check=False)
    assert (process.returncode, nothing, len(told.splitlines())) == (1, {}, 1), told
    assert str(tmp_path / "data") in told
    assert "read-only" in told.lower()


def test_damaged_secret_ends_the_command_with_a_sentence(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged secret is named, in the database and in the file of an earlier version."""
    with SandboxServer(tmp_path):
        pass
    for content in ("", "beef", "not hexadecimal"):
        _change_secret(tmp_path, content)
        assert command_line.main(["--port", "0", "--data", str(tmp_path)]) == 1
        told = capsys.readouterr().err
        assert "the row 'signing secret' of the table server_value, is damaged" in told
        assert len(told.splitlines()) == 1
    _change_secret(tmp_path, None)
    (tmp_path / "media" / "secret").write_text("beef")
    assert command_line.main(["--port", "0", "--data", str(tmp_path)]) == 1
    assert str(tmp_path / "media" / "secret") in capsys.readouterr().err


def test_secret_of_an_earlier_version_moves_to_the_database(tmp_path: pathlib.Path) -> None:
    """Addresses that an earlier version signed stay valid, and a reset keeps the secret."""
    with SandboxServer(tmp_path):
        pass
    _change_secret(tmp_path, None)
    (tmp_path / "media" / "secret").write_text("ab" * 32)
    with SandboxServer(tmp_path) as server:
        server.reset()
    assert _secret(tmp_path) == "ab" * 32
    assert not (tmp_path / "media" / "secret").exists()


def _change_secret(folder: pathlib.Path, value: Optional[str]) -> None:
    """Replace the secret in the database below *folder*; None removes it."""
    with contextlib.closing(sqlite3.connect(folder / "sandbox.sqlite")) as database:
        database.execute("DELETE FROM server_value WHERE name = 'signing secret'")
        if value is not None:
            database.execute("INSERT INTO server_value VALUES ('signing secret', ?)", (value,))
        database.commit()


def _secret(folder: pathlib.Path) -> str:
    with contextlib.closing(sqlite3.connect(folder / "sandbox.sqlite")) as database:
        found = database.execute("SELECT value FROM server_value WHERE name = 'signing secret'")
        return str(found.fetchone()[0])


def test_start_that_was_killed_leaves_no_half_site(tmp_path: pathlib.Path) -> None:
    """What a killed first start left behind does not keep the next one from making a site."""
    (tmp_path / "sandbox.sqlite.new").write_bytes(b"SQLite format 3\x00half")
    (tmp_path / "sandbox.sqlite.new-wal").write_bytes(b"half")
    with SandboxServer(tmp_path) as server:
        assert ask(server.server_url, "admin", server.api_key, query("User"))[0]["data"]
    assert not list(tmp_path.glob("*.new*"))


# Older layouts


@pytest.fixture
def old(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a folder with the data of a site of layout 1."""
    folder = tmp_path / "old"
    folder.mkdir()
    text = gzip.decompress((DATA / "layout_1.sql.gz").read_bytes()).decode("utf-8")
    with contextlib.closing(sqlite3.connect(folder / "sandbox.sqlite")) as database:
        database.executescript(text)
    (folder / "credentials.json").write_text('{"admin": "old-key"}')
    return folder


def test_older_data_are_brought_up_to_date(old: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Data of an older layout keep rows and key, get what is new, and leave a copy beside."""
    with SandboxServer(old) as server:
        assert server.api_key == "old-key"
        found = ask(
            server.server_url,
            "admin",
            "old-key",
            query("select name, metadata.value from Shot where project.name is harbour"),
        )[0]["data"]
        assert [(one["name"], one["metadata"][0]["value"]) for one in found] == [("sh010", "7")]
    with SandboxServer(old), SandboxServer(tmp_path / "new"):
        pass
    assert _schema(old / "sandbox.sqlite") == _schema(tmp_path / "new" / "sandbox.sqlite")
    copies = sorted(old.glob("sandbox.sqlite.layout-1*"))
    assert [path.name for path in copies] == ["sandbox.sqlite.layout-1"]
    with contextlib.closing(sqlite3.connect(copies[0])) as copy:
        assert copy.execute("SELECT value FROM server_value WHERE name = 'layout'").fetchall() == [
            ("1",)
        ]


def test_older_data_keep_their_rows(old: pathlib.Path) -> None:
    """A site of an older version keeps its own types and statuses, and new work begins as before.

    It gets what clients need: an entity type for each object type, and attributes of type ``url``.
    """
    with SandboxServer(old) as server:

        def run(*operations: dict[str, Any]) -> list[Any]:
            return ask(server.server_url, "admin", "old-key", *operations)

        def rows(expression: str) -> list[dict[str, Any]]:
            return run(query(expression))[0]["data"]  # type: ignore[no-any-return]

        statuses = [one["name"] for one in rows("select name from Status order by sort desc")]
        assert statuses[0] == "Not started"
        assert {"Normal", "Awaiting start", "Client revision"} <= set(statuses)
        types = [one["name"] for one in rows("select name from Type order by sort")]
        assert types[0] == "Generic"
        (shot,) = rows("select type.name, status.name from Shot where name is sh010")
        before = (shot["type"]["name"], shot["status"]["name"])
        made = [_creation("Task", name="new task", parent_id=shot["id"])]
        made.append(_creation("Shot", name="sh020", parent_id=shot["id"]))
        made.append(_creation("User", username="new-user"))
        run(*made)
        (task,) = rows('select type.name, status.name from Task where name is "new task"')
        assert (task["type"]["name"], task["status"]["name"]) == ("Generic", "Not started")
        (new,) = rows("select type.name, status.name from Shot where name is sh020")
        assert (new["type"]["name"], new["status"]["name"]) == before
        (user,) = rows("select user_type.name from User where username is new-user")
        assert user["user_type"]["name"] == "User"
        assert len(rows("CustomAttributeType where name is url")) == 1
        (schemas,) = run({"action": "query_schemas"})
        named = {one["id"] for one in schemas}
        assert {"Episode", "Shot"} <= named
        assert not {"Scene", "Image", "Information"} & named


def _creation(entity_type: str, **data: Any) -> dict[str, Any]:
    """Return an operation that creates an entity."""
    return {"action": "create", "entity_type": entity_type, "entity_data": data}


def _schema(path: pathlib.Path) -> dict[str, Any]:
    """Return what tables, columns and indexes the database at *path* has."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT type, name FROM sqlite_master").fetchall()
        return {
            name: database.execute(
                f"PRAGMA {'table_info' if kind == 'table' else 'index_xinfo'}('{name}')"
            ).fetchall()
            for kind, name in rows
        }


def test_failing_migration_leaves_the_data(
    old: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that fails half way changes nothing."""
    from ftrack_like.sandbox.tables import migrations

    before = _schema(old / "sandbox.sqlite")

    def fail(connection: Any) -> None:
        connection.exec_driver_sql("CREATE TABLE half (id)")
        raise KeyError("a fault in a step")

    monkeypatch.setattr(migrations, "_STEPS", (fail,))
    with pytest.raises(KeyError), SandboxServer(old):
        pass
    monkeypatch.undo()
    assert _schema(old / "sandbox.sqlite") == before
    with SandboxServer(old):
        pass


@needs_postgres
@pytest.mark.postgres
def test_older_data_in_postgresql_are_brought_up_to_date(namespace: Any) -> None:
    """In PostgreSQL the copy is a schema beside, and the rows stay."""
    with namespace(POSTGRES) as url:
        SiteData(url=url).open().close()
        database = Database(url)
        with database.write() as connection:
            connection.exec_driver_sql("DROP INDEX ix_context_project")
            connection.exec_driver_sql("UPDATE server_value SET value = '1' WHERE name = 'layout'")
            connection.exec_driver_sql(
                "CREATE TABLE conversation (id text PRIMARY KEY,"
                " created_by_id text REFERENCES resource (id))"
            )
            connection.exec_driver_sql("INSERT INTO conversation VALUES ('one', NULL)")
        users = sqlalchemy.select(sqlalchemy.func.count()).select_from(TABLES["resource"])
        with database.read() as connection:
            count = connection.execute(users).scalar()
        SiteData(url=url).open().close()
        with database.read() as connection:
            assert connection.execute(users).scalar() == count
            layout = connection.exec_driver_sql(
                "SELECT value FROM server_value WHERE name = 'layout'"
            )
            assert layout.scalar() == str(LAYOUT_VERSION)
            names = [one["name"] for one in sqlalchemy.inspect(connection).get_indexes("context")]
            assert "ix_context_project" in names
            schemas = sqlalchemy.inspect(connection).get_schema_names()
            (copy,) = [one for one in schemas if one.startswith("ftrack_like_layout_1")]
            copied = connection.exec_driver_sql(f"SELECT count(*) FROM {copy}.resource")
            assert copied.scalar() == count
            copied = connection.exec_driver_sql(f"SELECT id FROM {copy}.conversation")
            assert copied.scalar() == "one"
            assert not sqlalchemy.inspect(connection).has_table("conversation")
        with database.write() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {copy} CASCADE")
        database.close()


# A database on a server


@needs_postgres
@pytest.mark.postgres
def test_database_keeps_files_and_key(
    namespace: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a database the files and the key outlive a restart, in a folder for that database."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with namespace(POSTGRES) as url, namespace(POSTGRES) as other:
        with SandboxServer(database=url) as first:
            key = first.api_key
            place = _upload(first, b"some data")
        with SandboxServer(database=url) as second:
            assert second.api_key == key
            found = requests.get(second.server_url + place, headers=_headers(second), timeout=30)
            assert found.content == b"some data"
            with SandboxServer(database=url) as beside:
                assert beside.api_key == key
                for server in (second, beside):
                    assert ask(server.server_url, "admin", key, query("User"))[0]["data"]
        with SandboxServer(database=other) as third:
            gone = requests.get(third.server_url + place, headers=_headers(third), timeout=30)
            assert gone.status_code == 404
        # A process with another folder would not find the files.
        with pytest.raises(RuntimeError, match="is not the folder for files of this site"):
            SandboxServer(database=url, media=tmp_path / "files").start()


@needs_postgres
@pytest.mark.postgres
def test_database_keeps_files_where_the_option_says(namespace: Any, tmp_path: pathlib.Path) -> None:
    """With ``--media`` the files of a database are in that folder."""
    with namespace(POSTGRES) as url:
        with SandboxServer(database=url, media=tmp_path / "files") as server:
            _upload(server, b"elsewhere")
    assert [one.is_file() for one in (tmp_path / "files" / "data").glob("*/*")] == [True]


@needs_postgres
@pytest.mark.postgres
def test_reset_of_a_database_keeps_the_key(namespace: Any, tmp_path: pathlib.Path) -> None:
    """After a reset the same key works, also for the next start."""
    with namespace(POSTGRES) as url:
        with SandboxServer(database=url, media=tmp_path) as server:
            key = server.api_key
            server.reset()
        with SandboxServer(database=url, media=tmp_path) as server:
            assert server.api_key == key
            assert ask(server.server_url, "admin", key, query("User"))[0]["data"]


def _headers(server: SandboxServer) -> dict[str, str]:
    return {"ftrack-user": server.api_user, "ftrack-api-key": server.api_key}


def _upload(server: SandboxServer, content: bytes) -> str:
    """Upload *content* and return the path of its address."""
    (answer,) = ask(
        server.server_url,
        server.api_user,
        server.api_key,
        {
            "action": "get_upload_metadata",
            "component_id": "11111111-2222-3333-4444-555555555555",
            "file_name": "a.txt",
            "file_size": len(content),
        },
    )
    response = requests.put(answer["url"], data=content, headers=answer["headers"], timeout=30)
    assert response.status_code == 200
    return "/component/get?id=11111111-2222-3333-4444-555555555555"


def test_memory_takes_no_folder_for_files(capsys: pytest.CaptureFixture[str]) -> None:
    """--memory keeps nothing, so that --media beside it is refused."""
    assert command_line.main(["--memory", "--media", "files", "--port", "0"]) == 1
    assert "--media" in capsys.readouterr().err


# Kept, and kept nowhere


def test_commits_wait_for_the_disk(tmp_path: pathlib.Path) -> None:
    """An acknowledged commit in a folder is on the disk; one in memory does not wait for it."""
    for site, level in ((SiteData(tmp_path), 2), (SiteData(), 0)):
        with contextlib.closing(site):
            database = site.open()
            with database.write() as connection:
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level


@posix
@pytest.mark.parametrize("how", ["killed", "ended"])
def test_memory_leaves_nothing_behind(tmp_path: pathlib.Path, start: Start, how: str) -> None:
    """A sandbox in memory leaves no file behind, even after kill -9."""
    process, known = start("--memory", env={**os.environ, "TMPDIR": str(tmp_path)})
    assert ask(*known.values(), scope("one"))[0]["data"]
    assert list(tmp_path.iterdir())
    if how == "killed":
        kill(process)
    else:
        process.terminate()
        assert process.wait(60) == 0
    until(lambda: not list(tmp_path.iterdir()))


# A full disk


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount file systems"
)
def test_full_disk_is_named(tmp_path: pathlib.Path, start: Start) -> None:
    """On a full disk a commit says so and leaves nothing; once there is room it succeeds."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-o", "size=8m", "-t", "tmpfs", "tmpfs", str(small)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a file system: {mounted.stderr.strip()}")
    try:
        process, known = start("--data", str(small / "data"))
        with (small / "filler").open("wb") as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"\0" * 65536)
                filler.flush()
        answer: Any = None
        batch = [scope(f"s{number}" + "x" * 50) for number in range(2000)]
        answer = ask(*known.values(), *batch)
        assert answer["exception"] == "StorageError"
        assert "the disk is full" in answer["content"]
        assert ask(*known.values(), query("Scope where id like 's%'"))[0]["data"] == []
        (small / "filler").unlink()
        assert len(ask(*known.values(), *batch)) == 2000
        process.terminate()
        assert process.wait(60) == 0
        with (small / "filler").open("wb") as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"\0" * 65536)
                filler.flush()
        other, nothing = start("--data", str(small / "new"))
        _, told = other.communicate(timeout=60)
        assert (other.returncode, nothing, len(told.splitlines())) == (1, {}, 1), told
        assert "full" in told or "No space left" in told
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=False)


@pytest.mark.parametrize("option", ["--data", "--key", "--media", "--user"])
def test_empty_options_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A variable that is not set makes no site where the shell is, and no key without letters."""
    with pytest.raises(SystemExit):
        command_line.main([option, "", "--port", "0"])
    assert "it is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://mira:hush#:1234@host:hush/name",
        "postgresql+hush://mira@host:hush/name",
    ],
)
def test_password_in_a_broken_address_is_not_shown(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address of a database that cannot be read is refused without a piece of it."""
    assert command_line.main(["--database", url, "--port", "0"]) == 1
    said = capsys.readouterr().err
    assert "postgresql://user:password@host/name" in said
    assert "hush" not in said
    assert "1234" not in said
