"""Pictures, decoded in child processes that are few and bounded in memory and time.

A child answers many requests, for starting one takes longer than scaling a usual picture. It is
replaced when it took too long or ended.
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

from ftrack_like._errors import MediaError
from ftrack_like.sandbox.limits import Limits, option_of
from ftrack_like.sandbox.media.children import Bounds, Child

__all__ = ["PictureError", "Pictures"]

_LOGGER = logging.getLogger(__name__)

_PROGRAM = "from ftrack_like.sandbox.media.decoding import main; main()"

#: The limits by the words of :mod:`.decoding` for them.
_OPTIONS = {"pixels": "image_pixels", "memory": "image_bytes"}


class PictureError(Exception):
    """A picture is beyond a limit; the text says which, and what sets it."""


class Pictures:
    """Scales pictures and draws on them within *limits*; threads may share it.

    As many pictures are decoded at once as the limits say; further calls wait.
    """

    def __init__(self, limits: Limits) -> None:
        """Prepare; no process is started before the first picture."""
        self._limits = limits
        self._free: queue.LifoQueue[_Decoder] = queue.LifoQueue()
        self._decoders = [_Decoder(limits) for _ in range(limits.image_processes)]
        for one in self._decoders:
            self._free.put(one)

    @property
    def at_once(self) -> int:
        """Return how many pictures are decoded at once."""
        return self._limits.image_processes

    def scale(self, source: pathlib.Path, target: pathlib.Path, size: int) -> bool:
        """Write the image at *source*, at most *size* pixels wide and high, to *target* as JPEG.

        Return False where *source* is not an image that can be read, or Pillow is missing. Raise
        :exc:`PictureError` beyond a limit.
        """
        return self._make("scale", source, target, {"size": size})

    def draw(
        self, source: pathlib.Path, target: pathlib.Path, strokes: Sequence[Mapping[str, Any]]
    ) -> bool:
        """Write the image at *source* with *strokes* on it to *target*; else as :meth:`scale`."""
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
    """A child process that decodes one picture at a time, started when it is needed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._child: Optional[Child] = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to *asked*; raise :exc:`PictureError` if none comes in time."""
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
        if not line:  # it ended: most likely its memory did, outside of what Python sees
            self._end()
            raise PictureError(
                "The program that decodes pictures ended. The picture may take more memory than "
                f"{self._limits.image_bytes} bytes ({option_of('image_bytes')})."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process for good."""
        with self._lock:
            self._closed = True
        self._end()

    def _running(self) -> Child:
        with self._lock:
            if self._closed:
                raise MediaError("The server stops.")
            if self._child is None:
                self._child, self._lines = self._start()
            return self._child

    def _start(self) -> tuple[Child, queue.Queue[str]]:
        limits = self._limits
        bounds = Bounds(limits.image_seconds, limits.image_bytes, limits.media_file_bytes)
        # The child finds the packages where this process does, wherever it runs.
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
    """Put the lines of *child* into *lines*, and an empty one at its end."""
    with contextlib.suppress(OSError, ValueError):  # the child was ended
        for line in child.output:
            lines.put(line)
    lines.put("")


def _ignore(child: Child) -> None:
    """Read the errors of *child*, for a full pipe would stop it."""
    with contextlib.suppress(OSError, ValueError):
        for _ in child.errors:
            pass
