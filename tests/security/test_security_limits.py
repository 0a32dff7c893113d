"""Each request, batch and picture causes bounded work, and an error says which bound it met.

What depends on the database runs on SQLite and, where ``FTRACK_LIKE_TEST_POSTGRES_URL`` names a
server, on PostgreSQL.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import logging
import os
import pathlib
import struct
import subprocess
import sys
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Optional
from urllib.parse import urlsplit

import pytest
import requests

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

from ftrack_like.sandbox import command_line
from ftrack_like.sandbox.api import require_few_values
from ftrack_like.sandbox.database.turns import Turns
from ftrack_like.sandbox.errors import RequestTooLargeError
from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.server import SandboxServer
from ftrack_like.testing import Sandbox

from .conftest import Form, People, Server

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")

ASK = {"action": "query_server_information"}


@pytest.fixture
def limited(api: Any) -> Iterator[Callable[[Limits], Any]]:
    """Return a function that starts a sandbox with limits and returns its API."""
    with contextlib.ExitStack() as stack:

        def start(limits: Limits) -> Any:
            other = type(api)(stack.enter_context(Sandbox(limits=limits)))
            stack.callback(other.http.close)
            return other

        yield start


@pytest.fixture(
    params=[pytest.param(None, id="sqlite")]
    + ([pytest.param(POSTGRESQL, id="postgresql")] if POSTGRESQL else []),
)
def bounded(
    request: Any, api: Any, sandbox_on: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Limits], Any]]:
    """Return a function that gives limits to a sandbox on each database and returns its API."""
    with sandbox_on(request.param) as running:
        opened = type(api)(running)

        def start(limits: Limits) -> Any:
            monkeypatch.setattr(running._api, "limits", limits)
            return opened

        opened.sandbox = running
        yield start
        opened.http.close()


def post(api: Any, body: bytes) -> requests.Response:
    """Return the answer to *body*."""
    return requests.post(f"{api.url}/api", data=body, headers=api.http.headers, timeout=120)


# Addresses


@pytest.mark.parametrize("name", ["\0", "a\0b"])
def test_texts_that_a_database_cannot_store_are_no_failure(
    bounded: Callable[[Limits], Any], name: str
) -> None:
    """A NUL in an id, a user name or a form is an error of the request, on each database."""
    api = bounded(Limits())
    artist = People(api, api.sandbox)("artist", "User")
    paths = ["/component/get", "/component/thumbnail", "/component/remove"]
    asked = [(artist.http.get, path, {"id": name}) for path in paths]
    asked += [(requests.get, path, {"id": "x", "username": name, "apiKey": "x"}) for path in paths]
    asked += [(requests.get, "/socket.io/1/", {"api_user": name, "api_key": "x"})]
    statuses = [
        get(f"{api.url}{path}", params=parameters, timeout=30).status_code
        for get, path, parameters in asked
    ]
    statuses.append(Form(api.url).log_in(name, "x").status_code)
    assert [one for one in statuses if one >= 500] == []
    assert set(statuses[3:7]) <= {400, 401}


# Bodies


def test_a_body_that_is_too_large_is_refused(limited):
    """The error names the limit and its option, and the server answers the next request."""
    api = limited(Limits(body_bytes=100_000))
    answer = post(api, json.dumps([{**ASK, "x": "x" * 200_000}]).encode())
    assert (answer.status_code, answer.json()["exception"]) == (413, "RequestTooLargeError")
    assert "100000 bytes" in answer.json()["content"]
    assert "--body-bytes" in answer.json()["content"]
    assert api.call(ASK)
    assert post(api, json.dumps([{**ASK, "x": "x" * 99_000}]).encode()).status_code == 200


def test_a_body_that_is_announced_too_large_is_not_waited_for(limited):
    """The answer comes before any of the body does."""
    api = limited(Limits(body_bytes=100_000))
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/api")
        for name in ("ftrack-user", "ftrack-api-key", "ftrack-strict-api"):
            connection.putheader(name, api.http.headers[name])
        connection.putheader("Content-Length", str(10**12))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert b"--body-bytes" in answer.read()


def test_a_body_of_unknown_length_is_bounded_as_well(limited):
    """A body in chunks is refused as soon as it is too large."""
    api = limited(Limits(body_bytes=100_000))

    def chunks() -> Iterator[bytes]:
        yield b"["
        for _ in range(20):
            yield b" " * 10_000
        yield b"]"

    answer = requests.post(
        f"{api.url}/api", data=chunks(), headers=dict(api.http.headers), timeout=120
    )
    assert (answer.status_code, answer.json()["exception"]) == (413, "RequestTooLargeError")


MANY = {
    "objects": b"[" + b"{}," * 2000 + b"{}]",
    "lists": b"[" + b"[]," * 2000 + b"{}]",
    "numbers": b"[" + b"0," * 2000 + b"{}]",
    "texts": b"[" + b'"",' * 2000 + b"{}]",
    "members": b"[{" + b'"a":1,' * 2000 + b'"b":1}]',
    "nested": b'[{"a":' + b'[{"a":[]}],"b":' * 2000 + b"0}]",
    "after a quote": b'[{"a":"\\""},' + b"{}," * 2000 + b"{}]",
    "after a backslash": b'[{"a":"\\\\"},' + b"{}," * 2000 + b"{}]",
    "spaced": b"[" + b"{ } ,\n" * 2000 + b"{}]",
}


@pytest.mark.parametrize("name", MANY)
def test_many_values_in_a_small_body_are_refused(limited, name):
    """What takes memory is the number of values, which is bounded before any is made."""
    api = limited(Limits(body_values=1000))
    answer = post(api, MANY[name])
    assert (answer.status_code, answer.json()["exception"]) == (413, "RequestTooLargeError")
    assert "1000 values" in answer.json()["content"]
    assert "--body-values" in answer.json()["content"]


@pytest.mark.parametrize(
    "text", ["{[,]}" * 5000, '\\"{,' * 5000, "\\\\" * 5000 + "{,", '"},{' * 3000, "\\"]
)
def test_signs_within_texts_are_no_values(limited, text):
    """A text may hold as many braces and commas as it likes: code, JSON, drawings."""
    api = limited(Limits(body_values=1000))
    answer = post(api, json.dumps([{**ASK, "x": text}, {**ASK, "x": text[::-1]}]).encode())
    assert answer.status_code == 200, answer.text[:300]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_body_of_empty_objects_takes_little_memory():
    """21 MB of {} are refused, at the cost of the body and not of seven million objects."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ftrack_like.sandbox", "--json", "--memory", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        known = json.loads(process.stdout.readline())
        headers = {
            "ftrack-user": known["api_user"],
            "ftrack-api-key": known["api_key"],
            "ftrack-strict-api": "true",
        }
        address = f"{known['server_url']}/api"
        requests.post(address, json=[ASK], headers=headers, timeout=60)
        before = peak_memory(process.pid)
        body = b"[" + b"{}," * 7_000_000 + b"{}]"
        answer = requests.post(address, data=body, headers=headers, timeout=120)
        assert answer.status_code == 413
        assert peak_memory(process.pid) - before < 150 * 1024
    finally:
        process.kill()
        process.communicate(timeout=30)


