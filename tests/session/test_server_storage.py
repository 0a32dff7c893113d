"""The storage of the server: streamed both ways, checked, and tried again."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import os
import re
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from ftrack_like import data, exception, symbol
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.accessor.server import ServerFile, _ServerAccessor
from ftrack_like.session import RetryPolicy

CONTENT = bytes(range(256)) * 4096  # One mebibyte.


@pytest.fixture
def server_location(session):
    """The location of the server's storage."""
    return session.get("Location", symbol.SERVER_LOCATION_ID)


@pytest.fixture
def component(session, tmp_path):
    """A component whose data lies in the file ``source.bin``."""
    (tmp_path / "source.bin").write_bytes(CONTENT)
    return session.create_component(str(tmp_path / "source.bin"), location=None)


@pytest.fixture
def origin(session):
    """The location that remembers where data comes from."""
    return session.get("Location", symbol.ORIGIN_LOCATION_ID)


def test_round_trip(session, server_location, origin, component, tmp_path):
    """What is uploaded comes back the same, in another session too, and can be removed."""
    server_location.add_component(component, origin)
    assert server_location.get_resource_identifier(component) == component["id"]
    opened = server_location.accessor.open(component["id"])
    assert opened.read() == CONTENT
    opened.close()
    server_location.remove_component(component)
    with pytest.raises(exception.AccessorOperationFailedError, match="404"):
        server_location.accessor.open(component["id"]).read()


def test_empty_file(session, server_location, origin, tmp_path):
    """A file without content is a file."""
    (tmp_path / "empty.txt").touch()
    component = session.create_component(str(tmp_path / "empty.txt"), location=server_location)
    assert server_location.accessor.open(component["id"]).read() == b""


def test_copy_from_the_server_to_disk(session, server_location, origin, component, tmp_path):
    """A download ends in a file that is whole."""
    from ftrack_like.structure.id import IdStructure

    server_location.add_component(component, origin)
    disk = session.create("Location", {"name": "disk"})
    disk.accessor, disk.structure = DiskAccessor(str(tmp_path / "disk")), IdStructure()
    disk.add_component(component, server_location)
    with open(disk.get_filesystem_path(component), "rb") as stored:
        assert stored.read() == CONTENT


def test_reading_in_pieces(session, server_location, origin, component):
    """A file can be read piece by piece, and from any position."""
    server_location.add_component(component, origin)
    with server_location.accessor.open(component["id"]) as opened:
        assert opened.read(10) == CONTENT[:10]
        assert opened.tell() == 10
        assert opened.remaining_size() == len(CONTENT) - 10
        opened.seek(1000)
        assert opened.read(5) == CONTENT[1000:1005]
        opened.seek(-3, os.SEEK_END)
        assert opened.read() == CONTENT[-3:]
        assert opened.read() == b""
        opened.seek(-1, os.SEEK_CUR)
        assert opened.read(5) == CONTENT[-1:]
        with pytest.raises(OSError):
            opened.write(b"x")
    with pytest.raises(ValueError):
        opened.read()


def test_writing_by_hand_uploads_once(session, server_location):
    """A file written by hand is sent by flush or close, once for each change."""
    component = session.create("FileComponent", {"name": "notes", "file_type": ".txt"})
    session.commit()
    asked = []
    get_upload_metadata = session.get_upload_metadata

    def record(**arguments):
        asked.append((arguments["file_name"], arguments["file_size"], arguments["checksum"]))
        return get_upload_metadata(**arguments)

    session.get_upload_metadata = record
    opened = server_location.accessor.open(component["id"], "wb")
    assert isinstance(opened, ServerFile)
    opened.write(b"one")
    opened.write(" two")
    opened.flush()
    opened.close()
    opened.close()
    checksum = base64.b64encode(hashlib.md5(b"one two").digest()).decode()
    assert asked == [("notes.txt", 7, checksum)]
    with server_location.accessor.open(component["id"]) as opened:
        assert opened.read() == b"one two"


