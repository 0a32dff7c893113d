"""Remove a folder when its owner ends for any reason.

This program imports nothing from the package, so that it starts within some milliseconds::

    python -I -S keeper.py DESCRIPTOR OWNER FOLDER

*DESCRIPTOR* is the reading end of a pipe. Only the owner has the writing end. When the owner ends
or closes it, the kernel closes the pipe, and the keeper removes *FOLDER* if it still exists. A
program that the owner has forked may keep the writing end open. So the keeper also checks every
second that its parent is still the process *OWNER*.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import time

__all__: list[str] = []

#: Seconds between two checks of the parent.
_INTERVAL = 1.0

#: How often to remove the folder, because programs that are being ended may still write to it, and
#: the seconds between.
_TIMES, _PAUSE = 50, 0.1


def main() -> None:
    """Wait for the end of the owner, then remove the folder."""
    watched, owner, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    while os.getppid() == owner:
        ready, _, _ = select.select([watched], [], [], _INTERVAL)
        if ready:  # nothing is ever written to the pipe, so its other end is closed
            break
    for _ in range(_TIMES):
        if not os.path.lexists(folder):
            return
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_PAUSE if os.path.lexists(folder) else 0)


if __name__ == "__main__":
    main()
