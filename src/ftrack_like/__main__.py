"""``python -m ftrack_like``: the command, which says what it can do when it is not told."""

from __future__ import annotations

import sys

from ftrack_like.cli import main

if __name__ == "__main__":
    sys.exit(main())
