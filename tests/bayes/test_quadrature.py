"""The posterior of one or two coefficients by quadrature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from skreg import L1, L2, ElasticNetPenalty, energy_of, posterior
from skreg.bayes.quadrature import quadrature_posterior
from skreg.linear_model import Lasso
from skreg.penalties import ElasticNetPenalty as Penalty


@st.composite
def problems(draw):
    correlation = draw(st.floats(-0.95, 0.95))
    scales = np.array([10 ** draw(st.floats(-1.0, 1.5)) for _ in range(2)])
    hessian = np.array([[1.0, correlation], [correlation, 1.0]]) * scales * scales[:, None]
    center = np.array([draw(st.floats(-3.0, 3.0)) for _ in range(2)])
    strength, ratio = 10 ** draw(st.floats(-2.0, 2.0)), draw(st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0))
    penalty = ElasticNetPenalty(l1=strength * ratio, l2=strength * (1.0 - ratio), factors=draw(st.sampled_from([None, [1.0, 3.0]])))
    return hessian, center, penalty, 10 ** draw(st.floats(-1.0, 1.0))


@given(problems())
@settings(max_examples=30, deadline=None)
def test_two_coefficients_are_their_density_integrated(problem):
    hessian, center, penalty, variance = problem
    found = quadrature_posterior(*problem)

    def energy(w):
        return 0.5 * (w - center) @ hessian @ (w - center) + penalty.value(w)

    # Mills' ratio and the table against sums over a grid in both directions, fine enough about zero.
    spread = np.sqrt(np.diag(np.linalg.inv(hessian / variance)))
    best = energy(found.mode)
    assert np.all(penalty.optimality_violation(found.mode, hessian @ (center - found.mode)) <= 1e-9 * np.abs(hessian).sum())

    def cells(j):
        edges = np.concatenate([found.mode[j] + spread[j] * np.linspace(-9, 9, 91), spread[j] * np.array([0.0, *(s * 2.0**-k for k in range(12) for s in (-1, 1))])])
        edges = np.unique(edges)
        nodes, weights = np.polynomial.legendre.leggauss(8)
        half = 0.5 * np.diff(edges)[:, None]
        return (edges[:-1, None] + half + half * nodes).ravel(), (half * weights).ravel()

    (x, wx), (y, wy) = cells(0), cells(1)
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    away = grid - center
    v1, v2 = penalty.l1_strengths(2), penalty.l2_strengths(2)
    energies = 0.5 * np.einsum("...i,ij,...j", away, hessian, away) + np.abs(grid) @ v1 + 0.5 * grid**2 @ v2
    mass = np.exp(-(energies - best) / variance) * wx[:, None] * wy
    mass /= mass.sum()
    expected = np.array([x @ mass.sum(axis=1), y @ mass.sum(axis=0)])
    assert np.abs(found.mean - expected) == pytest.approx([0.0, 0.0], abs=1e-7 * spread.max())
    below = quad(lambda w: np.exp(found.logpdf(w)), found.median[0] - 20 * spread[0], found.median[0], limit=200, epsabs=1e-10, points=[0.0] if -20 * spread[0] < -found.median[0] < 0 else None)[0]
    assert below == pytest.approx(0.5, abs=1e-7)
