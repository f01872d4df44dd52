// Dragging over a plot selects a stretch of it, told as shares of its width. A plain click stays the link that a bar is,
// and Esc lets go.

const LEAST_PX = 6;
let drag = null;

function share(plot, clientX) {
  const box = plot.getBoundingClientRect();
  return Math.min(1, Math.max(0, (clientX - box.left) / box.width));
}

const stretch = (clientX) => {
  const to = share(drag.plot, clientX);
  return [Math.min(drag.from, to), Math.max(drag.from, to)];
};

// The click that follows a drag must not open the bar it ends on.
function withoutClick(act) {
  const stop = (click) => {
    click.preventDefault();
    click.stopPropagation();
  };
  document.addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => {
    document.removeEventListener("click", stop, { capture: true });
    act();
  }, 0);
}

// `show(plot, low, high)` draws what is dragged over, `hide(plot)` takes it away, `select(plot, low, high)` acts on it.
export function onDrag(selector, { show, hide, select }) {
  const end = () => {
    if (drag) hide(drag.plot);
    drag = null;
  };

  document.addEventListener("pointerdown", (event) => {
    const plot = event.target.closest?.(selector);
    if (!plot || event.button !== 0) return;
    drag = { plot, x: event.clientX, from: share(plot, event.clientX), moved: false };
  });

  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.moved ||= Math.abs(event.clientX - drag.x) > LEAST_PX;
    if (drag.moved) show(drag.plot, ...stretch(event.clientX));
  });

  document.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { plot, moved } = drag;
    const found = stretch(event.clientX);
    end();
    if (moved) withoutClick(() => select(plot, ...found));
  });

  document.addEventListener("pointercancel", end);
  const letGo = (event) => {
    if (event.key !== "Escape" || !drag) return;
    event.stopPropagation();
    end();
  };
  document.addEventListener("keydown", letGo, true);
  // A link inside an SVG would be dragged as an object.
  document.addEventListener("dragstart", (event) => event.target.closest?.(selector) && event.preventDefault());
}
