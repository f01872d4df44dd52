// While a flow is looked at, what is stored of it arrives: rows being read stay where they are, and a quiet mark says
// what came above or below them. The page asks for a short text first, and for rows only where that changed.

import { fetched, isGoing, isTyping, rows, timeline } from "./flowpage.js";

const FIRST_MS = 1000;
const TROUBLED_MS = 5000;
const LONGEST_MS = 10000;
let timer = 0;
let patience = FIRST_MS;
let onTheWay = 0;

const header = () => document.querySelector(".axis")?.getBoundingClientRect().bottom ?? 0;
const isSeen = (row) => row.getBoundingClientRect().bottom > Math.max(0, header());

function again(ms) {
  clearTimeout(timer);
  timer = setTimeout(ask, ms);
}

// Somebody types, reads a menu or marks text: an update would take that away.
function isBusy() {
  const here = timeline();
  const seek = here.querySelector("#seek");
  const selection = document.getSelection();
  return (
    (isTyping(document.activeElement) && here.contains(document.activeElement) && seek?.value !== seek?.defaultValue) ||
    here.querySelector("details.menu[open], .brush") !== null ||
    (selection && !selection.isCollapsed && here.contains(selection.anchorNode))
  );
}

async function ask() {
  const here = timeline();
  if (!here?.dataset.pulse) return again(FIRST_MS);
  if (document.hidden) return; // visibilitychange asks again
  try {
    const answer = await fetch(here.dataset.pulseHref, { headers: { Accept: "application/json" } });
    if (answer.status === 401) return location.reload(); // signed out: the page leads to signing in, and back
    if (!answer.ok) return again(TROUBLED_MS);
    const told = await answer.json();
    if (told.pulse !== here.dataset.pulse && !isBusy()) await update();
    // A large flow is shown as it was while it is read anew: then it is asked for again, less and less often.
    const isNew = timeline()?.dataset.pulse === told.pulse;
    patience = isNew || isBusy() ? told.again_ms : Math.min(patience * 2, LONGEST_MS);
    again(patience);
  } catch {
    again(TROUBLED_MS); // the server is away; what is shown stays
  }
}

const isLeaving = () => onTheWay > 0 || isGoing();

async function update() {
  const path = location.pathname + location.search;
  if (isLeaving()) return;
  const told = await fetched(path);
  // Somebody went on meanwhile: what they asked for comes, and this is old.
  if (!told || isLeaving() || isBusy() || path !== location.pathname + location.search) return;
  if (told.dataset.pulse !== timeline().dataset.pulse) replace(told);
}

// Where the focus is within what is replaced: a link is known by what it says, its numbers aside.
const words = (one) => one.textContent.replace(/[\d,.]+/g, "");

function focusHeld(before) {
  const active = document.activeElement;
  if (!before.contains(active) || active.closest(".row")) return () => {};
  const { id, tagName, className } = active;
  const said = words(active);
  return (after) => {
    const same = [...after.querySelectorAll(tagName)].find(
      (one) => one.className === className && words(one) === said,
    );
    const kept = active.isConnected ? active : (id && document.getElementById(id)) || same;
    kept?.focus({ preventScroll: true });
  };
}

function replace(told) {
  const before = timeline();
  if (before.dataset.grown) return keepRows(before, told);
  const known = new Set(rows().map((row) => row.id));
  const anchor = document.activeElement?.closest?.("#timeline .row") ?? rows().find(isSeen);
  const top = anchor?.getBoundingClientRect().top;
  const giveBack = focusHeld(before);
  const record = before.querySelector("#record");
  const read = record?.scrollTop ?? 0;
  document.dispatchEvent(new CustomEvent("htmx:beforeSwap", { detail: { target: before } }));
  // The open record stays as it is read: scrolled, with what was unfolded.
  const fresh = told.querySelector("#record");
  if (record && fresh && record.childElementCount && fresh.childElementCount) fresh.replaceWith(record);
  before.replaceWith(told);
  window.htmx.process(told);
  if (record?.isConnected) record.scrollTop = read;
  document.dispatchEvent(new CustomEvent("htmx:afterSettle", { detail: { target: told } }));
  const same = anchor && document.getElementById(anchor.id);
  if (same && top !== undefined) window.scrollBy({ top: same.getBoundingClientRect().top - top, behavior: "instant" });
  giveBack(told);
  announce(rows().filter((row) => !known.has(row.id)));
}

// Several windows were scrolled through: the rows stay, the head is renewed, and the mark leads to the rows.
function keepRows(before, told) {
  const giveBack = focusHeld(before);
  for (const part of [".answer", ".bar-tools"]) before.querySelector(part)?.replaceWith(told.querySelector(part));
  before.dataset.pulse = told.dataset.pulse;
  window.htmx.process(before);
  giveBack(before);
  show("new rows: show them", () => location.reload());
}

function announce(fresh) {
  if (!fresh.length) return;
  fresh.forEach((row) => row.classList.add("fresh"));
  const below = fresh.filter((row) => row.getBoundingClientRect().top > window.innerHeight - 40);
  const above = fresh.filter((row) => !isSeen(row));
  if (below.length) show(`${below.length} new below`, () => below[0].scrollIntoView({ block: "center" }));
  else if (above.length) show(`${above.length} new above`, () => above[0].scrollIntoView({ block: "center" }));
}

function show(text, act) {
  document.getElementById("fresh")?.remove();
  const mark = document.createElement("button");
  mark.type = "button";
  mark.id = "fresh";
  mark.className = "fresh-mark";
  mark.textContent = text;
  mark.setAttribute("aria-live", "polite");
  mark.addEventListener("click", () => {
    mark.remove();
    act();
  });
  document.body.append(mark);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) again(0);
});
// What htmx has on its way: an update in between would take its place away.
document.addEventListener("htmx:beforeRequest", () => (onTheWay += 1));
document.addEventListener("htmx:afterRequest", () => (onTheWay = Math.max(0, onTheWay - 1)));
// Another view of the flow was gone to: what its page says is what is known.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id === "timeline") document.getElementById("fresh")?.remove();
});
again(FIRST_MS);
