"""What the pages show and a build makes: the explorers, and a picture of every Display and explorer.

The pictures are those that the tests take; those of explorers need Chromium and Playwright, and are left out
without.
"""

import sys
from importlib import import_module
from pathlib import Path

DOCS = Path(__file__).parents[1]
TESTS = DOCS.parent / "tests"

HEAD = """# Pictures

Every Display, of few features and of many, and every explorer, as the tests see them.

"""
EXPLORERS = """## Explorers

`skreg.explore("penalty")`, `"prior"` and `"dropout"`: one file each, which asks nothing of any network.
They are live in the chapters on [geometry](guide/geometry.md), [priors](guide/bayesian.md) and
[dropout](guide/dropout.md).

"""


def taken_by(folder, module):
    """Import a module of the tests."""
    sys.path.insert(0, str(TESTS / folder))
    return import_module(module)


def make(app):
    from skreg import explore

    pages = DOCS / "_static" / "explorers"
    pages.mkdir(parents=True, exist_ok=True)
    for name in ("penalty", "prior", "dropout"):
        explore(name).save(pages / f"{name}.html")

    shots = DOCS / "_static" / "pictures"
    shots.mkdir(exist_ok=True)
    scenes = taken_by("inspection", "scenes")
    text = [HEAD, "## Displays\n\n"]
    scenes.write(shots)
    for name in scenes.SCENES:
        text.append(f"### {name}\n\n")
        for file, what in ((f"{name}.png", "few features"), (f"{name}_many.png", "many")):
            text.append(f"![{name} of {what}](_static/pictures/{file})\n\n")
    browsing = taken_by("explorers", "browsing")
    try:
        import playwright  # noqa: F401
    except ImportError:
        browsing.CHROMIUM = None
    if browsing.CHROMIUM is not None:
        text.append(EXPLORERS)
        settings = {"widths": (1600,), "schemes": ("light",)}, {"widths": (360,), "schemes": ("dark",)}
        for setting in settings:
            for file in sorted(Path(path) for path in browsing.screenshots(shots, **setting)):
                text.append(f"![The explorer {file.stem}](_static/pictures/{file.name})\n\n")
    (DOCS / "pictures.md").write_text("".join(text))


def setup(app):
    app.connect("builder-inited", make, priority=100)  # before the sources are read
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
