#!/usr/bin/env python3
"""Every script of docs/clusters.md carries a run out to the bytes of a run without it.

    tests/queues/pages.py FARCAST

Run by the Python whose `ray`, and whose `dask` and `distributed`, are to be used; what is absent is left
out. The commands of PBS, LSF, HyperQueue and Kubernetes are stood in for (`standins.py`): they take
the words that the script gives, refuse others, and run its chunks here.
"""
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUTPUTS = ["scores.csv", "scores.parquet"]

# The heading of each script, and the command that it calls.
STANDINS = {"PBS Professional, OpenPBS": "qsub", "LSF": "bsub", "HyperQueue": "hq", "Kubernetes": "kubectl"}


def script(name, language):
    """The code under a heading of the page."""
    page = (ROOT / "docs" / "clusters.md").read_text()
    found = re.search(rf"\*\*{name}\*\*.*?```{language}\n(.*?)```", page, re.DOTALL)
    return found.group(1)


def run(folder, farcast, *args, **variables):
    environment = {**os.environ, **variables}
    command = [farcast, "run", "It_is.farcast", "--quiet", *args]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def compare(name, farcast, language, **variables):
    text = (ROOT / "experiments" / "smoke" / "starter.farcast").read_text()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "It_is.farcast").write_text(text)
        (folder / "submit").write_text(script(name, language))
        program = {"python": sys.executable, "sh": "sh"}[language]
        command = [program, "submit", "{order}", "{first}", "{last}", "{name}"]
        settings = "[on.command]\nchunk = \"1 s\"\nrun = [" + ", ".join(f'"{word}"' for word in command) + "]\n"
        (folder / "farcast.toml").write_text(settings)
        run(folder, farcast, "--on", "command", **variables)
        run(folder, farcast, "--store", "own", "--out", "alone")
        for output in OUTPUTS:
            assert (folder / "out" / "It_is" / output).read_bytes() == (folder / "alone" / output).read_bytes(), output
        began = len(list(folder.glob(".farcast/work/*/*/began/*")))
        orders = len(list(folder.glob(".farcast/work/*/*/order.json")))
        assert began > 1 and orders == 1, f"{began} chunks, {orders} orders"
        print(f"{name}: {began} chunks, the same bytes", flush=True)


def with_standins(farcast):
    with tempfile.TemporaryDirectory() as folder:
        for command in STANDINS.values():
            path = pathlib.Path(folder) / command
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE}/standins.py" {command} "$@"\n')
            path.chmod(0o755)
        for name, command in STANDINS.items():
            if command == "kubectl" and not importlib.util.find_spec("yaml"):
                print(f"{name}: no `yaml`")
                continue
            compare(name, farcast, "sh", PATH=f"{folder}:{os.environ['PATH']}")


def main():
    farcast = str(pathlib.Path(sys.argv[1]).resolve())
    # That of the workers, too.
    os.environ["PATH"] = f"{pathlib.Path(farcast).parent}:{os.environ['PATH']}"
    with_standins(farcast)
    if importlib.util.find_spec("distributed"):
        from distributed import LocalCluster

        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, protocol="tcp", processes=False) as cluster:
            compare("Dask", farcast, "python", DASK_SCHEDULER_ADDRESS=cluster.scheduler_address)
    else:
        print("Dask: not installed")
    if importlib.util.find_spec("ray"):
        import ray

        ray.init(num_cpus=2, include_dashboard=False)
        compare("Ray", farcast, "python")
        ray.shutdown()
    else:
        print("Ray: not installed")


if __name__ == "__main__":
    main()
