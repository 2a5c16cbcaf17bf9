"""How much memory a streamed fit takes, measured in a process of its own."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
from skreg import Lasso, Moments, Ridge

def chunks(n, p=100, size=20_000):
    rng, true = np.random.default_rng(0), np.arange(100.0)
    for start in range(0, n, size):
        X = rng.standard_normal((size, p))
        X += 1e3
        yield X, (X - 1e3) @ true + rng.standard_normal(size)

moments = Moments.from_chunks(chunks(int(sys.argv[1])))
for model in (Ridge(alpha=1.0), Lasso(alpha=0.1)):
    model.fit_moments(moments)
    assert np.abs(model.coef_ - np.arange(100.0)).max() < 0.2
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


INTERPRETER = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def peak(n_rows=0, script=SCRIPT):
    """Run a script, and return its peak resident memory in MB."""
    command = [sys.executable, "-c", script, str(n_rows)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(printed) * (1e-6 if sys.platform == "darwin" else 1.024e-3)


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module")


@pytest.mark.slow
def test_ten_million_rows_take_less_than_400_megabytes():
    assert peak(10**7) < peak(script=INTERPRETER) + 400


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows():
    assert peak(10**6) < peak(10**5) + 20
