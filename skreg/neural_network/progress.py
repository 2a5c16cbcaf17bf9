"""Progress of training, as scikit-learn's callbacks take it."""

from __future__ import annotations

from typing import Any

__all__ = ["EpochReport"]


class EpochReport:
    """Tells scikit-learn's callbacks of every epoch."""

    def __init__(self, estimator: Any, context: Any) -> None:
        self._estimator, self._context = estimator, context

    def begin(self) -> None:
        """Say that an epoch begins."""
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator)

    def end(self) -> bool:
        """Say that it has ended, and hear whether training should."""
        return self._epoch.call_on_fit_task_end(estimator=self._estimator)
