"""How far a batch got: every kind of event beside the plain reading."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from skysteer.agent import Intervention
from skysteer.agent.batch_progress import BatchProgress

TARGETS = [(0, 0), (0, 1), (0, 2), (0, 3)]


def progress(what: Iterable[tuple[str, object]], rejected: object = ()) -> BatchProgress:
    """Follow a batch through readings (pixel) and interventions (detail), from a log of ten."""
    followed = BatchProgress(TARGETS, rejected)  # pyright: ignore[reportArgumentType]
    length, number = 10, 10
    for kind, said in what:
        if kind == "read":
            number += 1
            followed.reading(length, number, said)  # pyright: ignore
            length += 1
        else:
            detail = {"seq_nums": [number], **said} if kind == "quarantine" else said  # pyright: ignore
            followed.intervention(length, Intervention(0, kind, "policy", length, detail))
            length += kind == "quarantine"
    followed.end(length)
    return followed


def at(pixel: tuple[int, int]) -> dict[str, int]:
    return {"row": pixel[0], "column": pixel[1]}


READ = [("read", target) for target in TARGETS]


@pytest.mark.parametrize(
    ("what", "steps"),
    [
        ([], []),
        (READ[:2], [11, 12]),
        # the stage landed elsewhere: the target has been tried
        ([READ[0], ("read", (7, 7)), READ[2]], [11, 12, 13]),
        # a motor stalled twice, and then did not
        ([READ[0], ("retry", at((0, 1))), ("retry", at((0, 1))), READ[1]], [11, 12]),
        ([READ[0], ("retry", at((0, 1)))], [11]),
        # ... and was given up
        ([READ[0], ("retry", at((0, 1))), ("skip", at((0, 1))), READ[2]], [11, 11, 12]),
        # a reading was bad: taken back and tried again
        ([READ[0], ("quarantine", {}), ("retry", at((0, 0))), READ[0], READ[1]], [13, 14]),
        ([READ[0], ("quarantine", {}), ("retry", at((0, 0)))], []),
        # ... and given up after its second reading, which counts once
        ([READ[0], ("quarantine", {}), ("retry", {}), READ[0], ("skip", at((0, 0)))], [13]),
        # ... taken back and left at that
        ([READ[0], ("quarantine", {}), READ[1]], [12, 13]),
        # without beam: both are measured again before the third
        (
            [*READ[:2], ("quarantine", {"seq_nums": [11, 12], "again": TARGETS[:2]}), *READ[:3]],
            [11, 15, 16],
        ),
    ],
)
def test_a_batch_is_as_far_as_its_targets_have_been_dealt_with(
    what: list[tuple[str, object]], steps: list[int]
) -> None:
    assert progress(what).steps == steps


def test_what_was_to_be_measured_once_more_is_left_to_do() -> None:
    taken_back = ("quarantine", {"seq_nums": [11, 12], "again": TARGETS[:2]})
    left = progress([*READ[:2], taken_back, READ[0]])
    assert (left.again, len(left.steps)) == ([(0, 1)], 2)
    assert progress([*READ[:2], taken_back, READ[0], READ[1]]).again == []
    assert progress([*READ[:2], taken_back, ("skip", at((0, 0)))]).again == [(0, 1)]


def test_rejected_targets_are_passed_over_unless_they_had_been_measured() -> None:
    left_out = progress([READ[0], READ[2]], rejected={(0, 1)})
    assert left_out.steps == [11, 11, 12]
    assert progress([READ[0], READ[1]], rejected={(0, 1)}).steps == [11, 12]


def test_unusable_readings_count_as_tried() -> None:
    followed = BatchProgress(TARGETS)
    followed.reading(10, 11, (-1, -1))
    assert followed.steps == [11]
