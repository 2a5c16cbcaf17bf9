"""A process that fits for one library: it reads requests as lines of JSON and answers with its own timings.

Started by linear.py, one for each library, so that a call over the limit can be ended, that peak memory is
that of the one library, and that a library pinned to other versions can run in an environment of its own.
"""

import ctypes
import gc
import importlib.metadata
import json
import os
import sys
import time
import warnings

import numpy as np
from linear_peers import LIBRARIES
from scipy import sparse


def status(key):
    """Return an entry of this process's status in bytes, or None where the system has none."""
    try:
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))
    except (OSError, StopIteration):
        return None


def reset_peak():
    """Set the peak of resident memory back to what is resident now, and return that; None if it cannot be."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(
            0
        )  # memory that was freed but not returned would hide what the fit takes
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except (OSError, AttributeError):
        return None
    return status("VmRSS")


def load(folder):
    """Read X and Y as linear.py wrote them, into memory of this process."""
    Y = np.load(f"{folder}/Y.npy")
    if os.path.exists(f"{folder}/X.npz"):
        return sparse.csc_matrix(sparse.load_npz(f"{folder}/X.npz")), Y
    return np.load(f"{folder}/X.npy"), Y


def tiny(task, is_sparse):
    """Return a problem of the same kind and types, so small that only the first call's cost shows."""
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((60, 12)))
    Y = X[:, :3].sum(axis=1)[:, None] + rng.standard_normal((60, task["n_targets"]))
    if is_sparse:
        X = sparse.csc_matrix(np.where(np.abs(X) > 0.5, X, 0.0))
    alphas = task["alphas"] and [float(a) for a in np.geomspace(1.0, 0.01, len(task["alphas"]))]
    return X, target(Y, task), task | {"alphas": alphas}


def target(Y, task):
    """Return the task's y: one contiguous vector, or the matrix of all targets."""
    return np.ascontiguousarray(Y[:, 0]) if task["n_targets"] == 1 else Y


class Worker:
    """The state between requests: the library, its data, and what has been warmed up."""

    def __init__(self, name, threads):
        self.library, self.threads = LIBRARIES[name], threads
        self.first_calls = {}

    def load(self, folder):
        self.X = self.Y = None
        self.X, self.Y = load(folder)
        return {}

    def key(self, task):
        """Return what a library compiles or sets up separately for."""
        return task["kind"], str(task["l1_ratio"]), sparse.issparse(self.X), task["n_targets"]

    def warm(self, task):
        """Pay once for imports, just-in-time compilation and thread pools, and remember how much that was."""
        if self.key(task) not in self.first_calls:
            X, y, small = tiny(task, sparse.issparse(self.X))
            start = time.perf_counter()
            self.library.call(small, 10.0**-4, self.threads)(X, y)
            self.first_calls[self.key(task)] = time.perf_counter() - start
        return {}

    def fit(self, task, tol, save, memory):
        """Fit and time it; the coefficients go into a file."""
        fit = self.library.call(task, tol, self.threads)
        y = target(self.Y, task)
        before = reset_peak() if memory else None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start = time.perf_counter()
            coef, intercept, n_iter, alpha, ratio = fit(self.X, y)
            seconds = time.perf_counter() - start
        peak = status("VmHWM") if before is not None else None
        if save:
            np.savez(save, coef=coef, intercept=intercept)
        size = self.X.data.nbytes + self.X.indices.nbytes if sparse.issparse(self.X) else self.X.nbytes
        return {
            "seconds": seconds,
            "n_iter": None if n_iter is None else int(np.max(n_iter)),
            "alpha": None if alpha is None else float(np.ravel(alpha)[0]),
            "l1_ratio": None if ratio is None else float(ratio),
            "memory": None if peak is None else (peak - before) / size,
            "first_call": self.first_calls[self.key(task)],
            "version": importlib.metadata.version(self.library.package),
            "warned": sorted({w.category.__name__ for w in caught}),
        }


def main():
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not end up among the answers
    warnings.simplefilter("ignore")
    worker = Worker(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = getattr(worker, request.pop("do"))(**request)
        except Exception as error:  # whatever a library raises is a result of the benchmark
            reply = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:150]}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
