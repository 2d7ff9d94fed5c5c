"""How much the background of a map changes, by the size of a patch: what a landslide must exceed to be seen by an orbit.

Speckle averages out over a patch, weather and growth do not: the spread of a patch's mean change falls with its size, but not as
fast as that of independent pixels. So it is measured instead of assumed. Squares of 1, 2, 4, … 32 px are laid over the mapped
pixels that are no landslide, each mean is counted in a histogram, and the limit of a size is what 95 % of its squares keep.
Between sizes the limit is interpolated over the logarithm of the area; beyond the largest size with enough squares it stays.

A landslide is seldom a square, and speckle of a long one averages out better, so that the limit is rather too high for it. Landslides
that the map misses are part of its background; they raise the limit where they cover more than a few per cent of it.
"""

from collections.abc import Iterator

import numpy as np

SIDES_PX = (1, 2, 4, 8, 16, 32)
KEPT = 0.95  # share of the squares that do not exceed the limit
LEAST_SQUARES = 200  # ten of them exceed the limit
BAND_PX = 32  # rows that are taken together
SAMPLE_PX = 2**24  # pixels after which further rows are left out, evenly: the time is bounded, too

_REACH_DB, _PER_DB = 50, 64  # backscatter is clipped to 0 to -50 dB; changes come in steps of 1/64


class BackgroundChange:
    """Histograms of the change of one orbit over squares of background.

    Args:
        height: Rows of the map.
        width: Columns.
    """

    def __init__(self, height: int, width: int) -> None:
        self._counts = np.zeros((len(SIDES_PX), 2 * _REACH_DB * _PER_DB + 1), np.int64)
        self._every = max(1, height * width // SAMPLE_PX)

    def add(self, first_row: int, change: np.ndarray, background: np.ndarray) -> None:
        """Add rows of a map; squares that reach beyond them are left out.

        Args:
            first_row: Their first row.
            change: Change in dB, shape ``(rows, W)``, float32; NaN = no data.
            background: Mapped pixels that are no landslide, shape ``(rows, W)``, bool.
        """
        for rows in self._choose(first_row, len(change)):
            values = np.where(background[rows], change[rows], np.float32(np.nan))
            for counts in self._counts:
                means = values[np.isfinite(values)].clip(-_REACH_DB, _REACH_DB)
                places = np.rint((means + _REACH_DB) * _PER_DB).astype(np.int64)
                counts += np.bincount(places, minlength=counts.size)
                values = _halve(values)

    def _choose(self, first_row: int, rows: int) -> Iterator[slice]:
        """Yield the rows of the bands to count."""
        step = BAND_PX * self._every
        for top in range(first_row // step * step, first_row + rows, step):
            start, stop = max(top - first_row, 0), min(top - first_row + BAND_PX, rows)
            if start < stop:
                yield slice(start, stop)

    @property
    def median_db(self) -> float | None:
        """Median change of the background's pixels; None if there are too few of them."""
        counts = self._counts[0]
        if counts.sum() < LEAST_SQUARES:
            return None
        place = np.searchsorted(counts.cumsum(), counts.sum() / 2)
        return float(place / _PER_DB - _REACH_DB)

    def list_limits(self) -> dict[int, float]:
        """Return by pixels of a square what 95 % of the squares differ from the median by at most, in dB."""
        middle = self.median_db
        if middle is None:
            return {}
        gaps = np.abs(np.arange(self._counts.shape[1]) / _PER_DB - _REACH_DB - middle)
        order = np.argsort(gaps, kind="stable")
        limits = {}
        for side, counts in zip(SIDES_PX, self._counts, strict=True):
            if (total := counts.sum()) >= LEAST_SQUARES:
                place = np.searchsorted(counts[order].cumsum(), KEPT * total)
                limits[side**2] = float(gaps[order[place]])
        return limits

    def find_shown(self, change: np.ndarray, size_px: np.ndarray) -> np.ndarray:
        """Return which landslides the orbit shows: those that differ from the median by more than their limit.

        Args:
            change: Mean change of each landslide in dB, shape ``(N,)``; NaN = no data.
            size_px: Their pixels, shape ``(N,)``.

        Returns:
            Shape ``(N,)``, bool; none if the background has too few pixels.
        """
        limits, middle = self.list_limits(), self.median_db
        if middle is None:
            return np.zeros(len(change), bool)
        areas = np.log(list(limits))
        limit = np.interp(np.log(np.maximum(size_px, 1)), areas, list(limits.values()))
        shown: np.ndarray = np.abs(change - middle) > limit  # False for NaN
        return shown


def _halve(values: np.ndarray) -> np.ndarray:
    """Average squares of 2 x 2; NaN where one is NaN. An odd last row or column is left out."""
    rows, columns = (size // 2 * 2 for size in values.shape)
    whole = values[:rows, :columns]
    upper, lower = whole[0::2, 0::2] + whole[0::2, 1::2], whole[1::2, 0::2] + whole[1::2, 1::2]
    halved: np.ndarray = (upper + lower) / 4
    return halved
