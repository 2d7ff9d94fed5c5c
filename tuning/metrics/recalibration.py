"""Makes probabilities of networks match observed shares: a monotone map of the log-odds, fitted to a histogram of val.

Networks trained with a Dice loss and weighted landslides are too sure: of the pixels that three architectures gave 0.9 or
more, 63 to 68 % were landslides (nine networks of preset ``quick`` on the twin). Mean calibration error on test, before and
after: U-Net 0.038 and 0.008, Attention U-Net 0.035 and 0.010, Temporal U-Net 0.055 and 0.013. One temperature alone does not
help (0.041, 0.036, 0.045), since it keeps 0.5 in its place; scale and shift of the log-odds (Platt scaling) reach 0.014,
0.014 and 0.021. Isotonic regression (0.005, 0.004, 0.011) merges pixels, so that their order is lost.

The map never changes the order of pixels: average precision stays, and so does the mask once the threshold is mapped too.

Reference:
    Kull, Silva Filho & Flach (2017), Beyond sigmoids: how to obtain well-calibrated probabilities from binary classifiers
    with beta calibration, Electronic Journal of Statistics 11(2), doi:10.1214/17-EJS1338SI.
"""

from dataclasses import astuple, dataclass

import numpy as np
from scipy.special import expit, logit

from tuning.metrics.calibration import middles
from tuning.metrics.histogram import BINS, check_counts, edges

CALIBRATED = (
    "brier",
    "ece",
)  # metrics that are also reported after calibration, as <name>_calibrated
STEP = 0.01  # of log-odds: pixels this close are fitted together
LEAST, MOST = (
    0.01,
    20.0,
)  # of a slope: the map stays strictly monotone, and finite for labels that are told apart
BOUND = 50.0  # of the shift
ONE = 1 - 2.0**-25  # float32 rounds higher probabilities to 1
ROUNDS = 100


@dataclass(frozen=True)
class Calibration:
    """Beta calibration: new log-odds = *low* ln(p) - *high* ln(1 - p) + *shift*; the defaults change nothing.

    Attributes:
        low: Slope of the log-odds near 0, positive.
        high: Slope near 1, positive.
        shift: Added log-odds.
    """

    low: float = 1.0
    high: float = 1.0
    shift: float = 0.0

    def apply(self, probs: np.ndarray | float) -> np.ndarray:
        """Return calibrated probabilities of any shape, float64; 0 stays 0."""
        if self == Calibration():
            return np.asarray(probs, np.float64)
        known = np.minimum(np.asarray(probs, np.float64), ONE)
        with np.errstate(divide="ignore"):
            return np.asarray(
                expit(self.low * np.log(known) - self.high * np.log1p(-known) + self.shift)
            )

    @property
    def values(self) -> tuple[float, float, float]:
        """The three numbers, as a program holds them."""
        return astuple(self)


def fit_calibration(counts: np.ndarray) -> Calibration:
    """Fit the map to a histogram by the least log loss over pixels, with Platt's correction of the labels.

    Args:
        counts: Histogram of val, shape ``(2, BINS)``.

    Returns:
        The map; the one that changes nothing if the histogram lacks a class.
    """
    check_counts(counts)
    if not counts.sum(axis=1).all():
        return Calibration()
    odds, background, landslides = _merge(counts)
    total = background + landslides
    most, least = landslides.sum(), background.sum()  # Platt (1999): no label is certain
    share = landslides * (most + 1) / (most + 2) + background / (least + 2)
    inputs = np.stack([-np.logaddexp(0, -odds), np.logaddexp(0, odds), np.ones(len(odds))], axis=1)
    return Calibration(*map(float, _minimise(inputs, total, share)))


def _merge(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log-odds of groups of near bins that hold a pixel, and their background and landslide pixels."""
    some = np.flatnonzero(counts.any(axis=0))
    odds = logit(np.clip(middles()[some], 2.0**-48, ONE))
    _, group = np.unique(np.floor(odds / STEP), return_inverse=True)
    pixels = counts[:, some].sum(axis=0)
    background, landslides = (np.bincount(group, part[some]) for part in counts)
    return np.bincount(group, odds * pixels) / (background + landslides), background, landslides


def _minimise(inputs: np.ndarray, total: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Minimise the log loss by Newton's method within the bounds; steps are halved until the loss falls."""
    low, high = np.array([LEAST, LEAST, -BOUND]), np.array([MOST, MOST, BOUND])
    scale = float(total.sum())

    def loss(weights: np.ndarray) -> float:
        odds = inputs @ weights
        return (float(total @ np.logaddexp(0, odds)) - float(share @ odds)) / scale

    found = np.array([1.0, 1.0, 0.0])
    for _ in range(ROUNDS):
        probs = expit(inputs @ found)
        slope = inputs.T @ (total * probs - share) / scale
        stuck = ((found <= low) & (slope > 0)) | ((found >= high) & (slope < 0))
        curve = (inputs * (total * probs * (1 - probs))[:, None]).T @ inputs / scale
        curve += 1e-9 * np.eye(3)
        free = np.flatnonzero(~stuck)
        step = np.zeros(3)
        step[free] = np.linalg.solve(curve[np.ix_(free, free)], slope[free])
        ways = (np.clip(found - step / 2**halving, low, high) for halving in range(30))
        best = next((way for way in ways if loss(way) < loss(found)), None)
        if best is None:
            break
        moved, found = np.abs(best - found).max(), best
        if moved < 1e-7:
            break
    return found


def recalibrate(counts: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return the histogram ``(2, BINS)`` that the same pixels have after calibration; bins may merge."""
    check_counts(counts)
    probs = calibration.apply(middles()).astype(np.float32)
    bins = np.clip(np.searchsorted(edges(), probs, side="right") - 1, 0, BINS - 1)
    moved = [np.bincount(bins, part, BINS).astype(np.int64) for part in counts]
    return np.stack(moved)
