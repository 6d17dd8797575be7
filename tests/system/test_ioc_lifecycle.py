from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np
import psutil
import pytest

from skysteer.simulators import Ioc, IocOptions
from skysteer.simulators.ioc import main

READ = """
import sys
from caproto.sync.client import read
print(float(read(sys.argv[1], repeater=False, timeout=10).data[0]))
"""
RECONNECT = """
import sys, time
from epics import PV
pv = PV("SIM:ring:Current")
print(pv.get(timeout=20), flush=True)
sys.stdin.readline()
end = time.monotonic() + 60
while pv.get(timeout=0.5, use_monitor=False) != 77.0 and time.monotonic() < end:
    time.sleep(0.05)
print(pv.get(use_monitor=False), flush=True)
"""


def read(ioc: Ioc, pv: str = "SIM:ring:Current") -> float:
    client = subprocess.run(
        [sys.executable, "-c", READ, pv],
        env={**os.environ, **ioc.environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert client.returncode == 0, client.stderr
    return float(client.stdout)


def gone(pid: int, seconds: float = 30.0) -> bool:
    try:
        psutil.Process(pid).wait(seconds)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_six_with_one_prefix_are_each_seen_by_their_own_clients(ioc: Callable[..., Ioc]) -> None:
    with ThreadPoolExecutor(6) as pool:
        six = list(pool.map(lambda k: ioc(shape=(8, 8), current=100.0 + k), range(6)))
        assert len({running.port for running in six}) == 6
        assert list(pool.map(read, six)) == [100.0 + k for k in range(6)]


def test_all_sockets_are_on_loopback(ioc: Callable[..., Ioc]) -> None:
    sockets = psutil.Process(ioc(shape=(8, 8)).pid).net_connections()
    assert sockets
    assert {s.laddr.ip for s in sockets if s.laddr} == {"127.0.0.1"}


def test_it_comes_back_on_its_port_and_clients_find_it_again(ioc: Callable[..., Ioc]) -> None:
    first = ioc(shape=(8, 8), current=55.0)
    with subprocess.Popen(
        [sys.executable, "-c", RECONNECT],
        env={**os.environ, **first.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        stdout, stdin = pipes(client)
        assert float(stdout.readline()) == 55.0
        os.kill(first.pid, signal.SIGKILL)
        first.close()
        second = ioc(shape=(8, 8), current=77.0, port=first.port)
        assert second.port == first.port
        stdin.write("\n")
        stdin.flush()
        assert float(stdout.readline()) == 77.0


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdout is not None
    assert process.stdin is not None
    return process.stdout, process.stdin


def test_a_taken_port_is_one_line_and_exit_code_2(
    ioc: Callable[..., Ioc], capsys: pytest.CaptureFixture[str]
) -> None:
    taken = ioc(shape=(8, 8)).port
    assert main(["--port", str(taken), "--shape", "8", "8"]) == 2
    expected = f"error: port {taken} is taken: choose another, or 0 for any\n"
    assert capsys.readouterr() == ("", expected)
    with pytest.raises(RuntimeError, match=f"did not start: error: port {taken} is taken"):
        ioc(port=taken)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image", "absent.tif"], "no image file 'absent.tif'"),
        (["--kind", "moon"], "unknown kind of specimen 'moon'"),
        (["--beam-fwhm", "nan"], "FWHM is nan"),
        (["--time-scale", "0"], "expected a positive number"),
        (["--crop", "4", "4", "--image", "IMAGE"], "NaN or inf"),
        (["--x-limits", "5", "-5"], "expected low < high"),
        (["--velocity", "-1"], "velocity"),
        (["--dwell", "nan"], "dwell"),
    ],
)
def test_bad_options_are_one_clear_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "nan.npy", np.full((9, 9), np.nan))
    code = main([a.replace("IMAGE", str(tmp_path / "nan.npy")) for a in arguments])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_an_option_out_of_its_choices_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--noise", "gauss"])
    assert "invalid choice: 'gauss' (choose from" in capsys.readouterr().err


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quietly(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "skysteer.simulators.ioc", "--shape", "8", "8"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert '"pid"' in process.stdout.readline()
        process.send_signal(how)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_it_is_gone_when_its_parent_is_killed() -> None:
    code = (
        "import time\n"
        "from skysteer.simulators import Ioc\n"
        "print(Ioc(shape=(8, 8)).pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
        parent.wait()
        assert gone(pid)


def test_closing_leaves_nothing_running(ioc: Callable[..., Ioc]) -> None:
    running = Ioc(shape=(8, 8))
    children = psutil.Process(running.pid).children(recursive=True)
    running.close()
    assert gone(running.pid)
    assert not children
    running.close()  # a second time is harmless


def test_a_frozen_one_is_closed_all_the_same() -> None:
    running = Ioc(shape=(8, 8))
    os.kill(running.pid, signal.SIGSTOP)
    running.close(grace=0.5)
    assert gone(running.pid)


def test_idle_costs_nearly_nothing(ioc: Callable[..., Ioc]) -> None:
    running = ioc(shape=(8, 8))
    read(running)
    process = psutil.Process(running.pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(2.0)
    assert sum(process.cpu_times()[:2]) - before < 0.1


def test_options_survive_the_command_line() -> None:
    options = IocOptions(
        prefix="BL:", image="a b.tif", crop=(3, 4), x_limits=(-5.0, -1.0), lifetime=3600.0,
        noise="none", scatter=0.01, watch_stdin=True,
    )  # fmt: skip
    assert IocOptions.parse(options.arguments()) == options
    assert IocOptions.parse([]) == IocOptions()
