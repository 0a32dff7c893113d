"""Packages that others built on the published client run on this library, unmodified.

Each scenario is a program of its own (see ``scenarios``), run by ``python -m ftrack_like.compat``
and, where the published client is installed, without it too: the answers have to be equal.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import pytest

PACKAGES = {
    "query": ["ftrack_query"],
    "action": ["ftrack_action_handler"],
    "teroid": ["trackteroid"],
    "s3": ["ftrack_s3_accessor", "boto3", "moto"],
    "utils": ["ftrack_utils"],
    "framework": ["ftrack_framework_core", "ftrack_utils", "ftrack_constants", "yaml"],
}


@pytest.fixture(scope="module")
def published_client() -> None:
    """Skip the test where the published client cannot be imported: 2.5 cannot, from Python 3.12."""
    command = [sys.executable, "-c", "import ftrack_api"]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if tried.returncode:
        reason = (tried.stderr.strip().splitlines() or ["no reason"])[-1]
        pytest.skip(f"the published client cannot be imported here: {reason}")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", PACKAGES)
def test_answers_are_those_of_the_published_client(
    name: str, needs: Any, run_scenario: Any, published_client: None
) -> None:
    """A program gives the same answers on either client."""
    needs(*PACKAGES[name])
    assert run_scenario(name) == run_scenario(name, published=True)


def test_query_statements(needs: Any, run_scenario: Any) -> None:
    """ftrack-query builds on a session: statements find, make, change and delete."""
    needs(*PACKAGES["query"])
    answers = run_scenario("query")
    assert answers["names"] == ["light", "layout"]
    assert answers["subquery"] == ["layout", "light"]
    assert (answers["updated"], answers["changed"], answers["deleted"]) == (2, 2, 1)
    assert answers["left"] == ["layout", "light"]
    assert answers["heard"] == ["layout"]


def test_actions(needs: Any, run_scenario: Any) -> None:
    """Actions of ftrack-action-handler are discovered and launched over the event server."""
    needs(*PACKAGES["action"])
    answers = run_scenario("action")
    assert answers["discovered"] == ["Rename", "Report"]
    assert answers["form"]["items"][0]["name"] == "name"
    assert answers["done"]["message"] == "Renamed to layout_final."
    assert answers["name"] == "layout_final"
    assert answers["jobs"] == [["done", "Reported"]]


def test_collections(needs: Any, run_scenario: Any) -> None:
    """trackteroid learns the schemas, and finds, groups, changes and deletes."""
    needs(*PACKAGES["teroid"])
    answers = run_scenario("teroid")
    assert answers["tasks"] == ["layout", "layout", "light", "light"]
    assert answers["hours"] == 2.0
    assert answers["grouped"] == {"sh10": ["layout", "light"], "sh20": ["layout", "light"]}
    assert answers["full_name"] == ["The Harbour"]
    assert answers["logs"] == 0


def test_buckets(needs: Any, run_scenario: Any) -> None:
    """A component goes to a bucket by ftrack-s3-accessor, and from there to a disk."""
    needs(*PACKAGES["s3"])
    answers = run_scenario("s3")
    assert answers["available"] == 100.0
    assert (answers["size"], answers["copied"]) == (600_000, True)


def test_utilities(needs: Any, run_scenario: Any) -> None:
    """ftrack-utils opens sessions, hears events on a thread of its own, and tells usage."""
    needs(*PACKAGES["utils"])
    answers = run_scenario("utils")
    assert answers["connected"]
    assert answers["heard"] == [{"a": 1}]
    assert answers["context"] == "harbour/sh10/layout"
    assert answers["version"] == "harbour/sh10/layout/plate/v1"
    assert answers["read"] == "harbour"
    assert "_track_usage" not in str(answers["errors"])


def test_framework(needs: Any, run_scenario: Any) -> None:
    """ftrack-framework-core finds its host by events and runs a studio's tool."""
    needs(*PACKAGES["framework"])
    answers = run_scenario("framework")
    assert answers["plugins"] == ["studio_describe"]
    assert answers["same_host"]
    assert answers["logged"]
    assert answers["verified"] == ["nothing"]
    assert answers["description"] == "from the tool"


def test_the_published_client_is_not_used(needs: Any, run_scenario: Any) -> None:
    """With the published client installed, programs still get this library."""
    needs("ftrack_api")
    assert importlib.util.find_spec("ftrack_api") is not None
    answers = run_scenario("which")
    assert answers == {"name": "ftrack_like", "submodule": "ftrack_like.accessor.disk"}