def peak_memory(pid: int) -> int:
    """Return the most memory that a process ever had, in KiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text("utf-8")
    return next(int(one.split()[1]) for one in text.splitlines() if one.startswith("VmHWM:"))


LONG_PATH = ".".join(["parent"] * 11)


@pytest.mark.parametrize(
    "expression",
    [
        "select id from Task order by " + ", ".join([f"{LONG_PATH}.name"] * 999),
        "Task where " + " or ".join(f"children any (name is a{n})" for n in range(501)),
        "Task where " + " or ".join(f"{LONG_PATH} has (name is a{n})" for n in range(150)),
        "Task where "
        + " or ".join(f"id in (select id from Folder where name is a{n})" for n in range(501)),
    ],
    ids=["sort", "any", "has", "in"],
)
def test_expressions_over_many_relations_are_refused(api: Any, expression: str) -> None:
    """An expression that would make a statement of thousands of tables is an error at once."""
    answer = api.http.post(
        f"{api.url}/api", json=[{"action": "query", "expression": expression}], timeout=60
    )
    assert answer.json()["exception"] == "ParseError"
    assert "more than 500 relations" in answer.json()["content"]


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="reads /proc")
def test_large_statements_are_not_kept(start_server: Callable[..., Server]) -> None:
    """Twelve queries over a hundred relations take no more memory than one of them."""
    server = start_server()

    def ask(count: int) -> int:
        conditions = " or ".join(f"children any (name is a{n})" for n in range(count))
        operation = {"action": "query", "expression": f"Task where {conditions}"}
        answer = requests.post(
            f"{server.url}/api", json=[operation], headers=server.headers, timeout=60
        )
        assert answer.json()[0]["data"] == []
        return peak_memory(server.pid)

    first = ask(130)
    assert [ask(count) for count in range(118, 129)][-1] - first < 32 * 1024


def test_a_commit_of_fifty_thousand_entities_is_within_the_limits():
    """The defaults are above what large tools send at once, with twenty attributes each."""
    attributes = {
        f"attribute_{number}": f"a value of usual length {number}" for number in range(20)
    }
    operations = []
    for _ in range(50_000):
        id_ = str(uuid.uuid4())
        values = {"__entity_type__": "Task", "id": id_, **attributes}
        operations.append(
            {"action": "create", "entity_type": "Task", "entity_key": [id_], "entity_data": values}
        )
    body = json.dumps(operations, separators=(",", ":")).encode()
    limits = Limits()
    assert len(body) <= limits.body_bytes
    require_few_values(body, limits.body_values)
    with pytest.raises(RequestTooLargeError):
        require_few_values(body, 1_000_000)


def test_a_large_commit_arrives(session):
    """A commit of some thousand entities is one batch and no trouble."""
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "p", "full_name": "p", "project_schema": schema})
    for number in range(3000):
        session.create("Folder", {"name": f"folder {number}", "parent": project})
    session.commit()
    assert len(session.query("Folder")) == 3000


# Time


def heavy(number: int) -> dict[str, Any]:
    """Return a query that takes a while, however few rows there are."""
    words = " or ".join(f'name like "%{number} {index}%"' for index in range(400))
    return {"action": "query", "expression": f"select id from Type where {words}"}


def folders(api: Any, *names: str) -> list[dict[str, Any]]:
    """Return operations that create a project with folders."""
    schema = api.query("select id from ProjectSchema order by name")[0]["id"]
    project = api.make("Project", name=uuid.uuid4().hex, project_schema_id=schema)
    key = project["entity_key"][0]
    return [project, *(api.make("Folder", name=name, parent_id=key) for name in names)]


def test_a_batch_that_writes_for_long_is_ended(bounded):
    """One that takes longer than it may says so, and nothing of it is applied."""
    operations = folders(bounded(Limits()), *map(str, range(3000)))
    api = bounded(Limits(batch_seconds=0.02))
    with pytest.raises(api.Error) as caught:
        api.call(*operations)
    assert (caught.value.name, caught.value.status) == ("BatchTimeoutError", 413)
    assert "longer than 0.02 seconds" in caught.value.content
    assert "--batch-seconds" in caught.value.content
    api = bounded(Limits())
    assert api.query("Folder") == []
    api.call(*operations[:5])
    assert len(api.query("Folder")) == 4


def test_a_batch_that_reads_for_long_is_ended(bounded):
    """Reading has the same limit."""
    api = bounded(Limits(batch_seconds=0.05))
    with pytest.raises(api.Error) as caught:
        api.call(*map(heavy, range(300)))
    assert caught.value.name == "BatchTimeoutError"


def test_one_statement_that_takes_long_is_ended(bounded):
    """A batch is ended within a statement as well, and not only between two."""
    api = bounded(Limits())
    api.call(*folders(api, *map(str, range(1500))))
    api = bounded(Limits(batch_seconds=0.05))
    words = " or ".join(f'name like "%{index}%a%b%c"' for index in range(700))
    query = {"action": "query", "expression": f"select id from Folder where {words}"}
    with pytest.raises(api.Error) as caught:
        api.call(query)
    assert caught.value.name == "BatchTimeoutError"


def test_other_writers_get_their_turn(bounded):
    """A batch that holds the lock to write is ended at its limit when another one waits."""
    api = bounded(Limits())
    small = folders(api, "small")
    long = [*folders(api, "long"), *map(heavy, range(1000))]
    api = bounded(Limits(batch_seconds=0.5))
    turns = api.sandbox._api.database.turns
    others = [type(api)(api.sandbox) for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = [pool.submit(one.call, *long) for one in others]
        while turns.nobody_waits() and not all(one.done() for one in running):
            threading.Event().wait(0.005)
        bounded(Limits())  # for the other one, however busy the machine is
        api.call(*small)
        for one in running:
            error = one.exception(timeout=120)
            assert isinstance(error, api.Error)
            assert error.name == "BatchTimeoutError"
    for one in others:
        one.http.close()
    api = bounded(Limits())
    assert [one["name"] for one in api.query("select name from Folder")] == ["small"]


def test_readers_wait_for_no_writer(bounded):
    """A batch that only reads needs no turn."""
    api = bounded(Limits())
    with api.sandbox._api.database.write():
        assert api.query("select id from Type")
        assert api.call({"action": "query_server_information"})


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Queue:
    """Writers that wait for a turn, one thread each."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._threads: list[threading.Thread] = []
        self._count = 0
        self.order: list[str] = []

    def add(self, name: str, owner: str = "", expected: float = 0.0) -> None:
        """Let *name* wait for a turn, and return once it does."""

        def run() -> None:
            with self._turns.take(owner, expected):
                self.order.append(name)

        thread = threading.Thread(target=run)
        thread.start()
        self._threads.append(thread)
        self._count += 1
        while len(self._turns._waiting) < self._count:
            threading.Event().wait(0.001)

    def end(self) -> list[str]:
        """Return the order in which all had their turn."""
        for thread in self._threads:
            thread.join(60)
        return self.order


