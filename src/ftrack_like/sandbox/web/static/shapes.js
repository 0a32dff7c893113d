// Strokes and shapes as data, and the steps of a drawing. Nothing here needs a page.
//
// Places are fractions of the picture's width and height. Widths and sizes are fractions of its
// width. The points of a stroke are the line to draw; see web/drawing.py for the stored format.

/** How high the letters of a text are for each width of the pen. */
const LETTERS = 5;
const SMALLEST_LETTERS = 0.018;

/** Return *value* between 0 and 1, rounded to five digits. */
export function share(value) {
  return Math.round(Math.min(Math.max(value, 0), 1) * 1e5) / 1e5;
}

/** Return a line in which the viewer moves the pen, from its first *point* on. */
export function pen(point, { color, width }) {
  return { color, width, points: point.map(share) };
}

/** Return an arrow from one point to another; *ratio* is the picture's width by its height. */
export function arrow(from, to, { color, width, ratio }) {
  const [across, down] = [to[0] - from[0], (to[1] - from[1]) / ratio];
  const length = Math.hypot(across, down);
  const head = Math.min(Math.max(5 * width, 0.02), 0.5 * length);
  const angle = Math.atan2(down, across);
  const wing = (turn) => [to[0] - head * Math.cos(angle + turn), to[1] - head * Math.sin(angle + turn) * ratio];
  const points = [...from, ...to, ...wing(0.5), ...to, ...wing(-0.5)].map(share);
  return { color, width, points, shape: "arrow" };
}

/** Return a box with two opposite corners. */
export function box([left, top], [right, bottom], { color, width }) {
  const points = [left, top, right, top, right, bottom, left, bottom, left, top].map(share);
  return { color, width, points, shape: "box" };
}

/** Return the size of letters that fits a pen of *width*. */
export function letters(width) {
  return Math.max(LETTERS * width, SMALLEST_LETTERS);
}

/**
 * Return a text whose lower left corner is a point; *long* is its length. A text that would end outside
 * the picture begins further left.
 */
export function text([left, bottom], words, long, { color, width }) {
  const start = Math.max(Math.min(left, 1 - long), 0);
  const points = [start, bottom, start + long, bottom].map(share);
  return { color, width, points, shape: "text", text: words, size: share(letters(width)) };
}

/** Return whether a shape is only a point, as a click makes it. */
export function isDot({ shape, points }) {
  return shape !== undefined && shape !== "text" && points.every((value, at) => Math.abs(value - points[at % 2]) < 0.003);
}

/** Return whether *stroke* is within *reach* of a point. */
export function touches(stroke, [x, y], reach, ratio) {
  const { points } = stroke;
  const near = reach + stroke.width / 2;
  if (stroke.shape === "text") {
    const high = stroke.size * ratio;
    return x >= points[0] - reach && x <= points[2] + reach && y >= points[1] - high - reach * ratio && y <= points[1] + (0.3 * stroke.size + reach) * ratio;
  }
  if (points.length === 2) return distance(points, points, [x, y], ratio) <= near;
  for (let at = 0; at + 3 < points.length; at += 2) {
    if (distance(points.slice(at, at + 2), points.slice(at + 2, at + 4), [x, y], ratio) <= near) return true;
  }
  return false;
}

/** Return how far a point is from the line between two others, in fractions of the width. */
function distance([ax, ay], [bx, by], [x, y], ratio) {
  const [across, down] = [bx - ax, (by - ay) / ratio];
  const [toX, toY] = [x - ax, (y - ay) / ratio];
  const long = across * across + down * down;
  const along = long === 0 ? 0 : Math.min(Math.max((toX * across + toY * down) / long, 0), 1);
  return Math.hypot(toX - along * across, toY - along * down);
}

/**
 * The strokes of a drawing after each step, with their frame, so that steps can be taken back.
 *
 * A drawing that was cleared can go on at another frame; the steps before it stay at theirs.
 */
export class Steps {
  #states = [{ strokes: [], frame: null }];
  #at = 0;

  get strokes() {
    return this.#states[this.#at].strokes;
  }

  /** Return the frame of the strokes, null for a picture. */
  get frame() {
    return this.#states[this.#at].frame;
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at + 1 < this.#states.length;
  }

  /** Take a step to other *strokes* at *frame*. */
  go(strokes, frame = this.frame) {
    if (strokes.length === this.strokes.length && strokes.every((one, at) => one === this.strokes[at])) return;
    this.#states.splice(this.#at + 1, Infinity, { strokes, frame });
    this.#at += 1;
  }

  add(stroke, frame = this.frame) {
    this.go([...this.strokes, stroke], frame);
  }

  undo() {
    if (this.canUndo) this.#at -= 1;
  }

  redo() {
    if (this.canRedo) this.#at += 1;
  }

  /** Begin with *strokes* at *frame*, without a step before them. */
  begin(strokes = [], frame = null) {
    this.#states = [{ strokes, frame }];
    this.#at = 0;
  }
}
