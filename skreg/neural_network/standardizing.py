"""Inputs and targets standardised inside the networks, and numbers that no scaling would save."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skreg.neural_network.network import Network
from skreg.neural_network.scaling import Scaling, gradient_factors, rebase, rebase_outputs
from skreg.neural_network.targets import Targets

__all__ = ["Standardizing"]

Array = np.ndarray[Any, np.dtype[Any]]


class Standardizing:
    """Networks that learn the means and deviations of their data, at once or as rows come in."""

    standardize: Any
    solver: str
    _input_scaling: Scaling
    _target_scaling: Scaling | None

    def _learn_scaling(self, X: Any, targets: Targets, weight: Array) -> None:
        identity = Scaling.identity
        kind = "auto" if self.standardize == "auto" else "columns"
        self._input_scaling = Scaling.of(X, weight, kind) if self.standardize else identity(X.shape[1])
        self._refuse_overflow("X", self._input_scaling)
        self._target_scaling = None
        if targets.output == "identity":
            n_outputs = targets.outputs.shape[1]
            self._target_scaling = (
                Scaling.of(targets.outputs, weight) if self.standardize else identity(n_outputs)
            )
            self._refuse_overflow("y", self._target_scaling)

    @staticmethod
    def _refuse_overflow(name: str, scaling: Scaling) -> None:
        """Raise an error if the squares of a column are infinite."""
        if not np.all(np.isfinite(scaling.variance)):
            raise ValueError(
                f"{name} has numbers whose squares are infinite (above about 1e154): they cannot be "
                f"standardised. Divide {name} by its largest absolute value."
            )

    def _refuse_unrepresentable(self, X: Any, targets: Targets) -> None:
        """Raise an error if numbers are too large for the dtypes of prediction and of training."""
        y = targets.outputs if targets.output == "identity" else np.zeros(1)
        largest_y, end = float(np.abs(y).max()), float(np.finfo(X.dtype).max)
        if largest_y > 1e-3 * end:
            raise ValueError(
                f"y reaches {largest_y:.3g}, and predictions have the dtype of X, {X.dtype}, which ends at "
                f"{end:.3g}. {'Pass X in float64, or divide' if X.dtype == np.float32 else 'Divide'} y by "
                "its largest absolute value."
            )
        if self.standardize or self.solver == "lbfgs":
            return
        end = float(np.finfo(np.float32).max)
        numbers = X.data if sparse.issparse(X) else X
        largest_x = max(float(numbers.max(initial=0.0)), -float(numbers.min(initial=0.0)))
        for name, largest, limit in (("X", largest_x, end), ("y", largest_y, end**0.5)):
            if largest > limit:
                raise ValueError(
                    f"{name} reaches {largest:.3g}, and solver={self.solver!r} with standardize=False trains "
                    f"on it in float32, where {limit:.3g} is the end. Use standardize=True, or "
                    "solver='lbfgs'."
                )

    def _update_scaling(self, network: Network, X: Any, targets: Targets, weight: Array) -> Network | None:
        """Take new rows into the means and deviations, and leave what the network computes as it was.

        Returns how many times what it was each parameter's gradient is now.
        """
        if not self.standardize:
            return None
        old, old_targets = self._input_scaling, self._target_scaling
        self._input_scaling = old.joined(Scaling.of(X, weight))
        rebase(network, old, self._input_scaling)
        if old_targets is not None:
            self._target_scaling = old_targets.joined(Scaling.of(targets.outputs, weight))
            rebase_outputs(network, old_targets, self._target_scaling)
        return gradient_factors(network, old, self._input_scaling, old_targets, self._target_scaling)
