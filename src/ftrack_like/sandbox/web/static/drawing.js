// Draw on the picture, with the mouse, a pen, a finger or the keyboard.
//
// The eraser removes whole strokes and shapes. Places are computed from the canvas as it is on the
// screen, so they are right while the picture is enlarged, moved or in full screen.

import { Steps, arrow, box, isDot, letters, pen, share, text, touches } from "./shapes.js";

const ERASER_PIXELS = 10;
const MOST_NUMBERS = 100_000; // as in web/drawing.py
const KEY_STEP = 0.01;
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A canvas over a picture. It shows strokes and, while it is *active*, records new ones. */
export class Drawing {
  #steps = new Steps();
  #active = false;
  #pointer = null; // the id of the pointer that draws, or "keys"
  #erasing = false;
  #left = null; // the strokes that the eraser leaves, until its movement ends
  #from = null;
  #live = null; // the stroke that is being drawn
  #cursor = null; // the place of the cross that the arrow keys move
  #input = null; // the field for a text

  constructor(canvas) {
    this.canvas = canvas;
    this.tool = "pen";
    this.color = "#ff453a";
    this.width = 0.006;
    this.shown = [];
    this.at = null; // the frame of new strokes, null for a picture; onStart sets it
    this.isHere = true; // whether the viewer's own strokes belong to the frame on the screen
    this.onStart = () => true; // returns false if drawing cannot start here
    this.onChange = () => {};
    this.onActive = () => {};
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    // Without this a press would give the canvas the focus, and the arrow keys would not step frames.
    canvas.addEventListener("mousedown", (event) => this.#active && event.preventDefault());
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#release(event));
    canvas.addEventListener("pointercancel", (event) => this.#release(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => this.render());
    canvas.addEventListener("blur", () => this.#putCursor(null));
    new ResizeObserver(() => this.render()).observe(canvas);
  }

  get active() {
    return this.#active;
  }

  set active(on) {
    if (on === this.#active) return;
    this.#active = on;
    if (!on) {
      this.#finishText();
      this.#end();
    }
    const { canvas } = this;
    canvas.toggleAttribute("aria-hidden", false);
    if (on) {
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "application");
      canvas.setAttribute("aria-label", "Drawing area. The arrow keys move the pen. Enter puts it down and lifts it.");
    } else {
      canvas.removeAttribute("tabindex");
      canvas.removeAttribute("role");
      canvas.setAttribute("aria-hidden", "true");
    }
    this.onActive(on);
    this.render();
  }

  get strokes() {
    return this.#steps.strokes;
  }

  /** Return the frame of the strokes, null for a picture. */
  get frame() {
    return this.#steps.frame;
  }

  get canUndo() {
    return this.#steps.canUndo;
  }

  get canRedo() {
    return this.#steps.canRedo;
  }

  /** Show the *strokes* of others below the viewer's own strokes. */
  show(strokes) {
    this.shown = strokes;
    this.render();
  }

  undo() {
    this.#steps.undo();
    this.#changed();
  }

  redo() {
    this.#steps.redo();
    this.#changed();
  }

  /** Remove all strokes; this is a step that can be taken back. */
  clear() {
    this.#take([]);
  }

  /** Begin with *strokes* at *frame*; no step comes before them. */
  begin(strokes = [], frame = null) {
    this.#steps.begin(strokes, frame);
    this.#changed();
  }

  /** Take a text that the viewer is still typing into the drawing. */
  finish() {
    this.#finishText();
  }

  render() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.lineCap = context.lineJoin = "round";
    const own = this.isHere ? (this.#left ?? this.strokes) : [];
    for (const stroke of [...this.shown, ...own, ...(this.#live ? [this.#live] : [])]) trace(context, stroke, width, height);
    if (this.#cursor && document.activeElement === canvas) cross(context, this.#cursor, width, height, scale);
  }

  get #style() {
    return { color: this.color, width: this.width, ratio: this.canvas.clientWidth / this.canvas.clientHeight || 1 };
  }

  // Pointers

  #press(event) {
    if (!this.#active || this.#pointer !== null || !event.isPrimary) return;
    const isEraser = event.pointerType === "pen" && event.button === 5; // the other end of a pen
    if (event.button !== 0 && !isEraser) return;
    event.preventDefault();
    this.#finishText();
    if (this.onStart() === false) return;
    if (document.activeElement !== this.canvas) document.activeElement?.blur();
    this.canvas.setPointerCapture(event.pointerId);
    this.#putCursor(null);
    this.#begin(this.#place(event), event.pointerId, isEraser);
  }

  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const move of moves.length ? moves : [event]) this.#go(this.#place(move));
    this.render();
  }

  #release(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#end();
  }

  #place(event) {
    const area = this.canvas.getBoundingClientRect();
    return [share((event.clientX - area.left) / area.width), share((event.clientY - area.top) / area.height)];
  }

  // A stroke, from its begin to its end

  #begin(point, pointer, isEraser = false) {
    this.#pointer = pointer;
    this.#from = point;
    this.#erasing = isEraser || this.tool === "eraser";
    if (this.#erasing) this.#go(point);
    else if (this.tool === "pen") this.#live = pen(point, this.#style);
    else if (this.tool !== "text") this.#live = this.#shape(point);
    this.render();
  }

  #shape(to) {
    return (this.tool === "arrow" ? arrow : box)(this.#from, to, this.#style);
  }

  #go(point) {
    if (this.#erasing) this.#erase(point);
    else if (this.tool === "pen") this.#live?.points.push(...point);
    else if (this.#live) this.#live = this.#shape(point);
  }

  #end() {
    if (this.#pointer === null) return;
    const [live, left, from, pointer] = [this.#live, this.#left, this.#from, this.#pointer];
    this.#pointer = this.#live = this.#from = this.#left = null;
    this.#erasing = false;
    if (live && !isDot(live)) this.#add(live);
    else if (left) this.#take(left);
    else if (!live && this.#active) this.#askText(from, pointer === "keys");
    this.render();
  }

  #add(stroke) {
    const count = this.strokes.reduce((sum, one) => sum + one.points.length, stroke.points.length);
    if (count <= MOST_NUMBERS) this.#steps.add(stroke, this.at);
    this.#changed(count > MOST_NUMBERS ? "The drawing is full: a drawing has at most 50,000 points." : "");
  }

  #erase(point) {
    const { ratio } = this.#style;
    const reach = ERASER_PIXELS / this.canvas.getBoundingClientRect().width;
    this.#left = (this.#left ?? this.strokes).filter((stroke) => !touches(stroke, point, reach, ratio));
  }

  #take(strokes) {
    this.#steps.go(strokes);
    this.#changed();
  }

  // Texts

  #askText(point, byKeys) {
    const input = document.createElement("input");
    const { color, width } = this.#style;
    Object.assign(input, { type: "text", className: "drawing-text", maxLength: 500, autocomplete: "off" });
    input.setAttribute("aria-label", "Text in the drawing");
    const left = `max(0%, min(${point[0] * 100}%, 100% - 8em))`; // within the picture, also at its right edge
    Object.assign(input.style, { left, maxWidth: `calc(100% - ${left})`, bottom: `${(1 - point[1]) * 100}%`, color, fontSize: `${letters(width) * this.canvas.clientWidth}px` });
    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return; // Enter takes the words of an input method
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // Ctrl+Enter sends the note
      if (event.key === "Enter") this.#finishText();
      if (event.key === "Escape") this.#dropText();
      if (byKeys && (event.key === "Enter" || event.key === "Escape")) this.canvas.focus({ preventScroll: true });
    });
    input.addEventListener("blur", () => this.#finishText());
    this.#input = { input, point };
    this.canvas.parentElement.append(input);
    input.focus({ preventScroll: true }); // within the event, or a phone shows no keyboard
  }

