from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skysteer.simulators import Ioc

CLIENT = Path(__file__).parents[1] / "simulators" / "stale_values_client.py"


@pytest.mark.parametrize("layer", ["pyepics", "caproto", "ophyd-async"])
def test_300_moves_and_counts_never_read_the_point_before(
    layer: str, ioc: Callable[..., Ioc], run_client: Callable[..., Any], tmp_path: Path
) -> None:
    image = tmp_path / "image.npy"
    np.save(image, np.random.default_rng(1).permutation(24 * 32).reshape(24, 32) + 1.0)
    running = ioc(image=str(image), peak_rate=24 * 32, noise="none")
    result = run_client(running, CLIENT, layer, image, 300)
    assert result == {"wrong": [], "points": 300}
