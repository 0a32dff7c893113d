"""Notes on the review page: sent once, changed by those who may, with files."""

from __future__ import annotations

import concurrent.futures
import html
import json
import re

import pytest
import requests

DRAWING = json.dumps(
    {"strokes": [{"color": "#ff0000", "width": 0.01, "points": [0.1, 0.2, 0.3, 0.4]}]}
)
CLIENT_ID = "0123456789abcdef" * 2
FORMS = ("/note", "/note/edit", "/note/delete", "/note/resolve")


@pytest.fixture
def jonas(review):
    """Return the link of a second invitee."""
    return review.invite("Jonas Falk", "jonas@example.com")[1]


def note_on(review, content="Too dark.", **form):
    """Return the id of a new note."""
    return sent(review, "/note", content=content, **form).json()["note"]


def sent(review, path, **form):
    return review.post(path, quiet="1", **form).response


def by(review, link):
    """Continue as the invitee with *link*."""
    review.link = link
    return review


def contents(api):
    return sorted(one["content"] for one in api.query("select content from Note"))


# Sent once


def test_a_repeated_note_is_one_note(review, api):
    """The same client_id gives the same note, whatever the content of the second request."""
    first = note_on(review, client_id=CLIENT_ID)
    assert note_on(review, "Changed", client_id=CLIENT_ID) == first
    assert contents(api) == ["Too dark."]
    assert note_on(review, "Another", client_id="f" * 32) != first
    assert contents(api) == ["Another", "Too dark."]


def test_simultaneous_requests_make_one_note(review, api):
    """Four requests with the same client_id at once leave one note, with one file."""
    address = review.browser.url + review.link[review.link.index("/review?") :]
    address = address.replace("/review?", "/review/note?")
    form = {"object": review.objects[0], "content": "x", "client_id": CLIENT_ID, "quiet": "1"}
    note_on(review, "before")  # the invitee has a person

    def post(_):
        files = {"files": ("a.txt", b"data")}
        return requests.post(address, data=form, files=files, timeout=60).status_code

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(post, range(4))) == [200] * 4
    assert contents(api) == ["before", "x"]
    assert len(api.query("select id from FileComponent where name is a")) == 1


def test_the_ids_of_visitors_do_not_meet(review, api, jonas):
    """Two invitees may choose the same client_id."""
    note_on(review, "By Mira", client_id=CLIENT_ID)
    note_on(by(review, jonas), "By Jonas", client_id=CLIENT_ID)
    assert contents(api) == ["By Jonas", "By Mira"]


@pytest.mark.parametrize("client_id", ["x", "A" * 32, "0" * 31, "0" * 33, "../" + "0" * 29])
def test_a_client_id_is_checked(review, api, client_id):
    """Anything but 32 hexadecimal digits is an error in words."""
    page = review.post("/note", content="x", client_id=client_id)
    assert (page.status, "32 hexadecimal digits" in page.text) == (400, True)
    assert contents(api) == []


# Edited and deleted


def test_an_author_edits_a_note_and_a_reply(review, api):
    """The new words replace the old; the page offers it for own notes alone."""
    note = note_on(review)
    reply = note_on(review, "Here.", reply_to=note)
    assert sent(review, "/note/edit", note=note, content="Much\r\ntoo dark.").status_code == 200
    assert sent(review, "/note/edit", note=reply, content="There.").status_code == 200
    assert contents(api) == ["Much\ntoo dark.", "There."]
    assert review.show().source.count('data-draft="edit:') == 2


def test_an_edit_does_not_overwrite_a_newer_text(review, api):
    """An edit that began before another change is refused; a repeated edit is not."""
    note = note_on(review)
    before = re.search(r'name="before" value="(\w+)"', review.show().source).group(1)
    for _ in range(2):
        sent(review, "/note/edit", note=note, content="First.", before=before).raise_for_status()
    page = review.post("/note/edit", note=note, content="Second.", before=before)
    assert (page.status, "changed since you began" in page.text) == (409, True)
    assert contents(api) == ["First."]


