// The player: a picture or a movie with its controls, its timeline and its keys.

import { Compare } from "./compare.js";
import { Frames } from "./frames.js";
import { leaveFullscreen, toggleFullscreen, watchFullscreen } from "./fullscreen.js";
import { addKeys, isTyping as ownsKey, showKeys } from "./keys.js";
import { playerKeys } from "./player_keys.js";
import { WHOLE, isWhole, shuttle, withIn, withOut } from "./ranges.js";
import { press, shotFrame, showNumbers, showSound, showState } from "./readouts.js";
import { fetchPlayer, showFailure, waitForEncoding } from "./recovery.js";
import { Timeline, notesOnPage } from "./timeline.js";
import { Versions } from "./versions.js";
import { Zoom } from "./zoom.js";

const LOADING_MILLISECONDS = 500;

/** Start a player in the element *root* and return it. Only movies have frames. */
export function createPlayer(root) {
  return new Player(root);
}

/**
 * Methods for other scripts of the page: *frame*, *seek*, *pause*, *onFrame* and *onMedium*.
 *
 * The number of a frame is that of the server: the index from 0 plus the number of the first frame.
 */
class Player {
  #frameListeners = [];
  #mediumListeners = [];
  #stopWaiting = () => {};
  #loading = null;
  #loopsForRange = false;
  #opened = 0; // counts the versions that the viewer opens, so that a late answer is ignored
  #kept = null; // the frame for the next movie: the one before is still loading, or a picture has none
  #page = document; // the page with the notes: another one while full screen shows another version
  #away = null; // the address of that page

