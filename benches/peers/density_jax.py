"""The work of density.farcast beside this file in JAX: same data, sizes and steps.

Reads the same file and does what the experiment says: 10 parents 2-16-16-1 trained for 60 epochs
of minibatches of 64 with Adam; each fine-tuned on 256 windows of 400 rows along depth by 100
steps of SGD on minibatches of 32, a quarter of them rows of the training data; losses before and
after on the rows of each window; all weights regressed on depth and its square, with standard
errors; the children evaluated on all rows below 1000 m, each row with its own weights; root mean
square errors of parents and children. All members and all windows go through one vmap.

Prints JSON: wall and processor seconds of everything (import and compilation included), wall
seconds without compilation (a second pass with everything compiled), and the errors.
"""
import argparse
import json
import os
import time

START = time.time()
options = argparse.ArgumentParser(description=__doc__)
options.add_argument("file")
options.add_argument("--members", type=int, default=10)
options.add_argument("--cores", type=int, default=1)
options = options.parse_args()
if options.cores == 1:
    import one_core  # noqa: F401
else:
    cores = sorted(os.sched_getaffinity(0))[: options.cores]
    os.sched_setaffinity(0, cores)

import jax
import jax.numpy as jnp
import numpy as np
from scipy.io import netcdf_file

WIDTHS = [2, 16, 16, 1]
EPOCHS, BATCH, RATE = 60, 64, 3e-3
WINDOWS, SIZE, STEPS, SMALL, FROM_TRAINING, GENTLE = 256, 400, 100, 32, 8, 1e-2


def eos80(s, t, p):
    """Density of sea water, kg/m³ (Fofonoff & Millard 1983); p in dbar."""
    p = 0.1 * p
    water = np.polyval([6.536332e-9, -1.120083e-6, 1.001685e-4, -9.09529e-3, 6.793952e-2, 999.842594], t)
    surface = (
        water
        + s * np.polyval([5.3875e-9, -8.2467e-7, 7.6438e-5, -4.0899e-3, 8.24493e-1], t)
        + s**1.5 * np.polyval([-1.6546e-6, 1.0227e-4, -5.72466e-3], t)
        + 4.8314e-4 * s**2
    )
    bulk = (
        np.polyval([-5.155288e-5, 1.360477e-2, -2.327105, 148.4206, 19652.21], t)
        + s * np.polyval([-6.1670e-5, 1.09987e-2, -0.603459, 54.6746], t)
        + s**1.5 * np.polyval([-5.3009e-4, 1.6483e-2, 7.944e-2], t)
    )
    linear = (
        np.polyval([-5.77905e-7, 1.16092e-4, 1.43713e-3, 3.239908], t)
        + s * np.polyval([-1.6078e-6, -1.0981e-5, 2.2838e-3], t)
        + s**1.5 * 1.91075e-4
    )
    square = np.polyval([5.2787e-8, -6.12293e-6, 8.50935e-5], t) + s * np.polyval(
        [9.1697e-10, 2.0816e-8, -9.9348e-7], t
    )
    return surface / (1 - p / (bulk + linear * p + square * p * p))


def pressure(depth, lat):
    """In dbar (Saunders 1981)."""
    c = 5.92e-3 + 5.25e-3 * np.sin(np.radians(lat)) ** 2
    return (1 - c - np.sqrt((1 - c) ** 2 - 8.84e-6 * depth)) / 4.42e-6


def read(path):
    with netcdf_file(path, "r", mmap=False) as file:
        value = lambda name: np.array(file.variables[name].data, float)
        temp, salt = value("temp"), value("salt")
        depth, lat = np.meshgrid(value("depth"), value("lat"), value("lon"), indexing="ij")[:2]
    known = (temp > -1e33) & (salt > -1e33)
    temp, salt, depth, lat = (field[known] for field in (temp, salt, depth, lat))
    return np.c_[temp, salt], eos80(salt, temp, pressure(depth, lat)), depth


assert abs(eos80(np.array(35.0), np.array(25.0), 1e4) - 1062.53817) < 1e-5


def forward(layers, x):
    *hidden, (weight, bias) = layers
    for w, b in hidden:
        x = jnp.tanh(x @ w.T + b)
    return (x @ weight.T + bias)[..., 0]


def unflatten(flat):
    layers, start = [], 0
    for width, out in zip(WIDTHS, WIDTHS[1:]):
        weight = flat[start : start + width * out].reshape(out, width)
        start += width * out
        layers.append((weight, flat[start : start + out]))
        start += out
    return layers


COUNT = sum((width + 1) * out for width, out in zip(WIDTHS, WIDTHS[1:]))


def initial(key):
    keys = jax.random.split(key, len(WIDTHS) - 1)
    parts = [
        jax.random.uniform(k, ((width + 1) * out,), minval=-1, maxval=1) / np.sqrt(width)
        for k, width, out in zip(keys, WIDTHS, WIDTHS[1:])
    ]
    return jnp.concatenate(parts)


def loss(flat, x, y, present):
    return jnp.sum(present * (forward(unflatten(flat), x) - y) ** 2) / jnp.sum(present)


