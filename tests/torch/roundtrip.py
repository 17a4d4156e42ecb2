"""A training run of PyTorch goes into farcast, is farcast by lfd2, and comes back into the same module.

Usage: python tests/torch/roundtrip.py FARCAST
Needs: torch (CPU is enough) and safetensors

The module must take the weights with `strict=True`, and its loss must be the score that farcast reports.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from module import rmse

EXPERIMENT = """\
data all = csv("data.csv")
trajectory run = checkpoints("ck/step-*.safetensors")
farcast ahead = lfd2(run, observe: 0..=40, horizon: [60])
parent net = mlp(all, inputs: [a, b], target: y, hidden: [16], activation: tanh, steps: 1, members: 1)
child far = adopt(ahead, horizon: 60, like: net)
score error = compare(net, far, on: all, metrics: [rmse])
"""


class Net(torch.nn.Module):
    """Named as farcast names the layers of `mlp`."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(2, 16), torch.nn.Linear(16, 1)])

    def forward(self, x):
        return self.layers[1](torch.tanh(self.layers[0](x))).squeeze(1)


def train(folder):
    """Writes the data, and a state of a run of Adam after every second step."""
    torch.manual_seed(0)
    x = torch.randn(200, 2)
    y = torch.sin(x[:, 0]) + 0.5 * x[:, 1]
    with open(folder / "data.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "y"])
        writer.writerows([*map(repr, row.tolist()), repr(target.item())] for row, target in zip(x, y))
    (folder / "ck").mkdir()
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(61):
        if step % 2 == 0:
            save_file(net.state_dict(), folder / f"ck/step-{step}.safetensors")
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net((x - x.mean(0)) / x.std(0)), (y - y.mean()) / y.std()).backward()
        optimizer.step()
    return x, y


def main(farcast):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x, y = train(folder)
        (folder / "ahead.farcast").write_text(EXPERIMENT)
        run = lambda *words: subprocess.run([farcast, *words, "--quiet"], cwd=folder, check=True)
        run("run", "ahead.farcast")
        run("export", "ahead.farcast", "far")
        [path] = folder.glob("out/**/far*.safetensors")
        expected = rmse(Net(), path, x, y)
        with open(next(folder.glob("out/**/scores.csv"))) as file:
            rows = [row for row in csv.DictReader(file) if row["model"] == "far" and row["member"] == "mean"]
        [score] = [float(row["value"]) for row in rows]
        print(f"rmse of the module {expected:.9f}, of farcast {score:.9f}")
        assert abs(score - expected) <= 1e-6 * expected, "the losses differ"


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