@pytest.mark.parametrize(
    ("content", "words"), [("  ", "Write or draw"), ("x" * 20_001, "limit is 20000")]
)
def test_an_edit_is_checked_like_a_note(review, api, content, words):
    """Empty and endless notes cannot be made by an edit."""
    note = note_on(review)
    page = review.post("/note/edit", note=note, content=content)
    assert (page.status, words in page.text) == (400, True)
    assert contents(api) == ["Too dark."]


def test_others_can_neither_edit_nor_delete(review, api, jonas):
    """Another invitee gets an error, and the page offers nothing."""
    note = note_on(review)
    by(review, jonas)
    for path in ("/note/edit", "/note/delete"):
        page = review.post(path, note=note, content="Stolen")
        assert (page.status, "not your note" in page.text) == (403, True)
    note_on(review, "By Jonas")  # now Jonas has a person too
    assert review.post("/note/edit", note=note, content="Stolen").status == 403
    assert contents(api) == ["By Jonas", "Too dark."]
    source = review.show().source
    assert source.count('data-draft="edit:') == source.count("/review/note/delete") == 1


def test_a_visitor_without_a_person_is_not_the_author_of_orphans(review, api, jonas):
    """Notes without an author belong to no visitor."""
    note = note_on(review)
    person = api.one("select user_id from Note")["user_id"]
    api.update("ReviewSessionInvitee", review.invitee, resource_id=None)
    api.delete("Collaborator", person)
    for link in (review.link, jonas):
        assert by(review, link).post("/note/edit", note=note, content="x").status in {403, 404}


def test_a_deleted_note_takes_its_drawing_and_files(review, api):
    """Nothing of the note stays: rows, strokes and data."""
    note = note_on(review, frame="3", drawing=DRAWING)
    reply = attach(review, [("a.txt", b"data")], content="With a file", reply_to=note)
    assert reply.status_code == 200
    address = next(iter(review.show().addresses("/component/get")))
    assert requests.get(review.browser.url + address, timeout=30).content == b"data"
    assert sent(review, "/note/delete", note=note).status_code == 200
    for name in ("Note", "ReviewSessionObjectAnnotation", "NoteComponent", "FileComponent"):
        assert (
            api.query(f"select {'component_id' if name == 'NoteComponent' else 'id'} from {name}")
            == []
        )
    assert requests.get(review.browser.url + address, timeout=30).status_code == 404


def test_components_of_a_version_stay(review, api):
    """A component that also belongs to a version, or to another note, is not deleted."""
    note, other = note_on(review), note_on(review, "Other")
    media = review.upload(review.versions[0], "main", ".png", b"png")
    shared = api.create("FileComponent", name="shared", file_type=".txt")
    for one, component in ((note, media), (note, shared), (other, shared)):
        api.create("NoteComponent", [component, one], component_id=component, note_id=one)
    assert sent(review, "/note/delete", note=note).status_code == 200
    assert {one["id"] for one in api.query("select id from FileComponent")} == {media, shared}


def test_a_note_with_replies_of_others_stays(review, api, jonas):
    """An author cannot delete the words of others; the own reply can go."""
    note = note_on(review)
    mira = review.link
    reply = note_on(by(review, jonas), "Why?", reply_to=note)
    page = by(review, mira).post("/note/delete", note=note)
    assert (page.status, "Others replied" in page.text) == (409, True)
    assert sent(by(review, jonas), "/note/delete", note=reply).status_code == 200
    assert sent(by(review, mira), "/note/delete", note=note).status_code == 200
    assert contents(api) == []


def host(review, api, role):
    """Continue as an invitee who is a user with *role*."""
    user = api.create("User", username="host", email="host@example.com", is_active=True)
    role_id = api.one(f'select id from SecurityRole where name is "{role}"')["id"]
    api.create(
        "UserSecurityRole", user_id=user, security_role_id=role_id, is_all_open_projects=True
    )
    invitee, link = review.invite("Host", "host@example.com")
    api.update("ReviewSessionInvitee", invitee, resource_id=user)
    by(review, link)
    return user


def test_a_host_deletes_what_the_roles_allow(review, api, jonas):
    """A user whose role allows it may delete a thread of others, but not edit it."""
    note = note_on(review)
    note_on(by(review, jonas), "Why?", reply_to=note)
    host(review, api, "User")
    assert review.post("/note/edit", note=note, content="x").status == 403
    assert review.show().source.count("/review/note/delete") == 2
    assert sent(review, "/note/delete", note=note).status_code == 200
    assert contents(api) == []


