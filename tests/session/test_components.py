"""Components of files and of sequences of files."""

from __future__ import annotations

import warnings

import pytest

from ftrack_like import exception, symbol
from ftrack_like.session import Session
from ftrack_like.structure.id import IdStructure


@pytest.fixture
def files(tmp_path):
    """A folder with one file and two sequences."""
    (tmp_path / "movie.mov").write_bytes(b"12345")
    for number in (1, 2, 3, 5):
        (tmp_path / f"padded.{number:04d}.exr").write_bytes(b"x" * number)
    for number in (8, 9, 10):
        (tmp_path / f"plain.{number}.dpx").write_bytes(b"x")
    return tmp_path


@pytest.fixture
def origin(session):
    """The location that remembers where data comes from."""
    return session.get("Location", symbol.ORIGIN_LOCATION_ID)


def _values(component, *names):
    return {name: component[name] for name in names}


def test_file(session, files, origin):
    """Size and file type are found out; nothing is committed without a location."""
    path = str(files / "movie.mov")
    component = session.create_component(path, location=None)
    assert component.entity_type == "FileComponent"
    assert _values(component, "name", "size", "file_type") == {
        "name": "main",
        "size": 5,
        "file_type": ".mov",
    }
    assert origin.get_resource_identifier(component) == path
    assert session.created == [component]


def test_values_given_win(session, files):
    """What the caller says is not found out."""
    data = {"name": "proxy", "size": 7, "file_type": ".proxy"}
    component = session.create_component(files / "movie.mov", data=data, location=None)
    assert _values(component, *data) == data
    assert data == {"name": "proxy", "size": 7, "file_type": ".proxy"}


def test_missing_file_has_no_size(session, files):
    """A file may be made later."""
    component = session.create_component(str(files / "absent.mov"), location=None)
    assert component["size"] == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [("noext", ""), (".hidden", ""), ("a.tar.gz", ".gz"), ("padded.%04d.exr", ".exr")],
)
def test_file_types(session, files, name, expected):
    """The last suffix counts."""
    component = session.create_component(str(files / name), location=None)
    assert component.entity_type == "FileComponent"
    assert component["file_type"] == expected


def test_file_type_may_be_given_by_a_plugin(session, files):
    """The first answer that is not empty wins, and the path is in the question."""
    asked = []

    def answer(event):
        asked.append(event["data"])
        return ".special"

    hub = session.event_hub
    topic = "topic=ftrack.api.session.get-file-type-from-string"
    hub.subscribe(topic, lambda event: None, priority=10)
    hub.subscribe(topic, answer, priority=20)
    component = session.create_component(str(files / "movie.mov"), location=None)
    assert component["file_type"] == ".special"
    assert asked == [{"file_path": str(files / "movie.mov")}]


def test_sequence(session, files, origin):
    """Each file becomes a member, named by its number; the sizes add up."""
    expression = str(files / "padded.%04d.exr [1-3, 5]")
    sequence = session.create_component(expression, location=None)
    assert sequence.entity_type == "SequenceComponent"
    assert _values(sequence, "size", "file_type", "padding") == {
        "size": 11,
        "file_type": ".exr",
        "padding": 4,
    }
    members = list(sequence["members"])
    assert [_values(each, "name", "size", "file_type") for each in members] == [
        {"name": f"{number:04d}", "size": number, "file_type": ".exr"} for number in (1, 2, 3, 5)
    ]
    assert all(each["container"] is sequence for each in members)
    assert origin.get_resource_identifier(sequence) == str(files / "padded.%04d.exr")
    assert origin.get_resource_identifiers(members) == [
        str(files / f"padded.{number:04d}.exr") for number in (1, 2, 3, 5)
    ]


def test_sequence_without_padding(session, files):
    """Numbers of different lengths are named as they are."""
    sequence = session.create_component(str(files / "plain.%d.dpx [8-10]"), location=None)
    assert sequence["padding"] == 0
    assert [member["name"] for member in sequence["members"]] == ["8", "9", "10"]


def test_size_of_a_sequence_is_shared_out(session, files):
    """A size given for the whole is divided among the members."""
    data = {"size": 10, "padding": 2, "file_type": ".zzz"}
    sequence = session.create_component(
        str(files / "padded.%04d.exr [1-3, 5]"), data=data, location=None
    )
    assert _values(sequence, *data) == data
    assert [member["size"] for member in sequence["members"]] == [2, 2, 2, 2]


def test_empty_sequence(session, files):
    """An expression without a frame is a sequence without members."""
    sequence = session.create_component(str(files / "padded.%04d.exr []"), location=None)
    assert list(sequence["members"]) == []
    assert len(session.recorded_operations) == 1


def test_a_mistake_in_a_sequence_makes_no_component(session, files):
    """An expression that cannot be read raises ValueError and records nothing."""
    for frames in ("[-2-3]", "[1-10x2]", "[1-3", "[10-1]"):
        with pytest.raises(ValueError, match="Cannot read the sequence"):
            session.create_component(str(files / f"padded.%04d.exr {frames}"), location=None)
    assert not session.recorded_operations
    sequence = session.create_component(str(files / "padded.%04d.exr [1-3] "), location=None)
    assert [member["size"] for member in sequence["members"]] == [1, 2, 3]


def test_a_file_named_like_a_sequence_is_a_file(session, files):
    """A file that exists under exactly the given name stays a file."""
    path = files / "padded.%04d.exr [1-3]"
    path.write_bytes(b"abc")
    component = session.create_component(str(path), location=None)
    assert component.entity_type == "FileComponent"
    assert component["size"] == 3


