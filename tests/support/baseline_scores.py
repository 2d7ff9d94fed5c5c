"""Predictions and validation scores of the baselines."""

from collections.abc import Sequence

import numpy as np
import torch

from data.pack import Pack
from data.splits import Split
from tuning.baselines.baselines import (
    BASELINES,
    is_deterministic,
    make_baseline_config,
    make_predictor,
)
from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import count_bins

LEARNED_BASELINES = [key for key in BASELINES if not is_deterministic(key)]


def predict_tiles(
    key: str, pack: Pack, split: Split, tiles: Sequence[str], seed: int = 0, **changes: object
) -> np.ndarray:
    """Return a baseline's probabilities on some tiles."""
    config = make_baseline_config(key, split.name, pack.hash, seed) | changes
    return make_predictor(config, pack, split)(pack)(tiles)


def score_on_val(key: str, pack: Pack, split: Split) -> float:
    """Return a baseline's average precision on the validation tiles."""
    probs = torch.from_numpy(predict_tiles(key, pack, split, split.val))
    mask = torch.from_numpy(pack.mask[pack.rows(split.val)])
    return average_precision(count_bins(probs, mask).numpy())
