"""Five checks that a network must pass before it may become champion.

- ``flips``: a flipped input yields the flipped map
- ``direction``: a stronger change after the event does not lower the landslides' probability
- ``no_change``: a time series without change contains no landslide
- ``placebo``: an event-free series, of images before the event alone, contains (nearly) no landslide
- ``time``: with the acquisitions in reversed order, the landslides' probability falls

The limits separate good from broken networks on val windows of the twin (split ``blocks``). Measured values of
flips, direction and no change:

- trained for ten epochs on 184 tiles, val AP 0.47 to 0.66 (six runs of three architectures; one without
  augmentation by rotation, one on a single orbit): 0.93 to 0.99, +0.15 to +0.20, 0 to 0.1 %
- trained for two epochs on 8 tiles, val AP about 0.2 (twelve): -0.49 to 0.78, -0.005 to +0.08, 36 to 100 %
- untrained: -0.25 to 0.26, -0.034 to +0.030, 1 to 81 %
- the good networks with reversed dates: -0.08 to 0.85, -0.025 to +0.003, 0 to 0.1 %
- the good networks, half of the output replaced by a positional pattern: 0.48 to 0.60, +0.08 to +0.10, 0 to 15 %
- constant output: 0, 0, 0 or 100 %

Measured values of placebo and time (part of the landslides' probability that is lost), and the correlation of the map
with that of the reversed dates:

- the nine networks of a campaign of preset ``quick``, three architectures, val AP 0.56 to 0.61: 0 to 0.4 %, 52 to 90 %,
  0.24 to 0.71
- trained for four epochs on the pair around the event, val AP 0.52: 1.3 %, 80 %, 0.06
- trained on the mean over time, val AP 0.23, so truly blind to time: 6.8 %, 0 %, 1.00
- trained with the dates shuffled anew for each batch, val AP 0.24: 11 %, 20 %, 0.92
- untrained (three): 23 to 100 %, -3 to 5 %, 0.32 to 1.00

Every broken network failed a check; no good network did.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tuning.registry.gate_tiles import GateTiles

CHECK_LABELS = {  # what each check tests, in a few words
    "flips": "flipped input",
    "direction": "stronger change",
    "no_change": "no change",
    "placebo": "no event",
    "time": "reversed time",
}
CHECKS = tuple(CHECK_LABELS)
FLIPS = ((-2,), (-1,), (-2, -1))  # rows, columns, both
MIN_AGREEMENT = 0.8
MAX_FALL = 0.005
MAX_SHARE = 0.01
MAX_ALARMS = 0.03
MIN_LOSS = 0.35
_CONSTANT = 1e-6  # a map with a smaller standard deviation counts as constant
_BATCH = 4

# (B, T, C, H, W) in dB and days from the event (B, T) to landslide probabilities (B, H, W)
Program = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class GateCheck:
    """Result of one check.

    Attributes:
        name: One of ``CHECKS``.
        passed: Whether *value* is within *limit*; None if it was not measured.
        value: Measured value; NaN if it was not measured.
        limit: Smallest allowed value; for ``no_change`` and ``placebo`` the largest.
        sentence: The result in words.
    """

    name: str
    passed: bool | None
    value: float
    limit: float
    sentence: str


def run_gate_checks(program: Program, tiles: GateTiles, threshold: float) -> tuple[GateCheck, ...]:
    """Run the checks on a program.

    Args:
        program: ``(B, T, C, H, W)`` in dB and days from the event ``(B, T)`` to landslide probabilities ``(B, H, W)``.
        tiles: Windows of val tiles.
        threshold: Probability from which a pixel counts as landslide.

    Returns:
        The results in the order of ``CHECKS``.

    Raises:
        ValueError: If the program's output has another shape.
    """
    probs = _predict(program, tiles.x, tiles.days)
    return (
        _check_flips(program, tiles, probs),
        _check_direction(program, tiles, probs),
        _check_no_change(program, tiles, threshold),
        _check_placebo(program, tiles, threshold),
        _check_time(program, tiles, probs),
    )


def _predict(program: Program, x: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Return the program's probabilities, shape ``(N, H, W)``."""
    batches = [
        program(x[start : start + _BATCH], days[start : start + _BATCH])
        for start in range(0, len(x), _BATCH)
    ]
    probs: np.ndarray = np.concatenate(batches)
    expected = (len(x), *x.shape[-2:])
    if probs.shape != expected:
        raise ValueError(
            f"A program must return probabilities (B, H, W), but got the shape {probs.shape} "
            f"instead of {expected}. Do not use this model."
        )
    return probs


