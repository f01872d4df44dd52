// Links that say "copy": with scripts they copy what they lead to, or their own address; without, they lead there.
//   <a href="…?format=txt" data-copies="text">As text</a>      what is there
//   <a href="https://…" data-copies-link>Link to this record</a>    where it leads

import { say } from "./say.js";

// A page that came over plain HTTP may not use the clipboard itself.
function copyByHand(text) {
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus?.({ preventScroll: true });
  return done;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text);
  }
}

// The same page under the address that others reach it by.
export function publicAddress(changes = {}) {
  const base = document.body.dataset.url || location.origin;
  const link = new URL(base.replace(/\/$/, "") + location.pathname + location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) link.searchParams.delete(name);
    else link.searchParams.set(name, value);
  }
  return link.href;
}

async function copyWhatIsThere(link) {
  const answer = await fetch(link.href).catch(() => null);
  if (!answer?.ok) return location.assign(link.href);
  const done = await copy(await answer.text());
  say(done ? `Copied as ${link.dataset.copies}` : "The browser does not let this page copy");
}

async function copyAddress(link) {
  const href = link.dataset.copiesLink || link.href;
  say((await copy(href)) ? "Link copied" : "The browser does not let this page copy");
}

function click(event) {
  // With a key held down a link is opened elsewhere, as any other.
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.("[data-copies], [data-copies-link]");
  if (!link) return;
  event.preventDefault();
  event.stopPropagation();
  const menu = link.closest("details.menu");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus({ preventScroll: true });
  }
  if (link.dataset.copies) copyWhatIsThere(link);
  else copyAddress(link);
}

// What is only of use with scripts appears, and the others say what they do now.
function dress() {
  document.querySelectorAll("[data-copies]:not([data-dressed])").forEach((link) => {
    link.dataset.dressed = "";
    link.textContent = `Copy as ${link.dataset.copies}`;
  });
  document.querySelectorAll("[data-copies-link]:not([data-dressed])").forEach((link) => {
    link.dataset.dressed = "";
    link.hidden = false;
    link.textContent = `Copy ${link.textContent[0].toLowerCase()}${link.textContent.slice(1)}`;
  });
}

document.addEventListener("click", click, true);
for (const name of ["htmx:afterSwap", "htmx:afterSettle"]) document.addEventListener(name, dress);
dress();
