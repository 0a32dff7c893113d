"""One short request to a server, to check its address, the user and the key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from ftrack_like._configuration.credentials import Credentials

__all__ = ["RawReply", "ServerReply", "ask_server", "raw_reply", "read_reply"]

#: The longest answer that is read, in bytes.
_LONGEST = 1024 * 1024


class ServerReply(NamedTuple):
    """The *version* of a server, whether it knows the user, and the hash of its schemas."""

    version: str
    is_user_known: bool
    schema_hash: Optional[str] = None


class RawReply(NamedTuple):
    """An HTTP answer: *status*, *reason*, *text*, the target of a *redirect*, and its *date*.

    *date* is the text of the header ``Date``. The request took *seconds*.
    """

    status: int
    reason: str
    text: str
    redirect: Optional[str]
    date: Optional[str]
    seconds: float


def ask_server(found: Credentials, timeout: float = 20.0) -> ServerReply:
    """Return the answer of the server in *found*, within *timeout* seconds.

    Raise :exc:`~ftrack_like.exception.ServerAuthenticationError` if it refuses the user or the key,
    and another :exc:`~ftrack_like.exception.Error` if it cannot be used.
    """
    return read_reply(found, raw_reply(found, timeout))


def raw_reply(found: Credentials, timeout: float) -> RawReply:
    """Send one request to the server in *found*, and return its answer as it is.

    Raise a :exc:`~ftrack_like.exception.ServerError` or a
    :exc:`~ftrack_like.exception.ConfigurationError` if there is none within *timeout* seconds.
    """
    import requests  # lazy: "--help" answers at once
    import urllib3  # lazy: likewise

    from ftrack_like import exception  # lazy: likewise
    from ftrack_like._transport.body import UnreadableBodyError, read_body  # lazy: likewise
    from ftrack_like._transport.connection_settings import ConnectionSettings  # lazy: likewise
    from ftrack_like._transport.faults import Route, connection_error  # lazy: likewise
    from ftrack_like._transport.http import request_session  # lazy: likewise
    from ftrack_like._transport.limits import RequestDeadline, limited  # lazy: likewise

    address = f"{found.server_url}/api"
    begun = time.monotonic()
    with request_session(ConnectionSettings(), found.api_key, found.api_user) as http:
        try:
            with limited(RequestDeadline(timeout)):
                response: requests.Response = http.post(
                    address,
                    json=_batch(found.api_user),
                    timeout=timeout,
                    allow_redirects=False,
                    stream=True,
                )
                text = read_body(response, _LONGEST).content.decode("utf-8", "replace")
        except UnreadableBodyError as error:
            raise exception.ServerAnswerError(
                f"The answer of {address} cannot be read: {error}."
            ) from error
        except (OSError, urllib3.exceptions.HTTPError, UnicodeError) as error:
            route = Route(address, http, found.api_key, found.origins.server_url, True)
            raise connection_error(error, route) from error
    return RawReply(
        response.status_code,
        str(response.reason or ""),
        text,
        response.headers.get("location") if response.is_redirect else None,
        response.headers.get("Date"),
        time.monotonic() - begun,
    )


def _batch(api_user: str) -> list[dict[str, Any]]:
    """Return a batch that only a valid key may send."""
    from ftrack_like import query  # lazy: "--help" answers at once

    expression = query.bind(
        "select id from User where username is :name limit 1", {"name": api_user}
    )
    return [
        {"action": "query_server_information"},
        {"action": "query", "expression": str(expression)},
    ]


def read_reply(found: Credentials, raw: RawReply) -> ServerReply:
    """Return what the answer *raw* says about the server in *found*; raise errors as above."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._transport.answers import (  # lazy: likewise
        fault_of,
        parse_json,
        server_error,
        unexpected_page,
    )
    from ftrack_like._transport.redaction import masked  # lazy: likewise

    if raw.redirect:
        raise exception.ServerError(
            f"{found.server_url} redirects to {masked(raw.redirect[:300], found.api_key)}. "
            "Use that address."
        )
    try:
        value = parse_json(raw.text)
    except ValueError:
        value = None
    fault = fault_of(value)
    if fault is not None:
        error = server_error(fault)
        error.message = masked(error.message, found.api_key)
        raise error
    try:
        information, users = value
        return ServerReply(
            str(information.get("version")), bool(users["data"]), information.get("schema_hash")
        )
    except (TypeError, ValueError, AttributeError, LookupError):
        raise unexpected_page(
            raw.status,
            raw.reason,
            masked(raw.text, found.api_key),
            f"{found.server_url}/api",
            found.origins.server_url,
        ) from None
