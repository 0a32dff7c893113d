// Full screen, also where the browser has none for elements (phones): then the element fills the window.

/** Put *root* into full screen, or leave it. */
export function toggleFullscreen(root) {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (root.requestFullscreen) root.requestFullscreen().catch(() => fill(root, !root.classList.contains("is-full")));
  else fill(root, !root.classList.contains("is-full"));
}

/** Leave full screen; return whether *root* was in it. */
export function leaveFullscreen(root) {
  const was = root.classList.contains("is-full");
  if (was && document.fullscreenElement) document.exitFullscreen();
  else if (was) fill(root, false);
  return was;
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
