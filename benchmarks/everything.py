"""All workloads. Importing the modules enters their workloads in the list."""

from __future__ import annotations

from benchmarks import totals, workflows, workloads
from benchmarks.registry import WORKLOADS

__all__ = ["WORKLOADS", "totals", "workflows", "workloads"]
