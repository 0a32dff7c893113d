"""Snapshots of a running sandbox, and their restoration."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import uuid
from collections.abc import Iterator
from typing import Any, Callable

import pytest

pytest.importorskip("starlette", reason="the extra sandbox is not installed")

import ftrack_like
from ftrack_like.sandbox.command_line import main
from ftrack_like.sandbox.data_folder import SiteError
from ftrack_like.sandbox.server import SandboxServer
from ftrack_like.sandbox.snapshots import take
from ftrack_like.sandbox.snapshots.archive import ArchiveReader, SnapshotError
from ftrack_like.sandbox.snapshots.restore import restore_snapshot
from ftrack_like.sandbox.snapshots.take import take_snapshot


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Iterator[SandboxServer]:
    """Return a running sandbox in the folder ``data``."""
    with SandboxServer(tmp_path / "data") as running:
        yield running


def _session(server: SandboxServer) -> Any:
    return ftrack_like.Session(server.server_url, server.api_key, server.api_user)


def _upload(session: Any, tmp_path: pathlib.Path, data: bytes) -> Any:
    path = tmp_path / f"{uuid.uuid4().hex}.bin"
    path.write_bytes(data)
    location = session.query('Location where name is "ftrack.server"').one()
    return session.create_component(str(path), location=location)


def test_a_running_sandbox_is_copied_and_restored(
    server: SandboxServer, tmp_path: pathlib.Path
) -> None:
    """Entities, files and the key of the administrator are the same after the restoration."""
    session = _session(server)
    schema = session.query("ProjectSchema").first()
    session.create("Project", {"name": "kept", "full_name": "kept", "project_schema": schema})
    session.commit()
    data = os.urandom(300_000)
    component = _upload(session, tmp_path, data)
    taken = take_snapshot(tmp_path / "site.tar", tmp_path / "data")
    assert taken.missing == []
    assert stat.S_IMODE((tmp_path / "site.tar").stat().st_mode) == 0o600
    session.create("Project", {"name": "later", "full_name": "later", "project_schema": schema})
    session.commit()
    session.close()
    key = server.api_key
    restore_snapshot(tmp_path / "site.tar", tmp_path / "again")
    with SandboxServer(tmp_path / "again") as again:
        assert again.api_key == key
        restored = _session(again)
        names = [each["name"] for each in restored.query("select name from Project")]
        assert names == ["kept"]
        location = restored.query('Location where name is "ftrack.server"').one()
        found = restored.get("FileComponent", component["id"])
        with location.accessor.open(location.get_resource_identifier(found), "rb") as file:
            assert file.read() == data
        restored.close()
    left = [each.name for each in tmp_path.iterdir() if "part" in each.name]
    assert left == []
    assert list((tmp_path / "data" / "media" / "snapshots").iterdir()) == []


def test_snapshots_under_load_are_consistent(server: SandboxServer, tmp_path: pathlib.Path) -> None:
    """While a client uploads and deletes, each snapshot has the data of all its components."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            session = _session(server)
            kept: list[Any] = []
            while not stop.is_set():
                kept.append(_upload(session, tmp_path, os.urandom(2000)))
                if len(kept) > 5:
                    session.delete(kept.pop(0))
                    session.commit()
            session.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(5):
            target = tmp_path / f"{number}.tar"
            assert take_snapshot(target, tmp_path / "data").missing == []
            restore_snapshot(target, tmp_path / f"restored-{number}")
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert failures == []


def test_a_file_deleted_after_the_copy_is_in_the_snapshot(
    server: SandboxServer, tmp_path: pathlib.Path, monkeypatch: Any
) -> None:
    """A component that is deleted between the copy of the database and of the files is complete."""
    session = _session(server)
    component = _upload(session, tmp_path, b"precious")
    location = session.query('Location where name is "ftrack.server"').one()
    identifier = component["id"]
    copy = take._copy_database

    def copy_then_delete(*arguments: Any) -> Any:
        missing = copy(*arguments)
        location.remove_component(component)
        data = tmp_path / "data" / "media" / "data" / identifier[:2] / identifier
        assert not data.exists()
        return missing

    monkeypatch.setattr(take, "_copy_database", copy_then_delete)
    take_snapshot(tmp_path / "site.tar", tmp_path / "data")
    restore_snapshot(tmp_path / "site.tar", tmp_path / "again")
    restored = tmp_path / "again" / "media" / "data" / identifier[:2] / identifier
    assert restored.read_bytes() == b"precious"
    session.close()


