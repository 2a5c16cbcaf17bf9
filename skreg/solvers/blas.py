"""One BLAS thread inside the solvers: on small factorisations two are many times slower than one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


@cache
def _controller() -> ThreadpoolController:
    # Finding the loaded libraries costs a millisecond, limiting them afterwards microseconds.
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager:
    """A context in which BLAS uses one thread.

    BLAS has one number of threads for the whole process: of several Python threads in here at once the first
    sets it and restores it (threadpoolctl 3.8 sees to that; before, the last one restored the first one's 1).
    """
    return _controller().limit(limits=1, user_api="blas")
