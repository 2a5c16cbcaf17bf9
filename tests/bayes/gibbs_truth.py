"""The posterior that a Gibbs sampler must draw from, written out in the data's units and integrated."""

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp

from skreg.linear_model.energy import Energy
from skreg.penalties import ElasticNetPenalty


def make_energy(
    X, y, l1=0.0, l2=0.0, *, factors=None, positive=False, weights=None, intercept=False, coef=None, alpha=1.0
):
    """An energy without an estimator: its coefficients, the centre of stretches, may be any vector."""
    n, p = X.shape
    return Energy(
        penalty=ElasticNetPenalty(l1, l2, factors, positive),
        X=X,
        y=np.asarray(y, dtype=float),
        sample_weight=np.ones(n) if weights is None else weights,
        fit_intercept=intercept,
        feature_names=tuple(f"x{j}" for j in range(p)),
        coef=np.zeros(p) if coef is None else coef,
        intercept=0.0,
        label="Lasso",
        alpha_scale=(l1 + l2) / alpha or 1.0,
    )


def centred(energy):
    """√s(X − x̄), √s(y − ȳ) and m, what is left of the data once the intercept is integrated out."""
    X = energy.X.toarray() if hasattr(energy.X, "toarray") else energy.X
    root = np.sqrt(energy.sample_weight)
    A = root[:, None] * (X - energy.X_mean)
    return A, root * (energy.y - energy.y_mean), energy.n_samples - energy.fit_intercept


def strengths(energy, noise):
    """Each coefficient's λ₁vⱼ and λ₂vⱼ, or the rate λvⱼ of the sd-scaled contract."""
    p = energy.n_features
    if noise.rate is None:
        return energy.penalty.l1_strengths(p), energy.penalty.l2_strengths(p)
    return noise.rate * (energy.penalty.l1_strengths(p) / energy.penalty.l1), np.zeros(p)


def divisor(noise, variance):
    """What the penalty is divided by in the prior's exponent."""
    if noise.contract == "plug-in":
        return np.full_like(variance, noise.sigma**2)
    return np.sqrt(variance) if noise.contract == "sd-scaled" else variance


def log_mills(t):
    """log Φ(−t)/φ(t)."""
    t = np.asarray(t, dtype=float)
    ahead = np.log(np.sqrt(np.pi / 2) * erfcx(np.maximum(t, 0.0) / np.sqrt(2)))
    behind = 0.5 * np.minimum(t, 0.0) ** 2 + log_ndtr(-np.minimum(t, 0.0)) + 0.5 * np.log(2 * np.pi)
    return np.where(t >= 0, ahead, behind)


def log_normalizer(a, c):
    """log ∫ exp(−a|w| − ½cw²) dw."""
    if np.all(c == 0):
        return np.log(2.0 / a)
    return np.log(2.0) - 0.5 * np.log(c) + log_mills(a / np.sqrt(c))


def log_noise_prior(noise, variance):
    """Log density of σ² ~ InvGamma(a₀, b₀) up to a constant; none if σ is known."""
    if noise.prior is None:
        return np.zeros_like(variance)
    a0, b0 = noise.prior
    return -(a0 + 1.0) * np.log(variance) - b0 / variance


def log_posterior(energy, noise, w, variance):
    """Log density of (w, σ²) given y up to a constant, w of shape (..., n_features)."""
    A, b, m = centred(energy)
    l1, l2 = strengths(energy, noise)
    scale = divisor(noise, variance)
    value = log_noise_prior(noise, variance) - 0.5 * m * np.log(variance)
    value = value - 0.5 * np.sum((b - w @ A.T) ** 2, axis=-1) / variance
    for j in np.flatnonzero(l1 + l2 > 0):
        value = value - (l1[j] * np.abs(w[..., j]) + 0.5 * l2[j] * w[..., j] ** 2) / scale
        value = value - log_normalizer(l1[j] / scale, l2[j] / scale)
    return value


