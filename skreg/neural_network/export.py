"""One network as a fitted estimator of scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg.neural_network.parameters import check_integer

__all__ = ["export_member"]


def export_member(estimator, kind, member):
    """Make a fitted `kind` of scikit-learn's from one member: weight scaling leaves nothing else to do."""
    check_is_fitted(estimator, "_network")
    n_members = estimator._network.n_members
    check_integer("member", member, 0)
    if member >= n_members:
        raise ValueError(f"member must be an integer ≥ 0 and below {n_members}, got {member!r}.")
    folded = estimator._folded()
    exported = kind(
        tuple(folded.layer_units[1:-1]),
        activation=folded.activation,
        solver={"adamw": "adam"}.get(estimator.solver, estimator.solver),
        max_iter=estimator.max_iter,
    )
    exported.coefs_ = [np.ascontiguousarray(coef[member].T) for coef in folded.coefs]
    exported.intercepts_ = [intercept[member].copy() for intercept in folded.intercepts]
    exported.n_layers_ = len(folded.layer_units)
    exported.n_outputs_ = folded.layer_units[-1]
    exported.out_activation_ = folded.output
    exported.n_iter_ = estimator.n_iter_
    exported.t_ = 0
    exported.loss_curve_ = list(estimator.loss_curve_)
    exported.loss_ = exported.best_loss_ = min(exported.loss_curve_, default=np.inf)
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            setattr(exported, name, getattr(estimator, name))
    return exported
