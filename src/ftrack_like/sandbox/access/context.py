"""The user, the addresses and the time of a request."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from ftrack_like.sandbox.access.rights import Rights

__all__ = ["RequestContext"]


@dataclass(frozen=True)
class RequestContext:
    """All facts, besides the request and the database, that determine the answer to a request.

    - *user_id* and *username* identify the calling user.
    - *server_url* begins the addresses in answers, *public_url* the addresses in mails. They have
      no trailing slash.
    - *now* is the time in UTC, without a time zone, in whole seconds.
    - *sign* adds a signature to the path of an address (``/component/get?id=…``), so that a plain
      GET may read it. None leaves paths unsigned.
    - *client_token* is a name that the calling program has chosen. Events contain it, so that the
      program recognises its own changes.
    - *background* is true if the server itself works, for example encodes media.
    - *by_server* is true if the server itself acts. Events about such changes name no user.
    - *bulk* is true if the changes are not recorded in the activity (``Event`` and ``Feed``).
    - *unrestricted* is true if the request may see and do everything. Otherwise *rights* are the
      rights of the user, or None for an administrator. The server reads them after the
      transaction has begun.
    - *has_account* is true if the transaction checks the user's account again, and *key_digest* is
      the digest of the user's key in the request, empty without a key.
    """

    user_id: str
    username: str
    server_url: str
    now: datetime
    sign: Optional[Callable[[str], str]] = None
    client_token: Optional[str] = None
    unrestricted: bool = True
    rights: Optional[Rights] = None
    public_url: str = ""
    has_account: bool = False
    key_digest: str = field(default="", repr=False)
    background: bool = False
    by_server: bool = False
    bulk: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of restricted statements, or {} for a user who sees everything."""
        return {} if self.rights is None else self.rights.parameters

    def component_url(self, component_id: str) -> str:
        """Return the address of the data of a component."""
        return self._address("/component/get?id=" + urllib.parse.quote(component_id, safe=""))

    def thumbnail_url(self, component_id: str, size: int = 300) -> str:
        """Return the address of a component's image, *size* pixels wide."""
        quoted = urllib.parse.quote(component_id, safe="")
        return self._address(f"/component/thumbnail?id={quoted}&size={size}")

    def _address(self, path: str) -> str:
        return self.server_url + (self.sign(path) if self.sign else path)
