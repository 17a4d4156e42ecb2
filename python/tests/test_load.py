"""Scores, tables and weights of a run, checked against numpy."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import farcast
import numpy as np
import pandas as pd
import pytest
from conftest import rows
from farcast import _runs

CONTRACT = "statement point member model role metric horizon group value run".split()


def unseen() -> dict[str, np.ndarray]:
    data = rows()
    return {name: column[data["z"] > 0.6] for name, column in data.items()}


def score(run: farcast.Run, model: str, member: str) -> float:
    scores = run.scores
    chosen = scores[(scores.model == model) & (scores.member == member) & scores.group.isna()]
    [value] = chosen[chosen.metric == "rmse"].value
    return float(value)


def rmse(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - truth) ** 2)))


def test_weights_give_the_scores(result: farcast.Run) -> None:
    data = unseen()
    for member in "01":
        net = result.weights[f"net.{member}"]
        assert [*net] == [f"layers.{n}.{part}" for n in (0, 1) for part in ("weight", "bias")]
        assert rmse(net.predict(data), data["y"]) == pytest.approx(score(result, "net", member), 1e-5)


@pytest.mark.parametrize("child", ["adapted", "straight", "careful", "held"])
def test_children_of_each_row_give_the_scores(result: farcast.Run, child: str) -> None:
    data = unseen()
    tensors = result.weights[f"{child}.1"]
    found = [tensors.at(z=z).predict({"x": x}) for x, z in zip(data["x"], data["z"], strict=True)]
    assert rmse(np.array(found), data["y"]) == pytest.approx(score(result, child, "1"), 1e-5)


def test_what_a_child_cannot_say_is_refused(result: farcast.Run) -> None:
    tensors = result.weights["adapted.0"]
    with pytest.raises(TypeError, match="the predictors are z; found depth"):
        tensors.at(depth=1)
    with pytest.raises(farcast.FarcastError, match="a predictor is missing"):
        tensors.at(z=float("nan"))
    with pytest.raises(farcast.FarcastError, match="`apply` children"):
        result.weights["net.0"].at(z=1)
    with pytest.raises(KeyError, match="no column x"):
        tensors.predict({"z": [1]})


def test_anomalies_are_what_finetuning_moved(result: farcast.Run) -> None:
    table = result.tables["shift.0"]
    assert len(table) == 16
    matrix = np.stack(table.weights.to_list())
    assert matrix.shape == (16, result.weights["net.0"].flat.size)
    assert np.abs(matrix).max() > 0


def test_names_that_are_not_there_say_which_are(result: farcast.Run, tmp_path: Path) -> None:
    with pytest.raises(KeyError) as error:
        result.weights["net"]
    assert str(error.value) == "no file of weights `net`: there are `net.0`, `net.1`"
    assert "net" not in result.weights and "net.0" in result.weights
    (tmp_path / "run.json").write_text('{"experiment": "Nothing", "files": {}}')
    with pytest.raises(KeyError, match="the run wrote none; tables=True does"):
        farcast.load(tmp_path).tables["shift.0"]


def test_scores_are_the_same_by_every_way(
    result: farcast.Run, waves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = result.scores
    assert {*CONTRACT, "degree", "step", "seed"} <= set(parquet.columns)
    named = farcast.load("last", store=waves / ".farcast")
    assert named.folder == waves / "out" / "waves"
    said = pd.DataFrame(named.score_rows)
    assert said.value.to_list() == parquet.value.to_list()
    monkeypatch.setattr(_runs, "has", lambda package: package != "pyarrow")
    csv = farcast.load(result.folder or "").scores
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False, check_exact=True)
    plain = farcast.load(result.folder or "").score_rows
    assert [row["value"] for row in plain] == parquet.value.to_list()
    assert plain[0]["horizon"] is None
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="scores as a frame: needs pandas"):
        _ = farcast.load(result.folder or "").scores


def test_runs_are_listed_and_keep_their_scores(there: Path, result: farcast.Run) -> None:
    again = farcast.run("waves.farcast", set={"degree": 2}, progress=False)
    assert again.params["degree"] == "2" and again.counts["cached"] > 0
    runs = farcast.runs()
    assert runs[-1].folder == there / "out" / "waves"
    assert runs[0].folder is None, "its folder is of a later run now"
    assert runs[0].score_rows != runs[-1].score_rows
    with pytest.raises(farcast.FarcastError, match="is gone, or of a later run"):
        _ = runs[0].report
    frame = runs.frame
    assert frame["param degree"].to_list()[-1] == "2"
    assert [run.name for run in runs] == frame.run.to_list()
    assert [run.name for run in farcast.runs(limit=1)] == [runs[-1].name]
    assert len(farcast.runs(store=there / "nowhere").frame) == 0
    # The tests before and after want the folder as it was.
    farcast.run("waves.farcast", tables=True, weights=True, progress=False)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(farcast.FarcastError, match="there is no run, folder or file `nosuch`"):
        farcast.load("nosuch", store=tmp_path)
    with pytest.raises(farcast.FarcastError, match="has no run.json"):
        farcast.load(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(farcast.FarcastError, match="is not a run.json of a finished run"):
        farcast.load(tmp_path / "run.json")


def test_points_of_sweeps_have_names(tmp_path: Path) -> None:
    file = tmp_path / "tuned.farcast"
    file.write_text(
        """experiment "Tuned"