def test_a_host_without_rights_deletes_nothing(review, api):
    """A role without rights on notes is not enough."""
    note = note_on(review)
    user = host(review, api, "User")
    for one in api.query(f"select id from UserSecurityRole where user_id is {user}"):
        api.delete("UserSecurityRole", one["id"])
    assert "/review/note/delete" not in review.show().source
    assert review.post("/note/delete", note=note).status == 403
    assert contents(api) == ["Too dark."]


# Resolved


def test_resolving_sets_the_attributes_of_the_api(review, api, jonas):
    """completed_at says when, for clients too; opening the note again clears it."""
    note = note_on(review)
    sent(by(review, jonas), "/note/resolve", note=note, resolved="1").raise_for_status()
    found = api.one("select completed_at, completed_by_id from Note")
    assert found["completed_at"] is not None
    assert found["completed_by_id"] is None  # a collaborator is not a user
    assert "Resolved by Jonas Falk" in review.show().text
    sent(review, "/note/resolve", note=note, resolved="1").raise_for_status()
    sent(review, "/note/resolve", note=note, resolved="0").raise_for_status()
    assert api.one("select completed_at from Note")["completed_at"] is None
    assert "Resolved by" not in review.show().text
    assert api.query("select key from Metadata where key is reviewResolvedBy") == []


def test_a_user_who_resolves_is_completed_by(review, api):
    """For an invitee with an account, completed_by names the user."""
    note = note_on(review)
    user = host(review, api, "User")
    sent(review, "/note/resolve", note=note, resolved="1").raise_for_status()
    assert api.one("select completed_by_id from Note")["completed_by_id"] == user


def test_notes_that_clients_complete_are_resolved(review, api, session):
    """A note that a program completes shows as resolved."""
    note_on(review)
    note = session.query("Note").one()
    note["completed_at"] = "2026-01-02T03:04:05"
    note["completed_by"] = session.query("User where username is admin").one()
    session.commit()
    assert "Resolved by Site Administrator 2026-01-02 03:04 UTC" in review.show().text


def test_a_reply_is_not_resolved(review):
    """The thread is resolved, not a reply in it."""
    reply = note_on(review, "Why?", reply_to=note_on(review))
    assert review.post("/note/resolve", note=reply, resolved="1").status == 400


def test_a_moderated_review_hides_who_resolved(review, api, session, jonas):
    """The name of another invitee does not show, and hidden notes cannot be changed."""
    review.change(is_moderated=True)
    host_note = api.create(
        "Note",
        content="By a host",
        parent_id=review.objects[0],
        parent_type="ReviewSessionObject",
        user_id=session.query("User where username is admin").one()["id"],
    )
    mira = review.link
    own = note_on(review, "By Mira")
    by(review, jonas)
    for path in FORMS[1:]:
        assert review.post(path, note=own, content="x", resolved="1").status == 404
    sent(review, "/note/resolve", note=host_note, resolved="1").raise_for_status()
    page = by(review, mira).show()
    assert "Resolved" in page.text
    assert "Jonas" not in page.source


# Files


def attach(review, files, path="/note", **form):
    """Post a form with *files*, names and data, and return the response."""
    address = review.browser.url + review.link[review.link.index("/review?") :]
    form = {"object": review.objects[0], "content": "", "quiet": "1", **form}
    return review.browser.http.post(
        address.replace("/review?", f"/review{path}?"),
        data=form,
        files=[("files", one) for one in files],
        timeout=60,
    )


