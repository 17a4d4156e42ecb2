"""The plugin NAME. `farcast plugin test` tries whether it keeps its promises."""

import farcast
import numpy as np


@farcast.plugin("NAME")
def NAME(ctx, shift, regime, *, delta: float):
    """Straight lines by Huber's loss, solved by reweighting: see `lib.farcast`."""
    x = np.column_stack([np.ones(len(regime.values)), regime.values])  # [subsets, terms]
    y = shift.weights.astype(float)  # [subsets, weights]
    coefficients = np.linalg.lstsq(x, y, rcond=None)[0]
    steps = 20
    for step in range(steps):
        residual = np.abs(y - x @ coefficients)
        scale = np.maximum(np.median(residual, axis=0) / 0.6745, 1e-12)
        weights = np.minimum(1, delta * scale / np.maximum(residual, 1e-300))
        for column in range(y.shape[1]):
            root = np.sqrt(weights[:, column])
            solved = np.linalg.lstsq(x * root[:, None], y[:, column] * root, rcond=None)
            coefficients[:, column] = solved[0]
        ctx.progress(step + 1, steps, float(residual.mean()))
    return {"coefficients": coefficients}


if __name__ == "__main__":
    farcast.serve()
