"""`ftrack-like encode`: encode media on this machine and publish them for a version."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional, TextIO

from ftrack_like.cli._arguments import seconds_above_zero
from ftrack_like.cli._connection import add_connection_arguments, open_session
from ftrack_like.cli._errors import CommandError, UsageMistake, message_of, report
from ftrack_like.cli._interrupt import INTERRUPTED, interruptible
from ftrack_like.cli._streams import silence
from ftrack_like.cli._text import amount
from ftrack_like.cli._version_paths import VERSION_FORM

if TYPE_CHECKING:
    from ftrack_like.media import Publication
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "encode media on this machine and publish them for a version"

_EPILOG = """\
FILE is a movie, an image, or a sequence of images:

  plate.%04d.exr [1001-1100]   these frames
  plate.%04d.exr               all frames; also plate.####.exr and plate.*.exr
  renders/v003                 the only sequence in the folder

A repeated call finds the result and does nothing. Calls on several machines at
once make one result. The exit status is 0 when the result is published, 1 if
something failed, 2 for a wrong command or a file that does not exist, and 130
after Ctrl-C or SIGTERM. The command creates no Job.
"""

#: The beginning of a query. Paths of versions have no such word.
_QUERY = re.compile(r"\s*(select\s|\w+\s+where\s)", re.IGNORECASE)
#: How many files an error lists.
_LISTED = 5
#: The width of the bar in characters, and the seconds between two lines of JSON at least.
_BAR, _PAUSE = 30, 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="the media, the pattern of a sequence, or all frames of one sequence",
    )
    # "version" is the option of the whole command that shows its version.
    parser.add_argument(
        "--version",
        dest="version_id",
        metavar="VERSION",
        required=True,
        help=f"the asset version: its id, its path such as {VERSION_FORM}, or a query that finds "
        "only this one",
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
    from ftrack_like._base.suggest import did_you_mean  # lazy: likewise
    from ftrack_like.media import PROFILES  # lazy: likewise

    if arguments.format not in PROFILES:
        formats = sorted(PROFILES)
        listed = f"The formats are: {', '.join(formats)}."
        hint = did_you_mean(arguments.format, formats, listed)
        return _fail(f"There is no format {arguments.format!r}. {hint}", 2)
    progress = _Reporter(sys.stdout) if arguments.json else _Bar(sys.stderr)
    with interruptible():
        try:
            _publish_file(arguments, progress)
        except FileNotFoundError as error:
            progress.close()
            return _fail(f"There is no file {os.fspath(error.filename)!r}.", 2)
        except (CommandError, exception.Error, OSError) as error:
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

    path = _only_media(arguments.files)
    with open_session(arguments, plugins=True) as session:
        version = _existing_version(session, arguments.version_id)
        publication = publish_reviewable(
            version,
            path,
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


def _only_media(files: Sequence[str]) -> str:
    """Return the path, or the expression of the sequence, of the only media in *files*.

    The shell replaces a pattern such as ``plate.*.exr`` by the names of all frames.
    """
    if len(files) == 1:
        return files[0]
    from ftrack_like.cli._sources import sources_of  # lazy: for several files only

    sources = sources_of(files)
    if len(sources) > 1:
        names = ", ".join(each.path for each in sources[:_LISTED])
        more = f" and {len(sources) - _LISTED} more" if len(sources) > _LISTED else ""
        raise UsageMistake(
            f"FILE is one movie, one image or one sequence, but these are {len(sources)}: "
            f"{names}{more}. Run encode for each."
        )
    return sources[0].path


def _existing_version(session: Session, text: str) -> Any:  # noqa: ANN401 - an entity of a studio's class
    """Return the only asset version that *text* names, an id, a path or a query."""
    from ftrack_like.cli._expressions import quoting, with_type  # lazy: "--help" answers at once
    from ftrack_like.cli._finding import find_entity  # lazy: likewise

    if not _QUERY.match(text):
        return find_entity(session, "AssetVersion", text)
    with quoting(text, session):
        entity_type, query = with_type(session, text)
        if entity_type != "AssetVersion":
            raise UsageMistake(f"--version must find an asset version, not {entity_type}.")
        found = session.query(query).all()
    if len(found) != 1:
        raise CommandError(f"{text!r} finds {amount(len(found), 'version')}, not one.")
    return found[0]


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
