"""Writes methods.json: figures of statsmodels, patsy, scipy and scikit-learn for the tests.

pip install numpy==2.* scipy statsmodels patsy scikit-learn; python methods.py

- `z`: 30 subsets, two predictors, standardised (mean 0, np.std 1); `y`: three weights each.
- `spline`: least squares (statsmodels OLS) on the natural cubic regression splines of patsy,
  the bases of its cr(z0) + cr(z1), knots at the quantiles 0, 1/3, 2/3, 1, at the points `at`.
- `smooth`: scipy.interpolate.make_smoothing_spline of the first weight over the first predictor,
  standardised, of the first twelve subsets, a knot at each: it minimises
  sum (y - f)^2 + lam int f''^2, so that lam = 12 penalty; at the points `at`.
- `gcv`: the penalty of the grid 10^(k/10) with the least generalised cross-validation of that
  spline, 12 |y - f|^2 / (12 - tr A)^2, the columns of A being the splines of unit vectors.
- `ridge`: the penalty of the same grid with the least generalised cross-validation summed over
  the weights, and the slopes of sklearn.linear_model.Ridge(alpha=n penalty) for it.
- `distances`: sklearn.covariance.EmpiricalCovariance, scaled to n - 1, at the points `at`.
- `modes`: sklearn.decomposition.PCA of y: shares of variance and components.
"""
import json

import numpy as np
import statsmodels.api as sm
from patsy.mgcv_cubic_splines import _get_free_crs_dmatrix as cr
from scipy.interpolate import make_smoothing_spline
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

rng = np.random.default_rng(7)
n = 30
z = rng.normal(size=(n, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
z = np.round((z - z.mean(0)) / z.std(0), 12)
y = np.c_[np.sin(2 * z[:, 0]), z[:, 0] * z[:, 1], np.cos(z[:, 1])]
y = np.round(y + 0.2 * rng.normal(size=(n, 3)), 3)
at = np.array([[-3.0, 2.0], [0.3, -0.5], [4.0, -2.0]])
grid = 10.0 ** (np.arange(-60, 61) / 10)


def spline():
    knots = np.quantile(z, [0, 1 / 3, 2 / 3, 1], axis=0)
    basis = lambda x: np.hstack([cr(x[:, j], knots[:, j]) for j in (0, 1)])
    fits = [sm.OLS(y[:, k], basis(z)).fit(method="pinv") for k in range(3)]
    return np.stack([fit.predict(basis(at)) for fit in fits], 1)


few = (z[:12, 0] - z[:12, 0].mean()) / z[:12, 0].std()
order = np.argsort(few)
curve = lambda values, penalty: make_smoothing_spline(few[order], values[order], lam=12 * penalty)


def smooth(penalty):
    f, inside = curve(y[:12, 0], penalty), np.clip(at[:, 0], few.min(), few.max())
    return f(inside) + f(inside, 1) * (at[:, 0] - inside)


def gcv_smooth(penalty):
    trace = sum(curve(np.eye(12)[k], penalty)(few[k]) for k in range(12))
    residual = y[:12, 0] - curve(y[:12, 0], penalty)(few)
    return 12 * (residual ** 2).sum() / (12 - trace) ** 2


def gcv_ridge(penalty):
    model = Ridge(alpha=n * penalty)
    trace = sum(model.fit(z, np.eye(n)[k]).predict(z)[k] for k in range(n))
    return n * ((y - model.fit(z, y).predict(z)) ** 2).sum() / (n - trace) ** 2


best = lambda score: float(grid[np.argmin([score(penalty) for penalty in grid])])
smoothest, shrunk = best(gcv_smooth), best(gcv_ridge)
cloud = EmpiricalCovariance().fit(z)
pca = PCA().fit(y)
sign = np.sign(pca.components_[np.arange(3), np.abs(pca.components_).argmax(1)])
json.dump({
    "z": z.tolist(), "y": y.tolist(), "at": at.tolist(),
    "spline": spline().tolist(),
    "smooth": {"penalty": 0.01, "values": smooth(0.01).tolist()},
    "gcv": {"penalty": smoothest, "values": smooth(smoothest).tolist()},
    "ridge": {"penalty": shrunk, "slopes": Ridge(alpha=n * shrunk).fit(z, y).coef_.tolist()},
    "distances": np.sqrt(cloud.mahalanobis(at) * (n - 1) / n).tolist(),
    "modes": {"shares": pca.explained_variance_ratio_.tolist(),
              "components": (pca.components_ * sign[:, None]).tolist()},
}, open("methods.json", "w"), indent=1)
