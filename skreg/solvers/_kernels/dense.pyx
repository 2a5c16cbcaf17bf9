# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Products with A of dense X, by blocks of rows that stay in cache and without forming A; coordinate descent
on columns that were formed; and the scaled target b.
"""

from libc.math cimport fabs, frexp, ldexp, sqrt
from scipy.linalg.cython_blas cimport daxpy, ddot, dgemm, dsyrk

from skreg.solvers._kernels.coordinate cimport minimizer


cdef inline void copy_column(const double[:, :] X, Py_ssize_t first, int rows, Py_ssize_t j, double shift,
                             double scale, const double[::1] root_weights, double *out) noexcept nogil:
    """Write rows of A's column j, √s (xⱼ − shift) · scale."""
    cdef int i
    cdef const double *column = &X[first, j]
    cdef Py_ssize_t stride = X.strides[0] // 8
    if stride == 1:
        for i in range(rows):
            out[i] = (column[i] - shift) * scale
    else:
        for i in range(rows):
            out[i] = (column[i * stride] - shift) * scale
    if root_weights.shape[0] > 0:
        for i in range(rows):
            out[i] *= root_weights[first + i]


def column_sums(const double[:, :] X, const double[::1] weights, bint weighted, const double[::1] rhs,
                double[::1] sums, double[::1] squares, double[::1] products):
    """Σ sᵢxᵢ, Σ sᵢxᵢ² and Σ xᵢ·rhsᵢ of each column, added to what is there; X is read once."""
    cdef Py_ssize_t n = X.shape[0], p = X.shape[1], i, j, first
    cdef int rows, one = 1
    cdef double s, t, x
    cdef double scaled[2048]
    cdef double *column
    cdef double *times
    with nogil:
        if X.strides[0] == 8:
            for j in range(p):
                first = 0
                while first < n:  # by pieces that stay in the nearest cache
                    rows = <int> min(<Py_ssize_t> 2048, n - first)
                    times = column = <double *> &X[first, j]
                    if weighted:
                        times = scaled
                        for i in range(rows):
                            scaled[i] = weights[first + i] * column[i]
                    sums[j] += ddot(&rows, <double *> &weights[first], &one, column, &one)
                    squares[j] += ddot(&rows, times, &one, column, &one)
                    products[j] += ddot(&rows, <double *> &rhs[first], &one, column, &one)
                    first += rows
        else:
            for i in range(n):
                s, t = weights[i], rhs[i]
                for j in range(p):
                    x = X[i, j]
                    sums[j] += s * x
                    squares[j] += s * x * x
                    products[j] += t * x


