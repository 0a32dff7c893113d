"""Batches whose results stay plain JSON values."""

from __future__ import annotations

from typing import Any

__all__ = ["RawBatch"]


class RawBatch(list[Any]):
    """A batch of operations that ``Session.call`` answers with plain JSON values, not entities."""
