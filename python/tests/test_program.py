"""Running experiments: progress, mistakes, interrupts; and the package itself."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import farcast
import pytest


def test_a_run_reports_progress_and_notes(waves: Path, tmp_path: Path) -> None:
    seen: list[farcast.Progress] = []
    run = farcast.run(
        waves / "waves.farcast",
        set={"hidden": [4, 4], "step": 0.02, "degree": "2"},
        store=tmp_path / "store",
        out=tmp_path / "out",
        jobs=1,
        progress=seen.append,
    )
    assert run.ok and run.params["hidden"] == "[4, 4]"
    assert [it.done for it in seen] == list(range(1, run.counts["total"] + 1))
    assert {it.total for it in seen} == {run.counts["total"]}
    assert "net[1]" in {it.title for it in seen}
    assert any("`z` is applied at" in note for note in run.notes)
    assert run.report.read_text().startswith("<!DOCTYPE html>")


def test_mistakes_carry_their_diagnostics(waves: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.farcast"
    text = (waves / "waves.farcast").read_text().replace("columns(z)", "columns(zz)")
    bad.write_text(text.replace("rows.csv", str(waves / "rows.csv")))
    with pytest.raises(farcast.CheckError) as error:
        farcast.run(bad, progress=False)
    [diagnostic] = error.value.diagnostics
    assert (diagnostic.code, diagnostic.line, diagnostic.column) == ("unknown-column", 14, 28)
    assert diagnostic.hints[0] == "columns: `x`, `z`, `y`"
    assert farcast.check(bad) == [diagnostic]
    assert str(diagnostic).startswith(str(bad)) and (
        "bad.farcast:14:28: error[unknown-column]: the data have no column `zz`\n"
        "  help: columns: `x`, `z`, `y`\n" in str(diagnostic)
    )
    assert "predictor regime = columns(zz)" in str(error.value), "the text is shown"
    with pytest.raises(farcast.CheckError, match="did you mean `degree`"):
        farcast.run(waves / "waves.farcast", set={"degre": 2}, progress=False)
    with pytest.raises(farcast.CheckError, match="`none.farcast` does not exist"):
        farcast.run("none.farcast", progress=False)
    with pytest.raises(TypeError, match="`degree` is None: expected a number"):
        farcast.run(waves / "waves.farcast", set={"degree": None})
    with pytest.raises(farcast.FarcastError, match="invalid value '0' for '--jobs"):
        farcast.run(waves / "waves.farcast", jobs=0)
    assert farcast.check(waves / "waves.farcast", set={"degree": 1}) == []


def test_a_failure_has_what_was_reached(tmp_path: Path) -> None:
    file = tmp_path / "fails.farcast"
    file.write_text(
        """experiment "Fails"
data all = synthetic(regime, rows: 300, slope: 2)
parent wild = mlp(all, inputs: [x], target: y, hidden: [4], epochs: 9, optimizer: sgd(rate: 1e9))
parent tame = mlp(all, inputs: [x], target: y, hidden: [4], epochs: 9)
score lost = compare(wild, on: all, metrics: [rmse])
score kept = compare(tame, on: all, metrics: [rmse])
report summary = page(lost, kept)
"""
    )
    with pytest.raises(farcast.RunError) as error:
        farcast.run(file, out=tmp_path / "out", keep_going=True, progress=False)
    [diagnostic] = error.value.diagnostics
    assert (diagnostic.code, diagnostic.line) == ("action-failed", 5)
    assert error.value.run is not None and not error.value.run.ok
    assert {row["statement"] for row in error.value.run.score_rows} == {"kept"}


def test_an_interrupt_ends_the_program(tmp_path: Path) -> None:
    file = tmp_path / "long.farcast"
    file.write_text(
        """experiment "Long"
data all = synthetic(regime, rows: 20000, slope: 2)
parent net = mlp(all, inputs: [x], target: y, hidden: [64, 64], epochs: 5000)
score fit = compare(net, on: all, metrics: [rmse])
"""
    )

    def interrupt(done: farcast.Progress) -> None:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        farcast.run(file, out=tmp_path / "out", store=tmp_path / "store", progress=interrupt)
    assert time.monotonic() - began < 30
    [run] = farcast.runs(store=tmp_path / "store")
    assert run.info["ended"] == "interrupted"


def test_what_an_earlier_run_left_is_not_taken_for_the_result(tmp_path: Path) -> None:
    """The program of this test answers without writing."""
    (tmp_path / "run.json").write_text('{"experiment": "Earlier", "seconds": 1.5, "ok": true}')
    answer = {"experiment": "Now", "ok": True, "seconds": 2.5, "actions": {}, "out": str(tmp_path)}
    program = tmp_path / "farcast"
    program.write_text(f"#!/bin/sh\nprintf '%s' '{json.dumps(answer)}'\nexit $CODE\n")
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FARCAST_BIN", str(program))
        patch.setenv("CODE", "0")
        with pytest.raises(farcast.FarcastError, match="is of another run by now"):
            farcast.run("x.farcast", progress=False)
        patch.setenv("CODE", "143")
        with pytest.raises(farcast.RunError, match="the run was interrupted") as error:
            farcast.run("x.farcast", progress=False)
        assert error.value.run is None


def test_the_program_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    said = subprocess.run([farcast.find_bin(), "--version"], capture_output=True, text=True)
    assert said.stdout.split() == ["farcast", farcast.__version__]
    module = [sys.executable, "-m", "farcast", "--version"]
    assert subprocess.run(module, capture_output=True, text=True).stdout == said.stdout
    monkeypatch.setenv("FARCAST_BIN", "/nowhere/farcast")
    with pytest.raises(farcast.FarcastError, match="`/nowhere/farcast`, which is not a program"):
        farcast.find_bin()


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, farcast; farcast.runs; farcast.run; farcast.load\n"
        "assert not {'numpy', 'pandas', 'pyarrow', 'torch'} & set(sys.modules)\n"
        "assert set(farcast.__all__) <= set(dir(farcast))\n"
        "for name in farcast.__all__: getattr(farcast, name)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