def test_turns_are_by_arrival():
    """Writers of a kind are served in the order in which they came."""
    clock = Clock()
    turns = Turns(60, clock)
    queue = Queue(turns)
    with turns.take():
        for name in "abcde":
            clock.now += 1
            queue.add(name)
    assert queue.end() == list("abcde")


def test_a_short_batch_goes_before_long_ones():
    """Several long batches at once do not add up for somebody with a short one."""
    clock = Clock()
    turns = Turns(60, clock)
    queue = Queue(turns)
    with turns.take("mallory", 60):
        queue.add("long 1", "mallory", 60)
        queue.add("long 2", "mallory", 60)
        clock.now = 30
        queue.add("short", "mira")
    assert queue.end() == ["short", "long 1", "long 2"]


def test_who_held_the_lock_for_long_goes_after_others():
    """What a user took lately counts, also where the batches look short beforehand."""
    clock = Clock()
    turns = Turns(60, clock)
    queue = Queue(turns)
    with turns.take("mallory"):
        queue.add("again", "mallory")
        clock.now = 30
        queue.add("other", "mira")
        clock.now = 50
    assert queue.end() == ["other", "again"]


def test_no_batch_waits_for_ever():
    """A long batch has its turn before short ones that came much later."""
    clock = Clock()
    turns = Turns(60, clock)
    queue = Queue(turns)
    with turns.take("mira"):
        queue.add("long", "noah", 10_000)
        clock.now = 61
        queue.add("late", "olga")
    assert queue.end() == ["long", "late"]


