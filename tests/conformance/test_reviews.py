"""Review sessions: objects, invitees, decisions and notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.conformance.facts import fact, row, writes
from tests.conformance.site import Site

pytestmark = writes


class Review(NamedTuple):
    """The ids of a review session, of an object in it, of its version and of an invitee."""

    id: str
    object: str
    version: str
    invitee: str


@pytest.fixture(scope="session", autouse=True)
def _guests(site: Site) -> Iterator[None]:
    """Remove the collaborators that the server makes for the mail addresses of invitees."""
    query = "select id from Collaborator"
    before = {each["id"] for each in site.rows(query)}
    yield
    for each in site.rows(query):
        if each["id"] not in before:
            site.delete("Collaborator", each["id"])


def _review(site: Site, **data: Any) -> str:
    """Create a review session and return its id."""
    data.setdefault("name", site.name("review"))
    return str(site.create("ReviewSession", project_id=site.project["id"], **data)["id"])


def _object(site: Site, review: str, version_id: str, **data: Any) -> str:
    """Put a version into a review session; return the id of the object."""
    data = {"name": "shot", "version": "Version 1", "description": "text", **data}
    created = site.create(
        "ReviewSessionObject", review_session_id=review, version_id=version_id, **data
    )
    return str(created["id"])


@pytest.fixture(scope="session")
def review(site: Site) -> Review:
    """Return a review session with one version and one invitee."""
    session, version = _review(site), site.version()
    invitee = site.create(
        "ReviewSessionInvitee",
        review_session_id=session,
        email="guest@example.com",
        name="Guest",
    )
    return Review(session, _object(site, session, version), version, str(invitee["id"]))


@fact("site-facts E", "P")
@pytest.mark.parametrize(
    "data",
    [{}, {"end_date": {"__type__": "datetime", "value": "2099-01-01T00:00:00"}}],
    ids=["no dates", "an end"],
)
def test_a_session_is_open(site: Site, data: dict[str, Any]) -> None:
    """A session without dates, or with a later end, is open."""
    found = site.get("ReviewSession", _review(site, **data), "is_open")
    assert found["is_open"] is True


@fact("site-facts E", "I")
def test_a_session_that_has_ended_is_closed(site: Site) -> None:
    """A session whose end has passed is not open."""
    past = {"__type__": "datetime", "value": "2020-01-01T00:00:00"}
    found = site.get("ReviewSession", _review(site, start_date=past, end_date=past), "is_open")
    assert found["is_open"] is False


@fact("site-facts E", "P")
def test_a_session_comes_with_its_content(site: Site) -> None:
    """A session is created with its objects and invitees in one batch."""
    session = site.creation(
        "ReviewSession", name=site.name("review"), project_id=site.project["id"]
    )
    key = session["entity_key"][0]
    made = site.creation(
        "ReviewSessionObject",
        name="x",
        version="1",
        description="",
        version_id=site.version(),
        review_session_id=key,
    )
    invitee = site.creation(
        "ReviewSessionInvitee", review_session_id=key, email="a@example.com", name="A"
    )
    site.call(session, made, invitee)
    found = site.get("ReviewSession", key, "review_session_objects.id, review_session_invitees.id")
    assert [each["id"] for each in found["review_session_objects"]] == made["entity_key"]
    assert [each["id"] for each in found["review_session_invitees"]] == invitee["entity_key"]


@fact("site-facts E", "P")
def test_a_session_has_a_description(site: Site) -> None:
    """The description of a session is copied to another by programs."""
    key = _review(site, description="text")
    assert site.get("ReviewSession", key, "description")["description"] == "text"


@fact("site-facts E", "P")
def test_a_session_has_settings(site: Site) -> None:
    """The settings of a session are read by programs that copy it."""
    assert "settings" in site.get("ReviewSession", _review(site), "settings")


@fact("site-facts C", "P")
@pytest.mark.parametrize("attribute", ["version", "description"])
def test_an_object_takes_null(site: Site, review: Review, attribute: str) -> None:
    """An object may be created with null for the text of its version or its description."""
    made = _object(site, review.id, review.version, **{attribute: None})
    assert site.get("ReviewSessionObject", made, "id")["id"] == made
    site.delete("ReviewSessionObject", made)


@fact("protocol 1", "protocol")
def test_an_object_leads_to_its_version(site: Site, review: Review) -> None:
    """An object leads to its version and to its session."""
    found = site.get(
        "ReviewSessionObject", review.object, "asset_version.id, review_session.project.id"
    )
    assert found["asset_version"]["id"] == review.version
    assert found["review_session"]["project"]["id"] == site.project["id"]


@fact("protocol 2", "protocol")
def test_objects_are_found_by_their_version(site: Site, review: Review) -> None:
    """Objects are found through the path to their version."""
    rows = site.rows(
        f'select id from ReviewSessionObject where asset_version.id is "{review.version}"'
    )
    assert review.object in [each["id"] for each in rows]


@fact("site-facts C", "P")
def test_an_invitee_is_found_by_its_id(site: Site, review: Review) -> None:
    """Programs look a guest up by the id of the invitee."""
    found = site.get("ReviewSessionInvitee", review.invitee, "name, email")
    assert (found["name"], found["email"]) == ("Guest", "guest@example.com")


@fact("site-facts E", "D")
@pytest.mark.parametrize("entity_type", ["ReviewSessionInvitee", "ReviewSessionObjectStatus"])
@pytest.mark.parametrize("attribute", ["resource_id", "resource"])
def test_a_reviewer_is_a_resource(site: Site, entity_type: str, attribute: str) -> None:
    """Invitees and decisions have a resource: a collaborator or a user."""
    assert attribute in site.schemas[entity_type]["properties"]


@fact("site-facts E", "D")
def test_a_user_may_be_the_resource(site: Site, review: Review) -> None:
    """The resource of an invitee may be a user."""
    made = site.create(
        "ReviewSessionInvitee",
        review_session_id=review.id,
        email="user@example.com",
        name="User",
        resource_id=site.user,
    )
    found = site.get("ReviewSessionInvitee", made["id"], "resource")
    assert found["resource"]["__entity_type__"] == "User"
    assert found["resource"]["id"] == site.user
    site.delete("ReviewSessionInvitee", made["id"])


@fact("site-facts E", "D")
def test_the_id_of_an_invitee_stays(site: Site) -> None:
    """A decision still has the id of an invitee beside the resource."""
    found = site.schemas["ReviewSessionObjectStatus"]["properties"]
    assert {"review_session_invitee_id", "resource_id"} <= set(found)


@fact("protocol 1", "protocol")
@pytest.mark.parametrize("status", ["approved", "require_changes", "seen"])
def test_a_decision_is_read(site: Site, review: Review, status: str) -> None:
    """A decision of an invitee about an object is read back through the object."""
    version = site.get("ReviewSessionObject", review.object, "version_id")["version_id"]
    shown = _object(site, review.id, version)
    site.create(
        "ReviewSessionObjectStatus",
        review_session_object_id=shown,
        review_session_invitee_id=review.invitee,
        status=status,
    )
    found = site.get("ReviewSessionObject", shown, "statuses.status")
    assert [each["status"] for each in found["statuses"]] == [status]


@fact("site-facts C", "M")
@pytest.mark.parametrize("deleted", ["ReviewSessionObject", "ReviewSession"])
def test_notes_stay(site: Site, deleted: str) -> None:
    """The notes of an object stay when the object or its session is deleted."""
    session = _review(site)
    made = _object(site, session, site.version())
    note = site.create(
        "Note",
        content="stays",
        parent_id=made,
        parent_type="ReviewSessionObject",
        user_id=site.user,
    )
    site.delete(deleted, {"ReviewSessionObject": made, "ReviewSession": session}[deleted])
    found = site.get("Note", note["id"], "content, parent_id")
    assert (found["content"], found["parent_id"]) == ("stays", made)
    site.delete("Note", note["id"])


@fact("site-facts B", "M")
@pytest.mark.parametrize(
    ("word", "count"),
    [
        row("review_session_object", 1, name="the table's word"),
        row("ReviewSessionObject", 0, name="the schema's word"),
    ],
)
def test_notes_of_reviews_are_found(site: Site, review: Review, word: str, count: int) -> None:
    """Criteria compare the parent type of a note with the word of the server's table."""
    note = site.create(
        "Note",
        content="x",
        parent_id=review.object,
        parent_type="ReviewSessionObject",
        user_id=site.user,
    )
    rows = site.rows(
        "select parent_type from Note "
        f'where parent_id is "{review.object}" and parent_type is "{word}"'
    )
    assert [each["parent_type"] for each in rows] == ["ReviewSessionObject"] * count
    site.delete("Note", note["id"])


