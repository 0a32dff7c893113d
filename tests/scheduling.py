"""How a run in several processes uses them: how many there are, and which files come first."""

from __future__ import annotations

import collections
import os
import pathlib
from typing import Optional

import pytest

__all__ = ["LONG_FILES", "in_order_of_time", "number_of_processes"]

#: The files that take longest, the longest first, in the folder ``tests``. A run is short if they
#: do not begin last. `pytest --durations` shows the time of tests.
LONG_FILES = (
    "sandbox/encoding/test_encode_workers.py",
    "session/test_publish_at_once.py",
    "farm/test_chaos.py",
    "session/test_encode_command.py",
    "session/test_encoding_ends.py",
    "sandbox/processes/test_process_ends.py",
    "events/test_command_faults.py",
    "session/test_event_invalidation.py",
    "security/test_security_connections.py",
    "session/test_benchmarks.py",
    "session/test_farm_benchmark.py",
    "session/test_interrupted_commits.py",
    "docs/test_docs.py",
    "session/test_notebooks.py",
    "sandbox/test_server_process.py",
    "sandbox/test_deployment_examples.py",
    "sandbox/test_accidents.py",
    "cli/test_cli_terminal.py",
    "sandbox/web/test_web_review.py",
    "sandbox/web/test_web_browse.py",
    "sandbox/web/test_invites.py",
    "sandbox/processes/test_any_process.py",
    "sandbox/test_conformance_suite.py",
    "security/test_security_limits.py",
    "security/test_security_media.py",
    "cli/test_file_commands.py",
    "sandbox/test_events_across.py",
    "events/test_durable.py",
    "events/test_event_commands.py",
    "events/test_events_across_servers.py",
    "events/test_event_server.py",
    "session/test_stubs.py",
    "session/test_examples.py",
    "cli/test_demo_command.py",
    "cli/test_demo_review.py",
    "media/test_odd_media.py",
    "browser/test_browser_access.py",
    "browser/test_browser_player_frames.py",
    "differential/test_reached.py",
)

#: The number of processes beside those for which there are processors. Tests wait for other
#: programs about as long as they compute.
_MORE = 2

_FOLDER = pathlib.Path(__file__).parent


def number_of_processes() -> Optional[int]:
    """Return how many processes ``-n auto`` starts, None if a variable of pytest-xdist says it."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    return (os.cpu_count() or 1) + _MORE


def in_order_of_time(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return *items* with those of long files first, then those of files with many tests."""
    counts = collections.Counter(one.path for one in items)
    known = {_FOLDER / name: place for place, name in enumerate(LONG_FILES)}
    return sorted(items, key=lambda one: (known.get(one.path, len(known)), -counts[one.path]))
