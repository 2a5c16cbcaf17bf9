"""The page from the CSV: a table a task, their summary, and where skreg is behind."""

import csv
import json
import math

import numpy as np

ORDER = ["skreg", "scikit-learn", "scikit-learn Gram", "celer", "skglm", "glum", "skein-glm", "adelie"]
FLOOR_GAP = 1e-15  # what is below is rounding of the measure itself
LARGE = 4e6  # bytes of X, below which a library's constant overhead hides what a fit takes

INTRODUCTION = """# Lasso, ElasticNet and Ridge beside their peers

Written by `docs/benchmarks/linear.py` from `linear.csv`; its `--help` says how to run a part of it.

- **Data**: the same for all, float64 in Fortran order (or CSC). `rho` is the correlation of neighbouring
  columns (AR(1) across the features), `snr` is Var(Xw)/Var(noise); min(p/10, 100) true coefficients are not
  zero. The polynomial features are standardised. Seeds are fixed. Every fit has an intercept.
- **Alphas**: the same grid for all, from the same alpha_max. RidgeCV has 100 alphas from 100 n to n/100000.
- **Tolerances**: skreg runs with its defaults. Each peer has the loosest power of ten with which it reaches a
  relative duality gap of 1e-6 on that cell and task, at the worst alpha of a path; found before the timing.
  The gap is measured from outside, by one function in float64, over the null model's ½‖y − ȳ‖². For the
  cross-validations it is that of the final fit, at the alpha that the library chose; for RidgeCV it is the
  relative distance from the minimum, from an exact solution at that alpha.
- **Time**: the median of at least three repetitions (more for short calls) in a process for each library, the
  libraries taking turns. Imports and just-in-time compilation (skglm's) come before and are not in it: a last
  section has them. Centring is in the time of the path functions that fit no intercept (scikit-learn's,
  celer's). "scikit-learn Gram" is its single fit with `precompute=True`, which is not its default.
- **Ratio**: the fastest peer that reached 1e-6 over skreg: above 1, skreg is faster. `≥` where no peer
  reached it within the limit of a call, and the limit stands for the peer; `≤` where it stands for skreg.
- `†` did not reach a gap of 1e-6 with any tolerance tried; `>` ended at the limit; `1×` timed once, because
  three times would be over the limit, or because it takes more than a second and ten times the fastest;
  `error`: see the list of errors; `–`: the library has no such task, or cannot do it on such data.
"""


WHY = """
What holds it there:

- *Small data* (1000×20, diabetes of degree 2): a call is mostly Python. scikit-learn's `validate_data`, which
  scikit-learn and skreg both call, is a quarter of a warm call, and the rest takes both as long
  (`small_fits.py`); skein-glm's whole call takes a fifth of scikit-learn's.
- *alpha_max/100 on tall data*: the Gram matrix of the support, at the rate of a matrix product, is most of
  the time. The peers stop at a gap of 1e-6, skreg goes on to rounding.
- *RidgeCV, leave-one-out, on wide data*: scikit-learn also makes one kernel and one decomposition. Where the
  smallest alpha is below 1e-7 of the largest eigenvalue, skreg takes singular values instead of eigenvalues:
  they cost several times as much and keep the digits that such an alpha needs.
"""


def machine_file(path):
    """Return where the machine's figures are kept, beside the CSV."""
    return path.with_name(path.stem + "_machine.json")


def remember_machine(path, threads, facts):
    """Keep what the machine was measured to do with this number of threads."""
    file = machine_file(path)
    known = json.loads(file.read_text()) if file.exists() else {}
    before = known.get(str(threads), {})  # other work on the machine only makes the figures smaller
    known[str(threads)] = {
        key: max(before.get(key, 0.0), float(f"{value:.4g}")) for key, value in facts.items()
    }
    file.write_text(json.dumps(known, indent=1) + "\n")


def number(text):
    """Read a number of the CSV; what is empty is not one."""
    return float(text) if text else math.nan


def read(path):
    """Return {threads: {task: {cell: {library: row}}}} of the latest rows, in the order of the CSV."""
    tables = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            task = tables.setdefault(int(row["threads"]), {}).setdefault(row["task"], {})
            task.setdefault(row["cell"], {})[row["library"]] = row
    return tables


def reached(row):
    """Whether a row is a time at the gap asked for."""
    return bool(row["seconds"]) and not row["note"]


def best_peer(rows):
    """Return the fastest peer that reached the gap, its time, and whether that is a lower bound only."""
    times = {name: number(row["seconds"]) for name, row in rows.items() if name != "skreg" and reached(row)}
    if times:
        name = min(times, key=times.get)
        return name, times[name], False
    peers = [row for name, row in rows.items() if name != "skreg"]
    over = [number(row["seconds"]) for row in peers if row["note"].startswith("over limit")]
    return ("none", min(over), True) if over else ("none", math.nan, False)


