"""The list of a long review in a real browser: it loads as it scrolls and keeps its place."""

from __future__ import annotations

import pytest

from .every_page import EveryPage

COUNT = 130

#: Return the positions of the rows that are in the list, and of those that the viewer sees.
ROWS = "[...document.querySelectorAll('.rows li')].map((one) => Number(one.dataset.position))"
SEEN = """(() => {
  const outer = document.querySelector(".rows").getBoundingClientRect();
  return [...document.querySelectorAll(".rows li")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.bottom > outer.top + 1 && box.top < outer.bottom - 1
      && box.right > outer.left + 1 && box.left < outer.right - 1;
  }).map((one) => Number(one.dataset.position));
})()"""
CHOSEN = "Number(document.querySelector('.rows [aria-current]').closest('li').dataset.position)"


class LongReview:
    """A review of many objects; *ids* are those of the objects in their order."""

    def __init__(self, sandbox, session, api):
        site = EveryPage(sandbox, session, api, "sh", count=1)
        self.link, self.api = site.link, api
        review, version = site.review["id"], site.versions[0]["id"]
        self.review = review
        self.values = {"review_session_id": review, "version_id": version, "version": "Version 1"}
        make = api.make
        api.call(
            *(
                make("ReviewSessionObject", name=f"sh{at:04d}", sort_order=at, **self.values)
                for at in range(1, COUNT)
            )
        )
        found = api.query(
            f"select id from ReviewSessionObject where review_session_id is {review}"
            " order by sort_order"
        )
        self.ids = [one["id"] for one in found]

    def at(self, position):
        return f"{self.link}&object={self.ids[position - 1]}"


@pytest.fixture
def long_review(chromium, sandbox, session, api):
    """Return a review of 130 objects; the browser is there."""
    return LongReview(sandbox, session, api)


def open_list(window, address):
    window.open(address)
    return ready(window)


def ready(window):
    window.until("document.querySelector('[data-objects]')?.dataset.ready !== undefined")
    window.page.wait_for_load_state()
    return window


