"""Pages with actions: who gets a connection, and whom an event for one user reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import websocket

from .conftest import Form, People, Wire

CONNECTION = "/browse/connection"


@pytest.fixture
def artist(people: People) -> Any:
    """Return the bare API of a user with the role User."""
    return people("artist", "User")


def log_in(form: Form, artist: Any) -> str:
    """Log in and return the token of the forms."""
    form.log_in("artist", artist.key)
    return form.token(form.get("/browse").text)


def connect(form: Form, token: str, **headers: str) -> Any:
    """Return the answer to a page that asks for a connection."""
    return form.http.post(
        form.url + CONNECTION,
        data={"form_token": token},
        headers=headers,
        allow_redirects=False,
        timeout=30,
    )


def open_session(form: Form, session: str) -> Wire:
    """Return the websocket of a *session*; the caller closes it."""
    wire = Wire.__new__(Wire)
    address = f"{form.url.replace('http', 'ws', 1)}/socket.io/1/websocket/{session}"
    wire.hub, wire.number = "page", 0
    wire.socket = websocket.create_connection(address, timeout=30)
    assert wire.socket.recv() == "1::"
    return wire


def test_a_page_gets_a_connection_of_its_user(
    form: Form, artist: Any, wire: Callable[..., Wire]
) -> None:
    """The session opens one websocket, which speaks for the user of the cookie alone."""
    answer = connect(form, log_in(form, artist))
    assert answer.status_code == 200
    session, heartbeat, closing, transport = answer.text.split(":")
    assert int(heartbeat) < int(closing)
    assert transport == "websocket"
    assert answer.headers["Cache-Control"] == "no-store"
    listener = wire()
    listener.subscribe("topic=test")
    page = open_session(form, session)
    page.emit("test", source={"id": "page", "user": {"username": "admin"}})
    assert listener.hear()["source"]["user"] == {"id": artist.user_id, "username": "artist"}
    with pytest.raises(
        (websocket.WebSocketBadStatusException, websocket.WebSocketConnectionClosedException)
    ):
        open_session(form, session).socket.recv()
    page.socket.close()


def test_the_cookie_alone_opens_no_connection(form: Form, artist: Any) -> None:
    """Other sites, forms without the token, and people who are not logged in are refused."""
    assert connect(form, "").status_code == 403
    token = log_in(form, artist)
    assert connect(form, "").status_code == 403
    assert connect(form, token[:-4]).status_code == 403
    assert connect(form, token, Origin="https://elsewhere.test").status_code == 403
    assert connect(form, token, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert form.get(CONNECTION).status_code == 405
    other = Form(form.url)
    assert connect(other, token).status_code == 403
    other.http.close()
    assert connect(form, token).status_code == 200


def test_a_closed_account_loses_the_connection_of_its_page(
    form: Form, artist: Any, api: Any
) -> None:
    """The websocket of the page ends with the account, and there is no new one."""
    token = log_in(form, artist)
    page = open_session(form, connect(form, token).text.split(":")[0])
    waiting = connect(form, token).text.split(":")[0]
    api.update("User", artist.user_id, is_active=False)
    page.wait_closed()
    assert connect(form, token).status_code == 403
    with pytest.raises(
        (websocket.WebSocketBadStatusException, websocket.WebSocketConnectionClosedException)
    ):
        open_session(form, waiting).socket.recv()


@pytest.mark.parametrize("said", ["id", "username", "both"])
def test_nobody_hears_what_is_for_another(
    wire: Callable[..., Wire], artist: Any, people: People, said: str
) -> None:
    """A subscriber cannot claim to be the page of another user."""
    victim = people("victim", "User")
    claimed = {"id": victim.user_id, "username": "victim"}
    claimed = {name: value for name, value in claimed.items() if said in {name, "both"}}
    spy = wire("artist", artist.key)
    topic = "ftrack.action.trigger-user-interface"
    metadata = {"id": "spy", "applicationId": "ftrack.client.web", "user": claimed}
    data = {"subscriber": metadata, "subscription": f"topic={topic}"}
    assert spy.emit("ftrack.meta.subscribe", data=data)["success"]
    for target in (f'user.id="{victim.user_id}"', "user.username=victim"):
        full = f"applicationId=ftrack.client.web and {target}"
        assert wire().emit(topic, target=full, data={"n": "secret"})["success"]
    own = f'applicationId=ftrack.client.web and user.id="{artist.user_id}"'
    assert wire().emit(topic, target=own, data={"n": "own"})["success"]
    assert spy.hear()["data"] == {"n": "own"}


def test_a_reply_reaches_the_asking_page_alone(
    form: Form, artist: Any, people: People, wire: Callable[..., Wire]
) -> None:
    """Nobody else receives the replies to a page, not even with a subscription to all of them."""
    page = open_session(form, connect(form, log_in(form, artist)).text.split(":")[0])
    data = {"subscriber": {"id": "page"}, "subscription": "topic=ftrack.meta.reply"}
    page.emit("ftrack.meta.subscribe", data=data)
    spy = wire("spy", people("spy", "User").key)
    spy.subscribe("topic=ftrack.meta.reply")
    spy.subscribe("topic=end")
    taken = spy.emit("ftrack.meta.subscribe", data=data)
    assert "is subscribed already" in taken["message"]
    handler = wire()
    handler.emit("ftrack.meta.reply", target="id=page", inReplyToEvent="x", data={"n": 1})
    handler.emit("end")
    assert page.hear()["data"] == {"n": 1}
    assert spy.hear()["topic"] == "end"
    page.socket.close()


def test_a_job_of_another_is_not_shown(form: Form, artist: Any, api: Any) -> None:
    """The page of jobs shows those of its user alone, and their descriptions as text."""
    log_in(form, artist)
    other = api.one('select id from User where username is "admin"')["id"]
    for user, description in ((artist.user_id, "<b>mine</b>"), (other, "not mine")):
        data = f'{{"description": "{description}"}}'
        api.create("Job", user_id=user, type="api_job", status="running", data=data)
    text = form.get("/browse/jobs").text
    assert "&lt;b&gt;mine&lt;/b&gt;" in text
    assert "not mine" not in text
