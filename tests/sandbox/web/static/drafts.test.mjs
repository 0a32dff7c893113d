import assert from "node:assert/strict";
import { test } from "node:test";
import { Drafts, filesInDrafts } from "../../../../src/ftrack_like/sandbox/web/static/drafts.js";

class Storage {
  items = new Map();
  full = false;
  get length() {
    return this.items.size;
  }
  key(at) {
    return [...this.items.keys()][at] ?? null;
  }
  getItem(key) {
    return this.items.get(key) ?? null;
  }
  setItem(key, value) {
    if (this.full) throw new Error("full");
    this.items.set(key, value);
  }
  removeItem(key) {
    this.items.delete(key);
  }
}

let clock = 0;
const open = (storage, tab = "one", visitor = "review mira") => new Drafts(storage, visitor, tab, () => (clock += 1));

function written(drafts, text, slot = "note", object = "object") {
  const draft = Object.assign(drafts.make(object, slot), { text });
  drafts.save(draft);
  return draft;
}

test("a draft is found again by its object and its form", () => {
  const storage = new Storage();
  written(open(storage), "words");
  assert.equal(open(storage).find("object", "note", new Set()).text, "words");
  assert.equal(open(storage).find("object", "reply:1", new Set()), null);
  assert.equal(open(storage).find("other", "note", new Set()), null);
});

test("a removed draft is gone", () => {
  const storage = new Storage();
  const drafts = open(storage);
  drafts.remove(written(drafts, "words").id);
  assert.equal(storage.length, 0);
});

test("visitors do not see the drafts of each other, even if one id begins with the other", () => {
  const storage = new Storage();
  written(open(storage, "one", "review mira"), "secret");
  for (const visitor of ["review jonas", "review mir", "review mira two"]) {
    assert.deepEqual(open(storage, "one", visitor).all(), []);
    assert.equal(open(storage, "one", visitor).find("object", "note", new Set()), null);
  }
});

test("a tab finds its own draft before others, and none of a tab that is open", () => {
  const storage = new Storage();
  const [one, two] = [open(storage, "one"), open(storage, "two")];
  written(one, "first");
  written(two, "second");
  const living = new Set(["one", "two"]);
  assert.equal(one.find("object", "note", living).text, "first");
  assert.equal(two.find("object", "note", living).text, "second");
  assert.equal(open(storage, "three").find("object", "note", living), null);
  assert.equal(open(storage, "three").find("object", "note", new Set(["two"])).text, "first");
});

test("a draft that waits for the network is in no form, and waits in order", () => {
  const storage = new Storage();
  const drafts = open(storage);
  for (const text of ["a", "b"]) drafts.save(Object.assign(written(drafts, text), { state: "waiting" }));
  assert.equal(drafts.find("object", "note", new Set()), null);
  assert.deepEqual(drafts.waiting().map((one) => one.text), ["a", "b"]);
  assert.deepEqual([...drafts.objects()], ["object"]);
});

test("without room a draft stays until the page is left, and the page learns it", () => {
  const storage = new Storage();
  const drafts = open(storage);
  const draft = written(drafts, "small");
  storage.full = true;
  assert.equal(drafts.save(Object.assign(draft, { text: "large" })), false);
  assert.equal(drafts.hasUnstored, true);
  assert.equal(drafts.get(draft.id).text, "large");
  assert.deepEqual(drafts.all().map((one) => one.text), ["large"]);
  storage.full = false;
  assert.equal(drafts.save(draft), true);
  assert.equal(drafts.hasUnstored, false);
});

test("items of other programs are passed over", () => {
  const storage = new Storage();
  const key = "ftrack-like review draft review mira x";
  for (const value of ["", "{", "null", "7", "[]", '{"id": 1}', '{"id": "x", "strokes": 1, "files": []}']) {
    storage.setItem(key, value);
    assert.deepEqual(open(storage).all(), []);
  }
});

test("the files of all visitors are in use", () => {
  const storage = new Storage();
  for (const visitor of ["a", "b"]) {
    const drafts = open(storage, "one", visitor);
    drafts.save(Object.assign(drafts.make("object", "note"), { files: [{ id: visitor }] }));
  }
  assert.deepEqual(filesInDrafts(storage), new Set(["a", "b"]));
});
