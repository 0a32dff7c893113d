"""Errors in the form that the client can show: a page, a placeholder, JSON or plain text."""

from __future__ import annotations

import io
import json

import anyio
import pytest
import requests
from starlette.responses import PlainTextResponse

from ftrack_like.sandbox.web.error_answers import ErrorAnswers

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
PICTURE = "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"

#: Requests that fail, with the status of the answer.
FAILING = [
    ("GET", "/nothing", 404),
    ("GET", "/browse/nothing/at/all", 404),
    ("GET", "/review/nothing", 404),
    ("GET", "/static/nothing.css", 404),
    ("GET", "/component/nothing", 404),
    ("GET", "/component/get?id=x", 401),
    ("GET", "/component/get?id=x&signature=false", 403),
    ("GET", "/component/thumbnail?id=x&signature=false", 403),
    ("PUT", "/", 405),
    ("DELETE", "/browse", 405),
    ("PUT", "/api", 405),
    ("POST", "/component/get", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), FAILING)
def test_a_browser_gets_a_page_with_a_way_home(sandbox, method, path, status):
    """The status stays; the page is safe, and its link leads to a page that exists."""
    answer = requests.request(
        method, sandbox.server_url + path, headers={"Accept": BROWSER}, timeout=30
    )
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert ("Allow" in answer.headers) == (status == 405)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    way = '<a class="button" href="'
    assert way in answer.text
    home = answer.text.split(way)[1].split('"')[0]
    assert requests.get(sandbox.server_url + home, timeout=30).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), FAILING)
def test_a_program_gets_text_as_before(sandbox, method, path, status):
    """Without a wish the answer is plain text, and JSON for a program that asks for it."""
    url = sandbox.server_url + path
    answer = requests.request(method, url, timeout=30)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/plain")
    asked = requests.request(method, url, headers={"Accept": "application/json"}, timeout=30)
    assert (asked.status_code, asked.json()["content"]) == (status, answer.text)
    assert set(asked.json()) == {"exception", "content", "error_code"}


@pytest.mark.parametrize("path", [one[1] for one in FAILING if one[0] == "GET"])
def test_the_place_of_a_picture_gets_a_placeholder(sandbox, path):
    """An element for a picture never shows the sign of a broken one."""
    image = pytest.importorskip("PIL.Image", reason="Pillow (media extra) is not installed")
    answer = requests.get(sandbox.server_url + path, headers={"Accept": PICTURE}, timeout=30)
    assert answer.status_code >= 400
    assert answer.headers["Content-Type"] == "image/png"
    assert image.open(io.BytesIO(answer.content)).width > 1


def test_errors_of_the_api_stay_json(sandbox):
    """A browser that opens an address of the API gets what every client gets."""
    for accept in (BROWSER, PICTURE, "*/*"):
        answer = requests.get(f"{sandbox.server_url}/api", headers={"Accept": accept}, timeout=30)
        assert (answer.status_code, answer.json()["exception"]) == (401, "InvalidCredentialsError")


def test_data_that_were_removed_have_a_page_and_a_placeholder(review, sandbox):
    """A link to a deleted component says so, and its picture is a placeholder."""
    component = review.upload(review.versions[0], "ftrackreview-image", ".png", b"no picture")
    (address,) = review.show().addresses("/component/get")
    asking = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
    url = f"{sandbox.server_url}/component/remove?id={component}"
    assert requests.get(url, headers=asking, timeout=30).status_code == 200
    page = review.browser.get(address)
    assert page.status == 404
    assert "There is no data for the component" in page.text
    picture = review.browser.get(address, Accept=PICTURE).response
    assert (picture.status_code, picture.headers["Content-Type"]) == (404, "image/png")


def test_an_error_below_a_review_leads_back_to_it(review):
    """An invitee with a valid link is not sent to the pages of the users."""
    page = review.browser.get(review.link.replace("/review?", "/review/nothing?"))
    assert page.status == 404
    assert review.browser.get(page.addresses("/review?")[0]).status == 200
    page = review.post("/status", status="nonsense")
    assert (page.status, len(page.addresses("/review?"))) == (400, 1)


@pytest.mark.parametrize("path", ["/browse/context/x", "/browse/review/x/summary"])
def test_errors_of_users_lead_to_the_projects(visitor, path):
    """A logged-in user gets to the projects."""
    page = visitor.get(path)
    assert (page.status, page.addresses("/browse")) == (404, ["/browse"])


def ask(app, accept):
    """Return the status, the headers and the body of the answer of *app*."""
    sent = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/x",
        "query_string": b"",
        "headers": [(b"accept", accept.encode())],
    }

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    async def call():
        await ErrorAnswers(app)(scope, receive, send)

    anyio.run(call)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent)


def test_a_fault_of_the_server_has_a_page():
    """A status 500 tells nothing about the fault, and says what to do."""
    status, headers, body = ask(PlainTextResponse("Internal Server Error", 500), BROWSER)
    assert (status, headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert b"The server failed" in body
    assert b"log of the server" in body


def test_only_errors_in_plain_text_are_replaced():
    """Answers that are no errors, and errors with a form of their own, pass unchanged."""
    for answer in (
        PlainTextResponse("fine"),
        PlainTextResponse(json.dumps({}), 404, media_type="application/json"),
    ):
        for accept in (BROWSER, PICTURE, "application/json"):
            assert ask(answer, accept)[2] == answer.body


def test_the_text_of_an_error_is_no_markup():
    """A text that a client sent is shown as it is."""
    body = ask(PlainTextResponse("<script>alert(1)</script>", 400), BROWSER)[2]
    assert b"&lt;script&gt;alert(1)" in body
