"""The server version that the sandbox reports; clients refuse servers older than 3.3.11."""

from __future__ import annotations

__all__ = ["SERVER_VERSION"]

SERVER_VERSION = "4.13.8"
