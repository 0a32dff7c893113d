"""Nothing that a reviewer writes, draws or attaches is lost, and each note arrives once."""

from __future__ import annotations

import re

import pytest

from .test_browser_review import draw_circle, readout

#: The drafts in the browser, as text.
DRAFTS = "JSON.stringify(Object.entries(localStorage))"


def notes(review):
    """Return the contents of the notes on the server, the oldest first."""
    return [one["content"] for one in review.api.query("select content from Note order by date")]


def is_stored(window, text):
    """Wait until a draft with *text* is in the browser."""
    window.until(f"{DRAFTS}.includes({text!r})")


def shown(window):
    """Return the notes that the page shows."""
    return window.page.locator(".note > [data-leaf] .content").all_inner_texts()


def ready(window):
    """Wait until the page keeps drafts."""
    window.until("document.querySelector('[data-filter] button').hidden")
    window.page.wait_for_selector("#notes")
    return window


@pytest.mark.ffmpeg
def test_a_note_and_its_drawing_survive_a_reload(review, window):
    """The words, the strokes and the frame come back, the page says so, and they can be sent."""
    page = ready(window.open_movie(review.link)).page
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("d")
    draw_circle(window, 0.4, 0.3)
    page.fill("#content", "Hold the lamp.")
    is_stored(window, "Hold the lamp.")
    page.wait_for_selector(".objects a[aria-current] .unsent")
    page.reload()
    page.wait_for_selector("text=Draft restored.")
    assert page.input_value("#content") == "Hold the lamp."
    assert page.is_visible("[data-has-drawing]")
    window.until("document.querySelector('[data-readout]').textContent.startsWith('7 ')")
    page.click(".write .primary")
    page.wait_for_selector(".note")
    note = review.api.one("select content, frame_number from Note")
    assert (note["content"], note["frame_number"]) == ("Hold the lamp.", 7)
    assert review.api.one("select frame_number from ReviewSessionObjectAnnotation")
    window.until("!document.querySelector('.unsent')")
    page.reload()
    ready(window)
    assert page.input_value("#content") == ""
    assert page.locator("text=Draft restored.").count() == 0


@pytest.mark.ffmpeg
def test_a_draft_survives_another_version_and_marks_its_own(review, window):
    """The list shows which version has something unsent; going back shows the draft."""
    page = ready(window.open_movie(review.link)).page
    page.fill("#content", "About the first.")
    is_stored(window, "About the first.")
    page.click(".objects li:nth-child(2) a")
    ready(window)
    assert page.input_value("#content") == ""
    page.wait_for_selector(".objects li:nth-child(1) .unsent")
    assert page.locator(".unsent").count() == 1
    page.click(".objects li:nth-child(1) a")
    page.wait_for_selector("text=Draft restored.")
    assert page.input_value("#content") == "About the first."


@pytest.mark.ffmpeg
def test_a_discarded_draft_can_be_brought_back(review, window):
    """Discard empties the form and Undo fills it again; a reload after Discard shows nothing."""
    page = ready(window.open_movie(review.link)).page
    page.fill("#content", "Not sure.")
    is_stored(window, "Not sure.")
    page.reload()
    page.click("[data-line] >> text=Discard")
    assert page.input_value("#content") == ""
    page.click("[data-line] >> text=Undo")
    assert page.input_value("#content") == "Not sure."
    page.click("[data-line] >> text=Discard")
    page.reload()
    ready(window)
    assert page.input_value("#content") == ""


