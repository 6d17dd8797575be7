"""The weights of the network that says how wrong a map is, as a file that can hold nothing else."""

from __future__ import annotations

import hashlib
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .local_features import ANSWERS, FEATURES

SHIPPED = Path(__file__).with_name("error_network.safetensors")
NAMES = ("first.weight", "first.bias", "second.weight", "second.bias", "last.weight", "last.bias")

Layers = tuple[NDArray[np.float32], ...]


def load_error_network(path: str | PathLike[str] | None = None) -> tuple[Layers, str]:
    """Read trained weights; nothing in the file is executed.

    Parameters
    ----------
    path : path-like, optional
        A safetensors file that `save_error_network` wrote; the one that is shipped where not given.

    Returns
    -------
    layers : tuple of 6 ndarray of float32
        Weights (24, H1), (H1,), (H1, H2), (H2,), (H2, 2), (2,): two hidden layers of ReLUs, then
        the corrections of the expected squared error and of the expected gain, in octaves.
    sha256 : str
        Of the file, in hex.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no safetensors file, or holds other or broken weights.
    """
    where = SHIPPED if path is None else Path(path)
    if not where.is_file():
        raise FileNotFoundError(
            f"no weights at {where}: train some (skysteer train), or mend the path"
        )
    content = where.read_bytes()
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{where} is no safetensors file: {error}") from error
    if set(tensors) != set(NAMES):
        raise ValueError(f"{where} holds {sorted(tensors)}: expected {', '.join(NAMES)}")
    return _checked(tuple(tensors[name] for name in NAMES), str(where)), hashlib.sha256(
        content
    ).hexdigest()


def save_error_network(layers: Layers, path: str | PathLike[str]) -> str:
    """Write the six arrays as safetensors; return the file's SHA-256 in hex.

    Raises
    ------
    ValueError
        If they are not the layers of such a network.
    """
    content = save(dict(zip(NAMES, _checked(layers, "the network"), strict=True)))
    Path(path).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _checked(layers: Layers, what: str) -> Layers:
    """Refuse what the compiled loops could not walk safely."""
    shapes = [array.shape for array in layers]
    one, two = (shape[-1] if shape else 0 for shape in (shapes[0], shapes[2]))
    expected = [(FEATURES, one), (one,), (one, two), (two,), (two, ANSWERS), (ANSWERS,)]
    if shapes != expected or one % 4 or two % 2:
        raise ValueError(
            f"{what} has layers of shapes {shapes}: expected (24, H1), (H1,), (H1, H2), (H2,), "
            "(H2, 2), (2,), H1 a multiple of 4, H2 an even number"
        )
    layers = tuple(np.ascontiguousarray(array, dtype=np.float32) for array in layers)
    if not all(np.isfinite(array).all() for array in layers):
        raise ValueError(f"{what} has weights that are not finite: train them again")
    return layers
