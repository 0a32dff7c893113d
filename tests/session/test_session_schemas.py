"""The schemas on disk: whole, private, one file a server, and healed when broken."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ftrack_like import Session
from ftrack_like._session import schema_store

needs_modes = pytest.mark.skipif(os.name == "nt", reason="modes of files are those of POSIX")


def files_in(folder: Path) -> list[Path]:
    """Return the files below *folder*."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def asked_for_schemas(server: Any) -> int:
    """Return how often the schemas were asked for."""
    return sum(actions == ["query_schemas"] for actions in server.actions)


@needs_modes
def test_folder_and_file_are_private(server: Any, open_session: Any, tmp_path: Path) -> None:
    """The folder is made where it is missing, for its owner alone, and so is the file."""
    folder = tmp_path / "deep" / "cache"
    open_session(server, schema_cache_path=str(folder))
    (path,) = files_in(tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text(encoding="utf-8"))[0]["id"] == "AssetVersion"


def test_each_server_has_a_file_of_its_own(
    server: Any, open_session: Any, tmp_path: Path, sandbox: Any
) -> None:
    """Two servers with the same folder do not overwrite each other's schemas."""
    open_session(server, schema_cache_path=str(tmp_path))
    with sandbox.session(schema_cache_path=str(tmp_path)):
        pass
    assert len(files_in(tmp_path)) == 2
    del server.requests[:]
    open_session(server, schema_cache_path=str(tmp_path))
    assert asked_for_schemas(server) == 0


def test_false_keeps_nothing(server: Any, open_session: Any, tmp_path: Path) -> None:
    """False for the path neither reads nor writes."""
    open_session(server, schema_cache_path=False)
    open_session(server, schema_cache_path=False)
    assert asked_for_schemas(server) == 2


def test_variable_names_the_folder(
    server: Any, open_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the argument the variable counts, and the argument before it."""
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path / "variable"))
    open_session(server, schema_cache_path=None)
    assert len(files_in(tmp_path / "variable")) == 1
    open_session(server, schema_cache_path=str(tmp_path / "argument"))
    assert len(files_in(tmp_path / "argument")) == 1


def test_user_folder_is_the_default(
    server: Any, open_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without anything said, the file goes to the user's cache folder."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path))
    open_session(server, schema_cache_path=None)
    assert len(files_in(tmp_path)) == 1


@pytest.mark.parametrize("chosen", [False, True])
def test_files_do_not_pile_up(
    server: Any,
    open_session: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chosen: bool,
) -> None:
    """Of many servers' files those used last stay; a folder that was chosen is left alone."""
    folder = tmp_path / "cache"
    usual = tmp_path / "other" if chosen else folder
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(usual))
    folder.mkdir()
    (folder / "notes.json").write_text("[]")
    begun = time.time()
    for number in range(100):
        file = folder / f"schemas-127.0.0.1_{number}-{number:010x}.json"
        file.write_text("[]")
        os.utime(file, (begun - 10 * number, begun - 10 * number))
    open_session(server, schema_cache_path=str(folder) if chosen else None)
    kept = files_in(folder)
    assert len(kept) == (102 if chosen else schema_store.MOST_FILES + 1)
    assert folder / "notes.json" in kept
    assert folder / "schemas-127.0.0.1_30-000000001e.json" in kept
    assert folder / schema_store.schema_file_name(server.url) in kept


def test_a_file_in_use_is_kept(
    server: Any, open_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that reads its file lets it count as used."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path))
    open_session(server, schema_cache_path=None)
    (file,) = files_in(tmp_path)
    os.utime(file, (1, 1))
    open_session(server, schema_cache_path=None)
    assert asked_for_schemas(server) == 1
    assert file.stat().st_mtime > 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"a": 1}',
        b"[]",
        b"[1, 2]",
        b'[{"id": "Other", "properties": {}}]',
        b"\xff\xfe",
        b"null",
    ],
)
def test_broken_and_foreign_files_heal(
    server: Any, open_session: Any, tmp_path: Path, content: bytes
) -> None:
    """A file that is not the server's schemas is replaced by them."""
    open_session(server, schema_cache_path=str(tmp_path))
    (path,) = files_in(tmp_path)
    good = path.read_bytes()
    path.write_bytes(content)
    session = open_session(server, schema_cache_path=str(tmp_path))
    assert "Task" in session.types
    assert path.read_bytes() == good


def test_schemas_that_changed_are_fetched(
    server: Any, open_session: Any, tmp_path: Path, replies: Any
) -> None:
    """When the server's hash is another, its schemas are."""
    open_session(server, schema_cache_path=str(tmp_path))
    fewer = replies.SCHEMAS[:3]
    hashed = schema_store.canonical_hash(fewer)
    server.next_answers = [[{**replies.INFORMATION, "schema_hash": hashed}], [fewer]]
    session = open_session(server, schema_cache_path=str(tmp_path))
    assert len(session.types) == 3


