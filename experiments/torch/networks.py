"""Networks of PyTorch for farcast: a residual network with dropout, and a recurrent one."""

import farcast
import farcast.torch
import torch
from torch import nn


class Residual(nn.Module):
    """Blocks that add to what they read."""

    def __init__(self, inputs, width=24, blocks=2, dropout=0.1):
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout))
            for _ in range(blocks)
        )
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


class Recurrent(nn.Module):
    """Reads the columns of a row one after the other, as a sequence."""

    def __init__(self, inputs, width=12):
        super().__init__()
        self.cell = nn.GRU(1, width, batch_first=True)
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        _, state = self.cell(x.unsqueeze(-1))
        return self.last(state[-1])


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=3e-3, weight_decay=1e-3)


huber = nn.SmoothL1Loss()
farcast.network("residual", farcast.torch.Network(Residual, huber, adamw, batch=256))
farcast.network("recurrent", farcast.torch.Network(Recurrent, huber, adamw, batch=256))
if __name__ == "__main__":
    farcast.serve()