@fact("site-facts A10", "P")
def test_a_note_has_the_category_of_reviews(site: Site, review: Review) -> None:
    """Notes made in a review session have a category of their own, which is a stock row."""
    category = "42983ba0-53b0-11e4-916c-0800200c9a66"
    note = site.create(
        "Note",
        content="x",
        parent_id=review.object,
        parent_type="ReviewSessionObject",
        user_id=site.user,
        category_id=category,
    )
    found = site.get("Note", note["id"], "category.id")
    assert found["category"]["id"] == category
    site.delete("Note", note["id"])


@fact("site-facts C", "M")
def test_the_author_of_a_note_is_a_base_user(site: Site) -> None:
    """The schema calls the author of a note a base user: a user or a collaborator."""
    assert site.schemas["Note"]["properties"]["author"]["$ref"] == "BaseUser"


@fact("protocol 1", "protocol")
def test_objects_have_an_order(site: Site) -> None:
    """The order of the objects of a session is written and read."""
    session, version = _review(site), site.version()
    keys = [_object(site, session, version, sort_order=place) for place in (3, 1, 2)]
    rows = site.rows(
        f'select id from ReviewSessionObject where review_session_id is "{session}" '
        "order by sort_order"
    )
    assert [each["id"] for each in rows] == [keys[1], keys[2], keys[0]]


@fact("protocol 1", "protocol")
def test_deleting_a_session_takes_its_content_along(site: Site) -> None:
    """With a session its objects and invitees go; the version stays."""
    session, version = _review(site), site.version()
    made = _object(site, session, version)
    site.delete("ReviewSession", session)
    assert site.rows(f'select id from ReviewSessionObject where id is "{made}"') == []
    assert site.get("AssetVersion", version, "id")["id"] == version


@fact("protocol 1", "protocol")
def test_an_invitation_is_sent(site: Site, review: Review) -> None:
    """The server accepts the action that sends an invitation."""
    told = site.call(
        {
            "action": "send_review_session_invite",
            "review_session_invitee_id": review.invitee,
        }
    )
    assert told[0]["action"] == "send_review_session_invite"


@fact("protocol 1", "protocol")
def test_an_unknown_invitee_is_an_error(site: Site) -> None:
    """An invitation for nobody is an error."""
    site.problem(
        {
            "action": "send_review_session_invite",
            "review_session_invitee_id": "00000000-0000-4000-8000-000000000000",
        }
    )