@pytest.mark.ffmpeg
def test_a_note_waits_for_the_network_and_arrives_once(review, make_window):
    """With the network cut, Send keeps the note and says so; later it is sent by itself."""
    window = make_window().open_movie(review.link)
    page = ready(window).page
    window.context.set_offline(True)
    page.wait_for_selector("[data-connection] >> text=The server cannot be reached.")
    page.fill("#content", "Written in a train.")
    page.click(".write .primary")
    page.wait_for_selector("[data-waiting] >> text=Written in a train.")
    assert page.input_value("#content") == ""
    page.fill("#content", "A second one.")
    page.click(".write .primary")
    page.wait_for_selector("[data-waiting] >> text=A second one.")
    assert notes(review) == []
    window.context.set_offline(False)
    window.until("document.querySelectorAll('.note').length === 2")
    window.until("document.querySelector('[data-waiting]').hidden")
    assert page.is_hidden("[data-connection]")
    assert sorted(notes(review)) == ["A second one.", "Written in a train."]


@pytest.mark.ffmpeg
def test_a_waiting_note_survives_a_reload(review, make_window):
    """The note that could not be sent goes out when the page opens again."""
    window = make_window().open_movie(review.link)
    page = ready(window).page
    page.route("**/review/note?*", lambda route: route.abort())
    page.fill("#content", "Kept.")
    page.click(".write .primary")
    page.wait_for_selector("[data-waiting] >> text=Kept.")
    page.unroute("**/review/note?*")
    page.reload()
    page.wait_for_selector(".note >> text=Kept.")
    assert notes(review) == ["Kept."]


@pytest.mark.ffmpeg
def test_a_note_whose_answer_was_lost_is_not_sent_twice(review, make_window):
    """The server has the note, the browser does not know it: sending it again changes nothing."""
    window = make_window().open_movie(review.link)
    page = ready(window).page
    posts = []

    def lose_answer(route):
        posts.append(route.fetch().status)
        route.abort()

    page.route("**/review/note?*", lose_answer)
    page.fill("#content", "Once.")
    page.click(".write .primary")
    window.until_python(lambda: len(posts) >= 1)
    page.wait_for_selector("[data-waiting] >> text=Once.")
    page.unroute("**/review/note?*")
    page.click("[data-waiting] >> text=Send now")
    window.until("document.querySelector('[data-waiting]').hidden")
    page.wait_for_selector(".note")
    assert posts[0] == 200
    assert notes(review) == ["Once."]
    assert shown(window) == ["Once."]


@pytest.mark.ffmpeg
def test_a_reload_while_sending_loses_and_doubles_nothing(review, make_window):
    """A page that is left in the middle of sending sends the same note again, as it was."""
    window = make_window().open_movie(review.link)
    page = ready(window).page
    page.route("**/review/note?*", lambda route: None)  # never an answer
    page.fill("#content", "Halfway.")
    page.click(".write .primary")
    window.until("document.querySelector('#content').readOnly")
    page.unroute("**/review/note?*")
    page.reload()
    page.wait_for_selector(".note >> text=Halfway.")
    assert notes(review) == ["Halfway."]


@pytest.mark.ffmpeg
def test_a_waiting_note_can_be_edited_or_discarded(review, make_window):
    """Until it is sent, a note can go back into the form."""
    window = make_window().open_movie(review.link)
    page = ready(window).page
    page.route("**/review/note?*", lambda route: route.abort())
    page.fill("#content", "Rough words.")
    page.click(".write .primary")
    page.click("[data-waiting] >> text=Edit")
    assert page.input_value("#content") == "Rough words."
    assert page.is_hidden("[data-waiting]")
    page.unroute("**/review/note?*")
    page.fill("#content", "Better words.")
    page.click(".write .primary")
    page.wait_for_selector(".note")
    assert notes(review) == ["Better words."]


