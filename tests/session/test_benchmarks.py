"""The workloads that measure this client run with it, so that a figure is never a failure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")


def test_every_workload_runs(tmp_path: Path) -> None:
    """Each workload gives figures for this client, all of them at least zero."""
    output = tmp_path / "samples.json"
    command = [sys.executable, "-m", "benchmarks", "--module", "ftrack_like", "--rounds", "1"]
    command += ["--size", "10", "--json", str(output)]
    subprocess.run(command, cwd=PROJECT, check=True, timeout=240, stdout=subprocess.DEVNULL)
    samples = json.loads(output.read_text(encoding="utf-8"))["samples"]
    assert len(samples) == 26
    for title, figures in samples.items():
        assert figures, title
        for figure, by_module in figures.items():
            for values in by_module.values():
                assert min(values) >= 0, (title, figure)
