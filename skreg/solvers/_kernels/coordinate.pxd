# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The step of one coordinate."""


cdef inline double minimizer(double z, double curvature, double l1, bint positive) noexcept nogil:
    """argmin over u of ½·curvature·u² − z·u + l1·|u|."""
    if z > l1:
        return (z - l1) / curvature
    if z < -l1 and not positive:
        return (z + l1) / curvature
    return 0.0
