"""Checks of the way to the server: proxy, name, connection, TLS, clock, key and websocket."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import urlsplit

from ftrack_like.cli._checks import FAIL, OK, WARN, Diagnosis, not_checked, within

if TYPE_CHECKING:
    from ftrack_like._configuration.credentials import Credentials
    from ftrack_like._transport.faults import Route

__all__ = ["NETWORK_CHECKS", "check_server"]

#: The names of the checks of :func:`check_server`, in order.
NETWORK_CHECKS = ("proxy", "DNS", "TCP", "TLS", "server", "clock", "key", "websocket")
#: Differences of the clocks, in seconds, that are worth a warning, and that break signed addresses.
_SKEW_WARNING, _SKEW_FAILURE = 60.0, 900.0
#: Servers send whole seconds, and the answer takes time: smaller differences cannot be measured.
_SAME_TIME = 2.5
#: A certificate that ends within this time, in days, gets a warning.
_ENDS_SOON = 14


class _Way(NamedTuple):
    """The way to a server: where the first connection goes, and through which proxy."""

    host: str
    port: int
    proxy: Optional[str]
    route: Route


def check_server(found: Credentials, timeout: float) -> tuple[list[Diagnosis], Optional[str]]:
    """Return the findings about the server in *found*, and the hash of its schemas if known.

    Each check may take *timeout* seconds. After a failure, the checks that depend on it do not run.
    """
    way, findings = _check_proxy(found)
    for name, check in (("DNS", _check_name), ("TCP", _check_connection), ("TLS", _check_tls)):
        findings += within(timeout + 1, name, functools.partial(check, way, found, timeout))
        if findings[-1].status == FAIL:
            return _with_skipped(findings, f"the check of {name} failed"), None
    schema_hash: list[Optional[str]] = []
    findings += within(
        timeout + 1, "server", lambda: _check_request(found, timeout, schema_hash.append)
    )
    if any(each.status == FAIL for each in findings):
        return _with_skipped(findings, "the server cannot be used"), None
    findings += within(timeout + 1, "websocket", lambda: _check_websocket(found, timeout))
    return findings, schema_hash[0] if schema_hash else None


def _with_skipped(findings: list[Diagnosis], reason: str) -> list[Diagnosis]:
    """Return *findings* with an entry for each check that has not run for *reason*."""
    done = {each.name for each in findings}
    return findings + [not_checked(name, reason) for name in NETWORK_CHECKS if name not in done]


def _check_proxy(found: Credentials) -> tuple[_Way, list[Diagnosis]]:
    """Return the way to the server, and the finding about its proxy."""
    import requests  # lazy: "--help" answers at once

    from ftrack_like._transport.connection_settings import ConnectionSettings  # lazy: likewise
    from ftrack_like._transport.faults import Route  # lazy: likewise
    from ftrack_like._transport.http import request_session  # lazy: likewise

    address = f"{found.server_url}/api"
    http = request_session(ConnectionSettings(), found.api_key, found.api_user)
    http.close()  # Only its settings are used.
    route = Route(address, http, found.api_key, found.origins.server_url, True)
    proxies = requests.utils.get_environ_proxies(address, no_proxy=None)
    chosen = requests.utils.select_proxy(address, proxies)
    if not chosen:
        host, port = _host_and_port(found.server_url)
        no_proxy = next((name for name in ("no_proxy", "NO_PROXY") if os.environ.get(name)), None)
        text = f"None. {no_proxy} is set." if no_proxy else "None."
        return _Way(host, port, None, route), [Diagnosis("proxy", OK, text)]
    host, port = _host_and_port(chosen if "://" in chosen else f"http://{chosen}")
    text = f"Requests go through {route.proxy()}."
    return _Way(host, port, chosen, route), [Diagnosis("proxy", OK, text)]


def _host_and_port(address: str) -> tuple[str, int]:
    """Return the host and the port of *address*."""
    parts = urlsplit(address)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _check_name(way: _Way, found: Credentials, timeout: float) -> list[Diagnosis]:
    """Look up the name of the host."""
    what = "the proxy" if way.proxy else "the server"
    try:
        entries = socket.getaddrinfo(way.host, way.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        advice = f"Check the address of {what}, and the network or VPN. Run: nslookup {way.host}"
        return [Diagnosis("DNS", FAIL, f"{way.host} ({what}) is unknown: {error}.", advice)]
    addresses = sorted({str(entry[4][0]) for entry in entries})
    return [Diagnosis("DNS", OK, f"{way.host} ({what}) is {', '.join(addresses[:4])}.")]


def _check_connection(way: _Way, found: Credentials, timeout: float) -> list[Diagnosis]:
    """Open a connection and close it."""
    place = f"{way.host}:{way.port}"
    begun = time.monotonic()
    try:
        socket.create_connection((way.host, way.port), timeout).close()
    except OSError as error:
        setting = "the proxy" if way.proxy else found.origins.server_url
        advice = (
            f"Is the server running, and the port right? Check {setting}, and the firewall. "
            f"Run: nc -vz {way.host} {way.port}"
        )
        return [Diagnosis("TCP", FAIL, f"No connection to {place}: {error}.", advice)]
    elapsed = (time.monotonic() - begun) * 1000
    return [Diagnosis("TCP", OK, f"Connected to {place} in {elapsed:.0f} ms.")]


def _check_tls(way: _Way, found: Credentials, timeout: float) -> list[Diagnosis]:
    """Check the certificate of the server with the CA file in use."""
    from ftrack_like._transport.connection_settings import is_this_machine  # lazy: as above

    parts = urlsplit(found.server_url)
    if parts.scheme == "http":
        if is_this_machine(parts.hostname):
            return [Diagnosis("TLS", OK, "Not used: the server is on this machine.")]
        text = "Not used: the address is plain http, so the key travels unencrypted."
        return [Diagnosis("TLS", WARN, text, f"Use https:// in {found.origins.server_url}.")]
    path, origin = way.route.ca_file()
    bundle = f"CA file {path} ({origin})"
    if not os.path.exists(path):
        return [Diagnosis("TLS", FAIL, f"There is no {bundle}.", f"Correct or remove {origin}.")]
    if way.proxy:
        return [Diagnosis("TLS", OK, f"{bundle}. The request below checks the certificate.")]
    return _shake_hands_in_tls(way, path, bundle, timeout)


def _shake_hands_in_tls(way: _Way, path: str, bundle: str, timeout: float) -> list[Diagnosis]:
    """Connect with TLS, and report the version and the end of the certificate."""
    import ssl  # lazy: "--help" answers at once

    from ftrack_like._transport.faults import explain  # lazy: likewise

    try:
        is_folder = os.path.isdir(path)
        context = ssl.create_default_context(
            cafile=None if is_folder else path, capath=path if is_folder else None
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with contextlib.ExitStack() as stack:
            plain = stack.enter_context(socket.create_connection((way.host, way.port), timeout))
            secure = stack.enter_context(context.wrap_socket(plain, server_hostname=way.host))
            certificate, version = secure.getpeercert() or {}, secure.version()
    except (OSError, ValueError) as error:
        first, _, advice = explain(error, way.route).partition("\n")
        advice = advice or "Set REQUESTS_CA_BUNDLE to the certificates of your authorities."
        return [Diagnosis("TLS", FAIL, f"{first} {bundle}.", advice)]
    ends = str(certificate.get("notAfter", ""))
    text = f"{version}, {bundle}, the certificate ends {ends or 'at an unknown time'}."
    days = (ssl.cert_time_to_seconds(ends) - time.time()) / 86400 if ends else _ENDS_SOON + 1
    if days < _ENDS_SOON:
        advice = "Ask the administrator of the server to renew the certificate."
        return [Diagnosis("TLS", WARN, text, advice)]
    return [Diagnosis("TLS", OK, text)]


def _check_request(
    found: Credentials, timeout: float, note_hash: Callable[[Optional[str]], object]
) -> list[Diagnosis]:
    """Send a request: check version, clock, user and key. Pass the hash of the schemas on."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._session.lifecycle import check_version  # lazy: likewise
    from ftrack_like.cli._probe import raw_reply, read_reply  # lazy: likewise

    try:
        raw = raw_reply(found, timeout)
    except exception.Error as error:
        return [_failed("server", error, f"Check {found.origins.server_url}.")]
    answered = f"answered in {raw.seconds * 1000:.0f} ms"
    clock = _check_clock(raw.date)
    try:
        reply = read_reply(found, raw)
    except exception.ServerAuthenticationError as error:
        text = f"It {answered}, and tells its version only for a valid key."
        return [Diagnosis("server", OK, text), clock, _refused_key(found, error)]
    except exception.Error as error:
        return [_failed("server", error, f"Check {found.origins.server_url}."), clock]
    note_hash(reply.schema_hash)
    try:
        check_version(reply.version)
    except exception.ServerCompatibilityError as error:
        advice = "Ask the administrator of the server for an update."
        return [_failed("server", error, advice), clock]
    server = Diagnosis("server", OK, f"Version {reply.version}, {answered}.")
    return [server, clock, _accepted_key(found, reply.is_user_known)]


