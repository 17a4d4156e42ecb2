"""An experiment on data of its own, run once for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import farcast
import numpy as np
import pytest

EXPERIMENT = """experiment "Waves"

param degree: Int = 1 in 1..=3
param hidden: List(Int) = [8]
param step: Float = 1e-2

data all = csv("rows.csv")
data seen = where(all, z <= 0.6)
data unseen = where(all, z > 0.6)

parent net = mlp(seen, inputs: [x], target: y, hidden: hidden, epochs: 20, members: 2)
subset near = window(seen, by: z, count: 16, size: 40)
anomaly shift = finetune(net, near, optimizer: sgd(rate: step), steps: 20)
predictor regime = columns(z)
child adapted = apply(polynomial(shift, regime, degree: degree), unseen)
child straight = apply(spline(shift, regime, knots: 4), unseen, outside: linear)
child careful = apply(polynomial(shift, regime, degree: degree), unseen, outside: parent, trust: 2)
child held = apply(polynomial(shift, regime, degree: 3), unseen, clip: 1)

score skill = compare(net, adapted, straight, careful, held, on: unseen, metrics: [rmse], by: z)
report summary = page(skill)
"""


def rows() -> dict[str, np.ndarray]:
    """The data: a wave whose height depends on `z`."""
    rng = np.random.default_rng(7)
    x, z = rng.uniform(-3, 3, 600), rng.uniform(0, 1, 600)
    return {"x": x, "z": z, "y": np.sin(x) * (1 + 2 * z)}


@pytest.fixture(scope="session")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the experiment, of which nothing ran."""
    folder = tmp_path_factory.mktemp("waves")
    (folder / "waves.farcast").write_text(EXPERIMENT)
    columns = rows()
    lines = (",".join(map(repr, map(float, row))) for row in zip(*columns.values(), strict=True))
    (folder / "rows.csv").write_text("\n".join([",".join(columns), *lines]) + "\n")
    return folder


@pytest.fixture(scope="session")
def result(waves: Path) -> farcast.Run:
    """The run with its tables and weights."""
    out = waves / "out" / "waves"
    return farcast.run(waves / "waves.farcast", out=out, tables=True, weights=True, progress=False)


@pytest.fixture
def there(waves: Path) -> Iterator[Path]:
    """The same folder, as the working folder."""
    before = Path.cwd()
    os.chdir(waves)
    yield waves
    os.chdir(before)
