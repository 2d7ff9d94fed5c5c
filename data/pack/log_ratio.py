"""The change of backscatter over the event, without any learning."""

from collections.abc import Callable, Sequence

import numpy as np

from data.pack.pack import Pack
from data.tiles import BANDS, ORBITS

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


def log_ratio(pack: Pack, tile_ids: Sequence[str], polarisation: str = "VV") -> np.ndarray:
    """Return the mean after the event minus the mean before it, averaged over the packed orbits.

    Args:
        pack: The packed tiles, with at least one orbit direction.
        tile_ids: Ids of the B tiles.
        polarisation: ``VV`` or ``VH``.

    Returns:
        Change of backscatter in dB, shape ``(B, H, W)``, float64; 0 for pixels without data.
    """
    channels = [f"{orbit}:{polarisation}" for orbit in ORBITS if orbit in pack.modalities]
    return average_change(pack, tile_ids, channels, measure_means)


def average_change(
    pack: Pack, tile_ids: Sequence[str], channels: Sequence[str], measure: Measure
) -> np.ndarray:
    """Return the change of each channel, averaged over the channels.

    Args:
        pack: The packed tiles.
        tile_ids: Ids of the B tiles.
        channels: One or more, such as ``s1asc:VV``; where one has no data, the others are averaged.
        measure: Turns the acquisitions before and after the event into a change, such as :func:`measure_means`.

    Returns:
        Change in dB, shape ``(B, H, W)``, float64; 0 where no channel has data on both sides.
    """
    changes = [
        mean_db(np.stack([measure(*read_series(pack, row, name)) for name in channels]))
        for row in pack.rows(tile_ids).tolist()
    ]
    change: np.ndarray = np.nan_to_num(np.stack(changes), nan=0.0)
    return change


def read_series(pack: Pack, row: int, channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one channel of one tile, split at the event.

    Args:
        pack: The packed tiles.
        row: Row of the pack.
        channel: Such as ``s1asc:VV``.

    Returns:
        Backscatter in dB before the event ``(T1, H, W)`` and after it ``(T2, H, W)``, ascending in
        time, float32; NaN = no data. T1 or T2 may be 0.
    """
    orbit, band = channel.split(":")
    after = pack.times[row, pack.modalities.index(orbit)] > pack.events[row]  # (T,)
    layers = pack.bands[orbit][row, :, BANDS[orbit].index(band)].astype(np.float32)
    return layers[~after], layers[after]


def measure_means(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the mean after minus the mean before, ``(T, H, W)`` each to ``(H, W)``; NaN if a side has no data."""
    change: np.ndarray = mean_db(after) - mean_db(before)
    return change


def mean_db(layers: np.ndarray) -> np.ndarray:
    """Average over the first axis, ignoring NaN; NaN if all values are NaN."""
    valid = np.isfinite(layers)
    count: np.ndarray = valid.sum(axis=0)
    total: np.ndarray = np.where(valid, layers, 0.0).sum(axis=0)
    mean: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
