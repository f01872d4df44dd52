// What the modules of a flow's page share: its parts, the axis, and following an address as its own links do.

export { say } from "./say.js";

export const timeline = () => document.getElementById("timeline");
export const grid = () => timeline()?.querySelector("[role=treegrid]");
export const rows = () => [...(timeline()?.querySelectorAll(".row") ?? [])];

// The page's timeline at an address, as htmx would get it; null where the server has none.
export async function fetched(href) {
  const answer = await fetch(href, { headers: { "HX-Request": "true", "HX-Target": "timeline" } });
  if (!answer.ok) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("timeline");
}

// Keys come faster than pages: while one is on its way, the last one asked for waits.
const LONGEST_MS = 15000;
let going = "";
let next = "";

// In place, with Back: a link that htmx follows with the timeline's own settings.
export function go(href) {
  if (!href) return;
  if (going) {
    next = href;
    return;
  }
  going = href;
  const link = document.createElement("a");
  link.href = href;
  link.hidden = true;
  timeline().append(link);
  window.htmx.process(link);
  // An answer that never comes must not hold the keys for good.
  arrived.timer = setTimeout(arrived, LONGEST_MS);
  link.click();
}

export const isGoing = () => going !== "";

function arrived() {
  clearTimeout(arrived.timer);
  const href = next;
  going = next = "";
  go(href);
}

for (const name of ["htmx:afterSettle", "htmx:responseError", "htmx:sendError"]) {
  document.addEventListener(name, (event) => going && event.detail.requestConfig && setTimeout(arrived));
}

// This view, or the one on its way, with some of its parameters changed; null takes one away.
export function address(changes) {
  const found = new URL(next || going || location.href, location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) found.searchParams.delete(name);
    else found.searchParams.set(name, value);
  }
  return found.pathname + found.search;
}

export function segments() {
  const told = grid()?.dataset.axis;
  return (told ? told.split(";") : []).map((part) => {
    const [start, end, left, width, idle] = part.split(":");
    return { start: BigInt(start), end: BigInt(end), left: Number(left), width: Number(width), idle: idle === "1" };
  });
}

// The moment drawn at a place of the axis, in percent of its width; nanoseconds do not fit a Number.
export function timeAt(place) {
  const parts = segments();
  const part = parts.find((one) => place < one.left + one.width) ?? parts.at(-1);
  const share = Math.min(1, Math.max(0, (place - part.left) / part.width));
  return part.start + (part.end - part.start) * BigInt(Math.round(share * 1e6)) / 1000000n;
}

export const isTyping = (target) => target?.closest?.("input, textarea, select, [contenteditable]");
