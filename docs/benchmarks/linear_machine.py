"""What the machine can do, measured by NumPy alone: the floors that no solver gets below."""

import os
import time

import numpy as np


def measure():
    """Return the number of cores, the rate of a matrix product in GFlop/s and of reading memory in GB/s."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((1500, 1500))
    gemm = _best(lambda: A @ A)
    x = rng.standard_normal(25_000_000)  # 200 MB, beyond any cache
    y = x[::-1].copy()
    read = _best(lambda: x @ y)
    return {
        "cores": os.cpu_count(),
        "gflops": 2 * 1500**3 / gemm / 1e9,
        "gb_per_second": 2 * x.nbytes / read / 1e9,
    }


def _best(function, repeats=5):
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
