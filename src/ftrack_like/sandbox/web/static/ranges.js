// In and out points, and the speeds of the shuttle keys. All functions are pure.

/** A range without points: the whole movie plays. */
export const WHOLE = Object.freeze({ in: null, out: null });

const SHUTTLE = [1, 2, 4, 8];

/** Return *range* with its in point at *index*. An out point before it goes away. */
export function withIn(range, index) {
  return { in: index, out: range.out !== null && range.out < index ? null : range.out };
}

/** Return *range* with its out point at *index*. An in point after it goes away. */
export function withOut(range, index) {
  return { in: range.in !== null && range.in > index ? null : range.in, out: index };
}

/** Return [first, last]: the frames that *range* plays in a movie of *count* frames. */
export function bounds(range, count) {
  const last = Math.max(count - 1, 0);
  return [Math.min(range.in ?? 0, last), Math.min(range.out ?? last, last)];
}

export function isWhole(range) {
  return range.in === null && range.out === null;
}

/** Return *index* as one of *count* frames. */
export function within(index, count) {
  return Math.min(Math.max(index, 0), Math.max(count - 1, 0));
}

/**
 * Return the speed after a shuttle key: "j" plays backwards, "l" forwards, "k" stops.
 *
 * The same key again plays faster. *speed* is negative backwards, and 0 while the movie is paused.
 */
export function shuttle(speed, key) {
  if (key === "k") return 0;
  const direction = key === "j" ? -1 : 1;
  if (speed * direction <= 0) return direction;
  const faster = SHUTTLE.find((one) => one > Math.abs(speed));
  return direction * (faster ?? SHUTTLE[SHUTTLE.length - 1]);
}

/** Return the index after *elapsed* seconds at *speed* from *start*, within [first, last]; null at the end. */
export function played(start, elapsed, rate, speed, [first, last], isLooping) {
  const index = start + Math.trunc(elapsed * rate * speed);
  if (index >= first && index <= last) return index;
  if (!isLooping) return null;
  const length = last - first + 1;
  return first + ((((index - first) % length) + length) % length);
}
