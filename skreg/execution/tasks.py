"""Tasks as joblib takes them, such that they run in another process, on another machine, as they do here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from numbers import Real
from types import FunctionType
from typing import Any

import numpy as np
from sklearn.utils.parallel import delayed

from skreg.execution.blas import one_blas_thread

__all__ = ["Task", "calls", "in_turn"]

# A function and the arguments to call it with. What it does to these is lost where they are copies in another
# process: whatever is to last, it returns.
Task = tuple[Any, ...]


def in_turn(tasks: list[Task]) -> list[Any]:
    """Call each task, and return their values."""
    return [function(*arguments) for function, *arguments in tasks]


def calls(tasks: list[Task]) -> list[Any]:
    """Turn tasks into what joblib's `Parallel` takes; what several of them share goes to a worker once."""
    count = Counter(id(argument) for task in tasks for argument in task[1:])
    shared: dict[int, _Shared] = {}

    def wrapped(argument: Any) -> Any:
        # Arrays joblib sees to by itself.
        small = argument is None or isinstance(argument, Real | str | FunctionType | np.ndarray)
        if small or count[id(argument)] == 1:
            return argument
        return shared.setdefault(id(argument), _Shared(argument))

    return [delayed(_call)(function, *map(wrapped, arguments)) for function, *arguments in tasks]


class _Shared:
    """What several tasks share; joblib's Dask backend sends it with each unless it is said to be large."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __sizeof__(self) -> int:
        return 2**20


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    # Another process has a BLAS of its own; in a thread of the caller it may be held already.
    with one_blas_thread():
        return function(*[part.value if isinstance(part, _Shared) else part for part in arguments])
