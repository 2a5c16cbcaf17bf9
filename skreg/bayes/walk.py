"""One chain of the Gibbs sampler, and what all chains of a posterior share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skreg.bayes._kernels import Chain, Contract
from skreg.bayes.scaled_posterior import ScaledPosterior
from skreg.linear_model.energy import Energy
from skreg.solvers.svd import thin_svd

__all__ = ["NOWHERE", "Path", "Start", "Walk", "advance_walk"]

FloatArray = NDArray[np.float64]

# No directions to slide along.
NOWHERE = np.empty((0, 0), order="F"), np.empty((0, 0), order="F")
# Uniforms drawn at a time.
_BLOCK = 2**16
# Columns by rows are shorter than the Gram matrix's by this factor before they are taken instead: a site
# update reads a column of residuals twice, and one of the Gram matrix once.
_WIDE = 2.0
# Rows are linearly independent if no singular value is below this part of the largest.
_FULL_RANK = 1e-6
# Variance that independent unit columns would have in every direction, and too little of it.
_UNDETERMINED = 0.2
_LARGEST_DECOMPOSED = 1000
# Where a slice of log alpha ends, before alpha is no longer a number.
_LEAST_LOG_ALPHA = -600.0


class Path(NamedTuple):
    """What a walk passed by: coefficients, (σ², ½‖r‖², penalty) and alpha, in scaled units."""

    coef: FloatArray
    record: FloatArray
    alpha: FloatArray


class Start:
    """What all walks of a posterior share: the matrix, the centres, and what the contract's numbers are."""

    def __init__(
        self, posterior: ScaledPosterior, energy: Energy, alpha_prior: tuple[float, float] | None = None
    ) -> None:
        self.alpha, self.alpha_prior = energy.alpha, alpha_prior
        # Only alpha's conditional asks for it; it has the data.
        self.posterior = None if alpha_prior is None else posterior
        self.penalty = posterior.penalty
        problem, penalty = posterior.problem, posterior.penalty
        p, n = problem.n_features, problem.n_rows
        rows = p > _WIDE * n
        if rows:
            matrix = np.asfortranarray(problem.columns(np.arange(p)))
            origin, curvature = np.ascontiguousarray(problem.b[:, 0]), problem.norms
        else:
            matrix = np.asfortranarray(problem.quadratic.G)
            origin, curvature = np.ascontiguousarray(problem.c[:, 0]), matrix.diagonal()
        self.mode = problem.coef_to_scaled(energy.coef[None, :])[:, 0]
        if penalty.positive:
            self.mode = np.maximum(self.mode, 0.0)
        inverse = np.empty((0, 0))
        if posterior.noise.contract == "plug-in" and p > posterior.degrees:
            # Nothing but b₀ and a penalty that does not know of σ keeps the residual from vanishing with σ.
            inverse = _inverse(matrix, posterior.degrees, rows=rows)
        g, squares = problem.correlation(self.mode[:, None], slice(None))
        state = problem.residual(self.mode[:, None], slice(None)) if rows else g
        self.curvature = np.maximum(curvature, 0.0)
        self.variance = max(float(squares[0]) / max(posterior.degrees, 1), 1e-6 * problem.b_squared[0], 1e-12)
        if posterior.noise.contract == "known":
            self.variance = posterior.given_variance
        contract, shape = _contract(posterior)
        self.shape = shape if contract in (Contract.SCALED, Contract.FIXED) else None
        scaled_net = posterior.net_ratios if contract == Contract.SCALED_NET else (np.empty(0), np.empty(0))
        self.net_ratio = scaled_net[0]
        self.arguments: dict[str, Any] = {
            "matrix": matrix,
            "rows": rows,
            "curvature": self.curvature,
            "positive": penalty.positive,
            "contract": contract,
            "shape": shape,
            "scale": posterior.prior[1],
            "prior_variance": posterior.given_variance,
            "n_penalized": posterior.n_penalized,
            "net_count": scaled_net[1],
            "centres": np.stack([self.mode, np.zeros(p)]),
            "centre_states": np.stack([state[:, 0], origin]),
            "inverse": inverse,
            "rank": posterior.degrees,
            "centre_half": 0.5 * np.array([squares[0], problem.b_squared[0]]),
        }

    @property
    def relative_cost_of_a_slide(self) -> float:
        """What a slide takes beside a sweep of site updates: some twelve passes over p numbers, in ns."""
        p = self.curvature.size
        return 12.0 * p / (p * (75.0 + 0.35 * p))

    def undetermined(self) -> tuple[FloatArray, FloatArray]:
        """Find the directions that collinear columns hardly determine, d and Gd of each; none if wide."""
        G = self.arguments["matrix"]
        if self.arguments["rows"] or len(G) > _LARGEST_DECOMPOSED:
            return NOWHERE
        scale = 1.0 / np.sqrt(np.where(self.curvature > 0.0, self.curvature, 1.0))
        values, vectors = np.linalg.eigh(G * scale * scale[:, None])
        directions = np.asfortranarray(vectors[:, values < _UNDETERMINED] * scale[:, None])
        return directions, np.asfortranarray(G @ directions)


