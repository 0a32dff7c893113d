// The files of a form for a note: choose, drop or paste them, and remove them again.

import { newId } from "./drafts.js";

/**
 * Show the *files* of a draft in *form*: {id, name, size}. *removed(id)* is called for a button.
 */
export function showFiles(form, files, removed) {
  const list = form.querySelector("[data-files] ul");
  if (!list) return;
  list.hidden = files.length === 0;
  list.replaceChildren(...files.map((file) => {
    const item = document.createElement("li");
    const name = Object.assign(document.createElement("span"), { className: "name", textContent: file.name });
    const size = Object.assign(document.createElement("span"), { className: "size", textContent: sizeOf(file.size) });
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Remove" });
    button.setAttribute("aria-label", `Remove ${file.name}`);
    button.addEventListener("click", () => removed(file.id));
    item.append(name, " ", size, " ", button);
    return item;
  }));
}

/** Call *added(files)* with the files that the viewer chooses, drops or pastes in a form below *panel*. */
export function listenForFiles(panel, added) {
  panel.addEventListener("change", (event) => {
    const input = event.target.closest("[data-files] input[type=file]");
    if (!input) return;
    const files = [...input.files];
    input.value = ""; // the files are now in the draft
    added(input.form, files);
  });
  panel.addEventListener("paste", (event) => take(event, event.clipboardData));
  panel.addEventListener("drop", (event) => take(event, event.dataTransfer));
  panel.addEventListener("dragover", (event) => {
    if (formOf(event) && event.dataTransfer.types.includes("Files")) event.preventDefault();
  });

  function take(event, data) {
    const form = formOf(event);
    if (!form || !data?.files.length) return;
    event.preventDefault();
    added(form, [...data.files]);
  }
}

/** Return why *files* cannot be added to *known* ones, or "". *most* is a number of bytes. */
export function whyNot(files, known, most) {
  const empty = files.find((file) => file.size === 0);
  if (empty) return `“${empty.name}” is empty or a folder.`;
  const total = [...files, ...known].reduce((sum, file) => sum + file.size, 0);
  return total > most ? `The files have ${sizeOf(total)} together. A note takes at most ${sizeOf(most)}.` : "";
}

/** Return the entry of a draft for a *file*. */
export function entryFor(file) {
  return { id: newId(), name: file.name, size: file.size };
}

export function sizeOf(bytes) {
  let value = bytes;
  for (const unit of ["B", "kB", "MB"]) {
    if (value < 1000) return unit === "B" ? `${value} B` : `${value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} GB`;
}

function formOf(event) {
  const form = event.target.closest("form[data-draft]");
  return form?.querySelector("[data-files]") ? form : null;
}
