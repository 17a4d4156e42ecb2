#!/usr/bin/env python3
"""Doubles one thing at a time and prints how time and memory grow with it.

    benches/scaling.py [--farcast BINARY] [--only rows,subsets] [--seconds 20] [--picture FILE.svg] [--record]

Every curve is one experiment with one number in it, run in a store of its own on one core. The number
is multiplied by a fixed factor until a run takes longer than `--seconds` or the curve ends. Time is
processor time of the whole program less that of its start (`farcast check` of the same file), memory
the most that was resident. The exponent is the slope of the logarithm of time over that of the number,
by least squares over the three largest: 1 where twice as much takes twice as long.
"""
import argparse
import math
import os
import pathlib
import shutil
import struct
import json
import subprocess
import sys
import tempfile

import history

CORE = min(os.sched_getaffinity(0))
DATA = "data all = synthetic(regime, rows: {rows})\n"
NET = "parent net = mlp(all, inputs: [x], target: y, hidden: [{hidden}], steps: 20, batch: 32, members: {members})\n"
SHIFT = "subset near = window(all, by: z, count: {count}, size: 64)\nanomaly shift = finetune(net, near, steps: {steps}, batch: 32)\n"


def experiment(*parts, rows=4000, hidden=16, members=1, count=64, steps=20, **more):
    return "".join(parts).format(rows=rows, hidden=hidden, members=members, count=count, steps=steps, **more)


def rows(n):
    return experiment(
        DATA,
        "data warm = derive(where(all, z > -1), w = x * z)\n"
        "data mean = aggregate(warm, by: z, m = mean(y))\n"
        "parent line = least_squares(warm, inputs: [x, z, w], target: y)\n"
        "score skill = compare(line, on: warm, metrics: [rmse])\n",
        rows=n,
    )


def training_rows(n):
    return experiment(
        DATA, "parent net = mlp(all, inputs: [x, z], target: y, hidden: [16], epochs: 1, batch: 256)\n", rows=n
    )


