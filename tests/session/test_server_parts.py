"""Uploads in parts: in parallel, each part tried again by itself, whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import socket
import struct
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from ftrack_like import exception, symbol
from ftrack_like.accessor import _parts

PART = 64 * 1024
CONTENT = hashlib.sha256(b"seed").digest() * (9 * PART // 64)  # Four parts and a half.


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Cut data into small parts, and into smaller chunks."""
    monkeypatch.setattr(_parts, "PART_SIZE", PART)
    monkeypatch.setattr(_parts, "CHUNK_SIZE", PART // 4)


@pytest.fixture
def server_location(session):
    """The location of the server's storage."""
    return session.get("Location", symbol.SERVER_LOCATION_ID)


@pytest.fixture
def origin(session):
    """The location that remembers where data comes from."""
    return session.get("Location", symbol.ORIGIN_LOCATION_ID)


@pytest.fixture
def component(session, tmp_path):
    """A component whose data lies in the file ``source.bin``."""
    (tmp_path / "source.bin").write_bytes(CONTENT)
    return session.create_component(str(tmp_path / "source.bin"), location=None)


class _Storage(ThreadingHTTPServer):
    """Hands uploads on to the sandbox, but for the faults of a part: *faults* by part number.

    A fault is a status to answer, ``"reset"`` (hang up in the middle), ``"spoil"`` (change a
    byte on the way) or a tag to answer instead of the sandbox's. They are used up one by one.
    """

    daemon_threads = True

    def __init__(self, target):
        self.target = urlsplit(target)
        self.faults = {}
        self.tried = Counter()
        self.connections = 0
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def process_request(self, request, client_address):
        """Count the connection, then serve it."""
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request, client_address):
        """Keep quiet about clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *arguments):
        """Keep quiet."""

    def do_PUT(self):
        server = self.server
        number = int(parse_qs(urlsplit(self.path).query).get("part", ["0"])[0])
        with server.lock:
            server.tried[number] += 1
            server.at_once += 1
            server.most_at_once = max(server.at_once, server.most_at_once)
            faults = server.faults.get(number)
            fault = faults.pop(0) if faults else None
        try:
            self._carry_out(fault)
        finally:
            with server.lock:
                server.at_once -= 1

    def _carry_out(self, fault):
        length = int(self.headers["Content-Length"])
        if fault == "reset":
            self.rfile.read(length // 2)
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        content = self.rfile.read(length)
        if len(content) < length:
            self.close_connection = True
            return
        if isinstance(fault, int):
            self._answer(fault, b"not now", {})
            return
        if fault == "spoil":
            content = b"?" + content[1:]
        connection = http.client.HTTPConnection(self.server.target.netloc)
        headers = {n: v for n, v in self.headers.items() if n.lower().startswith("content")}
        connection.request("PUT", self.path, content, headers)
        response = connection.getresponse()
        tag = fault if fault and fault != "spoil" else response.headers.get("ETag")
        self._answer(response.status, response.read(), {"ETag": tag} if tag else {})
        connection.close()

    def _answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def storage(sandbox, session):
    """A storage before the sandbox, where the uploads of the session go."""
    made = _Storage(sandbox.server_url)
    here = f"http://127.0.0.1:{made.server_port}"
    ask = session.get_upload_metadata

    def get_upload_metadata(**arguments):
        answer = ask(**arguments)
        for each in answer.get("urls", ()):
            each["signed_url"] = each["signed_url"].replace(sandbox.server_url, here)
        if "url" in answer:
            answer["url"] = answer["url"].replace(sandbox.server_url, here)
        return answer

    session.get_upload_metadata = get_upload_metadata
    yield made
    made.shutdown()
    made.server_close()


def read(location, component):
    """Return the data that *location* has of *component*."""
    with location.accessor.open(component["id"]) as opened:
        return opened.read()


def assert_nothing_there(session, location, component):
    """Fail if anything of *component* is on the server."""
    with pytest.raises(exception.AccessorOperationFailedError, match="404"):
        read(location, component)
    assert location.get_component_availability(component) == 0.0


def test_long_data_goes_in_parts(session, storage, server_location, origin, component):
    """Each part goes once, several at a time, and the whole is what it was."""
    server_location.add_component(component, origin)
    assert read(server_location, component) == CONTENT
    assert storage.tried == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}
    assert storage.most_at_once > 1


def test_two_parts_are_parts_and_one_is_none(session, storage, server_location, tmp_path):
    """Data of a part's length goes in one piece, a byte more in two parts."""
    for size, expected in ((PART, {0: 1}), (PART + 1, {1: 1, 2: 1})):
        storage.tried.clear()
        (tmp_path / "data").write_bytes(CONTENT[:size])
        made = session.create_component(str(tmp_path / "data"), location=server_location)
        assert storage.tried == expected
        assert read(server_location, made) == CONTENT[:size]


