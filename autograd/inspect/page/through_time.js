"use strict";
// The figures over time steps. They share one axis, one chosen series and one cursor: a step that is looked
// at in one figure is looked at in all of them.

const view = { series: 0, step: 0, watchers: [] };

function look(change) {
  if ("step" in change) view.step = change.step;
  if ("series" in change) view.series = change.series;
  for (const watcher of view.watchers) watcher(change);
}

const lastStep = () => Math.max(0, ...data.flow.map((s) => s.steps[s.steps.length - 1] ?? 0));

// The layer of a series: its path without the direction.
const layerOf = (series) => series.path.replace(/\.?(forward|reverse)$/, "") || series.path;

// One scan of a module; which of several of that path it is, from 0 on.
const scansOf = (path) => [...new Set(data.flow.filter((s) => s.path === path).map((s) => s.recurrence))];
const scanOf = (series) => scansOf(series.path).indexOf(series.recurrence);
const addressOf = (series) =>
  ({ layer: layerOf(series), direction: series.direction, scan: scanOf(series), field: series.field });
const scanName = (scan) => `scan ${scan + 1}`;

function nameOf(series) {
  const fields = data.flow.filter((s) => s.recurrence === series.recurrence).length;
  return [
    series.path,
    scansOf(series.path).length > 1 && scanName(scanOf(series)),
    fields > 1 && fieldName(series.field),
  ].filter(Boolean).join(", ");
}
const fieldName = (field) => (field === 0 ? "output" : `memory${field > 1 ? ` ${field}` : ""}`);

