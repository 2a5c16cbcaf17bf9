"""Ridge, Lasso and ElasticNet, their paths, and the energy that each minimises."""

from skreg.linear_model.cross_validation import ElasticNetCV, LassoCV
from skreg.linear_model.elastic_net import ElasticNet, Lasso
from skreg.linear_model.energy import Energy, energy_of
from skreg.linear_model.path import RegularizationPath, regularization_path
from skreg.linear_model.ridge import Ridge
from skreg.linear_model.ridge_cv import RidgeCV

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "Energy",
    "Lasso",
    "LassoCV",
    "RegularizationPath",
    "Ridge",
    "RidgeCV",
    "energy_of",
    "regularization_path",
]
