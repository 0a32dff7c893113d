"""Publishing what reviewers look at: once, with what is known of the source."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import subprocess

import pytest
from tests.media.measuring import measured

from ftrack_like import exception, symbol
from ftrack_like._base import ffmpeg
from ftrack_like._media.pipeline import Pipeline
from ftrack_like.media import PROFILES, _there, publish_reviewable

pytest.importorskip("starlette", reason="the extra 'sandbox' is not installed")
pytestmark = pytest.mark.ffmpeg


@pytest.fixture(scope="module")
def program():
    """The path of ffmpeg, or a skip with the reason."""
    try:
        return ffmpeg.find_ffmpeg()
    except exception.MediaError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def clip(program, tmp_path_factory):
    """A short movie with sound."""
    path = tmp_path_factory.mktemp("media") / "shot.mov"
    picture = ("-f", "lavfi", "-i", "testsrc=size=65x37:rate=24:duration=0.5")
    sound = ("-f", "lavfi", "-i", "sine=frequency=440:duration=0.5")
    subprocess.run([program, "-loglevel", "error", *picture, *sound, str(path)], check=True)
    return path


@pytest.fixture
def version(session):
    """A version to publish for."""
    schema = session.query("ProjectSchema").first()
    project = session.create("Project", {"name": "film", "project_schema": schema})
    asset = session.create("Asset", {"name": "edit", "parent": project})
    return session.create("AssetVersion", {"asset": asset})


def downloaded(session, component, folder):
    """Return the path of a copy of the data of *component*."""
    location = session.get("Location", symbol.SERVER_LOCATION_ID)
    path = folder / f"{component['id']}{component['file_type']}"
    with location.accessor.open(component["id"]) as opened:
        path.write_bytes(opened.read())
    return path


def counts(session, version):
    """Return how many jobs there are, and how many components *version* has."""
    found = session.query(f'select id from Component where version_id is "{version["id"]}"')
    return len(session.query("select id from Job").all()), len(found.all())


@pytest.mark.parametrize("encode", ["server", "local"])
def test_a_movie_is_published_once(session, version, clip, program, tmp_path, encode):
    """It is encoded, described and the version's thumbnail; the repeat finds all that done."""
    told = []
    first = publish_reviewable(
        version, clip, encode=encode, timeout=60, progress=lambda *news: told.append(news)
    )
    assert first.is_new
    assert (first.job is None) == (encode == "local")
    assert told == sorted(set(told))
    assert told[-1] == (100, 100)
    assert first.component["name"] == "ftrackreview-mp4"
    made = measured(downloaded(session, first.component, tmp_path))
    assert (made.codec, made.sounds[0][0], made.width, made.frames) == ("h264", "aac", 64, 12)

    session.reset()
    version = session.get("AssetVersion", version["id"])
    component = session.get("FileComponent", first.component["id"])
    metadata = dict(component["metadata"])
    assert metadata["source_file_name"] == "shot.mov"
    assert metadata["source_file_size"] == str(clip.stat().st_size)
    assert metadata["source_mime_type"] == "video/quicktime"
    assert metadata["source_sha1"] == hashlib.sha1(clip.read_bytes()).hexdigest()
    assert json.loads(metadata["ftr_meta"]) == {
        "width": 64,
        "height": 36,
        "frameIn": 0,
        "frameOut": 11,
        "frameRate": 24.0,
    }
    if encode == "local":
        assert metadata["encoding_profile"] == "mp4-1080p"
        assert json.loads(metadata["encoding_parameters"]) == dict(PROFILES["mp4-1080p"])
        assert metadata["source_resolution"] == "65x37"
    else:
        assert metadata["encoding_profile"] == "server"
        assert metadata["encoding_job_id"] == first.job["id"]
    assert version["thumbnail_id"]

    before = counts(session, version)
    copy = tmp_path / "another name.mov"
    copy.write_bytes(clip.read_bytes())
    again = publish_reviewable(version, str(copy), encode=encode, timeout=60)
    assert not again.is_new
    assert again.component is component
    assert counts(session, version) == before


