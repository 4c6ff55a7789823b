"use strict";
// The collapsed graph: a lane for each module, from the first that computes to the last; in it a box for each
// time step, or one for what is done for all steps at once. Only boxes in sight are drawn, so that a thousand
// steps cost no more than thirty.

function graphView() {
  const { modules } = data.graph;
  const { edges } = data.graph;
  const boxes = data.graph.boxes.map((box, id) => ({ id, ...box }));
  const lanes = lanesOf(boxes);
  const laneOf = new Map(lanes.flatMap((lane, i) => lane.boxes.map((b) => [b.id, i])));
  const into = new Map();
  const from = new Map();
  for (const edge of edges) {
    if (!into.has(edge.to)) into.set(edge.to, []);
    if (!from.has(edge.from)) from.set(edge.from, []);
    into.get(edge.to).push(edge);
    from.get(edge.from).push(edge);
  }
  const steps = Math.max(1, ...boxes.filter((b) => b.steps).map((b) => b.steps[1] + 1));
  let open = null;
  let geometry = null;

  const names = element("div", { class: "names" });
  const spacer = element("div", {});
  const time = element("div", { class: "time" }, spacer);
  const graph = element(
    "div",
    { class: "lanes", tabindex: 0, role: "application",
      "aria-label": "Graph of the modules. Arrow keys go from box to box; what is in a box stands below." },
    names, time,
  );
  const heading = element("h3", { "aria-live": "polite" });
  const contents = element("div", {});
  const detail = element("div", { class: "detail" }, heading, contents);

  keepDrawn(graph, (width) => {
    const narrow = isNarrow(width);
    const gutter = narrow ? 34 : 232;
    const visible = width - gutter;
    const pitch = Math.max(30, (visible - 12) / steps);
    geometry = {
      narrow, gutter, visible, pitch,
      width: Math.max(visible, steps * pitch + 12),
      tall: narrow ? 48 : 38,
      x: (step) => 6 + (step + 0.5) * pitch,
      y: (lane) => lane * (narrow ? 48 : 38) + (narrow ? 33 : 25),
    };
    geometry.height = lanes.length * geometry.tall + (narrow ? 4 : 6);
    spacer.style.cssText = `width:${geometry.width}px;height:0`;
    names.style.width = `${gutter}px`;
    drawNames();
    drawBoxes();
  });
  time.addEventListener("scroll", () => requestAnimationFrame(drawBoxes), { passive: true });

  // Names of the lanes, and the wires from lane to lane.
  function drawNames() {
    const { narrow, gutter, height, y } = geometry;
    const svg = drawing("svg", { width: gutter, height, "aria-hidden": "true" });
    const pairs = new Map();
    for (const edge of edges) {
      const a = laneOf.get(edge.from);
      const b = laneOf.get(edge.to);
      if (a === b || a === undefined || b === undefined) continue;
      const pair = `${a} ${b}`;
      if (!pairs.has(pair)) pairs.set(pair, { a, b, lit: false });
      if (open && (edge.from === open.id || edge.to === open.id)) pairs.get(pair).lit = true;
    }
    const right = gutter - 2;
    for (const { a, b, lit } of [...pairs.values()].sort((p, q) => p.lit - q.lit)) {
      const bulge = Math.min(narrow ? 26 : 40, 7 + 7 * Math.abs(b - a));
      const [ya, yb] = [y(a) + (b > a ? 5 : -5), y(b) + (b > a ? -5 : 5)];
      const mark = lit ? " lit" : "";
      svg.append(
        drawing("path", { class: `wire${mark}`, d: `M${right} ${ya}C${right - bulge} ${ya} ${right - bulge} ${yb} ${right - 5} ${yb}` }),
        drawing("path", { class: `tip${mark}`, d: `M${right} ${yb}l-7 -3.5v7z` }),
      );
    }
    if (!narrow)
      lanes.forEach((lane, i) => {
        if (lanes[i - 1]?.module !== lane.module) svg.append(laneName(lane, gutter - 50, y(i) + 4, "end", 28));
      });
    names.replaceChildren(svg);
  }

  function laneName(lane, x, y, anchor, most) {
    const path = modules[lane.module].path || "the model";
    const shown = ellipsis(path, most);
    const cut = shown.lastIndexOf(".", shown.length - 2) + 1;
    return drawing(
      "text", { class: "lane-name", x, y, "text-anchor": anchor },
      drawing("title", {}, path),
      drawing("tspan", { class: "parent" }, shown.slice(0, cut)), shown.slice(cut),
    );
  }

  function drawBoxes() {
    const { narrow, visible, pitch, height, x, y, width } = geometry;
    const offset = time.scrollLeft;
    const svg = drawing("svg", { width: visible, height, "aria-hidden": "true" });
    const linked = new Set();
    if (open) {
      for (const e of into.get(open.id) ?? []) linked.add(e.from);
      for (const e of from.get(open.id) ?? []) linked.add(e.to);
    }
    const size = Math.min(pitch - 8, 72);
    lanes.forEach((lane, i) => {
      if (narrow) svg.append(laneName(lane, 0, y(i) - 18, "start", 48));
      if (lane.stepped) {
        const first = Math.max(0, Math.floor((offset - 6) / pitch) - 1);
        const last = Math.ceil((offset + visible) / pitch) + 1;
        for (const box of between(lane.boxes, first, last)) {
          const left = x((box.steps[0] + box.steps[1]) / 2) - size / 2 - offset;
          for (const edge of from.get(box.id) ?? []) {
            const next = boxes[edge.to];
            if (!next?.steps || laneOf.get(next.id) !== i) continue;
            const there = x((next.steps[0] + next.steps[1]) / 2) - offset;
            const forth = there > left + size / 2;
            const [a, b] = forth ? [left + size, there - size / 2] : [left, there + size / 2];
            const lit = open && (open.id === box.id || open.id === next.id) ? " lit" : "";
            svg.append(drawing("line", { class: `wire${lit}`, x1: a, x2: b, y1: y(i), y2: y(i) }));
            svg.append(drawing("path", { class: `tip${lit}`, d: `M${b} ${y(i)}l${forth ? -5 : 5} -3v6z` }));
          }
          svg.append(boxShape(box, left, y(i), size, grouped(box.steps[0]), linked));
        }
      } else {
        const wide = Math.min(width, visible) - 12;
        lane.boxes.forEach((box, k) => {
          const share = wide / lane.boxes.length;
          svg.append(boxShape(box, 6 + k * share, y(i), share - (k + 1 < lane.boxes.length ? 4 : 0),
            ellipsis(opsOf(box), Math.floor(share / 7)), linked));
        });
      }
    });
    // The step that the other figures show.
    const now = x(view.step) - offset;
    if (lanes.some((lane) => lane.stepped)) svg.append(drawing("path", { class: "mark", d: `M${now - 5} 0h10l-5 6z` }));
    time.querySelector("svg")?.remove();
    time.prepend(svg);
  }

  function boxShape(box, left, middle, width, text, linked) {
    const tall = 24;
    const kinds = ["box", open?.id === box.id ? "open" : "", linked.has(box.id) ? "linked" : "", isOrigin(box) ? "alarm" : ""];
    const shape = drawing(
      "g", { class: kinds.filter(Boolean).join(" "), "data-box": box.id },
      drawing("title", {}, `${titleOf(box)}: ${opsOf(box)}`),
      drawing("rect", { x: left, y: middle - tall / 2, width: Math.max(2, width), height: tall, rx: 4 }),
      drawing("text", { x: left + width / 2, y: middle + 4, "text-anchor": "middle" }, text),
    );
    shape.addEventListener("click", () => show(box));
    return shape;
  }

  const isOrigin = (box) =>
    data.origin && modules[box.module].path === data.origin.module &&
    (box.steps ? box.steps[0] === data.origin.step : (data.origin.step ?? -1) < 0);

  const titleOf = (box) => {
    const path = modules[box.module].path || "the model";
    return box.steps ? `${path}, step ${box.steps[0]}` : path;
  };
  const opsOf = (box) => {
    const counts = new Map();
    for (const { kind } of box.nodes) {
      const { op } = data.graph.kinds[kind];
      counts.set(op, (counts.get(op) ?? 0) + 1);
    }
    return [...counts].map(([op, n]) => (n > 1 ? `${n} × ${op}` : op)).join(", ");
  };

  function show(box) {
    open = box;
    if (box.steps) look({ step: Math.min(box.steps[0], lastStep()), by: graph });
    drawNames();
    drawBoxes();
    const facts = [plural(box.nodes.length, "node"), bytes(box.bytes)];
    const type = modules[box.module].type;
    const links = (word, list, end) => {
      if (!list?.length) return null;
      const shown = list.slice(0, 8);
      return element(
        "div", { class: "links" }, word,
        shown.map((e) => element("button", { onclick: () => reveal(boxes[e[end]]) }, titleOf(boxes[e[end]]))),
        list.length > 8 ? `and ${list.length - 8} more` : null,
      );
    };
    heading.replaceChildren(titleOf(box), type ? element("span", { class: "quiet" }, ` ${type}`) : "");
    contents.replaceChildren(
      element("p", { class: "quiet small" }, facts.join(" · ")),
      ...[links("reads", into.get(box.id), "from"), links("is read by", from.get(box.id), "to")].filter(Boolean),
      nodesTable(box.nodes),
    );
  }

  function scrollTo(step) {
    const at = geometry.x(step);
    if (at - geometry.pitch < time.scrollLeft || at + geometry.pitch > time.scrollLeft + geometry.visible)
      time.scrollLeft = at - geometry.visible / 2;
  }
  // Shows a box and scrolls its lane so that it is seen.
  function reveal(box) {
    if (box.steps) scrollTo(box.steps[0]);
    show(box);
  }
  view.watchers.push((change) => {
    if (!geometry || change.by === graph || !("step" in change)) return;
    scrollTo(view.step);
    drawBoxes();
  });

  graph.addEventListener("keydown", (event) => {
    const lane = lanes[laneOf.get(open.id)];
    const at = lane.boxes.indexOf(open);
    let to = null;
    if (event.key === "ArrowLeft") to = lane.boxes[at - 1];
    else if (event.key === "ArrowRight") to = lane.boxes[at + 1];
    else if (event.key === "Home") to = lane.boxes[0];
    else if (event.key === "End") to = lane.boxes[lane.boxes.length - 1];
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const next = lanes[laneOf.get(open.id) + (event.key === "ArrowUp" ? -1 : 1)];
      if (next) to = next.stepped ? between(next.boxes, view.step, view.step)[0] ?? next.boxes[0] : next.boxes[0];
    } else return;
    event.preventDefault();
    if (to) reveal(to);
  });

  // To begin with, the box where a NaN was born, or a step of the first recurrence.
  const start = boxes.find(isOrigin) ?? lanes.find((l) => l.stepped)?.boxes[0] ?? boxes[0];
  new ResizeObserver((_, observer) => {
    if (!geometry) return;
    observer.disconnect();
    reveal(start);
  }).observe(graph);
  return element("div", {}, graph, detail);
}

