"""The cache in a file: several processes, killed writers, removed and foreign files."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

from ftrack_like import cache
from ftrack_like.cache import _sqlite

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def path(tmp_path):
    """Where the cache file is."""
    return str(tmp_path / "cache.dbm")


def _start(code, *arguments):
    """Start *code* in another process."""
    return subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_constructor_makes_one_private_file(path):
    """The file is at exactly the path given, and for its owner only."""
    cache.FileCache(path)
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_constructor_restricts_an_older_file(path):
    """A cache that was readable by others is closed to them."""
    cache.FileCache(path).set("key", "value")
    os.chmod(path, 0o644)
    assert cache.FileCache(path).get("key") == "value"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_path_may_be_a_path_object_or_an_empty_file(tmp_path):
    """A path object is fine, and so is a temporary file somebody made."""
    empty = tmp_path / "empty"
    empty.touch()
    file = cache.FileCache(empty)
    file.set("key", "value")
    assert file.path == empty
    assert cache.FileCache(empty).get("key") == "value"


@pytest.mark.parametrize(
    "text", ["", "plain", "ünï ✓ 🎬", "nul\0inside", "lone \ud800", "a" * 3_000_000]
)
def test_any_text(path, text):
    """Every text is a key and a value."""
    file = cache.FileCache(path)
    file.set(text, text)
    assert file.get(text) == text
    assert file.keys() == [text]
    assert file.values() == [text]
    file.remove(text)
    with pytest.raises(KeyError):
        file.get(text)
    with pytest.raises(KeyError):
        file.remove(text)


def test_other_values_are_refused_in_words(path):
    """What is not text gets an error that says how to store it."""
    file = cache.FileCache(path)
    with pytest.raises(TypeError, match="SerialisedCache"):
        file.set("key", {"a": 1})
    with pytest.raises(TypeError, match="text as key"):
        file.get(("Task", ["id"]))
    with pytest.raises(TypeError):
        file.set_many({"good": "value", "bad": None})
    assert file.keys() == []


def test_database_is_a_mutable_mapping(path):
    """Subclasses reach the open file as a mapping of text to value."""
    file = cache.FileCache(path)
    with file._database() as database:
        database["one"] = "1"
        database["bytes"] = b"\xff\0"
        database.update(two="2")
        assert len(database) == 3
        assert database.pop("one") == "1"
    with file._database() as database:
        assert dict(database) == {"bytes": b"\xff\0", "two": "2"}
        assert "one" not in database
        database.clear()
    assert file.keys() == []


def test_database_undoes_what_an_exception_interrupts(path):
    """One with statement is one transaction, nested ones included."""
    file = cache.FileCache(path)

    def interrupted():
        with file._database() as database:
            database["one"] = "1"
            file.set("two", "2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert file.keys() == []


def test_clear_by_pattern(path):
    """Keys are matched as text, special characters of SQL included."""
    file = cache.FileCache(path)
    file.set_many({"a%": "1", "ab": "2", "b_": "3"})
    file.clear("a.")
    assert file.keys() == ["b_"]
    file.clear()
    assert file.keys() == []


def test_removing_the_file_starts_a_new_cache(path):
    """The next use after somebody removed the file works on a fresh one."""
    file, second = cache.FileCache(path), cache.FileCache(path)
    file.set("old", "value")
    second.set("other", "value")
    os.remove(path)
    with pytest.raises(KeyError):
        file.get("old")
    file.set("new", "value")
    assert second.keys() == ["new"]
    os.remove(path)
    del file
    second.set("again", "value")
    assert cache.FileCache(path).keys() == ["again"]


def test_missing_folder_is_an_error(tmp_path):
    """A folder that is not there is named."""
    with pytest.raises(FileNotFoundError, match="absent"):
        cache.FileCache(tmp_path / "absent" / "cache")


def test_foreign_file_is_not_touched(path, tmp_path):
    """A file that may be somebody's work is refused and kept."""
    (tmp_path / "scene.ma").write_text("//Maya ASCII")
    with pytest.raises(FileExistsError, match=r"scene\.ma is not a cache"):
        cache.FileCache(tmp_path / "scene.ma")
    assert (tmp_path / "scene.ma").read_text() == "//Maya ASCII"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE work (done)")
    connection.close()
    with pytest.raises(FileExistsError, match="database of another program"):
        cache.FileCache(path)


def test_file_of_an_older_client_is_replaced(path):
    """A cache file of the dbm family is only a cache: it is started anew."""
    with open(path, "wb") as file:
        file.write(b"\xce\x9a\x57\x13" + bytes(60))
    renewed = cache.FileCache(path)
    renewed.set("key", "value")
    assert cache.FileCache(path).get("key") == "value"


