"""The gallery's scripts hold what they claim, without a screen."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
# Runs a script as Python does, and saves the picture when it is shown.
RUN = """
import runpy, sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
script, picture = sys.argv[1:]
plt.show = lambda: plt.savefig(picture)
sys.argv = [script]
runpy.run_path(script, run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("plot_*.py")), ids=lambda path: path.stem)
def test_a_script_s_assertions_hold_and_it_draws_its_picture(script, tmp_path):
    picture = tmp_path / "picture.png"
    command = [sys.executable, "-W", "error", "-c", RUN, str(script), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 10_000
