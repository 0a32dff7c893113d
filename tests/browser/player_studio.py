"""A shot with versions of one asset in a review, for the tests of the player."""

from __future__ import annotations

import itertools
import json
import time
from datetime import datetime, timedelta, timezone

from .coded_movies import READ_CODE
from .conftest import PATIENCE

READ_FIRST = f"({READ_CODE})('.cell:not(.other) video')"
READ_OTHER = f"({READ_CODE})('.cell.other video')"


class Studio:
    """Versions of one asset of the shot *010_0010*, and a review with an invitee."""

    def __init__(self, session, api, **attributes):
        self.session, self.api = session, api
        self._places = itertools.count(1)
        schema = session.query("ProjectSchema where name is VFX").one()
        self.project = session.create(
            "Project", {"name": "heron", "full_name": "The Heron", "project_schema": schema}
        )
        sequence = session.create("Sequence", {"name": "010", "parent": self.project})
        self.shot = session.create("Shot", {"name": "010_0010", "parent": sequence})
        for key, value in attributes.items():
            self.shot["custom_attributes"][key] = value
        self.asset = session.create("Asset", {"name": "comp", "parent": self.shot})
        now = datetime.now(timezone.utc)
        self.review = session.create(
            "ReviewSession",
            {
                "name": "Dailies",
                "start_date": now - timedelta(days=1),
                "end_date": now + timedelta(days=1),
                "project": self.project,
            },
        )
        self.invitee = session.create(
            "ReviewSessionInvitee",
            {"name": "Mira Sol", "email": "mira@example.com", "review_session": self.review},
        )
        session.commit()
        session.send_review_session_invite(self.invitee)
        outbox = api.http.get(f"{api.url}/outbox", timeout=30).json()
        self.link = outbox[-1]["links"][0]

    def version(self, asset=None, in_review=True):
        """Return a new version of the asset, by default with an object in the review."""
        version = self.session.create("AssetVersion", {"asset": asset or self.asset})
        self.session.commit()
        if in_review:
            self.add(version)
        return version

    def add(self, version):
        """Return a new object of the review with *version*."""
        object_ = self.session.create(
            "ReviewSessionObject",
            {
                "name": version["asset"]["parent"]["name"],
                "version": f"Version {version['version']}",
                "asset_version": version,
                "review_session": self.review,
                "sort_order": next(self._places),
            },
        )
        self.session.commit()
        return object_

    def publish(self, version, path, name="ftrackreview-mp4", **meta):
        """Store the file at *path* as the movie *name* of *version*; *meta* is its ``ftr_meta``."""
        server = self.session.query('Location where name is "ftrack.server"').one()
        component = version.create_component(str(path), data={"name": name}, location=server)
        described = {"frameIn": 0, "width": 320, "height": 180, **meta}
        component["metadata"]["ftr_meta"] = json.dumps(described)
        self.session.commit()
        return component

    def encode(self, version, path):
        """Encode the file at *path* for *version*, and wait until its job is done."""
        job = version.encode_media(str(path))
        return self.wait(job["id"])

    def wait(self, job_id):
        """Return the status of a job when it has ended."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            job = self.api.one(f"select status, data from Job where id is {job_id}")
            if job["status"] in {"done", "failed"}:
                return job["status"]
            time.sleep(0.05)
        raise AssertionError("The job did not end in time.")

    def address(self, object_=None):
        """Return the address of the review page, at *object_*."""
        return self.link + (f"&object={object_['id']}" if object_ else "")

    def note(self, object_, frame, content, author=None):
        """Create a note on *object_* at *frame*."""
        note = self.session.create(
            "Note", {"content": content, "author": author or self._admin(), "frame_number": frame}
        )
        object_["notes"].append(note)
        self.session.commit()
        return note

    def _admin(self):
        return self.session.query("User where username is admin").one()


def readout(window, name="readout"):
    """Return the first number of a readout of the player."""
    return int(window.page.inner_text(f"[data-{name}]").split(" ")[0])


def settled(window):
    """Wait until the browser has finished its seeks."""
    window.until(
        "[...document.querySelectorAll('video')].every("
        "(one) => !one.seeking && one.dataset.seeking === undefined)"
    )
    return window


def becomes(window, read, wanted):
    """Return what *read* returns, once it is *wanted*, or the latest when the patience is over.

    A browser presents a frame some time after its seek.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        seen = read()
        if seen == wanted or time.monotonic() > deadline:
            return seen
        window.page.wait_for_timeout(20)


def arrived(window, wanted):
    """Return the frame of the readout and that of the picture, once both are *wanted*."""
    return becomes(window, lambda: (readout(window), shown(window)), (wanted, wanted))


def both_shown(window, wanted):
    """Return the frames of both movies side by side, once they are the pair *wanted*."""
    return becomes(window, lambda: (shown(window), shown(window, READ_OTHER)), wanted)


def shown(window, script=READ_FIRST):
    """Return the number that the presented frame carries."""
    settled(window)
    return window.page.evaluate(script)
