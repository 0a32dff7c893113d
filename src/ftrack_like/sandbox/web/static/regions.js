// Send forms in the background. The answer is the whole page; its regions replace the old ones.

import { disableButtons } from "./busy.js";

// The HTML of each region as the server sent it, before scripts changed it.
const sources = new Map([...document.querySelectorAll("[data-region]")].map((one) => [one.id, one.innerHTML]));

/** Send forms with data-send in the background; call *changed* after replacing regions. */
export function sendForms(changed) {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-send]");
    if (!form) return;
    event.preventDefault();
    form.dispatchEvent(new Event("sending"));
    const data = new URLSearchParams(new FormData(form));
    if (event.submitter?.name) data.set(event.submitter.name, event.submitter.value);
    const enable = disableButtons(form);
    problem(form, "");
    try {
      const response = await fetch(form.action, { method: "POST", body: data });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!response.ok) {
        problem(form, page.querySelector("main p")?.textContent ?? "The request failed.");
        return;
      }
      form.dispatchEvent(new Event("sent"));
      replace(page, form);
      changed();
      say("Sent.");
    } catch {
      problem(form, "The server cannot be reached. Try again.");
    } finally {
      enable();
    }
  });
}

/** Fetch the page at *address* and replace the regions in which the viewer is not writing. */
export async function refresh(changed, address = location.href) {
  try {
    const response = await fetch(address);
    if (!response.ok) return;
    replace(new DOMParser().parseFromString(await response.text(), "text/html"), null);
    changed();
  } catch {
    // Ignore the error: the next refresh tries again.
  }
}

function replace(page, form) {
  for (const fresh of page.querySelectorAll("[data-region]")) {
    const old = document.getElementById(fresh.id);
    if (!old || isBusy(old, form) || sources.get(fresh.id) === fresh.innerHTML) continue;
    sources.set(fresh.id, fresh.innerHTML);
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const shown = [...old.querySelectorAll(".is-shown")].map((one) => one.id);
    const place = old.scrollTop;
    old.replaceWith(document.adoptNode(fresh));
    fresh.scrollTop = place;
    for (const id of shown) document.getElementById(id)?.classList.add("is-shown");
    refocus(fresh, focused);
  }
}

/** Return whether the viewer is writing in *region*, in a form other than the one just sent. */
function isBusy(region, form) {
  const others = [...region.querySelectorAll("textarea")].filter((one) => one.form !== form);
  return others.some((one) => one.value.trim() !== "" || one === document.activeElement);
}

function refocus(region, focused) {
  if (!focused) return;
  const again = focused.id
    ? document.getElementById(focused.id)
    : [...region.querySelectorAll("button, a")].find((one) => one.textContent === focused.textContent);
  again?.focus({ preventScroll: true });
}

function problem(form, text) {
  const place = form.querySelector("[data-problem]");
  place.textContent = text;
  place.hidden = text === "";
}

function say(text) {
  const place = document.querySelector("[data-said]");
  if (place) place.textContent = text;
}
