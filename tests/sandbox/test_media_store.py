"""The data of components on disk: whole or not at all."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pathlib
import stat
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("starlette", reason="the sandbox extra is not installed")

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.media.incoming import SupersededError
from ftrack_like.sandbox.media.signing import SignatureError, Signer
from ftrack_like.sandbox.media.store import ComponentStore, Place, TransferError
from ftrack_like.sandbox.media.thumbnails import Thumbnails
from ftrack_like.sandbox.tables.layout import TABLES


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Iterator[ComponentStore]:
    """Return a store in a folder of its own."""
    opened = ComponentStore(tmp_path)
    yield opened
    opened.close()


def files_below(folder: pathlib.Path) -> list[str]:
    """Return the names of all files below *folder*, but for what is known of their checksums."""
    return sorted(
        path.name
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "checksums"
    )


def checksum(data: bytes) -> str:
    """Return the base64 MD5 of *data*, as uploads announce it."""
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def test_data_shows_only_when_it_is_committed(store, tmp_path):
    """What is being written is not there for readers, and is there whole afterwards."""
    incoming = store.receive("abc-1")
    incoming.write(b"half")
    assert not store.exists("abc-1")
    incoming.write(b" and half")
    incoming.commit(size=13, checksum=checksum(b"half and half"))
    assert store.path("abc-1").read_bytes() == b"half and half"
    assert store.size("abc-1") == 13
    assert files_below(tmp_path) == ["abc-1"]


@pytest.mark.parametrize(
    ("size", "digest", "words"),
    [(5, None, "4 bytes arrived, but 5"), (4, checksum(b"other"), "checksum")],
)
def test_what_differs_from_the_announcement_leaves_no_trace(store, tmp_path, size, digest, words):
    """A short or changed transfer is refused in words and its data is gone."""
    incoming = store.receive("abc-2")
    incoming.write(b"data")
    with pytest.raises(TransferError, match=words):
        incoming.commit(size=size, checksum=digest)
    assert files_below(tmp_path) == []


def test_a_refused_transfer_keeps_what_was_there(store):
    """The data of an earlier upload stays when a later one fails."""
    first = store.receive("abc-3")
    first.write(b"good")
    first.commit()
    second = store.receive("abc-3")
    second.write(b"bad")
    with pytest.raises(TransferError):
        second.commit(size=100)
    assert store.path("abc-3").read_bytes() == b"good"


def test_leftovers_of_a_killed_server_are_removed(tmp_path):
    """What was being written when the server died is gone after the next start."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from ftrack_like.sandbox.media.store import ComponentStore\n"
        "incoming = ComponentStore(pathlib.Path(sys.argv[1])).receive('abc-4')\n"
        "incoming.write(b'half')\n"
        "os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=300)
    assert len(files_below(tmp_path)) == 1
    ComponentStore(tmp_path).close()
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a/b", "a" * 65, "a\n"])
def test_no_id_leads_out_of_the_folder(store, name):
    """Text that is no id is refused before it becomes a path."""
    assert not store.exists(name)
    with pytest.raises(ValueError, match="not an id"):
        store.path(name)


def test_parts_are_joined_in_the_order_of_their_numbers(store, tmp_path):
    """Parts that arrive in any order make the file, and are gone afterwards."""
    digests = {}
    for number, data in ((2, b"world"), (1, b"hello "), (10, b"!")):
        part = store.receive_part("upload-1", number)
        part.write(data)
        part.commit()
        digests[number] = part.checksum
    size = store.join("abc-5", "upload-1", [(n, f'"{d}"') for n, d in digests.items()])
    assert size == 12
    assert store.path("abc-5").read_bytes() == b"hello world!"
    assert files_below(tmp_path) == ["abc-5"]


def test_a_missing_or_other_part_is_named_and_the_rest_kept(store, tmp_path):
    """A wrong list of parts is refused by number, so that the client can send that part again."""
    part = store.receive_part("upload-2", 1)
    part.write(b"one")
    part.commit()
    with pytest.raises(TransferError, match="Part 2 has not been uploaded"):
        store.join("abc-6", "upload-2", [(1, part.checksum), (2, "x")])
    with pytest.raises(TransferError, match="Part 1 does not have the named checksum"):
        store.join("abc-6", "upload-2", [(1, "0" * 32)])
    with pytest.raises(TransferError, match="No parts"):
        store.join("abc-6", "upload-2", [])
    assert files_below(tmp_path) == [f"00001-{part.checksum}"]


