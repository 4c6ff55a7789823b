"use strict";
// Scales, ticks, and what keeps a figure as wide as its place.

// Calls draw(width) now, and again when the width or the colour scheme changes.
function keepDrawn(place, draw) {
  let drawn = 0;
  const again = (width) => {
    drawn = width;
    draw(width);
  };
  new ResizeObserver(() => {
    const width = Math.floor(place.clientWidth);
    if (width > 0 && width !== drawn) again(width);
  }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn && again(drawn));
  return () => drawn && draw(drawn);
}

const isNarrow = (width) => width < 560;

// The gutter left of the time axis, the same for all figures, so that a step is at the same place in each.
const gutterOf = (width) => (isNarrow(width) ? 44 : 232);

function linearScale(low, high, from, to) {
  if (low === high) high = low + 1;
  const scale = (x) => from + ((x - low) / (high - low)) * (to - from);
  scale.ticks = (most) => {
    const rough = (high - low) / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((m) => m * power >= rough) * power;
    const list = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) list.push(i * step || 0);
    return list;
  };
  scale.text = short;
  return scale;
}

// A logarithmic scale over whole decades. Zeros have a place of their own, below all decades.
function logScale(values, from, to) {
  let low = Infinity;
  let high = -Infinity;
  let zero = false;
  for (const x of values) {
    if (x > 0 && x < low) low = x;
    if (x > 0 && x > high) high = x;
    if (x === 0) zero = true;
  }
  if (low > high) [low, high] = [0.1, 1];
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  const floor = zero ? Math.sign(from - to) * -22 : 0;
  const scale = (x) =>
    x > 0 ? from + floor + ((Math.log10(x) - first) / (last - first)) * (to - from - floor) : from;
  scale.ticks = (most) => {
    const span = last - first;
    const step = [1, 2, 3, 5, 10, 20, 50, 100].find((s) => span / s <= most) ?? 200;
    const list = zero ? [0] : [];
    for (let e = Math.ceil(first / step) * step; e <= last; e += step) list.push(10 ** e);
    return list;
  };
  scale.text = (x) => (x === 0 ? "0" : decade(Math.round(Math.log10(x))));
  return scale;
}

// The path of a curve; it breaks where there is no number.
function curve(xs, ys, x, y) {
  let path = "";
  let broken = true;
  for (let i = 0; i < xs.length; ++i) {
    if (!isNumber(ys[i])) {
      broken = true;
      continue;
    }
    path += `${broken ? "M" : "L"}${x(xs[i]).toFixed(1)} ${y(ys[i]).toFixed(1)}`;
    broken = false;
  }
  return path;
}

function verticalAxis(y, left, right, most) {
  return y.ticks(most).flatMap((tick) => [
    drawing("line", { class: "grid", x1: left, x2: right, y1: Math.round(y(tick)), y2: Math.round(y(tick)) }),
    drawing("text", { x: left - 10, y: y(tick) + 4, "text-anchor": "end" }, y.text(tick)),
  ]);
}

function horizontalAxis(x, top, left, right, most, name) {
  return [
    x.ticks(most).filter(Number.isInteger).map((tick) => [
      drawing("line", { class: "axis", x1: Math.round(x(tick)), x2: Math.round(x(tick)), y1: top, y2: top + 4 }),
      drawing("text", { x: x(tick), y: top + 18, "text-anchor": "middle" }, grouped(tick)),
    ]),
    drawing("text", { x: left - 10, y: top + 18, "text-anchor": "end" }, name),
  ].flat(2);
}
