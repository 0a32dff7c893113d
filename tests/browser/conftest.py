"""A real browser, a movie whose frames can be told apart, and a review of it.

``FTRACK_LIKE_TEST_CHROMIUM`` names the browser where it is not on the search path; with
``FTRACK_LIKE_TEST_SCREENSHOTS`` set to a folder, the pictures of the documentation go there.
With ``FTRACK_LIKE_TEST_BROWSER_LONG`` set, what one test proves is repeated on more screens, in
more themes, and so on.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest

from .encoded_media import encode_once, publish_outputs
from .programs import handling, log_in

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",  # tests may run as root, in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
]

#: Whether the tests run in their long form.
IS_LONG = bool(os.environ.get("FTRACK_LIKE_TEST_BROWSER_LONG"))

#: How many seconds a test waits for what must come. A busy machine may need most of it.
PATIENCE = 60

#: What the browser says while a page is replaced by another, and before it has read all of a page.
NOT_YET = ("Execution context was destroyed", "Cannot read properties of null")

#: The movie: its frames a second, how many, and their size. A bar at the bottom tells each frame.
RATE, FRAMES, SIZE = 24, 48, (960, 540)
BAR_WIDTH = SIZE[0] // FRAMES


def long_form(*values):
    """Return parameters with which a test only runs in the long form, or for the screenshots."""
    is_wanted = IS_LONG or os.environ.get("FTRACK_LIKE_TEST_SCREENSHOTS")
    reason = "part of the long form: set FTRACK_LIKE_TEST_BROWSER_LONG"
    return pytest.param(*values, marks=pytest.mark.skipif(not is_wanted, reason=reason))


@pytest.fixture(scope="session")
def chromium():
    """Return a running browser, or skip the tests saying what is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    named = os.environ.get("FTRACK_LIKE_TEST_CHROMIUM")
    program = named or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("no chromium on the search path (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


class Window:
    """A window of the browser; *problems* are what it complained about."""

    def __init__(self, chromium, **options):
        self.context = chromium.new_context(
            **{"viewport": {"width": 1440, "height": 900}, **options}
        )
        self.context.set_default_timeout(PATIENCE * 1000)
        self.page = self.context.new_page()
        self.problems = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _heard(self, message):
        if message.type == "error":
            self.problems.append(message.text)

    def until(self, expression, seconds=PATIENCE):
        """Wait until the JavaScript *expression* is true, and return its value.

        Playwright's own way of waiting evaluates text in the page, which its policy forbids.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = self._evaluate(expression)
            if value:
                return value
            self.page.wait_for_timeout(20)
        raise AssertionError(f"never true: {expression}")

    def _evaluate(self, expression):
        """Return the value of *expression*, None while the page is replaced or lacks an element."""
        from playwright.sync_api import Error

        try:
            return self.page.evaluate(expression)
        except Error as error:
            if any(words in error.message for words in NOT_YET):
                return None
            raise

    def until_python(self, condition, seconds=PATIENCE):
        """Wait until *condition* returns something true, while the browser goes on."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "never true"
            self.page.wait_for_timeout(20)

    def open(self, address):
        self.page.goto(address)
        return self

    def open_movie(self, address):
        """Open a page and wait until its movie shows a frame, and its player takes keys."""
        self.open(address)
        return self.movie_is_ready()

    def movie_is_ready(self):
        """Wait until the movie of the page shows a frame, and its player takes keys."""
        self.until("document.querySelector('video').readyState >= 2")
        self.until("document.querySelector('[data-readout]')?.textContent !== '\\u2013'")
        return self

    def screenshot(self, name):
        folder = os.environ.get("FTRACK_LIKE_TEST_SCREENSHOTS")
        if folder:
            self.page.wait_for_timeout(300)  # the picture is for people; nothing depends on it
            path = pathlib.Path(folder, name)
            self.page.screenshot(path=str(path))
            _shrink(path)


def _shrink(path):
    """Store the picture without transparency. 256 colours would change those of the buttons."""
    from PIL import Image

    with Image.open(path) as image:
        opaque = image.convert("RGB")
    opaque.save(path, optimize=True)


@pytest.fixture
def window(chromium):
    """Return a window; the test fails if the page complained about anything."""
    opened = Window(chromium)
    yield opened
    opened.context.close()
    assert opened.problems == []


@pytest.fixture
def make_window(chromium):
    """Return a function that opens windows with options of a browser context."""
    opened = []

    def make(**options):
        opened.append(Window(chromium, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.context.close()


@pytest.fixture(scope="session")
def movie(tmp_path_factory):
    """Return the path of the movie, with sound."""
    pytest.importorskip("PIL", reason="Pillow (media extra) is not installed")
    from ftrack_like._base import ffmpeg

    try:
        program = ffmpeg.find_ffmpeg()
    except ffmpeg.MediaError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("movie")
    for frame in range(FRAMES):
        picture(frame).save(folder / f"frame.{frame:04d}.png")
    path = folder / "lighthouse.mov"
    subprocess.run(
        [
            *(program, "-y", "-loglevel", "error", "-nostdin"),
            *("-framerate", str(RATE), "-i", str(folder / "frame.%04d.png")),
            *("-f", "lavfi", "-i", f"sine=frequency=220:duration={FRAMES / RATE}"),
            *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "12", "-c:a", "aac"),
            *("-shortest", str(path)),
        ],
        check=True,
        timeout=120,
    )
    return path


@pytest.fixture(scope="session")
def encoded_movie(running_sandbox, movie, tmp_path_factory):
    """Return the outputs of the encoder for the movie."""
    return encode_once(running_sandbox, movie, tmp_path_factory.mktemp("encoded"))


@pytest.fixture(scope="session")
def encoded_picture(running_sandbox, tmp_path_factory):
    """Return the outputs of the encoder for a picture."""
    folder = tmp_path_factory.mktemp("encoded")
    path = folder / "still.png"
    picture(0).save(path)
    return encode_once(running_sandbox, path, folder)


def picture(frame):
    """Return the picture of *frame*: a lighthouse at night, its beam turning."""
    import math

    from PIL import Image, ImageDraw, ImageFilter

    width, height = SIZE
    sky = Image.linear_gradient("L").resize(SIZE)
    image = Image.composite(
        Image.new("RGB", SIZE, "#35506f"), Image.new("RGB", SIZE, "#0c1626"), sky
    )
    beam = Image.new("L", SIZE, 0)
    angle = 0.35 * math.sin(frame / FRAMES * 2 * math.pi)
    lamp = (660, 178)
    for side, reach in ((-1, 900), (1, 500)):
        points = [lamp]
        for spread in (-0.07, 0.07):
            turn = angle * side + spread
            points.append(
                (lamp[0] + side * reach * math.cos(turn), lamp[1] + reach * math.sin(turn))
            )
        ImageDraw.Draw(beam).polygon(points, fill=150)
    image.paste("#ffe9a8", mask=beam.filter(ImageFilter.GaussianBlur(9)))
    draw = ImageDraw.Draw(image)
    draw.polygon([(480, 480), (560, 400), (640, 380), (760, 395), (860, 480)], fill="#1d2733")
    draw.polygon([(632, 395), (644, 200), (676, 200), (688, 395)], fill="#e8e4dc")
    for top in (240, 310):
        draw.rectangle([(639, top), (681, top + 34)], fill="#b5473c")
    draw.rectangle([(638, 190), (682, 202)], fill="#2a3542")
    draw.rectangle([(648, 164), (672, 190)], fill="#fff3c4")
    draw.polygon([(642, 164), (660, 144), (678, 164)], fill="#b5473c")
    for row in range(5):
        points = [
            (x, 440 + row * 20 + 8 * math.sin(x / 60 + row * 1.7 + frame / FRAMES * 4 * math.pi))
            for x in range(0, width + 1, 8)
        ]
        shade = ("#1b3a55", "#183450", "#152e48", "#122740", "#0f2138")[row]
        draw.polygon([*points, (width, height), (0, height)], fill=shade)
    draw.rectangle([(0, height - 8), (width, height)], fill="#000000")
    left = frame * BAR_WIDTH
    draw.rectangle([(left, height - 8), (left + BAR_WIDTH - 1, height)], fill="#ffffff")
    return image


class Review:
    """The outputs of *movie* and a version without media, in a review with two invitees."""

    def __init__(self, session, api, movie):
        self.api = api
        schema = session.query("ProjectSchema where name is VFX").one()
        project = session.create(
            "Project",
            {"name": "lighthouse", "full_name": "The Lighthouse Keeper", "project_schema": schema},
        )
        sequence = session.create("Sequence", {"name": "010_storm", "parent": project})
        self.versions = []
        for name in ("010_0010", "010_0020"):
            shot = session.create("Shot", {"name": name, "parent": sequence})
            asset = session.create("Asset", {"name": "comp", "parent": shot})
            self.versions.append(session.create("AssetVersion", {"asset": asset}))
        now = datetime.now(timezone.utc)
        review = session.create(
            "ReviewSession",
            {
                "name": "Storm sequence, second pass",
                "description": "Please look at the timing of the beam.",
                "start_date": now - timedelta(days=1),
                "end_date": now + timedelta(days=14),
                "project": project,
            },
        )
        self.objects = [
            session.create(
                "ReviewSessionObject",
                {
                    "name": version["asset"]["parent"]["name"],
                    "version": "Version 1",
                    "asset_version": version,
                    "review_session": review,
                    "sort_order": sort,
                },
            )
            for sort, version in enumerate(self.versions)
        ]
        invitees = [
            session.create(
                "ReviewSessionInvitee",
                {
                    "name": name,
                    "email": f"{name[:4].lower()}@example.com",
                    "review_session": review,
                },
            )
            for name in ("Mira Sol", "Jonas Falk")
        ]
        session.commit()
        publish_outputs(self.versions[0], movie)
        for invitee in invitees:
            session.send_review_session_invite(invitee)
        outbox = api.http.get(f"{api.url}/outbox", timeout=30).json()
        self.links = [message["links"][0] for message in outbox]
        self.link = self.links[0]


@pytest.fixture
def review(chromium, session, api, encoded_movie):
    """Return a review of the movie; the browser and ffmpeg are there."""
    return Review(session, api, encoded_movie)


@pytest.fixture
def handler(sandbox):
    """Return a session of the administrator that handles events."""
    with handling(sandbox) as session:
        yield session


@pytest.fixture
def project(chromium, session):
    """Return a project with a task; the browser is there."""
    schema = session.query("ProjectSchema").first()
    project = session.create(
        "Project", {"name": "heron", "full_name": "The Heron", "project_schema": schema}
    )
    session.create("Task", {"name": "layout", "parent": project})
    session.commit()
    return project


@pytest.fixture
def page(window, sandbox, project):
    """Return the page of the project."""
    return log_in(window, sandbox, f"/browse/context/{project['id']}")


@pytest.fixture
def artist(session):
    """Return a user who sees all open projects, and the user's key."""
    user = session.create("User", {"username": "ada", "first_name": "Ada", "is_active": True})
    role = session.query('SecurityRole where name is "User"').one()
    session.create(
        "UserSecurityRole", {"user": user, "security_role": role, "is_all_open_projects": True}
    )
    session.commit()
    return user, session.reset_remote("api_key", user)["api_key"]
