"""Moments at scale: the pass against its floor, on two Dask workers, beside other libraries, and its memory.

python docs/benchmarks/scale.py [pass] [dask] [peers] [memory]

All parts by default, about ten minutes on two cores. Each rewrites its rows of scale.csv and the page
scale.md. BLAS has one thread everywhere; what is compared is timed in turn in one run, and medians are given.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import dask
import dask.array as da
import numpy as np
import scale_page
from dask.distributed import Client, LocalCluster, wait
from scipy.linalg import blas
from sklearn.linear_model import SGDRegressor

from skreg import Lasso, LassoCV, Moments, Ridge
from skreg.moments import array_chunks, dask_moments

HERE = Path(__file__).parent
REPETITIONS = 5


def seconds(function, repetitions=REPETITIONS):
    """Call it so many times after once for practice; return all times."""
    function()
    spent = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return spent


def in_turn(functions, repetitions=REPETITIONS):
    """Time several functions in turn, and give the median of each."""
    spent = {name: [] for name in functions}
    for round_ in range(repetitions + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if round_:  # the first is for practice
                spent[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in spent.items()}


def generated(n, p, seed, mean=3.0):
    """Draw rows about a mean of 3, and y of half as many features as there are."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = X[:, ::2].sum(axis=1) + rng.standard_normal(n)
    X += mean
    return X, y


def product(block):
    """XᵀX by one dsyrk, without copying rows in C order."""
    return blas.dsyrk(1.0, block.T)


def measure_pass(folder):
    """One process, a file of 800 MB in the page's cache: reading, dsyrk, and the moments."""
    for p, n in ((20, 2_000_000), (100, 1_000_000), (500, 200_000)):
        file = f"{folder}/X{p}.npy"
        X, y = generated(n, p, 0)
        np.save(file, X)
        del X
        step = 2**22 // p

        def chunks(file=file, step=step, n=n):
            X = np.load(file, mmap_mode="r")
            return (X[start : start + step] for start in range(0, n, step))

        spent = in_turn(
            {
                "reading: the sum of all numbers": lambda chunks=chunks: sum(c.sum() for c in chunks()),
                "one dsyrk of each chunk, from the file": lambda chunks=chunks: [*map(product, chunks())],
                "Moments.from_chunks, from the file": lambda file=file, y=y: Moments.from_chunks(
                    array_chunks(np.load(file, mmap_mode="r"), y)
                ),
            },
            3,
        )
        moments = Moments.from_chunks(array_chunks(np.load(file, mmap_mode="r"), y))
        spent["Lasso.fit_moments, once they are there"] = float(
            np.median(seconds(lambda moments=moments: Lasso(alpha=0.1).fit_moments(moments), 3))
        )
        for what, value in spent.items():
            yield f"{n}×{p}", what, "seconds", value
        os.remove(file)


def measure_dask(_folder):
    """Blocks persisted on two workers: the fit against the dsyrk of the same blocks there, wall and CPU."""
    with _cluster() as cluster, Client(cluster) as client:

        def busy():
            return sum(client.run(time.process_time).values())

        shapes = ((100, 100_000, 20), (500, 20_000, 20), (1000, 10_000, 20), (2000, 5_000, 10))
        for p, rows, n_blocks in shapes:
            X = _blocks(p, rows, n_blocks).persist()
            y = (X[:, 0] - X[:, 1]).persist()
            wait([X, y])
            works = {
                "one dsyrk of each block, on the workers": lambda X=X: _products_there(X),
                "moments of the blocks (dask_moments)": lambda X=X, y=y: dask_moments(X, y),
                "Ridge().fit(X, y)": lambda X=X, y=y: Ridge().fit(X, y),
                "LassoCV().fit(X, y), five folds": lambda X=X, y=y: LassoCV(alphas=20, eps=0.1).fit(X, y),
            }
            case = f"{rows * n_blocks}×{p} in {n_blocks} blocks"
            for what, value in in_turn(works).items():
                yield case, what, "seconds", value
            spent = {what: [] for what in works}
            for _ in range(REPETITIONS):
                for what, work in works.items():
                    before = busy()
                    work()
                    spent[what].append(busy() - before)
            for what, values in spent.items():
                yield case, what, "CPU seconds of the workers", float(np.median(values))
            del X, y, works  # and the workers let go of them
        tiny = _blocks(10, 10, 2000)
        spent = np.median(seconds(lambda: dask_moments(tiny, tiny[:, 0]), 3))
        yield "2000 blocks of 10×10, generated", "dask_moments, a block", "milliseconds", spent / 2.0


def _products_there(X):
    first = dask.delayed(_first_of_product, pure=False)
    return dask.compute(*[first(block) for block in X.to_delayed().ravel()])


def _first_of_product(block):
    from scipy.linalg import blas

    return blas.dsyrk(1.0, block.T)[0, 0]


