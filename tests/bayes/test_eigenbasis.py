import numpy as np
import pytest

from skreg import Ridge, energy_of
from skreg.bayes.eigenbasis import Eigenbasis


@pytest.mark.parametrize("smallest_alpha", [100.0, 0.0])  # by a square, and by singular values
@pytest.mark.parametrize("shape", [(30, 6), (6, 30)])
def test_small_eigenvalues_keep_their_digits(shape, smallest_alpha):
    rng = np.random.default_rng(0)
    n, p = shape
    left, right = (np.linalg.qr(rng.normal(size=(size, 6)))[0] for size in shape)
    values = np.array([1.0, 0.5, 1e-2, 1e-4, 1e-5, 1e-6])
    y = rng.normal(size=n)
    energy = energy_of(Ridge(alpha=1.0, fit_intercept=False), left * values @ right.T, y)
    basis = Eigenbasis(energy, smallest_alpha)
    d = np.sort(basis.values / basis.kappa_unit)[::-1]
    np.testing.assert_allclose(d, values**2, rtol=1e-8)
    order = np.argsort(basis.values)[::-1]
    # From a square the two smallest directions are told apart to ε/1e-10 only; their values, to its square.
    found = np.abs(basis.projections[order]) / basis.y_scale
    np.testing.assert_allclose(found, np.abs(left.T @ y), rtol=1e-4 if smallest_alpha else 1e-9)
    inside = left @ (left.T @ y)
    assert basis.outside / basis.y_scale**2 == pytest.approx((y - inside) @ (y - inside), abs=1e-9)
    assert (basis.dof, basis.fills) == (n, n > p)


@pytest.mark.parametrize("factors", [None, [0.0, 1.0, 2.0, 0.5]])
@pytest.mark.parametrize("n", [3, 12])
def test_the_least_energy_is_that_of_the_fit_and_the_determinant_that_of_the_prior(n, factors):
    rng = np.random.default_rng(0)
    X, y, weights = rng.normal(size=(n, 4)) + 1.0, rng.normal(size=n), rng.uniform(0.5, 2.0, n)
    factors = None if n == 3 else factors
    for alpha in (0.01, 1.0, 100.0):
        energy = energy_of(Ridge(alpha=alpha, penalty_weights=factors), X, y, weights)
        basis = Eigenbasis(energy, alpha)
        kappa = np.array([alpha * basis.kappa_unit])
        assert basis.least_energy(kappa) / basis.y_scale**2 == pytest.approx(
            energy.value(energy.coef), rel=1e-9
        )
        G = ((X - energy.X_mean).T * weights) @ (X - energy.X_mean)
        v = alpha * (np.ones(4) if factors is None else np.array(factors))
        flat = v == 0
        log_ratio = np.linalg.slogdet(G + np.diag(v))[1] - np.log(v[~flat]).sum()
        log_ratio -= np.linalg.slogdet(G[np.ix_(flat, flat)])[1]
        assert basis.log_determinant(kappa) == pytest.approx(log_ratio, rel=1e-8)
