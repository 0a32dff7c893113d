// A button with a menu, for a mouse and for the keyboard alone: arrows, Home, End, Escape, letters.

import { create } from "./forms.js";

export class Menu {
  #button;
  #list;
  #note;
  #items = [];
  opening = 0; // counts how often the menu was opened

  /** *onOpen* fills the menu with show() and say(). */
  constructor(container, onOpen) {
    this.#button = container.querySelector("button");
    this.#list = create("div", { className: "menu", hidden: true });
    this.#list.setAttribute("role", "menu");
    this.#list.setAttribute("aria-label", "Actions");
    this.#note = create("p", { className: "muted menu-note", hidden: true });
    this.#note.setAttribute("role", "status");
    container.append(this.#list, this.#note);
    this.#button.addEventListener("click", () => (this.isOpen ? this.close() : this.open(onOpen)));
    this.#button.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      if (this.isOpen) this.#focus(0);
      else this.open(onOpen);
    });
    container.addEventListener("keydown", (event) => this.#press(event));
    document.addEventListener("pointerdown", (event) => {
      if (this.isOpen && !container.contains(event.target)) this.close();
    });
    container.addEventListener("focusout", (event) => {
      if (this.isOpen && event.relatedTarget && !container.contains(event.relatedTarget)) this.close();
    });
  }

  get isOpen() {
    return this.#button.getAttribute("aria-expanded") === "true";
  }

  open(fill) {
    this.#button.setAttribute("aria-expanded", "true");
    this.opening += 1;
    this.#items = [];
    fill(this);
  }

  close() {
    this.#button.setAttribute("aria-expanded", "false");
    this.#list.hidden = true;
    this.#list.replaceChildren();
    this.say("");
  }

  /** Say *text* where the items will be. */
  say(text) {
    this.#note.textContent = text;
    this.#note.hidden = text === "";
  }

  /** Show *entries*, each {label, description, icon, choose}; keep the focus on the same entry. */
  show(entries) {
    if (!this.isOpen) return;
    this.say("");
    const focused = document.activeElement?.closest("[role=menuitem]")?.dataset.key;
    const onButton = document.activeElement === this.#button;
    this.#items = entries.map((entry) => this.#make(entry));
    this.#list.replaceChildren(...this.#items);
    this.#list.hidden = entries.length === 0;
    const again = this.#items.findIndex((item) => item.dataset.key === focused);
    if (again >= 0 || onButton) this.#focus(Math.max(again, 0));
  }

  #make(entry) {
    const item = create("button", { type: "button", tabIndex: -1 });
    item.setAttribute("role", "menuitem");
    item.dataset.key = entry.key;
    item.append(entry.icon ?? "", create("span", { className: "name", textContent: entry.label }));
    if (entry.description) item.append(create("span", { className: "muted", textContent: entry.description }));
    item.addEventListener("click", () => {
      this.close();
      this.#button.focus();
      entry.choose();
    });
    return item;
  }

  #press(event) {
    if (!this.isOpen) return;
    if (event.key === "Escape") {
      event.preventDefault();
      this.close();
      this.#button.focus();
      return;
    }
    const now = this.#items.indexOf(document.activeElement);
    if (now < 0) return;
    const last = this.#items.length - 1;
    const moves = { ArrowDown: now === last ? 0 : now + 1, ArrowUp: now === 0 ? last : now - 1, Home: 0, End: last };
    const next = moves[event.key] ?? this.#startingWith(event.key, now);
    if (next === undefined) return;
    event.preventDefault();
    this.#focus(next);
  }

  /** Return the index of the next item after *now* that starts with the letter *key*. */
  #startingWith(key, now) {
    if (key.length !== 1 || key === " ") return undefined;
    const order = [...this.#items.keys()].map((step) => (now + 1 + step) % this.#items.length);
    return order.find((index) => this.#items[index].textContent.toLowerCase().startsWith(key.toLowerCase()));
  }

  #focus(index) {
    this.#items[index]?.focus();
  }
}
