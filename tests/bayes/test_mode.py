"""The mode finder on densities written out in NumPy, where the mode is known."""

import numpy as np
import pytest
from scipy import optimize

from skreg.bayes import mode as mode_module
from skreg.bayes.mode import NegativeLogDensity, find_mode, largest_slope, optimality_violation


def lasso_density(X, y, l1, l2=0.0, positive=False):
    """½‖y − Xw‖² + l1‖w‖₁ + ½l2‖w‖², its gradient as PyTensor gives it: sign(0) = 0."""

    def value_and_gradient(w):
        r = y - X @ w
        value = 0.5 * r @ r + np.sum(l1 * np.abs(w) + 0.5 * l2 * w**2)
        if positive and np.any(w < 0):
            value = np.inf
        return float(value), -X.T @ r + l1 * np.sign(w) + l2 * w

    p = X.shape[1]
    return NegativeLogDensity(value_and_gradient, p, positive, np.zeros(p, dtype=bool))


def best_of_all_supports(X, y, l1, l2=0.0, positive=False):
    """The minimiser by trying every sign pattern."""
    p = X.shape[1]
    best, least = None, np.inf
    for pattern in np.ndindex(*[3] * p):
        signs = np.array(pattern) - 1
        if positive and np.any(signs < 0):
            continue
        A = np.flatnonzero(signs)
        w = np.zeros(p)
        pull = X.T @ y - l1 * signs
        w[A] = np.linalg.solve(X[:, A].T @ X[:, A] + l2 * np.eye(A.size), pull[A])
        r = y - X @ w
        value = 0.5 * r @ r + np.sum(l1 * np.abs(w)) + 0.5 * l2 * w @ w
        if value < least and np.all(np.sign(w[A]) == signs[A]):
            best, least = w, value
    return best


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l2", [0.0, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_mode_is_the_best_of_all_sign_patterns(seed, l2, positive):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20, 4)) @ (np.eye(4) + 0.9) * 10.0 ** rng.integers(-3, 4, 4)
    y = X @ (rng.normal(size=4) / np.abs(X).max(axis=0)) * 3 + rng.normal(size=20)
    l1 = 0.1 * np.max(np.abs(X.T @ y)) if seed else 0.0
    l2 = l2 * np.mean(X**2)
    density = lasso_density(X, y, l1, l2, positive)
    mode = find_mode(density, np.zeros(4))
    assert mode.violation < 1e-10
    expected = best_of_all_supports(X, y, l1, l2, positive)
    np.testing.assert_allclose(mode.z, expected, rtol=1e-8, atol=1e-12 * np.abs(expected).max())


def test_mode_with_more_features_than_rows_sits_on_its_support():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(15, 40)) + rng.normal(size=(15, 1))
    y = X[:, :3] @ [3.0, -2.0, 1.0] + rng.normal(size=15)
    density = lasso_density(X, y, 0.01 * np.max(np.abs(X.T @ y)))
    mode = find_mode(density, np.zeros(40))
    assert mode.violation < 1e-10
    assert np.count_nonzero(mode.z) <= 15


def test_the_quasi_newton_part_alone_is_accurate_where_newton_is_too_dear(monkeypatch):
    monkeypatch.setattr(mode_module, "_MAX_NEWTON", 0)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 6)) * [1.0, 1e6, 1e-6, 1.0, 1.0, 10.0]
    y = X[:, 0] - 2.0 * X[:, 3] + rng.normal(size=60)
    l1 = 5.0 * np.abs(X).mean(axis=0)  # kinks as unlike as the columns
    mode = find_mode(lasso_density(X, y, l1), np.zeros(6))
    assert mode.violation < 1e-6
    np.testing.assert_allclose(mode.z * l1, best_of_all_supports(X, y, l1) * l1, atol=1e-5)


def test_the_newton_walk_alone_finds_the_support_from_anywhere():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(30, 6)) + rng.normal(size=(30, 1))
    y = X @ [3.0, 0.0, -2.0, 0.0, 0.0, 1.0] + rng.normal(size=30)
    l1 = 0.2 * np.max(np.abs(X.T @ y))
    density, expected = lasso_density(X, y, l1), best_of_all_supports(X, y, l1)
    assert 0 < np.count_nonzero(expected) < 6
    everything = np.ones(6, dtype=bool)
    for _ in range(10):
        start = rng.normal(size=6) * rng.integers(0, 2, 6)
        found = mode_module._newton(density, start, everything, np.full(6, 0.1), 1e-12)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        np.testing.assert_array_equal(found == 0, expected == 0)


