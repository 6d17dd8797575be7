"""How a stage axis moves: trapezoidal profiles, play, positioning error, limit switches."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

CURVE = 17  # places that stand for a curved piece of a way: off by less than 1/2000 of it


@dataclass(frozen=True)
class Profile:
    """Motion of piecewise constant acceleration.

    Attributes
    ----------
    start : float
        s, when it begins.
    position, velocity : float
        um and um/s at the beginning.
    pieces : tuple of (float, float)
        Duration in s and acceleration in um/s2 of each piece, in order.
    end : float
        um, where it comes to rest.
    """

    start: float
    position: float
    velocity: float
    pieces: tuple[tuple[float, float], ...]
    end: float

    @property
    def duration(self) -> float:
        """S from beginning to rest."""
        return sum(time for time, _ in self.pieces)

    def trace(self, until: float = np.inf) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times in s and positions in um from its start: straight lines between them are the way.

        Where it is curved there are `CURVE` to a piece.
        """
        bounds = self.start + np.cumsum([0.0, *(length for length, _ in self.pieces)])
        curved = [
            np.linspace(began, ended, CURVE)
            for (began, ended), (_, acceleration) in zip(pairwise(bounds), self.pieces, strict=True)
            if acceleration
        ]
        times = np.unique(np.concatenate([bounds, *curved]))
        times = np.append(times[times < until], min(bounds[-1], until))
        return times, np.array([self.at(time)[0] for time in times])

    def at(self, time: float) -> tuple[float, float]:
        """Position in um and velocity in um/s at `time`."""
        elapsed = time - self.start
        if elapsed >= self.duration:
            return self.end, 0.0
        position, velocity = self.position, self.velocity
        for length, acceleration in self.pieces:
            t = min(max(elapsed, 0.0), length)
            position += velocity * t + acceleration * t**2 / 2
            velocity += acceleration * t
            elapsed -= length
            if elapsed <= 0:
                break
        return position, velocity


def plan_move(
    time: float, position: float, velocity: float, target: float, speed: float, ramp: float
) -> Profile:
    """Plan the quickest move to `target` from where the axis is, at the speed it has.

    Parameters
    ----------
    time : float
        s, now.
    position, velocity : float
        um and um/s, now.
    target : float
        um.
    speed : float
        Slew speed in um/s; 0 or inf moves in no time.
    ramp : float
        s from rest to full speed (ACCL of a motor record); 0 starts and stops at once.

    Returns
    -------
    Profile
        Where the axis is too fast to stop at the target, or goes the wrong way, it brakes first
        and comes back.
    """
    if speed in (0, np.inf) or (position == target and velocity == 0):
        return Profile(time, target, 0.0, (), target)
    if ramp == 0:
        way = target - position
        cruise = abs(way) / speed
        return Profile(time, position, np.sign(way) * speed, ((cruise, 0.0),), target)
    acceleration = speed / ramp
    pieces: list[tuple[float, float]] = []
    x, v = position, velocity
    rest = x + v * abs(v) / (2 * acceleration)
    if v * (target - rest) < 0:  # it would overshoot
        pieces.append((abs(v) / acceleration, -np.sign(v) * acceleration))
        x, v = rest, 0.0
    way = np.sign(target - x) or 1.0
    v0, distance = abs(v), abs(target - x)
    peak = min(speed, np.sqrt(acceleration * distance + v0**2 / 2))
    ramps = (abs(peak**2 - v0**2) + peak**2) / (2 * acceleration)
    pieces.append((abs(peak - v0) / acceleration, way * np.sign(peak - v0) * acceleration))
    pieces.append((max(distance - ramps, 0.0) / peak if peak else 0.0, 0.0))
    pieces.append((peak / acceleration, -way * acceleration))
    return Profile(time, position, velocity, tuple(pieces), target)


def plan_halt(time: float, position: float, velocity: float, deceleration: float) -> Profile:
    """Plan to come to rest at `deceleration` in um/s2, as a stop does; inf stops dead."""
    if velocity == 0 or deceleration == np.inf:
        return Profile(time, position, 0.0, (), position)
    length = abs(velocity) / deceleration
    end = position + velocity * length / 2
    return Profile(time, position, velocity, ((length, -np.sign(velocity) * deceleration),), end)


