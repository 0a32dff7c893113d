"""Long names without blanks, on wide and narrow screens: nothing overlaps or sticks out."""

from __future__ import annotations

import pytest

from .every_page import EveryPage
from .programs import log_in

LONG = ("Wmlongnamewithoutblanks_" * 9)[:200]

#: Return what is wrong with the layout of the page: boxes that stick out of the window or of the
#: box around them, and boxes in the flow that overlap.
FAULTS = """() => {
  const faults = [];
  const name = (one) => `${one.tagName.toLowerCase()}.${one.className.baseVal ?? one.className}`;
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`the page is ${root.scrollWidth} wide`);
  const style = new Map();
  const of = (one) => style.get(one) ?? style.set(one, getComputedStyle(one)).get(one);
  const isHidden = (one) => one.closest("[hidden], .unseen, .skip, dialog:not([open])")
    || !one.checkVisibility({visibilityProperty: true});
  const scrolls = (one) => {
    for (let box = one.parentElement; box; box = box.parentElement) {
      if (of(box).overflowX !== "visible" && box !== document.body && box !== root) return true;
    }
    return false;
  };
  for (const one of document.body.querySelectorAll("*")) {
    if (one instanceof SVGElement || isHidden(one) || one.tagName === "BR") continue;
    const box = one.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) continue;
    if (!scrolls(one) && (box.right > root.clientWidth + 1 || box.left < -1)) {
      faults.push(`${name(one)} sticks out: ${box.left} to ${box.right}`);
    }
    const isInline = of(one).display === "inline";
    if (!isInline && of(one).overflowX === "visible" && one.scrollWidth > one.clientWidth + 1
        && one.clientWidth > 0 && !one.matches("select, input, textarea")) {
      faults.push(`content of ${name(one)} sticks out: ${one.scrollWidth} in ${one.clientWidth}`);
    }
    const children = [...one.children].filter((child) =>
      ["static", "relative"].includes(of(child).position) && !isHidden(child)
      && !(child instanceof SVGElement) && !["inline", "contents"].includes(of(child).display)
      && child.getClientRects().length === 1);
    const boxes = children.map((child) => child.getBoundingClientRect());
    boxes.forEach((a, at) => boxes.slice(at + 1, at + 8).forEach((b, after) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      const [one, other] = [children[at], children[at + 1 + after]];
      if (wide > 1 && high > 1) faults.push(`${name(one)} overlaps ${name(other)}`);
    }));
  }
  return [...new Set(faults)];
}"""


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_long_names_break_no_layout(chromium, make_window, sandbox, session, api, width):
    """Names of 200 characters without a blank stay within their boxes on every page."""
    site = EveryPage(sandbox, session, api, LONG)
    window = make_window(viewport={"width": width, "height": 800})
    faults = {}

    def look(name, address):
        window.open(address if address.startswith("http") else sandbox.server_url + address)
        found = window.page.evaluate(FAULTS)
        if found:
            faults[name] = found
        window.screenshot(f"long-{width}-{name.replace(' ', '-')}.png")

    for name, address in {**site.guest, **site.widgets}.items():
        look(name, address)
    window.open(f"{sandbox.server_url}/log-in")
    window.page.fill("#username", LONG)
    window.page.fill("#key", "wrong")
    window.page.keyboard.press("Enter")
    window.page.wait_for_selector("[role=alert]")
    assert window.page.evaluate(FAULTS) == []
    log_in(window, sandbox, site.user["project"])
    for name, address in site.user.items():
        look(name, address)
    assert faults == {}
