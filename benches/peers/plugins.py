#!/usr/bin/env python3
"""What a plugin in Python costs beyond its work, and a network of JAX beside the same JAX alone.

    benches/peers/plugins.py [--farcast BINARY] [--python PYTHON] [--actions N] [--only WORD,WORD]

PYTHON has numpy, and `jax` for the last part. `actions`: one that does nothing, N times, each a
member of its own. `table`: 10⁶ rows of 8 columns in, and in and out again, beside 10 rows. `jax`: members of an
`mlp`, trained by a plugin and by a script with the same functions, both with their start and
compilation.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

PLUGINS = """\
import time
import farcast

@farcast.plugin("nothing")
def nothing(ctx, data, count):
    return [{"metric": "m", "value": ctx.member}]

@farcast.plugin("look")
def look(ctx, data):
    return [{"metric": "sum", "value": float(sum(data[name].sum() for name in data))}]

@farcast.plugin("same")
def same(ctx, data):
    return data

if __name__ == "__main__":
    farcast.serve()
"""

ACTIONS = """\
plugin nothing(data: data, count: Int = 1) = score from "nothing", members: count
data all = synthetic(regime, rows: 40)
score it = nothing(all, count: {actions})
"""

TABLE = """\
plugin look(data: data) = score from "look"
plugin same(data: data) = data from "same", columns: like data
data few = csv("few.csv")
data many = csv("many.csv")
score warm = look(few)
score read = look(many)
data start = same(few)
data back = same(many)
score again = look(start)
score whole = look(back)
"""

# The functions of both sides.
FUNCTIONS = """\
import jax
import jax.numpy as jnp
WIDTHS = [2, 32, 32, 1]

def init(key, inputs):
    tensors = {}
    for at, (wide, out) in enumerate(zip(WIDTHS, WIDTHS[1:])):
        key, own = jax.random.split(key)
        tensors[f"layers.{at}.weight"] = jax.random.normal(own, (out, wide)) / wide**0.5
        tensors[f"layers.{at}.bias"] = jnp.zeros(out)
    return tensors

def apply(tensors, x):
    for at in range(3):
        x = x @ tensors[f"layers.{at}.weight"].T + tensors[f"layers.{at}.bias"]
        x = jnp.tanh(x) if at < 2 else x
    return x
"""

NETWORK = """\
import farcast
import farcast.jax
from functions import apply, init
farcast.network("dense", farcast.jax.Network(init, apply, steps={steps}))
farcast.serve()
"""

TRAINED = """\
plugin dense(data: data, inputs: List(Column), target: Column, members: Int = 1) = parent from "dense", random, members: members
data all = csv("data.csv")
parent net = dense(all, inputs: [a, b], target: y, members: {members})
"""

ALONE = """\
import numpy as np
from functions import apply, init, jax, jnp
rows = np.loadtxt("data.csv", delimiter=",", skiprows=1)
rows = ((rows - rows.mean(0)) / rows.std(0)).astype(np.float32)
x, y = jnp.asarray(rows[:, :2]), jnp.asarray(rows[:, 2:])
names = list(init(jax.random.PRNGKey(0), 2))

def loss(tensors, x, y):
    return jnp.mean((apply(tensors, x) - y) ** 2)

@jax.jit
def step(tensors, first, second, at, x, y):
    value, slope = jax.value_and_grad(loss)(tensors, x, y)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, second, slope)
    move = lambda m, v: (m / (1 - 0.9**at)) / (jnp.sqrt(v / (1 - 0.999**at)) + 1e-8)
    moved = jax.tree.map(lambda w, m, v: w - 1e-2 * move(m, v), tensors, first, second)
    return moved, first, second, value

