"""Records of replays with given days and maps, and results over days, without any network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from data.tiles import TILE_PX
from tuning.days.plateau import find_plateau
from tuning.days.result import SCORES, Band, DaysResult
from tuning.replay.record import BINS_KEPT, Replay

PIXELS = TILE_PX**2
PLANTED = 400  # landslide pixels of each tile


def make_replay(
    days: Sequence[int],
    found: np.ndarray,
    tile_ids: Sequence[str],
    acquisitions: Sequence[Sequence[float]] = (),
    modalities: Sequence[str] = ("s1asc", "s1dsc"),
) -> Replay:
    """Return the replay of a model that ranks a share of each tile's landslide pixels above all others.

    Args:
        days: Days after the event.
        found: That share of each tile on each day, shape ``(D, N)``.
        tile_ids: The N tiles.
        acquisitions: By day and modality; as many as the place of the day if empty.
        modalities: Names of the modalities.
    """
    pixels = np.round(found * PLANTED).astype(np.int64)
    tiles = np.zeros((*found.shape, 2, BINS_KEPT), np.uint16)
    tiles[..., 0, 0] = PIXELS - PLANTED
    tiles[..., 1, BINS_KEPT - 1] = pixels
    tiles[..., 1, 0] = PLANTED - pixels
    total, share = pixels.sum(axis=1), PLANTED / PIXELS
    all_px = PLANTED * found.shape[1]
    zero = np.zeros_like(pixels)
    confusions = np.stack([pixels, zero, PLANTED - pixels, zero + PIXELS - PLANTED], axis=-1)
    landslides = np.zeros((*found.shape, 4, 2), np.int64)
    landslides[..., 1] = 10
    landslides[..., 0] = np.round(10 * found)[..., None]
    counts = np.array(acquisitions or [[place] * len(modalities) for place in range(len(days))])
    return Replay(
        days=np.array(days, np.int64),
        modalities=np.array(modalities),
        acquisitions=counts.astype(np.float64),
        tile_ids=np.array(tile_ids),
        tiles=tiles.reshape(*found.shape, 2 * BINS_KEPT),
        confusions=confusions,
        landslides=landslides,
        thresholds=np.full(len(days), 0.5),
        pr_auc=total / all_px + (1 - total / all_px) * share,
    )


def make_result(label: str, curve: Sequence[float], days: Sequence[int], **more: Any) -> DaysResult:
    """Return a result whose average precision is *curve*, and other scores half of it; one image of each orbit per day."""
    mean = np.array(curve, float)
    bands = {
        name: Band(mean * share, mean * share - 0.01, mean * share + 0.01)
        for name, share in zip(SCORES, (1.0, *[0.5] * (len(SCORES) - 1)), strict=True)
    }
    at = np.array(days)
    half = (np.arange(len(at)) + 1) // 2
    fields = {
        "network": True,
        "seeds": 2,
        "tiles": 9,
        "acquisitions": {"s1asc": half, "s1dsc": np.arange(len(at)) // 2},
        "mapped_km2": mean,
        "labelled_km2": 1.5,
        "to_plateau": find_plateau(at, mean, None),
    }
    return DaysResult(label=label, days=at, scores=bands, **(fields | more))
