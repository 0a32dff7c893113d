"""Files to publish: they changed, are empty, are no files, or have paths that no file can have."""

from __future__ import annotations

import functools
import logging
import os

import pytest

from ftrack_like import exception, symbol
from ftrack_like._base.paths import problem_of
from ftrack_like.accessor.disk import DiskAccessor
from ftrack_like.cache import FileCache
from ftrack_like.structure.id import IdStructure

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs POSIX files")


@pytest.fixture
def origin(session):
    """The location that remembers where data comes from."""
    return session.get("Location", symbol.ORIGIN_LOCATION_ID)


@pytest.fixture
def disk(session, tmp_path):
    """A location on disk."""
    made = session.create("Location", {"name": "disk"})
    session.commit()
    made.accessor = DiskAccessor(str(tmp_path / "disk"))
    made.structure = IdStructure()
    return made


@pytest.fixture(params=["disk", "server"])
def location(request, session, disk):
    """A location on disk, and that of the server."""
    return disk if request.param == "disk" else session.get("Location", symbol.SERVER_LOCATION_ID)


@pytest.fixture
def source(tmp_path):
    """A file to publish."""
    made = tmp_path / "source.mov"
    made.write_bytes(b"content")
    return made


def files_below(folder):
    """Return the files below *folder*."""
    return [name for _, _, names in os.walk(folder) for name in names]


def stored(session, location, tmp_path):
    """Return what *location* has, by registration and by file."""
    found = session.query(f'ComponentLocation where location_id is "{location["id"]}"').all()
    return found + files_below(tmp_path / "disk")


# A source that changed


@pytest.mark.parametrize("content", [b"", b"short", b"longer than before"])
def test_a_file_that_changed_its_size_is_not_published(
    session, location, origin, source, tmp_path, content
):
    """The location refuses it, names the file, and has nothing of it."""
    component = session.create_component(str(source), location=None)
    source.write_bytes(content)
    with pytest.raises(exception.LocationError, match=r"source\.mov changed: it had 7 bytes"):
        location.add_component(component, origin)
    assert stored(session, location, tmp_path) == []


def test_a_publish_of_a_file_that_changes_meanwhile_leaves_nothing(session, disk, source, tmp_path):
    """``create_component`` takes the component back when its own transfer finds the change."""
    make_place = disk.structure.get_resource_identifier

    def grow(entity, context=None):
        source.write_bytes(b"rendered further")
        return make_place(entity, context)

    disk.structure.get_resource_identifier = grow
    with pytest.raises(exception.LocationError, match="changed"):
        session.create_component(str(source), location=disk)
    assert list(session.recorded_operations) == []
    assert stored(session, disk, tmp_path) == []


@pytest.mark.parametrize("kind", ["sequence", "container"])
def test_a_member_that_changed_its_size_is_not_published(session, location, origin, tmp_path, kind):
    """All members are taken back when one of them is not what it was."""
    paths = [tmp_path / f"f.{number:04}.exr" for number in range(1, 6)]
    for path in paths:
        path.write_bytes(b"frame")
    if kind == "sequence":
        component = session.create_component(str(tmp_path / "f.%04d.exr [1-5]"), location=None)
    else:
        component = session.create("ContainerComponent", {"name": "box"})
        component["members"] = [
            session.create_component(str(path), location=None) for path in paths
        ]
    paths[3].write_bytes(b"fra")
    with pytest.raises(exception.LocationError, match=r"f\.0004\.exr changed"):
        location.add_component(component, origin)
    assert stored(session, location, tmp_path) == []


def test_a_file_that_was_only_touched_is_published(session, location, origin, source):
    """Neither a new time nor other content of the same size stops a transfer."""
    component = session.create_component(str(source), location=None)
    source.write_bytes(b"CONTENT")
    os.utime(source, (1, 1))
    location.add_component(component, origin)
    with location.accessor.open(location.get_resource_identifier(component)) as data:
        assert data.read() == b"CONTENT"


