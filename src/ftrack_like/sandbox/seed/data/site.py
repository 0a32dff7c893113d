"""Data of the site: roles, types of users and managers, locations, note labels, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from ftrack_like.sandbox.schema.notes import REVIEW_LABEL_ID
from ftrack_like.sandbox.schema.people import USER_TYPE_ID

__all__ = [
    "ADMINISTRATOR_ROLE",
    "API_ROLE",
    "DISKS",
    "LIST_CATEGORIES",
    "LOCATIONS",
    "MANAGER_TYPES",
    "NOTE_LABELS",
    "SCOPES",
    "SECURITY_ROLES",
    "SETTINGS",
    "USER_TYPES",
    "Disk",
    "Named",
    "NoteLabel",
    "SiteLocation",
    "SiteSetting",
]


class SiteLocation(NamedTuple):
    """A location that exists on every site."""

    name: str
    id: str
    label: str
    description: str


class Named(NamedTuple):
    """A row that has only a name. Without an *id* it follows from the name."""

    name: str
    id: str = ""


class NoteLabel(NamedTuple):
    """A note label. Older clients call it a note category."""

    name: str
    color: str
    id: str = ""


class Disk(NamedTuple):
    """A disk for projects, with its paths on Unix and on Windows."""

    name: str
    unix: str
    windows: str


class SiteSetting(NamedTuple):
    """A setting of the site. *value* is a text."""

    group: str
    name: str
    value: str


LOCATIONS = (
    SiteLocation(
        "ftrack.origin",
        "ce9b348f-8809-11e3-821c-20c9d081909b",
        "Origin",
        "Where data was when it was first registered.",
    ),
    SiteLocation(
        "ftrack.unmanaged",
        "cb268ecc-8809-11e3-a7e2-20c9d081909b",
        "Unmanaged",
        "Data that only its owner moves.",
    ),
    SiteLocation(
        "ftrack.review",
        "cd41be70-8809-11e3-b98a-20c9d081909b",
        "Review",
        "Media for reviews.",
    ),
    SiteLocation(
        "ftrack.connect",
        "07b82a97-8cf9-11e3-9383-20c9d081909b",
        "Connect",
        "Data that the desktop application publishes.",
    ),
    SiteLocation(
        "ftrack.server",
        "3a372bde-05bc-11e4-8908-20c9d081909b",
        "Server",
        "Data that the server stores itself.",
    ),
)

ADMINISTRATOR_ROLE = "Administrator"
API_ROLE = "API"

#: The type of each role by name. A role of the type ``user`` is for users, ``api`` for API keys.
SECURITY_ROLES: Mapping[str, str] = {
    ADMINISTRATOR_ROLE: "user",
    "Project manager": "user",
    "User": "user",
    "Restricted user": "user",
    API_ROLE: "api",
}

#: Besides the first one, which every new user gets, these are own additions.
USER_TYPES = (Named("User", USER_TYPE_ID), Named("Restricted"), Named("API"))

#: Own additions: no manager types of a stock site are known.
MANAGER_TYPES = (Named("Producer"), Named("Coordinator"), Named("Supervisor"), Named("Lead"))

#: The ids of two categories are known, not their names. The others are own additions.
LIST_CATEGORIES = (
    Named("Dailies", "77b9ab82-07c2-11e4-ba66-04011030cf01"),
    Named("Deliveries", "712f0fee-ead3-11e2-846c-f23c91dfaa16"),
    Named("Default"),
    Named("Client reviews"),
)

#: The id of the label of notes from review sessions, and two names are known. The others are own
#: additions.
NOTE_LABELS = (
    NoteLabel("Internal", "#3498DB"),
    NoteLabel("Client feedback", "#E67E22", REVIEW_LABEL_ID),
    NoteLabel("Production", "#9B59B6"),
    NoteLabel("Technical", "#16A085"),
    NoteLabel("Reminder", "#F1C40F"),
)

#: Own additions.
SCOPES = (Named("In-house"), Named("Outsourced"))
DISKS = (Disk("Projects", "/mnt/projects", "P:\\projects"),)

#: The storage scenario is JSON. Clients write it, and ``query_server_information`` returns it.
SETTINGS = (
    SiteSetting(
        "STORAGE", "storage_scenario", json.dumps({"scenario": "ftrack.automatic", "data": {}})
    ),
)
