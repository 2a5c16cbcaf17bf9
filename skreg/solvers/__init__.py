"""Solvers of the one energy ½‖y − Xw − b‖²ₛ + λ₁‖w‖₁ + ½λ₂‖w‖², each returning a certified Solution."""

from skreg.solvers.certificate import dual_gap
from skreg.solvers.descent import Trajectory, descend
from skreg.solvers.elastic_net import solve_elastic_net
from skreg.solvers.least_squares import LeastSquares, least_squares
from skreg.solvers.path import solve_path
from skreg.solvers.ridge import solve_ridge
from skreg.solvers.solution import Solution

__all__ = [
    "LeastSquares",
    "Solution",
    "Trajectory",
    "descend",
    "dual_gap",
    "least_squares",
    "solve_elastic_net",
    "solve_path",
    "solve_ridge",
]
