"""The id of the current request, for logs and answers."""

from __future__ import annotations

import contextvars
import os
import re
from typing import Optional

__all__ = ["HEADER", "REQUEST_ID", "request_id_for"]

#: The header of requests and answers, in lower case as in ASGI.
HEADER = b"x-request-id"

#: The id of the request that the current thread or task handles; empty outside of requests. Worker
#: threads see the value of their request.
REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("ftrack_like_request", default="")

#: Ids that a log and a header can contain without harm.
_HARMLESS = re.compile(rb"\A[0-9A-Za-z._-]{1,64}\Z")


def request_id_for(given: Optional[bytes]) -> str:
    """Return the id *given* in a header if it is harmless, and otherwise a new one."""
    if given is not None and _HARMLESS.match(given):
        return given.decode("ascii")
    return os.urandom(8).hex()
