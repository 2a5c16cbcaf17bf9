# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The steps: Adam, gradient descent with momentum, and the cap of a unit's incoming weights."""

from cython cimport floating
from libc.math cimport sqrt


cdef inline floating soft_threshold(floating w, floating by) noexcept nogil:
    if w > by:
        return w - by
    return w + by if w < -by else <floating> 0


cdef inline void threshold_all(floating[::1] w, floating by) noexcept nogil:
    cdef Py_ssize_t i
    if by > 0:
        for i in range(w.shape[0]):
            w[i] = soft_threshold(w[i], by)


# Adam's loop takes a fifth of the time of a small network's training, and thrice that in the instructions every
# x86-64 processor has. GCC compiles it for newer ones too and chooses when loaded, which Cython cannot ask for.
cdef extern from *:
    """
    #include <math.h>
    #if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
    #define SKREG_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
    #else
    #define SKREG_CLONES
    #endif
    #define SKREG_ADAM(NAME, REAL, SQRT)                                                              \
        SKREG_CLONES static void NAME(Py_ssize_t n, REAL *w, const REAL *gradient, REAL *first,       \
                                      REAL *second, REAL beta1, REAL beta2, REAL step, REAL root,     \
                                      REAL epsilon, REAL l2, REAL keep) {                             \
            const REAL rest1 = 1 - beta1, rest2 = 1 - beta2;                                          \
            for (Py_ssize_t i = 0; i < n; i++) {                                                      \
                const REAL g = gradient[i] + l2 * w[i];                                               \
                const REAL m = beta1 * first[i] + rest1 * g;                                          \
                const REAL v = beta2 * second[i] + rest2 * (g * g);                                   \
                first[i] = m;                                                                         \
                second[i] = v;                                                                        \
                w[i] = w[i] * keep - step * m / (SQRT(v) * root + epsilon);                           \
            }                                                                                         \
        }
    SKREG_ADAM(skreg_adam_float, float, sqrtf)
    SKREG_ADAM(skreg_adam_double, double, sqrt)
    """
    void skreg_adam_float(
        Py_ssize_t, float *, const float *, float *, float *, float, float, float, float, float, float, float
    ) noexcept nogil
    void skreg_adam_double(
        Py_ssize_t, double *, const double *, double *, double *,
        double, double, double, double, double, double, double
    ) noexcept nogil


def adamw_step(
    floating[::1] w,
    const floating[::1] gradient,
    floating[::1] first,
    floating[::1] second,
    double beta1,
    double beta2,
    double step,
    double root,
    double epsilon,
    double l2,
    double keep,
    double threshold,
):
    """One step of Adam on gradient + l2·w, then w·keep (decoupled decay) and soft thresholding (L1).

    step = η / (1 − β₁ᵗ) and root = 1 / √(1 − β₂ᵗ) undo the moments' start at zero.
    """
    cdef Py_ssize_t n = w.shape[0]
    if n == 0:
        return
    with nogil:
        if floating is float:
            skreg_adam_float(
                n, &w[0], &gradient[0], &first[0], &second[0], beta1, beta2, step, root, epsilon, l2, keep
            )
        else:
            skreg_adam_double(
                n, &w[0], &gradient[0], &first[0], &second[0], beta1, beta2, step, root, epsilon, l2, keep
            )
        threshold_all(w, <floating> threshold)


def sgd_step(
    floating[::1] w,
    const floating[::1] gradient,
    floating[::1] velocity,
    floating step,
    floating momentum,
    bint nesterov,
    floating l2,
    floating keep,
    floating threshold,
):
    """One step of gradient descent with momentum on gradient + l2·w, then decay and soft thresholding."""
    cdef Py_ssize_t i
    cdef floating g, u
    with nogil:
        for i in range(w.shape[0]):
            g = gradient[i] + l2 * w[i]
            u = momentum * velocity[i] - step * g
            velocity[i] = u
            w[i] = w[i] * keep + (momentum * u - step * g if nesterov else u)
        threshold_all(w, threshold)


def cap_norms(floating[:, ::1] w, double max_norm):
    """Scale every row longer than max_norm down to it."""
    cdef Py_ssize_t u, j
    cdef double total
    cdef floating factor
    with nogil:
        for u in range(w.shape[0]):
            total = 0
            for j in range(w.shape[1]):
                total += <double> w[u, j] * w[u, j]
            if total > max_norm * max_norm:
                factor = <floating> (max_norm / sqrt(total))
                for j in range(w.shape[1]):
                    w[u, j] *= factor
