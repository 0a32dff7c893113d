"""A sandbox as a test fixture: a server of one's own, and sessions on it.

::

    with Sandbox() as sandbox:
        session = sandbox.session()
        session.create("Project", {...})
        sandbox.reset()

Needs the extra ``sandbox``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftrack_like._errors import missing_package

try:
    from ftrack_like.sandbox.server import SandboxServer
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        missing_package("The sandbox", str(error.name), "sandbox"), name=error.name
    ) from error

if TYPE_CHECKING:
    from ftrack_like._types import Value
    from ftrack_like.session import Session

__all__ = ["Sandbox"]


class Sandbox(SandboxServer):
    """A :class:`~ftrack_like.sandbox.server.SandboxServer` that gives out sessions."""

    def __enter__(self) -> Sandbox:
        """Start the sandbox and return it."""
        self.start()
        return self

    def session(self, **options: Value) -> Session:
        """Return a new session of the administrator on this sandbox.

        *options* are those of :class:`~ftrack_like.session.Session`, and win over ours. Whoever
        asks for a session closes it.
        """
        options.setdefault("server_url", self.server_url)
        options.setdefault("api_user", self.api_user)
        options.setdefault("api_key", self.api_key)
        # lazy: a sandbox that other programs use starts sooner without the client.
        from ftrack_like.session import Session

        return Session(**options)
