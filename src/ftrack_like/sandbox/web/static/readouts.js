// The numbers and the states of the buttons of a player.

import { isWhole } from "./ranges.js";
import { timecode } from "./timecode.js";

/** Return the shot's number of *frame* in the player *root*, null if unknown; *first* is the first frame. */
export function shotFrame(root, frame, first) {
  const start = root.dataset.shotStart;
  return start === undefined ? null : Number(start) + frame - first;
}

/** Show where *frames* are; *words* describe the frame to a screen reader. */
export function showNumbers(root, { index, count, rate }, first, words) {
  const frame = first + index;
  const shot = shotFrame(root, frame, first);
  const scrubber = root.querySelector("[data-scrubber]");
  scrubber.max = String(count - 1);
  scrubber.value = String(index);
  scrubber.setAttribute("aria-valuetext", words);
  write(root, "[data-readout]", `${frame} / ${first + count - 1}`);
  write(root, "[data-timecode]", timecode(index, rate));
  write(root, "[data-index]", String(index), first !== 0);
  write(root, "[data-shot-frame]", String(shot), shot !== null && shot !== frame);
}

/** Show how *frames* play; *usual* is the speed that the viewer has chosen. */
export function showState(root, { speed, range, isLooping }, usual) {
  root.classList.toggle("is-playing", speed !== 0);
  root.querySelector("[data-act=play]").setAttribute("aria-label", speed ? "Pause" : "Play");
  press(root.querySelector("[data-act=loop]"), isLooping);
  press(root.querySelector("[data-act=in]"), range.in !== null);
  press(root.querySelector("[data-act=out]"), range.out !== null);
  root.querySelector("[data-act=clear-range]").hidden = isWhole(range);
  const shuttling = root.querySelector("[data-shuttle]");
  shuttling.hidden = speed === 0 || speed === usual;
  shuttling.textContent = `${speed < 0 ? "◀" : "▶"} ${Math.abs(speed)}×`;
}

/** Show whether *video* is muted. */
export function showSound(root, video) {
  root.classList.toggle("is-muted", video.muted);
  press(root.querySelector("[data-act=mute]"), video.muted);
}

export function press(button, on) {
  button?.setAttribute("aria-pressed", String(Boolean(on)));
}

function write(root, selector, text, isShown = true) {
  const place = root.querySelector(selector);
  place.textContent = text;
  place.parentElement.hidden = !isShown;
}
