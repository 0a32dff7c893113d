"""What the addresses of components answer: headers, ranges, uploads, and names of files."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import pathlib
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import requests

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox.media.routes import StoredFile

DATA = bytes(range(256)) * 40


def md5(data: bytes) -> str:
    """Return the base64 MD5 of *data*."""
    return base64.b64encode(hashlib.md5(data).digest()).decode()


class Files:
    """Uploads and reads over HTTP alone."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.http = requests.Session()

    def ask(self, component: str, size: int, **more: Any) -> dict[str, Any]:
        """Return where to upload to."""
        operation = {"action": "get_upload_metadata", "component_id": component}
        return dict(self.api.call({**operation, "file_name": "x", "file_size": size, **more})[0])

    def put(self, url: str, data: Any, **headers: str) -> requests.Response:
        """PUT *data* to *url*."""
        return self.http.put(url, data=data, headers=headers, timeout=30)

    def upload(self, component: str, data: bytes) -> None:
        """Upload *data* in one piece."""
        assert self.put(self.ask(component, len(data))["url"], data).status_code == 200

    def upload_in_parts(self, component: str, pieces: list[bytes]) -> list[dict[str, Any]]:
        """Upload *pieces* and return what to complete the upload with."""
        asked = self.ask(component, sum(map(len, pieces)), parts=len(pieces))
        named = []
        for place, data in zip(asked["urls"], pieces):
            tag = self.put(place["signed_url"], data).headers["ETag"]
            named.append({"part_number": place["part_number"], "e_tag": tag})
        return [
            {
                "action": "complete_multipart_upload",
                "component_id": component,
                "upload_id": asked["upload_id"],
                "parts": named,
            }
        ]

    def get(self, component: str, **headers: str) -> requests.Response:
        """GET the data of *component*."""
        address = f"{self.api.url}/component/get?id={component}"
        return self.api.http.get(address, headers=headers, timeout=30)


@pytest.fixture
def files(api: Any) -> Any:
    """Return what uploads and reads."""
    opened = Files(api)
    yield opened
    opened.http.close()


def test_data_comes_with_its_checksum_and_a_tag(files):
    """A reader can check the whole, and say which data it has a piece of."""
    files.upload("one", DATA)
    answer = files.get("one")
    assert (answer.content, answer.headers["Content-MD5"]) == (DATA, md5(DATA))
    assert answer.headers["ETag"].startswith('"')
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_a_range_of_the_same_data(files):
    """With the tag of the data, the rest of it comes, without the checksum of the whole."""
    files.upload("two", DATA)
    tag = files.get("two").headers["ETag"]
    answer = files.get("two", Range="bytes=1000-", **{"If-Range": tag})
    assert (answer.status_code, answer.content) == (206, DATA[1000:])
    assert answer.headers["Content-Range"] == f"bytes 1000-{len(DATA) - 1}/{len(DATA)}"
    assert "Content-MD5" not in answer.headers


def test_a_range_of_other_data_is_all_of_it(files):
    """Once the data is another, its tag is, and a reader that goes on begins anew."""
    files.upload("three", DATA)
    tag = files.get("three").headers["ETag"]
    files.upload("three", DATA[::-1])
    answer = files.get("three", Range="bytes=1000-", **{"If-Range": tag})
    assert (answer.status_code, answer.content) == (200, DATA[::-1])
    assert answer.headers["ETag"] != tag


@pytest.mark.parametrize(
    ("asked", "status"),
    [("bytes=0-0", 206), ("bytes=-5", 206), ("bytes=99999-", 416), ("lines=1-2", 200)],
)
def test_odd_ranges(files, asked, status):
    """Single bytes and ends are answered, what lies beyond is refused; no range of bytes: all."""
    files.upload("four", DATA)
    assert files.get("four", Range=asked).status_code == status


@pytest.mark.parametrize("cut", [[2560] * 4, [10000, 240], [1, 2, 3, 10234]])
def test_parts_over_http(files, cut):
    """Parts of one length, or of several, make the file, whose checksum shows after a while."""
    pieces, position = [], 0
    for length in cut:
        pieces.append(DATA[position : position + length])
        position += length
    files.api.call(*files.upload_in_parts("five", pieces))
    assert files.get("five").content == DATA
    deadline = time.monotonic() + 20
    while "Content-MD5" not in files.get("five").headers and time.monotonic() < deadline:
        time.sleep(0.01)
    assert files.get("five").headers["Content-MD5"] == md5(DATA)


def test_a_part_without_a_length_is_taken(files):
    """A body in chunks, whose length nobody tells, has its place when the parts are joined."""
    asked = files.ask("six", len(DATA), parts=2)
    urls = [place["signed_url"] for place in asked["urls"]]
    tags = [
        files.put(urls[0], iter([DATA[:3000], DATA[3000:5120]])).headers["ETag"],
        files.put(urls[1], DATA[5120:]).headers["ETag"],
    ]
    named = [{"part_number": n, "e_tag": tag} for n, tag in enumerate(tags, 1)]
    files.api.call(
        {
            "action": "complete_multipart_upload",
            "component_id": "six",
            "upload_id": asked["upload_id"],
            "parts": named,
        }
    )
    assert files.get("six").content == DATA