@pytest.mark.parametrize("when", ["created", "later"])
def test_a_size_that_the_caller_gave_never_stops_a_transfer(
    session, location, origin, source, when
):
    """It stays as it was given, at the creation or after the file changed."""
    data = {"size": 1234} if when == "created" else {}
    component = session.create_component(str(source), data, location=None)
    source.write_bytes(b"other content")
    component["size"] = 1234
    location.add_component(component, origin)
    assert component["size"] == 1234


def test_sizes_that_the_caller_gave_for_a_sequence_never_stop_a_transfer(
    session, location, origin, tmp_path
):
    """The shares of a size that was given for the whole are not compared with anything."""
    for number in (1, 2):
        (tmp_path / f"f.{number}.exr").write_bytes(b"frame")
    path = str(tmp_path / "f.%d.exr [1-2]")
    component = session.create_component(path, {"size": 9}, location=None)
    location.add_component(component, origin)
    assert location.get_component_availability(component) == 100.0


def test_a_file_that_was_made_later_is_published(session, location, origin, tmp_path):
    """There was nothing to measure when its component was created."""
    path = tmp_path / "later.mov"
    component = session.create_component(str(path), location=None)
    path.write_bytes(b"content")
    location.add_component(component, origin)
    assert location.get_component_availability(component) == 100.0


def test_another_session_trusts_what_it_counts(session, sandbox, disk, origin, source, tmp_path):
    """A session that did not create the component has nothing measured to compare with."""
    component = session.create_component(str(source), location=None)
    session.commit()
    source.write_bytes(b"other content")
    with sandbox.session() as other:
        there = other.get("Location", disk["id"])
        there.accessor, there.structure = disk.accessor, disk.structure
        same = other.get("FileComponent", component["id"])
        begin = other.get("Location", symbol.ORIGIN_LOCATION_ID)
        begin.add_component(same, str(source))
        there.add_component(same, begin)
        with open(there.get_filesystem_path(same), "rb") as data:
            assert data.read() == b"other content"


def test_data_that_changed_in_another_location_may_be_moved_on(session, disk, source):
    """Only the file that the component was created of is compared."""
    component = session.create_component(str(source), location=disk)
    with open(disk.get_filesystem_path(component), "wb") as data:
        data.write(b"compressed in place")
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    server.add_component(component, disk)
    with server.accessor.open(component["id"]) as data:
        assert data.read() == b"compressed in place"


# Empty files, and what is no media


@pytest.mark.parametrize("target", [None, "disk"])
def test_an_empty_file_is_warned_of(session, disk, tmp_path, caplog, target):
    """The warning names the file; the component is made all the same."""
    (tmp_path / "empty.mov").touch()
    with caplog.at_level(logging.WARNING):
        session.create_component(str(tmp_path / "empty.mov"), location=disk if target else None)
    assert "empty.mov is empty" in caplog.text


def test_empty_members_are_warned_of_once(session, tmp_path, caplog):
    """A sequence with empty files gives one warning."""
    for number in range(1, 4):
        (tmp_path / f"f.{number}.exr").write_bytes(b"x" * (number % 2))
        (tmp_path / f"g.{number}.exr").touch()
    with caplog.at_level(logging.WARNING):
        session.create_component(str(tmp_path / "f.%d.exr [1-3]"), location=None)
        session.create_component(str(tmp_path / "g.%d.exr [1-3]"), location=None)
    texts = [record.getMessage() for record in caplog.records]
    assert ["has 1 empty file" in text for text in texts[:1]] == [True]
    assert ["has 3 empty files" in text for text in texts[1:]] == [True]


def _empty(folder):
    (folder / "empty.mov").touch()
    return "empty.mov", exception.MediaError


def _directory(folder):
    (folder / "folder.mov").mkdir()
    return "folder.mov", exception.MediaError


def _text(folder):
    (folder / "notes.TXT").write_text("words")
    return "notes.TXT", exception.MediaError


def _missing(folder):
    return "missing.mov", exception.LocationError


def _frames(folder):
    (folder / "f.1.png").write_bytes(b"picture")
    (folder / "f.2.png").touch()
    return "f.%d.png [1-2]", exception.MediaError


def _no_frames(folder):
    return "f.%d.png []", exception.MediaError


def _nul(folder):
    return "a\0b.mov", exception.PathError


