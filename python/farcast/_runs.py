"""Reads what runs wrote: scores, tables and weights of an output folder, records of a store."""

from __future__ import annotations

import csv
import html
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ._program import FarcastError, Path_, call

if TYPE_CHECKING:
    import pandas

    from ._tensors import Tensors

T = TypeVar("T")

#: The columns of scores that are text; of the others, params of the experiment may be anything.
_TEXTS = ("statement", "point", "member", "model", "role", "metric", "group", "run")


def load(run: Path_ = "last", *, store: Path_ | None = None) -> Run:
    """The results of a run: of its output folder or ``run.json``, or by its name in the store
    (``"last"``, ``"last~1"``, ``"20261121-0451"``).

    An output folder has scores, tables and weights; the store keeps the scores of all runs, also of
    those whose folder a later run took. Raises ``FarcastError`` when there is no such run.
    """
    path = Path(run)
    if path.name == "run.json":
        path = path.parent
    if (path / "run.json").is_file():
        return Run(_run_json(path / "run.json"), path, store=store)
    if path.is_dir():
        raise FarcastError(f"`{path}` has no run.json: it is not an output folder of a run")
    return Run(_show(os.fspath(run), store), store=store)


def runs(*, store: Path_ | None = None, limit: int | None = None) -> Runs:
    """The runs of a store, the oldest first: of ``store``, or the one that ``farcast runs`` finds
    from the working folder. ``limit`` keeps the newest."""
    if limit is not None and limit < 0:
        raise ValueError(f"limit is {limit}: expected at least 0")
    options = [] if limit is None else [f"--limit={limit}"]
    answer = _ask(["runs", "--json", *options, *_store(store)])
    return Runs([Run(one, store=store) for one in answer["runs"]])


