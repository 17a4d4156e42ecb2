#!/usr/bin/env python3
"""Merges of whole models, by mergekit and by farcast: the same numbers, time and memory in turn.

    merge.py make FOLDER                      three models of DistilBERT's tensors (66 M weights, F32)
    merge.py run FOLDER FARCAST [METHOD...]   each method by both, one after the other; prints a table

Needs `pip install mergekit`. Numbers are random: a base, and two networks that differ from it by a
tenth as much. `apart` is the largest difference of two merged weights, divided by the largest weight;
seconds and memory are of the whole program, with reading, writing and start.
"""
import json
import os
import pathlib
import sys
import time

LAYERS, WIDTH, WORDS, PLACES = 6, 768, 30522, 512


def shapes():
    yield "distilbert.embeddings.word_embeddings.weight", (WORDS, WIDTH)
    yield "distilbert.embeddings.position_embeddings.weight", (PLACES, WIDTH)
    yield from norm("distilbert.embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"distilbert.transformer.layer.{layer}."
        for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
            yield from linear(f"{at}attention.{name}", WIDTH, WIDTH)
        yield from norm(at + "sa_layer_norm")
        yield from linear(at + "ffn.lin1", 4 * WIDTH, WIDTH)
        yield from linear(at + "ffn.lin2", WIDTH, 4 * WIDTH)
        yield from norm(at + "output_layer_norm")


def linear(name, rows, columns):
    yield name + ".weight", (rows, columns)
    yield name + ".bias", (rows,)


def norm(name):
    yield name + ".weight", (WIDTH,)
    yield name + ".bias", (WIDTH,)


CONFIG = {
    "architectures": ["DistilBertModel"], "model_type": "distilbert", "dim": WIDTH, "hidden_dim": 4 * WIDTH,
    "n_layers": LAYERS, "n_heads": 12, "vocab_size": WORDS, "max_position_embeddings": PLACES,
    "torch_dtype": "float32",
}


def make(folder):
    import numpy as np
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    base = {name: rng.normal(0, 0.05, shape).astype("f4") for name, shape in shapes()}
    for model in ("base", "a", "b"):
        path = folder / model
        path.mkdir(parents=True, exist_ok=True)
        tensors = base
        if model != "base":
            tensors = {name: value + rng.normal(0, 0.005, value.shape).astype("f4") for name, value in base.items()}
        save_file(tensors, path / "model.safetensors", {"format": "pt"})
        (path / "config.json").write_text(json.dumps(CONFIG))


# The configuration of mergekit, and the same as an expression.
METHODS = {
    "linear": (
        "models:\n- model: {a}\n  parameters: {{weight: 0.5}}\n- model: {b}\n  parameters: {{weight: 0.5}}\n",
        "(a + b) / 2",
    ),
    "task_arithmetic": (
        "base_model: {base}\nmodels:\n- model: {a}\n  parameters: {{weight: 0.4}}\n"
        "- model: {b}\n  parameters: {{weight: 0.4}}\n",
        "base + 0.4 * (a - base) + 0.4 * (b - base)",
    ),
    # A quarter of every tensor is a whole number of weights: both keep the same.
    "ties": (
        "base_model: {base}\nparameters: {{density: 0.25, weight: 1.0, normalize: true}}\n"
        "models:\n- model: {a}\n- model: {b}\n",
        "base + elect(trim(a - base, keep: 25 %, scope: tensor), trim(b - base, keep: 25 %, scope: tensor))",
    ),
    "slerp": (
        "base_model: {a}\nparameters: {{t: 0.3}}\nmodels:\n- model: {a}\n- model: {b}\n",
        "slerp(a, b, at: 0.3)",
    ),
    "model_stock": (
        "base_model: {base}\nmodels:\n- model: {a}\n- model: {b}\n",
        "stock(base, a, b)",
    ),
}


def spent(command, folder):
    """Seconds, processor seconds and the most memory of a program."""
    start = time.time()
    child = os.fork()
    if child == 0:
        out = os.open(str(folder / "log.txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.execvp(command[0], command)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit((folder / "log.txt").read_text())
    return time.time() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def apart(one, other):
    import numpy as np
    from safetensors import safe_open

    worst = largest = 0.0
    differ = count = 0
    with safe_open(one, "np") as a, safe_open(other, "np") as b:
        assert sorted(a.keys()) == sorted(b.keys())
        for name in a.keys():
            x, y = a.get_tensor(name).astype("f8"), b.get_tensor(name).astype("f8")
            gap = np.abs(x - y)
            worst, largest = max(worst, gap.max()), max(largest, np.abs(x).max())
            differ, count = differ + int((gap > 1e-5 * np.abs(x).max()).sum()), count + gap.size
    return worst / largest, differ / count


def run(folder, farcast, methods):
    tool = pathlib.Path(sys.executable).parent / "mergekit-yaml"
    print("| method | farcast s | mergekit s | farcast CPU s | mergekit CPU s | farcast MB | mergekit MB | apart | weights apart |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for method in methods:
        config, expression = METHODS[method]
        names = {name: folder / name for name in ("base", "a", "b")}
        recipe = folder / f"{method}.yaml"
        recipe.write_text(f"merge_method: {method}\ndtype: float32\n" + config.format(**names))
        used = [name for name in names if name in expression.replace("slerp", "").replace("stock", "").replace("base", "base")]
        text = f'experiment "{method}"\n' + "".join(
            f'weights {name} = safetensors("{names[name]}/model.safetensors")\n' for name in used
        )
        experiment = folder / f"{method}.farcast"
        experiment.write_text(text + f"parent merged = {expression}\n")
        ours = spent(
            [farcast, "run", str(experiment), "--weights", "merged", "--out", str(folder / "ours" / method),
             "--store", str(folder / "store" / method), "--jobs", "1"],
            folder,
        )
        theirs = spent(
            [str(tool), str(recipe), str(folder / "theirs" / method), "--no-copy-tokenizer", "--no-write-model-card"],
            folder,
        )
        [written] = (folder / "ours" / method).rglob("merged*.safetensors")
        [merged] = (folder / "theirs" / method).glob("*.safetensors")
        gap, differ = apart(merged, written)
        print(
            f"| {method} | {ours[0]:.1f} | {theirs[0]:.1f} | {ours[1]:.1f} | {theirs[1]:.1f} | {ours[2]:.0f} | "
            f"{theirs[2]:.0f} | {gap:.1e} | {differ:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    what, folder, *rest = sys.argv[1:]
    folder = pathlib.Path(folder).resolve()
    if what == "make":
        make(folder)
    else:
        run(folder, rest[0], rest[1:] or list(METHODS))
