import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../../../../src/ftrack_like/sandbox/web/static/outbox.js";

/** Return an outbox whose server gives *answers*, and what it did. */
function outbox(answers, files = {}) {
  const saved = new Map();
  const posted = [];
  const drafts = {
    save: (draft) => saved.set(draft.id, { ...draft }),
    remove: (id) => saved.delete(id),
    waiting: () => [...saved.values()].filter((one) => one.state === "waiting"),
  };
  const removed = [];
  const store = { get: async (id) => files[id] ?? null, remove: async (ids) => removed.push(...ids) };
  const box = new Outbox(drafts, store, async (draft, sent) => {
    posted.push([draft.id, sent.map((one) => one.name)]);
    return answers.shift();
  });
  return { box, saved, posted, removed };
}

const draft = (id, more = {}) => ({ id, slot: "note", text: "words", files: [], state: "waiting", ...more });
const OK = { status: 200, note: "n" };

test("a note that arrived is forgotten, with its files", async () => {
  const { box, saved, posted, removed } = outbox([OK], { f: "data" });
  const result = await box.send(draft("a", { files: [{ id: "f", name: "plan.pdf" }] }));
  assert.equal(result.outcome, "sent");
  assert.deepEqual([saved.size, posted, removed], [0, [["a", ["plan.pdf"]]], ["f"]]);
});

for (const status of [0, 408, 429, 500, 502, 503]) {
  test(`after the status ${status} the note waits`, async () => {
    const { box, saved } = outbox([{ status, problem: "x" }]);
    assert.equal((await box.send(draft("a"))).outcome, "waiting");
    assert.equal(saved.get("a").state, "waiting");
  });
}

for (const status of [400, 403, 404, 409, 413, 507]) {
  test(`after the status ${status} the note is a draft again, with the reason`, async () => {
    const { box, saved } = outbox([{ status, problem: "closed" }]);
    const result = await box.send(draft("a"));
    assert.deepEqual([result.outcome, result.problem], ["refused", "closed"]);
    assert.equal(saved.get("a").state, "draft");
  });
}

test("an answer that is not of the server leaves the note waiting", async () => {
  const { box } = outbox([{ status: 200 }]);
  assert.equal((await box.send(draft("a"))).outcome, "waiting");
});

test("a note is not sent twice at once", async () => {
  const { box, posted } = outbox([OK]);
  const one = draft("a");
  await Promise.all([box.send(one), box.send(one), box.send(one)]);
  assert.equal(posted.length, 1);
  assert.equal(box.isSending("a"), false);
});

test("the notes that wait go in order, until one has to wait again", async () => {
  const { box, saved, posted } = outbox([OK, { status: 400, problem: "no" }, { status: 0 }, OK]);
  for (const id of ["a", "b", "c", "d"]) saved.set(id, draft(id));
  const results = await box.flush();
  assert.deepEqual(results.map((one) => one.outcome), ["sent", "refused", "waiting"]);
  assert.deepEqual(posted.map(([id]) => id), ["a", "b", "c"]);
  assert.deepEqual([...saved.keys()].sort(), ["b", "c", "d"]);
});

test("a file that the browser lost is named, and nothing is sent without it", async () => {
  const { box, posted } = outbox([OK]);
  const result = await box.send(draft("a", { files: [{ id: "f", name: "plan.pdf" }] }));
  assert.equal(result.outcome, "refused");
  assert.match(result.problem, /“plan\.pdf”/);
  assert.deepEqual(posted, []);
});

test("a refused note tells the status, and the page hears of each start", async () => {
  const { box } = outbox([{ status: 409, problem: "changed" }]);
  const started = [];
  box.onStart = () => started.push(box.isSending("a"));
  const result = await box.send(draft("a"));
  assert.deepEqual([result.outcome, result.status, result.problem], ["refused", 409, "changed"]);
  assert.deepEqual([started, box.isSending("a")], [[true], false]);
});
