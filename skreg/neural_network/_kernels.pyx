# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The loops of training: a batch gathered, the passes through K stacked networks, the losses, the steps.

A member's activation has shape (units, rows): a contiguous block, and the innermost loop runs along the batch.
Everything is compiled, and not only what NumPy is slow at, for the sake of threads: between short
NumPy calls two of them spend longer waiting for the interpreter's lock than one needs for it all.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from cython cimport floating
from libc.math cimport exp, expf, log, log1p, log1pf, logf, sqrt, tanh, tanhf
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset
from scipy.linalg.cython_blas cimport dgemm, sgemm

ctypedef fused given:  # the data's dtype, beside `floating`, that of training
    float
    double

cdef struct bitgen_t:
    # numpy/random/bitgen.h, written out so that no header of NumPy's is needed to build.
    void *state
    uint64_t (*next_uint64)(void *state) noexcept nogil

# ------------------------------------------------------------------ the batch


def fill_bytes(bit_generator, uint8_t[::1] out):
    """Fill `out` with random bytes, eight from each 64-bit draw of NumPy's bit generator."""
    cdef bitgen_t *source = <bitgen_t *> PyCapsule_GetPointer(bit_generator.capsule, "BitGenerator")
    cdef Py_ssize_t i, n = out.shape[0], whole = n - n % 8
    cdef uint64_t draw
    if n == 0:
        return
    with bit_generator.lock, nogil:
        for i in range(0, whole, 8):
            draw = source.next_uint64(source.state)
            memcpy(&out[i], &draw, 8)
        if whole < n:
            draw = source.next_uint64(source.state)
            memcpy(&out[whole], &draw, n - whole)


