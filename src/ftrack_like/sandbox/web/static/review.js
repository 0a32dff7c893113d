// The review page: connect the player, the drawing and the notes. The forms work without it.

import { Drawing } from "./drawing.js";
import { createPlayer, isTyping, press } from "./player.js";
import { localTimes } from "./times.js";
import { refresh, sendForms } from "./regions.js";

const REFRESH_SECONDS = 20;

const root = document.querySelector("[data-player]");
const form = document.querySelector("[data-note]");
const player = root ? createPlayer(root) : null;
const canvas = root?.querySelector("canvas.drawing");
const drawing = canvas ? new Drawing(canvas) : null;
let chosen = null; // the id of the note whose drawing is shown; null shows those of all notes
let drawnAt = null; // the frame of the viewer's own drawing

function notes() {
  return [...document.querySelectorAll(".note")];
}

function strokesOf(note) {
  return note.dataset.drawing ? JSON.parse(note.dataset.drawing) : [];
}

function isAt(note, frame) {
  return frame === null || note.dataset.frame === "" || Number(note.dataset.frame) === frame;
}

function showDrawings() {
  if (!drawing) return;
  const wanted = root.querySelector("[data-show-drawings]")?.checked ?? true;
  const frame = player.frame();
  const fitting = wanted ? notes().filter((note) => isAt(note, frame)) : [];
  const alone = fitting.filter((note) => note.dataset.noteId === chosen);
  drawing.show((alone.length ? alone : fitting).flatMap(strokesOf));
}

function choose(note) {
  chosen = note?.dataset.noteId ?? null;
  for (const other of notes()) other.classList.toggle("is-shown", other === note);
}

function onFrame(frame) {
  const note = notes().find((one) => one.dataset.noteId === chosen);
  if (note && !isAt(note, frame)) choose(null);
  const at = form?.querySelector("[data-note-frame]");
  if (at) at.textContent = String(drawnAt ?? frame);
  showDrawings();
}

function connectDrawing() {
  const button = root.querySelector("[data-act=draw]");
  if (!drawing || !button) return;
  const turn = (on) => {
    drawing.active = on;
    root.classList.toggle("is-drawing", on);
    press(button, on);
    if (on) player.pause();
  };
  button.addEventListener("click", () => turn(!drawing.active));
  drawing.onStart = () => {
    const frame = player.frame();
    if (drawnAt !== null && drawnAt !== frame) drawing.clear(); // a drawing belongs to one frame
    drawnAt = frame;
    player.pause();
  };
  drawing.onChange = (any) => {
    if (!any) drawnAt = null;
    form.querySelector("[data-has-drawing]").hidden = !any;
    onFrame(player.frame());
  };
  root.querySelector("[data-act=undo]").addEventListener("click", () => drawing.undo());
  root.querySelector("[data-act=clear]").addEventListener("click", () => drawing.clear());
  root.querySelector("[data-width-choice]").addEventListener("change", (event) => (drawing.width = Number(event.target.value)));
  for (const input of root.querySelectorAll("[name=color]")) {
    input.addEventListener("change", () => (drawing.color = input.value));
  }
  root.querySelector("[data-show-drawings]").addEventListener("change", showDrawings);
  document.addEventListener("keydown", (event) => {
    if (isTyping(event)) return;
    if (event.key === "d") turn(!drawing.active);
    if (event.key === "n") {
      event.preventDefault();
      form.querySelector("textarea").focus();
    }
  });
  form.addEventListener("sent", () => turn(false));
}

function connectNotes() {
  const atFrame = form.querySelector("[data-at-frame]");
  for (const hidden of form.querySelectorAll("[data-needs-script]")) hidden.hidden = false;
  form.addEventListener("sending", () => {
    const frame = player?.frame() ?? null;
    const wanted = frame !== null && (atFrame?.checked || drawnAt !== null);
    form.elements.frame.value = wanted ? String(drawnAt ?? frame) : "";
    form.elements.drawing.value = drawing?.text() ?? "";
  });
  form.addEventListener("sent", () => {
    form.querySelector("textarea").value = "";
    drawing?.clear();
  });
  form.querySelector("textarea").addEventListener("focus", () => player?.pause());
  document.addEventListener("click", (event) => {
    const note = event.target.closest(".note");
    if (!note || event.target.closest("a, summary, textarea, .reply button")) return;
    choose(note);
    if (note.dataset.frame !== "") player?.seek(Number(note.dataset.frame));
    showDrawings();
  });
}

if (player) {
  player.onFrame(onFrame);
  connectDrawing();
}
if (form) connectNotes();
sendForms(() => {
  localTimes();
  showDrawings();
});
localTimes();
showDrawings();
setInterval(() => {
  if (!document.hidden) refresh(() => { localTimes(); showDrawings(); });
}, REFRESH_SECONDS * 1000);
