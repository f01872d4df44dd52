// The keys of a flow's page, and the sheet that tells them. Every key does what a link on the page does.

import { copy, publicAddress } from "./copy.js";
import { address, go, isTyping, rows, say, segments, timeAt, timeline } from "./flowpage.js";
import { clickNow } from "./timeline.js";

const NO_COPY = "The browser does not let this page copy";
let lastId = "";

const focused = () => document.activeElement?.closest?.("#timeline .row");
const byId = (id) => (id ? rows().find((row) => row.id === id) : undefined);
const current = () => focused() ?? byId(lastId) ?? timeline()?.querySelector(".row.open") ?? undefined;

function focusInPlace(row) {
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
}

function focusRow(row) {
  if (!row) return false;
  focusInPlace(row);
  row.scrollIntoView({ block: "nearest" });
  return true;
}

function step(by, fits = () => true) {
  const all = rows();
  const from = current();
  let at = from ? all.indexOf(from) + by : by > 0 ? 0 : all.length - 1;
  while (all[at] && !fits(all[at])) at += by;
  return focusRow(all[at]);
}

// The table twin is no grid: its rows say how deep they are, and whether they are open, by data alone.
const level = (row) => Number(row.getAttribute("aria-level") ?? row.dataset.level);
const opened = (row) => row.getAttribute("aria-expanded") ?? row.dataset.open;
const isGroup = (row) => row.matches(".retries, .repeats");
const isChapter = (row) => row.classList.contains("chapter");
// An open chapter fails because of rows below it: those are what is looked for.
const isError = (row) => row.matches(".bad, .holds") && !(isChapter(row) && opened(row) === "true");

const isWhole = () => Number(timeline().querySelector(".pages")?.dataset.first ?? 1) === 1;

function nextError(by) {
  if (step(by, isError)) return;
  const link = by > 0 && timeline().querySelector("[data-next-error]");
  if (link) go(link.href);
  else say(by > 0 ? "No further error below" : `No error above${isWhole() ? "" : " among the rows that are here"}`);
}

const leftOf = (row) => {
  const shape = row.querySelector("svg [x]:not(.wait), svg [cx]");
  return shape ? parseFloat(shape.getAttribute("x") ?? shape.getAttribute("cx")) : 0;
};

function nextGap() {
  const from = current();
  const here = from ? leftOf(from) : -1;
  const gap = segments().find((part) => part.idle && part.left > here);
  const after = gap && rows().find((row) => leftOf(row) >= gap.left + gap.width - 0.01 && !isChapter(row));
  if (!focusRow(after)) say(gap ? "What follows is not among these rows" : "No idle stretch after this row");
}

function fold(row) {
  if (opened(row) === "true") go(row.querySelector("a.twist").href);
  else step(-1, (one) => level(one) < level(row));
}

function unfold(row) {
  if (opened(row) === "false") go(row.querySelector("a.twist").href);
  else if (opened(row) === "true") step(1);
}

function open(row) {
  if (isChapter(row) || isGroup(row)) go(row.querySelector("a.twist")?.href);
  else clickNow(row.querySelector("a.name"));
}

function stretchOf(row) {
  const [from, to] = row.dataset.z.split(",").map(BigInt);
  const start = segments()[0].start;
  return [start + from, start + to];
}

function show(from, to) {
  go(address({ from: String(from), to: String(to), cursor: null, at: null }));
}

function zoomTo(row) {
  const [from, to] = stretchOf(row);
  if (from <= 0n) return say("This row has no time of its own");
  const rim = (to - from) / 20n + 1000n;
  show(from - rim, to + rim);
}

function zoomBy(factor) {
  const parts = segments();
  const [start, end] = [parts[0].start, parts.at(-1).end];
  const row = current();
  const [from, to] = row ? stretchOf(row) : [start, end];
  const middle = (from + to) / 2n;
  const half = factor > 1 ? (end - start) / 4n : end - start;
  show(middle - half - 500n, middle + half + 500n);
}

async function copyLink() {
  const row = current();
  const named = row && !isChapter(row) && !isGroup(row);
  say((await copy(publicAddress(named ? { record: row.id } : {}))) ? "Link copied" : NO_COPY);
}

