"""DIST-S1, NASA's operational disturbance detector, without any training here.

Of each orbit, the last 10 images before the event, or fewer, go through the trained transformer, which expects a mean and
a deviation for each pixel and polarisation. An image after the event deviates from the mean by so many deviations, with
its sign. These values are averaged over the dates after the event and over the orbits; the operational product takes the
larger of both polarisations, without its sign, of a single date, and confirms it by later ones.

What it does with the data:
    Values: gamma nought in dB becomes linear power and then its logit, in which the transformer was trained.
    Despeckling: by total variation in dB, each image alone, before and after the event (``despeckle.py``).
    Dates: images before the event in the order of time; where there are more than 10, the last 10. The operational
        product takes 5 from each of the two previous years' same season, which a series of one year does not have. The
        transformer reads what there is, a single image too, and then expects more spread. Without any, or without one
        after the event, an orbit says nothing. Images after the event never reach what is expected.
    Gaps: a pixel without data on some dates before the event gets its mean over the others; without any, it has no
        value. An orbit needs both polarisations.
    Pixels: the power of 3 x 3 pixels is averaged to the 30 m that the transformer was trained on, and its map refined
        again; on val of the twin this is better by 0.02 than the 10 m of the tiles, which the search may choose too.
    Cost: 0.04 s a tile of 4 acquisitions of both orbits, 0.06 s of 15, on two cores (``benchmarks/detectors.py``); a sample of
        the search costs less, since the transformer's answers for val are kept.

References:
    Hardiman-Mostow, Marshak, Handwerger (2025), Deep Self-Supervised Disturbance Mapping with the OPERA Sentinel-1
    Radiometric Terrain Corrected SAR Backscatter Product, arXiv 2501.09129.
    Packages ``distmetrics`` 1.0.8 and ``dist-s1`` of the OPERA project: windows 16 px apart, thresholds 3.5 and 5.5.
"""

import numpy as np

from data.pack.log_ratio import mean_db
from data.tiles import TILE_PX
from tuning.baselines.change import predict_maps
from tuning.baselines.definition import PRETRAINED, Baseline, BindInputs, Params, Task
from tuning.baselines.deviation.despeckle import REACH_PX, despeckle
from tuning.baselines.deviation.expect import convert_to_logit, expect_next
from tuning.baselines.deviation.network import MAX_DATES, POLARISATIONS, WINDOW_PX, DistS1Network
from tuning.baselines.deviation.pixels import coarsen, count_pixels, pad_to_multiple, refine
from tuning.baselines.deviation.scores import combine_dates, point, scale_deviations
from tuning.baselines.deviation.weights import VARIABLE, find_weights, load_network
from tuning.baselines.inputs import Inputs, list_dual_orbits
from tuning.baselines.windows import average_window

STRIDE_PX = 16  # that of the operational workflow
LARGEST = 1e4  # deviations; fits into half precision


def measure_deviations(
    network: DistS1Network, before: np.ndarray, after: np.ndarray, *, smooth: bool
) -> np.ndarray:
    """Measure how far images are from what the images before the event let expect.

    Args:
        network: The trained transformer.
        before: Backscatter before the event in dB, shape ``(T1, 2, H, W)``, ascending in time, VV and VH; NaN = no data.
        after: The same after it, shape ``(T2, 2, H, W)``.
        smooth: Whether images are despeckled.

    Returns:
        Signed deviations of each image after the event, in expected standard deviations, shape ``(T2, 2, H, W)``,
        float32; NaN without data in the image or on all dates before the event.
    """
    unknown = ~np.isfinite(after)
    recent = before[-MAX_DATES:]
    usual = mean_db(recent) if len(recent) else np.full(after.shape[1:], np.nan)
    unknown |= ~np.isfinite(usual)
    levels = mean_db(usual.reshape(len(usual), -1).T)
    if not len(after) or not np.isfinite(levels).all():
        return np.full(after.shape, np.nan, np.float32)
    filler = np.where(np.isfinite(usual), usual, levels[:, None, None])
    images = np.concatenate([recent, after])
    images = np.where(np.isfinite(images), images, filler)
    logits = convert_to_logit(despeckle(images) if smooth else images)
    whole = pad_to_multiple(logits[: len(recent)], WINDOW_PX)
    height, width = after.shape[-2:]
    mean, deviation = (one[:, :height, :width] for one in expect_next(network, whole, STRIDE_PX))
    found = (logits[len(recent) :] - mean) / deviation
    return np.where(unknown, np.nan, found).astype(np.float32)


