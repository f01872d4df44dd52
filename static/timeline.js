// What a flow's page does beyond its links: the opened row stays marked, Esc closes the record.
// Rows, folds and records are links that htmx follows in place; without scripts they load as pages.

const drawer = () => document.getElementById("record");

function markOpened(link) {
  document.querySelectorAll(".row.open").forEach((row) => row.classList.remove("open"));
  link?.closest(".row")?.classList.add("open");
}

function follow(event) {
  if (event.defaultPrevented && event.type === "click") return;
  const link = event.target.closest?.(".row a.name, .drawer a.shut");
  if (link) markOpened(link.matches(".shut") ? null : link);
}

// What has just come is made htmx's own a moment later; a key may be faster, and would load a page.
export function clickNow(link) {
  if (!link) return;
  window.htmx.process(link.closest("#record, .row") ?? link);
  link.click();
}

function close(event) {
  if (document.getElementById("keys")?.open || event.key !== "Escape" || event.target.closest?.("input, textarea, select")) return;
  const menu = document.querySelector("details.menu[open]");
  if (menu) menu.open = false;
  else clickNow(drawer()?.querySelector("a.shut"));
}

document.addEventListener("click", follow, true);
document.addEventListener("keydown", close);
