"""`ftrack-like encode`: encode media on this machine and publish them for a version."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Optional, TextIO

from ftrack_like.cli._arguments import seconds_above_zero
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._errors import message_of, report
from ftrack_like.cli._interrupt import INTERRUPTED, interruptible
from ftrack_like.cli._streams import silence

if TYPE_CHECKING:
    from ftrack_like.media import Publication
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "encode media on this machine and publish them for a version"

_EPILOG = """\
FILE is a movie, an image, or a sequence of images:

  plate.%04d.exr [1001-1100]   these frames
  plate.%04d.exr               all frames; also plate.####.exr
  renders/v003                 the only sequence in the folder

A repeated call finds the result and does nothing. Calls on several machines at
once make one result. The exit status is 0 when the result is published, 1 if
something failed, 2 for a wrong command, and 130 after Ctrl-C or SIGTERM.
"""

#: The width of the bar in characters, and the seconds between two lines of JSON at least.
_BAR, _PAUSE = 30, 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="the media, or the pattern of a sequence")
    # "version" is the option of the whole command that shows its version.
    parser.add_argument(
        "--version",
        dest="version_id",
        metavar="ID",
        required=True,
        help="the id of the AssetVersion",
    )
    parser.add_argument(
        "--format",
        metavar="NAME",
        default="mp4-1080p",
        help="mp4-1080p, mp4-2160p or webm-1080p (default: mp4-1080p)",
    )
    parser.add_argument(
        "--presets",
        metavar="FILE",
        help="JSON file with sizes, codecs, burn-in and slate (default: FTRACK_MEDIA_PRESETS)",
    )
    parser.add_argument(
        "--first-frame",
        metavar="N",
        type=_frame_number,
        help="the number of a movie's first frame (default: 0; a sequence has its own numbers)",
    )
    parser.add_argument(
        "--keep-original", action="store_true", help="also upload the source to the server"
    )
    parser.add_argument(
        "--force", action="store_true", help="encode again even if the result is current"
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds_above_zero,
        help="give up after this time, also when another machine encodes (default: no limit)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print progress and the result as lines of JSON"
    )
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Encode and publish the file in *arguments*; return the exit status."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like.media import PROFILES  # lazy: likewise

    if arguments.format not in PROFILES:
        formats = ", ".join(sorted(PROFILES))
        return _fail(f"There is no format {arguments.format!r}; there are {formats}.", 2)
    progress = _Reporter(sys.stdout) if arguments.json else _Bar(sys.stderr)
    with interruptible():
        try:
            _publish_file(arguments, progress)
        except FileNotFoundError as error:
            progress.close()
            return _fail(f"There is no file {os.fspath(error.filename)!r}.", 2)
        except (exception.Error, OSError) as error:
            progress.fail(message_of(error))
            return report(error)
        except ValueError as error:
            progress.fail(str(error))
            return _fail(str(error), 1)
        except KeyboardInterrupt:
            progress.close()
            print("ftrack-like: Interrupted; nothing was published.", file=sys.stderr)
            raise
        return 0
    return INTERRUPTED  # by SIGTERM


def _publish_file(arguments: argparse.Namespace, progress: _Progress) -> None:
    """Encode and publish, and show the result."""
    from ftrack_like.media import publish_reviewable  # lazy: "--help" answers at once

    with open_session(arguments, plugins=True) as session:
        version = _existing_version(session, arguments.version_id)
        publication = publish_reviewable(
            version,
            arguments.file,
            encode="local",
            profile=arguments.format,
            keep_original=arguments.keep_original,
            force=arguments.force,
            presets=arguments.presets,
            first_frame=arguments.first_frame,
            timeout=arguments.timeout,
            progress=progress.show,
        )
        progress.finish(_result(publication, version["id"]))


def _existing_version(session: Session, id_: str) -> Any:  # noqa: ANN401 - an entity of a studio's class
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like.cli._finding import whole_ids  # lazy: likewise

    version = session.get("AssetVersion", whole_ids(session, ("AssetVersion",), [id_])[0])
    if version is None:
        raise exception.NotFoundError(
            f"There is no AssetVersion with the id {id_!r}, or this user does not see it."
        )
    return version


def _result(publication: Publication, version_id: str) -> dict[str, Any]:
    """Return what the command says about *publication*."""
    component = publication.component
    metadata = component["metadata"]
    meta = json.loads(metadata.get("ftr_meta", "{}"))
    told = {key: metadata.get(key) for key in ("missing_frames", "unreadable_frames")}
    return {
        "version_id": version_id,
        "component_id": component["id"],
        "name": component["name"],
        "is_new": publication.is_new,
        **{name: meta[name] for name in sorted(meta)},
        **{key: value for key, value in told.items() if value},
    }


class _Progress:
    """Shows nothing."""

    def show(self, done: int, total: int) -> None:
        """Show that *done* of *total* is done."""

    def finish(self, result: dict[str, Any]) -> None:
        """Show the *result*."""

    def fail(self, reason: str) -> None:
        """Show the *reason* why there is no result."""

    def close(self) -> None:
        """End the line that is shown."""


class _Bar(_Progress):
    """A bar on *stream* if that is a terminal; the result is a line on standard output."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: Optional[TextIO] = stream if stream.isatty() else None
        self._is_open = False

    def show(self, done: int, total: int) -> None:
        """Draw the bar."""
        if self._stream is None:
            return
        width = max(min(_BAR, shutil.get_terminal_size().columns - 10), 1)
        full = width * done // max(total, 1)
        text = f"\r[{'#' * full}{'.' * (width - full)}] {100 * done // max(total, 1):3d} %"
        try:
            print(text, end="", file=self._stream, flush=True)
            self._is_open = True
        except OSError:
            self._stream = None  # the terminal has gone, but the work goes on

    def finish(self, result: dict[str, Any]) -> None:
        """Print one line with the result."""
        self.close()
        verb = "Published" if result["is_new"] else "Already published:"
        size = f"{result.get('width')} x {result.get('height')} pixels"
        frames = ""
        if "frameIn" in result:
            frames = f", frames {result['frameIn']}-{result['frameOut']}"
        print(f"{verb} {result['name']} ({size}{frames}) as {result['component_id']}")
        if "missing_frames" in result:
            print(f"Missing frames, which show the frame before: {result['missing_frames']}")
        if "unreadable_frames" in result:
            print(f"The recording lacks frames that cannot be read: {result['unreadable_frames']}")

    def fail(self, reason: str) -> None:
        """End the line of the bar."""
        self.close()

    def close(self) -> None:
        """End the line of the bar."""
        if self._is_open and self._stream is not None:
            print(file=self._stream, flush=True)
        self._is_open = False


class _Reporter(_Progress):
    """Lines of JSON on *stream*: ``progress`` with per cent, then ``done`` or ``failed``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = float("-inf")

    def show(self, done: int, total: int) -> None:
        """Print the progress, but not too often."""
        now = time.monotonic()
        if now - self._told >= _PAUSE or done == total:
            self._told = now
            self._print({"event": "progress", "percent": 100 * done // max(total, 1)})

    def finish(self, result: dict[str, Any]) -> None:
        """Print the result."""
        self._print({"event": "done", **result})

    def fail(self, reason: str) -> None:
        """Print the reason."""
        self._print({"event": "failed", "reason": reason})

    def _print(self, news: dict[str, Any]) -> None:
        try:
            print(json.dumps(news), file=self._stream, flush=True)
        except OSError:
            silence(self._stream)  # its reader has gone, but the work goes on


def _fail(reason: str, status: int) -> int:
    print(f"ftrack-like: {reason}", file=sys.stderr)
    return status


def _frame_number(text: str) -> int:
    """Return the whole number in *text*, which must be from 0 to 999999999."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 999999999")
    return int(text)
