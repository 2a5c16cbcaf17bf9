"""Lasso, ElasticNet and Ridge: single fits, paths and cross-validations, beside every library that can do
them.

    python docs/benchmarks/linear.py --cells 1000x20 --tasks Lasso  # a part, by substrings
    python docs/benchmarks/linear.py --budget 3600 --adelie-python PYTHON
    python docs/benchmarks/linear.py --threads 2  # the second set of tables
    python docs/benchmarks/linear.py --scaling  # skreg alone over decades of n and p
    python docs/benchmarks/linear.py --page  # the page again from linear.csv

Each library has a process of its own (linear_worker.py); they take turns, repetition by repetition. Rows are
appended to linear.csv when a task on a cell is done, and what it holds is not measured again without --again.
Every tolerance but skreg's, which runs with its defaults, is the loosest power of ten that reaches a relative
gap of 1e-6, found before the timing and remembered in the CSV.
"""

import argparse
import csv
import dataclasses
import datetime
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
FIELDS = (
    "date cell task library version tolerance seconds min max repeats gap memory n_iter threads "
    "alpha l1_ratio coef_error first_call n p bytes note"
).split()


class Bench:
    """The run: options, workers, the rows so far."""

    def __init__(self, options):
        self.options = options
        self.rows = read_rows(options.csv)
        self.hints = {}
        self.temporary = tempfile.TemporaryDirectory()
        pythons = {"adelie": options.adelie_python}
        self.workers = {
            name: Process(name, pythons.get(name, sys.executable), options.threads)
            for name in LIBRARIES
            if pythons.get(name, sys.executable) and wanted(name, options.libraries)
        }

    def able(self, cell, task, shape):
        """Return the libraries that can do the task on the cell."""
        if task.kind == "ridge_cv" and cell.is_sparse:
            return []  # neither the Gram matrix nor the kernel of this cell belongs in memory
        return [
            name
            for name in self.workers
            if task.kind in LIBRARIES[name].kinds
            and not LIBRARIES[name].why_not(task, cell.is_sparse, *shape)
        ]

    def latest(self, cell, task, library):
        """Return the last row of this measurement, or None."""
        key = cell.name, task.name, library, str(self.options.threads)
        found = [
            row for row in self.rows if (row["cell"], row["task"], row["library"], row["threads"]) == key
        ]
        return found[-1] if found else None

    def is_done(self, cell, task, libraries):
        """Whether every library has its row; an error of skreg's is worth another try."""
        rows = [self.latest(cell, task, name) for name in libraries]
        return all(
            row and not (row["library"] == "skreg" and row["note"].startswith("error")) for row in rows
        )

    def run(self, cells, tasks, libraries=None):
        """Measure what is missing, until the budget is spent."""
        end = time.monotonic() + self.options.budget
        for cell in cells:
            made = None
            for task in tasks:
                if time.monotonic() > end:
                    print("The budget is spent: run again to go on.")
                    return
                if made is None:
                    shape = (cell.n, cell.p) if cell.n else None
                    if shape is None:  # its shape is known only when made
                        made = linear_data.Data(cell, self.temporary.name)
                        shape = made.X.shape
                else:
                    shape = made.X.shape
                names = [
                    name for name in self.able(cell, task, shape) if libraries is None or name in libraries
                ]
                if not names or (self.is_done(cell, task, names) and not self.options.again):
                    continue
                made = made or linear_data.Data(cell, self.temporary.name)
                self.measure(made, task, names)
            if made is not None:
                shutil.rmtree(made.folder)

    def measure(self, data, task, names):
        """Find the tolerances, let the libraries take turns, append the rows."""
        print(f"\n{data.cell.name} | {task.name}")
        start = time.monotonic()
        ratio = 1.0 if isinstance(task.l1_ratio, list) else task.l1_ratio
        request = task.at(data.alpha_max(ratio), len(data.Y))
        chosen = {name: self.search(name, data, task, request) for name in names}
        times = {name: [] for name in names}
        repeats = {}
        good = [result["seconds"] for result in chosen.values() if result.get("gap", np.inf) <= TARGET]
        slow = max(1.0, 10 * min(good, default=np.inf))
        for name, result in chosen.items():
            first = result["seconds"]
            if "error" in result:
                repeats[name] = 0
            elif first * self.options.repeats > self.options.limit or (first > slow and name != "skreg"):
                repeats[name], times[name] = 0, [first]  # the one run there was will have to do
            else:  # short calls get more turns: they are the noisier
                repeats[name] = max(self.options.repeats, min(11, int(0.5 / first)))
        for turn in range(max(repeats.values())):
            first = turn % len(names)  # nobody always comes after the same neighbour's load
            for name in names[first:] + names[:first]:
                if turn < repeats[name]:
                    try:
                        reply = self.fit(name, data, request, chosen[name]["tol"], save=False)
                    except OverLimit:
                        reply = {}
                    if "seconds" in reply:
                        times[name].append(reply["seconds"])
        rows = {name: self.row(data, task, name, chosen[name], times[name]) for name in names}
        self.write(data, task, rows)
        print(f"  measured in {time.monotonic() - start:.0f} s", flush=True)

    def fit(self, name, data, request, tol, save=True):
        """Let a worker fit once, with the data it needs."""
        worker = self.workers[name]
        if worker.child is None or worker.folder != data.folder:
            worker.ask(600, do="load", folder=data.folder)
        problem = worker.ask(600, do="warm", task=request)  # nothing, but for the first of its kind
        if "error" in problem:
            return problem | {"tol": tol}
        file = f"{self.temporary.name}/{name}.npz" if save else None
        reply = worker.ask(
            self.options.limit,
            do="fit",
            task=request,
            tol=tol,
            save=file,
            memory=save and request["kind"] == "single",
        )
        return reply | {"tol": tol}

    def search(self, name, data, task, request):
        """Return the reply at the loosest tolerance that reaches the target, or the closest of all."""
        library = LIBRARIES[name]
        if library.first_exponent is None or (task.kind == "ridge_cv" and name != "glum"):
            return self.attempt(name, data, task, request, None)
        known = self.latest(data.cell, task, name)
        if known and known["tolerance"] and not known["note"]:
            result = self.attempt(name, data, task, request, float(known["tolerance"]))
            if result.get("gap", np.inf) <= TARGET:
                return result
        exponent = self.hints.get((name, task.kind), library.first_exponent)
        tried = {}
        while exponent not in tried:
            result = tried[exponent] = self.attempt(name, data, task, request, 10.0**-exponent)
            if "error" in result and "over limit" not in result["error"]:
                return result
            reached = result.get("gap", np.inf) <= TARGET
            if "error" in result:
                break  # tighter will only take longer
            exponent += -1 if reached else 1
            if not 2 <= exponent <= library.last_exponent:
                break
        good = [key for key, result in tried.items() if result.get("gap", np.inf) <= TARGET]
        if good:
            self.hints[name, task.kind] = min(good)
            return tried[min(good)]
        finished = [result for result in tried.values() if "error" not in result]
        if not finished:
            return tried[exponent]
        best = min(finished, key=lambda result: result["gap"])
        beyond = next((r["error"] for r in tried.values() if "error" in r), "no tolerance does")
        return best | {"note": f"not reached: {beyond}"}

    def attempt(self, name, data, task, request, tol):
        """Fit once and measure the solution from outside."""
        easier = self.latest(data.cell, TASKS_BY_NAME[task.easier], name) if task.easier else None
        try:
            if easier and "over limit" in easier["note"] and name != "skreg":
                raise OverLimit  # more of the same work would be, too
            result = self.fit(name, data, request, tol)
        except OverLimit:
            limit = self.options.limit
            result = {
                "error": f"over limit of {limit:g} s at tol {tol:g}" if tol else f"over limit of {limit:g} s"
            }
            result |= {"seconds": float(limit), "tol": tol}
        if "error" in result:
            result.setdefault("seconds", 0.0)
        else:
            solution = np.load(f"{self.temporary.name}/{name}.npz")
            result |= data.quality(task, request, solution["coef"], solution["intercept"], result)
        shown = f"{result['seconds']:9.4f} s  gap {result.get('gap', np.nan):8.1e}  {result.get('error', '')}"
        print(f"    {name:18} tol {tol if tol else 'default':<8} {shown}", flush=True)
        return result

    def row(self, data, task, name, result, times):
        """Return the line of the CSV."""
        note = result.get("note", "")
        times = times or [result["seconds"]]
        if "error" in result:
            over = result["error"].startswith("over limit")
            note = result["error"] if over else f"error: {result['error']}"
            times = [result["seconds"]] if over else []
        elif name != "skreg" and not note and not result["gap"] <= TARGET:
            note = "not reached"
        values = {
            "date": datetime.date.today().isoformat(),
            "cell": data.cell.name,
            "task": task.name,
            "library": name,
            "tolerance": result["tol"],
            "seconds": float(np.median(times)) if times else None,
            "min": min(times, default=None),
            "max": max(times, default=None),
            "repeats": len(times),
            "threads": self.options.threads,
            "n": data.X.shape[0],
            "p": data.X.shape[1],
            "bytes": data.bytes,
            "note": note,
        }
        rest = ("version", "gap", "memory", "n_iter", "alpha", "l1_ratio", "coef_error", "first_call")
        return {**values, **{key: result.get(key) for key in rest}}

    def write(self, data, task, rows):
        """Append the rows, so that an interrupted run keeps what it has, and print their ratios."""
        new = not self.options.csv.exists()
        with open(self.options.csv, "a", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            if new:
                writer.writeheader()
            for row in rows.values():
                writer.writerow({key: f"{v:.6g}" if isinstance(v, float) else v for key, v in row.items()})
        self.rows = read_rows(self.options.csv)
        ours = rows.get("skreg", {}).get("seconds") or np.nan
        for name, row in rows.items():
            seconds = row["seconds"] or np.nan
            memory = f"  memory {row['memory']:.2f} X" if row["memory"] is not None else ""
            gap = np.nan if row["gap"] is None else row["gap"]
            print(
                f"  {name:18}{seconds:10.4f} s{seconds / ours:8.2f}  gap {gap:8.1e}{memory}  {row['note']}",
                flush=True,
            )


def read_rows(path):
    """Return the rows of the CSV, in order."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def wanted(name, filters):
    """Whether a name has one of the substrings, or there are none."""
    return not filters or any(part in name for part in filters)


def parse():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="*", default=[], help="substrings of names")
    parser.add_argument("--tasks", nargs="*", default=[], help="substrings of names")
    parser.add_argument("--libraries", nargs="*", default=[], help="substrings of names")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--budget", type=float, default=float("inf"), help="seconds after which nothing new starts"
    )
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of a single call of a library")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--adelie-python", help="the interpreter of an environment that has adelie")
    parser.add_argument("--csv", type=Path, default=HERE / "linear.csv")
    parser.add_argument("--again", action="store_true", help="measure what the CSV has already, too")
    parser.add_argument("--representative", action="store_true", help="only the cells that come first")
    parser.add_argument("--scaling", action="store_true", help="skreg's time over a decade of n and of p")
    parser.add_argument("--page", action="store_true", help="only write the page from the CSV")
    parser.add_argument("--list", action="store_true", help="only list the cells and tasks")
    return parser.parse_args()


def main():
    """Run what was asked for, then write the page."""
    cells = [cell for cell in linear_data.all_cells() if wanted(cell.name, options.cells)]
    if options.representative:
        cells = [cell for cell in cells if cell.representative]
    tasks = [task for task in TASKS if wanted(task.name, options.tasks)]
    if options.list:
        print(*[cell.name for cell in cells], "", *[task.name for task in tasks], sep="\n")
        return
    if not options.page:
        linear_page.remember_machine(options.csv, options.threads, linear_machine.measure())
        bench = Bench(options)
        try:
            if options.scaling:
                groups = linear_data.scaling_cells().values()
                cells = list({cell.name: cell for group in groups for cell in group}.values())
                tasks = [dataclasses.replace(task) for task in tasks if task.name in SCALING_TASKS]
                bench.run(cells, tasks, libraries=["skreg"])
            else:
                bench.run(cells, tasks)
        finally:
            for worker in bench.workers.values():
                worker.stop()
    linear_page.write(options.csv)


if __name__ == "__main__":
    options = parse()
    # BLAS reads these when it is loaded, here and in the workers, which inherit them.
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(options.threads)))
    import linear_data
    import linear_machine
    import linear_page
    import numpy as np
    from linear_peers import LIBRARIES
    from linear_process import OverLimit, Process
    from linear_tasks import SCALING_TASKS, TARGET, TASKS, TASKS_BY_NAME

    main()
