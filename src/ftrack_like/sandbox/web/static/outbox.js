// Send drafts, each once. A draft that the network did not take waits, and is sent again later.
//
// The server makes one note of all requests with the same client_id. So a request whose answer was
// lost can be repeated.

// After these the note waits, and after the other errors it is a draft again. A server whose disk
// is full (507) does not have room a moment later either.
const waits = (status) => [0, 408, 425, 429].includes(status) || (status >= 500 && status !== 507);

export class Outbox {
  #drafts;
  #files;
  #post;
  #running = new Map(); // the sending of each draft, by its id

  /** *post(draft, files, onProgress)* resolves to {status, note, problem}; status 0 is no answer. */
  constructor(drafts, files, post) {
    this.onStart = () => {}; // called when the sending of a draft has begun
    this.#drafts = drafts;
    this.#files = files;
    this.#post = post;
  }

  /** Send *draft*; return {outcome, draft, status, problem, note}. *outcome* is "sent", "waiting" or "refused". */
  send(draft, onProgress = () => {}) {
    if (!this.#running.has(draft.id)) {
      const sending = this.#send(draft, onProgress).finally(() => this.#running.delete(draft.id));
      this.#running.set(draft.id, sending);
      this.onStart();
    }
    return this.#running.get(draft.id);
  }

  isSending(id) {
    return this.#running.has(id);
  }

  /** Send the drafts that wait, the oldest first, until one has to wait again; return the results. */
  async flush() {
    const results = [];
    for (const draft of this.#drafts.waiting()) {
      const result = await this.send(draft);
      results.push(result);
      if (result.outcome === "waiting") break;
    }
    return results;
  }

  async #send(draft, onProgress) {
    const files = [];
    for (const { id, name } of draft.files) {
      const file = await this.#files.get(id);
      if (!file) return this.#refuse(draft, `The file “${name}” is not in this browser any more. Attach it again.`);
      files.push({ name, file });
    }
    const { status, note, problem } = await this.#post(draft, files, onProgress);
    if (status >= 200 && status < 300 && note) {
      this.#drafts.remove(draft.id);
      await this.#files.remove(draft.files.map((one) => one.id));
      return { outcome: "sent", draft, note };
    }
    if (status >= 400 && !waits(status)) return this.#refuse(draft, problem, status);
    this.#drafts.save(Object.assign(draft, { state: "waiting" }));
    return { outcome: "waiting", draft, problem };
  }

  #refuse(draft, problem, status = 0) {
    this.#drafts.save(Object.assign(draft, { state: "draft" }));
    return { outcome: "refused", draft, status, problem };
  }
}

/** Return a function that posts drafts to *addresses*, by the first word of their slot. */
export function poster(addresses) {
  return (draft, files, onProgress) =>
    new Promise((resolve) => {
      const [kind, note = ""] = draft.slot.split(":");
      const form = new FormData();
      const values = { object: draft.object, content: draft.text, client_id: draft.id, quiet: "1" };
      if (kind === "note") Object.assign(values, { frame: draft.frame ?? "", drawing: draft.strokes.length ? JSON.stringify({ strokes: draft.strokes }) : "" });
      if (kind === "reply") values.reply_to = note;
      if (kind === "edit") Object.assign(values, { note, before: draft.before ?? "" });
      for (const [name, value] of Object.entries(values)) form.set(name, String(value));
      for (const { name, file } of files) form.append("files", file, name);
      const request = new XMLHttpRequest(); // fetch tells nothing of the progress of an upload
      request.open("POST", addresses[kind]);
      if (!files.length) request.timeout = 30_000;
      request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
      request.onload = () => resolve(answer(request));
      request.onerror = request.ontimeout = request.onabort = () => resolve({ status: 0, problem: "" });
      request.send(form);
    });
}

function answer({ status, responseText }) {
  if (status < 300) {
    try {
      return { status, note: JSON.parse(responseText).note };
    } catch {
      return { status: 0, problem: "" }; // not this server, such as the log-in page of a network
    }
  }
  const page = new DOMParser().parseFromString(responseText, "text/html");
  return { status, problem: page.querySelector("main p")?.textContent ?? "The request failed." };
}
