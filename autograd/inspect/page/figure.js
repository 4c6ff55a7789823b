"use strict";
// A figure over positions 0 to last() of a horizontal axis, with a cursor that the pointer and the keys move.
//
//   scaleOf(width)     x, with x.place(i) in pixels and x.nearest(pixel)
//   draw(svg, x, width, height), read(i)     what is shown, and what the cursor sees, as words
//   at(), go(i)        where the cursor is; go() must end in update()
//   move(rows, y)      optional: the cursor goes up or down, or is set at a height

function cursorFigure({ title, aside, role, height, scaleOf, last, at, go, move, draw, read }) {
  const readout = element("output", { class: "readout" });
  const plot = element("div", { class: "plot", tabindex: 0, role: role ?? "slider", "aria-label": title });
  const figure = element("figure", {}, element("figcaption", {}, element("h3", {}, title), aside ?? null, readout), plot);
  let x = null;
  let cursor = null;
  const redraw = keepDrawn(plot, (width) => {
    const size = height(width);
    x = scaleOf(width);
    const svg = drawing("svg", { width, height: size, "aria-hidden": "true" });
    plot.replaceChildren(svg);
    draw(svg, x, width, size);
    cursor = drawing("line", { class: "cursor", y1: 0, y2: size - 26 });
    svg.append(cursor);
    update();
  });
  function update() {
    if (!x) return;
    const place = Math.round(x.place(at()));
    cursor.setAttribute("x1", place);
    cursor.setAttribute("x2", place);
    readout.replaceChildren(...read(at()));
    plot.setAttribute("aria-valuenow", at());
    plot.setAttribute("aria-valuemin", 0);
    plot.setAttribute("aria-valuemax", last());
    plot.setAttribute("aria-valuetext", readout.textContent);
  }
  plot.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch" || event.buttons) go(x.nearest(event.offsetX));
  });
  plot.addEventListener("pointerdown", (event) => {
    go(x.nearest(event.offsetX));
    move?.(0, event.offsetY);
  });
  plot.addEventListener("keydown", (event) => {
    const far = Math.max(2, Math.round(last() / 10));
    const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: -far, PageUp: far, Home: -Infinity, End: Infinity }[event.key];
    const rows = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by !== undefined) go(Math.min(last(), Math.max(0, at() + by)));
    else if (rows !== undefined && move) move(rows);
    else return;
    event.preventDefault();
  });
  return { figure, redraw, update };
}
