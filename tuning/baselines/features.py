"""Features of a pixel's time series for the baselines: levels, spreads and changes over the event.

All values are in dB, and each channel (one polarisation of one orbit) has its own features: the orbits view a slope
from opposite sides, so their levels must not be mixed. No feature contains a date or a number of acquisitions: in the
real data, dates were chosen around the event only on annotated tiles, so they would leak the label.
"""

from collections.abc import Sequence

import numpy as np

from data.pack.log_ratio import Series, mean_db
from tuning.baselines.inputs import Inputs
from tuning.baselines.windows import average_window

FEATURES = (
    "before",  # mean before the event
    "after",  # mean after it
    "change",  # after - before
    "spread_before",  # standard deviation over the acquisitions before the event
    "spread_after",
    "pair",  # first acquisition after the event - last one before it, of one track where possible
    "window",  # mean of `change` over 3 x 3 px
)
N_FEATURES = len(FEATURES)  # per channel
WINDOW_PX = 3


def measure_pair(series: Series) -> np.ndarray:
    """Return the first acquisition after the event minus the last one before it, shape ``(H, W)``.

    Both are of one track, since another track sees the ground at another incidence angle: of the track with the shortest
    pair, where that has no data of the next one, and only where no track has a pair, of two. Within a track,
    acquisitions without data at the pixel are skipped.
    """
    change = np.full(series.before.shape[1:], np.nan, np.float32)
    everything = np.arange(len(series.before)), np.arange(len(series.after))
    for before, after in (*series.tracks, everything):
        if not (gaps := np.isnan(change)).any():
            break
        pair = _first_valid(series.after[after]) - _first_valid(series.before[before][::-1])
        change = np.where(gaps, pair, change)
    return change


def _first_valid(layers: np.ndarray) -> np.ndarray:
    """Return each pixel's first value that is not NaN, ``(T, H, W)`` to ``(H, W)``."""
    if not len(layers):
        return np.full(layers.shape[1:], np.nan, np.float32)
    first = np.isfinite(layers).argmax(axis=0)  # 0 if all are NaN; the value is then NaN
    values: np.ndarray = np.take_along_axis(layers, first[None], axis=0)[0]
    return values


def name_features(channels: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the features in order, such as ``s1asc:VV change``."""
    return tuple(f"{channel} {feature}" for channel in channels for feature in FEATURES)


def make_features(inputs: Inputs, tile_id: str) -> np.ndarray:
    """Return the features of all pixels of one tile.

    Args:
        inputs: C channels at the chosen acquisitions.
        tile_id: Id of the tile.

    Returns:
        Shape ``(H, W, C * N_FEATURES)``, float32, in dB, in the order of :func:`name_features`; NaN
        if the acquisitions of a feature have no data.
    """
    maps = [
        feature
        for name in inputs.channels
        for feature in compute_features(inputs.series(tile_id, name))
    ]
    return stack_maps(maps)


def stack_maps(maps: Sequence[np.ndarray]) -> np.ndarray:
    """Stack F maps ``(H, W)`` to ``(H, W, F)``, float32; in memory each map stays in one piece, as trees read it."""
    stacked = np.empty((len(maps), *maps[0].shape), np.float32)
    for out, one in zip(stacked, maps, strict=True):
        out[:] = one
    return np.moveaxis(stacked, 0, -1)


def compute_features(series: Series) -> list[np.ndarray]:
    """Return the ``FEATURES`` of one channel, each ``(H, W)``."""
    level_before, level_after = mean_db(series.before), mean_db(series.after)
    change = level_after - level_before
    return [
        level_before,
        level_after,
        change,
        _measure_spread(series.before, level_before),
        _measure_spread(series.after, level_after),
        measure_pair(series),
        average_window(change, WINDOW_PX),
    ]


def _measure_spread(layers: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the standard deviation over acquisitions; NaN if fewer than two have data."""
    spread: np.ndarray = np.sqrt(mean_db((layers - mean) ** 2))
    spread[np.isfinite(layers).sum(axis=0) < 2] = np.nan
    return spread
