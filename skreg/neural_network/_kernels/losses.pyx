# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The losses: each turns z into weight · ∂loss/∂z, and adds Σᵢ weight · loss to each member's.

z has the members' blocks (outputs, rows of the member); rows lie as in the passes.
"""

from cython cimport floating
from libc.math cimport exp, expf, log, log1p, log1pf, logf

from skreg.neural_network._kernels.elementwise cimport exponential


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
