import assert from "node:assert/strict";
import { test } from "node:test";
import { entryFor, sizeOf, whyNot } from "../../../../src/ftrack_like/sandbox/web/static/note_files.js";

const file = (name, size) => ({ name, size });

test("files within the limit are taken", () => {
  assert.equal(whyNot([file("a", 10)], [file("b", 90)], 100), "");
});

test("files beyond the limit are refused together with the known ones", () => {
  assert.match(whyNot([file("a", 11)], [file("b", 90)], 100), /101 B together.*at most 100 B/);
});

test("an empty file or a folder is named", () => {
  assert.match(whyNot([file("a", 1), file("folder", 0)], [], 100), /“folder” is empty/);
});

test("an entry has an id of its own", () => {
  const [one, other] = [entryFor(file("a", 1)), entryFor(file("a", 1))];
  assert.match(one.id, /^[0-9a-f]{32}$/);
  assert.notEqual(one.id, other.id);
  assert.deepEqual([one.name, one.size], ["a", 1]);
});

test("sizes are for people", () => {
  assert.deepEqual([0, 999, 1500, 2_000_000, 3_000_000_000].map(sizeOf), ["0 B", "999 B", "1.5 kB", "2.0 MB", "3.0 GB"]);
});
