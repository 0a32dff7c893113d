"""Signed addresses, which work without credentials for a limited time.

The signature covers every parameter of the address, so a client cannot change any parameter. The
secret is stored in the database, for all servers of the site, and never leaves them.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import hmac
import pathlib
import secrets
import time
from collections.abc import Mapping
from typing import Callable, Optional
from urllib.parse import urlencode

from ftrack_like.sandbox.database.engine import Database
from ftrack_like.sandbox.tables.server_values import (
    SIGNING_SECRET,
    agreed_value,
    server_value,
)

__all__ = ["HOLDER", "SignatureError", "Signer"]

#: The parameter with the id of the user who requested the address. In addresses of pictures and
#: data, which programs show in pages, the id is hidden.
HOLDER = "holder"

_SECRET_BYTES = 32
#: The length of the mark before a hidden text, and of the blocks that hide it.
_MARK_BYTES, _BLOCK_BYTES = 16, 32


class SignatureError(Exception):
    """An address was not signed by this server, has been changed or has expired."""


class Signer:
    """Signs and checks addresses. *clock* returns seconds since the epoch."""

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock

    @classmethod
    def of_site(cls, database: Database, folder: pathlib.Path) -> Signer:
        """Return a signer with the secret of the site in *database*; create it on first use.

        All servers of the database use the same secret. Earlier versions stored it in *folder*, the
        folder for files; it moves to the database, so that earlier addresses stay valid. Raise
        :exc:`OSError` if the stored secret is damaged.
        """
        with database.read() as connection:
            text = server_value(connection, SIGNING_SECRET)
        if text is None:
            earlier = folder / "secret"
            proposed = _earlier_secret(earlier) or secrets.token_hex(_SECRET_BYTES)
            with database.write() as connection:
                text = agreed_value(connection, SIGNING_SECRET, proposed)
            with contextlib.suppress(OSError):
                earlier.unlink()
        secret = _secret_of(text)
        if secret is None:
            raise OSError(
                errno.EINVAL,
                "The secret that signs addresses, the row 'signing secret' of the table "
                "server_value, is damaged. Remove the row to get a new one; all earlier addresses "
                "stop working then",
            )
        return cls(secret)

    def sign(self, address: str, parameters: Mapping[str, object], seconds: float) -> str:
        """Return *address* with *parameters* and a signature, valid for *seconds* from now."""
        named = {name: str(value) for name, value in parameters.items() if value is not None}
        named["expires"] = str(round(self._clock() + seconds))
        named["signature"] = self._signature(address, named)
        return f"{address}?{urlencode(named)}"

    def check(self, address: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return the signed *parameters* of a request for *address*.

        *address* is the text that :meth:`sign` received. Raise :exc:`SignatureError` if the
        signature is wrong or has expired.
        """
        named = dict(parameters)
        signature: Optional[str] = named.pop("signature", None)
        if signature is None or not hmac.compare_digest(
            signature.encode("utf-8"), self._signature(address, named).encode("ascii")
        ):
            raise SignatureError("The address was not signed by this server.")
        if float(named.pop("expires", "0")) < self._clock():
            raise SignatureError("The address has expired; ask for a new one.")
        return named

    def hide(self, text: str) -> str:
        """Return *text* so that only this server can read it, the same for the same text.

        Addresses contain it instead of the id of a user.
        """
        mark = self._key("hide", text.encode("utf-8"))[:_MARK_BYTES]
        hidden = mark + self._mixed(mark, text.encode("utf-8"))
        return base64.urlsafe_b64encode(hidden).decode("ascii").rstrip("=")

    def reveal(self, hidden: str) -> str:
        """Return the text that :meth:`hide` has hidden.

        Raise :exc:`SignatureError` if this server has not hidden it.
        """
        try:
            content = base64.urlsafe_b64decode(hidden + "=" * (-len(hidden) % 4))
            mark = content[:_MARK_BYTES]
            text = self._mixed(mark, content[_MARK_BYTES:])
            if hmac.compare_digest(mark, self._key("hide", text)[:_MARK_BYTES]):
                return text.decode("utf-8")
        except ValueError:  # not in base64
            pass
        raise SignatureError("The address was not signed by this server.")

    def _mixed(self, mark: bytes, content: bytes) -> bytes:
        """Return *content* combined with a stream of bytes that only this server can make."""
        length = len(content)
        blocks = [self._key(f"mix {n}", mark) for n in range(-(-length // _BLOCK_BYTES))]
        return bytes(one ^ other for one, other in zip(content, b"".join(blocks)))

    def _key(self, purpose: str, content: bytes) -> bytes:
        message = purpose.encode("ascii") + b"\0" + content
        return hmac.new(self._secret, message, hashlib.sha256).digest()

    def mark(self, *texts: str) -> str:
        """Return a short text that only this server can derive from *texts*."""
        return self._signature("mark", {str(n): text for n, text in enumerate(texts)})[:16]

    def _signature(self, address: str, parameters: Mapping[str, str]) -> str:
        # The encoding separates the parameters: no value can look like the start of another
        # parameter.
        text = f"{address}?{urlencode(sorted(parameters.items()))}"
        return hmac.new(self._secret, text.encode("utf-8"), hashlib.sha256).hexdigest()


def _earlier_secret(path: pathlib.Path) -> Optional[str]:
    """Return the secret in the file at *path*, None if there is none."""
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except ValueError:
        text = ""
    if _secret_of(text) is None:
        raise OSError(
            errno.EINVAL,
            "The secret that signs addresses is damaged. Remove the file to get a new one; "
            "all earlier addresses stop working then",
            str(path),
        )
    return text


def _secret_of(text: str) -> Optional[bytes]:
    """Return the secret in the hexadecimal *text*, None if it is damaged."""
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        return None
    return secret if len(secret) == _SECRET_BYTES else None
