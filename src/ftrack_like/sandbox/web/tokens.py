"""Tokens that a visitor's browser keeps for us: signed, dated, and of no use elsewhere."""

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
    """Return a token with *values* that is good for *purpose* during *seconds*.

    *purpose* is part of what is signed, but not of the token: a secret in it stays one, and a
    token is no good once that has changed.
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
    """Have *response* leave a token, as :func:`make_token` makes it, as a *cookie* for *path*.

    No script sees it, no other site sends it, and it does not travel in the clear where *asked*
    did not.
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
    """Return what *token* claims, which nobody has checked; empty for what is no token."""
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.urlsafe_b64decode(padded.encode("ascii")).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=20))
    except (ValueError, binascii.Error):
        return {}


def read_token(signer: Signer, purpose: str, token: str) -> dict[str, str]:
    """Return the values of *token*.

    Raise :exc:`SignatureError` if it was not made for *purpose*, was changed or is too old.
    """
    values = peek(token)
    if not values:
        raise SignatureError("There is no token.")
    return signer.check(purpose, values)
