"""The built site, opened offline in Chromium: links, pictures, console, and no request to anywhere.

It is built by ``python -m sphinx -n -W docs docs/_build/html``; without it, or without a browser, these skip.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the documentation has not been built"),
]


@pytest.fixture(scope="module")
def site():
    """Every page of the site: its links, its anchors and what was wrong with it."""
    pytest.importorskip("playwright", reason="the site is opened by Playwright")
    import browsing

    if browsing.CHROMIUM is None:
        pytest.skip("the site is opened in Chromium, which is not installed")
    pages = {}
    with browsing.browser() as chromium:
        context = chromium.new_context(offline=True)
        page = context.new_page()
        for file in sorted(SITE.rglob("*.html")):
            if "_static" in file.relative_to(SITE).parts:
                continue
            problems = []
            watchers = {
                "request": lambda request, seen=problems: (
                    request.url.startswith(("file:", "data:", "blob:")) or seen.append(request.url)
                ),
                "requestfailed": lambda request, seen=problems: seen.append(f"failed: {request.url}"),
                "console": lambda message, seen=problems: (
                    message.type in ("log", "info") or seen.append(f"{message.type}: {message.text}")
                ),
                "pageerror": lambda error, seen=problems: seen.append(f"raised {error}"),
            }
            for event, watcher in watchers.items():
                page.on(event, watcher)
            page.goto(file.as_uri())
            found = page.evaluate(
                """() => ({
                    links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
                    anchors: [...document.querySelectorAll("[id]")].map((e) => e.id),
                    images: [...document.images]
                        .filter((image) => image.complete && !image.naturalWidth)
                        .map((image) => image.src),
                })"""
            )
            for event, watcher in watchers.items():
                page.remove_listener(event, watcher)
            pages[file.resolve()] = {**found, "problems": problems}
    return pages


def test_no_page_asks_the_network_or_complains(site):
    assert len(site) > 80
    assert {str(file): page["problems"] for file, page in site.items() if page["problems"]} == {}


def test_no_picture_is_missing(site):
    assert {str(file): page["images"] for file, page in site.items() if page["images"]} == {}


def test_no_link_within_the_site_is_broken(site):
    broken = set()
    for file, page in site.items():
        for link in page["links"]:
            parts = urlsplit(link)
            if parts.scheme != "file":
                continue
            target = Path(unquote(parts.path)).resolve()
            if not target.exists():
                broken.add((file.name, link))
            elif parts.fragment and target in site and parts.fragment not in site[target]["anchors"]:
                broken.add((file.name, link))
    assert not broken


def test_the_explorers_are_alive_in_their_chapters(site):
    import browsing

    with browsing.browser() as chromium:
        page = chromium.new_context(offline=True).new_page()
        for chapter in ("geometry", "bayesian", "dropout"):
            page.goto((SITE / "guide" / f"{chapter}.html").as_uri())
            frame = page.frame_locator("iframe").first
            frame.locator("svg").first.wait_for(timeout=10_000)


@pytest.mark.parametrize("width", [400, 1280, 1600])
def test_explorers_and_formulas_are_whole_at_any_width(site, width):
    """A frame scrolls nothing away inside of it; a formula too wide can be scrolled to its beginning."""
    import browsing

    with browsing.browser() as chromium:
        context = chromium.new_context(offline=True, viewport={"width": width, "height": 900})
        page = context.new_page()
        for chapter, explorer in {"geometry": "penalty", "bayesian": "prior", "dropout": "dropout"}.items():
            page.goto((SITE / "guide" / f"{chapter}.html").as_uri())
            box = page.locator("iframe").first.bounding_box()
            cut_off = page.evaluate(
                """() => [...document.querySelectorAll("div.math")].filter(
                    (block) => block.firstElementChild.getBoundingClientRect().left
                        < block.getBoundingClientRect().left - 1).length"""
            )
            assert cut_off == 0, chapter
            alone = context.new_page()
            alone.set_viewport_size({"width": round(box["width"]), "height": round(box["height"])})
            alone.goto((SITE / "_static" / "explorers" / f"{explorer}.html").as_uri())
            for clicks in browsing.SCENES[explorer].values():
                for selector in clicks:
                    alone.click(selector)
                height = alone.evaluate("document.documentElement.scrollHeight")
                assert height <= box["height"], (explorer, clicks, height)
            alone.close()
