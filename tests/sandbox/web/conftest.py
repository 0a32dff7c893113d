"""A review session with an invitee, and what a browser would do with the link in the mail."""

from __future__ import annotations

import html
import os
import re
import uuid
from datetime import datetime, timedelta, timezone

import pytest
import requests

POSTGRESQL = os.environ.get("FTRACK_LIKE_TEST_POSTGRES_URL")
SERVER_LOCATION = "3a372bde-05bc-11e4-8908-20c9d081909b"


@pytest.fixture(
    scope="session",
    params=[None, POSTGRESQL] if POSTGRESQL else [None],
    ids=lambda url: "postgresql" if url else "sqlite",
)
def running_sandbox(request, sandbox_on):
    """Return a sandbox on SQLite and, where there is a server, one on PostgreSQL."""
    with sandbox_on(request.param) as running:
        yield running


def moment(days):
    """Return the moment *days* from now as it travels."""
    value = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0) + timedelta(days=days)
    return {"__type__": "datetime", "value": value.isoformat()}


class Page:
    """An answer as a person sees it."""

    def __init__(self, response):
        self.response = response
        self.status = response.status_code
        self.source = response.text
        self.text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.text)).split())

    def field(self, name):
        """Return the value of the first hidden field *name*."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.source)
        assert found, f"no field {name!r}"
        return html.unescape(found.group(1))

    def addresses(self, start):
        """Return the addresses in the page that begin with *start*."""
        found = re.findall(r'(?:href|src|action)="([^"]*)"', self.source)
        return [one for one in map(html.unescape, found) if one.startswith(start)]


class Browser:
    """Keeps cookies, and asks as a browser does."""

    def __init__(self, server_url):
        self.url = server_url
        self.http = requests.Session()
        self.http.headers["Accept"] = "text/html"

    def get(self, address, **headers):
        return Page(self.http.get(self._full(address), headers=headers, timeout=30))

    def post(self, address, headers=None, **form):
        return Page(self.http.post(self._full(address), data=form, headers=headers, timeout=30))

    def _full(self, address):
        return address if address.startswith("http") else self.url + address


@pytest.fixture
def browser(sandbox):
    """Return a browser that has been nowhere yet."""
    opened = Browser(sandbox.server_url)
    yield opened
    opened.http.close()


@pytest.fixture
def visitor(sandbox, browser):
    """Return a browser in which the administrator is logged in."""
    page = browser.post("/log-in", username=sandbox.api_user, key=sandbox.api_key, next="/browse")
    assert page.status == 200
    return browser


class Review:
    """A review session of two versions, and one invitee."""

    moment = staticmethod(moment)

    def __init__(self, api, browser):
        self.api = api
        self.browser = browser
        schema = api.query("select id from ProjectSchema where name is VFX")[0]["id"]
        self.project = api.create(
            "Project", name="show", full_name="The Show", project_schema_id=schema
        )
        self.versions = [self.version(f"plate {number}") for number in (1, 2)]
        self.session = api.create(
            "ReviewSession",
            name="Dailies",
            description="Please look at the timing.",
            start_date=moment(-1),
            end_date=moment(1),
            project_id=self.project,
        )
        self.objects = [self.add(version, sort) for sort, version in enumerate(self.versions)]
        self.invitee, self.link = self.invite("Mira Sol", "mira@example.com")

    def version(self, name):
        asset = self.api.create("Asset", name=name, context_id=self.project)
        return self.api.create("AssetVersion", asset_id=asset)

    def add(self, version, sort, session=None):
        return self.api.create(
            "ReviewSessionObject",
            name=f"Shot {sort + 1}",
            version=f"Version {sort + 1}",
            version_id=version,
            review_session_id=session or self.session,
            sort_order=sort,
        )

    def invite(self, name, email):
        """Return the id of a new invitee and the link in the mail to them."""
        invitee = self.api.create(
            "ReviewSessionInvitee", name=name, email=email, review_session_id=self.session
        )
        self.api.call(
            {"action": "send_review_session_invite", "review_session_invitee_id": invitee}
        )
        return invitee, self.outbox()[-1]["links"][0]

    def outbox(self):
        return self.api.http.get(f"{self.api.url}/outbox", timeout=30).json()

    def show(self, object_=None):
        return self.browser.get(self.link + (f"&object={object_}" if object_ else ""))

    def post(self, path, **form):
        form.setdefault("object", self.objects[0])
        return self.browser.post(self.link.replace("/review?", f"/review{path}?"), **form)

    def change(self, **values):
        self.api.update("ReviewSession", self.session, **values)

    def upload(self, version, name, file_type, data, metadata=None):
        """Return the id of a component with *data* on the server."""
        component = self.api.create(
            "FileComponent", name=name, file_type=file_type, version_id=version, size=len(data)
        )
        self.api.create(
            "ComponentLocation",
            component_id=component,
            location_id=SERVER_LOCATION,
            resource_identifier=component,
        )
        if metadata:
            values = {"parent_id": component, "parent_type": "FileComponent"}
            self.api.create(
                "Metadata", [component, "ftr_meta"], key="ftr_meta", value=metadata, **values
            )
        where = self.api.call(
            {
                "action": "get_upload_metadata",
                "component_id": component,
                "file_name": name,
                "file_size": len(data),
            }
        )[0]
        requests.put(
            where["url"], data=data, headers=where["headers"], timeout=30
        ).raise_for_status()
        return component


@pytest.fixture
def review(api, browser):
    """Return a review session that is open, with its invitee's link."""
    return Review(api, browser)


@pytest.fixture
def unknown_id():
    """Return an id that nothing has."""
    return str(uuid.uuid4())


@pytest.fixture
def notes(api):
    """Return a function that answers all notes."""
    return lambda: api.query(
        "select content, frame_number, user_id, parent_id, parent_type, in_reply_to_id,"
        " metadata.key, metadata.value, author.first_name from Note order by date, content"
    )
