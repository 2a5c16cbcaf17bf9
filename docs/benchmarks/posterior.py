"""Posteriors of the Lasso and the elastic net: skreg's Gibbs sampler, PyMC's NUTS and nutpie, in turn.

Each runs in a process of its own, imports done before the clock starts, on the same model, data and alpha.
Writes posterior.csv and posterior.md beside itself; `--cases` and `--engines` choose a part, which replaces
those rows only. PyMC's NUTS is asked up to 100 columns, where it ends within minutes.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import posterior_page
from posterior_cases import CASES

HERE = Path(__file__).parent
# Draws and tuning draws of the samplers by gradients, where a thousand of each would take an hour.
FEWER = {"2000x1000": (150, 150), "200x2000": (150, 150)}
SMALL = ("diabetes 1", (200, 100, 0.5))  # where PyMC's NUTS is asked too
LIMIT = 1200  # seconds for one run


def run(engine, case, kind, noise, folder, seed=1):
    """Run one worker; None if it fails or takes too long."""
    draws, tune = (1000, "default") if engine == "skreg" else FEWER.get(case, (1000, 1000))
    file = f"{folder}/{engine}.npz"
    command = [
        sys.executable,
        HERE / "posterior_worker.py",
        engine,
        case,
        kind,
        noise,
        draws,
        tune,
        seed,
        file,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=LIMIT, env=environment
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return None
    return {**json.loads(done.stdout.splitlines()[-1]), "file": file}


def difference(ours, theirs):
    """Largest |z| of the means' and of the sds' difference, in Monte Carlo standard errors, and how many."""
    a, b = np.load(ours), np.load(theirs)
    mean_error = np.hypot(a["sds"] / np.sqrt(a["bulk"]), b["sds"] / np.sqrt(b["bulk"]))
    # The relative standard error of an sd is about √((κ − 1)/4N), and N the tail's; κ = 6 for a Laplace tail.
    sd_error = np.hypot(a["sds"] * np.sqrt(1.25 / a["tail"]), b["sds"] * np.sqrt(1.25 / b["tail"]))
    moving = b["sds"] > 0
    z_mean = np.abs(a["means"] - b["means"])[moving] / mean_error[moving]
    z_sd = np.abs(a["sds"] - b["sds"])[moving] / sd_error[moving]
    return float(z_mean.max()), float(z_sd.max()), int(moving.sum())


def main():
    """Run what was asked, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--kinds", nargs="+", default=["lasso", "elastic net"])
    parser.add_argument("--noise", nargs="+", default=["variance-scaled", "plug-in"])
    parser.add_argument("--engines", nargs="+", default=["nutpie", "PyMC NUTS"])
    parser.add_argument("--repeats", type=int, default=3, help="of skreg; the median counts")
    options = parser.parse_args()
    for case in options.cases:
        for kind in options.kinds:
            for noise in options.noise:
                with tempfile.TemporaryDirectory() as folder:
                    rows = one(case, kind, noise, options, folder)
                remember(rows)
                posterior_page.write(HERE / "posterior.csv", HERE / "posterior.md")


def one(case, kind, noise, options, folder):
    """All engines on one case."""
    runs = [run("skreg", case, kind, noise, folder, seed) for seed in range(1, options.repeats + 1)]
    runs = sorted((done for done in runs if done), key=lambda done: done["total"])
    results = {"skreg": runs[len(runs) // 2]}
    for engine in options.engines:
        if engine == "nutpie" or (noise == "plug-in" and CASES[case] in SMALL):
            results[engine] = run(engine, case, kind, noise, folder)
    rows = []
    for engine, result in results.items():
        row = {
            "case": case,
            "kind": kind,
            "noise": noise,
            "engine": engine,
            **(result or {"total": "failed"}),
        }
        if engine != "skreg" and result:
            row["z_mean"], row["z_sd"], row["variables"] = difference(
                results["skreg"]["file"], result["file"]
            )
        row.pop("file", None)
        print(row, flush=True)
        rows.append(row)
    return rows


def remember(rows):
    """Replace these rows in the CSV."""
    path = HERE / "posterior.csv"
    old = list(csv.DictReader(path.open())) if path.exists() else []
    key = ("case", "kind", "noise", "engine")
    new = {tuple(row[k] for k in key) for row in rows}
    old = [row for row in old if tuple(row[k] for k in key) not in new]
    names = list(dict.fromkeys(name for row in [*old, *rows] for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows([*old, *rows])


if __name__ == "__main__":
    main()
