"""The summary of a review for the producer, as a page and as CSV."""

from __future__ import annotations

import csv
import io
import re

import pytest

from ftrack_like.sandbox.web.summary_csv import COLUMNS, harmless

from .test_web_review_list import below


@pytest.fixture
def discussed(review, api):
    """Return a review with decisions, notes of an invitee and of a user, and an answer."""
    review.other, review.other_link = review.invite("Jonas Falk", "jonas@example.com")
    review.post("/note", content="A little\nlater, “please”.", frame="12")
    review.post("/status", status="approved")
    form = {"object": review.objects[0]}
    review.browser.post(
        below(review, "/status", review.other_link), status="require_changes", **form
    )
    review.browser.post(below(review, "/note", review.other_link), content="By Jonas", **form)
    # Dates have whole seconds, and notes of the same second have no order.
    for minute, content in enumerate(("%later%", "By Jonas")):
        written = api.one(f"select id from Note where content like '{content}'")["id"]
        date = {"__type__": "datetime", "value": f"2026-02-01T10:{minute:02}:00"}
        api.update("Note", written, date=date)
    note = api.one("select id from Note where content like '%later%'")["id"]
    review.post("/note", content="Thanks", reply_to=note)
    done = {"__type__": "datetime", "value": "2026-02-03T04:05:06"}
    user = api.one("select id from User where username is admin")["id"]
    api.update("Note", note, completed_at=done, completed_by_id=user)
    return review


def rows_of(response):
    """Return the rows of CSV as dictionaries."""
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))


def test_the_page_has_all_that_was_said(discussed):
    """Each object has its decisions with person and time, and its notes with frame and state."""
    page = discussed.browser.get(below(discussed, "/summary"))
    assert page.status == 200
    assert re.search(r"Approved Mira Sol \d{4}-\d\d-\d\d \d\d:\d\d UTC", page.text)
    assert re.search(r"Requires changes Jonas Falk \d{4}", page.text)
    assert re.search(
        r"Frame 12 Mira Sol .{20} Resolved by Site Administrator, 2026-02-03", page.text
    )
    assert re.search(r"Jonas Falk .{20} Open By Jonas", page.text)
    assert "2 Versions" in re.sub(r"Versions (\d+)", r"\1 Versions", page.text)
    assert "No decisions or notes yet." in page.text


def test_users_see_the_same_summary(discussed, visitor):
    """The page below the host's page has all entries, and leads back and to the file."""
    page = visitor.get(f"/browse/review/{discussed.session}")
    assert f"/browse/review/{discussed.session}/summary" in page.addresses("/browse/review")
    page = visitor.get(f"/browse/review/{discussed.session}/summary")
    for words in ("Jonas Falk", "By Jonas", "Thanks", "Resolved by Site Administrator"):
        assert words in page.text
    file = visitor.get(page.addresses(f"/browse/review/{discussed.session}/summary.csv")[0])
    assert len(rows_of(file.response)) == 7


@pytest.mark.parametrize("path", ["summary", "summary.csv"])
def test_the_summary_needs_a_log_in_and_the_right_to_read(sandbox, browser, api, review, path):
    """Others get the form, and then no more than the API shows them."""
    address = f"/browse/review/{review.session}/{path}"
    assert "Log in to the sandbox" in browser.get(address).text
    api.create("User", username="ada", email="ada@example.com")
    user = api.one("select id from User where username is ada")["id"]
    key = api.call(
        {
            "action": "reset_remote",
            "reset_type": "api_key",
            "entity_type": "User",
            "entity_key": user,
        }
    )[0]["data"]["api_key"]
    page = browser.post("/log-in", username="ada", key=key, next=address)
    assert page.response.url == sandbox.server_url + address
    assert (page.status, "Shot 1" in page.text) == (404, False)


@pytest.mark.parametrize("path", ["/summary", "/summary.csv"])
def test_a_moderated_summary_hides_other_invitees(discussed, api, path):
    """A guest sees the own entries and those of users, and no name of another invitee."""
    api.create(
        "Note",
        content="By a host",
        parent_id=discussed.objects[1],
        parent_type="review_session_object",
    )
    discussed.change(is_moderated=True)
    page = discussed.browser.get(below(discussed, path))
    for words in ("Mira Sol", "Approved", "Thanks", "By a host"):
        assert words in page.text
    for words in ("Jonas", "Requires changes"):
        assert words not in page.text


@pytest.mark.parametrize("path", ["/summary", "/summary.csv"])
def test_the_summary_names_the_invitee_who_resolved_a_note(discussed, api, path):
    """An invitee without an account counts too; a moderated summary leaves the name out."""
    note = api.one("select id from Note where content is 'By Jonas'")["id"]
    form = {"object": discussed.objects[0], "note": note, "resolved": "1"}
    discussed.browser.post(below(discussed, "/note/resolve", discussed.other_link), **form)
    rows = rows_of(discussed.browser.get(below(discussed, "/summary.csv")).response)
    assert next(one for one in rows if one["Text"] == "By Jonas")["Resolved by"] == "Jonas Falk"
    assert "Resolved by Jonas Falk" in discussed.browser.get(below(discussed, "/summary")).text
    own = api.one("select id from Note where content like '%later%'")["id"]
    form["note"] = own
    discussed.browser.post(
        below(discussed, "/note/resolve", discussed.other_link), **{**form, "resolved": "0"}
    )
    discussed.browser.post(below(discussed, "/note/resolve", discussed.other_link), **form)
    discussed.change(is_moderated=True)
    assert "Jonas" not in discussed.browser.get(below(discussed, path)).text


