"""The options of the command line for the network."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftrack_like.sandbox.network.settings import Network

__all__ = ["add_network_arguments", "network_from"]


def add_network_arguments(add: Callable[..., None]) -> None:
    """Add the options for the network with *add*, which takes the arguments of ``add_argument``."""
    add("--public-url", metavar="URL", help="address that people use, for all links")
    for name, metavar, words in (
        ("--allowed-hosts", "NAME", "more names by which requests may address the sandbox"),
        (
            "--allowed-origins",
            "ORIGIN",
            "web pages that may call the API, like http://localhost:3000",
        ),
        ("--trusted-proxies", "ADDRESS", "proxies whose X-Forwarded-For and -Proto to believe"),
        ("--metrics-from", "ADDRESS", "addresses, networks or * that may read /metrics too"),
    ):
        add(name, metavar=metavar, nargs="+", action="extend", default=[], help=words)
    for name, words in (
        ("--max-connections", "open connections"),
        ("--max-connections-per-address", "open connections from one address"),
        ("--max-failed-logins", "wrong keys for one user from one address in a minute"),
    ):
        add(name, metavar="N", type=int, help=f"most {words} (default: see the documentation)")
    for name, words in (
        ("--header-timeout", "the headers of a request may take"),
        ("--idle-timeout", "a connection is kept between two requests"),
        ("--transfer-timeout", "a body or an answer may stall"),
    ):
        add(name, metavar="SECONDS", type=float, help=f"how long {words}")


def network_from(arguments: argparse.Namespace) -> Network:
    """Return the network options in *arguments*; raise :exc:`ValueError` if one is invalid."""
    # lazy: the options alone must not import the server
    from ftrack_like.sandbox.network.settings import Network

    given = {
        "connections": arguments.max_connections,
        "connections_per_address": arguments.max_connections_per_address,
        "failed_logins": arguments.max_failed_logins,
        "header_timeout": arguments.header_timeout,
        "idle_timeout": arguments.idle_timeout,
        "transfer_timeout": arguments.transfer_timeout,
    }
    return Network(
        public_url=arguments.public_url,
        allowed_hosts=_listed(arguments.allowed_hosts),
        allowed_origins=_listed(arguments.allowed_origins),
        trusted_proxies=_listed(arguments.trusted_proxies),
        metrics_from=_listed(arguments.metrics_from),
        **{name: value for name, value in given.items() if value is not None},
    )


def _listed(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the names in *texts*, which may also be separated by commas."""
    return tuple(one.strip() for text in texts for one in text.split(",") if one.strip())
