"""Pictures, decoded in a few child processes with limits of memory and time.

A child answers many requests, because starting it takes longer than scaling a usual picture. The
server replaces a child that takes too long or ends.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import pathlib
import queue
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ftrack_like._base.errors import MediaError
from ftrack_like._media.children import Bounds, Child
from ftrack_like.sandbox.limits import Limits, option_of

__all__ = ["PictureError", "Pictures"]

_LOGGER = logging.getLogger(__name__)

_PROGRAM = "from ftrack_like.sandbox.media.decoding import main; main()"

#: The limits, by their names in :mod:`.decoding`.
_OPTIONS = {"pixels": "image_pixels", "memory": "image_bytes"}


class PictureError(Exception):
    """A picture exceeds a limit; the text names the limit and the option that sets it."""


class Pictures:
    """Scales pictures and draws on them within *limits*; threads may share it.

    A call waits while the maximum number of pictures is being decoded.
    """

    def __init__(self, limits: Limits) -> None:
        """Processes start with the first picture."""
        self._limits = limits
        self._free: queue.LifoQueue[_Decoder] = queue.LifoQueue()
        self._decoders = [_Decoder(limits) for _ in range(limits.image_processes)]
        for one in self._decoders:
            self._free.put(one)

    @property
    def at_once(self) -> int:
        """Return the number of pictures that are decoded at the same time."""
        return self._limits.image_processes

    def scale(self, source: pathlib.Path, target: pathlib.Path, size: int) -> bool:
        """Scale the image at *source* to at most *size* pixels; write it to *target*.

        A PNG stays a PNG, any other image becomes a JPEG; the file type of *target* follows.
        *size* limits both width and height. Return False if *source* is not a readable image, or
        Pillow is missing. Raise :exc:`PictureError` if the image exceeds a limit.
        """
        return self._make("scale", source, target, {"size": size})

    def draw(
        self, source: pathlib.Path, target: pathlib.Path, strokes: Sequence[Mapping[str, Any]]
    ) -> bool:
        """Draw *strokes* on the image at *source*; write it to *target*; else as :meth:`scale`."""
        return self._make("draw", source, target, {"strokes": list(strokes)})

    def close(self) -> None:
        """End all processes; later calls raise :exc:`PictureError`."""
        for one in self._decoders:
            one.close()

    def _make(
        self, do: str, source: pathlib.Path, target: pathlib.Path, more: Mapping[str, Any]
    ) -> bool:
        if importlib.util.find_spec("PIL") is None:
            return False
        asked = {
            "do": do,
            "source": str(source.resolve()),
            "target": str(target.resolve()),
            "maximum": self._limits.image_pixels,
            **more,
        }
        with self._decoder() as decoder:
            answer = decoder.ask(asked)
        if answer["refused"] is not None:
            option = option_of(_OPTIONS[answer["refused"]])
            raise PictureError(f"{answer['text']} ({option}).")
        if answer["text"]:
            _LOGGER.info("The picture %s could not be decoded: %s", source.name, answer["text"])
        return bool(answer["made"])

    @contextlib.contextmanager
    def _decoder(self) -> Iterator[_Decoder]:
        decoder = self._free.get()
        try:
            yield decoder
        finally:
            self._free.put(decoder)


class _Decoder:
    """A child process that decodes one picture at a time; it starts when it is needed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._child: Optional[Child] = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to *asked*; raise :exc:`PictureError` if none arrives in time."""
        try:
            child = self._running()
            child.input.write(json.dumps(asked) + "\n")
            child.input.flush()
            line = self._lines.get(timeout=self._limits.image_seconds)
        except queue.Empty:
            self._end()
            raise PictureError(
                f"Decoding the picture takes longer than {self._limits.image_seconds:g} seconds "
                f"({option_of('image_seconds')})."
            ) from None
        except (MediaError, OSError, ValueError) as error:
            self._end()
            raise PictureError(f"The picture could not be decoded: {error}") from error
        if not line:  # the child ended, most likely because a library ran out of memory
            self._end()
            raise PictureError(
                "The program that decodes pictures ended. The picture may take more memory than "
                f"{self._limits.image_bytes} bytes ({option_of('image_bytes')})."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process; do not start another one."""
        with self._lock:
            self._closed = True
        self._end()

    def _running(self) -> Child:
        with self._lock:
            if self._closed:
                raise MediaError("The server is stopping.")
            if self._child is None:
                self._child, self._lines = self._start()
            return self._child

    def _start(self) -> tuple[Child, queue.Queue[str]]:
        limits = self._limits
        bounds = Bounds(limits.image_seconds, limits.image_bytes, limits.media_file_bytes)
        # The child imports the packages from the same places as this process.
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        child = Child(
            [sys.executable, "-c", _PROGRAM],
            bounds,
            talking=True,
            environment={**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1"},
        )
        lines: queue.Queue[str] = queue.Queue()
        for target, arguments in ((_read, (child, lines)), (_ignore, (child,))):
            threading.Thread(target=target, args=arguments, daemon=True).start()
        return child, lines

    def _end(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.close()


def _read(child: Child, lines: queue.Queue[str]) -> None:
    """Put the lines of *child* into *lines*, and an empty text at its end."""
    with contextlib.suppress(OSError, ValueError):  # the child was ended
        for line in child.output:
            lines.put(line)
    lines.put("")


def _ignore(child: Child) -> None:
    """Read and drop the errors of *child*, because a full pipe would block it."""
    with contextlib.suppress(OSError, ValueError):
        for _ in child.errors:
            pass
