// The notes of the review page: drafts, the outbox, the forms and the list.

import { DraftFiles } from "./draft_files.js";
import { Drafts, filesInDrafts, newId } from "./drafts.js";
import { NoteForms } from "./note_forms.js";
import { connectList } from "./note_list.js";
import { Outbox, poster } from "./outbox.js";
import { statusOf } from "./recovery.js";
import { openTab } from "./tabs.js";
import { markObjects, showWaiting } from "./waiting.js";

const AGAIN_SECONDS = 10;

/**
 * Connect the *panel* of notes, and return {capture, submit}: store or send the note in the first form.
 *
 * *sketch* is the drawing for :class:`NoteForms`. *merged()* is called after each change of the list.
 */
export async function connectNotes(panel, { sketch, merged }) {
  const { id, living } = await openTab();
  const storage = storageOfBrowser();
  const drafts = new Drafts(storage, panel.dataset.visitor, id);
  const files = new DraftFiles();
  const first = panel.querySelector("form[data-note]");
  const outbox = new Outbox(drafts, files, poster({ note: first.action, reply: first.action, edit: `${first.action.replace("/note?", "/note/edit?")}` }));
  const said = panel.querySelector("[data-said]");
  const connection = panel.querySelector("[data-connection]");
  const waiting = panel.querySelector("[data-waiting]");
  const say = (text) => (said.textContent = text);
  const gone = new Set(); // the versions with drafts that were removed from the review
  let tabs = await living();
  let discarded = null;

  const list = connectList(panel, {
    say,
    merged() {
      forms.attach();
      show();
      merged();
    },
    reached(ok, refusal) {
      online(ok, refusal);
      if (ok) flush();
    },
  });
  const forms = new NoteForms(panel, drafts, files, outbox, tabs, { sketch, changed: () => show(), say, sent, refused: () => list.refresh({ quiet: true }) });
  outbox.onStart = () => show();
  const mark = () => markObjects(document.getElementById("objects"), drafts.objects());
  new MutationObserver(mark).observe(document.querySelector("main"), { childList: true, subtree: true });

  /** Show the drafts that are in no form, and mark the versions with drafts. */
  function show() {
    const shown = drafts.all().filter((draft) => {
      if (forms.holds(draft.id)) return false;
      if (draft.state === "waiting") return true;
      return placeOf(draft) !== "elsewhere" && drafts.isFree(draft, tabs);
    });
    showWaiting(waiting, shown, { placeOf, isSending: (id) => outbox.isSending(id), send, edit, discard });
    if (discarded) waiting.append(undoLine());
    waiting.hidden = waiting.children.length === 0;
    mark();
  }

  function placeOf({ object }) {
    if (object === panel.dataset.object) return "here";
    return gone.has(object) ? "gone" : "elsewhere";
  }

  /** Find the drafts whose versions were removed from the review: no other page would show them. */
  async function lookForGone() {
    for (const object of drafts.objects()) {
      const url = new URL(panel.dataset.address, location.href);
      url.searchParams.set("object", object);
      if (placeOf({ object }) === "elsewhere" && (await statusOf(url)) === 404) gone.add(object);
    }
    show();
  }

  async function sent() {
    await list.refresh({ quiet: true });
    say("Sent.");
  }

  /** Look which tabs are open: the drafts of the others are free. */
  async function look() {
    tabs = forms.living = await living();
    show();
  }

  async function flush() {
    if (!drafts.waiting().some((draft) => !outbox.isSending(draft.id))) return;
    const results = await outbox.flush();
    settled(results);
  }

  async function send(draft) {
    settled([await outbox.send(draft)]);
  }

  /** Show the *results* of notes that waited. */
  function settled(results) {
    for (const { outcome, draft, problem } of results) {
      if (outcome === "refused") drafts.save(Object.assign(draft, { problem }));
      if (outcome === "waiting") say("The server still cannot be reached. The note is kept.");
    }
    const count = results.filter((one) => one.outcome === "sent").length;
    if (count) {
      say(count === 1 ? "The note that waited is sent." : `${count} notes that waited are sent.`);
      list.refresh({ quiet: true });
    }
    show();
    if (results.some(({ outcome }) => outcome === "refused")) lookForGone();
  }

  /** Go on with a draft in its form. A note that may have reached the server gets another id. */
  async function edit(draft) {
    if (outbox.isSending(draft.id)) return;
    const isHere = placeOf(draft) === "here";
    if (isHere && !forms.formFor(draft)) await list.showAll(); // the filter may hide the note
    drafts.remove(draft.id);
    const id = draft.state === "waiting" || !isHere ? newId() : draft.id;
    const again = { ...draft, id, object: panel.dataset.object, state: "draft", problem: isHere ? draft.problem : "" };
    if (!forms.formFor(again)) again.slot = "note"; // the note to answer or to change is gone
    drafts.save(again);
    forms.take(again);
    show();
  }

  function discard(draft) {
    discarded = draft;
    drafts.remove(draft.id);
    show();
    waiting.querySelector("[data-undo]")?.focus();
  }

  function undoLine() {
    const line = Object.assign(document.createElement("li"), { className: "row", textContent: "Discarded. " });
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Undo" });
    button.dataset.undo = "";
    button.addEventListener("click", () => {
      const draft = discarded;
      discarded = null;
      drafts.save(draft);
      show();
    });
    line.append(button);
    return line;
  }

  function online(ok, refusal = "") {
    const problem = ok ? refusal : "The server cannot be reached.";
    const words = problem && `${problem} What you write and draw is kept in this browser.`;
    connection.hidden = words === "";
    if (connection.textContent !== words) connection.textContent = words; // else it is read aloud again and again
  }

  addEventListener("online", () => list.refresh());
  addEventListener("offline", () => online(false));
  addEventListener("storage", (event) => drafts.owns(event.key) && look());
  addEventListener("beforeunload", (event) => {
    if (drafts.hasUnstored) event.preventDefault(); // the browser asks whether to leave
  });
  setInterval(() => look().then(flush), AGAIN_SECONDS * 1000);

  forms.attach();
  show();
  flush();
  lookForGone();
  files.removeUnused(filesInDrafts(storage));
  if (!navigator.onLine) online(false);
  return {
    capture: () => forms.capture(first),
    submit: () => forms.submit(first),
  };
}

/** Return the local storage, or one that keeps nothing if the browser has none for this page. */
function storageOfBrowser() {
  try {
    return localStorage;
  } catch {
    return { length: 0, key: () => null, getItem: () => null, removeItem() {}, setItem() { throw new Error("no storage"); } };
  }
}