@pytest.mark.ffmpeg
def test_two_tabs_keep_two_drafts(review, window):
    """Each tab restores its own draft; the draft of a closed tab is offered to the other."""
    page = ready(window.open_movie(review.link)).page
    other = window.context.new_page()
    other.goto(review.link)
    other.wait_for_selector("#content")
    page.fill("#content", "From the first tab.")
    other.fill("#content", "From the second tab.")
    is_stored(window, "From the second tab.")
    for one, words in ((page, "From the first tab."), (other, "From the second tab.")):
        one.reload()
        one.wait_for_selector("text=Draft restored.")
        assert one.input_value("#content") == words
    assert page.locator("[data-waiting] >> text=From the second tab.").count() == 0
    other.close()
    page.wait_for_selector("[data-waiting] >> text=From the second tab.")
    page.click("[data-waiting] >> text=Continue")
    assert page.input_value("#content") == "From the second tab."
    page.wait_for_selector("[data-waiting] >> text=From the first tab.")


@pytest.mark.ffmpeg
def test_a_copied_tab_does_not_share_its_draft(review, window):
    """A tab that starts with the session storage of another takes an id of its own."""
    page = ready(window.open_movie(review.link)).page
    page.fill("#content", "Original.")
    is_stored(window, "Original.")
    known = page.evaluate("JSON.stringify(Object.entries(sessionStorage))")
    copy = window.context.new_page()
    copy.add_init_script(f"for (const [key, value] of {known}) sessionStorage.setItem(key, value);")
    copy.goto(review.link)
    copy.wait_for_selector("#notes")
    window.until_python(
        lambda: copy.evaluate("JSON.stringify(Object.entries(sessionStorage))") != known
    )
    assert copy.input_value("#content") == ""
    copy.fill("#content", "Copy.")
    is_stored(window, "Copy.")
    assert "Original." in page.evaluate(DRAFTS)


@pytest.mark.ffmpeg
def test_drafts_are_not_shown_to_another_visitor(review, window):
    """Two invitees who share a browser do not see the drafts of each other."""
    page = ready(window.open_movie(review.links[0])).page
    page.fill("#content", "For my eyes only.")
    is_stored(window, "For my eyes only.")
    ready(window.open_movie(review.links[1]))
    assert page.input_value("#content") == ""
    assert "eyes only" not in page.inner_text("body")
    assert page.locator(".unsent").count() == 0
    ready(window.open_movie(review.links[0]))
    page.wait_for_selector("text=Draft restored.")
    assert page.input_value("#content") == "For my eyes only."


@pytest.mark.ffmpeg
def test_replies_edits_and_files_are_drafts_too(review, window, tmp_path):
    """A reply with a file and a change of a note come back after a reload."""
    path = tmp_path / "reference.txt"
    path.write_text("a lamp")
    page = ready(window.open_movie(review.link)).page
    page.fill("#content", "First.")
    page.click(".write .primary")
    page.click(".reply summary")
    page.fill(".reply textarea", "To be sure:")
    page.set_input_files(".reply input[type=file]", str(path))
    page.wait_for_selector(".reply [data-files] >> text=reference.txt")
    page.click(".edit summary")
    page.fill(".edit textarea", "First, with care.")
    is_stored(window, "with care")
    page.reload()
    page.wait_for_selector(".reply >> text=Draft restored.")
    page.wait_for_selector(".edit >> text=Draft restored.")
    assert page.input_value(".reply textarea") == "To be sure:"
    assert page.is_visible(".reply [data-files] >> text=reference.txt")
    assert page.input_value(".edit textarea") == "First, with care."
    page.click(".edit button:has-text('Save')")
    page.wait_for_selector(".note > [data-leaf] >> text=First, with care.")
    page.click(".reply >> text=Send reply")
    page.wait_for_selector(".replies .file >> text=reference.txt")
    component = review.api.one(
        "select name, file_type, size from FileComponent where name is reference"
    )
    assert (component["file_type"], component["size"]) == (".txt", 6)
    with page.expect_download() as download:
        page.click(".replies .file")
    assert download.value.suggested_filename == "reference.txt"
    assert download.value.path().read_text() == "a lamp"
    window.until(f"!{DRAFTS}.includes('To be sure')")


