"""Files for the checks: data that need no library, and ways to send and read them."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import requests
from tests.conformance.site import Site

__all__ = ["SERVER_LOCATION", "address_of", "component", "credentials", "picture", "put", "upload"]

SERVER_LOCATION = "3a372bde-05bc-11e4-8908-20c9d081909b"
_SECONDS = 60


def picture(width: int = 64, height: int = 32) -> bytes:
    """Return a PNG picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x30\x60\x90" * width) * height
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def credentials(site: Site) -> dict[str, str]:
    """Return the headers that name the user who speaks."""
    return {"ftrack-user": site.client.user, "ftrack-api-key": site.client.key}


def component(site: Site, file_type: str = ".txt", **data: Any) -> str:
    """Create a file component for the time of the run and return its id."""
    data = {"name": "main", "file_type": file_type, **data}
    key = str(site.create("FileComponent", **data)["id"])
    if "version_id" not in data:
        site.remove_later("FileComponent", key)
    return key


def put(site: Site, key: str, data: bytes, name: str = "main.txt", **more: Any) -> Any:
    """Ask where the data of the component *key* go, and send them; return the first answer."""
    operation = {
        "action": "get_upload_metadata",
        "component_id": key,
        "file_name": name,
        "file_size": len(data),
        **more,
    }
    place = site.call(operation)[0]
    sent = requests.put(place["url"], data=data, headers=place["headers"], timeout=_SECONDS)
    sent.raise_for_status()
    return place


def upload(site: Site, data: bytes, file_type: str = ".txt", **more: Any) -> str:
    """Create a component whose data are in the server's location; return its id."""
    key = component(site, file_type, size=len(data), **more)
    put(site, key, data, f"main.{file_type.lstrip('.')}")
    site.create(
        "ComponentLocation",
        component_id=key,
        location_id=SERVER_LOCATION,
        resource_identifier=key,
    )
    return key


def address_of(site: Site, key: str) -> str:
    """Return the address from which the data of the component *key* are read."""
    found = site.one(
        f'select url from ComponentLocation where component_id is "{key}" '
        f'and location_id is "{SERVER_LOCATION}"'
    )
    return str(found["url"]["value"])
