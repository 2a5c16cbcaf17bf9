"""Peak memory of a streamed fit: rows that come from a generator, for more and more of them.

Run: python docs/benchmarks/stream_memory.py [n_rows ...]. Each number of rows is a process of its own, and what
is measured is the peak resident memory above that of the same process once everything is imported.
"""

import resource
import subprocess
import sys
import time

FEATURES, CHUNK = 100, 20_000


def peak() -> float:
    """Return the peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fit(n_rows: int) -> None:
    """Fit in this process, and print what it took."""
    import numpy as np

    from skreg import Lasso, Moments, Ridge

    rng = np.random.default_rng(0)
    true = np.zeros(FEATURES)
    true[:10] = np.arange(1.0, 11.0)

    def chunks(n):
        for start in range(0, n, CHUNK):
            X = rng.standard_normal((min(CHUNK, n - start), FEATURES))
            X += 1e3
            yield X, (X - 1e3) @ true + rng.standard_normal(len(X))

    for estimator in (Ridge(alpha=1.0), Lasso(alpha=0.1)):  # what is loaded at first use is no data
        estimator.fit_moments(Moments.from_chunks(chunks(1000)))
    before, start = peak(), time.perf_counter()
    moments = Moments.from_chunks(chunks(n_rows))
    ridge, lasso = (model.fit_moments(moments) for model in (Ridge(alpha=1.0), Lasso(alpha=0.1)))
    seconds = time.perf_counter() - start
    assert np.abs(ridge.coef_ - true).max() < 10.0 / np.sqrt(n_rows)
    gap = max(ridge.dual_gap_ / moments.yy[0], 2.0 * n_rows * lasso.dual_gap_ / moments.yy[0])
    print(
        f"{n_rows:>11,} rows x {FEATURES}: {peak() - before:6.0f} MB above {before:.0f} MB, "
        f"{seconds:6.1f} s, relative gap {gap:.1e}",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        fit(int(sys.argv[2]))
    else:
        for n_rows in sys.argv[1:] or ["100000", "1000000", "10000000"]:
            subprocess.run([sys.executable, __file__, "--one", n_rows], check=True)