  constructor(root) {
    this.root = root;
    this.stage = root.querySelector("[data-stage]");
    this.frames = null;
    this.timeline = null;
    this.compare = new Compare(root, { stage: this.stage, frames: () => this.frames, onChange: () => this.#compared() });
    this.zoom = new Zoom(root, this.stage, {
      picture: () => this.picture,
      naturalWidth: () => this.medium?.videoWidth || this.medium?.naturalWidth || Number(root.dataset.width),
      onClick: () => this.actions.play(),
    });
    this.versions = new Versions(root, {
      open: (version) => this.#openVersion(version),
      compare: ({ player, label }) => this.compare.open(player, label),
    });
    this.actions = this.#makeActions();
    this.#listen();
    addKeys(playerKeys(this));
    this.#connect();
    // Another version opens at the frame of the one before.
    const named = /^\d{1,9}$/.exec(new URL(location.href).searchParams.get("frame"))?.[0];
    if (named) this.#seekWhenLoaded(Number(named));
  }

  get medium() {
    return this.root.querySelector("[data-cell]:not(.other) [data-medium]");
  }

  get video() {
    const { medium } = this;
    return medium?.localName === "video" ? medium : null;
  }

  get picture() {
    return this.root.querySelector(".picture");
  }

  /** Return the document with the notes on the version that the player shows. */
  get page() {
    return this.#page;
  }

  /** Return whether the player shows another version than the page: it is in full screen then. */
  get isAway() {
    return this.#away !== null && this.#page !== document;
  }

  get first() {
    return Number(this.root.dataset.firstFrame) || 0;
  }

  /** Return the number of the frame that is shown, null for a picture. */
  frame() {
    return this.frames ? this.first + this.frames.index : null;
  }

  seek(frame) {
    this.frames?.seek(frame - this.first);
  }

  pause() {
    this.frames?.pause();
  }

  /** Call *listener* with the number of each frame that is shown. */
  onFrame(listener) {
    this.#frameListeners.push(listener);
  }

  /** Call *listener* when another medium is shown, such as that of a finished encoding. */
  onMedium(listener) {
    this.#mediumListeners.push(listener);
  }

  /** Return the words for a frame: its number, and that of the shot if it differs. */
  describe(frame) {
    const shot = shotFrame(this.root, frame, this.first);
    return shot === null || shot === frame ? `Frame ${frame}` : `Frame ${frame}, shot ${shot}`;
  }

  /** Show the medium of another player element: *fresh* comes from the server. */
  adopt(fresh) {
    this.#disconnect();
    for (const name of Object.keys(this.root.dataset)) if (name !== "player") delete this.root.dataset[name];
    Object.assign(this.root.dataset, fresh.dataset);
    this.root.setAttribute("aria-label", fresh.getAttribute("aria-label"));
    const cell = this.root.querySelector("[data-cell]");
    this.#drop(this.medium);
    const medium = fresh.querySelector("[data-medium]");
    if (medium) this.picture.prepend(document.adoptNode(medium));
    cell.hidden = !medium;
    this.#takeOver(fresh, "[data-notice]", null);
    this.#takeOver(fresh, "[data-controls]", this.stage);
    this.#takeOver(fresh, "[data-versions]", null);
    this.versions.update();
    this.#connect();
    this.zoom.fit();
    for (const listener of this.#mediumListeners) listener();
  }

  toggleFullscreen() {
    toggleFullscreen(this.root);
  }

  leaveFullscreen() {
    return leaveFullscreen(this.root);
  }

  /** Show the note before or after the frame: *direction* is -1 or 1. */
  goToNote(direction) {
    const frame = this.timeline?.next(this.frame(), direction) ?? null;
    if (frame !== null) this.seek(frame);
  }

  setRange(range) {
    const { frames } = this;
    if (!frames) return;
    if (isWhole(frames.range) && !isWhole(range) && !frames.isLooping) {
      this.#loopsForRange = true;
      frames.setLoop(true);
    } else if (isWhole(range) && this.#loopsForRange) {
      this.#loopsForRange = false;
      frames.setLoop(false);
    }
    frames.setRange(range);
  }

  /** Play with the shuttle key *key*: "j", "k" or "l". */
  shuttle(key) {
    const speed = shuttle(this.frames?.speed ?? 0, key);
    if (speed === 0) this.frames?.pause();
    else this.frames?.play(speed);
  }

  #takeOver(fresh, selector, after) {
    const old = this.root.querySelector(selector);
    const given = fresh.querySelector(selector);
    if (given) document.adoptNode(given);
    if (old && given) old.replaceWith(given);
    else if (old) old.remove();
    else if (given && after) after.after(given);
  }

  /** Remove the element *medium*, and end its download. */
  #drop(medium) {
    medium?.remove();
    medium?.removeAttribute("src");
    medium?.load?.();
  }

  #connect() {
    const { medium, video, root } = this;
    this.#stopWaiting();
    this.#fit(Number(root.dataset.width) / Number(root.dataset.height));
    if (video) this.#connectVideo(video);
    else if (medium) this.#connectImage(medium);
    else if (root.dataset.kind === "encoding" && root.dataset.address) {
      this.#stopWaiting = waitForEncoding(root.dataset.address, (fresh) => this.adopt(fresh));
    }
  }

