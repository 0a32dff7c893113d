// Tell the tabs of a browser apart, so that two tabs do not write to the same draft.
//
// A tab keeps its id over a reload. A copy of a tab starts with the same id and must take another.
// Locks of the browser say which tabs are open; they exist on pages with HTTPS and on this machine.
// On other pages each open tab writes the time to the local storage, every few seconds.

import { newId } from "./drafts.js";

const KEY = "ftrack-like review tab";
const LOCK = "ftrack-like review tab ";
const BEAT_SECONDS = 5;
const ALIVE_SECONDS = 75; // browsers wake the timers of a hidden tab once a minute
const RELOAD_SECONDS = 1; // the time in which a page that is left gives its lock back

/** Return {id, living}: the id of this tab, and a function that returns the ids of open tabs. */
export async function openTab() {
  const known = attempt(() => sessionStorage.getItem(KEY)) ?? "";
  const hold = navigator.locks ? holdLock : holdTime;
  let id = known || newId();
  if (!(await hold(id))) {
    id = newId();
    await hold(id);
  }
  attempt(() => sessionStorage.setItem(KEY, id));
  return { id, living: navigator.locks ? livingLocks : livingTimes };
}

/** Take the lock of a tab for as long as the page is open; return false if another page has it. */
function holdLock(id) {
  return new Promise((resolve) => {
    const forever = () => {
      resolve(true);
      return new Promise(() => {});
    };
    const signal = AbortSignal.timeout(RELOAD_SECONDS * 1000);
    navigator.locks.request(LOCK + id, { signal }, forever).catch(() => resolve(false));
  });
}

async function livingLocks() {
  const { held = [] } = await navigator.locks.query();
  return new Set(held.filter((one) => one.name.startsWith(LOCK)).map((one) => one.name.slice(LOCK.length)));
}

async function holdTime(id) {
  if ((await livingTimes()).has(id)) return false;
  const beat = () => attempt(() => localStorage.setItem(LOCK + id, String(Date.now())));
  beat();
  setInterval(beat, BEAT_SECONDS * 1000);
  addEventListener("pagehide", () => attempt(() => localStorage.removeItem(LOCK + id)));
  addEventListener("pageshow", beat);
  return true;
}

async function livingTimes() {
  const ids = new Set();
  for (const key of attempt(() => Object.keys(localStorage)) ?? []) {
    if (!key.startsWith(LOCK)) continue;
    const isOpen = Date.now() - Number(localStorage.getItem(key)) < ALIVE_SECONDS * 1000;
    if (isOpen) ids.add(key.slice(LOCK.length));
    else localStorage.removeItem(key);
  }
  return ids;
}

/** Return the result of *act*, or null in a browser that keeps nothing for this page. */
function attempt(act) {
  try {
    return act();
  } catch {
    return null;
  }
}
