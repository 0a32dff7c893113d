"""The command ``ftrack-like``.

Each module of this package whose name starts with a letter is the sub-command of that name. It
has a ``SUMMARY`` for the help, ``add_arguments(parser)``, and ``run(arguments)``, which returns the
exit status. The help imports all these modules, so each imports the client only in ``run``.

``run`` may raise any error of the library, :exc:`OSError`, or
:exc:`~ftrack_like.cli._errors.CommandError`: :func:`main` prints it in one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Optional

from ftrack_like.cli._commands import is_answer, parse
from ftrack_like.cli._errors import report
from ftrack_like.cli._interrupt import INTERRUPTED, TERMINATED
from ftrack_like.cli._streams import usable_streams

__all__ = ["main"]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command with *arguments*, by default those of the process; return its status.

    Without a sub-command, print the list of sub-commands. The status is 0 for success, 1 for a
    failure, 2 for wrong arguments, 130 after Ctrl-C, and 143 if SIGTERM ended the work early.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    is_debugging = "--debug" in given and not is_answer(given)
    if is_debugging and not os.environ.get("FTRACK_LOG"):
        os.environ["FTRACK_LOG"] = "debug"  # A line for each request.
    with usable_streams():
        try:
            chosen = parse(given)
            status: Optional[int] = chosen.run(chosen)
            sys.stdout.flush()
            return TERMINATED if status is None else int(status)
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:  # the reader of the output has gone, so nothing is left to do
            return 0
        except Exception as error:
            return report(error, debug=is_debugging)
