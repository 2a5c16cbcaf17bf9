# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The terms of a duality gap, for many coefficient vectors at once."""

from libc.math cimport INFINITY, copysign, fabs, sqrt


cdef double gap_at_multiple(Py_ssize_t p, const double *w, const double *g, const double *l1, const double *l2,
                            bint positive, double c, bint feasible) noexcept nogil:
    """Σ h(wⱼ) + h*(c gⱼ) − c gⱼwⱼ, h(u) = λ₁|u| + ½λ₂u², each term as a sum of two that are ≥ 0.

    With q the part of c g that the L1 norm takes up (c g itself up to ± λ₁), a term is
    (λ₂w − (c g − q))² / 2λ₂ + (λ₁|w| − qw). Where c g is feasible for the L1 norm alone, q = c g, and what
    it seems to be beyond λ₁ is rounding.
    """
    cdef Py_ssize_t j
    cdef double total = 0.0, pull, excess, q, linear, miss
    for j in range(p):
        pull = c * g[j]
        excess = (pull if positive else fabs(pull)) - l1[j]
        q = copysign(l1[j], pull) if excess > 0.0 else pull
        linear = l1[j] * fabs(w[j]) - q * w[j]
        total += linear if linear > 0.0 else 0.0
        if l2[j] > 0.0:
            miss = l2[j] * w[j]
            if excess > 0.0 and not feasible:
                miss -= copysign(excess, pull)
            miss /= sqrt(l2[j])
            total += 0.5 * miss * miss
    return total


def gaps_at(const double[:, ::1] w, const double[:, ::1] g, const double[:, ::1] l1, const double[:, ::1] l2,
            bint positive, const double[::1] theta_squared, const double[::1] miss_squared,
            const double[::1] cross, double[::1] gaps):
    """For each row, E(w) − D(cθ) = ½‖r − cθ‖² + Σ of `gap_at_multiple`, at the best feasible c.

    g = Aᵀθ, miss = r − θ and cross = (r − θ)ᵀθ.
    """
    cdef Py_ssize_t i, j, p = w.shape[1]
    cdef double feasible, pull, c, gap, best
    cdef bint curved, forbidden
    cdef int attempt
    with nogil:
        for i in range(w.shape[0]):
            feasible, curved, forbidden = 1.0, True, False
            for j in range(p):
                pull = g[i, j] if positive else fabs(g[i, j])
                if pull > l1[i, j]:
                    feasible = min(feasible, l1[i, j] / pull)
                curved = curved and l2[i, j] > 0.0
                forbidden = forbidden or (positive and w[i, j] < 0.0)
            best = INFINITY
            # θ = 0 always is feasible; where λ₂ > 0 every θ is.
            for attempt in range(3 if curved and feasible < 1.0 else 2):
                c = 0.0 if attempt == 0 else (feasible if attempt == 1 else 1.0)
                gap = 0.5 * (miss_squared[i] + 2.0 * (1.0 - c) * cross[i] + (1.0 - c) ** 2 * theta_squared[i])
                gap += gap_at_multiple(p, &w[i, 0], &g[i, 0], &l1[i, 0], &l2[i, 0], positive, c,
                                       attempt < 2)
                if not gap >= best:
                    best = gap
            gaps[i] = INFINITY if forbidden else best
