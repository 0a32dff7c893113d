"""Create API keys, and compare them with stored digests in constant time.

The server shows a key only when it creates it. The database stores a digest, from which the key
cannot be computed. A plain hash is enough, because generated keys are random and long. A slow
password hash would cost time on each request. Short keys that a user chooses are only for
sandboxes on a laptop.
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
    """Return the digest of *key* to store: its SHA-256 in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def is_key(key: str, digest: str) -> bool:
    """Return whether *digest* is that of *key*. The comparison takes constant time."""
    return hmac.compare_digest(digest_key(key), digest)
