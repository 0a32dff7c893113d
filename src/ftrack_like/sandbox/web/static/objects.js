// The list of the objects of a review: load rows as it scrolls, keep its place, and update its states.
// Without this script, links show the other rows.

import { addKeys } from "./keys.js";
import { LIST_KEYS } from "./list_keys.js";

const ROWS = 40; // in a request
const FAR = 120; // a place that is more rows away from the chosen one is not worth loading
const MARGIN = "800px"; // load rows this long before they are visible
const REFRESH_SECONDS = 20;
const NOTES_MILLISECONDS = 400;

const root = document.querySelector("[data-objects]");

/** Start the list in the element *root*. */
export function startList(root) {
  const scroller = root.querySelector("[data-scroller]");
  const list = scroller.querySelector("ol");
  const more = { earlier: root.querySelector("[data-more=earlier]"), later: root.querySelector("[data-more=later]") };
  const key = `review-list ${root.dataset.review}`;
  let busy = false;

  const rows = () => [...list.children];
  const position = (row) => Number(row.dataset.position);
  const first = () => (list.firstElementChild ? position(list.firstElementChild) - 1 : 0);
  const end = () => first() + list.children.length;
  const total = () => Number(root.querySelector("[data-total]")?.textContent.replaceAll(",", "") ?? 0);
  const chosen = () => list.querySelector("[aria-current]")?.closest("li") ?? null;
  const isSideways = () => getComputedStyle(scroller).flexDirection === "row";

  /** Return how far *row* is from the start of the visible part, in pixels. */
  function offset(row) {
    const [inner, outer] = [row.getBoundingClientRect(), scroller.getBoundingClientRect()];
    return isSideways() ? inner.left - outer.left : inner.top - outer.top;
  }

  function scroll(pixels) {
    if (isSideways()) scroller.scrollLeft += pixels;
    else scroller.scrollTop += pixels;
  }

  /** Return the first row that is visible. */
  function anchor() {
    return rows().find((row) => offset(row) + (isSideways() ? row.offsetWidth : row.offsetHeight) > 0) ?? null;
  }

  /** Call *change*, which adds or removes rows, without moving the visible rows. */
  function keep(change) {
    const row = anchor();
    const before = row && offset(row);
    change();
    if (row?.isConnected) scroll(offset(row) - before);
  }

  async function fetchRows(from, count) {
    const address = `${root.dataset.rows}&from=${from}&count=${count}&object=${chosen()?.dataset.object ?? ""}`;
    const response = await fetch(address);
    if (!response.ok) throw new Error(String(response.status));
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("ol");
    showTotal(Number(fresh.dataset.total));
    return [...fresh.children].map((row) => document.adoptNode(row));
  }

  function showTotal(number) {
    const place = root.querySelector("[data-total]");
    if (place && number !== total()) place.textContent = number.toLocaleString("en");
  }

  function showMore() {
    more.earlier.hidden = first() === 0;
    more.later.hidden = end() >= total();
    for (const [link, from] of [[more.earlier, Math.max(first() - ROWS, 0)], [more.later, end()]]) {
      const address = new URL(link.href);
      if (!address.searchParams.size) continue;
      address.searchParams.set("from", String(from));
      link.href = address.href;
    }
  }

  /** Load the rows before or after those in the list. Return whether there are new rows. */
  async function load(side, count = ROWS) {
    if (busy || more[side].hidden) return false;
    busy = true;
    root.setAttribute("aria-busy", "true");
    try {
      const from = side === "earlier" ? Math.max(first() - count, 0) : end();
      const fresh = await fetchRows(from, side === "earlier" ? first() - from : count);
      const known = new Set(rows().map((row) => row.dataset.object));
      const added = fresh.filter((row) => !known.has(row.dataset.object));
      keep(() => (side === "earlier" ? list.prepend(...added) : list.append(...added)));
      if (!added.length) more[side].hidden = true;
      else showMore();
      return added.length > 0;
    } catch {
      return false; // The link stays, so that the viewer can try again.
    } finally {
      busy = false;
      root.removeAttribute("aria-busy");
    }
  }

  const watcher = new IntersectionObserver(
    async (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        if (await load(entry.target.dataset.more)) {
          watcher.unobserve(entry.target); // Observe again: the link may be visible still.
          watcher.observe(entry.target);
        }
      }
    },
    { root: scroller, rootMargin: MARGIN },
  );

  /** Scroll so that the chosen row is visible; in the middle if it was not. */
  function showChosen() {
    const row = chosen();
    if (!row) return;
    const [size, room] = isSideways() ? [row.offsetWidth, scroller.clientWidth] : [row.offsetHeight, scroller.clientHeight];
    const start = offset(row);
    if (start < 0 || start + size > room) scroll(start - (room - size) / 2);
  }

  function place() {
    const row = anchor();
    return row && { position: position(row), offset: offset(row), chosen: chosen()?.dataset.object };
  }

  function savePlace() {
    const now = place();
    if (!now) return;
    history.replaceState({ ...history.state, list: now }, "");
    try {
      sessionStorage.setItem(key, JSON.stringify(now));
    } catch {
      // Without storage the list starts at the chosen object.
    }
  }

  function savedPlace() {
    if (history.state?.list) return history.state.list;
    try {
      return JSON.parse(sessionStorage.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  /** Scroll to the place that the viewer left, and load the rows in between. */
  async function restore() {
    const saved = savedPlace();
    const here = chosen();
    const near = saved && here && Math.abs(saved.position - position(here)) <= FAR;
    if (near) {
      const wanted = saved.position - 1;
      if (wanted < first()) await load("earlier", first() - wanted + 5);
      if (wanted >= end()) await load("later", wanted - end() + ROWS);
      const row = rows().find((one) => position(one) === saved.position);
      if (row) scroll(offset(row) - saved.offset);
    }
    // The same object is chosen after a reload: then the viewer's place counts.
    if (!near || saved.chosen !== here?.dataset.object) showChosen();
  }

  /** Update the states of the rows that are visible, and the number of objects. */
  async function refresh() {
    const visible = anchor();
    if (busy || !visible) return;
    const before = total();
    try {
      const own = chosen();
      const fresh = await fetchRows(position(visible) - 1, ROWS);
      if (own && !fresh.some((row) => row.dataset.object === own.dataset.object)) {
        fresh.push(...(await fetchRows(position(own) - 1, 1)));
      }
      for (const row of fresh) {
        const old = rows().find((one) => one.dataset.object === row.dataset.object);
        const [now, then] = [row, old].map((one) => one?.querySelector(".states"));
        if (then && then.innerHTML !== now.innerHTML) keep(() => then.replaceWith(now));
      }
      if (total() !== before) await reload();
    } catch {
      // The next refresh tries again.
    }
  }

  /** Fetch all loaded rows, because objects were added or removed. */
  async function reload() {
    const [from, count] = [first(), Math.max(list.children.length, ROWS)];
    const fresh = [];
    for (let start = from; start < from + count; start += ROWS) {
      fresh.push(...(await fetchRows(start, Math.min(ROWS, from + count - start))));
    }
    const focused = document.activeElement?.closest("[data-object]")?.dataset.object;
    const visible = anchor();
    const saved = visible && offset(visible);
    list.replaceChildren(...fresh);
    const again = visible && rows().find((row) => row.dataset.object === visible.dataset.object);
    if (again) scroll(offset(again) - saved);
    if (focused) rows().find((row) => row.dataset.object === focused)?.querySelector("a").focus({ preventScroll: true });
    showMore();
  }

  for (const side of ["earlier", "later"]) {
    more[side].addEventListener("click", async (event) => {
      event.preventDefault();
      const edge = side === "earlier" ? list.firstElementChild : list.lastElementChild;
      const loaded = await load(side);
      const next = side === "earlier" ? edge?.previousElementSibling : edge?.nextElementSibling;
      if (loaded) next?.querySelector("a").focus();
    });
  }

  let waiting = null;
  scroller.addEventListener("scroll", () => {
    clearTimeout(waiting);
    waiting = setTimeout(savePlace, 150);
  });
  addEventListener("pagehide", savePlace);
  document.addEventListener("sent", refresh, true);
  followNotes(refresh);
  setInterval(() => document.hidden || refresh(), REFRESH_SECONDS * 1000);

  restore().finally(() => {
    root.dataset.ready = "";
    for (const link of Object.values(more)) watcher.observe(link);
  });
  return { refresh, load };
}

/** Call *changed* soon after notes came to the page or left it. */
function followNotes(changed) {
  const side = document.querySelector(".side");
  let soon = null;
  const later = () => {
    clearTimeout(soon);
    soon = setTimeout(changed, NOTES_MILLISECONDS);
  };
  if (side) new MutationObserver(later).observe(side, { childList: true, subtree: true });
}

if (root) {
  startList(root);
  addKeys(LIST_KEYS);
}
