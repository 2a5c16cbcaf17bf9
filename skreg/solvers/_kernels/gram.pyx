# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The exact minimiser on a Gram matrix: coordinate descent until the signs settle, then Newton steps on the
support with a Cholesky factor that follows the support, column in, column out.
"""

from libc.math cimport fabs, hypot, sqrt
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport daxpy, ddot, dtrmv, dtrsv
from scipy.linalg.cython_lapack cimport dpotrf

from skreg.solvers._kernels.coordinate cimport minimizer

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


cdef bint has_support(Problem *q) noexcept nogil:
    cdef int j
    for j in range(q.m):
        if q.w[j] != 0.0:
            return True
    return False


cdef int minimize(Problem *q, Factor *f, double tolerance, int max_iter) noexcept nogil:
    """To the minimiser on the working set; returns the sweeps and Newton steps made."""
    cdef int spent = 0, landed = 0, admitted
    if f.size == 0 and not (has_support(q) and rebuild(q, f)):
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