  #connectVideo(video) {
    video.controls = false;
    const last = Number(this.root.dataset.lastFrame) - this.first;
    this.frames = new Frames(video, Number(this.root.dataset.frameRate) || 24, last > 0 ? last : 0);
    this.frames.onFrame((index) => this.#shown(index));
    this.frames.onState(() => this.#showState());
    const timeline = this.root.querySelector("[data-timeline]");
    this.timeline = new Timeline(timeline, {
      frames: this.frames,
      first: this.first,
      describe: (frame) => this.describe(frame),
      seek: (frame) => this.seek(frame),
      notes: () => notesOnPage(this.#page),
    });
    const measured = () => {
      if (this.video !== video) return;
      this.#fit(video.videoWidth / video.videoHeight);
      this.timeline?.update();
      this.#showNumbers();
    };
    video.addEventListener("loadedmetadata", measured);
    video.addEventListener("volumechange", () => showSound(this.root, video));
    for (const name of ["waiting", "seeking"]) video.addEventListener(name, () => this.#setLoading(true));
    for (const name of ["playing", "seeked", "canplay", "error"]) video.addEventListener(name, () => this.#setLoading(false));
    video.addEventListener("error", () => this.#failed(video));
    if (video.readyState >= 1) measured();
    if (video.error) this.#failed(video);
    this.#showState();
    showSound(this.root, video);
  }

  #connectImage(image) {
    const measure = () => this.#fit(image.naturalWidth / image.naturalHeight);
    image.addEventListener("load", measure);
    image.addEventListener("error", () => this.#failed(image));
    if (image.complete && image.naturalWidth) measure();
    else if (image.complete) this.#failed(image);
  }

  #disconnect() {
    this.#stopWaiting();
    this.#setLoading(false);
    this.compare.close();
    this.frames?.pause();
    this.frames?.end();
    this.timeline?.end();
    this.frames = this.timeline = null;
  }

  #fit(ratio) {
    if (ratio > 0 && Number.isFinite(ratio)) this.picture.style.setProperty("--ratio", String(ratio));
    this.zoom.refresh();
  }

  #listen() {
    const { root } = this;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-act]");
      if (!button || !(button.dataset.act in this.actions)) return;
      this.actions[button.dataset.act]();
      // After a click the keys belong to the player again: Space plays, whatever was clicked.
      if (event.detail > 0) button.blur();
    });
    root.addEventListener("input", (event) => {
      if (event.target.matches("[data-scrubber]")) this.frames.seek(Number(event.target.value));
    });
    root.addEventListener("change", (event) => {
      if (event.target.matches("[data-speed]")) this.#setSpeed();
      if (event.target.matches("[data-size]")) this.#use(event.target.value);
      if (event.target.matches("select") && !event.target.matches(":focus-visible")) event.target.blur();
    });
    watchFullscreen(root, (isFull) => {
      press(root.querySelector("[data-act=fullscreen]"), isFull);
      if (!isFull && this.#away) this.#goAway();
    });
  }

  #makeActions() {
    const ifMovie = (run) => (...given) => this.frames && run(this.frames, ...given);
    return {
      play: ifMovie((frames) => (frames.speed ? frames.pause() : frames.play(this.#chosenSpeed()))),
      first: ifMovie((frames) => frames.seek(0)),
      last: ifMovie((frames) => frames.seek(frames.count - 1)),
      back: ifMovie((frames, by = 1) => frames.step(-by)),
      forward: ifMovie((frames, by = 1) => frames.step(by)),
      loop: ifMovie((frames) => {
        this.#loopsForRange = false;
        frames.setLoop(!frames.isLooping);
      }),
      mute: ifMovie(({ video }) => (video.muted = !video.muted)),
      slower: ifMovie(() => this.#chooseSpeed(-1)),
      faster: ifMovie(() => this.#chooseSpeed(1)),
      in: ifMovie((frames) => this.setRange(withIn(frames.range, frames.index))),
      out: ifMovie((frames) => this.setRange(withOut(frames.range, frames.index))),
      "clear-in": ifMovie((frames) => this.setRange({ ...frames.range, in: null })),
      "clear-out": ifMovie((frames) => this.setRange({ ...frames.range, out: null })),
      "clear-range": ifMovie(() => this.setRange(WHOLE)),
      fit: () => this.zoom.fit(),
      actual: () => this.zoom.actual(),
      "zoom-in": () => this.zoom.by(1),
      "zoom-out": () => this.zoom.by(-1),
      fullscreen: () => this.toggleFullscreen(),
      older: () => this.versions.go(-1),
      newer: () => this.versions.go(1),
      keys: () => showKeys(),
    };
  }

  #chosenSpeed() {
    return Number(this.root.querySelector("[data-speed]").value);
  }

  #chooseSpeed(by) {
    const choice = this.root.querySelector("[data-speed]");
    choice.selectedIndex = Math.min(Math.max(choice.selectedIndex + by, 0), choice.options.length - 1);
    this.#setSpeed();
  }

  #setSpeed() {
    const speed = this.#chosenSpeed();
    this.frames.video.playbackRate = speed;
    if (this.frames.speed) this.frames.play(Math.sign(this.frames.speed) * speed);
  }

  #shown(index) {
    this.#showNumbers();
    this.compare.follow();
    for (const listener of this.#frameListeners) listener(this.first + index);
  }

  #showNumbers() {
    showNumbers(this.root, this.frames, this.first, this.describe(this.frame()));
  }

