import assert from "node:assert/strict";
import { test } from "node:test";
import { Steps, arrow, box, isDot, pen, share, text, touches } from "../../../../src/ftrack_like/sandbox/web/static/shapes.js";

const style = { color: "#ff453a", width: 0.006, ratio: 16 / 9 };
const inside = (shape) => shape.points.every((value) => value >= 0 && value <= 1);

test("places are fractions with five digits", () => {
  assert.deepEqual([-1, 0.123456789, 2].map(share), [0, 0.12346, 1]);
});

test("an arrow is a line with a head, which old pages draw as a line", () => {
  const shape = arrow([0.1, 0.1], [0.5, 0.5], style);
  assert.equal(shape.shape, "arrow");
  assert.deepEqual(shape.points.slice(0, 4), [0.1, 0.1, 0.5, 0.5]);
  assert.equal(shape.points.length, 10);
});

test("both wings of an arrow are equally long on the screen", () => {
  for (const to of [[0.9, 0.5], [0.5, 0.9], [0.2, 0.1], [0.52, 0.5]]) {
    const { points } = arrow([0.5, 0.5], to, style);
    const long = (at) => Math.hypot(points[at] - points[2], (points[at + 1] - points[3]) / style.ratio);
    assert.ok(Math.abs(long(4) - long(8)) < 1e-4, `${to}`);
  }
});

test("shapes at the edge stay within the picture", () => {
  for (const to of [[0, 0], [1, 1], [0, 1], [1, 0]]) {
    assert.ok(inside(arrow([0.5, 0.5], to, style)));
    assert.ok(inside(box([0.5, 0.5], to, style)));
    assert.ok(inside(text(to, "words", 0.4, style)));
  }
});

test("a box is a closed line", () => {
  const { points, shape } = box([0.1, 0.2], [0.3, 0.4], style);
  assert.equal(shape, "box");
  assert.deepEqual(points, [0.1, 0.2, 0.3, 0.2, 0.3, 0.4, 0.1, 0.4, 0.1, 0.2]);
});

test("a click makes no arrow and no box, but a dot of the pen", () => {
  assert.ok(isDot(box([0.5, 0.5], [0.501, 0.501], style)));
  assert.ok(!isDot(box([0.5, 0.5], [0.6, 0.5], style)));
  assert.ok(!isDot(pen([0.5, 0.5], style)));
  assert.ok(!isDot(text([0.5, 0.5], "x", 0.001, style)));
});

test("the eraser finds a line between its points, and nothing away from it", () => {
  const line = { ...style, points: [0.1, 0.1, 0.9, 0.1] };
  assert.ok(touches(line, [0.5, 0.11], 0.01, style.ratio));
  assert.ok(!touches(line, [0.5, 0.2], 0.01, style.ratio));
  assert.ok(!touches(line, [0.95, 0.1], 0.01, style.ratio));
  assert.ok(touches(pen([0.5, 0.5], style), [0.505, 0.5], 0.01, style.ratio));
});

test("the eraser finds the edge of a box, not its inside, and all of a text", () => {
  const edge = box([0.2, 0.2], [0.8, 0.8], style);
  assert.ok(touches(edge, [0.2, 0.5], 0.01, style.ratio));
  assert.ok(!touches(edge, [0.5, 0.5], 0.01, style.ratio));
  const words = text([0.2, 0.5], "words", 0.2, style);
  assert.ok(touches(words, [0.3, 0.49], 0.005, style.ratio));
  assert.ok(!touches(words, [0.3, 0.3], 0.005, style.ratio));
});

test("steps are taken back and repeated; a new step ends the repetition", () => {
  const steps = new Steps();
  steps.add("a");
  steps.add("b");
  steps.undo();
  assert.deepEqual([steps.strokes, steps.canUndo, steps.canRedo], [["a"], true, true]);
  steps.redo();
  assert.deepEqual(steps.strokes, ["a", "b"]);
  steps.undo();
  steps.add("c");
  assert.deepEqual([steps.strokes, steps.canRedo], [["a", "c"], false]);
  for (let count = 0; count < 5; count += 1) steps.undo();
  assert.deepEqual([steps.strokes, steps.canUndo], [[], false]);
});

test("a step that changes nothing is no step, and begin forgets the steps", () => {
  const steps = new Steps();
  steps.go([]);
  assert.equal(steps.canUndo, false);
  steps.begin(["a"]);
  assert.deepEqual([steps.strokes, steps.canUndo], [["a"], false]);
});

test("each step keeps its frame, so that steps taken back are not moved to another frame", () => {
  const steps = new Steps();
  steps.add("a", 3);
  steps.go([]);
  steps.add("b", 9);
  assert.deepEqual([steps.strokes, steps.frame], [["b"], 9]);
  steps.undo();
  steps.undo();
  assert.deepEqual([steps.strokes, steps.frame], [["a"], 3]);
  steps.redo();
  steps.redo();
  assert.deepEqual([steps.strokes, steps.frame], [["b"], 9]);
  steps.begin(["c"], 5);
  assert.equal(steps.frame, 5);
});

test("a text at the right edge begins where all of it fits", () => {
  assert.deepEqual(text([0.9, 0.5], "words", 0.3, style).points, [0.7, 0.5, 1, 0.5]);
  assert.deepEqual(text([0.9, 0.5], "words", 1.5, style).points, [0, 0.5, 1, 0.5]);
  assert.deepEqual(text([0.1, 0.5], "words", 0.3, style).points, [0.1, 0.5, 0.4, 0.5]);
});
