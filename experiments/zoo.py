"""Writes the tables of docs/zoo.md and draws docs/zoo.svg from runs of zoo.farcast, one for each seed.

    for seed in 0 1 2 3; do farcast run experiments/zoo.farcast --set seed=$seed --out out/zoo-$seed; done
    python3 experiments/zoo.py out/zoo-0 out/zoo-1 out/zoo-2 out/zoo-3
"""

import csv
import math
import pathlib
import re
import statistics
import sys

DOCS = pathlib.Path(__file__).parent.parent / "docs"
METRICS = {
    "cka": "CKA of the outputs of two networks",
    "disagreement": "test rows on which two disagree",
    "barrier": "barrier between two, of the train loss",
    "loss": "train loss",
    "trace": "trace of the Hessian",
    "top_eigenvalue": "its largest eigenvalue",
}
SHOWN = ["cka", "trace", "loss"]
BATCHES = {8: "#c2410c", 32: "#d9a441", 128: "#15803d", 512: "#2563eb"}
WIDTHS = {4: 2.5, 16: 4, 64: 5.5, 128: 7}
TOP, BOTTOM, PANEL, GAP, LEFT = 20, 250, 200, 40, 55


def read(folder):
    """Correlations with accuracy by metric, and the mean over members by metric and cell."""
    claims, cells = {}, {}
    with open(pathlib.Path(folder) / "scores.csv", newline="") as file:
        for line in csv.DictReader(file):
            if line["member"] != "mean" or not line["value"]:
                continue
            if line["statement"] == "claim" and line["metric"] == "correlation":
                claims[line["group"].split(" with ")[0]] = float(line["value"])
            elif line["statement"] != "claim" and not line["group"] and not line["horizon"]:
                cell = (int(line["width"]), int(line["batch"]))
                cells.setdefault(line["metric"], {})[cell] = float(line["value"])
    return claims, cells


def signed(number):
    return f"{number:+.2f}".replace("-", "−")


def correlations(claims):
    yield "| | " + " | ".join(f"seed {seed}" for seed in range(len(claims))) + " |"
    yield "|---" * (len(claims) + 1) + "|"
    for metric, name in METRICS.items():
        yield f"| {name} | " + " | ".join(signed(claim[metric]) for claim in claims) + " |"


def grid(cells, metric, digits):
    yield "| width | " + " | ".join(f"batch {batch}" for batch in BATCHES) + " |"
    yield "|---" * (len(BATCHES) + 1) + "|"
    for width in WIDTHS:
        means = [statistics.fmean(run[metric][width, batch] for run in cells if (width, batch) in run[metric]) for batch in BATCHES]
        yield f"| {width} | " + " | ".join(f"{mean:.{digits}f}" for mean in means) + " |"


def drawn(cells):
    mean = {}
    for metric in [*SHOWN, "accuracy"]:
        for cell in [(width, batch) for width in WIDTHS for batch in BATCHES]:
            found = [run[metric][cell] for run in cells if cell in run[metric]]
            mean[metric, cell] = statistics.fmean(found) if found else None
    width = LEFT + len(SHOWN) * (PANEL + GAP) + 110
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 310" font-family="sans-serif" font-size="12">'
    yield f'<rect width="{width}" height="310" fill="#ffffff"/>'
    low, high = 0.0, 0.9
    y = lambda value: BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)
    yield f'<text x="14" y="135" text-anchor="middle" transform="rotate(-90 14 135)">test accuracy</text>'
    for panel, metric in enumerate(SHOWN):
        left = LEFT + panel * (PANEL + GAP)
        for mark in (0, 0.2, 0.4, 0.6, 0.8):
            yield f'<path d="M{left} {y(mark):.1f}H{left + PANEL}" stroke="#dddddd"/>'
            if panel == 0:
                yield f'<text x="{left - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>'
        known = [value for (name, _), value in mean.items() if name == metric and value is not None]
        step = 10 ** math.ceil(math.log10(max(known)))
        step = next(step / part for part in (1, 2, 5, 10, 20, 50) if max(known) / (step / part) >= 3)
        most = step * math.ceil(max(known) / step)
        for at in range(round(most / step) + 1):
            x = left + PANEL * at * step / most
            yield f'<text x="{x:.1f}" y="{BOTTOM + 18}" text-anchor="middle">{at * step:g}</text>'
        yield f'<text x="{left + PANEL / 2}" y="{BOTTOM + 40}" text-anchor="middle">{METRICS[metric]}</text>'
        for size, radius in WIDTHS.items():
            for batch, color in BATCHES.items():
                value = mean[metric, (size, batch)]
                if value is None:
                    continue
                x = left + PANEL * value / most
                height = y(mean["accuracy", (size, batch)])
                yield f'<circle cx="{x:.1f}" cy="{height:.1f}" r="{radius}" fill="{color}" fill-opacity="0.8"/>'
    x = LEFT + len(SHOWN) * (PANEL + GAP) - 10
    for at, (batch, color) in enumerate(BATCHES.items()):
        yield f'<circle cx="{x}" cy="{TOP + 10 + 20 * at}" r="5" fill="{color}"/>'
        yield f'<text x="{x + 12}" y="{TOP + 14 + 20 * at}">batch {batch}</text>'
    for at, (size, radius) in enumerate(WIDTHS.items()):
        yield f'<circle cx="{x}" cy="{TOP + 110 + 20 * at}" r="{radius}" fill="#888888"/>'
        yield f'<text x="{x + 12}" y="{TOP + 114 + 20 * at}">width {size}</text>'
    yield "</svg>"


claims, cells = zip(*map(read, sys.argv[1:]))
page = DOCS / "zoo.md"
text = page.read_text()
tables = {"correlations": correlations(claims), "accuracy": grid(cells, "accuracy", 3), "trace": grid(cells, "trace", 0)}
for name, lines in tables.items():
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of table -->)", re.S)
    table = "\n".join(lines)
    text = marked.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)
page.write_text(text)
(DOCS / "zoo.svg").write_text("\n".join(drawn(cells)) + "\n")