@pytest.mark.parametrize("make", [_empty, _directory, _text, _missing, _frames, _no_frames, _nul])
def test_what_cannot_be_media_is_refused_before_a_job_is_made(session, tmp_path, make):
    """Nothing is uploaded, no job and no component is made, and the path is named."""
    name, kind = make(tmp_path)
    with pytest.raises(kind) as caught:
        session.encode_media(str(tmp_path / name))
    assert str(tmp_path) in str(caught.value)
    assert session.query("select id from Job").all() == []
    assert session.query("select id from Component").all() == []
    assert list(session.recorded_operations) == []


def test_a_component_that_cannot_be_media_is_refused(session, tmp_path, caplog):
    """Neither an empty file nor a text becomes a job by way of a component."""
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    (tmp_path / "empty.mov").touch()
    (tmp_path / "notes.txt").write_text("words")
    for name in ("empty.mov", "notes.txt"):
        component = session.create_component(str(tmp_path / name), location=server)
        with pytest.raises(exception.MediaError):
            session.encode_media(component)
    assert session.query("select id from Job").all() == []


# Paths that no file can have, and what is at a path but no file


@pytest.mark.parametrize("name", ["a\0b.mov", "a\ud800.mov", "x" * 300, "a\0.%04d.exr [1-3]"])
@posix_only
def test_a_path_that_no_file_can_have_is_named(session, tmp_path, name):
    """The error of the library names the path, whether or not data is to be moved."""
    with pytest.raises(exception.PathError) as caught:
        session.create_component(str(tmp_path / name), location=None)
    assert str(tmp_path) in str(caught.value)
    str(caught.value).encode("utf-8")
    assert isinstance(caught.value, ValueError)
    assert list(session.recorded_operations) == []


@pytest.mark.parametrize("name", ["a\0b", "a\ud800", "x" * 300])
@pytest.mark.parametrize(
    "operation", ["list", "open", "write", "remove", "make_container", "get_container", "exists"]
)
@posix_only
def test_an_accessor_names_a_path_that_no_file_can_have(tmp_path, name, operation):
    """Every operation on it is an error of the library, but for what a long name is not."""
    accessor = DiskAccessor(str(tmp_path))
    if len(name) > 255 and operation in {"get_container", "exists"}:
        pytest.skip("a long name is only a name that does not exist")
    call = functools.partial(accessor.open, mode="wb")
    if operation != "write":
        call = getattr(accessor, operation)
    with pytest.raises(exception.AccessorError) as caught:
        call(name)
    assert repr(name)[1:-1] in str(caught.value)


def test_a_place_that_no_file_can_have_is_named(session, disk, source):
    """A structure that makes such a place gives an error that names it; nothing stays."""
    for place in ("a\0b/c", "x" * 300 + "/c"):
        disk.structure.get_resource_identifier = lambda entity, context=None, it=place: it
        with pytest.raises(exception.LocationError) as caught:
            session.create_component(str(source), location=disk)
        assert repr(place.partition("/")[0])[1:-1] in str(caught.value)
        assert list(session.recorded_operations) == []


def _pipe(folder):
    os.mkfifo(folder / "pipe.mov")
    return "pipe.mov"


def _folder(folder):
    (folder / "folder.mov").mkdir()
    return "folder.mov"


def _dangling(folder):
    (folder / "link.mov").symlink_to(folder / "nowhere")
    return "link.mov"


def _circle(folder):
    (folder / "circle.mov").symlink_to(folder / "circle.mov")
    return "circle.mov"


def _below_a_file(folder):
    (folder / "file").touch()
    return "file/x.mov"


def _forbidden(folder):
    (folder / "secret.mov").write_bytes(b"content")
    (folder / "secret.mov").chmod(0)
    if os.access(folder / "secret.mov", os.R_OK):
        pytest.skip("this user may read everything")
    return "secret.mov"