def gather_rows(
    const given[:, ::1] X,
    const Py_ssize_t[::1] rows,
    const given[::1] mean,
    const given[::1] inverse_scale,
    floating[:, ::1] out,
):
    """out[i] = (X[rows[i]] − mean) · inverse_scale, rounded to the dtype of training last."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(rows.shape[0]):
            standardize(&X[rows[i], 0], &mean[0], &inverse_scale[0], &out[i, 0], X.shape[1])


cdef inline void standardize(
    const given *x, const given *mean, const given *inverse_scale, floating *out, Py_ssize_t p
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(p):
        out[j] = <floating> ((x[j] - mean[j]) * inverse_scale[j])


def gather_sparse_rows(
    const given[::1] data,
    const int32_t[::1] indices,
    const int32_t[::1] indptr,
    const Py_ssize_t[::1] rows,
    const given[::1] mean,
    const given[::1] inverse_scale,
    floating[:, ::1] out,
):
    """The same of a CSR matrix in canonical format."""
    cdef Py_ssize_t i, j, k
    with nogil:
        for i in range(rows.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] = <floating> (-mean[j] * inverse_scale[j])
            for k in range(indptr[rows[i]], indptr[rows[i] + 1]):
                j = indices[k]
                out[i, j] = <floating> ((data[k] - mean[j]) * inverse_scale[j])


def deal_rows(
    const Py_ssize_t[::1] rows,
    const Py_ssize_t[::1] labels,
    const floating[:, ::1] target,
    const floating[:, ::1] weight,
    const floating[:, ::1] shared,
    Py_ssize_t[::1] starts,
    floating[:, ::1] inputs_out,
    Py_ssize_t[::1] labels_out,
    floating[::1] target_out,
    floating[::1] weight_out,
):
    """Give each member those of the batch's rows that have weight for it, in `starts[k] : starts[k + 1]`.

    Weights are divided by the number of rows of the batch; targets lie in blocks (outputs, rows of the member). Of
    `labels` and `target` one is empty. If every member has every row, the inputs stay in `shared` alone.
    """
    cdef Py_ssize_t i, j, k, c, at, mine, n = rows.shape[0], p = shared.shape[1]
    cdef Py_ssize_t K = weight.shape[0], n_outputs = target.shape[0]
    cdef bint all_of_them
    cdef floating share = <floating> 1 / n
    with nogil:
        starts[0] = 0
        for k in range(K):
            mine = 0
            for i in range(n):
                mine += weight[k, rows[i]] > 0
            starts[k + 1] = starts[k] + mine
        all_of_them = starts[K] == K * n
        for k in range(K):
            at, mine = starts[k], starts[k + 1] - starts[k]
            j = 0
            for i in range(n):
                if not weight[k, rows[i]] > 0:
                    continue
                weight_out[at + j] = weight[k, rows[i]] * share
                if labels.shape[0]:
                    labels_out[at + j] = labels[rows[i]]
                for c in range(n_outputs):
                    target_out[n_outputs * at + c * mine + j] = target[c, rows[i]]
                if not all_of_them:
                    memcpy(&inputs_out[at + j, 0], &shared[i, 0], p * sizeof(floating))
                j += 1


def drop(floating[::1] values, const uint8_t[::1] noise, int threshold, floating scale):
    """Inverted dropout: values · scale where the byte is at least the threshold, 0 elsewhere."""
    with nogil:
        drop_all(&values[0], &noise[0], values.shape[0], threshold, scale)


cdef inline void drop_all(
    floating *h, const uint8_t *noise, Py_ssize_t n, int threshold, floating scale
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        h[i] = h[i] * scale if noise[i] >= threshold else <floating> 0


# ------------------------------------------------------------------ the passes
# Of K networks of layers units[0], …, units[L]; member k has the rows starts[k] to starts[k + 1] − 1 of all members'
# rows, one member's after another. `parameters` and `gradient` hold the weights (K, out, in) of all layers one after
# another, then the biases (K, out). `activations` holds the hidden layers one after another and the last layer behind
# them, of each the members' blocks (units, rows of the member); `deltas` and `noise` are laid out like it. If the
# members share their rows, `inputs` has them once, and the first layer is one matrix product.

cdef enum:
    RELU = 0
    TANH = 1
    LOGISTIC = 2


cdef inline void multiply(
    char *transpose_a, char *transpose_b, int m, int n, int k, const floating *A, const floating *B, floating *C
) noexcept nogil:
    """C (m, n) = A (m, k) · B (k, n), each in C order; a transposed factor is stored (k, m) or (n, k)."""
    cdef floating one = 1, zero = 0
    cdef int lda = k if transpose_a[0] == c"N" else m
    cdef int ldb = n if transpose_b[0] == c"N" else k
    # BLAS thinks in Fortran order, in which these are Cᵀ = Bᵀ Aᵀ.
    if floating is float:
        sgemm(transpose_b, transpose_a, &n, &m, &k, &one, <float *> B, &ldb, <float *> A, &lda, &zero, C, &n)
    else:
        dgemm(transpose_b, transpose_a, &n, &m, &k, &one, <double *> B, &ldb, <double *> A, &lda, &zero, C, &n)


def forward(
    const Py_ssize_t[::1] units,
    const Py_ssize_t[::1] starts,
    bint shared,
    int activation,
    const floating[::1] parameters,
    const floating[:, ::1] inputs,
    const uint8_t[::1] noise,
    const int32_t[::1] thresholds,
    const double[::1] scales,
    floating[::1] activations,
):
    """Fill `activations`. A threshold of 0 is no dropout of that layer."""
    cdef Py_ssize_t layer, u, k, b, at, n_in, n_out, last = units.shape[0] - 2, K = starts.shape[0] - 1
    cdef const floating *weight = &parameters[0]
    cdef const floating *bias = weight
    cdef const floating *below = &inputs[0, 0]
    cdef const uint8_t *bytes = NULL
    cdef floating *h = &activations[0]
    for layer in range(last + 1):
        bias += K * units[layer] * units[layer + 1]
    with nogil:
        for layer in range(last + 1):
            n_in, n_out = units[layer], units[layer + 1]
            if layer == 0 and shared:
                multiply(b"N", b"T", K * n_out, starts[1], n_in, weight, below, h)
            for k in range(K):
                at, b = starts[k], starts[k + 1] - starts[k]
                if b == 0:
                    continue
                if layer == 0 and not shared:
                    multiply(
                        b"N", b"T", n_out, b, n_in, weight + k * n_out * n_in, below + at * n_in, h + at * n_out
                    )
                elif layer > 0:
                    multiply(
                        b"N", b"N", n_out, b, n_in, weight + k * n_out * n_in, below + at * n_in, h + at * n_out
                    )
                if layer < last and thresholds[layer]:
                    bytes = &noise[h - &activations[0]] + at * n_out
                for u in range(n_out):
                    if layer == last:
                        add_bias(h + at * n_out + u * b, b, bias[k * n_out + u])
                    else:
                        activate(
                            h + at * n_out + u * b, b, bias[k * n_out + u], activation,
                            bytes + u * b, thresholds[layer], <floating> scales[layer],
                        )
            weight += K * n_out * n_in
            bias += K * n_out
            below = h
            h += starts[K] * n_out


cdef inline void add_bias(floating *h, Py_ssize_t b, floating bias) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(b):
        h[i] += bias


cdef inline void activate(
    floating *h, Py_ssize_t b, floating bias, int activation, const uint8_t *bytes, int threshold, floating scale
) noexcept nogil:
    """One unit's activations, under dropout if there is a threshold. NaN stays, so that the loss shows it."""
    cdef Py_ssize_t i
    cdef floating a
    if activation == RELU and threshold:
        for i in range(b):
            a = h[i] + bias
            a = <floating> 0 if a < 0 else a
            h[i] = a * scale if bytes[i] >= threshold else <floating> 0
        return
    if activation == RELU:
        for i in range(b):
            a = h[i] + bias
            h[i] = <floating> 0 if a < 0 else a
        return
    add_bias(h, b, bias)
    if activation == TANH:
        for i in range(b):
            h[i] = tanhf(h[i]) if floating is float else tanh(h[i])
    elif activation == LOGISTIC:
        for i in range(b):
            h[i] = sigmoid(h[i])
    if threshold:
        drop_all(h, bytes, b, threshold, scale)


