"""The explorers in Debian's Chromium: for the tests, and for pictures of them.

``python tests/explorers/browsing.py FOLDER`` writes the screenshots; `screenshots(folder)` does from Python.
"""

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path

from skreg import explore

NAMES = ("penalty", "prior", "dropout")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# What to click before a picture is taken.
SCENES = {
    "penalty": {"circle": [], "diamond": ["#diamond"]},
    "prior": {"one": [], "two": ["input[value='2']"], "net": ["input[value='2']", "input[value=net]"]},
    "dropout": {"one": [], "crowd": ["#many"]},
}


@contextmanager
def browser():
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    # Chromium will not run in its sandbox as root, which continuous integration is.
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def opened(chromium, file, *, width=720, height=900, scheme="light", motion="no-preference"):
    """A file in a browser without a network; afterwards it must have asked for and complained of nothing."""
    url = Path(file).as_uri()
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion=motion,
        has_touch=width < 600,
        offline=True,
    )
    try:
        page = context.new_page()
        page.set_default_timeout(10_000)
        problems = []
        page.on("request", lambda request: request.url == url or problems.append(f"asked for {request.url}"))
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"raised {error}"))
        page.goto(url)
        yield page
        assert not problems, problems
    finally:
        context.close()


def go_to(page, name, scene):
    """Click to where a scene is."""
    for click in SCENES[name][scene]:
        page.click(click)


def screenshots(folder, *, widths=(360, 1600), schemes=("light", "dark"), names=NAMES, chromium=None):
    """Write a picture of each scene of each explorer, NAME-SCENE-WIDTH-SCHEME.png; return their paths.

    By the browser that is given, or one of its own.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with tempfile.TemporaryDirectory() as pages, nullcontext(chromium) if chromium else browser() as chromium:
        for name in names:
            file = explore(name).save(Path(pages) / f"{name}.html")
            for scene in SCENES[name]:
                for width in widths:
                    for scheme in schemes:
                        with opened(chromium, file, width=width, scheme=scheme, motion="reduce") as page:
                            go_to(page, name, scene)
                            page.mouse.move(0, 0)
                            page.evaluate("scrollTo(0, 0)")
                            path = folder / f"{name}-{scene}-{width}-{scheme}.png"
                            page.screenshot(path=path, full_page=True)
                            paths.append(path)
    return paths


if __name__ == "__main__":
    print(*screenshots(sys.argv[1]), sep="\n")
