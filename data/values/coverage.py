"""How many different acquisitions a network has at each pixel of a scene, before and after the event.

A series may have its dates on one side of the event in a part of the scene alone, where two passes overlap or a slice is
missing. What a network says elsewhere is no map of landslides: it compares an image with nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

NO_BACKSCATTER = 255  # in counts, of a pixel without backscatter on any date
LEAST_BEFORE = 1
MOST_GAP = 0.1  # of the pixels of the most complete acquisition of an orbit


@dataclass(frozen=True)
class OrbitDates:
    """The acquisitions of one orbit that a network reads.

    Attributes:
        name: Such as ``s1asc``.
        times: Their times in UTC, ascending, shape ``(T,)``; some may be repeated, and count once.
        event: Time of the event, UTC, for a placebo the pretended one; an acquisition at this time is before it.
        least_after: Fewest acquisitions after the event from which the network maps.
    """

    name: str
    times: np.ndarray
    event: np.datetime64
    least_after: int = 1

    def list_different(self) -> list[tuple[int, bool]]:
        """Return the index of each different acquisition, and whether it is after the event."""
        times, first = np.unique(self.times, return_index=True)
        return [(int(i), bool(t > self.event)) for t, i in zip(times, first, strict=True)]

    def key(self, step: int) -> tuple[str, str]:
        """Return the orbit and the day of an acquisition."""
        return self.name, str(self.times[step].astype("datetime64[D]"))


class Coverage(NamedTuple):
    """The acquisitions of a window.

    Attributes:
        counts: Different acquisitions that have data before and after the event, the smaller number of the orbits, shape
            ``(2, H, W)``, uint8; ``NO_BACKSCATTER`` without backscatter on any date.
        mapped: Pixels where each orbit has as many as the network needs, shape ``(H, W)``, bool.
        filled: Pixels with data by orbit and day.
    """

    counts: np.ndarray
    mapped: np.ndarray
    filled: dict[tuple[str, str], int]


def count_acquisitions(
    channels: Sequence[str], x: np.ndarray, orbits: Sequence[OrbitDates]
) -> Coverage:
    """Count the acquisitions of each pixel; one has data where all its channels of Sentinel-1 have.

    Args:
        channels: Channel names.
        x: The acquisitions that the network reads, shape ``(T, C, H, W)``, float32; NaN = no data.
        orbits: Their dates, one entry or more.
    """
    if not orbits:
        raise ValueError(f"A network needs a band of Sentinel-1, but got {', '.join(channels)}.")
    shape = x.shape[2:]
    if not np.isnan(x.sum(dtype=np.float32)):  # the usual case takes one pass
        return _count_complete(orbits, shape)
    some, mapped = np.zeros(shape, bool), np.ones(shape, bool)
    least = np.full((2, *shape), NO_BACKSCATTER, np.uint8)
    filled: dict[tuple[str, str], int] = {}
    for orbit in orbits:
        counts = np.zeros((2, *shape), np.uint8)
        bands = [i for i, name in enumerate(channels) if name.startswith(f"{orbit.name}:")]
        for step, late in orbit.list_different():
            whole = _find_whole(x[step], bands, some)
            counts[int(late)] += whole
            filled[orbit.key(step)] = int(whole.sum())
        mapped &= (counts[0] >= LEAST_BEFORE) & (counts[1] >= orbit.least_after)
        np.minimum(least, counts, out=least)
    least[:, ~some] = NO_BACKSCATTER
    return Coverage(least, mapped, filled)


def _count_complete(orbits: Sequence[OrbitDates], shape: tuple[int, ...]) -> Coverage:
    """Count the acquisitions of a window without gaps."""
    late = [[late for _, late in orbit.list_different()] for orbit in orbits]
    pairs = [(sides.count(False), sides.count(True)) for sides in late]
    enough = all(
        before >= LEAST_BEFORE and after >= orbit.least_after
        for orbit, (before, after) in zip(orbits, pairs, strict=True)
    )
    least = np.min(pairs, axis=0).astype(np.uint8)
    counts = np.empty((2, *shape), np.uint8)
    counts[:] = least[:, None, None]
    keys = [orbit.key(step) for orbit in orbits for step, _ in orbit.list_different()]
    return Coverage(counts, np.full(shape, enough), dict.fromkeys(keys, counts[0].size))


def _find_whole(x: np.ndarray, bands: Sequence[int], some: np.ndarray) -> np.ndarray:
    """Return where all bands of an acquisition have data; set *some* where any has."""
    whole = np.ones(some.shape, bool)
    for band in bands:
        data = ~np.isnan(x[band])
        whole &= data
        some |= data
    return whole


@dataclass
class FilledDates:
    """Pixels with data of each acquisition that was read so far.

    Attributes:
        filled: Pixels with data by orbit and day.
        read: Pixels read by orbit and day.
    """

    filled: dict[tuple[str, str], int] = field(default_factory=dict)
    read: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, coverage: Coverage) -> None:
        """Add a window that was read."""
        for key, pixels in coverage.filled.items():
            self.filled[key] = self.filled.get(key, 0) + pixels
            self.read[key] = self.read.get(key, 0) + coverage.mapped.size

    def list_notes(self) -> list[str]:
        """Name each acquisition that has data on clearly fewer pixels than another one of its orbit."""
        shares = {key: self.filled[key] / pixels for key, pixels in self.read.items()}
        notes = []
        for (orbit, day), share in sorted(shares.items()):
            most = max(other for key, other in shares.items() if key[0] == orbit)
            if share < (1 - MOST_GAP) * most:
                notes.append(
                    f"The acquisition of {orbit} of {day} has data on {share:.0%} of the scene, others of its orbit on up to "
                    f"{most:.0%}: a slice may be missing."
                )
        return notes
