"""The page with the webhooks and their deliveries."""

from __future__ import annotations

import uuid


def _webhook(api, url, filter_, name="Notify the farm"):
    automation = str(uuid.uuid4())
    api.call(
        api.make("Automation", id=automation, name=name, description="By <b>email</b>"),
        api.make("Trigger", automation_id=automation, filter=filter_),
        api.make(
            "WebhookAction",
            automation_id=automation,
            webhook_url=url,
            headers='{"X-Token": "secret-token"}',
        ),
    )
    return automation


def test_webhooks_are_shown(api, visitor):
    """The page shows each webhook with its filters, without the path and the headers."""
    _webhook(
        api, "https://hooks.example.com/secret-path?key=secret", 'entity.new.name = "<script>"'
    )
    page = visitor.get("/webhooks")
    assert page.status == 200
    for words in (
        "Notify the farm",
        "By <b>email</b>",
        "https://hooks.example.com",
        'entity.new.name = "<script>"',
        "Nothing has been sent yet.",
    ):
        assert words in page.text
    assert "secret-" not in page.source
    assert "<script>" not in page.source


def test_deliveries_are_shown(api, visitor, browser):
    """The page shows what waits, and the log of the attempts."""
    # No server uses this port, so that each attempt fails.
    automation = _webhook(api, "https://127.0.0.1:9/secret-path", 'entity.new.name != ""')
    api.create("User", username="mira")
    while not api.query("select id from ActionLog"):
        pass
    page = visitor.get("/webhooks")
    assert "failure" in page.text
    assert "Attempt 1 of 8 to deliver event" in page.text
    assert "https://127.0.0.1:9 failed: the connection failed" in page.text
    assert "secret-" not in page.source
    api.update("Automation", automation, enabled=False)
    assert "Notify the farm (disabled)" in visitor.get("/webhooks").text


def test_no_webhooks(visitor):
    """The page of a new site says that there are no webhooks, and pages link to it."""
    assert "There are no webhooks." in visitor.get("/webhooks").text
    assert visitor.get("/browse").addresses("/webhooks")


def test_webhooks_are_for_administrators(api, browser):
    """Other users do not see the page, or a link to it."""
    user = api.create("User", username="ada", email="ada@example.com")
    answer = api.call(
        {
            "action": "reset_remote",
            "reset_type": "api_key",
            "entity_type": "User",
            "entity_key": user,
        }
    )
    browser.post("/log-in", username="ada", key=answer[0]["data"]["api_key"], next="/browse")
    page = browser.get("/webhooks")
    assert page.status == 403
    assert "Only administrators may see the webhooks." in page.text
    assert not browser.get("/browse").addresses("/webhooks")