// Where a step is in the lists of a series; -1 where it has none.
function placeOf(series, step) {
  let low = 0;
  let high = series.steps.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (series.steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  return series.steps[low] === step ? low : -1;
}

// A figure over time steps.
function timeFigure(options) {
  const { figure, redraw, update } = cursorFigure({
    last: lastStep,
    at: () => view.step,
    go: (step) => look({ step }),
    scaleOf: (width) => {
      const left = gutterOf(width);
      const right = width - 10;
      const steps = lastStep() + 1;
      const x = (step) => left + ((step + 0.5) / steps) * (right - left);
      x.place = x;
      x.nearest = (at) => Math.min(steps - 1, Math.max(0, Math.floor(((at - left) / (right - left)) * steps)));
      x.left = left;
      x.right = right;
      x.width = (right - left) / steps;
      x.ticks = (most) => linearScale(0, Math.max(1, steps - 1), 0, 1).ticks(most).filter((t) => t < steps && Number.isInteger(t));
      return x;
    },
    ...options,
  });
  view.watchers.push((change) => ("series" in change ? redraw() : update()));
  return { figure, redraw };
}

const stepAxis = (x, top, width) =>
  horizontalAxis(x, top, x.left, x.right, isNarrow(width) ? 5 : 12, isNarrow(width) ? "step" : "time step");

function atStep(step, ...words) {
  return ["step ", element("b", {}, grouped(step)), ...words];
}

// -- Gradient norms of all series at once.

function heatMap() {
  const rows = data.flow;
  const tall = rows.length > 14 ? 16 : 22;
  const legend = element("span", { class: "legend" });
  let geometry = { top: 0, pitch: tall };

  const { figure } = timeFigure({
    title: "Norm of the gradient, by layer and step",
    aside: legend,
    role: "application",
    height: (width) => rows.length * (tall + (isNarrow(width) ? 18 : 3)) + 28,
    read: (step) => {
      const series = rows[view.series];
      const place = placeOf(series, step);
      return atStep(step, ", ", nameOf(series), ": ", element("b", {}, place < 0 ? "no such step" : short(series.norm[place])));
    },
    move: (by, y) => {
      const row = y === undefined ? view.series + by : Math.floor((y - geometry.top) / geometry.pitch);
      if (row >= 0 && row < rows.length) look({ series: row });
    },
    draw: (svg, x, width, size) => {
      const narrow = isNarrow(width);
      const head = narrow ? 18 : 0;
      geometry = { top: 0, pitch: tall + (narrow ? 18 : 3) };
      const all = rows.flatMap((s) => s.norm);
      const scale = logScale(all, 0, 255);
      const colours = quantityColours().map((c) => `rgb(${c.join()})`);
      const canvas = element("canvas", {});
      const density = window.devicePixelRatio || 1;
      canvas.width = Math.round((x.right - x.left) * density);
      canvas.height = Math.round((size - 28) * density);
      canvas.style.cssText = `left:${x.left}px;top:0;width:${x.right - x.left}px;height:${size - 28}px`;
      svg.before(canvas);
      const ink = canvas.getContext("2d");
      let blank = false;
      let broken = false;
      const [wash, paper, alarm] = ["--wash", "--paper", "--alarm"].map(inkOf);
      const pixels = (position) => Math.round((position - x.left) * density);
      rows.forEach((series, row) => {
        const top = Math.round((row * geometry.pitch + head) * density);
        series.steps.forEach((step, i) => {
          const from = pixels(x(step) - x.width / 2);
          const to = Math.max(from + 1, pixels(x(series.steps[i + 1] ?? step + 1) - x.width / 2));
          const value = series.norm[i];
          if (value === 0) blank = true;
          if (!isNumber(value)) broken = true;
          const cell = [from, top, to - from, Math.round(tall * density)];
          if (!isNumber(value)) return hatch(ink, cell, paper, alarm, density);
          ink.fillStyle = value > 0 ? colours[Math.round(Math.max(0, scale(value)))] : wash;
          ink.fillRect(...cell);
        });
        const y = row * geometry.pitch + (narrow ? 13 : tall / 2 + 4);
        svg.append(
          drawing(
            "text",
            { class: row === view.series ? "label" : "", x: narrow ? x.left : x.left - 10, y, "text-anchor": narrow ? "start" : "end" },
            ellipsis(nameOf(series), narrow ? 50 : 34),
          ),
        );
        if (row === view.series)
          svg.append(
            drawing("rect", { x: x.left - 1.5, y: row * geometry.pitch + head - 1.5, width: x.right - x.left + 3,
              height: tall + 3, fill: "none", stroke: inkOf("--ink"), "stroke-width": 1.5 }),
          );
      });
      svg.append(...stepAxis(x, size - 24, width));
      drawLegend(legend, scale, colours, blank, broken);
    },
  });
  return figure;
}

// Stripes, which are told from every colour of quantity without seeing colours. They go on from cell to cell.
function hatch(ink, [left, top, width, height], paper, alarm, density) {
  const pitch = 6 * density;
  ink.save();
  ink.beginPath();
  ink.rect(left, top, width, height);
  ink.clip();
  ink.fillStyle = paper;
  ink.fillRect(left, top, width, height);
  ink.strokeStyle = alarm;
  ink.lineWidth = pitch / 2;
  ink.beginPath();
  for (let x = left - height - ((left - height) % pitch) - pitch; x < left + width; x += pitch) {
    ink.moveTo(x, top + height);
    ink.lineTo(x + height, top);
  }
  ink.stroke();
  ink.restore();
}

function drawLegend(place, scale, colours, blank, broken) {
  const canvas = element("canvas", { width: 128, height: 10 });
  canvas.style.cssText = "width:128px;height:10px";
  const ink = canvas.getContext("2d");
  for (let i = 0; i < 128; ++i) {
    ink.fillStyle = colours[2 * i];
    ink.fillRect(i, 0, 1, 10);
  }
  const ends = scale.ticks(1000).filter((t) => t > 0);
  const swatch = (kind, word) => element("span", {}, element("i", { class: `key ${kind}` }), word);
  place.replaceChildren(
    scale.text(ends[0]), canvas, scale.text(ends[ends.length - 1]),
    blank ? swatch("blank", "exactly 0") : "", broken ? swatch("broken", "not finite") : "",
  );
}

const ellipsis = (text, most) => (text.length <= most ? text : `…${text.slice(text.length - most + 1)}`);

// -- One quantity of the gradient, as curves.

const measures = {
  norm: "norm of the gradient", mean: "mean of its |elements|", largest: "largest of them", zeros: "share of zeros in it",
  state_norm: "norm of the state itself", state_largest: "largest of its |elements|", state_zeros: "share of zeros in it",
};
const isShare = (measure) => measure.endsWith("zeros");

function gradientCurves() {
  let measure = "norm";
  const select = element(
    "select",
    { "aria-label": "Quantity", onchange: () => ((measure = select.value), redraw()) },
    Object.entries(measures)
      .filter(([key]) => data.flow.some((s) => Array.isArray(s[key])))
      .map(([key, word]) => element("option", { value: key }, word)),
  );
  const { figure, redraw } = timeFigure({
    title: "Step by step",
    aside: select,
    height: (width) => (isNarrow(width) ? 220 : 290),
    read: (step) => {
      const series = data.flow[view.series];
      const place = placeOf(series, step);
      const value = place < 0 ? null : series[measure][place];
      return atStep(step, ": ", element("b", {}, place < 0 ? "no such step" : isShare(measure) ? percent(value) : short(value)),
        series.rows?.[place] ? `, in ${plural(series.rows[place], "sequence")}` : "");
    },
    draw: (svg, x, width, size) => {
      const bottom = size - 28;
      const lists = data.flow.filter((s) => Array.isArray(s[measure]));
      const y = isShare(measure) ? linearScale(0, 1, bottom, 8) : logScale(lists.flatMap((s) => s[measure]), bottom, 8);
      if (isShare(measure)) y.text = percent;
      svg.append(...verticalAxis(y, x.left, x.right, isNarrow(width) ? 5 : 7));
      const chosen = data.flow[view.series];
      for (const series of lists)
        if (series !== chosen)
          svg.append(drawing("path", { class: "context", d: curve(series.steps, series[measure], x, y) }));
      svg.append(drawing("path", { class: "chosen", d: curve(chosen.steps, chosen[measure], x, y) }));
      svg.append(...stepAxis(x, bottom, width));
    },
  });
  return figure;
}

// -- What one step does to a gradient, and all steps together.

function jacobians() {
  const verdict = element("p", { class: "quiet small" });
  const { figure } = timeFigure({
    title: "Jacobian of one step, and the product of all steps after",
    aside: element(
      "span",
      { class: "legend" },
      key("chosen", "product"),
      key("second", "one step"),
    ),
    height: (width) => (isNarrow(width) ? 200 : 240),
    read: (step) => {
      const jacobian = jacobianOf(data.flow[view.series]);
      if (!jacobian || step >= jacobian.norm.length) return atStep(step, ": not measured");
      const say = (x) => element("b", {}, isNumber(x) ? short(x) : "–");
      return atStep(step, ": one step ", say(jacobian.norm[step]), ", product ", say(jacobian.product[step]));
    },
    draw: (svg, x, width, size) => {
      const bottom = size - 28;
      const jacobian = jacobianOf(data.flow[view.series]);
      verdict.textContent = jacobian ? verdictOn(jacobian) : "Not measured for this layer.";
      if (!jacobian) return;
      const at = jacobian.norm.map((_, i) => i);
      const y = logScale([...jacobian.norm, ...jacobian.product, 1].filter(isNumber), bottom, 8);
      svg.append(...verticalAxis(y, x.left, x.right, isNarrow(width) ? 4 : 6));
      svg.append(drawing("line", { class: "guide", x1: x.left, x2: x.right, y1: y(1), y2: y(1) }));
      svg.append(drawing("path", { class: "second", d: curve(at, jacobian.norm, x, y) }));
      svg.append(drawing("path", { class: "chosen", d: curve(at, jacobian.product, x, y) }));
      svg.append(...stepAxis(x, bottom, width));
    },
  });
  figure.append(verdict);
  return figure;
}

const jacobianOf = (series) =>
  data.flow.find((s) => s.recurrence === series.recurrence && s.jacobian)?.jacobian;

function verdictOn({ measure, vanishes_after, explodes_after }) {
  const how = `Measured is the ${measure}, of the whole state.`;
  if (isNumber(vanishes_after)) return `Over ${plural(vanishes_after, "step")} the product falls below 0.001. ${how}`;
  if (isNumber(explodes_after)) return `Over ${plural(explodes_after, "step")} the product grows beyond 1,000. ${how}`;
  return `The product stays between 0.001 and 1,000. ${how}`;
}

function key(kind, word) {
  return element(
    "span",
    {},
    drawing("svg", { width: 22, height: 8, "aria-hidden": "true" }, drawing("line", { class: kind, x1: 0, x2: 18, y1: 4, y2: 4 })),
    word,
  );
}

// -- How many units of a gate are stuck at an end of its range.

const gatesOfSeries = (series) =>
  data.flow.find((s) => s.recurrence === series.recurrence && s.gates?.length)?.gates ?? [];

function gateBands() {
  const band = 46;
  const gatesOf = () => gatesOfSeries(data.flow[view.series]);
  const stepsOf = (gate) => gate.low.map((_, i) => i);
  const most = Math.max(1, ...data.flow.map((s) => s.gates?.length ?? 0));
  const swatch = (kind, word) =>
    element("span", {}, drawing("svg", { width: 22, height: 10, "aria-hidden": "true" },
      drawing("rect", { class: kind, width: 17, height: 10 })), word);
  const { figure } = timeFigure({
    title: "Saturated units of each gate",
    aside: element("span", { class: "legend" }, swatch("high", "near the upper end"), swatch("middle", "between"),
      swatch("low", "near the lower end")),
    height: (width) => Math.max(1, Math.min(most, gatesOf().length)) * (band + (isNarrow(width) ? 26 : 10)) + 28,
    read: (step) =>
      atStep(step, ...gatesOf().flatMap((gate, i) => {
        const seen = lastSeen(gate, step);
        if (seen < 0) return [];
        const sample = `${seen < step ? `, seen at step ${seen}` : ""}, ${plural(gate.count[seen], "element")}: `;
        return [i === 0 ? sample : ", ", gate.name, " ", element("b", {}, percent(gate.low[seen])), " / ",
          element("b", {}, percent(gate.high[seen]))];
      })),
    draw: (svg, x, width, size) => {
      const narrow = isNarrow(width);
      const gates = gatesOf();
      if (gates.length === 0) svg.append(drawing("text", { x: x.left, y: 24 }, "This layer has no gates, or they were not watched."));
      gates.forEach((gate, i) => {
        const top = i * (band + (narrow ? 26 : 10)) + (narrow ? 18 : 0);
        const steps = stepsOf(gate);
        const mean = (list) => {
          const known = list.filter(isNumber);
          return known.reduce((sum, v) => sum + v, 0) / Math.max(1, known.length);
        };
        const words = `${percent(mean(gate.low))} low, ${percent(mean(gate.high))} high`;
        svg.append(drawing("rect", { class: "middle", x: x.left, y: top, width: x.right - x.left, height: band }));
        svg.append(drawing("path", { class: "low", d: steppedArea(steps, gate.low, x, top + band, -band) }));
        svg.append(drawing("path", { class: "high", d: steppedArea(steps, gate.high, x, top, band) }));
        if (narrow) {
          svg.append(drawing("text", { class: "label", x: 0, y: top - 5 }, gate.name));
          svg.append(drawing("text", { x: x.right, y: top - 5, "text-anchor": "end" }, words));
        } else {
          svg.append(drawing("text", { class: "label", x: x.left - 10, y: top + 20, "text-anchor": "end" }, ellipsis(gate.name, 34)));
          svg.append(drawing("text", { x: x.left - 10, y: top + 37, "text-anchor": "end" }, words));
        }
      });
      svg.append(...stepAxis(x, size - 24, width));
    },
  });
  return figure;
}

// The step up to this one at which a gate was looked at last; small nets are sampled.
function lastSeen(gate, step) {
  let seen = Math.min(step, gate.low.length - 1);
  while (seen >= 0 && !isNumber(gate.low[seen])) --seen;
  return seen;
}

// The area between a base line and shares of `height` from it, one stair a step; the last share holds where
// there is none.
function steppedArea(steps, shares, x, base, height) {
  let path = "";
  let share = 0;
  steps.forEach((step, i) => {
    share = shares[i] ?? share;
    const left = x(step) - x.width / 2;
    const right = x(steps[i + 1] ?? step + 1) - x.width / 2;
    const tip = (base + height * share).toFixed(1);
    path += `${i === 0 ? `M${left.toFixed(1)} ${base}` : ""}L${left.toFixed(1)} ${tip}L${right.toFixed(1)} ${tip}`;
    if (i + 1 === steps.length) path += `L${right.toFixed(1)} ${base}Z`;
  });
  return path;
}

// -- The choice of a series, for all figures.

function toolbar() {
  const bar = element("div", { class: "toolbar", role: "group", "aria-label": "What the figures show" });
  const layers = [...new Set(data.flow.map(layerOf))];
  const choose = (wanted) => {
    const target = { ...addressOf(data.flow[view.series]), ...wanted };
    const points = { layer: 8, direction: 4, scan: 2, field: 1 };
    const score = (s) => Object.entries(addressOf(s)).reduce(
      (sum, [key, value]) => sum + (value === target[key] ? (key in wanted ? 16 : points[key]) : 0), 0);
    const best = data.flow.reduce((a, s, i) => (score(s) > score(data.flow[a]) ? i : a), 0);
    look({ series: best });
  };
  const segments = (word, name, options, chosen, pick) =>
    options.length < 2 ? null : element(
      "fieldset",
      { class: "choice" },
      element("legend", {}, word),
      element("span", { class: "segments" }, options.map(([value, text]) => {
        const input = element("input", { type: "radio", name, value: String(value), onchange: () => pick(value) });
        input.checked = value === chosen;
        return element("label", {}, input, text);
      })),
    );
  const step = element("input", { type: "number", min: 0, max: lastStep(), "aria-label": "Step",
    onchange: () => look({ step: Math.min(lastStep(), Math.max(0, Math.round(Number(step.value)) || 0)) }) });
  const fill = () => {
    const now = data.flow[view.series];
    const peers = data.flow.filter((s) => layerOf(s) === layerOf(now));
    const scans = [...new Set(peers.map(scanOf))].map((scan) => [scan, scanName(scan)]);
    const directions = [...new Set(peers.map((s) => s.direction))].map((d) => [d, d]);
    const fields = [...new Set(peers.filter((s) => s.direction === now.direction).map((s) => s.field))].map((f) => [f, fieldName(f)]);
    const layer = element("select", { "aria-label": "Layer", onchange: () => choose({ layer: layer.value }) },
      layers.map((name) => element("option", { value: name }, name)));
    layer.value = layerOf(now);
    const focused = bar.contains(document.activeElement) ? document.activeElement : null;
    const again = focused && [focused.name, focused.value, focused.getAttribute("aria-label")];
    bar.replaceChildren(...[
      element("span", { class: "choice" }, element("span", {}, "Layer"), layer),
      segments("Scan", "scan", scans, scanOf(now), (scan) => choose({ scan })),
      segments("Direction", "direction", directions, now.direction, (direction) => choose({ direction })),
      segments("State", "field", fields, now.field, (field) => choose({ field })),
      element("span", { class: "choice" }, element("span", {}, "Step"), step),
    ].filter(Boolean));
    if (again)
      [...bar.querySelectorAll("select, input")]
        .find((e) => (again[0] ? e.name === again[0] && e.value === again[1] : e.getAttribute("aria-label") === again[2]))
        ?.focus();
  };
  view.watchers.push((change) => {
    if ("series" in change) fill();
    step.value = view.step;
  });
  fill();
  step.value = view.step;
  return bar;
}
