"""Make the pictures of docs/desk.md: ``python docs/pictures.py``, with Chromium and Playwright.

A demo is scanned and followed in a headless browser; its report is shown in the same.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from skysteer.session import tell_scan
from skysteer.storage import read_run
from skysteer.views import LiveScan, live_figure

HERE = Path(__file__).parent
WIDE, NARROW, REPORT = 1440, 390, 960  # CSS pixels
SHOWN = 1000  # points when the pictures are taken
SCAN = "demo --monitor --region 128x128 --coverage 0.09 --dwell 0.03 --seed 4".split()


def main() -> None:
    """Scan, and take the pictures."""
    with tempfile.TemporaryDirectory() as place, _browser() as browser:
        folder = Path(place) / "runs"
        with _scan(folder) as address:
            _follow(browser, address, folder)
        _live(folder)
        _report(browser, folder / "report.html")


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        yield playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )


@contextmanager
def _scan(folder: Path) -> Iterator[str]:
    """A demo with its page; what it waits for at the end is that it is over."""
    with open(folder.with_suffix(".said"), "w+") as said:
        command = [sys.executable, "-m", "skysteer", *SCAN, "--out", folder]
        with subprocess.Popen(command, stderr=said) as scan:
            while not (found := re.search(r"http://\S+", Path(said.name).read_text())):
                if scan.poll() is not None:
                    raise RuntimeError(Path(said.name).read_text())
                time.sleep(0.2)
            yield found[0]


def _follow(browser: Browser, address: str, folder: Path) -> None:
    page = browser.new_page(viewport={"width": WIDE, "height": 900})
    page.set_default_timeout(600_000)
    page.goto(address)
    page.locator("#images figure").nth(5).wait_for()
    tell_scan(folder, "forbid", ["0,2.5", "9.5,12.7"], by="ada@beamline", timeout=120)
    tell_scan(folder, "inject", ["100,20", "101,24"], by="ada@beamline", timeout=120)
    page.get_by_role("button", name="Unlock…").click()
    page.get_by_label("Token").fill((folder / "inbox" / "token").read_text())
    page.get_by_label("Token").press("Enter")
    page.wait_for_function(
        """points => parseInt(document.querySelectorAll("#progress p span")[1].textContent
            .replace(",", "")) > points""",
        arg=SHOWN,
    )
    drawn = page.locator("#images").get_attribute("data-drawn")
    page.locator(f"#images:not([data-drawn='{drawn}'])").wait_for()
    page.evaluate("document.querySelector('#said').textContent = ''")
    _photograph(page, "monitor.png")
    page.set_viewport_size({"width": NARROW, "height": 844})
    _photograph(page, "monitor-narrow.png", high=1500)
    page.close()


def _live(folder: Path) -> None:
    """The live figure, as it was at that moment of the run."""
    documents = list(read_run(folder).documents())
    scan = LiveScan(documents[0][1])
    for name, doc in documents[1:]:
        scan(name, doc)
        if name == "event" and doc["seq_num"] == SHOWN and "counter" in doc["data"]:
            break
    view = scan.view()
    if view is not None:
        live_figure(view).savefig(HERE / "live.png", facecolor="white")


def _report(browser: Browser, report: Path) -> None:
    page = browser.new_page(viewport={"width": REPORT, "height": 900})
    page.goto(report.as_uri())
    _photograph(page, "report.png", high=1540)
    page.close()


def _photograph(page: Page, name: str, high: int | None = None) -> None:
    """The whole page, or its beginning."""
    width = page.evaluate("document.documentElement.clientWidth")
    clip = None if high is None else {"x": 0, "y": 0, "width": width, "height": high}
    page.screenshot(path=HERE / name, full_page=True, clip=clip)


if __name__ == "__main__":
    main()
