"""Signed tokens with an expiry time, which pages store in a browser's cookies."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from ftrack_like.sandbox.media.signing import SignatureError, Signer

if TYPE_CHECKING:
    from starlette.responses import Response

    from ftrack_like.sandbox.web.pages import Asked

__all__ = ["keep_token", "make_token", "peek", "read_token"]


def make_token(signer: Signer, purpose: str, seconds: float, **values: str) -> str:
    """Return a token with *values* that is valid for *purpose* during *seconds*.

    The signature covers *purpose*, but the token does not contain it. A purpose can therefore
    contain a secret, and a token becomes invalid when the secret changes.
    """
    _, _, text = signer.sign(purpose, values, seconds).partition("?")
    return base64.urlsafe_b64encode(text.encode("utf-8")).decode("ascii").rstrip("=")


def keep_token(
    asked: Asked,
    response: Response,
    cookie: str,
    purpose: str,
    seconds: int,
    *,
    path: str = "/",
    **values: str,
) -> None:
    """Set a *cookie* on *response* with a token from :func:`make_token`.

    The browser sends the cookie only for addresses below *path*. Scripts cannot read it, and other
    sites cannot post it. If the request used HTTPS, the browser sends it only over HTTPS.
    """
    response.set_cookie(
        cookie,
        make_token(asked.api.media.signer, purpose, seconds, **values),
        max_age=seconds,
        path=path,
        secure=asked.request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def peek(token: str) -> dict[str, str]:
    """Return the values in *token* without a check of the signature; {} if it is not a token.

    Use :func:`read_token` before you trust the values.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.urlsafe_b64decode(padded.encode("ascii")).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=20))
    except (ValueError, binascii.Error):
        return {}


def read_token(signer: Signer, purpose: str, token: str) -> dict[str, str]:
    """Return the values in *token*.

    Raise :exc:`SignatureError` if it is for another *purpose*, was changed or has expired.
    """
    values = peek(token)
    if not values:
        raise SignatureError("The token is missing.")
    return signer.check(purpose, values)
