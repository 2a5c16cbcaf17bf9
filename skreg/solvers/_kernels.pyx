# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled loops of the solvers, for ½‖b − Aw‖² + Σ l1ⱼ|wⱼ| + ½Σ l2ⱼwⱼ² with columns of norm about 1.

`minimize_on_gram` finds the exact minimiser on a Gram matrix: coordinate descent until the signs settle, then
Newton steps on the support with a Cholesky factor that follows the support, column in, column out.
`extend_gram` and `subtract_columns` work on A by blocks of rows that stay in cache, without forming it.
`column_descent` and `sparse_column_descent` sweep the columns themselves; `minimize_on_columns` finds the exact
minimiser on sparse columns, where their Gram matrix would cost more than they do. The other `sparse_…` loops
are products with a matrix D in CSC format, by its arrays.
"""

from libc.math cimport INFINITY, copysign, fabs, hypot, sqrt
from libc.string cimport memcpy, memset
from scipy.linalg.cython_blas cimport daxpy, ddot, dgemm, dsyrk, dtrmv, dtrsv
from scipy.linalg.cython_lapack cimport dpotrf

# A column whose part outside the span of the support is below this share of its norm² is collinear with it.
cdef double COLLINEAR = 1e-10
# Such a column's coefficients on the support below this (its own is 1) are rounding.
cdef double NEGLIGIBLE = 1e-7
# Parts of a Newton step that are tried, each half the one before.
cdef int FRACTIONS = 4
# On the way down, zero coefficients may want to leave zero by this part of their strength.
cdef double ROUGH = 1e-2
# Sweeps of coordinate descent before Newton's method takes over, if the signs have not settled before.
cdef int SWEEPS = 20
# A direction whose fit is below this share of its norm² is flat.
cdef double FLAT = 1e-14
# Conjugate gradients reduce the slope by this much at first, and give up after so many iterations.
cdef double REDUCTION = 1e-2
cdef int PATIENCE = 500


cdef inline double minimizer(double z, double curvature, double l1, bint positive) noexcept nogil:
    """argmin over u of ½·curvature·u² − z·u + l1·|u|."""
    if z > l1:
        return (z - l1) / curvature
    if z < -l1 and not positive:
        return (z + l1) / curvature
    return 0.0


cdef struct Problem:
    # The quadratic on the working set: gram is m rows of length `stride`, g = c − gram·w follows w.
    int m
    int stride
    double *gram
    double *g
    double *w
    const double *l1
    const double *l2
    bint positive


cdef struct Factor:
    # Upper R (column-major, leading dimension `stride`) with RᵀR = gram[F, F] + diag(l2[F]), F = columns[:size].
    int size
    int stride
    double *R
    int *columns
    int *position       # of each column of the working set in F; -1 outside, -2 excluded as redundant
    double *slope       # −∇E on F, in F's order
    double *step
    double *scratch
    # Between landings Newton's steps are kept apart, so that each costs |F|² and not |F|·m:
    double *local       # g of the columns in F, up to date; of the working set otherwise
    double *pending     # what has been added to w and not yet been taken from g
    bint apart          # whether there is anything pending


cdef inline bint is_smooth(Problem *q, int j) noexcept nogil:
    """Whether zero is no kink for coordinate j."""
    return q.l1[j] == 0.0 and not q.positive


cdef inline bint ends_at_zero(Problem *q, int j, double step) noexcept nogil:
    """Whether a step of a coefficient with a kink reaches it or, by rounding, passes it."""
    cdef double w = q.w[j], end = w + step
    return not is_smooth(q, j) and ((w > 0.0 and end <= 0.0) or (w < 0.0 and end >= 0.0))


cdef inline void shift_coordinate(Problem *q, int j, double delta) noexcept nogil:
    """w[j] += delta, and g with it."""
    cdef int one = 1
    cdef double change = -delta
    q.w[j] += delta
    daxpy(&q.m, &change, q.gram + <Py_ssize_t> j * q.stride, &one, q.g, &one)


cdef void correlate_afresh(Problem *q, const double *c) noexcept nogil:
    """g = c − Gw from the start, so that what earlier steps have rounded does not add up."""
    cdef int j, one = 1
    cdef double change
    for j in range(q.m):
        q.g[j] = c[j]
    for j in range(q.m):
        if q.w[j] != 0.0:
            change = -q.w[j]
            daxpy(&q.m, &change, q.gram + <Py_ssize_t> j * q.stride, &one, q.g, &one)


cdef bint has_other_l2(int m, const double *now, const double *before) noexcept nogil:
    cdef int j
    for j in range(m):
        if now[j] != before[j]:
            return True
    return False


cdef void forget(Problem *q, Factor *f) noexcept nogil:
    """Empty the factor: it is of another matrix, in which other columns may be redundant."""
    cdef int j
    for j in range(q.m):
        f.position[j] = -1
    f.size = 0


cdef inline double slope_at(Problem *q, int j) noexcept nogil:
    """−∂E/∂wⱼ on the orthant of the sign of wⱼ."""
    cdef double w = q.w[j]
    return q.g[j] - q.l2[j] * w - (q.l1[j] if w > 0.0 else (-q.l1[j] if w < 0.0 else 0.0))


cdef int sweep(Problem *q, int max_sweeps, int patience, double tolerance) noexcept nogil:
    """Coordinate descent until no sign has changed for `patience` sweeps; returns the sweeps made.

    A zero coefficient that wants to leave zero by no more than the tolerance stays.
    """
    cdef int s, j, settled = 0
    cdef bint changed
    cdef double old, new, diagonal
    for s in range(max_sweeps):
        changed = False
        for j in range(q.m):
            diagonal = q.gram[<Py_ssize_t> j * q.stride + j]
            if diagonal <= 0.0:
                continue
            old = q.w[j]
            if old == 0.0 and (q.g[j] if q.positive else fabs(q.g[j])) - q.l1[j] <= tolerance:
                continue
            new = minimizer(q.g[j] + diagonal * old, diagonal + q.l2[j], q.l1[j], q.positive)
            if new == old:
                continue
            if (new > 0.0) != (old > 0.0) or (new < 0.0) != (old < 0.0):
                changed = True
            shift_coordinate(q, j, new - old)
            q.w[j] = new
        settled = 0 if changed else settled + 1
        if settled >= patience:
            return s + 1
    return max_sweeps


cdef int admit_violators(Problem *q, double tolerance) noexcept nogil:
    """A coordinate step for each zero coefficient that wants to leave zero; returns how many there were."""
    cdef int j, admitted = 0
    cdef double pull, diagonal
    for j in range(q.m):
        if q.w[j] != 0.0:
            continue
        pull = (q.g[j] if q.positive else fabs(q.g[j])) - q.l1[j]
        if pull <= tolerance:
            continue
        diagonal = q.gram[<Py_ssize_t> j * q.stride + j]
        if diagonal <= 0.0:
            continue
        admitted += 1
        shift_coordinate(q, j, minimizer(q.g[j], diagonal + q.l2[j], q.l1[j], q.positive))
    return admitted


cdef void drop(Factor *f, int i) noexcept nogil:
    """Take the i-th column out of the factor: shift the rest left, rotate the bulge away.

    Column by column, so that memory is read in order: each takes the rotations of those before it, then adds
    the one that zeroes its own entry below the diagonal.
    """
    cdef int j, k
    cdef double above, below, norm
    cdef double *column
    cdef double *cosine = f.slope
    cdef double *sine = f.step
    f.position[f.columns[i]] = -1
    f.size -= 1
    for j in range(i, f.size):
        f.columns[j] = f.columns[j + 1]
        f.position[f.columns[j]] = j
        column = f.R + <Py_ssize_t> j * f.stride
        memcpy(column, column + f.stride, (j + 2) * sizeof(double))
        above = column[i]
        for k in range(i, j):
            below = column[k + 1]
            column[k] = cosine[k] * above + sine[k] * below
            above = cosine[k] * below - sine[k] * above
        below = column[j + 1]
        norm = hypot(above, below)
        cosine[j], sine[j] = (above / norm, below / norm) if norm > 0.0 else (1.0, 0.0)
        column[j] = norm


cdef void drop_zeros(Problem *q, Factor *f) noexcept nogil:
    """Take the columns whose coefficients are zero out of the factor."""
    cdef int i
    for i in range(f.size - 1, -1, -1):
        if q.w[f.columns[i]] == 0.0 and not is_smooth(q, f.columns[i]):
            drop(f, i)


cdef bint append(Problem *q, Factor *f, int j) noexcept nogil:
    """Put column j last into the factor; False if it is collinear with those there.

    Then the new column of R is left beyond the factor, for `slide`.
    """
    cdef int i, one = 1, size = f.size
    cdef double *column = f.R + <Py_ssize_t> size * f.stride
    cdef double *row = q.gram + <Py_ssize_t> j * q.stride
    cdef double whole = row[j] + q.l2[j], rest
    for i in range(size):
        column[i] = row[f.columns[i]]
    if size > 0:
        dtrsv('U', 'T', 'N', &size, f.R, &f.stride, column, &one)
    rest = whole - ddot(&size, column, &one, column, &one)
    if rest <= COLLINEAR * whole:
        return False
    column[size] = sqrt(rest)
    f.columns[size] = j
    f.position[j] = size
    f.size += 1
    return True


cdef void settle(Problem *q, Factor *f) noexcept nogil:
    """Bring g up to date with the steps kept apart."""
    cdef int j, one = 1
    cdef double change
    if not f.apart:
        return
    for j in range(q.m):
        if f.pending[j] != 0.0:
            change = -f.pending[j]
            f.pending[j] = 0.0
            daxpy(&q.m, &change, q.gram + <Py_ssize_t> j * q.stride, &one, q.g, &one)
    f.apart = False


cdef void slide(Problem *q, Factor *f, int j) noexcept nogil:
    """Column j is collinear with F: move along the flat direction, downhill, until a coefficient is zero.

    The fit does not change along it and the energy is linear up to the first kink. If no kink is met (only
    unpenalised columns take part), column j is redundant and is excluded.
    """
    cdef int i, k, one = 1, size = f.size, first = -1, other = -1
    cdef double downhill, t, best = -1.0, best_other = -1.0, value
    cdef double *direction = f.step
    cdef double *column = f.R + <Py_ssize_t> size * f.stride
    settle(q, f)
    for i in range(size):
        direction[i] = -column[i]
    if size > 0:
        dtrsv('U', 'N', 'N', &size, f.R, &f.stride, direction, &one)
    direction[size] = 1.0
    f.columns[size] = j
    downhill = 0.0
    for i in range(size + 1):
        downhill += direction[i] * slope_at(q, f.columns[i])
    if downhill < 0.0:
        for i in range(size + 1):
            direction[i] = -direction[i]
    for i in range(size + 1):
        k = f.columns[i]
        if is_smooth(q, k) or fabs(direction[i]) <= NEGLIGIBLE:
            continue
        t = -q.w[k] / direction[i]
        if t > 0.0 and (first < 0 or t < best):
            first, best = i, t
        if t < 0.0 and (other < 0 or -t < -best_other):
            other, best_other = i, t
    if first < 0:
        # Uphill is level too where the slope is nothing but rounding.
        first, best = other, best_other
    if first < 0:
        f.position[j] = -2
        return
    for i in range(size + 1):
        k = f.columns[i]
        value = best * direction[i]
        if i == first:
            shift_coordinate(q, k, -q.w[k])
            q.w[k] = 0.0
        elif ends_at_zero(q, k, value):  # a tie
            shift_coordinate(q, k, -q.w[k])
            q.w[k] = 0.0
        elif value != 0.0:
            shift_coordinate(q, k, value)
    if first < size:
        drop(f, first)


cdef bint rebuild(Problem *q, Factor *f) noexcept nogil:
    """Factorise the whole support at once; False if it is not clearly of full rank."""
    cdef int i, j, k, size = 0, info = 0
    cdef double *row
    for j in range(q.m):
        if f.position[j] == -2:
            continue
        if q.w[j] != 0.0 or is_smooth(q, j):
            if q.gram[<Py_ssize_t> j * q.stride + j] > 0.0:
                f.columns[size] = j
                f.position[j] = size
                size += 1
                continue
        f.position[j] = -1
    for i in range(size):
        row = q.gram + <Py_ssize_t> f.columns[i] * q.stride
        for k in range(i + 1):
            f.R[<Py_ssize_t> i * f.stride + k] = row[f.columns[k]]
        f.R[<Py_ssize_t> i * f.stride + i] += q.l2[f.columns[i]]
    if size > 0:
        dpotrf('U', &size, f.R, &f.stride, &info)
    f.size = size
    if info == 0:
        for i in range(size):
            j = f.columns[i]
            if f.R[<Py_ssize_t> i * (f.stride + 1)] ** 2 <= COLLINEAR * (
                q.gram[<Py_ssize_t> j * q.stride + j] + q.l2[j]
            ):
                info = i + 1
                break
    if info != 0:
        for i in range(size):
            f.position[f.columns[i]] = -1
        f.size = 0
        return False
    return True


cdef void follow_support(Problem *q, Factor *f) noexcept nogil:
    """Bring the factor to the present support: few changes one by one, many at once."""
    cdef int i, j, leaving = 0, entering = 0
    for i in range(f.size):
        j = f.columns[i]
        if q.w[j] == 0.0 and not is_smooth(q, j):
            leaving += 1
    for j in range(q.m):
        if f.position[j] == -1 and (q.w[j] != 0.0 or is_smooth(q, j)):
            if q.gram[<Py_ssize_t> j * q.stride + j] > 0.0:
                entering += 1
    # A blocked factorisation does many times the work of an update in the same time.
    if 3 * leaving + entering > 8 + f.size // 4 and rebuild(q, f):
        return
    drop_zeros(q, f)
    for j in range(q.m):
        while f.position[j] == -1 and (q.w[j] != 0.0 or is_smooth(q, j)):
            if q.gram[<Py_ssize_t> j * q.stride + j] <= 0.0:
                break
            if not append(q, f, j):
                slide(q, f, j)
    drop_zeros(q, f)  # those that a slide brought there


cdef bint newton(Problem *q, Factor *f) noexcept nogil:
    """One Newton step on the support; True if it landed on the minimiser of its orthant.

    Where the full step would cross a kink, the crossing coefficients stop at zero if the energy falls by that,
    or by part of the step; otherwise the step ends at the first zero on its way, up to which the energy is a
    falling quadratic.
    """
    cdef int i, j, one = 1, size = f.size, crossings = 0, first = -1, attempt
    cdef double t, nearest = 1.0, change = 0.0, fraction = 1.0
    if not f.apart:
        memcpy(f.local, q.g, q.m * sizeof(double))
        f.apart = True
    slope_on_support(q, f)
    memcpy(f.step, f.slope, size * sizeof(double))
    if size > 0:
        dtrsv('U', 'T', 'N', &size, f.R, &f.stride, f.step, &one)
        dtrsv('U', 'N', 'N', &size, f.R, &f.stride, f.step, &one)
    for i in range(size):
        j = f.columns[i]
        f.scratch[i] = f.step[i]
        if ends_at_zero(q, j, f.step[i]):
            crossings += 1
            t = -q.w[j] / f.step[i]
            if first < 0 or t < nearest:
                first, nearest = i, t
    if crossings > 0:
        for attempt in range(FRACTIONS):
            for i in range(size):
                j = f.columns[i]
                f.scratch[i] = fraction * f.step[i]
                if ends_at_zero(q, j, f.scratch[i]):
                    f.scratch[i] = -q.w[j]
            # ΔE of the clipped step δ is −slope·δ + ½ δᵀHδ: no kink is passed on the way.
            change = -ddot(&size, f.slope, &one, f.scratch, &one)
            apply_hessian(f)
            change += 0.5 * ddot(&size, f.slope, &one, f.scratch, &one)
            if change < 0.0:
                break
            slope_on_support(q, f)
            fraction *= 0.5
        else:
            for i in range(size):
                j = f.columns[i]
                f.scratch[i] = nearest * f.step[i]
                if i == first or ends_at_zero(q, j, f.scratch[i]):
                    f.scratch[i] = -q.w[j]
            apply_hessian(f)
    for i in range(size):
        j = f.columns[i]
        # A full step's Hessian product is the slope itself.
        f.local[j] -= f.slope[i] - q.l2[j] * f.scratch[i]
        f.pending[j] += f.scratch[i]
        if f.scratch[i] == -q.w[j]:
            q.w[j] = 0.0
        else:
            q.w[j] += f.scratch[i]
    return crossings == 0


cdef void slope_on_support(Problem *q, Factor *f) noexcept nogil:
    """slope = −∇E on the support, on its orthant."""
    cdef int i, j
    cdef double w
    for i in range(f.size):
        j = f.columns[i]
        w = q.w[j]
        f.slope[i] = f.local[j] - q.l2[j] * w - (q.l1[j] if w > 0.0 else (-q.l1[j] if w < 0.0 else 0.0))


cdef void apply_hessian(Factor *f) noexcept nogil:
    """slope = H·scratch, by the factor."""
    cdef int one = 1
    memcpy(f.slope, f.scratch, f.size * sizeof(double))
    dtrmv('U', 'N', 'N', &f.size, f.R, &f.stride, f.slope, &one)
    dtrmv('U', 'T', 'N', &f.size, f.R, &f.stride, f.slope, &one)


cdef int minimize(Problem *q, Factor *f, double tolerance, int max_iter) noexcept nogil:
    """To the minimiser on the working set; returns the sweeps and Newton steps made."""
    cdef int spent = 0, landed = 0, admitted
    if f.size == 0:
        spent = sweep(q, min(SWEEPS, max_iter), 2, tolerance)
    while spent < max_iter:
        follow_support(q, f)
        spent += 1
        if not newton(q, f):
            landed = 0
            continue
        landed += 1
        settle(q, f)
        admitted = admit_violators(q, tolerance)
        if admitted == 0:
            break
        if (admitted > 4 + f.size // 8 or landed % 50 == 0) and spent < max_iter:
            spent += sweep(q, min(SWEEPS, max_iter - spent), 2, tolerance)
    settle(q, f)
    return spent


def minimize_on_gram(double[:, ::1] gram, int m, double[::1] g, double[::1] w, const double[::1] l1,
                     const double[::1] l2, bint positive, const double[::1] levels, double tolerance,
                     int max_iter, int[::1] support, int size, double[::1, :] factor, double[::1] work):
    """Minimise over a working set of m columns in place: w, and g = c − Gw.

    On the way down to l1 the strengths go through its multiples `levels`, roughly. `support[:size]` and
    `factor` come from the call before (size 0 for none) and are left for the next; both have room for m
    columns, `support` for 2m entries, `work` for 6m numbers. Returns the sweeps and steps made and the size
    of the factor.
    """
    cdef Problem q = Problem(m, <int> gram.strides[0] // 8, &gram[0, 0], &g[0], &w[0], &l1[0], &l2[0], positive)
    cdef int capacity = <int> factor.strides[1] // 8, i, k, spent = 0
    cdef Factor f = Factor(size, capacity, &factor[0, 0], &support[0], &support[capacity], &work[0],
                           &work[capacity], &work[2 * capacity], &work[3 * capacity], &work[4 * capacity], False)
    cdef double *raised = &work[5 * capacity]
    cdef double largest
    with nogil:
        for i in range(m):
            f.position[i] = -1
            f.pending[i] = 0.0
        for i in range(size):
            f.position[f.columns[i]] = i
        q.l1 = raised
        for k in range(levels.shape[0]):
            largest = 0.0
            for i in range(m):
                raised[i] = levels[k] * l1[i]
                largest = max(largest, raised[i])
            spent += minimize(&q, &f, ROUGH * largest, max_iter - spent)
        q.l1 = &l1[0]
        spent += minimize(&q, &f, tolerance, max_iter - spent)
    return spent, f.size


def gram_path(double[:, ::1] gram, const double[::1] c, const double[:, ::1] l1, const double[:, ::1] l2,
              bint positive, double tolerance, int max_iter, double[:, ::1] coefs, int[::1] spent,
              double[::1] g, int[::1] support, double[::1, :] factor, double[::1] work):
    """`minimize_on_gram` for each row of strengths in turn, each from the solution before.

    coefs[0] is the start; row i of `coefs` and `spent` receives the solution of strengths l1[i], l2[i].
    """
    cdef int m = <int> c.shape[0], capacity = <int> factor.strides[1] // 8, i, j
    cdef Problem q = Problem(m, <int> gram.strides[0] // 8, &gram[0, 0], &g[0], &coefs[0, 0], &l1[0, 0],
                             &l2[0, 0], positive)
    cdef Factor f = Factor(0, capacity, &factor[0, 0], &support[0], &support[capacity], &work[0],
                           &work[capacity], &work[2 * capacity], &work[3 * capacity], &work[4 * capacity], False)
    with nogil:
        for j in range(m):
            f.position[j] = -1
            f.pending[j] = 0.0
        for i in range(coefs.shape[0]):
            q.l1, q.l2 = &l1[i, 0], &l2[i, 0]
            if i > 0:
                for j in range(m):
                    coefs[i, j] = coefs[i - 1, j]
            q.w = &coefs[i, 0]
            correlate_afresh(&q, &c[0])
            if i > 0 and has_other_l2(q.m, q.l2, &l2[i - 1, 0]):
                forget(&q, &f)
            spent[i] = minimize(&q, &f, tolerance, max_iter)


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
