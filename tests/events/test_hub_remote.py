"""Hubs on a real event server: publishing, replies, targets, waiting."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from ftrack_like import exception
from ftrack_like.event.base import Event


def test_event_reaches_every_subscriber_once(
    event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """An event comes to all hubs that asked for it, its publisher included, without a time."""
    hubs = [make_hub(event_server.url) for _ in range(3)]
    got: list[tuple[int, Event]] = []
    for number, hub in enumerate(hubs):
        hub.subscribe("topic=a.*", lambda event, number=number: got.append((number, event)))
        hub.subscribe("topic=b", lambda event: got.append((99, event)))
        in_background(hub)
    assert hubs[0].publish(Event("a.b", data={"n": 1})) is None
    until(lambda: len(got) == 3)
    assert sorted(number for number, _ in got) == [0, 1, 2]
    for _, event in got:
        assert event["data"] == {"n": 1}
        assert event["sent"] is None
        assert event["source"]["id"] == hubs[0].id


def test_answer_of_a_callback_comes_back_as_a_reply(
    event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """What a callback returns is a reply to the publisher, and to nobody else."""
    publisher, answerer, bystander = (make_hub(event_server.url) for _ in range(3))
    replies: list[Event] = []
    answerer.subscribe("topic=question", lambda event: {"answer": event["data"]["n"] + 1})
    bystander.subscribe("topic=ftrack.meta.reply", lambda event: replies.append(event))
    for hub in (publisher, answerer, bystander):
        in_background(hub)
    event = Event("question", data={"n": 1})
    publisher.publish(event, on_reply=replies.append)
    until(lambda: replies)
    assert [reply["data"] for reply in replies] == [{"answer": 2}]
    assert replies[0]["in_reply_to_event"] == event["id"]
    assert replies[0]["target"] == f"id={publisher.id}"


def test_publish_reply_answers_by_hand(
    event_server: Any, make_hub: Any, in_background: Any
) -> None:
    """A reply may also be published by hand, under a source of its own."""
    publisher, answerer = make_hub(event_server.url), make_hub(event_server.url)

    def answer(event: Event) -> None:
        answerer.publish_reply(event, {"late": True}, source={"id": "desk-7"})

    answerer.subscribe("topic=question", answer)
    in_background(answerer)
    reply = publisher.publish_and_wait(Event("question"))
    assert reply["data"] == {"late": True}
    assert reply["source"]["id"] == "desk-7"
    assert reply["source"]["user"] == {"username": "user"}


def test_publish_and_wait_collects_all_replies(
    event_server: Any, make_hub: Any, in_background: Any
) -> None:
    """All replies of a while can be had instead of the first one."""
    publisher = make_hub(event_server.url)
    for number in range(3):
        hub = make_hub(event_server.url)
        hub.subscribe("topic=poll", lambda event, number=number: number)
        in_background(hub)
    replies = publisher.publish_and_wait(Event("poll"), timeout=0.5, all_replies=True)
    assert sorted(reply["data"] for reply in replies) == [0, 1, 2]
    assert len(publisher._replies.awaited) == 0


def test_publish_and_wait_gives_up(event_server: Any, make_hub: Any) -> None:
    """Without a reply there is None after the time, and nobody keeps waiting."""
    hub = make_hub(event_server.url)
    assert hub.publish_and_wait(Event("nobody.home"), timeout=0.1) is None
    assert len(hub._replies.awaited) == 0


def test_target_selects_among_hubs(
    event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """The server passes an event with a target only to whose subscriber matches it."""
    # A hub is connected once the server knows its subscribers; one that subscribes later may be
    # overtaken by what another hub publishes.
    first, second = (make_hub(event_server.url, connect=False) for _ in range(2))
    got: list[str] = []
    first.subscribe("topic=a", lambda event: got.append("first"), subscriber={"desk": 7})
    second.subscribe("topic=a", lambda event: got.append("second"), subscriber={"desk": 8})
    first.connect()
    second.connect()
    in_background(first)
    in_background(second)
    first.publish(Event("a", target="desk=8"))
    first.publish(Event("a", target="desk>1"))
    until(lambda: len(got) == 3)
    assert sorted(got) == ["first", "second", "second"]


def test_early_subscribers_are_announced_on_connecting(
    event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """Who subscribed before connecting is told; the hub's own subscriber is listed first."""
    hub = make_hub(event_server.url, connect=False)
    got: list[Event] = []
    hub.subscribe("topic=a", got.append, subscriber={"id": f"early-{hub.id}"})
    hub.connect()
    assert [entry.metadata["id"] for entry in hub._subscribers] == [hub.id, f"early-{hub.id}"]
    in_background(hub)
    hub.publish(Event("a"))
    until(lambda: got)