// Lanes in the order in which they begin; boxes of a lane in the order of steps. A cell that runs twice has two
// lanes, and so has a module that goes on after others did something, as long as there are not too many.
function lanesOf(boxes) {
  const most = 60;
  const lanes = [];
  const newest = new Map();
  for (const box of boxes) {
    const name = `${box.module} ${box.recurrence}`;
    let lane = newest.get(name);
    const again = lane && !box.steps && lanes[lanes.length - 1] !== lane && lanes.length < most;
    if (!lane || again) {
      lane = { module: box.module, stepped: Boolean(box.steps), boxes: [] };
      lanes.push(lane);
      newest.set(name, lane);
    }
    lane.boxes.push(box);
  }
  for (const lane of lanes) if (lane.stepped) lane.boxes.sort((a, b) => a.steps[0] - b.steps[0]);
  return lanes;
}

// The boxes of a lane that reach into these steps.
function between(boxes, first, last) {
  let low = 0;
  let high = boxes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boxes[middle].steps[1] < first) low = middle + 1;
    else high = middle;
  }
  const list = [];
  for (let i = low; i < boxes.length && boxes[i].steps[0] <= last; ++i) list.push(boxes[i]);
  return list;
}

const someOf = (inputs, most = 8) =>
  inputs.length <= most ? inputs.join(", ") : `${inputs.slice(0, most).join(", ")}, and ${grouped(inputs.length - most)} more`;

