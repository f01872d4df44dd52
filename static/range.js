// Dragging over the chart of a list selects a range of time.

import { onDrag } from "./drag.js";

function bar(chart, share) {
  const hits = chart.querySelectorAll(".hit");
  return hits[Math.min(hits.length - 1, Math.floor(share * hits.length))];
}

function show(chart, low, high) {
  const picked = chart.querySelector("[data-picked]");
  picked.setAttribute("x", low * 1000);
  picked.setAttribute("width", (high - low) * 1000);
}

onDrag("[data-range]", {
  show,
  hide: (chart) => show(chart, 0, 0),
  select(chart, low, high) {
    const address = new URL(location.href);
    address.searchParams.set("from", bar(chart, low).dataset.from);
    address.searchParams.set("to", bar(chart, high).dataset.to);
    address.searchParams.delete("cursor");
    location.assign(address);
  },
});