class Run:
    """One run: what it was asked, how it ended, and its results."""

    def __init__(
        self, info: Mapping[str, Any], folder: Path | None = None, *, store: Path_ | None = None
    ) -> None:
        #: All that its ``run.json`` or its record says.
        self.info = dict(info)
        #: What is to be known before trusting the scores; of what ``farcast.run`` ran.
        self.notes: list[str] = []
        self._folder = folder
        self._store = store

    @property
    def name(self) -> str | None:
        """Its name in the store; None of an output folder."""
        return self.info.get("run") if self._folder is None else None

    @cached_property
    def folder(self) -> Path | None:
        """The output folder, if it still is of this run."""
        if self._folder is not None or "out" not in self.info:
            return self._folder
        folder = Path(self.info.get("folder", ""), self.info["out"])
        try:
            when = _run_json(folder / "run.json")["when"]
        except (FarcastError, KeyError):
            return None
        return folder if (self.name or "").startswith(_stamp(when)) else None

    @property
    def experiment(self) -> str:
        """The title of the experiment."""
        return str(self.info.get("experiment", ""))

    @property
    def ok(self) -> bool:
        """Whether it ended without failures."""
        return bool(self.info.get("ok"))

    @property
    def params(self) -> dict[str, str]:
        """The params of the experiment and ``seed``, as the language writes their values. What a
        sweep varied is in the column ``point`` of the scores."""
        return dict(self.info.get("params", {}))

    @property
    def headlines(self) -> list[str]:
        """What the run found, a line for each metric."""
        return list(self.info.get("headlines", ()))

    @property
    def choices(self) -> list[dict[str, Any]]:
        """What sweeps chose: ``sweep``, ``point``, ``score`` and the ``next`` best."""
        return list(self.info.get("choices", ()))

    @property
    def seconds(self) -> float:
        """How long it took; what was in the store already took nothing."""
        return float(self.info.get("seconds") or 0)

    @property
    def counts(self) -> dict[str, int]:
        """How many actions there are in ``total``, and how many ``ran``, were ``cached``, ``failed``."""
        # The record of a run has counts where its run.json has the actions themselves.
        return dict(self.info.get("counts") or self.info.get("actions") or {})

    @property
    def report(self) -> Path:
        """The page of the report."""
        return self._written("report.html")

    @cached_property
    def scores(self) -> pandas.DataFrame:
        """All scores, one row a value: ``statement``, ``point``, ``member`` (a number as text,
        ``mean``, ``median`` or ``all``), ``model``, ``role``, ``metric``, ``horizon``, ``group``,
        ``value``; of an output folder also ``run`` and a column for every param."""
        pandas = need("pandas", "scores as a frame")
        if self.folder is None:
            return pandas.DataFrame(self.score_rows)
        parquet = self.folder / "scores.parquet"
        if parquet.is_file() and has("pyarrow"):
            return pandas.read_parquet(parquet, engine="pyarrow")
        texts = dict.fromkeys(_TEXTS, str)
        path = self._written("scores.csv")
        empty = {"horizon": [""], "group": [""], "value": ["", "NaN"]}
        return pandas.read_csv(path, dtype=texts, keep_default_na=False, na_values=empty)

    @cached_property
    def score_rows(self) -> list[dict[str, Any]]:
        """The same as dictionaries, without pandas."""
        if self.folder is None:
            shown = self.info if "scores" in self.info else _show(self.name or "", self._store)
            return list(shown["scores"])
        with open(self._written("scores.csv"), encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
        for row in rows:
            row["horizon"] = float(row["horizon"]) if row["horizon"] else None
            row["group"] = row["group"] or None
            row["value"] = float(row["value"]) if row["value"] else float("nan")
        return rows

    @property
    def costs(self) -> pandas.DataFrame:
        """What the results of each statement cost, in this run or the one that made them."""
        return need("pandas", "costs as a frame").DataFrame(self.info.get("costs", []))

    @cached_property
    def tables(self) -> Files[pandas.DataFrame]:
        """The tables that ``tables=True`` wrote, by the names of their files: ``shift.0`` is that of
        member 0 of ``shift``. The column ``weights`` has an array in each row;
        ``np.stack(frame.weights)`` is the matrix."""
        return Files(self._exported(".parquet"), _frame, "table", "tables=True")

    @cached_property
    def weights(self) -> Files[Tensors]:
        """The weights that ``weights=…`` wrote, by the names of their files: ``net.0`` is member 0 of
        ``net``, ``adapted@rate=0.01.0`` one at a point of a sweep, ``ahead.h40`` one at a horizon."""
        from ._tensors import read

        found = {
            name: path
            for ending in (".safetensors", ".safetensors.index.json")
            for name, path in self._exported(ending).items()
        }
        alone = {
            name: path
            for name, path in found.items()
            if not (name.endswith(".terms") and name.removesuffix(".terms") in found)
        }
        # The parts of a model in shards are reached through their index.
        for name, path in found.items():
            if path.name.endswith(".index.json"):
                for part in set(json.loads(path.read_text())["weight_map"].values()):
                    alone.pop(part.removesuffix(".safetensors"), None)
        return Files(alone, read, "file of weights", "weights=True")

    def _exported(self, ending: str) -> dict[str, Path]:
        if self.folder is None:
            return {}
        said = self.info if self._folder is not None else _run_json(self.folder / "run.json")
        names = [name for name in said.get("files", {}) if name.endswith(ending)]
        paths = {name.removesuffix(ending): self.folder / name for name in sorted(names)}
        return {name: path for name, path in paths.items() if path.is_file()}

    def _written(self, name: str) -> Path:
        if self.folder is None:
            raise FarcastError(f"the output folder of {self!r} is gone, or of a later run")
        if not (self.folder / name).is_file():
            raise FarcastError(f"`{self.folder}` has no {name}")
        return self.folder / name

    def __repr__(self) -> str:
        where = self.name or str(self._folder)
        ended = "" if self.ok else f", {self.info.get('ended', 'failed')}"
        return f"<farcast.Run {where}: {self.experiment}{ended}>"

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{html.escape(line)}</li>" for line in self.headlines)
        title = html.escape(self.experiment)
        return f"<b>{title}</b> {'' if self.ok else 'failed '}<ul>{lines}</ul>"


class Runs(Sequence[Run]):
    """The runs of a store, the oldest first."""

    def __init__(self, runs: list[Run]) -> None:
        self._runs = runs

    @overload
    def __getitem__(self, at: int) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> Runs: ...
    def __getitem__(self, at: int | slice) -> Run | Runs:
        found = self._runs[at]
        return Runs(found) if isinstance(found, list) else found

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def frame(self) -> pandas.DataFrame:
        """One row a run: its name, when, how it ended, its headlines, and a column
        ``param NAME`` for every param of any of them."""
        pandas = need("pandas", "runs as a frame")
        plain = ("run", "when", "file", "experiment", "ended", "ok", "seconds", "host", "farcast", "out")
        rows = []
        for run in self._runs:
            row = {name: run.info.get(name) for name in plain}
            row["headlines"] = "; ".join(run.headlines)
            row["chosen"] = "; ".join(str(choice.get("point")) for choice in run.choices)
            row |= {f"param {name}": value for name, value in run.params.items()}
            rows.append(row)
        frame = pandas.DataFrame(rows, columns=None if rows else [*plain, "headlines", "chosen"])
        frame["when"] = pandas.to_datetime(frame["when"], utc=True)
        return frame

    def __repr__(self) -> str:
        return "\n".join(["<farcast.Runs", *(f"  {run!r}" for run in self._runs), ">"])

    def _repr_html_(self) -> str | None:
        return self.frame.to_html() if has("pandas") else None


class Files(Mapping[str, T], Generic[T]):
    """Files that a run wrote, by name; each is read when it is asked for."""

    def __init__(
        self, paths: Mapping[str, Path], read: Callable[[Path], T], what: str, how: str
    ) -> None:
        self.paths = dict(paths)
        self._read, self._what, self._how = read, what, how

    def __getitem__(self, name: str) -> T:
        if name in self.paths:
            return self._read(self.paths[name])
        alike = [it for it in self.paths if it.startswith((f"{name}.", f"{name}@"))]
        found = ", ".join(f"`{it}`" for it in (alike or self.paths))
        hint = f"there are {found}" if found else f"the run wrote none; {self._how} does"
        raise _Missing(f"no {self._what} `{name}`: {hint}")

    def __contains__(self, name: object) -> bool:
        return name in self.paths

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        return f"<{', '.join(self.paths) or 'nothing'}>"


class _Missing(KeyError):
    """A `KeyError` whose text is shown as it is."""

    def __str__(self) -> str:
        return str(self.args[0])


def has(package: str) -> bool:
    """Whether a package can be imported."""
    try:
        import_module(package)
    except ImportError:
        return False
    return True


def need(package: str, for_what: str) -> Any:
    """The package, or an error that says how to get it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(f"{for_what}: needs {package}; `pip install {package}`") from error


def _frame(path: Path) -> Any:
    need("pyarrow", "tables, which are Parquet")
    return need("pandas", "tables as frames").read_parquet(path, engine="pyarrow")


def _run_json(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FarcastError(f"`{path}` cannot be read: {error}") from error
    if not isinstance(said, dict) or "experiment" not in said:
        raise FarcastError(f"`{path}` is not a run.json of a finished run")
    return said


def _stamp(when: int) -> str:
    """What the name of a run begins with: when it began, in UTC, with milliseconds."""
    from datetime import datetime, timezone

    whole = datetime.fromtimestamp(when // 1000, timezone.utc)
    return f"{whole:%Y%m%d-%H%M%S}{when % 1000:03}"


def _show(run: str, store: Path_ | None) -> dict[str, Any]:
    return _ask(["show", "--json", *_store(store), "--", run])


def _store(store: Path_ | None) -> list[str]:
    return [] if store is None else [f"--store={os.fspath(store)}"]


def _ask(arguments: list[str]) -> dict[str, Any]:
    said = call(arguments)
    if said.code != 0 or said.answer is None:
        raise FarcastError(said.error(), said.diagnostics())
    return said.answer
