"""What the supervisor and a worker say to each other, over a pair of sockets.

Each message is a line of JSON. The supervisor sends the :class:`WorkerSettings` first. The worker
answers :data:`READY` or an error. From then on it sends :data:`ALIVE` every second. Later the
supervisor may send :data:`LEAVE`. When one side ends, the other side reads the end of the stream,
whatever has ended that process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Optional

from ftrack_like.sandbox.limits import Limits
from ftrack_like.sandbox.network.settings import Network

__all__ = ["ALIVE", "LEAVE", "READY", "Lines", "WorkerSettings", "failure", "line"]

#: The worker answers requests.
READY = {"state": "ready"}
#: The threads of the worker run, whatever its requests do.
ALIVE = {"state": "alive"}
#: The worker must end, because another one takes its place.
LEAVE = {"do": "leave"}


@dataclass(frozen=True)
class WorkerSettings:
    """The options of a sandbox, for one of its processes.

    *listener* is the number of the file descriptor on which the worker accepts connections.
    *administrator_id* is the id of *user*. *metrics* is the folder in which the processes share
    their metrics.
    """

    listener: int
    host: str
    database: str = field(repr=False)
    media: Optional[str]
    user: str
    administrator_id: str
    loopback_webhooks: bool
    encoders: int
    network: Network
    limits: Limits
    metrics: str

    def to_json(self) -> dict[str, Any]:
        """Return the settings as values of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> WorkerSettings:
        """Return the settings in *values*, which :meth:`to_json` has returned."""
        network: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values["network"].items()
        }
        return cls(
            **{**values, "network": Network(**network), "limits": Limits(**values["limits"])}
        )


class Lines:
    """Splits a stream of bytes into the messages of its complete lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield the messages that *data* completes."""
        *complete, self._rest = (self._rest + data).split(b"\n")
        for each in complete:
            yield json.loads(each)


def line(message: dict[str, Any]) -> bytes:
    """Return *message* as a line."""
    return json.dumps(message).encode("ascii") + b"\n"


def failure(text: str) -> dict[str, Any]:
    """Return the message that the worker cannot start, with the reason in *text*."""
    return {"state": "failed", "reason": text}
