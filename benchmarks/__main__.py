"""Run the workloads with both libraries in turn and print what came out."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.everything import WORKLOADS
from benchmarks.floors import FLOORS
from benchmarks.machine import circumstances
from benchmarks.processes import started
from benchmarks.registry import KEY, USER, Workload
from benchmarks.report import FLOOR, OURS, PUBLISHED, text

Samples = dict  # figure name → {module name: [value of each round]}


@contextlib.contextmanager
def canned_server(schemas: Path, tasks: int, latency: float) -> Iterator[str]:
    """Yield the address of a canned server with *tasks* tasks; stop it afterwards."""
    command = [sys.executable, "-m", "benchmarks.server", "--schemas", str(schemas)]
    command += ["--tasks", str(tasks), "--latency", str(latency)]
    with started(command) as server:
        yield server.first_line


@contextlib.contextmanager
def sandbox_server() -> Iterator[str]:
    """Yield the address of a sandbox that keeps nothing; stop it afterwards."""
    command = [sys.executable, "-m", "ftrack_like.sandbox", "--memory", "--port", "0", "--json"]
    with started([*command, "--user", USER, "--key", KEY]) as server:
        yield json.loads(server.first_line)["server_url"]


def measure(module: str, name: str, server: str, size: int, folder: Path) -> dict[str, float]:
    """Return the figures of one run of the workload *name* in a new process."""
    own = folder / module
    own.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.measure", module, name]
    command += ["--server", server, "--size", str(size), "--folder", str(own)]
    figures: dict[str, float] = json.loads(subprocess.check_output(command, text=True))
    return figures


def rounds_of(
    name: str, workload: Workload, size: int, modules: list[str], rounds: int, folder: Path
) -> Samples:
    """Return the figures of *rounds* rounds, in each of which every module runs once."""
    samples: Samples = {}
    chosen = modules + ([FLOOR] if name in FLOORS else [])
    with (
        sandbox_server()
        if workload.sandbox
        else canned_server(folder / "schemas.json", max(size, 500), workload.latency)
    ) as server:
        for _ in range(rounds):
            for module in chosen:
                for figure, value in measure(module, name, server, size, folder).items():
                    samples.setdefault(figure, {}).setdefault(module, []).append(value)
    return samples


def sizes_of(workload: Workload, quick: bool) -> tuple[int, ...]:
    """Return the sizes at which *workload* is measured in a full or a *quick* run."""
    return workload.quick if quick else workload.sizes + workload.alone


def first_line(function: Any) -> str:
    """Return the first line of the documentation of *function*."""
    return str(function.__doc__).partition("\n")[0]


def show(samples: Samples) -> None:
    """Print median, range and ratio of each figure."""
    for figure, by_module in samples.items():
        print(f"  {figure}")
        for module, values in by_module.items():
            middle = text(statistics.median(values), figure)
            spread = f"{text(min(values), figure)} … {text(max(values), figure)}"
            print(f"    {module:<12} {middle:>10}   ({spread})")
        if {PUBLISHED, OURS} <= set(by_module) and any(by_module[OURS]):
            ours = statistics.median(by_module[OURS])
            ratio = statistics.median(by_module[PUBLISHED]) / ours
            print(f"    {'ratio':<12} {ratio:>10.2f}")
    sys.stdout.flush()


def write_schemas(path: Path) -> None:
    """Write the JSON schemas of the sandbox to *path*: the types that both libraries build."""
    schema: Any = importlib.import_module("ftrack_like.sandbox.schema")
    path.write_text(json.dumps(schema.json_schemas()), encoding="utf-8")


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, two rounds")
    parser.add_argument("--rounds", type=int, help="runs of each library (default 5)")
    parser.add_argument("--size", type=int, action="append", help="in place of the listed sizes")
    parser.add_argument("--only", action="append", choices=sorted(WORKLOADS), help="repeatable")
    parser.add_argument("--module", action="append", help=f"default {PUBLISHED} and {OURS}")
    parser.add_argument("--json", type=Path, help="also write all samples to this file")
    parser.add_argument("--docs", type=Path, help="also write the page and chart to this folder")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    options = arguments()
    rounds = options.rounds or (2 if options.quick else 5)
    modules = options.module or [PUBLISHED, OURS]
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if absent:
        raise SystemExit(f"Not installed here: {', '.join(absent)}. Use: tox run -e bench")
    everything: dict[str, Samples] = {}
    failed: list[str] = []
    print(f"Python {platform.python_version()}, {platform.machine()}, {rounds} rounds in turn")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_schemas(folder / "schemas.json")
        for name in options.only or WORKLOADS:
            workload = WORKLOADS[name]
            for size in options.size or sizes_of(workload, options.quick):
                title = f"{name} {size:,}" if size else name
                large = size in workload.alone
                chosen = [each for each in modules if not (large and each == PUBLISHED)]
                print(f"{title}: {first_line(workload.function)}", flush=True)
                try:
                    everything[title] = rounds_of(
                        name, workload, size, chosen, min(rounds, workload.most_rounds), folder
                    )
                except subprocess.CalledProcessError as error:
                    failed.append(title)
                    print(f"  FAILED: {' '.join(map(str, error.cmd))}", flush=True)
                else:
                    show(everything[title])
    found = {**circumstances(), "rounds": rounds, "samples": everything}
    results = json.dumps(found, indent=1)
    if options.json:
        options.json.write_text(results, encoding="utf-8")
    if options.docs:
        (options.docs / "performance.json").write_text(results + "\n", encoding="utf-8")
        report.write(options.docs)
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
