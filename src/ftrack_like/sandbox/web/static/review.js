// The review page: connect the player, the drawing and the notes. The forms work without it.

import { connectDrawing } from "./drawing_tools.js";
import { connectNotes } from "./notes.js";
import { createPlayer } from "./player.js";
import { localTimes } from "./times.js";
import { refresh, sendForms } from "./regions.js";

const REFRESH_SECONDS = 20;

const root = document.querySelector("[data-player]");
const panel = document.querySelector("[data-notes]");
const form = panel?.querySelector("form[data-note]");
const player = root ? createPlayer(root) : null;
const tools = root ? connectDrawing(root, player, () => drawn()) : null;
let chosen = null; // the id of the note whose drawing is shown; null shows those of all notes
let notes = null; // the connected panel of notes

/** Return the notes on the version that the player shows. */
function notesHere() {
  const page = player?.page ?? document;
  const object = page.querySelector("[data-notes]")?.dataset.object;
  return [...page.querySelectorAll(".note")].filter((note) => note.dataset.object === object);
}

function strokesOf(note) {
  return note.dataset.drawing ? JSON.parse(note.dataset.drawing) : [];
}

function isAt(note, frame) {
  return frame === null || note.dataset.frame === "" || Number(note.dataset.frame) === frame;
}

function showDrawings() {
  if (!tools) return;
  const wanted = root.querySelector("[data-show-drawings]")?.checked ?? true;
  const frame = player.frame();
  const fitting = wanted ? notesHere().filter((note) => isAt(note, frame)) : [];
  const alone = fitting.filter((note) => note.dataset.noteId === chosen);
  const drawnAt = tools.drawnAt();
  tools.drawing.isHere = !player.isAway && (drawnAt === null || drawnAt === frame);
  tools.drawing.show((alone.length ? alone : fitting).flatMap(strokesOf));
}

function choose(note) {
  chosen = note?.dataset.noteId ?? null;
  for (const other of document.querySelectorAll(".note")) other.classList.toggle("is-shown", other === note);
}

function onFrame(frame) {
  const note = notesHere().find((one) => one.dataset.noteId === chosen);
  if (note && !isAt(note, frame)) choose(null);
  const at = form?.querySelector("[data-note-frame]");
  if (at) at.textContent = String(tools?.drawnAt() ?? frame);
  showDrawings();
}

/** Show that the note has a drawing, and store it with the draft. */
function drawn() {
  if (!form) return;
  form.querySelector("[data-has-drawing]").hidden = tools.drawing.strokes.length === 0;
  onFrame(player.frame());
  notes?.capture();
}

/** What the first form needs of the drawing and the player. */
const sketch = {
  strokes: () => tools?.drawing.strokes ?? [],
  frame() {
    const frame = tools?.drawnAt() ?? null;
    if (frame !== null) return frame;
    return form.querySelector("[data-at-frame]")?.checked ? (player?.frame() ?? null) : null;
  },
  restore({ strokes, frame }) {
    const atFrame = form.querySelector("[data-at-frame]");
    if (atFrame && !strokes.length) atFrame.checked = frame !== null;
    if (frame !== null && !new URL(location.href).searchParams.has("frame")) player?.seek(frame);
    tools?.restore(strokes, frame);
  },
  clear() {
    if (tools) tools.drawing.active = false;
    tools?.restore([], null);
  },
  finish: () => tools?.drawing.finish(),
};

/** Scroll to the picture if less than half of it is on the screen. */
function showPicture() {
  if (!root) return;
  const { top, bottom } = root.querySelector("[data-stage]").getBoundingClientRect();
  const middle = (top + bottom) / 2;
  if (middle < 0 || middle > innerHeight) root.scrollIntoView();
}

function listenToNotes() {
  for (const hidden of form.querySelectorAll("[data-needs-script]")) hidden.hidden = false;
  form.querySelector("textarea").addEventListener("focus", () => player?.pause());
  document.addEventListener("click", (event) => {
    const note = event.target.closest(".note");
    const isOther = event.target.closest("a, summary, textarea, label, input, form, .note-acts button");
    if (!note || isOther || note.dataset.object !== panel.dataset.object || !getSelection().isCollapsed) return;
    choose(note);
    if (note.dataset.frame !== "") player?.seek(Number(note.dataset.frame));
    showDrawings();
    if (event.target.closest("button.frame")) showPicture();
  });
}

/** Go to the frame and the note that the address names. */
function follow() {
  const frame = new URL(location.href).searchParams.get("frame");
  if (frame && /^\d{1,9}$/.test(frame)) player?.seek(Number(frame));
  const note = location.hash.startsWith("#note-") ? document.getElementById(location.hash.slice(1)) : null;
  if (note?.classList.contains("note")) choose(note);
}

/** Show the shot's numbers of frames beside those of the movie. */
function describeFrames() {
  for (const note of player?.isAway ? [] : notesHere()) {
    const button = note.querySelector("button.frame");
    const words = button && player.describe(Number(button.dataset.frame));
    if (button && button.textContent !== words) button.textContent = words;
  }
}

function changed() {
  localTimes();
  describeFrames();
  showDrawings();
}

player?.onFrame(onFrame);
player?.onMedium(changed);
addEventListener("pagehide", () => tools?.drawing.finish()); // a text that the viewer is typing
root?.querySelector("[data-show-drawings]")?.addEventListener("change", showDrawings);
if (form) {
  listenToNotes();
  connectNotes(panel, { sketch, merged: changed }).then((connected) => (notes = connected));
}
follow();
sendForms(changed);
changed();
setInterval(() => document.hidden || refresh(changed), REFRESH_SECONDS * 1000);