def test_the_file_is_csv(discussed):
    """It is RFC 4180 in UTF-8 with a byte order mark, with a row for each entry."""
    response = discussed.browser.get(below(discussed, "/summary.csv")).response
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert response.content.startswith(b"\xef\xbb\xbfPosition,Object,Version,")
    text = response.content.decode("utf-8-sig")
    assert text.endswith("\r\n")
    assert not re.search(r"(?<!\r)\n", re.sub(r'"[^"]*"', "", text))
    rows = rows_of(response)
    assert tuple(rows[0]) == COLUMNS
    assert [(one["Object"], one["Entry"]) for one in rows] == [
        ("Shot 1", "version"),
        ("Shot 1", "decision"),
        ("Shot 1", "decision"),
        ("Shot 1", "note"),
        ("Shot 1", "reply"),
        ("Shot 1", "note"),
        ("Shot 2", "version"),
    ]
    note = rows[3]
    assert note["Text"] == "A little\nlater, “please”."
    assert (note["Frame"], note["Person"]) == ("12", "Mira Sol")
    assert (note["Resolved"], note["Resolved by"]) == ("2026-02-03 04:05:06", "Site Administrator")
    assert (rows[5]["Resolved"], rows[4]["Resolved"]) == ("no", "")


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "|x"]
)
def test_no_cell_is_a_formula(review, api, start):
    """A cell that a spreadsheet would calculate begins with an apostrophe."""
    text = f'{start},"quoted"'
    assert harmless(text).startswith("'")
    api.update("ReviewSessionObject", review.objects[0], name=text, version=text)
    api.update("ReviewSessionInvitee", review.invitee, name=text)
    api.create(
        "Note", content=text, parent_id=review.objects[0], parent_type="review_session_object"
    )
    review.post("/status", status="approved")
    rows = rows_of(review.browser.get(below(review, "/summary.csv")).response)
    cells = {cell for row in rows for cell in row.values()}
    assert harmless(text) in cells
    assert not [cell for cell in cells if re.match(r"[=+\-@|\t\r\uff1d]", cell)]


@pytest.mark.parametrize("separator", [";", "\t", "\n", "\r\n", "; "])
def test_no_part_of_a_cell_is_a_formula(separator):
    """A spreadsheet that separates cells by semicolons finds no formula inside a text either."""
    assert harmless(f"Nice{separator}=1+1") == f"Nice{separator}'=1+1"
    assert harmless(f"Nice{separator}later") == f"Nice{separator}later"


@pytest.mark.parametrize("text", ["", "a=b", "sh010", "Zoë “yes”", "1001", "'quoted'"])
def test_other_cells_stay_as_they_are(text):
    """Only texts that could be formulas change."""
    assert harmless(text) == text


def test_the_name_of_the_file_is_safe(review):
    """The name of the review is in the file name, without characters that a system forbids."""
    review.change(name='A/B: "Zoë"\r\nX-Evil: 1')
    header = review.browser.get(below(review, "/summary.csv")).response.headers
    assert "X-Evil" not in header
    assert "filename*=UTF-8''A%20B%20%20Zo%C3%AB%20X-Evil%20%201%20summary.csv" in (
        header["Content-Disposition"].replace("%20%20%20", "%20%20")
    )


def test_a_changed_decision_has_the_time_of_the_change(review, api):
    """The summary says when an invitee made the decision that holds now."""
    review.post("/status", status="approved")
    decision = api.one("select id from ReviewSessionObjectStatus")["id"]
    past = {"__type__": "datetime", "value": "2020-01-01T00:00:00"}
    api.update("ReviewSessionObjectStatus", decision, created_at=past)
    review.post("/status", status="require_changes")
    found = api.one("select id, status, created_at from ReviewSessionObjectStatus")
    assert (found["id"], found["status"]) == (decision, "require_changes")
    assert found["created_at"]["value"] > "2026"


def test_a_long_review_is_summarised_whole(review, api):
    """The summary of more objects than an expression takes at once has all of them."""
    values = {"review_session_id": review.session, "version_id": review.versions[0]}
    api.call(
        *(
            api.make("ReviewSessionObject", name=f"Shot {at}", sort_order=at, **values)
            for at in range(3, 1203)
        )
    )
    rows = rows_of(review.browser.get(below(review, "/summary.csv")).response)
    assert [one["Position"] for one in rows] == [str(at) for at in range(1, 1203)]