def make_dist_s1(task: Task) -> BindInputs:
    """Return the detector, ready for any inputs; raise ValueError if its weights are not those of its config."""
    params, source = task.params, find_weights()
    network, found = load_network(source)
    if found != task.config["weights_sha256"]:
        raise ValueError(
            f"DIST-S1 needs the weights of its config, {task.config['weights_sha256']}, but got {found} in {source}. "
            f"Name their file by {VARIABLE}."
        )

    def score(inputs: Inputs, tile: str) -> np.ndarray:
        orbits = list_dual_orbits(inputs.channels)
        series = [_measure_orbit(network, inputs, tile, one, params) for one in orbits]
        coarse = mean_db(np.stack([combine(one.astype(np.float32), params) for one in series]))
        change = refine(coarse, params["pixel_m"], (TILE_PX, TILE_PX))
        return scale_deviations(average_window(change, params["window_px"]))

    return predict_maps(score)


def _measure_orbit(
    network: DistS1Network, inputs: Inputs, tile: str, orbit: str, params: Params
) -> np.ndarray:
    """Return the deviations of one orbit in half precision, since those of a search on val stay in memory."""
    pixel_m, smooth = params["pixel_m"], params["despeckle"]

    def measure() -> np.ndarray:
        series = [inputs.series(tile, f"{orbit}:{band}") for band in POLARISATIONS]
        before = coarsen(np.stack([one.before for one in series], axis=1), pixel_m)
        after = coarsen(np.stack([one.after for one in series], axis=1), pixel_m)
        found = measure_deviations(network, before, after, smooth=smooth)
        return found.clip(-LARGEST, LARGEST).astype(np.float16)

    return inputs.remember_tile((orbit, pixel_m, smooth), tile, measure)


def combine(deviations: np.ndarray, params: Params) -> np.ndarray:
    """Combine polarisations and dates: ``(T, 2, H, W)`` to ``(H, W)``."""
    vv, vh = deviations[:, 0], deviations[:, 1]
    chosen = {
        "VV": vv,
        "VH": vh,
        "mean": (vv + vh) / 2,
        "larger": np.where(np.abs(vv) >= np.abs(vh), vv, vh),
    }[params["polarisation"]]
    return combine_dates(point(chosen, params["direction"]), params["dates"])


def describe_weights() -> Params:
    """Return the SHA-256 of the weights in use, which a config holds."""
    return {"weights_sha256": load_network(find_weights())[1]}


def _look(params: Params) -> int:
    reach = 2 * REACH_PX if params["despeckle"] else 0
    times = count_pixels(params["pixel_m"])
    return min(TILE_PX, times * (2 * WINDOW_PX - 1 + reach) + int(params["window_px"]) - 1)


DIST_S1 = Baseline(
    title="DistS1",
    kind=PRETRAINED,
    description="deviation after the event from what the trained transformer of NASA's operational DIST-S1 expects from the "
    "images before it (Hardiman-Mostow et al. 2025); it is not trained here, the search chooses polarisation, direction, "
    "dates, despeckling, pixel and window",
    channels=("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH"),
    make=make_dist_s1,
    first={
        "polarisation": "VV",
        "direction": "rise",
        "dates": "mean",
        "despeckle": True,
        "pixel_m": 30,
        "window_px": 3,
    },
    space={
        "polarisation": ["VV", "VH", "mean", "larger"],
        "direction": ["rise", "fall", "any"],
        "dates": ["mean", "median", "weakest", "strongest"],
        "despeckle": [True, False],
        "pixel_m": [30, 10],
        "window_px": [1, 3, 5, 7, 11, 15],
    },
    look=_look,
    constants={"stride_px": STRIDE_PX},
    describe=describe_weights,
    dual=True,
)
