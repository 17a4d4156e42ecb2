"""Writes the tables of pages in docs/ from runs of their experiments with several seeds.

    python3 experiments/tables.py docs/wind.md docs/nowcast.md

A table stands between two markers; the first says what is in it:

    <!-- table wind.farcast rows=net,adapted columns=RMSE:skill.rmse -->
    <!-- end of table -->

Rows are models, `model:label` under another name, `one+other:label` where statements name them differently. A column is `label:statement.metric`, `one+other` where rows are of different statements, followed by `@60` for a horizon and by `#1`
for the point of a sweep, counted from 0 in the order of the score table. With `~line` at its end
it is the difference from the model `line`, run by run, with its 95 % interval by Student's t over
the seeds: new data and new training, both. A number is the ensemble
mean, or the mean of the members where there is none; `members=4..7` takes the mean of these. Cells are the mean and the standard deviation
over the seeds 0, 1, …, or with `runs=points`
over the points at which an experiment that sweeps its seeds has the first column; `set=hold=50%` sets a param, in which
`{seed}` is the seed. Nothing but Python and farcast is needed; runs
with the same settings are made once, and what the store knows is not computed again.
"""

import argparse
import csv
import pathlib
import re
import statistics
import subprocess

HERE = pathlib.Path(__file__).parent
TABLE = re.compile(r"(<!-- table (.*?) -->\n).*?(<!-- end of table -->)", re.S)
COLUMN = re.compile(r"(.+?):([\w+]+)\.(\w+)(?:@(\d+))?(?:#(\d+))?(?:~(\w+))?$")


def run(arguments, experiment, seed, settings):
    """The lines of the score table of one run."""
    settings = [setting.replace("{seed}", str(seed)) for setting in settings]
    seed = [] if seed is None else [f"seed={seed}"]
    name = "-".join([pathlib.Path(experiment).stem, *settings, *seed])
    folder = pathlib.Path(arguments.out) / re.sub(r"[^\w.-]", "_", name)
    command = [arguments.farcast, "run", str(HERE / experiment), "--out", str(folder), "--quiet"]
    for setting in [*seed, *settings]:
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with open(folder / "scores.csv", newline="") as file:
        return list(csv.DictReader(file))


def value(lines, model, column, members):
    """The number of a model in a run, or None; of some members, if any are named."""
    _, statement, metric, horizon, point, _ = column
    lines = [line for line in lines if line["statement"] in statement.split("+")]
    points = list(dict.fromkeys(line["point"] for line in lines))
    lines = [line for line in lines if line["model"] in model.split("+")]
    wanted = {
        "metric": metric,
        "group": "",
        "point": points[int(point)] if point else points[0],
    }
    lines = [line for line in lines if all(line[key] == wanted[key] for key in wanted)]
    if horizon:
        lines = [line for line in lines if line["horizon"] and float(line["horizon"]) == float(horizon)]
    if members:
        lines = [line for line in lines if line["member"] in members]
    for member in ["mean", "all"]:
        for line in lines:
            if line["member"] == member:
                return float(line["value"]) if line["value"] else None
    values = [float(line["value"]) for line in lines if line["member"].isdigit() and line["value"]]
    return statistics.fmean(values) if values else None


# Student's t, 97.5 %, by degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


def difference(values, others):
    """The mean of paired differences and half the width of its interval."""
    pairs = [(own, other) for own, other in zip(values, others) if None not in (own, other)]
    if len(pairs) < 2 or all(own == other for own, other in pairs):
        return ""
    gaps = [own - other for own, other in pairs]
    student = STUDENT[len(gaps) - 2] if len(gaps) <= 10 else 1.96
    half = student * statistics.stdev(gaps) / len(gaps) ** 0.5
    return f"{statistics.fmean(gaps):+.3f} ± {half:.3f}".replace("-", "−")


def cell(values):
    """Mean and standard deviation, with digits that fit the size."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = statistics.fmean(known)
    digits = 4 if abs(mean) < 1 else 3 if abs(mean) < 10 else 1 if abs(mean) < 1000 else 0
    spread = statistics.stdev(known) if len(known) > 1 else 0.0
    some = f" ({len(known)} of {len(values)} runs)" if len(known) < len(values) else ""
    return f"{mean:.{digits}f} ± {spread:.{digits}f}{some}".replace("-", "−")


def shown(model, column, runs, members):
    """The text of one cell."""
    values = [value(lines, model, column, members) for lines in runs]
    if not column[-1]:
        return cell(values)
    return difference(values, [value(lines, column[-1], column, members) for lines in runs])


def at_points(lines, column):
    """The lines of each point at which there is a column, as if they were runs."""
    points = dict.fromkeys(line["point"] for line in lines if line["statement"] == column[1])
    return [[line for line in lines if line["point"] == point] for point in points]


def table(spec, runs):
    """The lines of a table."""
    columns = []
    for column in spec["columns"].split(","):
        match = COLUMN.match(column)
        if not match:
            raise SystemExit(f"no column: {column}")
        columns.append(match.groups())
    if spec.get("runs") == "points":
        runs = at_points(runs[0], columns[0])
    first, _, last = spec.get("members", "").partition("..")
    members = {str(member) for member in range(int(first), int(last) + 1)} if last else set()
    yield "| | " + " | ".join(column[0].replace("_", " ") for column in columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for row in spec["rows"].split(","):
        model, _, label = row.partition(":")
        cells = (shown(model, column, runs, members) for column in columns)
        yield f"| {label.replace('_', ' ') or f'`{model}`'} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--farcast", default="target/release/farcast")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--out", default="out/tables")
    arguments = parser.parse_args()
    known = {}

    def written(match):
        experiment, *fields = match[2].split()
        settings = [field[4:] for field in fields if field.startswith("set=")]
        spec = dict(field.split("=", 1) for field in fields if not field.startswith("set="))
        key = (experiment, *settings)
        if key not in known:
            seeds = [None] if spec.get("runs") == "points" else range(arguments.seeds)
            known[key] = [run(arguments, experiment, seed, settings) for seed in seeds]
        lines = "\n".join(table(spec, known[key]))
        return f"{match[1]}{lines}\n{match[3]}"

    for page in arguments.pages:
        page.write_text(TABLE.sub(written, page.read_text()))


if __name__ == "__main__":
    main()
