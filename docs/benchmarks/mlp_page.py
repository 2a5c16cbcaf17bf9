"""Writes docs/benchmarks/mlp.md from docs/benchmarks/mlp.csv."""

import csv
import math
import os
from collections import defaultdict

import numpy as np

MLPS = ["skreg", "MLPClassifier", "MLPClassifier, scaled", "Bagging", "Bagging, scaled"]
OURS = ("skreg", "skreg, not calibrated")


def write_page(folder):
    """Lay the tables out."""
    with (folder / "mlp.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    parts = [
        "# Benchmarks of the bagged-dropout MLP",
        "Written by `docs/benchmarks/mlp.py` from `mlp.csv`; see there for what is run. One BLAS thread "
        "for everybody; "
        f"{os.cpu_count()} cores, shared with other work.",
    ]
    for table, lay_out in (("speed", speed_tables), ("quality", quality_tables), ("curves", curve_table)):
        chosen = [row for row in rows if row["table"] == table]
        if chosen:
            parts += lay_out(chosen)
    (folder / "mlp.md").write_text("\n\n".join(parts) + "\n")


def by_size(name):
    """Order architectures by their width."""
    sizes, dtype = name.rsplit(" ", 1)
    sizes = [int(size) for size in sizes.strip("()").split(",") if size]
    return max(sizes), len(sizes), dtype


def grid(header, lines):
    text = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in text)


def speed_tables(rows):
    seconds = {(row["data"], row["method"], row["metric"]): row["value"] for row in rows}
    columns = ["skreg", "ten MLPClassifiers", "PyTorch", "Bagging", "matrix products"]
    lines = []
    for data in sorted(dict.fromkeys(row["data"] for row in rows), key=by_size):
        ours = float(seconds[data, "skreg", "seconds"])
        line = [data, f"{ours:.3f}"]
        for column in columns[1:]:
            value = seconds.get((data, column, "seconds"), "–")
            try:
                line.append(f"{float(value):.3f} ({float(value) / ours:.1f} ×)")
            except ValueError:
                line.append(value)
        walls = [
            float(seconds.get((data, name, "wall seconds"), "nan"))
            for name in ("skreg", "skreg, two threads")
        ]
        lines.append([*line, f"{walls[0]:.3f} · {walls[1]:.3f}"])
    return [
        "## Speed",
        "Digits (1797 × 64), ten members, 20 epochs, batches of 64, dropout 0.4 and 0.2 of the inputs: "
        "seconds of "
        "processor time, the least of a few runs, and how many times skreg's. *Bagging* is "
        "`BaggingClassifier(MLPClassifier(batch_size=64))`, which divides by zero on these data. *Matrix "
        "products* are "
        "those of every row through every member, in NumPy, and nothing else: skreg is below where it "
        "skips the rows "
        "that are not in a member's bootstrap sample. The last column is skreg's wall-clock time with one "
        "and two "
        "threads.",
        grid(["architecture", *columns, "wall, one · two threads"], lines),
    ]


def collect(rows):
    values = defaultdict(list)
    for row in rows:
        values[row["metric"], row["data"], row["method"]].append(float(row["value"]))
    return values


def quality_tables(rows):
    values = collect(rows)
    data = list(dict.fromkeys(row["data"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    n = len(values["log loss", data[0], methods[0]])
    parts = [
        "## Quality at defaults",
        f"Mean over {n} folds of stratified 5-fold cross-validation (± its standard error for the log "
        f"loss); the best "
        "multilayer perceptron in bold. *Scaled* is after `StandardScaler`. The generated data, drawn anew "
        "for every repeat, and the folds are other draws than those the defaults were chosen on. The ECE has "
        "15 bins of equal mass, of the rows of all folds of a repeat.",
    ]
    for metric, better in (
        ("log loss", min),
        ("ECE", min),
        ("Brier", min),
        ("accuracy", max),
        ("seconds", min),
    ):
        lines = []
        for name in data:
            means = {method: np.mean(values[metric, name, method]) for method in methods}
            best = better(MLPS, key=lambda method: means[method])
            line = [name]
            for method in methods:
                text = f"{means[method]:.3f}"
                if metric == "log loss":
                    text += f" ± {standard_error(values[metric, name, method]):.3f}"
                line.append(f"**{text}**" if method == best and metric != "seconds" else text)
            lines.append(line)
        parts += [f"### {metric}", grid(["", *methods], lines)]
        if metric in ("log loss", "ECE"):
            parts.append(verdict(metric, values, data))
    return parts


def standard_error(values):
    return np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def verdict(metric, values, data):
    sentences = []
    for ours in OURS:
        best, near, paired, lower = 0, 0, 0, 0
        for name in data:
            mine = np.array(values[metric, name, ours])
            others = {method: np.array(values[metric, name, method]) for method in MLPS[1:]}
            gap = mine - min(others.values(), key=np.mean)
            best += gap.mean() <= 0
            near += gap.mean() <= standard_error(mine)
            paired += gap.mean() <= standard_error(gap)
            lower += all(mine.mean() < others[method].mean() for method in ("MLPClassifier", "Bagging"))
        within = (
            f", lowest or within its standard error of the lowest on {near} (within that of the paired "
            f"difference on {paired})"
        )
        sentences.append(
            f"{ours}: lowest of all multilayer perceptrons on {best} of {len(data)}"
            f"{within if metric == 'log loss' else ''}; below both MLPClassifier and Bagging at their "
            f"defaults on {lower}."
        )
    return "\n\n".join(sentences)


def curve_table(rows):
    values = collect(rows)
    sizes = list(dict.fromkeys(row["data"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = [[n, *(f"{np.mean(values['log loss', n, method]):.3f}" for method in methods)] for n in sizes]
    return ["## Learning curves on digits", "Log loss on the other 297 rows.", grid(["n", *methods], lines)]
