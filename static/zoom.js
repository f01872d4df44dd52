// Dragging over the overview or the axis zooms to that stretch.

import { onDrag } from "./drag.js";
import { address, go, timeAt } from "./flowpage.js";

function brush(plot) {
  const found = plot.querySelector(".brush");
  if (found) return found;
  const made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  made.setAttribute("class", "brush");
  made.setAttribute("height", "100%");
  plot.append(made);
  return made;
}

onDrag("[data-zoom] > svg", {
  show(plot, low, high) {
    const shown = brush(plot);
    shown.setAttribute("x", `${low * 100}%`);
    shown.setAttribute("width", `${(high - low) * 100}%`);
  },
  hide: (plot) => plot.querySelector(".brush")?.remove(),
  select(_, low, high) {
    const [first, last] = [timeAt(low * 100), timeAt(high * 100)];
    go(address({ from: String(first), to: String(last), cursor: null, at: null }));
  },
});
