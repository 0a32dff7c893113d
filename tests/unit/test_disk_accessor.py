"""Data on disk: prefixes, errors, and transfers that are whole or absent."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import threading

import pytest

from ftrack_like import data, exception
from ftrack_like.accessor import base, disk
from ftrack_like.symbol import CHUNK_SIZE


@pytest.fixture
def root(tmp_path):
    """A folder with a prefix, and a sibling whose name begins like it."""
    for folder in ("pre/sub", "pre/empty", "pre_evil"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pre" / "file").write_text("content")
    (tmp_path / "pre" / "sub" / "deep").write_text("deep")
    (tmp_path / "pre_evil" / "file").write_text("evil")
    return tmp_path


@pytest.fixture
def accessor(root):
    """An accessor confined to the prefix."""
    return disk.DiskAccessor(str(root / "pre"))


def test_reads_and_writes(accessor, root):
    """Identifiers are relative to the prefix, or absolute."""
    assert accessor.open("file").read() == b"content"
    assert accessor.open(str(root / "pre" / "file")).read() == b"content"
    with accessor.open("sub/new", "wb") as file:
        file.write(b"new")
    assert (root / "pre" / "sub" / "new").read_bytes() == b"new"
    assert isinstance(accessor.open("file"), data.File)


def test_tells_what_is_there(accessor):
    """Files, folders and nothing are told apart; sequences are not known."""
    assert [accessor.exists(name) for name in ("file", "sub", "absent")] == [True, True, False]
    assert [accessor.is_file(name) for name in ("file", "sub", "absent")] == [True, False, False]
    assert [accessor.is_container(name) for name in ("file", "sub", "")] == [False, True, True]
    with pytest.raises(exception.AccessorUnsupportedOperationError, match="is_sequence"):
        accessor.is_sequence("file.%04d.exr")


def test_lists_containers(accessor, root):
    """What is listed begins with the identifier that was asked for."""
    assert accessor.list("") == ["empty", "file", "sub"]
    assert accessor.list("sub") == ["sub/deep"]
    assert accessor.list(str(root / "pre" / "sub")) == [str(root / "pre" / "sub" / "deep")]
    with pytest.raises(exception.AccessorResourceInvalidError):
        accessor.list("file")
    with pytest.raises(exception.AccessorResourceNotFoundError):
        accessor.list("absent")


def test_containers_are_relative_to_the_prefix(accessor, root):
    """The container of the prefix itself is out of reach."""
    assert accessor.get_container("sub/deep") == "sub"
    assert accessor.get_container("file") == ""
    assert accessor.get_container("sub/../empty/x/y") == "empty/x"
    for top in ("", ".", str(root / "pre"), "sub/.."):
        with pytest.raises(exception.AccessorParentResourceNotFoundError):
            accessor.get_container(top)
    assert disk.DiskAccessor("").get_container("/a/b") == "/a"


def test_makes_containers(accessor, root):
    """With the folders above or without; one that exists is fine, a file is not."""
    accessor.make_container("a/b/c")
    accessor.make_container("a/b/c")
    accessor.make_container("a/b/c", recursive=False)
    accessor.make_container("d", recursive=False)
    assert (root / "pre" / "a" / "b" / "c").is_dir()
    with pytest.raises(exception.AccessorParentResourceNotFoundError):
        accessor.make_container("x/y", recursive=False)
    for recursive in (True, False):
        with pytest.raises(exception.AccessorError):
            accessor.make_container("file", recursive)
        with pytest.raises(exception.AccessorResourceInvalidError):
            accessor.make_container("file/x", recursive)


def test_removes(accessor, root):
    """Files, links and empty folders go; others stay."""
    accessor.remove("file")
    accessor.remove("empty")
    os.symlink(root / "pre_evil", root / "pre" / "link")
    accessor.remove("link")
    os.symlink(root / "absent", root / "pre" / "dangling")
    accessor.remove("dangling")
    with pytest.raises(exception.AccessorContainerNotEmptyError):
        accessor.remove_container("sub")
    with pytest.raises(exception.AccessorResourceNotFoundError):
        accessor.remove("absent")
    assert accessor.list("") == ["sub"]
    assert (root / "pre_evil" / "file").exists()


def _outside(root):
    return [
        "..",
        "/",
        "../pre_evil/file",
        "sub/../../pre_evil/file",
        str(root / "pre_evil" / "file"),
        str(root / "pre" / ".." / "pre_evil" / "file"),
        str(root),
    ]


@pytest.mark.parametrize("number", range(7))
def test_outside_of_the_prefix_is_refused(accessor, root, number):
    """A sibling whose name begins like the prefix is outside as well; nothing is touched."""
    identifier = _outside(root)[number]
    actions = [
        lambda: accessor.get_filesystem_path(identifier),
        lambda: accessor.exists(identifier),
        lambda: accessor.open(identifier),
        lambda: accessor.open(identifier, "wb"),
        lambda: accessor.remove(identifier),
        lambda: accessor.list(identifier),
        lambda: accessor.make_container(identifier),
        lambda: accessor.get_container(identifier),
        lambda: accessor.receive(identifier, data.String(b"x")),
    ]
    for action in actions:
        with pytest.raises(exception.AccessorFilesystemPathError, match="outside of the prefix"):
            action()
    assert (root / "pre_evil" / "file").read_text() == "evil"


def test_links_may_be_confined(accessor, root):
    """Links that leave the prefix are followed, unless asked not to."""
    os.symlink(root / "pre_evil", root / "pre" / "link")
    os.symlink(root / "pre" / "sub", root / "pre" / "inside")
    assert accessor.open("link/file").read() == b"evil"
    confined = disk.DiskAccessor(str(root / "pre"), confine_links=True)
    assert confined.open("inside/deep").read() == b"deep"
    for action in (confined.open, confined.remove, confined.list):
        with pytest.raises(exception.AccessorFilesystemPathError):
            action("link/file")


def test_prefix_is_made_absolute(monkeypatch, tmp_path):
    """Home, variables and relative paths are resolved once; without prefix all is open."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("STORE", "/store")
    assert disk.DiskAccessor("relative").prefix == str(tmp_path / "relative")
    assert disk.DiskAccessor("~/x/").prefix == "/home/me/x"
    assert disk.DiskAccessor("$STORE/../y").prefix == "/y"
    assert disk.DiskAccessor("/").get_filesystem_path("etc") == "/etc"
    for nothing in ("", None):
        anywhere = disk.DiskAccessor(nothing)
        assert anywhere.get_filesystem_path("/a/../b") == "/b"
        assert anywhere.get_filesystem_path("a/b") == "a/b"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOENT, exception.AccessorResourceNotFoundError),
        (errno.EPERM, exception.AccessorPermissionDeniedError),
        (errno.EACCES, exception.AccessorPermissionDeniedError),
        (errno.ENOTEMPTY, exception.AccessorContainerNotEmptyError),
        (errno.ENOTDIR, exception.AccessorResourceInvalidError),
        (errno.EISDIR, exception.AccessorResourceInvalidError),
        (errno.EINVAL, exception.AccessorResourceInvalidError),
        (errno.ENOSPC, exception.AccessorOperationFailedError),
        (errno.ETIMEDOUT, exception.AccessorOperationFailedError),
    ],
)
def test_errors_of_the_system_are_translated(number, expected):
    """Each error keeps its cause and what it was about."""
    error = OSError(number, os.strerror(number), "path")
    with (
        pytest.raises(expected) as caught,
        disk.error_handler(operation="open", resource_identifier="some/file"),
    ):
        raise error
    assert type(caught.value) is expected
    assert caught.value.__cause__ is error
    assert caught.value.details["resource_identifier"] == "some/file"


