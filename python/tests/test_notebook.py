"""The notebook of the documentation runs from top to bottom."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "python" / "waves.ipynb"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("IPYTHONDIR", os.fspath(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is kept without outputs"
    ran = NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": os.fspath(tmp_path)}}
    ).execute()
    assert (tmp_path / "out" / "bent" / "run.json").is_file()
    outputs = [output for cell in ran.cells for output in cell.get("outputs", ())]
    assert any("did you mean `degree`?" in str(output.get("text")) for output in outputs)
    assert any("`z` is applied at" in str(output.get("text")) for output in outputs)
