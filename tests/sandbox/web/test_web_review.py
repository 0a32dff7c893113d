"""The review page: who gets in, what they see, and what their words become."""

from __future__ import annotations

import json
import re
import urllib.parse

import pytest

STROKES = [{"color": "#ff0000", "width": 0.01, "points": [0.1, 0.2]}]
DRAWING = json.dumps({"strokes": STROKES})


# Getting in


def test_the_link_shows_the_versions(review):
    """The page names the review, the invitee and the versions, the first of them chosen."""
    page = review.show()
    assert page.status == 200
    for words in ("Dailies", "The Show", "Reviewing as Mira Sol", "Please look at the timing."):
        assert words in page.text
    assert re.findall(r"Shot (\d) Version \d", page.text) == ["1", "2", "1"]
    assert page.field("object") == review.objects[0]


def test_another_version_can_be_chosen(review):
    """Each version has an address of its own; one of another review is not shown."""
    assert review.show(review.objects[1]).field("object") == review.objects[1]
    assert review.show("elsewhere").field("object") == review.objects[0]


def test_a_review_without_versions_says_so(review, api):
    """An empty review is a page as well."""
    for object_ in review.objects:
        api.delete("ReviewSessionObject", object_)
    assert "This review has no versions yet." in review.show().text


@pytest.mark.parametrize("part", ["invitee", "expires", "signature"])
def test_a_changed_link_shows_nothing(review, part):
    """Without the right signature there is a page that says what to do, and no more."""
    path, _, query = review.link.partition("?")
    wrong = {**dict(urllib.parse.parse_qsl(query)), part: "1"}
    page = review.browser.get(f"{path}?{urllib.parse.urlencode(wrong)}")
    assert (page.status, "ask for a new invitation" in page.text) == (403, True)
    assert "Dailies" not in page.text


def test_a_withdrawn_invitation_opens_nothing(review, api):
    """The link of a removed invitee says that it was withdrawn."""
    api.delete("ReviewSessionInvitee", review.invitee)
    page = review.show()
    assert (page.status, "withdrawn" in page.text) == (404, True)


@pytest.mark.parametrize(
    ("start", "end", "words"), [(1, 2, "is not open yet"), (-2, -1, "is closed")]
)
def test_a_review_keeps_its_dates(review, notes, start, end, words):
    """Before and after its dates a review shows no versions and takes no words."""
    review.change(start_date=review.moment(start), end_date=review.moment(end))
    page = review.show()
    assert (page.status, words in page.text) == (403, True)
    assert "Shot 1" not in page.text
    for path in ("/note", "/status"):
        assert review.post(path, content="late", status="approved").status == 403
    assert notes() == []


def test_the_passphrase_is_asked_for(review, notes):
    """Without the passphrase there is a form and nothing else; with it the page opens."""
    review.change(passphrase="öffne dich", passphrase_enabled=True)
    page = review.show()
    assert (page.status, "asks for a passphrase" in page.text) == (200, True)
    assert "Shot 1" not in page.text
    assert review.post("/note", content="sneaky").status == 403
    assert notes() == []
    wrong = review.post("/passphrase", passphrase="abracadabra")
    assert (wrong.status, "That is not the passphrase." in wrong.text) == (403, True)
    assert "Shot 1" in review.post("/passphrase", passphrase="öffne dich").text
    assert "Shot 1" in review.show().text


def test_a_new_passphrase_has_to_be_given(review):
    """Who gave the old passphrase is asked again."""
    review.change(passphrase="old", passphrase_enabled=True)
    assert "Shot 1" in review.post("/passphrase", passphrase="old").text
    review.change(passphrase="new")
    assert "asks for a passphrase" in review.show().text


def test_a_passphrase_that_is_switched_off_is_not_asked_for(review):
    """passphrase_enabled decides."""
    review.change(passphrase="old", passphrase_enabled=False)
    assert "Shot 1" in review.show().text


def test_passphrases_cannot_be_tried_without_end(review):
    """After ten attempts in a minute even the right one has to wait."""
    review.change(passphrase="right", passphrase_enabled=True)
    for _ in range(10):
        assert review.post("/passphrase", passphrase="wrong").status == 403
    assert review.post("/passphrase", passphrase="right").status == 429