def test_timed_out_says_so():
    """A time-out of a share reads as one."""
    error = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    with (
        pytest.raises(exception.AccessorOperationFailedError, match="timed out"),
        disk.error_handler(operation="open"),
    ):
        raise error


def test_other_errors_pass():
    """Errors of the program and of the library are not the system's."""
    for error in (ValueError("value"), exception.StructureError("structure")):
        with pytest.raises(type(error)), disk.error_handler(operation="open"):
            raise error


def test_open_errors(accessor):
    """Missing files, folders and files used as folders have errors of their own."""
    with pytest.raises(exception.AccessorResourceNotFoundError):
        accessor.open("absent")
    with pytest.raises(exception.AccessorResourceNotFoundError):
        accessor.open("absent/file", "wb")
    with pytest.raises(exception.AccessorResourceInvalidError):
        accessor.open("sub")
    with pytest.raises(exception.AccessorResourceInvalidError):
        accessor.open("file/x", "wb")


def _names(folder):
    return sorted(os.listdir(folder))


class _Slow(data.String):
    """A source of a hundred blocks that calls back before it gives each."""

    def __init__(self, before_block):
        super().__init__(b"x" * 100)
        self._before_block = before_block

    def read(self, limit=None):
        self._before_block()
        return super().read(1)


def test_received_file_appears_whole(accessor, root):
    """While a file is received nothing has its name, and lists do not show it."""
    seen = []

    def look():
        seen.append(
            (accessor.exists("new"), accessor.list("empty"), len(_names(root / "pre/empty")))
        )

    assert accessor.receive("empty/new", _Slow(look)) == 100
    assert all(entry == (False, [], 1) for entry in seen)
    assert len(seen) == 101
    assert _names(root / "pre" / "empty") == ["new"]
    assert (root / "pre" / "empty" / "new").read_bytes() == b"x" * 100


