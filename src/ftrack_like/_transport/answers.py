"""Turn what a server answered into a value or into the error that says what went wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like import exception

__all__ = ["decode_text", "fault_of", "parse_json", "server_error", "unexpected_page"]

#: How much of a page that is no answer may stand in an error, in bytes.
EXCERPT = 1000

#: The server's names of faults and the errors that they become.
FAULTS: dict[str, type[exception.ServerError]] = {
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

_CREDENTIALS_ADVICE = (
    "\nCheck the API key (argument api_key, variable FTRACK_API_KEY) and the user "
    "(argument api_user, variable FTRACK_API_USER)."
)


def decode_text(body: Any) -> str:
    """Return the *body* of an answer as text, which is UTF-8 whatever its headers say.

    Raise :exc:`~ftrack_like.exception.ServerAnswerError` when it is not. A body that is text
    already, as stand-ins give, stays as it is.
    """
    if isinstance(body, str):
        return body
    try:
        return bytes(body).decode("utf-8")
    except UnicodeDecodeError as error:
        raise exception.ServerAnswerError(
            f"The server's answer is not UTF-8 (byte {error.start} of {len(body)})."
        ) from error


def parse_json(text: str) -> Any:
    """Return the value of the JSON *text*; raise ValueError when it is none, however deep."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def fault_of(value: Any) -> Optional[Mapping[str, Any]]:
    """Return *value* when it is the server's report of an error, else None."""
    if isinstance(value, Mapping) and "exception" in value:
        return value
    return None


def _fault_class(fault: Mapping[str, Any]) -> type[exception.ServerError]:
    """Return the error class for the server's report *fault*."""
    name = str(fault.get("exception"))
    if fault.get("error_code") == "api_credentials_invalid":
        return exception.ServerAuthenticationError
    if name == "IntegrityError" and "duplicate" in str(fault.get("content")).lower():
        return exception.ServerNotUniqueError
    return FAULTS.get(name, exception.ServerError)


def server_error(fault: Mapping[str, Any]) -> exception.ServerError:
    """Return the error for the server's report *fault*, with the server's own words."""
    kind = _fault_class(fault)
    # What follows the first line, such as a caret under a mistake, keeps its columns.
    first, _, rest = str(fault.get("content")).partition("\n")
    text = f"Server reported error: {fault.get('exception')}({first})" + (rest and f"\n{rest}")
    if kind is exception.ServerAuthenticationError:
        text += _CREDENTIALS_ADVICE
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
    """Return the title of the page *text*, empty when it has none."""
    # lazy: needed only for pages that should not have come.
    import html

    found = re.search(r"<title[^>]*>(.*?)</title>", text[:20000], re.IGNORECASE | re.DOTALL)
    return html.unescape(" ".join(found.group(1).split()))[:200] if found else ""


def _excerpt(text: str) -> str:
    """Return the readable begin of *text*, without the tags of a page."""
    # lazy: as above.
    import html

    begin = text[: EXCERPT * 20]
    if "<" in begin[:200]:
        begin = re.sub(r"(?is)<(script|style)\b.*?(</\1>|$)|<[^>]*>", " ", begin)
    begin = " ".join(html.unescape(begin).split())
    cut = begin.encode("utf-8", "replace")[:EXCERPT].decode("utf-8", "ignore")
    return begin if cut == begin else cut + " …"


def unexpected_page(status: int, reason: str, text: str, address: str) -> exception.ServerError:
    """Return the error for an answer that is no JSON: its status, its title and its begin."""
    title = _title(text)
    shown = f" ({title!r})" if title else ""
    excerpt = _excerpt(text)
    detail = f"\nIt begins: {excerpt}" if excerpt else "\nIt is empty."
    if status < 400:
        return exception.ServerAnswerError(
            f"What answers at {address} is no ftrack server: it sent a page instead of JSON"
            f"{shown}. Check the server address (FTRACK_SERVER).{detail}"
        )
    said = " ".join([str(status), *str(reason or "").split()])[:100]
    hint = " Check the server address (FTRACK_SERVER)." if status in (404, 405, 501) else ""
    return exception.ServerError(
        f"Server reported error: {address} answered {said}{shown}.{hint}{detail}"
    )
