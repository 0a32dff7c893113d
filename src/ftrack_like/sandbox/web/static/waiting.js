// The list of notes that are not sent yet and that no form shows, and the marks in the version list.

const KINDS = { note: "Note", reply: "Reply", edit: "Change of a note" };
const PLACES = { here: "", elsewhere: " on another version", gone: " on a version that was removed from the review" };

/**
 * Show the drafts in *place*, a list. *acts* has {send, edit, discard}, which take a draft.
 * *placeOf(draft)* returns "here", "elsewhere" or, for a version that was removed, "gone".
 * *isSending(id)* returns whether a draft is on its way.
 */
export function showWaiting(place, drafts, { placeOf, isSending, ...acts }) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  place.replaceChildren(...drafts.map((draft) => card(draft, placeOf(draft), isSending(draft.id), acts)));
  place.hidden = drafts.length === 0;
  if (focused) [...place.querySelectorAll("button")].find((one) => one.dataset.key === focused)?.focus({ preventScroll: true });
}

function card(draft, at, isSending, { send, edit, discard }) {
  const item = create("li", { className: "unsent-note" });
  const kind = KINDS[draft.slot.split(":")[0]] ?? "Note";
  const isWaiting = draft.state === "waiting";
  const state = isSending ? "It is being sent." : isWaiting ? "It is sent when the server can be reached." : "It is a draft.";
  item.append(create("p", { className: "by", textContent: `${kind}${PLACES[at]}, not sent yet. ${state}` }));
  item.append(create("p", { className: "content", textContent: draft.text || (draft.strokes.length ? "(drawing)" : "(files)") }));
  if (draft.problem) item.append(create("p", { className: "problem", textContent: draft.problem }));
  if (isSending) return item;
  const row = create("div", { className: "row" });
  const add = (label, act, className = "") => {
    const button = create("button", { type: "button", textContent: label, className });
    button.dataset.key = `${label} ${draft.id}`;
    button.addEventListener("click", () => act(draft));
    row.append(button);
  };
  if (isWaiting) add("Send now", send);
  if (at === "here") add(isWaiting ? "Edit" : "Continue", edit);
  if (at === "gone") add("Continue on this version", edit);
  add("Discard", discard, "quiet");
  item.append(row);
  return item;
}

/** Mark the links to the versions in *ids*, below *list*, and no others. */
export function markObjects(list, ids) {
  for (const link of list?.querySelectorAll("li a[href*='object=']") ?? []) {
    const isMarked = ids.has(new URL(link.href).searchParams.get("object"));
    const known = link.querySelector(".unsent");
    if (isMarked && !known) (link.querySelector(".states") ?? link).append(create("span", { className: "unsent tag", textContent: "Unsent" }));
    else if (!isMarked && known) known.remove();
  }
}

function create(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
