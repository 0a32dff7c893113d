"""The browser of projects, the log-in before it, and the outbox."""

from __future__ import annotations

import pytest
import requests


@pytest.fixture
def artist(api):
    """Return user name and key of somebody who is no administrator."""
    user = api.create("User", username="ada", first_name="Ada", email="ada@example.com")
    answer = api.call(
        {
            "action": "reset_remote",
            "reset_type": "api_key",
            "entity_type": "User",
            "entity_key": user,
        }
    )
    return "ada", answer[0]["data"]["api_key"]


# The root and the log-in


def test_the_root_answers_without_a_log_in(sandbox):
    """Log-in dialogues find the version in the headers, and people the way to the pages."""
    response = requests.get(sandbox.server_url, allow_redirects=False, timeout=30)
    assert response.status_code == 200
    assert response.headers["FTRACK_VERSION"]
    assert 'href="/browse"' in response.text
    assert sandbox.api_key not in response.text


@pytest.mark.parametrize(
    "path", ["/browse", "/browse/reviews", "/outbox", "/webhooks", "/encoding"]
)
def test_pages_ask_for_the_log_in_first(sandbox, browser, path):
    """Who is not logged in gets the form, and comes to where they wanted to go."""
    page = browser.get(path)
    assert "Log in to the sandbox" in page.text
    page = browser.post(
        "/log-in", username=sandbox.api_user, key=sandbox.api_key, next=page.field("next")
    )
    assert page.response.url == sandbox.server_url + path


def test_a_wrong_key_lets_nobody_in(sandbox, browser):
    """The form says so, keeps the name and not the key."""
    page = browser.post("/log-in", username=sandbox.api_user, key="wrong-key")
    assert (page.status, "not the user's key" in page.text) == (403, True)
    assert 'value="admin"' in page.source
    assert "wrong-key" not in page.source
    assert "Log in to the sandbox" in browser.get("/browse").text


def test_the_cookie_is_for_this_server_alone(sandbox, browser):
    """No script reads it, no other site's form carries it, and it holds no key."""
    response = requests.post(
        f"{sandbox.server_url}/log-in",
        data={"username": sandbox.api_user, "key": sandbox.api_key},
        allow_redirects=False,
        timeout=30,
    )
    cookie = response.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert sandbox.api_key.lower() not in cookie


@pytest.mark.parametrize(
    "place", ["https://elsewhere.test/browse", "//elsewhere.test/browse", "/api", "/browse\\@x", ""]
)
def test_a_log_in_leads_to_pages_of_this_server(sandbox, place):
    """Nobody is led away by a link to the log-in."""
    response = requests.post(
        f"{sandbox.server_url}/log-in",
        data={"username": sandbox.api_user, "key": sandbox.api_key, "next": place},
        allow_redirects=False,
        timeout=30,
    )
    assert (response.status_code, response.headers["Location"]) == (303, "/browse")


def test_log_ins_of_other_sites_are_ignored(sandbox, browser):
    """A page elsewhere cannot log somebody in."""
    form = {"username": sandbox.api_user, "key": sandbox.api_key}
    page = browser.post("/log-in", {"Origin": "https://elsewhere.test"}, **form)
    assert page.status == 403
    assert not browser.http.cookies


def test_keys_cannot_be_tried_without_end(browser):
    """After twenty attempts in a minute a name has to wait."""
    statuses = [browser.post("/log-in", username="nobody", key="x").status for _ in range(21)]
    assert statuses == [403] * 20 + [429]


def test_logging_out_ends_it(visitor):
    """After logging out the form is back; it takes the page's token to do so."""
    assert visitor.post("/log-out", form_token="").status == 403
    page = visitor.get("/browse")
    visitor.post("/log-out", form_token=page.field("form_token"))
    assert "Log in to the sandbox" in visitor.get("/browse").text


def test_a_new_key_ends_every_log_in(api, browser, artist):
    """Who is given a new key has to log in with it."""
    username, key = artist
    browser.post("/log-in", username=username, key=key)
    assert "Projects" in browser.get("/browse").text
    user = api.one("select id from User where username is ada")["id"]
    api.call(
        {
            "action": "reset_remote",
            "reset_type": "api_key",
            "entity_type": "User",
            "entity_key": user,
        }
    )
    assert "Log in to the sandbox" in browser.get("/browse").text


def test_who_may_not_log_in_is_out(api, browser, artist):
    """A user that is made inactive is logged out."""
    browser.post("/log-in", username=artist[0], key=artist[1])
    user = api.one("select id from User where username is ada")["id"]
    api.update("User", user, is_active=False)
    assert "Log in to the sandbox" in browser.get("/browse").text


def test_a_forged_cookie_is_worth_nothing(browser):
    """Cookies that we did not make, of whatever text, log nobody in."""
    for text in ("dXNlcj14", "x", "user=admin"):
        browser.http.cookies.set("ftrack_like_log_in", text)
        assert "Log in to the sandbox" in browser.get("/browse").text


# The pages


