"""What the server tells the player: media, sizes, other versions, and the numbers of the shot."""

from __future__ import annotations

import json
import re

import pytest

META = {"frameIn": 0, "frameOut": 47, "frameRate": 24.0, "width": 1280, "height": 720}


def publish(review, version, name="ftrackreview-mp4", **meta):
    """Store a movie of *version*, described by *meta*."""
    review.upload(version, name, ".mp4", b"movie", json.dumps({**META, **meta}))


def options(page, name):
    """Return the labels and values of the list *name*."""
    found = re.search(rf"<select [^>]*data-{name}\b.*?</select>", page.source, re.S)
    return re.findall(r'<option value="([^"]*)"[^>]*>([^<]*)</option>', found[0]) if found else []


def labels(page, name="version"):
    return [label for _, label in options(page, name)]


@pytest.fixture
def shot(review, api):
    """Return a shot below the project of the review."""
    return api.create("Shot", name="010_0010", parent_id=review.project, project_id=review.project)


@pytest.fixture
def numbers(session, shot):
    """Return a function that sets frame numbers of the shot."""

    def set_numbers(**values):
        entity = session.get("Shot", shot)
        for key, value in values.items():
            entity["custom_attributes"][key] = value
        session.commit()

    return set_numbers


@pytest.fixture
def comp(review, api, shot):
    """Return a version of an asset of the shot, in the review."""
    asset = api.create("Asset", name="comp", context_id=shot)
    version = api.create("AssetVersion", asset_id=asset)
    return asset, version, review.add(version, 5)


def start_of(page):
    found = re.search(r'data-shot-start="(-?\d+)"', page.source)
    return int(found[1]) if found else None


# Numbers of the shot


def test_the_first_frame_has_the_number_of_the_shot(review, comp, numbers):
    """``fstart`` of the shot above the version is the number of the first frame."""
    _, version, object_ = comp
    numbers(fstart=1001, fend=1048)
    publish(review, version)
    assert start_of(review.show(object_)) == 1001


def test_a_movie_with_handles_begins_before_the_shot(review, comp, numbers):
    """If the movie is as long as the shot with its handles, it begins that much earlier."""
    _, version, object_ = comp
    numbers(fstart=1001, fend=1032, handles=8)
    publish(review, version)
    assert start_of(review.show(object_)) == 993
    numbers(fend=1048)
    assert start_of(review.show(object_)) == 1001


def test_a_slate_comes_before_the_first_frame_of_the_shot(review, api, comp, numbers):
    """The frame after the slate has the first number of the shot."""
    _, version, object_ = comp
    numbers(fstart=1001, fend=1048)
    publish(review, version, frameOut=48)
    movie = api.one(f"select id from FileComponent where version_id is {version}")["id"]
    values = {"parent_id": movie, "parent_type": "FileComponent"}
    api.create("Metadata", [movie, "slate_frames"], key="slate_frames", value="1", **values)
    assert start_of(review.show(object_)) == 1000


@pytest.mark.parametrize(("first", "start"), [(0, 1001), (1, 1001), (993, 993)])
def test_the_numbers_of_a_sequence_are_those_of_the_shot(review, comp, numbers, first, start):
    """A movie that counts from more than 1 has the numbers of the shot already."""
    _, version, object_ = comp
    numbers(fstart=1001)
    publish(review, version, frameIn=first, frameOut=first + 47)
    assert start_of(review.show(object_)) == start


def test_a_version_outside_of_shots_has_no_such_numbers(review):
    """Without ``fstart`` above it, a movie has only its own numbers."""
    publish(review, review.versions[0])
    page = review.show()
    assert start_of(page) is None
    assert "data-shot-frame" in page.source


def test_the_shot_of_the_task_counts_too(review, api, shot, numbers):
    """An asset beside the shots takes the number from the shot of the version's task."""
    numbers(fstart=77)
    task = api.create("Task", name="comp", parent_id=shot, project_id=review.project)
    asset = api.create("Asset", name="anywhere", context_id=review.project)
    version = api.create("AssetVersion", asset_id=asset, task_id=task)
    object_ = review.add(version, 7)
    publish(review, version)
    assert start_of(review.show(object_)) == 77


# Versions


def test_a_guest_sees_only_the_versions_of_the_review(review, api, comp):
    """The picker has the objects of this review with the same asset, the oldest first."""
    asset, _, object_ = comp
    second, third = (api.create("AssetVersion", asset_id=asset) for _ in range(2))
    other = api.create(
        "ReviewSession",
        name="Other",
        start_date=review.moment(-1),
        end_date=review.moment(1),
        project_id=review.project,
    )
    review.add(second, 6, other)
    last = review.add(third, 7)
    page = review.show(object_)
    assert labels(page) == ["Version 6", "Version 8"]
    assert labels(page, "compare") == ["Compare with…", "Version 8"]
    assert f"object={last}" in options(page, "version")[1][0]
    assert options(page, "compare")[1][0].startswith("/review/player?")


