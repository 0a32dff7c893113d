"""``python -m ftrack_like.cli``."""

from __future__ import annotations

import sys

from ftrack_like.cli import main

sys.exit(main())
