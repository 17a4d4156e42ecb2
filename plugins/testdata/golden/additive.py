"""Writes additive.json: what additive models fitted with numpy and scipy predict.

pip install numpy==2.* scipy==1.*; python additive.py

- `x`, `u`, `v`, `w`: 83 rows of three inputs (the third of few values), two targets and weights, a
  third of which are 0; `at`: other rows, some beyond the first.
- `cases`: arguments, and what is predicted `at` by
  `min Σ_i w_i (y_i - b - Σ_j f_j(x_ij))² / n + Σ_j penalty_j ∫ f_j''²`, `w` 1 on average, `x` and `y`
  standardised with `w`. `f_j` is the natural spline of scipy through values at the knots, straight
  beyond; `∫ f''²` follows from its second derivatives at the knots, `f''` being straight between
  them. Solved by numpy's `lstsq`. Penalties left out are those of least
  `(Σ residual² / n) / (1 - trace / n)²`: of 121 powers of ten first one for all, then each in turn.
"""
import json

import numpy as np
from scipy.interpolate import CubicSpline

rng = np.random.default_rng(5)
GRID = 10.0 ** (np.arange(-60, 61) / 10)


def inputs(rows, wide=1.0):
    return np.c_[np.round(wide * rng.normal(size=(rows, 2)), 3), rng.integers(0, 4, rows)]


x, at = inputs(83), inputs(10, 2.5)
u = np.round(np.sin(2 * x[:, 0]) + x[:, 1] ** 2 + 0.3 * x[:, 2] + 0.1 * rng.normal(size=83), 3)
v = np.round(40 * x[:, 1] - 10 * np.abs(x[:, 0]) + 5 * rng.normal(size=83), 3)
w = rng.integers(0, 3, 83).astype(float)
targets = {"u": u, "v": v}


def knots_of(z, count):
    count = max(2, min(count, len(np.unique(z))))
    return np.unique(np.quantile(z, np.linspace(0, 1, count)))


def shares(knots, z):
    """The natural splines that are 1 at one knot and 0 at the others, each at `z`."""
    spline = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
    inside = np.clip(z, knots[0], knots[-1])
    return spline(inside) + (z - inside)[:, None] * spline(inside, 1)


def root(knots):
    """`∫ f''² = |root @ values|²`."""
    second = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")(knots, 2)
    rows = []
    for left, right, h in zip(second, second[1:], np.diff(knots)):
        # ∫ of a line squared: h (l² + l r + r²) / 3 = h ((l + r) / 2)² + h (l - r)² / 12
        rows += [np.sqrt(h) * (left + right) / 2, np.sqrt(h / 12) * (left - right)]
    return np.array(rows)


def fit(names, count, penalty=None, weights=None):
    c = np.ones(83) if weights is None else weights / weights.mean()
    mean, std = np.average(x, 0, c), np.sqrt(np.average((x - np.average(x, 0, c)) ** 2, 0, c))
    z, z_at = (x - mean) / std, (at - mean) / std
    y = np.stack([targets[name] for name in names], 1)
    y_mean = np.average(y, 0, c)
    y_std = np.sqrt(np.average((y - y_mean) ** 2, 0, c))
    knots = [knots_of(z[c > 0, j], count) for j in range(3)]

    def design(z):
        return np.hstack([np.ones((len(z), 1))] + [shares(k, z[:, j]) for j, k in enumerate(knots)])

    bends, first = [], 1
    for k in knots:
        whole = np.zeros((2 * len(k) - 2, 1 + sum(map(len, knots))))
        whole[:, first : first + len(k)] = root(k)
        first += len(k)
        bends.append(whole)
    half = np.sqrt(c)[:, None]
    X, Y = half * design(z), half * (y - y_mean) / y_std

    def stacked(strengths):
        return np.vstack([X] + [np.sqrt(83 * s) * b for s, b in zip(strengths, bends)])

    def score(strengths):
        hat = X @ np.linalg.pinv(stacked(strengths), rcond=1e-11)[:, :83]
        return ((Y - hat @ Y) ** 2).sum() / 83 / (1 - np.trace(hat) / 83) ** 2

    def least(of):
        return GRID[np.argmin([score(of(s)) for s in GRID])]

    if penalty is not None:
        strengths = [penalty] * 3
    else:
        strengths = [least(lambda s: [s] * 3)] * 3
        for _ in range(20):
            before = list(strengths)
            for j in range(3):
                strengths[j] = least(lambda s: strengths[:j] + [s] + strengths[j + 1 :])
            if strengths == before:
                break
    whole = stacked(strengths)
    below = np.zeros((len(whole) - 83, len(names)))
    values = np.linalg.lstsq(whole, np.vstack([Y, below]), rcond=1e-11)[0]
    return y_mean + y_std * (design(z_at) @ values), strengths


def case(names, count, penalty=None, weights=None):
    predictions, strengths = fit(names, count, penalty, weights)
    target = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    call = f"rows, inputs: [a, b, c], target: {target}, knots: {count}"
    call += "" if penalty is None else f", penalty: {penalty}"
    call += "" if weights is None else ", weights: w"
    print(call, strengths)
    return {"call": call, "predictions": predictions.ravel().round(9).tolist()}


cases = [
    case(["u"], 5, 0.001),
    case(["u"], 4, 0.0),
    case(["u"], 10),
    case(["u"], 8, None, w),
    case(["u", "v"], 10),
    case(["v"], 6, 20.0, w),
]
golden = {"x": x, "w": w, "u": u, "v": v, "at": at}
golden = {name: values.tolist() for name, values in golden.items()} | {"cases": cases}
with open("additive.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
