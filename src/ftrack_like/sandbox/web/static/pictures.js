// Replace pictures that cannot be loaded by a placeholder, so that a page never shows a broken one.

function replace(image) {
  if (image.matches(".icon")) {
    image.remove(); // it only decorates the words next to it
    return;
  }
  const box = document.createElement("span");
  if (image.matches(".thumbnail")) {
    box.className = "thumbnail empty";
  } else {
    box.className = "broken";
    box.textContent = "This picture cannot be shown.";
  }
  if (image.alt && image.matches(".thumbnail")) {
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", image.alt);
  }
  image.replaceWith(box);
}

// Errors of elements do not bubble, so listen while the event goes down.
document.addEventListener(
  "error",
  (event) => {
    if (event.target instanceof HTMLImageElement && !event.target.matches("[data-keep]")) replace(event.target);
  },
  true,
);
// `document.images` shrinks while pictures are replaced, so go through a copy.
for (const image of [...document.images]) {
  if (image.complete && image.naturalWidth === 0 && image.currentSrc) replace(image);
}
