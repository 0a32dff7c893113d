// The menus of actions of a page: ask for actions, launch the chosen one, show what is answered.

import { askForm, showWidget, tell } from "./dialogs.js";
import { EventHub } from "./events.js";
import { connectFields } from "./fields.js";
import { create } from "./forms.js";
import { followJobs } from "./jobs.js";
import { textOf } from "./labels.js";
import { Menu } from "./menu.js";

const MOMENT = 600; // milliseconds in which replies are collected, to show them together
const PATIENCE = 5000; // milliseconds until the menu says that nobody has answered

// The keys of an answer that describe its form. All others go back with the values.
const OF_THE_FORM = new Set(["items", "message", "submit_button_label", "success", "title", "type", "url"]);

let connection = "";
const formToken = document.querySelector("[name=form_token]").value;
const hub = new EventHub(formToken, (state) => {
  connection = state;
  document.documentElement.dataset.events = state;
});

// The server replaces the empty user by the user of the connection.
hub.subscribe("ftrack.action.trigger-user-interface", { applicationId: "ftrack.client.web", user: {} }, (data) => {
  followJobs();
  const back = { selection: [], ...without(data, OF_THE_FORM) };
  answered(data, back, "An action", typeof back.actionIdentifier === "string");
});
hub.connect();

const containers = [...document.querySelectorAll("[data-actions]")];
for (const container of containers) {
  const { entityId, entityType } = container.dataset;
  const own = [{ entityId, entityType }];
  // The boxes of the page belong to its first menu.
  new Menu(container, (menu) => discover(menu, (container === containers[0] && picked()) || own));
  const fields = container.querySelector("[data-fields]");
  if (fields) connectFields(fields, { entityType, entityId }, hub, formToken);
  container.hidden = false;
}

for (const box of document.querySelectorAll("[data-pick]")) {
  box.closest("label").hidden = false;
  box.checked = false; // the browser may remember a mark from before
  box.addEventListener("change", () => {
    const number = picked()?.length;
    containers[0].querySelector("button").textContent = number ? `Actions on ${number} selected` : "Actions";
  });
}

/** Return the selection of the marked entities, null if there are none. */
function picked() {
  const boxes = [...document.querySelectorAll("[data-pick]:checked")];
  return boxes.length ? boxes.map(({ dataset: { entityId, entityType } }) => ({ entityId, entityType })) : null;
}

function discover(menu, selection) {
  if (connection === "denied") return menu.say("You are no longer logged in. Load the page again.");
  menu.say(connection === "lost" ? "The server cannot be reached. The page tries again." : "Asking for actions…");
  const found = [];
  const opening = menu.opening;
  const isShown = () => menu.isOpen && menu.opening === opening;
  let collecting = true;
  const show = () => {
    collecting = false;
    if (found.length && isShown()) menu.show(found.sort(inOrder).map((item) => entryOf(item, selection)));
  };
  const data = { selection, groupers: [], filters: [], sorters: [{ direction: "ASC", property: "label", root: "data" }] };
  hub.publish("ftrack.action.discover", data, (reply) => {
    found.push(...itemsOf(reply));
    if (!collecting) show(); // a late reply
  });
  setTimeout(show, MOMENT);
  setTimeout(() => {
    if (isShown() && !found.length) menu.say("No action is offered here. Answers that come later are still shown.");
  }, PATIENCE);
}

function itemsOf(reply) {
  const items = Array.isArray(reply) ? reply : (reply?.items ?? []);
  return (Array.isArray(items) ? items : []).filter((item) => item !== null && typeof item === "object");
}

function inOrder(one, other) {
  return nameOf(one).localeCompare(nameOf(other));
}

function nameOf(item) {
  return [textOf(item.label) || textOf(item.actionIdentifier) || "Action", textOf(item.variant)].filter(Boolean).join(": ");
}

function entryOf(item, selection) {
  const name = nameOf(item);
  return {
    key: `${textOf(item.actionIdentifier)} ${name}`,
    label: name,
    description: textOf(item.description),
    icon: iconOf(item.icon),
    choose: () => launch({ ...item, selection }, name),
  };
}

/** Return the picture *icon* if the answer contains it. An address would tell its server of the viewer. */
function iconOf(icon) {
  if (typeof icon !== "string" || !icon.startsWith("data:image/")) return null;
  return create("img", { src: icon, alt: "", className: "icon" });
}

function launch(data, name) {
  const started = tell(`${name} has started.`);
  followJobs();
  hub.publish("ftrack.action.launch", data, (reply) => {
    started();
    followJobs();
    answered(reply, data, name);
  });
}

/** Show *reply*. The values of a form are sent with *data*, to the action *name*, if it *canSend*. */
async function answered(reply, data, name, canSend = true) {
  const answer = Array.isArray(reply) ? { items: reply } : reply;
  if (answer === null || typeof answer !== "object") {
    tell(answer === false ? `${name} failed.` : `${name} is done.`, answer !== false);
    return;
  }
  const title = textOf(answer.title) || name;
  const message = textOf(answer.message);
  const isForm = !answer.url && Array.isArray(answer.items);
  let asked = null;
  if (answer.url) showWidget({ title, url: answer.url });
  else if (isForm) {
    const submitLabel = textOf(answer.submit_button_label);
    asked = askForm({ title, items: answer.items, submitLabel, canSend });
  }
  // The dialogue is open by now, and shows the message inside.
  const success = answer.success !== false;
  if (message) tell(message, success);
  else if (!answer.url && !isForm) tell(success ? `${name} is done.` : `${name} failed.`, success);
  const values = await asked;
  if (values) launch({ ...without(data, new Set(["values"])), values }, name);
}

function without(data, names) {
  return Object.fromEntries(Object.entries(data ?? {}).filter(([name]) => !names.has(name)));
}
