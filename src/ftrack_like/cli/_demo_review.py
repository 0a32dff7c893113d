"""The review of the demo: clips for two versions of a shot, and an invited guest.

The clips are made and encoded on a thread, while the server already answers.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Optional, cast

if TYPE_CHECKING:
    import pathlib

    from ftrack_like.entity.asset_version import AssetVersion
    from ftrack_like.entity.job import Job
    from ftrack_like.sandbox.server import SandboxServer
    from ftrack_like.session import Session

__all__ = ["GUEST", "DemoReview", "ReviewPages"]

#: The name and the mail address of the invitee.
GUEST = ("Ines Ferreira", "ines@producer.example")

#: The versions to show, the oldest first. The last two have the same length as the shot.
_VERSIONS = (
    "select version, asset.name, asset.parent.name, asset.parent.project_id from AssetVersion"
    ' where asset.name is animation and asset.parent.name is "010_0020"'
    " order by version descending limit 2"
)

#: A test picture with a running number, for the 48 frames of the shot.
_PICTURE = "testsrc2=size=640x360:rate=24:duration=2"

#: How the clips of the versions differ: the first has no colours.
_LOOKS = ("hue=s=0", "null")

#: Seconds that a clip may take, and that an answer may take.
_LONGEST_CLIP, _LONGEST_ANSWER = 60.0, 30.0

#: Seconds between two checks for the end of the command.
_TICK = 0.2

#: Packages of the extra ``media`` that the server needs to encode, by the name of their module.
_PACKAGES = {"av": "av", "PIL": "pillow"}


class ReviewPages(NamedTuple):
    """The addresses of a review session: for its *guest*, and for a *user* who is logged in."""

    guest: str
    user: str


class DemoReview:
    """Makes the review of the demo site on *server*, on a thread.

    *tell* is called once on that thread: with the pages when they answer, or with a sentence that
    says why there are none. It is not called after :meth:`stop` begins.
    """

    def __init__(self, server: SandboxServer, tell: Callable[[ReviewPages | str], None]) -> None:
        """Nothing happens before :meth:`start`."""
        self._server = server
        self._tell = tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="demo-review", daemon=True)

    def start(self) -> None:
        """Start the thread and return."""
        self._thread.start()

    def stop(self) -> None:
        """End a running program, remove its files, and wait for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_LONGEST_ANSWER)

    # -- in the thread -----------------------------------------------------------------------

    def _work(self) -> None:
        from ftrack_like import exception  # lazy: the server answers first

        try:
            result: ReviewPages | str = _lacking() or self._make()
        except _StoppedError:
            return
        except (exception.Error, OSError) as error:
            result = f"There is no review to open: {error}"
        if not self._stop.is_set():
            self._tell(result)

    def _make(self) -> ReviewPages:
        """Return the pages of a new review session with encoded media."""
        from ftrack_like._media.scratch import encoding_folder  # lazy: the server answers first
        from ftrack_like.session import Session  # lazy: likewise

        server = self._server
        connection = Session(
            server_url=server.server_url,
            api_user=server.api_user,
            api_key=server.api_key,
            plugin_paths=[],  # the plugins of the studio are for other servers
            schema_cache_path=False,
        )
        with connection as session, encoding_folder() as folder:
            newest = cast("list[AssetVersion]", session.query(_VERSIONS).all())
            versions = newest[::-1]
            jobs = []
            for version, look in zip(versions, _LOOKS):
                clip = folder / f"animation_v{version['version']:03}.mov"
                self._make_clip(clip, look)
                jobs.append(version.encode_media(str(clip)))
            for job in jobs:
                self._wait_for(session, job)
            return self._invite(session, versions)

    def _make_clip(self, path: pathlib.Path, look: str) -> None:
        """Write a clip to *path*; *look* is a filter of ffmpeg."""
        from ftrack_like._base.errors import MediaError  # lazy: the server answers first
        from ftrack_like._base.ffmpeg import find_ffmpeg  # lazy: likewise
        from ftrack_like._media.children import Bounds, run_child  # lazy: likewise

        self._require_running()
        command = [find_ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
        command += ["-f", "lavfi", "-i", f"{_PICTURE},{look}"]
        command += ["-c:v", "mjpeg", "-q:v", "3", str(path)]
        code, said = run_child(command, Bounds(_LONGEST_CLIP), stop=self._stop)
        if code != 0:
            raise MediaError(f"ffmpeg cannot make a test picture: {said.strip() or code}")

    def _wait_for(self, session: Session, job: Job) -> None:
        """Return when *job* is done; raise :exc:`JobFailedError` if it failed."""
        from ftrack_like.exception import JobTimeoutError  # lazy: the server answers first

        while True:
            self._require_running()
            try:
                session.wait_for_job(job, timeout=_TICK)
                return
            except JobTimeoutError:
                continue

    def _invite(self, session: Session, versions: list[AssetVersion]) -> ReviewPages:
        """Create the review session of *versions*, invite the guest, and return the pages."""
        import datetime  # lazy: the server answers first

        self._require_running()
        now = datetime.datetime.now(datetime.timezone.utc)
        review = session.create(
            "ReviewSession",
            {
                "name": "First look",
                "description": "Compare the two versions, and leave a note.",
                "project_id": versions[0]["asset"]["parent"]["project_id"],
                "availability": "always",
                "start_date": now,
                "end_date": now + datetime.timedelta(days=365),
            },
        )
        for position, version in enumerate(versions):
            asset = version["asset"]
            session.create(
                "ReviewSessionObject",
                {
                    "review_session": review,
                    "asset_version": version,
                    "name": f"{asset['parent']['name']} {asset['name']}",
                    "version": f"Version {version['version']}",
                    "sort_order": position,
                },
            )
        name, email = GUEST
        values = {"review_session": review, "name": name, "email": email}
        invitee = session.create("ReviewSessionInvitee", values)
        session.commit()
        session.send_review_session_invite(invitee)
        pages = ReviewPages(
            self._link_in_mail(), f"{session.server_url}/browse/review/{review['id']}"
        )
        for address in pages:
            _fetch(address)
        return pages

    def _link_in_mail(self) -> str:
        """Return the link in the mail that the server sent to the guest."""
        import json  # lazy: the server answers first

        server = self._server
        headers = {"ftrack-user": server.api_user, "ftrack-api-key": server.api_key}
        messages = json.loads(_fetch(f"{server.server_url}/outbox", headers))
        return str(messages[-1]["links"][0])

    def _require_running(self) -> None:
        """Raise :exc:`_StoppedError` if the command ends."""
        if self._stop.is_set():
            raise _StoppedError


class _StoppedError(Exception):
    """The command ends before the review is complete."""


def _lacking() -> str:
    """Return a sentence that says what to install for media, or "" if everything is there."""
    from ftrack_like._base.errors import MediaError, missing_package  # lazy: server answers first
    from ftrack_like._base.ffmpeg import find_ffmpeg  # lazy: likewise

    for module, package in _PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            return missing_package("A review to look at", package, "media")
    try:
        find_ffmpeg()
    except MediaError as error:
        return f"There is no review to look at, because {error}"
    return ""


def _fetch(address: str, headers: Optional[dict[str, str]] = None) -> str:
    """Return the text at *address*; raise :exc:`OSError` if it does not answer."""
    import requests  # lazy: the server answers first

    answer = requests.get(address, headers=headers, timeout=_LONGEST_ANSWER)
    answer.raise_for_status()
    return answer.text
