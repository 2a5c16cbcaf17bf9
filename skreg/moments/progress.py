"""A pass over chunks, told to scikit-learn's callbacks as a fit is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks

__all__ = ["Report", "reported"]

# A context for each chunk, at whose beginning and end callbacks are told.
Report = Callable[[], AbstractContextManager[Any]]
Result = TypeVar("Result")


def reported(gather: Callable[[Report], Result], chunks: Any, callbacks: Sequence[Any]) -> Result:
    """Call a function that goes through chunks, and tell callbacks of its progress.

    Parameters
    ----------
    gather : callable
        Takes the context in which to treat each chunk.
    chunks : iterable
        If it has a length, callbacks are told of it.
    callbacks : sequence of callbacks
        Of scikit-learn's protocol, such as `sklearn.callback.ProgressBar()`.

    Returns
    -------
    object
        What the function returns.
    """
    if not callbacks:
        return gather(nullcontext)
    total = len(chunks) if hasattr(chunks, "__len__") else None
    return _Pass().set_callbacks(*callbacks).run(gather, total)


class _Pass(CallbackSupportMixin, BaseEstimator):
    """What callbacks are told is being fitted."""

    @with_callbacks
    def run(self, gather: Callable[[Report], Any], total: int | None) -> Any:
        context = self._init_callback_context(task_name="from_chunks", max_subtasks=total)
        context.call_on_fit_task_begin(estimator=self)

        @contextmanager
        def report() -> Iterator[None]:
            part = context.subcontext(task_name="chunk")
            part.call_on_fit_task_begin(estimator=self)
            yield
            part.call_on_fit_task_end(estimator=self)

        result = gather(report)
        context.call_on_fit_task_end(estimator=self)
        return result


_Pass.__name__ = "Moments"  # as it is shown
