"""Singular values, also where LAPACK's faster driver gives up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

__all__ = ["left_svd", "thin_svd"]

FloatArray = NDArray[np.float64]


def thin_svd(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Decompose into UΣVᵀ with as many values as the smaller side; returns U, Σ and Vᵀ.

    Divide and conquer does not converge for a few harmless matrices; the QR iteration then does.
    """
    try:
        return linalg.svd(matrix, full_matrices=False, check_finite=False)
    except linalg.LinAlgError:
        return linalg.svd(matrix, full_matrices=False, check_finite=False, lapack_driver="gesvd")


def left_svd(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Decompose a matrix of no fewer columns than rows, U and Σ only: by the triangle of its transpose."""
    (triangle,) = linalg.qr(matrix.T, mode="r", check_finite=False)
    left, values, _right = thin_svd(triangle[: matrix.shape[0]].T)
    return left, values
