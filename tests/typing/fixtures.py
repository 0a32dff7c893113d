"""What type checkers make of the fixtures of a test. ``check.py`` reads the comments."""

from __future__ import annotations

from typing_extensions import reveal_type

from ftrack_like import Session
from ftrack_like.testing import (
    AssertPublished,
    AssertRequests,
    EventRecorder,
    ProjectFactory,
    Sandbox,
)


def test_kit(
    ftrack_sandbox: Sandbox,
    ftrack_session: Session,
    ftrack_project: ProjectFactory,
    ftrack_events: EventRecorder,
    assert_requests: AssertRequests,
    assert_published: AssertPublished,
) -> None:
    """Use the fixtures as a test does."""
    with ftrack_sandbox.freeze("2026-01-01") as clock:
        clock.advance(1.5)
        reveal_type(clock.now())  # datetime
    with assert_requests(at_most=2) as seen:
        reveal_type(ftrack_project.shot("sh010", ["animation"]))  # Any
    reveal_type(seen)  # list[SeenRequest]
    reveal_type(assert_published("ftrack.update", timeout=1))  # Event
    reveal_type(ftrack_events.published)  # list[Event]
    reveal_type(ftrack_session.api_user)  # str
    assert_requests("2")  # mistake
    ftrack_project.version(files=[1])  # mistake
