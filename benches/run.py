#!/usr/bin/env python3
"""Runs farcast and its peers in turn on one core and prints ratios as a table.

    benches/run.py [--peers PYTHON] [--farcast BINARY] [--side BINARY] [--rounds N] [--record]

PYTHON has jax, numpy and scipy; without it only farcast is measured. Every case is measured in
rounds, farcast and peer in turn, and the least processor time of each counts, so that other
work on the machine falls on both alike. `--record` keeps the seconds of farcast in `benches/history/`
and prints them beside those of the last run on this machine.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import history

HERE = pathlib.Path(__file__).resolve().parent
CORE = min(os.sched_getaffinity(0))

STEPS = [
    (batch, widths)
    for widths in ("2,16,16,1", "10,32,32,1", "64,64,64,1")
    for batch in ("32", "64")
]
# Subsets and predictors, for all weights of a network 1-81-239-1.
REGRESSIONS = [("256", "1"), ("256", "2"), ("4096", "8")]
NETWORK, WEIGHTS = "1,81,239,1", 20_000


def measured(command, **options):
    """The JSON that a command prints, run on one core."""
    run = subprocess.run(
        ["taskset", "-c", str(CORE), *map(str, command)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
    return json.loads(run.stdout)


def in_turn(rounds, ours, peer):
    """The least seconds of both."""
    found = [(measured(ours), measured(peer) if peer else None) for _ in range(rounds)]
    least = lambda side: min(pair[side]["seconds"] for pair in found)
    return least(0), least(1) if peer else None


def at_once(command, rounds):
    """The least seconds of a command alone, and of the slower of two on two cores at once."""
    pinned = lambda core: ["taskset", "-c", str(core), *map(str, command)]
    alone, both = [], []
    for _ in range(rounds):
        alone.append(measured(command)["seconds"])
        cores = sorted(os.sched_getaffinity(0))[:2]
        runs = [subprocess.Popen(pinned(core), stdout=subprocess.PIPE, text=True) for core in cores]
        both.append(max(json.loads(run.communicate()[0])["seconds"] for run in runs))
    return min(alone), min(both)


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def table(*heads):
    print()
    row(*heads)
    row(*["---"] + ["---:"] * (len(heads) - 1))


def ratio(ours, peer):
    return f"{peer / ours:.1f}" if peer else "–"


def farcast_density(binary, file):
    """Seconds and processor seconds of the whole experiment in a store of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        before = os.times()
        start = time.time()
        command = [binary, "run", file, "--quiet", "--jobs", "1"]
        command += ["--store", f"{scratch}/store", "--out", f"{scratch}/out"]
        subprocess.run(["taskset", "-c", str(CORE), *command], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        used = after.children_user + after.children_system
        return time.time() - start, used - before.children_user - before.children_system


def built_side():
    build = ["cargo", "build", "--release", "--manifest-path", HERE / "Cargo.toml", "--example"]
    built = [*map(str, build), "side", "--message-format", "json"]
    lines = subprocess.run(built, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in lines.splitlines()]
    return next(m["executable"] for m in reversed(messages) if m.get("executable"))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--peers", default=os.environ.get("PEERS"), help="a Python with jax")
    options.add_argument("--farcast", default=shutil.which("farcast"), help="for the experiment")
    options.add_argument("--side", help="the program `side`, where it is built already")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--record", action="store_true", help="keep the figures in benches/history/")
    options = options.parse_args()

    side = options.side or built_side()
    seconds_of = {}
    python = lambda name, *words: options.peers and [options.peers, HERE / "peers" / name, *words]

    machine = measured([side, "machine"])
    print(f"{datetime.date.today()}, {history.processor()}, {os.cpu_count()} cores, one used.")
    print(
        f"Measured at most: {machine['flops'] / 1e9:.0f} Gflop/s of multiply-adds, "
        f"{machine['bytes'] / 1e9:.1f} GB/s read from memory."
    )

    table("one step of one child", "farcast µs", "JAX µs", "ratio", "Gflop/s", "of peak")
    for batch, widths in STEPS:
        peer = python("fanout_jax.py", batch, widths)
        ours, theirs = in_turn(options.rounds, [side, "step", batch, widths], peer)
        seconds_of[f"step {widths} batch {batch}"] = ours
        layers = [int(width) for width in widths.split(",")]
        flops = 6 * int(batch) * sum(a * b for a, b in zip(layers, layers[1:])) / ours
        row(
            f"{widths.replace(',', '-')}, batch {batch}",
            f"{ours * 1e6:.2f}",
            f"{theirs * 1e6:.2f}" if theirs else "–",
            ratio(ours, theirs),
            f"{flops / 1e9:.0f}",
            f"{flops / machine['flops']:.0%}",
        )
    whole = measured([side, "finetune", "32", "2,16,16,1"])["seconds"]
    seconds_of["finetune 2,16,16,1 batch 32"] = whole
    print(f"\nThe whole `finetune`, 2-16-16-1, batch 32: {whole * 1e6:.2f} µs per step.")
    alone, both = at_once([side, "step", "32", "10,32,32,1"], options.rounds)
    print(f"A step of 10-32-32-1, batch 32, on two cores at once: {both / alone:.2f} times one alone.")

    table("least squares for all weights", "farcast s", "lstsq s", "ratio", "QR s", "ratio", "GB/s")
    for subsets, predictors in REGRESSIONS:
        words = (subsets, predictors, WEIGHTS)
        peer, careful = python("lstsq_numpy.py", *words), python("lstsq_numpy.py", *words, "--gels")
        ours, theirs = in_turn(options.rounds, [side, "ols", subsets, predictors, NETWORK], peer)
        seconds_of[f"ols {subsets} subsets {predictors} predictors"] = ours
        found = measured(careful)["seconds"] if careful else None
        row(
            f"{subsets} subsets, {predictors} predictors, {WEIGHTS} weights",
            f"{ours:.4f}",
            f"{theirs:.4f}" if theirs else "–",
            ratio(ours, theirs),
            f"{found:.4f}" if found else "–",
            ratio(ours, found),
            f"{int(subsets) * WEIGHTS * 4 / ours / 1e9:.1f}",
        )

    table("one network per row, 2-16-16-1", "farcast s", "ns per row", "peak memory MB")
    for rows in (10_000, 100_000, 1_000_000):
        found = measured([side, "child", rows])
        seconds = seconds_of[f"child {rows} rows"] = found["seconds"]
        row(f"{rows} rows", f"{seconds:.3f}", f"{seconds / rows * 1e9:.0f}", f"{found['memory'] / 1e6:.0f}")

    if options.farcast:
        seconds, used = farcast_density(options.farcast, HERE / "peers" / "density.farcast")
        seconds_of["density"] = used
    if options.farcast and options.peers:
        experiments = HERE.parent / "experiments"
        data = experiments / "data" / "levitus_climatology_2deg.nc"
        peer = measured(python("density_jax.py", data))
        table("the whole density experiment, one core", "farcast s", "JAX s", "ratio")
        row("processor time, with start and compilation", f"{used:.1f}", f"{peer['processor']:.1f}", ratio(used, peer["processor"]))
        row("processor time, JAX compiled before", f"{used:.1f}", f"{peer['compiled_processor']:.1f}", ratio(used, peer["compiled_processor"]))
        row("elapsed, with start and compilation", f"{seconds:.1f}", f"{peer['seconds']:.1f}", ratio(seconds, peer["seconds"]))

    if options.record:
        history.record("run", seconds_of)


if __name__ == "__main__":
    sys.exit(main())