def measure_peers(_folder):
    """Least squares of 10⁶ rows × 100: seconds to an excess of the mean squared error over the least."""
    n, p, n_blocks = 1_000_000, 100, 10
    rows = n // n_blocks
    with _cluster() as cluster, Client(cluster):
        X = _blocks(p, rows, n_blocks, mean=0.0).persist()
        noise = da.random.default_rng(1).standard_normal(n, chunks=rows)
        y = (X[:, ::2].sum(axis=1) + noise).persist()
        wait([X, y])
        least = Ridge(alpha=0.0).fit(X, y)
        moments = dask_moments(X, y)

        def excess(coef, intercept):
            """(MSE − the least) / the least, from the moments: exact to rounding."""
            d = coef - least.coef_
            shift = intercept - least.intercept_ + moments.x_mean @ d
            residual = moments.yy[0] - moments.xy[:, 0] @ least.coef_
            return float((d @ moments.gram @ d + n * shift**2) / residual)

        def row(what, value, model):
            coef, intercept = np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])
            return [
                ("10⁶×100", what, "seconds", value),
                ("10⁶×100", what, "excess", excess(coef, intercept)),
            ]

        ridge = Ridge(alpha=1e-6)
        spent = np.median(seconds(lambda X=X, y=y: ridge.fit(X, y), 3))
        yield from row("Ridge(alpha=1e-6), two workers", spent, ridge)
        yield from _dask_ml(X, y, row)
        blocks = [dask.compute(*pair) for pair in zip(X.to_delayed().ravel(), y.to_delayed(), strict=True)]
        del X, y
    chunks = Moments.from_chunks
    alone = Ridge(alpha=1e-6)
    spent = np.median(seconds(lambda: alone.fit_moments(chunks(blocks)), 3))
    yield from row("Ridge(alpha=1e-6) of chunks, one process", spent, alone)
    for schedule in ({}, {"average": True}):
        model, start, spent, reached = SGDRegressor(alpha=0.0, random_state=0, **schedule), None, 0.0, []
        for epoch in range(1, 21):
            start = time.perf_counter()
            for block, target in blocks:
                model.partial_fit(block, target)
            spent += time.perf_counter() - start
            reached.append((epoch, spent, excess(model.coef_, model.intercept_[0])))
        name = f"SGDRegressor{'(average=True)' if schedule else '()'}, partial_fit"
        for bound in (1e-3, 1e-4, 1e-5, 1e-6):
            first = next((r for r in reached if r[2] <= bound), None)
            yield "10⁶×100", f"{name}, to {bound:g}", "seconds", np.nan if first is None else first[1]
        yield "10⁶×100", f"{name}, 20 epochs", "seconds", reached[-1][1]
        yield "10⁶×100", f"{name}, 20 epochs", "excess", reached[-1][2]


def _dask_ml(X, y, row):
    """Time dask-ml, or say why not."""
    what = "dask-ml LinearRegression"
    try:
        from dask_ml.linear_model import LinearRegression
    except Exception as error:
        yield "10⁶×100", f"{what}: {type(error).__name__}: {error}", "seconds", np.nan
        return
    for solver in ("admm", "lbfgs", "newton"):
        name = f"{what}(solver={solver!r}), two workers"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = LinearRegression(solver=solver, C=1e12)
                spent = np.median(seconds(lambda model=model: model.fit(X, y), 3))
            yield from row(name, spent, model)
        except Exception as error:
            text = str(error).replace("\n", " ")[:80]
            yield "10⁶×100", f"{name}: {type(error).__name__}: {text}", "seconds", np.nan


_MEMORY = """
import sys
from pathlib import Path
import numpy as np
from skreg import Moments, Ridge
def peak():  # of this process alone, where ru_maxrss may be that of the one that started it
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
Ridge(alpha=1.0).fit(np.eye(3), np.arange(3.0))
before, n, p, step = peak(), int(sys.argv[1]), 100, 40_000
rng = np.random.default_rng(0)
def chunks():
    for start in range(0, n, step):
        X = rng.standard_normal((min(step, n - start), p))
        yield X, X[:, 0] + rng.standard_normal(len(X))
Ridge(alpha=1.0).fit_moments(Moments.from_chunks(chunks()))
print((peak() - before) / 1024)
"""


def measure_memory(_folder):
    """The peak of a process that fits generated chunks, above that of a process with skreg loaded."""
    for n in (10**5, 10**6, 10**7):
        command = [sys.executable, "-c", _MEMORY, str(n)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        yield f"{n}×100", "peak memory above the interpreter with skreg", "MiB", float(done.stdout)


def _cluster():
    return LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)


def _blocks(p, rows, n_blocks, mean=3.0):
    rng = da.random.default_rng(0)
    return rng.standard_normal((rows * n_blocks, p), chunks=(rows, p)) + mean


def main():
    parts = sys.argv[1:] or ["pass", "dask", "peers", "memory"]
    file = HERE / "scale.csv"
    rows = []
    if file.exists():
        with file.open() as stream:
            rows = [row for row in csv.DictReader(stream) if row["part"] not in parts]
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            for case, what, unit, value in globals()[f"measure_{part}"](folder):
                print(part, case, what, unit, f"{value:.4g}", flush=True)
                rows.append({"part": part, "case": case, "what": what, "unit": unit, "value": f"{value:.6g}"})
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["part", "case", "what", "unit", "value"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    scale_page.write(HERE)


if __name__ == "__main__":
    main()
