// Zoom and pan: wheel, pinch, drag and keys. The view is a scale and a shift of the pictures.

const LARGEST = 16;
const STEP = 1.25;
const GESTURE_MILLISECONDS = 250;
const CLICK_PIXELS = 5;

/** The whole picture: scale 1 fits it into its place. *x* and *y* are shares of the picture's size. */
export const FIT = Object.freeze({ scale: 1, x: 0, y: 0 });

/** Return *view* within its limits: no smaller than *smallest*, and never out of sight. */
export function limited({ scale, x, y }, smallest = 1) {
  const size = Math.min(Math.max(scale, smallest), LARGEST);
  const most = Math.max((size - 1) / 2, 0);
  const clamp = (value) => Math.min(Math.max(value, -most), most) + 0;
  return { scale: size, x: clamp(x), y: clamp(y) };
}

/** Return *view* scaled by *factor*, with the point at (*x*, *y*) in its place; 0 is the middle. */
export function zoomed(view, factor, x = 0, y = 0, smallest = 1) {
  const scale = Math.min(Math.max(view.scale * factor, smallest), LARGEST);
  const real = scale / view.scale;
  return limited({ scale, x: x - (x - view.x) * real, y: y - (y - view.y) * real }, smallest);
}

/** Return *view* moved by shares of the picture's size. */
export function moved(view, x, y) {
  return limited({ ...view, x: view.x + x, y: view.y + y }, view.scale);
}

export class Zoom {
  #pointers = new Map();
  #moved = 0;
  #lastWheel = { time: 0, inside: false };

  /** *picture()* returns the element on which the view is based. *onClick* is called for a click. */
  constructor(root, stage, { picture, naturalWidth, onClick }) {
    Object.assign(this, { root, stage, picture, naturalWidth, onClick, view: FIT });
    addEventListener("wheel", (event) => this.#wheel(event), { passive: false, capture: true });
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.#up(event));
    stage.addEventListener("dragstart", (event) => event.preventDefault());
    new ResizeObserver(() => this.refresh()).observe(stage);
  }

  fit() {
    this.#set(FIT);
  }

  /** Show one pixel of the picture for one of the screen. */
  actual() {
    this.#set({ ...FIT, scale: this.#actualScale() });
  }

  by(steps) {
    this.#zoom(STEP ** steps);
  }

  pan(x, y) {
    this.#set(moved(this.view, x / this.view.scale, y / this.view.scale));
  }

  /** Apply the view, and show its scale. */
  refresh() {
    const { scale, x, y } = this.view;
    for (const [name, value] of Object.entries({ "--scale": scale, "--x": x, "--y": y })) {
      this.stage.style.setProperty(name, String(value));
    }
    this.root.classList.toggle("is-zoomed", scale > 1);
    const label = this.root.querySelector("[data-scale]");
    const width = this.picture()?.clientWidth;
    if (!label || !width) return;
    const percent = (width * scale * (window.devicePixelRatio || 1)) / this.naturalWidth();
    label.textContent = Number.isFinite(percent) && percent > 0 ? `${Math.round(percent * 100)} %` : "Fit";
    label.classList.toggle("is-fit", scale === 1);
  }

  #actualScale() {
    const scale = this.naturalWidth() / (window.devicePixelRatio || 1) / this.picture().clientWidth;
    return Number.isFinite(scale) && scale > 0 ? scale : 1;
  }

  #zoom(factor, x = 0, y = 0) {
    // A small picture fits at more than its own size, so its own size is the smallest then.
    const smallest = Math.min(1, this.#actualScale());
    this.#set(zoomed(this.view, factor, x, y, smallest));
  }

  #set(view) {
    this.view = limited(view, Math.min(view.scale, 1));
    this.refresh();
  }

  #wheel(event) {
    const inside = this.stage.contains(event.target);
    const now = event.timeStamp;
    // A gesture that scrolls the page goes on scrolling when the picture comes under the pointer.
    const goesOn = now - this.#lastWheel.time < GESTURE_MILLISECONDS && !this.#lastWheel.inside;
    const takes = inside && !goesOn && !this.picture()?.hidden && (event.deltaY < 0 || this.view.scale > 1);
    this.#lastWheel = { time: now, inside: takes || (inside && !goesOn) };
    if (!takes) return;
    event.preventDefault();
    const unit = event.deltaMode === 0 ? 1 : 30;
    const factor = Math.exp(Math.min(Math.max(-event.deltaY * unit, -200), 200) / (event.ctrlKey ? 100 : 500));
    this.#zoom(factor, ...this.#place(event, event.target));
  }

  /** Return the place of *event* from the middle of the cell at *target*, in sizes of the picture. */
  #place(event, target) {
    const picture = target?.closest?.("[data-cell]")?.querySelector("[data-picture]") ?? this.picture();
    const box = picture.parentElement.getBoundingClientRect();
    return [
      (event.clientX - box.left - box.width / 2) / picture.clientWidth,
      (event.clientY - box.top - box.height / 2) / picture.clientHeight,
    ];
  }

  #down(event) {
    const isDrawing = this.root.classList.contains("is-drawing");
    if (event.target.closest("button, a") || (isDrawing && event.button !== 1)) return;
    if (event.button > 1 || !event.target.closest("[data-picture], [data-stage]")) return;
    if (event.button === 1) event.preventDefault();
    if (!this.#pointers.size) this.#moved = 0;
    this.#pointers.set(event.pointerId, event);
    this.stage.setPointerCapture(event.pointerId);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const picture = this.picture();
    const [x, y] = [event.clientX - before.clientX, event.clientY - before.clientY];
    this.#moved += Math.hypot(x, y);
    const others = [...this.#pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    this.#pointers.set(event.pointerId, event);
    if (!others.length) {
      if (this.#moved > CLICK_PIXELS) this.#set(moved(this.view, x / picture.clientWidth, y / picture.clientHeight));
      return;
    }
    const [other] = others;
    const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
    const factor = distance(event) / Math.max(distance(before), 1);
    this.#zoom(factor, ...this.#place(middle, document.elementFromPoint(middle.clientX, middle.clientY)));
    this.#set(moved(this.view, x / 2 / picture.clientWidth, y / 2 / picture.clientHeight));
  }

  #up(event) {
    if (!this.#pointers.delete(event.pointerId) || this.#pointers.size) return;
    const isClick = event.type === "pointerup" && event.button === 0 && this.#moved <= CLICK_PIXELS;
    if (isClick && document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-picture]")) this.onClick();
  }
}
