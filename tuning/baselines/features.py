"""What the baselines read of a pixel's series: levels, spreads and changes over the event.

All values are in dB, each channel (one polarisation of one orbit) for itself: the orbits look at a slope from two
sides, so their levels must not be mixed. No feature tells a date or counts acquisitions: in the real data the dates
were chosen around the event on annotated tiles alone, so they would give the label away.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.pack.log_ratio import mean_db
from data.tiles import BANDS, EVENT

logger = logging.getLogger(__name__)

FEATURES = (
    "before",  # mean before the event
    "after",  # mean after it
    "change",  # after - before
    "spread_before",  # standard deviation over the acquisitions before
    "spread_after",
    "pair",  # first acquisition after - last one before
    "window",  # mean of `change` over 3 x 3 px
)
N_FEATURES = len(FEATURES)  # per channel
WINDOW_PX = 3

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


def pick_channels(pack: Pack, channels: Iterable[str] = SAR_CHANNELS) -> tuple[str, ...]:
    """Pick Sentinel-1's channels that are asked for and packed, in the order of ``SAR_CHANNELS``."""
    wanted = set(channels)
    return tuple(
        name for name in SAR_CHANNELS if name in wanted and name.split(":")[0] in pack.modalities
    )


def read_series(pack: Pack, row: int, channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one channel of one tile, parted by the event.

    Args:
        pack: The packed tiles.
        row: Row of the pack.
        channel: Such as ``s1asc:VV``.

    Returns:
        Backscatter in dB before the event ``(T1, H, W)`` and after it ``(T2, H, W)``, ascending in
        time, float32; NaN = no data. One of them may hold no acquisition.
    """
    orbit, band = channel.split(":")
    after = pack.times[row, pack.modalities.index(orbit)] > EVENT  # (T,)
    layers = pack.bands[orbit][row, :, BANDS[orbit].index(band)].astype(np.float32)
    return layers[~after], layers[after]


def measure_means(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Mean after minus mean before, ``(T, H, W)`` each to ``(H, W)``; NaN where a side has no data."""
    change: np.ndarray = mean_db(after) - mean_db(before)
    return change


def measure_pair(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """First acquisition after minus last one before, of those that have data at the pixel."""
    change: np.ndarray = _first_seen(after) - _first_seen(before[::-1])
    return change


def _first_seen(layers: np.ndarray) -> np.ndarray:
    """Return each pixel's first value that is not NaN, ``(T, H, W)`` to ``(H, W)``."""
    if not len(layers):
        return np.full(layers.shape[1:], np.nan, np.float32)
    first = np.isfinite(layers).argmax(axis=0)  # 0 where nothing is seen, which is NaN
    seen: np.ndarray = np.take_along_axis(layers, first[None], axis=0)[0]
    return seen


def average_change(
    pack: Pack, tile_ids: Sequence[str], channels: Sequence[str], measure: Measure
) -> np.ndarray:
    """Measure the change of each channel and average over the channels.

    Args:
        pack: The packed tiles.
        tile_ids: Tiles to compute, B of them.
        channels: One or more; a pixel without data in one of them has the mean of the others.
        measure: :func:`measure_means` or :func:`measure_pair`.

    Returns:
        Change in dB, shape ``(B, H, W)``, float64; 0 where no channel has data on both sides.
    """
    changes = [
        mean_db(np.stack([measure(*read_series(pack, row, name)) for name in channels]))
        for row in pack.rows(tile_ids).tolist()
    ]
    change: np.ndarray = np.nan_to_num(np.stack(changes), nan=0.0)
    return change


def name_features(channels: Sequence[str]) -> tuple[str, ...]:
    """Name the features in their order, such as ``s1asc:VV change``."""
    return tuple(f"{channel} {feature}" for channel in channels for feature in FEATURES)


def make_features(pack: Pack, tile_id: str, channels: Sequence[str]) -> np.ndarray:
    """Compute the features of all pixels of one tile.

    Args:
        pack: The packed tiles.
        tile_id: The tile.
        channels: Such as :func:`pick_channels` returns, C of them.

    Returns:
        Shape ``(H, W, C * N_FEATURES)``, float32, in dB, in the order of :func:`name_features`; NaN
        where the acquisitions that a feature needs have no data.
    """
    row = int(pack.rows([tile_id])[0])
    maps = [one for name in channels for one in _describe(*read_series(pack, row, name))]
    return np.stack(maps, axis=-1).astype(np.float32)


def _describe(before: np.ndarray, after: np.ndarray) -> list[np.ndarray]:
    """Compute ``FEATURES`` of one channel, each ``(H, W)``."""
    level_before, level_after = mean_db(before), mean_db(after)
    change = level_after - level_before
    return [
        level_before,
        level_after,
        change,
        _measure_spread(before),
        _measure_spread(after),
        measure_pair(before, after),
        _average_window(change),
    ]


def _measure_spread(layers: np.ndarray) -> np.ndarray:
    """Standard deviation over acquisitions; NaN where fewer than two have data, as one has none."""
    spread: np.ndarray = np.sqrt(mean_db((layers - mean_db(layers)) ** 2))
    spread[np.isfinite(layers).sum(axis=0) < 2] = np.nan
    return spread


def _average_window(change: np.ndarray) -> np.ndarray:
    """Mean over the pixels around that have data; a tile's edge has fewer of them."""
    padded = np.pad(change, WINDOW_PX // 2, constant_values=np.nan)
    height, width = change.shape
    offsets = range(WINDOW_PX)
    return mean_db(
        np.stack([padded[y : y + height, x : x + width] for y in offsets for x in offsets])
    )


def sample_pixels(mask: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw about *size* pixels, the same share of landslides and of background.

    Landslides stay as rare as they are, so that fitted probabilities need no correction.

    Args:
        mask: 1 = landslide, shape ``(N, H, W)``.
        size: How many pixels; all where there are fewer.
        rng: Draws them.

    Returns:
        Which pixels, shape ``(N, H, W)``, bool.
    """
    flat = mask.reshape(-1) == 1
    chosen = np.zeros(flat.size, dtype=bool)
    share = min(1.0, size / flat.size)
    for label in (False, True):
        at = np.flatnonzero(flat == label)
        chosen[rng.choice(at, round(share * len(at)), replace=False)] = True
    return chosen.reshape(mask.shape)


def read_sample(
    pack: Pack, tile_ids: Sequence[str], channels: Sequence[str], size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Read features and labels of :func:`sample_pixels`, tile by tile, so that no more is in memory.

    Returns:
        Features, shape ``(S, C * N_FEATURES)``, and whether each pixel is a landslide, shape ``(S,)``.
        A feature without any value, which no model takes, is 0 instead, and named in the log.
    """
    mask = pack.mask[pack.rows(tile_ids)]
    chosen = sample_pixels(mask, size, np.random.default_rng(seed))
    features = np.concatenate(
        [make_features(pack, tile, channels)[at] for tile, at in zip(tile_ids, chosen, strict=True)]
    )
    if (empty := np.isnan(features).all(axis=0)).any():
        names = [name for name, gone in zip(name_features(channels), empty, strict=True) if gone]
        logger.warning("No train pixel has data for: %s.", ", ".join(names))
        features[:, empty] = 0.0
    return features, mask[chosen] == 1
