"""Who may join a review by its shared link, who sees what in a moderated one, and when."""

from __future__ import annotations

import html
import re

import pytest
import requests


@pytest.fixture
def shared(review, visitor):
    """Return the address at which anybody joins the review, as its page for hosts shows it."""
    review.change(shareable_url_enabled=True)
    page = visitor.get(f"/browse/review/{review.session}")
    (address,) = page.addresses(f"{review.api.url}/review/shared?")
    return address


class Guest:
    """A browser of somebody who got the shared link."""

    def __init__(self, address):
        self.address = address
        self.http = requests.Session()

    def open(self):
        return self.http.get(self.address, timeout=30)

    def join(self, name="Guest One", email="guest@example.com", **headers):
        form = {"name": name, "email": email}
        return self.http.post(self.address, data=form, headers=headers, timeout=30)


@pytest.fixture
def guest(shared):
    """Return a browser that has the shared link."""
    opened = Guest(shared)
    yield opened
    opened.http.close()


def test_a_guest_joins_by_name(guest, review, api):
    """Who gives a name and a mail address is an invitee of the review, and sees it."""
    assert "Say who you are" in guest.open().text
    page = guest.join()
    assert "Reviewing as <strong>Guest One</strong>" in page.text
    found = api.one(
        "select email, created_from_shared_url, review_session_id, resource_id"
        ' from ReviewSessionInvitee where name is "Guest One"'
    )
    assert (found["email"], found["created_from_shared_url"]) == ("guest@example.com", True)
    assert found["review_session_id"] == review.session
    assert "by the shared link" in review.browser.get(f"/browse/review/{review.session}").source


def test_a_guest_who_comes_again_is_known(guest, api):
    """The browser remembers the guest, so that the link leads on to the review."""
    guest.join()
    assert "Reviewing as <strong>Guest One</strong>" in guest.open().text
    assert len(api.query("ReviewSessionInvitee where created_from_shared_url is true")) == 1


def test_a_guest_is_nobody_else(guest, review, api, notes):
    """The mail address of an invitee does not make a guest that invitee, nor the other way."""
    review.post("/note", content="By Mira")
    page = guest.join("Somebody", "mira@example.com")
    address = html.unescape(re.search(r'action="(/review/note\?[^"]*)"', page.text)[1])
    form = {"object": review.objects[0], "content": "By a guest"}
    guest.http.post(review.api.url + address, data=form, timeout=30)
    mine, theirs = notes()
    assert mine["user_id"] != theirs["user_id"]


def test_who_is_invited_is_not_taken_for_a_guest(guest, review, api):
    """A person whose address a guest gave before is a person of their own."""
    guest.join("Somebody", "real@example.com")
    invitee, _ = review.invite("The Real One", "real@example.com")
    people = api.query(
        'select resource_id from ReviewSessionInvitee where email is "real@example.com"'
    )
    assert len({one["resource_id"] for one in people}) == 2
    assert any(one["id"] == invitee for one in people)


def test_a_link_that_is_switched_off_admits_nobody(guest, review, api):
    """The link opens nothing once sharing is over; who joined before stays an invitee."""
    link = guest.join().url
    review.change(shareable_url_enabled=False)
    answer = Guest(guest.address).open()
    assert (answer.status_code, "not shared any more" in answer.text) == (403, True)
    assert guest.join().status_code == 403
    assert guest.http.get(link, timeout=30).status_code == 200
    assert len(api.query("ReviewSessionInvitee where created_from_shared_url is true")) == 1


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("", "a@b.c"),
        (" ", "a@b.c"),
        ("A", ""),
        ("A", "nobody"),
        ("A", "a@b\nc: d"),
        ("A" * 201, "a@b.c"),
    ],
)
def test_a_guest_needs_a_name_and_an_address(guest, api, name, email):
    """The form is shown again, with what was written in it."""
    answer = guest.join(name, email)
    assert (answer.status_code, "are wanted" in answer.text) == (400, True)
    assert api.query("ReviewSessionInvitee where created_from_shared_url is true") == []


