"""Locks on files end when their owner gives them up, although a child process has a copy."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("fcntl", reason="the system has no locks that a child process inherits")
pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")

#: Takes a lock, forks while it has it, gives it up, and takes it again while the fork lives.
PROGRAM = """
import contextlib, os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
{kind}
reader, writer = os.pipe()
with taken():
    if os.fork() == 0:
        os.close(writer)
        os.read(reader, 1)  # Until the parent ends.
        os._exit(0)
import fcntl
fcntl.flock = without_waiting(fcntl.flock)
with taken():
    print("taken again")
"""

#: A lock that waits would hang here, so it fails instead.
WITHOUT_WAITING = """
def without_waiting(flock):
    import fcntl
    return lambda file, how: flock(file, how | fcntl.LOCK_NB)
"""

KINDS = {
    "file of a transfer": """
        from ftrack_like.accessor import _temporary
        path = str(folder / "one")
        pathlib.Path(path).touch()
        @contextlib.contextmanager
        def taken():
            claimed = _temporary.claim_existing(path)
            assert claimed is not None, "in use"
            yield
            claimed.leave()
        """,
    "folder of a server": """
        from ftrack_like.sandbox.folder_lock import FolderLock
        @contextlib.contextmanager
        def taken():
            lock = FolderLock(folder, "data", "--data")
            lock.take()
            yield
            lock.release()
        """,
    "file of profiles": """
        from ftrack_like._configuration import files
        files.LOCK_PATIENCE = 0.1
        def taken():
            return files.writing_profiles(str(folder / "profiles.toml"))
        """,
    "block for one process": """
        import fcntl
        from ftrack_like.sandbox.exclusive import alone
        @contextlib.contextmanager
        def taken():
            with alone(folder):
                yield
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(handle)
        """,
    "folder for incomplete files": """
        import fcntl
        from ftrack_like._media.scratch import ScratchFolder
        @contextlib.contextmanager
        def taken():
            scratch = ScratchFolder(folder)
            handle = os.open(scratch.path, os.O_RDONLY)
            yield
            scratch.close()
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(handle)
        """,
}


@pytest.mark.parametrize("kind", KINDS)
def test_lock_ends_although_a_child_has_a_copy(kind, tmp_path):
    """After the owner gives a lock up, it can be taken again while a forked child lives."""
    code = WITHOUT_WAITING + PROGRAM.format(kind=textwrap.dedent(KINDS[kind]))
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == "taken again\n", result.stderr
