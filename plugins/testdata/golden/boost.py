"""Writes boost.json: what HistGradientBoostingRegressor of scikit-learn predicts.

pip install numpy==2.* scikit-learn==1.9.*; python boost.py

- `x`, `y`, `w`: 307 rows of three inputs (the third of few values), a noisy target, and weights, a
  tenth of which are 0; `at`: 12 other rows.
  307 is prime, so that no quantile lies exactly on a row.
- `cases`: settings, whether rows count by `w`, 1 on average, and what is predicted `at` by
  scikit-learn fitted with them. Leaves have five rows at least, or two of different weights: with
  single rows two inputs often divide alike, and scikit-learn itself predicts up to 0.3 otherwise
  when the columns change places.
"""
import json

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

rng = np.random.default_rng(11)


def inputs(rows):
    return np.c_[np.round(rng.normal(size=(rows, 2)), 3), rng.integers(0, 6, rows)]


x, at = inputs(307), inputs(12)
y = np.sin(2 * x[:, 0]) + x[:, 0] * x[:, 1] + 0.3 * x[:, 2] + 0.1 * rng.normal(size=307)
y = np.round(y, 3)
w = np.round(rng.exponential(size=307), 3) * (rng.random(307) < 0.9)
names = "max_iter learning_rate max_leaf_nodes min_samples_leaf l2_regularization max_bins".split()
cases = [
    (100, 0.1, 31, 20, 0.0, 255),
    (30, 0.3, 4, 5, 0.0, 255),
    (10, 1.0, 31, 5, 0.0, 255),
    (40, 0.1, 8, 10, 5.0, 16),
    (20, 0.2, 31, 40, 1.0, 3),
]
weighted = [cases[0], cases[3], (20, 0.3, 8, 2, 2.0, 20)]


def case(values, weights=None):
    settings = dict(zip(names, values))
    model = HistGradientBoostingRegressor(early_stopping=False, **settings).fit(x, y, weights)
    settings["weighted"] = weights is not None
    return settings | {"predictions": model.predict(at).round(9).tolist()}


cases = [case(it) for it in cases] + [case(it, w / w.mean()) for it in weighted]
golden = {"x": x.tolist(), "y": y.tolist(), "w": w.tolist(), "at": at.tolist(), "cases": cases}
with open("boost.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
