# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What several loops do to one number, or to one run of them."""

from cython cimport floating
from libc.math cimport exp, expf
from libc.stdint cimport uint8_t


cdef inline floating exponential(floating a) noexcept nogil:
    return expf(a) if floating is float else exp(a)


cdef inline void drop_all(
    floating *h, const uint8_t *noise, Py_ssize_t n, int threshold, floating scale
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        h[i] = h[i] * scale if noise[i] >= threshold else <floating> 0