def test_addresses(session, server_location, origin, component):
    """Addresses work without headers, and everything in them is escaped."""
    server_location.add_component(component, origin)
    url = server_location.get_url(component)
    assert requests.get(url, timeout=10).content == CONTENT
    thumbnail = server_location.get_thumbnail_url(component, size=100)
    assert parse_qs(urlsplit(thumbnail).query)["size"] == ["100"]
    session._api_user = "a&b=c d"
    assert parse_qs(urlsplit(server_location.get_url(component)).query)["username"] == ["a&b=c d"]


def test_what_the_storage_cannot_do(session):
    """There are no containers and no lists."""
    accessor = _ServerAccessor(session)
    assert accessor.get_container("id") is None
    assert accessor.make_container("id") is None
    assert accessor.exists("id") is False
    for name in ("list", "is_file", "is_container", "is_sequence"):
        with pytest.raises(NotImplementedError):
            getattr(accessor, name)("id")
    with pytest.raises(exception.AccessorUnsupportedOperationError):
        accessor.get_filesystem_path("id")


def test_refused_registration_removes_the_upload(session, server_location, origin, component):
    """Data that was uploaded for nothing does not stay on the server."""
    session.create("Timer", {"user_id": "nobody"})
    with pytest.raises(exception.LocationError, match="Failed to register"):
        server_location.add_component(component, origin)
    with pytest.raises(exception.AccessorOperationFailedError, match="404"):
        server_location.accessor.open(component["id"]).read()


