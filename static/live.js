// While a flow is looked at, what is stored of it arrives: rows being read stay where they are, and a quiet mark says
// what came above or below them. The page asks for a short text first, and for rows only where that changed.

import { isTyping, rows, timeline } from "./flowpage.js";

const FIRST_MS = 1000;
const TROUBLED_MS = 5000;
let timer = 0;
let pulse = timeline()?.dataset.pulse ?? "";

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
    if (!answer.ok) return again(TROUBLED_MS);
    const told = await answer.json();
    if (told.pulse !== here.dataset.pulse && told.pulse !== pulse && !isBusy()) await update(told.pulse);
    again(told.again_ms);
  } catch {
    again(TROUBLED_MS); // the server is away; what is shown stays
  }
}

async function update(next) {
  const path = location.pathname + location.search;
  const answer = await fetch(path, { headers: { "HX-Request": "true", "HX-Target": "timeline" } });
  if (!answer.ok || path !== location.pathname + location.search || isBusy()) return;
  const told = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("timeline");
  if (!told) return;
  pulse = next;
  replace(told);
}

function replace(told) {
  const before = timeline();
  if (before.querySelectorAll(".rows").length && before.dataset.grown) return keepRows(before, told);
  const known = new Set(rows().map((row) => row.id));
  const anchor = document.activeElement?.closest?.("#timeline .row") ?? rows().find(isSeen);
  const top = anchor?.getBoundingClientRect().top;
  const active = document.activeElement?.id ?? "";
  const record = before.querySelector("#record");
  const mark = { target: told, id: active };
  document.dispatchEvent(new CustomEvent("htmx:beforeSwap", { detail: { target: before } }));
  // The open record stays as it is read: scrolled, with what was unfolded.
  const fresh = told.querySelector("#record");
  if (record && fresh && record.childElementCount && fresh.childElementCount) fresh.replaceWith(record);
  before.replaceWith(told);
  window.htmx.process(told);
  document.dispatchEvent(new CustomEvent("htmx:afterSettle", { detail: { target: told } }));
  const same = anchor && document.getElementById(anchor.id);
  if (same && top !== undefined) window.scrollBy({ top: same.getBoundingClientRect().top - top, behavior: "instant" });
  if (active && !document.activeElement?.closest?.(".row")) document.getElementById(active)?.focus({ preventScroll: true });
  announce(rows().filter((row) => !known.has(row.id)));
  return mark;
}

// Several windows were scrolled through: the rows stay, the head is renewed, and the mark leads to the rows.
function keepRows(before, told) {
  for (const part of [".answer", ".bar-tools"]) before.querySelector(part)?.replaceWith(told.querySelector(part));
  before.dataset.pulse = told.dataset.pulse;
  window.htmx.process(before);
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
// Another view of the flow was gone to: what its page says is what is known.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id === "timeline") document.getElementById("fresh")?.remove();
});
again(FIRST_MS);
