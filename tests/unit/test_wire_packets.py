"""Packets: encoding, decoding, and everything that a decoder must survive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrack_like.wire import events, packets, states
from ftrack_like.wire.topics import TopicIndex, Topics

_json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=10),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0::", packets.Disconnect()),
        ("1::", packets.Connect()),
        ("2::", packets.Heartbeat()),
        ("2:::", packets.Heartbeat()),
        ("2", packets.Heartbeat()),
        ("3:1::hello: world", packets.Text("hello: world")),
        ('4:::{"a":[1]}', packets.JsonMessage({"a": [1]})),
        ('5:1+::{"name":"n","args":[1]}', packets.EventMessage("n", [1])),
        ('5:::{"name":"n"}', packets.EventMessage("n", [])),
        ("6:::4", packets.Acknowledgement(4, [])),
        ('6:::4+[{"success":true}]', packets.Acknowledgement(4, [{"success": True}])),
        ("7:::reason+advice", packets.Fault("reason", "advice")),
        ("7", packets.Fault("", "")),
        ("8::", packets.Noop()),
    ],
)
def test_read_gives_each_packet_its_meaning(text: str, message: packets.Message) -> None:
    """Every kind of packet is read, with parts left out as servers do."""
    assert packets.read(packets.split(text)) == message


def test_signs_are_told_apart() -> None:
    """Packets without content are equal, and hash alike, only if they mean the same."""
    signs = [packets.Connect(), packets.Disconnect(), packets.Heartbeat(), packets.Noop()]
    assert len({*signs, packets.Connect(), packets.Noop()}) == len(signs)
    assert repr(signs[2]) == "Heartbeat()"
    assert signs[0] != ()


@pytest.mark.parametrize(
    "payload",
    [
        "",
        ":::",
        "9:::x",
        "99:::x",
        "hello",
        "4:::{",
        "4:::NaN",
        "4:::" + "[" * 100_000,
        "5:::[]",
        '5:::{"name":1}',
        '5:::{"name":"n","args":{}}',
        "5:::null",
        "6:::",
        "6:::x",
        "6:::1+{",
        "6:::99999999999999999999999",
        b"\x00\xff",
        b"",
        None,
        7,
    ],
)
def test_read_turns_rubbish_into_a_message(payload: Any) -> None:
    """What cannot be read is a message that says why, and never an error."""
    message = packets.read(packets.split(payload))
    assert isinstance(message, packets.Unreadable)
    assert 0 < len(message.reason) < 400


@given(
    st.sampled_from(sorted(packets.CODES)),
    st.from_regex(r"([0-9]{1,4}\+?)?", fullmatch=True),
    st.from_regex(r"(/[a-z]{1,5})?", fullmatch=True),
    st.text(max_size=30),
)
def test_split_undoes_join(code: str, identifier: str, path: str, data: str) -> None:
    """Any packet that is written is read back as itself, colons in its data included."""
    packet = packets.Packet(code, identifier, path, data)
    assert packets.split(packets.join(packet)) == packet


@given(_json_values)
def test_events_survive_the_way(data: Any) -> None:
    """Whatever JSON an event holds, the other end reads the same."""
    event = {"id": "1", "topic": "t", "data": {"value": data}, "inReplyToEvent": None}
    text = packets.join(packets.Packet("5", "1+", "", packets.dumps(packets.event_data(event))))
    message = packets.read(packets.split(text))
    assert message == packets.EventMessage("ftrack.event", [event])


@given(st.integers(0, 10**9), st.lists(_json_values, max_size=3))
def test_acknowledgements_survive_the_way(number: int, arguments: list[Any]) -> None:
    """An acknowledgement tells number and arguments to the other end."""
    packet = packets.acknowledgement(f"{number}+", *arguments)
    message = packets.read(packets.split(packets.join(packet)))
    assert message == packets.Acknowledgement(number, arguments)


@given(st.one_of(st.text(), st.binary(), st.from_regex(r"[0-9]:[0-9]*\+?:.?:.*")))
@settings(max_examples=300)
def test_read_never_raises(payload: Any) -> None:
    """No payload at all stops the reader."""
    packets.read(packets.split(payload))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": object()}])
def test_dumps_refuses_what_json_has_not(value: Any) -> None:
    """What is no JSON is refused here, instead of by a server that cannot say why."""
    with pytest.raises((ValueError, TypeError)):
        packets.dumps(value)


def test_to_wire_and_from_wire_rename_one_field() -> None:
    """An event bears inReplyToEvent on the way and in_reply_to_event inside a program."""
    fields = {
        "id": "1",
        "topic": "t",
        "data": {"a": 1},
        "sent": None,
        "source": {"id": "s"},
        "target": "",
        "in_reply_to_event": "0",
    }
    wire = events.to_wire(fields)
    assert wire["inReplyToEvent"] == "0"
    assert "in_reply_to_event" not in wire
    assert events.from_wire(json.loads(json.dumps(wire))) == fields


def test_from_wire_drops_and_fills() -> None:
    """Unknown fields are dropped, and empty ones take the form that readers expect."""
    fields = events.from_wire(
        {"topic": "t", "novelty": 1, "data": None, "source": None, "target": None}
    )
    assert fields == {"topic": "t", "data": {}, "source": {}, "target": ""}


@pytest.mark.parametrize("value", [None, [], "text", {}, {"topic": 1}, {"topic": "t", "id": 4}])
def test_from_wire_refuses_what_is_no_event(value: Any) -> None:
    """Something without a topic is no event."""
    with pytest.raises(ValueError, match="event"):
        events.from_wire(value)


@pytest.mark.parametrize("table", [states.LINK, states.WEBSOCKET])
def test_states_lead_to_states(table: states.Transitions) -> None:
    """Every state that a table leads to is in the table, and closed is for good."""
    for following in table.values():
        assert set(following.values()) <= set(table)
    assert table["closed"] == {}


def test_advance_ignores_what_does_not_fit() -> None:
    """What happens at a wrong time changes nothing."""
    assert states.advance(states.LINK, "closed", "opened") == "closed"
    assert states.advance(states.LINK, "connecting", "opened") == "connected"
    assert states.advance(states.WEBSOCKET, "open", "connect") == "open"


def test_topic_index_finds_in_order() -> None:
    """Entries come by priority and order of adding, each of them once."""
    index: TopicIndex[str] = TopicIndex()
    index.add("both", Topics(frozenset({"a.b"}), frozenset({"a."})), 5)
    index.add("all", None, 5)
    index.add("early", Topics(frozenset(), frozenset({""})), 1)
    assert index.candidates("a.b") == ("early", "both", "all")
    assert index.candidates("x") == ("early", "all")
    assert index.candidates(None) == ("all",)
    index.remove("both", Topics(frozenset({"a.b"}), frozenset({"a."})))
    assert index.candidates("a.b") == ("early", "all")


def test_topic_index_bounds_its_memory_of_topics() -> None:
    """However many topics come by, only so many are remembered."""
    index: TopicIndex[str] = TopicIndex()
    for number in range(5000):
        index.candidates(f"t{number}")
    assert len(index._candidates) <= 1024