@pytest.mark.parametrize("width", [1280, 360])
def test_rows_load_as_the_list_scrolls(long_review, make_window, width):
    """The page begins with 40 rows; scrolling to an end loads the others, each once."""
    window = open_list(
        make_window(viewport={"width": width, "height": 800}), long_review.at(COUNT // 2)
    )
    rows = window.page.evaluate(ROWS)
    assert len(rows) < COUNT
    for end, wanted in (("1e6", COUNT), ("0", 1)):
        window.until(
            f"(() => {{ document.querySelector('.rows').scrollTo({end}, {end});"
            f" return {SEEN}.includes({wanted}) }})()"
        )
    assert window.page.evaluate(ROWS) == list(range(1, COUNT + 1))
    assert window.page.evaluate("document.documentElement.scrollHeight") < 3000
    assert not window.page.is_visible("[data-more]")
    assert window.problems == []


def test_loading_does_not_move_the_rows(long_review, make_window):
    """Rows that are added before the visible ones leave these where they are."""
    window = open_list(make_window(), long_review.at(100))
    page, rows = window.page, window.page.evaluate(ROWS)
    top = f"document.querySelector('[data-position=\"{rows[0]}\"]').getBoundingClientRect().top"
    before = page.evaluate(f"(document.querySelector('.rows').scrollTop = 0, {top})")
    window.until(f"{ROWS}.length > {len(rows)}")
    assert page.evaluate(ROWS)[0] < rows[0]
    assert page.evaluate(top) == pytest.approx(before, abs=40)  # the link before it may go


@pytest.mark.parametrize("width", [1280, 360])
def test_the_list_keeps_its_place(long_review, make_window, width):
    """Another version, a reload and the way back leave the list where the viewer had it."""
    window = open_list(make_window(viewport={"width": width, "height": 800}), long_review.link)
    page = window.page
    window.until(
        "(() => { const rows = document.querySelector('.rows');"
        f" rows.scrollBy(900, 900); return {SEEN}.includes(70) }})()"
    )
    seen = page.evaluate(SEEN)
    page.evaluate(f"document.querySelector('[data-position=\"{seen[0]}\"] a').click()")
    page.wait_for_url(f"**object={long_review.ids[seen[0] - 1]}**")
    ready(window)
    assert page.evaluate(CHOSEN) == seen[0]
    assert set(page.evaluate(SEEN)) & set(seen)
    page.evaluate("document.querySelector('.rows').scrollBy(700, 700)")
    away = page.evaluate(SEEN)
    window.until(f"history.state?.list?.position === {away[0]}")
    page.reload()
    assert set(page.evaluate(SEEN) if ready(window) else ()) & set(away)
    page.evaluate("document.querySelector('a[data-step=next]').click()")
    page.wait_for_url(f"**object={long_review.ids[seen[0]]}**")
    ready(window)
    assert page.evaluate(CHOSEN) in page.evaluate(SEEN)
    page.go_back()
    window.until(f"document.querySelector('.rows [aria-current]') && {CHOSEN} === {seen[0]}")
    ready(window)
    assert set(page.evaluate(SEEN)) & set(away)
    assert window.problems == []


def test_the_chosen_version_is_in_view(long_review, make_window):
    """Whatever version a link names, its row is visible."""
    window = make_window()
    for position in (1, 2, 37, 77, COUNT - 1, COUNT):
        open_list(window, long_review.at(position))
        assert window.page.evaluate(CHOSEN) == position
        assert position in window.page.evaluate(SEEN)
        assert f"{position} of {COUNT}" in window.page.inner_text(".steps")


def test_keys_and_buttons_lead_to_the_neighbours(long_review, make_window):
    """Alt with an arrow, and the buttons, choose the next and the previous version."""
    window = open_list(make_window(), long_review.at(2))
    page = window.page
    for act, wanted in (
        (lambda: page.keyboard.press("Alt+ArrowDown"), 3),
        (lambda: page.click("a[data-step=next]"), 4),
        (lambda: page.click("a[data-step=previous]"), 3),
        (lambda: page.keyboard.press("Alt+ArrowUp"), 2),
        (lambda: page.keyboard.press("Alt+ArrowUp"), 1),
    ):
        act()
        page.wait_for_url(f"**object={long_review.ids[wanted - 1]}**")
        ready(window)
        assert page.evaluate(CHOSEN) == wanted
    page.keyboard.press("Alt+ArrowUp")  # there is no version before the first
    page.fill("#content", "text")
    page.keyboard.press("Alt+ArrowDown")  # belongs to the text
    assert page.evaluate(CHOSEN) == 1
    assert page.input_value("#content") == "text"


def test_the_list_works_without_a_script(long_review, make_window):
    """Links show the rows before and after, and the chosen version stays."""
    page = make_window(java_script_enabled=False).open(long_review.at(1)).page
    seen = []
    while True:
        seen += [one.inner_text() for one in page.locator(".rows .name").all()]
        assert page.inner_text(".heading h2").startswith("sh0000")
        link = page.locator("[data-more=later]")
        if not link.is_visible():
            break
        link.click()
    assert seen == [f"sh{at:04d}" for at in range(COUNT)]
    page.click("[data-more=earlier]")
    assert page.locator(".rows .name").first.inner_text() == "sh0080"


def test_the_list_follows_changes(long_review, make_window):
    """After a decision its row says so; objects that others add and remove come and go."""
    window = open_list(make_window(), long_review.at(5))
    api, page = long_review.api, window.page
    page.click(".approve")
    page.wait_for_selector("[data-position='5'] .states .approved")
    page.fill("#content", "A little later.")
    page.click(".write .primary")
    page.wait_for_selector("[data-position='5'] .states >> text=1 note")
    api.create("ReviewSessionObject", name="new", sort_order=3.5, **long_review.values)
    api.delete("ReviewSessionObject", long_review.ids[0])
    api.delete("ReviewSessionObject", long_review.ids[1])
    page.click(".changes")
    page.wait_for_selector(".rows .states .require_changes")
    window.until(f"document.querySelector('[data-total]').textContent === '{COUNT - 1}'")
    window.until("document.querySelector('.rows .name').textContent === 'sh0002'")
    names = page.locator(".rows .name").all_inner_texts()
    assert names[:4] == ["sh0002", "sh0003", "new", "sh0004"]
    assert page.evaluate(CHOSEN) == 4


def test_a_failed_request_leaves_the_list_usable(long_review, make_window):
    """Without the network the rows stay, and the link loads the next ones when it is back."""
    window = open_list(make_window(), long_review.at(1))
    page = window.page
    rows = len(page.evaluate(ROWS))
    page.route("**/review/objects*", lambda route: route.abort())
    page.evaluate("document.querySelector('[data-more=later]').click()")
    window.until("!document.querySelector('[data-objects]').hasAttribute('aria-busy')")
    assert len(page.evaluate(ROWS)) == rows
    page.unroute("**/review/objects*")
    page.evaluate("document.querySelector('[data-more=later]').click()")
    window.until(f"{ROWS}.length > {rows}")
