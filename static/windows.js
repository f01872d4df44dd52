// Scrolling to the end of the rows brings the next window of them, and to their top the one before. The address follows
// the first row that is seen; without scripts the same windows are links.

import { address, fetched, rows, timeline } from "./flowpage.js";

const MOST_ROWS = 1500;
let busy = false;
let settle = 0;

const bar = () => timeline()?.querySelector(".pages");

async function bring(way) {
  const link = bar()?.querySelector(`[data-${way}]`);
  if (busy || !link) return;
  busy = true;
  link.setAttribute("aria-busy", "true");
  try {
    const told = await fetched(link.href);
    // Somebody went elsewhere meanwhile.
    if (told && link.isConnected) join(way, told);
  } catch {
    // The server is away: the next scroll tries again.
  } finally {
    busy = false;
    link.removeAttribute("aria-busy");
  }
}

function join(way, told) {
  const place = timeline().querySelector(".rows");
  const known = new Set(rows().map((row) => row.id));
  const fresh = [...told.querySelectorAll(".row")].filter((row) => !known.has(row.id));
  const all = rows();
  const anchor = way === "next" ? all.at(-1) : all[0];
  const top = anchor.getBoundingClientRect().top;
  if (way === "next") place.append(...fresh);
  else all[0].before(...fresh);
  fresh.forEach((row) => window.htmx.process(row));
  drop(way);
  tell(way, told.querySelector(".pages"));
  window.scrollBy({ top: anchor.getBoundingClientRect().top - top, behavior: "instant" });
  timeline().dataset.grown = "1";
}

// A page of a million rows would not scroll any more: what is far away goes, and comes back the same way.
function drop(way) {
  const all = rows();
  const over = all.length - MOST_ROWS;
  if (over <= 0) return;
  (way === "next" ? all.slice(0, over) : all.slice(-over)).forEach((row) => row.remove());
}

function tell(way, told) {
  const here = bar();
  const count = rows().length;
  const total = Number(told?.dataset.total ?? here.dataset.total);
  let first = Number(here.dataset.first);
  let last = Number(here.dataset.last);
  if (way === "next") {
    last = told ? Number(told.dataset.last) : total;
    renewError(here, told);
    first = last - count + 1;
  } else {
    first = told ? Number(told.dataset.first) : 1;
    last = first + count - 1;
  }
  Object.assign(here.dataset, { first, last, total });
  here.querySelector("span").textContent = `rows ${first.toLocaleString("en")}–${last.toLocaleString("en")} of ${total.toLocaleString("en")}`;
  const counted = timeline().querySelector(".axis [role=columnheader] .soft");
  if (counted) counted.textContent = `${total.toLocaleString("en")} rows, ${first.toLocaleString("en")}–${last.toLocaleString("en")} shown`;
  point(here, "next", last < total ? address({ at: String(last + 1), cursor: null, record: null }) : "");
  point(here, "previous", first > 1 ? address({ at: String(Math.max(1, first - Number(here.dataset.limit))), cursor: null, record: null }) : "");
}

// The next error is the one below all rows that are here.
function renewError(here, told) {
  here.querySelector("[data-next-error]")?.remove();
  const fresh = told?.querySelector("[data-next-error]");
  if (!fresh) return;
  here.append(fresh);
  window.htmx.process(fresh);
}

function point(here, way, href) {
  const link = here.querySelector(`[data-${way}]`);
  if (link && href) link.href = href;
  if (link) link.hidden = !href;
  if (!link && href) {
    const made = document.createElement("a");
    made.href = href;
    made.textContent = way === "next" ? "next rows →" : "← previous rows";
    made.setAttribute(`data-${way}`, "");
    here.append(made);
    window.htmx.process(made);
  }
}

function follow() {
  const here = bar();
  if (!here || !timeline().dataset.grown) return;
  const seen = rows().findIndex((row) => row.getBoundingClientRect().bottom > 60);
  if (seen < 0) return;
  const at = Number(here.dataset.first) + seen;
  history.replaceState(history.state, "", address({ at: at > 1 ? String(at) : null, cursor: null }));
}

let before = window.scrollY;

function scrolled() {
  const all = rows();
  const upwards = window.scrollY < before;
  before = window.scrollY;
  if (!all.length || !bar()) return;
  const height = window.innerHeight;
  if (!upwards && all.at(-1).getBoundingClientRect().bottom < height * 2) bring("next");
  if (upwards && all[0].getBoundingClientRect().top > -height) bring("previous");
  clearTimeout(settle);
  settle = setTimeout(follow, 200);
}

// Rows that fit the screen do not scroll; turning the wheel upwards still asks for those before.
function turned(event) {
  if (event.deltaY < 0 && window.scrollY === 0) bring("previous");
}

// The address says which row is first: that one is shown, wherever the browser had scrolled to in other rows.
function begin() {
  if (location.hash || !new URL(location.href).searchParams.has("at")) return;
  history.scrollRestoration = "manual";
  const axis = document.querySelector(".axis, .twin thead");
  const first = rows()[0];
  if (!first || document.querySelector(".row.open")) return;
  window.scrollTo({ top: first.getBoundingClientRect().top + window.scrollY - (axis?.offsetHeight ?? 0), behavior: "instant" });
}

document.addEventListener("scroll", scrolled, { passive: true });
document.addEventListener("wheel", turned, { passive: true });
// A record that opens or closes changes the address, not the row that is first.
document.addEventListener("htmx:pushedIntoHistory", () => setTimeout(follow));
begin();
