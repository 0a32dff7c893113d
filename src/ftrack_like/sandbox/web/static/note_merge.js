// Merge a new list of notes into the one on the page, so that the viewer keeps the place: the
// scroll position, the focus, a selection, and forms that are open.
//
// Elements are known by their ids. An element with data-leaf is replaced whole, but not while the
// viewer uses it; the next merge tries again.

const OF_THE_PAGE = ["is-shown"]; // classes that this page sets
const sources = new WeakMap(); // the HTML of each leaf as the server sent it, before scripts changed it

/** Keep the HTML of the leaves below *root*; call this before scripts change them. */
export function remember(root) {
  for (const leaf of root.querySelectorAll("[data-leaf]")) sources.set(leaf, plain(leaf.innerHTML));
}

/**
 * Merge the elements of *fresh*, from another document, into *old*.
 *
 * Return {added, complete}: the ids of the new notes, and whether no part had to wait.
 */
export function merge(old, fresh) {
  remember(fresh);
  const result = { added: [], complete: true };
  keepPlace(old, () => mergeChildren(old, fresh, result));
  return result;
}

function mergeChildren(old, fresh, result) {
  const known = new Map([...old.children].map((child) => [child.id, child]));
  let before = null;
  for (const child of [...fresh.children]) {
    let mine = known.get(child.id);
    known.delete(child.id);
    if (mine) mergeOne(mine, child, result);
    else {
      mine = document.adoptNode(child);
      if (mine.dataset.noteId) result.added.push(mine.dataset.noteId);
    }
    const place = before ? before.nextElementSibling : old.firstElementChild;
    if (place !== mine) old.insertBefore(mine, place);
    before = mine;
  }
  for (const gone of known.values()) {
    if (hasBusy(gone)) result.complete = false;
    else gone.remove();
  }
}

function mergeOne(old, fresh, result) {
  if (!old.hasAttribute("data-leaf")) {
    copyAttributes(old, fresh);
    mergeChildren(old, fresh, result);
  } else if (sources.get(old) === sources.get(fresh)) {
    copyAttributes(old, fresh);
  } else if (isBusy(old)) {
    result.complete = false;
  } else {
    copyAttributes(old, fresh);
    const place = placeOfFocus(old);
    old.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
    sources.set(old, sources.get(fresh));
    if (place >= 0) controls(old)[Math.min(place, controls(old).length - 1)]?.focus({ preventScroll: true });
  }
}

function copyAttributes(old, fresh) {
  const kept = OF_THE_PAGE.filter((name) => old.classList.contains(name));
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  old.classList.add(...kept);
}

/** Return whether the viewer is using *leaf*: its form is open, or some of its text is selected. */
function isBusy(leaf) {
  if (leaf.matches("details[open]")) return true;
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(leaf, true);
}

function hasBusy(element) {
  return [element, ...element.querySelectorAll("[data-leaf]")].some(isBusy);
}

function controls(element) {
  return [...element.querySelectorAll("a, button, summary, input:not([type=hidden]), textarea")];
}

function placeOfFocus(element) {
  return controls(element).indexOf(document.activeElement);
}

/** Call *act*, and scroll so that the note at the top of the window stays where it is. */
function keepPlace(list, act) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const notes = [...list.querySelectorAll("[data-note-id]")];
  const anchor = focused ?? notes.find((note) => note.getBoundingClientRect().bottom > 0);
  const top = anchor?.getBoundingClientRect().top;
  act();
  if (anchor?.isConnected) scrollBy({ top: anchor.getBoundingClientRect().top - top, behavior: "instant" });
}

/** Return *html* without the parts of signed addresses that change from hour to hour. */
function plain(html) {
  return html.replace(/(expires|signature)=[^"&]*/g, "");
}