def cells(n):
    """A classic NetCDF file of single precision, written beside the experiment: months of 100 by 100 cells."""
    months = n // 10_000
    sizes = {"time": months, "lat": 100, "lon": 100}

    def name(text):
        return struct.pack(">i", len(text)) + text.encode().ljust(-(-len(text) // 4) * 4, b"\0")

    head = b"CDF\x01" + struct.pack(">3i", 0, 10, 3) + b"".join(name(it) + struct.pack(">i", sizes[it]) for it in sizes)
    shapes = {"time": [0], "lat": [1], "lon": [2], "u": [0, 1, 2]}
    own = {it: math.prod(list(sizes.values())[at] for at in shapes[it]) for it in shapes}
    begin = len(head) + 16 + sum(len(name(it)) + 24 + 4 * len(shapes[it]) for it in shapes)
    head += struct.pack(">4i", 0, 0, 11, 4)
    for it, over in shapes.items():
        head += name(it) + struct.pack(f">{1 + len(over)}i", len(over), *over) + struct.pack(">5i", 0, 0, 5, 4 * own[it], begin)
        begin += 4 * own[it]
    with open("u.nc", "wb") as file:
        file.write(head)
        for size in sizes.values():
            file.write(struct.pack(f">{size}f", *range(size)))
        for month in range(months):
            file.write(struct.pack(">100f", *(month % 12 + at % 7 for at in range(100))) * 100)
    return (
        'data all = netcdf("u.nc", inputs: [u], coords: [time, lat, lon])\n'
        "data warm = derive(where(all, lat > 20), month = time % 12, square = u ^ 2)\n"
        "data mean = aggregate(warm, by: [month, lat, lon], m = mean(square))\n"
    )


def merged_weights(n):
    """Two models of that many weights in files, and one between them."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [n], "data_offsets": [0, 4 * n]}}).encode()
    for file, value in (("a", 1.0), ("b", 2.0)):
        with open(f"{file}.safetensors", "wb") as model:
            model.write(struct.pack("<Q", len(header)) + header)
            for start in range(0, n, 1 << 20):
                model.write(struct.pack("<f", value) * min(1 << 20, n - start))
    return (
        'weights a = safetensors("a.safetensors")\n'
        'weights b = safetensors("b.safetensors")\n'
        "weights between = a + 0.4 * (b - a)\n"
    )


def subsets(n):
    return experiment(DATA, NET, SHIFT, "regression drift = ols(shift, columns(z))\n", count=n)


def weights(n):
    wide = round((n / 2) ** 0.5)
    return experiment(
        DATA, NET, SHIFT, "regression drift = ols(shift, columns(z))\n", hidden=f"{wide}, {2 * wide}", count=16, steps=2
    )


def members(n):
    return experiment(DATA, NET, SHIFT, "regression drift = ols(shift, columns(z))\n", members=n, count=8)


def steps(n):
    return experiment(DATA, NET, SHIFT, steps=n)


def predictors(n):
    names = [f"p{at}" for at in range(n)]
    formulas = ", ".join(f"{name} = sin({at + 1} * z + x)" for at, name in enumerate(names))
    return experiment(
        "data raw = synthetic(regime, rows: {rows})\n",
        f"data all = derive(raw, {formulas})\n",
        NET,
        SHIFT,
        f"regression drift = ols(shift, columns({', '.join(names)}))\n",
        count=512,
    )


def points(n):
    return experiment(
        "param level: Float = 0\n",
        DATA,
        "data low = where(all, z > level)\n"
        "parent line = least_squares(low, inputs: [x], target: y)\n"
        "score skill = compare(line, on: all, metrics: [rmse])\n",
        "sweep levels = grid(level: 0.0..=0.5 step {step})\n",
        rows=64,
        step=0.5 / (n - 1),
    )


def columns(n):
    formulas = ",\n    ".join(f"c{at} = x * {at + 1} + z" for at in range(n))
    return experiment(
        "data raw = synthetic(regime, rows: {rows})\n",
        f"data all = derive(raw,\n    {formulas})\n",
        "data some = where(all, c0 > 0)\n",
        f"data mean = aggregate(some, by: z, m = mean(c{n - 1}))\n",
    )


def statements(n):
    chain = ["data d0 = synthetic(regime, rows: 16)\n"]
    chain += [f"data d{at} = where(d{at - 1}, z > -9)\n" for at in range(1, n)]
    return "".join(chain)


def checkpoints(n):
    """States of a million weights each, written beside the experiment."""
    size = 1 << 20
    header = json.dumps({"w": {"dtype": "F32", "shape": [size], "data_offsets": [0, 4 * size]}}).encode()
    for step in range(1, n + 1):
        values = struct.pack("<f", 1.0 / step) * size
        name = f"step{step:06}.safetensors"
        pathlib.Path(name).write_bytes(struct.pack("<Q", len(header)) + header + values)
    return (
        f'trajectory run = checkpoints("step*.safetensors")\n'
        f"farcast far = lfd2(run, observe: 1..={n // 2}, horizon: [{n}])\n"
        "score skill = forecast_error(far, truth: run)\n"
    )


# The first number, the factor, the last.
CURVES = {
    "rows": (rows, 10_000, 10, 10_000_000),
    "training_rows": (training_rows, 10_000, 10, 10_000_000),
    "cells": (cells, 100_000, 10, 100_000_000),
    "subsets": (subsets, 64, 4, 65_536),
    "weights": (weights, 1_000, 4, 16_384_000),
    "merged_weights": (merged_weights, 1_000_000, 10, 1_000_000_000),
    "members": (members, 4, 4, 1_024),
    "steps": (steps, 100, 4, 102_400),
    "predictors": (predictors, 1, 2, 64),
    "points": (points, 100, 4, 102_400),
    "columns": (columns, 8, 4, 2_048),
    "statements": (statements, 100, 4, 25_600),
    "checkpoints": (checkpoints, 8, 2, 256),
}


def used(binary, words):
    """Processor seconds and most resident bytes of a command on one core."""
    command = ["taskset", "-c", str(CORE), binary, *words]
    with open(os.devnull, "w") as nowhere, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(command, stdout=nowhere, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            errors.seek(0)
            raise SystemExit(f"{' '.join(words)} failed: {errors.read()}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def curve(options, name):
    """Numbers, seconds and bytes."""
    make, at, factor, last = CURVES[name]
    found = []
    while at <= last:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            pathlib.Path("it.farcast").write_text(f'experiment "{name}"\n' + make(at))
            start, _ = used(options.farcast, ["check", "it.farcast"])
            seconds, memory = used(options.farcast, ["run", "it.farcast", "--jobs", "1", "--quiet"])
            os.chdir("/")
        found.append((at, max(seconds - start, 1e-4), memory))
        print(f"{name:14} {at:>11,} {seconds - start:9.3f} s {memory / 1e6:9.0f} MB", file=sys.stderr, flush=True)
        if seconds * factor > options.seconds:
            break
        at *= factor
    return found


def exponent(found, column):
    """The slope over the three largest numbers."""
    last = [(math.log(row[0]), math.log(row[column])) for row in found[-3:]]
    x, y = (sum(pair[side] for pair in last) / len(last) for side in (0, 1))
    across = sum((a - x) ** 2 for a, _ in last)
    return sum((a - x) * (b - y) for a, b in last) / across if across else math.nan


def picture(curves):
    """All curves in one figure, both axes by powers of ten, each beginning at its own unit: the start is 1."""
    wide, high, left, top = 640, 420, 56, 16
    ends = [math.log10(found[-1][0] / found[0][0]) for found in curves.values()]
    span = max(1.0, *ends)
    tall = max(1.0, *(math.log10(row[1] / found[0][1]) for found in curves.values() for row in found))
    x = lambda value: left + (wide - left - 130) * value / span
    y = lambda value: high - 40 - (high - 40 - top) * value / tall
    text = 'font-family="sans-serif" font-size="11" fill="#444"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img">']
    parts.append("<title>How time grows: times as much of each thing, times as long</title>")
    parts.append(f'<rect width="{wide}" height="{high}" fill="white"/>')
    end = min(span, tall)
    parts.append(f'<path d="M{x(0):.1f} {y(0):.1f}L{x(end):.1f} {y(end):.1f}" stroke="#999" stroke-dasharray="4 3" fill="none"/>')
    for power in range(int(span) + 1):
        parts.append(f'<text x="{x(power):.1f}" y="{high - 22}" text-anchor="middle" {text}>{10**power:,}×</text>')
    for power in range(int(tall) + 1):
        parts.append(f'<text x="{left - 6}" y="{y(power) + 4:.1f}" text-anchor="end" {text}>{10**power:,}×</text>')
    parts.append(f'<text x="{(wide - 70) / 2}" y="{high - 6}" text-anchor="middle" {text}>as much (dashed: as long, too)</text>')
    labels = []
    for at, (name, found) in enumerate(sorted(curves.items(), key=lambda it: -it[1][-1][1] / it[1][0][1])):
        colour = f"hsl({at * 360 // len(curves)} 60% 40%)"
        path = "L".join(f"{x(math.log10(n / found[0][0])):.1f} {y(math.log10(max(s / found[0][1], 1e-3))):.1f}" for n, s, _ in found)
        parts.append(f'<path d="M{path}" stroke="{colour}" fill="none" stroke-width="1.6"/>')
        end = found[-1]
        place = y(math.log10(max(end[1] / found[0][1], 1e-3))) + 4
        place = max(place, labels[-1] + 13) if labels else place
        labels.append(place)
        parts.append(f'<text x="{x(math.log10(end[0] / found[0][0])) + 5:.1f}" y="{place:.1f}" {text.replace("#444", colour)}>{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--farcast", default=shutil.which("farcast") or "target/release/farcast")
    options.add_argument("--only", default=",".join(CURVES), help="some of: " + ", ".join(CURVES))
    options.add_argument("--seconds", default=20, type=float, help="the longest run, about")
    options.add_argument("--picture", help="an SVG of all curves")
    options.add_argument("--record", action="store_true", help="keep the figures in benches/history/")
    options = options.parse_args()
    options.farcast = str(pathlib.Path(options.farcast).resolve())
    file = pathlib.Path(options.picture).resolve() if options.picture else None
    curves = {name: curve(options, name) for name in options.only.split(",")}
    print("| what doubles | from | to | seconds | peak memory MB | exponent of time | of memory |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, found in curves.items():
        n, seconds, memory = found[-1]
        print(
            f"| {name.replace('_', ' ')} | {found[0][0]:,} | {n:,} | {seconds:.2f} | {memory / 1e6:.0f} "
            f"| {exponent(found, 1):.2f} | {exponent(found, 2):.2f} |"
        )
    if file:
        file.write_text(picture(curves))
    if options.record:
        seconds = {f"{name} {n}": used for name, found in curves.items() for n, used, _ in found}
        history.record("scaling", seconds)


if __name__ == "__main__":
    main()