def ratio_of(rows):
    """Return the best peer's time over skreg's, and how it is to be read: "", "≥ " or "≤ "."""
    ours = rows.get("skreg")
    if ours is None or not ours["seconds"]:
        return math.nan, ""
    _, seconds, at_least = best_peer(rows)
    at_most = ours["note"].startswith("over limit")
    if at_least and at_most:
        return math.nan, ""
    return seconds / number(ours["seconds"]), "≥ " if at_least else "≤ " if at_most else ""


def seconds_text(value):
    """Write a time with three digits."""
    return f"{value:.3g}" if value >= 1e-3 else f"{value:.2g}"


def entry(row):
    """Return a table's entry: seconds (gap) and its mark."""
    if row is None:
        return "–"
    if row["note"].startswith("error"):
        return "error"
    if row["note"].startswith("over limit"):
        return f"> {number(row['seconds']):.0f}"
    gap = max(number(row["gap"]), FLOOR_GAP)
    mark = "†" if row["note"].startswith("not reached") else ""
    once = " 1×" if row["repeats"] == "1" else ""
    return f"{seconds_text(number(row['seconds']))} ({'<' if gap == FLOOR_GAP else ''}{gap:.0e}){mark}{once}"


def markdown(head, rows):
    """Return a table, its first column to the left and the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(item) for item in line) + " |" for line in lines) + "\n"


def geometric_mean(values):
    """Return the geometric mean, nan of nothing."""
    return float(np.exp(np.mean(np.log(values)))) if len(values) else math.nan


def summary(tasks):
    """Return the table of one line a task."""
    lines, everything = [], []
    for name, cells in tasks.items():
        ratios = [ratio_of(rows)[0] for rows in cells.values()]
        ratios = [ratio for ratio in ratios if ratio == ratio]
        everything += ratios
        gaps = np.array(
            [number(r["skreg"]["gap"]) for c, r in cells.items() if "skreg" in r and "sparse" not in c]
        )
        gaps = gaps[~np.isnan(gaps)]
        shares = [f"{100 * np.mean(gaps <= bound):.0f} %" if len(gaps) else "" for bound in (1e-10, 1e-8)]
        lowest = min(ratios, default=math.nan)
        lines.append(
            [
                name,
                len(ratios),
                f"{geometric_mean(ratios):.2f}",
                f"{lowest:.2f}",
                sum(r < 1 for r in ratios),
                *shares,
            ]
        )
    below = sum(ratio < 1 for ratio in everything)
    lines.append(["all", len(everything), f"{geometric_mean(everything):.2f}", "", below, "", ""])
    head = ["task", "cells", "geometric mean of the ratio", "lowest", "cells below 1"]
    return markdown([*head, "dense cells with our gap ≤ 1e-10", "≤ 1e-8"], lines)


def task_table(cells):
    """Return the table of a task: cells by libraries."""
    libraries = [name for name in ORDER if any(name in rows for rows in cells.values())]
    lines = []
    for cell, rows in cells.items():
        ratio, sign = ratio_of(rows)
        shown = "" if ratio != ratio else f"{sign}{ratio:.2f}"
        lines.append([cell, *[entry(rows.get(name)) for name in libraries], shown])
    return markdown(["cell", *libraries, "ratio"], lines)


def chosen_alphas(tasks):
    """Return a sentence a task of cross-validation: on how many cells skreg chose scikit-learn's alpha."""
    lines = []
    for name, cells in tasks.items():
        pairs = [
            (number(rows["skreg"]["alpha"]), number(rows["scikit-learn"]["alpha"]))
            for rows in cells.values()
            if rows.get("skreg", {}).get("alpha") and rows.get("scikit-learn", {}).get("alpha")
        ]
        if pairs:
            same = sum(abs(math.log(a / b)) < 1e-3 for a, b in pairs)
            errors = [number(rows["skreg"]["coef_error"]) for rows in cells.values() if "skreg" in rows]
            errors = [error for error in errors if error == error]
            worst = f"; worst relative error of our coefficients {max(errors):.0e}" if errors else ""
            lines.append(f"- {name}: the same alpha as scikit-learn on {same} of {len(pairs)} cells{worst}.")
    return "\n".join(lines) + "\n"


