// A video that works in frames: exact seeks, playback in both directions, in and out points.

import { WHOLE, bounds, isWhole, played, within } from "./ranges.js";

const PATIENCE_MILLISECONDS = 1000; // some phones load no picture before the viewer plays

/** Frames of the element *video*, counted from 0; *rate* is in frames per second. */
export class Frames {
  #listeners = [];
  #onState = [];
  #index = 0;
  #told = null;
  #wanted = null; // the index to seek to when the running seek is done
  #offset = null; // the time of the first frame, in seconds: not 0 in files without an edit list
  #backwards = 0; // the number of the animation frame while playing backwards
  #ended = false;
  #controller = new AbortController();

  constructor(video, rate, lastIndex) {
    this.video = video;
    this.rate = rate;
    this.lastIndex = lastIndex; // 0 if the server does not know it
    this.range = WHOLE;
    this.isLooping = false;
    this.speed = 0; // negative while playing backwards, 0 while paused
    this.#listen();
  }

  get index() {
    return this.#index;
  }

  get count() {
    const { duration } = this.video;
    if (this.lastIndex > 0 || !Number.isFinite(duration)) return this.lastIndex + 1;
    return Math.max(Math.round(duration * this.rate), 1);
  }

  get bounds() {
    return bounds(this.range, this.count);
  }

  onFrame(listener) {
    this.#listeners.push(listener);
  }

  /** Call *listener* whenever the speed, the range or the loop changes. */
  onState(listener) {
    this.#onState.push(listener);
  }

  /** Pause, and show the frame *index*. */
  seek(index) {
    this.#stop();
    this.#goTo(within(index, this.count));
  }

  step(by) {
    this.pause();
    this.seek(this.#index + by);
  }

  /** Play at *speed*; a negative speed plays backwards, without sound. */
  play(speed = 1) {
    const [first, last] = this.bounds;
    const start = this.#index;
    const isAtEnd = speed > 0 ? start >= last || start < first : start <= first || start > last;
    if (isAtEnd) this.#goTo(speed > 0 ? first : last);
    cancelAnimationFrame(this.#backwards);
    this.#setSpeed(speed);
    if (speed < 0) {
      this.video.pause();
      this.#playBackwards(speed);
      return;
    }
    this.video.playbackRate = speed;
    this.video.play().catch(() => this.video.paused && this.#setSpeed(0));
  }

  pause() {
    // The picture is up to two frames further than the last one that the browser has reported.
    if (this.#stop()) this.#goTo(within(this.#current(), this.count));
  }

  setRange(range) {
    this.range = range;
    this.#setLoop();
    this.#tellState();
  }

  setLoop(on) {
    this.isLooping = on;
    this.#setLoop();
    this.#tellState();
  }

  /** Stop listening to the video. */
  end() {
    this.#ended = true;
    cancelAnimationFrame(this.#backwards);
    this.#controller.abort();
  }

  /** Stop the playback; return whether the video played forwards. */
  #stop() {
    cancelAnimationFrame(this.#backwards);
    const wasPlaying = !this.video.paused;
    this.video.pause();
    this.#setSpeed(0);
    return wasPlaying;
  }

  #setLoop() {
    this.video.loop = this.isLooping && isWhole(this.range);
  }

  #setSpeed(speed) {
    if (this.speed === speed) return;
    this.speed = speed;
    this.#tellState();
  }

  #tellState() {
    for (const listener of this.#onState) listener();
  }

  #goTo(index) {
    this.#show(index);
    // While the browser seeks, a further seek would end the running one before it shows its frame.
    // Before the first picture the time of the first frame is unknown.
    if (this.video.seeking || this.#offset === null) this.#wanted = index;
    else this.#seekTo(index);
  }

  #seekTo(index) {
    this.video.toggleAttribute("data-seeking", true);
    // Seek to the middle of a frame, so that rounding errors cannot select a neighbour.
    this.video.currentTime = (this.#offset ?? 0) + (index + 0.5) / this.rate;
  }

  #current() {
    return Math.floor((this.video.currentTime - (this.#offset ?? 0)) * this.rate + 0.001);
  }

  #show(index) {
    this.#index = within(index, this.count);
    if (this.#told === this.#index) return;
    this.#told = this.#index;
    for (const listener of this.#listeners) listener(this.#index);
  }

  #listen() {
    const { video } = this;
    const on = (name, listener) => video.addEventListener(name, listener, { signal: this.#controller.signal });
    on("seeked", () => {
      const index = this.#wanted;
      this.#wanted = null;
      if (index !== null) this.#seekTo(index);
      else video.toggleAttribute("data-seeking", false);
    });
    on("emptied", () => {
      // Another file: the seeks of the one before are void.
      this.#wanted = this.#offset = null;
      video.toggleAttribute("data-seeking", false);
    });
    on("loadedmetadata", () => setTimeout(() => this.#begin(), PATIENCE_MILLISECONDS));
    on("loadeddata", () => this.#begin());
    if (video.readyState >= video.HAVE_CURRENT_DATA) this.#begin();
    else if (video.readyState >= video.HAVE_METADATA) setTimeout(() => this.#begin(), PATIENCE_MILLISECONDS);
    on("ended", () => {
      this.#show(this.count - 1);
      if (this.isLooping && this.speed > 0) this.play(this.speed); // from an in point to the end, over and over
      else this.#setSpeed(0);
    });
    // The browser or another program may pause and play as well, such as the keys of a headset.
    on("play", () => this.speed <= 0 && this.#setSpeed(video.playbackRate));
    on("pause", () => {
      if (this.speed <= 0 || video.ended) return;
      this.#setSpeed(0);
      this.#goTo(within(this.#current(), this.count));
    });
    if ("requestVideoFrameCallback" in video) this.#listenToFrames();
    else this.#lookAtTime();
  }

  /** Take the time of the first frame from a video that has not moved yet; then seek. */
  #begin() {
    if (this.#ended || this.#offset !== null) return;
    this.#offset = this.video.paused ? this.video.currentTime : 0;
    const index = this.#wanted;
    this.#wanted = null;
    if (index !== null) this.#seekTo(index);
    else this.#show(this.#current());
  }

  #listenToFrames() {
    const presented = (now, { mediaTime }) => {
      if (this.#ended) return;
      this.#presented(Math.round((mediaTime - (this.#offset ?? 0)) * this.rate));
      this.video.requestVideoFrameCallback(presented);
    };
    this.video.requestVideoFrameCallback(presented);
  }

  #lookAtTime() {
    const look = () => {
      if (this.#ended) return;
      this.#presented(this.#current());
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }

  #presented(index) {
    if (this.video.paused) return;
    const [first, last] = this.bounds;
    if (index >= last && this.range.out !== null) {
      if (!this.isLooping) {
        this.seek(last);
        return;
      }
      this.#seekTo(first);
      index = Math.min(index, last);
    }
    this.#show(index);
  }

  #playBackwards(speed) {
    const began = performance.now();
    const start = this.#index;
    const step = () => {
      const elapsed = (performance.now() - began) / 1000;
      const index = played(start, elapsed, this.rate, speed, this.bounds, this.isLooping);
      if (index === null) {
        this.seek(this.bounds[0]);
        return;
      }
      if (index !== this.#index && !this.video.seeking) this.#goTo(index);
      this.#backwards = requestAnimationFrame(step);
    };
    this.#backwards = requestAnimationFrame(step);
  }
}
