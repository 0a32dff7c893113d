"""``python -m ftrack_like.sandbox``."""

from __future__ import annotations

import sys

from ftrack_like.sandbox.command_line import main

sys.exit(main())
