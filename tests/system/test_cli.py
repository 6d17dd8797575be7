"""The command line as a user meets it: processes, exit codes, files.

What a process of its own would show no better is asked of the command in this one.
"""

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import skimage.data
from skimage.metrics import normalized_root_mse

from skysteer.cli import main
from skysteer.models import SparseScan, inverse_distance
from skysteer.simulators import Ioc, IocOptions
from skysteer.storage import open_catalog, read_run

PATIENCE = 400  # s, for a machine with much else to do
SMALL = ("--region", "24x24", "--coverage", "0.15", "--batch", "10", "--dwell", "0.002")

pytestmark = pytest.mark.timeout(900)


def skysteer(*arguments, **options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
    return subprocess.run(
        [sys.executable, "-m", "skysteer", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**environment, **options.pop("env", {})},
        **options,
    )


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """A command in this process, in a folder of its own: exit status, standard output and error."""

    def run(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["skysteer", *map(str, arguments)])
        monkeypatch.setattr(os, "environ", dict(os.environ))
        level = logging.getLogger("bluesky").level
        with pytest.raises(SystemExit) as ended:
            main()
        logging.getLogger("bluesky").setLevel(level)
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def microscope():
    """One that runs, for commands that leave it as it was."""
    with Ioc(IocOptions(prefix="BL7:", shape=(64, 64), noise="none")) as ioc:
        yield ioc


def outcome(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def points_of(folder):
    with open(folder / "points.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "coins.npy"
    np.save(path, skimage.data.coins()[:100, :120])
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory, image):
    folder = tmp_path_factory.mktemp("demo") / "out"
    return folder, outcome(demo_of(image, folder, "--noise", "none", "--seed", 1))


def demo_of(image, folder, *further):
    return skysteer("demo", "--image", image, *SMALL, *further, "--out", folder, "--json")


def test_the_demo_measures_the_middle_of_the_image_and_tells_how_well(finished, image):
    folder, told = finished
    truth = np.load(image)[38:62, 48:72] * 1e6 / np.load(image).max()
    rows = points_of(folder)
    pixels = [(int(row["row"]), int(row["column"])) for row in rows]
    values = np.array([float(row["value"]) for row in rows])
    assert told["points"] == len(rows) == round(0.15 * 24 * 24)
    assert len(set(pixels)) == len(pixels)
    np.testing.assert_allclose(values, [truth[pixel] for pixel in pixels], rtol=1e-9)
    reconstruction = inverse_distance(SparseScan.of((24, 24), pixels, values))
    assert told["nrmse"] == pytest.approx(normalized_root_mse(truth, reconstruction), rel=1e-6)
    assert told["stop_reason"] == "coverage 0.15"
    assert {
        "agent",
        "ssim",
        "decision_ms_p50",
        "decision_ms_p95",
        "overhead_ms_per_point",
        "seconds",
        "catalog",
        "coverage",
    } <= told.keys()


def test_the_demo_leaves_its_pictures_points_journal_and_catalog(finished):
    folder, told = finished
    for name in ("map.png", "report.html", "points.csv"):
        assert (folder / name).stat().st_size > 0
    run = open_catalog(folder)[told["uid"]]
    assert run.metadata["start"]["skysteer"]["agent"] == "slads"
    assert list(read_run(open_catalog(folder)).events()["seq_num"]) == list(
        range(1, told["points"] + 1)
    )


def test_the_map_can_be_made_again_from_the_catalog_alone(finished):
    folder, told = finished
    run = read_run(open_catalog(folder), told["uid"])
    events, grid = run.events(), run.start["skysteer"]["grid"]
    (y0, y1, rows), (x0, x1, columns) = (
        (axis["start"], axis["stop"], axis["num"]) for axis in grid["axes"]
    )
    row = np.rint((events["stage_y"] - y0) / (y1 - y0) * (rows - 1)).astype(int)
    column = np.rint((events["stage_x"] - x0) / (x1 - x0) * (columns - 1)).astype(int)
    again = SparseScan.of((rows, columns), np.column_stack([row, column]), events["counter"])
    assert [[int(p["row"]), int(p["column"])] for p in points_of(folder)] == again.pixels.tolist()
    np.testing.assert_array_equal([float(p["value"]) for p in points_of(folder)], again.values)


def test_the_same_command_gives_the_same_scan_with_noise_too(tmp_path, image):
    first, second = (outcome(demo_of(image, tmp_path / name, "--seed", 5)) for name in "ab")
    assert points_of(tmp_path / "a") == points_of(tmp_path / "b")
    assert first["nrmse"] == second["nrmse"]


def test_runs_lists_what_a_folder_holds(finished, command):
    folder, told = finished
    status, listed, _ = command("runs", "--out", folder, "--json")
    row = json.loads(listed)
    assert status == 0
    assert (row["uid"], row["status"], row["points"]) == (told["uid"], "success", told["points"])


def test_scan_drives_a_microscope_that_already_runs(microscope, tmp_path):
    axes = ["--prefix", "BL7:", "--y", "0,1.9,20", "--x", "0,1.9,20", "--dwell", 0.002]
    rules = ["--agent", "low-discrepancy", "--until", "points(30)", "--out", tmp_path]
    told = outcome(skysteer("scan", *axes, *rules, "--json", env=microscope.environment))
    assert told["points"] == 30
    assert told["nrmse"] is None


def test_the_list_of_commands_cuts_no_words(command):
    status, said, _ = command("--help")
    listed = said.partition("Commands:")[2]
    assert status == 0 and "..." not in listed
    assert {"demo", "tell", "tune", "runs"} <= set(listed.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--image", "nowhere.tif"], "nowhere.tif"),
        (["demo", "--coverage", "0"], "coverage"),
        (["demo", "--coverage", "2"], "coverage"),
        (["demo", "--agent", "oracle"], "low-discrepancy, raster"),
        (["demo", "--region", "big"], "128x128"),
        (["demo", "--options", "["], "JSON"),
        (["demo", "--seed", "x"], "--seed"),
        (["demo", "--out", "{line}"], "--out"),
        (["demo", "--coverage", "0.1", "--until", "points(9)"], "not both"),
        (["demo", "--until", "tired"], "coverage(0.15)"),
        (["demo", "--image", "{line}"], "rows x columns"),
        (["demo", "--image", "{nan}"], "NaN"),
        (["demo", "--batch", "0"], "batch"),
        (["demo", "--longest-dwell", "0.001"], "longest dwell"),
        (["demo", "--longest-dwell", "0.1", "--agent", "raster"], "counts_per_unit"),
        (["scan", "--prefix", "NO:", "--y", "0,1", "--x", "0,1,9"], "start,stop,num"),
        (["simulate", "--agent", "raster", "--coverage", "0.1"], "image"),
        (
            ["simulate", "--image", "nowhere.png", "--agent", "raster", "--coverage", "0.1"],
            "nowhere",
        ),
        (["runs", "--out", "nothing-here"], "nothing-here"),
        (["fly"], "fly"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else None,
)
def test_bad_input_gives_one_clear_line_and_exit_code_2(command, arguments, words, tmp_path):
    np.save(tmp_path / "line.npy", np.arange(9.0))
    np.save(tmp_path / "nan.npy", np.full((9, 9), np.nan))
    files = {"line": tmp_path / "line.npy", "nan": tmp_path / "nan.npy"}
    status, said, complaint = command(*(part.format(**files) for part in arguments))
    assert status == 2
    assert len(complaint.splitlines()) == 1 and words in complaint
    assert complaint.startswith("skysteer: ") and said == ""


def test_a_demo_counts_longer_where_the_agent_wants_it_to(tmp_path):
    done = skysteer(
        "demo", "--region", "24x24", "--coverage", "0.2", "--batch", "20", "--dwell", "0.002",
        "--longest-dwell", "0.032", "--peak-rate", "5000", "--out", tmp_path, "--json",
    )  # fmt: skip
    assert outcome(done)["points"] == 115
    record = read_run(tmp_path).start["skysteer"]
    assert record["longest_dwell"] == 0.032
    assert record["options"]["counts_per_unit"] == 0.002  # of a value in counts/s
    with open(tmp_path / "points.csv", newline="") as file:
        times = {round(float(row["count_time"]), 6) for row in csv.DictReader(file)}
    assert len(times) > 1 and times <= {0.002, 0.004, 0.008, 0.016, 0.032}


def test_a_demo_maps_the_channels_of_an_image_together(tmp_path):
    rows, columns = np.indices((24, 24)) / 24.0
    np.save(tmp_path / "two.npy", [rows + (columns > 0.5), 4.0 * (np.hypot(rows, columns) < 0.6)])
    asked = ["demo", "--image", tmp_path / "two.npy", *SMALL, "--noise", "none", "--json"]
    done = skysteer(*asked, "--channels", 2, "--out", tmp_path / "runs")
    assert 0 < outcome(done)["nrmse"] < 0.5
    assert read_run(tmp_path / "runs").start["skysteer"]["steered_by"] == ["counter", "counter2"]
    with open(tmp_path / "runs" / "points.csv", newline="") as file:
        read = list(csv.DictReader(file))
    there = np.hypot(*np.array([(r["row"], r["column"]) for r in read], dtype=float).T / 24) < 0.6
    second = np.array([float(r["value_2"]) for r in read])
    assert there.any() and not there.all()
    assert (second[there] > 1.0).all() and (second[~there] < 1.0).all()  # counts/s
    done = skysteer(*asked, "--channels", 3, "--out", tmp_path / "more")
    assert done.returncode == 2 and "2 channels, but 3" in done.stderr


def test_pvs_that_nobody_serves_end_the_process_with_one_line(tmp_path):
    axes = ["--prefix", "NO:", "--y", "0,1,9", "--x", "0,1,9", "--timeout", 0.5]
    done = skysteer("scan", *axes, "--out", tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "NO:x" in done.stderr


def test_limits_smaller_than_the_grid_are_refused_before_anything_moves(microscope, tmp_path):
    axes = ["--prefix", "BL7:", "--y", "0,1.9,20", "--x", "0,500,20"]
    done = skysteer("scan", *axes, "--out", tmp_path, env=microscope.environment)
    assert done.returncode == 2
    assert "limits" in done.stderr and "500" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list((tmp_path / "journal").glob("*.jsonl"))


def test_an_ioc_that_dies_ends_the_scan_with_its_reason(tmp_path):
    with Ioc(IocOptions(shape=(64, 64))) as ioc:
        scan = start_scan(tmp_path, ioc, "points(2000)")
        wait_for_events(tmp_path, 20)
        os.kill(ioc.pid, signal.SIGKILL)
        _, errors = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == 2
    complaint = [line for line in errors.splitlines() if line.startswith("skysteer:")]
    assert len(complaint) == 1 and "SIM:" in complaint[0], errors
    assert "Traceback" not in errors
    assert "skysteer resume" in complaint[0]
    kinds = read_run(tmp_path).events("interventions")["intervention_kind"]
    assert list(kinds) == ["wait", "wait", "stop"]


def test_kill_9_in_the_middle_loses_no_measured_point_and_leaves_nothing_running(tmp_path):
    with Ioc(IocOptions(shape=(64, 64), noise="none")) as ioc:
        scan = start_scan(tmp_path, ioc, "points(2000)")
        wait_for_events(tmp_path, 60)
        children = psutil.Process(scan.pid).children(recursive=True)
        scan.kill()
        scan.communicate()
        seen = len(read_run(tmp_path).events()["seq_num"])
        assert seen >= 40
        assert skysteer("runs", "--out", tmp_path, "sync").returncode == 0
        psutil.wait_procs(children, timeout=PATIENCE)
        assert not [child for child in children if child.is_running()]
    events = read_run(open_catalog(tmp_path)).events()
    assert events["seq_num"].tolist() == list(range(1, seen + 1))


@pytest.mark.parametrize("presses", [1, 3])
def test_ctrl_c_ends_a_demo_in_order_and_keeps_what_was_measured(tmp_path, presses):
    settings = "demo --region 48x48 --until points(2000) --agent low-discrepancy --json".split()
    demo = subprocess.Popen(
        [sys.executable, "-m", "skysteer", *settings],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # its own process group, as a terminal gives it
        env={k: v for k, v in os.environ.items() if not k.startswith("EPICS_")},
    )
    wait_for_events(tmp_path / "demo-run", 40)
    children = psutil.Process(demo.pid).children(recursive=True)
    for _ in range(presses):
        os.killpg(demo.pid, signal.SIGINT)
        time.sleep(0.3)
    _, errors = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 130
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("skysteer: interrupted; ")
    run = read_run(tmp_path / "demo-run")
    assert run.stop["exit_status"] == "abort"
    assert len(points_of(tmp_path / "demo-run")) == len(run.events()["seq_num"])
    psutil.wait_procs(children, timeout=PATIENCE)
    assert not [child for child in children if child.is_running()]


def scan_of(ioc, folder, until):
    """The words of a scan of 64 x 64 pixels."""
    axes = ["--prefix", ioc.prefix, "--y", "0,6.3,64", "--x", "0,6.3,64", "--dwell", "0.002"]
    rules = ["--agent", "low-discrepancy", "--until", until, "--patience", "1"]
    return ["scan", *axes, *rules, "--out", str(folder)]


def start_scan(folder, ioc, until):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "skysteer", *scan_of(ioc, folder, until)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, **ioc.environment},
    )


def wait_for_events(folder, count):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        files = list((folder / "journal").glob("*.jsonl"))
        if files and files[0].read_bytes().count(b'["event"') >= count:
            return
        time.sleep(0.05)
    raise TimeoutError(f"no {count} events in {folder}")


def test_simulate_reads_one_trajectory_at_each_coverage(command, image):
    agents = ["low-discrepancy", "raster", "slads-net", "slads"]
    named = [part for agent in agents for part in ("--agent", agent)]
    asked = ["--image", image, *named, "--coverage", 0.05, "--coverage", 0.1, "--seed", 1]
    status, told, complaint = command("simulate", *asked, "--json")
    assert status == 0, complaint
    rows = [json.loads(line) for line in told.splitlines()]
    assert [(row["agent"], row["coverage"]) for row in rows] == [
        (agent, share) for agent in agents for share in (0.05, 0.1)
    ]
    for row in rows:
        assert row["points"] == round(row["coverage"] * 100 * 120)
        assert row["shape"] == [100, 120]
        assert 0 < row["nrmse"] < 1 and 0 < row["ssim"] < 1
        assert row["decision_ms_p95"] >= row["decision_ms_p50"] > 0
        assert row["travel_px"] > row["points"] / 2
    by_agent = {(row["agent"], row["coverage"]): row["nrmse"] for row in rows}
    for agent in agents:
        assert by_agent[agent, 0.1] < by_agent[agent, 0.05]


def test_a_full_disk_is_said_in_one_line_and_loses_nothing(microscope, tmp_path):
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000)); "
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "from skysteer.cli import main; sys.argv = ['skysteer', *sys.argv[1:]]; main()"
    )
    scan = scan_of(microscope, tmp_path, "points(1000)")
    done = subprocess.run(
        [sys.executable, "-c", code, *scan],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **microscope.environment},
    )
    complaints = [line for line in done.stderr.splitlines() if line.startswith("skysteer:")]
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert any("journal" in line for line in complaints), done.stderr
    assert len(read_run(tmp_path).events()["seq_num"]) > 20
