"""The server's part of actions in the pages: menus, jobs, and what the policy of pages permits."""

from __future__ import annotations

import re

import pytest


@pytest.fixture
def places(api):
    """Return what the pages of entities show: path, type and id in a selection."""
    schema = api.query("select id from ProjectSchema")[0]["id"]
    project = api.create("Project", name="p", full_name="P", project_schema_id=schema)
    task = api.create("Task", name="layout", parent_id=project, project_id=project)
    asset = api.create("Asset", name="comp", context_id=project)
    version = api.create("AssetVersion", asset_id=asset)
    component = api.create("Component", name="main", version_id=version)
    review = api.create("ReviewSession", name="Dailies", project_id=project)
    return [
        (f"/browse/context/{project}", [("show", project)]),
        (f"/browse/context/{task}", [("task", task)]),
        (f"/browse/asset/{asset}", [("asset", asset)]),
        (f"/browse/version/{version}", [("assetversion", version), ("Component", component)]),
        (f"/browse/review/{review}", [("reviewsession", review)]),
    ]


def test_each_entity_has_a_menu(visitor, places):
    """The page of an entity says what its menus are about, with the names of a site."""
    for path, expected in places:
        page = visitor.get(path)
        assert page.status == 200
        found = re.findall(
            r'data-actions data-entity-type="([^"]*)" data-entity-id="([^"]*)"', page.source
        )
        assert found == expected


def test_only_pages_with_actions_show_other_servers(visitor, places):
    """The policy permits frames and pictures in answers on these pages, and scripts of nobody."""
    for path, _ in places:
        policy = visitor.get(path).response.headers["Content-Security-Policy"]
        assert "frame-src http: https:" in policy
        assert "img-src 'self' data:;" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
    for path in ("/browse/jobs", "/outbox", "/"):
        policy = visitor.get(path).response.headers["Content-Security-Policy"]
        assert "frame-src" not in policy
        assert "data:" not in policy


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ('{"description": "Rendering"}', "Rendering"),
        ('{"description": 5}', "api_job"),
        ("{}", "api_job"),
        ("[1]", "api_job"),
        ("not JSON", "api_job"),
        ("", "api_job"),
        (None, "api_job"),
    ],
)
def test_a_job_has_a_description_or_a_type(visitor, api, data, shown):
    """Whatever a program wrote into the data of a job, the page shows the job."""
    user = api.one('select id from User where username is "admin"')["id"]
    job = api.create("Job", user_id=user, type="api_job", status="running", data=data)
    page = visitor.get("/browse/jobs")
    assert page.status == 200
    assert f'data-job="{job}" data-status="running"' in page.source
    assert f'<span class="description">{shown}</span>' in page.source


def test_there_may_be_no_jobs(visitor):
    """The page says so."""
    assert "You have no jobs." in visitor.get("/browse/jobs").text
