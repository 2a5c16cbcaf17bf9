# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Products with a matrix in CSC format by its arrays, and the minimiser on some of its columns, where their Gram
matrix would cost more than they do.
"""

from libc.math cimport INFINITY, fabs, sqrt
from libc.string cimport memset

from skreg.solvers._kernels.coordinate cimport minimizer

# Sweeps of coordinate descent before conjugate gradients, if the signs have not settled before.
cdef int SWEEPS = 20
# A direction whose fit is below this share of its norm² is flat.
cdef double FLAT = 1e-14
# Conjugate gradients reduce the slope by this much at first, and give up after so many iterations.
cdef double REDUCTION = 1e-2
cdef int PATIENCE = 500


ctypedef fused integer:
    # SciPy's two kinds of indices.
    int
    long long


cdef inline double gather(const double *data, const integer *rows, Py_ssize_t size, const double *r) noexcept nogil:
    """Σ dataₖ r[rowsₖ], in four sums, so that no addition waits for the one before."""
    cdef Py_ssize_t k = 0
    cdef double first = 0.0, second = 0.0, third = 0.0, fourth = 0.0
    while k + 4 <= size:
        first += data[k] * r[rows[k]]
        second += data[k + 1] * r[rows[k + 1]]
        third += data[k + 2] * r[rows[k + 2]]
        fourth += data[k + 3] * r[rows[k + 3]]
        k += 4
    while k < size:
        first += data[k] * r[rows[k]]
        k += 1
    return (first + second) + (third + fourth)


cdef inline void scatter(double factor, const double *data, const integer *rows, Py_ssize_t size,
                         double *r) noexcept nogil:
    """r[rowsₖ] += factor·dataₖ."""
    cdef Py_ssize_t k
    for k in range(size):
        r[rows[k]] += factor * data[k]


def sparse_moments(const double[::1] data, const integer[::1] rows, const integer[::1] starts,
                   const double[::1] u, const double[::1] r, double[::1] sums, double[::1] squares,
                   double[::1] products):
    """uᵀD, the squared norms of D's columns and Dᵀr in one pass; False if some column's rows do not ascend.

    An empty u stands for ones.
    """
    cdef Py_ssize_t j, k
    cdef bint ascending = True, weighted = u.shape[0] > 0
    cdef double total, square, product
    cdef integer last
    with nogil:
        for j in range(starts.shape[0] - 1):
            total = square = product = 0.0
            last = -1
            for k in range(starts[j], starts[j + 1]):
                ascending &= rows[k] > last
                last = rows[k]
                total += data[k] * u[rows[k]] if weighted else data[k]
                square += data[k] * data[k]
                product += data[k] * r[rows[k]]
            sums[j], squares[j], products[j] = total, square, product
    return ascending


def sparse_has_duplicates(const integer[::1] rows, const integer[::1] starts, Py_ssize_t[::1] seen):
    """Whether a column has a row twice. `seen` has room for every row, and holds −1."""
    cdef Py_ssize_t j, k
    with nogil:
        for j in range(starts.shape[0] - 1):
            for k in range(starts[j], starts[j + 1]):
                if seen[rows[k]] == j:
                    with gil:
                        return True
                seen[rows[k]] = j
    return False


def sparse_product(const double[::1] data, const integer[::1] rows, const integer[::1] starts,
                   const Py_ssize_t[::1] index, const double[::1] w, double[::1] out):
    """out += D[:, index]w, at the cost of the columns whose coefficients are not zero."""
    cdef Py_ssize_t i, j
    with nogil:
        for i in range(index.shape[0]):
            j = index[i]
            if w[i] != 0.0 and starts[j] < starts[j + 1]:
                scatter(w[i], &data[starts[j]], &rows[starts[j]], starts[j + 1] - starts[j], &out[0])


def sparse_adjoint(const double[::1] data, const integer[::1] rows, const integer[::1] starts,
                   const double[::1] r, double[::1] out):
    """out = Dᵀr."""
    cdef Py_ssize_t j
    with nogil:
        for j in range(out.shape[0]):
            out[j] = 0.0
            if starts[j] < starts[j + 1]:
                out[j] = gather(&data[starts[j]], &rows[starts[j]], starts[j + 1] - starts[j], &r[0])


def sparse_gram(const double[::1] data, const integer[::1] rows, const integer[::1] starts,
                const Py_ssize_t[::1] left, const Py_ssize_t[::1] right, Py_ssize_t[::1] ends,
                Py_ssize_t[::1] columns, double[::1] values, double[:, ::1] out):
    """out += (D[:, left]ᵀ D[:, right])ᵀ, entry by entry of D[:, right], each times its row of D[:, left].

    `ends`, zeros for every row and one more, `columns` and `values` are room for those rows.
    """
    cdef Py_ssize_t i, j, k, n = ends.shape[0] - 1
    cdef Py_ssize_t row
    cdef double value
    with nogil:
        for i in range(left.shape[0]):
            for k in range(starts[left[i]], starts[left[i] + 1]):
                ends[rows[k] + 1] += 1
        for row in range(n):
            ends[row + 1] += ends[row]
        # Filled from the back, each row's end comes to be its start.
        for i in range(left.shape[0] - 1, -1, -1):
            for k in range(starts[left[i]], starts[left[i] + 1]):
                row = rows[k] + 1
                ends[row] -= 1
                columns[ends[row]] = i
                values[ends[row]] = data[k]
        for i in range(right.shape[0]):
            for k in range(starts[right[i]], starts[right[i] + 1]):
                value, row = data[k], rows[k]
                for j in range(ends[row + 1], ends[row + 2] if row + 2 <= n else values.shape[0]):
                    out[i, columns[j]] += value * values[j]


def sparse_column_descent(const double[::1] data, const integer[::1] rows, const integer[::1] starts,
                          const double[::1] scale, const double[::1] shift, double total_weight,
                          const Py_ssize_t[::1] index, double[::1] r, double[::1] w,
                          const double[::1] norms, const double[::1] l1, const double[::1] l2,
                          bint positive, int max_sweeps, double tolerance):
    """`column_descent` on CSC columns, scaled, minus an implicit √s·shift.

    r is the residual without the shift, b − Sw for the stored and scaled matrix S; what the shift adds to a
    correlation is total_weight·shiftⱼ·Σ shift·w, so that no column ever costs more than its non-zeros.
    """
    cdef Py_ssize_t i, j, size
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
                size = starts[j + 1] - starts[j]
                old = w[j]
                correlation = total_weight * shift[j] * shifted
                correlation += scale[j] * gather(&data[starts[j]], &rows[starts[j]], size, &r[0])
                new = minimizer(correlation + norms[j] * old, norms[j] + l2[j], l1[j], positive)
                if new == old:
                    continue
                w[j] = new
                delta = old - new
                scatter(delta * scale[j], &data[starts[j]], &rows[starts[j]], size, &r[0])
                shifted -= delta * shift[j]
                step = fabs(delta) * sqrt(norms[j])
                if step > largest:
                    largest = step
            if largest <= tolerance:
                break
        else:
            sweep = max_sweeps - 1
    return sweep + 1


cdef struct Columns:
    # A working set of m scaled sparse columns S − u·shiftᵀ, uᵀu = total_weight; r = b − Sw and
    # shifted = Σ shift·w follow w.
    int m
    Py_ssize_t n
    const double *data
    const int *rows
    const Py_ssize_t *starts
    const double *shift
    const double *norms
    const double *l1
    const double *l2
    double *w
    double *r
    double shifted
    double total_weight
    bint positive


cdef inline bint has_kink(Columns *c, int j) noexcept nogil:
    return c.l1[j] != 0.0 or c.positive


cdef inline double correlate(Columns *c, int j) noexcept nogil:
    """Aⱼᵀ(b − Aw)."""
    cdef Py_ssize_t k = c.starts[j]
    return gather(c.data + k, c.rows + k, c.starts[j + 1] - k, c.r) + c.total_weight * c.shift[j] * c.shifted


cdef inline void move(Columns *c, int j, double delta) noexcept nogil:
    """Take what w[j] has gained into the residual."""
    cdef Py_ssize_t k = c.starts[j]
    scatter(-delta, c.data + k, c.rows + k, c.starts[j + 1] - k, c.r)
    c.shifted += delta * c.shift[j]


cdef inline double pulled(Columns *c, int j, double g) noexcept nogil:
    """−∂E/∂wⱼ on the orthant of the sign of wⱼ."""
    cdef double w = c.w[j]
    return g - c.l2[j] * w - (c.l1[j] if w > 0.0 else (-c.l1[j] if w < 0.0 else 0.0))


cdef double sweep_columns(Columns *c, bint only_support, int *changes) noexcept nogil:
    """One sweep of coordinate descent; returns the largest violation met, and how many signs have changed."""
    cdef int j
    cdef double old, new, g, violation, largest = 0.0
    changes[0] = 0
    for j in range(c.m):
        old = c.w[j]
        if c.norms[j] <= 0.0 or (only_support and old == 0.0 and has_kink(c, j)):
            continue
        g = correlate(c, j)
        if old == 0.0:
            violation = (g if c.positive else fabs(g)) - c.l1[j]
            if violation <= 0.0 and has_kink(c, j):
                continue
            violation = fabs(violation)
        else:
            violation = fabs(pulled(c, j, g))
        if violation > largest:
            largest = violation
        new = minimizer(g + c.norms[j] * old, c.norms[j] + c.l2[j], c.l1[j], c.positive)
        if (new > 0.0) != (old > 0.0) or (new < 0.0) != (old < 0.0):
            changes[0] += 1
        if new != old:
            c.w[j] = new
            move(c, j, new - old)
    return largest


cdef void multiply_hessian(Columns *c, const int *F, int size, const double *p, double *fit,
                           double *out) noexcept nogil:
    """out = (A_FᵀA_F + Λ₂)p, with n numbers of room in `fit`."""
    cdef int i, j
    cdef Py_ssize_t k
    cdef double shifted = 0.0
    memset(fit, 0, c.n * sizeof(double))
    for i in range(size):
        j = F[i]
        k = c.starts[j]
        scatter(p[i], c.data + k, c.rows + k, c.starts[j + 1] - k, fit)
        shifted += p[i] * c.shift[j]
    shifted *= c.total_weight
    for i in range(size):
        j = F[i]
        k = c.starts[j]
        out[i] = gather(c.data + k, c.rows + k, c.starts[j + 1] - k, fit) - shifted * c.shift[j] + c.l2[j] * p[i]


cdef bint conjugate_gradients(Columns *c, int *F, double target, int max_iter, double *fit,
                              double *work) noexcept nogil:
    """Newton's step on the support by conjugate gradients; True if it landed within its orthant.

    Where the step would cross kinks, the crossing coefficients stop at zero if the energy falls by that;
    otherwise the step ends at the first zero on its way.
    """
    cdef int i, j, iteration, first = -1, size = 0, crossings = 0
    cdef double *slope = work
    cdef double *left = work + c.m      # what is left of the slope after the step
    cdef double *p = work + 2 * c.m
    cdef double *Hp = work + 3 * c.m
    cdef double *step = work + 4 * c.m
    cdef double *diagonal = work + 5 * c.m
    cdef double rz = 0.0, last, curvature, size_of_p, t, largest, nearest, change
    cdef bint landed = False, flat = False
    for j in range(c.m):
        if c.norms[j] > 0.0 and (c.w[j] != 0.0 or not has_kink(c, j)):
            F[size] = j
            size += 1
    for i in range(size):
        j = F[i]
        slope[i] = left[i] = pulled(c, j, correlate(c, j))
        diagonal[i] = c.norms[j] + c.l2[j]
        p[i] = left[i] / diagonal[i]
        rz += left[i] * p[i]
        step[i] = 0.0
    for iteration in range(max_iter):
        if rz <= 0.0:
            landed = True
            break
        multiply_hessian(c, F, size, p, fit, Hp)
        curvature = size_of_p = largest = 0.0
        for i in range(size):
            curvature += p[i] * Hp[i]
            size_of_p += diagonal[i] * p[i] * p[i]
        if curvature <= FLAT * size_of_p:
            # The fit does not change along p and the energy falls: as far as the first kink, if any.
            if iteration == 0:
                flat = True
                for i in range(size):
                    step[i] = 1e300 * p[i] / sqrt(size_of_p)
            break
        t = rz / curvature
        last, rz = rz, 0.0
        for i in range(size):
            step[i] += t * p[i]
            left[i] -= t * Hp[i]
            rz += left[i] * left[i] / diagonal[i]
            largest = max(largest, fabs(left[i]))
        if largest <= target:
            landed = True
            break
        for i in range(size):
            p[i] = left[i] / diagonal[i] + (rz / last) * p[i]
    nearest = 1.0
    for i in range(size):
        j = F[i]
        p[i] = step[i]
        if has_kink(c, j) and c.w[j] * (c.w[j] + step[i]) <= 0.0:
            crossings += 1
            p[i] = -c.w[j]
            t = -c.w[j] / step[i]
            if first < 0 or t < nearest:
                first, nearest = i, t
    if crossings > 0:
        # ΔE of the clipped step δ is −slope·δ + ½ δᵀHδ: no kink is passed on the way.
        multiply_hessian(c, F, size, p, fit, Hp)
        change = 0.0
        for i in range(size):
            change += p[i] * (0.5 * Hp[i] - slope[i])
        if not change < 0.0:
            for i in range(size):
                p[i] = nearest * step[i]
                j = F[i]
                if i == first or (has_kink(c, j) and c.w[j] * (c.w[j] + p[i]) <= 0.0):
                    p[i] = -c.w[j]
    elif flat:  # without end
        return False
    for i in range(size):
        j = F[i]
        if p[i] == 0.0:
            continue
        move(c, j, p[i])
        c.w[j] = 0.0 if p[i] == -c.w[j] else c.w[j] + p[i]
    return landed and crossings == 0


def minimize_on_columns(const double[::1] data, const int[::1] rows, const Py_ssize_t[::1] starts,
                        const double[::1] shift, const double[::1] norms, double total_weight,
                        const double[::1] l1, const double[::1] l2, bint positive, double[::1] r,
                        double[::1] w, double tolerance, int max_iter, int[::1] support, double[::1] fit,
                        double[::1] work):
    """Minimise over m sparse columns in place: w, and r = b − Sw; stop at violations up to `tolerance`.

    Coordinate descent until the signs settle, then Newton's step on the support by conjugate gradients.
    `support` has room for m columns, `fit` for n numbers and `work` for 6m. Returns the sweeps and steps.
    """
    cdef int spent = 0, settled, changes, entered, tries, j, m = <int> w.shape[0]
    cdef double violation, target, last = INFINITY
    cdef Columns c = Columns(m, r.shape[0], &data[0], &rows[0], &starts[0], &shift[0], &norms[0], &l1[0],
                             &l2[0], &w[0], &r[0], 0.0, total_weight, positive)
    cdef bint landed = False, finishing = False
    with nogil:
        for j in range(m):
            c.shifted += shift[j] * w[j]
        while spent < max_iter:
            violation = sweep_columns(&c, False, &entered)
            spent += 1
            if violation <= tolerance:
                break
            if landed and entered == 0:
                if finishing and violation > 0.5 * last:
                    break  # what is left is rounding
                last, finishing, target = violation, True, 0.5 * tolerance
            else:
                last, finishing, settled, tries = INFINITY, False, 0, 0
                while settled < 2 and tries < SWEEPS and spent < max_iter:
                    violation = sweep_columns(&c, True, &changes)
                    settled = 0 if changes > 0 else settled + 1
                    tries += 1
                    spent += 1
                # A rough step does: other columns will enter or leave.
                target = max(0.5 * tolerance, REDUCTION * violation)
            if spent < max_iter:
                landed = conjugate_gradients(&c, &support[0], target, PATIENCE, &fit[0], &work[0])
                spent += 1
    return spent
