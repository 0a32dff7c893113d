"""The addresses of pages of a sandbox: those for users, and the personal links of guests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Optional
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import requests

    from ftrack_like.session import Session

__all__ = ["OUTBOX", "links_in_mails", "local_links_note", "page_of_review", "sandbox_page"]

#: The page with the mails that a sandbox has sent, for administrators.
OUTBOX = "/outbox"


#: The header with which a sandbox says that it is one, and its value.
_KIND, _SANDBOX = "FTRACK_LIKE", "sandbox"

#: Seconds that the server may take to answer.
_LONGEST = 10.0


def page_of_review(review_id: str) -> str:
    """Return the path of the page of a review session."""
    return f"/browse/review/{review_id}"


def sandbox_page(session: Session, path: str) -> Optional[str]:
    """Return the address of the page at *path*, None unless the server is a sandbox.

    The address is only for information, so a server that does not answer is no error.
    """
    answer = _answer_of(session, "/")
    if answer is None or answer.headers.get(_KIND) != _SANDBOX:
        return None
    return f"{session.server_url.rstrip('/')}{path}"


def links_in_mails(session: Session) -> Optional[dict[str, str]]:
    """Return the latest link in a mail to each guest, ``{id of the invitee: address}``.

    Only administrators of a sandbox may read its mails. Return None for other users and servers:
    ftrack itself sends the links to the guests alone.
    """
    if sandbox_page(session, OUTBOX) is None:
        return None
    answer = _answer_of(session, OUTBOX)
    if answer is None or answer.status_code != 200:
        return None
    found: dict[str, str] = {}
    for mail in answer.json():  # The oldest first.
        for link in mail["links"]:
            found.update((one, link) for one in parse_qs(urlsplit(link).query).get("invitee", ()))
    return found


def local_links_note(links: Iterable[Optional[str]]) -> str:
    """Return a sentence if one of *links* opens only on this machine, else no text."""
    from ftrack_like._transport.connection_settings import (  # lazy: "--help" answers at once
        is_this_machine,
    )

    for link in filter(None, links):
        if is_this_machine(urlsplit(link).hostname or ""):
            return (
                "Only this machine can open the links. For guests on others, start the sandbox "
                "with --host 0.0.0.0, or with --public-url and the address that they reach."
            )
    return ""


def _answer_of(session: Session, path: str) -> Optional[requests.Response]:
    """Return the answer of the server at *path*, None if it does not answer."""
    import requests  # lazy: "--help" answers at once

    from ftrack_like._transport.connection_settings import ConnectionSettings  # lazy: likewise
    from ftrack_like._transport.http import request_session  # lazy: likewise

    address = f"{session.server_url.rstrip('/')}{path}"
    try:
        with request_session(ConnectionSettings(), session.api_key, session.api_user) as http:
            return http.get(address, timeout=_LONGEST, allow_redirects=False)
    except requests.RequestException:
        return None
