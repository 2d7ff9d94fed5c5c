"""Features of a pixel's time series for the baselines: levels, spreads and changes over the event.

All values are in dB, and each channel (one polarisation of one orbit) has its own features: the orbits view a slope
from opposite sides, so their levels must not be mixed. No feature contains a date or a number of acquisitions: in the
real data, dates were chosen around the event only on annotated tiles, so they would leak the label.
"""

import logging
from collections.abc import Iterable, Sequence

import numpy as np

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.pack.log_ratio import Series, mean_db, read_series

logger = logging.getLogger(__name__)

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


def pick_channels(pack: Pack, channels: Iterable[str] = SAR_CHANNELS) -> tuple[str, ...]:
    """Return the Sentinel-1 channels among *channels* that are packed, in the order of ``SAR_CHANNELS``."""
    names = set(channels)
    return tuple(
        name for name in SAR_CHANNELS if name in names and name.split(":")[0] in pack.modalities
    )


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


def make_features(pack: Pack, tile_id: str, channels: Sequence[str]) -> np.ndarray:
    """Return the features of all pixels of one tile.

    Args:
        pack: The packed tiles.
        tile_id: Id of the tile.
        channels: C channels, as :func:`pick_channels` returns them.

    Returns:
        Shape ``(H, W, C * N_FEATURES)``, float32, in dB, in the order of :func:`name_features`; NaN
        if the acquisitions of a feature have no data.
    """
    row = int(pack.rows([tile_id])[0])
    maps = [
        feature for name in channels for feature in _compute_features(read_series(pack, row, name))
    ]
    return np.stack(maps, axis=-1).astype(np.float32)


def _compute_features(series: Series) -> list[np.ndarray]:
    """Return the ``FEATURES`` of one channel, each ``(H, W)``."""
    level_before, level_after = mean_db(series.before), mean_db(series.after)
    change = level_after - level_before
    return [
        level_before,
        level_after,
        change,
        _measure_spread(series.before),
        _measure_spread(series.after),
        measure_pair(series),
        _average_window(change),
    ]


def _measure_spread(layers: np.ndarray) -> np.ndarray:
    """Return the standard deviation over acquisitions; NaN if fewer than two have data."""
    spread: np.ndarray = np.sqrt(mean_db((layers - mean_db(layers)) ** 2))
    spread[np.isfinite(layers).sum(axis=0) < 2] = np.nan
    return spread


def _average_window(change: np.ndarray) -> np.ndarray:
    """Return the mean over the window's pixels that have data; windows at a tile's edge have fewer pixels."""
    padded = np.pad(change, WINDOW_PX // 2, constant_values=np.nan)
    height, width = change.shape
    offsets = range(WINDOW_PX)
    return mean_db(
        np.stack([padded[y : y + height, x : x + width] for y in offsets for x in offsets])
    )


def sample_pixels(mask: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw about *size* pixels, the same share of landslide and of background pixels.

    Landslides stay as rare as in the data, so that fitted probabilities need no correction.

    Args:
        mask: 1 = landslide, shape ``(N, H, W)``.
        size: Number of pixels; all pixels if there are fewer.
        rng: Random generator.

    Returns:
        Whether each pixel is drawn, shape ``(N, H, W)``, bool.
    """
    flat = mask.reshape(-1) == 1
    drawn = np.zeros(flat.size, dtype=bool)
    share = min(1.0, size / flat.size)
    for label in (False, True):
        pixels = np.flatnonzero(flat == label)
        drawn[rng.choice(pixels, round(share * len(pixels)), replace=False)] = True
    return drawn.reshape(mask.shape)


def read_sample(
    pack: Pack, tile_ids: Sequence[str], channels: Sequence[str], size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels of :func:`sample_pixels`, read tile by tile to limit memory.

    Returns:
        Features, shape ``(S, C * N_FEATURES)``, and whether each pixel is a landslide, shape ``(S,)``.
        A feature that is NaN everywhere, which no model accepts, is set to 0 and named in the log.
    """
    mask = pack.mask[pack.rows(tile_ids)]
    drawn = sample_pixels(mask, size, np.random.default_rng(seed))
    features = np.concatenate(
        [
            make_features(pack, tile, channels)[keep]
            for tile, keep in zip(tile_ids, drawn, strict=True)
        ]
    )
    if (empty := np.isnan(features).all(axis=0)).any():
        names = [
            name for name, missing in zip(name_features(channels), empty, strict=True) if missing
        ]
        logger.warning("No train pixel has data for: %s.", ", ".join(names))
        features[:, empty] = 0.0
    return features, mask[drawn] == 1
