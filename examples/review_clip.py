"""The second half of ``publish_shots.py``: a clip, from the artist's disk to the reviewer's link.

A two-second clip with sound is published as a version of a shot, encoded by the server, and
downloaded again to see that browsers can play it. A review session then shows it to an invitee, who
is sent a link.
"""

from __future__ import annotations

import datetime
import re
import subprocess
from pathlib import Path
from typing import Any

import requests

import ftrack_like

SECONDS = 2
INVITEE = {"name": "Ines Ferreira", "email": "ines@producer.example"}


def run_ffmpeg(program: str, *arguments: str) -> str:
    """Run ffmpeg and return what it says; raise :exc:`RuntimeError` if it fails."""
    command = [program, "-hide_banner", "-nostdin", "-y", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode:
        raise RuntimeError(f"ffmpeg failed: {result.stderr}")
    return result.stderr


def make_clip(program: str, path: Path) -> None:
    """Make a clip with picture and sound at *path*, as a renderer would leave it."""
    picture = f"testsrc2=size=640x360:rate=24:duration={SECONDS}"
    sound = f"sine=frequency=330:duration={SECONDS}"
    run_ffmpeg(
        program,
        *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound),
        *("-c:v", "mjpeg", "-q:v", "3", "-c:a", "pcm_s16le", str(path)),
    )


def create_version(session: ftrack_like.Session, shot: Any) -> Any:
    """Return the first version of the animation of *shot*."""
    task = next(task for task in shot["children"] if task["name"] == "animation")
    kind = session.query('AssetType where name is "Animation"').first()
    data = {"name": "animation", "parent": shot}
    asset = session.create("Asset", {**data, "type": kind} if kind else data)
    version = session.create(
        "AssetVersion", {"asset": asset, "task": task, "comment": "First pass, with sound."}
    )
    session.commit()
    return version


def encode(version: Any, clip: Path) -> Any:
    """Have the server encode *clip* for *version*; return the job when it is done.

    The hub of the session is connected, so that the server's event says when that is.
    """
    session = version.session
    session.event_hub.connect()
    return session.wait_for_job(version.encode_media(str(clip)), timeout=120)


def download(session: ftrack_like.Session, job: Any, folder: Path) -> Path:
    """Download the movie that *job* made to *folder*, and return its path."""
    component = session.query(
        "select name, file_type from FileComponent where name is ftrackreview-mp4 "
        f'and id in (select component_id from JobComponent where job_id is "{job["id"]}")'
    ).one()
    location = session.pick_location(component)
    path = folder / f"{component['name']}{component['file_type']}"
    with location.accessor.open(location.get_resource_identifier(component)) as source:
        path.write_bytes(source.read())
    return path


def check_playable(program: str, movie: Path) -> str:
    """Return what *movie* holds; raise :exc:`SystemExit` unless browsers can play and seek it."""
    said = run_ffmpeg(program, "-ss", "1", "-i", str(movie), "-frames:v", "1", "-f", "null", "-")
    found = re.search(r"Video: h264.*?, (\d+x\d+)", said)
    data = movie.read_bytes()
    if not found or "Audio: aac" not in said or not 0 < data.find(b"moov") < data.find(b"mdat"):
        raise SystemExit(f"{movie} cannot be played while it loads:\n{said}")
    return f"h264 {found[1]} with aac sound, plays while it loads, seekable"


def create_review(session: ftrack_like.Session, version: Any) -> Any:
    """Return an invitee to a new review session that shows *version*."""
    shot = version["asset"]["parent"]
    now = datetime.datetime.now(datetime.timezone.utc)
    review = session.create(
        "ReviewSession",
        {
            "name": "Harbour, first look",
            "project": shot["project"],
            "start_date": now,
            "end_date": now + datetime.timedelta(days=7),
        },
    )
    session.create(
        "ReviewSessionObject",
        {
            "review_session": review,
            "asset_version": version,
            "name": shot["name"],
            "version": f"Version {version['version']}",
        },
    )
    invitee = session.create("ReviewSessionInvitee", {**INVITEE, "review_session": review})
    session.commit()
    return invitee


def invite(session: ftrack_like.Session, invitee: Any) -> str:
    """Send *invitee* the link to the review, and return it as it stands in the sandbox's outbox."""
    session.send_review_session_invite(invitee)
    answer = requests.get(
        f"{session.server_url}/outbox",
        headers={"ftrack-user": session.api_user, "ftrack-api-key": session.api_key},
        timeout=30,
    )
    answer.raise_for_status()
    message = answer.json()[-1]
    return str(message["links"][0])
