"""What handlers of actions answer, in a real browser: messages, forms, labels."""

from __future__ import annotations

import pytest

from .programs import Answer, Everything, action, choose

# Answers


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"success": True, "message": "Well done."}, ".success >> text=Well done."),
        ({"success": False, "message": "Not so."}, ".failure [role=alert] >> text=Not so."),
        ([{"type": "text", "name": "a"}], "dialog input[type=text]"),
        ({"items": [{"type": "text", "name": "a"}]}, "dialog input[type=text]"),
        ({"type": "form", "title": "Title", "items": []}, "role=dialog[name=Title]"),
        ({"success": True}, "text=Answer is done."),
        (False, "text=Answer failed."),
        ([3, {"type": "dance"}], 'text=The form has an item with the type "dance".'),
        ({"items": [{"type": "enumerator", "name": "a", "data": [None, 5]}]}, "dialog select"),
        (
            {"type": "widget", "url": "javascript:alert(1)", "message": "x"},
            "text=A widget has no address of the web",
        ),
    ],
)
def test_every_kind_of_answer_is_shown(page, handler, answer, shown):
    """Messages, forms in all their spellings, and answers that are not in order."""
    action(Answer, handler, answer)
    choose(page, "Answer")
    page.wait_for_selector(shown)
    assert not page.is_visible("text=has started.")


def test_a_form_can_be_left(page, handler, window):
    """Escape closes the form, nothing is sent, and the focus is back at the menu."""
    every = action(Everything, handler)
    choose(page, "Everything")
    page.wait_for_selector("dialog")
    page.keyboard.press("Escape")
    window.until("!document.querySelector('dialog')")
    assert page.evaluate("document.activeElement.textContent") == "Actions"
    assert len(every.launches) == 1


HOSTILE = """
# <img src=x onerror="window.bad=1"> Heading
<script>window.bad = 1</script><svg onload="window.bad=1"></svg>
<a href="javascript:window.bad=1">one</a> [two](javascript:window.bad=1)
[three](java&#10;script:bad)
<a href="data:text/html,<script>window.bad=1</script>">four</a>
<p style="position:fixed" onclick="window.bad=1" id="main" class="bar">five</p>
<form action="/log-out"><input name="form_token"><button formaction="/x">six</button></form>
<iframe srcdoc="<script>parent.bad=1</script>"></iframe>
<meta http-equiv="refresh" content="0;url=/">
<base href="https://example.com/"><math><mtext><img src=x onerror="window.bad=1"></mtext></math>
<a href="https://example.com/" target="_self" ping="/x">seven</a>
"""


def test_a_hostile_label_is_only_text(page, window, handler):
    """No script, no handler, no style, no form and no odd link of a label reaches the page."""
    action(Answer, handler, [{"type": "label", "value": HOSTILE}])
    choose(page, "Answer")
    page.wait_for_selector(".label")
    elements = page.evaluate(
        "[...document.querySelectorAll('.label *')].map((one) =>"
        " [one.localName, ...one.getAttributeNames()])"
    )
    allowed = {"p", "h3", "br", "a"}
    assert {name for name, *_ in elements} <= allowed
    links = [attributes for name, *attributes in elements if name == "a"]
    assert links == [["href", "target", "rel"]]
    assert page.get_attribute(".label a", "href") == "https://example.com/"
    assert page.get_attribute(".label a", "target") == "_blank"
    assert all(not attributes for name, *attributes in elements if name != "a")
    assert page.evaluate("window.bad === undefined")
    for word in ("one", "two", "four", "five", "six", "seven"):
        assert word in page.inner_text(".label")
    # The browser reports what the policy of the page forbids, already where the label is parsed.
    assert all("Content Security Policy" in problem for problem in window.problems)
    window.problems.clear()


#: The texts of labels, and the HTML that the page makes of them.
LABELS = {
    "# One\n## Two": "<h3>One</h3>\n<h4>Two</h4>",
    "a\n\n---\nb": "<p>a</p>\n<hr>\n<p>b</p>",
    "- a\n- b\n\n1. c": "<ul><li>a</li><li>b</li></ul>\n<ol><li>c</li></ol>",
    "*a* **b** `<c>`": "<p><em>a</em> <strong>b</strong> <code>&lt;c&gt;</code></p>",
    "a\nb": "<p>a<br>b</p>",
    "```\n<b>\n```": "<pre><code>&lt;b&gt;</code></pre>",
    "<i>a</i> & <u>b</u>": "<p><i>a</i> &amp; <u>b</u></p>",
    "a_name_here 2*3*4": "<p>a_name_here 2<em>3</em>4</p>",
}


def test_the_markdown_of_labels(page, handler):
    """Headings, rules, lists, emphasis, code and HTML elements of a label are shown."""
    action(Answer, handler, [{"type": "label", "value": text} for text in LABELS])
    choose(page, "Answer")
    page.wait_for_selector(".label")
    shown = page.locator(".label").evaluate_all("(all) => all.map((one) => one.innerHTML)")
    assert dict(zip(LABELS, shown)) == LABELS


def test_a_message_is_text(page, handler):
    """HTML in messages, labels and titles is shown as it is written."""
    action(Answer, handler, {"message": "<b>bold</b>", "title": "<i>t</i>", "items": []})
    choose(page, "Answer")
    page.wait_for_selector("role=dialog[name='<i>t</i>']")
    page.keyboard.press("Escape")
    assert page.inner_text(".success p") == "<b>bold</b>"