def behind(tasks, machine):
    """Return the cells below 1 beside the time to read X once and to form its smaller Gram matrix."""
    lines = []
    for name, cells in tasks.items():
        for cell, rows in cells.items():
            ratio, _ = ratio_of(rows)
            if ratio < 1:
                ours = rows["skreg"]
                n, p = number(ours["n"]), number(ours["p"])
                reading = number(ours["bytes"]) / machine["gb_per_second"] / 1e9
                gram = "–" if "sparse" in cell else seconds_text(n * p * min(n, p) / machine["gflops"] / 1e9)
                peer, seconds, _ = best_peer(rows)
                times = [seconds_text(number(ours["seconds"])), f"{seconds_text(seconds)} ({peer})"]
                lines.append([cell, name, *times, f"{ratio:.2f}", seconds_text(reading), gram])
    head = ["cell", "task", "skreg, s", "best peer, s", "ratio", "reading X once, s", "one SYRK, s"]
    return markdown(head, lines) if lines else "None.\n"


def memory(tasks):
    """Return the peaks of single fits as multiples of X."""
    text = ""
    for name, cells in tasks.items():
        large = {
            c: r
            for c, r in cells.items()
            if any(x["memory"] and number(x["bytes"]) >= LARGE for x in r.values())
        }
        libraries = [name for name in ORDER if any(name in rows for rows in large.values())]
        lines = [
            [
                cell,
                *[f"{number(r[n]['memory']):.2f}" if n in r and r[n]["memory"] else "–" for n in libraries],
            ]
            for cell, r in large.items()
        ]
        if lines:
            text += f"{name}\n\n{markdown(['cell', *libraries], lines)}\n"
    return text or "No cell with X of 4 MB or more.\n"


def scaling(tasks, groups):
    """Return the exponents of skreg's time, fitted in logarithms over each decade."""
    lines = []
    for name, cells in tasks.items():
        line = [name]
        for group in groups.values():
            rows = [cells[cell.name]["skreg"] for cell in group if "skreg" in cells.get(cell.name, {})]
            rows = [row for row in rows if row["seconds"]]
            if len(rows) < len(group):
                line.append("")
                continue
            times = [number(row["seconds"]) for row in rows]
            key = "n" if len({row["n"] for row in rows}) > 1 else "p"
            exponent = np.polyfit(np.log([number(row[key]) for row in rows]), np.log(times), 1)[0]
            line.append(f"{exponent:.2f} ({seconds_text(times[0])} → {seconds_text(times[-1])} s)")
        lines.append(line)
    return markdown(["task", *[f"exponent in {what}" for what in groups]], lines)


def remarks(tasks):
    """Return first calls, versions and errors, a line each."""
    first, versions, errors = {}, {}, {}
    for name, cells in tasks.items():
        for cell, rows in cells.items():
            for library, row in rows.items():
                if row["version"]:
                    versions[library] = row["version"]
                if row["first_call"]:
                    first[library] = max(first.get(library, 0.0), number(row["first_call"]))
                if row["note"].startswith("error"):
                    errors.setdefault((library, row["note"]), []).append(f"{name} on {cell}")
    known = [name for name in ORDER if name in versions]
    text = "First call in a process, on a tiny problem (imports, compilation): the slowest seen, s\n\n"
    text += markdown(
        ["", *known], [["version", *[versions[n] for n in known]], ["s", *[f"{first[n]:.2g}" for n in known]]]
    )
    for (library, note), where in errors.items():
        more = f" and {len(where) - 1} more" if len(where) > 1 else ""
        text += f"\n- {library}, {note}: {where[0]}{more}"
    return text + "\n"


def write(path):
    """Write the page beside the CSV."""
    import linear_data

    machines = json.loads(machine_file(path).read_text())
    groups = linear_data.scaling_cells()
    parts = [INTRODUCTION]
    for threads, every in sorted(read(path).items()):
        machine = machines[str(threads)]
        tasks, grown = {}, {}
        for task in sorted(every, key=_position):
            for cell, rows in every[task].items():
                where = grown if cell.startswith("scaling ") else tasks
                where.setdefault(task, {})[cell] = rows
        parts.append(
            f"## Threads: {threads}\n\nA machine of {machine['cores']:.0f} cores; with this "
            f"many threads a matrix product in float64 runs at {machine['gflops']:.0f} GFlop/s and memory "
            f"is read at {machine['gb_per_second']:.0f} GB/s.\n"
        )
        if tasks:
            parts += [summary(tasks), chosen_alphas(tasks)]
            parts.append("### Seconds (relative gap)\n")
            parts += [f"#### {name}\n\n{task_table(cells)}" for name, cells in tasks.items()]
            parts += ["### Where skreg is behind\n", behind(tasks, machine), WHY]
            parts += ["### Peak memory of a fit, in multiples of X's bytes\n", memory(tasks)]
            parts += ["### First calls, versions, errors\n", remarks(tasks)]
        if grown:
            parts += ["### How skreg's time grows\n", scaling(grown, groups)]
    path.with_suffix(".md").write_text("\n".join(parts))


def _position(name):
    from linear_tasks import TASKS

    return [task.name for task in TASKS].index(name)
