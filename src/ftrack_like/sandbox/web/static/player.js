// A player that works in frames: stepping, speed, a scrubber and keys.

const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2];

/** Start a player in the element *root* and return it. Only movies have frames. */
export function createPlayer(root) {
  const video = root.querySelector("video");
  const picture = root.querySelector(".picture");
  fit(picture, Number(root.dataset.width) / Number(root.dataset.height));
  if (!video) return stillPlayer(root, picture);
  return moviePlayer(root, picture, video);
}

function fit(picture, ratio) {
  if (picture && ratio > 0) picture.style.setProperty("--ratio", String(ratio));
}

function stillPlayer(root, picture) {
  const image = root.querySelector("img");
  if (image) {
    const measure = () => fit(picture, image.naturalWidth / image.naturalHeight);
    image.addEventListener("load", measure);
    if (image.complete) measure();
  }
  return { root, video: null, frame: () => null, seek() {}, pause() {}, onFrame() {} };
}

function moviePlayer(root, picture, video) {
  const rate = Number(root.dataset.frameRate) || 24;
  const first = Number(root.dataset.firstFrame) || 0;
  const scrubber = root.querySelector("[data-scrubber]");
  const readout = root.querySelector("[data-readout]");
  const speed = root.querySelector("[data-speed]");
  const listeners = [];
  let index = 0;
  let told = null;

  const count = () => {
    const said = Number(root.dataset.lastFrame) - first + 1;
    return said > 1 || !Number.isFinite(video.duration) ? Math.max(said, 1) : Math.max(Math.round(video.duration * rate), 1);
  };

  function show(newIndex) {
    index = Math.min(Math.max(newIndex, 0), count() - 1);
    scrubber.max = String(count() - 1);
    scrubber.value = String(index);
    scrubber.setAttribute("aria-valuetext", `Frame ${first + index}`);
    readout.textContent = `${first + index} / ${first + count() - 1} · ${clock(index / rate)}`;
    if (told !== index) {
      told = index;
      for (const listener of listeners) listener(first + index);
    }
  }

  function seekIndex(newIndex) {
    video.pause();
    const target = Math.min(Math.max(newIndex, 0), count() - 1);
    // Seek to the middle of a frame, so that rounding errors cannot select a neighbour.
    video.currentTime = (target + 0.5) / rate;
    show(target);
  }

  const current = () => Math.floor(video.currentTime * rate + 0.001);

  // Some browsers report the presented frame. For the others, compute it from the time.
  if ("requestVideoFrameCallback" in video) {
    const presented = (now, data) => {
      if (!video.paused) show(Math.round(data.mediaTime * rate));
      video.requestVideoFrameCallback(presented);
    };
    video.requestVideoFrameCallback(presented);
  } else {
    const look = () => {
      if (!video.paused) show(current());
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }

  const actions = {
    play: () => (video.paused ? play() : video.pause()),
    first: () => seekIndex(0),
    last: () => seekIndex(count() - 1),
    back: (step = 1) => seekIndex(index - step),
    forward: (step = 1) => seekIndex(index + step),
    loop: (button) => press(button, (video.loop = !video.loop)),
    mute: () => (video.muted = !video.muted),
    fullscreen: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.()),
    slower: () => choose(-1),
    faster: () => choose(1),
  };

  function play() {
    if (index >= count() - 1) video.currentTime = 0;
    video.play().catch(() => {});
  }

  function choose(step) {
    const place = SPEEDS.indexOf(Number(speed.value)) + step;
    speed.value = String(SPEEDS[Math.min(Math.max(place, 0), SPEEDS.length - 1)]);
    video.playbackRate = Number(speed.value);
  }

  video.addEventListener("play", () => state("is-playing", true, "Pause"));
  video.addEventListener("pause", () => {
    state("is-playing", false, "Play");
    show(current());
  });
  video.addEventListener("ended", () => show(count() - 1));
  video.addEventListener("loadedmetadata", () => {
    fit(picture, video.videoWidth / video.videoHeight);
    show(current());
  });
  video.addEventListener("volumechange", () => {
    root.classList.toggle("is-muted", video.muted);
    press(root.querySelector("[data-act=mute]"), video.muted);
  });
  video.addEventListener("click", actions.play);
  scrubber.addEventListener("input", () => seekIndex(Number(scrubber.value)));
  speed.addEventListener("change", () => (video.playbackRate = Number(speed.value)));
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    if (button && button.dataset.act in actions) {
      const needsButton = button.dataset.act === "loop";
      actions[button.dataset.act](needsButton ? button : undefined);
    }
  });

  function state(name, on, label) {
    root.classList.toggle(name, on);
    root.querySelector("[data-act=play]").setAttribute("aria-label", label);
  }

  listenToKeys(root, actions);
  if (video.readyState >= 1) {
    fit(picture, video.videoWidth / video.videoHeight);
    show(current());
  }
  return {
    root,
    video,
    frame: () => first + index,
    seek: (frame) => seekIndex(frame - first),
    pause: () => video.pause(),
    onFrame: (listener) => listeners.push(listener),
  };
}

function listenToKeys(root, actions) {
  const keys = {
    " ": () => actions.play(),
    k: () => actions.play(),
    ArrowLeft: (event) => actions.back(event.shiftKey ? 10 : 1),
    ArrowRight: (event) => actions.forward(event.shiftKey ? 10 : 1),
    Home: () => actions.first(),
    End: () => actions.last(),
    "[": () => actions.slower(),
    "]": () => actions.faster(),
    l: () => actions.loop(root.querySelector("[data-act=loop]")),
    m: () => actions.mute(),
    f: () => actions.fullscreen(),
  };
  document.addEventListener("keydown", (event) => {
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || isTyping(event)) return;
    event.preventDefault();
    action(event);
  });
}

/** Return whether the key of *event* belongs to the element that has the focus. */
export function isTyping(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.target;
  if (target.closest("textarea, select, [contenteditable]")) return true;
  const input = target.closest("input");
  if (input) return input.type !== "range" || event.key === "Home" || event.key === "End" || event.key.startsWith("Arrow");
  return event.key === " " && target.closest("button, a, summary") !== null;
}

export function press(button, on) {
  button?.setAttribute("aria-pressed", String(Boolean(on)));
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - minutes * 60).toFixed(2).padStart(5, "0")}`;
}
