// Dragging over the chart of a list selects a range of time. A plain click stays the link that a bar is.

const LEAST_PX = 6;

function part(chart, clientX) {
  const box = chart.getBoundingClientRect();
  return Math.min(0.99999, Math.max(0, (clientX - box.left) / box.width));
}

function stretch(chart, at) {
  const hits = chart.querySelectorAll(".hit");
  return hits[Math.floor(at * hits.length)];
}

function show(chart, a, b) {
  const picked = chart.querySelector("[data-picked]");
  picked.setAttribute("x", Math.min(a, b) * 1000);
  picked.setAttribute("width", Math.abs(b - a) * 1000);
}

function select(chart, a, b) {
  const first = stretch(chart, Math.min(a, b));
  const last = stretch(chart, Math.max(a, b));
  const address = new URL(location.href);
  address.searchParams.set("from", first.dataset.from);
  address.searchParams.set("to", last.dataset.to);
  address.searchParams.delete("cursor");
  location.assign(address);
}

let drag = null;

document.addEventListener("pointerdown", (event) => {
  const chart = event.target.closest?.("[data-range]");
  if (!chart || event.button !== 0) return;
  drag = { chart, x: event.clientX, from: part(chart, event.clientX), moved: false };
});

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  drag.moved ||= Math.abs(event.clientX - drag.x) > LEAST_PX;
  if (drag.moved) show(drag.chart, drag.from, part(drag.chart, event.clientX));
});

document.addEventListener("pointerup", (event) => {
  if (!drag) return;
  const { chart, from, moved } = drag;
  drag = null;
  if (!moved) return;
  select(chart, from, part(chart, event.clientX));
  // The click that follows a drag must not open the bar it ends on.
  const stop = (click) => click.preventDefault();
  document.addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => document.removeEventListener("click", stop, { capture: true }), 0);
});

// A link inside an SVG would be dragged as an object.
document.addEventListener("dragstart", (event) => {
  if (event.target.closest?.("[data-range]")) event.preventDefault();
});