@pytest.mark.parametrize("damage", ["head", "body", "meanwhile"])
def test_broken_file_heals(path, damage):
    """A torn file costs what it held, never an error."""
    file = cache.FileCache(path)
    file.set_many({str(number): "x" * 500 for number in range(200)})
    if damage != "meanwhile":
        file._handle.close()
    with open(path, "r+b") as raw:
        raw.seek(16 if damage == "head" else 4096)
        raw.write(os.urandom(8) * 20_000)
    if damage != "meanwhile":
        file = cache.FileCache(path)
    else:
        file._handle.close()
    file.set("key", "value")
    assert file.get("key") == "value"
    assert cache.FileCache(path).get("key") == "value"


WRITE_AND_COUNT = """
import sys
from ftrack_like.cache import FileCache
path, name = sys.argv[1:]
cache = FileCache(path)
for number in range(150):
    cache.set(f"{name}-ü-{number}", "value " * 50)
    cache.set("shared", name)
print(sum(cache.get(f"{name}-ü-{number}") == "value " * 50 for number in range(150)))
"""


def test_four_processes_lose_nothing(path):
    """Processes that start and write at the same time keep every key."""
    writers = [_start(WRITE_AND_COUNT, path, str(number)) for number in range(4)]
    assert [writer.communicate(timeout=60)[0].strip() for writer in writers] == ["150"] * 4
    assert len(cache.FileCache(path).keys()) == 4 * 150 + 1


WRITE_WITH_SECOND_OBJECTS = """
import copy, os, pickle, sys
from ftrack_like.cache import FileCache
path, name, spelling = sys.argv[1:]
file = FileCache(path)
ways = [
    lambda: FileCache(spelling),
    lambda: copy.copy(file),
    lambda: pickle.loads(pickle.dumps(file)),
]
for number in range(150):
    with file._database() as database:
        database[f"{name}-{number}"] = "value " * 50
        second = ways[number % 3]()
        del second
    second = ways[number % 3]()
    assert second.get(f"{name}-{number}") == "value " * 50
print(len([key for key in file.keys() if key.startswith(name)]))
"""


@pytest.mark.parametrize("spelling", ["same", "relative", "symlink", "folder"])
def test_second_objects_keep_the_locks_of_the_first(path, tmp_path, spelling):
    """Making and dropping second objects for a file in use loses no key of any process."""
    spellings = {
        "same": path,
        "relative": os.path.relpath(path),
        "symlink": str(tmp_path / "link"),
        "folder": str(tmp_path / "folder" / "cache.dbm"),
    }
    os.symlink(path, tmp_path / "link")
    os.symlink(tmp_path, tmp_path / "folder", target_is_directory=True)
    writers = [_start(WRITE_WITH_SECOND_OBJECTS, path, name, spellings[spelling]) for name in "abc"]
    assert [writer.communicate(timeout=120)[0].strip() for writer in writers] == ["150"] * 3
    assert len(cache.FileCache(path).keys()) == 3 * 150


@pytest.mark.parametrize("in_use", [False, True], ids=["at rest", "in use"])
def test_hard_links_are_separate_caches(path, tmp_path, in_use):
    """Each name of a hard link becomes a file of its own, a copy if the first is not in use."""
    file = cache.FileCache(path)
    file.set("before", "value")
    os.link(path, tmp_path / "link")
    if not in_use:
        file._handle.close()
    second = cache.FileCache(tmp_path / "link")
    for number in range(100):
        file.set(f"first-{number}", "value")
        second.set(f"second-{number}", "value")
    assert os.stat(path).st_nlink == os.stat(tmp_path / "link").st_nlink == 1
    copied = set() if in_use else {"before"}
    assert set(file.keys()) == {"before", *(f"first-{number}" for number in range(100))}
    assert set(second.keys()) == {*copied, *(f"second-{number}" for number in range(100))}
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".ftrack")]


def test_hard_link_made_while_in_use_costs_no_key(path, tmp_path):
    """A backup that links the file of a cache in use keeps its keys from being lost."""
    file = cache.FileCache(path)
    file.set("before", "value")
    os.link(path, tmp_path / "backup")
    second = cache.FileCache(path)
    second.set("later", "value")
    assert sorted(file.keys()) == ["before", "later"]


def test_hard_link_to_other_work_is_not_touched(path, tmp_path):
    """A hard link to a file of another kind is refused and stays a link."""
    (tmp_path / "scene.ma").write_text("//Maya ASCII")
    os.link(tmp_path / "scene.ma", path)
    with pytest.raises(FileExistsError):
        cache.FileCache(path)
    assert os.stat(path).st_nlink == 2


def test_folder_is_refused_in_words(tmp_path):
    """A folder is no place for a cache."""
    with pytest.raises(FileExistsError, match="is not a file"):
        cache.FileCache(tmp_path)


def test_threads_share_one_cache(path):
    """Eight threads on one object lose nothing."""
    file = cache.FileCache(path)

    def write(name):
        for number in range(50):
            file.set(f"{name}-{number}", "value")
            assert file.get(f"{name}-{number}") == "value"

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(file.keys()) == 8 * 50


WRITE_UNTIL_KILLED = """
import sys
from ftrack_like.cache import FileCache
cache = FileCache(sys.argv[1])
for number in range(10**9):
    cache.set_many({f"{number}-{part}": "x" * 1000 for part in range(20)})
    print(number, flush=True)
"""


