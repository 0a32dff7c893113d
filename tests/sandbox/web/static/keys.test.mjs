import assert from "node:assert/strict";
import { test } from "node:test";
import { keyName } from "../../../../src/ftrack_like/sandbox/web/static/keys.js";

const press = (key, more = {}) => keyName({ key, code: "", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

test("capital letters have the names of small ones", () => {
  assert.equal(press("d"), "d");
  assert.equal(press("D"), "d");
  assert.equal(press("D", { shiftKey: true }), "d");
});

test("signs have their own names, whatever keys print them", () => {
  assert.equal(press("?", { shiftKey: true }), "?");
  assert.equal(press("+"), "+");
  assert.equal(press(" "), " ");
});

test("Shift counts for keys without a sign", () => {
  assert.equal(press("ArrowLeft", { shiftKey: true }), "Shift+ArrowLeft");
  assert.equal(press("ArrowLeft", { shiftKey: true, altKey: true }), "Alt+Shift+ArrowLeft");
  assert.equal(press("Home"), "Home");
});

test("Ctrl and Cmd are one key", () => {
  assert.equal(press("Enter", { ctrlKey: true }), "Mod+Enter");
  assert.equal(press("Enter", { metaKey: true }), "Mod+Enter");
  assert.equal(press("d", { ctrlKey: true }), "Mod+d");
});

test("with Alt the letter on the key counts, because a Mac types another sign", () => {
  assert.equal(press("ˆ", { altKey: true, code: "KeyI" }), "Alt+i");
  assert.equal(press("Dead", { altKey: true, code: "KeyI" }), "Alt+i");
  assert.equal(press("O", { altKey: true, shiftKey: true, code: "KeyO" }), "Alt+o");
});

test("a keyboard for another script has the keys of its Latin letters", () => {
  assert.equal(press("о", { code: "KeyJ" }), "j");
  assert.equal(press("О", { code: "KeyJ", shiftKey: true }), "j");
  assert.equal(press("ι", { code: "KeyI" }), "i");
  assert.equal(press("я", { code: "KeyZ", ctrlKey: true }), "Mod+z");
  assert.equal(press("ı", { code: "KeyI" }), "i");
});

test("a Latin letter counts as it is printed, wherever its key is", () => {
  assert.equal(press("j", { code: "KeyC" }), "j");
  assert.equal(press("i", { code: "KeyG", altKey: true }), "Alt+i");
  assert.equal(press("ö", { code: "Semicolon" }), "ö");
  assert.equal(press("[", { code: "Digit8" }), "[");
});
