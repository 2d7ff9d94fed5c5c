"""Density of strong changes between stacks of images, as in landslide heat maps.

The median of all images before the event and of all after it, their ratio in dB averaged over the orbits, a mask of flat
ground, a threshold, and the share of pixels beyond it inside a circle.

Reference:
    Handwerger et al. (2022), Generating landslide density heatmaps for rapid detection using open-access satellite radar
    data in Google Earth Engine, doi 10.5194/nhess-22-753-2022. There the threshold is a quantile of the scene's changes
    and the circle belongs to the map's display; here both are searched on val, the threshold in dB, since a tile is no
    scene.
"""

from functools import lru_cache

import numpy as np
from scipy.signal import fftconvolve

from data.pack.log_ratio import Series, mean_db
from tuning.baselines.change import predict_maps
from tuning.baselines.definition import NO_LEARNING, Baseline, BindInputs, Task
from tuning.baselines.inputs import Inputs, group_orbits


def measure_medians(series: Series) -> np.ndarray:
    """Return the median after the event minus the median before it, shape ``(H, W)``; NaN if a side has no data."""
    change: np.ndarray = median_db(series.after) - median_db(series.before)
    return change


def median_db(layers: np.ndarray) -> np.ndarray:
    """Return the median over the first axis, ignoring NaN; NaN if all values are NaN."""
    if not len(layers):
        return np.full(layers.shape[1:], np.nan, np.float32)
    ordered = np.sort(layers, axis=0)  # NaN last
    count = np.isfinite(layers).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.where(count > 0, high, 0)
    ends = [np.take_along_axis(ordered, at[None], axis=0)[0] for at in (low, high)]
    median: np.ndarray = (ends[0] + ends[1]) / 2
    return median


def measure_density(strong: np.ndarray, known: np.ndarray, radius: int) -> np.ndarray:
    """Return the share of *strong* pixels among the *known* ones within *radius* px, shape ``(H, W)``, in [0, 1]."""
    circle = _make_circle(radius)
    weight = fftconvolve(known.astype(np.float32), circle, mode="same")
    found = fftconvolve((strong & known).astype(np.float32), circle, mode="same")
    share = np.where(weight > 0.5, found / np.maximum(weight, 0.5), 0)
    density: np.ndarray = np.clip(share, 0, 1)
    return density


@lru_cache(maxsize=16)
def _make_circle(radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    circle: np.ndarray = (y * y + x * x <= radius * radius).astype(np.float32)
    return circle


def make_stacked(task: Task) -> BindInputs:
    """Return the method, ready for any inputs: a density instead of a probability, 0 on flat ground and without data."""
    params = task.params
    # Where the campaign has one polarisation, the other one is no choice.
    channels = task.inputs.channels
    names = group_orbits(channels, params["polarisation"]) or channels
    sign = 1 if params["direction"] == "rise" else -1

    def ratio(inputs: Inputs, tile: str) -> np.ndarray:
        return mean_db(np.stack([measure_medians(inputs.series(tile, name)) for name in names]))

    def predict(inputs: Inputs, tile: str) -> np.ndarray:
        change = inputs.remember_tile(names, tile, lambda: ratio(inputs, tile))
        steep = ~(
            inputs.terrain(tile, "slope") < params["min_slope"]
        )  # kept where the slope is unknown
        known = np.isfinite(change) & steep
        strong = known & (sign * np.nan_to_num(change) > params["threshold_db"])
        return np.where(known, measure_density(strong, known, params["radius_px"]), 0.0)

    return predict_maps(predict)


STACKED = Baseline(
    title="StackedLogRatio",
    kind=NO_LEARNING,
    description="density of strong changes between the median images before and after the event, without flat ground "
    "(Handwerger et al. 2022); reads the slope besides the radar channels",
    channels=("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH"),
    make=make_stacked,
    first={
        "polarisation": "VV",
        "direction": "rise",
        "threshold_db": 2.0,
        "radius_px": 3,
        "min_slope": 10.0,
    },
    space={
        "polarisation": ["VV", "VH"],
        "direction": ["rise", "fall"],
        "threshold_db": [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0],
        "radius_px": [1, 2, 3, 4, 6, 8, 12],
        "min_slope": [0.0, 5.0, 10.0, 15.0],
    },
    look=lambda params: 2 * int(params["radius_px"]) + 1,
    always=("slope",),
)