def test_parts_are_tried_again_one_by_one(session, storage, server_location, origin, component):
    """What fails is sent again, the other parts are not; progress never goes back."""
    storage.faults = {2: [503, "reset"], 4: ["reset"], 5: ["spoil"]}
    told = []
    server_location.add_component(component, origin, progress=lambda *news: told.append(news))
    assert read(server_location, component) == CONTENT
    assert storage.tried == {1: 1, 2: 3, 3: 1, 4: 2, 5: 2}
    done = [each for each, _ in told]
    assert done == sorted(set(done))
    assert {total for _, total in told} == {len(CONTENT)}
    assert done[-1] == len(CONTENT)


def test_one_piece_is_tried_again(session, storage, server_location, tmp_path):
    """Errors, resets and spoilt data on the way are hidden, and progress does not go back."""
    (tmp_path / "data").write_bytes(CONTENT[:PART])
    storage.faults = {0: [500, "reset", 503]}
    told = []
    made = session.create_component(
        str(tmp_path / "data"),
        location=server_location,
        progress=lambda *news: told.append(news),
    )
    assert storage.tried == {0: 4}
    assert read(server_location, made) == CONTENT[:PART]
    assert told == sorted(set(told))
    storage.faults = {0: ["spoil"]}
    with pytest.raises(exception.LocationError, match=r"400 .*checksum"):
        session.create_component(str(tmp_path / "data"), location=server_location)
    assert session.query("select id from Component").all() == [made]


def test_a_part_that_keeps_failing_ends_the_upload(
    session, storage, server_location, origin, component
):
    """Nothing is visible, nothing is registered, and the repeat succeeds."""
    storage.faults = {3: [503] * 50}
    with pytest.raises(exception.LocationError, match="503"):
        server_location.add_component(component, origin)
    assert_nothing_there(session, server_location, component)
    storage.faults = {}
    server_location.add_component(component, origin)
    assert read(server_location, component) == CONTENT


def test_a_refused_part_is_not_sent_again(session, storage, server_location, origin, component):
    """A storage that says no is believed."""
    storage.faults = {1: [400]}
    with pytest.raises(exception.LocationError, match="400"):
        server_location.add_component(component, origin)
    assert storage.tried[1] == 1
    assert_nothing_there(session, server_location, component)


def test_parts_whose_addresses_expired_begin_again_once(
    session, storage, server_location, origin, component
):
    """New addresses are asked for, and every part is sent to them; a second refusal is told."""
    storage.faults = {2: [403]}
    server_location.add_component(component, origin)
    assert read(server_location, component) == CONTENT
    server_location.remove_component(component)
    storage.faults = {2: [403] * 9}
    storage.tried.clear()
    with pytest.raises(exception.LocationError, match="403"):
        server_location.add_component(component, origin)
    assert storage.tried[2] == 2


@pytest.mark.parametrize("lost", [True, False])
def test_joining_the_parts_is_repeated(
    session, storage, server_location, origin, component, monkeypatch, lost
):
    """A lost answer, or one that says that the storage failed, does not end the upload."""
    original, asked = session._call, []

    def call(batch):
        if batch[0]["action"] != "complete_multipart_upload":
            return original(batch)
        asked.append(batch)
        if len(asked) > 1:
            return original(batch)
        if lost:
            original(batch)
            raise exception.ServerConnectionError("The answer was lost.")
        raise exception.ServerError("InternalError: We encountered an internal error.")

    monkeypatch.setattr(session, "_call", call)
    server_location.add_component(component, origin)
    assert read(server_location, component) == CONTENT
    assert len(asked) == 2


