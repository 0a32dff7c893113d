"""`ftrack-like listen`: host plugins, and handle events until interrupted."""

from __future__ import annotations

import argparse
import logging
import sys

from ftrack_like.cli._interrupt import interruptible

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.add_argument(
        "plugin_paths",
        metavar="PLUGIN_PATH",
        nargs="*",
        help="folder with plugins (default: those of FTRACK_EVENT_PLUGIN_PATH)",
    )
    parser.add_argument("--server", metavar="URL", help="default: FTRACK_SERVER")
    parser.add_argument("--user", help="default: FTRACK_API_USER; the key is FTRACK_API_KEY")
    parser.add_argument(
        "--workers",
        metavar="N",
        type=int,
        help="handle events on N threads, those of one publisher in order (default: one by one)",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="log what happens, not just what goes wrong"
    )


def run(arguments: argparse.Namespace) -> int:
    """Host the plugins of *arguments* until SIGINT or SIGTERM; return the exit status."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like.session import Session  # lazy: likewise

    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    with interruptible():
        try:
            with Session(
                server_url=arguments.server,
                api_user=arguments.user,
                plugin_paths=arguments.plugin_paths or None,
            ) as session:
                hub = session.event_hub
                hub.connect()
                print(f"Listening to {hub.get_server_url()}. Stop with Ctrl-C.", file=sys.stderr)
                hub.wait(workers=arguments.workers)
        except (exception.Error, ValueError) as error:
            print(f"ftrack-like: {error}", file=sys.stderr)
            return 1
    return 0
