"""How large a batch should be: points, moves and beam time by its size.

    python benchmarks/sampling_batches.py [--image NAME ...]

What the numbers in ``agent/batch_size.py`` come from.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from sampling_rows import DWELLS, STAGE, Row, along, first_at
from sampling_runs import COVERAGES, Image, agent_run, images
from sampling_time import seconds_to

SIZES = (25, 50, 100, 200, 400, 800, 1600)
SOME = ("cell", "coins", "moon", "flakes-256", "crystals-256", "particles", "phases", "texture")
QUALITY = 0.15  # coverage at which batches of 50 set the quality


def row_of(truth: Image, batch: int | None, dwell: float = 0.0) -> Row:
    """Measure a quarter of an image in batches of one size, or in the stage's own."""
    num = round(COVERAGES[-1] * truth.size)
    return along(truth, agent_run("slads", truth, num, 0, batch, replace(STAGE, dwell=dwell)))


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", nargs="+", default=SOME, help="names of the set")
    for name, truth in images():
        if name in parser.parse_args().image:
            print(f"{name}: to the NRMSE of batches of 50 at {100 * QUALITY:g} %")
            print_image(truth)


def print_image(truth: Image) -> None:
    """Points, mean move and beam time, over those of batches of 50."""
    usual = row_of(truth, 50)
    error = float(np.interp(QUALITY * truth.size, usual["points"], usual["errors"]))

    def seconds(row: Row, dwell: float) -> float:
        return seconds_to(row, error, replace(STAGE, dwell=dwell))

    for batch in SIZES:
        row = usual if batch == 50 else row_of(truth, batch)
        points = first_at(error, row["points"], row["errors"])
        way = float(np.interp(points, row["points"], row["way"])) / points
        told = "  ".join(f"{seconds(usual, d) / seconds(row, d):.3f}" for d in DWELLS)
        print(
            f"{batch:6d} {100 * batch / truth.size:6.2f} %  points x "
            f"{points / first_at(error, usual['points'], usual['errors']):.3f}  move "
            f"{way:5.1f} px = {way / np.sqrt(truth.size / batch):.2f} sqrt(area / batch)  faster x "
            f"{told} at {', '.join(f'{1e3 * d:g}' for d in DWELLS)} ms"
        )
    told = "  ".join(
        f"{seconds(usual, d) / seconds(row_of(truth, None, d), d):.3f}" for d in DWELLS
    )
    print(f"{'free':>6s}{'':61s}{told}")


if __name__ == "__main__":
    main()
