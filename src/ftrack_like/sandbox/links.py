"""Signed addresses of pages that open without a log-in."""

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

#: Seconds for which the link in an invitation opens the review. The server also checks the dates
#: and the passphrase of the review, and that the invitee still exists.
REVIEW_SECONDS = 365 * 24 * 3600

#: Seconds for which the address of a widget works.
WIDGET_SECONDS = 6 * 60

_PROOF = ("expires", "signature")


def review_link(signer: Signer, invitee_id: str, email: Optional[str] = None) -> str:
    """Return the path and parameters of the review page of an invitee.

    The link only works for the person with that *email*. If the invitee gets another address, or
    another invitee gets the id, the owner of the old link cannot act as the new person.
    """
    person = None if email is None else person_mark(email)
    return signer.sign(REVIEW_PATH, {"invitee": invitee_id, "person": person}, REVIEW_SECONDS)


def person_mark(email: Optional[str]) -> str:
    """Return the part of a link that identifies the person with *email*."""
    return hashlib.sha256((email or "").lower().encode("utf-8")).hexdigest()[:16]


def shared_link(signer: Signer, session_id: str) -> str:
    """Return the path and parameters of the page where any visitor joins a review session."""
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

    *theme* is ``light``, ``dark``, or None for the viewer's preference. *entity* is a type and the
    JSON text of a key. The link works for *seconds*.
    """
    entity_type, entity_key = entity or (None, None)
    shown = {"name": name, "user": user_id, "theme": theme, "type": entity_type, "key": entity_key}
    return signer.sign(WIDGET_PATH, shown, seconds)


def check_link(
    signer: Signer, path: str, parameters: Mapping[str, str], names: Iterable[str]
) -> dict[str, str]:
    """Return the parameters in *names* that the signed address *path* contains.

    Other *parameters*, which a page adds itself, are ignored. Raise
    :exc:`~ftrack_like.sandbox.media.signing.SignatureError` if the signature is wrong or has
    expired.
    """
    wanted = (*names, *_PROOF)
    return signer.check(path, {name: parameters[name] for name in wanted if name in parameters})
