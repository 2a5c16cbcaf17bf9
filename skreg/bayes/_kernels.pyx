# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The sweeps of the Gibbs sampler: site updates, over-relaxed ones, and moves along lines.

The energy is ½‖b − Aw‖² + Σⱼ (l1ⱼ|wⱼ| + ½ l2ⱼ wⱼ²). `state` is the correlation g = c − Gw (matrix = G) or the
residual r = b − Aw (matrix = A, by columns), whichever is shorter, and follows w. Randomness comes in as
uniforms and Gamma variates. `skreg.bayes.gibbs` says what it is all for.
"""

import numpy as np

from cython cimport final
from libc.math cimport exp, expm1, fabs, log, sqrt
from scipy.linalg.cython_blas cimport daxpy, ddot, dgemv

from skreg.bayes.normal_tail import mills_table, quantile_table

cdef double ROOT_TWO_PI = 2.5066282746310002
cdef double TWO_LOG_ROOT_TWO_PI = 1.8378770664093454
cdef double SMALLEST = 2.2250738585072014e-308
# Beyond it the exponential tail is inverted by Halley's steps, before it by the table of quantiles.
cdef double EXPONENTIAL = 8.0
# Below it the other side of the kink has a probability that no uniform can hit.
cdef double ONE_SIDED = -9.0
# A mirrored probability is blurred by as much.
cdef double BLUR = 0.05
# Uniforms that a move along a line can use up, and steps out of the first interval.
cdef int SLICE_UNIFORMS = 64
cdef int SLICE_STEPS = 10

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


cdef inline double larger(double a, double b) noexcept nogil:
    return a if a > b else b  # libm's fmax is a call, for the sake of NaN


cdef inline double smaller(double a, double b) noexcept nogil:
    return a if a < b else b


cdef inline double polynomial(const double *row, double x) noexcept nogil:
    cdef double square = x * x  # three short chains of products rather than a long one
    return (row[0] + x * row[1]) + square * ((row[2] + x * row[3]) + square * (row[4] + x * row[5]))


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


cdef inline double quantile(double square) noexcept nogil:
    """The z ≥ 0 with Φ(−z) = exp(−½·square) ≤ ½."""
    cdef double x = 16.0 * (smaller(larger(sqrt(square), 1.0), 19.99) - 1.0)
    cdef int i = <int>x
    return polynomial(QUANTILE + 6 * i, (x - i - 0.5) * 0.0625)


cdef inline double normal_mass(double z) noexcept nogil:
    """√(2π) Φ(−z), the mass of exp(−½x²) beyond z."""
    cdef double beyond = exp(-0.5 * z * z) * mills(fabs(z))
    return beyond if z >= 0.0 else ROOT_TWO_PI - beyond


cdef inline double invert_normal_mass(double mass) noexcept nogil:
    """The z beyond which exp(−½x²) has this mass."""
    cdef double other = ROOT_TWO_PI - mass
    if mass <= other:
        return quantile(TWO_LOG_ROOT_TWO_PI - 2.0 * log(mass))
    return -quantile(TWO_LOG_ROOT_TWO_PI - 2.0 * log(larger(other, 1e-16)))


cdef inline double invert_mass(double t, double mass) noexcept nogil:
    """The x ≥ 0 beyond which exp(−½x² − tx), t ≥ 0, has this mass ≤ M(t)."""
    cdef double x, e, m, miss, whole
    cdef int k
    mass = larger(mass, SMALLEST)
    if t < EXPONENTIAL:
        # √(2π) Φ(−(t + x)) = exp(−½t²) · mass
        return larger(quantile(t * t + TWO_LOG_ROOT_TWO_PI - 2.0 * log(mass)) - t, 0.0)
    # H(x) = tx + ½x² − log(M(t+x)/M(t)) = e, of slope 1/M(t+x), by Halley's steps from below.
    whole = mills(t)
    e = larger(log(whole / mass), 0.0)
    x = 2.0 * e / (t + sqrt(t * t + 2.0 * e))
    for k in range(3):
        m = mills(t + x)
        miss = t * x + 0.5 * x * x - log(m / whole) - e
        x -= miss * m / (1.0 - 0.5 * miss * (1.0 - (t + x) * m))
    return larger(x, 0.0)


cdef inline double site(
    double r, double scale, double precision, double l1, bint positive, double w, double u, bint mirror
) noexcept nogil:
    """A draw of w ∝ exp(−(½Aw² − rw + l1|w|)/σ²) from one uniform u, with `scale` = σ/√A, `precision` = 1/σ².

    With x = w/scale it is exp(−½x² − t₊x) on x > 0 and exp(−½x² − t₋|x|) on x < 0. Flipped so that r ≥ 0, t₋
    is ≥ |t₊| and nothing overflows: all masses below are multiplied by `shrink`. Mirrored, the mass beyond x
    becomes the mass below it, blurred by the uniform and reflected where it falls out of the range.
    """
    cdef double t_ahead, t_behind, ahead, behind, total, mass, x, shrink = 1.0, sign = 1.0
    if r < 0.0 and not positive:
        r, w, sign = -r, -w, -1.0
    t_ahead = (l1 - r) * scale * precision
    t_behind = (l1 + r) * scale * precision

    if t_ahead >= 0.0:
        ahead = mills(t_ahead)
        behind = 0.0 if positive else mills(t_behind)
    elif t_ahead > ONE_SIDED:
        shrink = exp(-0.5 * t_ahead * t_ahead)
        ahead = ROOT_TWO_PI - shrink * mills(-t_ahead)
        behind = 0.0 if positive else shrink * mills(t_behind)
    else:
        ahead, behind = ROOT_TWO_PI, 0.0
    total = ahead + behind

    if mirror:
        x = w / scale
        if x < 0.0:
            mass = total
            if behind > 0.0:
                mass -= shrink * exp(x * (t_behind - 0.5 * x)) * mills(t_behind - x)
        elif t_ahead >= 0.0:
            mass = exp(-x * (t_ahead + 0.5 * x)) * mills(t_ahead + x)
        else:
            mass = normal_mass(t_ahead + x)
        mass = total - mass + BLUR * total * (2.0 * u - 1.0)
        if mass < 0.0:
            mass = -mass
        elif mass > total:
            mass = 2.0 * total - mass
    else:
        mass = u * total

    if mass < ahead or behind == 0.0:
        mass = larger(smaller(mass, ahead), SMALLEST)
        x = invert_mass(t_ahead, mass) if t_ahead >= 0.0 else larger(invert_normal_mass(mass) - t_ahead, 0.0)
    else:
        x = -invert_mass(t_behind, smaller((total - mass) / shrink, behind / shrink))
    return sign * x * scale


cdef struct Line:
    # Along w + δ·direction: ½‖r‖² = half + δ·slope + ½δ²·curvature, ½Σ l2 w² = ½(q₀ + δ(q₁ + δq₂)).
    # In δ, since near w the differences of what is large at the centre would be rounding.
    double half
    double slope
    double curvature
    double q0
    double q1
    double q2
    double low           # where a coefficient that must be ≥ 0 would pass it
    double high
    double dimension     # of what is stretched: the Jacobian is κ to this power
    double h             # σ² moves along as κʰ
    bint straight        # a step x is δ = x; else it stretches, by κ = eˣ, and δ = κ − 1
    bint still           # only σ² moves


@final
cdef class Chain:
    """One chain of the sampler: what it samples from, and where it stands."""

    cdef int p, size, rank
    cdef bint rows, positive
    cdef Contract contract
    cdef const double[::1, :] matrix
    cdef const double[::1] curvature, l1, l2, net_ratio, net_count, centre_half
    cdef const double[:, ::1] centres, centre_states
    cdef double shape, scale, prior_variance, half_penalized
    cdef const double[::1, :] inverse, directions, direction_images
    cdef double[::1] w, state, direction, direction_state
    cdef double variance, half, penalty, stretched
    cdef int age
    cdef const double *uniforms
    cdef readonly Py_ssize_t used  # how many uniforms the last run took

    def __init__(
        self, *, matrix, rows, curvature, l1, l2, positive, contract, shape, scale, prior_variance, n_penalized,
        net_ratio, net_count, centres, centre_states, centre_half, inverse, rank, w, variance,
    ):
        self.inverse, self.rank = inverse, rank
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
        self.directions = self.direction_images = np.empty((0, 0), order="F")
        self.refresh()

    def slide_along(self, directions, images):
        """From now on slide along these directions too, given Gd of each direction d."""
        self.directions, self.direction_images = directions, images

    def position(self):
        """Where the chain stands, which another one of the same posterior can `go_to`."""
        return np.array(self.w), np.array(self.state), (
            self.variance, self.half, self.penalty, self.stretched, self.age
        )

    def go_to(self, position):
        """Stand there instead."""
        w, state, numbers = position
        self.w, self.state = np.array(w), np.array(state)
        self.variance, self.half, self.penalty, self.stretched, self.age = numbers

    def run(
        self, int mirrored, const double[::1] uniforms, const double[::1] gammas, int n_draws,
        double[:, ::1] coef, double[:, ::1] record,
    ):
        """Make as many of `n_draws` draws as the uniforms surely last for, and return their number.

        A draw is a plain sweep and `mirrored` mirrored ones, each followed by moves along lines and a
        draw of σ². `record` takes σ², ½‖r‖² and the penalty of each.
        """
        cdef Py_ssize_t worst = (1 + mirrored) * self.most_uniforms()
        cdef int i, k, line, gamma = 0, done = 0
        self.uniforms, self.used = &uniforms[0], 0
        with nogil:
            for i in range(n_draws):
                if self.used + worst > uniforms.shape[0]:
                    break
                for k in range(1 + mirrored):
                    self.sweep(k > 0)
                    self.stretch(0, k)
                    self.stretch(1, k)
                    if self.inverse.shape[0] > 0:
                        self.stretch_residual(k)
                    for line in range(self.directions.shape[1]):
                        self.slide(line)
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

    cpdef Py_ssize_t most_uniforms(self) noexcept nogil:
        """How many uniforms a sweep and its moves can use up."""
        return self.p + (4 + self.directions.shape[1]) * SLICE_UNIFORMS

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

    cdef void sweep(self, bint mirror) noexcept nogil:
        cdef int j, one = 1
        cdef double sigma = sqrt(self.variance), precision = 1.0 / self.variance, tied = self.tied()
        cdef double l1, root, r, old, new, step
        cdef double *column
        for j in range(self.p):
            column = <double *> &self.matrix[0, j]
            old = self.w[j]
            r = ddot(&self.size, column, &one, &self.state[0], &one) if self.rows else self.state[j]
            l1 = tied * self.l1[j]
            # Where the column is next to nothing the prior is left: t up to 1e12 is as good as its limit.
            root = larger(sqrt(self.curvature[j] + tied * self.l2[j]), 1e-12 * l1 / sigma)
            new = site(
                r + self.curvature[j] * old, sigma / root, precision, l1, self.positive, old, self.uniform(), mirror
            )
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
        """The log density a step x along the line, where that stretches with its Jacobian κ^dimension."""
        cdef double delta, half, penalty, variance = self.variance
        cdef double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0
        cdef int j
        if line.still:
            return self.log_density(self.half, self.penalty, variance * exp(x))
        delta = x if line.straight else expm1(x)
        if self.positive and not line.low <= delta <= line.high:
            return -1e300
        for j in range(0, self.p - 3, 4):  # four sums at once, since an addition waits for the one before
            s0 += self.l1[j] * fabs(self.w[j] + delta * self.direction[j])
            s1 += self.l1[j + 1] * fabs(self.w[j + 1] + delta * self.direction[j + 1])
            s2 += self.l1[j + 2] * fabs(self.w[j + 2] + delta * self.direction[j + 2])
            s3 += self.l1[j + 3] * fabs(self.w[j + 3] + delta * self.direction[j + 3])
        for j in range(self.p - self.p % 4, self.p):
            s0 += self.l1[j] * fabs(self.w[j] + delta * self.direction[j])
        penalty = (s0 + s1) + (s2 + s3) + 0.5 * (line.q0 + delta * (line.q1 + delta * line.q2))
        half = larger(line.half + delta * (line.slope + 0.5 * delta * line.curvature), 0.0)
        if line.h != 0.0:
            variance *= exp(line.h * x)
        return line.dimension * x + self.log_density(half, penalty, variance)

    cdef double slice(self, const Line *line, double width) noexcept nogil:
        """A slice-sampling step from x = 0 (Neal, 2003): step out, at most so far, and shrink."""
        cdef double level, left, right, x
        cdef int k, before, after
        level = self.along(line, 0.0) + log(larger(self.uniform(), SMALLEST))
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
        """Stretch w about a centre by a factor that is drawn."""
        cdef Line line
        cdef int j
        cdef const double *base = &self.centres[centre, 0]
        cdef const double *base_state = &self.centre_states[centre, 0]
        line.half, line.slope, line.curvature = self.half_of(), 0.0, 0.0
        for j in range(self.p):
            self.direction[j] = self.w[j] - base[j]
        for j in range(self.size):
            self.direction_state[j] = self.state[j] - base_state[j]
        if self.rows:  # r = b − Aw
            for j in range(self.size):
                line.slope += self.state[j] * self.direction_state[j]
                line.curvature += self.direction_state[j] * self.direction_state[j]
        else:  # g = c − Gw
            for j in range(self.p):
                line.slope -= self.state[j] * self.direction[j]
                line.curvature -= self.direction_state[j] * self.direction[j]
        line.dimension, line.straight = self.p, False
        self.move_along(&line, h, 2.0 / sqrt(line.dimension))

    cdef double half_of(self) noexcept nogil:
        """½‖r‖² at w: from r, or from the solution, which is near."""
        cdef int j
        cdef double total = 0.0
        if self.rows:
            for j in range(self.size):
                total += self.state[j] * self.state[j]
            return 0.5 * total
        for j in range(self.p):
            total += (self.w[j] - self.centres[0, j]) * (self.state[j] + self.centre_states[0, j])
        return larger(self.centre_half[0] - 0.5 * total, 0.0)

    cdef void stretch_residual(self, int h) noexcept nogil:
        """Stretch the residual, of as many dimensions as there are rows: w about w + A⁺r, which leaves none."""
        cdef Line line
        cdef int one = 1
        cdef double minus = -1.0, nothing = 0.0
        dgemv(b"N", &self.p, &self.size, &minus, <double *> &self.inverse[0, 0], &self.p, &self.state[0], &one,
              &nothing, &self.direction[0], &one)
        self.direction_state[:] = self.state
        line.half = self.half_of()
        line.slope = line.curvature = 2.0 * line.half
        line.dimension, line.straight = self.rank, False
        self.move_along(&line, h, 2.0 / sqrt(line.dimension))

    cdef void slide(self, int k) noexcept nogil:
        """Move along a direction that the columns hardly determine."""
        cdef Line line
        cdef int j
        cdef double pull = 0.0
        self.direction[:] = self.directions[:, k]
        line.half, line.slope, line.curvature = self.half, 0.0, 0.0
        for j in range(self.p):
            self.direction_state[j] = -self.direction_images[j, k]
            line.slope -= self.direction[j] * self.state[j]
            line.curvature += self.direction[j] * self.direction_images[j, k]
            pull += self.l1[j] * fabs(self.direction[j])
        line.dimension, line.straight = 0.0, True
        # As wide as the likelihood's standard deviation, or the prior's if that is shorter.
        pull *= self.tied() / self.variance
        self.move_along(&line, 0, 2.0 / larger(sqrt(line.curvature / self.variance), pull))

    cdef void move_along(self, Line *line, int h, double width) noexcept nogil:
        """Draw the factor, where σ² is not integrated out a new σ² with it, and go there."""
        cdef int j
        cdef double x, delta, d
        line.h = h % 3 if self.contract == SCALED_NET or self.contract == SD_SCALED else 0.0
        line.q0, line.q1, line.q2 = 0.0, 0.0, 0.0
        line.low, line.high, line.still = -1e300, 1e300, False
        for j in range(self.p):
            d = self.direction[j]
            line.q0 += self.l2[j] * self.w[j] * self.w[j]
            line.q1 += 2.0 * self.l2[j] * self.w[j] * d
            line.q2 += self.l2[j] * d * d
            if d > 0.0:
                line.low = larger(line.low, -self.w[j] / d)
            elif d < 0.0:
                line.high = smaller(line.high, -self.w[j] / d)
        x = self.slice(line, width)
        delta = x if line.straight else expm1(x)
        for j in range(self.p):
            self.w[j] += delta * self.direction[j]
        if self.positive:
            for j in range(self.p):
                self.w[j] = larger(self.w[j], 0.0)
        for j in range(self.size):
            self.state[j] += delta * self.direction_state[j]
        self.variance *= exp(line.h * x)
        self.half = larger(line.half + delta * (line.slope + 0.5 * delta * line.curvature), 0.0)
        self.penalty = 0.0
        for j in range(self.p):
            self.penalty += fabs(self.w[j]) * (self.l1[j] + 0.5 * self.l2[j] * fabs(self.w[j]))
        if not line.straight:
            self.stretched += larger(x, 0.0)
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