def _check_flips(program: Program, tiles: GateTiles, probs: np.ndarray) -> GateCheck:
    """Correlate the map with the map of the flipped input, flipped back; a constant map fails."""
    values = [
        _correlate(probs, np.flip(_predict(program, np.flip(tiles.x, axes), tiles.days), axes))
        for axes in FLIPS
    ]
    value = float(np.min(values))  # NaN if one is NaN, which fails
    sentence = (
        f"A flipped input should yield the flipped map: the correlation is {value:.3f} (the lowest of "
        f"{len(FLIPS)} flips); the minimum is {MIN_AGREEMENT}."
    )
    return GateCheck("flips", value >= MIN_AGREEMENT, value, MIN_AGREEMENT, sentence)


def _correlate(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of two maps; 0 if one is constant."""
    if min(a.std(), b.std()) < _CONSTANT:
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def _check_direction(program: Program, tiles: GateTiles, probs: np.ndarray) -> GateCheck:
    """Scale the landslides' change by 0, 1 and 2; return the smallest rise of their mean probability."""
    landslides = tiles.mask > 0
    without, doubled = (
        _predict(program, tiles.scale_change(factor), tiles.days) for factor in (0, 2)
    )
    means = [float(map_probs[landslides].mean()) for map_probs in (without, probs, doubled)]
    value = float(np.min(np.diff(means)))
    sentence = (
        "A stronger change after the event should not lower the landslides' probability: it is "
        f"{means[0]:.3f} without the change, {means[1]:.3f} with it, {means[2]:.3f} with twice the change; "
        f"it may fall by at most {MAX_FALL}."
    )
    return GateCheck("direction", value >= -MAX_FALL, value, -MAX_FALL, sentence)


def _check_no_change(program: Program, tiles: GateTiles, threshold: float) -> GateCheck:
    """Measure the share of landslide pixels in a time series without change."""
    value = _measure_share(program, tiles.freeze(), tiles.days, threshold)
    sentence = (
        f"A time series without change should contain no landslide: {100 * value:.2f} % of the pixels reach "
        f"the threshold {threshold:.3f}; at most {100 * MAX_SHARE:g} % may."
    )
    return GateCheck("no_change", value <= MAX_SHARE, value, MAX_SHARE, sentence)


def _measure_share(program: Program, x: np.ndarray, days: np.ndarray, threshold: float) -> float:
    """Return the share of pixels that reach the threshold; NaN counts as landslide."""
    return float(np.mean(~(_predict(program, x, days) < threshold)))


def _check_placebo(program: Program, tiles: GateTiles, threshold: float) -> GateCheck:
    """Measure the share of landslide pixels in series that end before the event."""
    rule = "An event-free series, of images before the event alone, should contain no landslide"
    if not len(tiles.placebo):
        sentence = f"{rule}: not measured, since the campaign stored no such series."
        return GateCheck("placebo", None, float("nan"), MAX_ALARMS, sentence)
    value = _measure_share(program, tiles.placebo, tiles.placebo_days, threshold)
    sentence = (
        f"{rule}: {100 * value:.2f} % of the pixels reach the threshold {threshold:.3f}; at most "
        f"{100 * MAX_ALARMS:g} % may."
    )
    return GateCheck("placebo", value <= MAX_ALARMS, value, MAX_ALARMS, sentence)


def _check_time(program: Program, tiles: GateTiles, probs: np.ndarray) -> GateCheck:
    """Reverse the order of the acquisitions; measure which part of the landslides' probability is lost."""
    landslides = tiles.mask > 0
    reversed_probs = _predict(program, tiles.reverse(), tiles.days)
    there, back = (float(one[landslides].mean()) for one in (probs, reversed_probs))
    value = (there - back) / there if there > 0 else 0.0
    sentence = (
        "A map should depend on what came before what: with the acquisitions in reversed order, the landslides' "
        f"probability is {back:.3f} instead of {there:.3f}, lower by {100 * value:.0f} %, and the two maps correlate "
        f"by {_correlate(probs, reversed_probs):.3f}; it must be lower by {100 * MIN_LOSS:g} %."
    )
    return GateCheck("time", value >= MIN_LOSS, value, MIN_LOSS, sentence)
