"""Which numbers about a parent go with the error of its child: Spearman's correlations of a run of `parents.farcast`.

    for seed in 0 1 2 3; do farcast run parents.farcast --set seed=$seed --out out/$seed; done
    parents.py out/0 out/1 out/2 out/3
"""
import csv
import pathlib
import sys
from collections import defaultdict

# What is known of a network before its child is judged.
KNOWN = {
    "loss on the pool": ("curved", "net", "loss"),
    "trace of the Hessian": ("curved", "net", "trace"),
    "its largest eigenvalue": ("curved", "net", "top_eigenvalue"),
    "sharpness": ("curved", "net", "sharpness"),
    "norm of the gradient": ("curved", "net", "gradient"),
    "inner RMSE of the child": ("inside", "adapted", "rmse"),
    "inner skill of the child": ("inside", "adapted", "skill"),
    "RMSE of the parent beyond the edge": ("skill", "net", "rmse"),
}


def read(folder):
    """The values of each score by point and member."""
    found = defaultdict(dict)
    with open(pathlib.Path(folder) / "scores.csv") as file:
        for row in csv.DictReader(file):
            if row["member"].isdigit() and row["value"] and not row["group"]:
                found[row["statement"], row["model"], row["metric"]][row["point"], row["member"]] = float(row["value"])
    return found


def ranks(values):
    """Ranks, equal ones shared."""
    order = sorted(values)
    return [order.index(value) + (order.count(value) - 1) / 2 for value in values]


def spearman(one, other):
    one, other = ranks(one), ranks(other)
    centre = (len(one) - 1) / 2
    sums = [sum((a - centre) * (b - centre) for a, b in zip(x, y)) for x, y in ((one, other), (one, one), (other, other))]
    return sums[0] / (sums[1] * sums[2]) ** 0.5


def main():
    runs = [read(folder) for folder in sys.argv[1:]]
    print("| | " + " | ".join(f"seed {seed}" for seed in range(len(runs))) + " |")
    print("|---|" + "---|" * len(runs))
    for name, key in KNOWN.items():
        cells = []
        for run in runs:
            child, known = run["skill", "adapted", "rmse"], run[key]
            shared = sorted(child.keys() & known.keys())
            cells.append(f"{spearman([known[at] for at in shared], [child[at] for at in shared]):+.2f}".replace("-", "−"))
        print(f"| {name} | " + " | ".join(cells) + " |")
    points = sorted({point for point, _ in runs[0]["skill", "net", "rmse"]}, key=lambda it: [float(part.split("=")[1]) for part in it.split(",")])
    models = ["net", "adapted", "pruned", "sparse"]
    print("\n| steps, decay | trace | inner | " + " | ".join(models) + " |")
    print("|---|" + "---|" * (len(models) + 2))
    for point in points:
        def mean(key):
            values = [value for run in runs for (at, _), value in run[key].items() if at == point]
            return sum(values) / len(values)

        cells = [f"{mean(('curved', 'net', 'trace')):.1f}", f"{mean(('inside', 'adapted', 'rmse')):.3f}"]
        cells += [f"{mean(('skill', model, 'rmse')):.3f}" for model in models]
        print(f"| {point.replace('steps=', '').replace('decay=', ' ')} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
