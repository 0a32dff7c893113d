"""The attributes whose values the server keeps itself, although the schemas do not say so.

This module imports nothing, since the completion of the command line needs it.
"""

from __future__ import annotations

__all__ = ["KEPT_BY_SERVER"]

#: The schemas call none of them computed, and those of collections not even immutable.
KEPT_BY_SERVER = frozenset({"_link", "ancestors", "descendants", "link"})
