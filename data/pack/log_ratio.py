"""The change of backscatter over the event, without any learning."""

from collections.abc import Sequence

import numpy as np

from data.pack.file_format import Pack
from data.tiles import BANDS, EVENT, ORBITS


def log_ratio(pack: Pack, tile_ids: Sequence[str], polarisation: str = "VV") -> np.ndarray:
    """Mean after minus mean before the event, over the packed orbits.

    Args:
        pack: The packed tiles, with at least one orbit direction.
        tile_ids: Tiles to compute, B of them.
        polarisation: ``VV`` or ``VH``.

    Returns:
        Change of backscatter in dB, shape ``(B, H, W)``, float32; 0 where no date has data.
    """
    orbits = [orbit for orbit in ORBITS if orbit in pack.modalities]
    changes = []
    for row in pack.rows(tile_ids):
        parts = []
        for orbit in orbits:
            after = pack.times[row, pack.modalities.index(orbit)] > EVENT  # (T,)
            band = BANDS[orbit].index(polarisation)
            layers = pack.bands[orbit][row, :, band].astype(np.float32)
            parts.append(mean_db(layers[after]) - mean_db(layers[~after]))
        changes.append(mean_db(np.stack(parts)))
    change: np.ndarray = np.nan_to_num(np.stack(changes), nan=0.0)
    return change


def mean_db(layers: np.ndarray) -> np.ndarray:
    """Average over the first axis, leaving out NaN; NaN where there is nothing to average."""
    seen = np.isfinite(layers)
    count: np.ndarray = seen.sum(axis=0)
    total: np.ndarray = np.where(seen, layers, 0.0).sum(axis=0)
    mean: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
