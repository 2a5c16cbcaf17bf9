"""`explore`: a page of its own, put together from the files beside this one.

A page is plain HTML that names its style and its scripts; here those are written into it, and the constants
too, so that what comes out is one file that asks nothing of any network.
"""

from __future__ import annotations

import html
import json
import re
import tempfile
import webbrowser
from dataclasses import dataclass
from importlib.resources import files
from os import PathLike
from pathlib import Path

from skreg.explorers.constants import constants_of

__all__ = ["Explorer", "explore"]

# Each page with the height in pixels that it asks for where it is 720 wide.
_HEIGHTS = {"penalty": 900, "prior": 945, "dropout": 1320}


@dataclass(frozen=True, repr=False)
class Explorer:
    """An interactive page, which a notebook shows as it is.

    Parameters
    ----------
    name : str
        Which page.
    html : str
        All of it.
    height : int
        The pixels that it takes where it is 720 wide: the height for a frame.
    """

    name: str
    html: str
    height: int

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the page to one file.

        Parameters
        ----------
        path : str or path-like
            Where to; a file there is overwritten.

        Returns
        -------
        Path
            Of the file.
        """
        path = Path(path)
        path.write_text(self.html, encoding="utf-8")
        return path

    def open(self) -> Path:
        """Write the page to a temporary file and show it in the browser.

        Returns
        -------
        Path
            Of the file, for where there is no browser to show it.
        """
        folder = Path(tempfile.mkdtemp(prefix="skreg-"))
        path = self.save(folder / f"{self.name}.html")
        webbrowser.open(path.as_uri())
        return path

    def __repr__(self) -> str:
        return f"Explorer({self.name!r}): .open() shows it in the browser, .save(path) writes it"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" title="skreg: {self.name}" '
            f'style="width: 100%; height: {self.height}px; border: 0"></iframe>'
        )


def explore(name: str) -> Explorer:
    """Make an interactive page: the geometry of penalties, the pull of priors, or dropout.

    Parameters
    ----------
    name : {"penalty", "prior", "dropout"}
        - "penalty": where the contours of the squared error touch the ball of a penalty, while the
          least-squares solution is dragged, the contours are turned, and the circle is made a diamond.
        - "prior": prior, likelihood and posterior of one and of two coefficients, with mode, mean and median.
        - "dropout": a network of three hidden layers, thinned anew at each click, and the signal that is
          left.

    Returns
    -------
    Explorer
        ``explore(name).open()`` shows the page in the browser and ``.save(path)`` writes it, one file that
        works offline; a notebook shows it by itself.

    Raises
    ------
    ValueError
        If there is no such page.

    Examples
    --------
    >>> import skreg
    >>> skreg.explore("penalty")
    Explorer('penalty'): .open() shows it in the browser, .save(path) writes it
    """
    if name not in _HEIGHTS:
        raise ValueError(f"name must be one of {sorted(_HEIGHTS)}, got {name!r}.")
    page = _text(f"{name}.html")
    page = re.sub(r'<link rel="stylesheet" href="(\S+)">', _style, page)
    page = re.sub(r'<script src="(\S+)"></script>', _script, page)
    # "<" cannot end the element early when it is written as its escape.
    constants = json.dumps(constants_of(name), allow_nan=False).replace("<", "\\u003c")
    page = page.replace(_NO_CONSTANTS, _NO_CONSTANTS.replace("{}", constants))
    return Explorer(name, page, _HEIGHTS[name])


_NO_CONSTANTS = '<script type="application/json" id="constants">{}</script>'


def _text(file: str) -> str:
    return files(__package__).joinpath(file).read_text(encoding="utf-8")


def _style(link: re.Match[str]) -> str:
    return f"<style>\n{_text(link[1])}</style>"


def _script(link: re.Match[str]) -> str:
    return f"<script>\n{_text(link[1])}</script>"
