"use strict";
// What all figures are made of: text, colours, axes, and a cursor that moves over them.

// Numbers as text; elements from text. Strings of the data reach the page through text nodes and attributes
// alone, so that no name of a module or a file can be markup.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined));
  return made;
}

function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  made.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined));
  return made;
}

// What JSON cannot say, NaN and infinity, comes as null.
const isNumber = (x) => typeof x === "number" && Number.isFinite(x);

// Three digits that mean something: 0.0312, 4.17, 1.2e-9.
function short(x) {
  if (!isNumber(x)) return "not finite";
  const size = Math.abs(x);
  if (x === 0) return "0";
  if (size < 1e-3 || size >= 1e6) return x.toExponential(2).replace("e+", "e");
  if (Number.isInteger(x)) return grouped(x);
  if (size >= 1000) return grouped(Math.round(x));
  return x.toPrecision(3);
}

const grouped = (x) => x.toLocaleString("en-US", { maximumFractionDigits: 0 });

// 100 % is all of it.
function percent(x) {
  if (!isNumber(x)) return "not finite";
  if (x > 0.99 && x < 1) return `${Math.min(99.99, 100 * x).toFixed(2)}\u00a0%`;
  return `${(100 * x).toFixed(x > 0 && x < 0.1 ? 1 : 0)}\u00a0%`;
}

// 1,536 bytes is 1.54 kB: powers of ten, as drives and networks count.
function scaled(x, step, units) {
  if (!isNumber(x)) return "–";
  let i = 0;
  while (Math.abs(x) >= step && i + 1 < units.length) {
    x /= step;
    ++i;
  }
  return `${i === 0 ? grouped(x) : x >= 1000 ? grouped(x) : x.toPrecision(3)}\u00a0${units[i]}`;
}
const bytes = (x) => scaled(x, 1000, ["B", "kB", "MB", "GB", "TB"]);
const duration = (ns) => scaled(ns, 1000, ["ns", "µs", "ms", "s"]);
const operations = (x) => scaled(x, 1000, ["", "k", "M", "G", "T"]).trim();
const count = (x) => (x >= 1e6 ? scaled(x, 1000, ["", "k", "M", "G"]) : grouped(x));
const plural = (n, word) => `${grouped(n)} ${word}${n === 1 ? "" : "s"}`;
const shaped = (shape) => (Array.isArray(shape) ? `[${shape.join(", ")}]` : String(shape ?? ""));

const decade = (exponent) =>
  exponent >= -2 && exponent <= 3 ? String(Number(Math.pow(10, exponent).toPrecision(1))) : `1e${exponent}`;

// One scale of colour for quantities. It is computed in Oklab (Ottosson 2020), where lightness is what the
// eye takes for lightness: equal steps look equal, and the order survives in grey and without colour vision.

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

function fromOklch(lightness, chroma, hue) {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((x) => {
    const clipped = Math.min(1, Math.max(0, x));
    return Math.round(255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055));
  });
}

// 256 colours from nearly paper (small) to nearly ink (large); blue, the large ones a little violet.
function quantityColours() {
  const dark = isDark();
  const list = [];
  for (let i = 0; i < 256; ++i) {
    const share = i / 255;
    const lightness = dark ? 0.25 + 0.67 * share : 0.96 - 0.67 * share;
    const chroma = 0.02 + 0.11 * Math.sin(Math.PI * (0.1 + 0.8 * share));
    list.push(fromOklch(lightness, chroma, 235 + 40 * (dark ? 1 - share : share)));
  }
  return list;
}

const inkOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

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
