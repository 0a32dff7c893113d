// The timeline: the scrubber, a tick for each frame with notes or drawings, and the in and out points.

import { bounds, isWhole } from "./ranges.js";

const WORDS = 80; // the most characters of a note in a hint

/** Return the notes in the page, by frame: {frame, author, words, isDrawing, isResolved}. */
export function notesOnPage(page = document) {
  const notes = [];
  const object = page.querySelector("[data-notes]")?.dataset.object;
  for (const element of page.querySelectorAll(".note")) {
    if (object && element.dataset.object && element.dataset.object !== object) continue; // on another version
    const frame = element.dataset.frame ?? element.querySelector("button[data-frame]")?.dataset.frame ?? "";
    if (!/^\d+$/.test(frame)) continue;
    const words = element.querySelector(".content")?.textContent.trim().replace(/\s+/g, " ") ?? "";
    notes.push({
      frame: Number(frame),
      author: element.querySelector(".by strong")?.textContent.trim() ?? "",
      words: words.length > WORDS ? `${words.slice(0, WORDS).trimEnd()}…` : words,
      isDrawing: Boolean(element.dataset.drawing),
      isResolved: element.matches(".is-resolved"),
    });
  }
  return notes;
}

export class Timeline {
  #places = []; // the frames with ticks, in order
  #observer;
  #scheduled = false;

  /** *seek* is called with the number of a frame; *notes* returns the notes. */
  constructor(root, { frames, first, describe, seek, notes = notesOnPage }) {
    Object.assign(this, { root, frames, first, describe, seek, notes });
    this.ticks = root.querySelector("[data-ticks]");
    this.hint = root.appendChild(document.createElement("div"));
    Object.assign(this.hint, { className: "hint", id: "tick-hint", hidden: true });
    this.hint.setAttribute("role", "tooltip");
    for (const [name, on] of [["pointerover", true], ["focusin", true], ["pointerout", false], ["focusout", false]]) {
      this.ticks.addEventListener(name, (event) => this.#point(on ? event.target.closest(".tick") : null));
    }
    this.ticks.addEventListener("click", (event) => {
      const tick = event.target.closest(".tick");
      if (!tick) return;
      this.seek(Number(tick.dataset.at));
      this.#select(tick);
    });
    this.ticks.addEventListener("keydown", (event) => event.key === "Escape" && this.#point(null));
    // The notes change by other scripts and by other people.
    this.#observer = new MutationObserver((changes) => changes.some(({ target }) => !this.root.closest("[data-player]").contains(target)) && this.#later());
    this.#observer.observe(document.body, { childList: true, subtree: true, attributeFilter: ["class", "data-frame", "data-drawing"] });
    this.update();
  }

  /** Show the ticks of the notes in the page. */
  update() {
    const byFrame = new Map();
    for (const note of this.notes()) {
      const index = note.frame - this.first;
      if (index < 0 || index >= this.frames.count) continue;
      byFrame.set(note.frame, [...(byFrame.get(note.frame) ?? []), note]);
    }
    this.#places = [...byFrame.keys()].sort((one, other) => one - other);
    const shown = JSON.stringify([this.frames.count, [...byFrame]]);
    if (shown === this.shown) return;
    this.shown = shown;
    const focused = this.ticks.contains(document.activeElement) ? document.activeElement.dataset.at : null;
    this.#point(null);
    this.ticks.replaceChildren(...this.#places.map((frame) => this.#tick(frame, byFrame.get(frame))));
    this.#select(this.ticks.querySelector(`[data-at="${focused}"]`) ?? this.ticks.firstElementChild);
    if (focused) this.ticks.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  }

  /** Return the frame of the next note after *frame*, or before it if *direction* is -1; null if none. */
  next(frame, direction) {
    const places = direction > 0 ? this.#places : [...this.#places].reverse();
    return places.find((one) => (one - frame) * direction > 0) ?? null;
  }

  showRange() {
    const { range, count } = this.frames;
    const mark = this.root.querySelector("[data-range]");
    mark.hidden = isWhole(range);
    const [first, last] = bounds(range, count);
    mark.style.setProperty("--from", String(share(first, count)));
    mark.style.setProperty("--to", String(share(last, count)));
  }

  end() {
    this.#observer.disconnect();
  }

  #later() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.update();
    });
  }

  #tick(frame, notes) {
    const tick = document.createElement("button");
    tick.type = "button";
    tick.className = "tick";
    tick.classList.toggle("is-drawing", notes.some((one) => one.isDrawing));
    tick.classList.toggle("is-resolved", notes.every((one) => one.isResolved));
    tick.dataset.at = String(frame);
    tick.tabIndex = -1;
    tick.style.setProperty("--at", String(share(frame - this.first, this.frames.count)));
    const lines = notes.map((one) => `${one.author}: ${one.words}${one.isDrawing ? " (with drawing)" : ""}`);
    tick.notes = lines;
    tick.setAttribute("aria-label", `${this.describe(frame)}. ${lines.join(". ")}`);
    return tick;
  }

  /** Make *tick* the one that the Tab key reaches. The others are reached with Shift and arrow keys. */
  #select(tick) {
    for (const one of this.ticks.children) one.tabIndex = one === tick ? 0 : -1;
  }

  #point(tick) {
    this.hint.hidden = !tick;
    if (!tick) return;
    const heading = Object.assign(document.createElement("strong"), { textContent: this.describe(Number(tick.dataset.at)) });
    const lines = tick.notes.slice(0, 4).map((text) => Object.assign(document.createElement("p"), { textContent: text }));
    if (tick.notes.length > 4) lines.push(Object.assign(document.createElement("p"), { textContent: `and ${tick.notes.length - 4} more` }));
    this.hint.replaceChildren(heading, ...lines);
    this.hint.style.setProperty("--at", tick.style.getPropertyValue("--at"));
  }
}

function share(index, count) {
  return count > 1 ? index / (count - 1) : 0;
}