function nodesTable(nodes) {
  const most = 100;
  const rows = nodes.slice(0, most).map(({ node, kind, inputs }) => {
    const { op, shape, where, bytes: size, needs_gradient } = data.graph.kinds[kind];
    const cell = (name, text, numeric) => element("td", { "data-name": name, class: numeric ? "number" : null }, text);
    return element(
      "tr", {},
      cell("op", [element("code", {}, op), element("span", { class: "quiet" }, ` %${node}`)]),
      cell("shape", element("code", {}, shape)),
      cell("inputs", element("code", {}, someOf(inputs))),
      cell("bytes", size === 0 ? "in place" : bytes(size), true),
      cell("gradient", needs_gradient ? "yes" : "no"),
      cell("source", element("code", {}, where || "–")),
    );
  });
  return element(
    "div", { class: "scroll" },
    element(
      "table", { class: "stack" },
      element("thead", {}, element("tr", {}, ["op", "shape", "inputs", "bytes", "gradient", "source line"].map((word) =>
        element("th", { class: word === "bytes" ? "number" : null, scope: "col" }, word)))),
      element("tbody", {}, rows),
    ),
    nodes.length > most ? element("p", { class: "quiet small" }, `The first ${most} of ${grouped(nodes.length)} nodes.`) : null,
  );
}
