"""Notes on the review page: change, filter and follow them, while others write."""

from __future__ import annotations

import base64

import pytest

from .test_browser_review import readout
from .test_browser_review_drafts import notes, ready, shown

#: A picture of one red pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)


def write(window, text):
    """Write a note, and wait until the page shows it."""
    window.page.fill("#content", text)
    window.page.click(".write .primary")
    window.page.wait_for_selector(f".note >> text={text}")


@pytest.mark.ffmpeg
def test_an_author_changes_a_note(review, make_window):
    """The author edits, resolves, reopens and deletes a note; another invitee sees it at once."""
    author = ready(make_window().open_movie(review.links[0]))
    reader = ready(make_window().open_movie(review.links[1]))
    write(author, "Too dark.")
    reader.page.wait_for_selector(".note >> text=Too dark.")
    assert reader.page.locator(".edit, .delete").count() == 0

    author.page.click(".edit summary")
    author.page.fill(".edit textarea", "Much too dark.")
    author.page.click(".edit button:has-text('Save')")
    reader.page.wait_for_selector(".note >> text=Much too dark.")

    reader.page.focus(".resolve button")
    reader.page.keyboard.press("Enter")
    author.page.wait_for_selector(".resolved >> text=Resolved by Jonas Falk")
    reader.until("document.activeElement.textContent.startsWith('Open again')")
    assert review.api.one("select completed_at from Note")["completed_at"]
    author.page.click(".resolve >> text=Open again")
    author.until("!document.querySelector('.resolved')")
    assert review.api.one("select completed_at from Note")["completed_at"] is None

    author.page.click(".delete summary")
    author.page.click(".delete >> button:has-text('Delete')")
    author.page.wait_for_selector("text=No notes yet.")
    reader.page.wait_for_selector("text=No notes yet.")
    assert notes(review) == []
    assert author.problems + reader.problems == []


@pytest.mark.ffmpeg
def test_a_note_that_changed_is_replaced_only_in_view(review, make_window):
    """Save does not replace a text that the author has not seen; Save again replaces it."""
    window = ready(make_window().open_movie(review.link))
    page = window.page
    write(window, "Too dark.")
    page.click(".edit summary")
    page.fill(".edit textarea", "Mine.")
    review.api.update("Note", review.api.one("select id from Note")["id"], content="Theirs.")
    page.click(".edit button:has-text('Save')")
    page.wait_for_selector("text=Save again to replace it")
    assert page.inner_text(".note .content") == "Theirs."
    assert notes(review) == ["Theirs."]
    page.click(".edit button:has-text('Save')")
    window.until("document.querySelector('.note .content').textContent === 'Mine.'")
    assert notes(review) == ["Mine."]


@pytest.mark.ffmpeg
def test_new_notes_do_not_move_the_reader(review, make_window):
    """While others write, the scroll position, an open reply, its words and a selection stay."""
    writer = ready(make_window().open_movie(review.links[1]))
    for number in range(12):
        writer.page.fill("#content", f"Note {number}.\n\n\nWith some lines.")
        writer.page.click(".write .primary")
        writer.until(f"document.querySelectorAll('.note').length === {number + 1}")
    window = ready(make_window(viewport={"width": 1200, "height": 600}).open_movie(review.links[0]))
    page = window.page
    ninth = page.locator(".note").nth(8)
    ninth.locator(".reply summary").click()
    ninth.locator(".reply textarea").fill("While you write")
    ninth.scroll_into_view_if_needed()
    page.evaluate(
        "getSelection().selectAllChildren(document.querySelectorAll('.note .content')[7])"
    )
    ninth.locator(".reply textarea").evaluate(
        "one => { one.focus(); one.setSelectionRange(2, 7); }"
    )
    top = ninth.bounding_box()["y"]
    for path in (0, 3):
        writer.page.locator(".note").nth(path).locator(".reply summary").click()
        writer.page.locator(".note").nth(path).locator(".reply textarea").fill(
            "An answer\n\n\nlong"
        )
        writer.page.locator(".note").nth(path).locator(".reply >> text=Send reply").click()
    page.wait_for_selector(".note:nth-child(4) .replies >> text=An answer")
    page.wait_for_selector(".note:nth-child(1) .replies >> text=An answer", state="attached")
    assert ninth.bounding_box()["y"] == pytest.approx(top, abs=1)
    area = ninth.locator(".reply textarea")
    assert area.input_value() == "While you write"
    assert area.evaluate("one => [document.activeElement === one, one.selectionStart]") == [True, 2]
    ninth.locator(".reply >> text=Send reply").click()
    ninth.locator(".replies .content >> text=While you write").wait_for()


