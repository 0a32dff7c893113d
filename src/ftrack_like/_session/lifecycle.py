"""How a session starts and ends.

The start is the list :data:`STEPS`: everything that a constructor must not do by itself, since it
talks to the server, reads files or runs the code of others.
"""

from __future__ import annotations

import atexit
import os
import re
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from ftrack_like import _centralized_storage_scenario, exception
from ftrack_like._collaborators import (
    calls_of,
    connection_settings_of,
    connections_of,
    identity_map_of,
    lookup_of,
    schema_store_of,
    statistics_of,
    top_cache_of,
    unit_of_work_of,
)
from ftrack_like._seams import is_own
from ftrack_like._session.entity_types import has_subscriber
from ftrack_like._transport.limits import total_for
from ftrack_like._transport.settings import warn_of_plain_http
from ftrack_like.wire.events import Event

if TYPE_CHECKING:
    from ftrack_like._session.entity_types import EntityTypes
    from ftrack_like._types import Schemas
    from ftrack_like.event.hub import EventHub
    from ftrack_like.session import Session

__all__ = ["STEPS", "StartOptions", "check_version", "close", "reset", "start"]

OLDEST_SERVER = (3, 3, 11)

READY_TOPIC = "ftrack.api.session.ready"
RESET_TOPIC = "ftrack.api.session.reset"

#: Longest wait for a thread that is still connecting when its session closes, in seconds.
PATIENCE = 2.0

#: A short time-out of a session bounds connecting to the event server below this, in seconds.
LONGEST_CONNECTING = 20.0


class StartOptions(NamedTuple):
    """What the start needs of the constructor's arguments."""

    event_hub_class: Any = None
    headers: Optional[Mapping[str, str]] = None
    cookies: Any = None
    auto_connect_event_hub: Optional[bool] = False
    plugin_arguments: Optional[Mapping[str, Any]] = None


def _ask_server(session: Session, options: StartOptions) -> None:
    """Ask the server who it is; the first request, which fails with advice if any does."""
    warn_of_plain_http(session.server_url)
    session._server_information = session._fetch_server_information()  # noqa: SLF001 - programs override it


def _check_version(session: Session, options: StartOptions) -> None:
    """Refuse servers that are too old."""
    session.check_server_compatibility()


def _make_hub(session: Session, options: StartOptions) -> None:
    """Make the event hub; it connects when it is told to."""
    # lazy: a quarter of the library, needed with the first session; also a class that somebody
    # has put in its place counts.
    from ftrack_like.event.hub import EventHub

    settings = connection_settings_of(session).for_event_hub()
    settings["deadline"] = settings["deadline"] or _hub_deadline(session)
    make = options.event_hub_class or EventHub
    session._event_hub = make(  # noqa: SLF001 - the name that programs know
        session.server_url,
        session.api_user,
        session.api_key,
        headers=dict(options.headers or {}),
        cookies=dict(options.cookies or {}),
        **_accepted(make, settings),
    )


def _hub_deadline(session: Session) -> Optional[float]:
    """Return how long connecting to the event server may take; None for the hub's own bound."""
    total = total_for(session.request_timeout)
    return total if total is not None and total < LONGEST_CONNECTING else None


def _accepted(make: Callable[..., EventHub], settings: dict[str, Any]) -> dict[str, Any]:
    """Return those of *settings* that *make*, maybe an older class, takes as keywords."""
    if is_own(make, "__init__"):
        return settings
    # lazy: only a hub of the caller's own needs to be looked at.
    import inspect

    accepted = settings
    # A decorated class takes what both the decorator and the class behind it take.
    for follow in (True, False):
        try:
            parameters = inspect.signature(make, follow_wrapped=follow).parameters
        except (TypeError, ValueError):
            return {}
        if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            accepted = {name: value for name, value in accepted.items() if name in parameters}
    return accepted


def _connect_hub(session: Session, options: StartOptions) -> None:
    """Connect to the event server in the background, if that was asked for."""
    if not options.auto_connect_event_hub:
        return
    # What is published from now on waits for the connection instead of failing.
    session.event_hub.init_connection()
    thread = threading.Thread(
        target=_connect, args=(session, session.event_hub), name="ftrack-event-hub-connect"
    )
    thread.daemon = True
    session._auto_connect_event_hub_thread = thread  # noqa: SLF001 - the name that programs know
    try:
        thread.start()
    except RuntimeError as error:  # The system has no thread left for this user.
        session._auto_connect_event_hub_thread = None  # noqa: SLF001 - the name that programs know
        session.logger.warning("The event hub could not be connected: %s", error)


def _connect(session: Session, hub: EventHub) -> None:
    """Connect *hub*, in a thread of its own, where nobody would see an error.

    A server that cannot be reached now is tried again until the session is closed.
    """
    try:
        hub.connect()
        if session.closed:  # meanwhile
            hub.disconnect(unsubscribe=False)
    except Exception as error:
        if session.closed:
            return
        session.logger.warning("The event hub could not be connected: %s", str(error))
        if hasattr(hub, "connect_in_background"):
            hub.connect_in_background()
            if session.closed:  # meanwhile
                hub.close()


def _load_plugins(session: Session, options: StartOptions) -> None:
    """Load the plugins."""
    session._discover_plugins(plugin_arguments=options.plugin_arguments)  # noqa: SLF001 - programs override it


def _load_schemas(session: Session, options: StartOptions) -> None:
    """Load the schemas, unless a plugin needed them already."""
    if "schemas" in session.__dict__:
        return
    store = schema_store_of(session)
    store.in_use = store.shared(store.path(session._schema_cache_path))  # noqa: SLF001 - an argument of the constructor
    if store.in_use is None:
        session.schemas = early_schemas(session)