# What is seen


def test_nothing_that_people_wrote_is_taken_for_a_page(review, api):
    """Names, descriptions and notes are shown as they are, whatever they look like."""
    nasty = "<script>alert(1)</script>\"'><img src=x>"
    review.change(name=nasty, description=nasty)
    api.update("ReviewSessionObject", review.objects[0], name=nasty, version=nasty)
    api.update("ReviewSessionInvitee", review.invitee, name=nasty)
    review.post("/note", content=nasty, frame="3", drawing=DRAWING)
    page = review.show()
    assert page.source.count("<script ") == 3
    assert "<img src=x" not in page.source
    assert page.text.count("alert(1)") >= 5


def test_a_page_loads_nothing_from_elsewhere(review):
    """The content security policy allows this server alone, and no script within the page."""
    headers = review.show().response.headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["media-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["Referrer-Policy"] == "same-origin"
    source = review.show().source
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", source)


def test_a_page_holds_no_secret(review, sandbox):
    """Neither the key nor the passphrase stand in a page."""
    review.change(passphrase="open sesame", passphrase_enabled=True)
    page = review.post("/passphrase", passphrase="open sesame")
    assert "sesame" not in page.source
    assert sandbox.api_key not in page.source


def test_a_movie_is_played(review):
    """The player knows address, frame rate and frames of the encoded movie."""
    meta = {"frameIn": 0, "frameOut": 47, "frameRate": 24.0, "width": 640, "height": 360}
    review.upload(review.versions[0], "ftrackreview-mp4", ".mp4", b"0123456789", json.dumps(meta))
    page = review.show()
    assert 'data-frame-rate="24.0"' in page.source
    assert 'data-last-frame="47"' in page.source
    (address,) = page.addresses("/component/get")
    part = review.browser.get(address, Range="bytes=2-4")
    assert (part.status, part.source) == (206, "234")


def test_an_image_is_shown(review):
    """A still needs no controls."""
    review.upload(review.versions[0], "ftrackreview-image", ".jpg", b"jpeg")
    page = review.show()
    assert len(page.addresses("/component/get")) == 1
    assert "data-scrubber" not in page.source


def test_the_movie_wins_over_the_image(review):
    """Where there are both, the movie is played."""
    review.upload(review.versions[0], "ftrackreview-image", ".jpg", b"jpeg")
    review.upload(review.versions[0], "ftrackreview-mp4", ".mp4", b"movie")
    assert 'data-kind="video"' in review.show().source


@pytest.mark.parametrize("meta", ["", "no json", "[]", '{"frameRate": "x", "width": -1}'])
def test_odd_metadata_does_not_break_the_page(review, meta):
    """Anybody may write ftr_meta; the player then assumes 24 frames a second."""
    review.upload(review.versions[0], "ftrackreview-mp4", ".mp4", b"movie", meta or None)
    assert 'data-frame-rate="24.0"' in review.show().source


def test_a_version_without_media_says_so(review):
    """There is nothing to play before something is encoded."""
    assert "no media that a browser can show" in review.show().text


def test_media_of_a_version_is_for_those_who_may_see_it(review):
    """The address of the media does not work without its signature."""
    review.upload(review.versions[0], "ftrackreview-mp4", ".mp4", b"movie")
    (address,) = review.show().addresses("/component/get")
    assert review.browser.get(address).status == 200
    assert review.browser.get(address.partition("&expires")[0]).status == 401


def test_an_uploaded_page_cannot_act(review):
    """Data that happens to be a page is shown without scripts and without an origin."""
    component = review.upload(
        review.versions[0], "ftrackreview-mp4", ".html", b"<script>1</script>"
    )
    (address,) = review.show().addresses("/component/get")
    assert component in address
    headers = review.browser.get(address).response.headers
    assert headers["Content-Security-Policy"] == "sandbox"


# What is said


def test_a_note_becomes_an_entity(review, api, notes):
    """A note is on the object, by the invitee's collaborator, at its frame."""
    page = review.post("/note", content="A little later.\r\nHere.", frame="12")
    assert (page.status, "A little later. Here." in page.text) == (200, True)
    (note,) = notes()
    person = api.one("select id from Collaborator")
    assert note["content"] == "A little later.\nHere."
    assert (note["parent_id"], note["parent_type"]) == (review.objects[0], "ReviewSessionObject")
    assert (note["user_id"], note["author"]["first_name"]) == (person["id"], "Mira")
    assert note["frame_number"] == 12
    assert [(one["key"], json.loads(one["value"])) for one in note["metadata"]] == [
        ("reviewFrame", {"number": 12})
    ]
    found = api.one(
        f"select notes.content from ReviewSessionObject where id is {note['parent_id']}"
    )
    assert found["notes"][0]["content"] == note["content"]


def test_a_note_has_the_category_of_reviews(review, api):
    """A10: a note from a review has the category that clients know; a reply has none."""
    review.post("/note", content="A little later.")
    note = api.one("select id, category_id from Note")
    assert note["category_id"] == "42983ba0-53b0-11e4-916c-0800200c9a66"
    review.post("/note", content="Still.", reply_to=note["id"])
    reply = api.one("select category_id from Note where content is Still.")
    assert reply["category_id"] is None


def test_a_note_is_written_where_the_category_is_gone(review, api):
    """Data without the category of reviews take notes without one."""
    api.delete("NoteCategory", "42983ba0-53b0-11e4-916c-0800200c9a66")
    review.post("/note", content="A little later.")
    assert api.one("select category_id from Note")["category_id"] is None


def test_a_note_about_the_whole_has_no_frame(review, notes):
    """Without a frame nothing is said of one."""
    review.post("/note", content="Fine.", frame="")
    (note,) = notes()
    assert (note["frame_number"], note["metadata"]) == (None, [])


def test_a_drawing_is_kept_with_its_note(review, api):
    """The strokes become an annotation at the frame, and the page shows them with the note."""
    page = review.post("/note", content="Look.", frame="7", drawing=DRAWING)
    (annotation,) = api.query(
        "select data, frame_number, review_session_object_id from ReviewSessionObjectAnnotation"
    )
    (note,) = api.query("select id from Note")
    assert annotation["frame_number"] == 7
    assert annotation["review_session_object_id"] == review.objects[0]
    assert json.loads(annotation["data"]) == {"version": 1, "note": note["id"], "strokes": STROKES}
    assert page.source.count("data-drawing=") == 1
    assert "&#34;#ff0000&#34;" in page.source


def test_a_drawing_needs_no_words(review, notes):
    """A note with nothing but a drawing says that it is one."""
    assert review.post("/note", content="  ", drawing=DRAWING).status == 200
    assert notes()[0]["content"] == "(drawing)"


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"content": "  "}, 400, "Write or draw something first."),
        ({"content": "x" * 20_001}, 400, "limit is 20000 characters"),
        ({"content": "x", "drawing": "{"}, 400, "not JSON"),
        ({"content": "x", "frame": "-1"}, 400, "whole number"),
        ({"content": "x", "frame": "1e9"}, 400, "whole number"),
        ({"content": "x", "object": "elsewhere"}, 404, "not part of this review"),
        ({"content": "x", "reply_to": "elsewhere"}, 404, "does not exist"),
    ],
)
def test_what_makes_no_sense_is_not_kept(review, api, notes, form, status, words):
    """The page says what is wrong, and nothing is written."""
    page = review.post("/note", **form)
    assert (page.status, words in page.text) == (status, True)
    assert notes() == []
    assert api.query("select id from ReviewSessionObjectAnnotation") == []


