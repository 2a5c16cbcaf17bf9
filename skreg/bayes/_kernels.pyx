# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The sweeps of the Gibbs sampler: site updates, over-relaxed ones, and moves along lines.

The energy is ½‖b − Aw‖² + Σⱼ (l1ⱼ|wⱼ| + ½ l2ⱼ wⱼ²). `state` is the correlation g = c − Gw (matrix = G) or the
residual r = b − Aw (matrix = A, by columns), whichever is shorter, and follows w. Randomness comes in as
uniforms and Gamma variates. `skreg.bayes.gibbs` says what it is all for.
"""

import numpy as np

from cython cimport final
from libc.math cimport exp, fabs, fmax, fmin, log, sqrt
from scipy.linalg.cython_blas cimport daxpy, ddot

from skreg.bayes.normal_tail import mills_table, quantile_table

cdef double ROOT_TWO_PI = 2.5066282746310002
cdef double LOG_ROOT_TWO_PI = 0.9189385332046727
cdef double SMALLEST = 2.2250738585072014e-308
# Beyond it the exponential tail is inverted by Halley's steps, before it by the table of quantiles.
cdef double EXPONENTIAL = 8.0
# Below it the other side of the kink has a probability that no uniform can hit.
cdef double ONE_SIDED = -9.0
# An over-relaxed step's CDF value is uniform within this distance of the mirrored one.
cdef double JITTER = 0.05
# Uniforms that a move along a line can use up, and steps out of the first interval.
cdef int SLICE_UNIFORMS = 64
cdef int SLICE_STEPS = 10
# A sweep is followed by three such moves at most.
UNIFORMS_OF_LINES = 3 * SLICE_UNIFORMS

cdef const double[:, ::1] _MILLS = mills_table()
cdef const double[:, ::1] _QUANTILE = quantile_table()
cdef const double *MILLS = &_MILLS[0, 0]
cdef const double *QUANTILE = &_QUANTILE[0, 0]

# What σ² is, and what the penalty is divided by:
cpdef enum Contract:
    KNOWN         # σ² does not move
    SCALED        # both by σ², whose conditional is an inverse Gamma
    SCALED_NET    # both by σ², and the prior's normaliser is Z(σ²) of the elastic net
    FIXED         # the penalty by σ̂², a constant
    SD_SCALED     # the penalty by σ


cdef inline double polynomial(const double *row, double x) noexcept nogil:
    return row[0] + x * (row[1] + x * (row[2] + x * (row[3] + x * (row[4] + x * row[5]))))


cdef inline double mills(double t) noexcept nogil:
    """M(t) = Φ(−t)/φ(t), for t ≥ 0."""
    cdef double x, s
    cdef int i
    if t < 16.0:
        x = 16.0 * t
        i = <int>x
        return polynomial(MILLS + 6 * i, (x - i - 0.5) * 0.0625)
    s = 1.0 / (t * t)
    return (1.0 - s * (1.0 - s * (3.0 - s * (15.0 - s * (105.0 - s * 945.0))))) / t


cdef inline double quantile(double y) noexcept nogil:
    """The z ≥ 0 with Φ(−z) = exp(−½y²) ≤ ½."""
    cdef double x = 16.0 * (fmin(fmax(y, 1.0), 19.99) - 1.0)
    cdef int i = <int>x
    return polynomial(QUANTILE + 6 * i, (x - i - 0.5) * 0.0625)


cdef inline double normal_tail(double z) noexcept nogil:
    """√(2π) Φ(−z)."""
    cdef double half = exp(-0.5 * z * z) * mills(fabs(z))
    return half if z >= 0.0 else ROOT_TWO_PI - half


cdef inline double invert_tail(double t, double fraction) noexcept nogil:
    """The x ≥ 0 beyond which exp(−½x² − tx), t ≥ 0, has this fraction of its mass on x ≥ 0."""
    cdef double x, e, m, miss
    cdef int k
    if t < EXPONENTIAL:
        # Φ(−(t + x)) = fraction · Φ(−t), and Φ(−t) = exp(−½t²) M(t)/√(2π)
        e = 0.5 * t * t + LOG_ROOT_TWO_PI - log(fmax(mills(t) * fraction, SMALLEST))
        return fmax(quantile(sqrt(2.0 * e)) - t, 0.0)
    # H(x) = tx + ½x² − log(M(t+x)/M(t)) = e, of slope 1/M(t+x), by Halley's steps from below.
    e = -log(fmax(fraction, SMALLEST))
    x = 2.0 * e / (t + sqrt(t * t + 2.0 * e))
    for k in range(3):
        m = mills(t + x)
        miss = (t * x + 0.5 * x * x - log(m / mills(t)) - e) * m
        x -= miss / (1.0 - 0.5 * miss / m * (1.0 - (t + x) * m))
    return fmax(x, 0.0)


cdef inline double mirrored(double upper, double u) noexcept nogil:
    """Mirror a tail probability about ½, blur it, and reflect what falls out of [0, 1]."""
    cdef double image = 1.0 - upper + JITTER * (2.0 * u - 1.0)
    if image < 0.0:
        return -image
    return 2.0 - image if image > 1.0 else image


cdef inline double site(
    double r, double root, double sigma, double l1, bint positive, double w, double u, bint over_relaxed
) noexcept nogil:
    """A draw of wⱼ ∝ exp(−(½Awⱼ² − rwⱼ + l1|wⱼ|)/σ²), with `root` = √A, from one uniform u.

    With x = wⱼ√A/σ it is exp(−½x² − t₊x) on x > 0 and exp(−½x² − t₋|x|) on x < 0. Flipped so that r ≥ 0
    and t₋ ≥ |t₊|, nothing overflows. `upper` is the probability beyond x.
    """
    cdef double inverse = 1.0 / (root * sigma), sign = 1.0
    cdef double ahead, behind, t_ahead, t_behind, total, upper, x, z, shrink
    if r < 0.0 and not positive:
        r, w, sign = -r, -w, -1.0
    t_ahead = (l1 - r) * inverse
    t_behind = (l1 + r) * inverse
    x = w * root / sigma

    if t_ahead >= 0.0:
        shrink = 1.0
        ahead = mills(t_ahead)
        behind = 0.0 if positive else mills(t_behind)
    elif t_ahead > ONE_SIDED:
        shrink = exp(-0.5 * t_ahead * t_ahead)  # both masses are multiplied by it
        ahead = ROOT_TWO_PI - shrink * mills(-t_ahead)
        behind = 0.0 if positive else shrink * mills(t_behind)
    else:
        shrink = 0.0
        ahead = ROOT_TWO_PI
        behind = 0.0
    total = ahead + behind

    upper = u
    if over_relaxed:
        if x < 0.0:
            upper = 1.0
            if behind > 0.0:
                upper -= shrink * exp(x * (t_behind - 0.5 * x)) * mills(t_behind - x) / total
        elif t_ahead >= 0.0:
            upper = exp(-x * (t_ahead + 0.5 * x)) * mills(t_ahead + x) / total
        else:
            upper = normal_tail(t_ahead + x) / total
        upper = mirrored(upper, u)
    upper = fmax(upper, 1e-300)

    if upper * total < ahead:
        if t_ahead >= 0.0:
            x = invert_tail(t_ahead, upper * total / ahead)
        else:
            z = upper * total / ROOT_TWO_PI  # Φ(−(x + t₊))
            if z <= 0.5:
                x = quantile(sqrt(-2.0 * log(z))) - t_ahead
            else:
                x = -quantile(sqrt(-2.0 * log(fmax(1.0 - z, 1e-17)))) - t_ahead
            x = fmax(x, 0.0)
    else:
        x = -invert_tail(t_behind, fmin((1.0 - upper) * total / behind, 1.0))
    return sign * x * sigma / root


cdef struct Line:
    # Along w(κ) = base + κ·direction: ½‖r‖² = half + κ·slope + ½κ²·curvature, ½Σ l2 w² = ½(q₀ + κ(q₁ + κq₂))
    const double *base
    const double *base_state
    double half
    double slope
    double curvature
    double q0
    double q1
    double q2
    double low           # where a coefficient that must be ≥ 0 would pass it
    double high
    double h             # σ² moves along as κʰ
    bint still           # only σ² moves


@final
cdef class Chain:
    """One chain of the sampler: what it samples from, and where it stands."""

    cdef int p, size
    cdef bint rows, positive
    cdef Contract contract
    cdef const double[::1, :] matrix
    cdef const double[::1] curvature, l1, l2, net_ratio, net_count, centre_half
    cdef const double[:, ::1] centres, centre_states
    cdef double shape, scale, prior_variance, half_penalized
    cdef double[::1] w, state, direction, direction_state
    cdef double variance, half, penalty, stretched
    cdef int age
    cdef const double *uniforms
    cdef readonly Py_ssize_t used  # how many uniforms the last run took

    def __init__(
        self, *, matrix, rows, curvature, l1, l2, positive, contract, shape, scale, prior_variance, n_penalized,
        net_ratio, net_count, centres, centre_states, centre_half, w, variance,
    ):
        self.matrix, self.rows, self.curvature = matrix, rows, curvature
        self.l1, self.l2, self.positive = l1, l2, positive
        self.contract, self.shape, self.scale = contract, shape, scale
        self.prior_variance, self.half_penalized = prior_variance, 0.5 * n_penalized
        self.net_ratio, self.net_count = net_ratio, net_count
        self.centres, self.centre_states, self.centre_half = centres, centre_states, centre_half
        self.p, self.size = curvature.shape[0], matrix.shape[0]
        self.w, self.variance = np.array(w), variance
        self.state, self.direction_state = np.empty((2, self.size))
        self.direction = np.empty(self.p)
        self.refresh()

    def run(
        self, int over_relaxed, const double[::1] uniforms, const double[::1] gammas, int n_draws,
        double[:, ::1] coef, double[:, ::1] record,
    ):
        """Make as many of `n_draws` draws as the uniforms surely last for, and return their number.

        A draw is a plain sweep and `over_relaxed` mirrored ones, each followed by moves along lines and a
        draw of σ². `record` takes σ², ½‖r‖² and the penalty of each.
        """
        cdef Py_ssize_t worst = (1 + over_relaxed) * (self.p + 3 * SLICE_UNIFORMS)
        cdef int i, k, gamma = 0, done = 0
        self.uniforms, self.used = &uniforms[0], 0
        with nogil:
            for i in range(n_draws):
                if self.used + worst > uniforms.shape[0]:
                    break
                for k in range(1 + over_relaxed):
                    self.sweep(k > 0)
                    self.stretch(0, k)
                    self.stretch(1, k)
                    self.draw_variance(gammas[gamma])
                    gamma += 1
                self.age += 1
                if self.age >= 50:
                    self.refresh()
                coef[i, :] = self.w
                record[i, 0] = self.variance
                record[i, 1] = self.half
                record[i, 2] = self.penalty
                done += 1
        return done

    cdef inline double uniform(self) noexcept nogil:
        self.used += 1
        return self.uniforms[self.used - 1]

    cdef inline double tied(self) noexcept nogil:
        """What the strengths are multiplied by in an energy that is divided by σ²."""
        if self.contract == FIXED:
            return self.variance / self.prior_variance
        return sqrt(self.variance) if self.contract == SD_SCALED else 1.0

    cdef void refresh(self) noexcept nogil:
        """Compute the state anew from w, rid of the rounding that moves have added and stretched."""
        cdef int j, one = 1
        cdef double minus
        self.state[:] = self.centre_states[1]
        for j in range(self.p):
            if self.w[j] != 0.0:
                minus = -self.w[j]
                daxpy(&self.size, &minus, <double *> &self.matrix[0, j], &one, &self.state[0], &one)
        self.age, self.stretched = 0, 0.0

    cdef void sweep(self, bint over_relaxed) noexcept nogil:
        cdef int j, one = 1
        cdef double sigma = sqrt(self.variance), tied = self.tied()
        cdef double l1, root, r, old, new, step
        cdef double *column
        for j in range(self.p):
            column = <double *> &self.matrix[0, j]
            old = self.w[j]
            r = ddot(&self.size, column, &one, &self.state[0], &one) if self.rows else self.state[j]
            l1 = tied * self.l1[j]
            # A column next to nothing leaves the prior: t stays below 1e12, which is its Laplace limit.
            root = fmax(sqrt(self.curvature[j] + tied * self.l2[j]), 1e-12 * l1 / sigma)
            new = site(r + self.curvature[j] * old, root, sigma, l1, self.positive, old, self.uniform(), over_relaxed)
            step = old - new
            self.w[j] = new
            daxpy(&self.size, &step, column, &one, &self.state[0], &one)

    cdef double log_density(self, double half, double penalty, double variance) noexcept nogil:
        """The log density in (w, log σ²), or in w alone where σ² can be integrated out."""
        cdef double log_variance, sigma, total
        cdef int k
        if self.contract == KNOWN:
            return -(half + penalty) / variance
        if self.contract == SCALED:
            return -self.shape * log(self.scale + half + penalty)
        if self.contract == FIXED:
            return -self.shape * log(self.scale + half) - penalty / self.prior_variance
        log_variance, sigma = log(variance), sqrt(variance)
        if self.contract == SD_SCALED:
            total = (self.shape + self.half_penalized) * log_variance
            return -total - (self.scale + half) / variance - penalty / sigma
        total = (self.shape + self.half_penalized) * log_variance
        for k in range(self.net_ratio.shape[0]):  # log Z(σ²) = ½ log σ² + log M(λ₁/(√λ₂ σ)) + …
            total += self.net_count[k] * log(mills(self.net_ratio[k] / sigma))
        return -total - (self.scale + half + penalty) / variance

    cdef double along(self, const Line *line, double x) noexcept nogil:
        """The log density at e^x times the direction, its Jacobian e^{px} included."""
        cdef double kappa, half, penalty, variance = self.variance
        cdef double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0
        cdef const double *base = line.base
        cdef int j
        if line.still:
            return self.log_density(self.half, self.penalty, variance * exp(x))
        kappa = exp(x)
        if self.positive and not line.low <= kappa <= line.high:
            return -1e300
        for j in range(0, self.p - 3, 4):  # four sums at once, since an addition waits for the one before
            s0 += self.l1[j] * fabs(base[j] + kappa * self.direction[j])
            s1 += self.l1[j + 1] * fabs(base[j + 1] + kappa * self.direction[j + 1])
            s2 += self.l1[j + 2] * fabs(base[j + 2] + kappa * self.direction[j + 2])
            s3 += self.l1[j + 3] * fabs(base[j + 3] + kappa * self.direction[j + 3])
        for j in range(self.p - self.p % 4, self.p):
            s0 += self.l1[j] * fabs(base[j] + kappa * self.direction[j])
        penalty = (s0 + s1) + (s2 + s3) + 0.5 * (line.q0 + kappa * (line.q1 + kappa * line.q2))
        half = fmax(line.half + kappa * (line.slope + 0.5 * kappa * line.curvature), 0.0)
        if line.h != 0.0:
            variance *= exp(line.h * x)
        return self.p * x + self.log_density(half, penalty, variance)

    cdef double slice(self, const Line *line, double width) noexcept nogil:
        """A slice-sampling step from x = 0 (Neal, 2003): step out, at most so far, and shrink."""
        cdef double level, left, right, x
        cdef int k, before, after
        level = self.along(line, 0.0) + log(fmax(self.uniform(), SMALLEST))
        left = -width * self.uniform()
        right = left + width
        before = <int> (SLICE_STEPS * self.uniform())
        after = SLICE_STEPS - 1 - before
        while before > 0 and self.along(line, left) > level:
            left -= width
            before -= 1
        while after > 0 and self.along(line, right) > level:
            right += width
            after -= 1
        for k in range(SLICE_UNIFORMS - 3):
            x = left + self.uniform() * (right - left)
            if self.along(line, x) > level:
                return x
            if x < 0.0:
                left = x
            else:
                right = x
        return 0.0

    cdef void stretch(self, int centre, int h) noexcept nogil:
        """Stretch w about a centre by a factor that is drawn, where σ² is not integrated out together with it."""
        cdef Line line
        cdef int j
        cdef double x, kappa, d
        line.base, line.base_state = &self.centres[centre, 0], &self.centre_states[centre, 0]
        line.half, line.slope, line.curvature = self.centre_half[centre], 0.0, 0.0
        line.q0, line.q1, line.q2 = 0.0, 0.0, 0.0
        line.low, line.high, line.still = 0.0, 1e300, False
        line.h = h % 3 if self.contract == SCALED_NET or self.contract == SD_SCALED else 0.0
        for j in range(self.p):
            d = self.w[j] - line.base[j]
            self.direction[j] = d
            line.q0 += self.l2[j] * line.base[j] * line.base[j]
            line.q1 += 2.0 * self.l2[j] * line.base[j] * d
            line.q2 += self.l2[j] * d * d
            if d > 0.0:
                line.low = fmax(line.low, -line.base[j] / d)
            elif d < 0.0:
                line.high = fmin(line.high, -line.base[j] / d)
        for j in range(self.size):
            self.direction_state[j] = self.state[j] - line.base_state[j]
        if self.rows:  # r = b − Aw
            for j in range(self.size):
                line.slope += line.base_state[j] * self.direction_state[j]
                line.curvature += self.direction_state[j] * self.direction_state[j]
        else:  # g = c − Gw
            for j in range(self.p):
                line.slope -= line.base_state[j] * self.direction[j]
                line.curvature -= self.direction_state[j] * self.direction[j]
        x = self.slice(&line, 2.0 / sqrt(self.p))
        kappa = exp(x)
        for j in range(self.p):
            self.w[j] = line.base[j] + kappa * self.direction[j]
        if self.positive:
            for j in range(self.p):
                self.w[j] = fmax(self.w[j], 0.0)
        for j in range(self.size):
            self.state[j] = line.base_state[j] + kappa * self.direction_state[j]
        self.variance *= exp(line.h * x)
        self.half = fmax(line.half + kappa * (line.slope + 0.5 * kappa * line.curvature), 0.0)
        self.penalty = 0.5 * (line.q0 + kappa * (line.q1 + kappa * line.q2))
        for j in range(self.p):
            self.penalty += self.l1[j] * fabs(self.w[j])
        self.stretched += fmax(x, 0.0)
        if self.stretched > 8.0:
            self.refresh()

    cdef void draw_variance(self, double gamma) noexcept nogil:
        """Draw σ² given w: from its inverse Gamma, or by a slice of log σ²."""
        cdef Line line
        if self.contract == SCALED:
            self.variance = (self.scale + self.half + self.penalty) / gamma
        elif self.contract == FIXED:
            self.variance = (self.scale + self.half) / gamma
        elif self.contract != KNOWN:
            line.still = True
            self.variance *= exp(self.slice(&line, 2.0 / sqrt(self.shape)))
