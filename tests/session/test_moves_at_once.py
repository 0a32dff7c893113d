"""Many files at once: in threads, so that nobody notices but by the time that it takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ftrack_like import exception, symbol
from ftrack_like.accessor import _parallel, _parts
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.entity.location import Location
from ftrack_like.structure.id import IdStructure
from ftrack_like.structure.origin import OriginStructure

FRAMES = 40
FRAME = b"frame" * 1000

#: Seconds after which a thread is not waited for any more.
PATIENCE = 20


class Threaded(DiskAccessor):
    """A studio's accessor that says that it bears threads; *before* is called with each path."""

    is_thread_safe = True

    def __init__(self, prefix, before):
        super().__init__(prefix)
        self._before = before

    def open(self, resource_identifier, mode="rb"):
        self._before(resource_identifier)
        return super().open(resource_identifier, mode)


class Silent(DiskAccessor):
    """A studio's accessor from the time before threads; it notes which ones it was used in."""

    def __init__(self, prefix):
        super().__init__(prefix)
        self.threads = set()

    def open(self, resource_identifier, mode="rb"):
        self.threads.add(threading.current_thread())
        return super().open(resource_identifier, mode)


@pytest.fixture
def origin(session):
    """The location that remembers where data comes from."""
    return session.get("Location", symbol.ORIGIN_LOCATION_ID)


@pytest.fixture
def make_location(session, tmp_path):
    """Make a location on disk."""

    def make(name):
        location = session.create("Location", {"name": name})
        location.accessor = DiskAccessor(str(tmp_path / name))
        location.structure = IdStructure()
        session.commit()
        return location

    return make


@pytest.fixture
def target(make_location):
    """A location on disk, without anything in it."""
    return make_location("target")


@pytest.fixture
def sequence(session, tmp_path):
    """A sequence of forty frames."""
    for number in range(FRAMES):
        (tmp_path / f"frame.{number:04d}.exr").write_bytes(FRAME)
    path = tmp_path / f"frame.%04d.exr [0-{FRAMES - 1}]"
    return session.create_component(str(path), location=None)


@pytest.fixture(autouse=True)
def no_thread_stays():
    """Fail if a transfer leaves a thread behind."""
    yield
    left = [each.name for each in threading.enumerate() if each.name.startswith("ftrack-like-move")]
    assert left == []


def stored(location):
    """Return the files that lie in a location on disk, and what is left of others, sorted."""
    return sorted(path for path in Path(location.accessor.prefix).rglob("*") if path.is_file())


def number_of(path):
    """Return the number of the frame at *path*."""
    return int(path.split(".")[-2])


def test_frames_are_copied_at_the_same_time(session, target, origin, sequence):
    """Eight are under way at once; each arrives as it was, where it belongs."""
    barrier = threading.Barrier(_parallel.THREADS)
    origin.accessor = Threaded("", lambda path: barrier.wait(PATIENCE))
    target.add_component(sequence, origin)
    assert target.get_component_availability(sequence) == 100.0
    assert len(stored(target)) == FRAMES
    for member in sequence["members"]:
        assert Path(target.get_filesystem_path(member)).read_bytes() == FRAME


def test_up_and_down_at_the_same_time(session, target, origin, sequence):
    """The storage of the server takes and gives several frames at once, too."""
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    assert server.adds_data_in_threads(origin)
    assert target.adds_data_in_threads(server)
    server.add_component(sequence, origin)
    target.add_component(sequence, server)
    assert [path.read_bytes() for path in stored(target)] == [FRAME] * FRAMES


