"""Runs a sandbox of several processes until a signal stops it."""

from __future__ import annotations

import argparse
import pathlib
import signal
import tempfile
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple, Optional

from ftrack_like.sandbox.console import fail, in_words
from ftrack_like.sandbox.limits import limits_from
from ftrack_like.sandbox.network.listening import open_listener
from ftrack_like.sandbox.network.settings import Network
from ftrack_like.sandbox.operations.shared_metrics import MetricsFolder
from ftrack_like.sandbox.processes.child import WorkerProcess
from ftrack_like.sandbox.processes.messages import WorkerSettings
from ftrack_like.sandbox.processes.supervisor import Supervisor, WorkerError
from ftrack_like.sandbox.server import SandboxServer
from ftrack_like.sandbox.site_data import SiteData, storage_errors

__all__ = ["RunningSandbox", "run_workers"]


class RunningSandbox(NamedTuple):
    """The address of a sandbox, and the credentials of its administrator.

    *lacks_demo* is that of :class:`~ftrack_like.sandbox.server.SandboxServer`.
    """

    server_url: str
    api_user: str
    api_key: str
    lacks_demo: bool


def run_workers(
    arguments: argparse.Namespace,
    network: Network,
    announce: Callable[[RunningSandbox], None],
) -> int:
    """Run a sandbox with the options *arguments* and *network*; return the exit status.

    *announce* is called when all processes answer. The status is 130 after SIGINT, and 1 if no
    process can start.
    """
    try:
        listener = open_listener(arguments.host, arguments.port)
    except OSError as error:
        return fail(in_words(error))
    with closing(listener), tempfile.TemporaryDirectory(prefix="ftrack-like-metrics-") as folder:
        metrics = MetricsFolder(pathlib.Path(folder))
        try:
            site = _prepare(arguments)
        except (OSError, RuntimeError) as error:
            return fail(in_words(error))
        settings = WorkerSettings(
            listener=listener.fileno(),
            host=arguments.host,
            database=arguments.database,
            media=_text(arguments.media),
            user=site.user,
            administrator_id=site.administrator.id,
            loopback_webhooks=arguments.loopback_webhooks,
            encoders=arguments.encoders,
            network=network,
            limits=limits_from(arguments),
            metrics=folder,
        )
        server = SandboxServer(host=arguments.host, port=listener.getsockname()[1])
        running = RunningSandbox(server.server_url, site.user, site.key, site.lacks_demo)
        supervisor = Supervisor(
            arguments.workers, lambda now: WorkerProcess(settings, now), ended=metrics.end
        )
        try:
            number = supervisor.run(lambda: announce(running), listener.close)
        except WorkerError as error:
            return fail(str(error))
    return 128 + signal.SIGINT if number == signal.SIGINT else 0


def _prepare(arguments: argparse.Namespace) -> SiteData:
    """Create or update the data of the site, so that workers need only read them.

    Only one process does so: several would migrate the same data, or undo a new key of the
    administrator whenever a process starts again.
    """
    site = SiteData(
        url=arguments.database,
        media=arguments.media,
        user=arguments.user,
        key=arguments.key,
        demo=arguments.demo_project,
    )
    with storage_errors("The database"), closing(site):
        site.open()
    return site


def _text(path: Optional[pathlib.Path]) -> Optional[str]:
    """Return *path* as an absolute text, None for None."""
    return None if path is None else str(path.expanduser().resolve())
