import assert from "node:assert/strict";
import { test } from "node:test";
import { FIT, limited, moved, zoomed } from "../../../../src/ftrack_like/sandbox/web/static/zoom.js";

/** Where the point (x, y) of the picture is on the screen: 0 is the middle of both. */
const seen = ({ scale, x, y }, point) => [x + scale * point[0], y + scale * point[1]];

test("zooming keeps the point below the pointer in its place", () => {
  let view = FIT;
  const pointer = [0.2, -0.1];
  for (const factor of [1.5, 2, 0.8, 3]) {
    const point = [(pointer[0] - view.x) / view.scale, (pointer[1] - view.y) / view.scale];
    view = zoomed(view, factor, ...pointer);
    seen(view, point).forEach((value, at) => assert.ok(Math.abs(value - pointer[at]) < 1e-12));
  }
});

test("the view is never smaller than the picture nor larger than 16 times", () => {
  assert.deepEqual(zoomed(FIT, 0.1), FIT);
  assert.equal(zoomed(FIT, 1000).scale, 16);
  assert.equal(zoomed(FIT, 0.1, 0, 0, 0.4).scale, 0.4);
});

test("the picture cannot leave its place", () => {
  assert.deepEqual(moved(FIT, 1, 1), FIT);
  assert.deepEqual(moved({ scale: 3, x: 0, y: 0 }, 5, -5), { scale: 3, x: 1, y: -1 });
  assert.deepEqual(limited({ scale: 0.5, x: 0.3, y: 0 }, 0.5), { scale: 0.5, x: 0, y: 0 });
});

test("zooming out centres the picture again", () => {
  const view = zoomed({ scale: 4, x: 1.5, y: -1.5 }, 0.25);
  assert.deepEqual(view, FIT);
});
