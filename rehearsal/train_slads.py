"""Train SLADS-Net as FAST's authors did: one photograph, a hundred random masks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import skimage.data
import skimage.transform
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from ..models import (
    SladsNetwork,
    SparseScan,
    reconstruct,
    reduction_in_distortion,
    save_slads_net,
    slads_features,
)

# FAST's recipe (repository saugatkandel/fast_smart_scanning, training notebook and defaults).
SIDE = 256  # pixels
COVERAGE = (0.01, 0.8)
TRAINED_SHARE = 0.8  # the rest of the samples validates
BATCH = 200
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-4 / BATCH  # scikit-learn divides its alpha by the batch
CHUNK = 100 * BATCH  # samples whose Fourier features are held at a time


@dataclass(frozen=True, eq=False)
class Samples:
    """What the network learns from, a row for each unmeasured pixel of each mask.

    Attributes
    ----------
    features : (S, 6) tensor of float32
        From `slads_features`.
    reductions : (S,) tensor of float32
        From `reduction_in_distortion`.
    """

    features: torch.Tensor
    reductions: torch.Tensor

    def __len__(self) -> int:
        return len(self.reductions)

    def take(self, rows: torch.Tensor) -> Samples:
        """Give some of the rows, in that order."""
        return Samples(self.features[rows], self.reductions[rows])


@dataclass(frozen=True, eq=False)
class Training:
    """A trained network and how good it is.

    Attributes
    ----------
    network : SladsNetwork
        In double precision, ready to choose.
    r_squared : float
        Share of the target's variance that it foretells, on samples it was not trained on; not
        finite where the target has no variance.
    """

    network: SladsNetwork
    r_squared: float


def camera_image() -> NDArray[np.float64]:
    """(256, 256) photograph of a man with a camera, from scikit-image, rescaled to 0 to 100."""
    camera = skimage.data.camera().astype(np.float64)
    image = np.asarray(skimage.transform.resize(camera, (SIDE, SIDE), anti_aliasing=True))
    return (image - image.min()) / (image.max() - image.min()) * 100


def train_slads_net(
    image: NDArray[np.float64],
    *,
    masks: int = 100,
    epochs: int = 20,
    seed: int = 0,
    progress: bool = False,
) -> Training:
    """Train a SLADS-Net on one image.

    Parameters
    ----------
    image : (M, N) ndarray
        Its values should span 0 to 100.
    masks : int
        How many random masks, of coverages drawn evenly from 1 to 80 %.
    epochs : int
        How often all samples are learnt from.
    seed : int
        Of masks, split, first weights and order.
    progress : bool
        Show a progress bar.

    Raises
    ------
    ValueError
        If the image is not 2-D and finite, there is no mask or no epoch, or too few samples come
        of it to train and validate.
    """
    for name, number in (("masks", masks), ("epochs", epochs)):
        if number < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more, but {number} came")
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(
            f"training needs a finite 2-D image, but one of shape {image.shape} came, "
            f"{np.isfinite(image).sum()} of its {image.size} pixels finite"
        )
    bar = tqdm(total=masks + epochs, desc="training", disable=not progress)
    with bar, _one_thread():
        samples = _samples(image, masks, np.random.default_rng(seed), bar)
        if len(samples) < 2:
            raise ValueError(
                f"{len(samples)} samples are too few to train and validate: "
                "give more masks or a larger image"
            )
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(samples), generator=generator)
        cut = int(TRAINED_SHARE * len(order))
        network = _first_network(generator)
        _fit(network, samples.take(order[:cut]), epochs, generator, bar)
    return Training(network, _r_squared(network, samples.take(order[cut:])))


def train(out: Path, *, seed: int = 0, masks: int = 100, epochs: int = 20) -> dict[str, object]:
    """Train on the camera image with a progress bar, and write the weights.

    Parameters
    ----------
    out : Path
        The safetensors file to write.

    Returns
    -------
    dict
        JSON-able: ``weights``, ``sha256``, ``seed``, ``masks``, ``epochs``, ``r_squared``.

    Raises
    ------
    ValueError
        As ``train_slads_net``.
    OSError
        If the file cannot be written; before the training.
    """
    _check_writable(out)
    training = train_slads_net(camera_image(), masks=masks, epochs=epochs, seed=seed, progress=True)
    return {
        "weights": str(out),
        "sha256": save_slads_net(training.network, out),
        "seed": seed,
        "masks": masks,
        "epochs": epochs,
        "r_squared": training.r_squared,
    }


def _check_writable(out: Path) -> None:
    if out.is_dir():
        raise IsADirectoryError(f"weights go into a file, but {out} is a folder: name a file in it")
    try:
        with TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise type(error)(
            f"weights cannot be written to {out} ({error.strerror}): "
            "name a file in a folder that exists and may be written to"
        ) from error


def _samples(
    image: NDArray[np.float64], masks: int, rng: np.random.Generator, bar: tqdm
) -> Samples:
    features, reductions = [], []
    for share in rng.uniform(*COVERAGE, size=masks):
        drawn = rng.random(image.shape)
        pixels = np.argwhere(drawn <= max(share, drawn.min()))  # at least one, on tiny images
        scan = SparseScan.of(image.shape, pixels, image[pixels[:, 0], pixels[:, 1]])
        reconstruction = reconstruct(scan)
        features.append(slads_features(reconstruction).astype(np.float32))
        reductions.append(reduction_in_distortion(reconstruction, image).astype(np.float32))
        bar.update()
    return Samples(
        torch.from_numpy(np.concatenate(features)), torch.from_numpy(np.concatenate(reductions))
    )


def _first_network(generator: torch.Generator) -> SladsNetwork:
    """Draw first weights as scikit-learn does: Glorot's uniform bound, for the biases too."""
    network = SladsNetwork()
    for layer in network.perceptron:
        if isinstance(layer, nn.Linear):
            bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return network


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: on matrices this small, threads wait for each other.

    With a second one, on a machine that others use too, training takes a hundred times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def _fit(
    network: SladsNetwork, samples: Samples, epochs: int, generator: torch.Generator, bar: tqdm
) -> None:
    """Minimise half the mean squared error with Adam, in single precision for speed."""
    parameters = list(network.perceptron.float().parameters())
    optimiser = torch.optim.Adam(parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    for _ in range(epochs):
        for components, reductions in _batches(network, samples, generator):
            for parameter, gradient in zip(
                parameters, _gradients(parameters, components, reductions), strict=True
            ):
                parameter.grad = gradient
            optimiser.step()
        bar.update()
    network.perceptron.double()


def _gradients(
    parameters: list[nn.Parameter], components: torch.Tensor, reductions: torch.Tensor
) -> list[torch.Tensor]:
    """Gradients of half the mean squared error, by hand.

    On layers this small autograd's bookkeeping takes longer than the arithmetic: with it,
    training takes twice as long.
    """
    w1, b1, w2, b2, w3, b3 = parameters
    first = torch.addmm(b1, components, w1.T).relu_()
    second = torch.addmm(b2, first, w2.T).relu_()
    error = (torch.addmm(b3, second, w3.T) - reductions[:, None]) / len(reductions)
    back_second = (error @ w3) * (second > 0)
    back_first = (back_second @ w2) * (first > 0)
    layers = ((components, back_first), (first, back_second), (second, error))
    return [g for inputs, back in layers for g in (back.T @ inputs, back.sum(dim=0))]


def _batches(
    network: SladsNetwork, samples: Samples, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (200, 50) Fourier features and (200,) targets in random order."""
    for rows in torch.randperm(len(samples), generator=generator).split(CHUNK):
        chunk = samples.take(rows)
        components = network.fourier(chunk.features.double()).float()
        yield from zip(components.split(BATCH), chunk.reductions.split(BATCH), strict=True)


@torch.inference_mode()
def _r_squared(network: SladsNetwork, samples: Samples) -> float:
    foretold = network(samples.features.double())
    actual = samples.reductions.double()
    return float(1 - (actual - foretold).square().mean() / actual.var(correction=0))