def test_a_form_that_is_too_large_is_refused(review, notes):
    """Nobody can make the server keep megabytes of form."""
    assert review.post("/note", content="x" * 3_000_000).status == 413
    assert notes() == []


def test_a_reply_belongs_to_its_note(review, notes):
    """Replies are shown below their note."""
    page = review.post("/note", content="1: why?")
    reply_to = page.field("reply_to")
    page = review.post("/note", content="2: because", reply_to=reply_to)
    first, second = notes()
    assert (first["id"], second["in_reply_to_id"]) == (reply_to, reply_to)
    assert re.search(r"1: why\?.*2: because.*Reply", page.text)


def test_replies_of_clients_are_seen(review, session):
    """What somebody answers through the API is on the page, with their name."""
    review.post("/note", content="Is this final?")
    note = session.query("Note").one()
    user = session.query("User where username is admin").one()
    note.create_reply("Not yet.", author=user)
    session.commit()
    assert re.search(
        r"Mira Sol .*Is this final\?.*Site Administrator .*Not yet\.", review.show().text
    )


def test_a_note_of_another_review_cannot_be_replied_to(review, api, notes):
    """The link opens one review and no other."""
    other = api.create(
        "ReviewSession",
        name="Other",
        start_date=review.moment(-1),
        end_date=review.moment(1),
        project_id=review.project,
    )
    object_ = review.add(review.versions[0], 0, other)
    note = api.create(
        "Note", content="Theirs", parent_id=object_, parent_type="ReviewSessionObject"
    )
    assert review.post("/note", content="x", reply_to=note).status == 404
    assert review.post("/note", content="x", object=object_).status == 404
    assert review.post("/status", status="approved", object=object_).status == 404
    assert [one["content"] for one in notes()] == ["Theirs"]


