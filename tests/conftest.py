"""What has to be in the environment before NumPy and SciPy are imported."""

import os

# The workers of pytest-xdist are the parallelism; without SCIPY_ARRAY_API check_estimator skips checks.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("SCIPY_ARRAY_API", "1")
