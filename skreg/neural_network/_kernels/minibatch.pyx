# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A batch gathered: rows standardised, dropped and dealt to the members."""

from cpython.pycapsule cimport PyCapsule_GetPointer
from cython cimport floating
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memcpy

from skreg.neural_network._kernels.elementwise cimport drop_all

ctypedef fused given:  # the data's dtype, beside `floating`, that of training
    float
    double

cdef struct bitgen_t:
    # numpy/random/bitgen.h, written out so that no header of NumPy's is needed to build.
    void *state
    uint64_t (*next_uint64)(void *state) noexcept nogil


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
