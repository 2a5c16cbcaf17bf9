"""`explore`: what it makes, where there is a browser and where there is none."""

import json
import re
import webbrowser
from html.parser import HTMLParser
from pathlib import Path

import browsing
import pytest

import skreg
from skreg.explorers import Explorer

every_page = pytest.mark.parametrize("name", browsing.NAMES)


class Elements(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@every_page
def test_a_page_is_one_file_that_names_no_other(name):
    page = skreg.explore(name).html
    for tag, attributes in Elements(page).found:
        assert tag not in {"link", "img", "iframe", "object"}
        assert not {"src", "href", "srcset"} & set(attributes), (tag, attributes)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", page)
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}


@every_page
def test_the_constants_in_a_page_are_python_s(name):
    page = skreg.explore(name).html
    written = re.search(r'<script type="application/json" id="constants">(.*?)</script>', page)[1]
    assert json.loads(written) == json.loads(json.dumps(skreg.explorers.constants.constants_of(name)))
    assert skreg.explore(name).html == page


def test_it_is_saved_and_opened_in_the_browser(tmp_path, monkeypatch):
    explorer = skreg.explore("penalty")
    assert explorer.save(tmp_path / "page.html") == tmp_path / "page.html"
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == explorer.html
    shown = []
    monkeypatch.setattr(webbrowser, "open", shown.append)
    path = explorer.open()
    assert shown == [path.as_uri()] and path.read_text(encoding="utf-8") == explorer.html
    assert isinstance(explorer, Explorer) and "open()" in repr(explorer)


def test_a_page_that_there_is_not_is_an_error():
    with pytest.raises(ValueError, match=r"'dropout', 'penalty', 'prior'.*'lasso'"):
        skreg.explore("lasso")


@every_page
def test_a_notebook_shows_the_page_in_a_frame(chromium, tmp_path, name):
    cell = tmp_path / "cell.html"
    cell.write_text(
        f"<!doctype html><meta charset='utf-8'>{skreg.explore(name)._repr_html_()}", encoding="utf-8"
    )
    with browsing.opened(chromium, cell) as page:
        frame = page.frame_locator("iframe")
        assert frame.locator("#verdict").inner_text()
        assert frame.locator("h1").is_visible()


def test_screenshots_are_written_where_they_are_wanted(chromium, tmp_path):
    paths = browsing.screenshots(
        tmp_path / "new", widths=(360,), schemes=("dark",), names=("penalty",), chromium=chromium
    )
    assert [path.name for path in paths] == ["penalty-circle-360-dark.png", "penalty-diamond-360-dark.png"]
    assert all(Path(path).stat().st_size > 10_000 for path in paths)
