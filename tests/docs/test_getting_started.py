"""From an installed skreg to a forest plot of one's own CSV: the page's lines as a newcomer's script."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "getting_started.md"


@pytest.mark.slow
def test_fifteen_lines_draw_the_forest_of_a_file_that_the_page_has_not_seen(tmp_path):
    pytest.importorskip("matplotlib", reason="the script draws, with the extra `plot`")
    lines = [example.source for example in doctest.DocTestParser().get_examples(PAGE.read_text())]
    first = next(i for i, line in enumerate(lines) if line.startswith("import pandas"))
    last = next(i for i, line in enumerate(lines) if "savefig" in line)
    script = "".join(lines[first : last + 1])
    assert len(script.splitlines()) <= 15

    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((60, 4)), columns=["rain", "sun", "wind", "target"])
    table["target"] += 3.0 * table["sun"]
    table.to_csv(tmp_path / "patients.csv", index=False)
    command = [sys.executable, "-W", "error", "-c", script]
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "forest.png").stat().st_size > 10_000
