// The notes of the review page: drafts, the outbox, the forms and the list.

import { DraftFiles } from "./draft_files.js";
import { Drafts, filesInDrafts, newId } from "./drafts.js";
import { NoteForms } from "./note_forms.js";
import { connectList } from "./note_list.js";
import { Outbox, poster } from "./outbox.js";
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
  let tabs = await living();
  let discarded = null;

  const list = connectList(panel, {
    say,
    merged() {
      forms.attach();
      show();
      merged();
    },
    reached(ok) {
      online(ok);
      if (ok) flush();
    },
  });
  const forms = new NoteForms(panel, drafts, files, outbox, tabs, { sketch, changed: () => show(), say, sent });
  const mark = () => markObjects(document.getElementById("objects"), drafts.objects());
  new MutationObserver(mark).observe(document.querySelector("main"), { childList: true, subtree: true });

  /** Show the drafts that are in no form, and mark the versions with drafts. */
  function show() {
    const shown = drafts.all().filter((draft) => {
      if (forms.holds(draft.id) || outbox.isSending(draft.id)) return false;
      if (draft.state === "waiting") return true;
      return draft.object === panel.dataset.object && drafts.isFree(draft, tabs);
    });
    showWaiting(waiting, shown, panel.dataset.object, { send, edit, discard });
    if (discarded) waiting.append(undoLine());
    waiting.hidden = waiting.children.length === 0;
    mark();
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
  }

  /** Go on with a draft in its form. A note that may have reached the server gets another id. */
  async function edit(draft) {
    if (outbox.isSending(draft.id)) return;
    if (!forms.formFor(draft)) await list.showAll(); // the filter may hide the note
    drafts.remove(draft.id);
    const again = { ...draft, id: draft.state === "waiting" ? newId() : draft.id, state: "draft" };
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

  function online(ok) {
    connection.hidden = ok;
    connection.textContent = ok ? "" : "The server cannot be reached. What you write and draw is kept in this browser.";
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