// A window around a stretch, with the row of it open where it has one.
async function copyMoment(from, to, row) {
  const rim = (to - from) / 20n + 1_000_000_000n;
  const named = row && !isChapter(row) && !isGroup(row);
  const changes = { from: String(from - rim), to: String(to + rim), record: named ? row.id : null, cursor: null, at: null };
  say((await copy(publicAddress(changes))) ? "Link to this moment copied" : NO_COPY);
}

function copyMomentOf(row) {
  const [from, to] = stretchOf(row);
  if (from <= 0n) return say("This row has no time of its own");
  copyMoment(from, to, row);
}

function copyMomentAt(event) {
  const plot = event.target.closest?.("[data-zoom] > svg");
  if (!plot || !event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  const box = plot.getBoundingClientRect();
  const at = timeAt(((event.clientX - box.left) / box.width) * 100);
  copyMoment(at, at);
}

async function copyCsv(event) {
  const answer = await fetch(event.currentTarget.dataset.copyCsv);
  if (!answer.ok) return say("The table could not be read; try the CSV link");
  say((await copy(await answer.text())) ? "Table copied as CSV" : NO_COPY);
}

const seek = (way) => {
  const link = timeline().querySelector(`[data-seek=${way}]`);
  if (link) go(link.href);
  else say(timeline().querySelector("#seek")?.value ? "No further match" : "Nothing is looked for: press f");
};

const onRow = (act) => () => {
  const row = current();
  if (row) act(row);
  else say("Go to a row first: j, k or a click");
};

// The table twin has no axis to zoom or to find idle stretches on.
const onAxis = (act) => () => (segments().length ? act() : say("This key belongs to the timeline: press t"));

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  "]": () => step(1, isChapter) || say("No chapter below"),
  "[": () => step(-1, isChapter) || say("No chapter above"),
  e: () => nextError(1),
  E: () => nextError(-1),
  g: onAxis(nextGap),
  z: onAxis(onRow(zoomTo)),
  0: () => go(address({ from: null, to: null, cursor: null, at: null })),
  "+": onAxis(() => zoomBy(2)),
  "-": onAxis(() => zoomBy(0.5)),
  f: () => timeline().querySelector("#seek")?.select(),
  n: () => seek("next"),
  N: () => seek("previous"),
  c: copyLink,
  C: onAxis(onRow(copyMomentOf)),
  t: () => go(timeline().querySelector("[data-table]")?.href),
  "?": () => document.getElementById("keys").showModal(),
};
// What these keys do elsewhere stays theirs: scrolling, and following a link that has the focus.
const KEYS_OF_ROW = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  ArrowLeft: onRow(fold),
  ArrowRight: onRow(unfold),
  Enter: onRow(open),
};

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !rows().length) return;
  if (document.getElementById("keys").open) return;
  let act = KEYS[event.key];
  const inRow = focused();
  if (inRow && !(event.key === "Enter" && document.activeElement !== inRow)) act ??= KEYS_OF_ROW[event.key];
  // Once a row was gone to, the arrows fold it wherever the focus went since.
  const nowhere = document.activeElement === document.body || document.activeElement?.id === "main";
  if (nowhere && /^Arrow(Left|Right)$/.test(event.key) && current()) act ??= KEYS_OF_ROW[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

// An update redraws the rows: the focus goes back to where it was.
let held = null;

function hold(event) {
  if (event.detail.target?.id !== "timeline") return;
  const active = document.activeElement;
  const row = focused();
  held = row && { id: row.id, twist: active.matches("a.twist"), name: active.matches("a.name") };
}

function giveBack() {
  if (!held) return;
  const row = byId(held.id);
  const part = row && (held.twist ? row.querySelector("a.twist") : held.name ? row.querySelector("a.name") : null);
  if (part) part.focus({ preventScroll: true });
  else if (row) focusInPlace(row);
  held = null;
}

// In the drawer: a value is copied as it is shown, without the signs beside it.
function copyValue(event) {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  copy(button.parentElement.firstChild.textContent.trim()).then(() => {
    button.focus({ preventScroll: true });
    say("Copied");
  });
}

// A find box is left by Enter, to the first match, and by Esc; then the keys are keys again.
let sought = false;

function leaveBox(event) {
  if (event.key !== "Escape" || !event.target.matches?.("#seek, #find")) return;
  event.target.blur();
  event.stopPropagation();
}

function toFirstMatch() {
  if (!sought) return;
  sought = false;
  document.activeElement?.blur?.();
  focusRow(timeline()?.querySelector(".row.hit"));
}

// The row is the target, not its name alone; its links stay links, and text can be marked.
function clickRow(event) {
  const row = event.target.closest?.("#timeline .row");
  if (!row || event.target.closest("a, button") || !document.getSelection().isCollapsed) return;
  focusInPlace(row);
}

function dress() {
  document.querySelectorAll("#record [data-copy][hidden]").forEach((button) => (button.hidden = false));
  const show = (name, act) => {
    const button = timeline()?.querySelector(name);
    if (!button || !button.hidden) return;
    button.hidden = false;
    button.addEventListener("click", act);
  };
  show("[data-keys]", KEYS["?"]);
  show("[data-copy-link]", copyLink);
  show("[data-copy-csv]", copyCsv);
  // With the drawer open beside the rows, its row is where the keys go on from.
  const marked = timeline()?.querySelector(".row.open");
  if (marked) lastId = marked.id;
}

function goToOpened() {
  const row = timeline()?.querySelector(".row.open");
  if (!row) return;
  const box = row.getBoundingClientRect();
  const record = document.getElementById("record");
  // On a narrow screen the record lies over the lower rows; the row it is of stays above it.
  const over = record?.firstElementChild && getComputedStyle(record).position === "fixed";
  const floor = over ? record.getBoundingClientRect().top : window.innerHeight;
  if (box.top < 60 || box.bottom > floor) window.scrollBy({ top: box.top - floor / 2, behavior: "instant" });
}

// The form of a note stands far from the row it is for: it is seen whole at once, and the caret stands in it.
function goToNote() {
  const panel = document.querySelector("#note[open] > div");
  if (!panel) return false;
  panel.scrollIntoView({ block: "nearest", behavior: "instant" });
  panel.querySelector("textarea")?.focus({ preventScroll: true });
  return true;
}

const asksForNote = (href) => new URL(href, location.href).searchParams.has("note");

// A menu that is opened at the lower edge is seen; a note's form that is closed is no longer asked for by the address.
function toggled({ target }) {
  if (!target.matches?.("#timeline details.say")) return;
  if (target.open && target.contains(document.activeElement)) {
    target.querySelector(":scope > div").scrollIntoView({ block: "nearest", behavior: "instant" });
  }
  if (!target.open && target.id === "note" && asksForNote(location.href)) {
    history.replaceState(history.state, "", address({ note: null }));
  }
}

document.addEventListener("toggle", toggled, true);
document.addEventListener("keydown", press);
document.addEventListener("keydown", leaveBox, true);
document.addEventListener("submit", (event) => (sought ||= event.target.matches(".seek")), true);
document.addEventListener("click", copyValue);
document.addEventListener("click", copyMomentAt, true);
document.addEventListener("click", clickRow);
document.addEventListener("htmx:afterSwap", (event) => {
  dress();
  if (event.detail.target?.id === "record") goToOpened();
});
document.addEventListener("focusin", () => {
  const row = focused();
  if (row) lastId = row.id;
});
document.addEventListener("htmx:beforeSwap", hold);
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id !== "timeline" && event.detail.elt?.id !== "timeline") return;
  giveBack();
  dress();
  toFirstMatch();
  const path = event.detail.requestConfig?.path ?? "";
  if (path && asksForNote(path) && goToNote()) return;
  if (path.includes("record=")) goToOpened();
});
dress();
// The address names the note's place, which the browser goes to while it loads.
if (!asksForNote(location.href) || !goToNote()) goToOpened();
else if (document.readyState !== "complete") window.addEventListener("load", goToNote, { once: true });
