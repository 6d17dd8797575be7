"""Compare our SLADS-Net with FAST's own: whether as good, and as quick.

    python benchmarks/slads_net_fidelity.py quality --train 0 1 2 3 4 --json
    python benchmarks/slads_net_fidelity.py speed --json

``quality`` lets networks of several training seeds measure three images, 50 pixels a decision,
and compares the median NRMSE with what FAST's own code and model reach.  ``speed`` times a full
decision against FAST's way of making it (scikit-learn for neighbours, Fourier map and network),
on the same arrays, with the same weights, in turns, one thread each.  Both need the reference
figures of FAST beside the repository.
"""

from __future__ import annotations

import os

# Before numpy and torch are loaded, or they start a thread for each core.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.kernel_approximation import RBFSampler
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPRegressor
from tqdm import tqdm

from skysteer.agent import Request, SladsNet, halton_pixels
from skysteer.models import SparseScan, inverse_distance, load_slads_net, nrmse, rescaled
from skysteer.rehearsal.train_slads import train

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "slads-net-reference.npz"
BATCH = 50
START = 0.01
# What FAST reaches (README beside the reference): median NRMSE of three starts.
FAST_NRMSE = {
    "coins": {0.05: 0.181, 0.10: 0.135, 0.20: 0.087},
    "moon": {0.05: 0.037, 0.10: 0.029, 0.20: 0.019},
    "brick": {0.05: 0.460, 0.10: 0.369, 0.20: 0.243},
}
NOTHING_PENDING = np.empty((0, 2), dtype=np.int64)


def main() -> int:
    """Run one part and print its rows; 2 where the reference is missing."""
    options = arguments()
    if not REFERENCE.exists():
        print(f"no reference at {REFERENCE}: put FAST's figures there", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    rows = quality(options) if options.part == "quality" else speed(options)
    for row in rows:
        print(json.dumps(row) if options.json else "  ".join(f"{k} {v}" for k, v in row.items()))
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", choices=["quality", "speed"])
    parser.add_argument("--weights", type=Path, nargs="*", default=[None], help="default: shipped")
    parser.add_argument("--train", type=int, nargs="*", default=[], help="train these seeds first")
    parser.add_argument("--images", nargs="+", default=list(FAST_NRMSE), choices=list(FAST_NRMSE))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("build/slads"), help="trained weights")
    parser.add_argument("--starts", type=int, nargs="+", default=[11], help="Halton seeds")
    parser.add_argument("--repeats", type=int, default=15, help="of each timing")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args()


