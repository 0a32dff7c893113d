"""The collaborators of a session, for the modules that work with it.

They stay private on the session: studios set attributes of any name on their sessions, so that a
public name could be taken. This module is the one place that reaches for them. They are made when
they are first asked for, also on a session whose constructor is a studio's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import requests

    from ftrack_like._session.calls import Calls
    from ftrack_like._session.identity_map import IdentityMap
    from ftrack_like._session.loader import Loader
    from ftrack_like._session.lookup import Lookup
    from ftrack_like._session.remote_actions import RemoteActions
    from ftrack_like._session.schema_store import SchemaStore
    from ftrack_like._session.settings import Origins
    from ftrack_like._session.statistics import Statistics
    from ftrack_like._session.unit_of_work import UnitOfWork
    from ftrack_like._transport.limits import OpenConnections
    from ftrack_like._transport.retry import RetryPolicy
    from ftrack_like._transport.settings import ConnectionSettings
    from ftrack_like.cache import Cache
    from ftrack_like.session import Session

__all__ = [
    "calls_of",
    "connection_settings_of",
    "connections_of",
    "identity_map_of",
    "loader_of",
    "lookup_of",
    "origins_of",
    "remote_actions_of",
    "request_session_of",
    "retry_policy_of",
    "schema_store_of",
    "statistics_of",
    "top_cache_of",
    "unit_of_work_of",
]


def calls_of(session: Session) -> Calls:
    """Return what sends the batches of *session*."""
    return session._calls


def connection_settings_of(session: Session) -> ConnectionSettings:
    """Return how *session* connects: TLS, proxies and time-outs."""
    return session._connection_settings


def connections_of(session: Session) -> OpenConnections:
    """Return the connections that *session* has open."""
    return session._connections


def identity_map_of(session: Session) -> IdentityMap:
    """Return the map of the attached entities of *session*."""
    return session._identity_map


def loader_of(session: Session) -> Loader:
    """Return what loads entities into *session*."""
    return session._loader


def lookup_of(session: Session) -> Lookup:
    """Return what finds single entities for *session*."""
    return session._lookup


def origins_of(session: Session) -> Origins:
    """Return where the settings of *session* come from."""
    return session._origins


def remote_actions_of(session: Session) -> RemoteActions:
    """Return what asks the server of *session* for uploads, jobs and invitations."""
    return session._remote_actions


def request_session_of(session: Session) -> requests.Session:
    """Return what sends the requests of *session*, which programs may replace.

    Raise :exc:`~ftrack_like.exception.ConnectionClosedError` once the session is closed.
    """
    return session._request


def retry_policy_of(session: Session) -> Optional[RetryPolicy]:
    """Return how *session* repeats calls and transfers; None for the usual way."""
    return session._retry_policy


def schema_store_of(session: Session) -> SchemaStore:
    """Return what keeps the schemas of *session* on disk."""
    return session._schema_store


def statistics_of(session: Session) -> Statistics:
    """Return the counts of *session*."""
    return session._statistics


def top_cache_of(session: Session) -> Cache:
    """Return the first layer of the cache of *session*, which programs may replace."""
    return session._local_cache


def unit_of_work_of(session: Session) -> UnitOfWork:
    """Return what commits and takes back the changes of *session*."""
    return session._unit_of_work
