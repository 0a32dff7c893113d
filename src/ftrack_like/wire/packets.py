"""Socket.IO 0.9 packets: text on a websocket, `CODE:ID:PATH:DATA`.

Reading takes two steps. :func:`split` cuts the text at its first three colons. :func:`read` looks
the code up in a table of readers and returns a message. Neither function raises: binary frames,
unknown codes and broken JSON become the message :class:`Unreadable`. No packet can therefore stop
the thread that reads.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, NamedTuple, NoReturn, Optional, Union

__all__ = [
    "CODES",
    "EVENT_NAME",
    "GREETING",
    "HEARTBEAT",
    "Acknowledgement",
    "Connect",
    "Disconnect",
    "EventMessage",
    "Fault",
    "Heartbeat",
    "JsonMessage",
    "JsonValue",
    "Message",
    "Noop",
    "Packet",
    "Text",
    "Unreadable",
    "acknowledgement",
    "decode_events",
    "dumps",
    "event_data",
    "join",
    "loads",
    "read",
    "split",
]

_NAMES = "disconnect connect heartbeat message json event acknowledge error noop"
#: The names of the codes: `{"0": "disconnect", …}`.
CODES = {str(code): name for code, name in enumerate(_NAMES.split())}
#: The name of the Socket.IO event that carries an event.
EVENT_NAME = "ftrack.event"
#: The packets that a server sends unasked, in the short form that servers use.
GREETING = "1::"
HEARTBEAT = "2::"
#: The header of a handshake that tells a sandbox that the client acknowledges events and drops
#: repeats. After a lost connection the sandbox may then send events without an acknowledgement
#: again. Other servers ignore the header.
REPLAY_HEADER = "ftrack-like-replay"


#: A JSON value: None, a boolean, a number, text, a list or a mapping. An exact
#: recursive type would force a cast on each caller that knows the shape.
JsonValue = Any


class Packet(NamedTuple):
    """The four parts of a packet, as text."""

    code: str
    identifier: str = ""
    path: str = ""
    data: str = ""


class _Sign:
    """What a packet without content means; those of one kind are equal."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Return whether *other* has the same class."""
        return type(other) is type(self)

    def __hash__(self) -> int:
        """Return a hash that all instances of the class share."""
        return hash(type(self))

    def __repr__(self) -> str:
        """Return the call that creates an equal message."""
        return f"{type(self).__name__}()"


class Disconnect(_Sign):
    """The other end is leaving."""


class Connect(_Sign):
    """The other end is ready: the first packet that a server sends."""


class Heartbeat(_Sign):
    """The other end is alive; a client answers with the same."""


class Text(NamedTuple):
    """A plain message."""

    text: str


class JsonMessage(NamedTuple):
    """A message that is a JSON value."""

    value: JsonValue


class EventMessage(NamedTuple):
    """A Socket.IO event with its *name* and a list of *arguments*."""

    name: str
    arguments: list[JsonValue]


class Acknowledgement(NamedTuple):
    """The packet with the number *identifier* arrived; *arguments* are the answer to it."""

    identifier: int
    arguments: list[JsonValue]


class Fault(NamedTuple):
    """The other end reports an error; both texts may be empty."""

    reason: str
    advice: str


class Noop(_Sign):
    """A packet that has no effect."""


class Unreadable(NamedTuple):
    """A packet that cannot be read, and the reason."""

    reason: str


Message = Union[
    Disconnect,
    Connect,
    Heartbeat,
    Text,
    JsonMessage,
    EventMessage,
    Acknowledgement,
    Fault,
    Noop,
    Unreadable,
]
Decode = Callable[[str], JsonValue]


def join(packet: Packet) -> str:
    """Return *packet* as the text to send."""
    return ":".join(packet)


def split(payload: object) -> Packet:
    """Return the parts of *payload*; missing parts are empty.

    Return a packet with an empty code if *payload* is not text, for example a binary frame.
    """
    if not isinstance(payload, str):
        return Packet("", "", "", f"<{type(payload).__name__}>")
    parts = payload.split(":", 3)
    return Packet(*parts)


def read(packet: Packet, decode: Optional[Decode] = None) -> Message:
    """Return the message of *packet*.

    *decode* decodes JSON text; None means :func:`loads`. A :exc:`ValueError` of *decode* makes
    the message :class:`Unreadable`. Other exceptions of *decode* pass through.
    """
    reader = READERS.get(packet.code)
    if reader is None:
        return Unreadable(f"no packet has the code {packet.code[:20]!r}")
    try:
        return reader(packet, decode or loads)
    except ValueError as error:
        return Unreadable(f"{CODES[packet.code]} packet: {str(error)[:200]}")


