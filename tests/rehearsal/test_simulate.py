"""Agents compared on an image: which options each gets, what is refused, what is drawn."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from PIL import Image
from scipy.ndimage import gaussian_filter

from skysteer.agent import GaussianProcess, StageTime
from skysteer.cli import app
from skysteer.models import inverse_distance
from skysteer.rehearsal import compare_agents, designs, load_truth, run_agent, specimens_like

OWN = """
from skysteer.agent import LowDiscrepancy

class Own(LowDiscrepancy):
    def __init__(self, whole=False):
        super().__init__()
        self.one_design_per_budget = whole

class Needy(LowDiscrepancy):
    def __init__(self, offset):
        super().__init__()
        self.offset = offset
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "ramp.png"
    Image.fromarray(np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)).save(path)
    return path


@pytest.fixture
def own(tmp_path: Path) -> str:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return f"{path}:Own"


def test_designs_are_those_of_the_agent_with_its_options(own):
    assert designs(own, [0.2, 0.1]) == [[0.1, 0.2]]
    assert designs(own, [0.2, 0.1], {"whole": True}) == [[0.1], [0.2]]


def test_an_agent_that_cannot_do_without_options_is_compared(image, own):
    needy = own.replace("Own", "Needy")
    (row,) = compare_agents([image], [needy], [0.1], options={"offset": 3})
    assert row["points"] == 60


def test_options_by_agent_reach_that_agent_alone(image, own):
    needy = own.replace("Own", "Needy")
    agents = [needy, "uniform"]  # neither takes the other's
    rows = list(compare_agents([image], agents, [0.1], options={needy: {"offset": 3}}))
    assert [row["agent"] for row in rows] == agents


def test_other_options_are_for_every_agent(image, own):
    with pytest.raises(ValueError, match=r"'uniform' takes no options, but \{'whole'"):
        list(compare_agents([image], [own, "uniform"], [0.1], options={"whole": True}))


STAGE = StageTime(speed=(100.0, 400.0), acceleration=0.1, settle=0.05, dwell=0.01)


def test_rows_tell_the_time_that_the_stage_needs_for_the_path_of_the_scan(image: Path) -> None:
    agents, shares = ["spread", "raster"], [0.1, 0.3]
    rows = list(compare_agents([image], agents, shares, batch=7, stage=STAGE))
    truth = load_truth(image)
    for row in rows:
        num = 180 if row["agent"] == "spread" else row["points"]  # one trajectory for all shares
        *_, (_, run) = run_agent(truth, row["agent"], num, batch=7, seed=0, stage=STAGE)
        assert run is not None
        way = np.abs(np.diff(run.scan.pixels[: row["points"]], axis=0)) / STAGE.speed
        full = way >= 0.1  # the rest are triangles
        moves = np.where(full, way + 0.1 * (way > 0), 2 * np.sqrt(way * 0.1)).max(axis=1)
        assert row["seconds"] == pytest.approx(row["points"] * 0.06 + moves.sum())


def test_a_route_that_knows_the_stage_takes_less_of_its_time(image: Path) -> None:
    slow_rows = StageTime(speed=(5.0, 1000.0), settle=0.05, dwell=0.01)
    seconds = []
    for stage in (slow_rows, None):
        *_, (_, run) = run_agent(load_truth(image), "low-discrepancy", 150, stage=stage)
        assert run is not None
        seconds.append(run.seconds(150, slow_rows))
    assert seconds[0] < 0.9 * seconds[1]


def test_nothing_changes_without_a_stage(image: Path) -> None:
    (with_stage,) = compare_agents([image], ["spread"], [0.3], batch=50, stage=STAGE)
    (without,) = compare_agents([image], ["spread"], [0.3])
    assert set(with_stage) - set(without) == {"seconds"}
    assert without["points"] == with_stage["points"]


def test_with_a_stage_batches_are_its_own_and_end_where_the_map_is_compared(image: Path) -> None:
    runs = run_agent(load_truth(image), "spread", 400, batch=None, stage=STAGE, marks=[111, 400])
    *_, (_, run) = runs
    assert run is not None
    ends = [*run.decided_at[1:].tolist(), 400]
    assert 111 in ends
    sizes = np.diff([0, *ends])
    assert sizes.max() <= 100  # a quarter of what is measured
    assert sizes[-2] != 50


