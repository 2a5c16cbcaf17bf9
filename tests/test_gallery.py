"""The gallery's scripts hold what they claim, without a screen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("plot_*.py")), ids=lambda path: path.stem)
def test_a_script_s_assertions_hold_and_it_draws_its_picture(script, tmp_path):
    picture = tmp_path / "picture.png"
    command = [sys.executable, "-W", "error", str(script), str(picture)]
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 10_000