def test_the_checksum_of_data_is_known(store):
    """It is told as uploads announce it, and not of other data under the same id."""
    incoming = store.receive("abc-8")
    incoming.write(b"one")
    incoming.commit()
    assert store.checksum("abc-8") == checksum(b"one")
    path = store.path("abc-8")
    path.write_bytes(b"other")
    assert store.checksum("abc-8") is None
    store.remove("abc-8")
    assert store.checksum("abc-8") is None


def test_removed_data_is_gone_with_its_thumbnails(store):
    """Removing says whether there was anything, and forgets scaled images too."""
    incoming = store.receive("abc-7")
    incoming.write(b"x")
    incoming.commit()
    thumbnail = store.thumbnail("abc-7", 100)
    thumbnail.parent.mkdir(parents=True)
    thumbnail.write_bytes(b"jpeg")
    assert store.remove("abc-7") is True
    assert store.remove("abc-7") is False
    assert not thumbnail.exists()


def test_thumbnails_that_nobody_asks_for_make_room(tmp_path):
    """Beyond its limit, the folder keeps the scaled images that were asked for last."""
    thumbnails = Thumbnails(tmp_path, 4_000)
    paths = [thumbnails.path(f"id-{number}", 300).with_suffix(".jpg") for number in range(4)]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        path.write_bytes(b"x" * 1_000)
        os.utime(path, (number, number))
        thumbnails.keep(path)
    assert all(path.is_file() for path in paths)
    assert thumbnails.use(paths[0])
    last = thumbnails.path("id-4", 300).with_suffix(".jpg")
    last.parent.mkdir()
    last.write_bytes(b"x" * 1_000)
    thumbnails.keep(last)
    assert [path.is_file() for path in (*paths, last)] == [True, False, False, True, True]
    assert not paths[1].parent.exists()
    assert not thumbnails.use(paths[1])


def test_thumbnails_of_earlier_servers_count(tmp_path):
    """What lies in the folder at the start takes room as well."""
    earlier = Thumbnails(tmp_path, 1_000_000).path("old", 300)
    earlier.parent.mkdir()
    earlier.write_bytes(b"x" * 3_000)
    os.utime(earlier, (1, 1))
    thumbnails = Thumbnails(tmp_path, 4_000)
    new = thumbnails.path("new", 300)
    new.parent.mkdir()
    new.write_bytes(b"x" * 2_000)
    thumbnails.keep(new)
    assert (earlier.exists(), new.exists()) == (False, True)


def test_a_signed_address_holds_until_it_expires():
    """The parameters come back as signed, and not after their time."""
    now = [1000.0]
    signer = Signer(b"secret", clock=lambda: now[0])
    parameters = parse(signer.sign("/upload", {"id": "a b&c", "part": None}, seconds=60))
    assert signer.check("/upload", parameters) == {"id": "a b&c"}
    now[0] += 61
    with pytest.raises(SignatureError, match="expired"):
        signer.check("/upload", parameters)


@pytest.mark.parametrize(
    "change",
    [{"id": "b"}, {"expires": "9999999999"}, {"signature": "00"}, {"more": "x"}],
)
def test_a_changed_address_is_refused(change):
    """Neither a value nor the time nor the number of parameters can be changed."""
    signer = Signer(b"secret")
    parameters = parse(signer.sign("/upload", {"id": "a"}, seconds=60))
    with pytest.raises(SignatureError, match="not signed by this server"):
        signer.check("/upload", {**parameters, **change})
    with pytest.raises(SignatureError, match="not signed by this server"):
        signer.check("/other", parameters)


def test_the_secret_is_that_of_the_database(tmp_path):
    """All servers of a database accept the addresses of each other, whatever their folders."""
    with contextlib.closing(Database()) as database:
        with database.write() as connection:
            TABLES["server_value"].create(connection)
        address = Signer.of_site(database, tmp_path).sign("/upload", {"id": "a"}, seconds=60)
        other = Signer.of_site(database, tmp_path / "elsewhere")
        assert other.check("/upload", parse(address)) == {"id": "a"}
    assert list(tmp_path.iterdir()) == []


def parse(address: str) -> dict[str, str]:
    """Return the parameters of *address*."""
    from urllib.parse import parse_qsl, urlsplit

    return dict(parse_qsl(urlsplit(address).query))


