"""The file of a recording: a header, and one line for each exchange.

The file is JSON, so people can read it before they pass it on::

    {"format": "ftrack-like recording", "version": 1, "server": "https://site.invalid",
     "exchanges": [
    {"user": "user-1", "strict": true, "request": [...], "status": 200, "answer": [...]},
    {"path": "/component/get", "query": {"id": "..."}, "status": 200, "type": "image/png",
     "body": "..."}
    ]}

The first kind is a batch of the API. The second kind is a file that a client read; its body is
base64 text, or null for a file that was too large to keep.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import tempfile
from collections.abc import Iterable
from typing import Any, Optional, Union

from ftrack_like._base.renaming import put_into_place

__all__ = ["Batch", "Exchange", "FileRead", "Recording", "RecordingError"]

_FORMAT = "ftrack-like recording"
_VERSION = 1

#: The address that replaces the server's.
SITE = "https://site.invalid"


class RecordingError(Exception):
    """A file is not a recording, or cannot be read or written."""


@dataclasses.dataclass
class Batch:
    """A batch of the API: what *user* asked, and what the server answered.

    *request* is the list of operations. *answer* is the decoded body.
    """

    user: str
    strict: bool
    request: list[Any]
    status: int
    answer: Any


@dataclasses.dataclass
class FileRead:
    """A file that a client read from *path* with the parameters *query*; *body* is base64 text."""

    path: str
    query: dict[str, str]
    status: int
    type: str
    body: Optional[str]


Exchange = Union[Batch, FileRead]


@dataclasses.dataclass
class Recording:
    """The exchanges of a recording, in their order."""

    exchanges: list[Exchange]

    @classmethod
    def load(cls, path: Union[str, pathlib.Path]) -> Recording:
        """Return the recording in the file *path*.

        Raise :exc:`RecordingError` if there is none.
        """
        try:
            content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise RecordingError(f"{path} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise RecordingError(f"{path} is not a recording: it is not JSON ({error}).") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise RecordingError(
                f"{path} is not a recording. Make one with: ftrack-like sandbox record URL"
            )
        if content.get("version") != _VERSION:
            raise RecordingError(
                f"{path} has version {content.get('version')!r} of the format, and this program "
                f"reads version {_VERSION}. Use a program of the other version, or record again."
            )
        try:
            return cls([_exchange(each) for each in content["exchanges"]])
        except (KeyError, TypeError) as error:
            raise RecordingError(f"{path} is a recording with a damaged entry: {error}.") from error

    def save(self, path: Union[str, pathlib.Path]) -> None:
        """Write the recording to the file *path*, which is replaced only when all is written.

        Only the owner may read the file, because it shows a studio's data.
        """
        target = pathlib.Path(path)
        lines = ",\n".join(_line(each) for each in self.exchanges)
        header = json.dumps({"format": _FORMAT, "version": _VERSION, "server": SITE})
        text = f'{header[:-1]}, "exchanges": [\n{lines}\n]}}\n'
        name = None
        try:
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
            ) as file:
                name = file.name
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            put_into_place(name, target)
        except OSError as error:
            if name is not None:
                pathlib.Path(name).unlink(missing_ok=True)
            raise RecordingError(f"{path} cannot be written: {error.strerror}.") from error


def _exchange(values: dict[str, Any]) -> Exchange:
    """Return the exchange of one entry of the file."""
    return FileRead(**values) if "path" in values else Batch(**values)


def _line(exchange: Exchange) -> str:
    """Return *exchange* as one line of JSON."""
    return json.dumps(dataclasses.asdict(exchange), ensure_ascii=False, separators=(",", ":"))


def batches(exchanges: Iterable[Exchange]) -> list[Batch]:
    """Return the batches among *exchanges*."""
    return [each for each in exchanges if isinstance(each, Batch)]
