"""The server of the farm, its data, and the check of what the workers left there."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ftrack_like
from benchmarks.farm.worker import UNMANAGED_LOCATION
from benchmarks.processes import started

USER, KEY = "benchmark", "key"
#: The components of each version of the scene.
COMPONENTS = 3


@dataclasses.dataclass
class Site:
    """A server with a scene: the ids of its *versions*, and those of a task for each worker."""

    url: str
    process_id: int
    versions: list[str] = dataclasses.field(default_factory=list)
    tasks: list[str] = dataclasses.field(default_factory=list)

    def session(self) -> ftrack_like.Session:
        """Return a session of the administrator, without plugins and caches."""
        return ftrack_like.Session(
            self.url, KEY, USER, plugin_paths=[], cache=False, schema_cache_path=False
        )

    def fill(self, name: str, versions: int, tasks: int) -> None:
        """Create the project *name*, a scene with so many *versions*, and so many *tasks*."""
        with self.session() as session:
            schema = session.query("ProjectSchema").first()
            user = session.query(f'User where username is "{USER}"').one()
            kind = session.query("AssetType").first()
            unmanaged = session.get("Location", UNMANAGED_LOCATION)
            project = session.create("Project", {"name": name, "project_schema": schema})
            scene = []
            for number in range(versions):
                shot = session.create("Shot", {"name": f"sh{number:04}", "parent": project})
                data = {"name": f"model{number:04}", "parent": shot, "type": kind}
                asset = session.create("Asset", data)
                scene.append(session.create("AssetVersion", {"asset": asset, "user": user}))
                for part in range(COMPONENTS):
                    data = {"name": f"part{part}", "file_type": ".usd", "version": scene[-1]}
                    component = session.create("FileComponent", data)
                    place = {"location": unmanaged, "resource_identifier": f"/farm/{number}/{part}"}
                    session.create("ComponentLocation", {"component": component, **place})
            shot = session.create("Shot", {"name": "farm", "parent": project})
            made = [
                session.create("Task", {"name": f"worker{number:05}", "parent": shot})
                for number in range(tasks)
            ]
            session.commit()
            self.versions = [each["id"] for each in scene]
            self.tasks = [each["id"] for each in made]

    def found(self, run: str) -> Counter[tuple[str, ...]]:
        """Return how often each entity that workers of the *run* published is on the server."""
        found: Counter[tuple[str, ...]] = Counter()
        with self.session() as session:
            for version in session.query(
                f'select asset.name, asset_id from AssetVersion where asset.name like "{run}-%"'
            ):
                found["version", version["asset"]["name"]] += 1
            for component in session.query(
                "select name, version.asset.name, component_locations.location_id "
                f'from FileComponent where version.asset.name like "{run}-%"'
            ):
                name = component["version"]["asset"]["name"]
                found["component", name, component["name"]] += 1
                for place in component["component_locations"]:
                    assert place["location_id"] == UNMANAGED_LOCATION
                    found["location", name, component["name"]] += 1
            for job in session.query('select data, status from Job where type is "api_job"'):
                description = json.loads(job["data"] or "{}").get("description", "")
                if description.startswith(f"{run}-"):
                    found["job", description, job["status"]] += 1
        return found


def expected(name: str, components: int) -> set[tuple[str, ...]]:
    """Return what a worker leaves on the server that publishes the asset *name*."""
    kept = {("version", name), ("job", name, "done")}
    for number in range(components):
        kept |= {("component", name, f"{number:04}"), ("location", name, f"{number:04}")}
    return kept


@contextlib.contextmanager
def running_site(
    folder: Path, connections: int, database: str | None, workers: int
) -> Iterator[Site]:
    """Yield an empty site; stop its server afterwards.

    The data is in an SQLite file in *folder*, or in the PostgreSQL *database*, which then is
    served by so many *workers*. The server accepts so many *connections*.
    """
    command = [sys.executable, "-m", "ftrack_like.sandbox", "--port", "0", "--json"]
    command += ["--user", USER, "--key", KEY, "--max-connections", str(connections)]
    command += ["--max-connections-per-address", str(connections)]
    if database is None:
        command += ["--data", str(folder / "data")]
    else:
        command += ["--database", database, "--media", str(folder / "media")]
        command += ["--workers", str(workers)]
    with started(command) as server:
        if not server.first_line:
            raise SystemExit("The server did not start. Its message is above.")
        yield Site(json.loads(server.first_line)["server_url"], server.process_id)


def differences(run: str, names: list[str], components: int, site: Site) -> dict[str, Any]:
    """Compare the site with the work of the workers that succeeded, which published *names*.

    Return the numbers ``lost`` and ``duplicates``, and ``examples`` of both.
    """
    found = site.found(run)
    lost = sorted(set().union(*(expected(name, components) for name in names)) - set(found))
    double = sorted(key for key, number in found.items() if number > 1)
    return {
        "lost": len(lost),
        "duplicates": sum(found[key] - 1 for key in double),
        "examples": [" ".join(key) for key in (lost[:5] + double[:5])],
    }
