"""L-BFGS on all rows at once, member by member: for small data, and to leave nothing to chance."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from skreg.execution.tasks import Task
from skreg.neural_network.dropout import Dropout
from skreg.neural_network.network import Network, Workspace
from skreg.neural_network.training import Rows, pool
from skreg.penalties import ElasticNetPenalty

__all__ = ["minimize_lbfgs"]


def minimize_lbfgs(
    network: Network,
    rows: Rows,
    chosen: np.ndarray,
    penalty: ElasticNetPenalty,
    max_iter: int,
    tol: float,
    n_jobs: int | None,
) -> tuple[list[int], list[float], bool]:
    """Minimise each member's mean weighted loss plus the penalty of its weights, in place.

    With an L1 part, w = u − v with u, v ≥ 0: on these the penalty is smooth, and L-BFGS-B has the bounds.

    Parameters
    ----------
    network : Network
        K networks, where to start.
    rows : Rows
        The data.
    chosen : ndarray of int
        The rows to train on.
    penalty : ElasticNetPenalty
        Of the weights, not the biases, of a member.
    max_iter, tol
        As in L-BFGS-B: at most so many iterations; until the projected gradient is below `tol`.
    n_jobs : int or None
        Members minimised at once.

    Returns
    -------
    n_iter : list of int
        Iterations of each member.
    loss : list of float
        Its mean weighted loss, without the penalty.
    converged : bool
        Whether all of them converged.
    """
    members = [network.members(slice(k, k + 1)) for k in range(network.n_members)]
    tasks: list[Task] = [
        (_minimize_member, member, k, rows, chosen, penalty, max_iter, tol)
        for k, member in enumerate(members)
    ]
    with pool(n_jobs) as call:
        results = call(tasks)
    found, n_iter, loss, converged = zip(*results, strict=True)
    for member, solution in zip(members, found, strict=True):
        member.set_to(solution)
    return list(n_iter), list(loss), all(converged)


def _minimize_member(member, k, rows, chosen, penalty, max_iter, tol):
    work = Workspace(member, len(chosen), Dropout.none(len(member.coefs) - 1))
    batch = work.batch(len(chosen))
    rows.gather(chosen, slice(k, k + 1), batch, None)
    n, n_weights = work.parameters.size, work.n_weights

    def loss_and_gradient(parameters):
        work.parameters[...] = parameters
        work.loss.fill(0.0)
        work.forward(batch)
        work.take_loss(batch)
        work.backward(batch, dropped=False)
        gradient = work.gradient.astype(np.float64)
        return float(work.loss[0]), gradient

    def smooth(parameters):
        loss, gradient = loss_and_gradient(parameters)
        weights = parameters[:n_weights]
        gradient[:n_weights] += penalty.l2 * weights
        return loss + 0.5 * penalty.l2 * float(weights @ weights), gradient

    def split(parts):
        parameters, negative = parts[:n].copy(), parts[n:]
        parameters[:n_weights] -= negative
        value, gradient = smooth(parameters)
        l1 = penalty.l1 * (parts[:n_weights].sum() + negative.sum())
        g = gradient[:n_weights]
        return value + l1, np.concatenate([g + penalty.l1, gradient[n_weights:], penalty.l1 - g])

    start = work.parameters.astype(np.float64)
    options = {"maxiter": max_iter, "maxfun": 20 * max_iter, "gtol": tol}
    with np.errstate(over="ignore", invalid="ignore"):
        if penalty.l1 == 0:
            result = minimize(smooth, start, jac=True, method="L-BFGS-B", options=options)
            solution = result.x
        else:
            weights = start[:n_weights]
            parts = np.concatenate([np.maximum(weights, 0), start[n_weights:], np.maximum(-weights, 0)])
            bounds = [(0, None)] * n_weights + [(None, None)] * (n - n_weights) + [(0, None)] * n_weights
            result = minimize(split, parts, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
            solution = result.x[:n].copy()
            solution[:n_weights] -= result.x[n:]
        loss, _ = loss_and_gradient(solution)
    return work.network, int(result.nit), loss, bool(result.success)