def train(key, x, y):
    rows = len(y)
    steps = -(-rows // BATCH)

    def step(state, batch):
        flat, mean, square, count = state
        row, present = batch
        gradient = jax.grad(loss)(flat, x[row], y[row], present)
        count = count + 1
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        move = mean / (1 - 0.9**count) / (jnp.sqrt(square / (1 - 0.999**count)) + 1e-8)
        return (flat - RATE * move, mean, square, count), None

    def epoch(state, key):
        order = jax.random.permutation(key, rows)
        # The last minibatch of an epoch is smaller: what is missing has no weight.
        present = (jnp.arange(steps * BATCH) < rows).astype(jnp.float32)
        order = jnp.concatenate([order, jnp.zeros(steps * BATCH - rows, order.dtype)])
        batches = order.reshape(steps, BATCH), present.reshape(steps, BATCH)
        return jax.lax.scan(step, state, batches)[0], None

    first, later = jax.random.split(key)
    flat = initial(first)
    state = (flat, jnp.zeros(COUNT), jnp.zeros(COUNT), 0.0)
    return jax.lax.scan(epoch, state, jax.random.split(later, EPOCHS))[0][0]


def finetune(flat, key, window, x, y):
    everything = jnp.ones(SMALL)

    def step(flat, key):
        old, new = jax.random.split(key)
        row = jnp.concatenate(
            [
                jax.random.randint(old, (FROM_TRAINING,), 0, len(y)),
                window[jax.random.randint(new, (SMALL - FROM_TRAINING,), 0, SIZE)],
            ]
        )
        return flat - GENTLE * jax.grad(loss)(flat, x[row], y[row], everything), None

    whole = jnp.ones(SIZE)
    before = loss(flat, x[window], y[window], whole)
    tuned = jax.lax.scan(step, flat, jax.random.split(key, STEPS))[0]
    return tuned - flat, before, loss(tuned, x[window], y[window], whole)


def regress(design, anomalies):
    q, r = jnp.linalg.qr(design)
    found = jax.scipy.linalg.solve_triangular(r, q.T @ anomalies)
    left = jnp.sum((anomalies - design @ found) ** 2, axis=0) / (WINDOWS - 3)
    spread = jnp.sum(jax.scipy.linalg.solve_triangular(r, jnp.eye(3)) ** 2, axis=1)
    return found, jnp.sqrt(spread[:, None] * left)


def child(flat, found, basis, x):
    one = lambda basis, x: forward(unflatten(flat + basis @ found), x)
    return jax.vmap(one)(basis, x)


train_all = jax.jit(jax.vmap(train, in_axes=(0, None, None)))
finetune_all = jax.jit(
    jax.vmap(jax.vmap(finetune, in_axes=(None, 0, 0, None, None)), in_axes=(0, 0, None, None, None))
)
regress_all = jax.jit(jax.vmap(regress, in_axes=(None, 0)))
parent_all = jax.jit(jax.vmap(lambda flat, x: forward(unflatten(flat), x), in_axes=(0, None)))
child_all = jax.jit(jax.vmap(child, in_axes=(0, 0, None, None)))


def experiment(path):
    inputs, truth, depth = read(path)
    upper = depth <= 1000
    deep = ~upper
    mean, std = inputs[upper].mean(0), inputs[upper].std(0)
    middle, scale = truth[upper].mean(), truth[upper].std()
    single = lambda values: jnp.asarray(values, jnp.float32)
    x, y = single((inputs[upper] - mean) / std), single((truth[upper] - middle) / scale)

    members = jax.random.split(jax.random.PRNGKey(0), options.members)
    parents = train_all(members, x, y)

    order = np.argsort(depth[upper], kind="stable")
    starts = (len(order) - SIZE) * np.arange(WINDOWS) // (WINDOWS - 1)
    windows = order[starts[:, None] + np.arange(SIZE)]
    keys = jax.vmap(lambda key: jax.random.split(key, WINDOWS))(members)
    anomalies, _, _ = finetune_all(parents, keys, jnp.asarray(windows), x, y)

    at = depth[upper][windows].mean(1)
    basis = lambda z: single(np.c_[np.ones_like(z), z, z * z])
    standard = lambda depth: (depth - at.mean()) / at.std()
    found, _ = regress_all(basis(standard(at)), anomalies)

    x = single((inputs[deep] - mean) / std)
    before = parent_all(parents, x)
    after = child_all(parents, found, basis(standard(depth[deep])), x)
    error = lambda outputs: np.sqrt(
        np.mean((np.asarray(outputs, float) * scale + middle - truth[deep]) ** 2, axis=1)
    )
    return error(before), error(after), int(upper.sum()), int(deep.sum())


parents, children, upper, deep = experiment(options.file)
everything, processor = time.time() - START, time.process_time()
again, used = time.time(), time.process_time()
experiment(options.file)
print(
    json.dumps(
        {
            "seconds": everything,
            "processor": processor,
            "compiled": time.time() - again,
            "compiled_processor": time.process_time() - used,
            "rows": [upper, deep],
            "parent_rmse": float(np.median(parents)),
            "child_rmse": float(np.median(children)),
        }
    )
)
