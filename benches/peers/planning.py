#!/usr/bin/env python3
"""Runs that have nothing to do: farcast, ninja, make, Snakemake and DVC on equal graphs.

    benches/peers/planning.py [--farcast BINARY] [--peers BIN] [--rounds N] [--sizes 1000,10000]

Every graph has the same shape: chains of four actions, each taking what the one before it made.
Each tool makes everything once; then the tools are asked in turn, and the least processor time
(of the process and its children) and the least wall time of each count, so that other work on
the machine falls on all alike. A tool that answers in less than half a second is asked again
until that is over: of a few short runs, each may be twice as slow as the next by what else the
machine does, and the least of three says more about that than about the tool. BIN is a folder with `ninja`, `snakemake` and `dvc`; what is not
there is left out. Only farcast and ninja are asked for graphs above 10 000 actions, and only
up to 1 000 stages are given to DVC, which takes seconds for them.
"""
import argparse
import hashlib
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import time

CHAIN = 4
CONTENT = "start\n"


def chains(actions):
    """Chain and place of every action."""
    return ((chain, place) for chain in range(actions // CHAIN) for place in range(CHAIN))


def name(chain, place):
    return f"out/{chain}.{place}"


def taken(chain, place):
    return name(chain, place - 1) if place else "start"


def farcast(folder, actions):
    """A sweep over seeds: each point is a chain of four data sets."""
    text = (
        'experiment "Scale"\n'
        "data cloud = synthetic(linear, rows: 16)\n"
        "data half = where(cloud, x > -9)\n"
        "data more = derive(half, z = x + y)\n"
        "data last = derive(more, q = z * 2)\n"
        f"sweep seeds = grid(seed: 1..={actions // CHAIN})\n"
    )
    (folder / "it.farcast").write_text(text)
    return ["run", "it.farcast", "--quiet"]


def ninja(folder, actions):
    lines = ["rule copy", "  command = cp $in $out"]
    lines += [f"build {name(*at)}: copy {taken(*at)}" for at in chains(actions)]
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")
    return ["--quiet"]


def make(folder, actions):
    names = [name(*at) for at in chains(actions)]
    lines = ["all: " + " ".join(names)]
    lines += [f"{name(*at)}: {taken(*at)}\n\tcp $< $@" for at in chains(actions)]
    (folder / "Makefile").write_text("\n".join(lines) + "\n")
    return ["--silent", "all"]


def snakemake(folder, actions):
    count = actions // CHAIN
    lines = [f"rule all:\n    input: expand('out/{{c}}.{CHAIN - 1}', c=range({count}))"]
    for place in range(CHAIN):
        source = f"'out/{{c}}.{place - 1}'" if place else "'start'"
        lines.append(
            f"rule step{place}:\n    input: {source}\n    output: 'out/{{c}}.{place}'\n"
            "    shell: 'cp {input} {output}'"
        )
    (folder / "Snakefile").write_text("\n".join(lines) + "\n")
    return ["--quiet", "all", "--cores", "2"]


def dvc(folder, actions):
    lines = ["stages:"]
    for at in chains(actions):
        lines.append(
            f"  s{at[0]}_{at[1]}:\n    cmd: cp {taken(*at)} {name(*at)}\n"
            f"    deps: [{taken(*at)}]\n    outs: [{name(*at)}]"
        )
    (folder / "dvc.yaml").write_text("\n".join(lines) + "\n")
    return ["repro", "--quiet"]


def dvc_lock(folder, actions):
    """What DVC would have written, the whole of it after every stage of its first run."""
    md5 = hashlib.md5(CONTENT.encode()).hexdigest()
    file = "    - {{path: {}, hash: md5, md5: %s, size: %d}}" % (md5, len(CONTENT))
    lines = ["schema: '2.0'", "stages:"]
    for at in chains(actions):
        lines += [
            f"  s{at[0]}_{at[1]}:", f"    cmd: cp {taken(*at)} {name(*at)}",
            "    deps:", file.format(taken(*at)), "    outs:", file.format(name(*at)),
        ]
    (folder / "dvc.lock").write_text("\n".join(lines) + "\n")
    cached = folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_text(CONTENT)


# Tool, its graph, the most actions it is given.
TOOLS = [
    (farcast, 10**9),
    (ninja, 10**9),
    (make, 10_000),
    (snakemake, 10_000),
    (dvc, 1_000),
]


def fill(tool, binary, command, folder, actions):
    """Makes everything once; where it can be told what is there, `cp` is spared."""
    if tool in (make, snakemake, dvc):
        (folder / "out").mkdir()
        for at in chains(actions):
            (folder / name(*at)).write_text(CONTENT)
            # Later than what it was made from, by one step of a coarse clock.
            os.utime(folder / name(*at), ns=(0, (at[1] + 2) * 10**9))
        os.utime(folder / "start", ns=(0, 10**9))
    if tool is snakemake:
        subprocess.run([binary, "--quiet", "all", "--touch", "--cores", "2"], cwd=folder, check=True)
    if tool is dvc:
        subprocess.run([binary, "init", "--no-scm", "--quiet"], cwd=folder, check=True)
        dvc_lock(folder, actions)
    subprocess.run([binary, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def asked(binary, command, folder):
    """Processor and wall seconds of a run with nothing to do."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [binary, *command], cwd=folder, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def turn(binary, command, folder):
    """The runs of one turn: as many as half a second holds, one at least."""
    end = time.perf_counter() + 0.5
    runs = [asked(binary, command, folder)]
    while time.perf_counter() < end:
        runs.append(asked(binary, command, folder))
    return runs


def shown(seconds):
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def measure(actions, binaries, rounds, scratch):
    """The rows of one size: least processor and wall time of each tool, and the ratio."""
    ready = []
    for tool, most in TOOLS:
        if binaries[tool.__name__] is None or actions > most:
            continue
        folder = scratch / f"{tool.__name__}-{actions}"
        folder.mkdir()
        (folder / "start").write_text("start\n")
        command = tool(folder, actions)
        fill(tool, binaries[tool.__name__], command, folder, actions)
        ready.append((tool.__name__, folder, command))
    times = {tool: [] for tool, _, _ in ready}
    for _ in range(rounds):
        for tool, folder, command in ready:
            times[tool] += turn(binaries[tool], command, folder)
    least = {tool: tuple(map(min, zip(*found))) for tool, found in times.items()}
    for tool, (processor, wall) in least.items():
        ratio = processor / least["farcast"][0]
        print(f"| {actions:,} | {tool} | {shown(processor)} | {shown(wall)} | {ratio:.2g} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--farcast", default="target/release/farcast")
    parser.add_argument("--peers", default="", help="a folder with ninja, snakemake and dvc")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="1000,10000,100000")
    args = parser.parse_args()
    path = os.pathsep.join([args.peers, os.environ["PATH"]])
    binaries = {tool.__name__: shutil.which(tool.__name__, path=path) for tool, _ in TOOLS}
    binaries["farcast"] = str(pathlib.Path(args.farcast).resolve())
    for tool, binary in binaries.items():
        if binary is None:
            print(f"{tool} is not installed: left out")
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print("| actions | tool | processor | wall | times farcast |")
    print("| ---: | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as scratch:
        for actions in map(int, args.sizes.split(",")):
            measure(actions, binaries, args.rounds, pathlib.Path(scratch))


if __name__ == "__main__":
    main()
