"""gpCAM beside ours: the same readings, in a process of the Python that it is installed in.

`surrogate.py --gpcam PYTHON` runs this file with that Python, which needs gpcam and numpy and knows
nothing of skysteer; question and answer are files of arrays.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before numpy

import numpy as np

AT_A_TIME = 2048  # pixels; the whole raster at once ends in MemoryError


def beside(python: str, question: dict[str, Any]) -> dict[str, Any]:
    """Ask the gpCAM of another Python: CPU seconds, mean and deviation.

    Raises
    ------
    RuntimeError
        If that Python fails, with the end of what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder) / "asked.npz", Path(folder) / "answer.npz"
        np.savez(asked, **question)
        done = subprocess.run(
            [python, __file__, str(asked), str(answer)], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{python} could not run gpCAM: {done.stderr[-500:]}")
        with np.load(answer) as found:
            return {name: found[name] for name in found.files}


def matern_half(one: Any, other: Any, hyperparameters: Any) -> Any:
    """Our covariance: exponential, a length for each axis."""
    variance, *lengths = hyperparameters
    a, b = one / lengths, other / lengths
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return variance * np.exp(-np.sqrt(np.maximum(squares, 0.0)))


def posterior(question: Any) -> dict[str, Any]:
    """Mean and deviation of all pixels, and the CPU seconds of both."""
    from gpcam import GPOptimizer

    pixels = question["pixels"].astype(float)
    values = question["values"]
    variance, row, column, floor, mean = question["hyperparameters"]
    began = time.process_time()
    gp = GPOptimizer(
        pixels,
        values - mean,
        init_hyperparameters=np.array([variance, row, column]),
        kernel_function=matern_half,
        noise_variances=np.full(len(values), max(floor, 1e-8 * variance)),
    )
    shape = question["shape"]
    where = np.column_stack(np.divmod(np.arange(shape[0] * shape[1]), shape[1])).astype(float)
    means, variances = [], []
    for k in range(0, len(where), AT_A_TIME):
        means.append(gp.posterior_mean(where[k : k + AT_A_TIME])["m(x)"])
        found = gp.posterior_covariance(where[k : k + AT_A_TIME], variance_only=True)
        variances.append(found["v(x)"])
    return {
        "mean": mean + np.concatenate(means).reshape(shape),
        "std": np.sqrt(np.maximum(np.concatenate(variances), 0.0) + floor).reshape(shape),
        "cpu_s": time.process_time() - began,
    }


if __name__ == "__main__":
    with np.load(sys.argv[1]) as question:
        np.savez(sys.argv[2], **posterior(question))
