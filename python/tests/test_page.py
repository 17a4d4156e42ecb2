"""The examples of docs/python.md run, one after the other."""

import re
from pathlib import Path

import farcast
from farcast import _runs
import pytest

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [experiment] = blocks("README.md", "farcast")
    Path("storms.farcast").write_text(experiment)
    names: dict[str, object] = {}
    examples = blocks("docs/python.md", "python")
    assert len(examples) == 5
    for example in examples:
        if not _runs.has("torch"):
            example = re.sub(r"^.*(torch|state_dict).*$", "", example, flags=re.M)
        exec(compile(example, "docs/python.md", "exec"), names)


def test_every_file_of_the_package_goes_to_plugins() -> None:
    """Plugins find the package of the program that runs them: it has all of its files."""
    listed = (ROOT / "engine/src/foreign/python.rs").read_text()
    for path in (ROOT / "python/farcast").glob("*.py"):
        assert path.name == "__main__.py" or f'farcast/{path.name}")' in listed, path.name


def test_versions_agree() -> None:
    cargo = (ROOT / "Cargo.toml").read_text()
    assert f'\nversion = "{farcast.__version__}"\n' in cargo
