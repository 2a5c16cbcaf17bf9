"""One BLAS thread inside the solvers: on small factorisations two are many times slower than one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]

# Held by whoever has limited BLAS, until it restores what it found.
_limiting = threading.Lock()


@cache
def _controller() -> ThreadpoolController:
    # Finding the loaded libraries costs a millisecond, limiting them afterwards microseconds.
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread inside the context.

    BLAS has one number of threads for the whole process. Of several Python threads that are in here at once
    only one sets and restores it: if each restored what it found, the last would restore the first one's 1.
    """
    if not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _limiting.release()
