"""The JSON text of an event for a journal, without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ftrack_like._transport.redaction import MASK, masked
from ftrack_like.wire import events as wire_events
from ftrack_like.wire import packets
from ftrack_like.wire.events import Event
from ftrack_like.wire.packets import JsonValue

__all__ = ["storable_text"]

#: Names of fields whose value is a secret.
_SECRET = re.compile(r"(?i)^(ftrack-)?(api[_-]?key|password|passwd|passphrase|token|secret)$")
#: Texts that may contain a secret. Most events have none, and are stored as they are.
_HINT = re.compile(r"(?i)api[_-]?key|passw|passphrase|\"(token|secret)\"|//[^/\s\"]*@")


def storable_text(event: Event, secrets: Sequence[str]) -> str:
    """Return *event* as JSON text in its wire form, with *secrets* and fields of secrets masked."""
    fields = wire_events.to_wire(event)
    text = packets.dumps(fields)
    if _HINT.search(text) or any(secret in text for secret in secrets if secret):
        return packets.dumps(_clean(fields, secrets))
    return text


def _clean(value: JsonValue, secrets: Sequence[str]) -> JsonValue:
    """Return *value* with secrets masked in all its texts."""
    if isinstance(value, str):
        return masked(value, *secrets)
    if isinstance(value, Mapping):
        return {
            name: MASK
            if isinstance(each, str) and each and _SECRET.match(str(name))
            else _clean(each, secrets)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_clean(each, secrets) for each in value]
    return value