def test_parts_are_joined_without_holding_up_writers(files, sandbox):
    """Whoever holds the database's one place to write does not keep an upload from its end."""
    operations = files.upload_in_parts("seven", [DATA[:5120], DATA[5120:]])
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with sandbox._api.database.write():
            holding.set()
            done.wait(30)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        holding.wait(30)
        try:
            files.api.call(*operations)
            assert not held.done()
        finally:
            done.set()
    assert files.get("seven").content == DATA


def test_more_or_less_than_announced_is_refused(files):
    """The size in the address is part of what is signed, and is what may come."""
    url = files.ask("eight", 10)["url"]
    assert files.put(url, b"x" * 9).status_code == 400
    assert files.put(url, b"x" * 11).status_code == 400
    assert files.put(url.replace("size=10", "size=11"), b"x" * 11).status_code == 403
    assert files.get("eight").status_code == 404


@pytest.mark.parametrize("change", ["part=2", "parts=9", "size=9", "upload=other", "id=nine2"])
def test_the_address_of_a_part_is_good_for_that_part(files, change):
    """Nothing in it can be changed."""
    url = files.ask("nine", 10, parts=2)["urls"][0]["signed_url"]
    name = change.partition("=")[0]
    address, _, query = url.partition("?")
    changed = [change if one.startswith(f"{name}=") else one for one in query.split("&")]
    assert files.put(f"{address}?{'&'.join(changed)}", b"x" * 5).status_code == 403


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        'a"b',
        "a\r\nSet-Cookie: x=1",
        "späte Aufnahme",
        "a;b",
        "<script>",
        "\x7f",
    ],
)
def test_names_of_files_stay_names(files, name):
    """Whatever a component is called, it neither breaks out of the header nor leads elsewhere."""
    files.api.create("FileComponent", id="named", name=name, file_type=".bin")
    files.upload("named", b"data")
    answer = files.get("named")
    assert answer.content == b"data"
    told = answer.headers["Content-Disposition"]
    assert told.startswith("inline; filename")
    assert quote(name, safe="/") in told
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Content-Security-Policy"] == "sandbox"


@pytest.mark.parametrize(
    "name", ["", "..", "../secret", "a/b", "a" * 65, "a%00b", "%2e%2e%2fsecret"]
)
def test_no_address_leads_out_of_the_folder(files, name):
    """What cannot be an id is the id of nothing."""
    for path in ("get", "remove"):
        answer = files.api.http.get(f"{files.api.url}/component/{path}?id={name}", timeout=30)
        assert answer.status_code == 404
    assert (
        files.api.http.get(f"{files.api.url}/component/thumbnail?id={name}", timeout=30).headers[
            "Content-Type"
        ]
        == "image/png"
    )


def test_the_room_on_the_disk_is_looked_at_first(files, sandbox, monkeypatch, caplog):
    """An upload that cannot fit is refused as such, and none of its parts stays."""
    pieces = files.ask("ten", len(DATA), parts=2)["urls"]
    usage = shutil.disk_usage(os.curdir)._replace(free=len(DATA) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    for url, data in (
        (pieces[0]["signed_url"], DATA[:5120]),
        (files.ask("ten", len(DATA))["url"], DATA),
    ):
        answer = files.put(url, data)
        assert (answer.status_code, "No space left" in answer.text) == (507, True)
        assert "in the media folder of the server" in answer.text
    monkeypatch.undo()
    media = sandbox._api.media.store.folder
    assert str(media) not in answer.text
    assert caplog.text.count(f"could not be stored as {media}") == 2
    assert [path for path in media.rglob("*") if path.is_file() and path.name != "secret"] == []


def test_the_id_of_an_upload_is_good_for_its_component_alone(files, api):
    """Who learns the id of an upload of another cannot complete it as a component of theirs."""
    (completion,) = files.upload_in_parts("theirs", [DATA, DATA])
    for stolen in ({"component_id": "mine"}, {"upload_id": "short"}):
        answer = api.http.post(f"{api.url}/api", json=[{**completion, **stolen}], timeout=30)
        assert answer.json()["exception"] == "ValidationError"
    assert files.get("mine").status_code == 404
    api.call(completion)
    assert files.get("theirs").content == DATA + DATA


@pytest.mark.parametrize("is_measured", [False, True])
def test_data_that_are_removed_before_they_are_opened(
    tmp_path: pathlib.Path, is_measured: bool
) -> None:
    """A file that another request removes, before or after its size is known, gets 404."""
    path = tmp_path / "data"
    path.write_bytes(b"x")
    answer = StoredFile(path, stat_result=path.stat() if is_measured else None)
    path.unlink()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()  # The client stays, and sends nothing more.

    scope = {"type": "http", "method": "GET", "headers": []}
    asyncio.run(answer(scope, receive, send))
    assert sent[0]["status"] == 404
    assert sent[1]["body"] == b"The data were removed."
