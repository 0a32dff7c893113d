"""Request sessions that keep credentials at home, and their connection pools."""

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
from ftrack_like._transport.limits import OpenConnections
from ftrack_like._transport.redaction import mask_urllib3_logs
from ftrack_like._transport.settings import CA_VARIABLES, ConnectionSettings
from ftrack_like._transport.sockets import registering, watching

__all__ = ["GuardedSession", "PooledAdapter", "request_session"]

#: Connections kept a host; more threads than this still work, and close theirs after use.
POOL_SIZE = 32

#: The longest page of a redirect, in bytes, that is read so that its connection can be used again.
REDIRECT_PAGE = 64 * 1024

#: What may go along when a redirect leads to another host.
_HARMLESS_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "range"}
    | {"user-agent", "if-match", "if-none-match", "if-range", "host"}
)


#: Variables that name a proxy for us.
_PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")

#: Whether there are some as ``Http_Proxy``, which count too; nobody sets them while a program runs.
_HAS_MIXED_NAMES = any(name.lower() in _PROXIES and name not in _PROXIES for name in os.environ)


def _may_have_proxies() -> bool:
    """Return whether the environment may name a proxy, or the settings of another system."""
    if _HAS_MIXED_NAMES or not sys.platform.startswith("linux"):
        return True
    return any(map(os.environ.__contains__, _PROXIES))


class PooledAdapter(requests.adapters.HTTPAdapter):
    """An adapter with room for many threads that never speaks less than TLS 1.2.

    Its connections observe the limit of the request, and are cut when *connections* are ended.
    """

    #: Where the connections are registered; None after unpickling.
    connections: Optional[OpenConnections] = None

    def __init__(
        self, connections: Optional[OpenConnections] = None, pool_size: int = POOL_SIZE
    ) -> None:
        """Initialise with *pool_size* connections a host, registered with *connections*."""
        super().__init__(pool_connections=4, pool_maxsize=pool_size, max_retries=0)
        self.connections = connections

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools; urllib3 2 asks for TLS 1.2 by itself, older ones are told to."""
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
        """Send a request; its connection is registered while it is made."""
        with registering(self.connections):
            return super().send(*args, **kwargs)


class _NoBody(io.BytesIO):
    """Stands for a body that was passed over."""

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        """Return nothing; the options are those of urllib3."""
        return b""


class GuardedSession(requests.Session):
    """A request session that follows redirects to other hosts without anything of ours."""

    def mount(self, prefix: Any, adapter: Any) -> None:
        """Use *adapter* for addresses with the *prefix*; its connections observe the limit too."""
        if not isinstance(adapter, PooledAdapter) and hasattr(adapter, "poolmanager"):
            watching(adapter.poolmanager)
        super().mount(prefix, adapter)

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        """Strip credentials, cookies and own headers off a redirect that leaves the host."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        if leaves_host(response.request.url, prepared_request.url):
            for name in list(prepared_request.headers):
                if name.lower() not in _HARMLESS_HEADERS:
                    del prepared_request.headers[name]

    def get_redirect_target(self, resp: Any) -> Any:
        """Return where *resp* leads, None if nowhere; a page that comes with it is not read.

        Plain requests would decompress it without bound.
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
        """Return the settings of one request; what was set on the session beats the environment.

        Plain requests lets REQUESTS_CA_BUNDLE win over ``session.verify``, and the proxies of the
        environment over ``session.proxies``.
        """
        proxies = {**self.proxies, **(proxies or {})}
        if verify is None and self.verify is not True:
            verify = self.verify
        if self.trust_env and not _may_have_proxies():
            # As below, but for the search of the environment: a sixth of the time of a request.
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


def request_session(
    settings: ConnectionSettings,
    api_key: str,
    api_user: str,
    headers: Optional[Mapping[str, str]] = None,
    cookies: Any = None,
    connections: Optional[OpenConnections] = None,
) -> GuardedSession:
    """Return a request session with the credentials, *headers*, *cookies* and *settings*.

    *cookies* is a mapping of names to values, or a cookie jar. The connections are registered
    with *connections*.
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
