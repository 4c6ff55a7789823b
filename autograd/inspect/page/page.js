"use strict";
// Puts the page together from what the data have.

const data = JSON.parse(document.getElementById("data").textContent);
for (const p of data.history?.parameters ?? []) {
  const shown = data.parameters.find((q) => q.path === p.path);
  if (shown) shown.ratio = p.ratio.findLast(isNumber);
}
for (const series of data.flow ?? []) series.steps ??= series.norm.map((_, i) => i);

function section(id, title, lead, ...content) {
  return element("section", { id, "aria-labelledby": `${id}-title` }, element("h2", { id: `${id}-title` }, title),
    lead ? element("p", { class: "lead" }, lead) : null, content);
}

function facts() {
  const { summary } = data;
  const fact = (key, word, text, exact) =>
    summary[key] === undefined
      ? null
      : element("div", {}, element("dt", {}, word), element("dd", { "data-fact": key, title: exact ?? String(summary[key]) }, text));
  return element("dl", { class: "facts" },
    fact("loss", "loss", isNumber(summary.loss) ? String(Number(summary.loss.toPrecision(5))) : "not finite"),
    fact("parameters", "parameters", count(summary.parameters)),
    fact("steps", "time steps", grouped(summary.steps)),
    fact("nodes", "nodes", grouped(summary.nodes)),
    fact("values", "values", grouped(summary.values)),
    fact("bytes", "memory", bytes(summary.bytes)),
    data.profile ? element("div", {}, element("dt", {}, "time in nodes"), element("dd", { "data-fact": "ns" }, duration(data.profile.ns))) : null,
  );
}

// Where the first bad number was born.
function origin() {
  const o = data.origin;
  const row = (word, value) =>
    value === null || value === undefined || value === "" ? [] : [element("dt", {}, word), element("dd", {}, value)];
  const code = (text) => (text ? element("code", {}, text) : null);
  const title = o.source
    ? `${o.source} brought the first ${o.number}`
    : `${o.op} made the first ${o.number}, ${o.phase}, out of ${o.out_of}`;
  const ranges = o.operands.map(({ name, shape, low, high, bad }) =>
    element("div", {}, `${name} `, code(shape), isNumber(low) && isNumber(high) && low <= high ? ` from ${short(low)} to ${short(high)}` : "",
      bad > 0 ? `, ${plural(bad, "element")} not finite` : ""));
  return element("div", { class: "banner", role: "alert", id: "origin" },
    element("h2", {}, title),
    element("dl", {},
      row("source line", code(o.where)),
      row("op", [code(o.op), `, ${o.phase}`]),
      row("module", code(o.module)),
      row("time step", isNumber(o.step) && o.step >= 0 ? grouped(o.step) : null),
      row("found in", [`${o.place} `, code(o.shape), `, ${plural(o.count, "element")}, the first at `, code(o.element)]),
      row("it read", ranges.length ? ranges : null)));
}

function build() {
  document.title = `${data.title} – unroll`;
  document.getElementById("title").textContent = data.title;
  const main = document.getElementById("main");
  if (data.origin) main.append(origin());
  main.append(facts());
  if (data.findings?.length)
    main.append(element("ul", { class: "findings", "aria-label": "What stands out" }, data.findings.map((f) => element("li", {}, f))));

  const sections = [];
  if (data.graph?.boxes?.length)
    sections.push(section("graph", "The graph",
      "One box is one step of a cell, or what a module does for all steps at once. Choose a box, by click or with the arrow keys, to see its nodes.",
      graphView()));
  if (data.flow?.length) {
    view.step = lastStep();
    sections.push(section("flow", "Through time",
      "How the gradient of the loss gets back to each step. All figures share the step under the cursor; the arrow keys move it. Norms are over all elements; gates are looked at in a sample of so many.",
      toolbar(), heatMap(), gradientCurves(),
      data.flow.some((s) => s.jacobian) ? jacobians() : null,
      data.flow.some((s) => s.gates?.length) ? gateBands() : null));
  }
  if (data.parameters?.length)
    sections.push(section("parameters", "Parameters", ["Euclidean norms; click a head to sort.", data.note].filter(Boolean).join(" "),
      parametersTable()));
  if (data.history?.steps?.length > 1)
    sections.push(section("history", "Training so far", null, historyFigures()));
  if (data.profile?.rows?.length)
    sections.push(section("cost", "Time and memory", null, costTable(), moduleTable(), data.memory ? memoryFigures() : null));
  for (const s of sections) {
    main.append(s);
    document.getElementById("contents").append(element("a", { href: `#${s.id}` }, s.querySelector("h2").textContent));
  }
  main.append(element("footer", {}, element("p", {}, `Written by unroll. Numbers were computed in ${data.dtype}; this file needs no network.`)));
  document.documentElement.dataset.ready = Math.round(performance.now());
}

build();
