"""Draws the first table of pages in docs/ beside them, as NAME.svg.

    python3 experiments/tables.py docs/tasks.md && python3 experiments/charts.py docs/tasks.md

Columns lie side by side, a row is a colour; bars are the deviations over the seeds. A column of
differences is left out.
"""

import html
import math
import pathlib
import re
import sys

CELL = re.compile(r"(\d[\d.]*) ± (\d[\d.]*)$")
COLORS = ["#888888", "#15803d", "#2563eb", "#d9a441", "#c2410c", "#7c3aed", "#0f766e", "#be185d"]
LEFT, RIGHT, TOP, BOTTOM, WIDTH = 60, 470, 20, 300, 760


def read(page):
    """Column names, and for each row its name and numbers with deviations."""
    lines = page.read_text().split("<!-- table ", 1)[1].splitlines()[1:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("<!-- end of table -->")]]
    head, rows = rows[0], rows[2:]
    kept = [at for at in range(1, len(head)) if all(CELL.match(row[at]) for row in rows)]
    numbers = [[tuple(map(float, CELL.match(row[at]).groups())) for at in kept] for row in rows]
    return [head[at] for at in kept], [row[0].replace("`", "") for row in rows], numbers


def ticks(low, high):
    step = 10 ** math.floor(math.log10(high - low))
    step = next(step / part for part in (1, 2, 5, 10) if (high - low) / (step / part) >= 4)
    return [at * step for at in range(math.ceil(low / step), math.floor(high / step) + 1)], max(0, -math.floor(math.log10(step)))


def draw(page):
    columns, names, numbers = read(page)
    ends = [mean + sign * spread for row in numbers for mean, spread in row for sign in (-1, 1)]
    low, high = min(ends), max(ends)
    margin = 0.05 * (high - low)
    low, high = low - margin, high + margin
    place = lambda value: BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 350" font-family="sans-serif" font-size="12">'
    yield f'<rect width="{WIDTH}" height="350" fill="#ffffff"/>'
    marks, digits = ticks(low, high)
    for mark in marks:
        yield f'<path d="M{LEFT} {place(mark):.1f}H{RIGHT}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 8}" y="{place(mark) + 4:.1f}" text-anchor="end">{mark:.{digits}f}</text>'
    wide = (RIGHT - LEFT) / len(columns)
    for at, column in enumerate(columns):
        yield f'<text x="{LEFT + wide * (at + 0.5):.1f}" y="{BOTTOM + 22}" text-anchor="middle">{html.escape(column)}</text>'
    for number, (name, row) in enumerate(zip(names, numbers)):
        color = COLORS[number % len(COLORS)]
        for at, (mean, spread) in enumerate(row):
            x = LEFT + wide * (at + 0.15 + 0.7 * (number + 0.5) / len(names))
            yield f'<path d="M{x:.1f} {place(mean - spread):.1f}V{place(mean + spread):.1f}" stroke="{color}" stroke-width="2"/>'
            yield f'<circle cx="{x:.1f}" cy="{place(mean):.1f}" r="4.5" fill="{color}"/>'
        yield f'<circle cx="{RIGHT + 20}" cy="{TOP + 10 + 20 * number}" r="4.5" fill="{color}"/>'
        yield f'<text x="{RIGHT + 32}" y="{TOP + 14 + 20 * number}">{html.escape(name)}</text>'
    yield "</svg>"


for page in map(pathlib.Path, sys.argv[1:]):
    page.with_suffix(".svg").write_text("\n".join(draw(page)) + "\n")
