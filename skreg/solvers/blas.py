"""One BLAS thread inside the solvers: on small factorisations two are many times slower than one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


@cache
def _controller() -> ThreadpoolController:
    # Finding the loaded libraries costs a millisecond, limiting them afterwards microseconds.
    return ThreadpoolController()


class _Limit:
    """The limit that is in force while at least one thread is inside `one_blas_thread`.

    BLAS has one number of threads for the whole process. If each Python thread restored the number that it
    found, one that came in second would restore the limit of the first, for good.
    """

    lock = threading.Lock()
    inside = 0
    limiter: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """A context in which BLAS uses one thread, whichever Python threads are in it at the same time."""
    with _Limit.lock:
        if _Limit.inside == 0:
            _Limit.limiter = _controller().limit(limits=1, user_api="blas")
        _Limit.inside += 1
    try:
        yield
    finally:
        with _Limit.lock:
            _Limit.inside -= 1
            if _Limit.inside == 0:
                _Limit.limiter.restore_original_limits()