def test_other_content_and_other_profiles_are_encoded(session, version, clip, tmp_path, program):
    """Only the same content by the same profile is the same."""
    publish_reviewable(version, clip, encode="local")
    webm = publish_reviewable(version, clip, encode="local", profile="webm-1080p")
    assert webm.is_new
    assert webm.component["name"] == "ftrackreview-webm"
    other = tmp_path / "other.mov"
    other.write_bytes(clip.read_bytes() + b"\0" * 8)
    assert publish_reviewable(version, other, encode="local").is_new


@pytest.mark.parametrize("encode", ["server", "local"])
def test_an_image_is_published(session, version, clip, program, tmp_path, encode):
    """It becomes an image of its own name, without frames."""
    image = tmp_path / "still.png"
    arguments = ("-loglevel", "error", "-i", str(clip), "-frames:v", "1", str(image))
    subprocess.run([program, *arguments], check=True)
    component = publish_reviewable(version, image, encode=encode, timeout=60).component
    session.reset()
    component = session.get("FileComponent", component["id"])
    assert component["name"] == "ftrackreview-image"
    assert json.loads(component["metadata"]["ftr_meta"]) == {
        "format": "image",
        "width": 65,
        "height": 37,
    }


@pytest.mark.parametrize("encode", ["server", "local"])
def test_what_lost_its_data_is_replaced(session, version, clip, encode):
    """A component whose data somebody removed is no publication any more."""
    first = publish_reviewable(version, clip, encode=encode, timeout=60)
    server = session.get("Location", symbol.SERVER_LOCATION_ID)
    server.remove_component(first.component)
    again = publish_reviewable(version, clip, encode=encode, timeout=60)
    assert again.is_new
    assert server.get_component_availability(again.component) == 100.0
    left = session.query(
        f'select id from FileComponent where version_id is "{version["id"]}" '
        'and name is "ftrackreview-mp4"'
    )
    assert left.all() == [again.component]


def test_a_failed_job_is_replaced(sandbox_here, session, version, clip, monkeypatch):
    """What a failed job left is removed and the file encoded again."""
    with monkeypatch.context() as patch:
        patch.setenv("FTRACK_FFMPEG", "/nowhere/ffmpeg")
        with pytest.raises(exception.JobFailedError, match="/nowhere/ffmpeg"):
            publish_reviewable(version, clip, timeout=60)
    publication = publish_reviewable(version, clip, timeout=60)
    assert publication.is_new
    found = session.query(f'select name from Component where version_id is "{version["id"]}"')
    assert sorted(each["name"] for each in found) == ["ftrackreview-mp4", "thumbnail"]


def test_a_broken_off_upload_is_done_again(session, version, clip):
    """A publish that was stopped half-way leaves nothing that passes for done."""

    def stop(done, total):
        if done > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_reviewable(version, clip, encode="local", keep_original=True, progress=stop)
    publication = publish_reviewable(version, clip, encode="local", keep_original=True)
    assert publication.is_new
    found = session.query(f'select name from Component where version_id is "{version["id"]}"')
    names = sorted(each["name"] for each in found)
    assert names == ["ftrackreview-mp4", "main"]
    assert version["thumbnail_id"]


@pytest.mark.parametrize("moment", [1, 60])
def test_a_caller_that_cancels_leaves_nothing(session, version, clip, moment):
    """An error from the progress function ends the work, and what was uploaded is removed."""

    def stop(done, total):
        if done >= moment:
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        publish_reviewable(version, clip, encode="local", progress=stop)
    session.reset()
    assert session.query("select id from Component").all() == []
    version = session.get("AssetVersion", version["id"])
    assert version["thumbnail_id"] is None
    assert dict(version["metadata"]) == {}


def test_larger_sizes_are_published_and_replaced(session, version, program, tmp_path):
    """They belong to the version beside the smallest, and are removed with it."""
    large = tmp_path / "large.mov"
    picture = ("-f", "lavfi", "-i", "testsrc=size=2560x1440:rate=24:duration=0.1")
    subprocess.run([program, "-loglevel", "error", *picture, str(large)], check=True)

    def names():
        found = session.query(f'select name from Component where version_id is "{version["id"]}"')
        return sorted(each["name"] for each in found)

    publish_reviewable(version, large, encode="local", profile="mp4-2160p")
    sizes = ["ftrackreview-mp4", "ftrackreview-mp4-1080", "ftrackreview-mp4-1440"]
    assert names() == sizes
    # The profile for 1080 lines has no larger one, and replaces the other.
    publish_reviewable(version, large, encode="local")
    assert names() == sizes[:2]
    small = tmp_path / "small.mov"
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x36:rate=24:duration=0.1")
    subprocess.run([program, "-loglevel", "error", *picture, str(small)], check=True)
    publish_reviewable(version, small, encode="local")
    assert names() == ["ftrackreview-mp4"]


