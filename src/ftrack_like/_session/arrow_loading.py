"""Import arrow while the server answers the first query for dates.

Values of dates are objects of arrow, whose import takes 10 to 40 ms. A session needs it at the
first read of a date. So when a query selects dates for the first time in a process, a thread
imports arrow during the wait for the answer, which takes as long on most networks.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Optional

from ftrack_like.query import outline, projections_of

if TYPE_CHECKING:
    from ftrack_like.session import Session

__all__ = ["expect_dates"]

#: How long a fork waits for the import, in seconds.
LONGEST_IMPORT = 10.0

#: The thread that imports arrow, once it was started.
_thread: Optional[threading.Thread] = None


def expect_dates(session: Session, expressions: Iterable[str]) -> None:
    """Begin to import arrow if one of the queries *expressions* selects a date."""
    global _thread  # noqa: PLW0603 - the import happens once in a process
    if _thread is not None or "arrow" in sys.modules:
        return
    if any(_selects_dates(session, each) for each in expressions):
        # Not a daemon: the end of the program must not stop it inside an import.
        _thread = threading.Thread(target=_import, name="ftrack-like-import-arrow")
        with contextlib.suppress(RuntimeError):  # No thread can be started: import arrow later.
            _thread.start()


def _selects_dates(session: Session, expression: str) -> bool:
    """Return whether the query *expression* selects a date of the queried type itself."""
    class_ = session.types.get(outline(expression).entity_type or "")
    if class_ is None:
        return False
    names = projections_of(expression)[0] or class_.default_projections or ()
    found = [class_.attributes.get(name) for name in names]
    return any(getattr(each, "data_type", None) == "datetime" for each in found)


def _import() -> None:
    """Import arrow. The read of a date imports it again, and raises the error of the import."""
    with contextlib.suppress(Exception):
        # lazy: the purpose of this module
        import arrow  # noqa: F401


def _finish() -> None:
    """Wait for the import before a fork: in the new process, its locks would stay closed.

    The time is limited, because an import that forks may itself hold a lock that arrow needs.
    """
    if _thread is not None and _thread.is_alive() and _thread is not threading.current_thread():
        _thread.join(LONGEST_IMPORT)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_finish)
