"""Add the credentials of a session to its requests, and only to requests to its server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

import requests.auth

from ftrack_like._transport.redaction import MASK

__all__ = ["CREDENTIAL_HEADERS", "SessionAuthentication", "leaves_host"]

CREDENTIAL_HEADERS = ("ftrack-api-key", "ftrack-user")

_DEFAULT_PORTS = {"http": 80, "https": 443}


def leaves_host(address: str, target: str) -> bool:
    """Return whether a redirect from *address* to *target* must not carry the credentials.

    A redirect may carry them if host, port and scheme stay the same. It may also go from http on
    port 80 to https on port 443 of the same host. The opposite direction counts as leaving, since
    it would send the API key unencrypted.
    """
    old, new = urlsplit(address), urlsplit(urljoin(address, target))
    if (old.hostname or "").lower() != (new.hostname or "").lower():
        return True
    old_port = old.port or _DEFAULT_PORTS.get(old.scheme)
    new_port = new.port or _DEFAULT_PORTS.get(new.scheme)
    if old.scheme == new.scheme:
        return old_port != new_port
    return (old.scheme, old_port, new.scheme, new_port) != ("http", 80, "https", 443)


class SessionAuthentication(requests.auth.AuthBase):
    """Attach the API key and the user's name to requests."""

    def __init__(self, api_key: str, api_user: str) -> None:
        """Initialise with the *api_key* of *api_user*."""
        self.api_key = api_key
        self.api_user = api_user

    def __call__(self, request: Any) -> Any:
        """Return *request* with the credentials as headers.

        A redirect to another host is followed without the credentials.
        """
        request.headers.update({"ftrack-api-key": self.api_key, "ftrack-user": self.api_user})
        if hasattr(request, "register_hook"):
            request.register_hook("response", self._drop_on_leaving)
        return request

    def __repr__(self) -> str:
        """Return a text with the user's name and a masked key."""
        return f"{type(self).__name__}(api_key={MASK!r}, api_user={self.api_user!r})"

    @staticmethod
    def _drop_on_leaving(response: Any, *args: Any, **kwargs: Any) -> None:
        """Remove the credentials from the request that ``requests`` copies for a redirect."""
        target = response.headers.get("location")
        if response.is_redirect and target and leaves_host(response.request.url, target):
            for name in CREDENTIAL_HEADERS:
                response.request.headers.pop(name, None)
