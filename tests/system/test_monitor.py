"""`--monitor` in a real browser: the page is opened, a scan is run, and steered from there."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from skysteer.storage import read_run

PATIENCE = 240_000  # ms, for a machine with much else to do
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium: as root, `apt-get install chromium` brings it")
    api = pytest.importorskip("playwright.sync_api", reason="there is no Playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def scan(tmp_path):
    """A demo that does not end by itself within any patience, with its page; and what it says."""
    said = tmp_path / "said"
    command = (
        "demo --monitor --json --agent low-discrepancy --region 32x32 --until points(1000) "
        "--dwell 0.4 --batch 900 --approve"
    ).split()
    with open(said, "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "skysteer", *command, "--out", tmp_path / "runs"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={k: v for k, v in os.environ.items() if "DISPLAY" not in k and "EPICS" not in k},
        )
        yield process, said
        process.kill()
        process.communicate()


def address(process, said):
    while not (found := re.search(r"http://127\.0\.0\.1:\d+/", said.read_text())):
        assert process.poll() is None, said.read_text()
        time.sleep(0.1)
    return found[0]


def points(page):
    return int(page.locator("#progress p span").nth(1).inner_text().split()[0].replace(",", ""))


def test_a_scan_is_watched_and_steered_in_a_browser(browser, scan, tmp_path):
    process, said = scan
    url = address(process, said)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    page.locator("h1", has_text="Scan of counter by low-discrepancy").wait_for()
    page.locator("#state", has_text="waiting for approval").wait_for()

    # Who does not know the token may look, and tell nothing.
    approve, pause, resume, stop = (
        page.get_by_role("button", name=name) for name in ("Approve", "Pause", "Resume", "Stop…")
    )
    assert approve.is_disabled() and pause.is_disabled() and stop.is_disabled()
    page.get_by_role("button", name="Unlock…").click()
    page.get_by_label("Token").fill("0" * 32)
    page.get_by_role("button", name="Unlock", exact=True).click()
    page.get_by_text("this is not the token of the scan that runs").wait_for()
    assert pause.is_disabled()
    told = "fetch('tell', {method: 'POST', body: '{\"kind\": \"stop\"}', headers: {" + (
        "'Content-Type': 'application/json', 'Authorization': 'Bearer wrong'}}).then(a => a.status)"
    )
    assert page.evaluate(told) == 403

    token = (tmp_path / "runs" / "inbox" / "token").read_text()
    page.get_by_label("Token").fill(token)
    page.get_by_label("Token").press("Enter")
    approve.click()
    page.locator("#state", has_text="running").wait_for()
    page.locator("#images figure").nth(5).wait_for()
    titles = page.locator("figcaption").all_inner_texts()
    assert titles[:4] == ["Reconstruction", "Expected error", "Path", "Error"]
    assert titles[4:] == ["Why batch 0", "Ring current"]
    map_shown = page.locator("#images img").first
    first, drawn = map_shown.screenshot(), page.locator("#images").get_attribute("data-drawn")
    page.locator(f"#images:not([data-drawn='{drawn}'])").wait_for()
    assert map_shown.screenshot() != first

    pause.click()
    page.locator("#state", has_text="paused").wait_for()
    page.locator("#interventions td", has_text="paused").wait_for()
    assert pause.is_disabled()
    standing = points(page)
    resume.click()
    page.locator("#state", has_text="running").wait_for()
    page.wait_for_function(
        """before => parseInt(document.querySelectorAll("#progress p span")[1]
            .textContent.replace(",", "")) > before""",
        arg=standing,
    )
    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375  # nothing is cut off
    stop.click()
    page.get_by_role("button", name="Stop the scan").click()

    output, _ = process.communicate(timeout=PATIENCE / 1000)
    assert process.returncode == 0, said.read_text()
    outcome = json.loads(output)  # and nothing else on standard output
    assert outcome["stop_reason"].startswith("stopped by ")
    page.locator("#words", has_text="monitor has ended").wait_for()
    secret = json.loads(token)["token"]
    assert secret not in said.read_text() + output and page.url == url
    assert wrong == []
    run = read_run(tmp_path / "runs").events("interventions")
    assert list(run["intervention_kind"]) == ["approve", "pause", "resume", "stop"]
    _, paused, resumed, _ = run["intervention_seen"]
    assert paused == resumed == standing, "a paused scan has measured"
