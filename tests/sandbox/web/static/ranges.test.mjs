import assert from "node:assert/strict";
import { test } from "node:test";
import { WHOLE, bounds, isWhole, played, shuttle, withIn, withOut, within } from "../../../../src/ftrack_like/sandbox/web/static/ranges.js";

test("a range without points is the whole movie", () => {
  assert.deepEqual(bounds(WHOLE, 48), [0, 47]);
  assert.ok(isWhole(WHOLE));
});

test("points limit the frames, and stay within the movie", () => {
  const range = withOut(withIn(WHOLE, 10), 20);
  assert.deepEqual(bounds(range, 48), [10, 20]);
  assert.deepEqual(bounds(range, 15), [10, 14]);
  assert.ok(!isWhole(range));
});

test("a point past the other one removes it", () => {
  const range = withOut(withIn(WHOLE, 10), 20);
  assert.deepEqual(withIn(range, 25), { in: 25, out: null });
  assert.deepEqual(withOut(range, 5), { in: null, out: 5 });
  assert.deepEqual(withIn(range, 20), { in: 20, out: 20 });
});

test("the shuttle keys play faster in their direction, and turn at normal speed", () => {
  const press = (keys) => [...keys].reduce((speed, key) => shuttle(speed, key), 0);
  assert.equal(press("l"), 1);
  assert.equal(press("lll"), 4);
  assert.equal(press("llllllll"), 8);
  assert.equal(press("j"), -1);
  assert.equal(press("jj"), -2);
  assert.equal(press("lllj"), -1);
  assert.equal(press("jjjl"), 1);
  assert.equal(press("lllk"), 0);
  assert.equal(shuttle(0.5, "l"), 1);
  assert.equal(shuttle(1.5, "l"), 2);
});

test("playing backwards ends at the first frame, or goes on at the last one", () => {
  const limits = [10, 19];
  assert.equal(played(15, 0, 24, -1, limits, false), 15);
  assert.equal(played(15, 0.125, 24, -1, limits, false), 12);
  assert.equal(played(15, 1, 24, -1, limits, false), null);
  assert.equal(played(10, 1 / 24, 24, -1, limits, true), 19);
  assert.equal(played(10, 11 / 24, 24, -1, limits, true), 19);
  assert.equal(played(19, 1 / 24 + 1e-9, 24, 1, limits, true), 10);
});

test("an index is one of the frames", () => {
  assert.deepEqual([-3, 5, 99].map((index) => within(index, 10)), [0, 5, 9]);
  assert.equal(within(4, 0), 0);
});
