#!/usr/bin/env python3
"""The same small jobs on the same Slurm: farcast, submitit and Snakemake's executor for Slurm.

    benches/peers/queues.py [--farcast BINARY] [--python PYTHON] [--jobs N] [--only WORD,WORD]

A job trains a small network for one value of a param and scores it. farcast has all of them as the
points of a sweep; for the others each is `farcast run` of one value with a store of its own. The
cluster is a real controller with four nodes of two processors on loopback (`tests/slurm/start.sh`),
made anew for each tool. PYTHON is that of an environment with `submitit`, `snakemake` and
`snakemake-executor-plugin-slurm`; what it lacks is left out. Printed are the wall time until the
last score is there, and how often `sbatch`, and `squeue`, `sacct` or `scontrol`, were called.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CLUSTER = HERE.parent.parent / "tests" / "slurm"
COUNTED = ["sbatch", "squeue", "sacct", "scontrol", "srun"]

ONE = """\
param k: Int = 1 in 1..=100000
data all = synthetic(regime, rows: 300)
data near = where(all, z < 1)
parent net = mlp(near, inputs: [x], target: y, steps: k, members: 1)
subset some = window(near, by: z, count: 8, size: 30)
anomaly shift = finetune(net, some, steps: 10)
regression drift = polynomial(shift, columns(z))
child moved = apply(drift, all)
score skill = compare(net, moved, on: all, metrics: [rmse])
"""

SUBMITIT = """\
import subprocess, sys, submitit
def one(k):
    subprocess.run(["{farcast}", "run", "one.farcast", "--set", f"k={{k}}", "--quiet",
                    "--store", f"store/{{k}}", "--out", f"out/{{k}}"], check=True)
executor = submitit.SlurmExecutor(folder="log", python="{python}")
executor.update_parameters(array_parallelism=1000, mem="900MB", time=10, cpus_per_task=1)
for job in executor.map_array(one, range(1, {jobs} + 1)):
    job.result()
"""

SNAKEFILE = """\
rule all:
    input: expand("out/{{k}}/scores.csv", k=range(1, {jobs} + 1))
rule one:
    output: "out/{{k}}/scores.csv"
    shell: "{farcast} run one.farcast --set k={{wildcards.k}} --quiet --store store/{{wildcards.k}} --out out/{{wildcards.k}}"
"""

SNAKEMAKE = """\
-m snakemake --executor slurm --jobs {jobs} --default-resources mem_mb=900 runtime=10
slurm_partition=main --slurm-no-account --slurm-status-command squeue
--slurm-init-seconds-before-status-checks 5 --seconds-between-status-checks 5 --latency-wait 10
--max-jobs-per-timespan {jobs}/1s --quiet all
"""


def farcast(folder, args, chunk):
    text = f"{ONE}sweep ks = grid(k: 1..={args.jobs})\n"
    (folder / "it.farcast").write_text(text)
    chunk = f'chunk = "{chunk}"\n' if chunk else ""
    (folder / "farcast.toml").write_text(f'[on.slurm]\nmem = "900M"\n{chunk}')
    return [args.farcast, "run", "it.farcast", "--on", "slurm", "--wait", "--quiet"]


def submitit(folder, args, _):
    (folder / "one.farcast").write_text(ONE)
    script = SUBMITIT.format(farcast=args.farcast, python=args.python, jobs=args.jobs)
    (folder / "all.py").write_text(script)
    return [args.python, "all.py"]


def snakemake(folder, args, more):
    (folder / "one.farcast").write_text(ONE)
    (folder / "Snakefile").write_text(SNAKEFILE.format(farcast=args.farcast, jobs=args.jobs))
    return [args.python, *SNAKEMAKE.format(jobs=args.jobs).split(), *more]


TOOLS = [
    ("farcast", farcast, None),
    # Five actions that it takes for a minute each, as it has seen none of them run.
    ("farcast, a job for each point", farcast, "5 min"),
    ("submitit", submitit, None),
    ("Snakemake", snakemake, []),
]


def scores(folder):
    """How many jobs have left a score."""
    files = folder.glob("out/**/scores.csv")
    points = {(file.parent, line.split(",")[1]) for file in files for line in file.open()}
    return len({point for point in points if point[1] != "point"})


def measure(name, tool, more, args):
    base = pathlib.Path(tempfile.mkdtemp(prefix="farcast-queues."))
    try:
        environment = {**os.environ, "NODES": "4", "CPUS": "2"}
        subprocess.run([CLUSTER / "start.sh", base / "c"], env=environment, check=True,
                       stdout=subprocess.DEVNULL)
        (base / "bin").mkdir()
        for word in COUNTED:
            script = base / "bin" / word
            # Snakemake's jobs forget where the cluster is.
            script.write_text(f'#!/bin/sh\nexport SLURM_CONF="{base}/c/slurm.conf"\n'
                              f'echo {word} >>"{base}/calls"\nexec {shutil.which(word)} "$@"\n')
            script.chmod(0o755)
        (base / "calls").touch()
        folder = base / "work"
        folder.mkdir()
        command = tool(folder, args, more)
        paths = [str(base / "bin"), str(pathlib.Path(args.python).parent), os.environ["PATH"]]
        environment.update(SLURM_CONF=str(base / "c" / "slurm.conf"), PATH=":".join(paths))
        before = time.monotonic()
        with open(base / "said", "w") as said:
            ended = subprocess.run(command, cwd=folder, env=environment, stdout=said, stderr=said)
        seconds = time.monotonic() - before
        calls = (base / "calls").read_text().split()
        found = scores(folder)
        if ended.returncode != 0 or found != args.jobs:
            print((base / "said").read_text()[-3000:], file=sys.stderr)
            sys.exit(f"{name}: exit {ended.returncode}, {found} of {args.jobs} scores; see {base}")
        asked = len(calls) - calls.count("sbatch") - calls.count("srun")
        print(f"| {name} | {seconds:.0f} s | {calls.count('sbatch')} | {asked} |", flush=True)
    finally:
        subprocess.run([CLUSTER / "stop.sh", base / "c"], check=False)
        if not args.keep:
            shutil.rmtree(base, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--farcast", default="target/release/farcast")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--only", default="", help="words of names of tools")
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    args = parser.parse_args()
    args.farcast = str(pathlib.Path(args.farcast).resolve())
    print(f"| {args.jobs} jobs | wall time | submissions | questions |\n| --- | ---: | ---: | ---: |")
    words = [word for word in args.only.split(",") if word]
    for name, tool, more in TOOLS:
        if words and not any(word == name or (word in name and word != "farcast") for word in words):
            continue
        package = {submitit: "submitit", snakemake: "snakemake_executor_plugin_slurm"}.get(tool)
        if package and subprocess.run([args.python, "-c", f"import {package}"]).returncode != 0:
            print(f"| {name} | not installed | | |")
            continue
        measure(name, tool, more, args)


if __name__ == "__main__":
    main()