def test_the_way_from_projects_to_media(visitor, review, api):
    """Each page leads on to the next: project, shot, asset, version, its data."""
    shot = api.create("Shot", name="sh010", parent_id=review.project)
    asset = api.create("Asset", name="plate", context_id=shot)
    version = api.create("AssetVersion", asset_id=asset, comment="First")
    review.upload(version, "ftrackreview-mp4", ".mp4", b"movie")
    page = visitor.get("/browse")
    for id_, kind in (
        (review.project, "context"),
        (shot, "context"),
        (asset, "asset"),
        (version, "version"),
    ):
        address = f"/browse/{kind}/{id_}"
        assert address in page.addresses("/browse/"), address
        page = visitor.get(address)
        assert page.status == 200
    assert "First" in page.text
    assert visitor.get(page.addresses("/component/get")[0]).source == "movie"


@pytest.mark.parametrize("kind", ["context", "asset", "version", "review"])
def test_what_is_not_there_is_said(visitor, kind, unknown_id):
    """An address of nothing has a page with the status 404."""
    for id_ in (unknown_id, 'a"b', "%5C"):
        page = visitor.get(f"/browse/{kind}/{id_}")
        assert (page.status, "with this address does not exist" in page.text) == (404, True)


def test_a_version_takes_notes_and_a_status(visitor, review, api):
    """Both become entities in the visitor's name, by forms with the page's token."""
    version = review.versions[0]
    address = f"/browse/version/{version}"
    page = visitor.get(address)
    token = page.field("form_token")
    visitor.post(f"{address}/note", form_token=token, content="Looks <b>good</b>")
    note = api.one("select content, author.username from Note")
    assert (note["content"], note["author"]["username"]) == ("Looks <b>good</b>", "admin")
    page = visitor.get(address)
    assert "Looks <b>good</b>" in page.text
    assert "<b>good" not in page.source
    status = api.query('select id from Status where name is "Approved"')[0]["id"]
    assert f'value="{status}"' in page.source
    visitor.post(f"{address}/status", form_token=token, status=status)
    found = api.one(f"select status.name from AssetVersion where id is {version}")
    assert found["status"]["name"] == "Approved"


def test_forms_need_the_token_of_the_page(visitor, review, api):
    """What is posted without it changes nothing, logged in or not."""
    address = f"/browse/version/{review.versions[0]}/note"
    for token in ("", "x", visitor.http.cookies["ftrack_like_log_in"]):
        assert visitor.post(address, form_token=token, content="forged").status == 403
    visitor.http.cookies.clear()
    assert visitor.post(address, content="forged").status == 403
    assert api.query("Note") == []


def test_what_the_api_refuses_is_told(visitor, review):
    """An error of an operation is a page that says so."""
    address = f"/browse/version/{review.versions[0]}"
    token = visitor.get(address).field("form_token")
    page = visitor.post(f"{address}/status", form_token=token, status="nonsense")
    assert (page.status, "does not exist" in page.text) == (400, True)
    assert visitor.post(f"{address}/note", form_token=token, content=" ").status == 400


def test_reviews_show_what_was_said(visitor, review):
    """Whoever runs the sandbox sees invitees, decisions and notes."""
    review.post("/note", content="A little later.", frame="12")
    review.post("/status", status="approved")
    assert f"/browse/review/{review.session}" in visitor.get("/browse/reviews").addresses("/browse")
    page = visitor.get(f"/browse/review/{review.session}")
    for words in ("mira@example.com", "Approved Mira Sol", "Frame 12 A little later."):
        assert words in page.text


# The outbox


def test_programs_read_the_outbox(review, api):
    """With credentials in the headers it is JSON: a list of messages with their links."""
    (message,) = api.http.get(f"{api.url}/outbox", timeout=30).json()
    assert set(message) == {"file", "to", "from", "subject", "date", "text", "links"}
    assert message["links"] == [review.link]


def test_people_read_the_outbox(visitor, review):
    """The page of the outbox has the links ready to be opened."""
    page = visitor.get("/outbox")
    assert "Review: Dailies" in page.text
    assert page.addresses(review.link) == [review.link]


def test_the_outbox_is_for_administrators(sandbox, browser, artist, review):
    """Its links act in other people's names, so that others do not see them."""
    username, key = artist
    headers = {"ftrack-user": username, "ftrack-api-key": key}
    answer = requests.get(f"{sandbox.server_url}/outbox", headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["exception"]) == (403, "PermissionError")
    browser.post("/log-in", username=username, key=key)
    page = browser.get("/outbox")
    assert page.status == 403
    assert "signature=" not in page.source
    assert "/outbox" not in browser.get("/browse").addresses("/outbox")


def test_the_outbox_asks_programs_who_they_are(sandbox):
    """Without credentials, or with wrong ones, the answer is an error of the protocol."""
    for headers in ({}, {"ftrack-user": "admin", "ftrack-api-key": "wrong"}):
        answer = requests.get(f"{sandbox.server_url}/outbox", headers=headers, timeout=30)
        assert answer.status_code == 401
        assert answer.json()["exception"] == "InvalidCredentialsError"


# Styles and scripts


def test_styles_and_scripts_come_with_the_package(browser):
    """All that pages load is there, with its kind, and is not sent twice."""
    for name, kind in (
        ("base.css", "text/css"),
        ("review.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ):
        answer = browser.get(f"/static/{name}").response
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith(kind)
        tag = answer.headers["ETag"]
        assert browser.get(f"/static/{name}", **{"If-None-Match": tag}).status == 304


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fpages.py", "%2e%2e/pages.py", "base.py"])
def test_nothing_else_of_the_package_is_served(browser, name):
    """Only the styles and scripts, whatever is asked for."""
    assert browser.get(f"/static/{name}").status == 404
