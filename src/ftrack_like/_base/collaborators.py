"""Access to the collaborators of a session for the other modules of the library.

The collaborators are private attributes of the session. They cannot be public: studios set
attributes with any name on their sessions, and could overwrite them. Only this module reads the
private attributes. A collaborator is created at its first use. So it also exists on a session of a
studio's subclass that does not call the constructor of the base class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import requests

    from ftrack_like._configuration.credentials import Origins
    from ftrack_like._configuration.renewal import Renewal
    from ftrack_like._session.background import BackgroundCommits
    from ftrack_like._session.calls import Calls
    from ftrack_like._session.drops import Drops
    from ftrack_like._session.fetching import Fetcher
    from ftrack_like._session.hub_making import HubOptions
    from ftrack_like._session.identity_map import IdentityMap
    from ftrack_like._session.loader import Loader
    from ftrack_like._session.lookup import Lookup
    from ftrack_like._session.observing import Observers
    from ftrack_like._session.remote_actions import RemoteActions
    from ftrack_like._session.schema_store import SchemaStore
    from ftrack_like._session.starting import Start
    from ftrack_like._session.statistics import Statistics
    from ftrack_like._session.unit_of_work import UnitOfWork
    from ftrack_like._transport.connection_settings import ConnectionSettings
    from ftrack_like._transport.limits import OpenConnections
    from ftrack_like._transport.retry import RetryPolicy
    from ftrack_like._values.catalogue import Catalogue
    from ftrack_like.cache import Cache
    from ftrack_like.session import Session

__all__ = [
    "background_of",
    "calls_of",
    "catalogue_of",
    "connection_settings_of",
    "connections_of",
    "drops_of",
    "fetcher_of",
    "hub_options_of",
    "identity_map_of",
    "loader_of",
    "lookup_of",
    "observers_of",
    "origins_of",
    "remote_actions_of",
    "renewal_of",
    "request_session_of",
    "retry_policy_of",
    "schema_store_of",
    "start_of",
    "statistics_of",
    "top_cache_of",
    "unit_of_work_of",
]


def background_of(session: Session) -> Optional[BackgroundCommits]:
    """Return the commits in the background of *session*; None if there were none yet."""
    found: Optional[BackgroundCommits] = session.__dict__.get("_background")
    return found


def calls_of(session: Session) -> Calls:
    """Return the object that sends the batches of *session*."""
    return session._calls


def catalogue_of(session: Session) -> Catalogue:
    """Return the types and attributes in the schemas of *session*."""
    return session._catalogue


def connection_settings_of(session: Session) -> ConnectionSettings:
    """Return the settings of the connections of *session*: TLS, proxies and time-outs."""
    return session._connection_settings


def connections_of(session: Session) -> OpenConnections:
    """Return the registry of the open connections of *session*."""
    return session._connections


def drops_of(session: Session) -> Drops:
    """Return the object that drops stale values of *session*."""
    return session._drops


def identity_map_of(session: Session) -> IdentityMap:
    """Return the identity map of *session*."""
    return session._identity_map


def fetcher_of(session: Session) -> Fetcher:
    """Return the fetcher of *session*, which queries the server."""
    return session._fetcher


def hub_options_of(session: Session) -> HubOptions:
    """Return the arguments of *session* that its event hub needs."""
    return session._hub_options


def loader_of(session: Session) -> Loader:
    """Return the loader of *session*, which attaches records."""
    return session._loader


def lookup_of(session: Session) -> Lookup:
    """Return the object that finds single entities for *session*."""
    return session._lookup


def observers_of(session: Session) -> Observers:
    """Return the observers of the requests and commits of *session*."""
    return session._observers


def origins_of(session: Session) -> Origins:
    """Return the origins of the settings of *session*, for errors."""
    return session._origins


def remote_actions_of(session: Session) -> RemoteActions:
    """Return the object that requests uploads, jobs and invitations for *session*."""
    return session._remote_actions


def renewal_of(session: Session) -> Optional[Renewal]:
    """Return the object that asks the program of *session* for credentials, or None."""
    return session._renewal


def request_session_of(session: Session) -> requests.Session:
    """Return the request session of *session*; programs may replace it.

    Raise :exc:`~ftrack_like.exception.ConnectionClosedError` if *session* is closed.
    """
    return session._request


def retry_policy_of(session: Session) -> Optional[RetryPolicy]:
    """Return the retry policy of *session* for calls and transfers; None for the default."""
    return session._retry_policy


def schema_store_of(session: Session) -> SchemaStore:
    """Return the object that stores the schemas of *session* on disk."""
    return session._schema_store


def start_of(session: Session) -> Optional[Start]:
    """Return the start of *session*; None if a subclass replaced the constructor."""
    return session._start


def statistics_of(session: Session) -> Statistics:
    """Return the statistics of *session*."""
    return session._statistics


def top_cache_of(session: Session) -> Cache:
    """Return the first layer of the cache of *session*; programs may replace it."""
    return session._local_cache


def unit_of_work_of(session: Session) -> UnitOfWork:
    """Return the unit of work of *session*, which commits and undoes changes."""
    return session._unit_of_work