@dataclass(eq=False)
class Axis:
    """One axis of the stage, in its own (dial) coordinates.

    Attributes
    ----------
    number : int
        Tells axes apart in the random numbers.
    position : float
        um, where it is at first.
    travel : (float, float)
        um, of the limit switches: there it stops.
    scatter : float
        um, standard deviation of where it comes to rest about its target; the encoder reads the
        place truly reached. The same target gives the same place.
    play : float
        um of play between encoder and specimen: a reversal moves the encoder this far before the
        specimen follows.
    seed : int
        Of the scatter.
    """

    number: int = 0
    position: float = 0.0
    travel: tuple[float, float] = (-np.inf, np.inf)
    scatter: float = 0.0
    play: float = 0.0
    seed: int = 0
    profile: Profile = field(init=False)
    _recorded: list[Profile] | None = field(default=None, init=False)
    _deceleration: float = field(default=np.inf, init=False)

    def __post_init__(self) -> None:
        self.profile = Profile(0.0, self.position, 0.0, (), self.position)
        self._sample = self._sample_then = self.position

    def move(self, time: float, target: float, speed: float, ramp: float) -> None:
        """Start towards `target`, at once, from wherever it is."""
        self.sample(time)
        position, velocity = self.at(time)
        landing = float(np.clip(target + self._error(target), *self.travel))
        self._deceleration = speed / ramp if ramp and speed else np.inf
        self._follow(plan_move(time, position, velocity, landing, speed, ramp))

    def halt(self, time: float, *, dead: bool = False) -> None:
        """Brake as it accelerated; or stand dead, as a stuck axis does."""
        deceleration = np.inf if dead else self._deceleration
        self._follow(plan_halt(time, *self.at(time), deceleration))

    def _follow(self, profile: Profile) -> None:
        self.profile = profile
        if self._recorded is not None:
            self._recorded.append(profile)

    def record(self, time: float) -> None:
        """Begin to record its way, from where it is."""
        self._recorded = [Profile(time, self.at(time)[0], 0.0, (), self.at(time)[0])]
        self._sample_then = self.sample(time)

    def way(
        self, time: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Its way since `record`: times in s, positions of the encoder and of the specimen in um.

        As far as it has come at `time`; to the very end where it has been told to rest there. The
        record ends with this.
        """
        recorded, self._recorded = self._recorded or [], None
        until = time if self.remaining(time) else np.inf
        followed = [*(profile.start for profile in recorded[1:]), until]
        traces = [p.trace(end) for p, end in zip(recorded, followed, strict=True)]
        times, encoder = (np.concatenate(each) for each in zip(*traces, strict=True))
        half, sample = self.play / 2, np.empty_like(encoder)
        last = self._sample_then
        for k, place in enumerate(encoder):
            last = sample[k] = min(max(last, place - half), place + half)
        return times, encoder, sample

    def arrive(self) -> None:
        """Rest at the end of the profile, be it a moment too early."""
        self.profile = Profile(0.0, self.profile.end, 0.0, (), self.profile.end)
        self.sample(0.0)

    def remaining(self, time: float) -> float:
        """S until it rests."""
        return max(self.profile.start + self.profile.duration - time, 0.0)

    def at(self, time: float) -> tuple[float, float]:
        """Position that the encoder reads in um, and velocity in um/s."""
        return self.profile.at(time)

    def sample(self, time: float) -> float:
        """Where the specimen is, in um: the encoder's position less the play.

        A move that starts or ends asks by itself.
        """
        encoder, _ = self.at(time)
        half = self.play / 2
        self._sample = float(np.clip(self._sample, encoder - half, encoder + half))
        return self._sample

    @property
    def switches(self) -> tuple[bool, bool]:
        """Low and high limit switch, as they are when it has come to rest."""
        return self.profile.end <= self.travel[0], self.profile.end >= self.travel[1]

    def _error(self, target: float) -> float:
        if self.scatter == 0:
            return 0.0
        picometres = round(target * 1e6) % 2**63  # the same target, whatever its last bits
        rng = np.random.default_rng([self.seed, self.number, picometres])
        return self.scatter * rng.standard_normal()
