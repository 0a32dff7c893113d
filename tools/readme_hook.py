"""The long description and the addresses in the metadata of the package.

The description is README.rst without the parts that only a checkout can show: an index has neither
the pictures nor the other files of the repository, so relative addresses lead nowhere there.

The addresses of the source depend on the place that hosts it. The build of a release gets it
from the variable ``FTRACK_LIKE_SOURCE_URL``. Without the variable, the package names no address of
its source: an address that does not exist helps no reader.

hatchling runs this hook when it builds the package.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

from hatchling.metadata.plugin.interface import MetadataHookInterface

__all__ = ["ReadmeHook", "addresses", "for_an_index"]

#: The variable with the address of the repository, such as ``https://git.studio.example/ftrack-like``.
SOURCE_VARIABLE = "FTRACK_LIKE_SOURCE_URL"

#: A picture with a relative address, and its options.
_PICTURE = re.compile(r"^\.\. image:: (?!https?:).*\n(?:[ ]+:.*\n)*\n?", re.MULTILINE)
#: A link with a relative address.
_LINK = re.compile(r"`([^`<]+?)\s+<(?!https?:|mailto:)[^>`]+>`__?")


class ReadmeHook(MetadataHookInterface):  # type: ignore[misc]
    """Sets the fields ``readme`` and ``urls``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the long description and the addresses to *metadata*."""
        text = Path(self.root, "README.rst").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/x-rst", "text": for_an_index(text)}
        metadata["urls"] = addresses(os.environ.get(SOURCE_VARIABLE))


def for_an_index(text: str) -> str:
    """Return the README *text* without relative pictures, and with relative links as plain text."""
    return _LINK.sub(r"\1", _PICTURE.sub("", text))


def addresses(source: Optional[str]) -> dict[str, str]:
    """Return the addresses for the metadata by label; *source* is the address of the repository.

    The first one is the documentation of the service that the client talks to. Raise
    :exc:`ValueError` if *source* is not the address of a web page.
    """
    found = {"ftrack API documentation": "https://developer.ftrack.com/"}
    source = (source or "").strip().rstrip("/")
    if not source:
        return found
    parts = urlsplit(source)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
        raise ValueError(
            f"{SOURCE_VARIABLE} is not the address of a web page that begins with https:// and has "
            "no user name in it. Correct it, or unset it to build without addresses."
        )
    page = f"{source}/blob/main"
    return {
        "Homepage": source,
        "Source": source,
        "Documentation": f"{page}/docs/index.rst",
        "Changelog": f"{page}/CHANGELOG.rst",
        "Security": f"{page}/SECURITY.rst",
        "Issues": f"{source}/issues",
        **found,
    }
