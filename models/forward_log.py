"""Each reading is a test of the map before it is learnt: what the tests found, and where they end.

Readings are tested in blocks whose bounds hang on how many there are, never on how they came in
batches, so that the log is a function of the readings in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIRST = 16  # readings before the first block that is tested
SHORTEST = 8  # readings of a block
SHARE = 16  # a block is one in so many of the readings before it
LATEST = 1500  # tests that are looked at
AUDIT_WEIGHT = 3.0  # of a reading drawn at random, against one that the agent chose


def block_end(known: int) -> int:
    """How many readings there are where the block ends that begins after so many."""
    return FIRST if known < FIRST else known + max(SHORTEST, known // SHARE)


@dataclass(frozen=True, eq=False)
class Tests:
    """What readings were off, and what was expected of that.

    Attributes
    ----------
    errors : (T,) ndarray of float64
        Reading less map, in some unit.
    variances : (T,) ndarray of float64
        Expected square of the map's own error, less the noise that it carries.
    noise : (T,) ndarray of float64
        Of the reading, and carried by the map.
    features : (T, 3) ndarray of float64
        What else may say how large an error is.
    known : (T,) ndarray of float64
        Readings that the map rested on.
    """

    errors: NDArray[np.float64]
    variances: NDArray[np.float64]
    noise: NDArray[np.float64]
    features: NDArray[np.float64]
    known: NDArray[np.float64]

    __test__ = False  # no test case, whatever pytest may think of the name

    @classmethod
    def none(cls) -> Tests:
        """Nothing tested."""
        return cls(np.empty(0), np.empty(0), np.empty(0), np.empty((0, 3)), np.empty(0))

    def __len__(self) -> int:
        return len(self.errors)

    def then(self, other: Tests) -> Tests:
        """These, then others."""
        errors, variances, noise, features, known = (
            np.concatenate(pair) for pair in zip(_of(self), _of(other), strict=True)
        )
        return Tests(errors, variances, noise, features, known)

    def without(self, last: int) -> Tests:
        """All but so many of the last ones."""
        errors, variances, noise, features, known = (each[: len(self) - last] for each in _of(self))
        return Tests(errors, variances, noise, features, known)

    def latest(self) -> Tests:
        """Those that are looked at."""
        errors, variances, noise, features, known = (each[-LATEST:] for each in _of(self))
        return Tests(errors, variances, noise, features, known)

    def in_unit(self, factor: float) -> Tests:
        """The same with errors multiplied; the third feature is the log of a variance."""
        features = self.features + np.array([0.0, 0.0, 2.0 * np.log(factor)])
        square = factor * factor
        return Tests(
            factor * self.errors, square * self.variances, square * self.noise, features, self.known
        )

    def weights(self, audited: NDArray[np.bool_], fresh: float = 1.0) -> NDArray[np.float64]:
        """(T,) weights: fresh tests and audits count for more.

        ``audited`` is for all readings so far, or empty; ``fresh`` the power of the share of the
        readings now known that the map rested on.
        """
        weights = (self.known / max(self.known[-1], 1.0)) ** fresh if len(self) else np.empty(0)
        return weights * np.where(self._drawn(audited), AUDIT_WEIGHT, 1.0)

    def counts(self, audited: NDArray[np.bool_], fresh: float) -> NDArray[np.float64]:
        """(T,) weights as ``weights`` gives them, in all as many as the tests that tell as much."""
        weights = self.weights(audited, fresh)
        return weights * (weights.sum() / (weights**2).sum())

    def at_once(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,) means of (T,) values over the tests of the same map."""
        _, block = np.unique(self.known, return_inverse=True)
        return (np.bincount(block, values) / np.bincount(block))[block]

    def audits(self, audited: NDArray[np.bool_]) -> int:
        """How many of these were drawn at random; ``audited`` as for ``weights``."""
        return int(self._drawn(audited).sum())

    def _drawn(self, audited: NDArray[np.bool_]) -> NDArray[np.bool_]:
        missing = len(self) - len(audited)
        return np.zeros(len(self), dtype=bool) if missing > 0 else audited[-missing:]


def _of(tests: Tests) -> tuple[NDArray[np.float64], ...]:
    return tests.errors, tests.variances, tests.noise, tests.features, tests.known