def test_long_files_at_the_same_time(session, target, origin, sequence, monkeypatch):
    """Files that go in parts use one thread each, so that memory stays bounded."""
    monkeypatch.setattr(_parts, "PART_SIZE", 1000)
    threads = []
    make = threading.Thread.start

    def start(thread):
        if thread.name.startswith("ftrack-like-upload"):
            threads.append(thread)
        make(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    server.add_component(sequence, origin)
    assert len(threads) == FRAMES
    target.add_component(sequence, server)
    assert [path.read_bytes() for path in stored(target)] == [FRAME] * FRAMES


# Where it would be noticed


def test_an_accessor_that_does_not_say_so_stays_on_this_thread(session, target, origin, sequence):
    """A subclass may do in its methods what bears no threads, as a source and as a target."""
    origin.accessor = Silent("")
    target.add_component(sequence, origin)
    assert origin.accessor.threads == {threading.current_thread()}
    target.remove_component(sequence)
    origin.accessor = DiskAccessor("")
    target.accessor = Silent(target.accessor.prefix)
    target.add_component(sequence, origin)
    assert target.accessor.threads == {threading.current_thread()}


def test_replaced_methods_stay_on_this_thread(session, target, origin, sequence):
    """A method set on an accessor, or another way to add data, is called as it always was."""
    threads = set()
    accessor = DiskAccessor("")
    way, add = accessor.open, target._add_data

    def opens(*arguments):
        threads.add(threading.current_thread())
        return way(*arguments)

    accessor.open = opens
    origin.accessor = accessor
    target.add_component(sequence, origin)
    target.remove_component(sequence)
    origin.accessor = DiskAccessor("")

    def adds(*arguments):
        threads.add(threading.current_thread())
        add(*arguments)

    target._add_data = adds
    target.add_component(sequence, origin)
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("contents", ["ab", "aa"])
@pytest.mark.parametrize("way", ["same", "case", "link"])
def test_two_components_for_one_place(session, target, origin, tmp_path, way, contents):
    """The second finds the data of the first, as one after the other, also through a link."""
    (tmp_path / "target" / "real").mkdir(parents=True)
    (tmp_path / "target" / "link").symlink_to("real")
    names = {"same": ("real/a", "real/a"), "case": ("real/A", "real/a"), "link": ("real/a",) * 2}
    if way == "link":
        names["link"] = ("real/a", "link/a")
    places = list(names[way])
    components = []
    for number, content in enumerate(contents):
        path = tmp_path / str(number)
        path.write_text(content)
        components.append(session.create_component(str(path), location=None))

    class Structure(OriginStructure):
        def get_resource_identifier(self, entity, context=None):
            return places[components.index(entity)]

    target.structure = Structure()
    accessor = target.accessor
    assert not accessor.exists("real/A")
    if way == "case":
        # This file system tells them apart; what counts is that they go one after the other.
        threads = set()
        exists = accessor.exists
        accessor.exists = lambda place: bool(threads.add(threading.get_ident())) or exists(place)
        target.add_components(components, origin)
        assert threads == {threading.get_ident()}
        return
    with pytest.raises(exception.LocationError, match="There is data at"):
        target.add_components(components, origin)
    assert stored(target) == []


# When things go wrong


def test_the_first_error_in_the_order_of_the_frames(session, target, origin, sequence):
    """Which thread is quicker does not matter: it is the error of one after the other."""
    later = threading.Event()

    def before(path):
        if number_of(path) == 5:
            later.set()
            raise exception.AccessorOperationFailedError("read", path, error="the later one")
        if number_of(path) == 2:
            assert later.wait(PATIENCE)
            raise exception.AccessorOperationFailedError("read", path, error="the earlier one")

    origin.accessor = Threaded("", before)
    with pytest.raises(exception.LocationError, match="the earlier one") as caught:
        target.add_component(sequence, origin)
    assert caught.value.details["component"] == sequence["members"][2]
    assert stored(target) == []
    assert target.get_component_availability(sequence) == 0.0
    origin.accessor = DiskAccessor("")
    target.add_component(sequence, origin)
    assert target.get_component_availability(sequence) == 100.0


def test_a_failure_ends_the_rest(session, target, origin, sequence, monkeypatch):
    """Frames that were not begun are left alone, those under way end at their next chunk."""
    opened, failed = [], threading.Event()

    def before(path):
        opened.append(path)
        if number_of(path) == 0:
            raise exception.AccessorOperationFailedError("read", path, error="broken")
        assert failed.wait(PATIENCE)

    take_note = _parallel._Moving._fail

    def fail(self, index):
        take_note(self, index)
        failed.set()  # The others go on when the failure is known, not a moment earlier.

    monkeypatch.setattr(_parallel._Moving, "_fail", fail)
    origin.accessor = Threaded("", before)
    with pytest.raises(exception.LocationError, match="broken"):
        target.add_component(sequence, origin)
    assert len(opened) <= _parallel.THREADS
    assert stored(target) == []


def test_progress_of_many(session, target, origin, sequence):
    """It is told on this thread, never goes back, and ends at the total."""
    told, threads = [], set()

    def progress(done, total):
        told.append((done, total))
        threads.add(threading.current_thread())

    sequence["members"][3]["size"] = 1  # A wrong one; what counts in the end is the data.
    target.add_component(sequence, origin, progress=progress)
    done = [each for each, _ in told]
    assert done == sorted(set(done))
    assert told[-1] == (FRAMES * len(FRAME), FRAMES * len(FRAME))
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("accessor", [DiskAccessor, Silent])
def test_progress_of_empty_files(session, target, origin, tmp_path, accessor):
    """Files that turn out to be empty end at the total as well, in threads or not."""
    components = []
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"")
        components.append(session.create_component(str(tmp_path / name), {"size": 10}, None))
    told = []
    origin.accessor = accessor("")
    target.add_components(components, origin, progress=lambda *news: told.append(news))
    assert told[-1] == (0, 0)


@pytest.mark.parametrize("error", [TimeoutError, KeyboardInterrupt])
def test_progress_that_raises_cancels(session, target, origin, sequence, error):
    """What it raises comes out, nothing is left, and the repeat succeeds."""

    def give_up(done, total):
        if done > total / 3:
            raise error("enough")

    with pytest.raises(error, match="enough"):
        target.add_component(sequence, origin, progress=give_up)
    assert stored(target) == []
    assert target.get_component_availability(sequence) == 0.0
    target.add_component(sequence, origin)
    assert target.get_component_availability(sequence) == 100.0


