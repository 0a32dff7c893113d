import assert from "node:assert/strict";
import { test } from "node:test";
import { matchingFactor, timeFor } from "../../../../src/ftrack_like/sandbox/web/static/compare.js";
import { reasonOf } from "../../../../src/ftrack_like/sandbox/web/static/recovery.js";
import { matchingIndex } from "../../../../src/ftrack_like/sandbox/web/static/timecode.js";

const clock = (rate, start = null) => ({ rate, start });

test("the times of both movies show the frames that belong together", () => {
  const pairs = [
    [clock(24), clock(24000 / 1001)],
    [clock(24, 1001), clock(24, 993)],
    [clock(24000 / 1001, 1001), clock(24, 1005)],
    [clock(24), clock(48)],
    [clock(60), clock(25)],
  ];
  for (const [one, other] of pairs) {
    for (let index = 10; index < 2000; index += 7) {
      const time = timeFor((index + 0.5) / one.rate, one, other);
      assert.equal(Math.floor(time * other.rate + 1e-6), matchingIndex(index, one, other), `${one.rate} ${other.rate} ${index}`);
    }
  }
});

test("the other movie plays at the speed that keeps its frames in step", () => {
  assert.equal(matchingFactor(clock(24), clock(24)), 1);
  assert.ok(Math.abs(matchingFactor(clock(24), clock(24000 / 1001)) - 1.001) < 1e-9);
  assert.equal(matchingFactor(clock(24), clock(60)), 1);
});

test("each way to fail has its words", () => {
  assert.match(reasonOf(2, null), /cannot be reached/);
  assert.match(reasonOf(4, 404), /missing/);
  assert.match(reasonOf(4, 403), /no longer valid/);
  assert.match(reasonOf(4, 503), /status 503/);
  assert.match(reasonOf(4, 418), /refused .*status 418/);
  assert.match(reasonOf(2, 206), /broke off/);
  assert.match(reasonOf(3, 206), /cannot decode/);
  assert.match(reasonOf(4, 200), /does not support/);
});