def extend_gram(const double[:, :] X, const double[::1] shift, const double[::1] scale,
                const double[::1] root_weights, const Py_ssize_t[::1] index, int known, double[:, ::1] gram,
                double[::1, :] block):
    """Give gram[:m, :m] = A[:, index]ᵀA[:, index] the rows and columns from `known` on, in one pass over them.

    `block` has room for some rows of the m columns. No root weights stand for ones.
    """
    cdef int m = <int> index.shape[0], stride = <int> (gram.strides[0] // 8), new = m - known
    cdef int rows, room = <int> block.shape[0]
    cdef Py_ssize_t n = X.shape[0], first = 0
    cdef int i, j
    cdef double one = 1.0
    if new == 0:
        return
    with nogil:
        for i in range(known, m):
            for j in range(m):
                gram[i, j] = 0.0
        while first < n:
            rows = <int> min(<Py_ssize_t> room, n - first)
            for i in range(m):
                copy_column(X, first, rows, index[i], shift[index[i]], scale[index[i]], root_weights, &block[0, i])
            if known > 0:
                dgemm('T', 'N', &known, &new, &rows, &one, &block[0, 0], &room, &block[0, known], &room, &one,
                      &gram[known, 0], &stride)
            dsyrk('U', 'T', &new, &rows, &one, &block[0, known], &room, &one, &gram[known, known], &stride)
            first += rows
        # In rows of C the columns of Fortran's upper triangle are the lower one.
        for i in range(known, m):
            for j in range(i):
                gram[j, i] = gram[i, j]


def subtract_columns(const double[:, :] X, const double[::1] shift, const double[::1] scale,
                     const double[::1] root_weights, const Py_ssize_t[::1] index, const double[::1] w,
                     double[::1] r):
    """r −= A[:, index] w, reading only those columns, each once."""
    cdef Py_ssize_t n = X.shape[0], first = 0, k
    cdef int rows, i, one = 1, stride = <int> (X.strides[0] // 8)
    cdef double shifted = 0.0, step
    with nogil:
        for k in range(index.shape[0]):
            shifted += shift[index[k]] * scale[index[k]] * w[k]
        while first < n:
            rows = <int> min(<Py_ssize_t> 2048, n - first)
            if root_weights.shape[0] > 0:
                for i in range(rows):
                    r[first + i] = r[first + i] / root_weights[first + i]
            for i in range(rows):
                r[first + i] += shifted
            for k in range(index.shape[0]):
                step = -scale[index[k]] * w[k]
                daxpy(&rows, &step, <double *> &X[first, index[k]], &stride, &r[first], &one)
            if root_weights.shape[0] > 0:
                for i in range(rows):
                    r[first + i] = r[first + i] * root_weights[first + i]
            first += rows


def column_descent(const double[::1, :] A, const Py_ssize_t[::1] index, double[::1] r, double[::1] w,
                   const double[::1] norms, const double[::1] l1, const double[::1] l2, bint positive,
                   int max_sweeps, double tolerance):
    """Sweep w[index] on the columns of A themselves, keeping the residual r = b − Aw; stop when no step
    exceeds `tolerance`. norms[j] = ‖Aⱼ‖²."""
    cdef int n = <int> A.shape[0], one = 1, sweep
    cdef Py_ssize_t i, j
    cdef double old, new, delta, step, largest
    with nogil:
        for sweep in range(max_sweeps):
            largest = 0.0
            for i in range(index.shape[0]):
                j = index[i]
                if norms[j] <= 0.0:
                    continue
                old = w[j]
                new = minimizer(ddot(&n, <double *> &A[0, j], &one, &r[0], &one) + norms[j] * old,
                                norms[j] + l2[j], l1[j], positive)
                if new == old:
                    continue
                w[j] = new
                delta = old - new
                daxpy(&n, &delta, <double *> &A[0, j], &one, &r[0], &one)
                step = fabs(delta) * sqrt(norms[j])
                if step > largest:
                    largest = step
            if largest <= tolerance:
                break
        else:
            sweep = max_sweeps - 1
    return sweep + 1


def scale_target(const double[:] y, const double[::1] weights, const double[::1] root_weights, bint centred,
                 double constant, double[:] b):
    """b = √s (y − ȳ) · scale with a power of two that brings its largest number into [½, 1).

    The mean has a second part, what rounding left over of the first. Deviations that are all below `constant`
    of the mean are none. Returns ȳ, the scale and ‖b‖².
    """
    cdef Py_ssize_t i, n = y.shape[0]
    cdef double total = 0.0, first = 0.0, left_over = 0.0, mean = 0.0, rest = 0.0, largest = 0.0, scale
    cdef double squared = 0.0
    cdef int exponent
    with nogil:
        if centred:
            for i in range(n):
                total += weights[i]
            for i in range(n):
                first += weights[i] / total * y[i]
            for i in range(n):
                left_over += weights[i] / total * (y[i] - first)
            mean = first + left_over
            rest = left_over - (mean - first)
            if fabs(rest) <= 1e-15 * n * fabs(left_over):
                rest = 0.0  # the rounding of the second pass itself
        for i in range(n):
            b[i] = (y[i] - mean) - rest
            largest = max(largest, fabs(b[i]))
        if largest <= constant * fabs(mean):
            for i in range(n):
                b[i] = 0.0
        largest = 0.0
        for i in range(n):
            b[i] = b[i] * root_weights[i]
            largest = max(largest, fabs(b[i]))
        scale = 1.0
        if largest > 0.0:
            frexp(largest, &exponent)
            scale = ldexp(1.0, -max(-1000, min(1000, exponent)))
        for i in range(n):
            b[i] = b[i] * scale
            squared += b[i] * b[i]
    return mean, scale, squared