@pytest.mark.ffmpeg
def test_a_drawing_at_another_frame_is_not_thrown_away(review, window):
    """Strokes at a second frame are refused in words; the first drawing stays."""
    page = ready(window.open_movie(review.link)).page
    page.keyboard.press("d")
    draw_circle(window, 0.4, 0.3)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("d")
    draw_circle(window, 0.6, 0.5)
    page.wait_for_selector("text=yours is at frame 0")
    page.click("text=Go to frame 0")
    window.until("document.querySelector('[data-readout]').textContent.startsWith('0 ')")
    assert readout(window) == 0
    page.fill("#content", "One drawing.")
    page.click(".write .primary")
    page.wait_for_selector(".note")
    data = review.api.one("select data from ReviewSessionObjectAnnotation")["data"]
    assert len(re.findall("points", data)) == 1


@pytest.mark.ffmpeg
def test_a_full_storage_is_said_in_words(review, make_window):
    """A browser that keeps no drafts says so, and the note can still be sent."""
    window = make_window()
    window.page.add_init_script(
        "Storage.prototype.setItem = () => {"
        " throw new DOMException('full', 'QuotaExceededError'); };"
    )
    page = ready(window.open_movie(review.link)).page
    page.fill("#content", "No room.")
    page.wait_for_selector("text=This browser has no room for the draft.")
    page.click(".write .primary")
    page.wait_for_selector(".note")
    assert notes(review) == ["No room."]


@pytest.mark.ffmpeg
def test_a_reply_to_a_deleted_note_becomes_a_note(review, make_window):
    """The words of a reply are not lost with the note: they can be sent as a new note."""
    window = make_window().open_movie(review.link)
    page = ready(window).page
    page.fill("#content", "Soon gone.")
    page.click(".write .primary")
    page.click(".reply summary")
    page.fill(".reply textarea", "My answer")
    is_stored(window, "My answer")
    page.reload()
    page.wait_for_selector(".reply >> text=Draft restored.")
    review.api.delete("Note", review.api.one("select id from Note")["id"])
    page.click(".reply >> text=Send reply")
    page.wait_for_selector("text=The note to reply to does not exist.")
    page.reload()
    page.click("[data-waiting] >> text=Continue")
    window.until("document.querySelector('#content').value === 'My answer'")
    page.click(".write .primary")
    page.wait_for_selector(".note >> text=My answer")
    assert notes(review) == ["My answer"]


@pytest.mark.ffmpeg
def test_a_draft_on_a_removed_version_goes_on_with_another(review, make_window):
    """The page says that its version was removed; the words can be sent on another version."""
    window = make_window().open_movie(review.link)
    page = ready(window).page
    page.fill("#content", "Where to now?")
    is_stored(window, "Where to now?")
    review.api.delete("ReviewSessionObject", review.objects[0]["id"])
    page.evaluate("dispatchEvent(new Event('online'))")  # ask for the notes now
    page.wait_for_selector("[data-connection] >> text=The version is not part of this review.")
    page.goto(review.link)
    page.click("[data-waiting] >> text=Continue on this version")
    page.click(".write .primary")
    page.wait_for_selector(".note >> text=Where to now?")
    assert notes(review) == ["Where to now?"]
    assert page.is_hidden("[data-waiting]")


@pytest.mark.ffmpeg
def test_a_reply_that_the_filter_hides_is_shown_again(review, window):
    """A draft in a note that the filter hides is listed, and leads back to its note."""
    page = ready(window.open_movie(review.link)).page
    page.fill("#content", "Done already.")
    page.click(".write .primary")
    page.click(".resolve button")
    page.wait_for_selector(".resolved")
    page.click(".reply summary")
    page.fill(".reply textarea", "Or not?")
    is_stored(window, "Or not?")
    page.goto(f"{review.link}&state=open")
    page.wait_for_selector("[data-waiting] >> text=Or not?")
    page.click("[data-waiting] >> text=Continue")
    page.wait_for_selector(".reply textarea:focus")
    assert page.input_value(".reply textarea") == "Or not?"
