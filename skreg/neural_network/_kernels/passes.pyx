# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The passes through K stacked networks, forward and backward.

Of K networks of layers units[0], …, units[L]; member k has the rows starts[k] to starts[k + 1] − 1 of all members'
rows, one member's after another. `parameters` and `gradient` hold the weights (K, out, in) of all layers one after
another, then the biases (K, out). `activations` holds the hidden layers one after another and the last layer behind
them, of each the members' blocks (units, rows of the member); `deltas` and `noise` are laid out like it. If the
members share their rows, `inputs` has them once, and the first layer is one matrix product.
"""

from cython cimport floating
from libc.math cimport tanh, tanhf
from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memset
from scipy.linalg.cython_blas cimport dgemm, sgemm

from skreg.neural_network._kernels.elementwise cimport drop_all, exponential

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


cdef inline floating sigmoid(floating a) noexcept nogil:
    cdef floating e = exponential(-a if a > 0 else a)
    return (1 if a > 0 else e) / (1 + e)


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
