"""``python -m ftrack_like.sandbox``."""

from __future__ import annotations

import sys

from ftrack_like.sandbox.command import main

sys.exit(main())
