"""Events inside one process."""

from __future__ import annotations

from typing import Any

from book import Stage, step


def event(stage: Stage, topic: str, **data: Any) -> Any:
    """Return an event of *topic* with *data*."""
    return stage.module("event.base").Event(topic=topic, data=data)


@step()
def publish_to_subscribers(stage: Stage) -> Any:
    """Results of the subscribers, in order of priority."""
    hub = stage.session.event_hub
    hub.subscribe("topic=first", lambda event: "late", priority=200)
    hub.subscribe("topic=first", lambda event: "early", priority=1)
    hub.subscribe("topic=first", lambda event: "usual")
    return hub.publish(event(stage, "first"), synchronous=True)


@step()
def topics_and_data(stage: Stage) -> Any:
    """Subscriptions by topic, wildcard and data."""
    hub = stage.session.event_hub
    for expression in ("topic=second.a", "topic=second.*", "topic=second.a and data.kind=shot"):
        hub.subscribe(expression, lambda event, text=expression: text)
    publish = hub.publish
    return [
        sorted(publish(event(stage, "second.a", kind="shot"), synchronous=True)),
        sorted(publish(event(stage, "second.b", kind="shot"), synchronous=True)),
        sorted(publish(event(stage, "third"), synchronous=True)),
    ]


@step()
def stop(stage: Stage) -> Any:
    """A subscriber that stops the event."""
    hub = stage.session.event_hub
    hub.subscribe("topic=stopped", lambda event: event.stop() or "first", priority=1)
    hub.subscribe("topic=stopped", lambda event: "second", priority=2)
    made = event(stage, "stopped")
    return [hub.publish(made, synchronous=True), made.is_stopped()]


@step()
def unsubscribe(stage: Stage) -> Any:
    """A subscriber that left hears nothing more."""
    hub = stage.session.event_hub
    identifier = hub.subscribe("topic=left", lambda event: "heard")
    before = hub.publish(event(stage, "left"), synchronous=True)
    hub.unsubscribe(identifier)
    return [before, hub.publish(event(stage, "left"), synchronous=True)]


@step()
def unsubscribe_unknown(stage: Stage) -> Any:
    """A subscriber that nobody knows."""
    stage.session.event_hub.unsubscribe("nobody")


@step()
def subscription_for_a_while(stage: Stage) -> Any:
    """A subscription as a context manager."""
    hub = stage.session.event_hub
    with hub.subscription("topic=while", lambda event: "heard"):
        inside = hub.publish(event(stage, "while"), synchronous=True)
    return [inside, hub.publish(event(stage, "while"), synchronous=True)]


@step()
def same_subscriber_twice(stage: Stage) -> Any:
    """Two subscribers with one id."""
    hub = stage.session.event_hub
    hub.subscribe("topic=twice", lambda event: 1, subscriber={"id": "studio.twice"})
    hub.subscribe("topic=twice", lambda event: 2, subscriber={"id": "studio.twice"})


@step()
def callback_raises(stage: Stage) -> Any:
    """A subscriber that raises does not keep the others from hearing."""

    def fail(event: Any) -> Any:
        raise RuntimeError("no")

    hub = stage.session.event_hub
    hub.subscribe("topic=raises", fail, priority=1)
    hub.subscribe("topic=raises", lambda event: "heard", priority=2)
    return hub.publish(event(stage, "raises"), synchronous=True)


@step()
def targets(stage: Stage) -> Any:
    """An event for the subscribers that its target describes."""
    hub = stage.session.event_hub
    hub.subscribe("topic=aimed", lambda event: "a", subscriber={"id": "a", "studio": "north"})
    hub.subscribe("topic=aimed", lambda event: "b", subscriber={"id": "b", "studio": "south"})
    made = stage.module("event.base").Event(topic="aimed", target="studio=south")
    return hub.publish(made, synchronous=True)


@step()
def publish_while_not_connected(stage: Stage) -> Any:
    """An event for the server while the hub is not connected."""
    stage.session.event_hub.publish(event(stage, "remote"))


@step()
def wrong_expression(stage: Stage) -> Any:
    """A subscription that nobody can read."""
    stage.session.event_hub.subscribe("topic=", lambda event: None)


@step()
def events_as_mappings(stage: Stage) -> Any:
    """An event is a mapping of its fields."""
    made = event(stage, "mapping", a=1)
    return [sorted(made), made["topic"], made["data"], made["target"], len(made), made["sent"]]


@step()
def unknown_field(stage: Stage) -> Any:
    """A field that events do not have."""
    event(stage, "fields")["unknown"] = 1


@step()
def subscriber_by_id(stage: Stage) -> Any:
    """A subscriber is found by its id."""
    hub = stage.session.event_hub
    identifier = hub.subscribe("topic=known", len, subscriber={"id": "studio.known"})
    found = hub.get_subscriber_by_identifier(identifier)
    return [identifier, found.metadata, found.priority, hub.get_subscriber_by_identifier("none")]


@step()
def expressions(stage: Stage) -> Any:
    """Expressions as they match a mapping."""
    parse = stage.module("event.expression").Parser().parse
    candidate = {"a": {"b": "shot_010"}, "flag": "yes"}
    texts = [
        "a.b=shot_010",
        "a.b=shot*",
        'a.b="shot_010" and flag=yes',
        "a.b=other or flag=yes",
        "not flag=yes",
        "(flag=no or a.b=shot*) and a.b!=x",
        "missing.key=1",
    ]
    return {text: parse(text).match(candidate) for text in texts}


@step(7, "numbers compare as numbers")
def numbers_in_expressions(stage: Stage) -> Any:
    """A number is compared with a number."""
    parse = stage.module("event.expression").Parser().parse
    return [parse(text).match({"n": 5}) for text in ("n>4", "n<=5", "n=5", "n>10")]
