"""More of events: what subclasses and tests replace of a hub, fields, orders, the server's own."""

from __future__ import annotations

import threading
import time
from typing import Any

from book import Stage, step


def hub_class(stage: Stage) -> Any:
    """Return a hub that notes packets and events on their way, as studios derive it."""

    class NotingHub(stage.module("event.hub").EventHub):  # type: ignore[name-defined,misc]
        """Notes what it handles and prepares."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.noted: list[Any] = []
            super().__init__(*arguments, **options)

        def _handle(self, event: Any, synchronous: bool = False) -> Any:
            self.noted.append(["handle", event["topic"]])
            return super()._handle(event, synchronous=synchronous)

        def _handle_packet(self, code: Any, packet_identifier: Any, path: Any, data: Any) -> Any:
            if self._code_name_mapping[code] == "event":
                self.noted.append(["packet", "event"])
            return super()._handle_packet(code, packet_identifier, path, data)

        def _prepare_event(self, event: Any) -> Any:
            event["data"]["prepared"] = True
            return super()._prepare_event(event)

        def _prepare_reply_event(self, event: Any, source_event: Any, source: Any = None) -> Any:
            event["data"] = {"wrapped": event["data"]}
            return super()._prepare_reply_event(event, source_event, source)

    return NotingHub


def hub(stage: Stage, kind: Any = None) -> Any:
    """Return a hub, of *kind* if given, that is not connected."""
    kind = kind or stage.module("event.hub").EventHub
    server = stage.server
    return kind(server["server_url"], server["api_user"], server["api_key"])


def event(stage: Stage, topic: str, **options: Any) -> Any:
    """Return an event."""
    return stage.module("event.base").Event(topic, **options)


def wait_for(wanted: Any, *hubs: Any) -> bool:
    """Let *hubs* handle events until *wanted* says so, at most for half a minute."""
    deadline = time.monotonic() + 30
    while not wanted() and time.monotonic() < deadline:
        for each in hubs:
            each.wait(0.05)
    return bool(wanted())


@step()
def replaced_parts(stage: Stage) -> Any:
    """What a subclass replaces is used for events from the server, and for replies."""
    made = hub(stage, hub_class(stage))
    made.connect()
    made.subscribe("topic=noted", lambda found: found["data"])
    stage.settle(made)
    replies: list[Any] = []
    made.publish(event(stage, "noted", data={"a": 1}), on_reply=replies.append)
    done = wait_for(lambda: replies, made)
    made.disconnect()
    noted = [entry for entry in made.noted if entry[1] in ("noted", "ftrack.meta.reply", "event")]
    return [done, [reply["data"] for reply in replies], sorted(map(tuple, noted))]


@step()
def replaced_parts_within_the_process(stage: Stage) -> Any:
    """What a subclass replaces is used for synchronous events."""
    made = hub(stage, hub_class(stage))
    made.subscribe("topic=noted", lambda found: found["data"])
    answers = made.publish(event(stage, "noted", data={"a": 1}), synchronous=True)
    return [answers, made.noted]


@step()
def events_put_into_the_queue(stage: Stage) -> Any:
    """What tests put into a hub's queue is handled by waiting."""
    made = hub(stage)
    made.connect()
    heard: list[Any] = []
    made.subscribe("topic=put", lambda found: heard.append(found["data"]))
    made._event_queue.put(event(stage, "put", data=1))
    made._event_queue.put(event(stage, "put", data=2))
    made.wait(0.2)
    made.disconnect()
    return heard


@step()
def wait_for_a_while(stage: Stage) -> Any:
    """Waiting ends after the time that is given, and handles what comes meanwhile."""
    made = hub(stage)
    made.connect()
    heard: list[Any] = []
    made.subscribe("topic=put", lambda found: heard.append(found["data"]))
    thread = threading.Timer(0.05, lambda: made._event_queue.put(event(stage, "put", data=3)))
    thread.start()
    started = time.monotonic()
    made.wait(0.3)
    thread.join()
    made.disconnect()
    return [heard, 0.2 < time.monotonic() - started < 5]


@step()
def callback_that_ends_waiting(stage: Stage) -> Any:
    """An interrupt within a callback ends waiting."""
    made = hub(stage)

    def stop(found: Any) -> None:
        raise KeyboardInterrupt

    made.connect()
    made.subscribe("topic=put", stop)
    made._event_queue.put(event(stage, "put"))
    try:
        made.wait(5)
    except KeyboardInterrupt:
        return "interrupted"
    finally:
        made.disconnect()
    return "went on"


