"""Open a media file with PyAV, in the reading child process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["area", "has_disposition", "opened"]


def opened(asked: Mapping[str, Any]) -> Any:
    """Return the open container for ``path`` in *asked*, of one of its ``formats``."""
    import av  # lazy: optional

    options = {}
    if asked.get("formats"):
        options = {"format_whitelist": asked["formats"], "protocol_whitelist": "file"}
    return av.open(asked["path"], options=options)


def area(stream: Any) -> int:
    """Return the pixels of a picture of *stream*, 0 if it cannot be decoded."""
    context = stream.codec_context
    return 0 if context is None else int(context.width * context.height)


def has_disposition(stream: Any, disposition: str) -> bool:
    """Return whether *stream* has the flag *disposition*, such as ``attached_pic``."""
    return bool(stream.disposition & getattr(type(stream.disposition), disposition))
