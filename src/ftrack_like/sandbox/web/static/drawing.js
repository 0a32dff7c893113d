// Draw on the picture. Strokes are in fractions of its width and height, so they fit any size.

/** A canvas over a picture. It shows strokes and, while *drawing* is on, records new ones. */
export class Drawing {
  constructor(canvas) {
    this.canvas = canvas;
    this.color = "#ff453a";
    this.width = 0.006;
    this.active = false;
    this.strokes = [];
    this.shown = [];
    this.onStart = () => {};
    this.onChange = () => {};
    this.pointer = null;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this.#end(event));
    }
    new ResizeObserver(() => this.render()).observe(canvas);
  }

  /** Show the *strokes* of others below the viewer's own strokes. */
  show(strokes) {
    this.shown = strokes;
    this.render();
  }

  undo() {
    this.strokes.pop();
    this.#changed();
  }

  clear() {
    this.strokes = [];
    this.#changed();
  }

  /** Return the viewer's strokes as text for a form, or "" if there are none. */
  text() {
    return this.strokes.length ? JSON.stringify({ strokes: this.strokes }) : "";
  }

  render() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.lineCap = context.lineJoin = "round";
    for (const stroke of [...this.shown, ...this.strokes]) trace(context, stroke, width, height);
  }

  #begin(event) {
    if (!this.active || event.button !== 0) return;
    event.preventDefault();
    this.onStart();
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.strokes.push({ color: this.color, width: this.width, points: this.#place(event) });
    this.#changed();
  }

  #go(event) {
    if (event.pointerId !== this.pointer) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    const points = this.strokes[this.strokes.length - 1].points;
    for (const move of moves.length ? moves : [event]) points.push(...this.#place(move));
    this.render();
  }

  #end(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.#changed();
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
  }

  #changed() {
    this.render();
    this.onChange(this.strokes.length > 0);
  }
}

function share(value) {
  return Math.round(Math.min(Math.max(value, 0), 1) * 1e5) / 1e5;
}

function trace(context, stroke, width, height) {
  const { points } = stroke;
  context.strokeStyle = stroke.color;
  context.lineWidth = Math.max(stroke.width * width, 1);
  context.beginPath();
  context.moveTo(points[0] * width, points[1] * height);
  if (points.length === 2) context.lineTo(points[0] * width + 0.01, points[1] * height);
  for (let at = 2; at < points.length; at += 2) context.lineTo(points[at] * width, points[at + 1] * height);
  context.stroke();
}