def test_brackets_do_not_make_a_sequence(session, files):
    """Brackets inside a name are part of it."""
    component = session.create_component(str(files / "name [final].mov"), location=None)
    assert component.entity_type == "FileComponent"


def test_sequence_is_created_with_its_container(session, files):
    """On the server the members belong to the sequence."""
    sequence = session.create_component(
        str(files / "padded.%04d.exr [1-3, 5]"), data={"name": "beauty"}, location=None
    )
    session.commit()
    session.reset()
    found = session.query(
        "select members.name, members.container_id from SequenceComponent "
        f'where id is "{sequence["id"]}"'
    ).one()
    assert sorted(member["name"] for member in found["members"]) == ["0001", "0002", "0003", "0005"]
    assert {member["container_id"] for member in found["members"]} == {sequence["id"]}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("main", "ftrack.unmanaged"),
        ("ftrackreview-mp4", "ftrack.review"),
        ("ftrackreview-webm", "ftrack.review"),
        ("ftrackreview-image", "ftrack.review"),
        ("ftrackreview-mp4-720", "ftrack.unmanaged"),
    ],
)
def test_auto_location(session, files, name, place):
    """The first location by priority, but what the review player plays stays for it."""
    component = session.create_component(str(files / "movie.mov"), data={"name": name})
    assert session.recorded_operations.__len__() == 0
    location = session.query(f'Location where name is "{place}"').one()
    available = {key for key, value in component.get_availability().items() if value}
    assert available == {location["id"]}
    assert location.get_resource_identifier(component) == str(files / "movie.mov")


def test_components_of_a_version(session, files):
    """A version makes components of itself."""
    schema = session.query("ProjectSchema").first()
    project = session.create(
        "Project", {"name": "film", "full_name": "Film", "project_schema": schema}
    )
    version = session.create(
        "AssetVersion", {"asset": session.create("Asset", {"name": "edit", "parent": project})}
    )
    component = version.create_component(str(files / "movie.mov"), {"name": "movie"})
    assert component["version"] is version
    session.commit()
    assert [each["name"] for each in version["components"]] == ["movie"]


def test_long_sequence_takes_few_requests(session, tmp_path):
    """Three hundred frames are created and added with as many requests as three."""
    counts = []
    for length in (3, 300):
        before = session.statistics.requests
        session.create_component(str(tmp_path / f"frame.%04d.exr [1-{length}]"))
        counts.append(session.statistics.requests - before)
    assert counts[0] == counts[1] <= 5


def test_thumbnail(session, files):
    """The image is uploaded and the entity refers to it."""
    picture = files / "face.png"
    picture.write_bytes(b"12345")
    user = session.query(f'User where username is "{session.api_user}"').one()
    component = user.create_thumbnail(str(picture), data={"metadata": {"by": "me"}})
    assert component["name"] == "thumbnail"
    session.reset()
    user = session.query(f'User where username is "{session.api_user}"').one()
    assert user["thumbnail_id"] == component["id"]
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    uploaded = session.get("FileComponent", component["id"])
    assert server.accessor.open(server.get_resource_identifier(uploaded)).read() == b"12345"
    assert uploaded["metadata"]["by"] == "me"


def test_a_thumbnail_that_cannot_be_uploaded(session, files):
    """Nothing of it is recorded, and the next commit makes no component without data."""
    user = session.query(f'User where username is "{session.api_user}"').one()
    with pytest.raises(exception.LocationError, match="not found"):
        user.create_thumbnail(str(files / "missing.png"))
    assert list(session.recorded_operations) == []
    assert user["thumbnail_id"] is None


def test_an_upload_for_a_refused_job_is_removed(session, files):
    """When the server does not encode it, what was uploaded for that goes as well."""
    with pytest.raises(exception.ServerError):
        session.encode_media(str(files / "movie.mov"), version_id="no such version")
    assert session.query("select id from Component").all() == []
    assert session.query("select id from ComponentLocation").all() == []


def test_a_component_whose_data_cannot_be_added_is_taken_back(session, tmp_path):
    """A later commit makes neither a file, nor a sequence, nor their metadata."""
    for name in ("a.0001.exr", "a.0002.exr"):
        (tmp_path / name).write_bytes(b"frame")
    broken = session.create("Location", {"name": "broken"})
    broken.accessor, broken.structure = object(), IdStructure()
    for path in ("a.0001.exr", "a.%04d.exr [1-2]"):
        with pytest.raises(exception.LocationError):
            session.create_component(
                str(tmp_path / path), data={"metadata": {"k": "v"}}, location=broken
            )
    session.commit()
    assert session.query("Location where name is broken").all() == [broken]
    assert session.query("select id from Component").all() == []
    assert session.query('select key from Metadata where key is "k"').all() == []


def test_missing_files_warn_at_the_program(session: Session) -> None:
    """A file that does not exist warns at the line of the program, unless its size is given."""
    for path in ("/nope/scene.ma", "/nope/frame.%04d.exr [1-3]"):
        with pytest.warns(RuntimeWarning, match=r"^/nope/.* does not exist") as caught:
            session.create_component(path)
        assert [each.filename for each in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.create_component("/nope/scene.ma", {"size": 3})
        session.create_component("/nope/scene.ma", location=None)
    session.rollback()


def test_texts_in_place_of_a_location_or_data(session: Session) -> None:
    """The name of a location, or of a component, is an error that says what to pass."""
    with pytest.raises(exception.InvalidValueError, match=r'name is "ftrack\.server"'):
        session.create_component("/nope/scene.ma", location="ftrack.server")
    version = session.create("AssetVersion", {})
    for owner in (session, version):
        with pytest.raises(exception.InvalidValueError, match=r"pass \{'name': 'main'\}"):
            owner.create_component("/nope/scene.ma", "main")
    session.rollback()
