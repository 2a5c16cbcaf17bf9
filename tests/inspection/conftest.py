"""No test leaves a figure behind, and none draws on a screen."""

import pytest


@pytest.fixture(autouse=True)
def figures():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.close("all")  # those of doctests in the same process
    yield plt
    plt.close("all")
