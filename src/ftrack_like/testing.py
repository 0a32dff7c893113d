"""A sandbox as a test fixture: a separate server for a test, and sessions for the server.

::

    with Sandbox() as sandbox:
        session = sandbox.session()
        session.create("Project", {...})
        sandbox.reset()

Needs the extra ``sandbox``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftrack_like._base.errors import missing_package

try:
    from ftrack_like.sandbox.server import SandboxServer
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        missing_package("The sandbox", str(_error.name), "sandbox"), name=_error.name
    ) from _error

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.session import Session

__all__ = ["Sandbox"]


class Sandbox(SandboxServer):
    """A :class:`~ftrack_like.sandbox.server.SandboxServer` with a method that creates sessions."""

    def __enter__(self) -> Sandbox:
        """Start the sandbox and return it."""
        self.start()
        return self

    def session(self, **options: Value) -> Session:
        """Return a new session of the administrator on this sandbox.

        *options* are the arguments of :class:`~ftrack_like.session.Session`. They override the
        address, user and key of the sandbox. The caller must close the session.
        """
        options.setdefault("server_url", self.server_url)
        options.setdefault("api_user", self.api_user)
        options.setdefault("api_key", self.api_key)
        # lazy: without the client, a sandbox that only serves other programs starts faster.
        from ftrack_like.session import Session

        return Session(**options)