@step()
def fields(stage: Stage) -> Any:
    """The fields of events, given by place, by name, from a mapping, and shown."""
    base = stage.module("event.base")
    made = base.Event("topic", "id", {"a": 1}, "sent", {"id": "s"}, "id=x", "other")
    again = base.Event(**made._data)
    made["data"]["a"] = 2
    shown = str(event(stage, "shown", id="x", data={"a": 1}))
    return [dict(again), dict(made), "shown" in shown, sorted(base.Event("t")), len(made)]


@step()
def field_that_is_missing(stage: Stage) -> Any:
    """An event without a topic."""
    return stage.module("event.base").Event()


@step()
def orders(stage: Stage) -> Any:
    """Priorities, equal ones in the order of subscription, and stopping in between."""
    made = hub(stage)
    for name, priority in (("c", 100), ("a", 5), ("d", 100), ("b", 50), ("z", 1000)):
        made.subscribe("topic=order", lambda found, name=name: name, priority=priority)
    made.subscribe("topic=order", lambda found: found.stop(), priority=500)
    return made.publish(event(stage, "order"), synchronous=True)


@step()
def answers_of_none(stage: Stage) -> Any:
    """Subscribers that answer nothing, false and empty things."""
    made = hub(stage)
    for answer in (None, False, 0, "", [], {"a": None}):
        made.subscribe("topic=empty", lambda found, answer=answer: answer)
    return made.publish(event(stage, "empty"), synchronous=True)


@step()
def nested_publish(stage: Stage) -> Any:
    """A subscriber that publishes, and one that subscribes, while an event is handled."""
    made = hub(stage)

    def outer(found: Any) -> Any:
        made.subscribe("topic=inner", lambda inner: "new")
        return made.publish(event(stage, "inner"), synchronous=True)

    made.subscribe("topic=inner", lambda inner: "old")
    made.subscribe("topic=outer", outer)
    return [made.publish(event(stage, "outer"), synchronous=True) for _ in range(2)]


@step()
def unsubscribe_within(stage: Stage) -> Any:
    """A subscriber that leaves while an event is handled."""
    made = hub(stage)
    keys: list[str] = []

    def once(found: Any) -> Any:
        made.unsubscribe(keys[0])
        return "once"

    keys.append(made.subscribe("topic=leave", once))
    made.subscribe("topic=leave", lambda found: "always")
    return [made.publish(event(stage, "leave"), synchronous=True) for _ in range(2)]


@step()
def subscriber_metadata(stage: Stage) -> Any:
    """A subscriber gets an id of its own, beside what it says of itself."""
    made = hub(stage)
    key = made.subscribe("topic=known", len, subscriber={"application": "nuke"})
    found = made.get_subscriber_by_identifier(key)
    return [
        sorted(found.metadata),
        found.metadata["id"] == key,
        str(found.subscription),
        found.interested_in({"topic": "known"}),
        found.interested_in({"topic": "unknown"}),
        len(made._subscribers),
    ]


@step()
def subscriptions_of_many_kinds(stage: Stage) -> Any:
    """Expressions as studios write them, against one event."""
    made = event(
        stage,
        "ftrack.action.launch",
        data={
            "actionIdentifier": "studio.publish",
            "selection": [{"entityId": "1", "entityType": "task"}],
            "none": None,
            "text": "a b",
            "deep": {"er": {"est": "yes"}},
        },
    )
    made["source"] = {"user": {"username": "ada"}, "applicationId": "ftrack.client.web"}
    subscription = stage.module("event.subscription").Subscription
    texts = [
        "topic=ftrack.action.launch",
        "topic=ftrack.*",
        "topic=*",
        "topic = ftrack.action.launch",
        "topic=ftrack.action.launch and data.actionIdentifier=studio.publish",
        'topic=ftrack.action.launch and data.actionIdentifier="studio.publish"',
        "topic=ftrack.action.launch and (source.user.username=ada or source.user.username=bea)",
        "topic=ftrack.action.launch and not source.user.username=ada",
        "topic!=ftrack.update",
        "data.text='a b'",
        "data.deep.er.est=yes",
        "data.deep.er=yes",
        "data.selection=task",
        "data.missing.deep=1",
        "data.none=None",
        "source.applicationId=ftrack.client.*",
        "topic=FTRACK.ACTION.LAUNCH",
    ]
    answers = []
    for text in texts:
        try:
            answers.append([text, subscription(text).includes(made)])
        except Exception as error:
            answers.append([text, type(error).__name__])
    return answers


