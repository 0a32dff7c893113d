"""How a run in several processes uses them: how many there are, and which files come first.

Each process collects all tests. The first one that reads a file stores its compiled form for the
others, so the processes begin with different files.
"""

from __future__ import annotations

import collections
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Optional, TypeVar, Union

import pytest

__all__ = ["LONG_FILES", "RotatedDir", "in_order_of_time", "number_of_processes", "rotated"]

Each = TypeVar("Each")

#: The files that take longest, the longest first, in the folder ``tests``. A run is short if they
#: do not begin last. `pytest --durations` shows the time of tests.
LONG_FILES = (
    "sandbox/encoding/test_encode_workers.py",
    "docs/test_docs.py",
    "sandbox/test_media_queue.py",
    "session/test_publish_at_once.py",
    "media/test_burn_in.py",
    "farm/test_chaos.py",
    "sandbox/processes/test_process_ends.py",
    "security/test_security_limits.py",
    "session/test_farm_benchmark.py",
    "events/test_hub_half_open.py",
    "sandbox/test_conformance_suite.py",
    "session/test_benchmarks.py",
    "cli/test_demo_review.py",
    "session/test_encoding_ends.py",
    "security/test_security_connections.py",
    "session/test_encode_command.py",
    "session/test_examples.py",
    "events/test_hub_faults.py",
    "testkit/test_plugin.py",
    "sandbox/test_accidents.py",
    "sandbox/test_actions_rubbish.py",
    "sandbox/test_deployment_examples.py",
    "aio/test_aio_loop.py",
    "cli/test_demo_command.py",
    "security/test_security_jobs.py",
    "events/test_events_across_servers.py",
    "events/test_command_faults.py",
    "session/test_event_invalidation.py",
    "session/test_interrupted_commits.py",
    "session/test_notebooks.py",
    "sandbox/test_server_process.py",
    "cli/test_cli_terminal.py",
    "sandbox/web/test_web_review.py",
    "sandbox/web/test_web_browse.py",
    "sandbox/web/test_invites.py",
    "sandbox/processes/test_any_process.py",
    "security/test_security_media.py",
    "cli/test_file_commands.py",
    "sandbox/test_events_across.py",
    "events/test_durable.py",
    "events/test_event_commands.py",
    "events/test_event_server.py",
    "session/test_stubs.py",
    "media/test_odd_media.py",
    "sandbox/test_query_properties.py",
    "sandbox/test_fill.py",
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


def rotated(values: Sequence[Each]) -> list[Each]:
    """Return *values* from that on with which this process of several begins, then the others."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    place = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[len("gw") :]) % processes
    begin = len(values) * place // processes
    return [*values[begin:], *values[:begin]]


class RotatedDir(pytest.Dir):
    """A folder of tests in which each process of a run collects another file first."""

    def collect(self) -> Iterable[Union[pytest.Item, pytest.Collector]]:
        """Return the folders and files of the folder."""
        return rotated(list(super().collect()))


def in_order_of_time(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return *items* with those of long files first, then those of files with many tests."""
    counts = collections.Counter(one.path for one in items)
    known = {_FOLDER / name: place for place, name in enumerate(LONG_FILES)}
    return sorted(items, key=lambda one: (known.get(one.path, len(known)), -counts[one.path]))
