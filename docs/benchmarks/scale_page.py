"""The page scale.md, from scale.csv."""

import csv
import math
import textwrap

_HEAD = """# Moments at scale

Written by `docs/benchmarks/scale.py` from `scale.csv`: {machine}. BLAS on one thread everywhere; medians
of what is timed in turn."""

_PASS = """
## One pass of one process

A file of float64 that the system has in its cache, read through a memory map in chunks of 32 MB. The
floors are reading every number once (their sum) and one `dsyrk` of each chunk, which is the p²/2
multiplications a row that no exact method is without. Above these the pass checks that all is finite,
takes means in two parts and centres.
"""

_DASK = """
## Two Dask workers

Blocks persisted in the memory of two processes of one thread each, on one machine. The floor is `dsyrk`
of the same blocks where they lie, by the same scheduler, of which one number each comes back. CPU
seconds are those of the two workers, all that they did; on a machine that others use, as this one was,
they say more than the wall's clock. What a fit takes beyond the moments it does in the caller's process:
Ridge one factorisation, LassoCV paths of 20 alphas on five folds.
"""

_BLOCKS = """
Of {case}, a block costs {spent} in all: the part of the graph and of the scheduler, for blocks that are
next to no work.
"""

_PEERS = """
## Least squares of 10⁶×100, to equal error

Columns of mean 0 and variance 1, which is what stochastic gradients need. The excess is (MSE − MSE of
least squares) / MSE of least squares on the training rows, computed from the moments. SGDRegressor gets
the same chunks by `partial_fit`, one pass after another in their order, and no penalty; its seconds are
those up to the end of the first pass below the excess, of at most 20.
"""

_MEMORY = """
## Memory

The peak of a process that generates chunks of 40,000×100 (32 MB each) and fits them, less the peak
before the first chunk with skreg loaded.
"""


