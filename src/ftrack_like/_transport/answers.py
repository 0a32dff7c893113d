"""Turn the answer of a server into a value, or into an error that explains the failure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

from ftrack_like import exception

__all__ = [
    "address_advice",
    "decode_text",
    "fault_of",
    "parse_json",
    "refuse_constant",
    "server_error",
    "unexpected_page",
]

#: An error for an unexpected page quotes at most this many bytes of the page.
EXCERPT = 1000

#: The errors of this library by the names of the server's exceptions.
ERROR_CLASSES: dict[str, type[exception.ServerError]] = {
    "DuplicateEntryError": exception.ServerNotUniqueError,
    "FTAuthenticationError": exception.ServerAuthenticationError,
    "InvalidCredentialsError": exception.ServerAuthenticationError,
    "NotFoundError": exception.ServerNotFoundError,
    "NotUniqueError": exception.ServerNotUniqueError,
    "ParseError": exception.ServerParseError,
    "PermissionDeniedError": exception.ServerPermissionDeniedError,
    "PermissionError": exception.ServerPermissionDeniedError,
    "QueryError": exception.ServerParseError,
    "ValidationError": exception.ServerValidationError,
}

#: Some programs write this character before a text in UTF-8.
_BYTE_ORDER_MARK = "\ufeff"


def decode_text(body: Any) -> str:
    """Return the *body* of an answer as text, decoded as UTF-8 without a byte order mark.

    The encoding in the headers is ignored: servers send UTF-8. A body that is already text, as in
    fake responses of tests, is returned unchanged. Raise
    :exc:`~ftrack_like.exception.ServerAnswerError` if the body is not UTF-8.
    """
    if isinstance(body, str):
        return body
    try:
        text = bytes(body).decode("utf-8")
    except UnicodeDecodeError as error:
        raise exception.ServerAnswerError(
            f"The server's answer is not UTF-8 (byte {error.start} of {len(body)})."
        ) from error
    return text[1:] if text.startswith(_BYTE_ORDER_MARK) else text


def refuse_constant(name: str) -> Any:
    """Raise :exc:`ValueError` for ``NaN`` and ``Infinity``, which are not JSON."""
    raise ValueError(f"JSON has no {name}")


_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def parse_json(text: str) -> Any:
    """Return the value of the JSON *text*.

    Raise :exc:`ValueError` if *text* is not JSON, or is nested deeper than Python can parse.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def fault_of(value: Any) -> Optional[Mapping[str, Any]]:
    """Return *value* if it is an error report of the server, else None."""
    if not isinstance(value, Mapping) or "exception" not in value:
        return None
    # A broken server may send lists or mappings here. An error message shows only their type.
    return {
        name: item if isinstance(item, (str, int, type(None))) else f"<{type(item).__name__}>"
        for name, item in value.items()
    }


def _fault_class(fault: Mapping[str, Any]) -> type[exception.ServerError]:
    """Return the error class for the error report *fault*."""
    name = str(fault.get("exception"))
    if fault.get("error_code") == "api_credentials_invalid":
        return exception.ServerAuthenticationError
    if name == "IntegrityError" and "duplicate" in str(fault.get("content")).lower():
        return exception.ServerNotUniqueError
    return ERROR_CLASSES.get(name, exception.ServerError)


def server_error(fault: Mapping[str, Any]) -> exception.ServerError:
    """Return the error for the error report *fault*, with the text of the server.

    The error about a wrong key has no sentences about headers, because the client sets them.
    """
    kind = _fault_class(fault)
    # The later lines keep their columns: they may put a caret below a mistake in a query.
    first, _, rest = str(fault.get("content")).partition("\n")
    if kind is exception.ServerAuthenticationError:
        sentences = re.split(r"(?<=\.)\s+", first)
        kept = [each for each in sentences if "header" not in each.lower()]
        first = " ".join(kept) or kind.default_message
    text = f"Server reported error: {fault.get('exception')}({first})" + (rest and f"\n{rest}")
    code = fault.get("error_code")
    error = kind(
        text,
        error_code=None if code is None else str(code),
        exception_name=str(fault.get("exception")),
    )
    if isinstance(error, exception.ServerParseError):
        position = fault.get("position")
        error.position = position if type(position) is int and position >= 0 else None
        error.sentence = first
    place = fault.get("operation")
    error.operation = place if type(place) is int and place >= 0 else None
    return error


def _title(text: str) -> str:
    """Return the title of the page *text*, empty if it has no title."""
    # lazy: needed only for unexpected pages.
    import html

    found = re.search(r"<title[^>]*>(.*?)</title>", text[:20000], re.IGNORECASE | re.DOTALL)
    return html.unescape(" ".join(found.group(1).split()))[:200] if found else ""


def _excerpt(text: str) -> str:
    """Return the beginning of *text* without HTML tags."""
    # lazy: as above.
    import html

    begin = text[: EXCERPT * 20]
    if "<" in begin[:200]:
        begin = re.sub(r"(?is)<(script|style)\b.*?(</\1>|$)|<[^>]*>", " ", begin)
    begin = " ".join(html.unescape(begin).split())
    cut = begin.encode("utf-8", "replace")[:EXCERPT].decode("utf-8", "ignore")
    return begin if cut == begin else cut + " …"


#: Words in the answer of an https server to a plain http request.
_WANTS_HTTPS = r"(?i)https|\btls\b|\bssl\b"

#: Words of a page that asks people to log in.
_LOGIN = r"(?i)\b(log ?in|sign ?in|single sign|sso|saml|password)\b"


def address_advice(address: str, origin: str = "FTRACK_SERVER") -> str:
    """Return the advice to check the server address from *origin*; *address* is that of its API.

    A path in it, such as ``/browse`` from a browser, may be too much. So name the address without.
    """
    check = f"Check the server address, which comes from {origin}."
    parts = urlsplit(address)
    path = parts.path.rpartition("/")[0]
    if path:
        site = f"{parts.scheme}://{parts.netloc}"
        check += f" Does the path {path!r} belong to it? Without the path, it is {site!r}."
    return check


def unexpected_page(
    status: int, reason: str, text: str, address: str, origin: str = "FTRACK_SERVER"
) -> exception.ServerError:
    """Return the error for an answer that is not JSON, with its status, title and beginning.

    *origin* names the setting that *address* comes from, such as ``"FTRACK_SERVER"``.
    """
    title = _title(text)
    shown = f" ({title!r})" if title else ""
    excerpt = _excerpt(text)
    detail = f"\nIt begins: {excerpt}" if excerpt else "\nThe page is empty."
    check = f" {address_advice(address, origin)}"
    if status < 400:
        if re.search(_LOGIN, f"{title} {excerpt}"):
            check += " It looks like a login page: a proxy or a single sign-on may be in between."
        return exception.ServerAnswerError(
            f"{address} is not an ftrack server: it sent a page instead of JSON"
            f"{shown}.{check}{detail}"
        )
    said = " ".join([str(status), *str(reason or "").split()])[:100]
    hint = check if status in (404, 405, 501) else ""
    if status == 400 and address.startswith("http://") and re.search(_WANTS_HTTPS, excerpt):
        hint = f"{check} Does it begin with https:// instead?"
    elif status == 407:
        hint = " A proxy wants a user name and a password: set them in its address."
    return exception.ServerError(
        f"Server reported error: {address} answered {said}{shown}.{hint}{detail}"
    )
