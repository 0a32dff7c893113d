"""The address of the page of a review session, for a user with an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["review_page"]

#: The header with which a sandbox says that it is one, and its value.
_KIND, _SANDBOX = "FTRACK_LIKE", "sandbox"

#: Seconds that the server may take to answer.
_LONGEST = 10.0


def review_page(session: Session, review_id: str) -> Optional[str]:
    """Return the address of the page of a review session, None unless the server is a sandbox.

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
    return f"{address}/browse/review/{review_id}"
