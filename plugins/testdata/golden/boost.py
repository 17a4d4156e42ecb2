"""Writes boost.json: what HistGradientBoostingRegressor of scikit-learn predicts.

pip install numpy==2.* scikit-learn==1.9.*; python boost.py

- `x`, `y`: 307 rows of three inputs (the third of few values) and a noisy target; `at`: 12 other rows.
  307 is prime, so that no quantile lies exactly on a row.
- `cases`: settings, and what is predicted `at` by scikit-learn fitted with them. Leaves have five rows
  at least: with single rows two inputs often divide alike, and scikit-learn itself predicts up to
  0.3 otherwise when the columns change places.
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
names = "max_iter learning_rate max_leaf_nodes min_samples_leaf l2_regularization max_bins".split()
cases = [
    (100, 0.1, 31, 20, 0.0, 255),
    (30, 0.3, 4, 5, 0.0, 255),
    (10, 1.0, 31, 5, 0.0, 255),
    (40, 0.1, 8, 10, 5.0, 16),
    (20, 0.2, 31, 40, 1.0, 3),
]


def case(values):
    settings = dict(zip(names, values))
    model = HistGradientBoostingRegressor(early_stopping=False, **settings).fit(x, y)
    return settings | {"predictions": model.predict(at).round(9).tolist()}


golden = {"x": x.tolist(), "y": y.tolist(), "at": at.tolist(), "cases": [case(it) for it in cases]}
with open("boost.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
