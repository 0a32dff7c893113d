// The list of notes: it stays up to date, it can be filtered, and its notes can be changed.

import { disableButtons } from "./busy.js";
import { merge, remember } from "./note_merge.js";

const REFRESH_SECONDS = 5;
const REFUSALS = new Set([401, 403, 404, 410]); // the version is gone, or the review closed
const FILTERS = ["on", "author", "state"];

/**
 * Connect the list in *panel*, and return {refresh, showAll}.
 *
 * *merged()* is called after each change of the list, *reached(ok, refusal)* after each request with
 * whether the server answered, and why it refuses the list, or "". *say(text)* shows a message.
 */
export function connectList(panel, { merged, reached, say }) {
  const list = panel.querySelector("[data-notes-list]");
  const filter = panel.querySelector("[data-filter]");
  let tag = "";
  let asked = 0;
  remember(list);

  function address() {
    const url = new URL(panel.dataset.address, location.href);
    for (const name of FILTERS) if (filter.elements[name].value) url.searchParams.set(name, filter.elements[name].value);
    return url;
  }

  /** Ask the server for the list, and merge it; return whether the server answered. */
  async function refresh({ quiet = false } = {}) {
    const number = (asked += 1);
    let response;
    let refusal = "";
    try {
      response = await fetch(address(), { headers: tag ? { "If-None-Match": tag } : {} });
      const text = await response.text();
      if (number !== asked) return true; // a later request brings a newer list
      const newTag = response.headers.get("ETag") ?? "";
      if (response.status === 304) tag = newTag || tag;
      else if (response.ok) refusal = show(text, newTag, quiet);
      else if (REFUSALS.has(response.status)) refusal = refusalOf(text);
    } catch {
      reached(false);
      return false;
    }
    reached(response.status < 500, refusal);
    return response.status < 500;
  }

  /** Merge the list in *text*; return why there is none, or "". */
  function show(text, newTag, quiet) {
    const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-notes-list]");
    if (!fresh) return "The review asks for its passphrase. Load the page again.";
    const { added, complete } = merge(list, fresh);
    tag = complete ? newTag : ""; // the next answer must be the whole list if a part waits
    list.dataset.authors = fresh.dataset.authors;
    offerAuthors(JSON.parse(fresh.dataset.authors));
    if (added.length && !quiet) say(added.length === 1 ? "One new note." : `${added.length} new notes.`);
    merged();
    return "";
  }

  function offerAuthors(authors) {
    const select = filter.elements.author;
    for (const [id, name] of authors) {
      if (![...select.options].some((option) => option.value === id)) select.add(new Option(name, id));
    }
  }

  filter.querySelector("[data-without-script]").hidden = true;
  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("change", filtered);

  /** Show the list for the filter, and keep the filter in the address. */
  async function filtered() {
    tag = "";
    const url = new URL(location.href);
    for (const name of FILTERS) {
      if (filter.elements[name].value) url.searchParams.set(name, filter.elements[name].value);
      else url.searchParams.delete(name);
    }
    history.replaceState(history.state, "", url);
    await refresh({ quiet: true });
  }

  /** Show all notes on this version. */
  async function showAll() {
    for (const name of FILTERS) filter.elements[name].value = "";
    await filtered();
  }

  list.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-change]");
    if (!form) return;
    event.preventDefault();
    change(form);
  });

  /** Post a form that changes a note, and show the list after it. */
  async function change(form) {
    const enable = disableButtons(form);
    const body = new FormData(form);
    body.set("quiet", "1");
    let problem = "";
    try {
      const response = await fetch(form.action, { method: "POST", body });
      if (!response.ok && response.status !== 404) problem = textOf(await response.text());
    } catch {
      problem = "The server cannot be reached. Try again.";
    }
    const place = form.querySelector("[data-problem]");
    place.textContent = problem;
    place.hidden = problem === "";
    if (problem) return enable();
    const details = form.closest("details");
    if (details) details.open = false;
    await refresh({ quiet: true });
    say("Done.");
    if (!enable()) document.getElementById("notes-title")?.focus({ preventScroll: true });
  }

  setInterval(() => document.hidden || refresh(), REFRESH_SECONDS * 1000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  return { refresh, showAll };
}

/** Return the title and the text of an error *page*. */
function refusalOf(page) {
  const title = new DOMParser().parseFromString(page, "text/html").querySelector("h1")?.textContent;
  return title ? `${title}. ${textOf(page)}` : "";
}

function textOf(page) {
  return new DOMParser().parseFromString(page, "text/html").querySelector("main p")?.textContent ?? "The request failed.";
}
