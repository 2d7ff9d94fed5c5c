"""Do the counts of a bundled run agree with each other, with the labels and with what the run logged?

Each score can be computed in one way only if they do. What no check can show is whether a map was made as its run says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from data.io.safe_json import refused_error
from tuning.bundle.content import RunEntry, TileEntry
from tuning.metrics.curve import average_precision, choose_threshold
from tuning.metrics.scores import confuse
from tuning.metrics.tile_sums import reduce_counts
from tuning.report.sums.run_result import TILE_BINS
from tuning.trial.folder import VAL_AP

CLOSE = 1e-6  # scores that are logged may be rounded


def check_run(
    arrays: Mapping[str, np.ndarray], entry: RunEntry, tiles: Sequence[TileEntry]
) -> None:
    """Check a run's arrays.

    Args:
        arrays: Those of :func:`tuning.bundle.run_arrays.decode_run`.
        entry: The run.
        tiles: Its N test tiles.

    Raises:
        RefusedError: If a number contradicts another one; the message names the file, the tile and both.
    """
    _check_tiles(arrays, entry, tiles)
    whole = reduce_counts(arrays["counts"], TILE_BINS).ravel()
    if not np.array_equal(whole, arrays["tiles"].sum(axis=0, dtype=np.int64)):
        rule = "The histogram of all pixels must be the sum of the tiles' histograms"
        raise refused_error(rule, "another one", entry.file)
    _check_confusions(arrays, entry)
    _check_val(arrays, entry)


def _check_tiles(
    arrays: Mapping[str, np.ndarray], entry: RunEntry, tiles: Sequence[TileEntry]
) -> None:
    """Compare each tile's counts with its pixels and with the landslide pixels of its label."""
    positives = np.array([tile.positives for tile in tiles])
    pixels = np.array([tile.pixels for tile in tiles])
    sums = arrays["tiles"].reshape(len(tiles), 2, -1).sum(axis=-1, dtype=np.int64)
    known = {"the histogram": (sums[:, 1], sums.sum(axis=1))}
    for name in ("at_half", "at_val"):
        tp, fp, fn, tn = arrays[name].T
        known[name] = tp + fn, tp + fp + fn + tn
    for what, (landslides, total) in known.items():
        for rule, found, expected in (
            ("pixels", total, pixels),
            ("landslide pixels of the label", landslides, positives),
        ):
            if (wrong := np.flatnonzero(found != expected)).size:
                row = int(wrong[0])
                raise refused_error(
                    f"In tile {entry.tiles[row]}, {what} must add up to the {expected[row]:,} {rule}",
                    f"{found[row]:,}",
                    entry.file,
                )


def _check_confusions(arrays: Mapping[str, np.ndarray], entry: RunEntry) -> None:
    """Compare the pixels at both thresholds with the histogram of all pixels."""
    for name, threshold in (("at_half", 0.5), ("at_val", entry.metrics["test/threshold"])):
        found = dict(zip(("tp", "fp", "fn", "tn"), arrays[name].sum(axis=0).tolist(), strict=True))
        if found != (expected := asdict(confuse(arrays["counts"], threshold))):
            rule = f"{name} must be the histogram's pixels at {threshold:.6g}, {expected}"
            raise refused_error(rule, f"{found}", entry.file)


def _check_val(arrays: Mapping[str, np.ndarray], entry: RunEntry) -> None:
    """Compare the logged threshold and average precision with the histogram of val; a run without val has none to compare."""
    if "val" not in arrays:
        if VAL_AP in entry.metrics:
            raise refused_error(
                f"A run with the metric {VAL_AP} must have the histogram of val", "none", entry.file
            )
        return
    val = arrays["val"]
    for name, found in (
        ("test/threshold", choose_threshold(val)),
        (VAL_AP, average_precision(val)),
    ):
        if not abs(found - entry.metrics.get(name, np.nan)) <= CLOSE:
            rule = f"The metric {name} must be that of the histogram of val, {found:.9g}"
            raise refused_error(rule, entry.metrics.get(name), entry.file)
