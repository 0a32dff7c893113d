// The version picker: other versions of the same asset, by list, buttons and keys.

export class Versions {
  /** *open* is called with {page} for the version to show, *compare* for the one beside it. */
  constructor(root, { open, compare }) {
    Object.assign(this, { root, open, compare });
    root.addEventListener("change", (event) => {
      if (event.target.matches("[data-version]")) this.#open(event.target.selectedIndex);
      if (event.target.matches("[data-compare]")) this.#compare(event.target);
    });
    this.update();
  }

  get count() {
    return this.#select?.options.length ?? 0;
  }

  get label() {
    return this.#select?.selectedOptions[0]?.textContent ?? "";
  }

  /** Adjust the buttons to the selected version. */
  update() {
    if (!this.#select) return;
    // A browser keeps the choice over a reload; the page shows the version that the server marked.
    for (const option of this.#select.options) option.selected = option.defaultSelected;
    const at = this.#select.selectedIndex;
    this.root.querySelector("[data-act=older]").disabled = at <= 0;
    this.root.querySelector("[data-act=newer]").disabled = at >= this.count - 1;
  }

  /** Open the version *by* places further in the list. */
  go(by) {
    const at = (this.#select?.selectedIndex ?? -1) + by;
    if (at >= 0 && at < this.count) this.#open(at);
  }

  /** Compare with the previous version, else with the next one; end it if there is a comparison. */
  toggleCompare() {
    const choice = this.root.querySelector("[data-compare]");
    if (!choice) return;
    const at = this.#select.selectedIndex;
    // The choices are none, then all versions without the selected one.
    choice.selectedIndex = choice.selectedIndex > 0 ? 0 : Math.max(at, 1);
    this.#compare(choice);
  }

  /** Show in the list the version whose player is at *address*, or "" without a comparison. */
  showCompare(address) {
    const choice = this.root.querySelector("[data-compare]");
    if (!choice) return;
    choice.options[0].textContent = address ? "Stop comparing" : "Compare with…";
    choice.value = address;
  }

  get #select() {
    return this.root.querySelector("[data-version]");
  }

  #open(at) {
    this.#select.selectedIndex = at; // the next key goes on from here, while the version loads
    this.open({ page: this.#select.value });
  }

  #compare(choice) {
    this.compare({ player: choice.value, label: choice.selectedOptions[0].textContent });
  }
}
