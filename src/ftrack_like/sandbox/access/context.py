"""On whose behalf, and where and when, a request is answered."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ftrack_like.sandbox.access.rights import Rights

__all__ = ["RequestContext"]


@dataclass(frozen=True)
class RequestContext:
    """What an answer depends on beside the request and the database.

    *user_id* and *username* are of the calling user. *server_url* has no trailing slash and
    starts the addresses in answers, *public_url* those in mails. *now* is in UTC, without zone, at
    whole seconds. *sign* turns the path of an address (``/component/get?id=…``) into one that a
    plain GET may read, by adding what proves the right to; None leaves paths as they are.
    *client_token* is what the calling program calls itself, so that it knows its own doings in
    events.

    *unrestricted* lets the request do and see everything. Otherwise *rights* say what, None
    being those of an administrator; they are read when the transaction has begun.
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

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what restricted statements ask for; nothing for those who see everything."""
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
