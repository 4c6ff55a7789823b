"use strict";
// Parameters, training history, time and memory.

// A table that is sorted by a click on the head of a column; columns: {name, key, text, number}.
function sortedTable({ columns, rows, by }) {
  let order = { column: columns.find((c) => c.name === by) ?? columns[0], down: true };
  const body = element("tbody", {});
  const heads = columns.map((column) =>
    element(
      "th", { scope: "col", class: column.number ? "number" : null },
      element("button", { type: "button", onclick: () => {
        order = { column, down: order.column === column ? !order.down : Boolean(column.number) };
        fill();
      } }, column.name),
    ),
  );
  function fill() {
    const { column, down } = order;
    const value = (row) => column.key(row);
    const list = [...rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const compared = column.number ? (isNumber(x) ? x : Infinity) - (isNumber(y) ? y : Infinity) || 0 : String(x).localeCompare(String(y));
      return down ? -compared : compared;
    });
    heads.forEach((head, i) =>
      head.setAttribute("aria-sort", columns[i] !== column ? "none" : down ? "descending" : "ascending"));
    body.replaceChildren(...list.map((row) =>
      element("tr", {}, columns.map((c) =>
        element("td", { class: c.wide ? "wide" : c.number ? "number" : null, "data-name": c.name }, c.text(row))))));
  }
  fill();
  return element("div", { class: "scroll" },
    element("table", { class: "stack sorted" }, element("thead", {}, element("tr", {}, heads)), body));
}

function meter(share, title) {
  const bar = element("i", { class: "a" });
  bar.style.width = `${100 * share}%`;
  return element("div", { class: "bar", title }, bar);
}

function parametersTable() {
  const rows = data.parameters;
  const logs = rows.map((p) => p.gradient_norm).filter((x) => x > 0).map(Math.log10);
  const largest = Math.max(...logs);
  const decades = Math.max(2, Math.ceil(largest - Math.min(...logs)));
  const updates = rows.some((p) => isNumber(p.ratio));
  const onLogScale = (p) => meter(
    p.gradient_norm > 0 ? Math.max(0.02, 1 - (largest - Math.log10(p.gradient_norm)) / decades) : 0,
    `the gradient's norm on a logarithmic scale of ${decades} decades`);
  return sortedTable({
    rows,
    by: "gradient",
    columns: [
      { name: "parameter", key: (p) => p.path, text: (p) => element("code", {}, p.path) },
      { name: "shape", key: (p) => shaped(p.shape), text: (p) => element("code", {}, shaped(p.shape)) },
      { name: "norm", key: (p) => p.norm, text: (p) => short(p.norm), number: true },
      { name: "gradient", key: (p) => p.gradient_norm, text: (p) => (p.gradient_norm === undefined ? "–" : short(p.gradient_norm)), number: true },
      { name: "log scale", key: (p) => p.gradient_norm, text: onLogScale, wide: true, number: true },
      { name: "largest", key: (p) => p.largest, text: (p) => (p.largest === undefined ? "–" : short(p.largest)), number: true },
      { name: "zeros", key: (p) => p.zeros, text: (p) => (p.zeros === undefined ? "–" : percent(p.zeros)), number: true },
      updates
        ? { name: "update / weight", key: (p) => p.ratio, text: (p) => (isNumber(p.ratio) ? short(p.ratio) : "–"), number: true }
        : { name: "gradient / norm", key: (p) => p.gradient_norm / p.norm, text: (p) => (isNumber(p.gradient_norm) && p.norm > 0 ? short(p.gradient_norm / p.norm) : "–"), number: true },
    ],
  });
}

