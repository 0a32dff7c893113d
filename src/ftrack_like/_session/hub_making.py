"""Create the event hub of a session on first use.

The modules of the hub are a quarter of the library, and a program that only queries uses none of
them. So the session creates its hub when the program, a plugin or a module of the library first
uses ``session.event_hub``. A hub that does not exist has no subscribers. So an event for the
subscribers of this process alone is not even built before that.

The start creates the hub in two cases: the program has given or replaced the class, whose
constructor may do more, or it has asked for a connection.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from ftrack_like._base.collaborators import (
    connection_settings_of,
    hub_options_of,
    renewal_of,
    start_of,
)
from ftrack_like._base.named_tuples import NamedTuple
from ftrack_like._base.seams import is_overridden_attribute, is_own
from ftrack_like._session.renewing import hub_renewal
from ftrack_like._session.starting import begin as begin_session
from ftrack_like._transport.limits import total_for

if TYPE_CHECKING:
    from ftrack_like.event.hub import EventHub
    from ftrack_like.session import Session

__all__ = [
    "HubOptions",
    "create_early",
    "event_hub_of",
    "existing_hub",
    "publish_here",
    "when_there_is_a_hub",
]

#: A session with a shorter time-out than this, in seconds, also limits how long the event hub may
#: take to connect.
LONGEST_CONNECTING = 20.0

_HUB_MODULE = "ftrack_like.event.hub"


class HubOptions(NamedTuple):
    """The arguments of the session that its hub needs."""

    event_hub_class: Any = None
    headers: Optional[Mapping[str, str]] = None
    cookies: Any = None


def create_early(session: Session) -> None:
    """Create the hub of *session* now if the program has given or replaced its class."""
    module = sys.modules.get(_HUB_MODULE)
    is_replaced = module is not None and not is_own(module.EventHub, "__init__")
    if is_replaced or hub_options_of(session).event_hub_class is not None:
        event_hub_of(session)


def event_hub_of(session: Session) -> EventHub:
    """Return the hub of *session*; create it on the first call, without a connection."""
    # The lock of the session: two threads must not create two hubs.
    with session._thread_lock:  # noqa: SLF001 - the name that programs know
        found = existing_hub(session)
        if found is None:
            found = session._event_hub = _new_hub(session)  # noqa: SLF001 - the name that programs know
            for action in session.__dict__.pop("_on_event_hub", ()):
                action(session)
    return found


def existing_hub(session: Session) -> Optional[EventHub]:
    """Return the hub of *session*, or None if nothing has used it yet."""
    found: Optional[EventHub] = session.__dict__.get("_event_hub")
    return found


def when_there_is_a_hub(session: Session, action: Callable[[Session], object]) -> None:
    """Call *action* with *session*: now if it has a hub, or else when its hub is created."""
    with session._thread_lock:  # noqa: SLF001 - the name that programs know
        if not _has_hub(session):
            session.__dict__.setdefault("_on_event_hub", []).append(action)
            return
    action(session)


def publish_here(
    session: Session, topic: str, data: dict[str, Any], needs_hub: bool = False
) -> None:
    """Publish an event with *topic* and *data* to the subscribers of the hub of *session*.

    With *needs_hub*, create the hub first if there is none: its creation adds a subscriber.
    """
    if needs_hub or _has_hub(session):
        # lazy: without a hub, a session needs no events
        from ftrack_like.wire.events import Event

        session.event_hub.publish(Event(topic=topic, data=data), synchronous=True)


def _has_hub(session: Session) -> bool:
    """Return whether *session* has a hub, or a program has replaced how it gets one."""
    return existing_hub(session) is not None or is_overridden_attribute(
        type(session), "event_hub", "_event_hub"
    )


def _new_hub(session: Session) -> EventHub:
    """Return a new hub for *session*."""
    # lazy: see the top of this module. A program may also have replaced the class in its module.
    from ftrack_like._session.activity import SessionActivity
    from ftrack_like.event.hub import EventHub

    settings = connection_settings_of(session).for_event_hub()
    settings["deadline"] = settings["deadline"] or _deadline(session)
    options = hub_options_of(session)
    make = options.event_hub_class or EventHub
    hub: EventHub = make(
        session.server_url,
        session.api_user,
        session.api_key,
        headers=dict(options.headers or {}),
        cookies=dict(options.cookies or {}),
        **_accepted(make, settings),
    )
    if renewal_of(session) is not None:
        hub.renew_credentials = hub_renewal(session)
    hub.activity_rows = SessionActivity(session)
    start = start_of(session)
    if start is not None and not start.is_over:
        hub.before_connecting = _starting(session)
    return hub


def _starting(session: Session) -> Callable[[], None]:
    """Return a function that starts *session*, a lazy one, if it has not started yet."""
    reference = weakref.ref(session)  # The thread of the hub keeps the function alive.

    def begin_before() -> None:
        owner = reference()
        if owner is not None:
            begin_session(owner)

    return begin_before


def _deadline(session: Session) -> Optional[float]:
    """Return how many seconds connecting the event hub may take; None for the hub's default."""
    total = total_for(session.request_timeout)
    return total if total is not None and total < LONGEST_CONNECTING else None


def _accepted(make: Callable[..., EventHub], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the *settings* that *make* accepts as keywords; it may be an older class."""
    if is_own(make, "__init__"):
        return settings
    # lazy: only a hub class of the program must be inspected.
    import inspect

    accepted = settings
    # A decorated class accepts the arguments that both the decorator and the class accept.
    for follow in (True, False):
        try:
            parameters = inspect.signature(make, follow_wrapped=follow).parameters
        except (TypeError, ValueError):
            return {}
        if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            accepted = {name: value for name, value in accepted.items() if name in parameters}
    return accepted
