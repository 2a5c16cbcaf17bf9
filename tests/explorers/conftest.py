"""The pages, and a browser to look at them with."""

import browsing
import pytest

from skreg import explore


@pytest.fixture(scope="session")
def chromium():
    pytest.importorskip("playwright.sync_api", reason="needs Playwright's Python package")
    if browsing.CHROMIUM is None:
        pytest.skip("needs Chromium: `apt-get install chromium` where it is Debian's")
    with browsing.browser() as running:
        yield running


@pytest.fixture(scope="session")
def file_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorers")
    return {name: explore(name).save(folder / f"{name}.html") for name in browsing.NAMES}


@pytest.fixture
def opened(chromium, file_of):
    """Open a page by its name; see `browsing.opened`."""
    return lambda name, **settings: browsing.opened(chromium, file_of[name], **settings)
