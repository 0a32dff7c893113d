"""The list of the objects of a review, the page that plays them, and who sees which states."""

from __future__ import annotations

import html
import re

import pytest


def below(review, path, link=None, **more):
    """Return the address of a page below the review."""
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return (link or review.link).replace("/review?", f"/review{path}?") + extra


def rows_of(page):
    """Return the names in the rows of *page*, in their order."""
    found = re.findall(r'<li data-object.*?<span class="name">(.*?)</span>', page.source, re.DOTALL)
    return [html.unescape(one) for one in found]


def states_of(page, position):
    """Return the states in the row at *position*."""
    row = page.source.split(f'data-position="{position}"')[1].split("</li>")[0]
    return " ".join(
        re.sub(r"<[^>]*>", " ", row.split('class="states"')[1].split(">", 1)[1]).split()
    )


@pytest.fixture
def long_review(review, api):
    """Return the review with 100 objects."""
    values = {"review_session_id": review.session, "version_id": review.versions[0]}
    api.call(
        *(
            api.make("ReviewSessionObject", name=f"Shot {at}", sort_order=at, **values)
            for at in range(3, 101)
        )
    )
    found = api.query(
        f"select id from ReviewSessionObject where review_session_id is {review.session}"
        " order by sort_order"
    )
    review.objects = [one["id"] for one in found]
    return review


def test_a_long_list_is_a_part_of_it(long_review):
    """The page has 40 rows around the chosen object, and says where this is."""
    page = long_review.show(long_review.objects[49])
    assert rows_of(page) == [f"Shot {at}" for at in range(30, 70)]
    assert "50 of 100" in page.text
    assert len(page.source) < 120_000  # the picker of versions has all 100


@pytest.mark.parametrize(
    ("first", "wanted"),
    [("0", (1, 41)), ("97", (98, 101)), ("500", (100, 101)), ("x", (1, 41)), ("-3", (1, 41))],
)
def test_the_address_names_the_first_row(long_review, first, wanted):
    """An offset beyond the end, and a text that is no number, are not errors."""
    page = long_review.browser.get(f"{long_review.link}&from={first}")
    assert rows_of(page) == [f"Shot {at}" for at in range(*wanted)]
    assert page.field("object") == long_review.objects[0]


def test_the_script_gets_rows_alone(long_review):
    """The answer for the script has at most 200 rows and the number of all objects."""
    page = long_review.browser.get(below(long_review, "/objects", **{"from": 60}, count=5))
    assert rows_of(page) == [f"Shot {at}" for at in range(61, 66)]
    assert 'data-total="100"' in page.source
    assert "<textarea" not in page.source
    assert len(rows_of(long_review.browser.get(below(long_review, "/objects", count=999)))) == 100


def test_each_row_shows_its_states(review):
    """A row has the decisions, how many invitees made them, and the number of notes."""
    _, other = review.invite("Jonas Falk", "jonas@example.com")
    review.post("/note", content="One")
    note = review.api.one("select id from Note")["id"]
    review.post("/note", content="An answer", reply_to=note)
    review.post("/note", content="Two")
    review.post("/status", status="approved")
    form = {"object": review.objects[0], "status": "approved"}
    review.browser.post(below(review, "/status", other), **form)
    page = review.show()
    states = states_of(page, 1)  # decisions of the same second have no order
    assert states.replace("Jonas Falk, You", "You, Jonas Falk") == (
        "Approved 2 by You, Jonas Falk 2 notes"
    )
    assert states_of(page, 2) == ""


def test_a_moderated_list_hides_the_states_of_others(review):
    """A guest sees the own decisions and notes, and the notes of users, and no count of others."""
    _, other = review.invite("Jonas Falk", "jonas@example.com")
    form = {"object": review.objects[0]}
    review.browser.post(below(review, "/status", other), status="require_changes", **form)
    review.browser.post(below(review, "/note", other), content="Hidden", **form)
    review.api.create(
        "Note",
        content="By a host",
        parent_id=review.objects[0],
        parent_type="review_session_object",
    )
    review.post("/note", content="Own")
    review.post("/status", status="approved")
    review.change(is_moderated=True)
    assert states_of(review.show(), 1) == "Approved by You 2 notes"
    review.change(is_moderated=False)
    assert "3 notes" in states_of(review.show(), 1)


def test_an_empty_review_has_an_empty_list(review, api):
    """Without objects there is nothing to choose or to play."""
    for one in review.objects:
        api.delete("ReviewSessionObject", one)
    page = review.show()
    assert "This review has no versions yet." in page.text
    assert "Play all" not in page.text
    assert review.browser.get(below(review, "/play")).status == 404
    assert "no versions yet" in review.browser.get(below(review, "/summary")).text


# Playing all objects


def test_the_playlist_leads_from_object_to_object(review):
    """The page has links to the neighbours, so that it works without a script."""
    page = review.browser.get(below(review, "/play"))
    assert ("Shot 1" in page.text, "1 of 2" in page.text) == (True, True)
    (following,) = {one for one in page.addresses("/review/play?") if review.objects[1] in one}
    page = review.browser.get(following)
    assert ("Shot 2" in page.text, "2 of 2" in page.text) == (True, True)
    assert review.browser.get(page.addresses("/review?")[0]).field("object") == review.objects[1]


def test_the_script_gets_one_object_at_a_time(review):
    """The answer is the object with its media and its place, or 404 beyond the last."""
    review.upload(review.versions[1], "ftrackreview-mp4", ".mp4", b"movie")
    answer = review.browser.get(below(review, "/play/object", at=1)).response
    one = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    wanted = {"name": "Shot 2", "at": 1, "total": 2, "kind": "video", "next": None}
    assert {name: one[name] for name in wanted} == wanted
    assert review.browser.get(one["url"]).source == "movie"
    assert review.browser.get(below(review, "/play/object", at=2)).status == 404


@pytest.mark.parametrize("path", ["/objects", "/play", "/play/object", "/summary", "/summary.csv"])
def test_each_page_asks_who_the_visitor_is(review, path):
    """None opens with a false link, in a closed review, or without the passphrase."""
    address = below(review, path)
    assert review.browser.get(address).status == 200
    assert review.browser.get(address.replace("signature=", "signature=0")).status == 403
    review.change(passphrase="right", passphrase_enabled=True)
    assert "asks for a passphrase" in review.browser.get(address).text
    review.change(passphrase_enabled=False, availability="closed")
    assert review.browser.get(address).status == 403
