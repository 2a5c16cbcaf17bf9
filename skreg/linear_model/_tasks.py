"""Tasks of a fit: one after another or at once, each telling scikit-learn's callbacks of its progress."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

from joblib import effective_n_jobs
from sklearn.callback import CallbackContext
from sklearn.utils.parallel import Parallel

from skreg.execution.tasks import Task, calls, in_turn
from skreg.linear_model._base import check_number

__all__ = ["Task", "check_n_jobs", "in_turn", "reported", "tasks_at_once"]


def check_n_jobs(n_jobs) -> None:
    """Raise an error naming the parameter unless it is None or an integer other than 0."""
    if n_jobs is None:
        return
    check_number("n_jobs", n_jobs, low=-math.inf, kind=Integral)
    if n_jobs == 0:
        raise ValueError("n_jobs must be None or an integer other than 0, got 0.")


@contextmanager
def tasks_at_once(n_jobs) -> Iterator[Callable[[list[Task]], list[Any]]]:
    """Give a function that calls each task, so many at once, and returns their values in order."""
    if effective_n_jobs(n_jobs) == 1:  # joblib takes a millisecond to say so
        yield in_turn
        return
    with Parallel(n_jobs=n_jobs, prefer="threads") as parallel:  # one pool: its start and end take longest
        yield lambda tasks: parallel(calls(tasks))


def reported(context: CallbackContext, estimator, name: str, task: Task) -> Task:
    """Make a task tell the estimator's callbacks when it begins and when it has ended."""
    # Subtasks are numbered here, in the order of the list, not where they happen to run first.
    return _report, context.subcontext(task_name=name), estimator, *task


def _report(context: CallbackContext, estimator, function: Callable[..., Any], *arguments: Any) -> Any:
    context.call_on_fit_task_begin(estimator=estimator)
    value = function(*arguments)
    # A callback may ask to stop here; every fold and the fit of all rows have to be there.
    context.call_on_fit_task_end(estimator=estimator)
    return value
