"""A regression and an anomaly in Python with numpy, by the helper."""

import farcast
import numpy as np


@farcast.plugin("huber")
def huber(ctx, shift, regime, *, delta: float):
    x = np.column_stack([np.ones(len(regime.values)), regime.values])
    y = shift.weights.astype(float)
    if delta < 0.01:
        raise farcast.Fault(f"expected at least 0.01, found {delta}", param="delta")
    print("what is printed is not a message")
    coefficients = np.linalg.lstsq(x, y, rcond=None)[0]
    for step in range(20 if delta < 50 else 0):
        residual = np.abs(y - x @ coefficients)
        scale = np.maximum(np.median(residual, axis=0) / 0.6745, 1e-12)
        weights = np.minimum(1, delta * scale / np.maximum(residual, 1e-300))
        for column in range(y.shape[1]):
            root = np.sqrt(weights[:, column, None])
            solved = np.linalg.lstsq(x * root, y[:, column] * root[:, 0], rcond=None)
            coefficients[:, column] = solved[0]
        ctx.progress(step + 1, 20, float(residual.mean()))
    return {"coefficients": coefficients}


@farcast.plugin("drift")
def drift(ctx, parent, subsets, *, size: float):
    rows = ctx.rng("shift").normal(0, size, (len(subsets), len(parent.layout)))
    rows += np.arange(len(subsets))[:, None] * size
    return farcast.Weights(rows, parent.layout)


if __name__ == "__main__":
    farcast.serve()