def test_tags_of_another_kind_lead_to_one_piece(
    session, storage, server_location, origin, component
):
    """Where tags are no checksums, the data goes in one piece, whose checksum is compared."""
    storage.faults = {2: ["0" * 32] * 9}
    told = []
    server_location.add_component(component, origin, progress=lambda *news: told.append(news))
    assert read(server_location, component) == CONTENT
    assert storage.tried[0] == 1
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_progress_that_raises_cancels(session, storage, server_location, origin, component):
    """The error comes out as it is; nothing is left, and the repeat succeeds."""

    def give_up(done, total):
        if done > total / 3:
            raise TimeoutError("enough")

    with pytest.raises(TimeoutError, match="enough"):
        server_location.add_component(component, origin, progress=give_up)
    assert_nothing_there(session, server_location, component)
    server_location.add_component(component, origin)
    assert read(server_location, component) == CONTENT


def test_progress_on_the_way_down(session, server_location, origin, component, tmp_path):
    """A copy to disk tells of its progress too, and a cancelled one leaves no file."""
    from ftrack_like.accessor.disk import DiskAccessor
    from ftrack_like.structure.id import IdStructure

    server_location.add_component(component, origin)
    disk = session.create("Location", {"name": "disk"})
    disk.accessor, disk.structure = DiskAccessor(str(tmp_path / "disk")), IdStructure()

    def give_up(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        disk.add_component(component, server_location, progress=give_up)
    assert [path for path in (tmp_path / "disk").rglob("*") if path.is_file()] == []
    told = []
    disk.add_component(component, server_location, progress=lambda *news: told.append(news))
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_progress_of_a_sequence(session, server_location, tmp_path):
    """The frames of a sequence count together."""
    for number in range(1, 4):
        (tmp_path / f"frame.{number:04}.exr").write_bytes(CONTENT[:1000])
    told = []
    session.create_component(
        str(tmp_path / "frame.%04d.exr [1-3]"),
        location=server_location,
        progress=lambda *news: told.append(news),
    )
    assert told == [(1000, 3000), (2000, 3000), (3000, 3000)]


def test_frames_share_connections(session, storage, server_location, origin, tmp_path):
    """The files of a sequence do not all connect anew to where they are sent."""
    for number in range(40):
        (tmp_path / f"frame.{number:04}.exr").write_bytes(CONTENT[:1000])
    frames = session.create_component(str(tmp_path / "frame.%04d.exr [0-39]"), location=None)
    server_location.add_component(frames, origin)
    assert storage.tried[0] == 40
    assert storage.connections <= 8
    assert server_location.get_component_availability(frames) == 100.0


def test_source_that_changes_is_noticed(session, storage, server_location, origin, component):
    """A file that somebody writes to meanwhile is not stored."""
    path = origin.get_filesystem_path(component)

    def write(done, total):
        with open(path, "ab") as file:
            file.write(b"more")

    with pytest.raises(exception.LocationError, match="changed while"):
        server_location.add_component(component, origin, progress=write)
    assert_nothing_there(session, server_location, component)


def test_source_that_is_cut_is_noticed(session, storage, server_location, origin, component):
    """A file that gets shorter while it is sent is not stored."""
    path = origin.get_filesystem_path(component)

    def cut(done, total):
        with open(path, "r+b") as file:
            file.truncate(100)

    with pytest.raises(exception.LocationError, match="changed while"):
        server_location.add_component(component, origin, progress=cut)
    assert_nothing_there(session, server_location, component)


def test_a_session_that_knows_no_parts(session, server_location, origin, component):
    """A studio's own way to ask for addresses is used as it was written."""
    ask = session.get_upload_metadata
    asked = []

    def get_upload_metadata(component_id, file_name, file_size, checksum=None):
        asked.append(file_size)
        return ask(component_id, file_name, file_size, checksum)

    session.get_upload_metadata = get_upload_metadata
    server_location.add_component(component, origin)
    assert asked == [len(CONTENT)]
    assert read(server_location, component) == CONTENT


def test_number_and_length_of_parts():
    """Parts grow with the data once there would be too many, and are numbered from 1."""
    assert _parts.count_parts(0) == _parts.count_parts(PART) == 1
    assert _parts.count_parts(PART + 1) == 2
    longest = PART * 10_000
    assert _parts.count_parts(longest) == 10_000
    assert _parts.count_parts(longest * 3 + 1) <= 10_000
    assert _parts.size_of_parts(longest * 3) == PART * 3
