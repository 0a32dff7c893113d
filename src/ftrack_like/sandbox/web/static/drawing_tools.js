// The tool bar for drawing, and the keys of its tools.

import { Drawing } from "./drawing.js";
import { addKeys } from "./keys.js";
import { press } from "./player.js";

const TOOL_KEYS = { 1: "pen", 2: "arrow", 3: "box", 4: "text", 5: "eraser" };

/**
 * Connect the tool bar below *root*, and return {drawing, drawnAt, restore}, or null without one.
 *
 * *drawnAt()* returns the frame of the viewer's own drawing, null for none. *restore(strokes,
 * frame)* begins with the strokes of a draft. *changed* is called after each change.
 */
export function connectDrawing(root, player, changed) {
  const canvas = root.querySelector("canvas.drawing");
  const tools = root.querySelector("[data-tools]");
  if (!canvas || !tools) return null;
  const drawing = new Drawing(canvas);
  const find = (act) => tools.querySelector(`[data-act=${act}]`);
  const message = tools.querySelector("[data-drawing-message]");

  const say = (text, act) => {
    message.hidden = text === "";
    message.replaceChildren(text, ...(act ? [act] : []));
  };

  drawing.onActive = (on) => {
    root.classList.toggle("is-drawing", on);
    press(find("draw"), on);
    if (on) player.pause();
    else say("");
  };
  drawing.onStart = () => {
    const frame = player.frame();
    player.pause();
    const there = drawing.frame;
    if (drawing.strokes.length && there !== frame) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: `Go to frame ${there}` });
      button.addEventListener("click", () => player.seek(there));
      say(`A note has one drawing, and yours is at frame ${there}. Send it before you draw here. `, button);
      return false;
    }
    say("");
    drawing.at = frame;
    return true;
  };
  drawing.onChange = (problem) => {
    if (problem) say(problem);
    buttons();
    changed();
  };

  function buttons() {
    find("undo").disabled = !drawing.canUndo;
    find("redo").disabled = !drawing.canRedo;
    find("clear").disabled = drawing.strokes.length === 0;
  }

  function choose(tool) {
    drawing.tool = tool;
    for (const input of tools.querySelectorAll("[name=tool]")) input.checked = input.value === tool;
    canvas.dataset.tool = tool;
  }

  /** Take or repeat a step, and show the frame with the strokes. */
  function step(take) {
    take();
    if (drawing.strokes.length && drawing.frame !== null && drawing.frame !== player.frame()) player.seek(drawing.frame);
  }

  const undo = () => step(() => drawing.undo());
  const redo = () => step(() => drawing.redo());
  const turn = () => (drawing.active = !drawing.active);
  find("draw").addEventListener("click", turn);
  find("undo").addEventListener("click", undo);
  find("redo").addEventListener("click", redo);
  find("clear").addEventListener("click", () => drawing.clear());
  tools.querySelector("[data-width-choice]").addEventListener("change", (event) => (drawing.width = Number(event.target.value)));
  const anyColor = tools.querySelector("[data-any-color]");
  anyColor.addEventListener("input", () => {
    drawing.color = anyColor.value;
    for (const input of tools.querySelectorAll("[name=color]")) input.checked = false;
  });
  for (const input of tools.querySelectorAll("[name=color]")) input.addEventListener("change", () => (drawing.color = input.value));
  for (const input of tools.querySelectorAll("[name=tool]")) input.addEventListener("change", () => choose(input.value));
  const isActive = () => drawing.active;
  addKeys([
    { keys: Object.keys(TOOL_KEYS), says: "pen, arrow, box, text, eraser", run: (event, name) => choose(TOOL_KEYS[name]) },
    { keys: ["Mod+z"], says: "take back a step", run: (event) => (event.shiftKey ? redo() : undo()), repeats: true },
    { keys: ["Mod+y"], shown: ["Mod+Shift+z", "Mod+y"], says: "repeat a step", run: redo, repeats: true },
  ].map((one) => ({ ...one, group: "Drawing", while: isActive })));
  return {
    drawing,
    /** Return the frame of the viewer's strokes, null if there are none. */
    drawnAt: () => (drawing.strokes.length ? drawing.frame : null),
    restore: (strokes, frame) => drawing.begin(strokes, frame),
  };
}
