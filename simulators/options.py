"""What the simulated microscope can be told, and how a command line says it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from .kinematics import Axis
from .physics import Beam, CountingChain, Noise, Ring
from .specimen import Specimen

MARGIN = 0.1  # soft limits lie this share of the specimen's extent beyond it; switches, again


@dataclass(frozen=True)
class IocOptions:
    """The simulated microscope's settings; each one's meaning and unit is in its help."""

    prefix: Annotated[str, "what the PV names begin with"] = "SIM:"
    port: Annotated[int, "UDP and TCP port on 127.0.0.1; 0 lets the kernel choose"] = 0
    image: Annotated[str | None, "specimen: TIFF, PNG, NPY or HDF5 (file.h5:/entry/data)"] = None
    dataset: Annotated[str | None, "dataset of an HDF5 image"] = None
    kind: Annotated[str, "specimen to generate where no image is given"] = "flakes"
    shape: Annotated[tuple[int, int], "rows and columns to generate"] = (128, 128)
    crop: Annotated[tuple[int, int] | None, "take the middle rows and columns of the image"] = None
    pixel_size: Annotated[float, "um"] = 0.1
    peak_rate: Annotated[float, "counts/s of the brightest pixel at full current"] = 1e6
    seed: Annotated[int, "of specimen, counting noise and positioning error"] = 0
    noise: Annotated[Noise, "poisson, or none for exact expectations"] = "poisson"
    beam_fwhm: Annotated[float, "um; 0 is a point"] = 0.0
    dead_time: Annotated[float, "s, non-paralysable"] = 0.0
    i0_rate: Annotated[float, "counts/s of the incident-beam monitor at full current"] = 1e7
    dwell: Annotated[float, "s, counter:Dwell at first"] = 0.01
    velocity: Annotated[float, "um/s; 1e6 moves in no time"] = 1e6
    ramp: Annotated[float, "s from rest to full speed (ACCL)"] = 0.0
    backlash: Annotated[float, "um, correction by the record (BDST)"] = 0.0
    play: Annotated[float, "um of play between encoder and specimen"] = 0.0
    scatter: Annotated[float, "um, of where a move ends about its target"] = 0.0
    x_limits: Annotated[tuple[float, float] | None, "um, soft; else specimen and margin"] = None
    y_limits: Annotated[tuple[float, float] | None, "um, soft; else specimen and margin"] = None
    current: Annotated[float, "mA in the ring at first"] = 100.0
    lifetime: Annotated[float, "s in which the current falls to 1/e"] = float("inf")
    top_up: Annotated[float, "s between top-ups"] = float("inf")
    dump_at: Annotated[float, "s after which the beam is lost"] = float("inf")
    time_scale: Annotated[float, "how many times faster than the clock"] = 1.0
    watch_stdin: Annotated[bool, "exit when standard input ends: the parent is gone"] = False

    def __post_init__(self) -> None:
        for name in ("x_limits", "y_limits"):
            limits = getattr(self, name)
            if limits and not limits[0] < limits[1]:
                raise ValueError(f"{name} are {limits} um: expected low < high")
        for name in ("velocity", "ramp", "dwell", "play", "scatter", "seed", "i0_rate"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}: expected a number >= 0")

    def specimen(self) -> Specimen:
        """Read or generate the specimen.

        Raises
        ------
        FileNotFoundError, ValueError
            As `Specimen.from_file` and `generate` do.
        """
        if self.image is None:
            from .generate import generate

            return generate(self.kind, self.shape, self.seed, self.peak_rate, self.pixel_size)
        specimen = Specimen.from_file(
            self.image,
            dataset=self.dataset,
            peak_rate=self.peak_rate,
            pixel_size=self.pixel_size,
        )
        return specimen.centre(self.crop) if self.crop else specimen

    def counting(self, specimen: Specimen) -> CountingChain:
        """Put beam and counting electronics to a specimen."""
        return CountingChain(
            Beam(specimen, fwhm=self.beam_fwhm),
            seed=self.seed,
            noise=self.noise,
            dead_time=self.dead_time,
            i0_rate=self.i0_rate,
            full_current=self.current or 1.0,
        )

    def ring(self) -> Ring:
        """The storage ring."""
        return Ring(self.current, self.lifetime, self.top_up, self.dump_at)

    def limits(self, specimen: Specimen) -> dict[str, tuple[float, float]]:
        """Soft limits of x and y in um."""
        rows, columns = specimen.shape
        return {
            "x": self.x_limits or _around(columns * specimen.pixel_size),
            "y": self.y_limits or _around(rows * specimen.pixel_size),
        }

    def axes(self, specimen: Specimen) -> dict[str, Axis]:
        """The stage's axes x and y; their limit switches lie beyond the soft limits."""
        axes: dict[str, Axis] = {}
        for number, (name, (low, high)) in enumerate(self.limits(specimen).items()):
            travel = (low - MARGIN * (high - low), high + MARGIN * (high - low))
            start = min(max(0.0, low), high)
            axes[name] = Axis(number, start, travel, self.scatter, self.play, self.seed)
        return axes

    def arguments(self) -> list[str]:
        """These options as `parse` reads them."""
        arguments: list[str] = []
        for f in fields(self):
            value = getattr(self, f.name)
            if value == f.default:
                continue
            flag = f"--{f.name.replace('_', '-')}"
            if isinstance(value, tuple):
                arguments += [flag, *map(str, value)]
            else:
                arguments.append(flag if value is True else f"{flag}={value}")
        return arguments

    @classmethod
    def parse(cls, arguments: Sequence[str] | None = None) -> IocOptions:
        """Read a command line; exits with 2 and a message where it makes no sense."""
        parser = argparse.ArgumentParser(
            prog="skysteer ioc",
            description="A simulated X-ray microscope on Channel Access, on this machine only.",
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        hints = get_type_hints(cls, include_extras=True)
        for f in fields(cls):
            kind, help = get_args(hints[f.name])
            flag = f"--{f.name.replace('_', '-')}"
            parser.add_argument(flag, default=f.default, help=help, **_argument(kind))
        given: dict[str, Any] = vars(parser.parse_args(arguments))
        pairs = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return cls(**{**given, **pairs})


def _around(extent: float) -> tuple[float, float]:
    margin = max(MARGIN * extent, 1.0)
    return -margin, extent + margin


def _argument(kind: Any) -> dict[str, Any]:
    """How argparse takes a value of this type."""
    if kind is bool:
        return {"action": "store_true"}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if get_origin(kind) is UnionType:  # something, or None
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        return {"type": get_args(kind)[0], "nargs": 2}
    return {"type": kind}
