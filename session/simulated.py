"""The demo: a simulated microscope, started, scanned and compared with the truth."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_scan, say
from .past import Past
from .scanning import run_scan
from .settings import Demo, Scan, require

if TYPE_CHECKING:
    from ..simulators import IocOptions, Specimen

MOVING: dict[str, Any] = {"velocity": 100.0, "ramp": 0.1}  # um/s; s from rest to that


def run_demo(demo: Demo, past: Past | None = None) -> dict[str, Any]:
    """Start a simulated microscope, scan it, compare with the truth.

    Parameters
    ----------
    demo : Demo
    past : Past, optional
        What to go on with.

    Raises
    ------
    FileNotFoundError, ValueError
        If the image, the region or a setting makes no sense: before anything is started.
    """
    from ..simulators import Ioc

    check_scan(demo.scan)
    digest = checked_digest(demo)
    options = demo_microscope(demo)
    specimen = options.specimen()
    scan = over(demo.scan, options, specimen)
    truth = true_rates(options, scan.channels)
    rows, columns = specimen.shape
    say(f"starting the microscope: {specimen.name}, {rows} x {columns} pixels")
    with Ioc(options) as ioc:
        os.environ.update(ioc.environment)  # before the first PV: libca reads it once
        about = {"demo": demo_settings(demo, digest)}
        # a microscope of our own that is gone does not come back: `skysteer resume` starts another
        return run_scan(replace(scan, patience=0.0), truth, past=past, md=about)


def over(scan: Scan, options: IocOptions, specimen: Specimen) -> Scan:
    """The scan of all of a simulated specimen."""
    rows, columns = specimen.shape
    pitch = specimen.pixel_size
    slow, fast = (0.0, (rows - 1) * pitch, rows), (0.0, (columns - 1) * pitch, columns)
    return replace(scan, prefix=options.prefix, slow=slow, fast=fast)


def true_rates(options: IocOptions, channels: int) -> NDArray[np.float64]:
    """(C, M, N) noiseless rates of so many channels on the demo's grid."""
    specimen = options.specimen()
    there = len(specimen.channels)
    require(
        channels <= there,
        f"{specimen.name} has {there} channel{'s' * (there != 1)}, but {channels} were asked for: "
        "give a (C, M, N) image, as an NPY or HDF5 file",
    )
    rows, columns = specimen.shape
    pitch = specimen.pixel_size
    beam = options.counting(specimen).beam
    return beam.truth(np.arange(columns) * pitch, np.arange(rows) * pitch)[:channels]


def demo_settings(demo: Demo, digest: str | None) -> dict[str, Any]:
    """What the start document says of the simulated microscope, to start it again."""
    settings = {name: getattr(demo, name) for name in ("region", "noise", "peak_rate")}
    image = None if demo.image is None else str(Path(demo.image).resolve())
    return {"image": image, **settings, "sha256": digest}


def checked_digest(demo: Demo) -> str | None:
    """SHA-256 of the image's file; refuses another image than that of the scan gone on with."""
    if demo.image is None:
        return None
    from ..simulators import image_file

    digest = hashlib.sha256(image_file(demo.image).read_bytes()).hexdigest()
    require(
        demo.sha256 in (None, digest),
        f"the image {demo.image} has changed since the scan began (SHA-256 {digest[:12]}, not "
        f"{str(demo.sha256)[:12]}): put the old one back to go on",
    )
    return digest


def demo_microscope(demo: Demo) -> IocOptions:
    """What the demo simulates: a constant current, the image's middle, no time for moves.

    Unless it flies, or chooses its dwells: then the stage has a speed.
    """
    from ..simulators import IocOptions

    whole = IocOptions(
        image=demo.image,
        noise=demo.noise,
        peak_rate=demo.peak_rate,
        seed=demo.scan.seed,
        dwell=demo.scan.dwell,
        **(MOVING if demo.moves else {}),
    )
    if demo.region == "all":
        return whole
    asked = demo.region.lower().split("x")
    if len(asked) != 2 or not all(part.isdecimal() and int(part) for part in asked):
        raise ValueError(
            f"--region takes ROWSxCOLUMNS such as 128x128, or all, but {demo.region!r} came"
        )
    rows, columns = map(int, asked)
    if demo.image is None:
        return replace(whole, shape=(rows, columns))
    size = whole.specimen().shape
    return replace(whole, crop=(min(rows, size[0]), min(columns, size[1])))
