"""The parts of an upload: in their places in one file, so that joining them copies nothing."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("starlette", reason="the sandbox extra is not installed")

from ftrack_like.sandbox.media import parts as parts_module
from ftrack_like.sandbox.media.store import ComponentStore, Place, TransferError

DATA = bytes(range(256)) * 5
UPLOADS = map("upload-{}".format, itertools.count())


@pytest.fixture(scope="module")
def store(tmp_path_factory: Any) -> Iterator[ComponentStore]:
    """Return a store in a folder of its own."""
    opened = ComponentStore(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()


def pieces(lengths: list[int]) -> list[bytes]:
    """Return data in pieces of *lengths*."""
    made, source = [], itertools.cycle(range(256))
    for length in lengths:
        made.append(bytes(itertools.islice(source, length)))
    return made


def begin(store: ComponentStore, upload: str, number: int, data: list[bytes]) -> Any:
    """Return what takes the part *number* of *data*."""
    place = Place(number, len(data), len(data[number - 1]), sum(map(len, data)))
    return store.receive_part(upload, number, place)


def send(store: ComponentStore, upload: str, number: int, data: list[bytes]) -> str:
    """Send part *number* of *data* and return its tag."""
    part = begin(store, upload, number, data)
    part.write(data[number - 1])
    part.commit()
    return str(part.checksum)


def whole(store: ComponentStore, upload: str) -> Optional[pathlib.Path]:
    """Return the file in which the parts of *upload* have their places."""
    return next((store.folder / "parts" / upload).glob("whole-*"), None)


@settings(max_examples=40)
@given(lengths=st.lists(st.integers(0, 50), min_size=1, max_size=6), order=st.randoms())
def test_parts_of_any_length_in_any_order_make_the_whole(store, lengths, order):
    """Whatever the lengths, and whichever comes first, the data is that of the parts in turn."""
    data, upload = pieces(lengths), next(UPLOADS)
    numbers = list(range(1, len(data) + 1))
    order.shuffle(numbers)
    tags = [(number, send(store, upload, number, data)) for number in numbers]
    assert store.join("joined", upload, tags) == sum(lengths)
    assert store.path("joined").read_bytes() == b"".join(data)
    assert not (store.folder / "parts" / upload).exists()


@pytest.mark.parametrize("last", [1, 99, 100])
def test_parts_of_one_length_are_not_copied(store, last):
    """The very file that took the parts becomes the data, whichever part came first."""
    data, upload = pieces([100, 100, last]), next(UPLOADS)
    tags = [(number, send(store, upload, number, data)) for number in (3, 1, 2)]
    before = whole(store, upload).stat().st_ino
    store.join("moved", upload, tags)
    assert store.path("moved").stat().st_ino == before


def test_a_part_that_is_sent_again_takes_the_place(store):
    """What still comes of the first try is put off, and the second counts."""
    data, upload = pieces([10, 10]), next(UPLOADS)
    first = begin(store, upload, 1, [b"x" * 10, data[1]])
    first.write(b"xxx")
    tags = [(number, send(store, upload, number, data)) for number in (1, 2)]
    with pytest.raises(TransferError, match="being sent again") as caught:
        first.write(b"x" * 7)
    assert caught.value.status == 503
    with pytest.raises(TransferError, match=r"being sent again|arrived"):
        first.commit()
    store.join("again", upload, tags)
    assert store.path("again").read_bytes() == b"".join(data)


def test_a_part_under_way_is_not_whole(store):
    """While a part is being sent again, what was there of it before does not count."""
    data, upload = pieces([10, 10]), next(UPLOADS)
    tags = [(number, send(store, upload, number, data)) for number in (1, 2)]
    again = begin(store, upload, 2, data)
    with pytest.raises(TransferError, match="Part 2 has not been uploaded"):
        store.join("early", upload, tags)
    again.write(data[1])
    again.commit()
    store.join("early", upload, tags)
    assert store.path("early").read_bytes() == b"".join(data)


def test_nothing_is_written_once_the_parts_are_joined(store):
    """A straggler cannot change data that has appeared."""
    data, upload = pieces([10, 10, 10]), next(UPLOADS)
    tags = [(number, send(store, upload, number, data)) for number in (1, 2)]
    straggler = begin(store, upload, 3, data)
    with pytest.raises(TransferError, match="Part 3"):
        store.join("late", upload, [*tags, (3, "0" * 32)])
    straggler.write(data[2])
    straggler.commit()
    tags.append((3, straggler.checksum))
    store.join("late", upload, tags)
    other = begin(store, upload, 3, [*data[:2], b"y" * 10])
    other.write(b"y" * 10)
    other.commit()
    assert store.path("late").read_bytes() == b"".join(data)


@pytest.mark.parametrize("sent", [9, 11])
def test_a_part_has_the_length_that_it_said(store, sent):
    """A part that is shorter or longer is refused, and its neighbours keep their data."""
    data, upload = pieces([10, 10, 10]), next(UPLOADS)
    tags = [(number, send(store, upload, number, data)) for number in (1, 3)]
    part = begin(store, upload, 2, data)
    if sent < 10:
        part.write(b"z" * sent)
        with pytest.raises(TransferError, match="9 of 10 bytes of the part arrived"):
            part.commit()
    else:
        with pytest.raises(TransferError, match="longer than its 10 bytes"):
            part.write(b"z" * sent)
        part.abort()
    tags.append((2, send(store, upload, 2, data)))
    store.join("neighbours", upload, tags)
    assert store.path("neighbours").read_bytes() == b"".join(data)


def test_parts_need_the_room_of_the_whole_and_no_more(store):
    """Until they are joined, the parts take the room of their data and less than 100 bytes more."""
    data, upload = pieces([65536] * 4), next(UPLOADS)

    def room() -> int:
        found = [path for path in (store.folder / "parts" / upload).rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in found)

    tags = [(number, send(store, upload, number, data)) for number in range(1, 5)]
    assert 4 * 65536 <= room() < 4 * 65536 + 100
    store.join("room", upload, tags)
    assert room() == 0


def test_no_upload_begins_without_room_for_it(store, monkeypatch):
    """A disk that cannot take the whole is an error before the first byte is written."""
    usage = parts_module.shutil.disk_usage(store.folder)._replace(free=1000)
    monkeypatch.setattr(parts_module.shutil, "disk_usage", lambda path: usage)
    upload = next(UPLOADS)
    with pytest.raises(OSError, match="No space left"):
        store.receive_part(upload, 1, Place(1, 2, 600, 1200))
    assert not (store.folder / "parts" / upload).exists()
    with pytest.raises(OSError, match="No space left"):
        store.receive("full", 1001)
    store.receive("full", 1000).abort()


def test_the_checksum_of_joined_data_is_found_out(store):
    """Nobody tells the checksum of the whole, so that the store reads it."""
    data, upload = pieces([10, 10]), next(UPLOADS)
    store.join("summed", upload, [(n, send(store, upload, n, data)) for n in (1, 2)])
    digest = base64.b64encode(hashlib.md5(b"".join(data)).digest()).decode()
    deadline = time.monotonic() + 20
    while store.checksum("summed") is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert store.checksum("summed") == digest


def test_parts_survive_a_restart(tmp_path):
    """What came before a restart of the server is joined with what comes after it."""
    data = pieces([10, 10, 3])
    first = ComponentStore(tmp_path)
    tags = [(1, send(first, "u", 1, data))]
    begin(first, "u", 2, data).write(b"zzz")
    second = ComponentStore(tmp_path)
    tags += [(number, send(second, "u", number, data)) for number in (2, 3)]
    second.join("c", "u", tags)
    assert second.path("c").read_bytes() == b"".join(data)
    assert os.listdir(tmp_path / "parts") == []
    second.close()
