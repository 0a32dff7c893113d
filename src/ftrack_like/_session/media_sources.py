"""Reject files that cannot be media, before an upload starts or a job is created."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from ftrack_like._base.paths import check_path
from ftrack_like._session.components import files_of
from ftrack_like.exception import LocationError, MediaError

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.entity.component import Component

__all__ = ["check_media", "check_media_component"]

#: File types that never contain pictures or sound. The encoder decides about files with unknown
#: suffixes, because it reads the content.
_NO_MEDIA = frozenset(
    f".{name}"
    for name in (
        *("txt", "md", "rst", "csv", "tsv", "log", "json", "yaml", "yml", "toml", "ini", "xml"),
        *("html", "htm", "css", "js", "py", "pyc", "sh", "bat", "doc", "docx", "xls", "xlsx"),
        *("zip", "tar", "gz", "tgz", "bz2", "xz", "7z", "rar", "exe", "dll", "so", "sqlite", "db"),
        *("ma", "mb", "nk", "hip", "hiplc", "blend", "abc", "usd", "usda", "usdc", "fbx", "obj"),
    )
)


def check_media(path: str) -> None:
    """Raise :exc:`~ftrack_like.exception.MediaError` if the file at *path* cannot be media.

    *path* is the path of a file, or an expression for a sequence. Raise
    :exc:`~ftrack_like.exception.PathError` for a path that no file can have, and
    :exc:`~ftrack_like.exception.LocationError` if a file is missing or cannot be read.
    """
    check_path(path)
    _check_type(path, os.path.splitext(path.partition(" [")[0])[1])
    files = files_of(path)
    if not files:
        raise MediaError(f"The sequence {path} has no frames.")
    for file in files:
        try:
            status = os.stat(file)
        except OSError as error:
            raise LocationError(
                "The media file {path} cannot be read; it was not found or is out of reach: "
                "{error}",
                details={"path": file, "error": error.strerror},
            ) from error
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{file} is not a file, so it cannot be encoded.")
        if not status.st_size:
            raise MediaError(f"The file {file} is empty, so it cannot be encoded.")


def check_media_component(component: Component) -> None:
    """Raise :exc:`~ftrack_like.exception.MediaError` if *component* cannot be media.

    Use only the values that this session has: the size on the server may be out of date.
    """
    with component.session.auto_populating(False):
        _check_type(str(component), component.get("file_type"))
    measured = getattr(component, "measured", None)
    if measured is not None and not measured[1]:
        raise MediaError(f"The file of component {component} is empty, so it cannot be encoded.")


def _check_type(name: str, file_type: Value) -> None:
    """Raise an error if files of *file_type* are never media; *name* appears in the message."""
    if isinstance(file_type, str) and file_type.lower() in _NO_MEDIA:
        raise MediaError(
            f"{name} cannot be encoded: files of the type {file_type} contain no picture or sound."
        )
