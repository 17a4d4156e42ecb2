"""A network of JAX as a parent of one's own, from its training to its way back into JAX.

Usage: python tests/jax/networks.py FARCAST
Needs: jax (CPU is enough) and numpy
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

import farcast.jax  # noqa: E402
from farcast._tensors import read  # noqa: E402

PROGRAM = '''
import farcast
import farcast.jax
import jax
import jax.numpy as jnp


def init(key, inputs, hidden):
    widths, tensors = [inputs, *hidden, 1], {}
    for at, (wide, out) in enumerate(zip(widths, widths[1:])):
        key, own = jax.random.split(key)
        tensors[f"layers.{at}.weight"] = jax.random.normal(own, (out, wide)) / wide**0.5
        tensors[f"layers.{at}.bias"] = jnp.zeros(out)
    return tensors


def apply(tensors, x):
    layers = len(tensors) // 2
    for at in range(layers):
        x = x @ tensors[f"layers.{at}.weight"].T + tensors[f"layers.{at}.bias"]
        x = jnp.tanh(x) if at + 1 < layers else x
    return x


def huber(outputs, targets):
    away = jnp.abs(outputs - targets)
    return jnp.mean(jnp.where(away < 1, away**2, 2 * away - 1))


farcast.network("dense", farcast.jax.Network(init, apply, huber))
if __name__ == "__main__":
    farcast.serve()
'''

EXPERIMENT = """\
plugin dense(
    data: data,
    inputs: List(Column),
    target: Column,
    hidden: List(Int) = [8],
    steps: Int = 120 in 1..,
    every: Int = 20 in 1..,
    members: Int = 1 in 1..,
) = parent from "dense", random, members: members

data all = csv("data.csv")
parent own = dense(all, inputs: [a, b], target: y, members: 2)
parent net = mlp(all, inputs: [a, b], target: y, hidden: [8], epochs: 20, members: 2)
subset some = window(all, by: b, count: 6, size: 40)
anomaly shift = finetune(own, some, steps: 5, mix: 0)
child moved = apply(ols(shift, columns(b)), all)
trajectory path = record(own, every: 20 steps)
farcast ahead = lfd2(path, observe: 0..=80, horizon: [120])
child foretold = adopt(ahead, horizon: 120)
score error = compare(own, net, moved, foretold, on: all, metrics: [rmse])
"""


def made(name):
    folder = Path(name)
    (folder / "dense.py").write_text(PROGRAM)
    (folder / "farcast.toml").write_text(
        f'[plugin.dense]\nrun = ["{{python}}", "dense.py"]\npython = "{sys.executable}"\nfiles = ["dense.py"]\n'
    )
    (folder / "it.farcast").write_text(EXPERIMENT)
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 2))
    y = np.sin(x[:, 0]) + 0.5 * x[:, 1]
    with open(folder / "data.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "y"])
        writer.writerows([*map(repr, row.tolist()), repr(float(target))] for row, target in zip(x, y))
    return folder, x, y


def scores(folder):
    rows = csv.DictReader(open(next(folder.glob("out/**/scores.csv"))))
    whole = [row for row in rows if row["metric"] == "rmse" and not row["group"]]
    return {(row["model"], row["member"]): float(row["value"]) for row in whole}


def rmse(functions, tensors, x, y):
    """The error of weights that farcast wrote, run by JAX alone."""
    scale = lambda of: [np.array([one[key] for one in of]) for key in ("mean", "std")]
    (mean, std), (middle, width) = scale(tensors.network["inputs"]), scale(tensors.network["targets"])
    found = functions["apply"](dict(tensors), jnp.asarray((x - mean) / std, dtype=jnp.float32))
    return float(np.sqrt(np.mean((np.asarray(found)[:, 0] * width + middle - y) ** 2)))


def rows_agree(functions):
    """Several rows of weights at once are those one by one."""
    network, args = farcast.jax.Network(functions["init"], functions["apply"]), {"hidden": [5]}
    random = np.random.default_rng(1)
    draw = lambda *shape: random.normal(size=shape).astype(np.float32)
    weights, x, y = 0.3 * draw(3, 21), draw(3, 7, 2), draw(3, 7, 1)
    together = [network.outputs(weights, x, **args), *network.gradients(weights, x, y, **args)]
    for at in range(3):
        one = slice(at, at + 1)
        alone = [
            network.outputs(weights[one], x[one], **args),
            *network.gradients(weights[one], x[one], y[one], **args),
        ]
        for many, single in zip(together, alone):
            difference = abs(many[one] - single).max()
            assert difference <= 1e-6, difference


def goes_home(program, functions):
    with tempfile.TemporaryDirectory() as name:
        folder, x, y = made(name)
        run = lambda *words: subprocess.run([program, *words, "--quiet"], cwd=folder, check=True)
        run("run", "it.farcast", "--trust", "--weights")
        first = scores(folder)
        for model in ["own", "foretold"]:
            path = next(folder.glob(f"out/**/{model}.0.safetensors"))
            tensors = read(path)
            expected, score = rmse(functions, tensors, x, y), first[model, "0"]
            print(f"rmse of {model} in JAX {expected:.9f}, in farcast {score:.9f}")
            assert abs(score - expected) <= 1e-5 * expected, "the errors differ"
        for model in ["net", "moved"]:
            assert np.isfinite(first[model, "mean"]), model
        run("run", "it.farcast", "--trust", "--store", "again", "--jobs", "2", "--executor", "processes")
        assert scores(folder) == first, "a second run has other scores"
        # What it does not say of itself is refused before anything runs.
        wrong = EXPERIMENT.replace("hidden: List(Int) = [8]", "hidden: List(Int) = [8, -1]")
        (folder / "it.farcast").write_text(wrong)
        ended = subprocess.run(
            [program, "run", "it.farcast", "--trust", "--quiet"], cwd=folder, capture_output=True, text=True
        )
        assert ended.returncode == 1 and "plugin `dense` has a bug" in ended.stderr, ended.stderr


if __name__ == "__main__":
    functions = {"__name__": "dense"}
    exec(PROGRAM, functions)
    rows_agree(functions)
    goes_home(str(Path(sys.argv[1]).resolve()), functions)
