"""Regresses all weights on the predictors at once with numpy's lstsq.

Prints the least processor time as JSON. `--gels` takes the QR of the design and one matrix
product instead, which is what a careful user of numpy writes.
"""
import argparse
import json
import time

import one_core  # noqa: F401
import numpy as np

options = argparse.ArgumentParser(description=__doc__)
options.add_argument("subsets", type=int)
options.add_argument("predictors", type=int)
options.add_argument("weights", type=int)
options.add_argument("--gels", action="store_true")
options = options.parse_args()

draw = np.random.default_rng(0)
slopes = draw.normal(size=(options.subsets, options.predictors))
design = np.c_[np.ones(options.subsets), slopes].astype(np.float32)
anomalies = draw.normal(size=(options.subsets, options.weights)).astype(np.float32)


def regress():
    if options.gels:
        q, r = np.linalg.qr(design)
        return np.linalg.solve(r, q.T @ anomalies)
    return np.linalg.lstsq(design, anomalies, rcond=None)[0]


def timed():
    start = time.process_time()
    regress()
    return time.process_time() - start


print(json.dumps({"seconds": min(timed() for _ in range(3))}))