// A figure with a horizontal axis of its own, over the numbers `xs`.
function plainFigure({ xs, xName, height, draw, ...rest }) {
  let position = xs.length - 1;
  const made = cursorFigure({
    last: () => xs.length - 1,
    at: () => position,
    go: (to) => {
      position = to;
      made.update();
    },
    height: () => height,
    scaleOf: (width) => {
      const x = linearScale(xs[0], xs[xs.length - 1], isNarrow(width) ? 62 : 72, width - 10);
      x.place = (i) => x(xs[i]);
      x.nearest = (at) => xs.reduce((best, v, i) => (Math.abs(x(v) - at) < Math.abs(x(xs[best]) - at) ? i : best), 0);
      return x;
    },
    draw: (svg, x, width) => {
      const [left, right] = [x(xs[0]), x(xs[xs.length - 1])];
      draw(svg, x, left, right, height - 28, width);
      if (xName) svg.append(drawing("text", { x: right, y: height - 5, "text-anchor": "end" }, xName));
      else svg.append(...horizontalAxis(x, height - 28, left, right, isNarrow(width) ? 4 : 10, "step"));
    },
    ...rest,
  });
  return made;
}

function historyFigures() {
  const { steps, loss, norm, clipped, parameters } = data.history;
  const lossFigure = plainFigure({
    title: "Loss",
    xs: steps, height: 220,
    read: (i) => atStep(steps[i], ": ", element("b", {}, short(loss[i]))),
    draw: (svg, x, left, right, bottom) => {
      const known = loss.filter(isNumber);
      const y = linearScale(Math.min(0, ...known), Math.max(...known, 1e-9), bottom, 8);
      svg.append(...verticalAxis(y, left, right, 5));
      svg.append(drawing("path", { class: "chosen", d: curve(steps, loss, x, y) }));
    },
  });
  const normFigure = plainFigure({
    title: "Norm of the whole gradient",
    aside: clipped ? element("span", { class: "legend" }, key("chosen", "before clipping"), key("second", "after")) : null,
    xs: steps, height: 220,
    read: (i) => atStep(steps[i], ": ", element("b", {}, short(norm[i])), clipped && clipped[i] < norm[i] ? ", clipped to " : "",
      clipped && clipped[i] < norm[i] ? element("b", {}, short(clipped[i])) : ""),
    draw: (svg, x, left, right, bottom) => {
      const y = logScale([...norm, ...(clipped ?? [])].filter(isNumber), bottom, 8);
      svg.append(...verticalAxis(y, left, right, 5));
      svg.append(drawing("path", { class: "chosen", d: curve(steps, norm, x, y) }));
      if (clipped) svg.append(drawing("path", { class: "second", d: curve(steps, clipped, x, y) }));
    },
  });
  const figures = [lossFigure.figure, normFigure.figure];
  if (parameters?.length) {
    let chosen = 0;
    const select = element("select", { "aria-label": "Parameter", onchange: () => ((chosen = Number(select.value)), ratios.redraw()) },
      parameters.map((p, i) => element("option", { value: i }, p.path)));
    const ratios = plainFigure({
      title: "Update divided by weight",
      aside: select, xs: steps, height: 240,
      read: (i) => atStep(steps[i], ": ", element("b", {}, short(parameters[chosen].ratio[i])), ", gradient ",
        element("b", {}, short(parameters[chosen].gradient[i]))),
      draw: (svg, x, left, right, bottom) => {
        const y = logScale(parameters.flatMap((p) => p.ratio).filter(isNumber), bottom, 8);
        svg.append(...verticalAxis(y, left, right, 6));
        parameters.forEach((p, i) => i !== chosen && svg.append(drawing("path", { class: "context", d: curve(steps, p.ratio, x, y) })));
        svg.append(drawing("path", { class: "chosen", d: curve(steps, parameters[chosen].ratio, x, y) }));
      },
    });
    figures.push(ratios.figure);
  }
  return figures;
}

// -- Time and memory.

const phases = ["forward", "backward", "deferred"];