def quality(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """NRMSE of each image and coverage: median and range of all weights and starts."""
    weights = trained(options) if options.train else options.weights
    for name in options.images:
        truth, fast = image_of(name), FAST_NRMSE[name]
        runs = [(file, start) for file in weights for start in options.starts]
        errors = np.array(
            [
                list(trajectory(SladsNet(file and str(file)), truth, start, fast))
                for file, start in tqdm(runs, desc=name)
            ]
        )
        for column, (share, published) in enumerate(fast.items()):
            ours = errors[:, column]
            yield {
                "image": name,
                "coverage": share,
                "runs": len(runs),
                "nrmse_median": round(float(np.median(ours)), 4),
                "nrmse_all": [round(float(error), 4) for error in ours],
                "nrmse_fast": published,
                "ratio": round(float(np.median(ours)) / published, 3),
            }


def trained(options: argparse.Namespace) -> list[Path]:
    """Train what has not been trained yet; give the files of weights."""
    options.out.mkdir(parents=True, exist_ok=True)
    files = [options.out / f"seed{seed}-{options.epochs}.safetensors" for seed in options.train]
    for seed, file in zip(options.train, files, strict=True):
        if not file.exists():
            print(json.dumps(train(file, seed=seed, epochs=options.epochs)), file=sys.stderr)
    return files


def image_of(name: str) -> NDArray[np.float64]:
    """(256, 256) image of the reference, 0 to 100."""
    with np.load(REFERENCE, allow_pickle=False) as data:
        return data[f"{name}/image"].astype(np.float64)


def trajectory(
    sampler: SladsNet, truth: NDArray[np.float64], start: int, shares: dict[float, float]
) -> Iterator[float]:
    """Measure an image in batches; yield the NRMSE at each coverage."""
    pixels = halton_pixels(truth.shape, int(START * truth.size), start)
    for share in shares:
        goal = round(share * truth.size)
        while len(pixels) < goal:
            num = min(BATCH, goal - len(pixels))
            request = Request(scan=scan_of(truth, pixels), pending=NOTHING_PENDING, num=num)
            pixels = np.concatenate([pixels, sampler.choose(request).pixels])
        yield nrmse(truth, inverse_distance(scan_of(truth, pixels)))


def scan_of(truth: NDArray[np.float64], pixels: NDArray[np.int64]) -> SparseScan:
    """Measure an image's own pixels."""
    return SparseScan.of(truth.shape, pixels, truth[pixels[:, 0], pixels[:, 1]])


def speed(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Wall and processor time of a decision at each moment of the reference, in turns."""
    file = options.weights[0]
    sampler, regressor = SladsNet(file and str(file)), as_scikit_learn(file)
    with np.load(REFERENCE, allow_pickle=False) as data:
        moments = {key: data[key] for key in data.files if key.endswith("/measured")}
    for key, measured in moments.items():
        name, moment, _ = key.split("/")
        scan = scan_of(image_of(name), measured.astype(np.int64))
        request = Request(scan=scan, pending=NOTHING_PENDING, num=BATCH)
        ours, fast = [], []
        for _ in range(options.repeats):
            ours.append(timed(lambda request=request: sampler.choose(request)))
            fast.append(timed(lambda scan=scan: decide_as_fast(scan, regressor)))
        yield {"image": name, "moment": moment, "repeats": options.repeats} | compared(ours, fast)


def compared(ours: list[tuple[float, float]], fast: list[tuple[float, float]]) -> dict[str, object]:
    """Medians and quartiles in ms, first turn left out as a warm-up, and the medians' ratio."""
    row: dict[str, object] = {}
    for column, clock in enumerate(("wall", "cpu")):
        medians = []
        for who, times in (("ours", ours), ("fast", fast)):
            low, median, high = np.percentile([t[column] for t in times[1:]], [25, 50, 75]) * 1e3
            row[f"{who}_{clock}_ms"] = [round(float(t), 1) for t in (low, median, high)]
            medians.append(median)
        row[f"{clock}_ratio"] = round(float(medians[0] / medians[1]), 3)
    return row


def timed(decide: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time of one decision, s."""
    wall, processor = time.perf_counter(), time.process_time()
    decide()
    return time.perf_counter() - wall, time.process_time() - processor


def as_scikit_learn(file: Path | None) -> MLPRegressor:
    """The network's weights in the class that FAST keeps its own in."""
    layers = [
        layer for layer in load_slads_net(file).perceptron if isinstance(layer, torch.nn.Linear)
    ]
    regressor = MLPRegressor(hidden_layer_sizes=(50, 5), max_iter=1)
    with warnings.catch_warnings(action="ignore"):
        regressor.fit(np.zeros((10, 50)), np.arange(10.0))  # for the attributes of a fitted one
    regressor.coefs_ = [layer.weight.detach().numpy().T.copy() for layer in layers]
    regressor.intercepts_ = [layer.bias.detach().numpy().copy() for layer in layers]
    return regressor


def decide_as_fast(scan: SparseScan, regressor: MLPRegressor) -> NDArray[np.int64]:
    """Choose a batch by the steps that FAST takes, with the parts that it takes them with."""
    scan = rescaled(scan)
    pixels = scan.unmeasured
    search = NearestNeighbors(n_neighbors=10).fit(scan.pixels)
    distances, indices = search.kneighbors(pixels)
    values = scan.values[indices]
    weights = 1 / np.power(distances, 2)
    weights /= weights.sum(axis=1, keepdims=True)
    image = np.zeros(scan.shape)
    at = (pixels[:, 0], pixels[:, 1])
    image[at] = (values * weights).sum(axis=1)
    image[scan.pixels[:, 0], scan.pixels[:, 1]] = scan.values
    gaps = np.abs(values - image[at][:, None])
    circle = np.ceil(np.sqrt(0.0025 * image.size / np.pi))
    along_rows, along_columns = np.gradient(image)
    features = np.column_stack(
        [
            (weights * gaps).sum(axis=1),
            np.sqrt(np.power(gaps, 2).sum(axis=1)),
            distances[:, 0],
            (1 + np.pi * circle**2) / (1 + (distances <= circle).sum(axis=1)),
            np.abs(along_columns)[at],
            np.abs(along_rows)[at],
        ]
    )
    fourier = RBFSampler(gamma=0.01, n_components=50, random_state=1)
    expected = regressor.predict(fourier.fit_transform(features)).clip(min=0)
    return pixels[np.argpartition(expected, -BATCH)[-BATCH:]]


if __name__ == "__main__":
    sys.exit(main())
