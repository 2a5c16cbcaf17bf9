"""One BLAS thread inside the solvers: on small factorisations two are many times slower than one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module

from threadpoolctl import LibController, ThreadpoolController

__all__ = ["one_blas_thread"]

# Held by whoever has limited BLAS, until it restores what it found.
_limiting = threading.Lock()


@cache
def _libraries() -> list[LibController]:
    # Finding the loaded libraries costs a millisecond, asking and limiting them afterwards microseconds.
    # NumPy and SciPy may each bring their own, which has to be loaded to be found.
    import_module("scipy.linalg")
    return ThreadpoolController().select(user_api="blas").lib_controllers


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
        found = [(library, library.get_num_threads()) for library in _libraries()]
        found = [(library, threads) for library, threads in found if threads != 1]
        for library, _threads in found:
            library.set_num_threads(1)
        try:
            yield
        finally:
            for library, threads in found:
                library.set_num_threads(threads)
    finally:
        _limiting.release()