def test_parts_of_an_upload_that_nobody_finished_are_removed(store, tmp_path):
    """After a day the parts are gone, those of a newer upload stay."""
    for name in ("old", "new"):
        part = store.receive_part(name, 1)
        part.write(name.encode())
        part.commit()
    day_before_yesterday = time.time() - 2 * 24 * 3600
    os.utime(tmp_path / "parts" / "old", (day_before_yesterday, day_before_yesterday))
    store.remove_old_parts()
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["new"]


def test_a_server_leaves_the_folders_of_other_machines_for_a_day(tmp_path):
    """A lock may not reach another machine, so only old folders of other machines are removed."""
    for name in ("server-at-other-new", "server-at-other-old"):
        (tmp_path / "incoming" / name).mkdir(parents=True)
    old = time.time() - 2 * 24 * 3600
    os.utime(tmp_path / "incoming" / "server-at-other-old", (old, old))
    store = ComponentStore(tmp_path)
    names = {path.name for path in (tmp_path / "incoming").iterdir()}
    store.close()
    assert "server-at-other-new" in names
    assert "server-at-other-old" not in names


def test_parts_that_arrive_at_two_processes_become_one_file(tmp_path):
    """Two stores of one folder write one whole file, in any order and at the same time."""
    first, second = ComponentStore(tmp_path), ComponentStore(tmp_path)
    parts = []
    for number, store, text in ((1, first, b"aaaa"), (2, second, b"bbbb"), (3, first, b"cc")):
        part = store.receive_part("up", number, Place(number, 3, len(text), 10))
        part.write(text)
        parts.append((number, part))
    for _, part in parts:
        part.commit()
    named = [(number, part.checksum) for number, part in parts]
    assert second.join("whole", "up", named) == 10
    assert first.path("whole").read_bytes() == b"aaaabbbbcc"
    assert not (tmp_path / "parts" / "up").exists()
    first.close()
    second.close()


def test_a_part_that_is_sent_again_to_another_process_replaces_the_first(tmp_path):
    """The request that began last wins, also over one to another process."""
    first, second = ComponentStore(tmp_path), ComponentStore(tmp_path)
    slow = first.receive_part("up", 1, Place(1, 1, 4, 4))
    slow.write(b"xx")
    swift = second.receive_part("up", 1, Place(1, 1, 4, 4))
    with pytest.raises(SupersededError):
        slow.write(b"xx")
    swift.write(b"abcd")
    swift.commit()
    with pytest.raises(SupersededError):
        slow.commit()
    second.join("one", "up", [(1, swift.checksum)])
    assert second.path("one").read_bytes() == b"abcd"
    first.close()
    second.close()


def test_a_second_server_leaves_what_the_first_is_writing(tmp_path):
    """A server that starts on media in use sweeps away what the dead left, nothing else."""
    first = ComponentStore(tmp_path)
    incoming = first.receive("one")
    incoming.write(b"half")
    left = tmp_path / "incoming" / "server-dead"
    left.mkdir()
    (left / "incoming-x").write_bytes(b"left by a killed server")
    (tmp_path / "incoming" / "incoming-y").write_bytes(b"left by an older version")
    second = ComponentStore(tmp_path)
    assert not left.exists()
    assert not (tmp_path / "incoming" / "incoming-y").exists()
    incoming.write(b" whole")
    incoming.commit()
    assert second.path("one").read_bytes() == b"half whole"
    first.close()
    second.close()
    assert [one.name for one in (tmp_path / "incoming").iterdir()] == []


# Folders of several users


@pytest.mark.skipif(os.name == "nt", reason="Windows has no groups of files")
@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o2770, 0o660), (0o750, 0o600)])
def test_the_group_uses_files_if_it_can_write_to_the_folder(
    tmp_path: pathlib.Path, folder_mode: int, file_mode: int
) -> None:
    """A folder that a group can write to passes that on to its files and folders."""
    folder = tmp_path / "media"
    folder.mkdir()
    folder.chmod(folder_mode)
    store = ComponentStore(folder)
    try:
        incoming = store.receive("abc", 4)
        incoming.write(b"data")
        incoming.commit()
    finally:
        store.close()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) & 0o660 for path in files} == {file_mode}
    folders = [path for path in folder.rglob("*") if path.is_dir()]
    is_writable = bool(folder_mode & 0o020)
    assert {bool(path.stat().st_mode & 0o020) for path in folders} == {is_writable}
