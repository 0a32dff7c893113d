// The browse pages: show local times, and start the player if the page has one.

import { createPlayer } from "./player.js";
import { localTimes } from "./times.js";

const root = document.querySelector("[data-player]");
if (root) {
  const player = createPlayer(root);
  for (const button of document.querySelectorAll("button[data-frame]")) button.textContent = player.describe(Number(button.dataset.frame));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-frame]");
    if (button) player.seek(Number(button.dataset.frame));
  });
}
localTimes();
