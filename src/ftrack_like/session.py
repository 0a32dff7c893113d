"""The session: the connection to a server, and all entities that come from it.

:class:`Session` is a facade. Its parts in ``_session`` do the work. Each part is created on first
use. It looks up the session's methods at each call, so a method that a subclass overrides or a test
replaces is always used.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Optional, TypeVar, Union, overload

import requests

from ftrack_like import cache as caches
from ftrack_like import exception, inspection, operation, plugin
from ftrack_like import query as queries
from ftrack_like._base.collaborators import background_of
from ftrack_like._base.seams import keeps_originals
from ftrack_like._base.suggest import AdvisesMembers, SuggestsArguments
from ftrack_like._base.value_errors import shown
from ftrack_like._configuration.credentials import Origins, find_credentials
from ftrack_like._session import calls, lifecycle, locations, on_demand
from ftrack_like._session.arguments import (
    MOST_AHEAD,
    checked_deadline,
    checked_life,
    cookie_mapping,
    header_mapping,
    lazy_load_policy,
    lower_cache,
    pages_ahead,
    plugin_folders,
    retry_policy,
    starts_lazily,
)
from ftrack_like._session.codec import Codec
from ftrack_like._session.entity_types import build_entity_types
from ftrack_like._session.fetching import Fetcher
from ftrack_like._session.flags import (
    AutoPopulatingContext,
    OperationRecordingContext,
    ThreadFlag,
    thread_flag,
)
from ftrack_like._session.hub_making import HubOptions, event_hub_of
from ftrack_like._session.identity_map import IdentityMap, SessionCache
from ftrack_like._session.invalid_values import no_type, require_entity, require_mapping
from ftrack_like._session.loader import Loader
from ftrack_like._session.lookup import Lookup
from ftrack_like._session.observing import Observation, Observers
from ftrack_like._session.on_demand import OnDemand, TopCache
from ftrack_like._session.payloads import OperationPayload
from ftrack_like._session.schema_store import SchemaStore
from ftrack_like._session.statistics import Statistics
from ftrack_like._transport.authentication import SessionAuthentication
from ftrack_like._transport.connection_settings import ConnectionSettings
from ftrack_like._transport.http import request_session
from ftrack_like._transport.limits import OpenConnections
from ftrack_like._transport.retry import RetryPolicy
from ftrack_like.logging import set_up_logging

if TYPE_CHECKING:
    from concurrent.futures import Future
    from http.cookiejar import CookieJar
    from types import TracebackType

    from ftrack_like._base.types import Json, PathText, Progress, Projections, Schemas, Timeout
    from ftrack_like._configuration.renewal import Renewal
    from ftrack_like._session.arguments import CacheChoice
    from ftrack_like._session.entity_types import EntityTypes
    from ftrack_like._session.merging import MergeRecord
    from ftrack_like._session.planned_changes import PendingChanges, PlannedChange
    from ftrack_like._session.reporting import CommitReport
    from ftrack_like._session.starting import Start
    from ftrack_like._transport.reports import RequestReport
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.job import Job
    from ftrack_like.entity.location import Location
    from ftrack_like.event.hub import EventHub
    from ftrack_like.query.builder import BuiltQuery

__all__ = [
    "AutoPopulatingContext",
    "CommitReport",
    "Observation",
    "OperationPayload",
    "OperationRecordingContext",
    "PendingChanges",
    "PlannedChange",
    "RequestReport",
    "RetryPolicy",
    "Session",
    "SessionAuthentication",
]

_Merged = TypeVar("_Merged")

#: The modules of classes that only programs with callbacks, or with changes, need.
_REPORTS = {
    "CommitReport": "ftrack_like._session.reporting",
    "PendingChanges": "ftrack_like._session.planned_changes",
    "PlannedChange": "ftrack_like._session.planned_changes",
    "RequestReport": "ftrack_like._transport.reports",
}


def __getattr__(name: str) -> type:
    """Return the class *name* of a report, which is imported at its first use."""
    if name not in _REPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: type = getattr(importlib.import_module(_REPORTS[name]), name)
    globals()[name] = found
    return found


#: The advice for the methods of sessions of other libraries.
_ADVICE = {
    **dict.fromkeys(
        ("add", "add_all"),
        "session.create('Task', {…}) makes an entity and adds it, and commit() sends it.",
    ),
    **dict.fromkeys(
        ("refresh", "reload", "expire"),
        "session.populate(entities, 'name, status.name') loads values again, and reset() forgets "
        "all entities.",
    ),
    **dict.fromkeys(("flush", "save"), "commit() sends all changes."),
    **dict.fromkeys(
        ("find", "find_one"), "Use select('Task').where(attr.name == …), or query('Task where …')."
    ),
    **dict.fromkeys(
        ("begin", "transaction"),
        "All changes wait for commit(), which sends them in one batch; rollback() undoes them.",
    ),
    "update": "Set the attributes of the entity: task['name'] = 'comp'. Then call commit().",
}


@keeps_originals
class Session(AdvisesMembers, SuggestsArguments):
    """A connection to a server, with the entities that a program queries and changes through it.

    Threads may share a session. A forked process gets its own connections. Close a session after
    use, or use it as a context manager.
    """

    _member_advice = _ADVICE
    # Defaults, because a subclass may replace the constructor.
    _auto_connect_event_hub_thread: Optional[threading.Thread] = None
    _closed = False
    _load_groups = True
    _on_lazy_load: Union[str, Callable[[Entity, str], None]] = "ignore"
    _read_ahead = MOST_AHEAD
    _origins = Origins()
    _plugin_paths: Sequence[str] = ()
    _renewal: Optional[Renewal] = None
    _retry_policy: Optional[RetryPolicy] = None
    _schema_cache_path: Union[PathText, bool, None] = None
    #: How long to wait for an answer, in seconds; None waits for ever.
    request_timeout: Timeout = 60
    _hub_options = HubOptions()
    _managed_request: Optional[requests.Session]
    _start: Optional[Start] = None
    #: The layers of the cache, with the memory on top. A program may replace it.
    cache: caches.LayeredCache
    #: Makes the keys of the cache.
    cache_key_maker: caches.KeyMaker

    logger: OnDemand[logging.Logger] = OnDemand(on_demand.class_logger, "Where the session logs.")
    _thread_lock = OnDemand(
        lambda session: threading.RLock(), "Guards the state. Calls release it while they wait."
    )
    _connection_settings = OnDemand(lambda session: ConnectionSettings(), "TLS and proxies.")
    _connections = OnDemand(lambda session: OpenConnections(), "The open connections.")
    _observers = OnDemand(lambda session: Observers(), "Callbacks, log and traces.")
    _statistics = OnDemand(lambda session: Statistics(), "Counts of requests.")
    _calls = OnDemand(calls.Calls, "Sends batches.")
    _codec = OnDemand(Codec, "Encodes and decodes.")
    _identity_map = OnDemand(IdentityMap, "Keeps one entity for each identity.")
    _loader = OnDemand(Loader, "Attaches the server's records.")
    _fetcher = OnDemand(Fetcher, "Queries the server.")
    _lookup = OnDemand(Lookup, "Finds or creates single entities.")
    _unit_of_work = OnDemand(on_demand.make_unit_of_work, "Commits and rolls back.")
    _event_hub: OnDemand[EventHub] = OnDemand(event_hub_of, "Exchanges events.")
    _schema_store = OnDemand(SchemaStore, "Keeps schemas on disk.")
    _remote_actions = OnDemand(
        on_demand.make_remote_actions, "Calls special actions of the server."
    )
    _background = OnDemand(on_demand.make_background, "Commits in the background.")
    _catalogue = OnDemand(on_demand.make_catalogue, "Knows the attributes in the schemas.")
    _drops = OnDemand(on_demand.make_drops, "Drops stale values.")
    _local_cache = TopCache()

    # The start sets them. Reading one earlier starts a lazy session, except for the hub. Plugins
    # that query in ``register`` create some of them during the start.
    _server_information: OnDemand[dict[str, Any]] = OnDemand(
        lifecycle.early_information, "The server's description of itself."
    )
    schemas: OnDemand[Schemas] = OnDemand(
        lifecycle.early_schemas, "The server's schemas, a list of mappings."
    )
    types: OnDemand[EntityTypes] = OnDemand(
        lifecycle.early_types, "The entity classes by type name."
    )

    def __init__(
        self,
        server_url: Optional[str] = None,
        api_key: Optional[str] = None,
        api_user: Optional[str] = None,
        auto_populate: bool = True,
        plugin_paths: Optional[Union[PathText, Iterable[PathText]]] = None,
        cache: CacheChoice = None,
        cache_key_maker: Optional[caches.KeyMaker] = None,
        auto_connect_event_hub: Optional[bool] = False,
        schema_cache_path: Union[PathText, bool, None] = None,
        plugin_arguments: Optional[Mapping[str, Any]] = None,
        timeout: Timeout = 60,
        cookies: Optional[Union[Mapping[str, str], CookieJar]] = None,
        headers: Optional[Mapping[str, str]] = None,
        strict_api: bool = False,
        *,
        verify: Union[PathText, bool] = True,
        cert: Optional[Union[PathText, tuple[PathText, PathText]]] = None,
        proxies: Optional[Mapping[str, str]] = None,
        connect_timeout: Optional[float] = None,
        event_hub_class: Optional[Callable[..., EventHub]] = None,
        load_groups: bool = True,
        on_lazy_load: str = "ignore",
        deadline: Optional[float] = None,
        retry: Optional[RetryPolicy] = None,
        profile: Optional[str] = None,
        credentials: Optional[Callable[[], tuple[str, str]]] = None,
        read_ahead: Union[int, bool] = True,
        connect: Literal["now", "lazy"] = "now",
        cache_server_information: Optional[float] = None,
        weak_identity_map: bool = False,
    ) -> None:
        """Connect to a server, load plugins and build the entity types from its schemas.

        *server_url*, *api_key* and *api_user* default to the environment variables FTRACK_SERVER,
        FTRACK_API_KEY (or FTRACK_APIKEY) and FTRACK_API_USER; the last to the user who is logged
        in. If the server or the key is in neither, all three come from the profile that
        FTRACK_PROFILE names, or from the user's default profile.

        *profile* is the name of a profile, which then has all three. *credentials* is a function
        that returns ``(api_user, api_key)``. The session calls it at the start, and again when the
        server says that the key is invalid, on the thread whose call was refused. Neither can be
        combined with *api_key* and *api_user*.

        *auto_populate* loads missing attributes when they are read. *plugin_paths* are the folders
        with plugins, by default those in FTRACK_EVENT_PLUGIN_PATH. Their ``register`` receives the
        session and the *plugin_arguments* that it accepts. *auto_connect_event_hub* connects in the
        background.

        *cache* is a cache below the memory cache, or a function that takes the session and returns
        one or None. Text is the address of a shared cache: ``redis://HOST:6379/0``,
        ``sqlite:///PATH`` or ``memory://``. None means the address in FTRACK_API_CACHE or in the
        profile, if any; False means no cache. *cache_key_maker* is by default a
        :class:`~ftrack_like.cache.StringKeyMaker`.

        *schema_cache_path* is the folder for the schemas. None means FTRACK_API_SCHEMA_CACHE_PATH,
        or else the user's cache folder; False stores none.

        *timeout* limits waiting for an answer, and *connect_timeout* waiting for a connection, in
        seconds. None means no limit, or the same as *timeout*. *cookies* (a mapping or a cookie
        jar) and *headers* are sent with every request. *strict_api* requests error statuses from
        the server. *verify*, *cert* and *proxies* are as in ``requests``, and also apply to the
        event hub.

        *deadline* limits a call with its retries, and a handshake with the event server, in
        seconds. Without it a request may take twice its *timeout*, and longer while the answer
        arrives at 64 KiB a second or faster. Uploads and downloads have no deadline. They fail if
        fewer than 1024 bytes a second are transferred for twice the *timeout*.

        *retry*, a :class:`~ftrack_like.session.RetryPolicy`, limits the retries of calls and
        transfers. Without it FTRACK_API_RETRY_SECONDS gives the seconds, and the default is
        ``RetryPolicy(attempts=9, total_time=60)``. A request that times out is retried once.

        *event_hub_class* replaces :class:`~ftrack_like.event.hub.EventHub`. *load_groups* loads a
        missing attribute for all entities of a query's page at once. *on_lazy_load* is
        ``"ignore"``, ``"warn"`` or ``"raise"``: the reaction to loading an attribute when it is
        read. ``"raise"`` raises :exc:`~ftrack_like.exception.LazyLoadError`. *read_ahead* is how
        many pages of a query are requested before the program comes to them, 0 to 4. True means 4,
        False none.

        *connect* is ``"now"``, or ``"lazy"`` to send no request here. The session then starts when
        the program first needs the server: at the first call, query or new entity, when it reads
        :attr:`types`, :attr:`schemas` or :attr:`server_information`, or connects the event hub. The
        start loads plugins and publishes ``ftrack.api.session.ready``. Its errors reach the program
        there, each time until the start has succeeded.
        *cache_server_information* is for sessions with a shared cache, of which many start at once:
        for this number of seconds, a day at most, they read the server's description and its
        schemas from the cache. A session may then use schemas that are as old.

        Raise :exc:`~ftrack_like.exception.ConfigurationError` (a :exc:`TypeError`) if server or key
        are missing, and :exc:`~ftrack_like.exception.ServerError` if the server is out of reach,
        refuses the key or is too old.
        """
        super().__init__()
        set_up_logging()
        given = find_credentials(
            server_url, api_key, api_user, profile=profile, function=credentials
        )
        self._server_url = given.server_url
        self._api_key = given.api_key
        self._api_user = given.api_user
        self._origins = given.origins
        self._renewal = given.renewal
        self._connection_settings = ConnectionSettings.normal(
            verify, cert, proxies, connect_timeout, checked_deadline(deadline)
        )
        self._retry_policy = retry_policy(retry)
        self._load_groups = load_groups
        self._read_ahead = pages_ahead(read_ahead)
        self._on_lazy_load = lazy_load_policy(on_lazy_load)
        self._plugin_paths = plugin_folders(plugin_paths)
        self._schema_cache_path = schema_cache_path
        self.request_timeout = timeout
        self._auto_populate = ThreadFlag(auto_populate)
        self._record_operations = ThreadFlag(True)
        self.recorded_operations: operation.Operations = operation.Operations()
        self._make_cache(cache, cache_key_maker, given.cache, weak_identity_map)
        self._make_request(headers, cookies, strict_api, event_hub_class)
        options = lifecycle.StartOptions(
            auto_connect_event_hub, plugin_arguments, checked_life(cache_server_information)
        )
        self._start = lifecycle.start(self, options, starts_lazily(connect))
        if "IPython" in sys.modules:
            # lazy: only consoles and notebooks complete names
            from ftrack_like._session.console_names import complete_in_ipython

            complete_in_ipython()

    def _make_cache(
        self,
        cache: CacheChoice,
        key_maker: Optional[caches.KeyMaker],
        profile_cache: Optional[str] = None,
        is_weak: bool = False,
    ) -> None:
        """Set the cache: memory on top, and below it *cache* or its result, if any."""
        self.cache_key_maker = caches.StringKeyMaker() if key_maker is None else key_maker
        self.cache = SessionCache(self, is_weak)
        lower = lower_cache(self, cache, profile_cache, self._origins.api_key)
        if lower is not None:
            self.cache.caches.append(lower)

    def _make_request(
        self,
        headers: Optional[Mapping[str, str]],
        cookies: Optional[Union[Mapping[str, str], CookieJar]],
        strict_api: bool,
        event_hub_class: Optional[Callable[..., EventHub]],
    ) -> None:
        """Set the HTTP session for calls, and the options of the hub, which sends the same."""
        own_headers, own_cookies = header_mapping(headers), cookie_mapping(cookies)
        self._request = request_session(
            self._connection_settings,
            self._api_key,
            self._api_user,
            {**own_headers, "ftrack-strict-api": "true" if strict_api else "false"},
            own_cookies,
            self._connections,
        )
        self._hub_options = HubOptions(event_hub_class, own_headers, own_cookies)

    def __repr__(self) -> str:
        """Return the server and the user, never the key."""
        values = self.__dict__
        state = ", closed" if self._closed else ""
        url, user = values.get("_server_url"), values.get("_api_user")
        return f"<{type(self).__name__} {url!r} as {user!r}{state}>"

    def __enter__(self) -> Session:
        """Return the session; leaving the block closes it."""
        return self

    def __exit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Close the session.

        If an exception ends the block, errors of commits in the background are only logged.
        """
        try:
            self.close()
        except exception.Error as error:
            if exception_value is None:
                raise
            self.logger.error("A commit in the background failed: %s", error)

    # The connection

    @property
    def _request(self) -> requests.Session:
        """The HTTP session for calls. Raise ConnectionClosedError after :meth:`close`."""
        found = calls.managed_request(self)
        if found is None:
            raise exception.ConnectionClosedError()
        return found

    @_request.setter
    def _request(self, value: Optional[requests.Session]) -> None:
        """Use *value*, a ``requests.Session``, for calls from now on."""
        self._managed_request = value
        self._request_process = os.getpid()

    @property
    def closed(self) -> bool:
        """Whether the session is closed."""
        return self._closed

    @property
    def server_information(self) -> dict[str, Any]:
        """A copy of the server's description from the start: ``version`` and other entries."""
        return dict(self._server_information)

    @property
    def server_url(self) -> str:
        """The URL of the server, without a slash at the end."""
        return self._server_url

    @property
    def api_user(self) -> str:
        """The name of the user whose permissions the session has."""
        return self._api_user

    @property
    def api_key(self) -> str:
        """The API key."""
        return self._api_key

    @property
    def event_hub(self) -> EventHub:
        """The event hub. Events reach other processes only while it is connected."""
        return self._event_hub

    @property
    def statistics(self) -> Statistics:
        """Counts of requests, bytes, cache hits and grouped loads since the start, a mapping."""
        return self._statistics

    def on_request(self, callback: Callable[[RequestReport], object]) -> Observation:
        """Call *callback* with a :class:`~ftrack_like.session.RequestReport` after each request.

        The callback runs on the thread of the request, also for retries, uploads and downloads. Its
        errors are logged and not raised. Requests that it sends itself are not reported. Return an
        object whose ``remove()`` ends the calls; it is a context manager too.
        """
        return self._observers.add("on_request", callback)

    def on_commit(self, callback: Callable[[CommitReport], object]) -> Observation:
        """Call *callback* with a :class:`~ftrack_like.session.CommitReport` after each commit.

        A commit that sends nothing is not reported. The rest is as for :meth:`on_request`.
        """
        return self._observers.add("on_commit", callback)

    def close(self) -> None:
        """End all connections and forget all entities. A second call does nothing.

        Wait first for commits in the background. If one failed, and the program has not seen its
        error, raise the error at the end. Pending operations are lost; the outcome of a batch in
        doubt stays unknown. Later calls raise :exc:`~ftrack_like.exception.ConnectionClosedError`.
        """
        lifecycle.close(self)

    def reset(self) -> None:
        """Forget all entities and pending operations, and configure the locations again.

        Do not use entities from before the reset. The outcome of a batch in doubt stays unknown.
        Lower cache layers keep their entries. At the end the session publishes
        ``ftrack.api.session.reset``. Raise :exc:`~ftrack_like.exception.CommitInProgressError` as
        :meth:`commit` does.
        """
        lifecycle.reset(self)

    def _fetch_server_information(self) -> dict[str, Any]:
        """Query the server's description of itself."""
        result = self.call([{"action": "query_server_information"}])[0]
        if not isinstance(result, Mapping):
            raise exception.ServerAnswerError(
                f"The program at {self._server_url} is not an ftrack server: it does not say "
                "which version it is. Check the server address (FTRACK_SERVER)."
            )
        return dict(result)

    def check_server_compatibility(self) -> None:
        """Raise :exc:`~ftrack_like.exception.ServerCompatibilityError` if the server is too old."""
        lifecycle.check_version(self._server_information.get("version"))

    def call(self, data: Sequence[Mapping[str, Any]]) -> list[Json]:
        """Run the operations *data* in one transaction; return their results in the same order.

        An operation is a mapping with an ``action`` and its parameters, such as
        ``{"action": "query", "expression": "Task"}``. Entities in the results are detached; merge
        the entities that you want to keep.

        Raise :exc:`~ftrack_like.exception.ServerError` if the server refuses an operation or is out
        of reach. A call that only reads is retried first.
        """
        return self._call(data)

    def _call(self, data: Sequence[Mapping[str, Any]]) -> list[Json]:
        """Call the server as :meth:`call` does, under the name that older programs use."""
        return self._calls.call(data)

    # Schemas, types and plugins

    def _discover_plugins(
        self, plugin_arguments: Optional[Mapping[str, Any]] = None
    ) -> plugin.Discovery:
        """Load the plugins in the plugin paths, register them with *plugin_arguments*, count them.

        A program that overrides this need not return anything.
        """
        return plugin.discover(self._plugin_paths, [self], dict(plugin_arguments or {}))

    def _load_schemas(self, schema_cache_path: Union[PathText, bool, None]) -> Schemas:
        """Return the schemas, from the file at *schema_cache_path* if it is up to date."""
        return self._schema_store.load(schema_cache_path)

    def _read_schemas_from_cache(self, schema_cache_path: str) -> tuple[Schemas, Optional[str]]:
        """Return the schemas of a file and their hash, or ``([], None)`` without a file."""
        return self._schema_store.read_file(schema_cache_path)

    def _write_schemas_to_cache(self, schemas: Schemas, schema_cache_path: str) -> None:
        """Replace a file by *schemas*. Raise :exc:`TypeError` for values that are not JSON."""
        self._schema_store.write_file(schemas, schema_cache_path)

    def _build_entity_type_classes(self, schemas: Schemas) -> EntityTypes:
        """Return the entity classes for *schemas*, by type name."""
        return build_entity_types(self, schemas)

    # Settings of the calling thread

    @property
    def auto_populate(self) -> bool:
        """Whether reading a missing attribute loads it, in this thread."""
        try:
            return self._auto_populate.value
        except AttributeError:  # A copied constructor stores another object there.
            return thread_flag(self, "_auto_populate").value

    @auto_populate.setter
    def auto_populate(self, value: bool) -> None:
        """Set the value for this thread only."""
        thread_flag(self, "_auto_populate").value = value

    @property
    def record_operations(self) -> bool:
        """Whether changes become pending operations, in this thread."""
        try:
            return self._record_operations.value
        except AttributeError:  # A copied constructor stores another object there.
            return thread_flag(self, "_record_operations").value

    @record_operations.setter
    def record_operations(self, value: bool) -> None:
        """Set the value for this thread only."""
        thread_flag(self, "_record_operations").value = value

    def auto_populating(self, auto_populate: bool) -> AutoPopulatingContext:
        """Return a context manager that sets :attr:`auto_populate` for this thread."""
        return AutoPopulatingContext(self, auto_populate)

    def operation_recording(self, record_operations: bool) -> OperationRecordingContext:
        """Return a context manager that sets :attr:`record_operations` for this thread."""
        return OperationRecordingContext(self, record_operations)

    # Uncommitted changes

    @property
    def created(self) -> list[Entity]:
        """The created entities that are not committed."""
        return self._unit_of_work.created()

    @property
    def modified(self) -> list[Entity]:
        """The entities with uncommitted changes, except created ones."""
        return self._unit_of_work.modified()

    @property
    def deleted(self) -> list[Entity]:
        """The entities with an uncommitted deletion."""
        return self._unit_of_work.deleted()

    @property
    def in_doubt(self) -> bool:
        """Whether the outcome of the last commit is unknown. The next commit resolves it."""
        return self._unit_of_work.in_doubt

    def pending(self) -> PendingChanges:
        """Return the changes that the next :meth:`commit` would send, without a request.

        The result is a snapshot: a sequence of :class:`PlannedChange` in the order of the commit,
        with ``creates``, ``updates``, ``deletes``, ``counts`` and ``to_dicts()``. ``str()`` of it
        is a readable plan. Changes that cancel each other are not in it.
        """
        # lazy: few programs look at their pending changes
        from ftrack_like._session.planned_changes import pending_changes

        work = self._unit_of_work
        with self.auto_populating(False):
            return pending_changes(work.plan(), self._identity_map, work.in_doubt)

    @overload
    def commit(self, *, dry_run: Literal[False] = ...) -> None: ...

    @overload
    def commit(self, *, dry_run: Literal[True]) -> PendingChanges: ...

    @overload
    def commit(self, *, dry_run: bool) -> Optional[PendingChanges]: ...

    def commit(self, *, dry_run: bool = False) -> Optional[PendingChanges]:
        """Send the pending operations to the server, in one transaction.

        With *dry_run*, send nothing, change nothing, and return the result of :meth:`pending`.

        If the server refuses the batch, it changes nothing, and the operations stay pending.
        Correct them and commit again, or call :meth:`rollback`. Operations that other threads
        record during the commit stay for the next one.

        Another exception while the server works leaves the batch in doubt: Ctrl-C, an exception in
        a signal handler, or a lost connection. The next commit then waits for the interrupted
        request, queries the server for the outcome, sends the batch again if it was not applied,
        and sends the new operations.

        Raise :exc:`~ftrack_like.exception.ServerError`, with the failing operation if it is known.
        Raise :exc:`~ftrack_like.exception.CommitInProgressError` in a signal handler that
        interrupts a commit or a rollback of this session.
        """
        if dry_run:
            return self.pending()
        background = background_of(self)
        if background is not None:
            background.wait()
        self._observers.commit(self._unit_of_work)
        if background is not None:
            background.forget_failures()  # This commit has sent their operations.
        return None

    def commit_in_background(self) -> Future[None]:
        """Send the pending operations in another thread, and return a future.

        The commit contains the operations that are recorded now. Later ones wait for a later
        commit, and changes after this call do not change what it sends. Several commits run one
        after the other, in the order of the calls. Callbacks of :meth:`on_commit` and of the future
        run on that thread.

        The future raises the errors of :meth:`commit`. The operations then stay pending, and the
        next commit sends them as well. :meth:`commit` first waits for the commits in the
        background. :meth:`close` does so too, and raises the first error that the program has not
        seen; :meth:`rollback` logs it. A rollback before a commit begins makes it raise
        :exc:`~ftrack_like.exception.RolledBackError`. The end of the program waits for these
        commits. A future can be cancelled until its commit begins.

        Raise :exc:`RuntimeError` if the system cannot start a thread.
        """
        return self._background.add()

    def rollback(self) -> None:
        """Undo the changes since the last commit, without a request.

        Created entities are forgotten; the others get their remote values back. If a batch is in
        doubt, a warning names the changes that the server may have applied, and their loaded values
        are read again. Raise :exc:`~ftrack_like.exception.CommitInProgressError` as :meth:`commit`
        does.
        """
        self._unit_of_work.rollback()
        background = background_of(self)
        for error in background.forget_failures() if background is not None else ():
            self.logger.warning("Rolled back after a commit in the background failed: %s", error)

    # Entities

    def create(
        self,
        entity_type: str,
        data: Optional[Mapping[str, Any]] = None,
        reconstructing: bool = False,
    ) -> Entity:
        """Return a new entity of *entity_type* with *data*, ``{attribute name: value}``.

        The next commit creates it on the server. With *reconstructing*, it represents an entity
        that the server already has, and *data* are its remote values.

        A key of *data* that is not an attribute is ignored, with an
        :class:`~ftrack_like.exception.UnknownAttributeWarning` that suggests a name.

        Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for an unknown type, and
        :exc:`~ftrack_like.exception.InvalidValueError` if *data* is not a mapping.
        """
        if data is not None and type(data) is not dict:
            require_mapping(data, f"create({entity_type!r}, …)")
        entity = self._create(entity_type, {} if data is None else data, reconstructing)
        return self.merge(entity)

    def _create(self, entity_type: str, data: Mapping[str, Any], reconstructing: bool) -> Entity:
        """Return a detached entity of *entity_type*."""
        try:
            class_ = self.types[entity_type]
        except TypeError:  # An unhashable type name, for example a list.
            raise no_type(entity_type) from None
        return class_(self, data=data, reconstructing=reconstructing)

    def ensure(
        self,
        entity_type: str,
        data: Mapping[str, Any],
        identifying_keys: Optional[Iterable[str]] = None,
    ) -> Entity:
        """Return the entity of *entity_type* with *data*; create or update it as needed.

        The method looks for an entity with the same values of *identifying_keys*, by default of all
        keys of *data*. It updates that entity with *data*, or creates one. It commits a change,
        with all other pending operations.

        Raise :exc:`ValueError` without identifying keys, :exc:`KeyError` if one is not in *data*,
        :exc:`~ftrack_like.exception.InvalidValueError` if *data* is not a mapping, and
        :exc:`~ftrack_like.exception.MultipleResultsFoundError` if several entities match.
        """
        return self._lookup.ensure(entity_type, data, identifying_keys)

    def delete(self, entity: Entity) -> None:
        """Delete *entity* with the next commit.

        Raise :exc:`~ftrack_like.exception.InvalidEntityError` if it is not an entity.
        """
        require_entity(entity, "deleted")
        if self.record_operations:
            self._identity_map.hold(entity)
            self.recorded_operations.push(
                operation.DeleteEntityOperation(entity.entity_type, inspection.primary_key(entity))
            )

    def get(self, entity_type: str, entity_key: object) -> Optional[Entity]:
        """Return the entity of *entity_type* with the primary key *entity_key*, None if missing.

        *entity_key* is a value, or a list of values in the schema's order. A cached entity is
        returned without a request.

        Raise :exc:`KeyError` for an unknown type, :exc:`ValueError` for a wrong number of values,
        and :exc:`~ftrack_like.exception.InvalidValueError` for a type that cannot be a key.
        """
        return self._lookup.get(entity_type, entity_key)

    def get_many(self, entity_type: str, entity_keys: Iterable[object]) -> list[Optional[Entity]]:
        """Return the entities of *entity_type* with *entity_keys*, in their order, None if missing.

        Each key is as for :meth:`get`. One read of the cache and few requests find them all. Raise
        the errors of :meth:`get`.
        """
        return self._lookup.get_many(entity_type, entity_keys)

    def query(
        self,
        expression: str,
        page_size: int = 500,
        *,
        values: Optional[Mapping[str, Any]] = None,
    ) -> queries.QueryResult[Entity]:
        """Return the result of the query *expression*, which is sent when the result is used.

        For example ``'select name from Task where status.name is "Done"'``. Without ``select``, the
        type's default projections are loaded. Each request returns up to *page_size* entities.

        *values* maps names to values, and replaces each ``:name`` in the expression, such as
        ``'Task where name is :name'``, by a quoted value: text, number, date, entity, None, or for
        ``in :names`` a list of these. See :func:`ftrack_like.query.bind`, which does the same for
        an expression.

        Raise :exc:`KeyError` for an unknown type. The server reports other mistakes when the result
        is used.
        """
        if not isinstance(expression, str):
            raise exception.InvalidValueError(
                "A query expression is text such as 'Task where name is \"layout\"', not {shown}.",
                {"shown": shown(expression)},
            )
        pieces = None if values is None else queries.bind_pieces(expression, values)
        bound = expression if pieces is None else "".join([piece for piece, _ in pieces])
        prepared = queries.prepare(bound, self.types)
        wording = queries.Wording(expression, pieces)
        return queries.QueryResult(self, prepared, page_size, wording=wording)

    def select(self, entity_type: str, page_size: int = 500) -> BuiltQuery[Entity]:
        """Return a selection of the entities of *entity_type*, to build a query without text.

        ``session.select("Task").where(attr.status.name == "Done").order_by("name")``, with
        ``from ftrack_like import attr``. It is sent when its rows are used. Each request returns up
        to *page_size* entities.

        Raise :exc:`KeyError` for an unknown type.
        """
        # lazy: programs that write queries as text do not need it
        from ftrack_like.query.builder import BuiltQuery

        return BuiltQuery(self, entity_type, page_size)

    def query_many(
        self, expressions: Iterable[str], page_size: int = 500
    ) -> list[queries.QueryResult[Entity]]:
        """Return the results of several query *expressions*; one request loads their first pages.

        Further pages are loaded when they are needed. Raise the errors of :meth:`query`, and the
        server's error if it refuses any of the expressions.
        """
        results = [self.query(expression, page_size=page_size) for expression in expressions]
        queries.load_first_pages(self, results)
        return results

    def populate(self, entities: Union[Entity, Iterable[Entity]], projections: Projections) -> None:
        """Load *projections* of *entities* from the server, in few requests.

        *entities* is an entity or a list of entities; *projections* is text such as
        ``"name, status.name"``. The server's values replace the remote ones; uncommitted local
        values stay. Uncommitted new entities are skipped. The first entity's type must have all
        projections; for other types, unknown ones are skipped.
        """
        try:
            self._fetcher.populate(entities, projections)
        except exception.ServerParseError as error:
            queries.restate_projections(error, projections)
            raise

    def merge(self, value: _Merged, merged: Optional[MergeRecord] = None) -> _Merged:
        """Return *value* with every entity in it replaced by the session's own.

        *value* is an entity, or a list, set or mapping that contains entities. *merged* records the
        progress, for internal use.
        """
        return self._merge(value, {} if merged is None else merged)

    def _merge(self, value: _Merged, merged: MergeRecord) -> _Merged:
        """Merge *value* as :meth:`merge` does, and continue the record *merged*."""
        own: _Merged = self._loader.merge(value, merged)
        return own

    # Encoding

    def encode(self, data: Json, entity_attribute_strategy: str = "set_only") -> str:
        """Return *data* as JSON text, with entities as mappings.

        *entity_attribute_strategy* selects their values: ``all`` (missing ones are loaded),
        ``set_only``, ``modified_only`` (uncommitted) or ``persisted_only`` (remote). Raise
        :exc:`ValueError` for another strategy.
        """
        return self._codec.encode(data, entity_attribute_strategy)

    def _encode(self, item: object, entity_attribute_strategy: str = "set_only") -> Json:
        """Return a JSON value for *item*, which has no direct form in JSON."""
        return self._codec.encode_item(item, entity_attribute_strategy)

    def decode(self, string: str) -> Json:
        """Return the value of the JSON text *string*, with dates and detached entities in it."""
        return self._codec.decode(string)

    def _decode(self, item: dict[str, Any]) -> Json:
        """Return the date or entity that the JSON object *item* describes, else *item*."""
        return self._codec.decode_item(item)

    def entity_reference(self, entity: Entity) -> dict[str, Any]:
        """Return the type and primary key of *entity* as a mapping, without a request."""
        require_entity(entity, "referred to")
        with self.auto_populating(False):
            return {"__entity_type__": entity.entity_type, **inspection.primary_key(entity)}

    # Locations and components

    def _configure_locations(self) -> None:
        """Configure the built-in locations, then those of plugins. Repeating it is safe."""
        locations.configure_locations(self)

    def _get_locations(self, filter_inaccessible: bool = True) -> list[Location]:
        """Return the locations; *filter_inaccessible* leaves out those without an accessor."""
        return locations.get_locations(self, filter_inaccessible)

    def create_component(
        self,
        path: str,
        data: Optional[Mapping[str, Any]] = None,
        location: Union[Location, str, None] = "auto",
        *,
        progress: Optional[Progress] = None,
    ) -> Component:
        """Return a new component for the file or sequence at *path*, and add it to *location*.

        A sequence is written ``/path/to/file.%04d.exr [1-5, 7, 8]``. *data* sets attributes of the
        component. *location* "auto" adds it to the origin location and to the result of
        :meth:`pick_location`; None only to the origin location.

        *progress* receives ``(done, total)`` in bytes during a transfer. An exception in it ends
        the transfer, removes the partial data and reaches the caller.
        """
        # lazy: only publishing needs it
        from ftrack_like._session import components

        return components.create_component(self, path, data, location, progress)

    def get_component_availability(
        self, component: Component, locations: Optional[Iterable[Location]] = None
    ) -> dict[str, float]:
        """Return ``{location id: per cent}`` for *component*, by default in all *locations*."""
        return _availability(self, component, locations)

    def get_component_availabilities(
        self, components: Iterable[Component], locations: Optional[Iterable[Location]] = None
    ) -> list[dict[str, float]]:
        """Return ``{location id: per cent}`` for each component, by default in all *locations*."""
        return _availabilities(self, components, locations)

    def pick_location(self, component: Optional[Component] = None) -> Optional[Location]:
        """Return the accessible location with the best priority, or None.

        With *component*, consider only locations that contain at least a part of the component.
        """
        return locations.pick_location(self, component)

    def pick_locations(self, components: Iterable[Component]) -> list[Optional[Location]]:
        """Return the best location for each of *components*, as :meth:`pick_location` does."""
        return locations.pick_locations(self, components)

    # Special actions of the server

    def get_widget_url(
        self, name: str, entity: Optional[Entity] = None, theme: Optional[str] = None
    ) -> str:
        """Return a URL of the web widget *name* that opens without a login.

        *name* is ``info``, ``tasks`` or ``tasks_browser``. *entity* is the entity to show, if the
        widget shows one. *theme* is a colour theme such as ``light`` or ``dark``. The URL contains
        credentials and works for a few minutes.
        """
        return self._remote_actions.get_widget_url(name, entity, theme)

    def encode_media(
        self,
        media: Union[PathText, Entity],
        version_id: Optional[str] = None,
        keep_original: Union[bool, str] = "auto",
        *,
        wait: bool = False,
        timeout: Optional[float] = None,
        progress: Optional[Progress] = None,
    ) -> Job:
        """Start a job that makes versions of *media* for browsers, and return the job.

        *media* is the path of a file, which is uploaded first, or a file component. The results
        become components of the version *version_id*, if it is given. *keep_original* says whether
        to keep the component of *media*; "auto" keeps a given one and removes an uploaded one.

        With *wait*, return when the job is done; *timeout* is as for :meth:`wait_for_job`.
        *progress* receives ``(per cent, 100)``; an upload is the first half. An exception in it
        ends the upload or the waiting. Raise :exc:`ValueError` for another type of *media*.
        """
        return self._remote_actions.encode_media(
            media, version_id, keep_original, wait=wait, timeout=timeout, progress=progress
        )

    def wait_for_job(
        self,
        job: Union[Entity, str],
        timeout: Optional[float] = None,
        progress: Optional[Progress] = None,
    ) -> Job:
        """Wait until *job*, a job or its id, is done, and return it.

        With a connected event hub, events report changes; otherwise the method polls the server at
        growing intervals. The program need not handle events at the same time. *timeout* is in
        seconds; None waits without a limit. *progress* receives ``(per cent, 100)``; an exception
        in it ends the waiting.

        Raise :exc:`~ftrack_like.exception.JobFailedError` with the reason if the job fails, and
        :exc:`~ftrack_like.exception.JobTimeoutError` (a :exc:`TimeoutError`) after *timeout*.
        """
        # lazy: few programs wait for a job
        from ftrack_like._session import jobs

        return jobs.wait_for_job(self, job, timeout, progress)

    def get_upload_metadata(
        self,
        component_id: str,
        file_name: str,
        file_size: int,
        checksum: Optional[str] = None,
        *,
        parts: Optional[int] = None,
    ) -> dict[str, Any]:
        """Return the upload address for a component's data: ``{"url", "headers", "component_id"}``.

        *file_size* is in bytes, *checksum* the MD5 of the data as base64 text. With a number of
        *parts*, the result is
        ``{"urls": [{"part_number", "signed_url"}], "upload_id", "component_id"}``.
        """
        return self._remote_actions.get_upload_metadata(
            component_id, file_name, file_size, checksum, parts
        )

    def send_user_invite(self, user: Entity) -> None:
        """Send an invitation to *user* by mail."""
        self.send_user_invites([user])

    def send_user_invites(self, users: Iterable[Entity]) -> None:
        """Send invitations to *users* by mail."""
        self._remote_actions.invite("send_user_invite", "user_id", users)

    def send_review_session_invite(self, invitee: Entity) -> None:
        """Send *invitee* the link to the review session by mail."""
        self.send_review_session_invites([invitee])

    def send_review_session_invites(self, invitees: Iterable[Entity]) -> None:
        """Send *invitees* the links to their review sessions by mail."""
        self._remote_actions.invite(
            "send_review_session_invite", "review_session_invitee_id", invitees
        )

    def reset_remote(self, reset_type: str, entity: Optional[Entity] = None) -> Json:
        """Reset a value of *entity* on the server and return the new one.

        For *reset_type* ``api_key``, *entity* is a user, and the result is a mapping with the new
        key.
        """
        return self._remote_actions.reset_remote(reset_type, entity)


# The parameters called ``locations`` hide the module in two methods.
_availability = locations.get_component_availability
_availabilities = locations.get_component_availabilities
