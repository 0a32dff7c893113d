"""The credentials of a session, added to its requests and to nobody else's."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

import requests.auth

from ftrack_like._transport.redaction import MASK

__all__ = ["CREDENTIAL_HEADERS", "SessionAuthentication", "leaves_host"]

CREDENTIAL_HEADERS = ("ftrack-api-key", "ftrack-user")

_DEFAULT_PORTS = {"http": 80, "https": 443}


def leaves_host(address: str, target: str) -> bool:
    """Return whether *target* is a place to which *address* must not hand its credentials.

    Places are equal when host and port are. From http to https on the same host at the usual
    ports is no change of place; the way back is one, since it would send the key in the clear.
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

        A redirect that leaves the host is followed without them.
        """
        request.headers.update({"ftrack-api-key": self.api_key, "ftrack-user": self.api_user})
        if hasattr(request, "register_hook"):
            request.register_hook("response", self._drop_on_leaving)
        return request

    def __repr__(self) -> str:
        """Return the user's name; the key stays hidden."""
        return f"{type(self).__name__}(api_key={MASK!r}, api_user={self.api_user!r})"

    @staticmethod
    def _drop_on_leaving(response: Any, *args: Any, **kwargs: Any) -> None:
        """Take the credentials off the request from which a redirect will be copied."""
        target = response.headers.get("location")
        if response.is_redirect and target and leaves_host(response.request.url, target):
            for name in CREDENTIAL_HEADERS:
                response.request.headers.pop(name, None)
