"""Reads foreign predictions of all seeds and folds, checks every one, and reduces them to bins; writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from data.io.safe_json import refused_error
from tuning.metrics.curve import choose_threshold
from tuning.metrics.histogram import count_stored, to_bins
from tuning.score.find_files import Found, choose_tiles, find_files
from tuning.score.read_maps import check_values, hash_maps, read_all, read_npz, read_tiff
from tuning.score.target import Target
from tuning.score.template import check_split_hash

USUAL_THRESHOLD = 0.5  # without val tiles, unless another is given


@dataclass(frozen=True)
class Prediction:
    """Predictions of one seed on one fold.

    Attributes:
        seed: Number of the seed.
        fold: Name of the fold.
        tile_ids: The N test tiles, sorted.
        bins: Probability bin of each pixel, shape ``(N, H, W)``, uint16.
        counts: Histogram of the test pixels, shape ``(2, BINS)``.
        val: Histogram of the val pixels, shape ``(2, BINS)``; None without val tiles.
        threshold: From val, or given.
        digest: SHA-256 of all its maps.
    """

    seed: int
    fold: str
    tile_ids: tuple[str, ...]
    bins: np.ndarray
    counts: np.ndarray
    val: np.ndarray | None
    threshold: float
    digest: str


def read_predictions(
    target: Target, folder: Path, threshold: float | None = None
) -> tuple[Prediction, ...]:
    """Read and check the predictions of a folder.

    Args:
        target: The campaign.
        folder: With ``split.json``, and files of tiles, perhaps in folders of seeds and folds.
        threshold: At which F1, IoU and objects are scored, for predictions without val tiles; 0.5 if None.

    Raises:
        RefusedError: If anything in the folder is not as it must be; the message names the first such thing.
        ValueError: If a threshold is given although it can be chosen on val, or val's labels are not here.
    """
    if not folder.is_dir():
        got = "a file" if folder.exists() else "nothing"
        raise refused_error("--predictions must be a folder", got, folder, "Correct it.")
    check_split_hash(target, folder)
    found = find_files(target, folder)
    predictions = tuple(_read(target, one, threshold) for one in found)
    with_val = [one.val is not None for one in predictions]
    if any(with_val) and not all(with_val):
        lacking = found[with_val.index(False)].folder
        rule = "All seeds and folds must hold their val tiles, or none"
        raise refused_error(rule, "some without", lacking, "Add them, or take all val tiles out.")
    if any(with_val) and threshold is not None:
        raise ValueError(
            f"--threshold is for predictions without val tiles, but got {threshold:g} and val tiles in {folder}, on which the "
            "threshold is chosen as for every network. Leave it out, or take the val tiles out."
        )
    return predictions


def _read(target: Target, found: Found, threshold: float | None) -> Prediction:
    whole = read_all(found.whole) if found.whole else {}
    val_tiles = choose_tiles(target, found, [*found.files, *whole])
    fold = found.fold
    maps = {tile: _read_map(target, found, whole, tile) for tile in (*fold.test, *val_tiles)}
    bins = {
        tile: to_bins(torch.from_numpy(probs)).numpy().astype(np.uint16)
        for tile, probs in maps.items()
    }
    test = np.stack([bins[tile] for tile in fold.test])
    val = None
    if val_tiles:
        val = count_stored(
            np.stack([bins[tile] for tile in val_tiles]), target.read_labels(val_tiles)
        )
    given = USUAL_THRESHOLD if threshold is None else threshold
    return Prediction(
        found.seed,
        fold.name,
        fold.test,
        test,
        count_stored(test, target.read_labels(fold.test)),
        val,
        given if val is None else choose_threshold(val),
        hash_maps(maps),
    )


def _read_map(
    target: Target, found: Found, whole: Mapping[str, np.ndarray], tile: str
) -> np.ndarray:
    if found.whole is not None:
        return check_values(whole[tile], tile, found.whole)
    file = found.files[tile]
    return read_npz(tile, file) if file.suffix.lower() == ".npz" else read_tiff(target, tile, file)
