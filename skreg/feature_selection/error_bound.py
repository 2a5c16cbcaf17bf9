"""How many false selections stability selection expects at most, and what follows from such a bound."""

from __future__ import annotations

from functools import cache
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOUNDS", "bound_of_false_selections", "largest_q", "smallest_threshold"]

FloatArray = NDArray[np.float64]

BOUNDS = ("r-concave", "unimodal", "worst case")
# A threshold of 0.75 is 75 of 100 halves, whatever its binary digits.
_ROUNDING = 1e-9
# The shifts a > 0 of the extremal distributions are sought in here, and their logarithms halved so often.
_SHIFTS = (1e-5, 1e5)
_HALVINGS = 45
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


@cache
def bound_of_false_selections(q: int, threshold: float, n_features: int, n_pairs: int, bound: str) -> float:
    """Bound the expected number of features selected that a single fit selects with probability ≤ q/p.

    Parameters
    ----------
    q : int
        How many features the fit on each half selects at most.
    threshold : float
        τ in (½, 1]: the part of the halves on which a feature must be selected.
    n_features : int
        p.
    n_pairs : int
        B complementary pairs of halves.
    bound : {"r-concave", "unimodal", "worst case"}
        What to assume of how such a feature's selections are distributed: that the part of the halves with
        it is −¼-concave and the part of the pairs with it on both halves −½-concave, that the latter is
        unimodal, or nothing. A bound that assumes more is never above one that assumes less.

    Returns
    -------
    float
        The bound; floor(q/τ), how many features can reach the threshold at all, or p, where that is less.

    References
    ----------
    Shah, R. D. and Samworth, R. J. (2013). Variable selection with error control: another look at stability
    selection, JRSS B 75(1), 55-80: Theorem 1 (worst case), Theorem 2 (unimodal), equation (8) (r-concave).

    Examples
    --------
    >>> round(bound_of_false_selections(10, 0.75, 200, 50, "worst case"), 9)
    1.0
    """
    p, θ, B = n_features, q / n_features, n_pairs
    halves = ceil(2 * B * threshold - _ROUNDING)  # probabilities are multiples of 1/(2B)
    τ = halves / (2 * B)
    rate = θ * θ / (2.0 * τ - 1.0)
    if bound != "worst case" and θ <= 3.0**-0.5:
        excess = 2.0 * (2.0 * τ - 1.0 - 0.5 / B)
        if τ > 0.75:
            rate = min(rate, θ * θ * 4.0 * (1.0 - τ + 0.5 / B) / (1.0 + 1.0 / B))
        elif excess > 0.0 and τ > min(0.5 + θ * θ, 0.5 + 0.5 / B + 0.75 * θ * θ):
            rate = min(rate, θ * θ / excess)
    if bound == "r-concave":
        # Selected on h of 2B halves, a feature is on both halves of at least h − B of the B pairs.
        rate = min(
            rate, _largest_tail(θ * θ * B, halves - B, B, -2), _largest_tail(2 * θ * B, halves, 2 * B, -4)
        )
    return float(min(p * rate, p, floor(q / τ + _ROUNDING)))


def _largest_tail(mean: float, t: int, n: int, power: int) -> float:
    """Find the largest P(Z ≥ t) of a distribution on 0, …, n with this mean that is 1/power-concave.

    It is attained (Shah and Samworth, Appendix) by masses ∝ (a + i)^power on 0, …, k and what the mean leaves
    at k + 1, for some k and a between the shifts a_k+1 and a_k at which the masses on 0, …, k + 1 and on
    0, …, k alone would have the mean.
    """
    first = ceil(2.0 * mean) + 1  # the shortest support on which falling masses reach the mean
    if t < first or t > n or first >= n:
        return 1.0
    k = np.arange(max(first, t - 1), n + 1)  # shorter ones do not reach t
    if k.size < 2:
        return 1.0
    shifts = _shifts(mean, k, n, power)
    # Golden sections of every interval at once.
    low, high = np.log(shifts[1:]), np.log(shifts[:-1])
    for _ in range(_HALVINGS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        rises = _tail(right, mean, t, k[:-1], n, power) > _tail(left, mean, t, k[:-1], n, power)
        low, high = np.where(rises, left, low), np.where(rises, high, right)
    return float(min(1.0, _tail(0.5 * (low + high), mean, t, k[:-1], n, power).max()))


def _masses(log_shift: FloatArray, k: NDArray[np.int_], n: int, power: int) -> FloatArray:
    """Compute (a + i)^power for i = 0, …, k, relative to i = 0, a row for each shift a."""
    i, a = np.arange(n + 1), np.exp(log_shift)[:, None]
    return np.where(i <= k[:, None], (1.0 + i / a) ** power, 0.0)


def _shifts(mean: float, k: NDArray[np.int_], n: int, power: int) -> FloatArray:
    """Find the shift of each k at which the masses on 0, …, k have the mean, which grows with it."""
    low, high = (np.full(k.size, np.log(bound)) for bound in _SHIFTS)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        masses = _masses(middle, k, n, power)
        below = masses @ np.arange(n + 1) < mean * masses.sum(axis=1)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.exp(high)


def _tail(log_shift, mean: float, t: int, k: NDArray[np.int_], n: int, power: int) -> FloatArray:
    """P(Z ≥ t) of masses on 0, …, k, with what the mean leaves at k + 1."""
    masses = _masses(log_shift, k, n, power)
    room = (k[:, None] + 1 - np.arange(n + 1)) * masses
    return 1.0 - (k + 1 - mean) * masses[:, :t].sum(axis=1) / room.sum(axis=1)


@cache
def largest_q(threshold: float, pfer: float, n_features: int, n_pairs: int, bound: str) -> int:
    """Find the most features that each fit may select for the bound to stay within `pfer`; 0 if none."""

    def within(q: int) -> bool:
        return bound_of_false_selections(q, threshold, n_features, n_pairs, bound) <= pfer * (1.0 + _ROUNDING)

    low, high = 0, n_features + 1
    while high - low > 1:  # the bound grows with q
        middle = (low + high) // 2
        low, high = (middle, high) if within(middle) else (low, middle)
    return low


@cache
def smallest_threshold(q: int, pfer: float, n_features: int, n_pairs: int, bound: str) -> float | None:
    """Find the smallest threshold, a multiple of 1/(2B) above ½, for the bound to stay within `pfer`."""
    for halves in range(n_pairs + 1, 2 * n_pairs + 1):
        threshold = halves / (2 * n_pairs)
        expected = bound_of_false_selections(q, threshold, n_features, n_pairs, bound)
        if expected <= pfer * (1.0 + _ROUNDING):
            return threshold
    return None
