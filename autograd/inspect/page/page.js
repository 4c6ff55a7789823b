"use strict";
// Puts the page together from what the data have.

const data = JSON.parse(document.getElementById("data").textContent);

function section(id, title, lead, ...content) {
  return element("section", { id, "aria-labelledby": `${id}-title` }, element("h2", { id: `${id}-title` }, title),
    lead ? element("p", { class: "lead" }, lead) : null, content);
}

function facts() {
  const { summary } = data;
  const fact = (key, word, text, exact) =>
    summary[key] === undefined || summary[key] === null
      ? null
      : element("div", {}, element("dt", {}, word), element("dd", { "data-fact": key, title: exact ?? String(summary[key]) }, text));
  return element("dl", { class: "facts" },
    fact("loss", "loss", isNumber(summary.loss) ? String(Number(summary.loss.toPrecision(5))) : "not finite"),
    fact("parameters", "parameters", count(summary.parameters)),
    fact("steps", "time steps", grouped(summary.steps)),
    fact("nodes", "nodes", grouped(summary.nodes)),
    fact("values", "values", grouped(summary.values)),
    fact("bytes", "memory", bytes(summary.bytes)),
    fact("peak_gradient_bytes", "of gradients, at most", bytes(summary.peak_gradient_bytes)),
    fact("ns", "time", duration(summary.ns)),
  );
}

function origin() {
  const o = data.origin;
  const rows = Object.entries({
    op: o.op, phase: o.phase, module: o.module, "time step": isNumber(o.step) && o.step >= 0 ? o.step : null,
    source: o.where, inputs: o.inputs, what: o.what,
  }).filter(([, v]) => v !== undefined && v !== null && v !== "");
  return element("div", { class: "banner", role: "alert", id: "origin" }, element("h2", {}, o.text ?? "The first number that is not finite"),
    element("dl", {}, rows.map(([word, value]) => [element("dt", {}, word), element("dd", {}, element("code", {}, typeof value === "object" ? JSON.stringify(value) : String(value)))]).flat()));
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
      "How the gradient of the loss gets back to each step. All figures share the step under the cursor; the arrow keys move it.",
      toolbar(), heatMap(), gradientCurves(),
      data.flow.some((s) => s.jacobian) ? jacobians() : null,
      data.flow.some((s) => s.gates?.length) ? gateBands() : null));
  }
  if (data.parameters?.length)
    sections.push(section("parameters", "Parameters", "Euclidean norms; click a head to sort.", parametersTable()));
  if (data.history?.steps?.length > 1)
    sections.push(section("history", "Training so far", null, historyFigures()));
  if (data.profile)
    sections.push(section("cost", "Time and memory", null, costTable(), data.profile.memory ? memoryFigures() : null));
  for (const s of sections) {
    main.append(s);
    document.getElementById("contents").append(element("a", { href: `#${s.id}` }, s.querySelector("h2").textContent));
  }
  main.append(element("footer", {}, (data.notes ?? []).map((n) => element("p", {}, n)),
    element("p", {}, `Written by unroll. Numbers were computed in ${data.dtype}; this file needs no network.`)));
  document.documentElement.dataset.ready = Math.round(performance.now());
}

build();
