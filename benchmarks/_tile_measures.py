"""What the twin is compared by with real tiles: heights, noise, change over time, brightness."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data.tiles import BANDS, ORBITS, PIXEL_M, Tile, open_tile, tile_path
from data.tiles.events import NO_EVENT, find_region_event
from data.tiles.paths import region_of

LOOK_DEG = {"s1asc": 78.0, "s1dsc": 282.0}  # as in tuning/metrics/stratified.py
_SMOOTH_PX = 2.0  # standard deviation; slopes of stair-steps mean little without
_LOCAL_PX = (
    15  # differences are taken against their mean over this window, so that only noise is left
)
_MEAN_PX = 9
_REPEAT = np.timedelta64(12, "D")
_MIN_SLIDE_PX = 100
_STRIDE = 5  # every fifth pixel trains


def measure_tile(tile: Tile) -> dict[str, float]:
    """Measure one Sentinel-1 tile.

    Args:
        tile: With backscatter in dB.

    Returns:
        Each measure by name. ``step …`` are 12-day differences, of images that are 12 days apart; NaN where a tile lacks
        what a measure needs.
    """
    found = _measure_heights(tile.dem.astype(np.float64))
    first, later = _find_steps(tile.times)
    steps = tile.bands[later] - tile.bands[first]  # (N, C, H, W)
    after = tile.times > event_of(tile)
    mean = tile.bands.mean(axis=0)
    slid = tile.mask == 1
    for k, band in enumerate(BANDS[tile.modality]):
        change = tile.bands[after, k].mean(axis=0) - tile.bands[~after, k].mean(axis=0)
        found |= {
            f"step std {band}": _median(step.std() for step in steps[:, k]),
            f"step std of means {band}": _median(_average(step).std() for step in steps[:, k]),
            f"std over time {band}": float(tile.bands[:, k].std(axis=0).mean()),
            f"slope facing {band}": _fit_facing(tile, mean[k]),
            f"change {band}": float(change[slid].mean()) if slid.sum() >= _MIN_SLIDE_PX else np.nan,
        }
    return found | _measure_noise(steps)


def event_of(tile: Tile) -> np.datetime64:
    """Return the time of the tile's event; tiles without landslides do not name it, but the catalogue does."""
    return (
        find_region_event(region_of(tile.tile_id), np.array([NO_EVENT]))
        if tile.event is None
        else tile.event
    )


