"""What importing skreg loads, each in a process of its own."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest

import skreg
from skreg import bayes

HEAVY = {"pymc", "pytensor", "arviz", "matplotlib", "pandas", "polars", "numba", "dask", "rich"}


# Draws need PyMC or ArviZ no more than a fit does; the container does.
_DRAWS = """
from skreg import Lasso, energy_of
from skreg.bayes.noise import noise_model
from skreg.bayes.sampling import sample
energy = energy_of(Lasso(alpha=0.1), [[0.0], [1.0], [2.0], [4.0]], [0.0, 1.0, 2.0, 3.0])
sample(energy, noise_model(None, None, energy), draws=10)
"""


@functools.cache
def packages_after(statement):
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import skreg",
        "import skreg.linear_model",
        "import skreg.bayes",
        "from skreg import Lasso, energy_of, map_agreement, to_pymc",
        "import skreg.neural_network",
        "import skreg.inspection",
        "from skreg.inspection import *",
        "from skreg import explore; explore('penalty'), explore('prior'), explore('dropout')",
        "from skreg import Lasso; Lasso().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])",
        "from skreg import SDScaled, compare, posterior",
        _DRAWS,
        "from skreg import BayesianRegressor as B; B().fit([[0.0], [1.0]], [0.0, 1.0]).coef_interval()",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_used(statement):
    packages = packages_after(statement)
    assert "skreg" in packages
    # scikit-learn itself imports pandas, and rich, where they are installed.
    assert not HEAVY & (packages - packages_after("import sklearn.linear_model"))


def test_importing_skreg_loads_neither_its_submodules_nor_scikit_learn():
    assert not {"sklearn", "scipy", "numpy"} & packages_after("import skreg")


def test_a_first_lasso_loads_no_more_of_scikit_learn_than_it_uses():
    fit = "from skreg import Lasso; Lasso().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])"
    code = f"{fit}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sklearn.linear_model", "sklearn.model_selection", "skreg.bayes"} & set(done.stdout.split())


@pytest.mark.parametrize("name", skreg.__all__)
def test_every_name_on_the_contents_page_can_be_had(name):
    assert getattr(skreg, name) is not None
    assert name in dir(skreg)


def test_no_submodule_has_the_name_of_something_in_it():
    # Importing the submodule would put it in the place of what is meant, wherever that came first.
    modules = {path.stem for path in Path(bayes.__file__).parent.glob("*.py")}
    assert not modules & set(bayes.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"skreg.*Laso"):
        _ = skreg.Laso