@pytest.mark.ffmpeg
def test_a_selection_survives_a_change_of_the_note(review, make_window):
    """A note whose text is selected changes only after the selection is gone."""
    author = ready(make_window().open_movie(review.links[0]))
    reader = ready(make_window().open_movie(review.links[1]))
    write(author, "Before.")
    write(author, "Another.")
    reader.page.wait_for_selector(".note >> text=Another.")
    reader.page.locator(".note .content", has_text="Before.").evaluate(
        "one => getSelection().selectAllChildren(one)"
    )
    for old, new in (("Before.", "After."), ("Another.", "Also after.")):
        note = author.page.locator(".note", has_text=old)
        note.locator(".edit summary").click()
        area = author.page.locator(".edit[open] textarea")
        area.fill(new)
        author.page.click(".edit[open] >> text=Save")
        author.page.wait_for_selector(f".note .content >> text={new}")
    reader.page.wait_for_selector(".note .content >> text=Also after.")
    assert sorted(shown(reader)) == ["Also after.", "Before."]
    assert reader.page.evaluate("String(getSelection())").strip() == "Before."
    reader.page.evaluate("getSelection().removeAllRanges()")
    reader.page.wait_for_selector(".note .content >> text=/^After/")


@pytest.mark.ffmpeg
def test_notes_are_filtered_by_version_author_and_state(review, make_window):
    """The filter works at once, stays over a reload, and a note leads to its version and frame."""
    mira = ready(make_window().open_movie(review.links[0]))
    for _ in range(5):
        mira.page.keyboard.press("ArrowRight")
    write(mira, "Mira on the first.")
    jonas = ready(make_window().open_movie(review.links[1]))
    write(jonas, "Jonas on the first.")
    jonas.page.click(".objects li:nth-child(2) a")
    write(ready(jonas), "Jonas on the second.")
    page = jonas.page
    assert shown(jonas) == ["Jonas on the second."]
    page.select_option("[name=on]", "all")
    jonas.until("document.querySelectorAll('.note').length === 3")
    page.select_option("[name=author]", label="Mira Sol")
    jonas.until("document.querySelectorAll('.note').length === 1")
    page.wait_for_selector("text=The filter hides 2 notes.")
    page.reload()
    ready(jonas)
    assert shown(jonas) == ["Mira on the first."]
    assert page.input_value("[name=on]") == "all"
    page.click(".note a.frame >> text=Frame 5")
    page.wait_for_selector(".objects li:nth-child(1) a[aria-current]")
    jonas.until("document.querySelector('video').readyState >= 2")
    jonas.until("document.querySelector('.note.is-shown') !== null")
    assert readout(jonas) == 5
    page.locator(".note", has_text="Mira").locator(".resolve button").click()
    page.select_option("[name=state]", "open")
    jonas.until("document.querySelectorAll('.note').length === 1")
    assert shown(jonas) == ["Jonas on the first."]
    page.select_option("[name=state]", "resolved")
    jonas.until("document.querySelector('.note .content').textContent === 'Mira on the first.'")


@pytest.mark.ffmpeg
def test_pictures_are_shown_and_names_are_text(review, window, tmp_path):
    """An attached picture is shown, another file is a download, and odd names stay text."""
    picture, other = tmp_path / "red <b>.png", tmp_path / "<img src=x>.html"
    picture.write_bytes(PNG)
    other.write_text("<script>parent.alert(1)</script>")
    page = ready(window.open_movie(review.link)).page
    page.set_input_files("#files", [str(picture), str(other)])
    page.wait_for_selector("[data-files] li >> text=<img src=x>.html")
    page.click(".write .primary")
    page.wait_for_selector(".note .file >> text=<img src=x>.html")
    window.until("document.querySelector('.picture-of img').naturalWidth > 0")
    assert page.get_attribute(".picture-of img", "alt") == "red <b>"
    assert page.locator(".note img[src=x]").count() == 0
    assert notes(review) == ["(files)"]


