"""What the documentation's pages show runs, and prints what they say."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(
    page for page in DOCS.rglob("*.md") if page.relative_to(DOCS).parts[0] not in ("_build", "benchmarks")
)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_block_of_code_prints_what_the_page_says(page, tmp_path, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot", reason="the pages draw, with the extra `plot`")
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("Agg")
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    plt.close("all")
    assert failed == 0
    if page.parent.name in ("guide", "howto") and page.stem != "index":
        assert tried > 3
