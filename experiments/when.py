"""Draws docs/when.svg from the runs that tables.py made for docs/when.md.

    python3 experiments/tables.py docs/when.md && python3 experiments/when.py
"""

import argparse
import csv
import math
import pathlib
import statistics

MODELS = {
    "net": ("#888888", "parent, without z"),
    "joined": ("#c2410c", "child by joint"),
    "windowed": ("#d9a441", "child by windows"),
    "products": ("#2563eb", "same hypotheses, few rows alone"),
    "oracle": ("#15803d", "z in all rows"),
}
# Rows that have z, of 14 400.
ROWS = {"known=0.0025": 36, "known=0.005": 72, "known=0.01": 144, "known=0.04": 576, "known=0.9": 12960}
LEFT, RIGHT, TOP, BOTTOM = 60, 430, 20, 300
HIGHEST = 4


def x(rows):
    span = math.log(ROWS["known=0.9"]) - math.log(36)
    return LEFT + (RIGHT - LEFT) * (math.log(rows) - math.log(36)) / span


def y(error):
    return BOTTOM - (BOTTOM - TOP) * error / HIGHEST


def values(folder, seeds):
    """RMSE by model and point, one for each seed."""
    found = {}
    for seed in range(seeds):
        with open(folder / f"when-{seed}" / "scores.csv", newline="") as file:
            for line in csv.DictReader(file):
                if (line["metric"], line["member"], line["group"]) == ("rmse", "mean", ""):
                    found.setdefault((line["model"], line["point"]), []).append(float(line["value"]))
    return found


def drawn(found):
    yield '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 350" font-family="sans-serif" font-size="12">'
    yield '<rect width="700" height="350" fill="#ffffff"/>'
    for error in range(HIGHEST + 1):
        yield f'<path d="M{LEFT} {y(error):.1f}H{RIGHT}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y(error) + 4:.1f}" text-anchor="end">{error:g}</text>'
    for rows in ROWS.values():
        yield f'<text x="{x(rows):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{rows}</text>'
    yield f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 38}" text-anchor="middle">rows that have z</text>'
    yield f'<text x="16" y="160" text-anchor="middle" transform="rotate(-90 16 160)">RMSE beyond z = 0.8</text>'
    ends = []
    for model, (colour, name) in MODELS.items():
        points = [(x(rows), found[model, point]) for point, rows in ROWS.items()]
        line = " ".join(f"{at:.1f},{y(statistics.fmean(errors)):.1f}" for at, errors in points)
        yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for at, errors in points:
            for error in errors:
                yield f'<circle cx="{at:.1f}" cy="{y(error):.1f}" r="2.5" fill="{colour}" fill-opacity="0.5"/>'
        ends.append((y(statistics.fmean(points[-1][1])), colour, name))
    place = 0
    for end, colour, name in sorted(ends):
        place = max(end, place + 16)
        yield f'<text x="{RIGHT + 10}" y="{place + 4:.1f}" fill="{colour}">{name}</text>'
    yield "</svg>"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", default="out/tables", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--to", default="docs/when.svg", type=pathlib.Path)
    arguments = parser.parse_args()
    found = values(arguments.runs, arguments.seeds)
    arguments.to.write_text("\n".join(drawn(found)) + "\n")


if __name__ == "__main__":
    main()