def test_a_lone_version_has_no_picker(review, comp):
    """Where there is nothing to choose, there is no list."""
    assert "data-version=" not in review.show(comp[2]).source
    assert labels(review.show(comp[2])) == []


def test_a_host_chooses_among_all_versions(review, visitor, api, comp):
    """The page of a version offers all versions of the asset."""
    asset, version, _ = comp
    for _ in range(2):
        api.create("AssetVersion", asset_id=asset)
    page = visitor.get(f"/browse/version/{version}")
    assert labels(page) == ["Version 1", "Version 2", "Version 3"]
    other = options(page, "compare")[2][0]
    assert re.fullmatch(r"/browse/version/[0-9a-f-]+/player", other)
    assert visitor.get(other).status == 200


# The player alone


def test_the_player_alone_is_as_closed_as_its_page(review, browser):
    """It needs the signed link, an open review, its passphrase, and an object of this review."""
    address = review.link.replace("/review?", "/review/player?")
    publish(review, review.versions[0])
    own = f"{address}&object={review.objects[0]}"
    assert 'data-kind="video"' in browser.get(own).source
    assert "<html" not in browser.get(own).source
    assert browser.get(f"{address}&object=elsewhere").status == 404
    assert browser.get(own.replace("signature=", "signature=0")).status == 403
    review.change(passphrase="sesame", passphrase_enabled=True)
    assert "data-kind" not in browser.get(own).source
    review.change(passphrase_enabled=False, end_date=review.moment(-0.5))
    assert browser.get(own).status == 403


def test_the_player_of_a_host_needs_a_log_in(review, browser, unknown_id):
    """Without a log-in there is no player, and none of an unknown version."""
    page = browser.get(f"/browse/version/{review.versions[0]}/player")
    assert "data-player" not in page.source


def test_the_player_of_no_version_is_not_found(visitor, unknown_id):
    """An unknown version says so."""
    assert visitor.get(f"/browse/version/{unknown_id}/player").status == 404


# Media


def test_sizes_are_offered_smallest_first(review):
    """The usual size plays; the larger ones and WebM are in the list."""
    version = review.versions[0]
    publish(review, version, "ftrackreview-mp4-2160", width=3840, height=2160)
    publish(review, version, "ftrackreview-mp4-1080", width=1920, height=1080)
    publish(review, version, "ftrackreview-webm", width=1920, height=1080)
    publish(review, version)
    page = review.show()
    assert labels(page, "size") == [
        "1280 \N{MULTIPLICATION SIGN} 720",
        "1920 \N{MULTIPLICATION SIGN} 1080",
        "3840 \N{MULTIPLICATION SIGN} 2160",
        "1920 \N{MULTIPLICATION SIGN} 1080 (WebM)",
    ]
    (shown,) = page.addresses("/component/get")
    assert options(page, "size")[0][0].replace("&amp;", "&") == shown


def test_a_larger_size_plays_where_it_is_the_only_one(review):
    """A version needs not have the usual size."""
    publish(review, review.versions[0], "ftrackreview-mp4-1080", width=1920, height=1080)
    page = review.show()
    assert 'data-kind="video"' in page.source
    assert labels(page, "size") == []


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        (23.98, 24000 / 1001),
        (23.976, 24000 / 1001),
        (29.97, 30000 / 1001),
        (59.94, 60000 / 1001),
        (24, 24.0),
        (25, 25.0),
        (30, 30.0),
        (12.5, 12.5),
        (47.952, 48000 / 1001),
    ],
)
def test_rounded_rates_become_exact(review, written, rate):
    """Programs write 23.98; with it frame 3000 would be another one."""
    publish(review, review.versions[0], frameRate=written)
    found = re.search(r'data-frame-rate="([^"]*)"', review.show().source)
    assert float(found[1]) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"error": "The file holds no picture."}, "The file holds no picture."),
        ({}, "The job gives no reason."),
        ({"error": "<b>x</b>"}, "<b>x</b>"),
    ],
)
def test_a_failed_encoding_says_why(review, api, data, words):
    """The reason in the data of the latest job is on the page, as text."""
    text = json.dumps({"version_id": review.versions[0], **data})
    api.create("Job", type="encode_media", status="failed", data=text)
    page = review.show()
    assert 'data-kind="failed"' in page.source
    assert "The encoding of this version failed." in page.text
    assert words in page.text or "&lt;b&gt;x" in page.source
    assert "<b>x" not in page.source


def test_only_the_latest_encoding_counts(review, api):
    """A version without media whose last job is done has no media; others do not matter."""
    other = json.dumps({"version_id": review.versions[1], "error": "other"})
    api.create("Job", type="encode_media", status="failed", data=other)
    assert "no media that a browser can show" in review.show().text


def test_media_win_over_a_failed_encoding(review, api):
    """If a later encoding fails, the earlier movie still plays."""
    publish(review, review.versions[0])
    text = json.dumps({"version_id": review.versions[0], "error": "full disk"})
    api.create("Job", type="encode_media", status="failed", data=text)
    assert 'data-kind="video"' in review.show().source
