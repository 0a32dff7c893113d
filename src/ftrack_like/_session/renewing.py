"""Replace the credentials of a session, and of its event hub, when the server refuses them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.collaborators import renewal_of, request_session_of
from ftrack_like._transport.authentication import SessionAuthentication

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["hub_renewal", "renew_credentials"]

#: A user and a key.
_Pair = tuple[str, str]


def renew_credentials(session: Session, refused: _Pair) -> Optional[_Pair]:
    """Return the credentials that *session* uses instead of *refused*; None if there are none.

    Errors of the function of the program pass through.
    """
    renewal = renewal_of(session)
    found = None if renewal is None else renewal.after(refused)
    if found is not None:
        _use(session, found)
    return found


def _use(session: Session, pair: _Pair) -> None:
    """Let *session* use the user and the key in *pair* from now on."""
    session._api_user, session._api_key = pair  # noqa: SLF001 - the names that programs know
    http = request_session_of(session)
    # A program may have replaced the authentication: then it is not ours to change.
    if isinstance(http.auth, SessionAuthentication):
        http.auth = SessionAuthentication(pair[1], pair[0])
    hub = session.__dict__.get("_event_hub")
    if hub is not None and hasattr(hub, "use_credentials"):
        hub.use_credentials(*pair)


def hub_renewal(session: Session) -> Callable[[_Pair], Optional[_Pair]]:
    """Return the function that an event hub calls with the credentials that were refused.

    It does not keep *session* alive, because the thread of the hub keeps the function alive.
    """
    reference = weakref.ref(session)

    def renew(refused: _Pair) -> Optional[_Pair]:
        owner = reference()
        return None if owner is None or owner.closed else renew_credentials(owner, refused)

    return renew
