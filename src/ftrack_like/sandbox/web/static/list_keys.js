// The keys of the list of a review: the neighbours of the chosen version, and all versions.

const follow = (selector) => () => document.querySelector(selector)?.click();

/** The keys with their words, in the form of a table of keys. */
export const LIST_KEYS = [
  { keys: ["Alt+ArrowUp"], group: "Versions", says: "previous version in the list", run: follow("a[data-step=previous][href]") },
  { keys: ["Alt+ArrowDown"], group: "Versions", says: "next version in the list", run: follow("a[data-step=next][href]") },
  { keys: ["p"], group: "Versions", says: "play all versions", run: follow("a.play-all") },
];
