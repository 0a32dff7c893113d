"""Run the storms that the command line asks for, print the figures, and check the results."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from benchmarks import farm
from benchmarks.farm import table
from benchmarks.farm.figures import Farm, Storm, calculated, summed
from benchmarks.farm.site import KEY, USER, Site, differences, running_site
from benchmarks.farm.storm import storm
from benchmarks.farm.worker import Plan
from benchmarks.machine import circumstances, load, memory, processor_seconds
from ftrack_like.cache.addresses import open_storage, shown_address

#: The workers that one core and one worker's share of the memory (in bytes) stand.
WORKERS_OF_CORE, MEMORY_OF_WORKER = 100, 80_000_000
#: How many seconds sessions use the server's description in the cache.
FRESH = 600


@dataclasses.dataclass
class Variant:
    """A way to run a client: its title, the program, the module, and which caches it uses."""

    title: str
    python: str
    module: str
    shares_entities: bool = False
    shares_start: bool = False


def variants(published: str | None) -> dict[str, Variant]:
    """Return the variants to measure, by the name for the command line."""
    ours = sys.executable, "ftrack_like"
    found = {
        "plain": Variant("this client", *ours),
        "cache": Variant("... shared cache", *ours, shares_entities=True),
        "start": Variant("... and shared start", *ours, shares_entities=True, shares_start=True),
    }
    if published is None:
        return found
    return {"published": Variant("published client", published, "ftrack_api"), **found}


def most_workers() -> int:
    """Return how many workers this machine stands, 200 at most."""
    free = memory()
    by_memory = 200 if free is None else free // 2 // MEMORY_OF_WORKER
    return max(1, min(200, by_memory, (os.cpu_count() or 1) * WORKERS_OF_CORE))


class Planner:
    """Makes the plans of a run: one for a worker that goes first, and one for each of the storm."""

    def __init__(
        self, options: argparse.Namespace, variant: Variant, site: Site, folder: Path
    ) -> None:
        """Plan a run of *variant* on *site*, with files in *folder*."""
        self.run = f"farm{uuid.uuid4().hex[:12]}"
        self.cache = options.cache.format(run=self.run) if variant.shares_entities else None
        self._options = options
        self._variant = variant
        self._site = site
        self._folder = folder
        self._file = folder / "published.usd"
        self._file.write_text("#usda 1.0\n", encoding="utf-8")

    def first(self) -> Plan:
        """Return the plan of a worker that fills the caches, and compiles modules."""
        return self._plan(0, "disk" if self._options.disk == "filled" else "first", {})

    def storm(self, size: int, modules: list[str]) -> list[Plan]:
        """Return the plans of a storm of *size* workers, which import *modules* before it."""
        is_filled = self._options.disk == "filled"
        more = {"cache_server_information": FRESH} if self._variant.shares_start else {}
        plans = []
        for index in range(size):
            plan = self._plan(index, "disk" if is_filled else f"disk{index}", more)
            plan.components = self._options.components
            plan.modules = modules
            plans.append(plan)
        return plans

    def _plan(self, index: int, disk: str, more: dict[str, Any]) -> Plan:
        """Return a plan that only reads, with *more* arguments of the session."""
        session: dict[str, Any] = {"server_url": self._site.url, "api_user": USER, "api_key": KEY}
        session["timeout"] = self._options.timeout
        session["schema_cache_path"] = str(self._folder / disk)
        if self.cache is not None:
            session["cache"] = self.cache
        return Plan(
            module=self._variant.module,
            session={**session, **more},
            task=self._site.tasks[index],
            versions=self._site.versions,
            name=f"{self.run}-{index:05}",
            components=0,
            file=str(self._file),
        )


def measure(options: argparse.Namespace, variant: Variant, site: Site, size: int) -> Storm:
    """Return the figures of a storm of *size* workers."""
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        planner = Planner(options, variant, site, folder)
        try:
            (first,) = storm(variant.python, [planner.first()], folder, options.patience)
            if first["error"]:
                raise SystemExit(f"The worker that goes first failed: {first['error']}")
            plans = planner.storm(size, first["modules"])
            busy, before = load(), processor_seconds(site.process_id)
            results = storm(variant.python, plans, folder, options.patience)
            after = processor_seconds(site.process_id)
        finally:
            if planner.cache is not None:
                open_storage(planner.cache).entities.clear()
    done = [plan.name for plan, result in zip(plans, results) if not result["error"]]
    return summed(
        variant.title,
        results,
        processor_time=None if before is None or after is None else after - before,
        load=busy,
        **differences(planner.run, done, options.components, site),
    )


def measured(options: argparse.Namespace, folder: Path) -> dict[str, list[Storm]]:
    """Return the storms of all sizes, by variant."""
    most = max(options.size)
    storms: dict[str, list[Storm]] = {}
    with running_site(folder, max(1024, 4 * most), options.database, options.workers) as site:
        site.fill(f"farm{uuid.uuid4().hex[:12]}", options.versions, most)
        for size in sorted(set(options.size)):
            for name, variant in variants(options.published).items():
                if options.only and name not in options.only:
                    continue
                print(f"{variant.title}: {size} workers", file=sys.stderr, flush=True)
                found = measure(options, variant, site, size)
                storms.setdefault(name, []).append(found)
                print("\n".join(table.storms_table([found])), file=sys.stderr, flush=True)
    return storms


def report(storms: dict[str, list[Storm]], options: argparse.Namespace) -> list[Farm]:
    """Print the figures, and return the loads that are calculated from them."""
    flat = [each for same in storms.values() for each in same]
    farms = [calculated(same, options.farm) for same in storms.values()]
    pairs = [(same[0], same[-1]) for same in storms.values() if len(same) > 1]
    parts = [table.requests_table(flat), table.bytes_table(flat), table.storms_table(flat)]
    parts += [table.growth_table(pairs)] if pairs else []
    for lines in [*parts, table.farm_table(farms, options.window)]:
        print("\n".join([*lines, ""]), flush=True)
    if not pairs:
        print("Measured at one size only, so requests that are made once for all were multiplied.")
        print("Give --size twice to tell these apart from the requests of each worker.")
    return farms


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.farm",
        description=farm.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--size", type=int, action="append", help="worker processes of the farm; repeatable")
    add("--components", type=int, default=20, help="components that each publishes (default 20)")
    add("--versions", type=int, default=10, help="versions in the scene (default 10)")
    add("--disk", choices=["empty", "filled"], default="empty", help="schemas on each disk")
    add("--redis", help="Redis for the shared cache (default FTRACK_LIKE_TEST_REDIS_URL or SQLite)")
    add("--published", metavar="PYTHON", help="Python with the published client, to compare")
    add("--database", metavar="URL", help="PostgreSQL of the server (default: SQLite)")
    add("--workers", type=int, default=2, help="processes of a server on PostgreSQL (default 2)")
    add("--only", action="append", choices=list(variants("")), help="repeatable")
    add("--farm", type=int, default=10_000, help="workers of the calculated farm (default 10000)")
    add("--window", type=float, default=60, help="seconds in which these work (default 60)")
    add("--timeout", type=int, default=60, help="of each session, in seconds (default 60)")
    add("--patience", type=float, default=1200, help="seconds for a storm (default 1200)")
    add("--json", type=Path, metavar="FILE", help="also write all counts to this file")
    options = parser.parse_args()
    options.size = options.size or sorted({min(10, most_workers()), most_workers()})
    if min([*options.size, options.versions, options.farm, options.workers]) < 1:
        parser.error("sizes and numbers of versions and workers are 1 or more")
    if options.components < 1 or options.window <= 0:
        parser.error("--components and --window are more than 0")
    if options.only and "published" in options.only and not options.published:
        parser.error('"--only published" needs --published PYTHON')
    return options


def cache_address(redis: str | None, folder: Path) -> str:
    """Return the address of the shared cache, with a place for the name of a run."""
    if not redis:
        return f"sqlite:///{folder}/cache-{{run}}.db"
    escaped = redis.replace("{", "{{").replace("}", "}}")
    return f"{escaped}{'&' if '?' in redis else '?'}prefix={{run}}:&expire=3600"


def main() -> None:
    """Measure, print, write, and fail if an error, a loss or a duplicate was found."""
    options = arguments()
    redis = options.redis or os.environ.get("FTRACK_LIKE_TEST_REDIS_URL")
    with tempfile.TemporaryDirectory() as temporary:
        options.folder = Path(temporary)
        options.cache = cache_address(redis, options.folder)
        found = circumstances()
        server = f"PostgreSQL, {options.workers} processes" if options.database else "SQLite"
        found["server"] = server
        found["shared cache"] = shown_address(options.cache).partition(":")[0]
        print("; ".join([*found["machine"], server, f"cache: {found['shared cache']}", ""]))
        storms = measured(options, options.folder)
    farms = report(storms, options)
    flat = [each for same in storms.values() for each in same]
    if options.json:
        found["storms"] = [dataclasses.asdict(each) for each in flat]
        found["calculated"] = [dataclasses.asdict(each) for each in farms]
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if any(each.failed for each in flat):
        raise SystemExit("Errors, losses or duplicates were found: see the table above.")


if __name__ == "__main__":
    main()