def _failed(name: str, error: Exception, advice: str) -> Diagnosis:
    """Return the finding for *error*, whose later lines may have the advice."""
    first, _, more = str(error).partition("\n")
    return Diagnosis(name, FAIL, first, more or advice)


def _accepted_key(found: Credentials, is_user_known: bool) -> Diagnosis:
    """Return the finding for a key that the server has accepted."""
    text = (
        f"The server accepts the key (from {found.origins.api_key}) of {found.api_user!r} "
        f"(from {found.origins.api_user})."
    )
    if is_user_known:
        return Diagnosis("key", OK, text)
    advice = "Check the spelling of the user name. Run: ftrack-like config --show-origin"
    return Diagnosis("key", WARN, f"{text} But it shows no such user.", advice)


def _refused_key(found: Credentials, error: Exception) -> Diagnosis:
    """Return the finding for a key that the server refuses with *error*."""
    first = str(error).partition("\n")[0]
    text = (
        f"{first} The user {found.api_user!r} comes from {found.origins.api_user}, "
        f"the key from {found.origins.api_key}."
    )
    if found.profile:
        advice = f"Run: ftrack-like login --profile {found.profile}"
    else:
        advice = "Correct the user and the key there, or run: ftrack-like login"
    return Diagnosis("key", FAIL, text, advice)


