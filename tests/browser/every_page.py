"""A site whose names are given, and the addresses of all its pages."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta, timezone

import requests

from ftrack_like.sandbox.links import SHARED_PATH


class EveryPage:
    """A site in which each name is *text* or begins with it; *count* objects are in the review.

    :attr:`guest` contains the addresses of pages that need no log-in, by name; :attr:`user` those
    of the pages for the administrator; :attr:`widgets` those of the widgets.
    """

    def __init__(self, sandbox, session, api, text, count=3):
        self.sandbox, self.session, self.api, self.text = sandbox, session, api, text
        self.project = self._project()
        self.versions = [self._version(self.shot, number) for number in range(count)]
        self.review, self.link = self._review("open")
        shown = {"project": self.project["id"], "shot": self.shot["id"]}
        shown["version"] = self.versions[0]["id"]
        shown["asset"] = self.versions[0]["asset_id"]
        review = self.review["id"]
        self.guest = {
            "start": "/",
            "log-in": "/log-in",
            "unknown": f"/{text[:150]}",
            "review": self.below(""),
            "play": self.below("/play"),
            "summary": self.below("/summary"),
            "unknown below the review": self.below("/nothing"),
            "closed": self._review("closed", availability="closed")[1],
            "passphrase": self._review("secret", passphrase="x", passphrase_enabled=True)[1],
            "empty": self._review("empty", objects=False)[1],
            "shared": self._shared(),
        }
        self.user = {
            "projects": "/browse",
            "project": f"/browse/context/{shown['project']}",
            "shot": f"/browse/context/{shown['shot']}",
            "asset": f"/browse/asset/{shown['asset']}",
            "version": f"/browse/version/{shown['version']}",
            "reviews": "/browse/reviews",
            "host": f"/browse/review/{review}",
            "host summary": f"/browse/review/{review}/summary",
            "jobs": "/browse/jobs",
            "outbox": "/outbox",
            "webhooks": "/webhooks",
            "encoding": "/encoding",
            "gone": "/browse/version/nothing",
            "unknown for a user": f"/browse/{text[:150]}",
        }
        self.widgets = {
            name: session.get_widget_url(name, entity=entity)
            for name, entity in (
                ("info", self.shot),
                ("tasks", self.project),
                ("tasks_browser", None),
                ("review_navigation", self.review),
            )
        }

    def below(self, path):
        """Return the address of a page below the review."""
        return self.link.replace("/review?", f"/review{path}?")

    def _project(self):
        session, text = self.session, self.text
        schema = session.query("ProjectSchema where name is VFX").one()
        project = session.create(
            "Project",
            {"name": text[:190] + "p", "full_name": text, "project_schema": schema},
        )
        self.shot = session.create(
            "Shot", {"name": text, "parent": project, "description": f"{text} {text}"}
        )
        user = session.query("User where username is admin").one()
        for number in range(2):
            task = session.create("Task", {"name": f"{text[:190]}{number}", "parent": self.shot})
            session.create("Appointment", {"context": task, "resource": user, "type": "assignment"})
        session.create(
            "Job",
            {"user": user, "type": "api_job", "status": "done", "data": self._described(text)},
        )
        session.commit()
        return project

    @staticmethod
    def _described(text):
        return f'{{"description": "{text}"}}'

    def _version(self, parent, number):
        session = self.session
        asset = session.create("Asset", {"name": f"{self.text[:190]}{number}", "parent": parent})
        version = session.create("AssetVersion", {"asset": asset, "comment": self.text})
        session.create("FileComponent", {"name": self.text, "version": version, "file_type": ".x"})
        note = {"content": f"{self.text}\n{self.text}", "author": self._user()}
        session.create("Note", {**note, "parent_id": version["id"], "parent_type": "asset_version"})
        session.commit()
        return version

    def _user(self):
        return self.session.query("User where username is admin").one()

    def _review(self, name, objects=True, **settings):
        session, text = self.session, self.text
        now = datetime.now(timezone.utc)
        review = session.create(
            "ReviewSession",
            {
                "name": text[:190] + name,
                "description": f"{text}\n{text}",
                "start_date": now - timedelta(days=1),
                "end_date": now + timedelta(days=1),
                "project": self.project,
                "shareable_url_enabled": True,
                **settings,
            },
        )
        invitee = session.create(
            "ReviewSessionInvitee",
            {"name": text, "email": f"{name}@example.com", "review_session": review},
        )
        session.create(
            "ReviewSessionInvitee",
            {"name": text, "email": f"{text[:60]}@{text[:60]}.com", "review_session": review},
        )
        for sort, version in enumerate(self.versions if objects else ()):
            added = session.create(
                "ReviewSessionObject",
                {
                    "name": f"{text[:190]}{sort:04d}",
                    "version": text,
                    "description": text,
                    "asset_version": version,
                    "review_session": review,
                    "sort_order": sort,
                },
            )
            if sort < 2:
                self._say(added, invitee)
        session.commit()
        session.send_review_session_invite(invitee)
        outbox = self.api.http.get(f"{self.api.url}/outbox", timeout=30).json()
        return review, outbox[-1]["links"][0]

    def _say(self, added, invitee):
        session = self.session
        session.create(
            "ReviewSessionObjectStatus",
            {"review_session_object": added, "invitee": invitee, "status": "require_changes"},
        )
        note = session.create(
            "Note",
            {
                "content": f"{self.text}\n{self.text}",
                "author": self._user(),
                "parent_id": added["id"],
                "parent_type": "review_session_object",
                "frame_number": 12,
            },
        )
        session.commit()
        session.create(
            "Note", {"content": self.text, "author": self._user(), "in_reply_to_id": note["id"]}
        )

    def _shared(self):
        sandbox = self.sandbox
        with requests.Session() as http:
            form = {"username": sandbox.api_user, "key": sandbox.api_key, "next": "/browse"}
            http.post(f"{self.api.url}/log-in", data=form, timeout=30)
            page = http.get(f"{self.api.url}/browse/review/{self.review['id']}", timeout=30).text
        found = re.search(rf'href="([^"]*{SHARED_PATH}[^"]*)"', page)
        return html.unescape(found[1])
