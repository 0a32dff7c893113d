// The keys of a page: one table says which key does what, and fills the list that "?" opens.

const FREE = new Set(["button", "checkbox", "radio", "submit", "reset"]);
const bindings = [];
let isListening = false;
let dialog = null;

/**
 * Return the name of the key of *event*: "d", "?", "ArrowLeft", with "Mod+" for Ctrl or Cmd, "Alt+"
 * and "Shift+" before it. Capital letters have the names of small ones, with or without Shift.
 */
export function keyName(event) {
  const printed = event.key?.length === 1;
  const letter = letterOf(event);
  const name = printed || letter !== event.key ? letter.toLowerCase() : letter;
  const shift = event.shiftKey && !printed ? "Shift+" : "";
  return `${event.ctrlKey || event.metaKey ? "Mod+" : ""}${event.altKey ? "Alt+" : ""}${shift}${name}`;
}

/**
 * Return the letter of a key that types no Latin one, else its value. Keyboards for Greek, Cyrillic
 * and other scripts have the Latin letters as well, and with Alt a Mac types other signs.
 */
function letterOf({ key, code, altKey }) {
  const onKey = /^Key([A-Z])$/.exec(code ?? "")?.[1];
  if (!onKey || /^[a-z]$/i.test(key)) return key;
  return altKey || /^\p{L}$/u.test(key) ? onKey : key;
}

/**
 * Add keys: each of *added* is {keys, shown, says, run, group, repeats, while, typing, isListed}.
 *
 * *keys* are names; *says* are the words in the list, none for a key that the list leaves out. *run*
 * is called with the event and the name of its key. *shown* are the names in the list instead of
 * *keys*. It runs again while the key is held if *repeats*, only if *while()* is true, and also while
 * the viewer types if *typing*. The list leaves it out unless *isListed()*.
 */
export function addKeys(added) {
  bindings.push(...added);
  if (isListening) return;
  isListening = true;
  addEventListener("keydown", pressed);
}

function pressed(event) {
  if (event.defaultPrevented || event.isComposing || typeof event.key !== "string") return;
  if (document.querySelector("dialog[open]")) return;
  const name = keyName(event);
  const typing = isTyping(event, name);
  for (const one of bindings) {
    if (!one.keys.includes(name) || (typing && !one.typing) || (one.while && !one.while(event))) continue;
    event.preventDefault();
    if (!event.repeat || one.repeats) one.run(event, name);
    return;
  }
}

/** Return whether the key of *event* belongs to the element that has the focus. */
export function isTyping(event, name = keyName(event)) {
  const target = event.target instanceof Element ? event.target : null;
  const control = target?.closest("input, textarea, select, button, a, summary, [contenteditable], [role=menu]");
  if (!control) return false;
  if (control.matches("input")) return !belongsToPage(control, name);
  if (control.matches("button, a, summary")) return name === " " || name === "Enter";
  return true;
}

/** Return whether the page may use the key *name* while *input* has the focus. */
function belongsToPage(input, name) {
  if (input.type === "range") return !name.startsWith("Page");
  if (!FREE.has(input.type)) return false;
  return name !== " " && name !== "Enter" && !(input.type === "radio" && name.startsWith("Arrow"));
}

/** Open the list of the keys, in groups. Esc closes it. */
export function showKeys() {
  if (dialog) return;
  const before = document.activeElement;
  dialog = document.createElement("dialog");
  dialog.className = "keys-dialog";
  dialog.setAttribute("aria-labelledby", "keys-title");
  const heading = made("h2", "Keys");
  heading.id = "keys-title";
  const close = made("button", "Close");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  const groups = made("div");
  groups.className = "key-groups";
  const listed = bindings.filter((one) => one.says && (one.isListed?.() ?? true));
  for (const group of new Set(listed.map((one) => one.group))) groups.append(groupList(group, listed.filter((one) => one.group === group)));
  dialog.append(heading, groups, close);
  dialog.addEventListener("close", () => {
    dialog.remove();
    dialog = null;
    if (before?.isConnected) before.focus({ preventScroll: true });
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => event.key === "?" && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  close.focus({ preventScroll: true });
  dialog.scrollTop = 0; // the button is at the end, and a long list must begin at its top
}

function groupList(group, listed) {
  const section = made("section");
  const list = made("dl");
  for (const one of listed) {
    const term = made("dt");
    (one.shown ?? one.keys).forEach((name, at) => {
      if (at) term.append(" ");
      term.append(made("kbd", shown(name)));
    });
    list.append(term, made("dd", one.says));
  }
  section.append(made("h3", group), list);
  return section;
}

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", "-": "−", Mod: "Ctrl" };

function shown(name) {
  const parts = name === "+" ? [name] : name.split("+");
  return parts.map((one) => NAMES[one] ?? (one.length === 1 ? one.toUpperCase() : one)).join(" + ");
}

function made(name, text = "") {
  return Object.assign(document.createElement(name), { textContent: text });
}
