"""Many fits, one after another or at once, with a bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel

from skreg.execution.blas import one_blas_thread
from skreg.execution.tasks import calls

__all__ = ["run"]


def run(tasks: list[tuple[Any, ...]], n_jobs: int | None, progressbar: bool, unit: str) -> Iterator[Any]:
    """Call each task's function with the arguments after it and yield its value, in order.

    Parameters
    ----------
    tasks : list of tuple
        A function and its arguments each.
    n_jobs : int or None
        How many at once; joblib's meaning.
    progressbar : bool
        Whether to show how many have come.
    unit : str
        What the bar counts.
    """
    with one_blas_thread(), _progress(progressbar, unit, len(tasks)) as advance:
        if effective_n_jobs(n_jobs) == 1:
            values: Iterable[Any] = (function(*arguments) for function, *arguments in tasks)
        else:
            parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
            values = parallel(calls(tasks))
        for value in values:
            advance()
            yield value


@contextmanager
def _progress(shown: bool, unit: str, total: int) -> Iterator[Callable[[], None]]:
    """Give a function to call for each task that is done."""
    if not shown:
        yield lambda: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task(unit, total=total)
        yield lambda: progress.advance(task)
