"""Files that runs write, read by the lines of docs/running.md and by xarray."""

import contextlib
import io
import re
from pathlib import Path

import farcast
import numpy as np
import pytest

xarray = pytest.importorskip("xarray")
zarr = pytest.importorskip("zarr")

ROOT = Path(__file__).parents[2]

EXPERIMENT = """data all = csv("rows.csv")

parent net = mlp(all, inputs: [lat, lon], target: sst, hidden: [4], epochs: 3, members: 2)
subset near = window(all, by: lat, count: 4, size: 10)
anomaly shift = finetune(net, near, steps: 5)
predictor where_it_is = columns(lat)
child adapted = apply(polynomial(shift, where_it_is), all)
score skill = compare(net, adapted, on: all, by: [lat, station])
data predictions = predict(net, on: all)
"""

TIMES = ["2000-01-31", "2000-02-01", "2001-02-28"]
LATS, LONS = [-10.0, 0.0, 10.5], [100.0, 101.0, 102.0, 103.0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run with files of all formats."""
    folder = tmp_path_factory.mktemp("formats")
    lines = ["time,lat,lon,sst [degree_Celsius],station"]
    for at, (time, lat, lon) in enumerate((t, y, x) for t in TIMES for y in LATS for x in LONS):
        # One cell of the grid has no row.
        if at != 5:
            lines.append(f"{time},{lat},{lon},{20 - abs(lat) + at / 7},{'née' if lat else 'two'}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    (folder / "storms.farcast").write_text(EXPERIMENT)
    options = {"out": folder / "out" / "storms", "store": folder / "store", "progress": False}
    farcast.run(folder / "storms.farcast", tables=True, weights=True, **options)
    for form in ["netcdf", "zarr", "parquet", "csv"]:
        program(folder, "export", "storms.farcast", "predictions", "--format", form)
    return folder


def program(folder: Path, *args: str) -> None:
    import subprocess

    command = [farcast.find_bin(), *args, "--store", "store", "--out", "out/storms", "--quiet"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert said.returncode == 0 and said.stdout, said


def test_xarray_opens_grids_with_coordinates_and_units(folder: Path) -> None:
    out = folder / "out" / "storms"
    grid = xarray.open_dataset(out / "predictions.nc")
    store = zarr.storage.ZipStore(out / "predictions.zarr.zip", mode="r")
    same = xarray.open_zarr(store, consolidated=True)
    for found in (grid, same):
        assert found.predicted.dims == ("time", "lat", "lon")
        assert found.predicted.attrs["units"] == "degree_Celsius"
        assert found.Conventions == "CF-1.8" and found.source.startswith("farcast, key ")
        assert found.lat.attrs["standard_name"] == "latitude" and found.lat.attrs["axis"] == "Y"
        assert [str(time)[:10] for time in found.time.values] == TIMES
        np.testing.assert_array_equal(found.lat, LATS)
        np.testing.assert_array_equal(found.lon, LONS)
        assert int(found.sst.isnull().sum()) == 1 and bool(found.sst[0, 1, 1].isnull())
        assert float(found.sst[2, 2, 3]) == pytest.approx(20 - 10.5 + 35 / 7)
        texts = found.station.astype(str)
        assert str(texts[0, 0, 0].values) == "née" and str(texts[0, 1, 0].values) == "two"
    np.testing.assert_array_equal(grid.predicted, same.predicted)


def test_the_lines_of_the_page_read_every_format(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    page = (ROOT / "docs/running.md").read_text()
    examples = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(examples) == 7
    for example in examples:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(example, "docs/running.md", "exec"), {})
        assert said.getvalue().strip(), example
