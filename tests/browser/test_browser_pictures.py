"""A review in the middle of its discussion, as the pictures of the documentation show it."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from .conftest import long_form, picture

SHOTS = [f"010_{number:04d}" for number in range(10, 130, 10)]

#: Decisions by the number of the shot and of the invitee; notes by the number of the shot.
DECISIONS = {0: "aa", 1: "ac", 2: "aa", 3: "c", 4: "a", 6: "aa"}
NOTES = {
    0: [(12, "The beam turns a little early here. Can it wait for the wave?", True)],
    1: [
        (31, "The roof of the lamp is too bright.", True),
        (None, "Please bring the storm closer to the shot before.", False),
    ],
    3: [(5, "The horizon jumps by a pixel at this frame.", False)],
    6: [(40, "Lovely. Keep this light for the whole sequence.", False)],
}
WORDS = {"a": "approved", "c": "require_changes"}
RESOLVED = datetime(2026, 3, 10, 9, 30, tzinfo=timezone.utc)


@pytest.fixture
def discussion(review, session, tmp_path):
    """Return the review with twelve shots, their pictures, decisions and notes."""
    asked = session.query("ReviewSession").one()
    user = session.query("User where username is admin").one()
    invitees = session.query("ReviewSessionInvitee order by name descending").all()
    sequence = review.versions[0]["asset"]["parent"]["parent"]
    objects = list(review.objects)
    for sort, name in enumerate(SHOTS):
        if sort >= len(objects):
            shot = session.create("Shot", {"name": name, "parent": sequence})
            asset = session.create("Asset", {"name": "comp", "parent": shot})
            version = session.create("AssetVersion", {"asset": asset})
            values = {"name": name, "version": "Version 1", "asset_version": version}
            objects.append(
                session.create(
                    "ReviewSessionObject",
                    {**values, "review_session": asked, "sort_order": sort},
                )
            )
            review.versions.append(version)
    session.commit()
    for sort, version in enumerate(review.versions[1:], 1):
        path = tmp_path / f"{sort}.jpg"
        picture(sort * 4).crop((60 * (sort % 5), 20 * (sort % 3), 960, 530)).save(path)
        version.create_thumbnail(str(path))
    for sort, decisions in DECISIONS.items():
        for invitee, letter in zip(invitees, decisions):
            values = {"invitee": invitee, "status": WORDS[letter]}
            session.create(
                "ReviewSessionObjectStatus", {**values, "review_session_object": objects[sort]}
            )
    for sort, notes in NOTES.items():
        for frame, content, is_done in notes:
            values = {"content": content, "author": user, "frame_number": frame}
            note = session.create(
                "Note",
                {
                    **values,
                    "parent_id": objects[sort]["id"],
                    "parent_type": "review_session_object",
                },
            )
            if is_done:
                note["completed_at"], note["completed_by"] = RESOLVED, user
    session.commit()
    return review


def all_loaded(window):
    """Wait until the thumbnails that the viewer sees are loaded."""
    window.until(
        "[...document.querySelectorAll('img.thumbnail')].filter((one) => {"
        " const box = one.getBoundingClientRect();"
        " return box.top < innerHeight && box.bottom > 0 && box.left < innerWidth && box.right > 0;"
        "}).every((one) => one.complete && one.naturalWidth > 0)"
    )


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("review-list.png", {"viewport": {"width": 1280, "height": 800}}),
        long_form(
            "review-list-dark.png",
            {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
        ),
        long_form(
            "review-phone.png",
            {
                "viewport": {"width": 390, "height": 844},
                "device_scale_factor": 1,
                "is_mobile": True,
            },
        ),
        (
            "review-phone-dark.png",
            {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "is_mobile": True},
        ),
    ],
)
def test_the_list_shows_what_was_decided(discussion, make_window, name, options):
    """Each row has its picture, its decisions and the number of its notes."""
    window = make_window(**options)
    window.open_movie(discussion.link)
    all_loaded(window)
    states = window.page.locator(".rows .states")
    assert "Approved 2" in states.nth(0).inner_text()
    assert "2 notes" in states.nth(1).inner_text()
    assert states.nth(5).inner_text() == ""
    window.screenshot(name)
    assert window.problems == []


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("review-summary.png", {"viewport": {"width": 1100, "height": 800}}),
        long_form(
            "review-summary-dark.png",
            {"viewport": {"width": 1100, "height": 800}, "color_scheme": "dark"},
        ),
        ("review-summary-phone.png", {"viewport": {"width": 390, "height": 844}}),
    ],
)
def test_the_summary_counts_what_was_decided(discussion, make_window, name, options):
    """The figures at the top are those of the entries."""
    window = make_window(**options)
    page = window.open(discussion.link.replace("/review?", "/review/summary?")).page
    all_loaded(window)
    figures = dict(
        zip(
            page.locator(".figures dt").all_inner_texts(),
            page.locator(".figures dd").all_inner_texts(),
        )
    )
    assert figures == {
        "Versions": "12",
        "Approved": "5",
        "Require changes": "2",
        "No decision": "6",
        "Notes": "5",
        "Resolved notes": "2",
    }
    window.screenshot(name)
    assert window.problems == []


@pytest.mark.ffmpeg
def test_the_summary_prints_whole(discussion, make_window):
    """On paper the entries stay whole, and buttons are left out."""
    window = make_window()
    page = window.open(discussion.link.replace("/review?", "/review/summary?")).page
    page.emulate_media(media="print")
    assert not page.is_visible("text=Download CSV")
    assert page.locator(".entry:visible").count() == 12
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.entry')).breakInside") == "avoid"
    )
    assert len(page.pdf()) > 10_000


@pytest.mark.ffmpeg
def test_the_playlist_shows_the_movie(discussion, make_window):
    """The playlist begins with the first movie."""
    window = make_window(viewport={"width": 1100, "height": 700})
    window.open(discussion.link.replace("/review?", "/review/play?"))
    window.until("document.querySelector('[data-show] video')?.currentTime > 0.4")
    window.page.keyboard.press(" ")
    window.screenshot("review-play.png")
    assert window.page.inner_text("[data-total]") == "12"
