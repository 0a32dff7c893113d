// The keys of the player, with the words for the list of keys.

import { keyName, showKeys } from "./keys.js";

const PAN = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const PAN_SHARE = 0.1;

/** Return the keys of *player*, for addKeys. */
export function playerKeys(player) {
  const { actions, root } = player;
  const isHeld = holding("k");
  const isMovie = () => player.frames !== null;
  const step = (event) => player.frames.step((event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
  const isDrawing = () => root.classList.contains("is-drawing");
  // Notes and drawings belong to the version of the page, not to another one in full screen.
  const isOnPage = () => !player.isAway;
  const drawButton = () => root.querySelector("[data-act=draw]");
  const playback = [
    { keys: [" "], says: "play, pause", run: () => actions.play() },
    { keys: ["j"], says: "play backwards, faster with each press", run: shuttle, repeats: true },
    { keys: ["k"], says: "pause; with J or L one frame", run: () => player.shuttle("k") },
    { keys: ["l"], says: "play forwards, faster with each press", run: shuttle, repeats: true },
    { keys: ["ArrowLeft", "ArrowRight"], says: "one frame", run: step, repeats: true },
    { keys: ["Shift+ArrowLeft", "Shift+ArrowRight"], says: "ten frames", run: step, repeats: true },
    { keys: ["Home", "End"], says: "first, last frame", run: (event) => actions[event.key === "Home" ? "first" : "last"]() },
    { keys: ["Shift+ArrowUp", "Shift+ArrowDown"], says: "previous, next note", run: (event) => player.goToNote(event.key === "ArrowUp" ? -1 : 1), repeats: true },
    { keys: ["[", "]"], says: "slower, faster", run: (event) => actions[event.key === "[" ? "slower" : "faster"]() },
    { keys: ["m"], says: "sound on, off", run: () => actions.mute() },
  ];
  const range = [
    { keys: ["i"], says: "in point here", run: () => actions.in() },
    { keys: ["o"], says: "out point here", run: () => actions.out() },
    { keys: ["Alt+i", "Alt+o"], says: "clear the in, the out point", run: (event, name) => actions[name === "Alt+i" ? "clear-in" : "clear-out"]() },
    { keys: ["x"], says: "clear both", run: () => actions["clear-range"]() },
    { keys: ["r"], says: "loop", run: () => actions.loop() },
  ];
  const view = [
    { keys: ["+", "="], shown: ["+"], says: "larger", run: () => actions["zoom-in"](), repeats: true },
    { keys: ["-"], says: "smaller", run: () => actions["zoom-out"](), repeats: true },
    { keys: ["0"], says: "whole picture", run: () => actions.fit() },
    { keys: ["1"], says: "one to one", run: () => actions.actual(), while: () => !isDrawing() },
    { keys: Object.keys(PAN).map((name) => `Alt+Shift+${name}`), shown: ["Alt+Shift+←↑↓→"], says: "move the picture", run: (event) => pan(event), repeats: true },
    { keys: ["f"], says: "full screen", run: () => actions.fullscreen() },
    { keys: ["?"], says: "this list", run: showKeys },
  ];
  const versions = [
    { keys: [",", "."], says: "previous, next version", run: (event) => player.versions.go(event.key === "," ? -1 : 1) },
    { keys: ["c"], says: "compare with another version", run: () => player.versions.toggleCompare() },
  ];
  const drawing = [
    { keys: ["d"], says: "draw, end drawing", run: () => drawButton().click(), while: isOnPage },
    { keys: ["Escape"], says: "end drawing", run: () => drawButton().click(), while: isDrawing, typing: true },
  ];
  const notes = [
    { keys: ["n"], says: "write a note", run: writeNote },
    { keys: ["Mod+Enter"], says: "send the note", run: send, while: (event) => isOnPage() && formToSend(event), typing: true },
  ];

  function shuttle(event, key) {
    if (isHeld.now) player.frames.step(key === "j" ? -1 : 1);
    else if (!event.repeat) player.shuttle(key);
  }

  function pan(event) {
    const [x, y] = PAN[event.key];
    player.zoom.pan(x * PAN_SHARE, y * PAN_SHARE);
  }

  async function writeNote() {
    await player.leaveFullscreen();
    if (!player.isAway) noteField().focus();
  }

  return [
    ...group("Playback", playback, isMovie),
    ...group("In and out", range, isMovie),
    ...group("Picture", view, () => true),
    ...group("Versions", versions, () => player.versions.count > 1),
    ...group("Notes", drawing, drawButton),
    ...group("Notes", notes, noteField),
    { keys: ["Escape"], run: () => player.leaveFullscreen(), while: () => root.classList.contains("is-full") },
  ];
}

function group(name, bindings, isPossible) {
  const possible = (one) => (event) => isPossible() && (!one.while || one.while(event));
  return bindings.map((one) => ({ ...one, group: name, isListed: isPossible, while: possible(one) }));
}

function noteField() {
  return document.querySelector("[data-note] textarea, form[action$='/note'] textarea");
}

/** Return the form to send: the one with the focus, else that of a new note if it has something to send. */
function formToSend(event) {
  const focused = event.target instanceof Element ? event.target.closest("form") : null;
  if (focused) return event.target.matches("textarea") ? focused : null;
  return noteField()?.form;
}

function send(event) {
  formToSend(event)?.requestSubmit();
}

/** Return an object whose *now* is true while the viewer holds the key *name*. */
function holding(name) {
  const state = { now: false };
  const set = (on) => (event) => event.key && keyName(event).split("+").pop() === name && (state.now = on);
  addEventListener("keydown", set(true), true);
  addEventListener("keyup", set(false), true);
  addEventListener("blur", () => (state.now = false));
  return state;
}
