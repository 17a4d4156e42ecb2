"""farcast from Python: run experiments, read their results, write plugins.

    import farcast

    run = farcast.run("storms.farcast", set={"degree": 2}, weights=True)
    run.scores                              # a pandas frame, one row a value
    run.weights["net.0"]                    # named arrays of numpy
    net.load_state_dict(run.weights["net.0"].state_dict(net))

    farcast.load("out/storms")              # the results of an earlier run
    farcast.runs().frame                    # all runs of a store

A plugin is a function with annotations:

    @farcast.plugin("huber")
    def huber(ctx, shift, regime, *, delta: float = 1.35):
        ...
        return {"coefficients": coefficients}

    if __name__ == "__main__":
        farcast.serve()

The package needs nothing to run experiments, numpy for weights and plugins, and pandas (with
pyarrow, for tables) for frames. Each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._program import (
        CheckError,
        Diagnostic,
        FarcastError,
        Progress,
        RunError,
        check,
        find_bin,
        run,
    )
    from ._runs import Run, Runs, load, runs
    from ._serve import Context, Diverged, Fault, Inputs, Network, network, plugin, plugins, serve
    from ._tensors import Tensors
    from ._values import Anomalies, Design, Layout, Table, Weights

__all__ = [
    "Anomalies",
    "CheckError",
    "Context",
    "Design",
    "Diagnostic",
    "Diverged",
    "FarcastError",
    "Fault",
    "Inputs",
    "Layout",
    "Network",
    "Progress",
    "Run",
    "RunError",
    "Runs",
    "Table",
    "Tensors",
    "Weights",
    "check",
    "find_bin",
    "load",
    "network",
    "plugin",
    "plugins",
    "run",
    "runs",
    "serve",
]
__version__ = "0.2.0"

_HOMES = {
    "_program": "CheckError Diagnostic FarcastError Progress RunError check find_bin run",
    "_runs": "Run Runs load runs",
    "_serve": "Context Diverged Fault Inputs Network network plugin plugins serve",
    "_tensors": "Tensors",
    "_values": "Anomalies Design Layout Table Weights",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Imports what is asked for, and what it needs, when it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module `farcast` has no attribute `{name}`")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
