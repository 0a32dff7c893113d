// Change the custom attributes of an entity in a form.
//
// The values of a dynamic enumerator come from programs, by the event ftrack.dynamic-enumerator: when
// the form opens, when the viewer searches, and when another value of the form changes.

import { askForm, tell } from "./dialogs.js";
import { create } from "./forms.js";

const PATIENCE = 5000; // milliseconds until the form says that nobody has answered
const PAUSE = 300; // milliseconds without a key until a search is sent

/** Let *button* open the form of the entity *about*, {entityId, entityType}. */
export function connectFields(button, about, hub, formToken) {
  button.addEventListener("click", async () => {
    const items = await read(button.dataset.fields);
    if (!items) return tell("The custom attributes cannot be read. Load the page again.", false);
    let before = new Map();
    const changesOf = (fields) => fields.filter((field) => JSON.stringify(field.value()) !== before.get(field));
    let made = [];
    const values = await askForm({
      title: "Custom attributes",
      items: items.length ? items : [{ type: "label", value: "This entity has no custom attributes." }],
      submitLabel: "Save",
      canSend: items.length > 0,
      onMade: (fields, form) => {
        made = fields.filter((field) => field.value);
        before = new Map(made.map((field) => [field, JSON.stringify(field.value())]));
        const changes = (but) =>
          Object.fromEntries(changesOf(made).filter((one) => one !== but).map((one) => [keyOf(items, one), one.value()]));
        for (const field of made) {
          if (items.find((item) => item.name === field.name).dynamic) {
            askForChoices(field, form, keyOf(items, field), about, hub, () => changes(field));
          }
        }
      },
    });
    if (values) await save(button.dataset.fields, formToken, changesOf(made));
  });
  button.hidden = false;
}

/** Return the items of the form at *address*; null if the server does not answer with a form. */
async function read(address) {
  try {
    return (await (await fetch(address)).json()).items ?? null;
  } catch {
    return null; // no connection, or the page of the log-in
  }
}

function keyOf(items, field) {
  return items.find((item) => item.name === field.name).key;
}

function askForChoices(field, form, attributeName, entity, hub, changes) {
  const select = field.element.querySelector("select");
  const search = create("input", { type: "search", placeholder: "Search the values" });
  search.setAttribute("aria-label", `Search the values of ${attributeName}`);
  const note = create("span", { className: "muted" });
  note.setAttribute("role", "status");
  select.before(search);
  select.after(note);
  let latest = 0;
  const ask = () => {
    const number = (latest += 1);
    const found = [];
    note.textContent = "Asking for values…";
    const recordData = { entity, changes: changes() };
    const data = { attributeName, recordData, query: search.value, sorters: [], groupers: [], filters: [] };
    hub.publish("ftrack.dynamic-enumerator", data, (reply) => {
      if (number !== latest || !Array.isArray(reply)) return;
      const offered = reply.filter((one) => one !== null && typeof one === "object");
      found.push(...offered.map((one) => ({ label: one.name, value: one.value })));
      note.textContent = "";
      field.offer(found);
    });
    setTimeout(() => {
      if (number === latest && note.textContent) note.textContent = "No program offers values.";
    }, PATIENCE);
  };
  let timer = null;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault(); // a search does not send the form
  });
  form.addEventListener("change", (event) => field.element.contains(event.target) || ask());
  ask();
}

async function save(address, formToken, changed) {
  const values = Object.fromEntries(changed.map((field) => [field.name, field.value()]));
  const body = new URLSearchParams({ form_token: formToken, values: JSON.stringify(values) });
  try {
    const response = await fetch(address, { method: "POST", body });
    if (response.ok) return location.reload();
    const isOurs = response.headers.get("content-type")?.includes("json");
    tell(isOurs ? (await response.json()).message : "The server did not take the values. Load the page again.", false);
  } catch {
    tell("The server cannot be reached. Nothing was saved.", false);
  }
}
