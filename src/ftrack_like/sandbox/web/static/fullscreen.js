// Full screen, also where the browser has none for elements (phones): then the element fills the window.

/** Put *root* into full screen, or leave it. */
export function toggleFullscreen(root) {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (root.requestFullscreen) root.requestFullscreen().catch(() => fill(root, !root.classList.contains("is-full")));
  else fill(root, !root.classList.contains("is-full"));
}

/** Leave full screen if *root* is in it; the promise resolves when the rest of the page takes the focus again. */
export async function leaveFullscreen(root) {
  if (!root.classList.contains("is-full")) return;
  if (document.fullscreenElement) await document.exitFullscreen();
  else fill(root, false);
}

/** Call *changed* with whether *root* is in full screen, whenever this changes. */
export function watchFullscreen(root, changed) {
  document.addEventListener("fullscreenchange", () => fill(root, document.fullscreenElement === root));
  root.addEventListener("full", () => changed(root.classList.contains("is-full")));
}

function fill(root, on) {
  if (root.classList.toggle("is-full", on) !== on) return;
  document.documentElement.classList.toggle("has-full", on);
  root.dispatchEvent(new Event("full"));
}