class Conditional:
    """w ∝ exp(−½Aw² + rw − l₁|w|) on the line, or on w ≥ 0, for arrays A, r and l₁."""

    def __init__(self, A, r, l1, positive):
        self.s = 1.0 / np.sqrt(np.maximum(A, (1e-9 * l1) ** 2))
        self.t = [(l1 - r) * self.s, (l1 + r) * self.s]
        sides = [np.log(self.s) + log_mills(t) for t in self.t]
        if positive:
            sides[1] = np.full_like(sides[1], -np.inf)
        self.log_mass = np.logaddexp(*sides)
        self.log_share = [side - self.log_mass for side in sides]

    def cdf(self, w):
        """P(W ≤ w), for w of shape (k,): an array of shape (k, ...)."""
        w = np.reshape(w, (-1,) + (1,) * np.ndim(self.s))
        x = np.abs(w) / self.s
        # The share of a side beyond x.
        log_beyond = [-0.5 * x * x - t * x + log_mills(t + x) - log_mills(t) for t in self.t]
        return np.where(
            w < 0,
            np.exp(log_beyond[1] + self.log_share[1]),
            1.0 - np.exp(log_beyond[0] + self.log_share[0]),
        )

    def moments(self):
        """E W and E W², by Mills' ratios."""
        first, second = 0.0, 0.0
        for sign, t, share in zip((1, -1), self.t, self.log_share, strict=True):
            hazard = np.exp(-log_mills(t))
            mean = self.s * (hazard - t)
            square = self.s**2 * (1.0 + t * t - t * hazard)
            first = first + sign * np.exp(share) * mean
            second = second + np.exp(share) * square
        return first, second


class OneCoefficient:
    """The posterior of a model of one coefficient: a quadrature over log σ², exact in w.

    `others`, if given, are further coefficients on a grid: values of shape (k, p − 1), and the one
    coefficient is the last. `log_weight` is the log density of log σ², up to a constant.
    """

    def __init__(self, energy, noise, *, others=None, degrees=None, nodes=800, variance=None):
        A, b, m = centred(energy)
        m = m if degrees is None else degrees
        l1, l2 = strengths(energy, noise)
        others = np.empty((1, 0)) if others is None else others
        rest = b - others @ A[:, :-1].T  # (k, n)
        a, half = A[:, -1], 0.5 * np.sum(rest**2, axis=1)
        if noise.prior is None:
            variance = np.array([noise.sigma**2])
        elif variance is None:
            centre = np.log((b @ b + 2 * noise.prior[1] + 1e-300) / (m + 1.0))
            variance = np.exp(centre + np.linspace(-12, 12, nodes))
        scale = divisor(noise, variance)
        self.conditional = Conditional(
            a @ a / variance + l2[-1] / scale,
            (rest @ a)[:, None] / variance,
            l1[-1] / scale + np.zeros((len(rest), 1)),
            energy.penalty.positive,
        )
        log_weight = (
            log_noise_prior(noise, variance) + (1.0 - 0.5 * m) * np.log(variance) - half[:, None] / variance
        )
        for j in np.flatnonzero(l1 + l2 > 0):
            log_weight = log_weight - log_normalizer(l1[j] / scale, l2[j] / scale)
        for j in range(others.shape[1]):
            size = np.abs(others[:, [j]])
            log_weight = log_weight - (l1[j] * size + 0.5 * l2[j] * size**2) / scale
        log_weight = log_weight + self.conditional.log_mass
        self.variance, self.log_weight = variance, log_weight
        self.weight = np.exp(log_weight - logsumexp(log_weight))  # (k, nodes)
        self.others = others

    def cdf(self, w):
        """P(W ≤ w) for w of shape (k,)."""
        knots = np.quantile(w, np.linspace(0, 1, 400))
        knots = np.unique(np.concatenate([knots, [0.0]]))
        values = np.array([np.sum(self.weight * self.conditional.cdf([x])[0]) for x in knots])
        return np.interp(w, knots, values)

    def variance_cdf(self, variance):
        """P(σ² ≤ v), the density of log σ² being linear between nodes."""
        density = self.weight.sum(axis=0)
        steps = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
        return np.interp(np.log(variance), np.log(self.variance), steps / steps[-1])

    def moments(self):
        """E W, sd W and P(W > 0)."""
        first, second = self.conditional.moments()
        mean, square = np.sum(self.weight * first), np.sum(self.weight * second)
        positive = np.sum(self.weight * np.exp(self.conditional.log_share[0]))
        return mean, np.sqrt(square - mean**2), positive