def simulate(capsys: pytest.CaptureFixture[str], image: Path, *words: str) -> dict:
    """The command's only row."""
    fixed = ["simulate", "--image", str(image), "--agent", "raster", "--coverage", "0.1", "--json"]
    app([*fixed, *words], standalone_mode=False)
    return json.loads(capsys.readouterr().out)


def test_the_command_tells_beam_time_when_the_stage_is_described(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = simulate(capsys, image)
    stage = ("--dwell", "0.01", "--settle", "0.05", "--speed", "1000")
    at_once = simulate(capsys, image, *stage)
    slow = simulate(capsys, image, *stage, "--acceleration", "0.1")
    assert set(at_once) - set(plain) == {"seconds"}
    way = at_once["seconds"] - 60 * 0.06  # 60 points, moves along rows and columns
    assert way == pytest.approx(plain["travel_px"] / 1000)
    assert slow["seconds"] > at_once["seconds"] + 59 * 0.01


@pytest.mark.parametrize("words", [["--settle", "0.05"], ["--dwell", "0.01", "--settle", "0.1"]])
def test_half_a_description_of_the_stage_is_refused(words: list[str], image: Path) -> None:
    command = ["simulate", "--image", str(image), "--agent", "raster", "--coverage", "0.1", *words]
    with pytest.raises(ValueError, match=r"beam time needs --dwell \(s\) and --speed \(px/s\)"):
        app(command, standalone_mode=False)


@pytest.mark.parametrize("seed", [-1, 0.5])
def test_a_seed_that_is_none_is_refused(image, seed):
    with pytest.raises(ValueError, match=rf"seed must be a whole number, 0 or more, but {seed} ca"):
        list(compare_agents([image], ["uniform"], [0.1], seed=seed))


def test_nothing_is_drawn_of_what_is_soon_over(image, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(compare_agents([image], ["uniform"], [0.1]))
    assert sys.stderr.getvalue() == ""  # pyright: ignore[reportAttributeAccessIssue]


def test_rows_tell_how_honest_an_agent_is_that_says_how_sure_it_is(tmp_path: Path, capsys) -> None:
    rng = np.random.default_rng(4)
    path = tmp_path / "rough.tif"
    truth = gaussian_filter(rng.standard_normal((32, 32)), 2.0).astype(np.float32)
    Image.fromarray(truth).save(path)
    sure, silent = compare_agents([path], ["gp", "spread"], [0.3], batch=40, seed=2)
    assert not {"nlpd", "cov90", "estimated_nrmse"} & set(silent)
    *_, (_, trajectory) = run_agent(load_truth(path), "gp", sure["points"], batch=40, seed=2)
    gp = GaussianProcess().surrogate(trajectory.scan)
    off, half = np.abs(truth - gp.mean), gp.interval(0.9)
    rest = np.argwhere(~trajectory.scan.mask)
    covered = [off[tuple(pixel)] <= half[tuple(pixel)] for pixel in rest]
    assert sure["cov90"] == pytest.approx(np.mean(covered))
    z, width, mean = (a[~trajectory.scan.mask] for a in (truth, gp.std, gp.mean))
    tails = gp.local_scale
    density = scipy.stats.t.logpdf(z, tails.freedom, mean, width * tails.width)
    assert sure["nlpd"] == pytest.approx(-density.mean())
    assert 0.5 < sure["estimated_nrmse"] / sure["nrmse_own"] < 2
    assert app(["simulate", "--image", str(path), "--agent", "gp", "--coverage", "0.3"],
               standalone_mode=False) is None  # fmt: skip
    head = capsys.readouterr().out.splitlines()[0]
    assert all(word in head for word in ("nrmse own", "estimated nrmse", "cov90", "nlpd"))


def coloured(path: Path) -> np.ndarray:
    """A picture whose colours have nothing in common; (3, M, N) values as they stand in it."""
    rng = np.random.default_rng(3)
    picture = np.stack([gaussian_filter(rng.random((40, 50)), s) for s in (1, 2, 4)], axis=-1)
    picture -= picture.min(axis=(0, 1))
    values = (255 * picture / picture.max(axis=(0, 1))).astype(np.uint8)
    Image.fromarray(values).save(path)
    return np.moveaxis(values, -1, 0).astype(float)


def test_all_channels_of_an_image_are_mapped_together(tmp_path: Path) -> None:
    path, stack = tmp_path / "colours.png", tmp_path / "elements.npy"
    truth = coloured(path)
    np.save(stack, truth)
    rows = list(compare_agents([path, stack], ["slads", "uniform"], [0.1, 0.2], channels="all"))
    assert [row["steered_by"] for row in rows] == [3, 3, 1, 1] * 2
    for row, again in zip(rows[:4], rows[4:], strict=True):
        assert row["nrmse_by_channel"] == again["nrmse_by_channel"]
        assert row["nrmse"] == pytest.approx(np.mean(row["nrmse_by_channel"]))
    *_, (_, run) = run_agent(truth, "slads", 400)
    assert run is not None
    scan = run.scan
    for values, channel in zip(truth, scan.channels, strict=True):
        np.testing.assert_array_equal(channel.values, values[tuple(scan.pixels.T)])
    errors = [
        np.linalg.norm(inverse_distance(channel) - values) / np.linalg.norm(values)
        for values, channel in zip(truth, scan.channels, strict=True)
    ]
    assert rows[1]["nrmse_by_channel"] == pytest.approx(errors)


def test_how_honest_an_agent_is_of_its_channels_is_told_by_their_mean(tmp_path: Path) -> None:
    path = tmp_path / "colours.png"
    truth = coloured(path)
    (row,) = compare_agents([path], ["gp"], [0.2], channels="all", seed=2)
    *_, (_, run) = run_agent(truth, "gp", row["points"], seed=2)
    assert run is not None
    inside = []
    for values, channel in zip(truth, run.scan.channels, strict=True):
        process = GaussianProcess().surrogate(channel)
        inside.append((np.abs(process.mean - values) <= process.interval(0.9))[~channel.mask])
    assert row["steered_by"] == 3
    assert row["cov90"] == pytest.approx(np.mean([each.mean() for each in inside]))


def test_the_first_channel_alone_is_mapped_unless_asked_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "elements.npy"
    np.save(path, coloured(tmp_path / "colours.png"))
    (row,) = compare_agents([path], ["spread"], [0.1])
    assert "nrmse_by_channel" not in row
    assert load_truth(path).shape == load_truth(tmp_path / "colours.png").shape == (40, 50)
    assert load_truth(path, 2.0, "all").shape == (3, 40, 50)


def test_the_command_prints_the_error_of_each_channel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "colours.png"
    coloured(path)
    words = ["--image", str(path), "--agent", "spread", "--coverage", "0.1", "--channels", "all"]
    app(["simulate", *words], standalone_mode=False)
    head, row = capsys.readouterr().out.splitlines()
    assert "nrmse by channel" in head
    assert row.count(";") == 2


def test_an_agent_that_flies_is_sooner_done_and_its_way_is_told() -> None:
    (truth,) = specimens_like(["flakes"], (96, 96))
    stage = StageTime(speed=1000.0, settle=0.05, dwell=0.01)
    num = truth.size // 4
    *_, (_, still) = run_agent(truth, "spread", num, batch=None, stage=stage)
    *_, (measured, flown) = run_agent(truth, "spread", num, batch=None, stage=stage, fly=True)
    assert still is not None
    assert flown is not None
    assert flown.path is not None
    assert len(flown.scan.values) == measured == num
    np.testing.assert_array_equal(flown.path.pixels[flown.path.fresh], flown.scan.pixels)
    assert flown.path.lengths.sum() == len(flown.path.pixels) >= num
    clock = stage.clock(flown.path.pixels, None, flown.path.lengths)
    assert flown.seconds(num, stage) == clock[flown.path.fresh[-1]]
    assert flown.seconds(num, stage) < 0.4 * still.seconds(num, stage)


def test_flying_without_a_stage_is_refused_before_anything_runs(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.ones((20, 20)))
    with pytest.raises(ValueError, match="give its speed, and the dwell"):
        next(compare_agents([tmp_path / "image.npy"], ["spread"], [0.1], fly=True))
