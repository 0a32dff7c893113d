"""Request sessions that never send credentials to another host, and their connection pools."""

from __future__ import annotations

import contextlib
import io
import os
import ssl
import sys
from collections.abc import Mapping
from typing import Any, Optional

import requests
import requests.adapters
import urllib3

from ftrack_like._transport.authentication import SessionAuthentication, leaves_host
from ftrack_like._transport.body import ACCEPTED
from ftrack_like._transport.connection_settings import CA_VARIABLES, ConnectionSettings
from ftrack_like._transport.limits import OpenConnections
from ftrack_like._transport.redaction import mask_urllib3_logs
from ftrack_like._transport.sockets import registering, watching

__all__ = ["GuardedSession", "PooledAdapter", "is_own_session", "request_session"]

#: The pool keeps this many connections per host. Connections of further threads close after use.
POOL_SIZE = 32

#: The body of a redirect is read up to this many bytes, so that its connection can be reused.
REDIRECT_PAGE = 64 * 1024

#: The headers that a redirect to another host may carry.
_HARMLESS_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "range"}
    | {"user-agent", "if-match", "if-none-match", "if-range", "host"}
)


#: The variables that name a proxy.
_PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")

#: Whether there are variables in mixed case, such as ``Http_Proxy``, which count as well. They are
#: searched only once: no program is known to set them while it runs.
_HAS_MIXED_NAMES = any(name.lower() in _PROXIES and name not in _PROXIES for name in os.environ)


def _may_have_proxies() -> bool:
    """Return whether the environment or the system settings (macOS, Windows) may name a proxy."""
    if _HAS_MIXED_NAMES or not sys.platform.startswith("linux"):
        return True
    return any(map(os.environ.__contains__, _PROXIES))


class PooledAdapter(requests.adapters.HTTPAdapter):
    """An adapter for many threads that requires TLS 1.2 or later.

    Its connections observe the time limit of the request. ``connections.end()`` cuts them.
    """

    #: The registry of the connections; None after unpickling.
    connections: Optional[OpenConnections] = None

    def __init__(
        self, connections: Optional[OpenConnections] = None, pool_size: int = POOL_SIZE
    ) -> None:
        """Initialise with *pool_size* connections per host, registered with *connections*."""
        super().__init__(pool_connections=4, pool_maxsize=pool_size, max_retries=0)
        self.connections = connections

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools. urllib3 2 requires TLS 1.2 by default, urllib3 1 needs a context."""
        if str(getattr(urllib3, "__version__", "2")).startswith("1."):
            context = urllib3.util.ssl_.create_urllib3_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            kwargs["ssl_context"] = context
        super().init_poolmanager(*args, **kwargs)
        watching(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **proxy_kwargs: Any) -> Any:
        """Return the pools for *proxy*."""
        if proxy in self.proxy_manager:
            return self.proxy_manager[proxy]
        return watching(super().proxy_manager_for(proxy, **proxy_kwargs))

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request and register the connections that are opened for it."""
        with registering(self.connections):
            return super().send(*args, **kwargs)


class _NoBody(io.BytesIO):
    """An empty body in place of a skipped body."""

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        """Return no bytes, whatever the arguments."""
        return b""


class GuardedSession(requests.Session):
    """A request session that follows redirects to other hosts without secrets."""

    def mount(self, prefix: Any, adapter: Any) -> None:
        """Use *adapter* for addresses with *prefix*; its connections observe the time limit too."""
        if not isinstance(adapter, PooledAdapter) and hasattr(adapter, "poolmanager"):
            watching(adapter.poolmanager)
        super().mount(prefix, adapter)

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        """Remove credentials, cookies and custom headers from a redirect to another host."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        if leaves_host(response.request.url, prepared_request.url):
            for name in list(prepared_request.headers):
                if name.lower() not in _HARMLESS_HEADERS:
                    del prepared_request.headers[name]

    def get_redirect_target(self, resp: Any) -> Any:
        """Return the address to which *resp* redirects, None if it does not; skip its body.

        The class of requests would decompress the body without a limit.
        """
        target = super().get_redirect_target(resp)
        raw = resp.raw
        if target and isinstance(raw, urllib3.HTTPResponse):
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                raw.read(REDIRECT_PAGE, decode_content=False)
            raw.close()
            resp.raw = _NoBody()
        return target

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Return the settings of one request; those of the session override the environment.

        In the class of requests, REQUESTS_CA_BUNDLE overrides ``session.verify``, and the proxies
        of the environment override ``session.proxies``.
        """
        proxies = {**self.proxies, **(proxies or {})}
        if verify is None and self.verify is not True:
            verify = self.verify
        if self.trust_env and not _may_have_proxies():
            # The same result as below without searching the environment for proxies. The search
            # takes a sixth of the time of a request.
            if verify is None or verify is True:
                bundles = (os.environ.get(name) for name in CA_VARIABLES)
                verify = next(filter(None, bundles), verify)
            return {
                "proxies": proxies,
                "stream": self.stream if stream is None else stream,
                "verify": self.verify if verify is None else verify,
                "cert": self.cert if cert is None else cert,
            }
        return super().merge_environment_settings(url, proxies, stream, verify, cert)


#: The methods that carry a request in requests, with their originals. Test doubles replace them.
_CARRIERS = tuple(
    (owner, name, vars(owner)[name])
    for owner, names in (
        (requests.Session, ("request", "post", "send", "get_adapter", "prepare_request")),
        (requests.adapters.HTTPAdapter, ("send",)),
    )
    for name in names
)


def is_own_session(request: requests.Session) -> bool:
    """Return whether *request* sends requests only with code of this library and of requests.

    A program may have replaced the session, its authentication, an adapter or a method, or may have
    added a hook. That code may not expect several requests at the same time.
    """
    if type(request) is not GuardedSession or type(request.auth) is not SessionAuthentication:
        return False
    if any(request.hooks.values()):
        return False
    if any(type(each) is not PooledAdapter for each in request.adapters.values()):
        return False
    parts = (request, *request.adapters.values())
    if any(name in vars(part) for part in parts for _, name, _ in _CARRIERS):
        return False
    return all(vars(owner).get(name) is original for owner, name, original in _CARRIERS)


def request_session(
    settings: ConnectionSettings,
    api_key: str,
    api_user: str,
    headers: Optional[Mapping[str, str]] = None,
    cookies: Any = None,
    connections: Optional[OpenConnections] = None,
) -> GuardedSession:
    """Return a request session with the credentials, *headers*, *cookies* and *settings*.

    *cookies* is a mapping of names to values, or a cookie jar. The session registers its
    connections with *connections*.
    """
    mask_urllib3_logs()
    made = GuardedSession()
    made.headers["Accept-Encoding"] = ACCEPTED
    made.auth = SessionAuthentication(api_key, api_user)
    made.headers.update(headers or {})
    if cookies:
        made.cookies.update(cookies)
    settings.apply(made)
    for prefix in ("https://", "http://"):
        made.mount(prefix, PooledAdapter(connections))
    return made
