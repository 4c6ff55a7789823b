#!/usr/bin/env python3
"""Draws what compare.py measured: chart.py FILE.json > FILE.svg

For each cell a panel: how many times as long as here a training step takes elsewhere, by hidden units.
"""
import json
import math
import sys

from compare import SHAPES, best, names_in, ratios

CELLS = (("lstm", "LSTM"), ("gru", "GRU"), ("elman", "Elman"))
LEFT, TOP, WIDTH, HEIGHT, PANEL, LABEL = 56, 92, 250, 240, 400, 15
LIGHT = ("#0b62c4", "#c2410c", "#0f7b52", "#9333a8", "#a16207", "#57606a")
DARK = ("#6cb2ff", "#ff9a66", "#4fd1a0", "#d99bf0", "#e6c04a", "#a8b3bf")


def colours(values):
    return "".join(f"--c{i}:{value};" for i, value in enumerate(values))


STYLE = f"""<style>
svg{{--page:#ffffff;--text:#1f2328;--soft:#59636e;--grid:#e3e7eb;{colours(LIGHT)}
 font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px}}
@media (prefers-color-scheme:dark){{svg{{--page:#0d1117;--text:#e6edf3;--soft:#9aa5b1;--grid:#29313a;{colours(DARK)}}}}}
.page{{fill:var(--page)}} text{{fill:var(--text)}} .soft{{fill:var(--soft)}} .grid{{stroke:var(--grid)}}
.one{{stroke:var(--text)}} .line{{fill:none;stroke-width:2}} .title{{font-size:16px;font-weight:600}} .name{{font-weight:600}}
</style>"""


def curves(jobs, cell, names):
    """{library: [(position of the shape, ratio)]}"""
    result = {}
    for at, shape in enumerate(SHAPES):
        times = jobs.get(f"train {cell} {' '.join(map(str, shape))} 1", {})
        for name in names:
            theirs = best(times, name)
            if theirs:
                ratio = sorted(ratios(theirs[0], best(times, "unroll")[0]))
                result.setdefault(name, []).append((at, ratio[len(ratio) // 2]))
    return result


def apart(heights):
    """The same, with room for a line of text each."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    result = list(heights)
    for below, i in zip(order, order[1:]):
        result[i] = max(result[i], result[below] + LABEL)
    return result


def panel(left, title, lines, names, top):
    def x(at):
        return left + 14 + at * (WIDTH - 28) / (len(SHAPES) - 1)

    def y(ratio):
        return TOP + HEIGHT * (1 - math.log(ratio / 0.7) / math.log(top / 0.7))

    yield f'<text class="name" x="{left}" y="{TOP - 14}">{title}</text>'
    for tick in (1, 2, 5, 10, 20, 50, 100, 200):
        if tick < top:
            kind = "one" if tick == 1 else "grid"
            yield f'<line class="{kind}" x1="{left}" x2="{left + WIDTH}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
            yield f'<text class="soft" x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>'
    for at, (_, hidden, batch, _) in enumerate(SHAPES):
        yield f'<text class="soft" x="{x(at):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{hidden}</text>'
        yield f'<text class="soft" x="{x(at):.1f}" y="{TOP + HEIGHT + 34}" text-anchor="middle">{batch}</text>'
    labels = apart([y(points[-1][1]) for points in lines.values()])
    for (name, points), height in zip(lines.items(), labels):
        colour = f"var(--c{names.index(name) % len(LIGHT)})"
        path = " ".join(f"{x(at):.1f},{y(ratio):.1f}" for at, ratio in points)
        yield f'<polyline class="line" stroke="{colour}" points="{path}"/>'
        for at, ratio in points:
            yield f'<circle cx="{x(at):.1f}" cy="{y(ratio):.1f}" r="3.5" fill="{colour}"/>'
        yield (f'<text x="{left + WIDTH + 8}" y="{height + 4:.1f}" style="fill:{colour}">{name} '
               f'{points[-1][1]:.1f}</text>')


def main():
    jobs = json.load(open(sys.argv[1]))["jobs"]
    names = [name for name in names_in(jobs) if name != "pytorch compiled"]
    panels = [(title, lines) for cell, title in CELLS if (lines := curves(jobs, cell, names))]
    top = 1.3 * max(ratio for _, lines in panels for points in lines.values() for _, ratio in points)
    width, height = PANEL * len(panels) + LEFT, TOP + HEIGHT + 56
    title = "How many times as long a training step takes elsewhere"
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
          f'role="img" aria-label="{title}">\n<title>{title}</title>\n{STYLE}\n'
          f'<rect class="page" width="{width}" height="{height}"/>\n<text class="title" x="16" y="28">{title}</text>\n'
          '<text class="soft" x="16" y="47">Forward, backward and update of one layer, by hidden units and, below, '
          "batch. 1 is unroll's time. Each library with its best number of threads.</text>")
    for i, (name, lines) in enumerate(panels):
        print("\n".join(panel(LEFT + i * PANEL, name, lines, names, top)))
    print("</svg>")


main()
