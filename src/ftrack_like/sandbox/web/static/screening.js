// Play all versions of a review, one after the other. Two elements take turns, so that the next version
// is loaded while one plays. Without this script the page has links to the neighbours.

import { keyName } from "./keys.js";

const AGAIN_SECONDS = 3;

const root = document.querySelector("[data-screening]");
const find = (selector) => root.querySelector(selector);
const show = root && find("[data-show]");
const seek = root && find("[data-seek]");

let one = null; // what is shown: an answer of the server
let shown = null; // its element
let next = null; // a promise of {one, element} for the next version
let aim = 0; // the offset of the version that is shown or on its way
let turn = 0; // counts the versions, so that a late answer is ignored
let playing = true;
let muted = false;
let repeat = false;
let ends = null; // the timer after which an image ends
let left = 0; // milliseconds for which a paused image was still to be shown
let since = 0;

async function ask(at) {
  const response = await fetch(`${root.dataset.objects}&at=${at}`);
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

function slate(text) {
  const element = document.createElement("p");
  element.className = "slate";
  element.textContent = text;
  return element;
}

/** Return an element that shows *object*; it begins to load. */
function elementFor(object) {
  if (object.kind === "video") {
    const video = document.createElement("video");
    Object.assign(video, { src: object.url, preload: "auto", playsInline: true });
    video.setAttribute("aria-label", object.name);
    return video;
  }
  if (object.kind === "image") {
    const image = document.createElement("img");
    image.dataset.keep = ""; // fail() replaces it
    Object.assign(image, { src: object.url, alt: object.name });
    return image;
  }
  const encoding = "The server is still encoding this version.";
  return slate(object.kind === "encoding" ? encoding : "This version has no media that a browser can show.");
}

function prepare(at) {
  const found = ask(at).then((object) => {
    const element = elementFor(object);
    element.classList.add("waiting");
    show.append(element);
    return { one: object, element };
  });
  found.catch(() => {}); // go() reports the error if the version is wanted
  return { at, found };
}

function total() {
  return Number(find("[data-total]").textContent);
}

/** Return the offset after *at*, null after the last one. */
function after(at) {
  if (at + 1 < total()) return at + 1;
  return repeat ? 0 : null;
}

/** Show the version at the offset *at*. */
async function go(at) {
  const mine = ++turn;
  aim = at;
  clearTimeout(ends);
  shown?.pause?.();
  const ready = next?.at === at ? next : prepare(at);
  if (next && next !== ready) discard(next);
  next = null;
  try {
    const found = await ready.found;
    if (mine !== turn) return found.element.remove();
    present(found.one, found.element);
  } catch (error) {
    if (mine === turn) failed(at, error.message === "404");
  }
}

/** Say that the version at the offset *at* cannot be loaded, and try again unless it *isGone*. */
function failed(at, isGone) {
  if (one) aim = one.at;
  if (isGone) return say("This version was removed from the review.", true);
  say(`The next version cannot be loaded. Trying again in ${AGAIN_SECONDS} seconds.`, true);
  ends = setTimeout(() => go(at), AGAIN_SECONDS * 1000);
}

function discard(waiting) {
  waiting.found.then(({ element }) => element.remove()).catch(() => {});
}

function present(object, element) {
  [one, shown] = [object, element];
  show.replaceChildren(element);
  element.classList.remove("waiting");
  element.removeAttribute("controls");
  describe();
  if (element.tagName === "VIDEO") startVideo(element);
  else if (element.tagName === "IMG") startImage(element);
  else startTimer(Number(root.dataset.nothingSeconds) * 1000);
  const following = after(object.at);
  if (following !== null && following !== object.at) next = prepare(following);
  history.replaceState(history.state, "", object.play);
}

function describe() {
  document.title = `${one.name}, ${one.version}`;
  find("[data-name]").textContent = one.name;
  find("[data-version]").textContent = one.version;
  find("[data-number]").textContent = String(one.at + 1);
  find("[data-total]").textContent = String(one.total);
  find("[data-page]").href = one.page;
  for (const [name, address] of [["previous", one.previous], ["next", one.next]]) {
    const link = find(`[data-go=${name}]`);
    if (address) link.href = address;
    else link.removeAttribute("href");
    link.toggleAttribute("aria-disabled", !address);
    if (!address) link.setAttribute("aria-disabled", "true");
  }
  seek.hidden = shown.tagName !== "VIDEO";
  seek.value = "0";
  find("[data-clock]").textContent = "";
  say(`${one.name}, ${one.version}, ${one.at + 1} of ${one.total}`);
  showPlaying();
}

function startVideo(video) {
  const mine = turn;
  const isMine = () => mine === turn;
  video.muted = muted;
  video.addEventListener("ended", () => isMine() && finish());
  video.addEventListener("error", () => isMine() && fail());
  video.addEventListener("timeupdate", () => {
    if (!isMine() || !(video.duration > 0)) return;
    seek.value = String(Math.round((1000 * video.currentTime) / video.duration));
    const text = `${clock(video.currentTime)} / ${clock(video.duration)}`;
    find("[data-clock]").textContent = text;
    seek.setAttribute("aria-valuetext", text);
  });
  if (video.error) fail();
  else if (playing) start(video);
}

/** Play *video*. If the browser forbids sound before a gesture of the viewer, play without it. */
async function start(video) {
  try {
    await video.play();
  } catch (error) {
    if (error.name !== "NotAllowedError" || video !== shown) return;
    video.muted = muted = true;
    showMuted();
    video.play().catch(() => setPlaying(false));
  }
}

function startImage(image) {
  image.addEventListener("error", fail);
  if (image.complete && image.naturalWidth === 0) fail();
  else startTimer(Number(root.dataset.imageSeconds) * 1000);
}

function fail() {
  const element = slate("This version cannot be played: its data are damaged or missing.");
  shown.replaceWith(element);
  shown = element;
  seek.hidden = true;
  startTimer(Number(root.dataset.nothingSeconds) * 1000);
}

function startTimer(milliseconds) {
  clearTimeout(ends);
  [left, since] = [milliseconds, performance.now()];
  if (playing) ends = setTimeout(finish, milliseconds);
}

function finish() {
  const following = after(one.at);
  if (following === null) {
    setPlaying(false);
    say("This was the last version.");
  } else if (following === one.at && shown.tagName === "VIDEO") {
    shown.currentTime = 0;
    start(shown);
  } else {
    go(following);
  }
}

function setPlaying(on) {
  const changed = on !== playing;
  playing = on;
  if (shown?.tagName === "VIDEO") {
    if (!on) shown.pause();
    else if (shown.paused) start(shown);
  } else if (changed && on) {
    startTimer(Math.max(left, 0));
  } else if (changed) {
    clearTimeout(ends);
    left -= performance.now() - since;
  }
  showPlaying();
}

function showPlaying() {
  find("[data-act=play]").textContent = playing ? "Pause" : "Play";
}

function showMuted() {
  find("[data-act=mute]").setAttribute("aria-pressed", String(muted));
  if (shown?.tagName === "VIDEO") shown.muted = muted;
}

function say(text, isProblem = false) {
  find("[data-said]").textContent = text;
  if (isProblem) find("[data-clock]").textContent = text;
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

const actions = {
  play: () => setPlaying(!playing),
  previous: () => aim > 0 && go(aim - 1),
  next: () => after(aim) !== null && go(after(aim)),
  first: () => go(0),
  last: () => go(total() - 1),
  earlier: () => jump(-1),
  later: () => jump(1),
  mute: () => {
    muted = !muted;
    showMuted();
  },
  repeat: () => {
    repeat = !repeat;
    find("[data-act=repeat]").setAttribute("aria-pressed", String(repeat));
  },
  fullscreen: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.()),
  leave: () => document.fullscreenElement || find("[data-page]").click(),
};

function jump(seconds) {
  if (shown?.tagName === "VIDEO") shown.currentTime = Math.max(shown.currentTime + seconds, 0);
}

const KEYS = {
  " ": "play",
  ArrowUp: "previous",
  ArrowDown: "next",
  PageUp: "previous",
  PageDown: "next",
  ArrowLeft: "earlier",
  ArrowRight: "later",
  Home: "first",
  End: "last",
  Escape: "leave",
  f: "fullscreen",
  k: "play",
  m: "mute",
  r: "repeat",
};

const REPEATED = new Set(["previous", "next", "earlier", "later"]);

function onKey(event) {
  const name = typeof event.key === "string" ? KEYS[keyName(event)] : null;
  if (!name) return;
  if (event.key === " " && event.target.closest("button, a")) return;
  if (event.target === seek && /^(Arrow|Home|End|Page)/.test(event.key)) return;
  event.preventDefault();
  if (!event.repeat || REPEATED.has(name)) actions[name]();
}

async function begin() {
  for (const hidden of root.querySelectorAll("[data-act]")) hidden.hidden = false;
  root.addEventListener("click", (event) => {
    const act = event.target.closest("[data-act]")?.dataset.act;
    const link = event.target.closest("[data-go]");
    if (act) actions[act]();
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      actions[link.dataset.go]();
    }
  });
  show.addEventListener("click", () => actions.play());
  seek.addEventListener("input", () => {
    if (shown.duration > 0) shown.currentTime = (Number(seek.value) / 1000) * shown.duration;
  });
  document.addEventListener("keydown", onKey);
  shown = show.firstElementChild;
  shown.pause?.();
  await go(Number(root.dataset.at));
  root.dataset.ready = "";
}

if (root) begin();