def _check_clock(date: Optional[str]) -> Diagnosis:
    """Compare the clock of this machine with *date*, the header of the server."""
    import email.utils  # lazy: "--help" answers at once

    try:
        theirs = email.utils.parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return Diagnosis(
            "clock", WARN, "The server does not send its time.", "Run: date -u, and compare."
        )
    skew = time.time() - theirs
    if abs(skew) < _SAME_TIME:
        return Diagnosis("clock", OK, "The clock of this machine agrees with that of the server.")
    direction = "ahead of" if skew > 0 else "behind"
    text = f"This machine is {abs(skew):.0f} s {direction} the server."
    if abs(skew) < _SKEW_WARNING:
        return Diagnosis("clock", OK, text)
    status = WARN if abs(skew) < _SKEW_FAILURE else FAIL
    text += " Signed addresses and certificates depend on the time."
    return Diagnosis("clock", status, text, "Set the clock with NTP. Run: timedatectl")


def _check_websocket(found: Credentials, timeout: float) -> list[Diagnosis]:
    """Connect to the event server, and disconnect."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like.event.hub import EventHub  # lazy: likewise

    hub = EventHub(
        found.server_url,
        found.api_user,
        found.api_key,
        connect_timeout=timeout,
        deadline=timeout,
    )
    begun = time.monotonic()
    try:
        hub.connect()
        elapsed = (time.monotonic() - begun) * 1000
    except exception.EventHubConnectionError as error:
        advice = (
            "Events need websockets on the path /socket.io. Ask whether a proxy or a firewall "
            "blocks them. Run: ftrack-like events tail"
        )
        return [_failed("websocket", error, advice)]
    finally:
        hub.close()
    return [Diagnosis("websocket", OK, f"Connected to the event server in {elapsed:.0f} ms.")]
