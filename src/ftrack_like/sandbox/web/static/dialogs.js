// Dialogues and messages for the answers of actions.

import { create, makeForm } from "./forms.js";
import { safeAddress } from "./labels.js";

const WEB = new Set(["http:", "https:"]);
let numbers = 0; // for ids
const WIDGET_RIGHTS = ["allow-downloads", "allow-forms", "allow-popups", "allow-scripts"];

/**
 * Show a form; return a promise of its values, of null when the viewer closes it without sending.
 * *onMade* is called with the fields and the form before it is shown.
 */
export function askForm({ title, items, submitLabel, canSend = true, onMade = () => {} }) {
  const { elements, fields, values } = makeForm(items);
  const form = create("form", { className: "stack", method: "dialog" });
  form.append(...elements);
  onMade(fields, form);
  return new Promise((resolve) => {
    const dialog = open(title, form, () => resolve(null));
    const buttons = create("div", { className: "row" });
    if (canSend) buttons.append(create("button", { className: "primary", textContent: submitLabel || "Submit" }));
    buttons.append(closer(dialog, canSend ? "Cancel" : "Close"));
    form.append(buttons);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (canSend) resolve(values());
      dialog.close();
    });
    focusFirst(dialog);
  });
}

/** Show the page at *url* in a frame, or say why not. */
export function showWidget({ title, url }) {
  const address = safeAddress(url, WEB);
  if (!address) {
    tell("A widget has no address of the web, so it is not shown.", false);
    return;
  }
  const frame = create("iframe", { title, referrerPolicy: "no-referrer" });
  // A page of another server keeps its own origin, because its scripts need it. A page of this server
  // must not: its scripts could do everything that the viewer may do.
  const foreign = new URL(address).origin !== location.origin;
  frame.sandbox.add(...WIDGET_RIGHTS, ...(foreign ? ["allow-same-origin"] : []));
  frame.src = address;
  const dialog = open(title, frame);
  dialog.classList.add("wide");
  dialog.append(closer(dialog, "Close"));
  focusFirst(dialog);
}

/** Show *text* until the viewer closes it; return a function that removes it. */
export function tell(text, success = true) {
  const line = create("div", { className: `message-line ${success ? "success" : "failure"}` });
  const close = create("button", { type: "button", className: "quiet", textContent: "Dismiss" });
  close.addEventListener("click", () => line.remove());
  const words = create("p", { textContent: text });
  if (!success) words.setAttribute("role", "alert");
  line.append(words, close);
  place().append(line);
  return () => line.remove();
}

/** Return the element for messages in the dialogue on top, or in the page. */
function place() {
  return [...document.querySelectorAll("[data-news]")].pop();
}

function open(title, content, closed = () => {}) {
  const dialog = create("dialog", { className: "action-dialog card" });
  const heading = create("h2", { textContent: title, id: `dialog-${(numbers += 1)}` });
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.append(heading, content);
  // What is outside an open dialogue is neither reachable nor read aloud: new messages are shown inside.
  const news = create("div", { className: "news" });
  news.dataset.news = "";
  news.setAttribute("role", "status");
  content.before(news);
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    place().append(...news.children);
    if (before?.isConnected) before.focus();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function closer(dialog, words) {
  const button = create("button", { type: "button", textContent: words });
  button.addEventListener("click", () => dialog.close());
  return button;
}

function focusFirst(dialog) {
  const controls = "input, select, textarea, iframe, button";
  dialog.querySelector(controls)?.focus();
}
