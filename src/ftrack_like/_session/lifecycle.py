"""How a session starts and ends.

The start is the list :data:`STEPS`. A step does work that a constructor must not do directly,
because it calls the server, reads files or runs code of plugins. With ``connect="lazy"`` the steps
run when a program first uses something that needs them. The event hub is the
exception. It exists without the start, so that programs can subscribe to the events of the start.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from ftrack_like import exception
from ftrack_like._base.collaborators import (
    background_of,
    calls_of,
    connections_of,
    identity_map_of,
    lookup_of,
    observers_of,
    renewal_of,
    schema_store_of,
    start_of,
    statistics_of,
    top_cache_of,
    unit_of_work_of,
)
from ftrack_like._base.named_tuples import NamedTuple
from ftrack_like._base.seams import is_overridden
from ftrack_like._session import hub_making
from ftrack_like._session.entity_types import has_subscriber
from ftrack_like._session.starting import Start, begin
from ftrack_like._transport.connection_settings import warn_of_plain_http

if TYPE_CHECKING:
    from ftrack_like._base.types import Schemas
    from ftrack_like._session.entity_types import EntityTypes
    from ftrack_like.event.hub import EventHub
    from ftrack_like.session import Session

__all__ = [
    "STEPS",
    "StartOptions",
    "check_version",
    "close",
    "early_information",
    "early_schemas",
    "early_types",
    "reset",
    "start",
]

OLDEST_SERVER = (3, 3, 11)

READY_TOPIC = "ftrack.api.session.ready"
RESET_TOPIC = "ftrack.api.session.reset"

#: How long a closing session waits for the thread that connects its event hub, in seconds.
PATIENCE = 2.0


class StartOptions(NamedTuple):
    """The arguments of the constructor that the start needs."""

    auto_connect_event_hub: Optional[bool] = False
    plugin_arguments: Optional[Mapping[str, Any]] = None
    cache_server_information: Optional[float] = None


def _ask_server(session: Session, options: StartOptions) -> None:
    """Send the first request; if the server cannot be used, it raises an error with advice."""
    warn_of_plain_http(session.server_url)
    ask = session._fetch_server_information  # noqa: SLF001 - programs override it
    information: Optional[dict[str, Any]] = None
    if options.cache_server_information is not None and not is_overridden(
        session, "_fetch_server_information"
    ):
        # lazy: few sessions share their start
        from ftrack_like._session.shared_start import shared_start

        shared = shared_start(session, options.cache_server_information)
        if shared is not None:
            schema_store_of(session).share = shared.schemas
            information = shared.information(ask, check_version)
    session._server_information = ask() if information is None else information  # noqa: SLF001 - the name that programs know


def _check_version(session: Session, options: StartOptions) -> None:
    """Reject servers that are too old."""
    session.check_server_compatibility()


def _prepare_hub(session: Session, options: StartOptions) -> None:
    """Prepare the event hub, which is created on first use. It does not connect yet."""
    hub_making.create_early(session)


def _connect_hub(session: Session, options: StartOptions) -> None:
    """Connect the event hub in the background if the caller chose ``auto_connect_event_hub``."""
    if not options.auto_connect_event_hub:
        return
    session.event_hub.before_connecting = None  # The start has reached the server already.
    # From now on, published events wait for the connection instead of failing.
    session.event_hub.init_connection()
    thread = threading.Thread(
        target=_connect_until_closed,
        args=(session, session.event_hub),
        name="ftrack-event-hub-connect",
    )
    thread.daemon = True
    session._auto_connect_event_hub_thread = thread  # noqa: SLF001 - the name that programs know
    try:
        thread.start()
    except RuntimeError as error:  # The system has no thread left for this user.
        session._auto_connect_event_hub_thread = None  # noqa: SLF001 - the name that programs know
        session.logger.warning("The event hub could not be connected: %s", error)


def _connect_until_closed(session: Session, hub: EventHub) -> None:
    """Connect *hub* in a background thread, where no caller would see an error.

    If the server is out of reach, try again until the session is closed.
    """
    try:
        hub.connect()
        if session.closed:  # while the hub connected
            hub.disconnect(unsubscribe=False)
    except Exception as error:
        if session.closed:
            return
        session.logger.warning("The event hub could not be connected: %s", str(error))
        if hasattr(hub, "connect_in_background"):
            hub.connect_in_background()
            if session.closed:  # while the call ran
                hub.close()


def _load_plugins(session: Session, options: StartOptions) -> None:
    """Load the plugins."""
    session._discover_plugins(plugin_arguments=options.plugin_arguments)  # noqa: SLF001 - programs override it


def _load_schemas(session: Session, options: StartOptions) -> None:
    """Load the schemas, unless a plugin has already caused that."""
    if "schemas" in session.__dict__:
        return
    store = schema_store_of(session)
    store.in_use = store.shared(store.path(session._schema_cache_path))  # noqa: SLF001 - an argument of the constructor
    if store.in_use is None:
        session.schemas = early_schemas(session)


def _build_types(session: Session, options: StartOptions) -> None:
    """Build the entity classes.

    A plugin may have used them before another plugin subscribed to their construction. Then build
    them again, and forget the entities of the first classes.
    """
    if "types" in session.__dict__:
        if not has_subscriber(session, session.schemas):
            return
        top_cache_of(session).clear()
    schemas = schema_store_of(session).in_use
    if schemas is None or has_subscriber(session, schemas):
        schemas = session.schemas  # Plugins may change them, so they get the session's copy.
    session.types = session._build_entity_type_classes(schemas)  # noqa: SLF001 - programs override it


def _set_up_storage(session: Session, options: StartOptions) -> None:
    """Subscribe to the events that configure the server's storage scenario."""
    hub_making.when_there_is_a_hub(session, _register_storage)