param rate: Float = 1e-2
data all = synthetic(regime, rows: 300, slope: 2)
parent net = mlp(all, inputs: [x], target: y, hidden: [4], epochs: 2, members: 1, optimizer: adam(rate: rate))
score fit = compare(net, on: all, metrics: [rmse])
sweep tuning = grid(rate: [1e-3, 1e-2], minimise: fit.rmse)
report summary = page(fit)
"""
    )
    run = farcast.run(file, out=tmp_path / "out", weights=True, progress=False)
    assert [*run.weights] == ["net@rate=0.001.0", "net@rate=0.01.0"]
    [choice] = run.choices
    assert choice["point"] in set(run.scores.point)


def test_shards_and_half_precision(tmp_path: Path) -> None:
    """Weights that came from files leave as they came: read them so."""
    from farcast import _safetensors

    def write(name: str, tensors: dict[str, tuple[str, bytes]]) -> None:
        header, data = {}, b""
        for tensor, (kind, part) in tensors.items():
            offsets = [len(data), len(data) + len(part)]
            header[tensor] = {"dtype": kind, "shape": [2], "data_offsets": offsets}
            data += part
        text = json.dumps(header).encode()
        (tmp_path / name).write_bytes(len(text).to_bytes(8, "little") + text + data)

    # 1.0 and -2.5 as bfloat16 and as float16.
    write("far-00001-of-00002.safetensors", {"a": ("BF16", bytes.fromhex("803f20c0"))})
    write("far-00002-of-00002.safetensors", {"b": ("F16", bytes.fromhex("003c00c1"))})
    parts = {"a": "far-00001-of-00002.safetensors", "b": "far-00002-of-00002.safetensors"}
    index = {"metadata": {}, "weight_map": parts}
    (tmp_path / "far.safetensors.index.json").write_text(json.dumps(index))
    listed = dict.fromkeys([*parts.values(), "far.safetensors.index.json"], {})
    (tmp_path / "run.json").write_text(json.dumps({"experiment": "Shards", "files": listed}))
    run = farcast.load(tmp_path)
    assert [*run.weights] == ["far"]
    assert {name: it.tolist() for name, it in run.weights["far"].items()} == {
        "a": [1.0, -2.5],
        "b": [1.0, -2.5],
    }
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(ValueError, match="is not a safetensors file"):
        _safetensors.load(tmp_path / "bad.safetensors")


def test_modules_of_torch_load_the_weights(result: farcast.Run) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    tensors = result.weights["net.0"]
    net.load_state_dict(tensors.state_dict(net))
    about = tensors.network or {}
    [x], [y] = about["inputs"], about["targets"]
    with torch.no_grad():
        found = net(torch.tensor([[(0.5 - x["mean"]) / x["std"]]])).item() * y["std"] + y["mean"]
    assert found == pytest.approx(tensors.predict({"x": 0.5}), 1e-5)


def test_tensors_get_the_names_of_a_module(
    result: farcast.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What of torch is used, in its place: torch itself is too large for every change."""

    class Tensor(SimpleNamespace):
        def to(self, kind: str) -> "Tensor":
            return Tensor(**{**vars(self), "kind": kind})

    class Module:
        def __init__(self, **shapes: tuple[int, ...]) -> None:
            self.shapes = {name.replace("_", "."): shape for name, shape in shapes.items()}

        def named_parameters(self) -> list[tuple[str, Tensor]]:
            return [(name, Tensor(shape=shape)) for name, shape in self.shapes.items()]

        def named_buffers(self) -> list[tuple[str, Tensor]]:
            return [("steps", Tensor(shape=()))]

        def state_dict(self) -> dict[str, Tensor]:
            return dict([*self.named_parameters(), *self.named_buffers()])

    def from_numpy(array: np.ndarray) -> Tensor:
        return Tensor(shape=array.shape, array=array)

    torch = SimpleNamespace(from_numpy=from_numpy, bfloat16="bfloat16")
    monkeypatch.setitem(sys.modules, "torch", torch)
    tensors = result.weights["net.0"]
    assert [*tensors.state_dict()] == [*tensors]
    theirs = Module(a_weight=(8, 1), a_bias=(8,), b_weight=(1, 8), b_bias=(1,))
    found = tensors.state_dict(theirs)  # type: ignore[arg-type]
    assert [*found] == ["steps", "a.weight", "a.bias", "b.weight", "b.bias"]
    assert np.array_equal(found["b.weight"].array, tensors["layers.1.weight"])
    half = farcast.Tensors({"w": np.ones(2, dtype="f4")}, types={"w": "BF16"})
    assert half.state_dict()["w"].kind == "bfloat16"
    with pytest.raises(ValueError, match=r"the module has \['a.weight \[2, 1\]"):
        tensors.state_dict(Module(a_weight=(2, 1)))  # type: ignore[arg-type]
