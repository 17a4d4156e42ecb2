"""Plugins for farcast in Python: a function with annotations is all there is to write.

    import farcast

    @farcast.plugin("huber")
    def huber(ctx, shift, regime, *, delta: float = 1.35):
        ...
        return {"coefficients": coefficients}

    if __name__ == "__main__":
        farcast.serve()

Tables arrive as dictionaries of arrays, weights as arrays with a layout. Needs numpy alone.
"""

from ._serve import Context, Diverged, Fault, Inputs, Network, network, plugin, plugins, serve
from ._values import Anomalies, Design, Layout, Table, Weights

__all__ = [
    "Anomalies",
    "Context",
    "Design",
    "Diverged",
    "Fault",
    "Inputs",
    "Layout",
    "Network",
    "Table",
    "Weights",
    "network",
    "plugin",
    "plugins",
    "serve",
]
__version__ = "0.1.0"
