# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled loops of the solvers: coordinate descent on a Gram matrix, on columns, on sparse columns.

Each sweeps the coordinates of ½‖b − Aw‖² + Σ l1ⱼ|wⱼ| + ½Σ l2ⱼwⱼ² in place and returns the number of sweeps
made. A sweep's largest step is measured as max |δⱼ|·‖Aⱼ‖, the change of the fit in the units of b.
"""

from libc.math cimport fabs, sqrt
from scipy.linalg.cython_blas cimport daxpy, ddot


cdef inline double minimizer(double z, double curvature, double l1, bint positive) noexcept nogil:
    """argmin over u of ½·curvature·u² − z·u + l1·|u|."""
    if z > l1:
        return (z - l1) / curvature
    if z < -l1 and not positive:
        return (z + l1) / curvature
    return 0.0


def gram_descent(double[:, ::1] gram, double[::1] g, double[::1] w, const double[::1] l1,
                 const double[::1] l2, bint positive, int max_sweeps, double tolerance, int patience):
    """Sweep all of w on its Gram matrix, keeping g = c − Gw; stop when no step exceeds `tolerance`
    or the signs have stood still for `patience` sweeps."""
    cdef int m = <int> w.shape[0], one = 1, sweep, settled = 0
    cdef Py_ssize_t j
    cdef bint changed
    cdef double old, new, delta, curvature, step, largest
    with nogil:
        for sweep in range(max_sweeps):
            largest = 0.0
            changed = False
            for j in range(m):
                curvature = gram[j, j] + l2[j]
                if gram[j, j] <= 0.0 or curvature <= 0.0:
                    continue
                old = w[j]
                new = minimizer(g[j] + gram[j, j] * old, curvature, l1[j], positive)
                if new == old:
                    continue
                if (new > 0.0) != (old > 0.0) or (new < 0.0) != (old < 0.0):
                    changed = True
                w[j] = new
                delta = old - new
                daxpy(&m, &delta, &gram[j, 0], &one, &g[0], &one)
                step = fabs(delta) * sqrt(gram[j, j])
                if step > largest:
                    largest = step
            settled = 0 if changed else settled + 1
            if largest <= tolerance or settled >= patience:
                break
        else:
            sweep = max_sweeps - 1
    return sweep + 1


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


def sparse_column_descent(const double[::1] data, const long long[::1] rows, const long long[::1] starts,
                          const double[::1] shift, double total_weight, const Py_ssize_t[::1] index,
                          double[::1] r, double[::1] w, const double[::1] norms, const double[::1] l1,
                          const double[::1] l2, bint positive, int max_sweeps, double tolerance):
    """`column_descent` on CSC columns minus an implicit √s·shift.

    r is the residual without the shift, b − Sw for the stored matrix S; what the shift adds to a
    correlation is total_weight·shiftⱼ·Σ shift·w, so that no column ever costs more than its non-zeros.
    """
    cdef Py_ssize_t i, j, k
    cdef int sweep
    cdef double old, new, delta, step, largest, correlation, shifted = 0.0
    with nogil:
        for j in range(w.shape[0]):
            shifted += shift[j] * w[j]
        for sweep in range(max_sweeps):
            largest = 0.0
            for i in range(index.shape[0]):
                j = index[i]
                if norms[j] <= 0.0:
                    continue
                old = w[j]
                correlation = total_weight * shift[j] * shifted
                for k in range(starts[j], starts[j + 1]):
                    correlation += data[k] * r[rows[k]]
                new = minimizer(correlation + norms[j] * old, norms[j] + l2[j], l1[j], positive)
                if new == old:
                    continue
                w[j] = new
                delta = old - new
                for k in range(starts[j], starts[j + 1]):
                    r[rows[k]] += delta * data[k]
                shifted -= delta * shift[j]
                step = fabs(delta) * sqrt(norms[j])
                if step > largest:
                    largest = step
            if largest <= tolerance:
                break
        else:
            sweep = max_sweeps - 1
    return sweep + 1
