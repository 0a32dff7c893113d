"""Several processes that answer at one address, on one PostgreSQL database.

:mod:`~ftrack_like.sandbox.processes.command` prepares the site and listens. The
:mod:`~ftrack_like.sandbox.processes.supervisor` starts the processes, replaces those that end, and
passes signals on. Each :mod:`~ftrack_like.sandbox.processes.worker` is a program that inherits the
listening socket. So a request reaches any process, and none shares memory with another.
"""

from __future__ import annotations
