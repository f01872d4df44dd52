// While Now is looked at, it stays true: its part is asked for again every ten seconds, but never under somebody who
// fills in a form, marks text or has turned away. What does not come is said: an old page would look calm.

const EVERY_MS = 10000;
const STALE_MS = 25000;
const SLACK_MS = 500; // a timer may be early
let heard = Date.now();

const now = () => document.getElementById("now");

function isBusy() {
  const selection = document.getSelection();
  return (
    now().querySelector("details.act[open]") !== null ||
    (selection && !selection.isCollapsed && now().contains(selection.anchorNode))
  );
}

// What was unfolded, and where the focus was: a link is known by its address, all else by its id.
function held() {
  const open = [...now().querySelectorAll("details[open]")].map((one) => one.id);
  const active = document.activeElement;
  const inside = now().contains(active) && active;
  const address = inside && active.getAttribute("href");
  const parent = inside && active.tagName === "SUMMARY" && active.parentElement.id;
  return () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (!inside || active.isConnected) return;
    const same = parent
      ? document.querySelector(`#${CSS.escape(parent)} > summary`)
      : [...now().querySelectorAll("a[href]")].find((one) => one.getAttribute("href") === address);
    same?.focus({ preventScroll: true });
  };
}

function tell() {
  const stale = document.getElementById("stale");
  stale.hidden = Date.now() - heard < STALE_MS || isBusy();
  if (!stale.hidden) document.getElementById("heard").textContent = new Date(heard).toLocaleTimeString();
}

async function ask() {
  if (document.hidden || isBusy() || Date.now() - heard < EVERY_MS - SLACK_MS) return;
  let giveBack = () => {};
  const before = () => (giveBack = held());
  document.addEventListener("htmx:beforeSwap", before, { once: true });
  await window.htmx.ajax("GET", location.pathname + location.search, { target: "#now", swap: "innerHTML" }).catch(() => {});
  document.removeEventListener("htmx:beforeSwap", before);
  giveBack();
  tell();
}

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target === now()) heard = Date.now();
});
document.addEventListener("visibilitychange", ask);
setInterval(() => ask().finally(tell), EVERY_MS);
