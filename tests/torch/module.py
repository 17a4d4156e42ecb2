"""A module of PyTorch with the weights of a file that farcast has written."""

import json
import math

import torch
from safetensors import safe_open
from safetensors.torch import load_file


def rmse(module, path, x, y):
    """The error of the module on rows ``x``, in the unit of ``y``: the file says how both are scaled."""
    module.load_state_dict(load_file(path), strict=True)
    with safe_open(path, "pt") as file:
        network = json.loads(file.metadata()["network"])
    column = lambda of, name: torch.tensor([one[name] for one in of], dtype=torch.float64)
    scale = lambda of: (column(of, "mean"), column(of, "std"))
    (mean, std), (middle, width) = scale(network["inputs"]), scale(network["targets"])
    with torch.no_grad():
        found = module.double()((x.double() - mean) / std).reshape(len(x)) * width + middle
        return math.sqrt(torch.mean((found - y.double()) ** 2).item())
