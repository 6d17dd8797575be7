"""How near a map comes to the truth: the three figures that the field quotes.

All from scikit-image, whose import takes a second, except where a constant truth leaves them
undefined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SSIM_WINDOW = 7  # pixels, scikit-image's own


def nrmse(truth: NDArray[np.floating], reconstruction: NDArray[np.floating]) -> float:
    """Root mean square error over the truth's root mean square.

    Parameters
    ----------
    truth, reconstruction : (M, N) ndarray
        In the same units.

    Returns
    -------
    float
        0 is perfect.  Of a truth that is 0 everywhere: 0 if the map is too, infinite if not.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, reconstruction = _same_shape(truth, reconstruction)
    if not truth.any():
        return float("inf") if reconstruction.any() else 0.0
    from skimage.metrics import normalized_root_mse

    return float(normalized_root_mse(truth, reconstruction))


def ssim(truth: NDArray[np.floating], reconstruction: NDArray[np.floating]) -> float:
    """Mean structural similarity (Wang et al. 2004), the truth's range as data range.

    Parameters
    ----------
    truth, reconstruction : (M, N) ndarray
        In the same units.

    Returns
    -------
    float
        1 is perfect.  Of a constant truth: 1 if the map equals it to 1e-9, 0 if not.  NaN where
        an axis has fewer than 3 pixels; under 7 pixels the window shrinks to the largest odd one.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, reconstruction = _same_shape(truth, reconstruction)
    shortest = min(truth.shape)
    if shortest < 3:
        return float("nan")
    if not np.ptp(truth):
        return float(_almost_equal(truth, reconstruction))
    from skimage.metrics import structural_similarity

    window = min(SSIM_WINDOW, shortest - 1 + shortest % 2)
    similarity = structural_similarity(
        truth, reconstruction, data_range=float(np.ptp(truth)), win_size=window
    )
    return np.asarray(similarity).item()


def psnr(truth: NDArray[np.floating], reconstruction: NDArray[np.floating]) -> float:
    """Peak signal-to-noise ratio, dB, the truth's range as peak.

    Parameters
    ----------
    truth, reconstruction : (M, N) ndarray
        In the same units.

    Returns
    -------
    float
        Infinite where the map is perfect; of a constant truth, where it equals it to 1e-9,
        and minus infinite where not.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, reconstruction = _same_shape(truth, reconstruction)
    if np.array_equal(truth, reconstruction):
        return float("inf")
    if not np.ptp(truth):
        return float("inf" if _almost_equal(truth, reconstruction) else "-inf")
    from skimage.metrics import peak_signal_noise_ratio

    return float(peak_signal_noise_ratio(truth, reconstruction, data_range=float(np.ptp(truth))))


def _almost_equal(truth: NDArray[np.float64], reconstruction: NDArray[np.float64]) -> bool:
    """Whether only rounding is between them: a mean of equal values differs in its last bit."""
    return np.allclose(reconstruction, truth, rtol=1e-9, atol=0)


def _same_shape(
    truth: NDArray[np.floating], reconstruction: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if truth.shape != reconstruction.shape or not truth.size:
        raise ValueError(
            f"the truth is {truth.shape}, but the map {reconstruction.shape}: "
            "give two images of one shape, with pixels"
        )
    return np.asarray(truth, dtype=np.float64), np.asarray(reconstruction, dtype=np.float64)
