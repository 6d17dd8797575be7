"""Agents compared on an image: which options each gets, what is refused, what is drawn."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skysteer.rehearsal import compare_agents, designs

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