@step(7, "truth values compare with their names")
def truth_values_in_expressions(stage: Stage) -> Any:
    """A truth value is compared with its name."""
    parse = stage.module("event.expression").Parser().parse
    return [parse(f"flag={text}").match({"flag": True}) for text in ("True", "False")]


@step()
def remote_subscribers_by_target(stage: Stage) -> Any:
    """An event for one application reaches that alone, over the server."""
    hubs = [hub(stage) for _ in range(3)]
    heard: list[str] = []
    for number, made in enumerate(hubs[:2]):
        made.connect()
        made.subscribe(
            "topic=aimed",
            lambda found, number=number: heard.append(f"{number} {found['data']}"),
            subscriber={"id": f"application.{number}", "application": f"app{number}"},
        )
    hubs[2].connect()
    stage.settle(*hubs)
    hubs[2].publish(event(stage, "aimed", data="one", target="application=app1"))
    hubs[2].publish(event(stage, "aimed", data="all"))
    done = wait_for(lambda: len(heard) == 3, *hubs)
    for made in hubs:
        made.disconnect()
    return [done, sorted(heard)]


@step()
def event_of_a_commit(stage: Stage) -> Any:
    """What the server tells of a creation, a change and a deletion."""
    made = hub(stage)
    made.connect()
    told: list[Any] = []

    def hear(found: Any) -> None:
        for entity in found["data"]["entities"]:
            told.append([entity["entityType"], entity["action"], sorted(entity["keys"] or [])])

    made.subscribe("topic=ftrack.update", hear)
    stage.settle(made)
    shot = stage.shot("told")
    shot["description"] = "changed"
    stage.session.commit()
    stage.session.delete(shot)
    stage.session.commit()
    done = wait_for(lambda: any(entry[1] == "remove" for entry in told), made)
    made.disconnect()
    return [done, sorted(map(str, told))]


@step()
def reply_over_the_server(stage: Stage) -> Any:
    """Answers of two applications reach the asker, marked with what they answer."""
    asker, answerer = hub(stage), hub(stage)
    for made in (asker, answerer):
        made.connect()
    answerer.subscribe("topic=asked", lambda found: {"number": found["data"]["number"] + 1})
    answerer.subscribe("topic=asked", lambda found: None)
    stage.settle(asker, answerer)
    replies: list[Any] = []
    question = event(stage, "asked", data={"number": 1})
    asker.publish(question, on_reply=replies.append)
    done = wait_for(lambda: replies, asker, answerer)
    for made in (asker, answerer):
        made.disconnect()
    return [
        done,
        [[r["topic"], r["data"], r["in_reply_to_event"] == question["id"]] for r in replies],
    ]


@step()
def wrong_key(stage: Stage) -> Any:
    """A hub with a key that the server does not know."""
    server = stage.server
    made = stage.module("event.hub").EventHub(server["server_url"], server["api_user"], "wrong")
    made.connect()


@step()
def nothing_listens(stage: Stage) -> Any:
    """A hub on a port where nothing answers."""
    made = stage.module("event.hub").EventHub("http://127.0.0.1:9", "user", "key")
    made.connect()


@step()
def address_without_scheme(stage: Stage) -> Any:
    """A hub with an address that is none."""
    return stage.module("event.hub").EventHub("nothing", "user", "key").get_server_url()


@step()
def addresses(stage: Stage) -> Any:
    """Where hubs of several addresses connect to."""
    kind = stage.module("event.hub").EventHub
    urls = ("https://studio.example", "http://studio.example:8080", "https://studio.example/path")
    made = [kind(url, "user", "key") for url in urls]
    return [[each.get_server_url(), each.get_network_location(), each.secure] for each in made]


@step()
def session_events(stage: Stage) -> Any:
    """A session that connects its hub by itself hears, and disconnects when it is closed."""
    with stage.wire.paused():
        session = stage.new_session(auto_connect_event_hub=True)
        deadline = time.monotonic() + 30
        while not session.event_hub.connected and time.monotonic() < deadline:
            time.sleep(0.02)
        connected = session.event_hub.connected
        session.close()
    return [connected, session.event_hub.connected, session.closed]