def test_kinks_are_read_off_the_gradient():
    X, y = np.eye(3), np.array([3.0, 0.1, -2.0])
    density = lasso_density(X, y, np.array([0.5, 0.5, 0.0]))
    np.testing.assert_allclose(density.kinks(np.ones(3)), [0.5, 0.5, 0.0])
    assert largest_slope(density, np.ones(3)) == pytest.approx(3.0)


def test_violation_is_the_distance_to_the_subdifferential():
    density = lasso_density(np.eye(3), np.array([3.0, 0.4, -0.9]), 0.5)
    np.testing.assert_allclose(optimality_violation(density, np.array([2.0, 0.0, 0.0])), [0.5, 0.0, 0.4])
    half = lasso_density(np.eye(3), np.array([3.0, 0.4, -0.9]), 0.5, positive=True)
    np.testing.assert_allclose(optimality_violation(half, np.array([2.5, 0.0, 0.0])), 0.0, atol=1e-15)
    assert optimality_violation(half, np.array([2.5, 0.0, -1e-9]))[2] == np.inf


def test_a_scale_that_moves_the_kinks_is_optimised_with_the_rest():
    # −log density of (w, s = log σ²), the Lasso's penalty scaled by σ²: the joint mode has the Lasso's w.
    rng = np.random.default_rng(2)
    X, l1, n = rng.normal(size=(30, 4)), 8.0, 30
    y = X @ [2.0, 0.0, -1.0, 0.0] + rng.normal(size=30)
    lasso = lasso_density(X, y, l1)

    def joint(z):
        energy, gradient = lasso.value_and_gradient(z[:4])
        precision = np.exp(-z[4])
        value = energy * precision + 0.5 * (n + 8) * z[4]
        return value, np.append(gradient * precision, -energy * precision + 0.5 * (n + 8))

    density = NegativeLogDensity(joint, 4, False, np.array([False] * 4 + [True]))
    mode = find_mode(density, np.array([0.0, 0.0, 0.0, 0.0, 5.0]))
    expected = best_of_all_supports(X, y, l1)
    assert mode.violation < 1e-8
    np.testing.assert_allclose(mode.z[:4], expected, atol=1e-8)
    assert np.exp(mode.z[4]) == pytest.approx(
        lasso.value_and_gradient(expected)[0] / (0.5 * (n + 8)), rel=1e-6
    )


def test_a_density_that_is_not_gaussian_is_climbed_to_its_top():
    # A logistic likelihood under a Laplace prior, against SciPy on the split form.
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 3))
    y = rng.random(80) < 1 / (1 + np.exp(-X @ [2.0, 0.0, -1.0]))

    def value_and_gradient(w):
        eta = X @ w
        value = np.sum(np.logaddexp(0, eta) - y * eta) + 4.0 * np.abs(w).sum()
        return value, X.T @ (1 / (1 + np.exp(-eta)) - y) + 4.0 * np.sign(w)

    mode = find_mode(NegativeLogDensity(value_and_gradient, 3, False, np.zeros(3, dtype=bool)), np.zeros(3))
    assert mode.violation < 1e-10
    reference = optimize.minimize(lambda w: value_and_gradient(w)[0], mode.z + 0.1, method="Nelder-Mead").fun
    assert value_and_gradient(mode.z)[0] <= reference


def test_a_density_without_a_mode_is_owned_up_to():
    # Unbounded: ½ log σ² falls for ever when nothing holds σ.
    def value_and_gradient(z):
        return 0.5 * z[0] ** 2 * np.exp(-z[1]) + z[1], np.array(
            [z[0] * np.exp(-z[1]), 1 - 0.5 * z[0] ** 2 * np.exp(-z[1])]
        )

    density = NegativeLogDensity(value_and_gradient, 1, False, np.array([False, True]))
    assert find_mode(density, np.array([1.0, 0.0])).violation > 1e-3
