// Two versions side by side. The first one is the clock, and the other one follows it.

import { Frames } from "./frames.js";
import { fetchPlayer } from "./recovery.js";
import { matchingIndex } from "./timecode.js";

const FAR_SECONDS = 0.25; // a larger distance needs a seek, a smaller one another speed
const NEAR_FRAMES = 0.15;
const CATCH_UP_SECONDS = 0.5; // how long it takes to catch up
const MOST_CORRECTION = 0.25; // of the speed

/** Return {rate, start} of the player *root*: *start* is the shot's number of its first frame. */
export function clockOf(root) {
  const start = root.dataset.shotStart;
  return { rate: Number(root.dataset.frameRate) || 24, start: start === undefined ? null : Number(start) };
}

export class Compare {
  #other = null; // {address, cell, frames, clock}
  #asked = 0;

  /** *frames()* returns the frames of the player *root*, null for an image; *onChange* is called after a change. */
  constructor(root, { stage, frames, onChange }) {
    Object.assign(this, { root, stage, frames, onChange });
  }

  get isOn() {
    return this.#other !== null;
  }

  /** Return the address of the player beside the first, "" if there is none. */
  get address() {
    return this.#other?.address ?? "";
  }

  /** Show the version whose player is at *address* beside the first; "" ends it. */
  async open(address, label = "") {
    this.close();
    const asked = this.#asked;
    if (!address) return;
    const fresh = await fetchPlayer(address);
    if (asked !== this.#asked) return;
    this.#show(fresh, address, label);
    this.onChange();
  }

  close() {
    this.#asked += 1;
    if (!this.#other) return;
    this.#other.frames?.end();
    this.#other.cell.remove();
    this.#other = null;
    this.stage.classList.remove("is-comparing");
    this.onChange();
  }

  /** Bring the other version to the frame that belongs to that of the first. */
  follow() {
    const first = this.frames();
    const { frames, clock, cell } = this.#other ?? {};
    if (!first || !frames) return;
    const index = matchingIndex(first.index, clockOf(this.root), clock);
    const isOutside = index < 0 || index >= frames.count;
    cell.classList.toggle("is-outside", isOutside);
    const caption = cell.querySelector("[data-caption]");
    caption.textContent = cell.dataset.label + (isOutside ? (index < 0 ? ": not begun yet" : ": ended before") : "");
    if (first.speed <= 0) {
      if (frames.index !== clamped(index, frames) || frames.speed !== 0) frames.seek(index);
    } else if (isOutside) {
      frames.pause();
      if (frames.index !== clamped(index, frames)) frames.seek(index);
    } else {
      this.#play(first, frames, clock, index);
    }
  }

  #play(first, frames, clock, index) {
    const own = clockOf(this.root);
    const factor = matchingFactor(own, clock);
    if (frames.speed === 0) {
      if (frames.index !== index) frames.seek(index);
      frames.play(first.speed * factor);
      return;
    }
    const wanted = timeFor(first.video.currentTime, own, clock);
    const late = wanted - frames.video.currentTime;
    const near = NEAR_FRAMES / clock.rate;
    if (Math.abs(late) > FAR_SECONDS) frames.video.currentTime = Math.max(wanted, 0);
    const correction = Math.abs(late) < near ? 0 : correctionFor(late);
    const speed = first.speed * factor * (1 + correction);
    if (Math.abs(frames.video.playbackRate - speed) > 0.001) frames.video.playbackRate = speed;
  }

  #show(fresh, address, label) {
    const cell = document.createElement("div");
    cell.className = "cell other";
    cell.dataset.cell = "";
    cell.dataset.label = label;
    const medium = fresh?.querySelector("[data-medium]");
    const caption = Object.assign(document.createElement("p"), { className: "caption", textContent: label });
    caption.dataset.caption = "";
    this.#other = { address, cell, frames: null, clock: null };
    if (medium) {
      const picture = document.createElement("div");
      picture.className = "picture";
      picture.dataset.picture = "";
      picture.append(document.adoptNode(medium));
      cell.append(picture);
      this.#connect(medium, fresh, picture, cell);
    } else {
      const words = fresh?.querySelector("[data-notice] p")?.textContent.trim() ?? "The server does not answer.";
      cell.append(Object.assign(document.createElement("p"), { className: "nothing", textContent: words }));
    }
    cell.append(caption);
    this.stage.append(cell); // behind the notice, which stands for a first version without a picture
    this.stage.classList.add("is-comparing");
  }

  #connect(medium, fresh, picture, cell) {
    const { width, height } = fresh.dataset;
    const ratio = Number(width) / Number(height);
    if (ratio > 0) picture.style.setProperty("--ratio", String(ratio));
    medium.addEventListener("error", () => {
      const words = "This version cannot be shown.";
      picture.replaceWith(Object.assign(document.createElement("p"), { className: "nothing", textContent: words }));
      cell.classList.remove("is-outside");
    });
    if (medium.localName !== "video") return;
    medium.controls = false;
    medium.muted = true;
    const clock = clockOf(fresh);
    const last = Number(fresh.dataset.lastFrame) - Number(fresh.dataset.firstFrame);
    this.#other.clock = clock;
    this.#other.frames = new Frames(medium, clock.rate, last > 0 ? last : 0);
    medium.addEventListener("loadedmetadata", () => {
      picture.style.setProperty("--ratio", String(medium.videoWidth / medium.videoHeight));
      this.follow();
    });
  }
}

/** Return by how much of its speed a movie that is *late*, in seconds, has to play faster. */
function correctionFor(late) {
  return Math.sign(late) * Math.min(Math.abs(late) / CATCH_UP_SECONDS, MOST_CORRECTION);
}

/** Return the time in *other* for the time *seconds* in *one*, both {rate, start}. */
export function timeFor(seconds, one, other) {
  const factor = matchingFactor(one, other);
  const shift = matchingIndex(0, one, other) / other.rate;
  return seconds * factor + (factor === 1 && one.rate !== other.rate ? 0 : shift);
}

/** Return how much faster *other* has to play than *one*, to show its frames in step. */
export function matchingFactor(one, other) {
  const second = Math.round(one.rate);
  const frames = matchingIndex(1000 * second, one, other) - matchingIndex(0, one, other);
  return frames === 1000 * second ? one.rate / other.rate : 1;
}

function clamped(index, frames) {
  return Math.min(Math.max(index, 0), frames.count - 1);
}