cdef inline floating sigmoid(floating a) noexcept nogil:
    cdef floating e = exponential(-a if a > 0 else a)
    return (1 if a > 0 else e) / (1 + e)


cdef inline floating exponential(floating a) noexcept nogil:
    return expf(a) if floating is float else exp(a)


def backward(
    const Py_ssize_t[::1] units,
    const Py_ssize_t[::1] starts,
    bint shared,
    int activation,
    const floating[::1] parameters,
    const floating[:, ::1] inputs,
    const uint8_t[::1] noise,
    const int32_t[::1] thresholds,
    const double[::1] scales,
    floating[::1] activations,
    floating[::1] deltas,
    floating[::1] gradient,
):
    """From the loss's derivative, in the last layer of `activations`, fill `gradient`; uses the others up."""
    cdef Py_ssize_t layer, u, k, b, n_in, n_out, last = units.shape[0] - 2, K = starts.shape[0] - 1
    cdef Py_ssize_t at, at_weight = 0, at_bias = parameters.shape[0], at_layer = 0, at_below
    cdef floating *delta
    for layer in range(last + 1):
        at_weight += K * units[layer] * units[layer + 1]
        at_layer += starts[K] * units[layer + 1]
    with nogil:
        for layer in range(last, -1, -1):
            n_in, n_out = units[layer], units[layer + 1]
            at_weight -= K * n_out * n_in
            at_bias -= K * n_out
            at_layer -= starts[K] * n_out
            at_below = at_layer - starts[K] * n_in  # of no meaning below the first layer
            delta = &activations[at_layer] if layer == last else &deltas[at_layer]
            if layer == 0 and shared:
                multiply(
                    b"N", b"N", K * n_out, n_in, starts[1], delta, &inputs[0, 0], &gradient[at_weight]
                )
            for k in range(K):
                at, b = starts[k], starts[k + 1] - starts[k]
                for u in range(n_out):
                    gradient[at_bias + k * n_out + u] = row_sum(delta + at * n_out + u * b, b)
                if b == 0:
                    memset(&gradient[at_weight + k * n_out * n_in], 0, n_out * n_in * sizeof(floating))
                elif layer == 0 and not shared:
                    multiply(
                        b"N", b"N", n_out, n_in, b,
                        delta + at * n_out, &inputs[at, 0], &gradient[at_weight + k * n_out * n_in],
                    )
                elif layer > 0:
                    multiply(
                        b"N", b"T", n_out, n_in, b,
                        delta + at * n_out, &activations[at_below] + at * n_in,
                        &gradient[at_weight + k * n_out * n_in],
                    )
                    multiply(
                        b"T", b"N", n_in, b, n_out,
                        &parameters[at_weight + k * n_out * n_in], delta + at * n_out,
                        &deltas[at_below] + at * n_in,
                    )
            if layer > 0:
                slope(
                    &deltas[at_below], &activations[at_below], starts[K] * n_in, activation,
                    &noise[at_below] if thresholds[layer - 1] else NULL,
                    thresholds[layer - 1], <floating> scales[layer - 1],
                )


cdef inline void slope(
    floating *delta, const floating *h, Py_ssize_t n, int activation, const uint8_t *bytes, int threshold, floating scale
) noexcept nogil:
    """delta · the derivative of h = activation · scale at what was kept, told from h itself."""
    cdef Py_ssize_t i
    cdef floating a, inverse = 1 / scale
    if activation == RELU:
        for i in range(n):
            a = delta[i] * scale
            delta[i] = a if h[i] != 0 else <floating> 0
        return
    if activation == TANH:
        for i in range(n):
            a = h[i] * inverse
            delta[i] *= 1 - a * a
    elif activation == LOGISTIC:
        for i in range(n):
            a = h[i] * inverse
            delta[i] *= a * (1 - a)
    if threshold:
        drop_all(delta, bytes, n, threshold, scale)


