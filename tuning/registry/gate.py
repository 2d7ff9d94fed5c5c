"""Three laws that a network's map must obey before the network is promoted.

The flipped input gives the flipped map; a stronger change after the event does not lower the probability of the
landslides; a series without change holds no landslide.

The limits lie between what good and broken networks got on val windows of the twin (split ``blocks``; flips,
direction, no change):

- trained for ten epochs on 184 tiles, val AP 0.47 to 0.66 (six runs of three architectures; one without turns in
  training, one on a single orbit): 0.93 to 0.99, +0.15 to +0.20, 0 to 0.1 %
- trained for two epochs on 8 tiles, val AP about 0.2 (twelve): -0.49 to 0.78, -0.005 to +0.08, 36 to 100 %
- not trained: -0.25 to 0.26, -0.034 to +0.030, 1 to 81 %
- the good ones with their dates reversed: -0.08 to 0.85, -0.025 to +0.003, 0 to 0.1 %
- the good ones, half of the answer replaced by a pattern of place: 0.48 to 0.60, +0.08 to +0.10, 0 to 15 %
- constant: 0, 0, 0 or 100 %

Each of the broken ones broke a law, and no good one did.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuning.registry.gate_tiles import GateTiles

FLIPS = ((-2,), (-1,), (-2, -1))  # rows, columns, both
MIN_AGREEMENT = 0.8
MAX_FALL = 0.005
MAX_SHARE = 0.01
_CONSTANT = 1e-6  # standard deviation below which a map says nothing
_BATCH = 4

Program = Callable[[Tensor], Tensor]  # (B, T, C, H, W) in dB to landslide probabilities (B, H, W)


@dataclass(frozen=True)
class GateCheck:
    """What one law found.

    Attributes:
        name: ``flips``, ``direction`` or ``no_change``.
        passed: Whether the law holds.
        value: What was measured.
        limit: What it must reach, or for ``no_change`` must not exceed.
        sentence: The same in words.
    """

    name: str
    passed: bool
    value: float
    limit: float
    sentence: str


def run_gate_checks(program: Program, tiles: GateTiles, threshold: float) -> tuple[GateCheck, ...]:
    """Try the three laws on a program.

    Args:
        program: ``(B, T, C, H, W)`` in dB to landslide probabilities ``(B, H, W)``.
        tiles: Windows of val tiles.
        threshold: Probability from which a pixel counts as landslide.

    Returns:
        One check for each law: ``flips``, ``direction``, ``no_change``.

    Raises:
        ValueError: If the program's answer has another shape.
    """
    probs = _answer(program, tiles.x)
    return (
        _check_flips(program, tiles, probs),
        _check_direction(program, tiles, probs),
        _check_no_change(program, tiles, threshold),
    )


def _answer(program: Program, x: np.ndarray) -> np.ndarray:
    whole = torch.from_numpy(np.ascontiguousarray(x))  # a flipped view runs backwards
    parts = [whole[start : start + _BATCH] for start in range(0, len(whole), _BATCH)]
    with torch.no_grad():
        probs: np.ndarray = torch.cat([program(part) for part in parts]).float().numpy()
    wanted = (len(x), *x.shape[-2:])
    if probs.shape != wanted:
        raise ValueError(
            f"A program must answer with probabilities (B, H, W), but got the shape {probs.shape} "
            f"instead of {wanted}. Do not use this model."
        )
    return probs


def _check_flips(program: Program, tiles: GateTiles, probs: np.ndarray) -> GateCheck:
    """Correlate the map with the flipped-back map of the flipped input.

    The correlation leaves out what maps have in common by chance: a map that is the same everywhere
    answers no flip, and correlates with nothing.
    """
    values = [
        _correlate(probs, np.flip(_answer(program, np.flip(tiles.x, axes)), axes)) for axes in FLIPS
    ]
    value = float(np.min(values))  # NaN where one is
    sentence = (
        f"Flips of the input should flip the map: the maps correlate by {value:.3f} (the least of "
        f"{len(FLIPS)} flips), at least {MIN_AGREEMENT} is asked for."
    )
    return GateCheck("flips", value >= MIN_AGREEMENT, value, MIN_AGREEMENT, sentence)


def _correlate(a: np.ndarray, b: np.ndarray) -> float:
    """Correlate two maps; 0 where one is constant."""
    if min(a.std(), b.std()) < _CONSTANT:
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def _check_direction(program: Program, tiles: GateTiles, probs: np.ndarray) -> GateCheck:
    """Raise the landslides' own change from none to once to twice, and look for the smallest rise."""
    slides = tiles.mask > 0
    steps = [
        float(some[slides].mean())
        for some in (
            _answer(program, tiles.scale_change(0)),
            probs,
            _answer(program, tiles.scale_change(2)),
        )
    ]
    value = float(np.min(np.diff(steps)))
    sentence = (
        "A stronger change after the event should not lower the probability of the landslides: it is "
        f"{steps[0]:.3f} without their change, {steps[1]:.3f} with it, {steps[2]:.3f} with twice of it; "
        f"a fall by {MAX_FALL} is allowed."
    )
    return GateCheck("direction", value >= -MAX_FALL, value, -MAX_FALL, sentence)


def _check_no_change(program: Program, tiles: GateTiles, threshold: float) -> GateCheck:
    """Show a series that never changes; what is no number counts as landslide."""
    value = float(np.mean(~(_answer(program, tiles.freeze()) < threshold)))
    sentence = (
        f"A series without change should yield no landslide: {100 * value:.2f} % of its pixels reach "
        f"{threshold:.3f}, {100 * MAX_SHARE:g} % is allowed."
    )
    return GateCheck("no_change", value <= MAX_SHARE, value, MAX_SHARE, sentence)
