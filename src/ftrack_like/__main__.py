"""``python -m ftrack_like``: the command line. Without arguments it prints its help."""

from __future__ import annotations

import sys

from ftrack_like.cli import main

if __name__ == "__main__":
    sys.exit(main())
