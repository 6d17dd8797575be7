"""Samplers by name, and from a file of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from skysteer.agent import LowDiscrepancy, RasterSubgrid, make_sampler, sampler_names

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_agent.py"
MINE = """
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar

@dataclass
class Mine:
    kind: ClassVar[str] = "mine"
    width: float = 1.0

    def choose(self, request):
        return None

class Deaf:
    pass

class Broken:
    def __init__(self):
        raise TypeError("my own mistake")

    def choose(self, request):
        return None
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "random.py"
    path.write_text(MINE)
    return str(path)


def test_installed_samplers_have_names_and_options() -> None:
    assert {"raster", "uniform", "low-discrepancy", "slads-net"} <= set(sampler_names())
    assert isinstance(make_sampler("low-discrepancy"), LowDiscrepancy)
    sampler = make_sampler("raster", {"num": 7})
    assert isinstance(sampler, RasterSubgrid)
    assert sampler.num == 7


def test_a_sampler_may_be_named_by_module() -> None:
    assert isinstance(make_sampler("skysteer.agent:LowDiscrepancy"), LowDiscrepancy)


def test_the_example_takes_twenty_lines() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 20
    assert hasattr(make_sampler(f"{EXAMPLE}:EdgeSeeker"), "choose")


def test_a_file_of_ones_own_is_loaded_with_options_and_shadows_nothing(mine: str) -> None:
    import random

    assert make_sampler(f"{mine}:Mine", {"width": 2.5}).width == 2.5  # pyright: ignore
    import random as again

    assert again is random


def test_a_file_is_read_again_after_a_change(mine: str) -> None:
    make_sampler(f"{mine}:Mine")
    Path(mine).write_text(MINE.replace("1.0", "3.25"))
    assert make_sampler(f"{mine}:Mine").width == 3.25  # pyright: ignore


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    known = r"there is no agent .sldas-net.: choose one of .*low-discrepancy, "
    with pytest.raises(ValueError, match=known):
        make_sampler("sldas-net")


@pytest.mark.parametrize(
    ("name", "takes"), [("raster", "num"), ("slads-net", "weights"), ("uniform", "no options")]
)
def test_unknown_options_are_refused_with_the_names_of_those_it_takes(
    name: str, takes: str
) -> None:
    with pytest.raises(ValueError) as error:
        make_sampler(name, {"speed": 3})
    assert str(error.value) == f"agent '{name}' takes {takes}, but {{'speed': 3}} came"


def test_what_cannot_choose_is_refused(mine: str) -> None:
    with pytest.raises(ValueError, match=r"needs a method choose\(request\)"):
        make_sampler(f"{mine}:Deaf")


def test_an_error_of_the_samplers_own_is_not_blamed_on_the_options(mine: str) -> None:
    with pytest.raises(TypeError, match="my own mistake"):
        make_sampler(f"{mine}:Broken")


@pytest.mark.parametrize(
    "name", ["nowhere.py:Mine", "no.such.module:Mine", "skysteer.agent:Nobody", ":Mine"]
)
def test_what_cannot_be_found_is_said_in_one_line(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be loaded: ") as error:
        make_sampler(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["def (", "1 / 0", "import nothing_like_it"])
def test_a_file_that_cannot_be_run_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"broken.py:Mine' cannot be loaded: "):
        make_sampler(f"{path}:Mine")
