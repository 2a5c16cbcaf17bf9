"""How long a process takes that imports a library and fits a first Lasso, 442×10, ours and scikit-learn's.

Fresh processes, timed from outside, interpreter start and exit included; they take turns in random order.

    python docs/benchmarks/first_fit.py [repetitions]
"""

import random
import statistics
import subprocess
import sys
import time

REFERENCE = "sklearn.linear_model"
MODULES = [REFERENCE, "skreg", "skreg.linear_model"]
PROCESS = """
import numpy as np
from {module} import Lasso
rng = np.random.default_rng(0)
X = rng.standard_normal((442, 10))
y = X @ np.arange(-4.0, 6.0) + rng.standard_normal(442)
Lasso(alpha=0.1).fit(X, y)
"""


def seconds(module):
    """Return the time of the whole process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", PROCESS.format(module=module)], check=True)
    return time.perf_counter() - start


def main(repetitions):
    """Print the table, with each ratio to scikit-learn."""
    for module in MODULES:  # the first import fills the caches of bytecode and of the disk
        seconds(module)
    times = {module: [] for module in MODULES}
    for _ in range(repetitions):
        for module in random.sample(MODULES, len(MODULES)):
            times[module].append(seconds(module))

    reference = statistics.median(times[REFERENCE])
    print(f"Python {sys.version.split()[0]}, import and first Lasso, 442×10, median of {repetitions}")
    for module, values in times.items():
        median = statistics.median(values)
        spread = f"{min(values):.3f} to {max(values):.3f}"
        print(f"{module:24}{median:9.3f}s{median / reference:8.3f}   {spread}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
