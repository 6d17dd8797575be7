"""Images from files: TIFF, PNG, NPY and HDF5, never unpickled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

Values = NDArray[Any]

HDF5 = (".h5", ".hdf5", ".hdf", ".nxs", ".nx5")
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's mode "L"


def image_file(path: str | Path) -> Path:
    """Tell which file an image's name means: of ``file.h5:/entry/data`` the HDF5 file.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    """
    return _located(path, None)[0]


def read_image(
    path: str | Path, dataset: str | None = None, *, colours: bool = False
) -> tuple[NDArray[np.generic], str]:
    """Read an image as the file has it.

    Parameters
    ----------
    path : str or Path
        TIFF, PNG, NPY or HDF5, told by the ending; ``file.h5:/entry/data`` names a dataset.
    dataset : str, optional
        The HDF5 dataset.
    colours : bool
        Whether red, green and blue are channels; else they become luminance.

    Returns
    -------
    values : ndarray
        Rows x columns or channels x rows x columns.
    name : str
        The file's name without folder and ending.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the format is unknown, the file is broken, or its dataset is missing or ambiguous.
    """
    file, dataset = _located(path, dataset)
    read = _reader(file, dataset, _as_channels if colours else _luminance)
    try:
        return np.asarray(read(file)), file.stem
    except Exception as error:  # each reader has its own zoo of errors for a broken file
        raise ValueError(f"cannot read {str(file)!r} as an image: {error}") from error


def _located(path: str | Path, dataset: str | None) -> tuple[Path, str | None]:
    file = Path(path)
    if dataset is None and not file.exists() and ":" in str(path):
        before, dataset = str(path).rsplit(":", 1)
        file = Path(before)
    if not file.is_file():
        raise FileNotFoundError(f"no image file {str(path)!r}: check the path")
    return file, dataset


def _reader(
    file: Path, dataset: str | None, of_colours: Callable[[Values], Values]
) -> Callable[[Path], Values]:
    suffix = file.suffix.lower()
    if suffix in HDF5:
        return lambda path: _read_hdf5(path, dataset)
    if dataset is not None:
        raise ValueError(f"{str(file)!r} has no datasets, asked for {dataset!r}: leave it out")
    readers = {
        ".tif": partial(_read_tiff, of_colours=of_colours),
        ".tiff": partial(_read_tiff, of_colours=of_colours),
        ".png": partial(_read_png, of_colours=of_colours),
        ".npy": _read_npy,
    }
    if suffix not in readers:
        raise ValueError(
            f"unknown image format {suffix!r} of {str(file)!r}: expected one of "
            f"{', '.join((*readers, *HDF5))}"
        )
    return readers[suffix]


def _luminance(colours: Values) -> Values:
    return colours @ LUMINANCE


def _as_channels(colours: Values) -> Values:
    return np.moveaxis(colours, -1, 0)


def _read_npy(path: Path) -> NDArray[np.generic]:
    return np.load(path, allow_pickle=False)


def _read_png(path: Path, of_colours: Callable[[Values], Values]) -> Values:
    with Image.open(path) as image:
        if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;"):
            return np.asarray(image)
        return of_colours(np.asarray(image.convert("RGB")))


def _read_tiff(path: Path, of_colours: Callable[[Values], Values]) -> Values:
    with tifffile.TiffFile(path) as tiff:
        page = tiff.series[0].keyframe
        values = tiff.series[0].asarray()
    if page.photometric == tifffile.PHOTOMETRIC.RGB and values.shape[-1] in (3, 4):
        return of_colours(values[..., :3])
    return values


def _read_hdf5(path: Path, dataset: str | None) -> NDArray[np.generic]:
    with h5py.File(path, "r") as file:
        images: list[str] = []

        def visit(name: str, node: object) -> None:
            if isinstance(node, h5py.Dataset) and node.ndim in (2, 3):
                images.append("/" + name)

        file.visititems(visit)
        if dataset is None and len(images) != 1:
            raise ValueError(f"it holds the images {images}: name one, as in file.h5:/entry/data")
        node = file.get(dataset or images[0])
        if not isinstance(node, h5py.Dataset):
            raise ValueError(f"it has no dataset {dataset!r}, but {images}")
        return np.asarray(node[()])
