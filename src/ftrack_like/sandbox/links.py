"""Addresses of pages that open without a log-in, because they are signed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Optional

from ftrack_like.sandbox.media.signing import Signer

__all__ = [
    "REVIEW_PATH",
    "REVIEW_SECONDS",
    "SHARED_PATH",
    "WIDGET_PATH",
    "WIDGET_SECONDS",
    "check_link",
    "person_mark",
    "review_link",
    "shared_link",
    "widget_link",
]

REVIEW_PATH = "/review"
SHARED_PATH = "/review/shared"
WIDGET_PATH = "/widget"

#: How long the link in an invitation opens the review, in seconds. The dates of the review and
#: its passphrase are looked at beside that, and a removed invitee's link opens nothing.
REVIEW_SECONDS = 365 * 24 * 3600

#: How long the address of a widget is good for, in seconds.
WIDGET_SECONDS = 6 * 60

_PROOF = ("expires", "signature")


def review_link(signer: Signer, invitee_id: str, email: Optional[str] = None) -> str:
    """Return the path and parameters of the review page of an invitee.

    It is good for the person with that *email* alone: when the invitee gets another address, or
    another invitee gets the id, whoever had the link does not become another person.
    """
    person = None if email is None else person_mark(email)
    return signer.sign(REVIEW_PATH, {"invitee": invitee_id, "person": person}, REVIEW_SECONDS)


def person_mark(email: Optional[str]) -> str:
    """Return what the link for the person with *email* contains of the address."""
    return hashlib.sha256((email or "").lower().encode("utf-8")).hexdigest()[:16]


def shared_link(signer: Signer, session_id: str) -> str:
    """Return the path and parameters of the page where anybody joins a shared review session."""
    return signer.sign(SHARED_PATH, {"session": session_id}, REVIEW_SECONDS)


def widget_link(
    signer: Signer,
    name: str,
    user_id: str,
    *,
    theme: Optional[str] = None,
    entity: Optional[tuple[str, str]] = None,
    seconds: float = WIDGET_SECONDS,
) -> str:
    """Return the path and parameters of the widget *name*, as the user *user_id* sees it.

    *theme* is ``light``, ``dark`` or None for what the viewer prefers; *entity* is a type and
    the JSON text of a key.
    """
    entity_type, entity_key = entity or (None, None)
    shown = {"name": name, "user": user_id, "theme": theme, "type": entity_type, "key": entity_key}
    return signer.sign(WIDGET_PATH, shown, seconds)


def check_link(
    signer: Signer, path: str, parameters: Mapping[str, str], names: Iterable[str]
) -> dict[str, str]:
    """Return those of *names* that the signed address *path* has.

    Other *parameters* (what a page adds for itself) are left alone. Raise
    :exc:`~ftrack_like.sandbox.media.signing.SignatureError` when the address is not signed by us
    or has expired.
    """
    wanted = (*names, *_PROOF)
    return signer.check(path, {name: parameters[name] for name in wanted if name in parameters})
