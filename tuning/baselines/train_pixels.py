"""Labelled train pixels for fitting: drawn by seed, read in one pass over the tiles."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from data.splits import Split
from tuning.baselines.inputs import Inputs

logger = logging.getLogger(__name__)

MakeFeatures = Callable[[Inputs, str], np.ndarray]  # features (H, W, F) of one tile


@dataclass(frozen=True)
class FeatureSet:
    """A way to describe pixels.

    Attributes:
        key: Its name.
        make: Returns the features of a tile, shape ``(H, W, F)``, float32.
        name: Returns the names of the F features.
    """

    key: str
    make: MakeFeatures
    name: Callable[[Inputs], tuple[str, ...]]


@dataclass(frozen=True)
class Sample:
    """Train pixels in random order.

    Attributes:
        features: Shape ``(S, F)``, float32; a feature that is NaN everywhere is set to 0.
        labels: Whether each pixel is a landslide, shape ``(S,)``, bool.
    """

    features: np.ndarray
    labels: np.ndarray


def read_sample(
    inputs: Inputs, features: FeatureSet, tile_ids: Sequence[str], size: int, seed: int
) -> Sample:
    """Return about *size* pixels of some tiles, drawn by *seed*.

    The samples of all seeds of *inputs* are drawn in the same pass, and remembered.
    """
    seeds = inputs.seeds if seed in inputs.seeds else (seed,)
    key = (features.key, tuple(tile_ids), size, seeds)
    return inputs.remember(key, lambda: _draw(inputs, features, tile_ids, size, seeds))[seed]


def _draw(
    inputs: Inputs, features: FeatureSet, tile_ids: Sequence[str], size: int, seeds: Sequence[int]
) -> dict[int, Sample]:
    mask = inputs.labels[inputs.pack.rows(tile_ids)]
    drawn = {seed: sample_pixels(mask, size, np.random.default_rng(seed)) for seed in seeds}
    found: dict[int, list[np.ndarray]] = {seed: [] for seed in seeds}
    for number, tile in enumerate(tile_ids):
        values = features.make(inputs, tile)
        for seed in seeds:
            found[seed].append(values[drawn[seed][number]])
    samples = {}
    for seed in seeds:
        rows = np.concatenate(found.pop(seed))
        order = np.random.default_rng(seed).permutation(len(rows))
        samples[seed] = Sample(
            _fill_empty(rows[order], features, inputs), (mask[drawn[seed]] == 1)[order]
        )
    return samples


def _fill_empty(rows: np.ndarray, features: FeatureSet, inputs: Inputs) -> np.ndarray:
    """Set the features without any value, which no model accepts, to 0, and name them in the log."""
    if (empty := np.isnan(rows).all(axis=0)).any():
        names = [name for name, bare in zip(features.name(inputs), empty, strict=True) if bare]
        logger.warning("No train pixel has data for: %s.", ", ".join(names))
        rows[:, empty] = 0.0
    return rows


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


def check_labels(labels: np.ndarray, split: Split) -> None:
    """Raise ValueError if the drawn train pixels are of one class."""
    if labels.all() or not labels.any():
        raise ValueError(
            "A learning baseline needs landslide and background pixels in train, but got "
            f"{labels.sum()} landslide pixels among {labels.size} of split {split.name!r}. "
            "Choose another split or more tiles."
        )
