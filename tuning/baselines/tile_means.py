"""A probe for leaks: trees that see a tile's mean backscatter per date and its dates, but no pixels.

Each tile has one probability, so it can only rank tiles. Where landslides crowd in a few tiles, that alone is worth something:
on the twin, whose tiles all have the same dates, average precision is 0.31 at a landslide share of 0.067. What it scores
beyond the change of those tiles' means comes from their dates, which the leak audit tests by themselves.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from data.pack.channels import SAR_CHANNELS
from data.tiles import TILE_PX
from data.tiles.tracks import find_repeats, find_tracks
from tuning.baselines.definition import LEAK_PROBE, Baseline, BindInputs, Task
from tuning.baselines.inputs import Inputs
from tuning.baselines.train_pixels import check_labels

TREES = 200
NO_DATA_DB = -99.0  # below every value, so that trees can tell it apart


def describe_tile(inputs: Inputs, tile_id: str) -> np.ndarray:
    """Return what the probe sees of a tile.

    Returns:
        Shape ``(F,)``, float64. For each channel the mean in dB of each selected acquisition, repeats included, where
        ``NO_DATA_DB`` is no data; for each orbit the days from the event to each acquisition, the number of
        acquisitions without repeats, of those before the event, of repeats and of tracks.
    """
    means = [_average(inputs.layers(tile_id, channel)) for channel in inputs.channels]
    first = {channel.split(":")[0]: channel for channel in inputs.channels}
    return np.concatenate([*means, *(_describe_dates(inputs, tile_id, c) for c in first.values())])


def _average(layers: np.ndarray) -> np.ndarray:
    """Return the mean of each acquisition, shape ``(T,)``."""
    flat = layers.reshape(len(layers), -1).astype(np.float64)
    valid = np.isfinite(flat)
    total = np.where(valid, flat, 0).sum(axis=1)
    return np.where(valid.any(axis=1), total / np.maximum(valid.sum(axis=1), 1), NO_DATA_DB)


def _describe_dates(inputs: Inputs, tile_id: str, channel: str) -> np.ndarray:
    times, event = inputs.times(tile_id, channel)
    days, repeats = (times - event) / np.timedelta64(1, "D"), find_repeats(times)
    early = ((days <= 0) & ~repeats).sum()
    tracks = find_tracks(times).max() + 1
    return np.array([*days, (~repeats).sum(), early, repeats.sum(), tracks], dtype=np.float64)


def make_probe(task: Task) -> BindInputs:
    """Fit trees on the landslide share of the train tiles; return the probe, ready for any inputs.

    Raises:
        ValueError: If train lacks landslides or background.
    """
    from sklearn.ensemble import ExtraTreesRegressor  # importing it takes a second

    inputs, train = task.inputs, task.split.train
    masks = inputs.labels[inputs.pack.rows(train)] == 1
    check_labels(masks, task.split)
    params: dict[str, Any] = dict(task.params)
    with threadpool_limits(1):
        model = ExtraTreesRegressor(TREES, random_state=task.config["seed"], n_jobs=1, **params)
        model.fit(_describe_tiles(inputs, train), masks.mean(axis=(1, 2)))

    def predict(source: Inputs, tile_ids: Sequence[str]) -> np.ndarray:
        with threadpool_limits(1):
            shares = model.predict(_describe_tiles(source, tile_ids)).astype(np.float32)
        return np.broadcast_to(shares[:, None, None], (len(shares), TILE_PX, TILE_PX)).copy()

    return lambda source: partial(predict, source)


def _describe_tiles(inputs: Inputs, tile_ids: Sequence[str]) -> np.ndarray:
    """Return :func:`describe_tile` of several tiles, remembered, shape ``(N, F)``."""
    return np.stack(
        [
            inputs.remember(("means", tile), partial(describe_tile, inputs, tile))
            for tile in tile_ids
        ]
    )


TILE_MEANS = Baseline(
    title="TileMeansAndDates",
    kind=LEAK_PROBE,
    description="one probability per tile, from its mean backscatter per date and its dates alone: what ranking "
    "tiles is worth; a score near those of pixels means that the data leak which tiles have landslides",
    channels=SAR_CHANNELS,
    make=make_probe,
    first={"min_samples_leaf": 3, "max_features": 0.5},
    space={"min_samples_leaf": [1, 2, 3, 5, 10, 20], "max_features": [0.25, 0.5, 1.0]},
    look=lambda params: TILE_PX,
    constants={"trees": TREES},
)
