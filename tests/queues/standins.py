"""`qsub`, `bsub`, `hq` and `kubectl`, as far as the scripts of docs/clusters.md call them.

    standins.py COMMAND ARGUMENTS...

Jobs run here, one after the other, in the folder in which the system would start them.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time


def run(command, folder, **variables):
    subprocess.run(command, cwd=folder, env={**os.environ, **variables}, check=False)


def numbers(text):
    first, last = (int(word) for word in text.split("-"))
    return range(first, last + 1)


def qsub(words):
    parser = argparse.ArgumentParser()
    parser.add_argument("-W", choices=["block=true"], required=True)
    parser.add_argument("-V", action="store_true", required=True)
    parser.add_argument("-r", choices=["y"])
    parser.add_argument("-J", type=numbers)
    parser.add_argument("-l", required=True)
    said = parser.parse_args(words)
    script = sys.stdin.read()
    if said.J is None:
        return run(["sh", "-c", script], "/")
    if len(said.J) < 2:
        sys.exit("qsub: illegal -J value")
    for index in said.J:
        run(["sh", "-c", script], "/", PBS_ARRAY_INDEX=str(index))


def bsub(words):
    parser = argparse.ArgumentParser()
    parser.add_argument("-K", action="store_true", required=True)
    parser.add_argument("-r", action="store_true")
    parser.add_argument("-J", required=True)
    parser.add_argument("command")
    said = parser.parse_args(words)
    for index in numbers(re.fullmatch(r"farcast\[(.*)\]", said.J).group(1)):
        run(["sh", "-c", said.command], ".", LSB_JOBINDEX=str(index))


def hq(words):
    parser = argparse.ArgumentParser()
    parser.add_argument("--wait", action="store_true", required=True)
    parser.add_argument("--array", type=numbers, required=True)
    parser.add_argument("--cpus", type=int)
    parser.add_argument("--crash-limit", type=int)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    assert words[0] == "submit", words
    said = parser.parse_args(words[1:])
    for index in said.array:
        run(said.command, ".", HQ_TASK_ID=str(index))


def kubectl(words):
    if words == ["apply", "-f", "-"]:
        apply(sys.stdin.read())
    condition, timeout, job = words[1:]
    assert words[0] == "wait" and timeout == "--timeout=-1s", words
    # No index fails for good here.
    while condition != "--for=condition=complete" or not ended(job.removeprefix("job/")).exists():
        time.sleep(0.05)


def ended(name):
    return pathlib.Path(f"{name}.complete")


def apply(text):
    import yaml

    job = yaml.safe_load(text)
    try:
        import kubernetes_validate
    except ImportError:
        pass
    else:
        kubernetes_validate.validate(job, "1.37", strict=True)
    name, spec = job["metadata"]["name"], job["spec"]
    assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name), name
    # The Job runs on while `kubectl` ends.
    if os.fork() == 0:
        for index in range(spec["completions"]):
            run(spec["template"]["spec"]["containers"][0]["command"], "/", JOB_COMPLETION_INDEX=str(index))
        ended(name).touch()
    sys.exit()


if __name__ == "__main__":
    {"qsub": qsub, "bsub": bsub, "hq": hq, "kubectl": kubectl}[sys.argv[1]](sys.argv[2:])
