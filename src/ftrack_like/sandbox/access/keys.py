"""API keys: made, kept as digests, compared in constant time.

A key is only ever seen when it is made; the database holds what cannot be turned back into it.
A plain hash is enough for keys that are random throughout; short keys that somebody chose are
for sandboxes on a laptop.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

__all__ = ["digest_key", "is_key", "new_key"]


def new_key() -> str:
    """Return a new API key of 240 random bits, safe in addresses and shells."""
    return base64.urlsafe_b64encode(secrets.token_bytes(30)).decode("ascii")


def digest_key(key: str) -> str:
    """Return what is stored of *key*: a SHA-256 in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def is_key(key: str, digest: str) -> bool:
    """Return whether *key* is the one that *digest* was made of, in time that tells nothing."""
    return hmac.compare_digest(digest_key(key), digest)