function costTable() {
  const most = 30;
  const merged = new Map();
  for (const row of data.profile.rows) {
    const name = JSON.stringify([row.op, row.module]);
    if (!merged.has(name)) merged.set(name, { op: row.op, module: row.module, count: 0, ns: 0, flops: 0, bytes: 0, by: {} });
    const sum = merged.get(name);
    if (row.phase === "forward" || !data.profile.rows.some((r) => r.op === row.op && r.module === row.module && r.phase === "forward"))
      sum.count += row.count;
    sum.ns += row.ns;
    sum.flops += row.flops ?? 0;
    sum.bytes += row.bytes ?? 0;
    sum.by[row.phase] = (sum.by[row.phase] ?? 0) + row.ns;
  }
  const rows = [...merged.values()].sort((a, b) => b.ns - a.ns);
  const longest = Math.max(1, ...rows.map((r) => r.ns));
  const total = rows.reduce((sum, r) => sum + r.ns, 0);
  const bars = (row) =>
    element("div", { class: "bar", title: phases.filter((p) => row.by[p]).map((p) => `${p} ${duration(row.by[p])}`).join(", ") },
      phases.map((phase, i) => {
        if (!row.by[phase]) return null;
        const bar = element("i", { class: "abc"[i] });
        bar.style.width = `${(100 * row.by[phase]) / longest}%`;
        return bar;
      }));
  const swatch = (kind, word) => {
    const box = element("span", { class: "bar key" }, element("i", { class: kind }));
    box.firstChild.style.width = "100%";
    box.style.display = "inline-flex";
    return element("span", {}, box, word);
  };
  return element("figure", {},
    element("figcaption", {}, element("h3", {}, "Time by op and module"),
      element("span", { class: "legend" }, swatch("a", "forward"), swatch("b", "backward"), swatch("c", "deferred products")),
      element("span", { class: "readout" }, duration(total), " in all nodes")),
    sortedTable({
      rows: rows.slice(0, most), by: "time",
      columns: [
        { name: "op", key: (r) => r.op, text: (r) => element("code", {}, r.op) },
        { name: "module", key: (r) => r.module, text: (r) => element("code", {}, r.module || "–") },
        { name: "nodes", key: (r) => r.count, text: (r) => grouped(r.count), number: true },
        { name: "time", key: (r) => r.ns, text: (r) => duration(r.ns), number: true },
        { name: "share", key: (r) => r.ns, text: (r) => percent(r.ns / Math.max(1, total)), number: true },
        { name: "by phase", key: (r) => r.ns, text: bars, wide: true, number: true },
        { name: "operations", key: (r) => r.flops, text: (r) => (r.flops ? operations(r.flops) : "–"), number: true },
        { name: "bytes moved", key: (r) => r.bytes, text: (r) => bytes(r.bytes), number: true },
      ],
    }),
    rows.length > most ? element("p", { class: "quiet small" }, `and ${plural(rows.length - most, "shorter row")}`) : null);
}

// What each module takes of time, arithmetic and memory, with all that is in it.
function moduleTable() {
  const alive = new Map((data.memory?.modules ?? []).map((m) => [m.module, m.bytes]));
  const rows = data.profile.modules ?? [];
  if (rows.length < 2) return null;
  const total = Math.max(1, data.profile.ns);
  return element("figure", {},
    element("figcaption", {}, element("h3", {}, "By module, with what is in it")),
    sortedTable({
      rows, by: "time",
      columns: [
        { name: "module", key: (m) => m.module, text: (m) => element("code", {}, m.module) },
        { name: "time", key: (m) => m.ns, text: (m) => duration(m.ns), number: true },
        { name: "share", key: (m) => m.ns, text: (m) => percent(m.ns / total), number: true },
        { name: "of all", key: (m) => m.ns, wide: true, number: true, text: (m) => meter(m.ns / total) },
        { name: "operations", key: (m) => m.flops, text: (m) => (m.flops ? operations(m.flops) : "–"), number: true },
        { name: "bytes moved", key: (m) => m.bytes, text: (m) => bytes(m.bytes), number: true },
        alive.size ? { name: "alive at the peak", key: (m) => alive.get(m.module) ?? 0, text: (m) => bytes(alive.get(m.module) ?? 0), number: true } : null,
      ].filter(Boolean),
    }));
}

