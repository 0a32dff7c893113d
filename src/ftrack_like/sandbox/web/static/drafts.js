// Drafts: what a viewer has written, drawn and attached, and not sent yet.
//
// A draft is one item of the browser's local storage, which is written at once and survives a
// reload or a crash. Each tab has its own drafts. A draft whose tab is closed is free for any tab
// of the same visitor. Files are elsewhere (draft_files.js), because local storage holds only text.

const PREFIX = "ftrack-like review draft";

/**
 * The drafts of one *visitor*: {id, object, slot, text, frame, strokes, files, state, tab, changed}.
 *
 * *id* is the id with which the draft is sent, once. *slot* is the form: "note", "reply:<note>" or
 * "edit:<note>". *state* is "draft", or "waiting" for the network. *storage* is like localStorage.
 */
export class Drafts {
  #storage;
  #prefix;
  #unstored = new Map(); // the drafts for which the storage has no room

  constructor(storage, visitor, tab, now = Date.now) {
    this.#storage = storage;
    this.#prefix = `${PREFIX} ${visitor} `;
    this.tab = tab;
    this.now = now;
    this.onChange = () => {};
  }

  /** Return a new draft, which is not stored yet. */
  make(object, slot) {
    return { id: newId(), object, slot, text: "", frame: null, strokes: [], files: [], state: "draft", tab: this.tab, changed: this.now() };
  }

  /** Return all drafts of the visitor, the oldest first. */
  all() {
    const found = [...this.#unstored.values()];
    for (const key of keysOf(this.#storage)) {
      const draft = key.startsWith(this.#prefix) ? parse(this.#storage.getItem(key)) : null;
      if (draft && !this.#unstored.has(draft.id)) found.push(draft);
    }
    return found.sort((one, other) => one.changed - other.changed);
  }

  get(id) {
    return this.#unstored.get(id) ?? parse(read(this.#storage, this.#prefix + id));
  }

  /** Store *draft*; return whether it survives a reload. */
  save(draft) {
    draft.tab = this.tab;
    draft.changed = this.now();
    let stored = true;
    try {
      this.#storage.setItem(this.#prefix + draft.id, JSON.stringify(draft));
      this.#unstored.delete(draft.id);
    } catch {
      stored = false; // the storage is full, or the browser has none for this page
      this.#unstored.set(draft.id, draft);
      remove(this.#storage, this.#prefix + draft.id); // an older state would mislead
    }
    this.onChange();
    return stored;
  }

  remove(id) {
    this.#unstored.delete(id);
    remove(this.#storage, this.#prefix + id);
    this.onChange();
  }

  /** Return the draft to show in a form: the newest of this tab, else the newest that is free. */
  find(object, slot, living) {
    const fitting = this.all().filter((one) => one.object === object && one.slot === slot && one.state === "draft");
    return fitting.findLast((one) => one.tab === this.tab) ?? fitting.findLast((one) => this.isFree(one, living)) ?? null;
  }

  /** Return whether no open tab but this one has *draft*; *living* has the ids of the open tabs. */
  isFree(draft, living) {
    return draft.tab === this.tab || !living.has(draft.tab);
  }

  /** Return the drafts that wait for the network. */
  waiting() {
    return this.all().filter((one) => one.state === "waiting");
  }

  /** Return the ids of the objects with something that is not sent. */
  objects() {
    return new Set(this.all().map((one) => one.object));
  }

  /** Return whether a draft does not survive a reload. */
  get hasUnstored() {
    return this.#unstored.size > 0;
  }

  /** Return whether a *key* of the storage belongs to these drafts. */
  owns(key) {
    return key === null || key.startsWith(this.#prefix);
  }
}

/** Return the ids of the files in all drafts, those of other visitors too. */
export function filesInDrafts(storage) {
  const ids = new Set();
  for (const key of keysOf(storage)) {
    if (!key.startsWith(PREFIX)) continue;
    for (const file of parse(read(storage, key))?.files ?? []) ids.add(file.id);
  }
  return ids;
}

/** Return 32 random hex digits. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function keysOf(storage) {
  try {
    return Array.from({ length: storage.length }, (_, at) => storage.key(at)).filter((key) => key !== null);
  } catch {
    return [];
  }
}

function read(storage, key) {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

function remove(storage, key) {
  try {
    storage.removeItem(key);
  } catch {
    // A browser without storage has nothing to remove.
  }
}

function parse(text) {
  try {
    const draft = JSON.parse(text);
    return typeof draft?.id === "string" && Array.isArray(draft.strokes) && Array.isArray(draft.files) ? draft : null;
  } catch {
    return null; // another program wrote the item
  }
}