def _register_storage(session: Session) -> None:
    """Subscribe to the events of the storage scenario on the hub of *session*."""
    # lazy: only a hub can bring these events
    from ftrack_like import _centralized_storage_scenario

    _centralized_storage_scenario.register(session)


def _set_up_locations(session: Session, options: StartOptions) -> None:
    """Configure the built-in locations; plugins configure theirs."""
    session._configure_locations()  # noqa: SLF001 - programs override it


def _announce(session: Session, options: StartOptions) -> None:
    """Publish the event that the session is ready."""
    hub_making.publish_here(session, READY_TOPIC, {"session": session})


#: The steps of the start, in order.
STEPS: tuple[Callable[[Any, StartOptions], None], ...] = (
    _ask_server,
    _check_version,
    _prepare_hub,
    _connect_hub,
    _load_plugins,
    _load_schemas,
    _build_types,
    _set_up_storage,
    _set_up_locations,
    _announce,
)


def start(session: Session, options: StartOptions, is_lazy: bool = False) -> Start:
    """Return the start of *session*, which runs the :data:`STEPS`.

    Unless it *is_lazy*, run them now. Close the session if a step fails.
    """
    steps = [functools.partial(step, session, options) for step in STEPS]
    made = Start(steps, is_lazy)
    if not is_lazy:
        try:
            made.run()
        except BaseException:
            close(session)
            raise
    _open[(os.getpid(), id(session))] = session
    return made


def early_information(session: Session) -> dict[str, Any]:
    """Return the server's description of itself; start *session* if necessary."""
    begin(session)
    found: Optional[dict[str, Any]] = session.__dict__.get("_server_information")
    if found is None:
        raise AttributeError(f"{type(session).__name__!r} has not asked the server for its version")
    return found


def early_schemas(session: Session) -> Schemas:
    """Return the schemas of *session*, before or during its start; start it if necessary."""
    begin(session)
    found: Optional[Schemas] = session.__dict__.get("schemas")
    if found is not None:
        return found
    return schema_store_of(session).own(session._schema_cache_path)  # noqa: SLF001 - an argument of the constructor


def early_types(session: Session) -> EntityTypes:
    """Return entity classes for *session*, before its start built them; start it if necessary."""
    begin(session)
    found: Optional[EntityTypes] = session.__dict__.get("types")
    if found is not None:
        return found
    return session._build_entity_type_classes(session.schemas)  # noqa: SLF001 - programs override it