def test_received_file_has_the_mode_of_any_new_file(accessor, root):
    """Colleagues may read what was published, as the umask says."""
    old = os.umask(0o022)
    try:
        accessor.receive("new", data.String(b"x"))
    finally:
        os.umask(old)
    assert (root / "pre" / "new").stat().st_mode & 0o777 == 0o644


def test_long_file_is_received_in_chunks(accessor, root, tmp_path):
    """A file of several chunks arrives as it was."""
    content = os.urandom(CHUNK_SIZE * 2 + 17)
    (tmp_path / "source").write_bytes(content)
    with data.File(tmp_path / "source") as source:
        assert accessor.receive("new", source) == len(content)
    assert (root / "pre" / "new").read_bytes() == content


def test_text_is_received_as_utf8(accessor, root):
    """A source of text is stored as bytes."""
    accessor.receive("new", data.String("hellö"))
    assert (root / "pre" / "new").read_bytes() == "hellö".encode()


class _Failing(data.String):
    """A source that breaks in the middle."""

    def read(self, limit=None):
        if self.tell() >= 5:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(5)


class _Shrinking(data.File):
    """A file that somebody cuts while it is read."""

    def read(self, limit=None):
        os.truncate(self.wrapped_file.name, 3)
        return super().read(limit)


def test_failed_transfer_leaves_nothing(accessor, root):
    """A read error or a source that ends early leaves no file and can be repeated."""
    with pytest.raises(exception.AccessorOperationFailedError, match="Input/output error"):
        accessor.receive("empty/new", _Failing(b"0123456789"))
    (root / "source").write_bytes(b"0123456789")
    with (
        _Shrinking(root / "source") as source,
        pytest.raises(
            exception.AccessorOperationFailedError,
            match="10 bytes were expected, but 3 arrived",
        ),
    ):
        accessor.receive("empty/new", source)
    assert _names(root / "pre" / "empty") == []
    accessor.receive("empty/new", data.String(b"whole"))
    assert _names(root / "pre" / "empty") == ["new"]


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="this system cannot tell")
def test_a_link_in_place_of_a_temporary_file(accessor, root):
    """A link that somebody put there is left alone, and what it leads to is not written."""
    (root / "precious").write_bytes(b"precious")
    (root / "pre" / "empty" / ".new.ftrack-part").symlink_to(root / "precious")
    accessor.receive("empty/new", data.String(b"whole"))
    assert (root / "precious").read_bytes() == b"precious"
    assert _names(root / "pre" / "empty") == [".new.ftrack-part", "new"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_disk_is_an_error(root):
    """What the system could not write is not taken for written."""

    class Full(disk.DiskAccessor):
        def open(self, resource_identifier, mode="rb"):
            return (
                data.File("/dev/full", mode)
                if "w" in mode
                else super().open(resource_identifier, mode)
            )

    accessor = Full(str(root / "pre"))
    with pytest.raises(exception.AccessorOperationFailedError, match="No space left"):
        accessor.receive("empty/new", data.String(b"x" * 100_000))
    assert _names(root / "pre" / "empty") == []


def test_short_write_is_noticed(root):
    """The file must be as long as what was written to it."""

    class Forgetful(disk.DiskAccessor):
        def open(self, resource_identifier, mode="rb"):
            opened = super().open(resource_identifier, mode)
            opened.write = lambda content: None
            return opened

    with pytest.raises(exception.AccessorOperationFailedError, match="5 bytes were expected"):
        Forgetful(str(root / "pre")).receive("empty/new", data.String(b"01234"))
    assert _names(root / "pre" / "empty") == []


COPY_UNTIL_KILLED = """
import sys
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.data import Data
class Endless(Data):
    def read(self, limit=None):
        print("block", flush=True)
        return b"x" * limit
    def write(self, content): pass
DiskAccessor(sys.argv[1]).receive("empty/new.exr", Endless())
"""


def _start_copy(prefix):
    """Start a process that copies without end and return it once it has written blocks."""
    process = subprocess.Popen(
        [sys.executable, "-c", COPY_UNTIL_KILLED, str(prefix)], stdout=subprocess.PIPE
    )
    for _ in range(4):
        process.stdout.readline()
    return process


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_transfer_leaves_no_half_file(accessor, root):
    """After a kill the name is free, and the next try uses up what was left."""
    process = _start_copy(root / "pre")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = _names(root / "pre" / "empty")
    assert left == [".new.exr.ftrack-part"]
    assert accessor.list("empty") == []
    assert not accessor.exists("empty/new.exr")
    accessor.receive("empty/new.exr", data.String(b"whole"))
    assert _names(root / "pre" / "empty") == ["new.exr"]
    assert accessor.open("empty/new.exr").read() == b"whole"


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_left_overs_do_not_keep_a_container(accessor, root):
    """A folder that holds nothing but what a killed transfer left counts as empty."""
    process = _start_copy(root / "pre")
    with pytest.raises(exception.AccessorContainerNotEmptyError):
        accessor.remove("empty")
    process.kill()
    process.communicate()
    accessor.remove("empty")
    assert not accessor.exists("empty")


def test_two_transfers_to_one_place(accessor, root):
    """Both finish; the file is one of the two, whole."""
    inside, go_on = threading.Event(), threading.Event()

    def wait():
        inside.set()
        go_on.wait(10)

    thread = threading.Thread(target=accessor.receive, args=("empty/new", _Slow(wait)))
    thread.start()
    inside.wait(10)
    accessor.receive("empty/new", data.String(b"second"))
    assert accessor.open("empty/new").read() == b"second"
    go_on.set()
    thread.join()
    assert accessor.open("empty/new").read() == b"x" * 100
    assert _names(root / "pre" / "empty") == ["new"]


def test_long_names_can_be_received(accessor, root):
    """A name as long as the file system allows leaves room for the temporary one."""
    name = "n" * 255
    accessor.receive(name, data.String(b"x"))
    assert (root / "pre" / name).read_bytes() == b"x"


def test_subclass_that_opens_in_another_way_is_asked(root):
    """Transfers pass through an overridden open."""
    opened = []

    class Recording(disk.DiskAccessor):
        def open(self, resource_identifier, mode="rb"):
            opened.append((resource_identifier, mode))
            return super().open(resource_identifier, mode)

    Recording(str(root / "pre")).receive("sub/new", data.String(b"x"))
    assert opened == [("sub/.new.ftrack-part", "wb")]
    assert (root / "pre" / "sub" / "new").exists()


class _InMemory:
    """A studio's own accessor, which derives from nothing."""

    def __init__(self):
        self.stored = {}

    def open(self, resource_identifier, mode="rb"):
        self.stored[resource_identifier] = file = io.BytesIO()
        return data.FileWrapper(file)

    def remove(self, resource_identifier):
        del self.stored[resource_identifier]


def test_other_accessors_receive_too():
    """Anything with open and remove can be the target; a failed transfer is removed."""
    accessor = _InMemory()
    assert base.receive(accessor, "new", data.String(b"123")) == 3
    with pytest.raises(OSError):
        base.receive(accessor, "broken", _Failing(b"0123456789"))
    assert list(accessor.stored) == ["new"]


def test_rest_that_cannot_be_removed_is_logged(caplog):
    """The first error is raised; the second one, from cleaning up, is only told."""
    accessor = _InMemory()
    accessor.remove = None
    with pytest.raises(OSError):
        base.receive(accessor, "broken", _Failing(b"0123456789"))
    assert "incomplete file of a failed transfer at broken" in caplog.text


def test_base_accessor_supports_nothing_more():
    """Paths and addresses are for accessors that have them."""

    class Minimal(base.Accessor):
        list = exists = is_file = is_container = is_sequence = None
        open = remove = make_container = get_container = None

    for operation in ("get_filesystem_path", "get_url"):
        with pytest.raises(exception.AccessorUnsupportedOperationError, match=operation):
            getattr(Minimal(), operation)("resource")
    with pytest.raises(TypeError):
        base.Accessor()
