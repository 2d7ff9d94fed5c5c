"""Cumulative sums of a series' residuals (CuSum), with the event as the date of change.

The residuals are the differences of each acquisition from the series' mean in dB; their cumulative sum S departs from 0
before a lasting change and returns after it. Range of S, date of its extreme, and a comparison with random orders of the
dates tell a step from noise and from seasons. A step at the event has its extreme there, so the value of S at the event
gives its height, and the ratio to the extreme its timing.

The package ``distmetrics`` 1.0.8 of NASA's OPERA project calls another measure CuSum: residuals from the mean of the images
before the event, summed over these and one image after it. The former sum to 0, so it is the change of that image, as
LogRatio; divided by the deviation before the event it is a Mahalanobis distance of one pixel. Both are baselines
already, so this search has no option for them.

References:
    Kellndorfer (2019), in The SAR Handbook, chapter 3, doi 10.25966/68c9-gw82.
    Ruiz-Ramos et al. (2020), Continuous Forest Monitoring Using Cumulative Sums of Sentinel-1 Timeseries,
    doi 10.3390/rs12183061.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from data.pack.log_ratio import Series, mean_db
from tuning.baselines.change import predict_maps
from tuning.baselines.definition import NO_LEARNING, Baseline, BindInputs, Task, scale_change
from tuning.baselines.inputs import Inputs, group_orbits
from tuning.baselines.windows import average_window

ORDERS = 20  # random orders of the dates
ORDERS_SEED = 0


class Cusum(NamedTuple):
    """The test of one series, each field of shape ``(H, W)``; NaN without data on both sides of the event.

    Attributes:
        step_db: Height of the step at the event in dB.
        timing: Part of the extreme of S that is reached at the event, in [0, 1].
        confidence: Share of random orders of the dates with a smaller range of S, in [0, 1].
    """

    step_db: np.ndarray
    timing: np.ndarray
    confidence: np.ndarray


def measure_cusum(series: Series, *, orders: bool = True) -> Cusum:
    """Test a series for a step at its event; acquisitions without data at a pixel are skipped there.

    Args:
        series: The series.
        orders: Whether to compare random orders, which takes most of the time; otherwise the confidence is 1.
    """
    layers = np.concatenate([series.before, series.after])
    valid = np.isfinite(layers)
    residuals = np.where(valid, layers - mean_db(layers), 0.0).astype(np.float32)
    count = valid.sum(axis=0)
    before = valid[: len(series.before)].sum(axis=0)
    sums = residuals.cumsum(axis=0)
    at_event = residuals[: len(series.before)].sum(axis=0)
    both = (before > 0) & (before < count)
    weight = np.where(both, before * (count - before) / np.maximum(count, 1), np.nan)
    extreme = np.abs(sums).max(axis=0, initial=0)
    timing = np.where(extreme > 0, np.abs(at_event) / np.maximum(extreme, 1e-9), 0)
    confidence = _compare_orders(residuals, _range(sums)) if orders else np.ones_like(timing)
    unknown = np.where(both, 0.0, np.nan)
    return Cusum(-at_event / weight, np.minimum(timing, 1) + unknown, confidence + unknown)


def _range(sums: np.ndarray) -> np.ndarray:
    """Return the range of cumulative sums that begin at 0, over the first axis."""
    spread: np.ndarray = sums.max(axis=0, initial=0) - sums.min(axis=0, initial=0)
    return spread


def _compare_orders(residuals: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the share of random orders whose sums have a smaller range than *found*, shape ``(H, W)``."""
    flat = residuals.reshape(len(residuals), -1)
    smaller = np.zeros(flat.shape[1], np.float32)
    for order in _draw_orders(len(residuals)):
        smaller += _range(flat[order].cumsum(axis=0)) < found.ravel() * (1 - 1e-5)
    share: np.ndarray = smaller.reshape(found.shape) / ORDERS
    return share


@lru_cache(maxsize=32)
def _draw_orders(count: int) -> np.ndarray:
    rng = np.random.default_rng(ORDERS_SEED)
    return np.stack([rng.permutation(count) for _ in range(ORDERS)])


def make_cusum(task: Task) -> BindInputs:
    """Return the test, ready for any inputs: the step at the event, damped where S peaks on another date.

    Steps with less confidence than the threshold count as no change. The values are scores as in
    :func:`tuning.baselines.change.make_change`.
    """
    params, channels = task.params, task.inputs.channels
    names = {"both": channels, "VV": (), "VH": ()}[params["polarisation"]]
    names = names or group_orbits(channels, params["polarisation"]) or channels
    width, orders = params["window_px"], params["confidence"] > 0

    def test(inputs: Inputs, tile: str, name: str) -> Cusum:
        series = inputs.series(tile, name)
        before, after = (average_window(side, width) for side in (series.before, series.after))
        return measure_cusum(Series(before, after), orders=orders)

    def score(inputs: Inputs, tile: str, name: str) -> np.ndarray:
        found = test(inputs, tile, name)
        step = found.step_db * found.timing ** params["timing"]
        return np.where(found.confidence < params["confidence"], 0.0, step)

    def predict(inputs: Inputs, tile: str) -> np.ndarray:
        return scale_change(mean_db(np.stack([score(inputs, tile, name) for name in names])))

    return predict_maps(predict)


CUSUM = Baseline(
    title="CuSum",
    kind=NO_LEARNING,
    description="step at the event by cumulative sums of the residuals over all dates, averaged over the channels "
    "(Ruiz-Ramos et al. 2020)",
    channels=("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH"),
    make=make_cusum,
    first={"polarisation": "VV", "window_px": 3, "timing": 1.0, "confidence": 0.0},
    space={
        "polarisation": ["VV", "VH", "both"],
        "window_px": [1, 3, 5, 7, 9, 11],
        "timing": [0.0, 0.5, 1.0, 2.0],
        "confidence": [0.0, 0.5, 0.8, 0.95],
    },
    look=lambda params: int(params["window_px"]),
    constants={"orders": ORDERS, "orders_seed": ORDERS_SEED},
)