def test_a_decision_becomes_a_status(review, api):
    """Approving makes a status of the invitee; changing one's mind changes it."""
    page = review.post("/status", status="approved")
    assert re.search(r"Approved You", page.text)
    (status,) = api.query(
        "select status, review_session_invitee_id, review_session_object_id, resource_id"
        " from ReviewSessionObjectStatus"
    )
    assert status["status"] == "approved"
    assert status["review_session_invitee_id"] == review.invitee
    assert status["review_session_object_id"] == review.objects[0]
    assert status["resource_id"] == api.one("select id from Collaborator")["id"]
    page = review.post("/status", status="require_changes")
    assert re.search(r"Requires changes You", page.text)
    (again,) = api.query("select status from ReviewSessionObjectStatus")
    assert (again["id"], again["status"]) == (status["id"], "require_changes")


def test_decisions_of_others_are_seen(review):
    """Invitees see what the others decided, by name."""
    review.post("/status", status="approved")
    _, review.link = review.invite("Jonas Falk", "jonas@example.com")
    page = review.post("/status", status="require_changes")
    assert "Approved Mira Sol" in page.text
    assert "Requires changes You" in page.text


def test_there_are_two_decisions(review, api):
    """Anything else is refused."""
    assert review.post("/status", status="perfect").status == 400
    assert api.query("ReviewSessionObjectStatus") == []


def test_an_invitee_without_a_resource_gets_one(review, api, notes):
    """Who has no collaborator any more becomes one by the first word."""
    api.update("ReviewSessionInvitee", review.invitee, resource_id=None)
    for person in api.query("Collaborator"):
        api.delete("Collaborator", person["id"])
    assert review.post("/note", content="Hello").status == 200
    person = api.one("select id, email from Collaborator")
    invitee = api.one(f"select resource_id from ReviewSessionInvitee where id is {review.invitee}")
    assert notes()[0]["user_id"] == person["id"] == invitee["resource_id"]
    assert person["email"] == "mira@example.com"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_forms_of_other_sites_are_ignored(review, notes, headers):
    """A page elsewhere cannot speak for an invitee, even if it knew the link."""
    address = review.link.replace("/review?", "/review/note?")
    page = review.browser.post(address, headers, object=review.objects[0], content="forged")
    assert (page.status, "another site" in page.text) == (403, True)
    assert notes() == []


def test_what_is_said_is_told_as_an_event(review, api):
    """Notes and decisions are updates like those of any client, in the invitee's name."""
    review.post("/note", content="Hello", frame="3", drawing=DRAWING)
    review.post("/status", status="approved")
    told = [one["event"] for one in api.http.get(f"{api.url}/events", timeout=30).json()["events"]]
    person = api.one("select id from Collaborator")["id"]
    added = {
        entity.get("entity_type")
        for event in told
        if event["source"]["user"].get("id") == person
        for entity in event["data"]["entities"]
        if entity["action"] == "add"
    }
    assert {"Note", "ReviewSessionObjectAnnotation", "ReviewSessionObjectStatus"} <= added
