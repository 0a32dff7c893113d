"""What the servers of this package say about themselves on their front page."""

from __future__ import annotations

__all__ = ["KIND_HEADER", "SERVER_VERSION"]

#: The server version that the sandbox reports; clients refuse servers older than 3.3.11.
SERVER_VERSION = "4.13.8"

#: The header that distinguishes these servers from sites: its value is ``sandbox`` or ``replay``.
KIND_HEADER = "FTRACK_LIKE"