  #showState() {
    showState(this.root, this.frames, this.#chosenSpeed());
    this.timeline?.showRange();
    this.compare.follow();
  }

  #compared() {
    const caption = this.root.querySelector("[data-cell]:not(.other) [data-caption]");
    caption.hidden = !this.compare.isOn;
    caption.textContent = this.versions.label;
    this.versions.showCompare(this.compare.address);
    this.zoom.refresh();
    this.compare.follow();
  }

  #setLoading(on) {
    clearTimeout(this.#loading);
    this.#loading = null;
    if (on) this.#loading = setTimeout(() => this.root.classList.add("is-loading"), LOADING_MILLISECONDS);
    else this.root.classList.remove("is-loading");
  }

  #sizes() {
    const options = [...(this.root.querySelector("[data-size]")?.options ?? [])];
    return options.map((one) => ({ label: one.textContent, url: one.value }));
  }

  async #failed(medium) {
    if (medium !== this.medium) return;
    this.frames?.pause();
    const cell = this.root.querySelector("[data-cell]");
    const notice = this.root.querySelector("[data-notice]");
    const shown = medium.getAttribute("src");
    await showFailure(notice, medium, {
      sizes: this.#sizes().filter((size) => size.url !== shown),
      use: (size) => this.#use(size.url),
      retry: () => this.#retry(),
    });
    if (medium === this.medium) cell.hidden = !notice.hidden;
  }

  /** Load again, with a new address if the page knows where to ask for it, at the same frame. */
  async #retry() {
    const { address } = this.root.dataset;
    const fresh = address ? await fetchPlayer(address) : null;
    const frame = this.#frameToKeep();
    if (!fresh) {
      this.#use(this.medium.getAttribute("src"));
      return;
    }
    this.adopt(fresh);
    this.#seekWhenLoaded(frame);
  }

  #use(url) {
    const { medium, root } = this;
    const frame = this.#frameToKeep();
    this.frames?.pause();
    root.querySelector("[data-notice]").hidden = true;
    root.querySelector("[data-cell]").hidden = false;
    const choice = root.querySelector("[data-size]");
    if (choice) choice.value = url;
    medium.src = url;
    medium.load?.();
    this.#seekWhenLoaded(frame);
  }

  /** Return the frame at which another version opens, null if none was shown yet. */
  #frameToKeep() {
    return this.#kept ?? this.frame();
  }

  #seekWhenLoaded(frame) {
    const { video } = this;
    this.#kept = frame;
    const seek = () => {
      const wanted = this.#kept;
      if (video !== this.video || wanted === null) return;
      this.#kept = null;
      this.seek(wanted);
    };
    if (!video || frame === null) return;
    if (video.readyState >= 1) seek();
    else video.addEventListener("loadedmetadata", seek, { once: true });
  }

  #goAway() {
    const address = new URL(this.#away, location.href);
    const frame = this.#frameToKeep();
    if (frame !== null) address.searchParams.set("frame", String(frame));
    location.assign(address);
  }

  async #openVersion({ page }) {
    // A new page would leave full screen: there only the picture changes, until the viewer leaves it.
    const mine = (this.#opened += 1);
    const fresh = this.root.classList.contains("is-full") ? await fetchPlayer(page) : null;
    if (mine !== this.#opened) return;
    const frame = this.#frameToKeep();
    this.#away = page;
    if (!fresh) {
      this.#goAway();
      return;
    }
    if (this.root.classList.contains("is-drawing")) this.root.querySelector("[data-act=draw]").click();
    this.#page = fresh.ownerDocument;
    this.root.classList.add("is-away");
    this.adopt(fresh);
    this.#seekWhenLoaded(frame);
  }
}

/** Return whether the key of *event* belongs to the element that has the focus, or to the browser. */
export function isTyping(event) {
  return event.ctrlKey || event.metaKey || event.altKey || ownsKey(event);
}

export { press };
