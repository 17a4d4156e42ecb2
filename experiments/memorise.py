"""Draws docs/memorise.svg from the table of docs/memorise.md.

    python3 experiments/memorise.py

Each row is a place in a plane: how alike its mistakes are to those of the population, and how often it is
right. What is both good and new would be up and left, where held-out networks are.
"""

import html
import pathlib
import re

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "memorise.md"
CELL = re.compile(r"([\d.]+) ± ([\d.]+)$")
COLORS = ["#888888", "#c2410c", "#7c3aed", "#15803d", "#2563eb", "#0f766e", "#d9a441"]
LEFT, RIGHT, TOP, BOTTOM = 60, 470, 20, 300
ALIKE, RIGHT_SHARE = (0.15, 0.85), (0.2, 0.9)


def rows():
    """Names of rows with the means and deviations of their cells; none for empty cells."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    for line in lines[1:]:
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found = [CELL.match(cell) for cell in cells]
        yield name.replace("`", ""), [tuple(map(float, it.groups())) if it else None for it in found]


def across(value):
    return LEFT + (RIGHT - LEFT) * (value - ALIKE[0]) / (ALIKE[1] - ALIKE[0])


def up(value):
    return BOTTOM - (BOTTOM - TOP) * (value - RIGHT_SHARE[0]) / (RIGHT_SHARE[1] - RIGHT_SHARE[0])


def draw():
    yield '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 350" font-family="sans-serif" font-size="12">'
    yield '<rect width="760" height="350" fill="#ffffff"/>'
    for tenth in range(2, 10):
        value = tenth / 10
        if RIGHT_SHARE[0] <= value <= RIGHT_SHARE[1]:
            yield f'<path d="M{LEFT} {up(value):.1f}H{RIGHT}" stroke="#dddddd"/>'
            yield f'<text x="{LEFT - 8}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.1f}</text>'
        if ALIKE[0] <= value <= ALIKE[1]:
            yield f'<text x="{across(value):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{value:.1f}</text>'
    yield f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 38}" text-anchor="middle">mistakes alike</text>'
    yield f'<text x="{LEFT}" y="{TOP - 7}">accuracy</text>'
    for number, (name, cells) in enumerate(rows()):
        color = COLORS[number % len(COLORS)]
        for fill, (right, alike) in [("#ffffff", cells[:2]), (color, cells[3:5])]:
            if right is None or alike is None:
                continue
            (y, tall), (x, wide) = right, alike
            line = f'stroke="{color}" stroke-width="1.5"'
            yield f'<path d="M{across(x - wide):.1f} {up(y):.1f}H{across(x + wide):.1f}" {line}/>'
            yield f'<path d="M{across(x):.1f} {up(y - tall):.1f}V{up(y + tall):.1f}" {line}/>'
            yield f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="4.5" fill="{fill}" {line}/>'
        yield f'<circle cx="{RIGHT + 20}" cy="{TOP + 10 + 20 * number}" r="4.5" fill="{color}"/>'
        yield f'<text x="{RIGHT + 32}" y="{TOP + 14 + 20 * number}">{html.escape(name)}</text>'
    foot = TOP + 20 * (number + 2)
    yield f'<text x="{RIGHT + 12}" y="{foot}">filled: units aligned; open: as they are</text>'
    yield "</svg>"


PAGE.with_suffix(".svg").write_text("\n".join(draw()) + "\n")