def _build_types(session: Session, options: StartOptions) -> None:
    """Build the entity classes.

    If a plugin needed them already, before another one had a say in them, they are built anew,
    and what was read with the early ones is forgotten.
    """
    if "types" in session.__dict__:
        if not has_subscriber(session, session.schemas):
            return
        top_cache_of(session).clear()
    schemas = schema_store_of(session).in_use
    if schemas is None or has_subscriber(session, schemas):
        schemas = session.schemas  # What plugins get hold of is the session's own.
    session.types = session._build_entity_type_classes(schemas)  # noqa: SLF001 - programs override it


def _set_up_storage(session: Session, options: StartOptions) -> None:
    """Follow the server's storage scenario."""
    _centralized_storage_scenario.register(session)


def _set_up_locations(session: Session, options: StartOptions) -> None:
    """Configure the built-in locations and let plugins configure theirs."""
    session._configure_locations()  # noqa: SLF001 - programs override it


def _announce(session: Session, options: StartOptions) -> None:
    """Tell plugins that the session can be used."""
    session.event_hub.publish(Event(topic=READY_TOPIC, data={"session": session}), synchronous=True)


#: The start, in order.
STEPS: tuple[Callable[[Any, StartOptions], None], ...] = (
    _ask_server,
    _check_version,
    _make_hub,
    _connect_hub,
    _load_plugins,
    _load_schemas,
    _build_types,
    _set_up_storage,
    _set_up_locations,
    _announce,
)


def start(session: Session, options: StartOptions) -> None:
    """Take the :data:`STEPS` for *session*; it is closed again if one of them fails."""
    try:
        for step in STEPS:
            step(session, options)
    except BaseException:
        close(session)
        raise
    _open[(os.getpid(), id(session))] = session


def early_schemas(session: Session) -> Schemas:
    """Return the schemas of *session*."""
    return schema_store_of(session).own(session._schema_cache_path)  # noqa: SLF001 - an argument of the constructor


def early_types(session: Session) -> EntityTypes:
    """Return entity classes for *session*, whose own are not built yet."""
    return session._build_entity_type_classes(session.schemas)  # noqa: SLF001 - programs override it


def check_version(version: Optional[str]) -> None:
    """Raise :exc:`~ftrack_like.exception.ServerCompatibilityError` for too old a *version*.

    What is no row of numbers, such as ``dev``, is let through; None is not.
    """
    if version is None:
        raise exception.ServerCompatibilityError("The server does not say which version it is.")
    if not re.fullmatch(r"\d+(\.\d+)*", str(version)):
        return
    numbers = tuple(int(part) for part in str(version).split("."))
    if numbers < OLDEST_SERVER:
        oldest = ".".join(str(number) for number in OLDEST_SERVER)
        raise exception.ServerCompatibilityError(
            f"The server has version {version}; this library needs {oldest} or a later one."
        )


def reset(session: Session) -> None:
    """Forget what *session* holds in memory and configure its locations again."""
    if len(session.recorded_operations):
        session.logger.warning(
            "The session is reset with %d operations that were not committed.",
            len(session.recorded_operations),
        )
    unit_of_work_of(session).refuse_nesting("reset")
    unit_of_work_of(session).abandon()
    session.recorded_operations.clear()
    identity_map_of(session).clear()
    session._configure_locations()  # noqa: SLF001 - programs override it
    session.event_hub.publish(Event(topic=RESET_TOPIC, data={"session": session}), synchronous=True)


def close(session: Session) -> None:
    """End the connections of *session* and forget what it holds; again does nothing."""
    if session.closed:
        return
    session._closed = True  # noqa: SLF001 - the name that programs know
    _open.pop((os.getpid(), id(session)), None)
    connections_of(session).end()
    hub = session.__dict__.get("_event_hub")
    if hub is not None:
        _disconnect(session, hub)
    request = session.__dict__.get("_managed_request")
    session._managed_request = None  # noqa: SLF001 - the name that programs know
    if request is not None:
        request.close()
    unit_of_work_of(session).abandon()
    session.recorded_operations.clear()
    identity_map_of(session).clear()
    session.logger.debug("Session closed.")


def _disconnect(session: Session, hub: EventHub) -> None:
    """End the connection of *hub*, also one that is being made or made again."""
    try:
        hub.disconnect(unsubscribe=False)
    except exception.EventHubConnectionError:
        session.logger.debug("The event hub is not connected.")
    thread = session._auto_connect_event_hub_thread  # noqa: SLF001 - the name that programs know
    if thread is not None and thread is not threading.current_thread():
        thread.join(PATIENCE)
    session._auto_connect_event_hub_thread = None  # noqa: SLF001 - the name that programs know


#: Sessions that are to be closed when the process ends, by process and object; held weakly.
_open: weakref.WeakValueDictionary[tuple[int, int], Any] = weakref.WeakValueDictionary()


@atexit.register
def _close_all() -> None:
    """Close the sessions of this process; those that it inherited belong to its parent."""
    for (process, _), session in list(_open.items()):
        if process == os.getpid() and not session.closed:
            session.close()


def _renew_locks() -> None:
    """Give the sessions that a forked process inherits locks of its own.

    A thread of the parent may have held one at the fork; it does not exist here.
    """
    for session in list(_open.values()):
        session.__dict__.pop("_thread_lock", None)
        for holder in (
            statistics_of(session),
            calls_of(session).budget,
            connections_of(session),
            unit_of_work_of(session),
            lookup_of(session),
            session.recorded_operations,
            identity_map_of(session),
            session.__dict__.get("types"),
        ):
            getattr(holder, "renew_lock", lambda: None)()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
