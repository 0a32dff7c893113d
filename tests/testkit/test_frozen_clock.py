"""The frozen clock: everything that the server stamps shows the frozen time."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
import requests

from ftrack_like.media import find_ffmpeg
from ftrack_like.sandbox.clock import Clock
from ftrack_like.session import Session
from ftrack_like.testing import ProjectFactory, Sandbox

MOMENT = "2026-01-01T09:30:00"


def moment(value: Any) -> str:
    """Return a date of an entity as the server stores it."""
    return value.strftime("%Y-%m-%dT%H:%M:%S")


def test_new_rows_have_the_frozen_time(sandbox: Sandbox, session: Session) -> None:
    """Created rows of all kinds have it, and after the block the time goes on."""
    with sandbox.freeze(MOMENT):
        project = ProjectFactory(session)
        shot = project.shot("sh010", ["animation"])
        version = project.version(shot)
        note = shot.create_note("Too dark.", session.query("User").first())
        job = session.create("Job", {"type": "api_job", "user": session.query("User").first()})
        session.commit()
        for entity, name in (
            (project.project, "created_at"),
            (shot, "created_at"),
            (shot["children"][0], "created_at"),
            (version, "date"),
            (note, "date"),
            (job, "created_at"),
        ):
            assert moment(entity[name]) == MOMENT, (entity, name)
    later = project.shot("sh020")
    assert later["created_at"].datetime > datetime.datetime.now(
        datetime.timezone.utc
    ) - datetime.timedelta(minutes=5)


def test_clock_advances(sandbox: Sandbox, session: Session) -> None:
    """A test moves the frozen clock, and later rows have the later time."""
    clock = sandbox.freeze("2026-01-01T23:59:30Z")
    project = ProjectFactory(session)
    clock.advance(60)
    assert moment(project.shot("sh010")["created_at"]) == "2026-01-02T00:00:30"
    sandbox.resume_clock()
    assert not sandbox.clock.is_frozen


def test_timers_follow_the_frozen_time(sandbox: Sandbox, session: Session) -> None:
    """A timer measures the time of the frozen clock, with a session that the test did not make."""
    user = session.query("User").first()
    task = ProjectFactory(session).task("animation")
    with sandbox.freeze(MOMENT) as clock:
        user.start_timer(task)
        clock.advance(hours=1, minutes=30)
        with Session(sandbox.server_url, sandbox.api_key, sandbox.api_user) as other:
            log = other.get("User", user["id"]).stop_timer()
            assert (log["duration"], moment(log["start"])) == (5400, MOMENT)
    user.start_timer(task)
    assert 0 <= user.stop_timer()["duration"] < 600


def test_clock_freezes_now_and_advances_by_named_spans(sandbox: Sandbox) -> None:
    """Without a moment, the clock stops now; named spans are those of a timedelta."""
    before = datetime.datetime.now(datetime.timezone.utc)
    clock = sandbox.freeze()
    frozen = clock.now()
    assert before <= frozen <= datetime.datetime.now(datetime.timezone.utc)
    clock.advance(1, weeks=1, days=2, hours=3, minutes=4, seconds=-1)
    assert clock.now() - frozen == datetime.timedelta(weeks=1, days=2, hours=3, minutes=4)
    with pytest.raises(ValueError, match="cannot advance"):
        clock.advance(days=1e12)
    with pytest.raises(TypeError, match="Did you mean 'hours'"):
        clock.advance(hour=1)  # type: ignore[call-arg]


def test_events_and_mails_have_the_frozen_time(sandbox: Sandbox, session: Session) -> None:
    """The audit of events and the outbox of mails show the frozen time."""
    sandbox.freeze(MOMENT)
    project = ProjectFactory(session)
    review = project.review([], ["ines@producer.example"])
    session.send_review_session_invite(review["review_session_invitees"][0])
    headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
    events = requests.get(f"{sandbox.server_url}/events", headers=headers, timeout=20).json()
    assert events["events"][-1]["sent"] == f"{MOMENT}.000Z"
    mails = requests.get(f"{sandbox.server_url}/outbox", headers=headers, timeout=20).json()
    assert mails[-1]["date"] == f"{MOMENT}Z"
    assert moment(review["review_session_invitees"][0]["last_sent_at"]) == MOMENT


def test_review_opens_and_closes_by_the_frozen_time(sandbox: Sandbox, session: Session) -> None:
    """The dates of a review session are compared with the frozen time, on pages too."""
    sandbox.freeze("2026-01-05")
    project = ProjectFactory(session)
    review = project.review(
        availability="date_range",
        start_date=datetime.datetime(2026, 1, 10),
        end_date=datetime.datetime(2026, 1, 20),
    )
    session.send_review_session_invite(review["review_session_invitees"][0])
    headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
    mails = requests.get(f"{sandbox.server_url}/outbox", headers=headers, timeout=20).json()
    link = mails[-1]["links"][0]

    def page() -> str:
        return re.sub(r"\s+", " ", requests.get(link, timeout=20).text)

    assert "is not open yet" in page()
    sandbox.freeze("2026-01-15")
    assert "is not open yet" not in page()
    assert "It closed on" not in page()
    sandbox.freeze("2026-01-25")
    assert "It closed on 2026-01-20" in page()


@pytest.mark.ffmpeg
def test_encoding_ends_at_the_frozen_time(
    sandbox: Sandbox, session: Session, tmp_path: Any
) -> None:
    """Background work stamps the frozen time, and is not held up by it."""
    try:
        find_ffmpeg()
    except Exception as error:
        pytest.skip(str(error))
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "frame.png"
    image.new("RGB", (64, 64)).save(path)
    sandbox.freeze(MOMENT)
    version = ProjectFactory(session).version()
    job = version.encode_media(str(path), wait=True, timeout=120)
    assert job["status"] == "done"
    assert moment(job["finished_at"]) == MOMENT


def test_two_sandboxes_have_two_clocks(sandbox: Sandbox) -> None:
    """A frozen clock of one sandbox does not touch another one in the same process."""
    with Sandbox() as other, other.session() as session:
        sandbox.freeze(MOMENT)
        assert moment(ProjectFactory(session).project["created_at"]) != MOMENT


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-01-01", "2026-01-01T00:00:00"),
        ("2026-01-01T10:30:00+01:00", MOMENT),
        ("2026-01-01T09:30:00Z", MOMENT),
        (datetime.date(2026, 1, 1), "2026-01-01T00:00:00"),
        (datetime.datetime(2026, 1, 1, 9, 30), MOMENT),
        (datetime.datetime(2026, 1, 1, 9, 30, tzinfo=datetime.timezone.utc), MOMENT),
    ],
)
def test_times_are_read(given: Any, expected: str) -> None:
    """A text or a time is UTC, unless it has a time zone."""
    clock = Clock()
    clock.freeze(given)
    assert clock.now().isoformat() == expected


@pytest.mark.parametrize("given", ["yesterday", "", "2026-13-01", 1767225600, None])
def test_other_values_are_errors(given: Any) -> None:
    """Anything else is an error that shows what a time looks like, and the clock goes on."""
    clock = Clock()
    with pytest.raises((ValueError, TypeError), match="2026-01-01"):
        clock.freeze(given)
    assert not clock.is_frozen
    with pytest.raises(RuntimeError, match="not frozen"):
        clock.advance(1)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (90, "2026-01-01T00:01:30"),
        (-0.5, "2025-12-31T23:59:59.500000"),
        (datetime.timedelta(days=1), "2026-01-02T00:00:00"),
    ],
)
def test_steps_are_seconds_or_spans(sandbox: Sandbox, step: Any, expected: str) -> None:
    """A clock advances by seconds or by a time span, and shows its time."""
    with sandbox.freeze("2026-01-01") as clock:
        clock.advance(step)
        assert clock.now().replace(tzinfo=None).isoformat() == expected
        assert clock.now().utcoffset() == datetime.timedelta(0)
        assert repr(clock) == f"<Frozen {expected}Z>"
    assert repr(clock).endswith("Z, resumed>")


@pytest.mark.parametrize(
    ("step", "kind", "words"),
    [
        ("1", TypeError, r"seconds or a timedelta, not '1' \(str\)"),
        (None, TypeError, "seconds or a timedelta, not None"),
        (True, TypeError, "seconds or a timedelta, not True"),
        (float("nan"), ValueError, "cannot advance by nan seconds"),
        (float("inf"), ValueError, "cannot advance by inf seconds"),
        (datetime.timedelta(days=-999_999), ValueError, "years are 1 to 9999"),
    ],
)
def test_other_steps_are_errors(step: Any, kind: type[Exception], words: str) -> None:
    """Any other step is an error that says what is possible, and the clock stays where it is."""
    clock = Clock()
    clock.freeze("2026-01-01")
    with pytest.raises(kind, match=words):
        clock.advance(step)
    assert clock.now().isoformat() == "2026-01-01T00:00:00"
