"""Data: the file-like objects of accessors."""

from __future__ import annotations

import io
import os

import pytest

from ftrack_like import data


@pytest.mark.parametrize(("content", "empty"), [("hellö", ""), (b"hello", b"")])
def test_string_gives_back_what_it_was_given(content, empty):
    """Text stays text, bytes stay bytes."""
    string = data.String(content)
    assert string.read() == content
    assert string.read() == empty
    string.seek(0)
    assert string.read(2) == content[:2]
    assert string.tell() == 2
    assert string.read(None) == content[2:]


def test_empty_string_is_binary():
    """Without content there is nothing to say that it is text."""
    assert data.String().read() == b""
    assert data.String(b"").is_binary
    assert not data.String("").is_binary


def test_string_turns_to_text_when_text_is_written():
    """Text and bytes may be mixed; one text makes it all text."""
    string = data.String(b"one")
    string.seek(0, os.SEEK_END)
    string.write(b" two")
    assert string.is_binary
    string.write(" three")
    string.seek(0)
    assert string.read() == "one two three"


def test_string_never_cuts_a_character():
    """A limit within a character reads the character whole."""
    string = data.String("a🎬b")
    assert string.read(2) == "a🎬"
    assert string.read() == "b"


def test_long_string_leaves_memory():
    """What is longer than the memory limit goes to a temporary file and reads the same."""
    string = data.String()
    for _ in range(9):
        string.write(b"x" * 1024 * 1024)
    assert string.wrapped_file._rolled
    string.seek(-1, os.SEEK_END)
    assert string.read() == b"x"


def test_file_reads_and_writes_at_its_path(tmp_path):
    """A file is opened in the mode given, closed once, and useless afterwards."""
    path = tmp_path / "file"
    with data.File(path, "wb") as file:
        file.write(b"abc")
        file.flush()
        assert path.read_bytes() == b"abc"
        assert file.tell() == 3
    assert file.closed
    file.close()
    with pytest.raises(ValueError):
        file.write(b"more")
    file = data.File(path)
    file.seek(-1, os.SEEK_END)
    assert file.read() == b"c"
    with pytest.raises(io.UnsupportedOperation):
        file.write(b"x")
    file.close()


def test_text_file_is_utf8(tmp_path):
    """Text modes do not depend on the system's settings."""
    with data.File(tmp_path / "file", "w") as file:
        file.write("ü")
    assert (tmp_path / "file").read_bytes() == b"\xc3\xbc"
    with data.File(tmp_path / "file", "r") as file:
        assert file.read() == "ü"


def test_missing_file_is_an_error(tmp_path):
    """Opening what does not exist raises at once."""
    with pytest.raises(FileNotFoundError):
        data.File(tmp_path / "absent")


def test_wrapper_closes_what_it_wraps():
    """The wrapped file belongs to the wrapper."""
    inner = io.BytesIO(b"xyz")
    wrapper = data.FileWrapper(inner)
    wrapper.seek(1)
    assert wrapper.read(1) == b"y"
    wrapper.close()
    assert inner.closed


def test_closing_flushes():
    """What a subclass sends on in its flush is sent when the data is closed, exactly once."""

    class Remote(data.FileWrapper):
        sent = []

        def flush(self):
            position = self.tell()
            self.seek(0)
            self.sent.append(self.wrapped_file.read())
            self.seek(position)

    with Remote(io.BytesIO()) as remote:
        remote.write(b"all of it")
    remote.close()
    assert Remote.sent == [b"all of it"]


def test_failing_flush_still_closes():
    """When what was held back cannot be sent, the error is raised and the data is closed."""

    class Broken(data.FileWrapper):
        def flush(self):
            raise OSError("no room")

    inner = io.BytesIO()
    broken = Broken(inner)
    with pytest.raises(OSError, match="no room"):
        broken.close()
    assert broken.closed
    assert inner.closed


def test_own_data_needs_read_and_write_only():
    """A subclass that does no more says what it cannot do."""

    class Zeros(data.Data):
        def read(self, limit=None):
            return b"\0" * (limit or 0)

        def write(self, content):
            raise io.UnsupportedOperation

    zeros = Zeros()
    zeros.flush()
    with pytest.raises(NotImplementedError, match="Zeros does not support seek"):
        zeros.seek(0)
    with pytest.raises(NotImplementedError, match="tell"):
        zeros.tell()
    zeros.close()
    assert zeros.closed
    with pytest.raises(TypeError):
        data.Data()
