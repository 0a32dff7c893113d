"""The farm benchmark counts every request, and finds what workers lost or did twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'sandbox' is not installed")
pytest.importorskip("benchmarks", reason="the benchmarks are not part of this copy")

from benchmarks.farm.figures import calculated, summed
from benchmarks.farm.site import KEY, USER, Site, differences, running_site
from benchmarks.farm.storm import storm
from benchmarks.farm.worker import PHASES, Plan

PROJECT = Path(__file__).resolve().parent.parent.parent

#: The seconds that workers have, on a busy machine.
PATIENCE = 240


@pytest.fixture(params=["sqlite", "redis"])
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the environment for a run with each kind of shared cache."""
    kept = {k: v for k, v in os.environ.items() if k != "FTRACK_LIKE_TEST_REDIS_URL"}
    if request.param == "redis":
        pytest.importorskip("redis", reason="the extra 'redis' is not installed")
        url = os.environ.get("FTRACK_LIKE_TEST_REDIS_URL")
        if not url:
            pytest.skip("FTRACK_LIKE_TEST_REDIS_URL names no server")
        kept["FTRACK_LIKE_TEST_REDIS_URL"] = url
    return kept


def test_farm_does_everything_once(environment: dict[str, str], tmp_path: Path) -> None:
    """Six workers publish and report without errors, and a shared cache saves requests."""
    output = tmp_path / "farm.json"
    command = [sys.executable, "-m", "benchmarks.farm", "--size", "6", "--components", "3"]
    command += ["--versions", "2", "--farm", "600", "--json", str(output)]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, timeout=540, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(output.read_text(encoding="utf-8"))
    plain, cached, started = found["storms"]
    for each in found["storms"]:
        assert (each["workers"], each["errors"], each["lost"], each["duplicates"]) == (6, 0, 0, 0)
        assert 0 < each["storm_time"] <= each["total_time"]
        # A retry, after a time-out on a busy machine, is a request too.
        assert each["counts"]["first query"]["requests"] - each["retries"] <= 6
    read = [each["counts"]["read"] for each in found["storms"]]
    assert read[0]["requests"] > read[1]["requests"] == read[2]["requests"] > 0
    assert read[0]["cache_received"] == 0
    # The bytes of a cache in a file go through no socket.
    uses_redis = "FTRACK_LIKE_TEST_REDIS_URL" in environment
    assert found["shared cache"] == ("redis" if uses_redis else "sqlite")
    assert bool(read[1]["cache_received"]) == uses_redis
    assert started["counts"]["start"]["requests"] <= cached["counts"]["start"]["requests"]
    farm = found["calculated"][0]
    total = sum(plain["counts"][phase]["requests"] for phase in PHASES)
    assert farm["requests"] == pytest.approx(total * 100)
    assert "Calculated for 600 workers" in done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a site with a scene and two tasks."""
    with running_site(tmp_path_factory.mktemp("farm"), 100, None, 1) as running:
        running.fill("farm", versions=2, tasks=2)
        yield running


def plan_of(site: Site, name: str, folder: Path, **values: Any) -> Plan:
    """Return the plan of a worker that publishes two components of the asset *name*."""
    file = folder / "published.usd"
    file.write_text("#usda 1.0\n", encoding="utf-8")
    session = {"server_url": site.url, "api_user": USER, "api_key": KEY}
    session["schema_cache_path"] = str(folder / "disk")
    given = {"module": "ftrack_like", "session": session, "task": site.tasks[0]}
    given |= {"versions": site.versions, "name": name, "components": 2, "file": str(file)}
    return Plan(**{**given, **values})


def test_requests_are_those_of_the_client(site: Site, tmp_path: Path) -> None:
    """The sockets of a worker show as many requests as its client counts, in known phases."""
    (result,) = storm(sys.executable, [plan_of(site, "counted-0", tmp_path)], tmp_path, PATIENCE)
    assert result["error"] is None
    assert set(result["counts"]) == set(PHASES)
    requests = sum(each["requests"] for each in result["counts"].values())
    assert requests == result["statistics"]["requests"]
    for direction in ("sent", "received"):
        counted = sum(each[direction] for each in result["counts"].values())
        assert counted > result["statistics"][f"bytes_{direction}"]  # The headers count too.
    assert differences("counted", ["counted-0"], 2, site)["lost"] == 0


def test_losses_and_duplicates_are_found(site: Site, tmp_path: Path) -> None:
    """A deleted component location, a second version and a second job are reported."""
    (result,) = storm(sys.executable, [plan_of(site, "checked-0", tmp_path)], tmp_path, PATIENCE)
    assert result["error"] is None
    assert differences("checked", ["checked-0"], 2, site) == {
        "lost": 0,
        "duplicates": 0,
        "examples": [],
    }
    with site.session() as session:
        version = session.query('AssetVersion where asset.name is "checked-0"').one()
        session.create("AssetVersion", {"asset": version["asset"], "task": version["task"]})
        data = json.dumps({"description": "checked-0"})
        user = session.query(f'User where username is "{USER}"').one()
        session.create("Job", {"user": user, "status": "done", "data": data})
        component = session.query(
            'Component where name is "0001" and version.asset.name is "checked-0"'
        ).one()
        session.delete(component["component_locations"][0])
        session.commit()
    assert differences("checked", ["checked-0"], 2, site) == {
        "lost": 1,
        "duplicates": 2,
        "examples": ["location checked-0 0001", "job checked-0 done", "version checked-0"],
    }


def test_failing_workers_are_errors(site: Site, tmp_path: Path) -> None:
    """A worker that cannot import, or that raises an error, makes the storm fail, with a reason."""
    plans = [
        plan_of(site, "bad-0", tmp_path, module="no_such_client"),
        plan_of(site, "bad-1", tmp_path, task="00000000-0000-0000-0000-000000000000"),
        plan_of(site, "bad-2", tmp_path),
    ]
    results = storm(sys.executable, plans, tmp_path, PATIENCE)
    assert "No module named 'no_such_client'" in results[0]["error"]
    assert results[1]["error"].startswith("NoResultFoundError")
    assert results[2]["error"] is None
    measured = {"processor_time": None, "load": None, "lost": 0, "duplicates": 0}
    found = summed("a client", results, **measured)
    assert (found.workers, found.errors, found.failed) == (3, 2, True)
    assert len(found.examples) == 2


def test_late_workers_are_ended(site: Site, tmp_path: Path) -> None:
    """A worker that is not done in time is killed, and counts as an error."""
    (result,) = storm(sys.executable, [plan_of(site, "late-0", tmp_path)], tmp_path, 0)
    assert result["error"] == "The worker has no result: not done in time"


def counted(workers: int, requests: int, processor_time: float) -> Any:
    """Return a storm of *workers* with so many *requests* at the start."""
    results = [{"error": None, "counts": {"start": {"requests": requests}}, "memory": None}]
    results += [{"error": None, "counts": {}, "memory": None}] * (workers - 1)
    rest = {"load": None, "lost": 0, "duplicates": 0}
    return summed("a client", results, processor_time=processor_time, **rest)


def test_farm_is_calculated_by_a_line() -> None:
    """Requests that are made once for all do not grow with the farm, and others do."""
    farm = calculated([counted(10, 32, 1.0), counted(110, 332, 22.0)], 1000)
    assert farm.requests == pytest.approx(3 * 1000 + 2)
    assert farm.processor_time == pytest.approx(200.0)
    farm = calculated([counted(10, 30, 1.0)], 1000)
    assert farm.requests == pytest.approx(3000)
