"""`skysteer tell`: people steer a running scan from another terminal."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from skysteer.session import tell_scan
from skysteer.simulators import Ioc, IocOptions
from skysteer.storage import read_run


def skysteer(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "skysteer", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=150,
    )


def tell(folder, *words):
    return skysteer("tell", "--out", folder, "--by", "Ada", "--timeout", 100, "--json", *words)


def told(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def start(tmp_path):
    """Start a scan that nobody waits for to end by itself."""
    scans = []
    with Ioc(IocOptions(shape=(64, 64), noise="none")) as ioc:

        def begin(*options):
            environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
            axes = ["--prefix", "SIM:", "--y", "0,6.3,64", "--x", "0,6.3,64", "--dwell", "0.005"]
            command = ["scan", *axes, "--agent", "low-discrepancy", "--out", tmp_path, "--json"]
            scan = subprocess.Popen(
                [sys.executable, "-m", "skysteer", *map(str, [*command, *options])],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**environment, **ioc.environment},
            )
            scans.append(scan)
            return scan

        yield begin
        for scan in scans:
            scan.kill()
            scan.communicate()


def events(folder, kind="event"):
    files = list((folder / "journal").glob("*.jsonl"))
    return files[0].read_bytes().count(f'["{kind}"'.encode()) if files else 0


def wait_until(condition):
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def interventions(folder):
    data = read_run(folder).events("interventions")
    keys = ("kind", "by", "detail")
    rows = zip(*(data[f"intervention_{key}"] for key in keys), strict=True)
    return [(kind, by, json.loads(detail)) for kind, by, detail in rows]


def test_a_running_scan_is_paused_resumed_steered_and_stopped(tmp_path, start):
    scan = start("--until", "points(4000)")
    wait_until(lambda: events(tmp_path) > 20)
    assert told(tell(tmp_path, "pause", "look", "at", "it"))["why"] == "look at it"
    standing = events(tmp_path)
    assert told(tell(tmp_path, "resume"))["taken"] == "resume"
    wait_until(lambda: events(tmp_path) > standing + 10)
    assert told(tell(tmp_path, "forbid", "-1,2", "-1,7"))["slow"] == [-1.0, 2.0]
    for words in ("inject 40,40 41,41", "agent uniform", "move 50,50"):
        kind, *rest = words.split()
        assert tell_scan(tmp_path, kind, rest, by="Ada", timeout=100)["taken"] == kind
    refused = tell(tmp_path, "inject", "0,0")
    assert refused.returncode == 2 and "kept out" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert told(tell(tmp_path, "stop", "enough"))["by"] == "Ada"
    output, errors = scan.communicate(timeout=100)
    assert scan.returncode == 0, errors
    outcome = json.loads(output)  # and nothing else on standard output
    assert outcome["stop_reason"] == "stopped by Ada: enough"
    said = interventions(tmp_path)
    assert {by for kind, by, _ in said if kind not in ("skip", "moved")} == {"Ada"}
    assert [kind for kind, _, _ in said if kind != "skip"] == [
        "pause", "resume", "forbid", "inject", "agent", "move", "refused", "stop", "moved",
    ]  # fmt: skip
    last = said[-1][2]
    assert (last["row"], last["column"]) == (50, 50)
    after = tell(tmp_path, "stop")
    assert after.returncode == 2 and "no scan runs in" in after.stderr


def test_ctrl_c_ends_a_scan_that_was_told_to_pause(tmp_path, start):
    scan = start("--until", "points(4000)")
    wait_until(lambda: events(tmp_path) > 20)
    tell_scan(tmp_path, "pause", [], by="Ada", timeout=100)
    scan.send_signal(signal.SIGINT)
    _, errors = scan.communicate(timeout=100)
    assert scan.returncode == 130, errors
    assert "Traceback" not in errors
    assert read_run(tmp_path).stop["exit_status"] == "abort"


def test_a_paused_scan_is_stopped_without_another_point(tmp_path, start):
    scan = start("--until", "points(4000)")
    wait_until(lambda: events(tmp_path) > 20)
    tell_scan(tmp_path, "pause", [], by="Ada", timeout=100)
    tell_scan(tmp_path, "stop", [], by="Ada", timeout=100)
    output, errors = scan.communicate(timeout=100)
    assert scan.returncode == 0, errors
    paused, *_ = (json.loads(line) for line in output.splitlines())
    assert paused["stop_reason"] == "stopped by Ada"
    seen = read_run(tmp_path).events("interventions")["intervention_seen"]
    assert paused["points"] == seen[0] == seen[-1]


def test_batches_wait_for_approval(tmp_path, start):
    scan = start("--until", "points(20)", "--batch", "10", "--approve")
    for number in (0, 1):
        wait_until(lambda: told_of(tmp_path, number))  # noqa: B023
        said = tell_scan(tmp_path, "approve", [str(number)], by="Ada", timeout=100)
        assert said["decision"] == number
    output, errors = scan.communicate(timeout=100)
    assert scan.returncode == 0, errors
    assert json.loads(output)["points"] == 20
    assert [kind for kind, _, _ in interventions(tmp_path)] == ["approve", "approve"]


def told_of(folder, number):
    """Whether the journal holds a decision."""
    return any(
        f'"decision_number":{number},'.encode() in path.read_bytes().replace(b" ", b"")
        for path in (folder / "journal").glob("*.jsonl")
    )


def test_nonsense_gives_one_clear_line_and_exit_code_2(tmp_path):
    for words, why in (
        (["stop"], "no scan runs in"),
        (["inject", "here"], "inject does not take 'here'"),
    ):
        done = tell(tmp_path, *words)
        assert done.returncode == 2 and why in done.stderr, (words, done.stderr)
        assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert not list(tmp_path.iterdir())
