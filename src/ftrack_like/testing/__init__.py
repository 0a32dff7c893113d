"""Test a program against a sandbox: a server for the test, with faults, a clock and events.

::

    with Sandbox() as sandbox:
        session = sandbox.session()
        session.create("Project", {...})
        sandbox.reset()

- :class:`Sandbox` starts a server in this process, disturbs it and watches its requests.
- :class:`ProjectFactory` creates shots, tasks, versions with media, users and reviews.
- :class:`EventRecorder` runs listeners, launches actions and checks published events.
- :class:`SandboxMixin` gives all of them to a :class:`unittest.TestCase`.

For pytest, :mod:`ftrack_like.pytest_plugin` has fixtures. Needs the extra ``sandbox``.
"""

from __future__ import annotations

from ftrack_like._base.errors import missing_package

try:
    from ftrack_like.testing._server import Frozen, Sandbox
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        missing_package("The sandbox", str(_error.name), "sandbox"), name=_error.name
    ) from _error

from ftrack_like.testing._events import EventRecorder
from ftrack_like.testing._fixture_types import AssertPublished, AssertRequests
from ftrack_like.testing._mixin import SandboxMixin
from ftrack_like.testing._project import ProjectFactory

__all__ = [
    "AssertPublished",
    "AssertRequests",
    "EventRecorder",
    "Frozen",
    "ProjectFactory",
    "Sandbox",
    "SandboxMixin",
]
