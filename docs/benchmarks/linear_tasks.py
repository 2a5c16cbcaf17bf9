"""The tasks of the benchmark: what is to be solved, in words that every library's call can be made from."""

from dataclasses import asdict, dataclass, field

import numpy as np

RATIOS = [0.1, 0.5, 0.7, 0.9, 1.0]  # l1_ratio, for ElasticNetCV
TARGET = 1e-6  # the relative gap that a peer's tolerance is chosen to reach


@dataclass(frozen=True)
class Task:
    """One task; kind is single, path, cv or ridge_cv, and alphas are filled in for a cell by `at`."""

    name: str
    kind: str
    l1_ratio: float | list = 1.0
    divisor: float = 1.0
    cv: int | None = None
    n_targets: int = 1
    alphas: list = field(default_factory=list)
    easier: str | None = None  # a task whose work is a part of this one's

    def at(self, alpha_max, n):
        """Return the task as the workers take it, with the alphas that belong to the data."""
        if self.kind == "single":
            alphas = [alpha_max / self.divisor]
        elif self.kind == "ridge_cv":
            alphas = n * np.logspace(
                2, -5, 100
            )  # in the units of the eigenvalues of X'X for columns of variance 1
        elif self.kind == "cv" and isinstance(self.l1_ratio, list):
            alphas = []  # each ratio has a grid of its own, which every library makes by the same rule
        else:
            alphas = np.geomspace(alpha_max, alpha_max / self.divisor, 100)
        return asdict(self) | {"alphas": [float(alpha) for alpha in alphas]}


TASKS = [
    Task("Lasso, alpha_max/2", "single", divisor=2),
    Task("Lasso, alpha_max/10", "single", divisor=10),
    Task("Lasso, alpha_max/100", "single", divisor=100),
    Task("ElasticNet, alpha_max/10", "single", l1_ratio=0.5, divisor=10),
    Task("path of 100 to alpha_max/100", "path", divisor=100),
    Task("path of 100 to alpha_max/1000", "path", divisor=1000, easier="path of 100 to alpha_max/100"),
    Task("LassoCV, 5 folds", "cv", divisor=1000, cv=5, easier="path of 100 to alpha_max/1000"),
    Task(
        "ElasticNetCV, 5 ratios, 5 folds",
        "cv",
        l1_ratio=RATIOS,
        divisor=1000,
        cv=5,
        easier="LassoCV, 5 folds",
    ),
    Task("RidgeCV, leave-one-out", "ridge_cv"),
    Task("RidgeCV, leave-one-out, 50 targets", "ridge_cv", n_targets=50, easier="RidgeCV, leave-one-out"),
    Task("RidgeCV, 5 folds", "ridge_cv", cv=5),
    Task("RidgeCV, 5 folds, 50 targets", "ridge_cv", cv=5, n_targets=50, easier="RidgeCV, 5 folds"),
]
TASKS_BY_NAME = {task.name: task for task in TASKS}
SCALING_TASKS = {
    "Lasso, alpha_max/10",
    "Lasso, alpha_max/100",
    "path of 100 to alpha_max/1000",
    "LassoCV, 5 folds",
    "RidgeCV, leave-one-out",
}
