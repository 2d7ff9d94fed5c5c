"""Baselines without learning: a change of backscatter in dB, averaged over the orbits and over a window."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from data.io.processes import count_cpus
from data.pack.log_ratio import Measure, mean_db, measure_means
from data.tiles import ORBITS
from tuning.baselines.definition import (
    NO_LEARNING,
    RANGE_DB,
    Baseline,
    BindInputs,
    Task,
    scale_change,
)
from tuning.baselines.features import measure_pair
from tuning.baselines.inputs import Inputs
from tuning.baselines.windows import average_window

MEASURES: dict[str, Measure] = {"means": measure_means, "pair": measure_pair}
WIDTHS_PX = [1, 3, 5, 7, 9, 11, 15, 21]


_WORKERS = min(8, count_cpus())  # each holds the features of one tile


def predict_maps(
    make: Callable[[Inputs, str], np.ndarray], threads: int | None = None
) -> BindInputs:
    """Return a baseline that maps tile by tile, as many at once as there are cores: from inputs to a prediction function.

    Args:
        make: Maps one tile, shape ``(H, W)``.
        threads: Most threads of the libraries, all if None.
    """

    def predict(inputs: Inputs, tile_ids: Sequence[str]) -> np.ndarray:
        # OpenMP keeps a limit per thread, so each worker sets its own.
        limit = partial(threadpool_limits, threads)
        with ThreadPoolExecutor(_WORKERS, initializer=limit) as pool:
            return np.stack([*pool.map(partial(make, inputs), tile_ids)]).astype(np.float32)

    return lambda inputs: partial(predict, inputs)


def make_change(task: Task) -> BindInputs:
    """Return a change, ready for any inputs.

    It ranks pixels by the rise of backscatter, in VH as in VV. This assumes that landslides, which strip the forest, raise
    both; if they lower VH, the VH baselines score no better than chance. The values are scores instead of probabilities:
    0.5 is no change, 1 a rise by ``RANGE_DB``.
    """
    measure = MEASURES[task.config["measure"]]

    def average(inputs: Inputs, tile: str) -> np.ndarray:
        changes = [measure(inputs.series(tile, name)) for name in inputs.channels]
        return mean_db(np.stack(changes)).astype(np.float32)

    def predict(inputs: Inputs, tile: str) -> np.ndarray:
        change = inputs.remember_tile("change", tile, lambda: average(inputs, tile))
        return scale_change(average_window(change, task.params["window_px"]))

    return predict_maps(predict)


def define_change(measure: str, polarisation: str, orbit: str = "") -> Baseline:
    """Return a baseline that is a change in dB."""
    orbits: Sequence[str] = [orbit] if orbit else ORBITS
    prefix, what = {
        "means": ("LogRatio", "mean after the event minus mean before"),
        "pair": ("BiLogRatio", "first acquisition after the event minus last one before"),
    }[measure]
    where = {"": "mean over the orbits", "s1asc": "ascending", "s1dsc": "descending"}[orbit]
    return Baseline(
        title=f"{prefix}{polarisation}" + orbit.replace("s1", "_"),
        kind=NO_LEARNING,
        description=f"{polarisation} in dB, {what}, {where}",
        channels=tuple(f"{name}:{polarisation}" for name in orbits),
        make=make_change,
        first={"window_px": 1},
        space={"window_px": WIDTHS_PX},
        look=lambda params: int(params["window_px"]),
        constants={"measure": measure, "range_db": RANGE_DB},
    )
