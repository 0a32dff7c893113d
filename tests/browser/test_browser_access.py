"""Every page for all people: the rules of axe-core, and the keyboard alone."""

from __future__ import annotations

import pytest

from .conftest import long_form
from .every_page import EveryPage
from .programs import log_in

#: Return the ids and labels of the page that are wrong: double ids, references to missing ids, and
#: fields without a label.
BROKEN_MARKUP = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const faults = ids.filter((one, at) => ids.indexOf(one) !== at).map((one) => `double id ${one}`);
  for (const name of ["for", "aria-labelledby", "aria-describedby", "aria-controls"]) {
    for (const one of document.querySelectorAll(`[${name}]`)) {
      for (const id of one.getAttribute(name).split(/\\s+/)) {
        if (!document.getElementById(id)) faults.push(`${name} of nothing: ${id}`);
      }
    }
  }
  for (const one of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (one.labels.length || one.getAttribute("aria-label")) continue;
    faults.push(`no label: ${one.outerHTML}`);
  }
  if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  return faults;
}"""

#: Return the element with the focus, and whether the viewer sees it and its outline.
FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  one.dataset.visit ??= String(document.querySelectorAll("[data-visit]").length);
  // A radio button or a swatch is drawn by the element next to it.
  const drawn = one.matches(".swatches input") ? one.nextElementSibling : one;
  const style = getComputedStyle(drawn);
  const box = drawn.getBoundingClientRect();
  const isIn = box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
  return {
    visit: one.dataset.visit,
    name: one.outerHTML.slice(0, 120),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
    seen: isIn && box.width > 0 && box.height > 0,
  };
}"""

#: Return the things on the page that can be used and that the viewer can see.
USABLE = """() => [...document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((one) => !one.disabled && one.type !== "hidden" && one.tabIndex >= 0)
  .filter((one) => one.checkVisibility({visibilityProperty: true}))
  .filter((one) => one.type !== "radio" || one.checked)
  .length"""


@pytest.fixture
def axe():
    """Return a checker of the rules of axe-core."""
    module = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    return module.Axe()


def faults_of(axe, page):
    """Return what axe-core and the check of the markup find on *page*."""
    result = axe.run(page)
    found = [
        (one["id"], [node["html"][:200] for node in one["nodes"]][:3])
        for one in result.response["violations"]
    ]
    return found + page.evaluate(BROKEN_MARKUP)


@pytest.mark.parametrize(
    ("width", "scheme"),
    [(1280, "light"), (360, "dark"), long_form(1280, "dark"), long_form(360, "light")],
)
def test_axe_finds_nothing_on_any_page(
    chromium, make_window, sandbox, session, api, axe, width, scheme
):
    """All pages, with entries and without, keep the rules on each screen and in each theme."""
    site = EveryPage(sandbox, session, api, "sh010")
    window = make_window(
        reduced_motion="reduce", viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    faults = {}

    def look(name, address):
        window.open(address if address.startswith("http") else sandbox.server_url + address)
        found = faults_of(axe, window.page)
        if found:
            faults[name] = found

    for name, address in {**site.guest, **site.widgets}.items():
        look(name, address)
    log_in(window, sandbox, site.user["project"])
    for name, address in site.user.items():
        look(name, address)
    assert faults == {}


@pytest.mark.ffmpeg
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_while_a_movie_is_reviewed(review, make_window, axe, width):
    """The rules hold while the viewer draws, writes, decides, and reads notes and the keys."""
    window = make_window(
        reduced_motion="reduce", viewport={"width": width, "height": 800}
    ).open_movie(review.link)
    page = window.page
    assert faults_of(axe, page) == []
    page.keyboard.press("d")
    assert faults_of(axe, page) == []
    page.keyboard.press("d")
    page.fill("#content", "A little later.")
    page.click(".write .primary")
    page.wait_for_selector(".note")
    page.click(".approve")
    page.wait_for_selector(".decisions .approved")
    page.wait_for_selector(".rows .states .approved")
    page.click(".reply summary >> nth=0")
    assert faults_of(axe, page) == []
    window.open(review.link.replace("/review?", "/review/play?"))
    page.wait_for_selector("[data-ready]")
    page.keyboard.press(" ")
    assert faults_of(axe, page) == []


def walk(window, most=400):
    """Press Tab until the focus comes back; return the places, and where it was trapped or None."""
    places, left = [], False
    for _ in range(most):
        window.page.keyboard.press("Tab")
        place = window.page.evaluate(FOCUSED)
        if place is None:  # the bars of the browser; the next place is the first one of the page
            left = True
        elif place["visit"] in {one["visit"] for one in places}:
            return places, None if left else place
        else:
            places.append(place)
    raise AssertionError("the focus never left the page")


@pytest.mark.parametrize("width", [1280, 360])
def test_the_keyboard_reaches_everything(chromium, make_window, sandbox, session, api, width):
    """Tab visits all that can be used, with a visible focus, and then leaves the page."""
    site = EveryPage(sandbox, session, api, "sh010")
    window = make_window(reduced_motion="reduce", viewport={"width": width, "height": 800})
    faults = {}

    def look(name, address):
        window.open(address if address.startswith("http") else sandbox.server_url + address)
        window.page.evaluate("document.activeElement?.blur()")
        usable = window.page.evaluate(USABLE)
        places, last = walk(window)
        # A page may still set itself up, and hide a control, while the first places are visited.
        usable = min(usable, window.page.evaluate(USABLE))
        # Chromium makes boxes that scroll focusable too, so more places are fine.
        found = [one["name"] for one in places if not (one["outlined"] and one["seen"])]
        if len(places) < usable:
            found.append(f"{len(places)} of {usable} places")
        if last is not None and last["visit"] != places[0]["visit"]:
            found.append(f"trapped at {last['name']}")
        if found:
            faults[name] = found

    for name, address in {**site.guest, **site.widgets}.items():
        look(name, address)
    log_in(window, sandbox, site.user["project"])
    for name, address in site.user.items():
        look(name, address)
    assert faults == {}


def test_the_first_tab_skips_the_bar(chromium, make_window, sandbox, session, api):
    """Pages with a bar begin with a link to their content."""
    site = EveryPage(sandbox, session, api, "sh010")
    window = make_window()
    log_in(window, sandbox, site.user["project"])
    for address in (
        site.user["projects"],
        site.user["host summary"],
        site.guest["review"],
        site.guest["summary"],
    ):
        window.open(address if address.startswith("http") else sandbox.server_url + address)
        window.page.keyboard.press("Tab")
        assert "Skip to the" in window.page.evaluate("document.activeElement.textContent")
        window.page.keyboard.press("Enter")
        window.page.keyboard.press("Tab")
        assert not window.page.evaluate("document.activeElement.closest('.bar') !== null")