function memoryFigures() {
  const { timeline, peak_bytes, alive, at } = data.memory;
  const figures = [];
  if (timeline?.length > 1) {
    const xs = timeline.map((_, i) => i);
    const sizes = timeline.map((moment) => moment[2]);
    const turn = timeline.findIndex((moment) => moment[1] !== "forward");
    const peak = sizes.indexOf(Math.max(...sizes));
    const { figure } = plainFigure({
      title: "Memory over the pass",
      xs, height: 236, xName: "nodes in the order of time",
      read: (i) => [timeline[i][1], " of node ", element("b", {}, grouped(timeline[i][0])), ": ", element("b", {}, bytes(sizes[i]))],
      draw: (svg, x, left, right, bottom) => {
        const y = linearScale(0, Math.max(peak_bytes ?? 0, ...sizes), bottom, 24);
        y.text = bytes;
        svg.append(...verticalAxis(y, left, right, 4));
        const path = curve(xs, sizes, x, y);
        svg.append(drawing("path", { class: "area", d: `${path}L${right} ${bottom}L${left} ${bottom}Z` }));
        svg.append(drawing("path", { class: "chosen", d: path }));
        if (turn > 0)
          svg.append(
            drawing("line", { class: "guide", x1: x(turn), x2: x(turn), y1: 8, y2: bottom }),
            drawing("text", { class: "halo", x: x(turn) - 6, y: bottom - 8, "text-anchor": "end" }, "forward"),
            drawing("text", { class: "halo", x: x(turn) + 6, y: bottom - 8 }, "backward"),
          );
        const near = x(peak) > (left + right) / 2;
        svg.append(drawing("circle", { class: "dot", cx: x(peak), cy: y(sizes[peak]), r: 4 }));
        svg.append(drawing("text", { class: "strong halo", x: x(peak) + (near ? -9 : 9), y: y(sizes[peak]) - 7,
          "text-anchor": near ? "end" : "start" }, `peak ${bytes(sizes[peak])}`));
      },
    });
    figures.push(figure);
  }
  if (alive?.length) {
    const most = 12;
    const largest = Math.max(...alive.map((a) => a.bytes));
    const rest = alive.slice(most).reduce((sum, a) => sum + a.bytes, 0);
    figures.push(element("figure", {},
      element("figcaption", {}, element("h3", {}, "Alive at the peak"),
        element("span", { class: "readout" }, at ? placeWords(at) : "")),
      sortedTable({
        rows: alive.slice(0, most), by: "bytes",
        columns: [
          { name: "op", key: (a) => a.op, text: (a) => element("code", {}, a.op) },
          { name: "what", key: (a) => a.kind, text: (a) => a.kind },
          { name: "module", key: (a) => a.module, text: (a) => element("code", {}, a.module || "–") },
          { name: "steps", key: (a) => a.steps?.[0] ?? -1, text: (a) => (a.steps ? stepsWords(a.steps) : "–"), number: true },
          { name: "nodes", key: (a) => a.nodes.length, text: (a) => nodesWords(a.nodes), number: true },
          { name: "bytes", key: (a) => a.bytes, text: (a) => bytes(a.bytes), number: true },
          { name: "size", key: (a) => a.bytes, wide: true, number: true, text: (a) => meter(a.bytes / largest) },
        ],
      }),
      rest > 0 ? element("p", { class: "quiet small" }, `and ${plural(alive.length - most, "smaller row")}, ${bytes(rest)} together`) : null));
  }
  return figures;
}

// Numbers on the tape: the first and the last of them, and how many there are.
const nodesWords = (nodes) =>
  nodes.length === 0 ? "–" : nodes.length === 1 ? `%${nodes[0]}`
    : `${grouped(nodes.length)}: %${nodes[0]} to %${nodes[nodes.length - 1]}`;
const stepsWords = ([first, last]) => (first === last ? grouped(first) : `${grouped(first)}–${grouped(last)}`);
const placeWords = (at) =>
  [at.phase, at.op, at.module ? `in ${at.module}` : "", isNumber(at.step) && at.step >= 0 ? `step ${at.step}` : ""].filter(Boolean).join(" ");
