"""Runs the program: progress while it works, its diagnostics as exceptions."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._runs import Run

Path_ = str | os.PathLike[str]


@dataclass(frozen=True)
class Diagnostic:
    """One finding of ``check`` or of a run. Lines and columns count from 1; ``file`` is None for
    what has no place in a text, such as a mistake in ``set``."""

    code: str
    severity: str
    message: str
    file: str | None
    line: int
    column: int
    end_line: int
    end_column: int
    hints: list[str] = field(default_factory=list)
    fixes: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        hints = "".join(f"\n  help: {hint}" for hint in self.hints)
        return f"{place}{self.severity}[{self.code}]: {self.message}{hints}"

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Diagnostic:
        """One of the ``diagnostics`` of ``--json``; what later versions add is left out."""
        return cls(**{name: said[name] for name in cls.__dataclass_fields__ if name in said})


class FarcastError(Exception):
    """The program refused, or could not be run. The text is what it said."""

    def __init__(self, message: str, diagnostics: list[Diagnostic] | None = None) -> None:
        super().__init__(message)
        #: What is wrong, and where.
        self.diagnostics = diagnostics or []


class CheckError(FarcastError):
    """The experiment, or what it was asked to set, has mistakes: nothing ran."""


class RunError(FarcastError):
    """Something failed while the experiment ran. What was finished is in the store; the scores
    that were reached are in ``run``, which is None when nothing was written."""

    def __init__(
        self, message: str, diagnostics: list[Diagnostic] | None = None, run: Run | None = None
    ) -> None:
        super().__init__(message, diagnostics)
        self.run = run


@dataclass(frozen=True)
class Progress:
    """An action ended: ``done`` of ``total``, its ``title`` such as ``net[3]``."""

    done: int
    total: int
    title: str


def find_bin() -> str:
    """The path of the program ``farcast``: what the variable ``FARCAST_BIN`` names, the one
    installed with this package, or the one in ``PATH``.

    Raises ``FarcastError`` when there is none.
    """
    named = os.environ.get("FARCAST_BIN")
    if named:
        if not os.access(named, os.X_OK):
            raise FarcastError(f"`FARCAST_BIN` is `{named}`, which is not a program")
        return named
    name = "farcast" + (sysconfig.get_config_var("EXE") or "")
    user = sysconfig.get_preferred_scheme("user")
    folders = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", scheme=user),
        # `pip install --target` puts it here.
        os.path.join(os.path.dirname(os.path.dirname(__file__)), "bin"),
    ]
    for folder in folders:
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("farcast")
    if found is None:
        raise FarcastError(
            "the program `farcast` is neither installed with this package nor in `PATH`; "
            "`FARCAST_BIN` can name it"
        )
    return found


def run(
    file: Path_,
    *,
    set: Mapping[str, Any] | None = None,
    out: Path_ | None = None,
    store: Path_ | None = None,
    jobs: int | None = None,
    profile: str | None = None,
    tables: bool = False,
    weights: bool | str = False,
    keep_going: bool = False,
    trust: bool = False,
    executor: str | None = None,
    progress: bool | Callable[[Progress], object] | None = None,
) -> Run:
    """Runs an experiment, reusing earlier results, and returns what it wrote.

    ``set`` gives params other values: numbers, booleans, lists of them, or text as ``--set`` takes
    it. ``tables`` and ``weights`` (``True``, or the name of a statement) write those files too. The
    others are the options of ``farcast run``. ``progress`` is ``False`` for silence, or a function
    that is called with a ``Progress`` when an action ends; else a line shows how far the run is, on a
    terminal or in a notebook, and its notes follow on standard error.

    Raises ``CheckError`` when the experiment has mistakes, ``RunError`` when something failed while
    it ran, each with ``diagnostics``; ``FarcastError`` for a wrong use. An interrupt ends the
    program in order; the next run goes on from what it finished.
    """
    options: list[str] = []
    given = {"out": out, "store": store, "jobs": jobs, "profile": profile, "executor": executor}
    options += [f"--{name}={value}" for name, value in given.items() if value is not None]
    asked = {"tables": tables, "keep-going": keep_going, "trust": trust}
    options += [f"--{name}" for name, wanted in asked.items() if wanted]
    if weights:
        options.append("--weights" if weights is True else f"--weights={weights}")
    told = _Told(progress)
    said = call(["run", *options, *_settings(set), "--json", "--", os.fspath(file)], told)
    if said.answer is None:
        raise FarcastError(said.error())
    found = said.diagnostics()
    if "actions" not in said.answer:
        raise CheckError(said.error(), found)
    result = _written(said.answer)
    if said.code != 0:
        raise RunError(said.error(), found, result)
    if result is None:
        raise FarcastError(f"`{said.answer['out']}` is of another run by now")
    result.notes = told.notes
    return result


def _written(answer: Mapping[str, Any]) -> Run | None:
    """The output folder, if it is of the run that gave this answer."""
    from ._runs import load

    try:
        found = load(Path(answer["out"], "run.json"))
    except FarcastError:
        return None
    return found if found.info.get("seconds") == answer["seconds"] else None


def check(file: Path_, *, set: Mapping[str, Any] | None = None) -> list[Diagnostic]:
    """Every mistake and warning of an experiment, in the order of the text; nothing runs. An
    experiment without errors may have warnings: look at ``severity``."""
    said = call(["check", *_settings(set), "--json", "--", os.fspath(file)])
    if said.answer is None:
        raise FarcastError(said.error())
    return said.diagnostics()


@dataclass
class Said:
    """What the program answered."""

    code: int
    answer: dict[str, Any] | None
    errors: list[str]

    def diagnostics(self) -> list[Diagnostic]:
        """Those of ``--json``."""
        listed = (self.answer or {}).get("diagnostics", ())
        return [Diagnostic.from_json(one) for one in listed]

    def error(self) -> str:
        """What it said on standard error, with the lines of the text that it points at."""
        text = "\n".join(self.errors).strip()
        if self.code < 0:
            text += f"\n`farcast` was ended by {signal.Signals(-self.code).name}"
        elif self.code > 128:
            text += "\nthe run was interrupted: the next one goes on from here"
        return text.strip() or f"`farcast` ended with {self.code}"


class _Told:
    """Shows or hands on what a run says while it works."""

    def __init__(self, progress: bool | Callable[[Progress], object] | None) -> None:
        self._progress = progress
        self.notes: list[str] = []
        self._width = 0
        self._shown = -1.0

    def line(self, line: str) -> bool:
        """Whether the line was one of progress, or a note."""
        ended = re.match(r"\[(\d+)/(\d+)\] (.*?)(?:  [\d.]+ s)?$", line)
        if ended:
            done = Progress(int(ended[1]), int(ended[2]), ended[3])
            if callable(self._progress):
                self._progress(done)
            elif self._progress is not False and self._is_due() and _is_watched():
                self._show(f"{done.done}/{done.total} {done.title}"[:78])
            return True
        if line.startswith("note: "):
            self.notes.append(line.removeprefix("note: "))
            return True
        return False

    def _is_due(self) -> bool:
        """Ten times a second is enough, however short the actions are."""
        now = time.monotonic()
        is_due = now - self._shown >= 0.1
        self._shown = now if is_due else self._shown
        return is_due

    def _show(self, text: str, end: str = "") -> None:
        print("\r" + text.ljust(self._width), end=end, file=sys.stderr, flush=True)
        self._width = len(text)

    def end(self) -> None:
        if self._width:
            self._show("", "\r")
        if self._progress is not False and not callable(self._progress):
            for note in self.notes:
                print(f"note: {note}", file=sys.stderr)


def _is_watched() -> bool:
    """Whether a line that is written over looks right: on a terminal, in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def call(arguments: list[str], told: _Told | None = None) -> Said:
    """Runs the program; ``answer`` is None when it printed no JSON.

    An interrupt is handed on to it, and raised when it has ended.
    """
    command = [find_bin(), arguments[0], "--color=never", *arguments[1:]]
    environment = {**os.environ, "TERM": "dumb", "FARCAST_COLOR": "never"}
    errors: list[str] = []
    with tempfile.TemporaryFile() as out:
        try:
            # A session of its own: an interrupt reaches it once, from here.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                env=environment,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise FarcastError(f"`{command[0]}` cannot be run: {error.strerror}") from error
        assert process.stderr is not None
        try:
            _listen(process.stderr, errors, told)
            code = process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            process.stderr.close()
            if told is not None:
                told.end()
        out.seek(0)
        text = out.read().decode("utf-8", "replace").strip()
    try:
        answer = json.loads(text) if text else None
    except ValueError:
        answer = None
    return Said(code, answer if isinstance(answer, dict) else None, errors)


def _listen(stream: IO[str], errors: list[str], told: _Told | None) -> None:
    for line in stream:
        line = line.rstrip("\n")
        if told is None or not told.line(line):
            errors.append(line)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends the program as Ctrl-C does, within seconds."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _settings(set: Mapping[str, Any] | None) -> list[str]:
    return [f"--set={name}={_literal(name, value)}" for name, value in (set or {}).items()]


def _literal(name: str, value: Any) -> str:
    """A value as the language writes it; text is taken as it is."""
    if hasattr(value, "tolist"):  # a number or an array of numpy
        value = value.tolist()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_literal(name, one) for one in value)}]"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    raise TypeError(f"set: `{name}` is {value!r}: expected a number, text, a boolean or a list")