def dumps(value: JsonValue, default: Optional[Callable[[object], JsonValue]] = None) -> str:
    """Return *value* as JSON text in one line.

    *default* converts objects that JSON does not support.

    Raise :exc:`ValueError` or :exc:`TypeError` if JSON cannot represent *value*. It has
    neither not-a-number nor infinities.
    """
    if default is None:
        return _ENCODER.encode(value)
    return json.JSONEncoder(allow_nan=False, default=default).encode(value)


def loads(
    text: str, object_hook: Optional[Callable[[dict[str, JsonValue]], JsonValue]] = None
) -> JsonValue:
    """Return the value of the JSON *text*.

    *object_hook* is called with each mapping and returns its replacement.

    Raise :exc:`ValueError` if *text* is not JSON, contains not-a-number or an infinity, or is
    nested too deeply.
    """
    try:
        if object_hook is None:
            return _DECODER.decode(text)
        return json.loads(text, parse_constant=_refuse_constant, object_hook=object_hook)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def event_data(event: object) -> dict[str, JsonValue]:
    """Return the data of a packet that carries *event*, before it is encoded as JSON."""
    return {"name": EVENT_NAME, "args": [event]}


def event_text(event: str) -> str:
    """Return the JSON text of :func:`event_data` for the JSON text *event*."""
    return f'{{"name": "{EVENT_NAME}", "args": [{event}]}}'


def acknowledgement(identifier: str, *arguments: JsonValue) -> Packet:
    """Return the packet that acknowledges the packet *identifier*.

    A plus sign at the end of *identifier* is ignored. The sender gets *arguments* as the answer.
    """
    number = identifier.rstrip("+")
    return Packet("6", data=f"{number}+{dumps(list(arguments))}" if arguments else number)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Created once: `json.dumps` and `json.loads` create new ones in each call with these settings.
_ENCODER = json.JSONEncoder(allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _read_json(packet: Packet, decode: Decode) -> Message:
    return JsonMessage(decode(packet.data))


def _read_event(packet: Packet, decode: Decode) -> Message:
    value = decode(packet.data)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError("neither a mapping nor a name")
    arguments = value.get("args", [])
    if not isinstance(arguments, list):
        raise ValueError("args is not a list")
    return EventMessage(value["name"], arguments)


_ACKNOWLEDGEMENT = re.compile(r"([0-9]{1,18})(?:\+(.*))?\Z", re.DOTALL)


def _read_acknowledgement(packet: Packet, decode: Decode) -> Message:
    fit = _ACKNOWLEDGEMENT.match(packet.data)
    if fit is None:
        raise ValueError("no packet number")
    arguments = decode(fit.group(2)) if fit.group(2) else []
    return Acknowledgement(
        int(fit.group(1)), arguments if isinstance(arguments, list) else [arguments]
    )


def _read_fault(packet: Packet, decode: Decode) -> Message:
    reason, _, advice = packet.data.partition("+")
    return Fault(reason, advice)


#: One reader for each code. A reader gets a packet and a JSON decoder. It returns a message or
#: raises ValueError.
READERS: dict[str, Callable[[Packet, Decode], Message]] = {
    "0": lambda packet, decode: Disconnect(),
    "1": lambda packet, decode: Connect(),
    "2": lambda packet, decode: Heartbeat(),
    "3": lambda packet, decode: Text(packet.data),
    "4": _read_json,
    "5": _read_event,
    "6": _read_acknowledgement,
    "7": _read_fault,
    "8": lambda packet, decode: Noop(),
}


def decode_events(string: str, rename: Callable[[dict[str, JsonValue]], JsonValue]) -> JsonValue:
    """Return the value of the JSON text *string*, with each mapping replaced by *rename*.

    *rename* may be called only with mappings that contain `inReplyToEvent`. Raise
    :exc:`ValueError` if *string* is not JSON.
    """
    count = string.count('"inReplyToEvent"')
    value = loads(string)
    arguments = value.get("args") if isinstance(value, dict) else None
    if count == 1 and isinstance(arguments, list) and len(arguments) == 1:
        # Nearly every packet has one event. Its data is then not searched for more mappings.
        (event,) = arguments
        if isinstance(event, dict) and "inReplyToEvent" in event:
            arguments[0] = rename(event)
            return value
    return loads(string, rename) if count else value