class _Storage(ThreadingHTTPServer):
    """A storage that does what a test says: *faults* are used up, one a request.

    A fault is a number (answer with that status), ``("cut", n)`` (hang up after n bytes),
    ``"stall"`` (answer nothing), ``("redirect", address)`` or ``("answer", status, body)``.
    """

    daemon_threads = True

    def __init__(self):
        self.faults = []
        self.requests = []
        self.stored = {}
        self.headers = {}
        self.etag = '"1"'
        self.released = threading.Event()
        super().__init__(("127.0.0.1", 0), _StorageHandler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Keep quiet about clients that hang up."""


class _StorageHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        """Keep quiet."""

    def _fault(self):
        """Do what the next fault says; return the number of bytes to send, or None for all."""
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "stall":
            self.server.released.wait(10)
            raise ConnectionAbortedError
        if isinstance(fault, int):
            self._send(fault, b"<title>not now</title>")
            raise ConnectionAbortedError
        if fault and fault[0] == "answer":
            self._send(fault[1], fault[2])
            raise ConnectionAbortedError
        if fault and fault[0] == "redirect":
            self._send(302, b"", Location=fault[1])
            raise ConnectionAbortedError
        return fault[1] if fault else None

    def _send(self, status, body, cut=None, **headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

    def do_PUT(self):
        with contextlib.suppress(ConnectionAbortedError):
            length = int(self.headers["Content-Length"])
            content = self.rfile.read(length)
            if len(content) < length:  # The client hung up.
                raise ConnectionAbortedError
            self._fault()
            self.server.stored[self.path] = content
            self._send(200, b"")

    def do_GET(self):
        with contextlib.suppress(ConnectionAbortedError):
            cut = self._fault()
            server = self.server
            more = {"ETag": server.etag, **server.headers}
            wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if wanted and self.headers.get("If-Range") in (None, server.etag):
                start = int(wanted[1])
                more["Content_Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
                self._send(206, CONTENT[start:], cut, **more)
            else:
                self._send(200, CONTENT, cut, **more)


@pytest.fixture
def storage():
    """A storage that can be told to fail."""
    made = _Storage()
    yield made
    made.released.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def downloading(session, storage):
    """A session whose server is the storage."""
    session._server_url = storage.url
    return session


def test_download_is_resumed_where_it_was_cut(downloading, storage):
    """Two cuts and a refusal are hidden; only what was missing is asked again."""
    storage.faults = [("cut", 300_000), 503, ("cut", 200_000)]
    with ServerFile("id", downloading) as opened:
        assert opened.read() == CONTENT
    ranges = [headers.get("Range") for _, _, headers in storage.requests]
    assert ranges[0] is None
    assert all(each.startswith("bytes=") for each in ranges[1:])
    assert len(ranges) == 4


def test_data_that_changes_while_it_is_read_is_an_error(downloading, storage):
    """Two halves of two files are not joined."""
    storage.faults = [("cut", 1000)]
    opened = ServerFile("id", downloading)
    opened.read(10)
    storage.etag = '"2"'
    with pytest.raises(exception.AccessorOperationFailedError, match="changed while"):
        opened.read()


def test_a_whole_of_another_length_is_not_joined(server, open_session, replies):
    """A download that is resumed from data of another length is an error, also without a tag."""
    session = open_session(server)
    server.next_answers = [replies.Reply(b"x" * 1000, cut=100), replies.Reply(b"y" * 500)]
    with pytest.raises(exception.AccessorOperationFailedError, match="changed while"):
        ServerFile("id", session).read()


def test_download_that_keeps_breaking_fails(downloading, storage):
    """A file that never comes whole is not returned as whole."""
    storage.faults = [("cut", 1000)] + [503] * 20
    with pytest.raises(exception.AccessorOperationFailedError, match="503"):
        ServerFile("id", downloading).read()
    assert 2 < len(storage.requests) < 10


def test_checksum_of_the_server_is_compared(downloading, storage):
    """Data with another checksum than announced is an error."""
    storage.headers = {"Content_MD5": base64.b64encode(b"0" * 16).decode()}
    with pytest.raises(exception.AccessorOperationFailedError, match="checksum"):
        ServerFile("id", downloading).read()
    storage.headers = {"Content_MD5": base64.b64encode(hashlib.md5(CONTENT).digest()).decode()}
    assert ServerFile("id", downloading).read() == CONTENT


class _Framing(_StorageHandler):
    """Answers in the *form* that the storage has: ``close``, ``chunked`` or ``gzip``."""

    def _send(self, status, body, cut=None, **headers):
        form, server = self.server.form, self.server
        if status not in (200, 206):
            super()._send(status, body, cut, **headers)
            return
        if form == "close-without-ranges":
            status, body = 200, CONTENT
        if "gzip" in form:
            status, body = 200, gzip.compress(CONTENT, 1)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        if "gzip" in form:
            self.send_header("Content-Encoding", "gzip")
        if "chunked" in form:
            self.send_header("Transfer-Encoding", "chunked")
            chunks = [body[at : at + 5000] for at in range(0, len(body), 5000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n"
        elif "length" in form:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        server.sent.append(len(body[:cut]))
        self.wfile.write(body[:cut])
        self.wfile.flush()
        self.close_connection = True  # In order, as if that was all: nothing is reset.

    def do_GET(self):
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if "without" not in self.server.form and wanted and int(wanted[1]) >= len(CONTENT):
            self.server.requests.append((self.command, self.path, dict(self.headers)))
            self._send(416, b"", Content_Range=f"bytes */{len(CONTENT)}")
            return
        super().do_GET()


@pytest.fixture(
    params=["close", "close-without-ranges", "chunked", "gzip-length", "gzip-close", "gzip-chunked"]
)
def framed(request, storage):
    """A storage that marks the end of its data in one of many ways, or not at all."""
    storage.form, storage.sent = request.param, []
    storage.RequestHandlerClass = _Framing
    return storage


def test_a_whole_download_without_length(framed, downloading):
    """Data whose length is not announced comes whole, in every way that HTTP has."""
    with ServerFile("id", downloading) as opened:
        assert opened.read() == CONTENT


def test_a_download_that_ends_early_is_noticed_in_any_framing(framed, downloading):
    """What is missing is fetched, although the connection ended as if all had come."""
    framed.faults = [("cut", 2500), ("cut", 4000)]
    with ServerFile("id", downloading) as opened:
        assert opened.read() == CONTENT
    assert len(framed.sent) >= 3


def test_a_copy_of_a_download_that_ends_early_is_an_error(
    framed, session, downloading, component, tmp_path
):
    """Where it ends early again and again, a location keeps nothing."""
    if framed.form.startswith("close"):
        pytest.skip("without any mark, the same end every time is the end")
    framed.faults = [("cut", 2500)] * 50
    accessor = DiskAccessor(str(tmp_path))
    with ServerFile("id", downloading) as opened, pytest.raises(exception.AccessorError):
        accessor.receive("copy.bin", opened)
    assert sorted(os.listdir(tmp_path)) == ["source.bin"]


def test_time_out_says_so(downloading, storage):
    """A storage that does not answer is given up, in words."""
    downloading.request_timeout = 0.05
    storage.faults = ["stall"] * 20
    with pytest.raises(exception.AccessorOperationFailedError, match="timed out"):
        ServerFile("id", downloading).read()
    with pytest.raises(exception.AccessorOperationFailedError, match="timed out"):
        _ServerAccessor(downloading).remove("id")


def test_credentials_stay_at_home(downloading, storage):
    """They go as headers, not in the address, and not along to another host."""
    elsewhere = _Storage()
    try:
        address = f"http://localhost:{elsewhere.server_port}/file"
        storage.faults = [("redirect", address)]
        assert ServerFile("id", downloading).read() == CONTENT
    finally:
        elsewhere.shutdown()
        elsewhere.server_close()
    key = downloading.api_key
    (_, path, first), (_, other_path, second) = storage.requests[0], elsewhere.requests[0]
    assert first["ftrack-api-key"] == key
    assert key not in path + other_path
    assert key not in str(second)
    assert "ftrack-user" not in second


def test_errors_do_not_show_the_key(downloading, storage):
    """Whatever fails, the key is not in the text."""
    storage.server_close()
    storage.shutdown()
    opened = ServerFile(downloading.api_key, downloading)
    with pytest.raises(exception.AccessorOperationFailedError) as caught:
        opened.read()
    assert downloading.api_key not in str(caught.value)
    assert "********" in str(caught.value)


@pytest.fixture
def uploading(session, storage):
    """A session that is sent to the storage with its uploads, and what it asked for."""
    session.asked = []

    def get_upload_metadata(**arguments):
        session.asked.append(arguments)
        return {
            "url": f"{storage.url}/upload/{len(session.asked)}?signed=1",
            "headers": {"X-Signed": "yes", "Content-MD5": arguments["checksum"]},
            "component_id": arguments["component_id"],
        }

    session.get_upload_metadata = get_upload_metadata
    return session


def test_upload_carries_exactly_the_signed_headers(uploading, storage, tmp_path):
    """The storage gets the headers it signed, and no credentials."""
    (tmp_path / "source").write_bytes(CONTENT)
    with data.File(tmp_path / "source") as source:
        assert _ServerAccessor(uploading).receive("id", source) == len(CONTENT)
    assert list(storage.stored.values()) == [CONTENT]
    _, _, headers = storage.requests[0]
    assert headers["X-Signed"] == "yes"
    assert headers["Content-Length"] == str(len(CONTENT))
    assert not any(name.lower().startswith("ftrack") for name in headers)
    assert uploading.asked[0]["file_size"] == len(CONTENT)


def test_upload_is_tried_again(uploading, storage):
    """Each try asks for a new address and begins at the start."""
    storage.faults = [503, 500]
    source = data.String(CONTENT)
    source.seek(10)
    assert _ServerAccessor(uploading).receive("id", source) == len(CONTENT) - 10
    assert storage.stored == {"/upload/3?signed=1": CONTENT[10:]}


@pytest.mark.parametrize("status", [400, 404, 411, 413, 501, 507])
def test_refused_upload_fails_at_once(uploading, storage, status):
    """A storage that says no is not asked again; what it said is told."""
    storage.faults = [status]
    with pytest.raises(exception.AccessorOperationFailedError, match=rf"{status} .*not now"):
        _ServerAccessor(uploading).receive("id", data.String(b"x"))
    assert len(storage.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"),
        (403, b""),
        (401, b""),
        (410, b""),
        (400, b"<Error><Code>ExpiredToken</Code></Error>"),
    ],
)
def test_an_expired_upload_address_is_asked_for_again_once(uploading, storage, status, body):
    """The second address is used; when it is refused too, that is told."""
    storage.faults = [("answer", status, body)]
    _ServerAccessor(uploading).receive("id", data.String(b"x"))
    assert storage.stored == {"/upload/2?signed=1": b"x"}
    storage.faults = [("answer", status, body)] * 3
    with pytest.raises(exception.AccessorOperationFailedError, match=str(status)):
        _ServerAccessor(uploading).receive("id", data.String(b"x"))
    assert len(storage.requests) == 4


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"<Error><Code>RequestTimeout</Code></Error>"),
        (409, b"<Error><Code>OperationAborted</Code></Error>"),
        (503, b"<Error><Code>SlowDown</Code></Error>"),
        (200, b"<?xml version='1.0'?>\n<Error><Code>InternalError</Code></Error>"),
        (403, b'{"error": {"errors": [{"reason": "userRateLimitExceeded"}], "code": 403}}'),
        *[(status, b"") for status in (408, 425, 429, 500, 502, 503, 504, 520)],
    ],
)
def test_a_temporary_answer_of_a_storage_is_repeated(uploading, storage, status, body):
    """Codes and statuses that storages document as temporary are tried again, more than once."""
    storage.faults = [("answer", status, body)] * 3
    _ServerAccessor(uploading).receive("id", data.String(b"x"))
    assert storage.stored == {"/upload/4?signed=1": b"x"}


def test_a_fault_in_a_good_answer_is_no_success(uploading, storage):
    """An error that comes with the status 200 fails the upload."""
    storage.faults = [("answer", 200, b"<Error><Code>InvalidPart</Code></Error>")]
    with pytest.raises(exception.AccessorOperationFailedError, match="InvalidPart"):
        _ServerAccessor(uploading).receive("id", data.String(b"x"))


def test_an_expired_redirect_of_a_download_is_asked_for_again(downloading, storage):
    """The server is asked once more for the address of the data, also in the middle of it."""
    elsewhere = f"http://localhost:{storage.server_port}/elsewhere"
    storage.faults = [("redirect", elsewhere), 403]
    assert ServerFile("id", downloading).read() == CONTENT
    storage.faults = [403]
    with pytest.raises(exception.AccessorOperationFailedError, match="403"):
        ServerFile("id", downloading).read()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_temporary_answer_to_a_download_is_repeated(downloading, storage, status):
    """A storage that is busy is asked again."""
    storage.faults = [status, status]
    assert ServerFile("id", downloading).read() == CONTENT


def test_the_first_repetition_of_a_transfer_is_a_warning(uploading, storage, caplog):
    """The log says what is repeated, why, and how long that may take; the rest is for debugging."""
    storage.faults = [503, 503]
    _ServerAccessor(uploading).receive("id", data.String(b"x"))
    told = [each for each in caplog.records if "Repeating" in each.getMessage()]
    assert [each.levelname for each in told] == ["WARNING"]
    assert "503" in told[0].getMessage()
    assert "may take up to" in told[0].getMessage()


def test_transfers_are_repeated_as_the_session_says(sandbox, storage):
    """A policy of a single attempt repeats no transfer."""
    with sandbox.session(retry=RetryPolicy(attempts=1)) as session:
        session._server_url = storage.url
        storage.faults = [503]
        with pytest.raises(exception.AccessorOperationFailedError, match="503"):
            ServerFile("id", session).read()


class _Growing(data.String):
    """A source that is longer when it is read again."""

    def read(self, limit=None):
        content = super().read(limit)
        if not content:
            self.write(b"more")
        return content


def test_source_that_changes_is_noticed(uploading, storage):
    """What is sent is what was measured, or nothing is stored."""
    with pytest.raises(exception.AccessorOperationFailedError, match="changed while"):
        _ServerAccessor(uploading).receive("id", _Growing(CONTENT))
    assert storage.stored == {}


class _Stream(data.Data):
    """A source that can be read once only."""

    def __init__(self):
        super().__init__()
        self.blocks = [b"a" * 10, b"b" * 10]

    def read(self, limit=None):
        return self.blocks.pop(0) if self.blocks else b""

    def write(self, content):
        raise NotImplementedError


def test_source_that_cannot_be_read_twice(uploading, storage):
    """It is collected first, so that its checksum is known and a try can be repeated."""
    storage.faults = [503]
    assert _ServerAccessor(uploading).receive("id", _Stream()) == 20
    assert list(storage.stored.values()) == [b"a" * 10 + b"b" * 10]


class _Sized(data.Data):
    """A source of *content* from elsewhere: it tells its size, and can be read once."""

    def __init__(self, content):
        super().__init__()
        self.content = content
        self.reads = 0

    def remaining_size(self):
        return len(self.content)

    def read(self, limit=None):
        self.reads += 1
        content, self.content = self.content[:limit], self.content[limit:]
        return content

    def write(self, content):
        raise NotImplementedError


def test_what_comes_from_elsewhere_passes_through(session, server_location, origin, component):
    """Data of one storage goes to another without a copy here, read once, and is compared."""
    server_location.add_component(component, origin)
    copy = session.create("FileComponent", {"name": "copy"})
    session.commit()
    asked = []
    get = session._request.get

    def record(url, **options):
        asked.append(url)
        return get(url, **options)

    session._request.get = record
    accessor = server_location.accessor
    with accessor.open(component["id"]) as source:
        assert accessor.receive(copy["id"], source) == component["size"]
    assert len(asked) == 1
    with accessor.open(copy["id"]) as there, accessor.open(component["id"]) as source:
        assert there.read() == source.read() != b""


def test_what_comes_from_elsewhere_is_compared(uploading, storage):
    """Where the tag says nothing the data is read back; what is wrong is removed."""
    uploading.create("FileComponent", {"id": "id", "name": "known", "file_type": ""})
    uploading._server_url = storage.url
    accessor = _ServerAccessor(uploading)
    source = _Sized(CONTENT)
    assert accessor.receive("id", source) == len(CONTENT)
    assert uploading.asked[0]["checksum"] is None
    assert list(storage.stored.values()) == [CONTENT]
    # What the storage gives back stays the same, whatever is sent.
    with pytest.raises(exception.AccessorOperationFailedError, match="of the sent data"):
        accessor.receive("id", _Sized(CONTENT[:-1] + b"?"))
    assert [path for _, path, _ in storage.requests][-1].startswith("/component/remove?id=id")


def test_what_can_be_read_once_is_sent_once(uploading, storage):
    """A refusal is told at once where the data is gone; a source that goes back is tried again."""
    uploading.create("FileComponent", {"id": "id", "name": "known", "file_type": ""})
    storage.faults = [503]
    with pytest.raises(exception.AccessorOperationFailedError, match="503"):
        _ServerAccessor(uploading).receive("id", _Sized(b"data"))
    assert storage.stored == {}

    class Again(_Sized):
        def tell(self):
            return 0

        def seek(self, offset, whence=0):
            self.content = b"data"

    uploading._server_url = storage.url
    storage.faults = [503]
    source = Again(b"data")
    with pytest.raises(exception.AccessorOperationFailedError, match="of the sent data"):
        _ServerAccessor(uploading).receive("id", source)
    assert list(storage.stored.values()) == [b"data"]


def test_a_source_that_says_too_much_is_not_kept(uploading, storage):
    """What comes from elsewhere has the length that it says, or nothing is stored."""
    source = _Sized(b"data")
    source.remaining_size = lambda: 5
    with pytest.raises(exception.AccessorOperationFailedError, match="changed while"):
        _ServerAccessor(uploading).receive("id", source)
    assert storage.stored == {}


def test_writing_that_breaks_off_sends_nothing(session, server_location):
    """What an exception interrupts is not taken for the whole."""
    component = session.create("FileComponent", {"name": "notes", "file_type": ".txt"})
    session.commit()
    accessor = server_location.accessor
    with contextlib.suppress(KeyError), accessor.open(component["id"], "wb") as opened:
        opened.write(b"half of i")
        raise KeyError
    with pytest.raises(exception.AccessorOperationFailedError, match="404"):
        accessor.open(component["id"]).read()


def test_large_files_pass_in_bounded_memory(uploading, storage, tmp_path, monkeypatch):
    """No more than one chunk is read at a time on the way up."""
    sizes = []
    read = data.File.read

    def record(self, limit=None):
        content = read(self, limit)
        sizes.append(len(content))
        return content

    monkeypatch.setattr(data.File, "read", record)
    (tmp_path / "large").write_bytes(CONTENT * 5)
    with data.File(tmp_path / "large") as source:
        _ServerAccessor(uploading).receive("id", source)
    assert max(sizes) == symbol.CHUNK_SIZE
    assert sum(sizes) == 10 * len(CONTENT)  # Once for the checksum, once to send.
