"""Pages to play with offline: the penalty's geometry, the prior's pull, the thinned networks of dropout."""

from skreg.explorers.explorer import Explorer, explore

__all__ = ["Explorer", "explore"]
