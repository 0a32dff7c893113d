// The summary of a review: show local times, and print.

import { localTimes } from "./times.js";

localTimes();
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