def test_what_was_taken_long_ago_is_forgotten():
    """The time that a user took goes by, and leaves nothing behind."""
    clock = Clock()
    turns = Turns(60, clock)
    with turns.take("mallory"):
        clock.now = 20
    clock.now = 45
    with turns.take("mira"):
        pass
    assert turns._used == {}


# Pictures


def picture(width: int, height: int) -> bytes:
    """Return a PNG of one colour, made without holding its pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    packer = zlib.compressobj(9)
    row = bytes(1 + width * 3)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def upload(api: Any, data: bytes) -> str:
    """Return the id of a new picture with *data*."""
    component = api.create("FileComponent", name="picture", file_type=".png")
    asked = {"action": "get_upload_metadata", "component_id": component, "file_name": "x"}
    (where,) = api.call({**asked, "file_size": len(data)})
    answer = api.http.put(where["url"], data=data, headers=where["headers"], timeout=60)
    assert answer.status_code == 200, answer.text
    return str(component)


def thumbnail(api: Any, component: str, size: int = 100) -> requests.Response:
    """Return the answer to the address of a thumbnail."""
    address = f"{api.url}/component/thumbnail?id={component}&size={size}"
    return requests.get(address, headers=api.http.headers, timeout=120)


@pytest.fixture
def pillow() -> None:
    """Skip the test without Pillow."""
    pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")


def test_a_picture_of_too_many_pixels_is_refused(limited, pillow):
    """A small file may unfold to many pixels; the answer says how many, and which limit it met."""
    api = limited(Limits(image_pixels=1_000_000))
    answer = thumbnail(api, upload(api, picture(1001, 1000)))
    assert answer.status_code == 413
    assert answer.text == "The picture has 1001 x 1000 pixels, more than 1000000 (--image-pixels)."
    answer = thumbnail(api, upload(api, picture(1000, 1000)))
    assert answer.headers["content-type"] == "image/png"
    assert "etag" in answer.headers  # a placeholder has none


def test_the_default_refuses_what_took_five_gigabytes(api, pillow):
    """13,000 x 13,000 pixels are beyond the default."""
    data = picture(13_000, 13_000)
    assert len(data) < 1_000_000
    answer = thumbnail(api, upload(api, data))
    assert answer.status_code == 413
    assert "13000 x 13000" in answer.text


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no limit of memory")
def test_a_picture_that_takes_too_much_memory_is_refused(limited, pillow):
    """Decoding has a limit of memory, outside of the server; the next picture is decoded."""
    api = limited(Limits(image_bytes=400 * 1024 * 1024))
    answer = thumbnail(api, upload(api, picture(9_900, 9_900)))
    assert answer.status_code == 413
    assert "--image-bytes" in answer.text
    answer = thumbnail(api, upload(api, picture(100, 100)))
    assert answer.headers["content-type"] == "image/png"
    assert "etag" in answer.headers  # a placeholder has none


def test_a_picture_that_takes_too_long_is_given_up(limited, pillow):
    """Decoding has a limit of time."""
    api = limited(Limits(image_seconds=0.001))
    answer = thumbnail(api, upload(api, picture(3000, 3000)))
    assert answer.status_code == 413
    assert "longer than 0.001 seconds (--image-seconds)" in answer.text


def decoders(parent: int) -> list[int]:
    """Return the processes below *parent* that decode pictures."""
    found, below = [], {parent}
    table = subprocess.run(
        ["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rows = [line.split(None, 2) for line in table]
    while True:
        more = {int(row[0]) for row in rows if int(row[1]) in below} - below
        if not more:
            break
        below |= more
    for row in rows:
        if int(row[0]) in below and "media.decoding" in row[2] and "supervisor" not in row[2]:
            found.append(int(row[0]))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_pictures_are_decoded_one_after_the_other(limited, pillow):
    """Eight thumbnails at once are made by one process, in the memory of one picture."""
    before = set(decoders(os.getpid()))  # Other sandboxes of this process may have one each.
    api = limited(Limits(image_bytes=1024 * 1024 * 1024))
    component = upload(api, picture(6000, 6000))
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(thumbnail, api, component, 100 + size) for size in range(8)]
        assert api.query("select id from Type")  # nobody else waits
        answers = [one.result() for one in asked]
    assert [one.status_code for one in answers] == [200] * 8
    assert all("etag" in one.headers for one in answers)  # a placeholder has none
    (decoder,) = set(decoders(os.getpid())) - before
    assert peak_memory(decoder) < 400 * 1024


def test_drawing_on_a_picture_is_bounded_as_well(limited, pillow, tmp_path):
    """A drawing decodes the picture below it, by the same few processes within the same limits."""
    from ftrack_like.sandbox.media.pictures import PictureError, Pictures

    source, target = tmp_path / "source.png", tmp_path / "target.jpg"
    source.write_bytes(picture(200, 200))
    strokes = [{"color": "#ff0000", "width": 0.1, "points": [0.1, 0.1, 0.9, 0.9]}]
    with contextlib.closing(Pictures(Limits())) as pictures:
        assert pictures.draw(source, target, strokes)
    assert target.read_bytes().startswith(b"\xff\xd8\xff")
    with (
        contextlib.closing(Pictures(Limits(image_pixels=1000))) as pictures,
        pytest.raises(PictureError, match="--image-pixels"),
    ):
        pictures.draw(source, target, strokes)


def test_the_reason_why_a_picture_has_none_is_logged(pillow, tmp_path, caplog):
    """A decoder that fails on a picture says why, with the component, in the log."""
    from ftrack_like.sandbox.media.pictures import Pictures

    source = tmp_path / "the-component"
    source.write_bytes(picture(200, 200))
    (tmp_path / "file").write_bytes(b"")
    with (
        contextlib.closing(Pictures(Limits())) as pictures,
        caplog.at_level(logging.INFO, logger="ftrack_like"),
    ):
        assert not pictures.scale(source, tmp_path / "file" / "target.jpg", 100)
    (told,) = [one.getMessage() for one in caplog.records if "decoded" in one.getMessage()]
    assert "the-component" in told
    assert "Error" in told


def test_the_kept_thumbnails_are_limited(api, pillow, tmp_path):
    """A server whose thumbnails take more than they may keeps only those of the latest requests."""
    with Sandbox(tmp_path, limits=Limits(thumbnail_bytes=1)) as sandbox:
        other = type(api)(sandbox)
        with contextlib.closing(other.http):
            for _ in range(3):
                component = upload(other, picture(64, 64))
                for size in (32, 16, 32):
                    answer = thumbnail(other, component, size)
                    assert answer.headers["Content-Type"] == "image/png"
    kept = list((tmp_path / "media" / "thumbnails").rglob("*.png"))
    assert [(path.parent.name, path.name) for path in kept] == [(component, "32.png")]


# Options


@pytest.mark.parametrize("limit", dataclasses.fields(Limits), ids=lambda one: str(one.name))
def test_each_limit_is_an_option(limit, capsys, monkeypatch):
    """The command has an option for each limit, with the default, and hands it on."""
    option = "--" + limit.name.replace("_", "-")
    with pytest.raises(SystemExit):
        command_line.main(["--help"])
    assert option in capsys.readouterr().out
    given: list[Optional[Limits]] = []

    class Stopped(Exception):
        pass

    def start(self: Any, *arguments: Any, limits: Optional[Limits] = None, **more: Any) -> None:
        given.append(limits)
        raise Stopped

    monkeypatch.setattr(SandboxServer, "__init__", start)
    for value in ([], [option, "7"]):
        with pytest.raises(Stopped):
            command_line.main(["--memory", "--port", "0", *value])
    assert given == [Limits(), dataclasses.replace(Limits(), **{limit.name: 7})]


@pytest.mark.parametrize("limit", dataclasses.fields(Limits), ids=lambda one: str(one.name))
def test_each_limit_is_documented(limit):
    """The table of limits has a row for each, with its default."""
    page = pathlib.Path(__file__).parents[2] / "docs" / "sandbox.rst"
    text = page.read_text("utf-8")
    row = text.partition(f"   * - ``--{limit.name.replace('_', '-')}``")[2]
    shown = row.partition("     - ")[2].splitlines()[0].strip().replace(",", "")
    units = {"MiB": 1024**2, "GiB": 1024**3}
    number, _, unit = shown.partition(" ")
    assert float(number) * units.get(unit, 1) == limit.default


@pytest.mark.parametrize("text", ["64M", "67108864", "65536K"])
def test_sizes_have_units(text, monkeypatch):
    """A size may end in K, M or G."""
    import argparse

    from ftrack_like.sandbox.limits import add_limit_arguments, limits_from

    parser = argparse.ArgumentParser()
    add_limit_arguments(parser)
    assert limits_from(parser.parse_args(["--body-bytes", text])).body_bytes == 64 * 1024**2


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1T", "1.5", "inf", "nan"])
@pytest.mark.parametrize("option", ["--body-bytes", "--image-processes", "--batch-seconds"])
def test_what_is_no_limit_is_refused(option, text, capsys):
    """The command names the option and what it takes."""
    if (option, text) == ("--batch-seconds", "1.5"):
        return
    with pytest.raises(SystemExit):
        command_line.main([f"{option}={text}"])
    assert f"argument {option}" in capsys.readouterr().err


@pytest.mark.parametrize("value", [0, -1, float("nan"), "5", None, True])
def test_limits_are_numbers_above_zero(value):
    """A limit that is none is refused by its name."""
    with pytest.raises(ValueError, match="body_bytes"):
        Limits(body_bytes=value)


def test_the_default_time_is_not_below_that_of_clients():
    """A client waits for sixty seconds: what it would still wait for is not ended."""
    assert Limits().batch_seconds >= 60