def test_mistakes_are_named(session, version, tmp_path):
    """A wrong way, a wrong profile and a missing file are errors before anything is done."""
    with pytest.raises(ValueError, match="local, server"):
        publish_reviewable(version, "x.mov", encode="cloud")
    with pytest.raises(ValueError, match="mp4-1080p"):
        publish_reviewable(version, "x.mov", profile="mp4-8k")
    with pytest.raises(FileNotFoundError):
        publish_reviewable(version, tmp_path / "missing.mov")
    assert session.created


def test_media_that_cannot_be_read_is_an_error(session, version, tmp_path, program):
    """A text file is no media, here and on the server."""
    (tmp_path / "notes.mov").write_text("words")
    with pytest.raises(exception.MediaError, match="no picture and no sound"):
        publish_reviewable(version, tmp_path / "notes.mov", encode="local")
    with pytest.raises(exception.JobFailedError, match="no picture and no sound"):
        publish_reviewable(version, tmp_path / "notes.mov", timeout=60)


@pytest.mark.parametrize("name", ["a.jpe", "a.jfif", "a.ico", "a.odd"])
def test_both_ways_agree_on_what_is_an_image(session, version, tmp_path, monkeypatch, name):
    """The type of the file decides, and not the list of types of the client's system."""
    images = pytest.importorskip("PIL.Image", reason="Pillow (media extra) is not installed")
    session.commit()
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_, **__: ("image/x-odd", None))
    path = tmp_path / name
    format_ = {"a.ico": "ICO", "a.odd": "PNG"}.get(name, "JPEG")
    images.new("RGB", (32, 16), (200, 40, 96)).save(path, format_)
    made = [
        publish_reviewable(version, path, encode=encode, timeout=60).component
        for encode in ("local", "server")
    ]
    expected = "ftrackreview-mp4" if name == "a.odd" else "ftrackreview-image"
    assert [one["name"] for one in made] == [expected] * 2
    local, server = (json.loads(one["metadata"]["ftr_meta"]) for one in made)
    assert local == server


def test_both_ways_refuse_a_sequence_of_movies(session, version, clip, tmp_path):
    """Only images make a sequence; the error says so."""
    session.commit()
    for number in range(2):
        (tmp_path / f"a.{number:04d}.mov").write_bytes(clip.read_bytes())
    for encode in ("local", "server"):
        with pytest.raises(
            (exception.MediaError, exception.JobFailedError), match=r"type '\.mov' cannot be"
        ):
            publish_reviewable(version, tmp_path / "a.%04d.mov [0-1]", encode=encode, timeout=60)


@pytest.mark.parametrize(
    ("encode", "change"), [("local", "changed"), ("local", "removed"), ("server", "changed")]
)
def test_a_file_that_changes_while_it_is_published_is_refused(
    session, version, clip, tmp_path, monkeypatch, encode, change
):
    """Its checksum would be that of other content; the error says what to do."""
    session.commit()
    path = tmp_path / "a.mov"
    path.write_bytes(clip.read_bytes())

    def altered(call):
        def changing(*arguments, **options):
            done = call(*arguments, **options)
            if change == "removed":
                path.unlink()
            else:
                with path.open("ab") as file:
                    file.write(bytes(100))
            return done

        return changing

    monkeypatch.setattr(Pipeline, "make", altered(Pipeline.make))
    monkeypatch.setattr(_there, "find_location", altered(_there.find_location))
    with pytest.raises(exception.MediaError, match=f"was {change} while it was published"):
        publish_reviewable(version, path, encode=encode, timeout=60)
    found = session.query("select id from FileComponent").all()
    assert counts(session, version) == (0, 0)
    assert not found