def check_version(version: Optional[str]) -> None:
    """Raise :exc:`~ftrack_like.exception.ServerCompatibilityError` if *version* is too old.

    Raise it also for None. Accept a version that does not consist of numbers, such as ``dev``.
    """
    if version is None:
        raise exception.ServerCompatibilityError("The server does not say which version it is.")
    parts = str(version).split(".")
    if not all(part.isdecimal() for part in parts):
        return
    numbers = tuple(int(part) for part in parts)
    if numbers < OLDEST_SERVER:
        oldest = ".".join(str(number) for number in OLDEST_SERVER)
        raise exception.ServerCompatibilityError(
            f"The server has version {version}; this library needs {oldest} or a later one."
        )


def reset(session: Session) -> None:
    """Forget the entities and pending operations of *session*; configure its locations again.

    Log a warning about pending operations, and publish an event.
    """
    if len(session.recorded_operations):
        session.logger.warning(
            "The session is reset with %d operations that were not committed.",
            len(session.recorded_operations),
        )
    unit_of_work_of(session).reset()
    start = start_of(session)
    if start is not None and not start.is_over:
        return  # A lazy session, which has not published anything yet.
    session._configure_locations()  # noqa: SLF001 - programs override it
    hub_making.publish_here(session, RESET_TOPIC, {"session": session})


def close(session: Session) -> None:
    """End the connections of *session* and forget its entities. A second call does nothing.

    Wait for commits in the background first. At the end, raise the first error of these that the
    program has not seen.
    """
    if session.closed:
        return
    background = background_of(session)
    if background is not None:
        background.wait()
    session._closed = True  # noqa: SLF001 - the name that programs know
    _open.pop((os.getpid(), id(session)), None)
    connections_of(session).end()
    hub = hub_making.existing_hub(session)
    if hub is not None:
        _disconnect(session, hub)
    request = session.__dict__.get("_managed_request")
    session._managed_request = None  # noqa: SLF001 - the name that programs know
    if request is not None:
        request.close()
    if "_unit_of_work" in session.__dict__:
        unit_of_work_of(session).abandon()
    calls_of(session).running.forget()
    session.recorded_operations.clear()
    identity_map_of(session).clear()
    session.logger.debug("Session closed.")
    for error in background.forget_failures() if background is not None else ():
        raise error


def _disconnect(session: Session, hub: EventHub) -> None:
    """Disconnect *hub*, also while it connects or reconnects."""
    try:
        hub.disconnect(unsubscribe=False)
    except exception.EventHubConnectionError:
        session.logger.debug("The event hub is not connected.")
    thread = session._auto_connect_event_hub_thread  # noqa: SLF001 - the name that programs know
    if thread is not None and thread is not threading.current_thread():
        thread.join(PATIENCE)
    session._auto_connect_event_hub_thread = None  # noqa: SLF001 - the name that programs know


#: The sessions to close when the process ends, by process and object, as weak references.
_open: weakref.WeakValueDictionary[tuple[int, int], Any] = weakref.WeakValueDictionary()


@atexit.register
def _close_all() -> None:
    """Close the sessions of this process. Inherited ones belong to the parent process."""
    for (process, _), session in list(_open.items()):
        if process == os.getpid() and not session.closed:
            try:
                session.close()
            except Exception as error:  # The other sessions must be closed too.
                session.logger.error("Closing the session failed: %s", error)


def _renew_locks() -> None:
    """Replace the locks of the sessions that a forked process inherits.

    A thread of the parent may have held a lock at the fork. That thread does not exist here, so the
    lock would stay closed for ever.
    """
    for session in list(_open.values()):
        session.__dict__.pop("_thread_lock", None)
        for holder in (
            statistics_of(session),
            observers_of(session),
            calls_of(session).budget,
            renewal_of(session),
            connections_of(session),
            session.__dict__.get("_unit_of_work"),
            lookup_of(session),
            start_of(session),
            background_of(session),
            session.recorded_operations,
            identity_map_of(session),
            identity_map_of(session).drops,
            session.__dict__.get("types"),
        ):
            getattr(holder, "renew_lock", lambda: None)()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
