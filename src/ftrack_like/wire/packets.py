"""Socket.IO 0.9 packets: text on a websocket, `CODE:ID:PATH:DATA`.

A packet is taken apart in two steps. :func:`split` cuts the text at its first three colons;
:func:`read` looks the code up in a table of readers and gives a message with a meaning. Neither
raises: whatever cannot be read, binary frames and unknown codes included, becomes a message of
its own, :class:`Unreadable`, so that no packet can stop whoever reads.
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
    "Event",
    "Fault",
    "Heartbeat",
    "Json",
    "Message",
    "Noop",
    "Packet",
    "Text",
    "Unreadable",
    "acknowledgement",
    "dumps",
    "event_data",
    "join",
    "loads",
    "read",
    "split",
]

_NAMES = "disconnect connect heartbeat message json event acknowledge error noop"
#: What the codes are called: `{"0": "disconnect", …}`.
CODES = {str(code): name for code, name in enumerate(_NAMES.split())}
#: The name under which both ends pass events on.
EVENT_NAME = "ftrack.event"
#: The packets that a server sends of its own accord, in the short form that servers use.
GREETING = "1::"
HEARTBEAT = "2::"


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
        """Return whether *other* is of the same kind."""
        return type(other) is type(self)

    def __hash__(self) -> int:
        """Return a hash that all of one kind have."""
        return hash(type(self))

    def __repr__(self) -> str:
        """Return what would make this again."""
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


class Json(NamedTuple):
    """A message that is a JSON value."""

    value: Any


class Event(NamedTuple):
    """Something called *name* happened, with a list of *arguments*."""

    name: str
    arguments: list[Any]


class Acknowledgement(NamedTuple):
    """The packet with the number *identifier* arrived; *arguments* say what came of it."""

    identifier: int
    arguments: list[Any]


class Fault(NamedTuple):
    """The other end complains; both texts may be empty."""

    reason: str
    advice: str


class Noop(_Sign):
    """Nothing, on purpose."""


class Unreadable(NamedTuple):
    """A packet that means nothing here, and why."""

    reason: str


Message = Union[
    Disconnect, Connect, Heartbeat, Text, Json, Event, Acknowledgement, Fault, Noop, Unreadable
]
Decode = Callable[[str], Any]


def join(packet: Packet) -> str:
    """Return *packet* as the text to send."""
    return ":".join(packet)


def split(payload: Any) -> Packet:
    """Return the parts of *payload*; missing ones are empty.

    Anything but text, a binary frame say, gives a packet with an empty code.
    """
    if not isinstance(payload, str):
        return Packet("", "", "", f"<{type(payload).__name__}>")
    parts = payload.split(":", 3)
    return Packet(*parts)


def read(packet: Packet, decode: Optional[Decode] = None) -> Message:
    """Return what *packet* means.

    *decode* makes a value of JSON text, :func:`loads` if None; as long as it raises nothing but
    :exc:`ValueError`, this function raises nothing.
    """
    reader = READERS.get(packet.code)
    if reader is None:
        return Unreadable(f"no packet has the code {packet.code[:20]!r}")
    try:
        return reader(packet, decode or loads)
    except ValueError as error:
        return Unreadable(f"{CODES[packet.code]} packet: {str(error)[:200]}")


def dumps(value: Any, default: Optional[Callable[[Any], Any]] = None) -> str:
    """Return *value* as JSON text in one line.

    *default* turns what JSON does not know into something that it does.

    Raise :exc:`ValueError` or :exc:`TypeError` if there is no JSON for *value*; not-a-number and
    the infinities have none.
    """
    if default is None:
        return _ENCODER.encode(value)
    return json.JSONEncoder(allow_nan=False, default=default).encode(value)


def loads(text: str, object_hook: Optional[Callable[[dict[str, Any]], Any]] = None) -> Any:
    """Return the value of the JSON *text*.

    *object_hook* is called with each mapping and gives what to put in its place.

    Raise :exc:`ValueError` if *text* is not JSON, not-a-number and endless nesting included.
    """
    try:
        if object_hook is None:
            return _DECODER.decode(text)
        return json.loads(text, parse_constant=_refuse_constant, object_hook=object_hook)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def event_data(event: Any) -> dict[str, Any]:
    """Return the data of an event packet that passes *event* on, still to be made JSON."""
    return {"name": EVENT_NAME, "args": [event]}


def event_text(event: str) -> str:
    """Return the JSON of :func:`event_data` for an *event* that is JSON text already."""
    return f'{{"name": "{EVENT_NAME}", "args": [{event}]}}'


def acknowledgement(identifier: str, *arguments: Any) -> Packet:
    """Return the packet that acknowledges another one.

    *identifier* is that packet's, with or without a plus sign; *arguments* are told to its
    sender.
    """
    number = identifier.rstrip("+")
    return Packet("6", data=f"{number}+{dumps(list(arguments))}" if arguments else number)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Made once: `json.dumps` and `json.loads` would make new ones for each call with these settings.
_ENCODER = json.JSONEncoder(allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _read_json(packet: Packet, decode: Decode) -> Message:
    return Json(decode(packet.data))


def _read_event(packet: Packet, decode: Decode) -> Message:
    value = decode(packet.data)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError("neither a mapping nor a name")
    arguments = value.get("args", [])
    if not isinstance(arguments, list):
        raise ValueError("args is not a list")
    return Event(value["name"], arguments)


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


#: One reader a code. A reader takes a packet and what decodes JSON, and returns a message or
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
