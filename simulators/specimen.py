"""The thing under the beam: count rates on a raster, read from a file or generated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .image_files import read_image


@dataclass(frozen=True, eq=False)
class Specimen:
    """What a point-like beam of full intensity would make each detector channel count.

    Attributes
    ----------
    rates : (C, M, N) ndarray of float64
        Counts/s, finite and not negative. A 2-D array is taken as one channel.
    pixel_size : float
        Edge of a pixel in um, the same for rows and columns.
    name : str
        What to call it in pictures and documents.
    channels : tuple of str
        One name for each channel; numbered where none are given.

    Raises
    ------
    ValueError
        When the rates are not a non-empty image of finite numbers >= 0, or the pixel size is not
        positive.
    """

    rates: NDArray[np.float64]
    pixel_size: float = 0.1
    name: str = "specimen"
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rates = np.array(_image(self.rates, self.name), dtype=float)  # a copy: nobody else's
        if rates.min() < 0:
            raise ValueError(f"{self.name}: a rate of {rates.min():g} counts/s: expected >= 0")
        if not 0 < self.pixel_size < np.inf:
            raise ValueError(f"the pixel size is {self.pixel_size} um: expected a positive number")
        rates.setflags(write=False)
        channels = self.channels or tuple(f"channel{k + 1}" for k in range(len(rates)))
        if len(channels) != len(rates):
            raise ValueError(f"{len(channels)} channel names for {len(rates)} channels: name each")
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "channels", tuple(channels))

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        dataset: str | None = None,
        peak_rate: float = 1e6,
        pixel_size: float = 0.1,
    ) -> Specimen:
        """Read TIFF, PNG, NPY or HDF5 and scale it to count rates.

        Parameters
        ----------
        path : str or Path
            The file; ``file.h5:/entry/data`` names a dataset in an HDF5 file.
        dataset : str, optional
            The HDF5 dataset, where `path` does not name it and the file holds several images.
        peak_rate : float
            Counts/s of the brightest pixel.
        pixel_size : float
            um.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When it cannot be read as an image: unknown or broken format, not 2-D or channels x
            rows x columns, empty, NaN or inf.

        Notes
        -----
        See `scale_to_rates` for the mapping of values to counts/s.
        """
        values, name = read_image(path, dataset)
        return cls(scale_to_rates(_image(values, name), peak_rate), pixel_size, name)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rates.shape[1], self.rates.shape[2]

    def crop(self, rows: tuple[int, int], columns: tuple[int, int]) -> Specimen:
        """Cut out ``rows[0] <= row < rows[1]`` and the same of columns.

        Raises
        ------
        ValueError
            When the cut does not lie within the specimen.
        """
        for what, (low, high), size in zip(
            ("rows", "columns"), (rows, columns), self.shape, strict=True
        ):
            if not 0 <= low < high <= size:
                raise ValueError(
                    f"{what} {low}..{high} of {self.name}, which has {size} {what}: "
                    f"expected 0 <= first < last <= {size}"
                )
        return replace(self, rates=self.rates[:, slice(*rows), slice(*columns)])

    def centre(self, shape: tuple[int, int]) -> Specimen:
        """Cut out the middle ``shape`` rows and columns."""
        first = [(size - want) // 2 for size, want in zip(self.shape, shape, strict=True)]
        return self.crop((first[0], first[0] + shape[0]), (first[1], first[1] + shape[1]))


def scale_to_rates(values: ArrayLike, peak_rate: float = 1e6) -> NDArray[np.float64]:
    """Map image values to counts/s: the largest becomes `peak_rate`, zero stays zero.

    Values below zero have no meaning as counts: an image that has any is first shifted up by its
    smallest value, which then counts nothing.  All channels share one factor, so that their ratios
    stay.  An image of zeros stays dark.

    Parameters
    ----------
    values : array_like
        Finite numbers.
    peak_rate : float
        Counts/s.

    Raises
    ------
    ValueError
        When the peak rate is not a positive number.
    """
    if not 0 < peak_rate < np.inf:
        raise ValueError(f"the peak rate is {peak_rate} counts/s: expected a positive number")
    array = np.asarray(values, dtype=float)
    array = array - min(array.min(), 0.0)
    return array * (peak_rate / array.max()) if array.max() > 0 else array


def _image(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {array.dtype}: expected real numbers")
    if array.ndim not in (2, 3):
        raise ValueError(
            f"{name} has {array.ndim} dimensions {array.shape}: expected rows x columns, "
            "or channels x rows x columns"
        )
    if array.size == 0:
        raise ValueError(f"{name} is empty, {array.shape}: expected at least one pixel")
    array = array.astype(float)
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise ValueError(f"{name} has {bad} values that are NaN or inf: mend or crop the image")
    return array[None] if array.ndim == 2 else array