@pytest.mark.parametrize("make", [_pipe, _folder, _dangling, _circle, _below_a_file, _forbidden])
@posix_only
def test_what_is_no_file_is_named(session, location, tmp_path, make):
    """It is not published and not waited for: an error names the path, and nothing stays."""
    name = make(tmp_path)
    with pytest.raises(exception.Error) as caught:
        session.create_component(str(tmp_path / name), location=location)
    assert str(tmp_path / name) in str(caught.value)
    assert list(session.recorded_operations) == []
    assert stored(session, location, tmp_path) == []


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (r"C:\show\shot.mov", None),
        (r"\\server\share\shot v1.2.mov", None),
        (r"..\.\shot", None),
        (r"C:\show \shot.mov", "'show ' ends with a blank"),
        ("show./shot.mov", "'show.' ends with a blank or a dot"),
        ("shot.mov ", "ends with a blank"),
        ("CON", "device"),
        (r"a\lpt1.txt", "device"),
        ("shot:v1", "':'"),
        ("what?", "refuses"),
        ("a\x07b", "refuses"),
        ("a\0b", "NUL"),
    ],
)
def test_paths_that_windows_does_not_take(path, problem):
    """What Windows stores under another name, or not at all, is refused there."""
    found = problem_of(path, windows=True)
    assert (found is None) if problem is None else (problem in found)


# Locations that are not set up


@pytest.mark.parametrize("missing", ["accessor", "structure", "source accessor"])
def test_a_location_that_is_not_set_up_is_named_with_the_remedy(
    session, disk, origin, source, missing
):
    """Whatever is asked of it, the error names the location and says what to set."""
    component = session.create_component(str(source), location=disk)
    new = session.create_component(str(source), location=None)
    bare = session.create("Location", {"name": "bare"})
    session.commit()
    session.create(
        "ComponentLocation",
        {"component": component, "location": bare, "resource_identifier": "place"},
    )
    session.commit()
    if missing == "accessor":
        bare.structure = IdStructure()
        for ask in (
            lambda: bare.add_component(new, origin),
            lambda: bare.get_filesystem_path(component),
            lambda: bare.get_url(component),
            lambda: bare.remove_component(component),
        ):
            with pytest.raises(exception.LocationError, match=r"bare.*location\.accessor ="):
                ask()
    elif missing == "structure":
        bare.accessor = disk.accessor
        with pytest.raises(exception.LocationError, match=r"bare.*location\.structure ="):
            bare.add_component(new, origin)
    else:
        server = session.get("Location", symbol.SERVER_LOCATION_ID)
        with pytest.raises(exception.LocationError, match=r"source location.*bare.*accessor ="):
            server.add_component(component, bare)


def test_a_server_location_without_accessor_names_the_remedy_for_thumbnails(session, source):
    """The address of a thumbnail needs an accessor as well."""
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    component = session.create_component(str(source), location=server)
    server.accessor = symbol.NOT_SET
    with pytest.raises(exception.LocationError, match=r"location\.accessor ="):
        server.get_thumbnail_url(component)


def test_a_path_as_source_is_explained(session, disk, source):
    """Only locations are sources of other locations; the error says what to call instead."""
    component = session.create_component(str(source), location=None)
    with pytest.raises(exception.LocationError, match="is a path, not a location"):
        disk.add_component(component, str(source))


def test_not_set_says_what_to_set(session):
    """Whoever uses NOT_SET like the missing value reads what to do about it."""
    bare = session.create("Location", {"name": "bare"})
    for use in (
        lambda: bare.accessor.open("place"),
        lambda: bare.structure.get_resource_identifier(bare),
    ):
        with pytest.raises(exception.NotSetError, match=r"location\.accessor =") as caught:
            use()
        assert isinstance(caught.value, AttributeError)
    task = session.create("Task", {"name": "new"})
    with pytest.raises(exception.NotSetError, match="commit a new entity first") as caught:
        task["parent"]["name"]
    assert isinstance(caught.value, TypeError)
    assert not hasattr(symbol.NOT_SET, "anything")


@pytest.mark.parametrize("path", ["a\0b", "a\ud800"])
@posix_only
def test_paths_of_settings_are_named(sandbox, path):
    """A folder for schemas and the file of a cache are checked as well."""
    for make in (lambda: sandbox.session(schema_cache_path=path), lambda: FileCache(path)):
        with pytest.raises(exception.PathError, match="No file can have the path 'a"):
            make()
