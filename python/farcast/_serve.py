"""The loop of a worker: one call a line, one answer a line."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from . import _values

PROTOCOL = 1

Inputs = dict[str, Any]


class Fault(Exception):
    """What the user of a plugin can mend: points at the argument ``param`` in the experiment."""

    def __init__(self, message: str, *, param: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.param, self.hint = message, param, hint


class Diverged(Exception):
    """Training left the finite numbers: the member is marked and the others go on."""


class Context:
    """What a call may use beside its arguments."""

    def __init__(self, say: Callable[[dict[str, Any]], None], call: Mapping[str, Any]) -> None:
        self._say = say
        self._call = call
        #: Which member is made, from 0; None without members.
        self.member: int | None = call.get("member")
        #: How many threads may be used.
        self.threads: int = call.get("threads", 1)
        #: A folder of this call to write to.
        self.folder = Path(call["dir"])
        #: Whether the run wants the call to end.
        self.cancelled = threading.Event()

    def rng(self, name: str = "") -> np.random.Generator:
        """A random stream of this name: the same for the same call, whatever the machine."""
        seed = hashlib.blake2b(bytes.fromhex(self._call["seed"]) + name.encode()).digest()
        words = np.frombuffer(seed, dtype="<u4").tolist()
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))

    def seed(self, name: str = "") -> int:
        """A whole number below 2^63, for libraries that take one."""
        return int(self.rng(name).integers(2**63))

    def progress(self, done: int, total: int = 0, loss: float | None = None) -> None:
        """Tells how far the call is; ends it when the run wants that."""
        if self.cancelled.is_set():
            raise _Cancelled
        if loss is not None and not np.isfinite(loss):
            loss = None
        loss = None if loss is None else float(loss)
        self._say({"progress": {"done": int(done), "total": int(total), "loss": loss}})

    def note(self, text: str) -> None:
        """Something a reader of the results must know."""
        self._say({"note": str(text)})


class _Cancelled(BaseException):
    pass


class Network(Protocol):
    """A network of one's own: how rows of weights are made, run and differentiated.

    Inputs and targets are standardised. ``weights`` is ``[k, weights]``, ``inputs`` is
    ``[k, rows, inputs]``: each row of weights has rows of its own.
    """

    def train(self, ctx: Context, *, samples: dict[str, Any], **args: Any) -> _values.Weights:
        """The trained weights, one row; ``samples`` has ``inputs`` and ``targets``."""
        ...

    def outputs(self, weights: np.ndarray, inputs: np.ndarray, **args: Any) -> np.ndarray:
        """The outputs, ``[k, rows, outputs]``."""
        ...

    def gradients(
        self, weights: np.ndarray, inputs: np.ndarray, targets: np.ndarray, **args: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mean losses ``[k]``, and their gradients by the weights, ``[k, weights]``."""
        ...


_Function = Callable[..., Any]
plugins: dict[str, dict[str, _Function]] = {}


def plugin(name: str) -> Callable[[_Function], _Function]:
    """Registers a function as the plugin that ``farcast.toml`` calls ``name``.

    It is called with a :class:`Context` and the arguments by name.
    """

    def register(function: _Function) -> _Function:
        plugins.setdefault(name, {})["run"] = function
        return function

    return register


def network(name: str, made: Network) -> None:
    """Registers a network as the plugin that ``farcast.toml`` calls ``name``."""

    def own(args: dict[str, Any]) -> dict[str, Any]:
        # Names of columns, which mean nothing to standardised arrays.
        return {key: value for key, value in args.items() if key not in ("inputs", "target")}

    def outputs(ctx: Context, network: _values.Weights, **args: Any) -> dict[str, Any]:
        inputs = network.coordinates["inputs"]
        return {"outputs": np.asarray(made.outputs(network.weights, inputs, **own(args)))}

    def gradients(ctx: Context, network: _values.Weights, **args: Any) -> dict[str, Any]:
        rows = network.coordinates
        found = made.gradients(network.weights, rows["inputs"], rows["targets"], **own(args))
        return {"losses": np.asarray(found[0]), "gradients": np.asarray(found[1])}

    plugins[name] = {"run": made.train, "outputs": outputs, "gradients": gradients}


def serve() -> None:
    """Answers calls until standard input ends. What is printed goes to standard error."""
    # Only messages may be on standard output, whatever a library prints there.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with lock:
            answers.write(json.dumps(message, allow_nan=False) + "\n")
            answers.flush()

    say({"hello": {"protocol": PROTOCOL}})
    running: list[Context] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    calls = _Calls(running)
    for call in calls:
        context = Context(say, call)
        running[:] = [context]
        say({**_answer(context, call), "call": call["call"]})
        running.clear()


class _Calls:
    """Calls from standard input; a thread reads on, so that one can be cancelled."""

    def __init__(self, running: list[Context]) -> None:
        import queue

        self._running = running
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if "cancel" in message:
                for context in self._running:
                    context.cancelled.set()
            else:
                self._queue.put(message)
        if self._running:
            # The run is gone: nobody waits for what is computed.
            os._exit(0)
        self._queue.put(None)

    def __iter__(self) -> Any:
        return iter(self._queue.get, None)


def _answer(context: Context, call: Mapping[str, Any]) -> dict[str, Any]:
    folder = Path(call["dir"])
    try:
        functions = plugins.get(call["plugin"])
        if functions is None:
            known = ", ".join(sorted(plugins)) or "none"
            raise LookupError(f"this program has no plugin `{call['plugin']}`; it has: {known}")
        function = functions.get(call["function"])
        if function is None:
            raise LookupError(f"plugin `{call['plugin']}` has no function `{call['function']}`")
        inputs = {name: _values.read(folder, said) for name, said in call["inputs"].items()}
        arguments = {**inputs, **call["args"]}
        _bind(function, context, arguments)
        return {"done": _values.write(folder, function(context, **arguments))}
    except _Cancelled:
        return {"fault": {"whose": "user", "message": "cancelled"}}
    except Fault as fault:
        told = {"whose": "user", "message": fault.message, "param": fault.param}
        return {"fault": {**told, "hint": fault.hint}}
    except Diverged as diverged:
        return {"fault": {"whose": "diverged", "message": str(diverged)}}
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        sys.stderr.flush()
        return {"fault": {"whose": "bug", "message": f"{type(error).__name__}: {error}"}}


_signature = functools.cache(inspect.signature)


def _bind(function: _Function, context: Context, arguments: Mapping[str, Any]) -> None:
    """Says which parameters the declaration and the function do not share."""
    try:
        _signature(function).bind(context, **arguments)
    except TypeError as error:
        message = f"the declaration and the function do not agree: {error}"
        raise LookupError(message) from None
