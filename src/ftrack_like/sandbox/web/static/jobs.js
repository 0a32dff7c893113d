// Show the latest jobs of the viewer, and follow them.
//
// The page asks for the list again and again: often while a job is not finished or an action has just
// run, else seldom. Events would not tell everything: those about jobs of which another user is the
// author do not reach everybody.

import { localTimes } from "./times.js";
import { refresh } from "./regions.js";

const PAGE = "/browse/jobs";
const OFTEN_SECONDS = 1;
const SELDOM_SECONDS = 15;
const EAGER_SECONDS = 30;

let eagerUntil = 0;
let timer = null;

/** Ask now, and often for a while, because something has begun. */
export function followJobs() {
  eagerUntil = Date.now() + EAGER_SECONDS * 1000;
  ask();
}

async function ask() {
  clearTimeout(timer);
  if (!document.hidden) {
    await refresh(() => localTimes(), location.pathname === PAGE ? location.href : PAGE);
    show();
  }
  clearTimeout(timer);
  const unfinished = document.querySelector("#jobs :is([data-status=queued], [data-status=running])");
  const often = unfinished || Date.now() < eagerUntil;
  timer = setTimeout(ask, (often ? OFTEN_SECONDS : SELDOM_SECONDS) * 1000);
}

function show() {
  const section = document.querySelector("[data-jobs]");
  if (section) section.hidden = !document.querySelector("#jobs [data-job]");
}

document.addEventListener("visibilitychange", () => document.hidden || ask());
ask();
