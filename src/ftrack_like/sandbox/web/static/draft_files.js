// The files of drafts, in the browser's database (IndexedDB). Without it they last until a reload.

const NAME = "ftrack-like review files";
const OLD_SECONDS = 3600;

export class DraftFiles {
  #opening = null;
  #memory = new Map(); // files that the database did not take

  /** Keep *file* as *id*; return whether it survives a reload. */
  async put(id, file) {
    try {
      await this.#run("readwrite", (store) => store.put({ id, file, time: Date.now() }));
      return true;
    } catch {
      this.#memory.set(id, file);
      return false;
    }
  }

  /** Return the file *id*, or null if it is lost. */
  async get(id) {
    if (this.#memory.has(id)) return this.#memory.get(id);
    try {
      return (await this.#run("readonly", (store) => store.get(id)))?.file ?? null;
    } catch {
      return null;
    }
  }

  async remove(ids) {
    for (const id of ids) {
      this.#memory.delete(id);
      await this.#run("readwrite", (store) => store.delete(id)).catch(() => {});
    }
  }

  /** Remove the older files that are not in *used*, the ids in all drafts. */
  async removeUnused(used) {
    try {
      const all = await this.#run("readonly", (store) => store.getAll());
      const old = Date.now() - OLD_SECONDS * 1000;
      await this.remove(all.filter((one) => !used.has(one.id) && one.time < old).map((one) => one.id));
    } catch {
      // A browser without a database has nothing to remove.
    }
  }

  async #run(mode, act) {
    const database = await (this.#opening ??= open());
    const transaction = database.transaction("files", mode);
    const request = act(transaction.objectStore("files"));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("files", { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