def test_files_in_another_folder_are_restored_there(tmp_path: pathlib.Path) -> None:
    """With --media, files come from that folder and go into another one."""
    with SandboxServer(tmp_path / "data", media=tmp_path / "files") as server:
        session = _session(server)
        _upload(session, tmp_path, b"elsewhere")
        session.close()
        command = ["snapshot", str(tmp_path / "site.tar"), "--data", str(tmp_path / "data")]
        assert main([*command, "--media", str(tmp_path / "files")]) == 0
    command = ["restore", str(tmp_path / "site.tar"), "--data", str(tmp_path / "again")]
    assert main([*command, "--media", str(tmp_path / "files-again")]) == 0
    found = [each for each in (tmp_path / "files-again" / "data").rglob("*") if each.is_file()]
    assert [each.read_bytes() for each in found] == [b"elsewhere"]
    assert not (tmp_path / "again" / "media").exists()


def test_missing_data_are_reported(
    server: SandboxServer, tmp_path: pathlib.Path, capsys: Any
) -> None:
    """A component whose data were lost before does not stop the snapshot, and is named."""
    session = _session(server)
    identifier = _upload(session, tmp_path, b"lost")["id"]
    session.close()
    (tmp_path / "data" / "media" / "data" / identifier[:2] / identifier).unlink()
    assert main(["snapshot", str(tmp_path / "s.tar"), "--data", str(tmp_path / "data")]) == 0
    assert f"The data of the component {identifier} are missing" in capsys.readouterr().err


@pytest.fixture
def snapshot(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a snapshot of a new site."""
    with SandboxServer(tmp_path / "source"):
        take_snapshot(tmp_path / "site.tar", tmp_path / "source")
    return tmp_path / "site.tar"


def _members(path: pathlib.Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


def _write(path: pathlib.Path, members: dict[str, bytes], kinds: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(data), kinds.get(name, tarfile.REGTYPE)
            if entry.type == tarfile.SYMTYPE:
                entry.linkname, entry.size = "/etc/passwd", 0
            tar.addfile(entry, io.BytesIO(data))


def _with_manifest(members: dict[str, bytes]) -> dict[str, bytes]:
    """Return *members* with a manifest that fits."""
    manifest = json.loads(members["manifest.json"])
    others = {name: data for name, data in members.items() if name != "manifest.json"}
    manifest["members"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in others.items()
    }
    return {**others, "manifest.json": json.dumps(manifest).encode()}


Change = Callable[[dict[str, bytes]], dict[str, bytes]]
CHANGES: dict[str, tuple[Change, dict[str, bytes], str]] = {
    "other bytes": (
        lambda found: {**found, "credentials.json": b"{}" + found["credentials.json"][2:]},
        {},
        "the checksum of 'credentials.json' is wrong",
    ),
    "a missing member": (
        lambda found: {name: each for name, each in found.items() if name != "credentials.json"},
        {},
        "the manifest and the members differ in 'credentials.json'",
    ),
    "a further member": (lambda found: {**found, "more": b""}, {}, "differ in 'more'"),
    "no manifest": (
        lambda found: {name: each for name, each in found.items() if name != "manifest.json"},
        {},
        "it has no manifest",
    ),
    "a path out of the folder": (
        lambda found: _with_manifest({**found, "../outside": b"x"}),
        {},
        "'../outside' does not belong",
    ),
    "an absolute path": (
        lambda found: _with_manifest({**found, "/tmp/outside": b"x"}),
        {},
        "'/tmp/outside' does not belong",
    ),
    "a link": (
        lambda found: _with_manifest({**found, "link": b""}),
        {"link": tarfile.SYMTYPE},
        "'link' does not belong",
    ),
    "a later format": (
        lambda found: {
            **found,
            "manifest.json": found["manifest.json"].replace(b'"format": 1', b'"format": 99'),
        },
        {},
        "it has the format 99",
    ),
    "another database": (
        lambda found: _with_manifest({**found, "sandbox.sqlite": b"not a database" * 20}),
        {},
        "is not an SQLite database",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_snapshot_is_refused(
    name: str, snapshot: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """A snapshot that is damaged or forged is not restored, and nothing is left."""
    change, kinds, problem = CHANGES[name]
    _write(snapshot, change(_members(snapshot)), kinds)
    before = sorted(tmp_path.iterdir())
    with pytest.raises((SnapshotError, SiteError), match=problem.replace(".", r"\.")):
        restore_snapshot(snapshot, tmp_path / "again")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_snapshot_is_refused(
    share: float, snapshot: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """A file that ends too early is not restored."""
    os.truncate(snapshot, int(snapshot.stat().st_size * share))
    with pytest.raises(SnapshotError, match="Nothing was changed"):
        restore_snapshot(snapshot, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_folders_with_data_are_not_touched(
    server: SandboxServer, snapshot: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """A folder that a server uses, or that contains something, is refused with the reason."""
    with pytest.raises(SiteError, match=r"in use by process \d+, which answers at http"):
        restore_snapshot(snapshot, tmp_path / "data")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").touch()
    with pytest.raises(SnapshotError, match="is not empty: it contains note"):
        restore_snapshot(snapshot, tmp_path / "full")
    with pytest.raises(SnapshotError, match="is not empty: it contains"):
        restore_snapshot(snapshot, tmp_path / "new", tmp_path / "full")
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    restore_snapshot(snapshot, tmp_path / "empty")
    assert (tmp_path / "empty" / "sandbox.sqlite").is_file()


def test_mistakes_of_the_command_have_reasons(
    snapshot: pathlib.Path, tmp_path: pathlib.Path, capsys: Any
) -> None:
    """A folder without a sandbox and a file that exists are errors in one line."""
    assert main(["snapshot", str(tmp_path / "x.tar"), "--data", str(tmp_path / "none")]) == 1
    assert "There is no sandbox in" in capsys.readouterr().err
    assert main(["snapshot", str(snapshot), "--data", str(tmp_path / "source")]) == 1
    assert "site.tar exists. Remove it" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "none.tar"), "--data", str(tmp_path / "x")]) == 1
    assert "No such file or directory" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing(snapshot: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Neither half a snapshot nor half a site stays on a full disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this system does not allow a small disk")
    try:
        with pytest.raises(Exception, match=r"(?i)space left|full"):
            take_snapshot(disk / "site.tar", tmp_path / "source")
        assert list(disk.iterdir()) == []
        with pytest.raises(OSError, match="space left"):
            restore_snapshot(snapshot, disk / "again")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_killed_restoration_leaves_no_site(
    snapshot: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """After kill -9 before the last step, the target does not exist, and a repeat works."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from ftrack_like.sandbox.snapshots import restore\n"
        "restore._move = lambda parts: os.kill(os.getpid(), signal.SIGKILL)\n"
        "restore.restore_snapshot(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
    )
    target = tmp_path / "again"
    process = subprocess.run([sys.executable, "-c", code, str(snapshot), str(target)], check=False)
    assert process.returncode == -9
    assert not target.exists()
    restore_snapshot(snapshot, target)
    assert (target / "sandbox.sqlite").is_file()