def test_connect_in_background_keeps_what_is_published_before(
    event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """A hub that connects in the background sends what was published meanwhile, in order."""
    hub = make_hub(event_server.url, connect=False)
    got: list[int] = []
    hub.subscribe("topic=early", lambda event: got.append(event["data"]["n"]))
    hub.init_connection()
    for number in range(20):
        assert hub.publish(Event("early", data={"n": number})) is True
    hub.connect_in_background()
    assert hub.wait_connected(10)
    in_background(hub)
    until(lambda: len(got) == 20)
    assert got == list(range(20))


def test_connecting_twice_is_refused(event_server: Any, make_hub: Any) -> None:
    """A connected hub is not connected again."""
    hub = make_hub(event_server.url)
    for connect in (hub.connect, hub.connect_in_background):
        with pytest.raises(exception.EventHubConnectionError, match="Already connected"):
            connect()


def test_wrong_key_is_told_in_words(event_server: Any, make_hub: Any) -> None:
    """A refused key is an error that says so and does not show the key."""
    hub = make_hub(event_server.url, connect=False, key="wrong-key-of-someone")
    with pytest.raises(
        exception.EventHubConnectionError, match="API key or the user name is not valid"
    ) as caught:
        hub.connect()
    assert "wrong-key-of-someone" not in str(caught.value)
    assert not hub.connected
    with pytest.raises(exception.EventHubConnectionError):
        hub.publish(Event("a"))


def test_second_subscriber_with_an_id_is_refused_by_the_server(
    event_server: Any, make_hub: Any, caplog: pytest.LogCaptureFixture, until: Any
) -> None:
    """Two hubs cannot hold the same subscriber id at once, and the log says why."""
    first, second = make_hub(event_server.url), make_hub(event_server.url)
    first.subscribe("topic=a", print, subscriber={"id": "contested"})
    assert first.wait_connected(5)
    second.subscribe("topic=a", print, subscriber={"id": "contested"})
    until(lambda: "Server failed to subscribe subscriber contested" in caplog.text)
    assert "subscribed already" in caplog.text


def test_refused_event_is_logged(
    event_server: Any, make_hub: Any, caplog: pytest.LogCaptureFixture, until: Any
) -> None:
    """An event that the server refuses is in the log with the server's reason."""
    hub = make_hub(event_server.url)
    hub.publish(Event("a", target="no expression"))
    until(lambda: "Server responded with error" in caplog.text)
    assert "target is invalid" in caplog.text


def test_event_that_is_no_json_is_logged_and_let_go(
    event_server: Any, make_hub: Any, caplog: pytest.LogCaptureFixture, until: Any
) -> None:
    """An event with something that JSON does not know is named, and the next one is sent."""
    hub = make_hub(event_server.url)
    hub.publish(Event("a", data={"bad": object()}))
    assert "Error sending event" in caplog.text
    hub.publish(Event("b"))
    until(lambda: hub._courier.waiting == 0)


def test_wait_ends_after_its_duration_and_on_disconnect(
    event_server: Any, make_hub: Any, in_background: Any
) -> None:
    """Waiting ends in time, and at once when somebody else disconnects the hub."""
    hub = make_hub(event_server.url)
    hub.wait(0.05)
    thread = in_background(hub)
    hub.disconnect()
    thread.join(2)
    assert not thread.is_alive()


def test_callbacks_run_on_the_waiting_thread(event_server: Any, make_hub: Any, until: Any) -> None:
    """Without workers, callbacks run on the thread that waits and nowhere else."""
    hub = make_hub(event_server.url)
    names: list[str] = []
    hub.subscribe("topic=a", lambda event: names.append(threading.current_thread().name))
    hub.publish(Event("a"))
    until(lambda: names or hub.wait(0.05))
    assert names == [threading.current_thread().name]


def test_workers_keep_the_order_per_key(
    event_server: Any, make_hub: Any, in_background: Any, until: Any
) -> None:
    """Slow handlers run side by side, but events with one key stay in order."""
    hub = make_hub(event_server.url)
    got: list[tuple[int, int, str]] = []
    barrier = threading.Barrier(2, timeout=10)

    def handle(event: Event) -> None:
        shot, number = event["data"]["shot"], event["data"]["n"]
        if number < 2:
            barrier.wait()  # passes only if two keys are handled at the same time
        got.append((shot, number, threading.current_thread().name))

    hub.subscribe("topic=slow", handle)
    in_background(hub, workers=3, key=lambda event: event["data"].get("shot"))
    for number in range(40):
        hub.publish(Event("slow", data={"shot": number % 2, "n": number}))
    until(lambda: len(got) == 40)
    for shot in (0, 1):
        numbers = [number for other, number, _ in got if other == shot]
        assert numbers == sorted(numbers)


def test_on_reply_is_released_after_a_time(
    event_server: Any, make_hub: Any, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """A callback for replies is not kept for ever."""
    monkeypatch.setattr("ftrack_like.event.replies.REPLY_LIFETIME", 0.05)
    hub = make_hub(event_server.url)
    hub.publish(Event("a"), on_reply=print)
    assert len(hub._reply_callbacks) == 1
    until(lambda: hub.wait(0.05) or len(hub._reply_callbacks) == 0)


def test_unsubscribed_hub_hears_nothing_more(
    event_server: Any, make_hub: Any, in_background: Any
) -> None:
    """The server is told of an unsubscription."""
    hub, publisher = make_hub(event_server.url), make_hub(event_server.url)
    identifier = hub.subscribe("topic=gone", lambda event: "answer")
    hub.unsubscribe(identifier)
    in_background(hub)
    assert publisher.publish_and_wait(Event("gone"), timeout=0.1) is None
    assert event_server.broker.publish({"topic": "gone"}) == 0


def test_disconnect_unsubscribes_or_keeps_subscribers(event_server: Any, make_hub: Any) -> None:
    """Disconnecting removes all subscribers, or keeps them for the next connection."""
    hub = make_hub(event_server.url)
    hub.subscribe("topic=a", print)
    hub.disconnect(unsubscribe=False)
    assert len(hub._subscribers) == 2
    hub.reconnect(attempts=1)
    assert hub.connected
    hub.disconnect()
    assert len(hub._subscribers) == 0
    assert not hub.connected
    assert hub._intentional_disconnect


def test_meta_events_tell_of_the_connection(event_server: Any, make_hub: Any, until: Any) -> None:
    """Subscribers are told that the hub is connected, by the thread that waits."""
    hub = make_hub(event_server.url, connect=False)
    topics: list[str] = []
    hub.subscribe("topic=ftrack.meta.*", lambda event: topics.append(event["topic"]))
    hub.connect()
    until(lambda: topics or hub.wait(0.05))
    assert topics == ["ftrack.meta.connected"]


def test_packets_reach_the_seam_for_packets(
    event_server: Any, make_hub: Any, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """Every packet passes through _handle_packet of the hub, on the thread that reads."""
    hub = make_hub(event_server.url)
    seen: list[tuple[Any, ...]] = []
    original = hub._handle_packet

    def handle_packet(*parts: Any) -> None:
        seen.append((threading.current_thread().name, *parts))
        original(*parts)

    monkeypatch.setattr(hub, "_handle_packet", handle_packet)
    hub.publish(Event("a"))
    until(lambda: seen)
    assert seen[0][0] == "ftrack-event-hub"
    assert seen[0][1] == hub._code_name_mapping["acknowledge"]


def test_nested_events_keep_their_field(event_server: Any, make_hub: Any, until: Any) -> None:
    """An event within the data of an event travels with the server's name of its field."""
    hub = make_hub(event_server.url)
    got: list[Event] = []
    hub.subscribe("topic=outer", got.append)
    hub.publish(Event("outer", data={"inner": Event("inner", in_reply_to_event="0")}))
    until(lambda: got or hub.wait(0.05))
    assert got[0]["data"]["inner"]["in_reply_to_event"] == "0"


def test_log_does_not_show_the_key(
    event_server: Any, make_hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Even the most talkative log of connecting and publishing has no key."""
    caplog.set_level(logging.DEBUG)
    hub = make_hub(event_server.url)
    hub.publish(Event("a"))
    hub.disconnect()
    assert "Sent packet" in caplog.text
    assert hub._api_key not in caplog.text
