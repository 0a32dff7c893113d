"""The addresses of pages of a sandbox, for users with an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["OUTBOX", "page_of_review", "sandbox_page"]

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
    import requests  # lazy: "--help" answers at once

    from ftrack_like._transport.connection_settings import ConnectionSettings  # lazy: likewise
    from ftrack_like._transport.http import request_session  # lazy: likewise

    address = session.server_url.rstrip("/")
    try:
        with request_session(ConnectionSettings(), session.api_key, session.api_user) as http:
            answer = http.get(f"{address}/", timeout=_LONGEST, allow_redirects=False)
    except requests.RequestException:
        return None
    if answer.headers.get(_KIND) != _SANDBOX:
        return None
    return f"{address}{path}"