def test_the_manifest_names_program_and_time(snapshot: pathlib.Path) -> None:
    """A snapshot says when and by which version it was written."""
    reader = ArchiveReader(snapshot)
    assert reader.facts.program == f"ftrack-like {ftrack_like.__version__}"
    assert reader.facts.created_at.endswith("+00:00")
    reader.close()


@pytest.mark.postgres
def test_a_database_is_dumped_and_restored(tmp_path: pathlib.Path) -> None:
    """pg_dump with the media folder makes a copy of a site on PostgreSQL, as the page says."""
    for program in ("pg_dump", "psql"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    usual = "postgresql+psycopg://postgres@127.0.0.1/postgres"
    base = sqlalchemy.engine.make_url(os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL", usual))
    engine = sqlalchemy.create_engine(base, isolation_level="AUTOCOMMIT")
    try:
        connection = engine.connect()
    except sqlalchemy.exc.OperationalError as error:
        pytest.skip(f"no PostgreSQL server: {error}")
    names = [f"ops_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    urls = [base.set(database=name) for name in names]
    plain = [each.set(drivername="postgresql").render_as_string(False) for each in urls]
    for name in names:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    try:
        address = urls[0].render_as_string(False)
        with SandboxServer(database=address, media=tmp_path / "media") as server:
            session = _session(server)
            identifier = _upload(session, tmp_path, b"on a database")["id"]
            session.close()
            dump = tmp_path / "site.dump"
            subprocess.run(
                ["pg_dump", "--format=custom", "--file", str(dump), plain[0]], check=True
            )
            shutil.copytree(tmp_path / "media", tmp_path / "copy")
        subprocess.run(["pg_restore", "--no-owner", "--dbname", plain[1], str(dump)], check=True)
        address = urls[1].render_as_string(False)
        with SandboxServer(database=address, media=tmp_path / "copy") as server:
            session = _session(server)
            location = session.query('Location where name is "ftrack.server"').one()
            component = session.get("FileComponent", identifier)
            with location.accessor.open(location.get_resource_identifier(component), "rb") as file:
                assert file.read() == b"on a database"
            session.close()
    finally:
        for name in names:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        connection.close()
        engine.dispose()
