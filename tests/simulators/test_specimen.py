from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from skysteer.simulators import Specimen, scale_to_rates

RAMP = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".npy", ".h5"])
def test_a_file_of_any_number_type_gives_the_same_rates(
    tmp_path: Path, dtype: str, suffix: str
) -> None:
    path = tmp_path / f"ramp{suffix}"
    _write(path, RAMP.astype(dtype))
    specimen = Specimen.from_file(path, peak_rate=1100.0)
    np.testing.assert_allclose(specimen.rates, RAMP[None] * 100)
    assert specimen.name == "ramp"


def _write(path: Path, values: np.ndarray) -> None:
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["entry/data"] = values
            file["entry/exposure"] = 1.0  # no image: does not make the choice ambiguous
    else:
        tifffile.imwrite(path, values, photometric="minisblack")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_grey_png_is_read_as_it_is(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "grey.png"
    Image.fromarray(RAMP.astype(dtype)).save(path)
    np.testing.assert_allclose(Specimen.from_file(path, peak_rate=11.0).rates[0], RAMP)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colour_becomes_luminance(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"colour{suffix}"
    colour = np.zeros((1, 3, 3), dtype=np.uint8)
    colour[0, [0, 1, 2], [0, 1, 2]] = 255  # red, green, blue
    if suffix == ".png":
        Image.fromarray(colour).save(path)
    else:
        tifffile.imwrite(path, colour, photometric="rgb")
    rates = Specimen.from_file(path, peak_rate=0.587).rates
    np.testing.assert_allclose(rates, [[[0.299, 0.587, 0.114]]])


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".h5"])
def test_three_dimensions_are_channels_rows_columns(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"channels{suffix}"
    _write(path, np.stack([RAMP, 10 * RAMP]).astype(np.float32))
    specimen = Specimen.from_file(path, peak_rate=110.0)
    assert specimen.rates.shape == (2, 3, 4)
    assert specimen.channels == ("channel1", "channel2")
    np.testing.assert_allclose(specimen.rates[1], 10 * specimen.rates[0])


def test_an_hdf5_dataset_is_named_in_the_path_or_apart(tmp_path: Path) -> None:
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        file["entry/a"], file["entry/b"] = RAMP, RAMP[::-1]
    by_path = Specimen.from_file(f"{path}:/entry/b", peak_rate=11)
    np.testing.assert_allclose(by_path.rates[0], RAMP[::-1])
    apart = Specimen.from_file(path, dataset="/entry/a", peak_rate=11)
    np.testing.assert_allclose(apart.rates[0], RAMP)
    with pytest.raises(ValueError, match=r"/entry/a.*/entry/b.*name one"):
        Specimen.from_file(path)
    with pytest.raises(ValueError, match=r"no dataset '/entry/c'"):
        Specimen.from_file(path, dataset="/entry/c")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.arange(5.0), "1 dimensions"),
        (np.zeros((2, 2, 2, 2)), "4 dimensions"),
        (np.zeros((0, 4)), "is empty"),
        (np.array([[1.0, np.nan]]), "NaN or inf"),
        (np.array([[1.0, np.inf]]), "NaN or inf"),
        (np.array([[1j]]), "expected real numbers"),
        (np.array([["a"]]), "expected real numbers"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(
    tmp_path: Path, values: np.ndarray, message: str
) -> None:
    path = tmp_path / "bad.npy"
    np.save(path, values)
    with pytest.raises(ValueError, match=message) as caught:
        Specimen.from_file(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".npy", ".h5"])
def test_a_broken_file_is_refused_by_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"no image at all")
    with pytest.raises(ValueError, match=r"cannot read '.*broken"):
        Specimen.from_file(path)


def test_a_missing_file_and_an_unknown_format_say_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no image file"):
        Specimen.from_file(tmp_path / "absent.tif")
    with pytest.raises(FileNotFoundError, match="no image file"):
        Specimen.from_file(tmp_path)
    (tmp_path / "image.xyz").touch()
    with pytest.raises(ValueError, match=r"unknown image format '.xyz'"):
        Specimen.from_file(tmp_path / "image.xyz")


def test_a_pickled_array_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "objects.npy"
    np.save(path, np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="cannot read"):
        Specimen.from_file(path)


def test_scaling_keeps_zero_unless_values_are_negative() -> None:
    np.testing.assert_allclose(scale_to_rates([[1, 2]], 10), [[5, 10]])
    np.testing.assert_allclose(scale_to_rates([[-1, 0, 1]], 10), [[0, 5, 10]])
    np.testing.assert_allclose(scale_to_rates([[3, 3]], 10), [[10, 10]])
    np.testing.assert_allclose(scale_to_rates([[0, 0]], 10), [[0, 0]])
    with pytest.raises(ValueError, match="peak rate"):
        scale_to_rates([[1]], float("nan"))


def test_a_specimen_owns_its_rates() -> None:
    rates = np.ones((2, 2))
    specimen = Specimen(rates)
    rates[:] = 5
    assert (specimen.rates == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        specimen.rates[0, 0, 0] = 2


def test_a_specimen_refuses_negative_rates_and_impossible_pixels() -> None:
    with pytest.raises(ValueError, match="expected >= 0"):
        Specimen(np.array([[-1.0]]))
    for size in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="pixel size"):
            Specimen(np.ones((1, 1)), pixel_size=size)
    with pytest.raises(ValueError, match="name each"):
        Specimen(np.ones((1, 1)), channels=("a", "b"))


def test_crop_and_centre_cut_what_they_say() -> None:
    specimen = Specimen(np.arange(30.0).reshape(5, 6), 0.2)
    cut = specimen.crop((1, 3), (2, 6))
    np.testing.assert_array_equal(cut.rates, specimen.rates[:, 1:3, 2:6])
    assert (cut.shape, cut.pixel_size) == ((2, 4), 0.2)
    np.testing.assert_array_equal(specimen.centre((3, 2)).rates, specimen.rates[:, 1:4, 2:4])
    for rows in ((0, 6), (3, 3), (-1, 2)):
        with pytest.raises(ValueError, match="rows"):
            specimen.crop(rows, (0, 1))
    with pytest.raises(ValueError, match="columns"):
        specimen.centre((2, 7))
