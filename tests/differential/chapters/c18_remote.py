"""What the server does besides entities, and the event hub's connection to it."""

from __future__ import annotations

from typing import Any

from book import Stage, step


def user(stage: Stage) -> Any:
    """Return the user of the session."""
    return stage.session.query(f'User where username is "{stage.server["api_user"]}"').one()


@step()
def widget_url(stage: Stage) -> Any:
    """The address of a widget, but for what is signed in it."""
    address = stage.session.get_widget_url("tasks", entity=stage.project, theme="dark")
    return [type(address).__name__, address.startswith(stage.server["server_url"])]


@step()
def user_invites(stage: Stage) -> Any:
    """Invitations of users, one and several, from the session and from the user."""
    session = stage.session
    people = [
        session.create("User", {"username": name, "email": f"{name}@example.com"})
        for name in ("ada", "bea")
    ]
    session.commit()
    return [
        session.send_user_invite(people[0]),
        session.send_user_invites(people),
        people[1].send_invite(),
    ]


@step()
def review_invites(stage: Stage) -> Any:
    """Invitations to a review."""
    session = stage.session
    review = session.create("ReviewSession", {"name": "dailies", "project": stage.project})
    invitee = session.create(
        "ReviewSessionInvitee",
        {"name": "Ada", "email": "ada@example.com", "review_session": review},
    )
    session.commit()
    return [
        session.send_review_session_invite(invitee),
        session.send_review_session_invites([invitee]),
    ]


@step()
def reset_keys(stage: Stage) -> Any:
    """New API keys, by the session and by the user."""
    person = stage.session.create("User", {"username": "eve"})
    stage.session.commit()
    by_session = stage.session.reset_remote("api_key", entity=person)
    by_user = person.reset_api_key()
    return [
        sorted(by_session),
        type(by_user).__name__,
        by_user != by_session["api_key"],
    ]


@step()
def reset_of_nothing(stage: Stage) -> Any:
    """Something that cannot be reset."""
    return stage.session.reset_remote("password", entity=user(stage))


@step()
def hub_address(stage: Stage) -> Any:
    """Where the event server is."""
    hub = stage.session.event_hub
    return [hub.secure, hub.get_server_url(), f"http://{hub.get_network_location()}", hub.connected]


@step()
def hub_round(stage: Stage) -> Any:
    """Events over the server: heard, answered, answered by hand."""
    event = stage.module("event.base").Event
    session = stage.new_session()
    hub = session.event_hub
    hub.connect()
    told: list[Any] = []

    def answer(found: Any) -> Any:
        told.append(found["data"]["number"])
        hub.publish_reply(found, {"by": "hand"})
        return {"by": "return"}

    replies: list[Any] = []
    hub.subscribe("topic=round", answer)
    stage.settle(hub)
    hub.publish(event("round", data={"number": 1}), on_reply=replies.append)
    for _ in range(100):
        hub.wait(0.1)
        if len(replies) == 2:
            break
    connected = hub.connected
    hub.disconnect()
    return [connected, hub.connected, told, [reply["data"] for reply in replies]]


@step()
def hub_reconnect(stage: Stage) -> Any:
    """A hub that is connected again, and one that is disconnected twice."""
    session = stage.new_session()
    hub = session.event_hub
    hub.connect()
    hub.reconnect(attempts=2, delay=1)
    connected = hub.connected
    hub.disconnect()
    try:
        hub.disconnect()
    except stage.error("EventHubConnectionError"):
        return [connected, hub.connected, "not twice"]
    return [connected, hub.connected, "twice"]


@step()
def hub_connected_twice(stage: Stage) -> Any:
    """A connected hub cannot be connected."""
    hub = stage.new_session().event_hub
    hub.connect()
    hub.connect()


@step()
def hub_that_waits_for_a_connection(stage: Stage) -> Any:
    """Events that are published before the connection is made are kept."""
    event = stage.module("event.base").Event
    hub = stage.new_session().event_hub
    hub.init_connection()
    hub.publish(event("early", data={"a": 1}))
    heard: list[Any] = []
    hub.subscribe("topic=early", lambda found: heard.append(found["data"]))
    hub.connect()
    hub.publish(event("early", data={"a": 2}))
    for _ in range(100):
        hub.wait(0.1)
        if {"a": 2} in heard:
            break
    return {"a": 2} in heard


@step()
def wait_without_connection(stage: Stage) -> Any:
    """Publishing without a connection."""
    event = stage.module("event.base").Event
    stage.new_session().event_hub.publish(event("nobody"))