def test_files_become_components_of_the_note(review, api):
    """Each file is a component at the server location, and a download on the page."""
    files = [("plan v2.pdf", b"%PDF"), ("README", b"words"), ("a.tar.gz", b"zip")]
    note = attach(review, files, content="See here.").json()["note"]
    found = api.query(
        "select component.name, component.file_type, component.size,"
        " component.component_locations.location.name from NoteComponent"
        f" where note_id is {note}"
    )
    assert sorted(
        (one["component"]["name"], one["component"]["file_type"], one["component"]["size"])
        for one in found
    ) == [("README", "", 5), ("a.tar", ".gz", 3), ("plan v2", ".pdf", 4)]
    page = review.show()
    data = [
        requests.get(review.browser.url + one, timeout=30).content
        for one in page.addresses("/component/get")
    ]
    assert sorted(data) == [b"%PDF", b"words", b"zip"]
    assert 'download="plan v2.pdf"' in page.source


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\note.TXT", "note.txt"),
        ("<img src=x onerror=alert(1)>.svg", "<img src=x onerror=alert(1)>.svg"),
        ("x" * 300 + ".txt", "x" * 200 + ".txt"),
        ("bell\x07.txt", "bell_.txt"),
    ],
)
def test_names_of_files_stay_names(review, name, shown):
    """A name has no folder and no control character, and is text on the page."""
    assert attach(review, [(name, b"1")]).status_code == 200
    page = review.show()
    (found,) = re.findall(r'download="([^"]*)"', page.source)
    assert html.unescape(found) == shown
    assert "<img src=x" not in page.source


def test_an_attached_page_cannot_act(review):
    """A file is served in a sandbox, whatever it contains."""
    attach(review, [("evil.html", b"<script>parent.alert(1)</script>")])
    (address,) = review.show().addresses("/component/get")
    headers = requests.get(review.browser.url + address, timeout=30).headers
    assert headers["Content-Security-Policy"] == "sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("files", "form", "status", "words"),
    [
        ([("a.txt", b"")], {}, 400, "contains no data"),
        ([(f"{n}.txt", b"1") for n in range(51)], {}, 400, "Maximum number of files is 50"),
        ([("a.txt", b"1")], {"drawing": "{"}, 400, "not JSON"),
        ([("a.txt", b"1")], {"object": "elsewhere"}, 404, "not part of this review"),
        ([("a.txt", b"1")], {"reply_to": "elsewhere"}, 404, "does not exist"),
    ],
)
def test_a_refused_note_leaves_no_file(review, api, files, form, status, words):
    """Neither a note nor a component nor its data stays."""
    response = attach(review, files, **form)
    assert (response.status_code, words in response.text) == (status, True)
    assert contents(api) == []
    assert api.query("select id from FileComponent") == []


def test_a_broken_form_is_an_error_in_words(review):
    """A body that is no form says so."""
    address = review.browser.url + review.link[review.link.index("/review?") :]
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        response = requests.post(
            address.replace("/review?", "/review/note?"),
            data=b"--y\r\n\r\nnothing",
            headers={"Content-Type": kind},
            timeout=30,
        )
        assert (response.status_code, "form" in response.text) == (400, True)


# Who gets in


@pytest.mark.parametrize("path", FORMS)
def test_each_form_asks_who_is_there(review, api, path):
    """Foreign pages, changed links, closed reviews and missing passphrases change nothing."""
    note = note_on(review)
    form = {"note": note, "content": "Stolen", "resolved": "1"}
    foreign = review.post(path, headers={"Origin": "https://elsewhere.example"}, **form)
    assert (foreign.status, "another site" in foreign.text) == (403, True)
    link = review.link
    review.link = re.sub(r"signature=\w+", "signature=0", link)
    assert review.post(path, **form).status == 403
    review.link = link
    review.change(passphrase="open", passphrase_enabled=True)
    assert review.post(path, **form).status == 403
    review.change(passphrase_enabled=False, availability="closed")
    assert review.post(path, **form).status == 403
    found = api.one("select content, completed_at from Note")
    assert (found["content"], found["completed_at"]) == ("Too dark.", None)


def test_notes_of_another_review_cannot_be_changed(review, api):
    """The link opens one review and no other."""
    other = api.create(
        "ReviewSession",
        name="Other",
        start_date=review.moment(-1),
        end_date=review.moment(1),
        project_id=review.project,
    )
    object_ = review.add(review.versions[0], 0, other)
    note_on(review)
    person = api.one("select user_id from Note")["user_id"]
    note = api.create(
        "Note",
        content="Theirs",
        parent_id=object_,
        parent_type="ReviewSessionObject",
        user_id=person,
    )
    for path in FORMS[1:]:
        for place in (object_, review.objects[0]):
            page = review.post(path, note=note, object=place, content="x", resolved="1")
            assert page.status == 404
    assert "Theirs" in contents(api)


# The list


