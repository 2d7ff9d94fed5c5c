"""The change of backscatter over the event, without any learning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from data.pack.pack import Pack
from data.tiles import BANDS, ORBITS
from data.tiles.tracks import find_repeats, find_tracks, rank_tracks


@dataclass(frozen=True)
class Series:
    """One channel of a tile around its event; repeated images are left out.

    Attributes:
        before: Backscatter in dB before the event, shape ``(T1, H, W)``, float32, ascending in time; NaN = no data. T1
            may be 0.
        after: The same after it, shape ``(T2, H, W)``.
        tracks: The acquisitions of one track each, as indices of *before* and of *after*; the track with the shortest
            pair over the event comes first, and tracks without a pair are left out.
    """

    before: np.ndarray
    after: np.ndarray
    tracks: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


Measure = Callable[[Series], np.ndarray]


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
        measure: Turns a series into a change, such as :func:`measure_means`.

    Returns:
        Change in dB, shape ``(B, H, W)``, float64; 0 where no channel has data on both sides.
    """
    changes = [
        mean_db(np.stack([measure(read_series(pack, row, name)) for name in channels]))
        for row in pack.rows(tile_ids).tolist()
    ]
    change: np.ndarray = np.nan_to_num(np.stack(changes), nan=0.0)
    return change


def read_series(pack: Pack, row: int, channel: str, steps: np.ndarray | None = None) -> Series:
    """Read one channel of one tile, split at the tile's event.

    Args:
        pack: The packed tiles.
        row: Row of the pack.
        channel: Such as ``s1asc:VV``.
        steps: Ascending indices of the acquisitions to read; None for all.
    """
    orbit, band = channel.split(":")
    times, event = pack.times[row, pack.modalities.index(orbit)], pack.events[row]
    steps = np.arange(len(times)) if steps is None else np.asarray(steps)
    steps = steps[~find_repeats(times[steps])]
    times, layers = times[steps], pack.bands[orbit][row, steps, BANDS[orbit].index(band)]
    layers = layers.astype(np.float32)
    after, tracks = times > event, find_tracks(times)
    pairs = [
        (np.flatnonzero(tracks[~after] == track), np.flatnonzero(tracks[after] == track))
        for track in rank_tracks(times, event)
    ]
    return Series(layers[~after], layers[after], tuple(pairs))


def describe_pairs(pack: Pack) -> str:
    """Return a sentence on the series of Sentinel-1 that span several tracks; empty if there are none."""
    mixed = with_pair = 0
    orbits = [number for number, name in enumerate(pack.modalities) if name in ORBITS]
    for row, event in enumerate(pack.events):
        for times in pack.times[row, orbits]:
            if find_tracks(times).any():
                mixed += 1
                with_pair += bool(rank_tracks(times, event))
    if not mixed:
        return ""
    text = (
        f"Dates span several tracks in {mixed} of {len(pack.events) * len(orbits)} series of Sentinel-1. Acquisitions "
        f"around the event and bi-temporal baselines compare one track in {with_pair} of them"
    )
    return f"{text}, two tracks in {mixed - with_pair}." if with_pair < mixed else f"{text}."


def measure_means(series: Series) -> np.ndarray:
    """Return the mean after the event minus the mean before it, shape ``(H, W)``; NaN if a side has no data."""
    change: np.ndarray = mean_db(series.after) - mean_db(series.before)
    return change


def mean_db(layers: np.ndarray) -> np.ndarray:
    """Average over the first axis, ignoring NaN; NaN if all values are NaN."""
    valid = np.isfinite(layers)
    if len(layers) and valid.all():  # as below, in a fifth of the time
        whole: np.ndarray = layers.sum(axis=0) / np.int64(len(layers))
        return whole
    count: np.ndarray = valid.sum(axis=0)
    total: np.ndarray = np.where(valid, layers, 0.0).sum(axis=0)
    mean: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