def test_what_a_guest_is_called_stays_text(guest, review):
    """A name is shown as it was written, to the guest and to the hosts."""
    name = "<script>alert(1)</script>"
    assert name not in guest.join(name, "x@example.com").text
    assert name not in review.browser.get(f"/browse/review/{review.session}").source


def test_guests_cannot_be_made_without_end(guest, api):
    """A program that fills in the form over and over has to wait."""
    answers = {Guest(guest.address).join(f"Guest {number}").status_code for number in range(31)}
    assert answers == {200, 429}


def test_forms_of_other_sites_make_no_guests(guest, api):
    """A page elsewhere cannot join in somebody's name."""
    assert guest.join(Origin="https://elsewhere.test").status_code == 403
    assert api.query("ReviewSessionInvitee where created_from_shared_url is true") == []


def test_a_changed_shared_link_is_refused(guest, review):
    """Neither another session nor another time can be put into the link."""
    for name in ("session", "expires", "signature"):
        changed = Guest(re.sub(rf"{name}=[^&]*", f"{name}=1", guest.address))
        assert changed.open().status_code == 403


def test_guests_give_the_passphrase_too(guest, review):
    """A shared link does not stand for the passphrase."""
    review.change(passphrase_enabled=True, passphrase="sesame")
    page = guest.join()
    assert "asks for a passphrase" in page.text
    assert "Shot 1" not in page.text


def test_a_moderated_review_shows_the_own_words_and_those_of_hosts(review, session, api):
    """Invitees see neither notes nor replies nor decisions of each other."""
    review.change(is_moderated=True)
    review.post("/note", content="By Mira", frame="3")
    review.post("/status", status="approved")
    first = session.query('Note where content is "By Mira"').one()
    host = session.query("User where username is admin").one()
    first.create_reply("By a host", author=host)
    session.commit()
    assert all(word in review.show().text for word in ("By Mira", "By a host", "Approved You"))
    mira = review.link
    _, review.link = review.invite("Jonas Falk", "jonas@example.com")
    page = review.show()
    assert "moderated" in page.text
    assert not any(word in page.source for word in ("By Mira", "By a host", "Mira Sol"))
    assert '<span class="decided approved">' not in page.source
    review.post("/note", content="By Jonas")
    assert "By Jonas" in review.show().text
    review.link = mira
    assert "By Jonas" not in review.show().text
    review.change(is_moderated=False)
    assert "By Jonas" in review.show().text


def test_what_is_not_seen_cannot_be_replied_to(review, notes):
    """In a moderated review there is no replying to hidden notes, even by their id."""
    review.change(is_moderated=True)
    review.post("/note", content="By Mira")
    _, review.link = review.invite("Jonas Falk", "jonas@example.com")
    assert review.post("/note", content="x", reply_to=notes()[0]["id"]).status == 404
    assert len(notes()) == 1


@pytest.mark.parametrize(
    ("availability", "days", "is_open"),
    [
        ("always", (-2, -1), True),
        ("always", (1, 2), True),
        ("closed", (-1, 1), False),
        ("date_range", (-1, 1), True),
        ("date_range", (-2, -1), False),
        (None, (-1, 1), True),
        (None, (1, 2), False),
    ],
)
def test_availability_wins_over_the_dates(review, api, availability, days, is_open):
    """A review may be open or closed whatever its dates; the API and the page agree."""
    start, end = map(review.moment, days)
    review.change(availability=availability, start_date=start, end_date=end)
    assert api.one("select is_open from ReviewSession")["is_open"] is is_open
    found = api.query(f"ReviewSession where is_open is {str(is_open).lower()}")
    assert [one["id"] for one in found] == [review.session]
    assert review.show().status == (200 if is_open else 403)
    if availability == "closed":
        assert "closed on" not in review.show().text
