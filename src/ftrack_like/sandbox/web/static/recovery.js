// Media that are not there: say why, offer another size and a new try, and wait for an encoding.

const OFTEN_SECONDS = 2;
const SELDOM_SECONDS = 10;
const OFTEN_TIMES = 60; // then the page asks less often

/** Return the words for the *error* of a medium, and for the *status* of its address (null: no answer). */
export function reasonOf(error, status) {
  if (status === null) return "The server cannot be reached. Check the network.";
  if (status === 404 || status === 410) return "The file of this version is missing on the server.";
  if (status === 401 || status === 403) return "The address of the file is no longer valid.";
  if (status >= 500) return `The server failed to send the file (status ${status}).`;
  if (status >= 400) return `The server refused to send the file (status ${status}).`;
  if (error === 2) return "The connection broke off while the file was loading.";
  if (error === 3) return "This browser cannot decode the file: it is damaged, or its format is not supported.";
  return "This browser does not support the format of the file.";
}

/** Return the status with which the server answers for the file at *url*, null if it does not answer. */
export async function statusOf(url) {
  try {
    const stop = new AbortController();
    const response = await fetch(url, { headers: { Range: "bytes=0-0" }, cache: "no-store", signal: stop.signal });
    stop.abort(); // the first byte is enough
    return response.status;
  } catch {
    return null;
  }
}

/** Return the player at *address* as a new element, null if the server does not answer with one. */
export async function fetchPlayer(address) {
  try {
    const response = await fetch(address, { cache: "no-store" });
    if (!response.ok) return null;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    return page.querySelector("[data-player]");
  } catch {
    return null;
  }
}

/** Show in *notice* that the *medium* failed; *sizes* are {label, url}, *retry* and *use* are called. */
export async function showFailure(notice, medium, { sizes, retry, use }) {
  const error = medium.error?.code ?? 0;
  const reason = reasonOf(error, await statusOf(medium.currentSrc || medium.src));
  const words = document.createElement("p");
  words.className = "nothing";
  words.setAttribute("role", "alert");
  const what = medium.localName === "video" ? "The video cannot be played." : "The picture cannot be shown.";
  words.append(Object.assign(document.createElement("strong"), { textContent: what }), ` ${reason}`);
  const buttons = document.createElement("div");
  buttons.className = "row";
  buttons.append(button("Try again", retry));
  for (const size of sizes) buttons.append(button(`Try ${size.label}`, () => use(size)));
  notice.replaceChildren(words, buttons);
  notice.hidden = false;
}

/** Ask for the player at *address* until it shows more than an encoding; return a function that stops. */
export function waitForEncoding(address, done) {
  let timer = null;
  let asked = 0;
  let isStopped = false;
  const ask = async () => {
    clearTimeout(timer);
    if (!document.hidden) {
      asked += 1;
      const fresh = await fetchPlayer(address);
      if (isStopped) return;
      if (fresh && fresh.dataset.kind !== "encoding") {
        stop();
        done(fresh);
        return;
      }
    }
    clearTimeout(timer);
    timer = setTimeout(ask, (asked < OFTEN_TIMES ? OFTEN_SECONDS : SELDOM_SECONDS) * 1000);
  };
  const seen = () => document.hidden || ask();
  const stop = () => {
    isStopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
  document.addEventListener("visibilitychange", seen);
  timer = setTimeout(ask, OFTEN_SECONDS * 1000);
  return stop;
}

function button(text, run) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.addEventListener("click", run);
  return made;
}
