"""The other pages in a real browser: nothing that their own policy forbids, and they work."""

from __future__ import annotations

import pytest


def log_in(window, sandbox, place="/browse"):
    page = window.open(sandbox.server_url + place).page
    page.fill("#username", sandbox.api_user)
    page.fill("#key", sandbox.api_key)
    page.click("button.primary")
    page.wait_for_selector(".bar")
    return page


@pytest.mark.ffmpeg
def test_from_the_log_in_to_a_playing_movie(review, window, sandbox):
    """By links alone one gets from the root to a version, and its movie plays."""
    page = window.open(sandbox.server_url).page
    page.click("text=Browse the projects")
    page.fill("#username", sandbox.api_user)
    page.fill("#key", sandbox.api_key)
    page.keyboard.press("Enter")
    page.click("text=The Lighthouse Keeper")
    page.click("text=010_storm")
    page.click("a.tile >> text=010_0010")
    page.click("text=comp")
    page.click("text=Version 1")
    window.movie_is_ready()
    page.keyboard.press("Space")
    window.until("document.querySelector('video').currentTime > 0.3")
    page.keyboard.press("Space")
    window.screenshot("browse-version.png")
    page.fill("#content", "Seen.")
    page.click("text=Send")
    page.wait_for_selector(".note")
    assert review.api.one("select content from Note")["content"] == "Seen."
    page.click("text=Log out")
    page.click("text=Browse the projects")
    assert page.is_visible("#key")


def test_the_link_in_the_outbox_opens_the_review(review, window, sandbox):
    """From the page of the outbox, a link leads to the review."""
    page = log_in(window, sandbox, "/outbox")
    page.locator(".mail a").first.click()
    page.wait_for_selector(".who")
    assert "Reviewing as Jonas Falk" in page.inner_text(".who")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_follow_the_viewers_taste(chromium, make_window, sandbox, scheme):
    """The ground is light or dark as the system says, and a widget's theme wins over it."""
    window = make_window(color_scheme=scheme)
    luminance = (
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        ".reduce((sum, part) => sum + part) / 3"
    )
    window.open(sandbox.server_url)
    assert (window.page.evaluate(luminance) < 64) == (scheme == "dark")
    session = sandbox.session()
    with session:
        other = "light" if scheme == "dark" else "dark"
        window.open(session.get_widget_url("tasks_browser", theme=other))
    assert (window.page.evaluate(luminance) < 64) == (other == "dark")
    assert window.problems == []


@pytest.mark.ffmpeg
def test_choosing_narrows_the_tasks_at_once(review, window, session):
    """A choice in the browser of tasks takes effect without a button."""
    shot = session.query("Shot where name is 010_0010").one()
    for name in ("layout", "comp"):
        session.create("Task", {"name": name, "parent": shot})
    session.commit()
    page = window.open(session.get_widget_url("tasks_browser")).page
    assert page.locator("tbody tr").count() == 2
    page.select_option("[name=status]", "Completed")
    page.wait_for_selector("text=No tasks here.")
    page.select_option("[name=status]", "")
    page.fill("[name=text]", "comp")
    page.keyboard.press("Enter")
    page.wait_for_url("**text=comp**")
    page.click("tbody a")
    page.wait_for_selector("h1 >> text=comp")


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("itemId=projects&entityType=show&entityId={project}", "/browse/context/{project}"),
        ("itemId=home&slideEntityType=task&slideEntityId={task}", "/browse/context/{task}"),
        (
            "itemId=home&slideEntityType=assetversion&slideEntityId={version}",
            "/browse/version/{version}",
        ),
        (
            "itemId=projects&entityType=reviewsession&entityId={session}",
            "/browse/review/{session}",
        ),
        ("itemId=projects&entityType=list&entityId=x", "/browse"),
    ],
)
def test_addresses_of_a_site_lead_to_the_pages(review, window, sandbox, address, path):
    """E, web addresses: links to a site's web client show the same entity in the sandbox."""
    version = review.versions[0]["id"]
    wanted = "select project_id, asset.context_id from AssetVersion"
    record = review.api.one(f"{wanted} where id is {version}")
    ids = {"project": record["project_id"], "task": record["asset"]["context_id"]}
    ids.update(version=version, session=review.api.query("ReviewSession")[0]["id"])
    log_in(window, sandbox)
    page = window.open(f"{sandbox.server_url}/#{address.format(**ids)}").page
    page.wait_for_selector(".bar")
    assert page.url == sandbox.server_url + path.format(**ids)
