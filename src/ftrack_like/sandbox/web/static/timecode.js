// Numbers for the frames of a movie: timecode, and the frame at the same moment of another movie.
//
// An index counts from 0. All functions are pure.

const TOLERANCE = 0.001; // relative: 29.97 and 30000/1001 differ by 1e-6, 29.97 and 30 by 1e-3

/** Return whether the timecode at *rate* frames per second leaves out numbers (29.97, 59.94). */
export function isDropFrame(rate) {
  const counted = Math.round(rate);
  return counted % 30 === 0 && counted > 0 && isFractional(rate, counted);
}

/** Return the timecode HH:MM:SS:FF of the frame *index*, with ";" before FF for drop-frame. */
export function timecode(index, rate) {
  const counted = Math.round(rate);
  if (isDropFrame(rate)) return written(dropped(index, counted), counted, ";");
  if (counted === rate || isFractional(rate, counted)) return written(index, counted, ":");
  // Other rates, such as 12.5: count the frames of each second.
  const seconds = Math.floor(index / rate + 1e-9);
  return clock(seconds, index - Math.ceil(seconds * rate - 1e-9), ":");
}

/**
 * Return the index in *other* that belongs to *index* in *one*; both are {rate, start}.
 *
 * Movies of one rate match frame by frame, and by their *start*: the shot's number of the first
 * frame, null if unknown. 23.976 and 24 are one rate here. Others match by time.
 */
export function matchingIndex(index, one, other) {
  if (Math.abs(one.rate / other.rate - 1) < 1.5 * TOLERANCE) {
    const shift = one.start === null || other.start === null ? 0 : one.start - other.start;
    return index + shift;
  }
  return Math.floor(((index + 0.5) / one.rate) * other.rate);
}

function isFractional(rate, counted) {
  return Math.abs(rate / ((counted * 1000) / 1001) - 1) < TOLERANCE / 10;
}

/** Return the number that drop-frame timecode gives to *index*: it skips some at most minutes. */
function dropped(index, counted) {
  const skipped = counted / 15;
  const minute = counted * 60 - skipped;
  const tenMinutes = minute * 10 + skipped;
  const tens = Math.floor(index / tenMinutes);
  const rest = index % tenMinutes;
  const minutes = rest < counted * 60 ? 0 : 1 + Math.floor((rest - counted * 60) / minute);
  return index + skipped * (9 * tens + minutes);
}

function written(number, counted, separator) {
  return clock(Math.floor(number / counted), number % counted, separator);
}

function clock(seconds, frames, separator) {
  const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((one) => two(Math.floor(one)));
  return `${parts.join(":")}${separator}${two(frames)}`;
}

function two(number) {
  return String(number).padStart(2, "0");
}