def test_a_source_that_ends_early_is_noticed(session, target, origin, sequence):
    """The length of each file is compared in the threads, too."""

    class Short(DiskAccessor):
        is_thread_safe = True

        def open(self, resource_identifier, mode="rb"):
            opened = super().open(resource_identifier, mode)
            if number_of(resource_identifier) == 7:
                opened.remaining_size = lambda: len(FRAME) + 1
            return opened

    origin.accessor = Short("")
    with pytest.raises(exception.LocationError, match=r"had 5000 bytes.* and has 5001 now"):
        target.add_component(sequence, origin)
    assert stored(target) == []


def test_a_method_of_a_location_may_ask_for_more(session, target, origin, sequence):
    """What a studio's location says about places in the source is asked on this thread."""
    threads = set()

    class Studio(Location):
        def get_resource_identifier(self, component):
            threads.add(threading.current_thread())
            return super().get_resource_identifier(component)

    origin.__class__ = type("Studio", (Studio, type(origin)), {})
    target.add_component(sequence, origin)
    assert threads == {threading.current_thread()}
    assert len(stored(target)) == FRAMES


class Readable(IdStructure):
    """Places files by their names alone, so that a repeat finds the same places."""

    def get_resource_identifier(self, entity, context=None):
        return os.path.basename(context["source_resource_identifier"])


KILLED = """
import os, signal, sys
import ftrack_like
from ftrack_like import symbol
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.structure.id import IdStructure

class Readable(IdStructure):
    def get_resource_identifier(self, entity, context=None):
        return os.path.basename(context["source_resource_identifier"])

def kill(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

url, user, key, path, location_id, prefix, when = sys.argv[1:]
session = ftrack_like.Session(url, key, user, schema_cache_path=False, plugin_paths=[])
location = session.get("Location", location_id)
location.accessor, location.structure = DiskAccessor(prefix), Readable()
if when == "registering":
    location._register_components_in_location = kill
component = session.create_component(path, location=None)
origin = session.get("Location", symbol.ORIGIN_LOCATION_ID)
location.add_component(component, origin, progress=lambda *news: news[0] > news[1] / 2 and kill())
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("when", ["copying", "registering"])
def test_killed_among_many(sandbox, session, target, tmp_path, sequence, when):
    """No half file has a name, nothing is registered, and the repeat takes over what is whole."""
    os.mkdir(target.accessor.prefix)
    path = str(tmp_path / f"frame.%04d.exr [0-{FRAMES - 1}]")
    script = KILLED if when == "copying" else KILLED.replace("news[0] > news[1] / 2", "False")
    killed = subprocess.run(
        [
            *(sys.executable, "-c", script, sandbox.server_url, sandbox.api_user),
            *(sandbox.api_key, path, target["id"], target.accessor.prefix, when),
        ],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    whole = [each for each in stored(target) if not each.name.endswith(".ftrack-part")]
    assert whole
    assert all(each.read_bytes() == FRAME for each in whole)
    assert session.query("select id from ComponentLocation").all() == []
    target.structure = Readable()
    before = session.statistics.requests
    component = session.create_component(path, location=target)
    assert session.statistics.requests - before <= 6
    assert target.get_component_availability(component) == 100.0
    assert [each.read_bytes() for each in stored(target)] == [FRAME] * FRAMES


def test_other_data_in_the_way_stays(session, target, origin, sequence):
    """What nobody registered is not taken over if it is different, and is told apart."""
    target.structure = Readable()
    there = Path(target.accessor.prefix) / "frame.0004.exr"
    there.parent.mkdir()
    there.write_bytes(FRAME[:-1] + b"?")
    with pytest.raises(exception.LocationError, match="No component is registered there"):
        target.add_component(sequence, origin)
    assert stored(target) == [there]
    there.write_bytes(FRAME)
    target.add_component(sequence, origin)
    with pytest.raises(exception.LocationError, match=r"already, which is not overwritten\.$"):
        target.add_component(session.create_component(str(there), location=None), origin)
    assert len(stored(target)) == FRAMES


def test_what_was_found_is_not_removed(session, target, origin, sequence):
    """A transfer that fails removes what it wrote, and nothing else."""
    target.structure = Readable()
    there = Path(target.accessor.prefix) / "frame.0004.exr"
    there.parent.mkdir()
    there.write_bytes(FRAME)
    session.commit()
    session.create("Timer", {"user_id": "nobody"})
    with pytest.raises(exception.LocationError, match="Failed to register"):
        target.add_component(sequence, origin)
    assert stored(target) == [there]


def test_a_folder_in_the_way(session, target, origin, sequence):
    """What is no file is no left-over either."""
    target.structure = Readable()
    (Path(target.accessor.prefix) / "frame.0004.exr").mkdir(parents=True)
    with pytest.raises(exception.LocationError, match="There is data at"):
        target.add_component(sequence, origin)
    assert stored(target) == []