def test_files_of_others_stay_readable(
    server: Any, open_session: Any, tmp_path: Path, replies: Any
) -> None:
    """A plain JSON list, however it is laid out, is read and hashed as the server does."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(replies.SCHEMAS, indent=4), encoding="utf-8")
    session = open_session(server, schema_cache_path=str(path))
    assert asked_for_schemas(server) == 0
    assert session._read_schemas_from_cache(str(path)) == (replies.SCHEMAS, replies.SCHEMA_HASH)


def test_sessions_share_what_they_only_read(
    server: Any, open_session: Any, tmp_path: Path, replies: Any
) -> None:
    """Sessions with the same file read its schemas once; what they hand out is their own."""
    open_session(server, schema_cache_path=str(tmp_path))
    first, second = (open_session(server, schema_cache_path=str(tmp_path)) for _ in range(2))
    assert first._schema_store.in_use is second._schema_store.in_use is not None
    assert first.schemas == second.schemas == replies.SCHEMAS
    first.schemas[0]["default_projections"] = ["changed"]
    assert first.schemas[0] is not second.schemas[0]
    third = open_session(server, schema_cache_path=str(tmp_path))
    assert second.schemas == third.schemas == replies.SCHEMAS
    assert third.types["AssetVersion"].default_projections != ["changed"]


def test_a_file_that_changes_is_not_taken_for_what_was_read(
    server: Any, open_session: Any, tmp_path: Path, replies: Any
) -> None:
    """Schemas that earlier sessions share are not used where the file holds others."""
    for _ in range(2):
        open_session(server, schema_cache_path=str(tmp_path))
    (path,) = files_in(tmp_path)
    path.write_text('[{"id": "Other"}]', encoding="utf-8")
    session = open_session(server, schema_cache_path=str(tmp_path))
    assert session.schemas == replies.SCHEMAS
    assert asked_for_schemas(server) == 2


def test_a_session_that_reads_in_its_own_way_shares_nothing(server: Any, tmp_path: Path) -> None:
    """A subclass that has a say in the schemas gets its own, and its types are made of them."""

    class Studio(Session):
        def _load_schemas(self, schema_cache_path: Any) -> Any:
            schemas = super()._load_schemas(schema_cache_path)
            schemas[0]["default_projections"] = ["id", "studio"]
            return schemas

    for _ in range(2):
        with Studio(
            server.url,
            "key",
            "jane",
            plugin_paths=[],
            schema_cache_path=str(tmp_path),
        ) as session:
            assert session.types["AssetVersion"].default_projections == ["id", "studio"]
            assert session.schemas[0]["default_projections"] == ["id", "studio"]
            assert session._schema_store.in_use is None


def test_reading_and_writing_contracts(server: Any, open_session: Any, tmp_path: Path) -> None:
    """Without file there is nothing; a broken one is a ValueError, a bad value a TypeError."""
    session = open_session(server)
    path = tmp_path / "file"
    assert session._read_schemas_from_cache(str(path)) == ([], None)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError):
        session._read_schemas_from_cache(str(path))
    with pytest.raises(TypeError):
        session._write_schemas_to_cache([object()], str(path))
    assert path.read_text(encoding="utf-8") == "{"
    session._write_schemas_to_cache([{"id": "A"}], str(path))
    assert json.loads(path.read_text(encoding="utf-8")) == [{"id": "A"}]
    assert files_in(tmp_path) == [path]


def test_methods_of_a_subclass_do_the_reading(
    server: Any, open_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading and writing go through the session's methods."""
    session = open_session(server)
    told = []
    monkeypatch.setattr(
        session, "_read_schemas_from_cache", lambda path: told.append(path) or ([], None)
    )
    monkeypatch.setattr(session, "_write_schemas_to_cache", lambda schemas, path: told.append(path))
    path = str(tmp_path / "a.json")
    assert session._load_schemas(path)[0]["id"] == "AssetVersion"
    assert told[0] == told[-1] == path


def test_folder_that_cannot_be_written(
    server: Any,
    open_session: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the folder cannot be written, a private temporary one is used, also for reading."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder belongs", encoding="utf-8")
    open_session(server, schema_cache_path=str(blocked))
    (path,) = files_in(tmp_path / "temporary")
    if os.name != "nt":
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    del server.requests[:]
    open_session(server, schema_cache_path=str(blocked))
    assert asked_for_schemas(server) == 0
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


@needs_modes
def test_temporary_folder_of_somebody_else(
    server: Any,
    open_session: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A temporary folder that others may write to is not trusted: nothing is kept."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    foreign = tmp_path / "temporary" / f"ftrack-like-{os.getuid()}"
    foreign.mkdir(parents=True)
    foreign.chmod(0o777)
    blocked = tmp_path / "blocked"
    blocked.write_text("", encoding="utf-8")
    session = open_session(server, schema_cache_path=str(blocked))
    assert "Task" in session.types
    assert files_in(foreign) == []
    assert "cannot be written" in caplog.text


def test_writers_and_readers_at_once(server: Any, open_session: Any, tmp_path: Path) -> None:
    """Nobody who reads while others write ever sees half a file."""
    session = open_session(server)
    path = str(tmp_path / "schemas.json")
    schemas = [[{"id": str(index)} for index in range(size)] for size in (10, 5000)]
    session._write_schemas_to_cache(schemas[0], path)
    stop = threading.Event()
    broken: list[Exception] = []

    def write(index: int) -> None:
        while not stop.is_set():
            session._write_schemas_to_cache(schemas[index], path)

    writers = [threading.Thread(target=write, args=(index,)) for index in (0, 1)]
    for writer in writers:
        writer.start()
    lengths = set()
    for _ in range(60):
        try:
            lengths.add(len(session._read_schemas_from_cache(path)[0]))
        except ValueError as error:
            broken.append(error)
    stop.set()
    for writer in writers:
        writer.join()
    assert broken == []
    assert lengths <= {10, 5000}


KILLED = """
import json, os, sys
from ftrack_like import Session
from ftrack_like._session import schema_store

def die(source, target):
    os._exit(9)

os.replace = die
store = schema_store.SchemaStore(None)
store.write_file([{"id": "new"}] * 1000, sys.argv[1])
"""


def test_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    """A process that dies while it writes leaves what was there before."""
    path = tmp_path / "schemas.json"
    path.write_text('[{"id": "old"}]', encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60, check=False)
    assert done.returncode == 9
    assert path.read_text(encoding="utf-8") == '[{"id": "old"}]'