def test_killed_writer_loses_no_finished_write(path):
    """After a kill in the middle of writing, every write that returned is there, whole."""
    for _ in range(2):
        writer = _start(WRITE_UNTIL_KILLED, path)
        finished = 0
        while finished < 20:
            finished = int(writer.stdout.readline())
        writer.kill()
        finished = max([finished, *map(int, writer.communicate()[0].split())])
        file = cache.FileCache(path)
        keys = set(file.keys())
        assert {f"{number}-{part}" for number in range(finished + 1) for part in range(20)} <= keys
        assert len(keys) % 20 == 0
        assert file.get("0-0") == "x" * 1000


@needs_fork
def test_fork_with_an_open_cache(path):
    """Parent and child go on with the same file, both with connections of their own."""
    file = cache.FileCache(path)
    file.set("before", "value")
    child = os.fork()
    if not child:
        status = 1
        try:
            file.set("child", file.get("before"))
            status = 0
        finally:
            os._exit(status)
    file.set("parent", "value")
    assert os.waitpid(child, 0)[1] == 0
    assert sorted(file.keys()) == ["before", "child", "parent"]


@needs_fork
def test_fork_inside_a_transaction_of_another_thread(path):
    """A thread that holds the cache during a fork does not hang the child."""
    file = cache.FileCache(path)
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with file._database() as database:
            database["held"] = "value"
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(10)
    threading.Timer(0.05, leave.set).start()
    child = os.fork()
    if not child:
        signal.alarm(10)
        os._exit(0 if file.get("held") == "value" else 1)
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


@needs_fork
def test_fork_inside_a_transaction(path):
    """A child that was forked inside a transaction gets an error, and the parent goes on."""
    file, second = cache.FileCache(path), cache.FileCache(path)
    with file._database() as database:
        database["parent"] = "value"
        child = os.fork()
        if not child:
            for used in (file, second):
                try:
                    used.set("child", "value")
                except OSError as error:
                    if "forked during a transaction" not in str(error):
                        os._exit(1)
                else:
                    os._exit(2)
            os.execv(sys.executable, [sys.executable, "-c", ""])
        assert os.waitpid(child, 0)[1] == 0
        database["later"] = "value"
    assert sorted(second.keys()) == ["later", "parent"]


@needs_fork
def test_child_that_ends_leaves_a_transaction_alone(path):
    """The end of a child's interpreter does not end the transaction of its parent."""
    code = """
import os, sys
from ftrack_like.cache import FileCache
file = FileCache(sys.argv[1])
with file._database() as database:
    database["parent"] = "value"
    child = os.fork()
    if not child:
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    database["later"] = "value"
print(sorted(file.keys()))
"""
    started = _start(code, path)
    assert started.communicate(timeout=60)[0].strip() == "['later', 'parent']"


def _set_in_process(file):
    file.set("process", "value")


def test_cache_travels_to_another_process(path):
    """A cache can be pickled: what arrives opens the same file."""
    file = cache.FileCache(path)
    pickle.loads(pickle.dumps(file)).set("pickled", "value")
    process = multiprocessing.get_context("spawn").Process(target=_set_in_process, args=(file,))
    process.start()
    process.join(30)
    assert sorted(file.keys()) == ["pickled", "process"]


def test_write_ahead_log_is_used_where_it_works(path):
    """Readers do not wait for a writer on a local disk."""
    file, reader = cache.FileCache(path), cache.FileCache(path)
    file.set("key", "old")
    with file._database() as database:
        database["key"] = "new"
        assert reader.get("key") == "old"
    assert reader.get("key") == "new"


def test_rollback_journal_is_used_on_shares(path, monkeypatch):
    """Where several machines see the file, nothing relies on shared memory."""
    monkeypatch.setattr(_sqlite, "is_network_path", lambda path: True)
    file = cache.FileCache(path)
    file.set("key", "value")
    with open(path, "rb") as raw:
        raw.seek(18)
        assert raw.read(2) == b"\x01\x01"  # The file format's versions: a rollback journal.
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    writers = [_start(WRITE_AND_COUNT, path, str(number)) for number in range(2)]
    assert [writer.communicate(timeout=60)[0].strip() for writer in writers] == ["150"] * 2


MOUNTS = r"""
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/my\040projects rw shared:1 - nfs4 server:/projects rw
31 30 8:2 / /mnt/my\040projects/local rw - xfs /dev/sdb rw
""".strip().split("\n")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me/cache", "ext4"),
        ("/mnt/my projects/cache", "nfs4"),
        ("/mnt/my projects", "nfs4"),
        ("/mnt/my projects/local/cache", "xfs"),
        ("/mnt/my projects local", "ext4"),
    ],
)
def test_file_system_of_a_path(path, expected):
    """The deepest mount that holds a path says what file system it is on."""
    assert _sqlite.file_system_type(path, MOUNTS) == expected
