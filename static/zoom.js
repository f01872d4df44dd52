// Dragging over the overview or the axis zooms to that stretch. A plain click stays the link that a bar is.

import { address, go, timeAt } from "./flowpage.js";

const LEAST_PX = 6;
let drag = null;

function place(plot, clientX) {
  const box = plot.getBoundingClientRect();
  return Math.min(100, Math.max(0, ((clientX - box.left) / box.width) * 100));
}

function brush(plot) {
  const found = plot.querySelector(".brush");
  if (found) return found;
  const made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  made.setAttribute("class", "brush");
  made.setAttribute("height", "100%");
  plot.append(made);
  return made;
}

document.addEventListener("pointerdown", (event) => {
  const plot = event.target.closest?.("[data-zoom] > svg");
  if (!plot || event.button !== 0) return;
  drag = { plot, x: event.clientX, from: place(plot, event.clientX), moved: false };
});

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  drag.moved ||= Math.abs(event.clientX - drag.x) > LEAST_PX;
  if (!drag.moved) return;
  const to = place(drag.plot, event.clientX);
  const shown = brush(drag.plot);
  shown.setAttribute("x", `${Math.min(drag.from, to)}%`);
  shown.setAttribute("width", `${Math.abs(to - drag.from)}%`);
});

function end() {
  drag?.plot.querySelector(".brush")?.remove();
  drag = null;
}

document.addEventListener("pointerup", (event) => {
  if (!drag) return;
  const { plot, from, moved } = drag;
  const to = place(plot, event.clientX);
  end();
  if (!moved) return;
  const [first, last] = [timeAt(Math.min(from, to)), timeAt(Math.max(from, to))];
  // The click that follows a drag must not open the bar it ends on.
  const stop = (click) => {
    click.preventDefault();
    click.stopPropagation();
  };
  document.addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => {
    document.removeEventListener("click", stop, { capture: true });
    go(address({ from: String(first), to: String(last), cursor: null, at: null }));
  }, 0);
});

document.addEventListener("pointercancel", end);
document.addEventListener("keydown", (event) => event.key === "Escape" && drag && (event.stopPropagation(), end()), true);
// A link inside an SVG would be dragged as an object.
document.addEventListener("dragstart", (event) => {
  if (event.target.closest?.("[data-zoom]")) event.preventDefault();
});
