"""The gallery's pictures of dropout assert what they say: they have to run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = [
    "bagging_variance",
    "decoupled_decay",
    "dropout_boosting",
    "dropout_identities",
    "dropout_memorising",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_the_example_claims_holds(name, tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, "-W", "error", EXAMPLES / f"plot_{name}.py", tmp_path / "figure.png"]
    subprocess.run(command, check=True, env={**os.environ, "MPLBACKEND": "Agg"})
    assert (tmp_path / "figure.png").stat().st_size > 10_000
