#!/usr/bin/env python3
"""The scripts for Dask and Ray of docs/clusters.md carry a run out to the bytes of a run without them.

    tests/queues/pages.py FARCAST

Run by the Python whose `dask` and `distributed`, or `ray`, are to be used; what is absent is left out.
"""
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OUTPUTS = ["scores.csv", "scores.parquet"]


def script(name):
    """The code under a heading of the page."""
    page = (ROOT / "docs" / "clusters.md").read_text()
    found = re.search(rf"\*\*{name}\*\*.*?```python\n(.*?)```", page, re.DOTALL)
    return found.group(1)


def run(folder, farcast, *args, **variables):
    environment = {**os.environ, **variables}
    command = [farcast, "run", "it.farcast", "--quiet", *args]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def compare(name, farcast, **variables):
    text = (ROOT / "experiments" / "smoke" / "starter.farcast").read_text()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "it.farcast").write_text(text)
        (folder / "submit.py").write_text(script(name))
        command = [sys.executable, "submit.py", "{order}", "{first}", "{last}"]
        settings = "[on.command]\nchunk = \"1 s\"\nrun = [" + ", ".join(f'"{word}"' for word in command) + "]\n"
        (folder / "farcast.toml").write_text(settings)
        run(folder, farcast, "--on", "command", **variables)
        run(folder, farcast, "--store", "own", "--out", "alone")
        for output in OUTPUTS:
            assert (folder / "out" / "it" / output).read_bytes() == (folder / "alone" / output).read_bytes(), output
        began = len(list(folder.glob(".farcast/work/*/*/began/*")))
        assert began > 1, f"{began} chunks"
        print(f"{name}: {began} chunks, the same bytes")


def main():
    farcast = str(pathlib.Path(sys.argv[1]).resolve())
    # That of the workers, too.
    os.environ["PATH"] = f"{pathlib.Path(farcast).parent}:{os.environ['PATH']}"
    if importlib.util.find_spec("distributed"):
        from distributed import LocalCluster

        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, protocol="tcp", processes=False) as cluster:
            compare("Dask", farcast, DASK_SCHEDULER_ADDRESS=cluster.scheduler_address)
    else:
        print("Dask: not installed")
    if importlib.util.find_spec("ray"):
        import ray

        ray.init(num_cpus=2, include_dashboard=False)
        compare("Ray", farcast)
        ray.shutdown()
    else:
        print("Ray: not installed")


if __name__ == "__main__":
    main()