def listed(review, **query):
    """Return the list of notes alone, as scripts ask for it."""
    address = review.link.replace("/review?", "/review/notes?")
    parts = "".join(f"&{name}={value}" for name, value in query.items())
    return review.browser.get(address + parts)


def test_the_list_says_when_nothing_changed(review):
    """The list has a tag; with it the answer is empty until a note changes."""
    note = note_on(review)
    page = listed(review, object=review.objects[0])
    assert "Too dark." in page.text
    tag = {"If-None-Match": page.response.headers["ETag"]}
    address = page.response.url
    assert review.browser.get(address, **tag).status == 304
    sent(review, "/note/edit", note=note, content="Lighter.").raise_for_status()
    again = review.browser.get(address, **tag)
    assert (again.status, "Lighter." in again.text) == (200, True)


def test_changes_elsewhere_do_not_send_the_list_again(review, api):
    """After a change of something else, the list is read again, and the answer is still empty."""
    note_on(review)
    page = listed(review, object=review.objects[0])
    tag = page.response.headers["ETag"]
    note_on(review, "On another version", object=review.objects[1])
    again = review.browser.get(page.response.url, **{"If-None-Match": tag})
    assert (again.status, again.response.headers["ETag"] != tag) == (304, True)
    other = listed(review, object=review.objects[1])
    assert review.browser.get(other.response.url, **{"If-None-Match": tag}).status == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda review, api: review.change(is_moderated=True),
        lambda review, api: api.update("Note", api.one("select id from Note")["id"], content="x"),
        lambda review, api: api.delete("Note", api.one("select id from Note")["id"]),
        lambda review, api: api.update(
            "Collaborator", api.one("select user_id from Note")["user_id"], first_name="Ada"
        ),
        lambda review, api: api.update(
            "ReviewSessionObjectAnnotation",
            api.one("select id from ReviewSessionObjectAnnotation")["id"],
            data="{}",
        ),
    ],
    ids=["moderated", "content", "deleted", "author", "drawing"],
)
def test_each_change_of_a_list_is_sent(review, api, jonas, change):
    """Whatever changes a list, through the page or a program, changes the answer."""
    note_on(review, drawing=DRAWING, frame="1")
    page = listed(by(review, jonas), object=review.objects[0])
    change(review, api)
    tag = page.response.headers["ETag"]
    again = review.browser.get(page.response.url, **{"If-None-Match": tag})
    assert again.status == 200
    assert again.source != page.source


def test_the_list_is_filtered(review, api, jonas):
    """By version, by author and by state, in each combination; the count of the rest is shown."""
    first = note_on(review, "Mira 1")
    note_on(review, "Mira 2", object=review.objects[1])
    sent(review, "/note/resolve", note=first, resolved="1").raise_for_status()
    mira = api.one('select user_id from Note where content is "Mira 1"')["user_id"]
    note_on(by(review, jonas), "Jonas 1")
    here = {"object": review.objects[0]}

    def found(**query):
        return sorted({*re.findall(r"(?:Mira|Jonas) \d", listed(review, **here, **query).text)})

    assert found() == ["Jonas 1", "Mira 1"]
    assert found(on="all") == ["Jonas 1", "Mira 1", "Mira 2"]
    assert found(on=review.objects[1]) == ["Mira 2"]
    assert found(on="all", author=mira) == ["Mira 1", "Mira 2"]
    assert found(on="all", author=mira, state="open") == ["Mira 2"]
    assert found(state="resolved") == ["Mira 1"]
    assert found(on="elsewhere") == ["Jonas 1", "Mira 1"]
    assert "The filter hides 1 note." in listed(review, **here, state="open").text
    assert listed(review, object="elsewhere").status == 404


def test_the_filter_keeps_the_rules_of_a_moderated_review(review, jonas):
    """No filter shows the notes or the names of other invitees."""
    note_on(review, "Mira 1", object=review.objects[1])
    review.change(is_moderated=True)
    page = listed(by(review, jonas), object=review.objects[0], on="all")
    assert (page.status, "Mira" in page.source) == (200, False)
    assert f'<option value="{review.objects[1]}"' not in review.show().source
    review.change(is_moderated=False)
    assert f'<option value="{review.objects[1]}"' in review.show().source
