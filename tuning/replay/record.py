"""The record of a replay, ``replay.npz``: what a trial's model maps on each day of the calendar after the event."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import refused_error, show_value
from data.tiles import BANDS, TILE_ID_RULE, TILE_PX, is_tile_id
from tuning.metrics.tile_sums import reduce_counts
from tuning.objects.object_scores import SIZES

BINS_KEPT = 1024  # of a tile's histogram; `pr_auc` is that of all bins
_REMEDY = "Restore the file as the campaign logged it, or delete the run in MLflow."


@dataclass(frozen=True)
class Replay:
    """A model's maps of N test tiles on D days after the event.

    Attributes:
        days: Whole days after the event, ascending from 0, shape ``(D,)``, int64.
        modalities: Names of the M modalities that the model reads, shape ``(M,)``.
        acquisitions: Acquisitions after the event by then, the mean over tiles, shape ``(D, M)``, float64.
        tile_ids: The test tiles, shape ``(N,)``.
        tiles: Histogram of each tile by class, shape ``(D, N, 2 * BINS_KEPT)``, uint16.
        confusions: tp, fp, fn, tn of each tile at the day's threshold, shape ``(D, N, 4)``, int64.
        landslides: By size class of ``SIZES``, the landslides that any found pixel touches, and all, shape ``(D, N, 4, 2)``, int64.
        thresholds: Chosen on val with as many acquisitions, shape ``(D,)``, float64.
        pr_auc: Average precision of all tiles together, shape ``(D,)``, float64; NaN without landslides.
    """

    days: np.ndarray
    modalities: np.ndarray
    acquisitions: np.ndarray
    tile_ids: np.ndarray
    tiles: np.ndarray
    confusions: np.ndarray
    landslides: np.ndarray
    thresholds: np.ndarray
    pr_auc: np.ndarray

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, as they are stored."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


SPECS = {
    "days": ArraySpec("int64", (None,)),
    "modalities": ArraySpec("str", (None,)),
    "acquisitions": ArraySpec("float64", (None, None)),
    "tile_ids": ArraySpec("str", (None,)),
    "tiles": ArraySpec("uint16", (None, None, 2 * BINS_KEPT)),
    "confusions": ArraySpec("int64", (None, None, 4)),
    "landslides": ArraySpec("int64", (None, None, len(SIZES), 2)),
    "thresholds": ArraySpec("float64", (None,)),
    "pr_auc": ArraySpec("float64", (None,)),
}


def reduce_tile(counts: np.ndarray) -> np.ndarray:
    """Return the histogram of a tile ``(2, BINS)`` as it is stored, shape ``(2 * BINS_KEPT,)``, uint16."""
    return reduce_counts(counts, BINS_KEPT).ravel().astype(np.uint16)


def read_replay(path: Path, known: Collection[str]) -> Replay:
    """Read a ``replay.npz``, which somebody else may have written.

    Args:
        path: The file, within the limits of :mod:`data.io.safe_arrays`.
        known: The tiles of the campaign's reference layers.

    Raises:
        ValueError: If the file is malformed, its arrays do not fit each other, or a tile is unknown.
    """
    arrays = read_arrays(path, SPECS)
    replay = Replay(**arrays)
    _check_shapes(replay, path)
    _check_names(replay, known, path)
    _check_values(replay, path)
    return replay


def _refuse(rule: str, got: Any, path: Path) -> ValueError:
    return refused_error(f"A replay must have {rule}", show_value(got), path, _REMEDY)


def _check_shapes(replay: Replay, path: Path) -> None:
    days, tiles, modalities = map(len, (replay.days, replay.tile_ids, replay.modalities))
    shapes = {
        "acquisitions": (days, modalities),
        "tiles": (days, tiles),
        "confusions": (days, tiles),
        "landslides": (days, tiles),
        "thresholds": (days,),
        "pr_auc": (days,),
    }
    for name, shape in shapes.items():
        if (got := getattr(replay, name).shape[: len(shape)]) != shape:
            raise _refuse(f"{name} of {days} days and {tiles} tiles", list(got), path)
    if not days or replay.days[0] != 0 or (np.diff(replay.days) <= 0).any():
        raise _refuse("ascending days from 0", replay.days[:20].tolist(), path)


def _check_names(replay: Replay, known: Collection[str], path: Path) -> None:
    names, ids = replay.modalities.tolist(), replay.tile_ids.tolist()
    if not names or not set(names) <= set(BANDS) or len(set(names)) < len(names):
        raise _refuse(f"modalities among {', '.join(BANDS)}", names[:20], path)
    if malformed := [tile for tile in ids if not is_tile_id(tile)]:
        raise refused_error(TILE_ID_RULE, show_value(malformed[0]), path, _REMEDY)
    if not ids or len(set(ids)) < len(ids):
        raise _refuse("each tile once", f"{len(ids)} ids of {len(set(ids))} tiles", path)
    if unknown := sorted(set(ids).difference(known)):
        raise _refuse("tiles of the campaign alone", unknown[0], path)


def _check_values(replay: Replay, path: Path) -> None:
    pixels = TILE_PX**2
    counts = (replay.tiles.sum(axis=2, dtype=np.int64), replay.confusions.sum(axis=2))
    if replay.confusions.min() < 0 or any((one != pixels).any() for one in counts):
        raise _refuse(f"counts of {pixels} pixels of each tile", "others", path)
    found, every = replay.landslides[..., 0], replay.landslides[..., 1]
    if found.min() < 0 or (found > every).any() or every.max() > pixels:
        raise _refuse("found landslides among all of them", "others", path)
    for name, most in (("acquisitions", 1e4), ("thresholds", 1.0), ("pr_auc", 1.001)):
        values = getattr(replay, name)
        if name == "pr_auc":
            values = values[~np.isnan(values)]  # a part without landslides
        if not ((values >= 0) & (values <= most)).all():
            raise _refuse(f"{name} from 0 to {most:g}", values.ravel()[:20].tolist(), path)
    if replay.days[-1] > 36_525:
        raise _refuse("days of a century at most", int(replay.days[-1]), path)
