"""Networks of PyTorch as parents of one's own: what farcast trains is what the module computes.

Usage: python tests/torch/networks.py FARCAST
Needs: torch (CPU is enough) and safetensors
"""

import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from module import rmse

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
sys.path.insert(0, str(ROOT / "experiments/torch"))

import farcast.torch  # noqa: E402
import networks  # noqa: E402

DECLARED = """\
plugin residual(
    data: data,
    inputs: List(Column),
    target: Column,
    width: Int = 8 in 1..,
    steps: Int = 60 in 1..,
    every: Int = 10 in 1..,
    members: Int = 1 in 1..,
) = parent from "residual", random, members: members
plugin recurrent(
    data: data,
    inputs: List(Column),
    target: Column,
    width: Int = 4 in 1..,
    steps: Int = 30 in 1..,
) = parent from "recurrent", random
plugin normalised(data: data, inputs: List(Column), target: Column) = parent from "normalised", random

data all = csv("data.csv")
"""

EXPERIMENT = DECLARED + """\
parent own = residual(all, inputs: [a, b], target: y, members: 2)
parent gru = recurrent(all, inputs: [a, b], target: y)
subset some = window(all, by: b, count: 6, size: 40)
anomaly shift = finetune(own, some, steps: 5, mix: 0)
child moved = apply(ols(shift, columns(b)), all)
trajectory path = record(own, every: 20 steps)
farcast ahead = lfd2(path, observe: 0..=40, horizon: [60])
child foretold = adopt(ahead, horizon: 60)
score error = compare(own, gru, moved, foretold, on: all, metrics: [rmse])
"""

REFUSED = DECLARED + """\
parent own = normalised(all, inputs: [a, b], target: y)
score error = compare(own, on: all, metrics: [rmse])
"""

NORMALISED = """
class Normalised(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.norm, self.last = nn.BatchNorm1d(inputs), nn.Linear(inputs, 1)

    def forward(self, x):
        return self.last(self.norm(x))


farcast.network("normalised", farcast.torch.Network(Normalised, steps=5))
"""


def rows_agree():
    """Several rows of weights at once are those one by one."""
    for factory in [networks.Residual, networks.Recurrent]:
        network = farcast.torch.Network(factory, networks.huber)
        weights = 0.3 * torch.randn(3, sum(it.numel() for it in factory(2).parameters()))
        x, y = torch.randn(3, 7, 2), torch.randn(3, 7, 1)
        together = [network.outputs(weights, x), *network.gradients(weights, x, y)]
        for at in range(3):
            one = slice(at, at + 1)
            alone = [network.outputs(weights[one], x[one]), *network.gradients(weights[one], x[one], y[one])]
            for many, single in zip(together, alone):
                difference = abs(torch.tensor(many[one]) - torch.tensor(single)).max().item()
                assert difference <= 1e-6, f"{factory.__name__}: {difference}"
            # And those of the module with these weights.
            module, start = factory(2).eval(), 0
            for parameter in module.parameters():
                end = start + parameter.numel()
                parameter.data, start = weights[at, start:end].reshape(parameter.shape).clone(), end
            difference = abs(module(x[at]).detach() - torch.tensor(together[0][at])).max().item()
            assert difference <= 1e-6, f"{factory.__name__} itself: {difference}"


def folder_of(name, text):
    folder = Path(name)
    module = (ROOT / "experiments/torch/networks.py").read_text()
    (folder / "networks.py").write_text(module.replace("if __name__", NORMALISED + "\nif __name__"))
    described = (ROOT / "experiments/torch/farcast.toml").read_text()
    described += described.split("\n\n")[0].replace("residual", "normalised")
    (folder / "farcast.toml").write_text(described.replace("files =", f'python = "{sys.executable}"\nfiles ='))
    (folder / "own.farcast").write_text(text)
    x = torch.randn(200, 2)
    y = torch.sin(x[:, 0]) + 0.5 * x[:, 1]
    with open(folder / "data.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "y"])
        writer.writerows([*map(repr, row.tolist()), repr(target.item())] for row, target in zip(x, y))
    return folder, x, y


def goes_home(farcast):
    """A member trained by farcast loads into the module, whose error is the score; so does its farcast."""
    with tempfile.TemporaryDirectory() as name:
        folder, x, y = folder_of(name, EXPERIMENT)
        run = lambda *words: subprocess.run([farcast, *words, "--quiet"], cwd=folder, check=True)
        run("run", "own.farcast", "--trust", "--weights")
        scores = list(csv.DictReader(open(next(folder.glob("out/**/scores.csv")))))
        for model in ["own", "foretold"]:
            path = next(folder.glob(f"out/**/{model}.0.safetensors"))
            expected = rmse(networks.Residual(2, width=8).eval(), path, x, y)
            rows = [row for row in scores if row["model"] == model and row["member"] == "0"]
            [score] = [float(row["value"]) for row in rows]
            print(f"rmse of {model} in the module {expected:.9f}, in farcast {score:.9f}")
            assert abs(score - expected) <= 1e-5 * expected, "the errors differ"
        again = folder / "again"
        again.mkdir()
        for file in ["networks.py", "farcast.toml", "own.farcast", "data.csv"]:
            shutil.copy(folder / file, again)
        subprocess.run(
            [farcast, "run", "own.farcast", "--trust", "--quiet", "--jobs", "2"], cwd=again, check=True
        )
        values = lambda rows: [(row["model"], row["member"], row["value"]) for row in rows]
        repeated = list(csv.DictReader(open(next(again.glob("out/**/scores.csv")))))
        assert values(repeated) == values(scores), "a second run has other scores"


def buffers_are_refused(farcast):
    with tempfile.TemporaryDirectory() as name:
        folder, _, _ = folder_of(name, REFUSED)
        ended = subprocess.run(
            [farcast, "run", "own.farcast", "--trust", "--quiet"], cwd=folder, capture_output=True, text=True
        )
        assert ended.returncode != 0, "batch normalisation passed"
        assert "training changes the buffer `norm.running_mean`" in ended.stderr, ended.stderr


if __name__ == "__main__":
    torch.manual_seed(0)
    program = str(Path(sys.argv[1]).resolve())
    rows_agree()
    goes_home(program)
    buffers_are_refused(program)