def write(folder):
    """Write the page beside its table."""
    with (folder / "scale.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    names = ("pass", "dask", "peers", "memory")
    parts = {name: [row for row in rows if row["part"] == name] for name in names}
    lines = [_HEAD.format(machine="two shared cores"), _PASS, *_pass_table(parts["pass"])]
    lines += [_DASK, *_dask_table(parts["dask"]), _PEERS, *_peers_table(parts["peers"])]
    lines += [_MEMORY, "| data | MiB |", "|---|---|"]
    lines += [f"| {row['case']} | {float(row['value']):.0f} |" for row in parts["memory"]]
    lines += _arithmetic(parts)
    (folder / "scale.md").write_text("\n".join(lines) + "\n")


def _cases(rows, unit=None):
    """Group rows by case: {case: {what: value}}."""
    found = {}
    for row in rows:
        if unit is None or row["unit"] == unit:
            found.setdefault(row["case"], {})[row["what"]] = float(row["value"])
    return found


def _pass_table(rows):
    head = "| data | what | seconds | 10⁶ rows/s | GB/s | of the floors' sum |"
    lines = [head, "|---|---|---|---|---|---|"]
    for case, spent in _cases(rows).items():
        n, p = map(int, case.split("×"))
        floor = sum(value for what, value in spent.items() if what.startswith(("reading", "one dsyrk")))
        for what, value in spent.items():
            rates = f"{n / value / 1e6:.3g} | {8e-9 * n * p / value:.3g}"
            share = f"{value / floor:.2f}" if what.startswith("Moments") else ""
            once = what.startswith("Lasso")
            lines.append(f"| {case} | {what} | {value:.3g} | {' | ' if once else rates} | {share} |")
    return lines


def _dask_table(rows):
    wall, busy = _cases(rows, "seconds"), _cases(rows, "CPU seconds of the workers")
    lines = [
        "| data | what | seconds | of dsyrk | CPU seconds of the workers | of dsyrk |",
        "|---|---|---|---|---|---|",
    ]
    for case, spent in wall.items():
        floor, cpu = (next(iter(found[case].values())) for found in (wall, busy))
        for what, value in spent.items():
            mine = busy[case][what]
            lines.append(
                f"| {case} | {what} | {value:.3g} | {value / floor:.2f} | {mine:.3g} | {mine / cpu:.2f} |"
            )
    for row in rows:
        if row["unit"] == "milliseconds":
            spent = f"{float(row['value']):.2g} ms"
            lines += ["", _filled(_BLOCKS.format(case=row["case"], spent=spent))]
    return lines


def _peers_table(rows):
    seconds, excess = {}, {}
    for row in rows:
        (seconds if row["unit"] == "seconds" else excess)[row["what"]] = float(row["value"])
    lines = ["| what | seconds | excess |", "|---|---|---|"]
    for what, value in seconds.items():
        bound = what.rpartition(", to ")[2] if ", to " in what else ""
        reached = f"{excess[what]:.1e}" if what in excess else (f"≤ {bound}" if bound else "")
        spent = f"{value:.3g}" if math.isfinite(value) else ("not in 20 passes" if bound else "failed")
        lines.append(f"| {what} | {spent} | {reached} |")
    return lines


_ASSUMED = """
100 features, float64; workers of one core that each do {rate:.2g}·10⁶ rows a second, as one core here
did from a file in cache ({speed:.2g} GB/s: a disk or a network that gives less is what decides instead).
A chunk costs {overhead:.2g} ms of the one process that schedules, while the workers work. In the tree,
of fan-in 4, travel matrices of 80 kB; the solve comes once and takes milliseconds.
"""

_CHUNKS = """
Of 10¹² rows in chunks of 80 MB the ten million chunks would keep the scheduler busy for {small}: at that
size a task has to take more. A chunk of 10⁷ rows is 8 GB if it is in memory at once. A task that goes
through a file of its own, `Moments.from_chunks(parquet_chunks(file, …))`, holds 32 MB of it, and the
moments of the files add up, or are saved where they are and added elsewhere. Workers of eight cores make
both passes eight times as short, if they are fed.
"""

_AFTER = """
A pass serves every alpha, every fold and the posterior: LassoCV adds a matrix a fold to what travels,
and what comes after the pass does not know how many rows there were. Counts are exact up to 9·10¹⁵ rows.
Sums round by ε times a root of the blocks in a chunk and of the depth of the tree, not of the rows;
`Moments.rounding` says how much, and the certificate of the fit has room for it.
"""


def _arithmetic(parts):
    """Work out larger data from what was measured."""
    passes = _cases(parts["pass"]).get("1000000×100")
    overhead = [float(row["value"]) for row in parts["dask"] if row["unit"] == "milliseconds"]
    if not passes or not overhead:
        return []
    rate = 1e6 / passes["Moments.from_chunks, from the file"]
    table = {name: [] for name in ("data", "a worker reads", "the pass", "chunks", "scheduling", "the tree")}
    for n, workers, rows_in_a_chunk in ((1e9, 10, 1e5), (1e12, 1000, 1e7)):
        chunks = n / rows_in_a_chunk
        table["data"].append(f"{n * 800 / 1e12:g} TB")
        table["a worker reads"].append(f"{n * 800 / workers / 1e9:g} GB")
        table["the pass"].append(_time(n / workers / rate))
        table["chunks"].append(f"{chunks:,.0f} of {rows_in_a_chunk * 800 / 1e6:,.0f} MB")
        table["scheduling"].append(_time(chunks * overhead[0] / 1e3))
        table["the tree"].append(f"{math.ceil(math.log(chunks, 4))} levels")
    assumed = _ASSUMED.format(rate=rate / 1e6, speed=rate * 800 / 1e9, overhead=overhead[0])
    return [
        "",
        "## Arithmetic: 10⁹ rows on 10 workers, 10¹² rows on 1000",
        "",
        _filled(assumed),
        "",
        "| | 10⁹ rows, 10 workers | 10¹² rows, 1000 workers |",
        "|---|---|---|",
        *(f"| {name} | {' | '.join(cells)} |" for name, cells in table.items()),
        "",
        _filled(_CHUNKS.format(small=_time(1e7 * overhead[0] / 1e3))),
        "",
        _filled(_AFTER),
    ]


def _filled(text):
    return textwrap.fill(" ".join(text.split()), 105)


def _time(seconds):
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
