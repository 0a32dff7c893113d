import assert from "node:assert/strict";
import { test } from "node:test";
import { isDropFrame, matchingIndex, timecode } from "../../../../src/ftrack_like/sandbox/web/static/timecode.js";

const NTSC = 30000 / 1001;
const FILM = 24000 / 1001;

test("whole rates count frames, seconds, minutes and hours", () => {
  assert.equal(timecode(0, 24), "00:00:00:00");
  assert.equal(timecode(23, 24), "00:00:00:23");
  assert.equal(timecode(24, 24), "00:00:01:00");
  assert.equal(timecode(25 * 3600 + 26, 25), "01:00:01:01");
  assert.equal(timecode(60 * 60 * 60 - 1, 60), "00:59:59:59");
});

test("23.976 counts to 24 and leaves no number out", () => {
  assert.equal(isDropFrame(FILM), false);
  assert.equal(timecode(24 * 60, FILM), "00:01:00:00");
});

test("29.97 leaves out two numbers each minute, and none each tenth minute", () => {
  assert.ok(isDropFrame(NTSC) && isDropFrame(29.97) && isDropFrame(60000 / 1001));
  assert.ok(!isDropFrame(30) && !isDropFrame(60) && !isDropFrame(25));
  assert.equal(timecode(1799, NTSC), "00:00:59;29");
  assert.equal(timecode(1800, NTSC), "00:01:00;02");
  assert.equal(timecode(17981, NTSC), "00:09:59;29");
  assert.equal(timecode(17982, NTSC), "00:10:00;00");
  assert.equal(timecode(107892, NTSC), "01:00:00;00");
  assert.equal(timecode(3599, 60000 / 1001), "00:00:59;59");
  assert.equal(timecode(3600, 60000 / 1001), "00:01:00;04");
});

test("drop-frame numbers are unique, rise, and never begin a minute with :00 and :01", () => {
  let before = "";
  for (let index = 0; index < 2 * 17982; index += 1) {
    const code = timecode(index, NTSC);
    assert.ok(code > before, code);
    if (/:00;0[01]$/.test(code)) assert.match(code, /^00:[0-5]0:00/);
    before = code;
  }
});

test("other rates count the frames of each second", () => {
  assert.equal(timecode(12, 12.5), "00:00:00:12");
  assert.equal(timecode(13, 12.5), "00:00:01:00");
  assert.equal(timecode(25, 12.5), "00:00:02:00");
});

test("movies of one rate match frame by frame, and by the number of the shot", () => {
  const at = (rate, start = null) => ({ rate, start });
  assert.equal(matchingIndex(10, at(24), at(FILM)), 10);
  assert.equal(matchingIndex(10, at(24, 1001), at(24, 993)), 18);
  assert.equal(matchingIndex(3, at(24, 1001), at(24, 1009)), -5);
  assert.equal(matchingIndex(10, at(24, 1001), at(24)), 10);
});

test("movies of different rates match by time", () => {
  assert.equal(matchingIndex(10, { rate: 24, start: 1001 }, { rate: 48, start: 1001 }), 21);
  assert.equal(matchingIndex(24, { rate: 24, start: null }, { rate: 30, start: null }), 30);
  assert.equal(matchingIndex(59, { rate: 60, start: null }, { rate: 30, start: null }), 29);
});
