#!/usr/bin/env python3
"""What was measured before on a machine: one line of JSON a run, in `benches/history/`.

    benches/history.py              lists the machines and their runs
    benches/history.py MACHINE      the last two runs of one, side by side

`benches/run.py` and `benches/scaling.py` add a line and print what changed since the last one. A ratio above 1
says how many times as fast it is now.
"""
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent / "history"


def processor():
    """The model of the processor."""
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return os.uname().machine


def machine():
    """A name for the file of this machine."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{processor()} {os.cpu_count()} cores".lower())
    return words.strip("-")


def commit():
    """What was measured, with `+` where files differ from it."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=FOLDER.parent, stdout=subprocess.PIPE, text=True
    )
    return said.stdout.strip() or "unknown"


def runs(name):
    """The runs of a machine, oldest first."""
    file = FOLDER / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def before(name, bench):
    """The last run of a bench."""
    found = [run for run in runs(name) if run["bench"] == bench]
    return found[-1] if found else None


def compare(old, new):
    """Prints what both have, side by side."""
    print(f"\nBeside {old['commit']} of {old['date']}, on the same machine:\n")
    print("| case | then s | now s | times as fast |\n| --- | ---: | ---: | ---: |")
    for case, seconds in new["seconds"].items():
        if case in old["seconds"]:
            then = old["seconds"][case]
            print(f"| {case} | {then:.3g} | {seconds:.3g} | {then / seconds:.2f} |")


def record(bench, seconds):
    """Adds a run, and compares it with the last."""
    run = {"date": str(datetime.date.today()), "commit": commit(), "bench": bench, "seconds": seconds}
    last = before(machine(), bench)
    if last:
        compare(last, run)
    FOLDER.mkdir(exist_ok=True)
    with open(FOLDER / f"{machine()}.jsonl", "a") as file:
        file.write(json.dumps(run) + "\n")


def main():
    if len(sys.argv) == 1:
        for file in sorted(FOLDER.glob("*.jsonl")):
            print(file.stem)
            for run in runs(file.stem):
                print(f"  {run['date']} {run['commit']} {run['bench']}: {len(run['seconds'])} cases")
        return
    for bench in ("run", "scaling"):
        found = [run for run in runs(sys.argv[1]) if run["bench"] == bench]
        if len(found) > 1:
            compare(*found[-2:])


if __name__ == "__main__":
    main()
