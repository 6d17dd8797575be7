"""SLADS-Net as published: random Fourier features of six numbers, and a small perceptron.

Zhang et al., "SLADS-Net: Supervised learning approach for dynamic sampling using deep neural
networks" (2018), arXiv:1803.02972, with the sizes that FAST uses (Kandel et al., Nat. Commun.
14, 5501 (2023), doi:10.1038/s41467-023-40339-1).
"""

from __future__ import annotations

import hashlib
import math
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import nn

SHIPPED = Path(__file__).with_name("slads_net.safetensors")

FEATURES = 6
COMPONENTS = 50
HIDDEN = (50, 5)
GAMMA = 0.01
# FAST draws its Fourier map anew at every call, always with this seed, so it is one fixed map.
FOURIER_SEED = 1


class SladsNetwork(nn.Module):
    """Foretells the reduction in distortion (ERD) from the six features of a pixel.

    ``sqrt(2/D) cos(x W + b)`` with D = 50 components, W from N(0, 2 gamma) and b from
    U(0, 2 pi), which are no parameters but constants of the model; then 50-5-1 with ReLU.
    """

    frequencies: torch.Tensor
    phases: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        frequencies, phases = fourier_map(FOURIER_SEED)
        self.register_buffer("frequencies", torch.from_numpy(frequencies))
        self.register_buffer("phases", torch.from_numpy(phases))
        self.perceptron = nn.Sequential(
            nn.Linear(COMPONENTS, HIDDEN[0]),
            nn.ReLU(),
            nn.Linear(HIDDEN[0], HIDDEN[1]),
            nn.ReLU(),
            nn.Linear(HIDDEN[1], 1),
        ).double()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(U,) expected reduction in distortion of (U, 6) features."""
        return self.perceptron(self.fourier(features)).squeeze(-1)

    def fourier(self, features: torch.Tensor) -> torch.Tensor:
        """(U, 50) random Fourier features of (U, 6) features."""
        angles = torch.addmm(self.phases, features, self.frequencies)
        return angles.cos_().mul_(math.sqrt(2 / COMPONENTS))

    @torch.inference_mode()
    def expected_reduction(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Foretell the reduction in distortion, 0 where the network says less.

        Parameters
        ----------
        features : (U, 6) ndarray of float64
            From `slads_features`, of values rescaled to 0 to 100.

        Returns
        -------
        (U,) ndarray of float64
            In units of the rescaled values, 0 or more.
        """
        return self(torch.from_numpy(features)).clamp_(min=0).numpy()


def fourier_map(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the (6, 50) frequencies and (50,) phases that scikit-learn's RBFSampler would draw.

    From numpy's frozen ``RandomState``, so the map is FAST's to the last bit.
    """
    random = np.random.RandomState(seed)
    frequencies = math.sqrt(2 * GAMMA) * random.normal(size=(FEATURES, COMPONENTS))
    return frequencies, random.uniform(0, 2 * math.pi, size=COMPONENTS)


def load_slads_net(path: str | PathLike[str] | None = None) -> SladsNetwork:
    """Read trained weights.

    Parameters
    ----------
    path : path-like, optional
        A safetensors file that `save_slads_net` wrote; the model that is shipped where not given.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no safetensors file, or holds another model.
    """
    path = SHIPPED if path is None else Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no SLADS-Net weights at {path}: train some, or mend the path")
    return _read(path)


def save_slads_net(network: SladsNetwork, path: str | PathLike[str]) -> str:
    """Write weights and Fourier map as safetensors; return the file's SHA-256 in hex."""
    save_file({name: t.contiguous() for name, t in network.state_dict().items()}, path)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _read(path: Path) -> SladsNetwork:
    network = SladsNetwork()
    try:
        network.load_state_dict(load(path.read_bytes()))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path} holds no SLADS-Net weights: {error}") from error
    if not all(tensor.isfinite().all() for tensor in network.state_dict().values()):
        raise ValueError(f"{path} holds weights that are not finite: train them again")
    return network.eval()
