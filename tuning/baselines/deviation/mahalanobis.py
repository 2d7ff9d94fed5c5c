"""Mahalanobis distance of the images after the event from those before it.

Mean, variance and covariance of VV and VH in dB, over all images before the event and a window around each pixel, tell
what is usual there; the distance of a later pixel is in units of that spread, along which VV and VH vary together. It has
the sign of the change in VV, or of the only polarisation read.

References:
    Mahalanobis (1936), On the generalised distance in statistics, Proc. National Institute of Sciences of India 2, 49-55.
    Rignot, van Zyl (1993), Change detection techniques for ERS-1 SAR data, doi 10.1109/36.239913: in dB, where speckle adds.
    Deledalle, Denis, Tupin (2012), How to Compare Noisy Patches?, doi 10.1007/s11263-012-0519-6.
    Package ``distmetrics`` 1.0.8 of the OPERA project, ``mahalanobis.py``: statistics over dates and a window, in linear
        power or logits, without a sign. Its spread is around the mean of the window's middle, here each pixel's is around
        its own. It bounds the covariance's eigenvalues from below; here a constant is added to the variances, which bounds
        them too.
"""

import numpy as np

from data.pack.log_ratio import mean_db
from tuning.baselines.change import predict_maps
from tuning.baselines.definition import NO_LEARNING, Baseline, BindInputs, Params, Task
from tuning.baselines.deviation.scores import combine_dates, point, scale_deviations
from tuning.baselines.inputs import Inputs
from tuning.baselines.windows import average_window

FLOOR_DB2 = 0.25  # added to variances: half a dB, so that a still pixel has no endless distance


def measure_distance(before: np.ndarray, after: np.ndarray, window_px: int) -> np.ndarray:
    """Measure the signed distance of each image after the event.

    Args:
        before: Backscatter before the event in dB, shape ``(T1, C, H, W)``, of one or two polarisations; NaN = no data.
        after: The same after it, shape ``(T2, C, H, W)``.
        window_px: Width of the window whose pixels count as samples, odd.

    Returns:
        Distances with the sign of the change in the first polarisation, shape ``(T2, H, W)``, float32; NaN without data in
        the image, or in the whole window before the event. The order of the images before the event does not matter.
    """
    samples = np.where(np.isfinite(before).all(axis=1, keepdims=True), before, np.nan)
    mean = _average(samples, window_px)
    residual = samples - mean
    variance = _average(residual**2, window_px) + FLOOR_DB2
    change = after - mean
    if before.shape[1] == 1:
        distance = np.abs(change[:, 0]) / np.sqrt(variance[0])
    else:
        shared = _average(residual[:, :1] * residual[:, 1:], window_px)[0]
        square = (
            variance[1] * change[:, 0] ** 2
            - 2 * shared * change[:, 0] * change[:, 1]
            + variance[0] * change[:, 1] ** 2
        ) / (variance[0] * variance[1] - shared**2)
        distance = np.sqrt(np.maximum(square, 0))
    signed: np.ndarray = (np.sign(change[:, 0]) * distance).astype(np.float32)
    return signed


def _average(layers: np.ndarray, window_px: int) -> np.ndarray:
    """Average over dates, then over the window: ``(T, C, H, W)`` to ``(C, H, W)``."""
    return average_window(mean_db(layers), window_px)


def make_mahalanobis(task: Task) -> BindInputs:
    """Return the detector, ready for any inputs; its values are scores as those of DIST-S1."""
    params = task.params
    groups = group_polarisations(task.inputs.channels, params["polarisation"])

    def measure(inputs: Inputs, tile: str, names: tuple[str, ...]) -> np.ndarray:
        series = [inputs.series(tile, name) for name in names]
        before = np.stack([one.before for one in series], axis=1)
        after = np.stack([one.after for one in series], axis=1)
        found = measure_distance(before, after, params["window_px"])
        return combine_dates(point(found, params["direction"]), params["dates"])

    def predict(inputs: Inputs, tile: str) -> np.ndarray:
        change = mean_db(np.stack([measure(inputs, tile, names) for names in groups]))
        return scale_deviations(average_window(change, params["smooth_px"]))

    return predict_maps(predict)


def group_polarisations(channels: tuple[str, ...], polarisation: str) -> list[tuple[str, ...]]:
    """Return the channels of each orbit that are read together; those that there are, if the wanted one is missing."""
    orbits = list(dict.fromkeys(name.split(":")[0] for name in channels))
    groups = []
    for orbit in orbits:
        own = tuple(name for name in channels if name.startswith(f"{orbit}:"))
        wanted = tuple(n for n in own if polarisation in ("both", n.split(":")[1]))
        groups.append(wanted or own)
    return groups


def _look(params: Params) -> int:
    # The mean that a residual is taken from has a window of its own.
    return 2 * int(params["window_px"]) - 1 + int(params["smooth_px"]) - 1


MAHALANOBIS = Baseline(
    title="Mahalanobis",
    kind=NO_LEARNING,
    description="distance after the event from the mean of VV and VH before it, in units of their spread over dates and a window "
    "(Rignot and van Zyl 1993)",
    channels=("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH"),
    make=make_mahalanobis,
    first={
        "polarisation": "both",
        "direction": "rise",
        "dates": "mean",
        "window_px": 3,
        "smooth_px": 1,
    },
    space={
        "polarisation": ["VV", "VH", "both"],
        "direction": ["rise", "fall", "any"],
        "dates": ["mean", "median", "weakest", "strongest"],
        "window_px": [3, 5, 7, 9],
        "smooth_px": [1, 3, 5, 7],
    },
    look=_look,
    constants={"floor_db2": FLOOR_DB2},
)
