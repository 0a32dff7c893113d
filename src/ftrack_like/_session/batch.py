"""Batches whose results are wanted as the server sent them."""

from __future__ import annotations

from typing import Any

__all__ = ["RawBatch"]


class RawBatch(list[Any]):
    """A batch of operations; the session's ``call`` answers it with plain JSON values."""
