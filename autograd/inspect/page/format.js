"use strict";
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
