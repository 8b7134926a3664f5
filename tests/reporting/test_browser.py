"""The report in headless Chromium: no errors, no requests, nothing that overflows, a screenshot."""

import numpy as np
import pytest

from helpers import chromium
from helpers.export_pools import make, vectors
from qdit.reporting import report

pytest.importorskip("matplotlib", reason="the report needs matplotlib: pip install 'qdit[plots]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        chromium.find() is None, reason="no Chromium: install it, or name it in QDIT_CHROMIUM"
    ),
]


# what reaches beyond the window, unless it scrolls by itself
_WIDE = """() => [...document.querySelectorAll('main *')].filter(
    e => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1)"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    x = vectors()
    x[3] = x[1]  # the row with <script> and a copy of it
    made = make(folder, x=x, k=240, alpha=0)
    return report(made.chosen, threads=1, title="A title with <script>alert(2)</script>" + "x" * 200)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (360, False)])
def test_the_page_in_a_browser(written, tmp_path, width, dark):
    with chromium.Browser(width, 900, dark) as browser:
        browser.open(written)
        assert browser.errors == []
        assert browser.requests == [written.resolve().as_uri()]
        assert browser.run("document.scripts.length") == 0
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert browser.run(f"({_WIDE})().length") == 0
        assert browser.run("[...document.images].every(i => i.complete && i.naturalWidth > 600)")
        assert browser.run("document.body.innerText.includes('<script>alert(1)</script>')")
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.run("document.documentElement.scrollWidth") <= width
        shot = tmp_path / "report.png"
        browser.screenshot(shot)
    _check_screenshot(shot, width, dark)


def _check_screenshot(path, width, dark):
    image = pytest.importorskip("PIL.Image").open(path).convert("RGB")
    pixels = np.asarray(image)
    assert pixels.shape[1] == width
    assert pixels.shape[0] > 900
    light = (pixels.mean(axis=2) > 128).mean()
    assert light < 0.2 if dark else light > 0.8
    orange = np.array([251, 146, 60] if dark else [194, 65, 12])
    close = (np.abs(pixels[:2000].astype(int) - orange).max(axis=2) < 40).sum()
    assert close > 300  # the picks on the map
