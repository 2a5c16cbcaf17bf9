"""The data as far as a Gaussian likelihood sees them: sums that add, subtract and stream."""

from skreg.moments.moments import Moments

__all__ = ["Moments"]