def _inverse(matrix: FloatArray, rank: int, *, rows: bool) -> FloatArray:
    """Compute what makes a state the change of w that leaves no residual: A⁺ of r, or G⁺ of g = Aᵀr.

    Empty if the rank is lower, so that some residuals cannot be fitted.
    """
    if rows:
        left, values, right = thin_svd(matrix)
        right = right.T
    else:
        values, left = np.linalg.eigh(matrix)
        values, left = values[::-1], left[:, ::-1]
        right = left
    if not values[rank - 1] > (_FULL_RANK if rows else _FULL_RANK**2) * values[0]:
        return np.empty((0, 0))
    return np.asfortranarray((right[:, :rank] / values[:rank]) @ left[:, :rank].T)


def _contract(posterior: ScaledPosterior) -> tuple[int, float]:
    """Name the kernel's case, and the shape of σ²'s density in it."""
    shape = posterior.shape
    match posterior.noise.contract:
        case "known":
            return Contract.KNOWN, shape
        case "plug-in":
            return Contract.FIXED, shape
        case "sd-scaled":
            return Contract.SD_SCALED, shape
    if posterior.is_net:
        return Contract.SCALED_NET, shape
    return Contract.SCALED, shape + posterior.n_penalized * (1.0 if np.any(posterior.penalty.l1 > 0) else 0.5)


def advance_walk(
    start: Start, walk: Walk, slides: tuple[FloatArray, FloatArray], n: int, mirrored: int
) -> tuple[Walk, Path]:
    """Make n draws of a walk; return it too, since in another process it is a copy that has moved."""
    walk.stand_on(start)
    walk.chain.slide_along(*slides)
    path = walk.advance(n, mirrored)
    return walk, path


