"""Programs that offer actions, and the pages on which people choose them."""

from __future__ import annotations

import contextlib
import threading

from ftrack_like.actions import Action
from ftrack_like.event.base import Event

#: One item of each kind, and what comes back of them untouched.
EVERY_ITEM = [
    {
        "type": "label",
        "value": "# Publish\n\nTo **farm**, or [elsewhere](https://example.com/).\n\n---\n\n<b>Bold</b>",
    },
    {"type": "text", "name": "comment", "label": "Comment", "empty_text": "Say why"},
    {"type": "textarea", "name": "story", "label": "Story", "value": "Once\nupon"},
    {"type": "password", "name": "phrase", "label": "Phrase", "value": "sesame"},
    {"type": "number", "name": "frames", "label": "Frames", "value": 24},
    {"type": "date", "name": "due", "label": "Due", "value": "2026-03-09T00:00:00"},
    {"type": "boolean", "name": "urgent", "label": "Urgent", "value": True},
    {
        "type": "enumerator",
        "name": "queue",
        "label": "Queue",
        "data": [{"label": "Day", "value": "day"}, {"label": "Night", "value": 2}],
        "value": 2,
    },
    {
        "type": "enumerator",
        "name": "passes",
        "label": "Passes",
        "multi_select": True,
        "data": [{"label": one.title(), "value": one} for one in ("beauty", "depth", "id")],
        "value": ["depth"],
    },
    {"type": "hidden", "name": "step", "value": {"number": 1}},
    {"type": "number", "name": "range", "label": "First frame", "value": 1001},
    {"type": "number", "name": "range", "label": "Last frame", "value": 1100.5},
]
UNTOUCHED = {
    "comment": "",
    "story": "Once\nupon",
    "phrase": "sesame",
    "frames": 24,
    "due": "2026-03-09",
    "urgent": True,
    "queue": 2,
    "passes": ["depth"],
    "step": {"number": 1},
    "range": [1001, 1100.5],
}


class Everything(Action):
    """An action with a form of every item."""

    identifier = "studio.everything"
    label = "Everything"
    description = "Asks for everything."
    icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"
    everyone = True

    def __init__(self, session):
        super().__init__(session)
        self.launches = []

    def launch(self, request):
        self.launches.append(request)
        if request.values:
            return "All is known."
        return {
            "title": "Everything there is",
            "submit_button_label": "Send it",
            "items": EVERY_ITEM,
        }


class Answer(Action):
    """An action that answers what a test wants."""

    identifier = "studio.answer"
    label = "Answer"
    everyone = True
    answer = None

    def __init__(self, session):
        super().__init__(session)
        self.launches = []

    def _launch(self, event):
        self.launches.append(event)
        return self.answer


@contextlib.contextmanager
def handling(sandbox, **options):
    """Yield a session whose hub is connected and handles events on a thread."""
    with sandbox.session(**options) as session:
        session.event_hub.connect()
        thread = threading.Thread(target=session.event_hub.wait, daemon=True)
        thread.start()
        yield session
        session.event_hub.disconnect()
        thread.join(10)


def action(kind, handler, answer=None):
    """Return a registered action of *handler* that the server knows."""
    made = kind(handler)
    made.answer = answer
    made.register()
    handler.event_hub.wait_connected(20)
    return made


def log_in(window, sandbox, place, user=None, key=None):
    """Open *place* as a user, by default the administrator; return when events arrive.

    The fields of the log-in form go out as a request; the form itself has tests of its own.
    """
    fields = {"username": user or sandbox.api_user, "key": key or sandbox.api_key}
    answer = window.context.request.post(
        f"{sandbox.server_url}/log-in", form=fields, max_redirects=0
    )
    assert answer.status == 303
    page = window.open(sandbox.server_url + place).page
    window.until("document.documentElement?.dataset.events === 'open'")
    return page


def choose(page, label):
    """Launch the action *label* from the first menu."""
    page.click("[data-actions] button[aria-haspopup]")
    page.click(f"role=menuitem[name=/^{label}/]")


def trigger(session, user, **data):
    """Publish the event that opens a user interface."""
    target = f'applicationId=ftrack.client.web and user.id="{user["id"]}"'
    event = Event("ftrack.action.trigger-user-interface", data=data, target=target)
    session.event_hub.publish(event)