  #finishText() {
    const asked = this.#input;
    const words = asked?.input.value.trim();
    this.#dropText();
    if (words) this.#add(text(asked.point, words, this.#measure(words), this.#style));
  }

  #dropText() {
    const asked = this.#input;
    this.#input = null;
    asked?.input.remove();
  }

  #measure(words) {
    const context = this.canvas.getContext("2d");
    context.font = font(letters(this.width) * this.canvas.width);
    return context.measureText(words).width / this.canvas.width;
  }

  // Keys: the arrow keys move a cross, and Enter or the space bar puts the pen down and lifts it.

  #key(event) {
    if (!this.#active || event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = DIRECTIONS[event.key];
    const isPress = event.key === "Enter" || event.key === " ";
    if (!direction && !isPress) return;
    event.preventDefault();
    event.stopPropagation(); // these keys are not for the player now
    const [x, y] = this.#cursor ?? [0.5, 0.5];
    const step = KEY_STEP * (event.shiftKey ? 5 : 1);
    this.#putCursor(direction ? [share(x + direction[0] * step), share(y + direction[1] * step)] : [x, y]);
    if (direction && this.#pointer === "keys") this.#go(this.#cursor);
    if (isPress && this.#pointer === "keys") this.#end();
    else if (isPress && this.onStart() !== false) {
      this.#begin(this.#cursor, "keys");
      if (this.tool === "text") this.#end();
    }
    this.render();
  }

  #putCursor(place) {
    this.#cursor = place;
    if (!place && this.#pointer === "keys") this.#end();
    this.render();
  }

  #changed(problem = "") {
    this.render();
    this.onChange(problem);
  }
}

function font(size) {
  return `${size}px system-ui, "DejaVu Sans", sans-serif`;
}

function trace(context, stroke, width, height) {
  const { points } = stroke;
  if (stroke.shape === "text") return write(context, stroke, width, height);
  context.strokeStyle = stroke.color;
  context.lineWidth = Math.max(stroke.width * width, 1);
  context.beginPath();
  context.moveTo(points[0] * width, points[1] * height);
  if (points.length === 2) context.lineTo(points[0] * width + 0.01, points[1] * height);
  for (let at = 2; at < points.length; at += 2) context.lineTo(points[at] * width, points[at + 1] * height);
  context.stroke();
}

/** Write a text with an edge that shows it on each background. */
function write(context, stroke, width, height) {
  const size = Math.max(stroke.size * width, 6);
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(stroke.color.slice(at, at + 2), 16));
  context.font = font(size);
  context.lineWidth = size / 6;
  context.strokeStyle = 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#000000" : "#ffffff";
  context.fillStyle = stroke.color;
  const place = [stroke.points[0] * width, stroke.points[1] * height];
  context.strokeText(stroke.text, ...place);
  context.fillText(stroke.text, ...place);
}

function cross(context, [x, y], width, height, scale) {
  const [left, top, arm] = [x * width, y * height, 10 * scale];
  for (const [color, line] of [["#000000", 4 * scale], ["#ffffff", 2 * scale]]) {
    Object.assign(context, { strokeStyle: color, lineWidth: line });
    context.beginPath();
    context.moveTo(left - arm, top);
    context.lineTo(left + arm, top);
    context.moveTo(left, top - arm);
    context.lineTo(left, top + arm);
    context.stroke();
  }
}
