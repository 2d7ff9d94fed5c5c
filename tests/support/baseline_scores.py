"""Predictions and validation scores of the baselines."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from data.pack import Pack
from data.splits import Split
from tuning.baselines.baselines import (
    BASELINES,
    get_baseline,
    is_deterministic,
    make_baseline_config,
)
from tuning.baselines.definition import LEAK_PROBE
from tuning.baselines.measure import make_predictor, score_tiles
from tuning.trial.folder import Config

# Boosting on pixels is boosting on windows with fewer features, so it is left out where laws are tested on each.
LEARNED_BASELINES = [
    key for key in BASELINES if not is_deterministic(key) and key != "gradient_boosting"
]
PIXEL_LEARNERS = [key for key in LEARNED_BASELINES if BASELINES[key].kind != LEAK_PROBE]
# Of a fit on four tiles: cheap, and with leaves of one tile for the probe that has one sample per tile.
CHEAP = {"sample_px": 4000, "max_iter": 20}
PROBE = {"min_samples_leaf": 1}


def make_config(key: str, pack: Pack, split: Split, seed: int = 0, **options: Any) -> Config:
    """Return a baseline's config with values of its first sample, cheaper to fit."""
    first = get_baseline(key).first
    changes = PROBE if key == "tile_means" else CHEAP
    params = {**first, **{name: value for name, value in changes.items() if name in first}}
    return make_baseline_config(key, split.name, pack.hash, seed, **{"params": params} | options)


def predict_tiles(
    key: str, pack: Pack, split: Split, tiles: Sequence[str], seed: int = 0, **options: Any
) -> np.ndarray:
    """Return a baseline's probabilities on some tiles."""
    return make_predictor(make_config(key, pack, split, seed, **options), pack, split)(pack)(tiles)


def score_on_val(key: str, pack: Pack, split: Split, **options: Any) -> float:
    """Return a baseline's average precision on the validation tiles."""
    predict = make_predictor(make_config(key, pack, split, **options), pack, split)(pack)
    return score_tiles(predict, pack, split.val)
