"""The session: the connection to a server, and all entities that come from it.

:class:`Session` is a facade. Its parts in ``_session`` do the work. Each part is created on first
use. It looks up the session's methods at each call, so a method that a subclass overrides or a test
replaces is always used.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

import requests

from ftrack_like import cache as caches
from ftrack_like import exception, inspection, operation, plugin
from ftrack_like import query as queries
from ftrack_like._base.seams import keeps_originals
from ftrack_like._base.value_errors import shown
from ftrack_like._session import calls, lifecycle, locations
from ftrack_like._session.arguments import (
    Origins,
    checked_deadline,
    cookie_mapping,
    credentials,
    header_mapping,
    lazy_load_policy,
    lower_cache,
    plugin_folders,
    retry_policy,
)
from ftrack_like._session.codec import Codec
from ftrack_like._session.entity_types import build_entity_types
from ftrack_like._session.fetching import Fetcher
from ftrack_like._session.flags import ThreadFlag, thread_flag
from ftrack_like._session.identity_map import IdentityMap, SessionCache
from ftrack_like._session.invalid_values import no_type, require_entity, require_mapping
from ftrack_like._session.loader import Loader
from ftrack_like._session.lookup import Lookup
from ftrack_like._session.on_demand import OnDemand, TopCache
from ftrack_like._session.payloads import OperationPayload
from ftrack_like._session.schema_store import SchemaStore
from ftrack_like._session.statistics import Statistics
from ftrack_like._session.unit_of_work import UnitOfWork
from ftrack_like._transport.authentication import SessionAuthentication
from ftrack_like._transport.connection_settings import ConnectionSettings
from ftrack_like._transport.http import request_session
from ftrack_like._transport.limits import OpenConnections
from ftrack_like._transport.retry import RetryPolicy

if TYPE_CHECKING:
    from http.cookiejar import CookieJar
    from types import TracebackType

    from ftrack_like._base.types import Json, PathText, Progress, Projections, Schemas, Timeout
    from ftrack_like._session.entity_types import EntityTypes
    from ftrack_like._session.merging import MergeRecord
    from ftrack_like._session.remote_actions import RemoteActions
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.job import Job
    from ftrack_like.entity.location import Location
    from ftrack_like.event.hub import EventHub

__all__ = [
    "AutoPopulatingContext",
    "OperationPayload",
    "OperationRecordingContext",
    "RetryPolicy",
    "Session",
    "SessionAuthentication",
]

_Merged = TypeVar("_Merged")


def _class_logger(session: Session) -> logging.Logger:
    """Return the logger named after the class of *session*."""
    return logging.getLogger(f"{__name__}.{type(session).__name__}")


def _remote_actions_of(session: Session) -> RemoteActions:
    """Return the remote actions of *session*."""
    # lazy: few programs need them
    from ftrack_like._session.remote_actions import RemoteActions

    return RemoteActions(session)


@keeps_originals
class Session:
    """A connection to a server, with the entities that a program queries and changes through it.

    Threads may share a session. A forked process gets its own connections. Close a session after
    use, or use it as a context manager.
    """

    # Defaults, because a subclass may replace the constructor.
    _auto_connect_event_hub_thread: Optional[threading.Thread] = None
    _closed = False
    _load_groups = True
    _on_lazy_load = "ignore"
    _origins = Origins()
    _plugin_paths: Sequence[str] = ()
    _retry_policy: Optional[RetryPolicy] = None
    _schema_cache_path: Union[PathText, bool, None] = None
    #: How long to wait for an answer, in seconds; None waits for ever.
    request_timeout: Timeout = 60
    _event_hub: EventHub
    _managed_request: Optional[requests.Session]
    _server_information: dict[str, Any]
    #: The layers of the cache, with the memory on top. A program may replace it.
    cache: caches.LayeredCache
    #: Makes the keys of the cache.
    cache_key_maker: caches.KeyMaker

    logger: OnDemand[logging.Logger] = OnDemand(_class_logger, "Where the session logs.")
    _thread_lock = OnDemand(
        lambda session: threading.RLock(), "Guards the state. Calls release it while they wait."
    )
    _connection_settings = OnDemand(lambda session: ConnectionSettings(), "TLS and proxies.")
    _connections = OnDemand(lambda session: OpenConnections(), "The open connections.")
    _statistics = OnDemand(lambda session: Statistics(), "Counts of requests.")
    _calls = OnDemand(calls.Calls, "Sends batches.")
    _codec = OnDemand(Codec, "Encodes and decodes.")
    _identity_map = OnDemand(IdentityMap, "Keeps one entity for each identity.")
    _loader = OnDemand(Loader, "Attaches the server's records.")
    _fetcher = OnDemand(Fetcher, "Queries the server.")
    _lookup = OnDemand(Lookup, "Finds or creates single entities.")
    _unit_of_work = OnDemand(UnitOfWork, "Commits and rolls back.")
    _schema_store = OnDemand(SchemaStore, "Keeps schemas on disk.")
    _remote_actions = OnDemand(_remote_actions_of, "Calls special actions of the server.")
    _local_cache = TopCache()

    # The start sets them. Only plugins that query in ``register`` create them earlier.
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
        cache: Union[caches.Cache, Callable[[Session], Optional[caches.Cache]], None] = None,
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
    ) -> None:
        """Connect to a server, load plugins and build the entity types from its schemas.

        *server_url*, *api_key* and *api_user* default to the environment variables FTRACK_SERVER,
        FTRACK_API_KEY (or FTRACK_APIKEY) and FTRACK_API_USER; the last to the user who is logged
        in.

        *auto_populate* loads missing attributes when they are read. *plugin_paths* are the folders
        with plugins, by default those in FTRACK_EVENT_PLUGIN_PATH. Their ``register`` receives the
        session and the *plugin_arguments* that it accepts. *auto_connect_event_hub* connects in the
        background.

        *cache* is a cache below the memory cache, or a function that takes the session and returns
        one or None. *cache_key_maker* is by default a :class:`~ftrack_like.cache.StringKeyMaker`.
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

        *retry*, a :class:`~ftrack_like.RetryPolicy`, limits the retries of calls and transfers.
        Without it FTRACK_API_RETRY_SECONDS gives the seconds, and the default is
        ``RetryPolicy(attempts=9, total_time=60)``. A request that times out is retried once.

        *event_hub_class* replaces :class:`~ftrack_like.event.hub.EventHub`. *load_groups* loads a
        missing attribute for all entities of a query's page at once. *on_lazy_load* is
        ``"ignore"``, ``"warn"`` or ``"raise"``: the reaction to loading an attribute when it is
        read. ``"raise"`` raises :exc:`~ftrack_like.exception.LazyLoadError`.

        Raise :exc:`~ftrack_like.exception.ConfigurationError` (a :exc:`TypeError`) if server or key
        are missing, and :exc:`~ftrack_like.exception.ServerError` if the server is out of reach,
        refuses the key or is too old.
        """
        super().__init__()
        given = credentials(server_url, api_key, api_user)
        self._server_url = given.server_url
        self._api_key = given.api_key
        self._api_user = given.api_user
        self._origins = given.origins
        self._connection_settings = ConnectionSettings.normal(
            verify, cert, proxies, connect_timeout, checked_deadline(deadline)
        )
        self._retry_policy = retry_policy(retry)
        self._load_groups = load_groups
        self._on_lazy_load = lazy_load_policy(on_lazy_load)
        self._plugin_paths = plugin_folders(plugin_paths)
        self._schema_cache_path = schema_cache_path
        self.request_timeout = timeout
        self._auto_populate = ThreadFlag(auto_populate)
        self._record_operations = ThreadFlag(True)
        self.recorded_operations: operation.Operations = operation.Operations()
        self._make_cache(cache, cache_key_maker)
        own_headers, own_cookies = header_mapping(headers), cookie_mapping(cookies)
        self._request = request_session(
            self._connection_settings,
            self._api_key,
            self._api_user,
            {**own_headers, "ftrack-strict-api": "true" if strict_api else "false"},
            own_cookies,
            self._connections,
        )
        options = lifecycle.StartOptions(
            event_hub_class, own_headers, own_cookies, auto_connect_event_hub, plugin_arguments
        )
        lifecycle.start(self, options)

    def _make_cache(
        self,
        cache: Union[caches.Cache, Callable[[Session], Optional[caches.Cache]], None],
        key_maker: Optional[caches.KeyMaker],
    ) -> None:
        """Set the cache: memory on top, and below it *cache* or its result, if any."""
        self.cache_key_maker = caches.StringKeyMaker() if key_maker is None else key_maker
        self.cache = SessionCache(self)
        lower = lower_cache(self, cache)
        if lower is not None:
            self.cache.caches.append(lower)

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
        """Close the session."""
        self.close()

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
        """Counts of requests, bytes, cache hits and grouped loads since the start."""
        return self._statistics

    def close(self) -> None:
        """End all connections and forget all entities. A second call does nothing.

        Pending operations are lost; the outcome of a batch in doubt stays unknown. Later calls
        raise :exc:`~ftrack_like.exception.ConnectionClosedError`.
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

    def _discover_plugins(self, plugin_arguments: Optional[Mapping[str, Any]] = None) -> None:
        """Load the plugins in the plugin paths and register them with *plugin_arguments*."""
        plugin.discover(self._plugin_paths, [self], dict(plugin_arguments or {}))

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

    def commit(self) -> None:
        """Send the pending operations to the server, in one transaction.

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
        self._unit_of_work.commit()

    def rollback(self) -> None:
        """Undo the changes since the last commit, without a request.

        Created entities are forgotten; the others get their remote values back. If a batch is in
        doubt, a warning names the changes that the server may have applied, and their loaded values
        are read again. Raise :exc:`~ftrack_like.exception.CommitInProgressError` as :meth:`commit`
        does.
        """
        self._unit_of_work.rollback()

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


class AutoPopulatingContext:
    """Set ``auto_populate`` of the calling thread for a block."""

    def __init__(self, session: Session, auto_populate: bool) -> None:
        """Prepare to set it on *session*."""
        super().__init__()
        self._session = session
        self._auto_populate = auto_populate
        self._before: list[bool] = []

    def __enter__(self) -> None:
        """Set the value and remember the old one."""
        self._before.append(self._session.auto_populate)
        self._session.auto_populate = self._auto_populate

    def __exit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Restore the old value."""
        self._session.auto_populate = self._before.pop()


class OperationRecordingContext:
    """Set ``record_operations`` of the calling thread for a block."""

    def __init__(self, session: Session, record_operations: bool) -> None:
        """Prepare to set it on *session*."""
        super().__init__()
        self._session = session
        self._record_operations = record_operations
        self._before: list[bool] = []

    def __enter__(self) -> None:
        """Set the value and remember the old one."""
        self._before.append(self._session.record_operations)
        self._session.record_operations = self._record_operations

    def __exit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Restore the old value."""
        self._session.record_operations = self._before.pop()