def _find_steps(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the images that have one 12 days later, and of those later ones."""
    days = times.astype("M8[D]")
    pairs = [
        (i, int(np.flatnonzero(days == day + _REPEAT)[0]))
        for i, day in enumerate(days)
        if (days == day + _REPEAT).any()
    ]
    first, later = np.array(pairs, np.int64).reshape(-1, 2).T
    return first, later


def _median(values: Iterable[float]) -> float:
    found = [float(value) for value in values]
    return float(np.median(found)) if found else float("nan")


def _average(image: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.uniform_filter(image, _MEAN_PX))


def _measure_heights(dem: np.ndarray) -> dict[str, float]:
    slope, smooth = (_measure_slope(height) for height in (dem, _smooth(dem)))
    flat = slope.std() == 0 or smooth.std() == 0
    return {
        "equal neighbours": float((np.diff(dem, axis=1) == 0).mean()),
        "slope correlation": np.nan
        if flat
        else float(np.corrcoef(slope.ravel(), smooth.ravel())[0, 1]),
    }


def _smooth(dem: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.gaussian_filter(dem, _SMOOTH_PX))


def _measure_slope(height: np.ndarray) -> np.ndarray:
    return np.asarray(np.degrees(np.arctan(np.hypot(*np.gradient(height, PIXEL_M)))))


def _measure_noise(steps: np.ndarray) -> dict[str, float]:
    """Return how neighbouring pixels of 12-day differences, shape ``(N, C, H, W)``, correlate."""
    if not len(steps):
        return dict.fromkeys(("lag 1", "lag 2"), np.nan)
    local = steps - ndimage.uniform_filter(steps, (0, 0, _LOCAL_PX, _LOCAL_PX))
    images = local.reshape(-1, *local.shape[-2:])
    return {
        f"lag {lag}": float(
            np.mean(
                [
                    np.corrcoef(one[a].ravel(), one[b].ravel())[0, 1]
                    for one in images
                    for a, b in (
                        (np.s_[:, lag:], np.s_[:, :-lag]),
                        (np.s_[lag:], np.s_[:-lag]),
                    )
                ]
            )
        )
        for lag in (1, 2)
    }


def _fit_facing(tile: Tile, mean: np.ndarray) -> float:
    """Return the change of the mean backscatter per degree of slope towards the sensor."""
    south, east = np.gradient(_smooth(tile.dem.astype(np.float64)), PIXEL_M)
    look = np.radians(LOOK_DEG[tile.modality])
    facing = np.degrees(np.arctan(east * np.sin(look) - south * np.cos(look)))
    return float(np.polyfit(facing.ravel(), mean.ravel(), 1)[0]) if facing.std() > 3 else np.nan


def measure_power(tile: Tile) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation of the linear power over all pixels and dates, by band."""
    power = 10 ** (tile.bands.astype(np.float64) / 10)
    return {
        band: (float(power[:, k].mean()), float(power[:, k].std()))
        for k, band in enumerate(BANDS[tile.modality])
    }


def read_published(path: Path, region: str) -> dict[str, dict[str, tuple[float, float]]]:
    """Read the published statistics of a region's tiles: mean and standard deviation of linear power, by tile and band.

    Args:
        path: ``s1dsc_raw_stats.csv`` of the repository PaulH97/Sen12Landslides, ``tests/stats``.
        region: Such as ``hokkaido``.
    """
    found: dict[str, dict[str, tuple[float, float]]] = {}
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            name, _, number = row["file"].rpartition("_")
            if name == f"{region}_s1dsc" and row["variable"] in BANDS["s1dsc"]:
                tile = found.setdefault(f"{region}_{number}", {})
                tile[row["variable"]] = float(row["mean"]), float(row["std"])
    return found


def summarise_power(tiles: Iterable[Mapping[str, tuple[float, float]]]) -> dict[str, float]:
    """Return, by band, the mean over tiles of the mean power in dB, and of its coefficient of variation."""
    listed = list(tiles)
    return {
        f"{name} {band}": float(np.mean([measure(*tile[band]) for tile in listed]))
        for band in BANDS["s1dsc"]
        for name, measure in (
            ("mean", lambda mean, _: 10 * np.log10(mean)),
            ("variation", lambda mean, std: std / mean),
        )
    }


def score_detectors(
    folder: Path, test: Sequence[str], train: Sequence[str] = ()
) -> dict[str, float]:
    """Return the average precision of simple detectors on the pixels of the test tiles, by name.

    Args:
        folder: Tiles in dB.
        test: Tiles for the scores.
        train: Tiles for a logistic regression; it is left out without them.
    """
    x, mask = _read_features(folder, test)
    scores = {
        "AP mean change": x[:, 0] + x[:, 8],  # VV of both orbit directions
        "AP one pair": x[:, 2] + x[:, 10],
    }
    if train:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        model.fit(*(part[::_STRIDE] for part in _read_features(folder, train)))
        scores["AP logistic regression"] = model.predict_proba(x)[:, 1]
    return {name: float(average_precision_score(mask, score)) for name, score in scores.items()}


def _read_features(folder: Path, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return features per pixel, shape ``(N * H * W, 16)``, eight per orbit direction, and the mask."""
    x, mask = [], []
    for tile_id in ids:
        tiles = [open_tile(tile_path(folder, tile_id, orbit)) for orbit in ORBITS]
        x.append(np.concatenate([_make_features(tile) for tile in tiles], axis=-1))
        mask.append(tiles[0].mask.ravel())
    return np.concatenate(x), np.concatenate(mask)


def _make_features(tile: Tile) -> np.ndarray:
    """Return change over the event, over the pair around it, level and spread of both bands, ``(H * W, 8)``."""
    bands, after = tile.bands, tile.times > event_of(tile)
    first = int(after.argmax())
    features = [
        *(bands[after].mean(axis=0) - bands[~after].mean(axis=0)),
        *(bands[first] - bands[first - 1]),
        *bands.mean(axis=0),
        *bands.std(axis=0),
    ]
    return np.stack(features, axis=-1).reshape(-1, len(features))
