import numpy as np
import pytest
from sklearn.datasets import load_diabetes


@pytest.fixture(scope="session")
def diabetes():
    """Standardised columns with their names, the target, and weights."""
    data = load_diabetes(as_frame=True)
    X = (data.data - data.data.mean()) / data.data.std(ddof=0)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    return X, data.target.to_numpy(), weights


@pytest.fixture(scope="session")
def small():
    """Twelve rows, three features: enough to tell right from wrong."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(12, 3)) + np.array([1.0, 0.0, -2.0])
    y = X @ [1.5, 0.0, -0.5] + rng.normal(size=12) + 4.0
    weights = rng.uniform(0.5, 2.0, 12)
    weights[[2, 7]] = 0.0
    return X, y, weights
