// The forms for notes: what the viewer enters becomes a draft at once, and sending takes the draft.

import { disableButtons } from "./busy.js";
import { newId } from "./drafts.js";
import { entryFor, listenForFiles, showFiles, whyNot } from "./note_files.js";

/**
 * Connect the forms with data-draft below *panel*.
 *
 * *sketch* has {strokes(), frame(), restore(draft), clear(), finish()} for the drawing of the first
 * form. *sent(result)* is called when a note arrived, *changed()* when drafts change state, and
 * *say(text)* shows a message. *refused(result)* resolves when the list of notes is up to date again.
 */
export class NoteForms {
  #entries = new Map(); // {draft, files, sending, enable} by form

  constructor(panel, drafts, files, outbox, living, { sketch, sent, refused, changed, say }) {
    Object.assign(this, { panel, drafts, files, outbox, living, sketch, sent, refused, changed, say });
    panel.addEventListener("input", (event) => this.#entered(event));
    panel.addEventListener("submit", (event) => {
      const form = event.target.closest("form[data-draft]");
      if (!form) return;
      event.preventDefault();
      this.submit(form);
    });
    listenForFiles(panel, (form, added) => this.#addFiles(form, added));
  }

  /** Connect the forms that are new on the page, and restore their drafts. */
  attach() {
    for (const form of [...this.#entries.keys()]) if (!form.isConnected) this.#entries.delete(form);
    for (const form of this.panel.querySelectorAll("form[data-draft]")) {
      if (this.#entries.has(form)) continue;
      this.#entry(form);
      if (!this.#restore(form)) this.capture(form); // the viewer may have been faster than this script
    }
  }

  /** Return the form in which a draft with *slot* belongs, if it is on the page. */
  formFor(draft) {
    if (draft.object !== this.panel.dataset.object) return null;
    return this.panel.querySelector(`form[data-draft="${CSS.escape(draft.slot)}"]`);
  }

  /** Return whether a form shows the draft *id*. */
  holds(id) {
    return [...this.#entries].some(([form, { draft }]) => draft?.id === id && form.isConnected);
  }

  /** Show *draft* in its form; the draft that the form shows now stays as it is. */
  take(draft) {
    const form = this.formFor(draft);
    if (!form) return;
    this.#reset(form);
    this.#fill(form, draft);
    form.elements.content.focus();
    this.changed();
  }

  /** Store what the viewer entered in *form*. */
  capture(form) {
    const entry = this.#entry(form);
    if (entry.sending) return;
    const area = form.elements.content;
    const isNote = form.dataset.draft === "note";
    const strokes = isNote ? this.sketch.strokes() : [];
    const isEmpty = isEdit(form) ? area.value === area.defaultValue : area.value.trim() === "" && !strokes.length && !entry.files.length;
    if (isEmpty) {
      if (!entry.draft) return;
      this.drafts.remove(entry.draft.id);
      this.files.remove(entry.draft.files.map((file) => file.id));
      entry.draft = null;
      this.#line(form, "");
    } else {
      entry.draft ??= this.drafts.make(form.elements.object.value, form.dataset.draft);
      Object.assign(entry.draft, { text: area.value, strokes, frame: isNote ? this.sketch.frame() : null, files: [...entry.files], state: "draft", problem: "" });
      if (isEdit(form)) entry.draft.before ??= form.elements.before.value;
      if (!this.drafts.save(entry.draft)) this.#problem(form, "This browser has no room for the draft. Send it before you leave the page.");
    }
    this.changed();
  }

  /** Send what the viewer entered in *form*. */
  async submit(form) {
    const entry = this.#entry(form);
    if (entry.sending) return;
    if (form.dataset.draft === "note") this.sketch.finish();
    this.capture(form);
    const { draft } = entry;
    if (!draft) {
      if (isEdit(form)) form.closest("details").open = false;
      else this.#problem(form, "Write or draw something first.");
      return;
    }
    entry.sending = true;
    this.#freeze(form, true);
    this.#problem(form, "");
    // From now on the server may have the note, so a reload must send it again as it is.
    this.drafts.save(Object.assign(draft, { state: "waiting" }));
    const result = await this.outbox.send(draft, (part) => this.#progress(form, part));
    entry.sending = false;
    this.#freeze(form, false);
    if (result.outcome === "refused") await this.#explain(form, draft, result);
    else {
      this.#reset(form);
      const details = form.closest("details");
      if (details) {
        details.open = false;
        details.querySelector("summary").focus({ preventScroll: true });
      }
    }
    if (result.outcome === "waiting") this.say("The server cannot be reached. The note is kept, and sent when it can.");
    if (result.outcome === "sent") this.sent(result);
    this.changed();
  }

  /** Say why the server refused *draft*. A note that has changed can be replaced with its new text in view. */
  async #explain(form, draft, result) {
    this.#problem(form, result.problem);
    await this.refused(result);
    if (result.status !== 409 || !isEdit(form)) return;
    const fingerprint = form.closest("[data-fingerprint]")?.dataset.fingerprint;
    if (!fingerprint || fingerprint === draft.before) return;
    this.drafts.save(Object.assign(draft, { before: fingerprint }));
    this.#problem(form, "The note has changed since you began: its new text is above. Save again to replace it with yours.");
  }

  #entered(event) {
    const form = event.target.closest("form[data-draft]");
    if (form && event.target.type !== "file") this.capture(form);
  }

  #entry(form) {
    if (!this.#entries.has(form)) this.#entries.set(form, { draft: null, files: [], sending: false });
    return this.#entries.get(form);
  }

  /** Show the draft of *form* if it has one; keep what the viewer has entered in the meantime. */
  #restore(form) {
    const draft = this.drafts.find(form.elements.object.value, form.dataset.draft, this.living);
    const { value, defaultValue } = form.elements.content;
    const isUntouched = value === defaultValue && !(form.dataset.draft === "note" && this.sketch.strokes().length);
    if (!draft || !(isUntouched || value === draft.text)) return false;
    this.#fill(form, draft);
    this.#line(form, "Draft restored.");
    return true;
  }

  #fill(form, draft) {
    const entry = this.#entry(form);
    entry.draft = draft;
    entry.files = [...draft.files];
    form.elements.content.value = draft.text;
    const details = form.closest("details");
    if (details) details.open = true;
    this.drafts.save(draft); // the draft now belongs to this tab
    if (form.dataset.draft === "note") this.sketch.restore(draft);
    this.#problem(form, draft.problem ?? "");
    this.#showFiles(form);
    this.#dropLost(form, draft);
  }

  async #dropLost(form, draft) {
    for (const file of draft.files) {
      if (await this.files.get(file.id)) continue;
      const entry = this.#entry(form);
      if (entry.draft !== draft) return;
      entry.files = entry.files.filter((one) => one.id !== file.id);
      this.#showFiles(form);
      this.capture(form);
      this.#problem(form, `The browser could not keep “${file.name}”. Attach it again.`);
    }
  }

  #addFiles(form, added) {
    const entry = this.#entry(form);
    const reason = whyNot(added, entry.files, Number(this.panel.dataset.mostBytes));
    if (entry.sending || reason) return this.#problem(form, reason);
    this.#problem(form, "");
    for (const file of added) {
      const one = entryFor(file);
      entry.files.push(one);
      this.files.put(one.id, file).then((kept) => {
        if (!kept) this.#problem(form, `This browser cannot keep “${file.name}” over a reload. Send the note before you leave the page.`);
      });
    }
    this.#showFiles(form);
    this.capture(form);
  }

  #showFiles(form) {
    const entry = this.#entry(form);
    showFiles(form, entry.files, (id) => {
      if (entry.sending) return;
      entry.files = entry.files.filter((one) => one.id !== id);
      this.files.remove([id]);
      this.#showFiles(form);
      this.capture(form);
      form.querySelector("[data-files] input").focus();
    });
  }

  /** Empty *form*; its draft stays in the store. */
  #reset(form) {
    const entry = this.#entry(form);
    entry.draft = null;
    entry.files = [];
    form.elements.content.value = isEdit(form) ? form.elements.content.defaultValue : "";
    if (form.dataset.draft === "note") this.sketch.clear();
    this.#showFiles(form);
    this.#line(form, "");
  }

