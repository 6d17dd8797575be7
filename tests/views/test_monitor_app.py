"""Who may look at the page, and who may tell the scan something."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from urllib.request import urlopen

import pytest
import uvicorn

from skysteer.storage import Journal, Mailbox
from skysteer.views.monitor import _listener, _open_browser, watch_folder
from skysteer.views.monitor_app import LARGEST, MonitorPage
from skysteer.views.studio import Studio

KEY = "the-key-of-this-page"


class Served:
    """The page of a folder, on a port of its own."""

    def __init__(self, folder):
        self.studio = Studio(folder)
        listener = _listener(0)
        self.port = listener.getsockname()[1]
        app = MonitorPage(folder, self.studio, KEY).app()
        config = uvicorn.Config(app, lifespan="off", access_log=False, log_level="error")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([listener],))
        self.thread.start()

    def close(self):
        self.server.should_exit = True
        self.thread.join()
        self.studio.close()

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text, answer.headers

    def post(self, path, content, **headers):
        own = {
            "Origin": f"http://127.0.0.1:{self.port}",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {KEY}",
        }
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        status, text, _ = self.ask("POST", path, body, **{**own, **headers})
        return status, json.loads(text)


@pytest.fixture
def served(tmp_path):
    page = Served(tmp_path)
    yield page
    page.close()


@pytest.fixture
def mailbox(tmp_path):
    """The receiving end of a scan that is told something, and obeys."""
    box, over, heard = Mailbox(tmp_path), threading.Event(), []

    def obey():
        while not over.wait(0.02):
            for letter in box.collect():
                heard.append(letter.content)
                letter.reply(not letter.objection, letter.objection)

    thread = threading.Thread(target=obey)
    thread.start()
    yield heard
    over.set()
    thread.join()
    box.close()


def token_of(folder):
    return json.loads((folder / "inbox" / "token").read_text())["token"]


def test_the_page_and_its_parts_are_served_from_here_alone(served):
    for path, kind in (("/", "html"), ("/monitor.css", "css"), ("/monitor.js", "javascript")):
        status, text, headers = served.ask("GET", path)
        assert status == 200 and kind in headers["content-type"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert b"http:" not in text and b"https:" not in text, "the page needs nothing from outside"
        assert KEY.encode() not in text
    status, text, _ = served.ask("GET", "/state")
    assert status == 200 and json.loads(text)["state"] == "waiting for a scan"
    assert served.ask("GET", "/image/7/0.png")[0] == 404
    assert served.ask("GET", "/state?shown=%s" % ("9" * 3000))[0] == 200  # fmt: skip


def test_another_name_for_this_address_is_refused(served):
    for name in ("evil.example", f"evil.example:{served.port}", ""):
        assert served.ask("GET", "/state", Host=name)[0] == 400
    assert served.ask("GET", "/state", Host="localhost:8080")[0] == 200  # an SSH tunnel's end


def test_a_message_goes_to_the_scan_by_its_mailbox(served, mailbox):
    status, told = served.post("/tell", {"kind": "approve", "detail": {"decision": 3}})
    assert (status, told) == (200, {"taken": "approve"})
    (said,) = mailbox
    assert said["kind"] == "approve" and said["detail"] == {"decision": 3} and said["by"]


def test_without_the_key_nobody_tells_the_scan_anything(served, mailbox):
    for wrong in ("Bearer wrong", "Bearer ", "", KEY[:-1], "Bearer ü"):
        header = wrong.encode("latin-1")
        assert served.post("/tell", {"kind": "stop"}, Authorization=header)[0] == 403
    assert mailbox == []


def test_another_pages_requests_are_refused(served, mailbox, tmp_path):
    good = {"kind": "stop"}
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{served.port}", ""):
        assert served.post("/tell", good, Origin=origin)[0] == 403
        assert served.post("/unlock", {"token": token_of(tmp_path)}, Origin=origin)[0] == 403
    assert served.post("/tell", good, Content_Type="text/plain")[0] == 415  # a form's, no script's
    assert served.ask("GET", "/tell")[0] == 405
    assert mailbox == []


def test_the_token_of_the_scan_unlocks_and_no_other(served, mailbox, tmp_path):
    assert served.post("/unlock", {"token": token_of(tmp_path)}) == (200, {"key": KEY})
    for wrong in ("0" * 32, "", "ü", 7, None, [token_of(tmp_path)]):
        status, told = served.post("/unlock", {"token": wrong})
        assert (status, set(told)) == (403, {"why"})


def test_without_a_scan_nothing_is_unlocked_or_told(served, tmp_path):
    for path, content in (("/unlock", {"token": "0" * 32}), ("/tell", {"kind": "stop"})):
        status, told = served.post(path, content)
        assert status == 409 and "no scan runs in" in told["why"]
    assert not (tmp_path / "inbox").exists()


def test_nonsense_is_refused_in_words(served, mailbox):
    for content, status in (
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b"[" * LARGEST, 400),
        (b" " * (LARGEST + 1), 413),
        ({"kind": "agent", "detail": {"agent": "mine.py:Mine"}}, 400),
        ({"kind": "pause", "detail": {"nonsense": 1}}, 409),
        ({"kind": "pause", "by": "Eve", "token": "x"}, 409),
    ):
        answered, told = served.post("/tell", content)
        assert answered == status and told["why"], content
    assert mailbox == []


def test_what_the_scan_refuses_is_told_in_its_words(served, tmp_path):
    box = Mailbox(tmp_path)
    answered = []
    thread = threading.Thread(
        target=lambda: answered.append(served.post("/tell", {"kind": "resume"}))
    )
    thread.start()
    while not (letters := box.collect()):
        pass
    letters[0].reply(False, "the scan is not paused")
    thread.join()
    box.close()
    assert answered == [(409, {"why": "the scan refuses: the scan is not paused"})]


def test_the_browser_is_opened_with_a_file_for_this_user_alone(served, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    assert _open_browser(f"http://127.0.0.1:{served.port}/", KEY, tmp_path)
    assert KEY not in opened[0], "an address is written down in a browser's history"
    page = (tmp_path / "open.html").read_text()
    assert f'value="{KEY}"' in page and 'method="post"' in page
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "null"}
    status, text, _ = served.ask("POST", "/open", f"key={KEY}", **form)
    assert status == 200 and f'data-key="{KEY}"'.encode() in text
    assert served.ask("POST", "/open", "key=wrong", **form)[0] == 403
    assert served.ask("POST", "/open", "key=" + "x" * LARGEST, **form)[0] == 413


def test_the_images_of_the_page_are_those_of_the_run(served, adaptive_run, tmp_path):
    journal = Journal(tmp_path / "journal")
    for name, doc in adaptive_run:
        journal(name, doc)
    state = {"images": []}
    while not state["images"]:
        state = json.loads(served.ask("GET", f"/state?shown={state.get('drawn', 0)}")[1])
    status, png, headers = served.ask("GET", f"/image/{state['drawn']}/0.png")
    assert status == 200 and headers["content-type"] == "image/png"
    assert png.startswith(b"\x89PNG") and state["images"][0]["title"] == "Reconstruction"
    journal.close()


def test_a_port_that_is_taken_is_refused_in_a_line(tmp_path):
    with _listener(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} cannot be had"):
            watch_folder(tmp_path, port=port)
    with pytest.raises(ValueError, match="takes 0 to 65535"):
        watch_folder(tmp_path, port=70000)


def test_ctrl_c_ends_the_command_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "skysteer", "monitor", "--no-browser", "--out", tmp_path]
    monitor = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    first = monitor.stdout.readline()
    assert first.startswith("skysteer: http://127.0.0.1:")
    assert str(tmp_path / "inbox" / "token") in monitor.stdout.readline()
    with urlopen(first.split()[1], timeout=120) as page:
        assert page.status == 200
    monitor.send_signal(2)
    rest, errors = monitor.communicate(timeout=120)
    assert (monitor.returncode, rest, errors) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "skysteer", "monitor", "--watch", tmp_path / "no"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "expected a folder of runs" in done.stderr
