"""Run one workload once in this process and print its figures as one line of JSON."""

from __future__ import annotations

import argparse
import json
import logging

from benchmarks.everything import WORKLOADS
from benchmarks.floors import FLOORS
from benchmarks.registry import Run


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description="run one workload once")
    parser.add_argument("module", help='a module with the API, or "floor"')
    parser.add_argument("workload", choices=sorted(WORKLOADS))
    parser.add_argument("--server", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--folder", required=True)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    run = Run(options.module, options.server, options.size, options.folder)
    if options.module == "floor":
        FLOORS[options.workload](run)
    else:
        WORKLOADS[options.workload].function(run)
    print(json.dumps(run.figures))


if __name__ == "__main__":
    main()