cdef inline floating row_sum(const floating *x, Py_ssize_t n) noexcept nogil:
    # Eight partial sums, for the compiler may not reorder a single one.
    cdef floating s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0
    cdef Py_ssize_t i, whole = n - n % 8
    for i in range(0, whole, 8):
        s0 += x[i]
        s1 += x[i + 1]
        s2 += x[i + 2]
        s3 += x[i + 3]
        s4 += x[i + 4]
        s5 += x[i + 5]
        s6 += x[i + 6]
        s7 += x[i + 7]
    for i in range(whole, n):
        s0 += x[i]
    return ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))


# ------------------------------------------------------------------ losses
# Each turns z, the members' blocks (outputs, rows of the member), into weight · ∂loss/∂z, and adds Σᵢ weight · loss to
# each member's. Rows lie as in the passes.


def shift_logits(
    floating[::1] z,
    const Py_ssize_t[::1] starts,
    const Py_ssize_t[::1] labels,
    const floating[::1] weight,
    floating[::1] scratch,
    double[::1] loss,
):
    """z ← z − max over the classes, and its part of the cross-entropy. `scratch` has the rows of the batch."""
    cdef Py_ssize_t k, c, i, at, n, K = starts.shape[0] - 1
    cdef Py_ssize_t n_classes = z.shape[0] // max(starts[K], 1)
    cdef floating *top = &scratch[0]
    cdef floating *block
    with nogil:
        for k in range(K):
            at, n = starts[k], starts[k + 1] - starts[k]
            block = &z[0] + at * n_classes
            for i in range(n):
                top[i] = block[i]
            for c in range(1, n_classes):
                for i in range(n):
                    top[i] = block[c * n + i] if block[c * n + i] > top[i] else top[i]
            for c in range(n_classes):
                for i in range(n):
                    block[c * n + i] -= top[i]
            for i in range(n):
                loss[k] -= weight[at + i] * block[labels[at + i] * n + i]


def softmax_loss(
    floating[::1] z,
    const Py_ssize_t[::1] starts,
    const Py_ssize_t[::1] labels,
    const floating[::1] weight,
    floating[::1] scratch,
    double[::1] loss,
):
    """From the exponentials of shifted logits: z ← weight · (softmax − one-hot), and the rest of the loss."""
    cdef Py_ssize_t k, c, i, at, n, K = starts.shape[0] - 1
    cdef Py_ssize_t n_classes = z.shape[0] // max(starts[K], 1)
    cdef floating *total = &scratch[0]
    cdef floating *block
    with nogil:
        for k in range(K):
            at, n = starts[k], starts[k + 1] - starts[k]
            block = &z[0] + at * n_classes
            for i in range(n):
                total[i] = block[i]
            for c in range(1, n_classes):
                for i in range(n):
                    total[i] += block[c * n + i]
            for i in range(n):
                loss[k] += weight[at + i] * (logf(total[i]) if floating is float else log(total[i]))
                total[i] = weight[at + i] / total[i]
            for c in range(n_classes):
                for i in range(n):
                    block[c * n + i] *= total[i]
            for i in range(n):
                block[labels[at + i] * n + i] -= weight[at + i]


def logistic_loss(
    floating[::1] z,
    const Py_ssize_t[::1] starts,
    const floating[::1] target,
    const floating[::1] weight,
    double[::1] loss,
):
    """Cross-entropy of each output by itself; z ← weight · (sigmoid(z) − target). Targets lie as z does."""
    cdef Py_ssize_t k, i, j, n, K = starts.shape[0] - 1, n_outputs = z.shape[0] // max(starts[K], 1)
    cdef floating a, e, tail, w
    with nogil:
        for k in range(K):
            n = starts[k + 1] - starts[k]
            for i in range(n_outputs * n):
                j = starts[k] * n_outputs + i
                w = weight[starts[k] + i % n]
                a = z[j]
                e = exponential(-a if a > 0 else a)
                tail = log1pf(e) if floating is float else log1p(e)
                loss[k] += w * (tail + (a if a > 0 else 0) - target[j] * a)
                z[j] = w * ((1 if a > 0 else e) / (1 + e) - target[j])


def squared_loss(
    floating[::1] z,
    const Py_ssize_t[::1] starts,
    const floating[::1] target,
    const floating[::1] weight,
    double[::1] loss,
):
    """Half the squared error, summed over the outputs; z ← weight · (z − target). Targets lie as z does."""
    cdef Py_ssize_t k, i, j, n, K = starts.shape[0] - 1, n_outputs = z.shape[0] // max(starts[K], 1)
    cdef floating r, w
    with nogil:
        for k in range(K):
            n = starts[k + 1] - starts[k]
            for i in range(n_outputs * n):
                j = starts[k] * n_outputs + i
                w = weight[starts[k] + i % n]
                r = z[j] - target[j]
                loss[k] += 0.5 * w * r * r
                z[j] = w * r


# ------------------------------------------------------------------ steps


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