for member in range({members}):
    tensors = init(jax.random.PRNGKey(member), 2)
    first = jax.tree.map(jnp.zeros_like, tensors)
    second = jax.tree.map(jnp.zeros_like, tensors)
    for at in range(1, {steps} + 1):
        tensors, first, second, value = step(tensors, first, second, at, x, y)
        if at % ({steps} // 50) == 0:
            assert np.isfinite(float(value))
    np.savez(f"net.{{member}}.npz", **{{name: np.asarray(tensors[name]) for name in names}})
"""


def folder_with(name, python, files, plugins):
    folder = pathlib.Path(name)
    for file, text in files.items():
        (folder / file).write_text(text)
    entry = '[plugin.{}]\nrun = ["{{python}}", "program.py"]\npython = "{}"\nfiles = ["*.py"]\n'
    (folder / "farcast.toml").write_text("".join(entry.format(it, python) for it in plugins))
    return folder


def make(options, folder, lines):
    """Makes data in a folder by lines of numpy, which this script's own Python may lack."""
    subprocess.run([options.python, "-c", f"import numpy as np\n{lines}"], cwd=folder, check=True)


def timed(words, folder):
    environment = dict(os.environ, OMP_NUM_THREADS="1", XLA_FLAGS="--xla_cpu_multi_thread_eigen=false")
    started = time.perf_counter()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def load():
    return f"load {os.getloadavg()[0]:.1f}"


def run(options, *more):
    return [options.farcast, "run", "it.farcast", "--trust", "--quiet", "--jobs", "1", *more]


def actions(options):
    with tempfile.TemporaryDirectory() as name:
        text = ACTIONS.format(actions=options.actions)
        folder = folder_with(name, options.python, {"program.py": PLUGINS, "it.farcast": text}, ["nothing"])
        (folder / "it.farcast").write_text(ACTIONS.format(actions=1))
        one = timed(run(options, "--store", "one"), folder)
        (folder / "it.farcast").write_text(text)
        seconds = timed(run(options), folder)
        each = (seconds - one) / (options.actions - 1)
        print(f"{options.actions} actions: {seconds:.1f} s, one: {one:.2f} s, each {each * 1e3:.2f} ms ({load()})")


def table(options):
    with tempfile.TemporaryDirectory() as name:
        folder = folder_with(name, options.python, {"program.py": PLUGINS, "it.farcast": TABLE}, ["look", "same"])
        make(
            options,
            folder,
            "for name, rows in [('few', 10), ('many', 10**6)]:\n"
            "    x = np.random.default_rng(0).normal(size=(rows, 8))\n"
            "    np.savetxt(name + '.csv', x, delimiter=',', header=','.join('abcdefgh'), comments='', fmt='%.9g')\n",
        )
        best = {}
        for at in range(options.rounds):
            timed(run(options, "--store", f"store{at}"), folder)
            ran = json.loads(next(folder.glob("out/**/run.json")).read_text())["actions"]
            for action in ran:
                name = action["statements"][0] if "statements" in action else action["statement"]
                best[name] = min(best.get(name, 9e9), action["seconds"])
        into, out = (best["read"] - best["warm"], best["back"] - best["start"])
        print(f"10⁶ × 8 in: {into * 1e3:.0f} ms with their sum; in, out and stored: {out * 1e3:.0f} ms ({load()})")


def jax(options):
    with tempfile.TemporaryDirectory() as name:
        sizes = {"members": 8, "steps": 2000}
        files = {
            "functions.py": FUNCTIONS,
            "program.py": NETWORK.format(**sizes),
            "alone.py": ALONE.format(**sizes),
            "it.farcast": TRAINED.format(**sizes),
        }
        folder = folder_with(name, options.python, files, ["dense"])
        make(
            options,
            folder,
            "x = np.random.default_rng(0).normal(size=(2000, 2))\n"
            "y = np.sin(x[:, :1]) + 0.5 * x[:, 1:]\n"
            "np.savetxt('data.csv', np.hstack([x, y]), delimiter=',', header='a,b,y', comments='')\n",
        )
        ours, alone = [], []
        for at in range(options.rounds):
            alone.append(timed([options.python, "alone.py"], folder))
            ours.append(timed(run(options, "--store", f"store{at}"), folder))
        ours, alone = min(ours), min(alone)
        print(f"JAX mlp: farcast {ours:.1f} s, alone {alone:.1f} s, ratio {ours / alone:.2f} ({load()})")


PARTS = {"actions": actions, "table": table, "jax": jax}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--farcast", default="target/release/farcast", type=os.path.abspath)
    parser.add_argument("--python", default="python3")
    parser.add_argument("--actions", default=10_000, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    for part in options.only.split(","):
        PARTS[part](options)
