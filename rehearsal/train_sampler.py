"""Train the sampling network from nothing, on scans that it makes itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from ..agent import halton_pixels
from ..models import ErrorMap, SparseScan, save_error_network
from ..models.local_features import ANSWERS, HIGHEST, LOWEST
from .sampler_images import lessons

HIDDEN = (48, 24)
POWERS = (1.5, 2.4)  # of the distance in the scores by which training scans are made, at random
FLATNESSES = (0.0, 0.2)  # the same of the neighbours' variance
GAIN_SHARES = (0.2, 0.8)  # and the gain's weight against the error's
ROUNDS = (80, 180, 340)  # images of each round; the first is sampled by the training-free score
COVERAGE = (0.01, 0.27)
LOOKS = 8  # moments of a scan that are learnt from
SAMPLES = 600  # pixels of each; a third of them among those that score best
DECISION = 0.005  # of the raster in a batch
LARGEST_RATIO = 60.0  # of an error or a gain to the first-sight one: a cap, against outliers
LEAST_RATIO = -20.0  # of a gain: a point that misleads
OCTAVE = float(np.log(2.0))

Layers = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, eq=False)
class Lesson:
    """Pixels of scans, what was seen of them, and how wrong the map turned out.

    Attributes
    ----------
    features : (S, 24) ndarray of float32
    ratios : (S, 2) ndarray of float32
        Squared error over the first-sight expectation; what measuring the pixel would take off
        the map's squared errors, over that expectation times the squared distance.
    even : (S,) ndarray of bool
        Drawn evenly from the raster, not for its score.
    """

    features: NDArray[np.float32]
    ratios: NDArray[np.float32]
    even: NDArray[np.bool_]

    @classmethod
    def of(cls, parts: list[Lesson]) -> Lesson:
        """Several lessons in one."""
        return cls(*(np.concatenate([getattr(p, f) for p in parts]) for f in cls.__annotations__))


def train(
    out: Path, *, seed: int = 0, rounds: tuple[int, ...] = ROUNDS, epochs: int = 10
) -> dict[str, object]:
    """Train with a progress bar and write the weights.

    Parameters
    ----------
    out : Path
        The safetensors file to write.
    seed : int
        Of images, scans, first weights and order: the same seed gives the same file.
    rounds : tuple of int
        How many images each round scans; from the second on by the network of the one before.
    epochs : int
        How often all samples are learnt from, in each round.

    Returns
    -------
    dict
        JSON-able: ``weights``, ``sha256``, ``seed``, ``images``, ``samples``, ``gain`` (nats of
        likelihood over a constant correction, on the images of the last round before they were
        learnt from).
    """
    layers: Layers | None = None
    known: list[Lesson] = []
    gain = float("nan")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order
    with tqdm(total=sum(rounds) + epochs * len(rounds), desc="training") as bar:
        for number, images in enumerate(rounds):
            fresh = []
            for image in lessons(images, seed + 7919 * number):
                fresh.append(look(image, layers, seed=seed + len(fresh)))
                bar.update()
            if layers is not None:
                gain = likelihood_gain(layers, Lesson.of(fresh))
            known += fresh
            layers = fit(Lesson.of(known), epochs, seed, bar)
    torch.set_num_threads(threads)
    assert layers is not None, "a training has a round or more"  # noqa: S101
    return {
        "weights": str(out),
        "sha256": save_error_network(layers, out),
        "seed": seed,
        "images": sum(rounds),
        "samples": sum(len(lesson.ratios) for lesson in known),
        "gain": gain,
    }


def look(truth: NDArray[np.float64], layers: Layers | None, *, seed: int) -> Lesson:
    """Scan an image by the network, or without one by the training-free score, and learn."""
    rng = np.random.default_rng([seed, 1])
    error_map = ErrorMap(
        truth.shape,
        layers,
        power=rng.uniform(*POWERS),
        flatness=rng.uniform(*FLATNESSES),
        gain_share=rng.uniform(*GAIN_SHARES),
    )
    parts = []
    for scan in scans(truth, error_map, rng, seed):
        unmeasured = scan.unmeasured
        score = error_map.score[unmeasured[:, 0], unmeasured[:, 1]]
        best = np.argsort(-score, kind="stable")[: max(len(score) // 20, 1)]
        drawn = np.concatenate(
            [rng.choice(len(score), 2 * SAMPLES // 3), rng.choice(best, SAMPLES // 3)]
        )
        pixels = unmeasured[drawn]
        features, energies = error_map.features(pixels)
        at = (pixels[:, 0], pixels[:, 1])
        gains = error_map.gains(pixels, truth) / error_map.near[at]
        ratios = np.column_stack([np.square(truth[at] - error_map.image[at]), gains])
        ratios /= energies[:, None]
        even = np.arange(len(drawn)) < 2 * SAMPLES // 3
        parts.append(Lesson(features, ratios.astype(np.float32), even))
    return Lesson.of(parts)


def scans(
    truth: NDArray[np.float64], error_map: ErrorMap, rng: np.random.Generator, seed: int
) -> Iterator[SparseScan]:
    """Scan an image, with the map kept up to date, and stop at random coverages."""
    start = np.log(COVERAGE[0]), np.log(COVERAGE[1])
    moments = np.sort(np.exp(rng.uniform(*start, LOOKS))) * truth.size
    pixels = halton_pixels(truth.shape, max(10, round(COVERAGE[0] * truth.size)), seed)
    nothing = np.empty((0, 2), dtype=np.int64)
    for moment in moments:
        while True:
            scan = SparseScan(truth.shape, pixels, truth[pixels[:, 0], pixels[:, 1]])
            error_map.update(scan)
            if len(pixels) >= moment:
                break
            batch = max(1, round(DECISION * truth.size))
            pixels = np.concatenate([pixels, error_map.choose(batch, nothing)[0]])
        yield scan


def fit(lesson: Lesson, epochs: int, seed: int, bar: tqdm) -> Layers:
    """Fit the corrections m: the loss ``t exp(-m) + m`` is least where m is log E[t]."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.from_numpy(lesson.features)
    targets = torch.from_numpy(np.clip(lesson.ratios, LEAST_RATIO, LARGEST_RATIO))
    mean, deviation = features.mean(dim=0), features.std(dim=0) + 1e-3
    network = _first_network(generator)
    batches = len(features) // 2048 + 1
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * batches)
    for _ in range(epochs):
        for rows in torch.randperm(len(features), generator=generator).chunk(batches):
            octaves = network((features[rows] - mean) / deviation).clamp(LOWEST, HIGHEST)
            m = OCTAVE * octaves
            loss = (targets[rows] * torch.exp(-m) + m).sum(dim=1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        bar.update()
    return _balanced(_layers(network, mean, deviation), lesson)


def correction(layers: Layers, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """(S, 2) octaves by which the network corrects first-sight error and gain."""
    w1, b1, w2, b2, w3, b3 = layers
    hidden = np.maximum(np.maximum(features @ w1 + b1, 0) @ w2 + b2, 0)
    return np.clip(hidden @ w3 + b3, LOWEST, HIGHEST).astype(np.float64)


def likelihood_gain(layers: Layers, lesson: Lesson) -> float:
    """Nats by which the network foretells errors better than one factor for all."""
    t = np.minimum(lesson.ratios[:, 0], LARGEST_RATIO).astype(np.float64)
    m = OCTAVE * correction(layers, lesson.features)[:, 0]
    return float(np.log(t.mean()) + 1 - (t * np.exp(-m) + m).mean())


def _balanced(layers: Layers, lesson: Lesson) -> Layers:
    """Shift all corrections of the error so that the loss is least on the evenly drawn pixels.

    Ratios are capped as in the loss: where the map is exact but for a speck they have no bound.
    """
    t = np.minimum(lesson.ratios[lesson.even, 0], LARGEST_RATIO).astype(np.float64)
    m = OCTAVE * correction(layers, lesson.features[lesson.even])[:, 0]
    shift = np.log2((t * np.exp(-m)).mean())
    return (*layers[:-1], (layers[-1] + [shift, 0.0]).astype(np.float32))


def _first_network(generator: torch.Generator) -> nn.Sequential:
    features = ErrorMap.FEATURES
    network = nn.Sequential(
        nn.Linear(features, HIDDEN[0]),
        nn.ReLU(),
        nn.Linear(HIDDEN[0], HIDDEN[1]),
        nn.ReLU(),
        nn.Linear(HIDDEN[1], ANSWERS),
    )
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
    return network


def _layers(network: nn.Sequential, mean: torch.Tensor, deviation: torch.Tensor) -> Layers:
    """Weights as `ErrorMap` takes them, with the standardisation folded in."""
    first, second, last = (layer for layer in network if isinstance(layer, nn.Linear))
    w1 = (first.weight / deviation).T
    b1 = first.bias - mean @ w1
    arrays = (w1, b1, second.weight.T, second.bias, last.weight.T, last.bias)
    return tuple(a.detach().numpy().astype(np.float32).copy() for a in arrays)