  #discard(form) {
    const { draft } = this.#entry(form);
    if (!draft) return;
    this.#reset(form);
    this.drafts.remove(draft.id); // its files go when the browser opens another review page
    this.changed();
    this.#line(form, "Draft discarded.", "Undo", () => {
      this.#fill(form, { ...draft, id: newId() });
      this.#line(form, "Draft restored.");
      this.changed();
    });
  }

  /** Show a line with a button below the text: by default one that discards the draft. */
  #line(form, text, label = "Discard", act = () => this.#discard(form)) {
    form.querySelector("[data-line]")?.remove();
    if (!text) return;
    const line = Object.assign(document.createElement("p"), { className: "restored" });
    line.dataset.line = "";
    line.setAttribute("role", "status");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: label });
    button.addEventListener("click", () => {
      act();
      form.querySelector("[data-line] button")?.focus();
    });
    line.append(`${text} `, button);
    form.elements.content.after(line);
  }

  #freeze(form, on) {
    form.elements.content.readOnly = on;
    const entry = this.#entry(form);
    if (on) entry.enable = disableButtons(form);
    else entry.enable?.();
    for (const input of form.querySelectorAll("input[type=file]")) input.disabled = on;
    form.setAttribute("aria-busy", String(on));
    const progress = form.querySelector("progress");
    if (progress) progress.hidden = true;
  }

  #progress(form, part) {
    const progress = form.querySelector("progress");
    if (!progress || !this.#entry(form).files.length) return;
    progress.hidden = false;
    progress.value = part;
  }

  #problem(form, text) {
    const place = form.querySelector("[data-problem]");
    place.textContent = text;
    place.hidden = text === "";
  }
}

function isEdit(form) {
  return form.dataset.draft.startsWith("edit:");
}