class Walk:
    """One chain with its randomness, and with alpha where that is sampled along.

    It goes to another process without what all walks share, and `stand_on` gives it that there.
    """

    def __init__(
        self,
        start: Start,
        posterior: ScaledPosterior,
        rng: np.random.Generator,
        report: Callable[[int], None] | None,
    ) -> None:
        self.rng, self.report, self.start = rng, report, start
        self.alpha = start.alpha
        # The chain reads these, and alpha moves them.
        self.l1, self.l2 = posterior.penalty.l1.copy(), posterior.penalty.l2.copy()
        self.net_ratio = start.net_ratio.copy()
        self.uniforms = np.empty(0)
        # Further out than the posterior reaches, so that chains that have not mixed disagree.
        sigma = math.sqrt(start.variance)
        with np.errstate(divide="ignore"):
            spread = np.minimum(sigma / np.sqrt(start.curvature + self.l2), start.variance / self.l1)
        w = start.mode + 2.0 * spread * rng.standard_normal(start.mode.size)
        variance = start.variance * (1.0 if posterior.noise.contract == "known" else rng.uniform(0.5, 2.0))
        self.chain = self._chain(np.abs(w) if posterior.penalty.positive else w, variance)
        if start.alpha_prior is not None:
            self._set_alpha(start.alpha * rng.uniform(0.5, 2.0))

    def __getstate__(self) -> dict[str, Any]:
        if self.start is None:  # on its way still
            return vars(self)
        return {**vars(self), "start": None, "report": None, "chain": self.chain.position()}

    def stand_on(self, start: Start) -> None:
        """Make the chain anew if the walk has come from another process."""
        if self.start is not None:
            return
        self.start, position = start, self.chain
        # What comes in may be read-only.
        self.l1, self.l2, self.net_ratio = (np.array(part) for part in (self.l1, self.l2, self.net_ratio))
        self.chain = self._chain(position[0], 1.0)
        self.chain.go_to(position)

    def _chain(self, w: FloatArray, variance: float) -> Chain:
        return Chain(
            l1=self.l1,
            l2=self.l2,
            net_ratio=self.net_ratio,
            w=w,
            variance=variance,
            **self.start.arguments,
        )

    def advance(self, n: int, mirrored: int) -> Path:
        """Make n draws."""
        p = self.l1.size
        coef, record, alpha = np.empty((n, p)), np.empty((n, 3)), np.empty(n)
        most = 1 + _BLOCK // p if self.start.alpha_prior is None else 1
        done = 0
        while done < n:
            enough = (1 + mirrored) * self.chain.most_uniforms()
            if self.uniforms.size < enough:
                self.uniforms = self.rng.random(max(_BLOCK, 2 * enough))
            wanted = min(n - done, most)
            gammas = self._gammas(wanted * (1 + mirrored))
            made = self.chain.run(mirrored, self.uniforms, gammas, wanted, coef[done:], record[done:])
            self.uniforms = self.uniforms[self.chain.used :]
            if self.start.alpha_prior is not None:
                before = self.alpha
                self._draw_alpha(record[done, 0], record[done, 2])
                alpha[done] = self.alpha
                record[done, 2] *= self.alpha / before
            done += made
            if self.report is not None:
                self.report(made)
        return Path(coef, record, alpha)

    def _gammas(self, n: int) -> FloatArray:
        return np.zeros(n) if self.start.shape is None else self.rng.standard_gamma(self.start.shape, n)

    def _draw_alpha(self, variance: float, penalty: float) -> None:
        """Draw alpha given the coefficients and σ²: from its Gamma, or by a slice of log alpha."""
        start, posterior = self.start, self.start.posterior
        assert start.alpha_prior is not None and posterior is not None  # or nothing calls this
        shape, rate = start.alpha_prior
        divisor = posterior.divisor(variance)
        rate += penalty / self.alpha / divisor
        if posterior.is_net:

            def log_density(log_alpha: float) -> float:
                if log_alpha < _LEAST_LOG_ALPHA:
                    return -math.inf
                alpha = math.exp(log_alpha)
                normalizer = posterior.log_normalizer(divisor, alpha / start.alpha)
                return float(shape * log_alpha - rate * alpha - normalizer)

            width = 2.0 / math.sqrt(shape + posterior.n_penalized)
            self._set_alpha(math.exp(_slice(log_density, math.log(self.alpha), width, self.rng)))
        else:
            # Each normaliser is alpha to the power −1 (Laplace) or −½ (normal).
            shape += posterior.n_penalized * (1.0 if np.any(posterior.penalty.l1 > 0) else 0.5)
            self._set_alpha(self.rng.gamma(shape) / rate)

    def _set_alpha(self, alpha: float) -> None:
        start = self.start
        self.alpha, ratio = alpha, alpha / start.alpha
        self.l1[:] = start.penalty.l1 * ratio
        self.l2[:] = start.penalty.l2 * ratio
        self.net_ratio[:] = start.net_ratio * math.sqrt(ratio)


def _slice(log_density: Callable[[float], float], x: float, width: float, rng: np.random.Generator) -> float:
    """Make a slice-sampling step: step out and shrink (Neal, 2003)."""
    level = log_density(x) - rng.standard_exponential()
    left = x - width * rng.random()
    right = left + width
    while log_density(left) > level:
        left -= width
    while log_density(right) > level:
        right += width
    while True:
        proposed = left + rng.random() * (right - left)
        if log_density(proposed) > level:
            return proposed
        left, right = (proposed, right) if proposed < x else (left, proposed)
