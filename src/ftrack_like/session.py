"""The session: everything that is done with a server, and all entities that come of it.

:class:`Session` is a facade. What it does is done by its collaborators in ``_session``, each
made on first use from what stands on the session, and each reaching the session's methods when
it needs them: a method that a subclass overrides or a test replaces is the one that is used.
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
from ftrack_like._seams import keeps_originals
from ftrack_like._session import calls, lifecycle, locations
from ftrack_like._session.codec import Codec
from ftrack_like._session.entity_types import build_entity_types
from ftrack_like._session.flags import ThreadFlag, thread_flag
from ftrack_like._session.identity_map import IdentityMap, SessionCache
from ftrack_like._session.loader import Loader
from ftrack_like._session.lookup import Lookup
from ftrack_like._session.on_demand import OnDemand, TopCache
from ftrack_like._session.payloads import OperationPayload
from ftrack_like._session.schema_store import SchemaStore
from ftrack_like._session.settings import (
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
from ftrack_like._session.statistics import Statistics
from ftrack_like._session.unit_of_work import UnitOfWork
from ftrack_like._session.values import no_type, require_entity, require_mapping
from ftrack_like._transport.authentication import SessionAuthentication
from ftrack_like._transport.http import request_session
from ftrack_like._transport.limits import OpenConnections
from ftrack_like._transport.retry import RetryPolicy
from ftrack_like._transport.settings import ConnectionSettings
from ftrack_like._value_errors import shown

if TYPE_CHECKING:
    from http.cookiejar import CookieJar
    from types import TracebackType

    from ftrack_like._session.entity_types import EntityTypes
    from ftrack_like._session.merging import MergeRecord
    from ftrack_like._session.remote_actions import RemoteActions
    from ftrack_like._types import Json, PathText, Progress, Projections, Schemas, Timeout
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
    # lazy: few programs ask for any of them
    from ftrack_like._session.remote_actions import RemoteActions

    return RemoteActions(session)


@keeps_originals
class Session:
    """A connection to a server, with the entities that were read, made and changed through it.

    It may be shared by threads. A process that is forked off gets connections of its own. Close
    a session when done with it, or use it as a context manager.
    """

    # What a session has until it sets something else; its constructor may not be ours.
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
    #: The layers of the cache, the memory on top; it may be replaced as a whole.
    cache: caches.LayeredCache
    #: Makes the keys of the cache.
    cache_key_maker: caches.KeyMaker

    logger: OnDemand[logging.Logger] = OnDemand(_class_logger, "Where the session logs.")
    _thread_lock = OnDemand(
        lambda session: threading.RLock(), "Guards state, and is never held during a call."
    )
    _connection_settings = OnDemand(lambda session: ConnectionSettings(), "TLS and proxies.")
    _connections = OnDemand(lambda session: OpenConnections(), "Those under way.")
    _statistics = OnDemand(lambda session: Statistics(), "Counts of requests.")
    _calls = OnDemand(calls.Calls, "Sends batches.")
    _codec = OnDemand(Codec, "Encodes and decodes.")
    _identity_map = OnDemand(IdentityMap, "Holds one entity for each identity.")
    _loader = OnDemand(Loader, "Attaches what the server sends.")
    _lookup = OnDemand(Lookup, "Finds single entities, or makes them.")
    _unit_of_work = OnDemand(UnitOfWork, "Commits and takes back.")
    _schema_store = OnDemand(SchemaStore, "Keeps schemas on disk.")
    _remote_actions = OnDemand(_remote_actions_of, "Asks the server for other things.")
    _local_cache = TopCache()

    # Set by the start; made earlier only for plugins that query in their ``register``.
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

        *server_url*, *api_key* and *api_user* default to the environment variables
        FTRACK_SERVER, FTRACK_API_KEY (or FTRACK_APIKEY) and FTRACK_API_USER, the last one to
        who is logged in here.

        With *auto_populate*, attributes that are not loaded are asked of the server when they
        are read. *plugin_paths* are folders searched for plugins, by default those of
        FTRACK_EVENT_PLUGIN_PATH; their ``register`` is called with the session and as many of
        *plugin_arguments* as it takes.

        *cache* is a cache below the session's memory cache, or a function that is called with
        the session and returns one or None; *cache_key_maker* makes its keys, a
        :class:`~ftrack_like.cache.StringKeyMaker` by default.

        *auto_connect_event_hub* connects to the event server in the background.
        *schema_cache_path* is the folder for the schemas; None means that of
        FTRACK_API_SCHEMA_CACHE_PATH, else the user's cache folder, and False keeps none.

        *timeout* is how long to wait for an answer and *connect_timeout* for a connection, in
        seconds; None waits for ever, or as long as *timeout*. *cookies* (a mapping or a cookie
        jar) and *headers* go with every request. *strict_api* asks the server for error
        statuses. *verify*, *cert* and *proxies* are those of requests and count for events too.

        *deadline* bounds a whole call with its repetitions, and a handshake with the event
        server, in seconds. Without it each request may take twice its *timeout*, and longer
        while the answer comes at 64 KiB a second or faster. Uploads and downloads have no
        deadline, but end when fewer than 1024 bytes a second move for twice the *timeout*.

        *retry* says how often and for how long calls and transfers are repeated that fail for
        the moment, a :class:`~ftrack_like.RetryPolicy`. Without it FTRACK_API_RETRY_SECONDS
        names the seconds, else ``RetryPolicy(attempts=9, total_time=60)`` counts. A request that
        the server does not answer in time is repeated once.

        *event_hub_class* replaces :class:`~ftrack_like.event.hub.EventHub`. With *load_groups*,
        reading an attribute of one entity of a query's page loads it for its fellows as well.
        *on_lazy_load* is ``"ignore"``, ``"warn"`` or ``"raise"``: what to do when an attribute
        has to be asked of the server as it is read.

        Raise :exc:`~ftrack_like.exception.ConfigurationError` (a :exc:`TypeError`) when server
        or key are given nowhere, and a :exc:`~ftrack_like.exception.ServerError` when the
        server cannot be reached, refuses the key or is too old.
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
        """Set the cache: memory on top, below it *cache* or what it returns, if anything."""
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
        """Return the session, which is closed when the block is left."""
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
        """The requests session for calls; ConnectionClosedError once the session is closed."""
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
        """Whether the session was closed."""
        return self._closed

    @property
    def server_information(self) -> dict[str, Any]:
        """What the server said of itself at the start, a new mapping: ``version`` and more."""
        return dict(self._server_information)

    @property
    def server_url(self) -> str:
        """The address of the server, without a slash at its end."""
        return self._server_url

    @property
    def api_user(self) -> str:
        """The name of the user in whose name everything is done."""
        return self._api_user

    @property
    def api_key(self) -> str:
        """The API key."""
        return self._api_key

    @property
    def event_hub(self) -> EventHub:
        """The event hub; it has to be connected before events leave this process."""
        return self._event_hub

    @property
    def statistics(self) -> Statistics:
        """Counts of requests, bytes, cache hits and grouped loads since the start."""
        return self._statistics

    def close(self) -> None:
        """End all connections and forget what is held in memory; again does nothing.

        What was not committed is lost; a batch in doubt is left to the server. Afterwards a call
        raises :exc:`~ftrack_like.exception.ConnectionClosedError`.
        """
        lifecycle.close(self)

    def reset(self) -> None:
        """Forget what is held in memory, uncommitted changes too, and configure locations anew.

        A batch in doubt is left to the server. Raise
        :exc:`~ftrack_like.exception.CommitInProgressError` as :meth:`commit` does.
        Entities from before must not be used any more. A cache below the memory cache keeps what
        it has. The event ``ftrack.api.session.reset`` is published in the end.
        """
        lifecycle.reset(self)

    def _fetch_server_information(self) -> dict[str, Any]:
        """Return what the server says of itself."""
        result = self.call([{"action": "query_server_information"}])[0]
        if not isinstance(result, Mapping):
            raise exception.ServerAnswerError(
                f"What answers at {self._server_url} is no ftrack server: it does not say which "
                "version it is. Check the server address (FTRACK_SERVER)."
            )
        return dict(result)

    def check_server_compatibility(self) -> None:
        """Raise :exc:`~ftrack_like.exception.ServerCompatibilityError` if the server is too old."""
        lifecycle.check_version(self._server_information.get("version"))

    def call(self, data: Sequence[Mapping[str, Any]]) -> list[Json]:
        """Return the results of *data*, a list of operations, as a list in their order.

        An operation is a mapping with an ``action`` and what that needs, such as
        ``{"action": "query", "expression": "Task"}``. They are carried out in one transaction.
        Entities in the results are detached: merge those that are to stay.

        Raise a :exc:`~ftrack_like.exception.ServerError` when the server refuses an operation
        or cannot be reached; reading is repeated before that.
        """
        return self._call(data)

    def _call(self, data: Sequence[Mapping[str, Any]]) -> list[Json]:
        """Do what :meth:`call` does; the name by which older code calls it."""
        return self._calls.call(data)

    # Schemas, types and plugins

    def _discover_plugins(self, plugin_arguments: Optional[Mapping[str, Any]] = None) -> None:
        """Load the plugins in the plugin paths and register them with *plugin_arguments*."""
        plugin.discover(self._plugin_paths, [self], dict(plugin_arguments or {}))

    def _load_schemas(self, schema_cache_path: Union[PathText, bool, None]) -> Schemas:
        """Return the schemas, from the file at *schema_cache_path* where that is up to date."""
        return self._schema_store.load(schema_cache_path)

    def _read_schemas_from_cache(self, schema_cache_path: str) -> tuple[Schemas, Optional[str]]:
        """Return the schemas in a file and their hash, ``([], None)`` if there is no file.

        Raise :exc:`ValueError` when it is broken.
        """
        return self._schema_store.read_file(schema_cache_path)

    def _write_schemas_to_cache(self, schemas: Schemas, schema_cache_path: str) -> None:
        """Write *schemas* to a file, as a whole or not at all.

        Raise :exc:`TypeError` for what JSON cannot hold.
        """
        self._schema_store.write_file(schemas, schema_cache_path)

    def _build_entity_type_classes(self, schemas: Schemas) -> EntityTypes:
        """Return the entity classes for *schemas*, by type name."""
        return build_entity_types(self, schemas)

    # Settings of the calling thread

    @property
    def auto_populate(self) -> bool:
        """Whether attributes that are not loaded are asked of the server, in this thread."""
        try:
            return self._auto_populate.value
        except AttributeError:  # A copied constructor left something else there.
            return thread_flag(self, "_auto_populate").value

    @auto_populate.setter
    def auto_populate(self, value: bool) -> None:
        """Set it for this thread alone."""
        thread_flag(self, "_auto_populate").value = value

    @property
    def record_operations(self) -> bool:
        """Whether changes are recorded to be committed, in this thread."""
        try:
            return self._record_operations.value
        except AttributeError:  # A copied constructor left something else there.
            return thread_flag(self, "_record_operations").value

    @record_operations.setter
    def record_operations(self, value: bool) -> None:
        """Set it for this thread alone."""
        thread_flag(self, "_record_operations").value = value

    def auto_populating(self, auto_populate: bool) -> AutoPopulatingContext:
        """Return a context manager that sets :attr:`auto_populate` for a block of this thread."""
        return AutoPopulatingContext(self, auto_populate)

    def operation_recording(self, record_operations: bool) -> OperationRecordingContext:
        """Return a context manager that sets :attr:`record_operations` for a block."""
        return OperationRecordingContext(self, record_operations)

    # What is not committed

    @property
    def created(self) -> list[Entity]:
        """The entities that were created and are not committed."""
        return self._unit_of_work.created()

    @property
    def modified(self) -> list[Entity]:
        """The entities that were modified, but not created, and are not committed."""
        return self._unit_of_work.modified()

    @property
    def deleted(self) -> list[Entity]:
        """The entities that were deleted and are not committed."""
        return self._unit_of_work.deleted()

    @property
    def in_doubt(self) -> bool:
        """Whether the server may have applied the last batch without the session knowing.

        The next :meth:`commit` settles that.
        """
        return self._unit_of_work.in_doubt

    def commit(self) -> None:
        """Send what was recorded to the server, in one transaction.

        If the server refuses the batch, nothing has changed there and everything stays recorded:
        correct it and commit again, or :meth:`rollback`. What other threads record meanwhile
        stays for the next commit.

        Any other exception while the server works on the batch (Ctrl-C, an exception of a signal
        handler, a lost connection) leaves the batch in doubt. The next commit waits until the
        interrupted request is over, asks the server what became of the batch, sends it again if
        it was not applied, and then sends what was recorded since.

        Raise a :exc:`~ftrack_like.exception.ServerError` that names the operation which failed,
        where that is known; :exc:`~ftrack_like.exception.CommitInProgressError` in a signal
        handler that interrupts a commit or rollback of this session.
        """
        self._unit_of_work.commit()

    def rollback(self) -> None:
        """Take back what was recorded since the last commit.

        Entities that were created are forgotten; the others are as the server holds them. It
        asks the server nothing: if a batch is in doubt, a warning names the changes that the
        server may have applied and keeps, and loaded values that they concern are read again.

        Raise :exc:`~ftrack_like.exception.CommitInProgressError` as :meth:`commit` does.
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

        It is recorded to be created by the next commit. With *reconstructing*, it stands for an
        entity that the server has already, and *data* is what it holds.

        Raise :exc:`~ftrack_like.exception.UnrecognisedEntityTypeError` for an unknown type, and
        :exc:`~ftrack_like.exception.InvalidValueError` when *data* is no mapping.
        """
        if data is not None and type(data) is not dict:
            require_mapping(data, f"create({entity_type!r}, …)")
        entity = self._create(entity_type, {} if data is None else data, reconstructing)
        return self.merge(entity)

    def _create(self, entity_type: str, data: Mapping[str, Any], reconstructing: bool) -> Entity:
        """Return an entity of *entity_type* that is not attached yet."""
        try:
            class_ = self.types[entity_type]
        except TypeError:  # A list, say.
            raise no_type(entity_type) from None
        return class_(self, data=data, reconstructing=reconstructing)

    def ensure(
        self,
        entity_type: str,
        data: Mapping[str, Any],
        identifying_keys: Optional[Iterable[str]] = None,
    ) -> Entity:
        """Return the entity of *entity_type* with *data*, made or updated as needed.

        The entity is looked for by the values of *identifying_keys* in *data*, by all of them
        if it is None. One that is found gets the rest of *data*; else one is created. Changes
        are committed, with whatever else was recorded.

        Raise :exc:`ValueError` when there is nothing to look for, :exc:`KeyError` when *data*
        lacks an identifying key, :exc:`~ftrack_like.exception.InvalidValueError` when it is no
        mapping, and
        :exc:`~ftrack_like.exception.MultipleResultsFoundError` when several entities fit.
        """
        return self._lookup.ensure(entity_type, data, identifying_keys)

    def delete(self, entity: Entity) -> None:
        """Mark *entity* to be deleted by the next commit.

        Raise :exc:`~ftrack_like.exception.InvalidEntityError` for anything else than an entity.
        """
        require_entity(entity, "deleted")
        if self.record_operations:
            self.recorded_operations.push(
                operation.DeleteEntityOperation(entity.entity_type, inspection.primary_key(entity))
            )

    def get(self, entity_type: str, entity_key: object) -> Optional[Entity]:
        """Return the entity of *entity_type* with the primary key *entity_key*, None if missing.

        *entity_key* is a value, or a list of the values in the schema's order. An entity that
        is cached is returned without asking the server.

        Raise :exc:`KeyError` for an unknown type, :exc:`ValueError` when the number of values is
        wrong, and :exc:`~ftrack_like.exception.InvalidValueError` for what cannot be a key.
        """
        return self._lookup.get(entity_type, entity_key)

    def query(
        self,
        expression: str,
        page_size: int = 500,
        *,
        values: Optional[Mapping[str, Any]] = None,
    ) -> queries.QueryResult[Entity]:
        """Return the entities that the query *expression* finds, asked for as they are needed.

        For example ``'select name from Task where status.name is "Done"'``. Without ``select``
        the type's default projections are loaded. *page_size* entities come with each request.

        *values* takes the places of names in the expression, such as ``:name`` in ``'Task where
        name is :name'``, whatever is in them: a mapping of names to texts, numbers, dates,
        entities, None, or lists of these for ``in :names``. See
        :func:`ftrack_like.query.bind`, which does this for an expression alone.

        Raise :exc:`KeyError` for an unknown type; what else is wrong with the expression is
        said by the server, when it is asked.
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
        """Return the results of several query *expressions*, read in one request.

        The first page of each result is loaded; what a result finds beyond it is asked for as
        it is needed. Raise what :meth:`query` raises, and the server's error if it refuses any
        of the expressions.
        """
        results = [self.query(expression, page_size=page_size) for expression in expressions]
        queries.load_first_pages(self, results)
        return results

    def populate(self, entities: Union[Entity, Iterable[Entity]], projections: Projections) -> None:
        """Ask the server for *projections* of *entities*, in few requests.

        *entities* is an entity or a list of them; *projections* is text such as
        ``"name, status.name"``. Loaded values are replaced by the server's. Values that were set
        here and not committed stay. Entities that are not committed are left out. Types other
        than that of the first entity are asked for those of *projections* that they have.
        """
        try:
            self._loader.populate(entities, projections)
        except exception.ServerParseError as error:
            queries.restate_projections(error, projections)
            raise

    def merge(self, value: _Merged, merged: Optional[MergeRecord] = None) -> _Merged:
        """Return *value* with every entity in it replaced by the session's own one.

        *value* may be an entity, or lists, sets and mappings with entities somewhere inside.
        *merged* is the record of what was merged so far, for internal use.
        """
        return self._merge(value, {} if merged is None else merged)

    def _merge(self, value: _Merged, merged: MergeRecord) -> _Merged:
        """Do what :meth:`merge` does, going on from the record *merged*."""
        own: _Merged = self._loader.merge(value, merged)
        return own

    # Encoding

    def encode(self, data: Json, entity_attribute_strategy: str = "set_only") -> str:
        """Return *data* as JSON text, entities as mappings of some of their values.

        *entity_attribute_strategy* says which: ``all`` (what is missing is loaded),
        ``set_only``, ``modified_only`` (set here and not committed) or ``persisted_only``
        (as the server holds them). Raise :exc:`ValueError` for another one.
        """
        return self._codec.encode(data, entity_attribute_strategy)

    def _encode(self, item: object, entity_attribute_strategy: str = "set_only") -> Json:
        """Return *item*, for which JSON has no form, as something that it has one for."""
        return self._codec.encode_item(item, entity_attribute_strategy)

    def decode(self, string: str) -> Json:
        """Return the value of the JSON text *string*, with dates and detached entities in it."""
        return self._codec.decode(string)

    def _decode(self, item: dict[str, Any]) -> Json:
        """Return what the JSON object *item* stands for: a date, an entity or itself."""
        return self._codec.decode_item(item)

    def entity_reference(self, entity: Entity) -> dict[str, Any]:
        """Return a mapping of the type and primary key of *entity*, without asking the server."""
        require_entity(entity, "referred to")
        with self.auto_populating(False):
            return {"__entity_type__": entity.entity_type, **inspection.primary_key(entity)}

    # Locations and components

    def _configure_locations(self) -> None:
        """Set the built-in locations up and let plugins set up theirs; may be repeated."""
        locations.configure_locations(self)

    def _get_locations(self, filter_inaccessible: bool = True) -> list[Location]:
        """Return the locations, those without accessor left out if *filter_inaccessible*."""
        return locations.get_locations(self, filter_inaccessible)

    def create_component(
        self,
        path: str,
        data: Optional[Mapping[str, Any]] = None,
        location: Union[Location, str, None] = "auto",
        *,
        progress: Optional[Progress] = None,
    ) -> Component:
        """Return a new component for the file or sequence at *path*, added to *location*.

        A sequence is written ``/path/to/file.%04d.exr [1-5, 7, 8]``. *data* sets attributes of
        the component. *location* is a location; None adds the component to the origin location
        alone, and "auto" also to the one that :meth:`pick_location` gives.

        *progress* is called with ``(done, total)`` in bytes while data is moved; what it raises
        ends that, with nothing left behind, and comes out here.
        """
        # lazy: only publishing needs it
        from ftrack_like._session import components

        return components.create_component(self, path, data, location, progress)

    def get_component_availability(
        self, component: Component, locations: Optional[Iterable[Location]] = None
    ) -> dict[str, float]:
        """Return how much of *component* each location has: ``{location id: percentage}``.

        *locations* are those to look at, by default all that are accessible.
        """
        return _availability(self, component, locations)

    def get_component_availabilities(
        self, components: Iterable[Component], locations: Optional[Iterable[Location]] = None
    ) -> list[dict[str, float]]:
        """Return the availability of each of *components*, in their order.

        *locations* are those to look at, by default all that are accessible.
        """
        return _availabilities(self, components, locations)

    def pick_location(self, component: Optional[Component] = None) -> Optional[Location]:
        """Return the accessible location of the best priority, None if there is none.

        With *component*, only locations that hold all of it count.
        """
        return locations.pick_location(self, component)

    def pick_locations(self, components: Iterable[Component]) -> list[Optional[Location]]:
        """Return the best location that holds each of *components*, in their order."""
        return locations.pick_locations(self, components)

    # Other things that the server does

    def get_widget_url(
        self, name: str, entity: Optional[Entity] = None, theme: Optional[str] = None
    ) -> str:
        """Return an address of the web widget *name* that opens without a login.

        *name* is ``info``, ``tasks`` or ``tasks_browser``; *entity* is what it shows, where it
        shows one; *theme* is a colour theme, such as ``light`` or ``dark``. The address carries
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
        """Return the job that makes versions of *media* that a browser can play.

        *media* is the path of a file, which is uploaded first, or a file component. The results
        become components of the version *version_id*, of none if it is None.
        *keep_original* says whether the component of *media* stays afterwards; "auto" keeps one
        that was given and drops one that was made here.

        With *wait*, return once the job is done, as :meth:`wait_for_job` does, which *timeout*
        is for. *progress* is called with ``(per cent, 100)`` of all that is waited for: the
        upload alone is one half of it. What it raises ends the upload or the waiting.

        Raise :exc:`ValueError` if *media* is something else.
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
        """Return *job*, a job or the id of one, once it is done.

        While the event hub is connected, its events say when to look; else the server is asked
        again and again, less and less often. The program need not handle events meanwhile.
        *timeout* is how long to wait, in seconds; None waits for ever. *progress* is called with
        ``(per cent, 100)`` as far as the job tells; what it raises ends the waiting.

        Raise :exc:`~ftrack_like.exception.JobFailedError` with the reason if the job fails and
        :exc:`~ftrack_like.exception.JobTimeoutError` (a :exc:`TimeoutError`) if it takes longer.
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
        """Return where to upload the data of a component: ``{"url", "headers", "component_id"}``.

        *file_size* is in bytes, *checksum* the base64 text of the data's MD5. For a number of
        *parts* it is ``{"urls": [{"part_number", "signed_url"}], "upload_id", "component_id"}``.
        """
        return self._remote_actions.get_upload_metadata(
            component_id, file_name, file_size, checksum, parts
        )

    def send_user_invite(self, user: Entity) -> None:
        """Have an invitation mailed to *user*."""
        self.send_user_invites([user])

    def send_user_invites(self, users: Iterable[Entity]) -> None:
        """Have invitations mailed to *users*."""
        self._remote_actions.invite("send_user_invite", "user_id", users)

    def send_review_session_invite(self, invitee: Entity) -> None:
        """Have the link to a review session mailed to *invitee*, who was added to it."""
        self.send_review_session_invites([invitee])

    def send_review_session_invites(self, invitees: Iterable[Entity]) -> None:
        """Have the links to their review sessions mailed to *invitees*."""
        self._remote_actions.invite(
            "send_review_session_invite", "review_session_invitee_id", invitees
        )

    def reset_remote(self, reset_type: str, entity: Optional[Entity] = None) -> Json:
        """Return what the server sets anew: for *reset_type* ``api_key`` a mapping with the key.

        *entity* is whose it is, a user.
        """
        return self._remote_actions.reset_remote(reset_type, entity)


# Their parameter names hide the modules of the same names.
_availability = locations.get_component_availability
_availabilities = locations.get_component_availabilities


class AutoPopulatingContext:
    """Set for a block whether values that are not loaded are asked of the server."""

    def __init__(self, session: Session, auto_populate: bool) -> None:
        """Initialise for the calling thread of *session*."""
        super().__init__()
        self._session = session
        self._auto_populate = auto_populate
        self._before: list[bool] = []

    def __enter__(self) -> None:
        """Set it, remembering what was set."""
        self._before.append(self._session.auto_populate)
        self._session.auto_populate = self._auto_populate

    def __exit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Set what was set before."""
        self._session.auto_populate = self._before.pop()


class OperationRecordingContext:
    """Set for a block whether changes are recorded to be committed."""

    def __init__(self, session: Session, record_operations: bool) -> None:
        """Initialise for the calling thread of *session*."""
        super().__init__()
        self._session = session
        self._record_operations = record_operations
        self._before: list[bool] = []

    def __enter__(self) -> None:
        """Set it, remembering what was set."""
        self._before.append(self._session.record_operations)
        self._session.record_operations = self._record_operations

    def __exit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Set what was set before."""
        self._session.record_operations = self._before.pop()