@pytest.mark.ffmpeg
def test_a_pasted_picture_is_attached(review, window):
    """A screenshot from the clipboard becomes a file of the note, and can be removed again."""
    page = ready(window.open_movie(review.link)).page
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["x"], "screen.png", { type: "image/png" }));
          const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
          document.querySelector("#content").dispatchEvent(event);
        }"""
    )
    page.click("role=button[name='Remove screen.png']")
    window.until("document.querySelector('.write [data-files] ul').hidden")
    page.click(".write .primary")
    page.wait_for_selector("text=Write or draw something first.")


@pytest.mark.ffmpeg
def test_notes_can_be_changed_without_script(review, make_window, tmp_path):
    """Replies, files, edits, resolving, filters and deleting are plain forms."""
    path = tmp_path / "plan.pdf"
    path.write_bytes(b"%PDF-1.4")
    page = make_window(java_script_enabled=False).open(review.link).page
    page.fill("#content", "Plain.")
    page.set_input_files("#files", str(path))
    page.click(".write .primary")
    assert page.inner_text(".note .file .name") == "plan.pdf"
    page.click(".edit summary")
    page.fill(".edit textarea", "Plainer.")
    page.click(".edit button")
    assert page.inner_text(".note .content") == "Plainer."
    page.click(".resolve button")
    assert "Resolved by Mira Sol" in page.inner_text(".note .resolved")
    page.select_option("[name=state]", "open")
    page.click("[data-filter] button")
    assert "The filter hides 1 note." in page.inner_text("#notes")
    page.select_option("[name=state]", "resolved")
    page.click("[data-filter] button")
    page.click(".delete summary")
    page.click(".delete button")
    assert notes(review) == []


@pytest.mark.ffmpeg
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_notes(review, make_window, scheme):
    """The rules of axe-core hold with open forms, a waiting note and the drawing tools."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    window = ready(make_window(color_scheme=scheme).open_movie(review.link))
    page = window.page
    write(window, "One.")
    page.click(".resolve button")
    page.wait_for_selector(".resolved")
    for name in ("reply", "edit", "delete"):
        page.click(f".{name} summary")
    page.fill(".reply textarea", "Draft")
    page.route("**/review/note?*", lambda route: route.abort())
    page.fill("#content", "Waits.")
    page.click(".write .primary")
    page.wait_for_selector("[data-waiting] >> text=Waits.")
    page.click("[data-act=draw]")
    window.screenshot(f"review-notes-{scheme}.png")
    result = axe.Axe().run(page)
    assert [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in result.response["violations"]
    ] == []


@pytest.mark.ffmpeg
def test_notes_fit_a_phone(review, make_window):
    """On a phone nothing is wider than the screen, also with long words and open forms."""
    window = ready(
        make_window(
            viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
        ).open_movie(review.link)
    )
    page = window.page
    write(window, "Long" + "word" * 60)
    for name in ("reply", "edit", "delete"):
        page.click(f".{name} summary")
    page.click("[data-act=draw]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("scrollTo(0, document.querySelector('[data-tools]').getBoundingClientRect().top)")
    window.screenshot("review-phone-notes.png")


@pytest.mark.ffmpeg
def test_the_frame_of_a_note_comes_into_view(review, make_window):
    """On a phone the notes are below the picture: a tap on a frame shows the picture at it."""
    window = ready(
        make_window(
            viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True
        ).open_movie(review.link)
    )
    page = window.page
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    for number in range(4):
        write(window, f"Note {number}")
    page.keyboard.press("Home")
    page.locator(".note .frame").last.tap()
    window.until("document.querySelector('[data-readout]').textContent.startsWith('5 ')")
    area = page.locator("[data-stage]").bounding_box()
    assert 0 <= area["y"] + area["height"] / 2 <= 640
